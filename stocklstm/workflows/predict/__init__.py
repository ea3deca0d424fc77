"""predict: forecasts from stored prices, or from prices that are given."""
