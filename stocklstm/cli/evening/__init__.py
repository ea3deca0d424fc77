"""stocklstm evening and schedule."""
