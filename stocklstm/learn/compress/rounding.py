"""Rounding weight matrices to small integers, with a scale for each row.

Symmetric, without a zero point: zero stays zero, which is what pruning needs. A row is what makes
one number (a channel): its weights share a scale. The same arithmetic serves arrays after training
and, through `torch`, tensors during it (`qat`), so that what is trained is what is stored.
"""

import numpy as np
from numpy.typing import NDArray

LARGEST = {8: 127, 4: 7, 2: 1}
"""Largest integer by bits; the smallest is its negative."""

FEWEST_FOR_INT4 = 5
"""Columns of a matrix: with fewer, 4 bits and a float32 scale are no smaller than float16."""

_SHRINKS = np.linspace(1.0, 0.5, 26)

# Of a row's mean absolute weight: half of it is the 0.7 times the mean below which a ternary
# weight becomes zero (Li, Zhang & Liu 2016, arXiv 1605.04711).
TERNARY_SCALE = 1.4

Codes = NDArray[np.int8]
Weights = NDArray[np.float32]


def plain_scales(rows: Weights, bits: int) -> Weights:
    """Choose the scales that QAT trains with.

    Args:
        rows: (R, C) weights.
        bits: 8, 4 or 2.

    Returns:
        (R,) float32, above zero: the row's largest weight over the largest integer; for 2 bits
        1.4 times the mean absolute weight.
    """
    sizes = np.abs(rows)
    if bits == 2:
        scales = np.float32(TERNARY_SCALE) * sizes.mean(axis=1)
    else:
        scales = sizes.max(axis=1) / np.float32(LARGEST[bits])
    return _above_zero(scales)


def closest_scales(rows: Weights, bits: int) -> Weights:
    """Choose for each row the scale with the smallest squared error of its weights.

    A row whose largest weights are few is better off if they are clipped.

    Args:
        rows: (R, C) weights.
        bits: 8, 4 or 2.

    Returns:
        (R,) float32, above zero, of which the lower half of the bits is zero: that costs nothing,
        as weights are rounded to multiples of the rest, and compresses to half.
    """
    full = np.abs(rows).max(axis=1) / np.float32(LARGEST[bits])
    candidates = [_above_zero(_short(full * np.float32(shrink))) for shrink in _SHRINKS]
    errors = [
        ((rows - encode(rows, scales, bits) * scales[:, None]) ** 2).sum(axis=1)
        for scales in candidates
    ]
    best: Weights = np.stack(candidates)[np.argmin(errors, axis=0), np.arange(len(rows))]
    return best


def encode(rows: Weights, scales: Weights, bits: int) -> Codes:
    """Round to the nearest multiple of the scale, half to even, and clip.

    Args:
        rows: (R, C) weights.
        scales: (R,).
        bits: 8, 4 or 2.
    """
    largest = LARGEST[bits]
    codes: Codes = np.clip(np.rint(rows / scales[:, None]), -largest, largest).astype(np.int8)
    return codes


def _short(scales: Weights) -> Weights:
    """Round up to 8 significant bits: a largest weight is clipped by no more than was asked for."""
    bits = np.ascontiguousarray(scales, np.float32).view(np.uint32)
    short: Weights = ((bits + 0xFFFF) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    return short


def _above_zero(scales: Weights) -> Weights:
    """Replace the scale of a row of zeros by 1: it is divided by."""
    return np.where(scales > 0, scales, np.float32(1)).astype(np.float32)
