"""Price series as arrays, their soundness, and how they are cut into parts."""
