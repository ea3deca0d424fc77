"""validate: every byte, the store as a whole, and whether the future leaked."""
