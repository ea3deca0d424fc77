"""What a network is shown: features, volatility, and their scaling."""
