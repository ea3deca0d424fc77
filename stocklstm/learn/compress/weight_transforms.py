"""Training with a transform of the weights in every forward pass.

The optimizer updates the full weights; the loss is that of the transformed ones: rounded
(quantization-aware training, with a straight-through estimator: Bengio et al. 2013, arXiv
1308.3432), or with the smallest set to zero (magnitude pruning). The transformed ones are served.
"""

from collections.abc import Callable
from dataclasses import asdict, replace

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.utils import prune

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.learn.checkpoints import State
from stocklstm.learn.compress.rounding import FEWEST_FOR_INT4, LARGEST, TERNARY_SCALE
from stocklstm.learn.loop import OnEpoch, TrainedNetwork, TrainingData, TrainingRun, isolated_torch
from stocklstm.learn.network import StockLSTM

WeightTransform = Callable[[str, Tensor], Tensor]
"""Takes the name of a parameter and its weights, and returns those to use."""


def fine_tune(
    config: TrainingConfig,
    data: TrainingData,
    start: State,
    on_epoch: OnEpoch,
    transform: "WeightTransform | Pruning | None" = None,
) -> TrainedNetwork:
    """Train from the weights of a checkpoint, with or without a transform.

    Returns:
        The network with its full weights; `transformed` gives those to be served.
    """
    with isolated_torch(config) as threads:
        run = TransformedRun(config, data, on_epoch, transform, threads=threads)
        run.begin(start)
        return run.train()


class TransformedRun(TrainingRun):
    """A training in which every forward pass uses transformed weights."""

    def __init__(
        self,
        config: TrainingConfig,
        data: TrainingData,
        on_epoch: OnEpoch,
        transform: "WeightTransform | Pruning | None",
        *,
        threads: int,
    ) -> None:
        """Build the network; see `TrainingRun`."""
        super().__init__(config, data, on_epoch, threads=threads)
        self.transform = transform
        batches = -(-len(data.train) // config.batch_size)
        self.steps_planned, self.steps_made = config.epochs * batches, 0

    def step(self, chosen: Tensor) -> float:
        """Take a step, with as many zeros as the schedule of the pruning says."""
        if isinstance(self.transform, Pruning):
            self.transform.advance(self.steps_made / self.steps_planned)
        self.steps_made += 1
        return super().step(chosen)

    def _outputs(self, network: StockLSTM, windows: Tensor, masks: Tensor | None = None) -> Tensor:
        if self.transform is None:
            return super()._outputs(network, windows, masks)
        weights = {name: self.transform(name, value) for name, value in network.named_parameters()}
        outputs: Tensor = functional_call(network, weights, (windows, masks))
        return outputs


def transformed(trained: TrainedNetwork, transform: WeightTransform) -> TrainedNetwork:
    """Copy a network with transformed weights."""
    network = StockLSTM(**trained.network.architecture)
    with torch.no_grad():
        weights = {
            name: transform(name, value).clone()
            for name, value in trained.network.named_parameters()
        }
    network.load_state_dict(weights)
    return replace(trained, network=network.eval(), state=trained.state | {"weights": weights})


def start_state(network: StockLSTM, config: TrainingConfig) -> State:
    """Make the checkpoint of a network that a training can start from."""
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    return {"architecture": network.architecture, "config": asdict(config), "weights": weights}


def fake_quantized(bits: int) -> WeightTransform:
    """Round weights to those that `store_integers` with `plain_scales` stores in 8, 4 or 2 bits."""

    def transform(name: str, weights: Tensor) -> Tensor:
        if name == "head.bias":
            return weights
        few = weights.ndim == 1 or (bits < 8 and weights.shape[1] < FEWEST_FOR_INT4)
        with torch.no_grad():
            rounded = weights.half().float() if few else _rounded(weights, bits)
        # The rounding has no slope; the gradient goes straight through.
        return weights + (rounded - weights).detach()

    return transform


def _rounded(weights: Tensor, bits: int) -> Tensor:
    largest, sizes = LARGEST[bits], weights.abs()
    scales = TERNARY_SCALE * sizes.mean(1) if bits == 2 else sizes.amax(1) / largest
    scales = torch.where(scales > 0, scales, torch.ones_like(scales))[:, None]
    return (weights / scales).round().clamp(-largest, largest) * scales


class Pruning:
    """Sets the smallest weights of each matrix to zero."""

    def __init__(self, sparsity: float, schedule: str = "once") -> None:
        """Set the share of zeros and how it grows.

        Args:
            sparsity: Final share.
            schedule: "polynomial": s(t) = S (1 - (1 - t)³), t from 0 to 1 over the training
                (Zhu & Gupta 2017, arXiv 1710.01878); "once": all from the first step.
        """
        self.target = sparsity
        self.schedule = schedule
        self.sparsity = 0.0 if schedule == "polynomial" else sparsity

    def advance(self, progress: float) -> None:
        """Set the sparsity that the schedule has after a share of the training, from 0 to 1."""
        if self.schedule == "polynomial":
            self.sparsity = self.target * (1 - (1 - progress) ** 3)

    def __call__(self, _: str, weights: Tensor) -> Tensor:
        """Set the smallest weights of a matrix to zero; biases stay."""
        if weights.ndim == 1:
            return weights
        method = prune.L1Unstructured(amount=self.sparsity)
        mask: Tensor = method.compute_mask(weights.detach(), torch.ones_like(weights))  # type: ignore[no-untyped-call]
        return weights * mask
