"""Loss functions."""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stocklstm.core.settings.config import LEVELS

# Where the loss turns linear: a twentieth of the range of scaled prices.
_HUBER_DELTA = 0.05

Loss = Callable[[Tensor, Tensor], Tensor]
"""(N, Q) outputs and (N,) targets to a scalar mean."""


def loss_function(name: str) -> Loss:
    """Look up "pinball", "mse", "mae" or "huber"."""
    return {
        "pinball": pinball_loss,
        "mse": squared_loss,
        "mae": absolute_loss,
        "huber": huber_loss,
    }[name]


def best_constant(name: str, targets: NDArray[np.float32]) -> NDArray[np.float64]:
    """Find the constant forecast with the lowest loss.

    Args:
        targets: (N,) training labels.

    Returns:
        (Q,) outputs: quantiles, the mean or the median. For the Huber loss the median too, which
        is not quite its lowest.
    """
    labels = targets.astype(np.float64)
    if name == "pinball":
        quantiles: NDArray[np.float64] = np.quantile(labels, LEVELS)
        return quantiles
    return np.array([labels.mean() if name == "mse" else np.median(labels)])


def pinball_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean quantile loss over all levels of the grid (Koenker & Bassett 1978).

    Args:
        outputs: (N, Q) quantiles over `LEVELS`.
        targets: (N,).
    """
    levels = _levels(outputs.dtype, outputs.device)
    errors = targets[:, None] - outputs
    return torch.maximum(levels * errors, (levels - 1) * errors).mean()


@cache
def _levels(dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(LEVELS, dtype=dtype, device=device)


def squared_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error.

    Args:
        outputs: (N, 1).
        targets: (N,).
    """
    return nn.functional.mse_loss(outputs[:, 0], targets)


def absolute_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean absolute error.

    Args:
        outputs: (N, 1).
        targets: (N,).
    """
    return nn.functional.l1_loss(outputs[:, 0], targets)


def huber_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Half the squared error where it is small, linear beyond (Huber 1964).

    Args:
        outputs: (N, 1), in the scale of the prices, whose whole range is about 1.
        targets: (N,).
    """
    return nn.functional.huber_loss(outputs[:, 0], targets, delta=_HUBER_DELTA)
