"""Settings of a training and of a compression: rows, limits, presets, and how layers merge."""
