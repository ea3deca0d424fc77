"""Quality of a model's forecasts on seven real series, against free baselines.

Run: python benchmarks/quality.py [--preset NAME] [--seed N] [--jobs N] [--set NAME=VALUE ...]

For each series a preset, by default the default one, is trained and scored on its own test part,
the last fifth of the days, which no choice was based on. Ratios below 1 are better than yesterday's
close (RMSE) and than filtered historical simulation on EWMA volatility (CRPS); means over series
are geometric. An arrow leads from how often an interval held that the test finds wrong (Kupiec) to
how often it would have held, had it followed the hits before it. Exit code 1 if a goal is missed.
data/PROVENANCE.md says where the prices come from.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from series import chosen_settings, model_options, packed_series, prices

from stocklstm.core.scores.scores import Coverage, Evaluation
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.core.wording import p_cell
from stocklstm.workflows.train.fit import fit, prepare


@dataclass(frozen=True)
class Goal:
    """A figure and its limits."""

    name: str
    value: float
    low: float
    high: float

    @property
    def reached(self) -> bool:
        """True if it lies there."""
        return self.low <= self.value <= self.high


def scored(ticker: str, packed: Path | None, config: TrainingConfig) -> Evaluation:
    """Train on a series and score it."""
    return fit(prepare(prices(ticker, packed), config), lambda _: None).evaluation


def held_cell(coverage: Coverage) -> str:
    """Write how often an interval held, and would have held if it had followed its hits."""
    followed = coverage.adaptive_share
    return f"{100 * coverage.share:.1f} %" + (
        "" if followed is None else f" → {100 * followed:.1f} %"
    )


def goals(scores: list[Evaluation]) -> list[Goal]:
    """Average over the series."""
    days = np.array([score.n for score in scores])
    points = np.array([score.point.rmse_ratio for score in scores])
    spreads = np.array([score.distribution.crps_ratio for score in scores])
    held = np.array([[c.share for c in score.distribution.coverage] for score in scores])
    pooled = 100 * (held * days[:, None]).sum(axis=0) / days.sum()
    return [
        Goal("RMSE ratio, mean", float(np.exp(np.log(points).mean())), 0, 1.001),
        Goal("RMSE ratio, worst", float(points.max()), 0, 1.005),
        Goal("CRPS ratio, mean", float(np.exp(np.log(spreads).mean())), 0, 0.995),
        Goal("CRPS ratio, worst", float(spreads.max()), 0, 1.005),
        Goal("80 % covered, pooled", float(pooled[0]), 78, 82),
        Goal("95 % covered, pooled", float(pooled[1]), 94, 96),
    ]


def main() -> int:
    """Train on every series and print the table."""
    chosen = model_options(__doc__.partition("\n")[0]).parse_args()
    config = chosen_settings(chosen)
    series = packed_series()
    with ProcessPoolExecutor(chosen.jobs) as pool:
        scores = list(pool.map(partial(scored, config=config), series, series.values()))
    print("| series | test days | RMSE ratio | p | CRPS ratio | p | 80 % | 95 % |")
    print("|---|---|---|---|---|---|---|---|")
    for ticker, score in zip(series, scores, strict=True):
        near, far = map(held_cell, score.distribution.coverage)
        print(
            f"| {ticker} | {score.n} | {score.point.rmse_ratio:.4f} | {p_cell(score.point.dm_p)} "
            f"| {score.distribution.crps_ratio:.4f} | {p_cell(score.distribution.dm_p)} "
            f"| {near} | {far} |"
        )
    found = goals(scores)
    for goal in found:
        verdict = "reached" if goal.reached else "MISSED"
        print(f"{goal.name:22} {goal.value:8.4f}  goal {goal.low:g} to {goal.high:g}: {verdict}")
    return int(not all(goal.reached for goal in found))


if __name__ == "__main__":
    raise SystemExit(main())
