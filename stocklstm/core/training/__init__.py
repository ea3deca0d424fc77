"""What a training or a search records of itself, and what its curves mean."""
