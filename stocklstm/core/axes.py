"""What `tune` searches, and how it can."""

from collections.abc import Mapping
from typing import Any

AXES: Mapping[str, tuple[float, ...]] = {
    "learning_rate": (0.01, 0.001, 0.0001),
    "hidden_size": (32, 50, 100, 128),
    "num_layers": (1, 2, 3),
    "dropout": (0.1, 0.2, 0.3, 0.5),
    "batch_size": (16, 32, 64),
}
"""What is searched, in the order of what matters most, and the values that are tried."""

SAMPLERS = ("coordinate", "grid", "random", "tpe")

Settings = dict[str, Any]
"""A value for each axis."""
