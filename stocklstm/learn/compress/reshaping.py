"""Training a network whose weights are bent on their way into every forward pass.

The steps go to the full weights; what the loss sees are the bent ones: rounded (quantization-aware
training, with a straight-through estimator: Bengio et al. 2013, arXiv 1308.3432), or with the
smallest set to zero (magnitude pruning). What is kept in the end are the bent ones.
"""

from collections.abc import Callable
from dataclasses import asdict, replace

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import prune

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.learn.checkpoints import State
from stocklstm.learn.compress.rounding import FEWEST_FOR_INT4, LARGEST, TERNARY_SCALE
from stocklstm.learn.loop import OnEpoch, TrainedNetwork, TrainingData, TrainingRun, isolated_torch
from stocklstm.learn.model import StockLSTM

Reshape = Callable[[str, Tensor], Tensor]
"""Name of a parameter and its weights to the weights that are used."""


def fine_tune(
    config: TrainingConfig,
    data: TrainingData,
    start: State,
    on_epoch: OnEpoch,
    reshape: "Reshape | Pruning | None" = None,
) -> TrainedNetwork:
    """Train on from some weights, whether or not they are bent.

    Args:
        config: All settings, of this training.
        data: Features and labels.
        start: Checkpoint with the first weights.
        on_epoch: Called after each epoch.
        reshape: What is done to the weights in each forward pass; nothing if None.

    Returns:
        The network with its full weights; `bent` gives those to be served.

    Raises:
        TrainingDivergedError: As for `train_network`.
        ConfigError: The weights are of another architecture.
    """
    with isolated_torch(config):
        run = ReshapedRun(config, data, on_epoch, reshape)
        run.begin(start)
        return run.train()


class ReshapedRun(TrainingRun):
    """A training in which every forward pass sees bent weights."""

    def __init__(
        self,
        config: TrainingConfig,
        data: TrainingData,
        on_epoch: OnEpoch,
        reshape: "Reshape | Pruning | None",
    ) -> None:
        """Make the network and what bends its weights.

        Args:
            config: All settings, of this training.
            data: Features and labels.
            on_epoch: Called after each epoch.
            reshape: What is done to the weights in each forward pass; nothing if None.
        """
        super().__init__(config, data, on_epoch)
        self.reshape = reshape
        batches = -(-len(data.train) // config.batch_size)
        self.steps_planned, self.steps_made = config.epochs * batches, 0

    def step(self, chosen: Tensor) -> float:
        """Learn from some windows, with as many zeros as are due."""
        if isinstance(self.reshape, Pruning):
            self.reshape.advance(self.steps_made / self.steps_planned)
        self.steps_made += 1
        return super().step(chosen)

    def _outputs(self, network: nn.Module, windows: Tensor) -> Tensor:
        if self.reshape is None:
            return super()._outputs(network, windows)
        weights = {name: self.reshape(name, value) for name, value in network.named_parameters()}
        outputs: Tensor = functional_call(network, weights, (windows,))
        return outputs


def bent(trained: TrainedNetwork, reshape: Reshape) -> TrainedNetwork:
    """Bend the weights once and for all.

    Args:
        trained: With its full weights, which stay as they are.
        reshape: As in training.
    """
    network = StockLSTM(**trained.network.architecture)
    with torch.no_grad():
        weights = {
            name: reshape(name, value).clone() for name, value in trained.network.named_parameters()
        }
    network.load_state_dict(weights)
    return replace(trained, network=network.eval(), state=trained.state | {"weights": weights})


def starting_with(network: StockLSTM, config: TrainingConfig) -> State:
    """Make a checkpoint state of weights that a training can start from.

    Args:
        network: Has the weights.
        config: Settings that describe it.
    """
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    return {"architecture": network.architecture, "config": asdict(config), "weights": weights}


def fake_quantized(bits: int) -> Reshape:
    """Round weights to what `store_integers` with `plain_scales` will store.

    Args:
        bits: 8, 4 or 2.
    """

    def reshape(name: str, weights: Tensor) -> Tensor:
        if name == "head.bias":
            return weights
        few = weights.ndim == 1 or (bits < 8 and weights.shape[1] < FEWEST_FOR_INT4)
        with torch.no_grad():
            rounded = weights.half().float() if few else _rounded(weights, bits)
        # The rounding has no slope; the gradient goes straight through.
        return weights + (rounded - weights).detach()

    return reshape


def _rounded(weights: Tensor, bits: int) -> Tensor:
    largest, sizes = LARGEST[bits], weights.abs()
    scales = TERNARY_SCALE * sizes.mean(1) if bits == 2 else sizes.amax(1) / largest
    scales = torch.where(scales > 0, scales, torch.ones_like(scales))[:, None]
    return (weights / scales).round().clamp(-largest, largest) * scales


class Pruning:
    """Sets the smallest weights of each matrix to zero, more of them as training goes on."""

    def __init__(self, sparsity: float, schedule: str = "once") -> None:
        """Set how many.

        Args:
            sparsity: Share of zeros in the end.
            schedule: "polynomial": s(t) = S (1 - (1 - t)³), t from 0 to 1 over the training
                (Zhu & Gupta 2017, arXiv 1710.01878); "once": all from the first step.
        """
        self.target = sparsity
        self.schedule = schedule
        self.sparsity = 0.0 if schedule == "polynomial" else sparsity

    def advance(self, progress: float) -> None:
        """Go on to where the schedule is after a share of the training."""
        if self.schedule == "polynomial":
            self.sparsity = self.target * (1 - (1 - progress) ** 3)

    def __call__(self, _: str, weights: Tensor) -> Tensor:
        """Set the smallest weights of a matrix to zero; biases stay."""
        if weights.ndim == 1:
            return weights
        method = prune.L1Unstructured(amount=self.sparsity)
        mask: Tensor = method.compute_mask(weights.detach(), torch.ones_like(weights))  # type: ignore[no-untyped-call]
        return weights * mask
