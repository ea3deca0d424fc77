"""Windows of consecutive rows, without copying them."""

import numpy as np
from numpy.typing import NDArray

from stocklstm.core.prices.series import Indices


def sliding_windows(values: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """View every window of consecutive rows; window w holds rows w … w + length - 1.

    Args:
        values: (N, F) features, oldest row first.
        length: Rows T in a window.

    Returns:
        (N - T + 1, T, F) read-only view of the same memory; no rows if N < T.
    """
    if len(values) < length:
        return np.empty((0, length, values.shape[1]), values.dtype)
    view = np.lib.stride_tricks.sliding_window_view(values, length, axis=0)
    return view.transpose(0, 2, 1)


def windows_at(values: NDArray[np.float32], origins: Indices, length: int) -> NDArray[np.float32]:
    """Take the windows that end at some rows.

    Args:
        values: (N, F) features, oldest row first.
        origins: (M,) last rows of the windows, none before length - 1.
        length: Rows T in a window.

    Returns:
        (M, T, F).
    """
    if len(origins) == 1:
        # One alone is what most forecasts take, and a slice is quicker than a view of all.
        last = int(origins[0])
        return values[None, last - length + 1 : last + 1]
    return sliding_windows(values, length)[origins - (length - 1)]
