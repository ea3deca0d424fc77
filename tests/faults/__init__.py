"""Faults at every boundary where the program writes, and what is true of the store after each."""
