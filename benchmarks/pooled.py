"""Quality of one pooled model beside a model of each ticker, and for a ticker it never saw.

Run: python benchmarks/pooled.py [--data FOLDER] [--preset NAME] [--seed N] [--jobs N]
     [--set NAME=VALUE ...]

Three kinds of models have the same settings, those of a preset (the default one, if none is named)
except what --set changes, and the same parts of every series: one of each ticker alone, one of all
tickers, and for each ticker one of all others, which forecasts the ticker that was held out. All
are scored on the same test days; CRPS ratios below 1 are better than filtered historical simulation
on EWMA volatility, means over series are geometric. Exit code 1 if a goal is missed. FOLDER holds
TICKER.csv files; by default the series that come with the program and the benchmarks are used.
"""

import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from series import chosen_settings, model_options, packed_series, prices

from stocklstm.core.inputs.scaling import warm_up_rows
from stocklstm.core.prices.pool_splits import pool_split
from stocklstm.core.prices.series import Bars
from stocklstm.core.scores.evaluation import evaluate
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.infer.session import ServingGraph
from stocklstm.workflows.loading.pooled_model import PooledModel
from stocklstm.workflows.scoring import score_unseen
from stocklstm.workflows.train.fit import fit, prepare
from stocklstm.workflows.train.pool_fit import FittedPool, prepare_pool

MOST_LOSS = 1.005
"""CRPS of the pooled model over that of individual ones, mean over tickers."""

MOST_UNSEEN = 1.01
"""CRPS over EWMA's of a ticker that was held out, mean over tickers."""


def all_prices(folder: Path | None) -> dict[str, Bars]:
    """Read the series of a folder, or those that come with the program and the benchmarks."""
    files = (
        {path.name.removesuffix(".csv"): path for path in sorted(folder.glob("*.csv"))}
        if folder
        else packed_series()
    )
    return {ticker: prices(ticker, packed) for ticker, packed in files.items()}


def of_all(series: dict[str, Bars], config: TrainingConfig) -> tuple[dict[str, float], FittedPool]:
    """Train one model on all tickers; return its CRPS ratio on each."""
    fitted = fit(prepare_pool(series, config), lambda _: None)
    scores = {member.ticker: member.scores for member in fitted.members}
    ratios = {ticker: float(s.crps_ratio or 1) for ticker, s in scores.items() if s is not None}
    return ratios, fitted


def alone(ticker: str, series: dict[str, Bars], config: TrainingConfig) -> tuple[float, float]:
    """Train on one ticker, split at the days of the pool; return CRPS ratio and seconds."""
    started = time.perf_counter()
    days = prepare_pool(series, config).days
    bars = series[ticker]
    split = pool_split(bars.dates, days, warm_up_rows(config), config)
    fitted = fit(prepare(bars, config, split), lambda _: None)
    ratio = float(fitted.evaluation.distribution.crps_ratio or 1)
    return ratio, time.perf_counter() - started


def held_out(
    ticker: str, series: dict[str, Bars], config: TrainingConfig
) -> tuple[float, list[float]]:
    """Train on all others and forecast the ticker held out; return CRPS ratio and coverage."""
    others = {name: bars for name, bars in series.items() if name != ticker}
    fitted = fit(prepare_pool(others, config), lambda _: None)
    model = PooledModel(
        fitted.manifest("+others", dict.fromkeys(others, ()), {}),
        ServingGraph(fitted.onnx),
        {member.ticker: member for member in fitted.members},
    )
    days, _ = score_unseen(model.scored(ticker, series[ticker]), series[ticker])
    scores = evaluate(days, 1.0).distribution
    return float(scores.crps_ratio or 1), [each.share for each in scores.coverage]


def main() -> int:
    """Train all models and print the table."""
    parser = model_options(__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path)
    chosen = parser.parse_args()
    config = chosen_settings(chosen)
    series = all_prices(chosen.data)
    tickers = sorted(series)
    with ProcessPoolExecutor(chosen.jobs) as pool:
        pooled = pool.submit(_timed, series, config)
        own = list(pool.map(partial(alone, series=series, config=config), tickers))
        unseen = list(pool.map(partial(held_out, series=series, config=config), tickers))
        ratios, seconds, epochs = pooled.result()
    print("| series | own model | pooled model | pooled/own | held out | its 80 % | its 95 % |")
    print("|---|---|---|---|---|---|---|")
    for ticker, (ratio, _), (other, (near, far)) in zip(tickers, own, unseen, strict=True):
        print(
            f"| {ticker} | {ratio:.4f} | {ratios[ticker]:.4f} | {ratios[ticker] / ratio:.4f} "
            f"| {other:.4f} | {100 * near:.1f} % | {100 * far:.1f} % |"
        )
    loss = _mean([ratios[ticker] / ratio for ticker, (ratio, _) in zip(tickers, own, strict=True)])
    new = _mean([ratio for ratio, _ in unseen])
    alone_s = sum(took for _, took in own)
    print(f"\npooled model: {epochs} epochs in {seconds:.0f} s; own models: {alone_s:.0f} s in all")
    goals = [
        ("pooled/own, mean", loss, MOST_LOSS),
        ("held out CRPS/EWMA, mean", new, MOST_UNSEEN),
    ]
    for name, value, most in goals:
        print(f"{name:26} {value:.4f}  goal <= {most}: {'reached' if value <= most else 'MISSED'}")
    return int(any(value > most for _, value, most in goals))


def _timed(series: dict[str, Bars], config: TrainingConfig) -> tuple[dict[str, float], float, int]:
    started = time.perf_counter()
    ratios, fitted = of_all(series, config)
    return ratios, time.perf_counter() - started, fitted.network.history[-1].epoch


def _mean(values: list[float]) -> float:
    return float(np.exp(np.log(values).mean()))


if __name__ == "__main__":
    raise SystemExit(main())
