"""Time of a training step by our loop and by others, as ratios to a bare loop within one run.

Run: python benchmarks/training.py [--rounds N] [--steps N] [--networks 2x50x60,2x100x60]

Windows of PETR4.SA 2018-2023 in steps of 32, Adam, float32 but where bf16 is said. The bare loop is
what a script would have: nn.LSTM and Adam by one thread, on windows that lie ready. Each loop runs
in a process of its own, since memory that one has freed makes the next one faster; every round runs
all of them in turn, so that a busy machine slows all alike. Medians of the ratios to the bare loop
of the same round are given, and page faults a step, of which a bare loop has thousands or none, as
chance arranges its memory. skorch, darts and neuralforecast run, too, where they are installed. The
floor is the matrix products of a step alone.

With --losses 20 epochs are trained by both loops with some seeds instead, and losses are compared.
Exit code 1 if a goal is missed.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import TypeVar

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from stocklstm.core.inputs.scaling import fit_scaling, warm_up_rows
from stocklstm.core.prices.splits import Split, split_origins
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.market.sample import SampleSource
from stocklstm.market.source import FetchRequest

# Nothing of stocklstm.learn up here: it tells the C library to keep what is freed; no script does.

FIRST, LAST = np.datetime64("2018-01-01"), np.datetime64("2023-12-31")
NETWORKS = "2x50x60,2x100x60,1x16x10"
GOALS = {
    ("2x50x60", "ours, 1 thread"): 0.60,
    ("2x50x60", "ours, 2 threads"): 0.35,
    ("2x100x60", "ours, 1 thread"): 0.75,
    ("2x100x60", "ours, 2 threads"): 0.60,
    ("2x100x60", "ours, bf16, 2 threads"): 0.40,
}
BARE = "bare loop"
WARM_UP = 10
"""Steps that are not timed: they choose kernels and fill caches."""


def settings(network: str) -> TrainingConfig:
    """The settings of `--preset paper` for a network such as 2x50x60: layers, units, sessions."""
    layers, hidden, length = (int(part) for part in network.split("x"))
    return configure("paper", num_layers=layers, hidden_size=hidden, seq_length=length)


def prepared(config: TrainingConfig) -> tuple[np.ndarray, np.ndarray, Split]:
    """Inputs, targets and parts, as `train` prepares them."""
    bars = SampleSource().fetch(FetchRequest("PETR4.SA")).bars
    bars = bars.select((bars.dates >= FIRST) & (bars.dates <= LAST) & (bars.volumes > 0))
    split = split_origins(len(bars), warm_up_rows(config), config)
    scaling = fit_scaling(bars, split, config)
    return scaling.inputs(bars), scaling.targets(bars), split


def tensors(config: TrainingConfig, part: str = "train") -> tuple[torch.Tensor, torch.Tensor]:
    """Copy the windows of a part and their targets into tensors."""
    inputs, targets, split = prepared(config)
    rows, length = getattr(split, part), config.seq_length
    windows = np.stack([inputs[row - length + 1 : row + 1] for row in rows])
    return torch.from_numpy(windows), torch.from_numpy(targets[rows])


class Network(nn.Module):
    """The same network as `StockLSTM`, as a script writes it."""

    def __init__(self, config: TrainingConfig) -> None:
        """Make the layers."""
        super().__init__()
        between = config.dropout if config.num_layers > 1 else 0.0
        shape = (config.input_size, config.hidden_size, config.num_layers)
        self.lstm = nn.LSTM(*shape, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.hidden_size, 1)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Forecast (N, 1) of (N, T, F)."""
        outputs: torch.Tensor = self.head(self.dropout(self.lstm(windows)[0][:, -1]))
        return outputs


T = TypeVar("T")

Step = Callable[[], object]


def endless(batches: Callable[[], Iterable[T]]) -> Iterator[T]:
    """Give batches, one epoch after the other."""
    while True:
        yield from batches()


# The loops: each makes a function that takes one step.


def bare(config: TrainingConfig) -> Step:
    """The shortest loop."""
    windows, targets = tensors(config)
    batches = endless(lambda: torch.randperm(len(windows)).split(config.batch_size))
    network = Network(config)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)

    def step() -> None:
        chosen = next(batches)
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(network(windows[chosen])[:, 0], targets[chosen])
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def loader(config: TrainingConfig) -> Step:
    """PyTorch's DataLoader, as most code has it."""
    batch = DataLoader(TensorDataset(*tensors(config)), config.batch_size, shuffle=True)
    batches = endless(lambda: batch)
    network = Network(config)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)

    def step() -> None:
        windows, targets = next(batches)
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(network(windows)[:, 0], targets)
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def batches_of_one(config: TrainingConfig) -> Step:
    """As many windows one by one, as the tutorials do."""
    one = loader(replace(config, batch_size=1))
    return lambda: [one() for _ in range(config.batch_size)]


def ours(config: TrainingConfig, threads: int, precision: str = "32") -> Step:
    """What `train` does."""
    from stocklstm.learn.loop import TrainingData, TrainingRun

    inputs, targets, split = prepared(config)
    run = TrainingRun(
        replace(config, precision=precision),
        TrainingData(inputs, targets, split.train, split.validation),
        lambda _: None,
        threads=threads,
    )
    batches = endless(run.begin_epoch)
    return lambda: run.step(next(batches))


def floor(config: TrainingConfig) -> Step:
    """The matrix products of the recurrent weights of a step: one forward, two backward."""
    rows, hidden = config.batch_size, config.hidden_size
    states, weights = torch.randn(rows, hidden), torch.randn(hidden, 4 * hidden)
    gates, many = torch.randn(rows, 4 * hidden), rows * config.seq_length
    all_states, all_gates = torch.randn(hidden, many), torch.randn(many, 4 * hidden)
    # Of the layers above the first, those of the inputs, for all sessions at once.
    above = config.num_layers - 1

    def step() -> None:
        for layer in range(config.num_layers):
            for _ in range(config.seq_length):
                states @ weights
                gates @ weights.T
            for _ in range(2 if layer else 1):
                all_states @ all_gates
        for _ in range(above):
            all_states.T @ weights
            all_gates @ weights.T

    return step


def products(config: TrainingConfig) -> float:
    """Floating-point operations of `floor`."""
    one = 2 * config.batch_size * config.seq_length * config.hidden_size * 4 * config.hidden_size
    return one * (3 * config.num_layers + 3 * (config.num_layers - 1))


def skorch(config: TrainingConfig) -> Step:
    """An epoch of skorch, divided by its steps."""
    from skorch import NeuralNetRegressor

    windows, targets = tensors(config)
    model = NeuralNetRegressor(
        Network,
        module__config=config,
        optimizer=torch.optim.Adam,
        lr=config.learning_rate,
        batch_size=config.batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    ).initialize()
    return partial(model.partial_fit, windows, targets[:, None], epochs=1)


def darts(config: TrainingConfig) -> Step:
    """An epoch of darts, divided by its steps."""
    import logging

    from darts import TimeSeries
    from darts.models import BlockRNNModel

    for name in ("pytorch_lightning", "lightning.pytorch", "darts"):
        logging.getLogger(name).setLevel(logging.ERROR)
    inputs, _, split = prepared(config)
    series = TimeSeries.from_values(inputs[: split.train[-1] + 2, 0])
    model = BlockRNNModel(
        input_chunk_length=config.seq_length,
        output_chunk_length=1,
        model="LSTM",
        hidden_dim=config.hidden_size,
        n_rnn_layers=config.num_layers,
        dropout=config.dropout,
        batch_size=config.batch_size,
        n_epochs=1,
        optimizer_kwargs={"lr": config.learning_rate},
        pl_trainer_kwargs={
            "accelerator": "cpu",
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "logger": False,
            "enable_checkpointing": False,
        },
    )
    return partial(model.fit, series, epochs=1)


def neuralforecast(config: TrainingConfig) -> Step:
    """As many steps of neuralforecast's LSTM as an epoch has, divided by them."""
    import logging

    import pandas as pd
    from neuralforecast import NeuralForecast
    from neuralforecast.models import LSTM

    for name in ("pytorch_lightning", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    inputs, _, split = prepared(config)
    values = inputs[: split.train[-1] + 2, 0]
    days = pd.date_range("2000-01-01", periods=len(values))
    frame = pd.DataFrame({"unique_id": "series", "ds": days, "y": values})
    model = LSTM(
        h=1,
        input_size=config.seq_length,
        encoder_hidden_size=config.hidden_size,
        encoder_n_layers=config.num_layers,
        encoder_dropout=config.dropout,
        decoder_hidden_size=config.outputs,
        decoder_layers=1,
        windows_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        max_steps=steps_of_an_epoch(config),
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=False,
        enable_checkpointing=False,
    )
    return partial(NeuralForecast(models=[model], freq="D").fit, frame)


def steps_of_an_epoch(config: TrainingConfig) -> int:
    """Batches in a pass over the training part."""
    return -(-len(prepared(config)[2].train) // config.batch_size)


LOOPS: dict[str, tuple[Callable[[TrainingConfig], Step], int]] = {
    BARE: (bare, 1),
    "ours, 1 thread": (partial(ours, threads=1), 1),
    "ours, 2 threads": (partial(ours, threads=2), 1),
    "ours, bf16, 1 thread": (partial(ours, threads=1, precision="bf16-mixed"), 1),
    "ours, bf16, 2 threads": (partial(ours, threads=2, precision="bf16-mixed"), 1),
    "DataLoader": (loader, 1),
    "batches of one": (batches_of_one, 1),
    "skorch": (skorch, 1),
    "darts, 2 threads": (darts, 2),
    "neuralforecast, 2 threads": (neuralforecast, 2),
    "matrix products alone": (floor, 1),
}
"""Each loop, and the threads that PyTorch has."""

WHOLE_EPOCHS = {"skorch", "darts, 2 threads", "neuralforecast, 2 threads"}
SLOW = {"batches of one"}


def measure(loop: str, network: str, steps: int) -> tuple[float, float]:
    """Seconds of a step by the clock, and page faults, in this process."""
    warnings.simplefilter("ignore")
    config = settings(network)
    make, threads = LOOPS[loop]
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    step = make(config)
    made = steps
    if loop in WHOLE_EPOCHS:
        made = steps_of_an_epoch(config)
        step()
    elif loop in SLOW:
        made = max(1, steps // 10)
        step()
    else:
        for _ in range(WARM_UP):
            step()
    faults, started = page_faults(), time.perf_counter()
    for _ in range(1 if loop in WHOLE_EPOCHS else made):
        step()
    return (time.perf_counter() - started) / made, (page_faults() - faults) / made


def page_faults() -> int:
    """Page faults of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def in_process_of_its_own(loop: str, network: str, steps: int) -> tuple[float, float]:
    """The same, in a process that has done nothing else."""
    command = [sys.executable, __file__, "--loop", loop, "--networks", network]
    answer = subprocess.run(
        [*command, "--steps", str(steps)], check=True, capture_output=True, text=True
    )
    seconds, faults = answer.stdout.split()[-2:]
    return float(seconds), float(faults)


def compare(networks: list[str], rounds: int, steps: int) -> bool:
    """Print the table; tell whether all goals are met."""
    loops = [
        loop
        for loop in LOOPS
        if loop not in WHOLE_EPOCHS or find_spec(loop.partition(",")[0]) is not None
    ]
    met = True
    for network in networks:
        times: dict[str, list[float]] = {loop: [] for loop in loops}
        faults: dict[str, list[float]] = {loop: [] for loop in loops}
        for number in range(rounds):
            for loop in loops:
                if number == 0 or loop not in SLOW | WHOLE_EPOCHS:
                    seconds, faulted = in_process_of_its_own(loop, network, steps)
                    times[loop].append(seconds)
                    faults[loop].append(faulted)
        print(f"\n| {network} | ms a step | x bare | lowest to highest | page faults | goal |")
        print("|---|---|---|---|---|---|")
        for loop in loops:
            ratios = [one / base for one, base in zip(times[loop], times[BARE], strict=False)]
            ratio, goal = statistics.median(ratios), GOALS.get((network, loop))
            good = goal is None or ratio <= goal
            met = met and good
            said = "" if goal is None else f"<= {goal:.2f}{'' if good else ' MISSED'}"
            print(
                f"| {loop} | {1000 * statistics.median(times[loop]):.2f} | {ratio:.2f} "
                f"| {min(ratios):.2f} to {max(ratios):.2f} "
                f"| {min(faults[loop]):.0f} to {max(faults[loop]):.0f} | {said} |",
                flush=True,
            )
        flops = products(settings(network)) / statistics.median(times["matrix products alone"])
        print(f"\nmatrix products alone: {flops / 1e9:.0f} GFLOP/s")
    return met


def losses_of(loop: str, network: str, seed: int, epochs: int) -> list[float]:
    """Validation losses of the epochs, without an average of the weights."""
    config = replace(settings(network), seed=seed, epochs=epochs)
    if loop != BARE:
        from stocklstm.learn.loop import TrainingData, train_network

        inputs, targets, split = prepared(config)
        data = TrainingData(inputs, targets, split.train, split.validation)
        return [record.val_loss for record in train_network(config, data, lambda _: None).history]
    torch.manual_seed(seed)
    windows, labels = tensors(config)
    held_back, outcomes = tensors(config, "validation")
    network_ = Network(config)
    optimizer = torch.optim.Adam(network_.parameters(), lr=config.learning_rate)
    losses = []
    for _ in range(epochs):
        network_.train()
        for chosen in torch.randperm(len(windows)).split(config.batch_size):
            optimizer.zero_grad()
            nn.functional.mse_loss(network_(windows[chosen])[:, 0], labels[chosen]).backward()
            optimizer.step()
        with torch.inference_mode():
            losses.append(nn.functional.mse_loss(network_.eval()(held_back)[:, 0], outcomes).item())
    return losses


def compare_losses(networks: list[str], seeds: int, epochs: int) -> bool:
    """Compare the losses of the last epochs; tell if ours lie within the spread of the bare loop's.

    The losses of one seed are the mean of the last five epochs; ours are within the spread if the
    difference of the means is below twice its standard error.
    """
    torch.set_num_threads(1)
    met = True
    for network in networks:
        last = {
            loop: [
                float(np.mean(np.log(losses_of(loop, network, seed, epochs)[-5:])))
                for seed in range(seeds)
            ]
            for loop in (BARE, "ours")
        }
        difference = statistics.mean(last["ours"]) - statistics.mean(last[BARE])
        error = sum(statistics.variance(each) / seeds for each in last.values()) ** 0.5
        good = abs(difference) <= 2 * error
        met = met and good
        print(
            f"{network}: validation loss of ours {100 * np.expm1(difference):+.1f} % "
            f"(standard error {100 * error:.1f} %, {seeds} seeds, {epochs} epochs) "
            f"{'' if good else 'MISSED'}"
        )
    return met


def main() -> int:
    """Compare the loops and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--networks", default=NETWORKS, help="layers x units x sessions")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--loop", choices=LOOPS, help="time one loop only, and print its seconds")
    parser.add_argument("--losses", action="store_true", help="compare losses instead of times")
    parser.add_argument("--seeds", type=int, default=5, help="seeds of --losses")
    chosen = parser.parse_args()
    networks = chosen.networks.split(",")
    if chosen.loop:
        print(*measure(chosen.loop, networks[0], chosen.steps))
        return 0
    if chosen.losses:
        return int(not compare_losses(networks, chosen.seeds, epochs=20))
    return int(not compare(networks, chosen.rounds, chosen.steps))


if __name__ == "__main__":
    raise SystemExit(main())
