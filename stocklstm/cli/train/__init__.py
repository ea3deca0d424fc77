"""stocklstm train and tune."""
