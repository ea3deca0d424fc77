"""stocklstm evaluate, and how scores are shown."""
