"""Structured pruning: a smaller dense network from the most important units of a larger one."""

import torch
from torch import Tensor

from stocklstm.learn.network import Architecture, StockLSTM


def keep_units(network: StockLSTM, hidden_size: int) -> StockLSTM:
    """Keep so many hidden units of each layer, those that are most important.

    The importance of a unit is the squared norm of its outgoing weights: of its columns in the
    recurrent matrix of its layer and in the matrix of the next one, relative to each matrix.

    Returns:
        A network of that size, in evaluation mode.
    """
    architecture: Architecture = {**network.architecture, "hidden_size": hidden_size}
    smaller = StockLSTM(**architecture)
    weights, kept = dict(network.state_dict()), dict[str, Tensor]()
    inputs: Tensor | None = None
    layers = network.lstm.num_layers
    for layer in range(layers):
        after = f"lstm.weight_ih_l{layer + 1}" if layer + 1 < layers else "head.weight"
        recurrent = weights[f"lstm.weight_hh_l{layer}"]
        units = _most_important([recurrent, weights[after]], hidden_size)
        gates = torch.cat([units + gate * network.lstm.hidden_size for gate in range(4)])
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            kept[f"lstm.{name}_l{layer}"] = weights[f"lstm.{name}_l{layer}"][gates]
        kept[f"lstm.weight_hh_l{layer}"] = recurrent[gates][:, units]
        if inputs is not None:
            kept[f"lstm.weight_ih_l{layer}"] = kept[f"lstm.weight_ih_l{layer}"][:, inputs]
        inputs = units
    kept["head.weight"], kept["head.bias"] = weights["head.weight"][:, inputs], weights["head.bias"]
    smaller.load_state_dict(kept)
    return smaller.eval()


def _most_important(matrices: list[Tensor], count: int) -> Tensor:
    shares = [
        (matrix**2).sum(0) / (matrix**2).sum().clamp(min=torch.finfo(matrix.dtype).tiny)
        for matrix in matrices
    ]
    return torch.stack(shares).sum(0).topk(count).indices.sort().values
