"""The gradient of a batch, computed in parts by threads, with the same result for any number."""

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.learn.flat import FlatWeights
from stocklstm.learn.network import StockLSTM

Batch = Sequence[Tensor]
"""What is known of the windows of a batch: tensors with a row for each."""

ShardLoss = Callable[[StockLSTM, Batch], Tensor]
"""Mean loss of a network on some windows of a batch; draws nothing at random."""

_WORTH_SHARING = 10_000_000
"""Multiplications of a forward pass from which on a second thread saves more than it costs."""


def shard_count(config: TrainingConfig, device: torch.device) -> int:
    """Number of shards of a batch: by the settings alone, so that threads change no result."""
    if device.type != "cpu":
        return 1
    hidden = config.hidden_size
    inputs = config.input_size + hidden * (config.num_layers - 1)
    a_session = 4 * hidden * (inputs + hidden * config.num_layers)
    work = config.batch_size * config.seq_length * a_session
    return 2 if work >= _WORTH_SHARING else 1


class ShardedGradient:
    """Computes gradients of a batch that is cut into a fixed number of shards.

    Each shard has a copy of the network, whose weights are views of the same vector, and is worked
    on by one thread. Their gradients are added in order.
    """

    def __init__(self, weights: FlatWeights, shards: int, threads: int) -> None:
        """Make the copies.

        Args:
            weights: Of the network, which works on the first shard; get the gradient.
            shards: How many.
            threads: Most that may work at once, the calling one included.
        """
        network = weights.network
        self._networks = [network, *(copy.deepcopy(network) for _ in range(shards - 1))]
        for each in self._networks[1:]:
            weights.share_with(each)
        self._weights = weights
        self._parameters = [tuple(each.parameters()) for each in self._networks]
        self._gradients = [torch.empty_like(weights.vector) for _ in self._networks]
        self._threads = min(threads, shards)
        self._pool: ThreadPoolExecutor | None = None

    def train_mode(self) -> None:
        """Set the networks to training."""
        for each in self._networks:
            each.train()

    def compute(
        self, loss: ShardLoss, batch: Batch, scale: Callable[[Tensor], Tensor] = lambda it: it
    ) -> float:
        """Set the gradient of the mean loss on a batch, and return that loss.

        Args:
            loss: Of a shard.
            batch: Of N windows.
            scale: Applied to a loss before its gradient is computed.
        """
        count = len(batch[0])
        each = -(-count // len(self._networks))
        parts = list(zip(*(torch.split(tensor, each) for tensor in batch), strict=True))

        def work(place: int) -> float:
            part = parts[place]
            value = loss(self._networks[place], part)
            if len(parts) > 1:
                value = value * (len(part[0]) / count)
            found = torch.autograd.grad(scale(value), self._parameters[place])
            torch.cat([one.flatten() for one in found], out=self._gradients[place])
            return value.item()

        values = self._in_threads(work, len(parts))
        gradient = self._gradients[0]
        for other in self._gradients[1 : len(parts)]:
            gradient.add_(other)
        self._weights.vector.grad = gradient
        return sum(values)

    def _in_threads(self, work: Callable[[int], float], count: int) -> list[float]:
        if self._threads == 1 or count == 1:
            return [work(place) for place in range(count)]
        if self._pool is None:
            # As many threads inside an operation as the calling one has: one.
            self._pool = ThreadPoolExecutor(self._threads - 1, "stocklstm-shard", _one_thread)
        others = [self._pool.submit(work, place) for place in range(1, count)]
        try:
            first = work(0)
        finally:
            # Nobody may be at work on the weights when this is left.
            values = [other.result() for other in others]
        return [first, *values]


def _one_thread() -> None:
    torch.set_num_threads(1)
