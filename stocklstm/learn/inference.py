"""What the network itself says, to hold the serving graph against."""

import numpy as np
import torch
from numpy.typing import NDArray

from stocklstm.core.series import Floats
from stocklstm.learn.model import StockLSTM


def network_outputs(network: StockLSTM, windows: NDArray[np.float32]) -> Floats:
    """Run the network in PyTorch.

    Args:
        network: In evaluation mode.
        windows: (N, T, F).

    Returns:
        (N, Q).
    """
    with torch.inference_mode():
        outputs: Floats = network(torch.from_numpy(windows)).numpy().astype(np.float64)
    return outputs
