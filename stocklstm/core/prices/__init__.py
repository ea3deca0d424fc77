"""Price series as arrays, whether they are sound, and how they are cut into parts."""
