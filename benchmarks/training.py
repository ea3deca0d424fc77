"""Overhead of our training loop beyond the steps themselves, as ratios within one run.

Run: python benchmarks/training.py [--rounds N] [--epochs N]

The reference set-up is the one of the tutorials: PETR4.SA 2018-2023, 60 days, 2 layers of 100
units, batches of 32, Adam, one thread. Every round trains with each loop in turn, so that a busy
machine slows all alike; medians are compared. Exit code 1 if the goal is missed.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from stocklstm.core.inputs.scaling import fit_scaling, warm_up_rows
from stocklstm.core.prices.splits import split_origins
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.learn.loop import TrainingData, train_network
from stocklstm.learn.network import StockLSTM
from stocklstm.market.sample import SampleSource
from stocklstm.market.source import FetchRequest

GOAL = 1.10
FIRST, LAST = np.datetime64("2018-01-01"), np.datetime64("2023-12-31")

# The tutorials' batches of one take half a minute an epoch; a tenth of it tells as much.
TUTORIAL_SHARE = 10


def reference(epochs: int) -> tuple[TrainingConfig, TrainingData]:
    """Prepare settings and data as `train --preset paper` does."""
    config = configure("paper", epochs=epochs)
    bars = SampleSource().fetch(FetchRequest("PETR4.SA")).bars
    bars = bars.select((bars.dates >= FIRST) & (bars.dates <= LAST) & (bars.volumes > 0))
    split = split_origins(len(bars), warm_up_rows(config), config)
    scaling = fit_scaling(bars, split, config)
    data = TrainingData(scaling.inputs(bars), scaling.targets(bars), split.train, split.validation)
    return config, data


def tensors(
    config: TrainingConfig, data: TrainingData, rows: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor]:
    """Copy windows and targets into tensors, as a bare loop would have them ready."""
    length = config.seq_length
    windows = np.stack([data.inputs[row - length + 1 : row + 1] for row in rows])
    return torch.from_numpy(windows), torch.from_numpy(data.targets[rows])


def bare(config: TrainingConfig, data: TrainingData) -> None:
    """Make the same steps and validate on the same windows with the shortest loop."""
    torch.manual_seed(config.seed)
    windows, targets = tensors(config, data, data.train)
    held_back, outcomes = tensors(config, data, data.validation)
    network = StockLSTM.from_config(config)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    for _ in range(config.epochs):
        network.train()
        for chosen in torch.randperm(len(windows)).split(config.batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(network(windows[chosen])[:, 0], targets[chosen])
            loss.backward()
            optimizer.step()
            loss.item()
        with torch.inference_mode():
            nn.functional.mse_loss(network.eval()(held_back)[:, 0], outcomes).item()


def loader(config: TrainingConfig, data: TrainingData, batch_size: int, share: int = 1) -> None:
    """Train with PyTorch's DataLoader, as most code does."""
    torch.manual_seed(config.seed)
    windows, targets = tensors(config, data, data.train[: len(data.train) // share])
    network = StockLSTM.from_config(config)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    batches = DataLoader(TensorDataset(windows, targets), batch_size=batch_size, shuffle=True)
    for _ in range(config.epochs):
        for inputs, wanted in batches:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(network(inputs)[:, 0], wanted)
            loss.backward()
            optimizer.step()
            loss.item()


def seconds(task: Callable[[], object]) -> float:
    """Time one call."""
    started = time.perf_counter()
    task()
    return time.perf_counter() - started


def main() -> int:
    """Compare the loops and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=2)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    config, data = reference(chosen.epochs)
    half = replace(config, precision="bf16-mixed")
    loops = {
        "stocklstm": lambda: train_network(config, data, lambda _: None),
        "  in bf16-mixed": lambda: train_network(half, data, lambda _: None),
        "bare tensor loop": lambda: bare(config, data),
        "DataLoader loop": lambda: loader(config, data, config.batch_size),
        "batches of one": lambda: loader(config, data, 1, TUTORIAL_SHARE),
    }
    times: dict[str, list[float]] = {name: [] for name in loops}
    for number in range(chosen.rounds + 1):
        for name, loop in loops.items():
            # One round to warm up; once is enough for the slowest.
            if number and not (name == "batches of one" and number > 2):
                times[name].append(seconds(loop))
            elif not number and name != "batches of one":
                loop()
    medians = {name: statistics.median(values) for name, values in times.items()}
    medians["batches of one"] *= TUTORIAL_SHARE
    print(f"{len(data.train)} windows, {chosen.epochs} epochs, {chosen.rounds} rounds")
    for name, median in medians.items():
        ratio = median / medians["bare tensor loop"]
        print(f"{name:20} {median / chosen.epochs:8.3f} s/epoch  {ratio:6.2f} x bare")
    ratio = medians["stocklstm"] / medians["bare tensor loop"]
    print(f"goal {GOAL:.2f}: {'reached' if ratio <= GOAL else 'MISSED'}")
    return int(ratio > GOAL)


if __name__ == "__main__":
    raise SystemExit(main())
