"""The training loop."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stocklstm.core.prices.series import Indices
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.core.training.diagnosis import ConstantLosses
from stocklstm.core.training.epochs import EpochRecord, History
from stocklstm.errors import ArtifactCorruptError, ConfigError, TrainingDivergedError
from stocklstm.learn.checkpoints import (
    RunFiles,
    State,
    encode_checkpoint,
    encode_state,
    restore,
    snapshot,
)
from stocklstm.learn.devices import autocast, choose_device, describe_device, gradient_scaler
from stocklstm.learn.dropout import draw_bits, masks_of
from stocklstm.learn.flat import FlatWeights, WeightAverage
from stocklstm.learn.losses import best_constant, loss_function
from stocklstm.learn.network import StockLSTM
from stocklstm.learn.optimization import Schedule, make_optimizer
from stocklstm.learn.shards import Batch, ShardedGradient, shard_count
from stocklstm.learn.stopping import ShouldStop, StoppedError, never

OnEpoch = Callable[[EpochRecord], None]

# An LSTM's states are bounded, so a step size that is far too large seldom ends in infinity: it
# ends in a loss that is worse than having learned nothing. A bad first pass may be made good by the
# second; twice as bad as nothing over two passes is lost.
_DIVERGED = 2.0

# Windows that are validated at once: copied out of their series they take as much memory as each
# is long, and a pool has as many as it has rows.
_VALIDATED_AT_ONCE = 8192

# Other processors round otherwise; a loss of float32 outputs agrees far better than this.
_SAME = 1e-3


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Features and labels of the training and validation parts.

    The rows of several series may follow each other: only windows that end at a row of `train` or
    `validation` are read, and none of these begins in another series.

    Attributes:
        inputs: (N, F) float32 features of every row.
        targets: (N,) float32 labels of every row.
        train: Rows at which training windows end.
        validation: Rows at which validation windows end.
    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.float32]
    train: Indices
    validation: Indices


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """Result of a run.

    Attributes:
        network: With the weights of the kept epoch, in evaluation mode.
        state: Checkpoint state of the same epoch.
        history: One record an epoch.
        constant: Losses of the best constant forecast on the same windows.
        device: Where it was trained, in words.
        checkpoints: Epochs whose checkpoints are published with the model, by the settings.
    """

    network: StockLSTM
    state: State
    history: tuple[EpochRecord, ...]
    constant: ConstantLosses
    device: str
    checkpoints: tuple[int, ...] = ()


def train_network(
    config: TrainingConfig,
    data: TrainingData,
    on_epoch: OnEpoch,
    *,
    should_stop: ShouldStop = never,
    files: RunFiles | None = None,
    resume: State | None = None,
    start: State | None = None,
) -> TrainedNetwork:
    """Train by the settings and keep the best or the last epoch.

    Same settings and data give the same weights on the same machine, whatever its threads, and
    whether or not the run was stopped and resumed on the way.

    Args:
        on_epoch: Called after each epoch.
        should_stop: Asked after every step.
        files: Where states and checkpoints are saved; by default nowhere.
        resume: State that was saved by a run with the same settings and data.
        start: Checkpoint of another version whose weights are to be the first ones.

    Raises:
        TrainingDivergedError: A loss is infinite or not a number, or twice that of an untrained
            network for two epochs or at the last one.
        StoppedError: `should_stop` said so.
        ConfigError: The weights to start from are of another architecture, or the device is not
            there.
    """
    with isolated_torch(config) as threads:
        run = TrainingRun(config, data, on_epoch, should_stop, files, threads=threads)
        if resume is not None:
            run.resume(resume)
        else:
            run.begin(start)
        return run.train()


def adopt_network(config: TrainingConfig, data: TrainingData, start: State) -> TrainedNetwork:
    """Take over a network that was trained elsewhere, and measure its validation loss.

    Args:
        start: Has its "architecture", "weights", and "target" and "features" in "config".

    Raises:
        ConfigError: The weights are of another architecture.
    """
    with isolated_torch(config):
        run = TrainingRun(config, data, lambda _: None)
        run.begin(start)
        return run.adopted()


def check_trained(
    config: TrainingConfig,
    data: TrainingData,
    kept: State,
    checkpoints: Mapping[int, State],
    history: History,
    device: str,
    files: RunFiles,
    *,
    warm: bool,
) -> TrainedNetwork:
    """Take over a training from elsewhere, of which nothing is believed but weights and losses.

    What follows from the losses is computed again, and the validation losses of all weights that
    came with it are measured.

    Args:
        kept: State of the kept epoch.
        checkpoints: States of the epochs that are published with it.
        history: Losses and seconds of each epoch; the rest is not looked at.
        device: Where it was trained, in words.
        files: Takes the checkpoints.
        warm: True if it began with the weights of another version.

    Raises:
        ArtifactCorruptError: It is not what a training with these settings on this data makes.
        TrainingDivergedError: By its losses.
    """
    # Its validation was in float32, wherever that was, and so it is here.
    here = replace(config, device="cpu", precision="32")
    with isolated_torch(config):
        run = TrainingRun(here, data, lambda _: None)
        if warm:
            run.constant = replace(run.constant, is_start=False)
        run.retrace(history, warm=warm)
        last = run.history[-1]
        if sorted(checkpoints) != run.checkpoint_epochs(last.epoch):
            raise _untrue("its checkpoints are of other epochs")
        for epoch, state in checkpoints.items():
            seen = [record for record in run.history if record.epoch <= epoch]
            taken = run.retaken(state, epoch)
            files.save_checkpoint(epoch, encode_checkpoint(run.network, taken, config, seen))
        state = run.retaken(kept, last.best_epoch if config.restore_best else last.epoch)
        run.network.load_state_dict(state["weights"])
        return TrainedNetwork(
            run.network.eval(),
            state,
            tuple(run.history),
            run.constant,
            device,
            tuple(sorted(checkpoints)),
        )


@contextmanager
def isolated_torch(config: TrainingConfig) -> Iterator[int]:
    """Seed PyTorch and let one thread do each operation: a notebook's own state stays its own.

    Yields:
        Threads that a run may use: no more than the settings say, and than PyTorch had.
    """
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        torch.set_num_threads(1)
        try:
            yield min(threads, config.threads)
        finally:
            torch.set_num_threads(threads)


class TrainingRun:
    """One training from its first weights to the last ones; all of it inside `isolated_torch`."""

    def __init__(
        self,
        config: TrainingConfig,
        data: TrainingData,
        on_epoch: OnEpoch,
        should_stop: ShouldStop = never,
        files: RunFiles | None = None,
        *,
        threads: int = 1,
    ) -> None:
        """Build the network, optimizer and schedule; see `train_network` for the arguments.

        Args:
            threads: What `isolated_torch` gives; they change no result.
        """
        self.config = config
        self.on_epoch = on_epoch
        self.should_stop = should_stop
        self.files = files
        self.device = choose_device(config)
        # Views of one array: a batch copies its own windows and nothing else.
        inputs = torch.from_numpy(data.inputs).to(self.device)
        self.windows = inputs.unfold(0, config.seq_length, 1).transpose(1, 2)
        self.targets = torch.from_numpy(data.targets).to(self.device)
        self.train_rows = torch.from_numpy(data.train).to(self.device)
        self.validation_rows = torch.from_numpy(data.validation).to(self.device)
        self.loss = loss_function(config.loss)
        # Made on the CPU, so that the first weights are the same on every device.
        self.network = StockLSTM.from_config(config)
        constant = best_constant(config.loss, data.targets[data.train])
        if config.target == "return":
            self.network.start_from(torch.from_numpy(constant))
        self.constant = self._constant_losses(constant)
        self.untrained = self.constant.train
        if not self.constant.is_start:
            # Before its first step such a network forecasts about zero, which is worse.
            nothing = self._constant_loss(np.zeros_like(constant), self.train_rows)
            self.untrained = max(self.untrained, nothing)
        self.network.to(self.device)
        self.weights = FlatWeights(self.network)
        self.averaged = (
            None if config.ema_decay is None else WeightAverage(self.network, config.ema_decay)
        )
        self.gradient_scaler = gradient_scaler(config, self.device)
        self.gradient = ShardedGradient(self.weights, shard_count(config, self.device), threads)
        self.optimizer = make_optimizer(config, [self.weights.vector])
        self.schedule = Schedule(config, self.optimizer)
        self.shuffler = torch.Generator().manual_seed(config.seed)
        self.history: list[EpochRecord] = []
        self.best: State = {}
        # Of the epoch under way: the shuffler before it, batches that are done, their losses.
        self.order_state = self.shuffler.get_state()
        self.position = 0
        self.total = 0.0
        # Time that the epoch under way took before the run was stopped.
        self.spent = 0.0

    def _constant_losses(self, constant: NDArray[np.float64]) -> ConstantLosses:
        return ConstantLosses(
            self._constant_loss(constant, self.train_rows),
            self._constant_loss(constant, self.validation_rows),
            is_start=self.config.target == "return",
        )

    def _constant_loss(self, constant: NDArray[np.float64], rows: Tensor) -> float:
        outputs = torch.from_numpy(constant.astype(np.float32)).to(self.device)
        return self.loss(outputs.expand(len(rows), -1), self.targets[rows]).item()

    @property
    def _served(self) -> StockLSTM:
        return self.network if self.averaged is None else self.averaged.network

    # Starting

    def begin(self, start: State | None) -> None:
        """Set the first weights; where they are a forecast already, they compete as epoch 0."""
        if start is not None:
            self._take_weights(start)
            self.constant = replace(self.constant, is_start=False)
        if start is not None or self.config.target == "return":
            self._record(0, None, time.perf_counter())

    def _take_weights(self, start: State) -> None:
        if start["architecture"] != self.network.architecture:
            raise ConfigError(
                f"the version to start from has the architecture {start['architecture']}, "
                f"not {self.network.architecture}",
                hint="repeat its settings with --like",
            )
        for name in ("target", "features"):
            theirs, ours = start["config"][name], getattr(self.config, name)
            if theirs != ours:
                raise ConfigError(
                    f"the version to start from has {name} {theirs!r}, not {ours!r}: its weights "
                    "mean something else",
                    hint="repeat its settings with --like",
                )
        self.network.load_state_dict(start["weights"])
        if self.averaged is not None:
            self.averaged.network.load_state_dict(start["weights"])

    def resume(self, state: State) -> None:
        """Restore a saved state."""
        restore(state, self.weights, self.averaged, self.optimizer, self.schedule)
        self.gradient_scaler.load_state_dict(state["gradient_scaler"])
        self.shuffler.set_state(state["rng"]["shuffle"])
        self.order_state = state["rng"]["shuffle"]
        self.history = [EpochRecord(**record) for record in state["history"]]
        self.best = state["best"]
        self.position, self.total = state["position"], state["total"]
        self.spent = state["spent"]
        self.constant = ConstantLosses(**state["constant"])

    def adopted(self) -> TrainedNetwork:
        """The network with its first weights, without a step."""
        return TrainedNetwork(
            self.network.cpu().eval(),
            self._snapshot(0),
            tuple(self.history),
            self.constant,
            "not known",
        )

    # From elsewhere

    def retrace(self, claimed: History, *, warm: bool) -> None:
        """Go through the epochs of a training elsewhere, and compute what follows from losses."""
        first = 0 if warm or self.config.target == "return" else 1
        for epoch, record in enumerate(claimed, start=first):
            if epoch > self.config.epochs or self._patience_is_over():
                raise _untrue("it has more epochs than its settings allow")
            losses = [record.val_loss] if epoch == 0 else [record.val_loss, record.train_loss]
            if not all(loss is not None and math.isfinite(loss) for loss in losses):
                raise _untrue(f"a loss of epoch {epoch} is not a number")
            if not 0 <= record.seconds < math.inf:
                raise _untrue(f"epoch {epoch} took {record.seconds} seconds")
            self.history.append(
                replace(
                    record,
                    epoch=epoch,
                    train_loss=record.train_loss if epoch else None,
                    learning_rate=self.schedule.learning_rate,
                    best_epoch=self._best_after(epoch, record.val_loss),
                )
            )
            if epoch:
                self._check_divergence(epoch)
                self.schedule.step(record.val_loss)
        last = self.history[-1].epoch if self.history else 0
        if last != self.config.epochs and not self._patience_is_over():
            raise _untrue(f"it ended after epoch {last}")

    def retaken(self, state: State, epoch: int) -> State:
        """Restore a state from elsewhere, and give it as this process would have saved it."""
        try:
            restore(state, self.weights, self.averaged, self.optimizer, self.schedule)
            self.shuffler.set_state(state["rng"]["shuffle"])
            self.order_state = self.shuffler.get_state()
            taken = self._snapshot(epoch)
        except (
            *(AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError),
        ) as error:
            reason = str(error).strip().partition("\n")[0]
            raise _untrue(
                f"the weights of epoch {epoch} are of another network: {reason}"
            ) from error
        measured = self.validation_loss()
        claimed = next(record.val_loss for record in self.history if record.epoch == epoch)
        if not math.isclose(measured, claimed, rel_tol=_SAME, abs_tol=_SAME**2):
            raise _untrue(f"its loss after epoch {epoch} is {measured:.6g} and not {claimed:.6g}")
        return taken

    # Training

    def train(self) -> TrainedNetwork:
        """Train to the last epoch, or until patience ends."""
        first = self.history[-1].epoch + 1 if self.history else 1
        for epoch in range(first, self.config.epochs + 1):
            if self._patience_is_over():
                break
            started = time.perf_counter() - self.spent
            self._record(epoch, self._pass(epoch, started), started)
            self._check_divergence(epoch)
            self.spent = 0.0
            self.schedule.step(self.history[-1].val_loss)
            self._end_epoch(epoch)
        last = self.history[-1].epoch
        kept = self.best if self.config.restore_best else self._snapshot(last)
        self.network.cpu().load_state_dict(kept["weights"])
        return TrainedNetwork(
            self.network.eval(),
            kept,
            tuple(self.history),
            self.constant,
            describe_device(self.device),
            tuple(self.checkpoint_epochs(last)),
        )

    def _patience_is_over(self) -> bool:
        if not self.config.patience or not self.history:
            return False
        last = self.history[-1]
        return last.epoch - last.best_epoch >= self.config.patience

    def _pass(self, epoch: int, started: float) -> float:
        for chosen in self.begin_epoch()[self.position :]:
            loss = self.step(chosen)
            self.total += loss * len(chosen)
            self.position += 1
            if self.should_stop():
                self.spent = time.perf_counter() - started
                self._save(epoch)
                raise StoppedError
        mean = self.total / len(self.train_rows)
        self.order_state, self.position, self.total = self.shuffler.get_state(), 0, 0.0
        return mean

    def _check_divergence(self, epoch: int) -> None:
        lost = [self._is_diverged(record.train_loss) for record in self.history[-2:]]
        ends = epoch == self.config.epochs or self._patience_is_over()
        if lost == [True, True] or (ends and lost[-1]):
            raise _diverged(
                f"the loss of epoch {epoch} is over {_DIVERGED:g} times that of an untrained "
                f"network: {self.history[-1].train_loss:.4g} against {self.untrained:.4g}"
            )

    def _is_diverged(self, loss: float | None) -> bool:
        # Prices that never moved leave nothing to lose, and nothing to compare with.
        return loss is not None and 0 < self.untrained < loss / _DIVERGED

    def begin_epoch(self) -> tuple[Tensor, ...]:
        """Shuffle the training windows.

        Returns:
            The windows of each step, as indices into `train_rows`.
        """
        self.gradient.train_mode()
        self.order_state = self.shuffler.get_state()
        order = torch.randperm(len(self.train_rows), generator=self.shuffler)
        return torch.split(order, self.config.batch_size)

    def step(self, chosen: Tensor) -> float:
        """Take an optimizer step on the windows of one batch from `begin_epoch`.

        Returns:
            The loss on them before the step.

        Raises:
            TrainingDivergedError: It is infinite or not a number.
        """
        batch = self._batch(self.train_rows[chosen])
        value = self.gradient.compute(self._shard_loss, batch, self.gradient_scaler.scale)
        if not math.isfinite(value):
            raise _diverged(f"the loss became {value}")
        if self.config.clip_norm is not None:
            self.gradient_scaler.unscale_(self.optimizer)
            self.weights.clip_gradient(self.config.clip_norm)
        self.gradient_scaler.step(self.optimizer)
        self.gradient_scaler.update()
        if self.averaged is not None:
            self.averaged.update(self.weights)
        return value

    def _batch(self, rows: Tensor) -> Batch:
        """What is needed of each window: its row, what was drawn for it; random bits come last."""
        dropped = self.network.dropped_numbers(self.config.seq_length)
        return [rows, draw_bits(len(rows), dropped)] if self.config.dropout else [rows]

    def _shard_loss(self, network: StockLSTM, shard: Batch) -> Tensor:
        """The loss that a step minimizes, on some windows of a batch; draws nothing at random."""
        rows, *bits = shard
        outputs = self._training_outputs(network, self._windows_at(rows), bits)
        return self.loss(outputs, self.targets[rows])

    def _training_outputs(self, network: StockLSTM, windows: Tensor, bits: Batch) -> Tensor:
        """Run a network in the precision of training, with dropout by random bits if there are."""
        masks = masks_of(bits[0].to(self.device), self.config.dropout) if bits else None
        with autocast(self.config, self.device):
            outputs = self._outputs(network, windows, masks)
        return outputs.float()

    def _outputs(self, network: StockLSTM, windows: Tensor, masks: Tensor | None = None) -> Tensor:
        outputs: Tensor = network(windows, masks)
        return outputs

    def _windows_at(self, rows: Tensor) -> Tensor:
        # Row r is the last of window r - T + 1.
        return self.windows[rows - (self.config.seq_length - 1)]

    def validation_loss(self) -> float:
        """Loss of the weights that would be served.

        Raises:
            TrainingDivergedError: It is infinite or not a number.
        """
        served, parts = self._served.eval(), torch.split(self.validation_rows, _VALIDATED_AT_ONCE)
        with torch.inference_mode():
            # In float32 whatever the precision of training: so the network will be served.
            losses = [
                self.loss(self._outputs(served, self._windows_at(rows)), self.targets[rows]).item()
                for rows in parts
            ]
        value = float(np.average(losses, weights=[len(rows) for rows in parts]))
        if not math.isfinite(value):
            raise _diverged(f"the loss became {value}")
        return value

    def _record(self, epoch: int, train_loss: float | None, started: float) -> None:
        value = self.validation_loss()
        best = self._best_after(epoch, value)
        if best == epoch:
            self.best = self._snapshot(epoch)
        record = EpochRecord(
            epoch=epoch,
            train_loss=train_loss,
            val_loss=value,
            learning_rate=self.schedule.learning_rate,
            seconds=time.perf_counter() - started,
            best_epoch=best,
        )
        self.history.append(record)
        self.on_epoch(record)

    def _best_after(self, epoch: int, value: float) -> int:
        if not self.history or value < self._best_loss() - self.config.min_delta:
            return epoch
        return self.history[-1].best_epoch

    def _best_loss(self) -> float:
        best = self.history[-1].best_epoch
        return next(record.val_loss for record in self.history if record.epoch == best)

    # Saving

    def _end_epoch(self, epoch: int) -> None:
        """Save this epoch, then remove superseded checkpoints: a crash in between loses none."""
        if self.files is None:
            return
        wanted = self.checkpoint_epochs(epoch)
        if epoch in wanted:
            state, history = self._snapshot(epoch), tuple(self.history)
            content = encode_checkpoint(self.network, state, self.config, history)
            self.files.save_checkpoint(epoch, content)
        self._save(epoch)
        for past in set(self.checkpoint_epochs(epoch - 1)) - set(wanted):
            self.files.drop_checkpoint(past)

    def checkpoint_epochs(self, last: int) -> list[int]:
        """Epochs whose checkpoints are to be there after the last one so far."""
        records = [record for record in self.history if 1 <= record.epoch <= last]
        every = self.config.checkpoint_every
        periodic = {r.epoch for r in records if every is not None and r.epoch % every == 0}
        best = sorted(records, key=lambda record: (record.val_loss, record.epoch))
        return sorted(periodic | {record.epoch for record in best[: self.config.top_k]})

    def _save(self, epoch: int) -> None:
        if self.files is None:
            return
        progress = {
            "history": [asdict(record) for record in self.history],
            "best": self.best,
            "position": self.position,
            "total": self.total,
            "spent": self.spent,
            "constant": asdict(self.constant),
            "gradient_scaler": self.gradient_scaler.state_dict(),
        }
        self.files.save_state(encode_state(self._snapshot(epoch) | progress))

    def _snapshot(self, epoch: int) -> State:
        return snapshot(
            self.weights, self.averaged, self.optimizer, self.schedule, self.order_state, epoch
        )


def _untrue(reason: str) -> ArtifactCorruptError:
    return ArtifactCorruptError(f"it is not what was to be trained: {reason}")


def _diverged(reason: str) -> TrainingDivergedError:
    return TrainingDivergedError(
        f"training diverged: {reason}",
        hint="train with a smaller --learning-rate, such as 0.001; nothing was published",
    )
