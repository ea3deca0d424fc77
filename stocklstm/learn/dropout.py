"""Dropout masks of raw random bits, a quarter of the work of `bernoulli_`.

The bits of a batch are drawn at once, before the threads that take the step begin (Srivastava et
al. 2014, of what dropout is).
"""

import torch
from torch import Tensor

_VALUES = 2**16


def draw_bits(windows: int, numbers: int) -> Tensor:
    """Draw 16 bits for each number that may be dropped, by PyTorch's generator of the CPU.

    Returns:
        (windows, numbers) int16.
    """
    # Four numbers to a word; the range includes negative ones, so that all 64 bits are random.
    words = torch.empty(-(-windows * numbers // 4), dtype=torch.int64).random_(-(2**63), None)
    return words.view(torch.int16)[: windows * numbers].view(windows, numbers)


def masks_of(bits: Tensor, share: float) -> Tensor:
    """Make masks of bits.

    Args:
        bits: int16, of any shape.
        share: Of zeros, from 0 to below 1; taken to the nearest of 65,536 parts.

    Returns:
        Zeros, and elsewhere the factor that keeps the mean; float32 of the same shape.
    """
    dropped = min(round(share * _VALUES), _VALUES - 1)
    return (bits >= dropped - _VALUES // 2).float().mul_(_VALUES / (_VALUES - dropped))
