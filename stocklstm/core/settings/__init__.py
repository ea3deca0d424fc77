"""Settings of a training and of a compression: names, limits, where they come from."""
