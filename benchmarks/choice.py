"""How the default was chosen: candidates beside the former default, on training parts.

Run: python benchmarks/choice.py RESULTS [--candidates NAME ...] [--seeds N ...] [--stand-ins N ...]
     python benchmarks/choice.py RESULTS --test --candidates NAME ...

The last fifth of every series is cut off. What is left of it is cut like any series, and the last
fifth of that judges: the first stand-in for the test part. Once more cut, it gives the second one.
All candidates are trained, compared and judged on the same days, those of the longest window. With
--test the test parts themselves judge: to be looked at once, when the choice is made. Each run is
added to the file RESULTS (JSON) as it ends, and none that is there already is made again.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from series import packed_series, prices
from torch import Tensor, nn

from stocklstm.core.inputs.scaling import warm_up_rows
from stocklstm.core.prices.series import Bars
from stocklstm.core.prices.splits import split_origins
from stocklstm.core.scores.scores import Evaluation
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.learn import loop
from stocklstm.learn.loop import train_network
from stocklstm.learn.network import StockLSTM
from stocklstm.workflows.train.fit import prepare

LONGEST = 60
"""Sessions of the longest window of any candidate."""

FORMER: dict[str, object] = {"seq_length": 60, "hidden_size": 50, "num_layers": 2}


def small(seq_length: int, **more: object) -> dict[str, object]:
    """Settings of one layer of 16 units."""
    return {"seq_length": seq_length, "hidden_size": 16, "num_layers": 1, **more}


def batches(size: int, learning_rate: float, ema_decay: float) -> dict[str, object]:
    """Settings of one layer of 16 units on 10 days, trained in batches of another size."""
    return small(10, batch_size=size, learning_rate=learning_rate, ema_decay=ema_decay)


class TwoScaleLSTM(StockLSTM):
    """Its head gives three numbers: a shift of the median, and a scale below and above it.

    They move the quantiles that the network starts from. All of it is linear in the last state, so
    `folded` is the same network with a plain head.
    """

    def __init__(self, **architecture: Any) -> None:  # noqa: ANN401 - of StockLSTM
        """Make the layers with PyTorch's initial weights."""
        super().__init__(**architecture)
        quantiles = self.head.out_features
        self.head = nn.Linear(self.lstm.hidden_size, 3)
        self.register_buffer("start", torch.zeros(quantiles))
        self.register_buffer("moves", torch.zeros(quantiles, 3))
        self.start: Tensor
        self.moves: Tensor

    def start_from(self, quantiles: Tensor) -> None:
        """Begin with no shift and scales of one."""
        super().start_from(torch.zeros(3))
        away = quantiles - quantiles[len(quantiles) // 2]
        self.start.copy_(quantiles)
        self.moves.copy_(
            torch.stack([torch.ones_like(away), away.clamp(max=0), away.clamp(min=0)], 1)
        )

    def forward(self, windows: Tensor, masks: Tensor | None = None) -> Tensor:
        """Forecast each window, (N, Q)."""
        return super().forward(windows, masks) @ self.moves.T + self.start

    def folded(self, config: TrainingConfig) -> StockLSTM:
        """Give the same network with a plain head."""
        network = StockLSTM.from_config(config)
        network.lstm.load_state_dict(self.lstm.state_dict())
        with torch.no_grad():
            network.head.weight.copy_(self.moves @ self.head.weight)
            network.head.bias.copy_(self.moves @ self.head.bias + self.start)
        return network.eval()


CANDIDATES: dict[str, tuple[type[StockLSTM], dict[str, object]]] = {
    "2x50-60-free": (StockLSTM, FORMER),
    "1x16-10-free": (StockLSTM, small(10)),
    "1x16-20-free": (StockLSTM, small(20)),
    "1x16-10-two": (TwoScaleLSTM, small(10)),
    "1x16-20-two": (TwoScaleLSTM, small(20)),
    "1x16-10-free-0.003": (StockLSTM, small(10, learning_rate=3e-3)),
    "1x16-10-two-0.003": (TwoScaleLSTM, small(10, learning_rate=3e-3)),
    # Fewer steps: of larger batches, longer, and averaged over about as many passes.
    "1x16-10-free-b64": (StockLSTM, batches(64, 1.5e-3, 0.998)),
    "1x16-10-free-b128": (StockLSTM, batches(128, 2e-3, 0.996)),
    "1x16-10-free-b128-0.003": (StockLSTM, batches(128, 3e-3, 0.996)),
    "1x16-10-free-b256": (StockLSTM, batches(256, 4e-3, 0.992)),
}


def scored(
    bars: Bars, kind: type[StockLSTM], config: TrainingConfig
) -> tuple[Evaluation, dict[str, object]]:
    """Train on all but the last fifth and score that."""
    # The loop makes its network by this name.
    loop.StockLSTM = kind  # type: ignore[attr-defined]  # which it only imports
    same_days = split_origins(len(bars), warm_up_rows(config), replace(config, seq_length=LONGEST))
    prepared = prepare(bars, config, same_days)
    started = time.process_time()
    trained = train_network(config, prepared.data, lambda _: None)
    seconds = time.process_time() - started
    if isinstance(trained.network, TwoScaleLSTM):
        trained = replace(trained, network=trained.network.folded(config))
    evaluation = prepared.assess(trained).evaluation
    last = trained.history[-1]
    return evaluation, {"seconds": seconds, "epochs": last.epoch, "kept": last.best_epoch}


def figures(evaluation: Evaluation) -> dict[str, object]:
    """Choose what the tables show."""
    held = [each.share for each in evaluation.distribution.coverage]
    return {
        "n": evaluation.n,
        "rmse": evaluation.point.rmse_ratio,
        "crps": evaluation.distribution.crps_ratio,
        "held": held,
    }


def geometric(values: list[float]) -> float:
    """Average ratios."""
    return float(np.exp(np.log(values).mean()))


def show(results: dict[str, Any], part: str, names: list[str]) -> None:
    """Print a table of all runs on one part, a row for each candidate."""
    print(f"\n{part}")
    print("| candidate | seeds | CRPS ratio, by seed | mean | worst | RMSE ratio | worst |", end="")
    print(" 80 % pooled | off by, RMS (worst) | 95 % pooled | off by, RMS (worst) | seconds |")
    print("|---" * 12 + "|")
    for name in names:
        runs = {key: run for key, run in results.items() if key.startswith(f"{part}/{name}/")}
        seeds = sorted({key.split("/")[2] for key in runs})
        if not runs:
            continue
        by_seed = [
            geometric([run["crps"] for key, run in runs.items() if key.split("/")[2] == seed])
            for seed in seeds
        ]
        crps, rmse = ([run[kind] for run in runs.values()] for kind in ("crps", "rmse"))
        days = np.array([run["n"] for run in runs.values()])
        held = 100 * np.array([run["held"] for run in runs.values()])
        pooled = (held * days[:, None]).sum(axis=0) / days.sum()
        off = held - [80, 95]
        each, worst = np.sqrt((off**2).mean(axis=0)), np.abs(off).max(axis=0)
        seconds = np.mean([run["seconds"] for run in runs.values()])
        print(
            f"| {name} | {len(seeds)} | {', '.join(f'{value:.4f}' for value in by_seed)} "
            f"| {geometric(crps):.4f} | {max(crps):.4f} | {geometric(rmse):.4f} | {max(rmse):.4f} "
            f"| {pooled[0]:.1f} % | {each[0]:.1f} ({worst[0]:.1f}) "
            f"| {pooled[1]:.1f} % | {each[1]:.1f} ({worst[1]:.1f}) | {seconds:.1f} |"
        )


def main() -> int:
    """Make the runs that are missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--candidates", nargs="*", default=list(CANDIDATES))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--stand-ins", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--test", action="store_true")
    chosen = parser.parse_args()
    results = json.loads(chosen.results.read_text()) if chosen.results.exists() else {}
    series = {ticker: prices(ticker, packed) for ticker, packed in packed_series().items()}
    parts = {"test": 0} if chosen.test else {f"stand-in {n}": n for n in chosen.stand_ins}
    for part, cuts in parts.items():
        for seed in chosen.seeds:
            for name in chosen.candidates:
                for ticker, bars in series.items():
                    key = f"{part}/{name}/{seed}/{ticker}"
                    if key in results:
                        continue
                    kind, changes = CANDIDATES[name]
                    known = bars.select(slice(0, round(0.8**cuts * len(bars))))
                    config = configure("calibrated-50", seed=seed, **changes)
                    evaluation, costs = scored(known, kind, config)
                    results[key] = figures(evaluation) | costs
                    chosen.results.write_text(json.dumps(results))
    for part in parts:
        show(results, part, chosen.candidates)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
