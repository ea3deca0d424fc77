"""Pure functions and frozen dataclasses over NumPy arrays; knows no file, network or model."""
