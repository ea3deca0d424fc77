"""How tests/faults disturbs the program, and what must hold of the store whatever happened."""
