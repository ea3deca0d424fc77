"""What a network is shown: features, volatility, and how they are scaled."""
