"""The probabilities of the quantile grid; apart, so that settings need no NumPy."""

LEVELS: tuple[float, ...] = (
    0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99,
)  # fmt: skip
"""Probabilities of the grid; symmetric, with the bounds of the 80, 90, 95 and 98 % intervals."""

INTERVAL_LEVELS = (0.8, 0.95)
"""Probabilities of the central intervals that are shown and tested."""
