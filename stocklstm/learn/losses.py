"""What training minimises."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from stocklstm.core.levels import LEVELS

Loss = Callable[[Tensor, Tensor], Tensor]
"""(N, Q) outputs and (N,) targets to a scalar mean."""


def loss_function(name: str) -> Loss:
    """Choose by name.

    Args:
        name: "pinball" or "mse", as the settings allow.
    """
    return {"pinball": pinball_loss, "mse": squared_loss}[name]


def pinball_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean quantile loss over all levels of the grid (Koenker & Bassett 1978).

    Args:
        outputs: (N, Q) quantiles over `LEVELS`.
        targets: (N,).
    """
    levels = torch.tensor(LEVELS, dtype=outputs.dtype, device=outputs.device)
    errors = targets[:, None] - outputs
    return torch.maximum(levels * errors, (levels - 1) * errors).mean()


def squared_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error.

    Args:
        outputs: (N, 1).
        targets: (N,).
    """
    return nn.functional.mse_loss(outputs[:, 0], targets)
