"""stocklstm models."""
