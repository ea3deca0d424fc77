"""All weights of a network as one vector: an optimizer step is then one operation, not one each."""

import copy
from typing import Any

import torch
from torch import Tensor, nn, optim

from stocklstm.learn.network import StockLSTM


class FlatWeights:
    """The weights of a network, which become views of one vector.

    Attributes:
        network: The one whose weights they are.
        vector: (P,) all weights, in the order of the network's parameters; what the optimizer
            changes.
    """

    def __init__(self, network: StockLSTM) -> None:
        """Move the weights of a network into a vector, on the device where it is."""
        self.network = network
        self._sizes = [own.numel() for own in network.parameters()]
        self._shapes = [own.shape for own in network.parameters()]
        with torch.no_grad():
            self.vector = nn.Parameter(torch.cat([own.flatten() for own in network.parameters()]))
        self.share_with(network)

    def share_with(self, network: StockLSTM) -> None:
        """Make the weights of a network of the same architecture views of the vector, too."""
        for own, part in zip(network.parameters(), self._parts(self.vector.data), strict=True):
            own.data = part

    def _parts(self, vector: Tensor) -> list[Tensor]:
        parts = torch.split(vector, self._sizes)
        return [part.view(shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def optimizer_state(self, optimizer: optim.Optimizer) -> dict[str, Any]:
        """Give the state of an optimizer of the vector as one of the network's parameters has it.

        Returns:
            A copy, on the CPU.
        """
        state = optimizer.state_dict()
        each: list[dict[str, Any]] = [{} for _ in self._sizes]
        for key, value in state["state"].get(0, {}).items():
            values = self._parts(value) if _is_vector(value) else [value] * len(each)
            for of_one, own in zip(each, values, strict=True):
                of_one[key] = own.to("cpu", copy=True) if isinstance(own, Tensor) else own
        group = copy.deepcopy(state["param_groups"][0]) | {"params": list(range(len(each)))}
        return {
            "state": {place: of_one for place, of_one in enumerate(each) if of_one},
            "param_groups": [group],
        }

    def load_optimizer_state(self, optimizer: optim.Optimizer, state: dict[str, Any]) -> None:
        """Return an optimizer of the vector to a state that `optimizer_state` gave.

        Raises:
            KeyError, ValueError, RuntimeError: It is of another network or optimizer.
        """
        each = [state["state"][place] for place in sorted(state["state"])]
        for own, shape in zip(each, self._shapes, strict=True) if each else ():
            if any(_is_vector(value) and value.shape != shape for value in own.values()):
                raise ValueError("the state of the optimizer is of other weights")
        joined = {
            key: torch.cat([own[key].flatten() for own in each]) if _is_vector(value) else value
            for key, value in (each[0] if each else {}).items()
        }
        optimizer.load_state_dict(
            {
                "state": {0: joined} if joined else {},
                "param_groups": [copy.deepcopy(state["param_groups"][0]) | {"params": [0]}],
            }
        )

    def clip_gradient(self, most: float) -> None:
        """Shorten the gradient to a norm, if it is longer (Pascanu et al. 2013)."""
        gradient = self.vector.grad
        if gradient is not None and (norm := torch.linalg.vector_norm(gradient).item()) > most:
            gradient.mul_(most / norm)


class WeightAverage:
    """An exponential moving average of the weights (Polyak & Juditsky 1992).

    Attributes:
        network: Has the averaged weights.
        steps: How many there have been.
    """

    def __init__(self, network: StockLSTM, decay: float) -> None:
        """Begin with the weights as they are.

        Args:
            network: The one that takes the steps.
            decay: Weight of the past in each step; the first one leaves nothing of it.
        """
        self.network = copy.deepcopy(network).eval()
        self.steps = 0
        self._weights = FlatWeights(self.network)
        self._decay = decay

    def update(self, weights: FlatWeights) -> None:
        """Take in the weights after a step."""
        with torch.no_grad():
            if self.steps == 0:
                self._weights.vector.copy_(weights.vector)
            else:
                self._weights.vector.lerp_(weights.vector, 1 - self._decay)
        self.steps += 1


def _is_vector(value: object) -> bool:
    # The number of steps is a tensor as well, without a dimension.
    return isinstance(value, Tensor) and value.ndim > 0
