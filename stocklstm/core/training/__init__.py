"""What a training says of itself: its epochs, their diagnosis, a search over settings."""
