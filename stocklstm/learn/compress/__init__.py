"""Ways to make a trained network smaller or faster."""
