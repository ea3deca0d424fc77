"""How often intervals hold on shares that are hardly traded, as they are and with some remedies.

Run: python benchmarks/thin.py [--preset NAME] [--seed N] [--set NAME=VALUE ...]

Thin shares are made of the seven real series: on some sessions the close before is repeated, with
no range and no volume. Training parts alone: the last fifth of every series is cut off, and the
last fifth of what is left judges. Prints of how many series the intervals are near their promise,
80 % within 4 points and 95 % within 2, and between what the 80 % interval held.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from series import chosen_settings, model_options, packed_series, prices

from stocklstm.core.forecasts.intervals import bounds, followed
from stocklstm.core.forecasts.quantiles import crps
from stocklstm.core.prices.series import Bars, Flags, Floats
from stocklstm.core.scores.calibration import kupiec
from stocklstm.core.settings.config import INTERVAL_LEVELS, LEVELS, SIGNIFICANT, TrainingConfig
from stocklstm.workflows.train.fit import fit, prepare

KINDS = ((0.0, 0.0), (0.1, 0.5), (0.3, 0.5), (0.5, 0.5), (0.1, 1.0), (0.3, 1.0), (0.5, 1.0))
"""Share of sessions that repeat the close before, and among which share of the leading rows."""

NEAR = (0.04, 0.02)
"""By how much the intervals may miss their promise."""

MEDIAN = LEVELS.index(0.5)

Part = tuple[Floats, Floats, Floats]
"""Quantiles, (n, Q), outcomes and volatilities, (n,), of the days of a part; log returns."""

Remedy = Callable[[Part, Part, float], float]
"""From the validation part, the part that judges and a level to the share that held."""


def thinned(bars: Bars, share: float, leading: float) -> Bars:
    """Repeat the close before on some of the leading rows."""
    still = np.random.default_rng(1).random(len(bars)) < share
    still[round(leading * len(bars)) :] = False
    still[0] = False
    last = np.maximum.accumulate(np.where(still, 0, np.arange(len(bars))))
    closes = bars.closes[last]
    opens, highs, lows = (
        np.where(still, closes, values) for values in (bars.opens, bars.highs, bars.lows)
    )
    volumes = np.where(still, 0.0, bars.volumes)
    return Bars(bars.dates, opens, highs, lows, closes, bars.adj_closes[last], volumes)


def parts(bars: Bars, config: TrainingConfig) -> tuple[Part, Part]:
    """Train, and forecast the validation part and the one that judges."""
    prepared = prepare(bars, config)
    forecaster = fit(prepared, lambda _: None).forecaster
    anchor = forecaster.scaling.anchor
    if anchor is None:
        raise ValueError("only models of returns are compared here")
    returns, sigmas = bars.returns_over(config.horizon), anchor.sigmas(bars)
    validation, test = (
        (forecaster.forecast(bars, rows).quantiles, returns[rows], sigmas[rows])
        for rows in (prepared.split.validation, prepared.split.test)
    )
    return validation, test


def held(quantiles: Floats, actuals: Floats, level: float) -> Flags:
    """Tell of each day, (n,), whether an interval held."""
    limits = np.array([bounds(grid, level) for grid in quantiles])
    inside: Flags = (limits[:, 0] <= actuals) & (actuals <= limits[:, 1])
    return inside


def plain(_: Part, judged: Part, level: float) -> float:
    """Change nothing."""
    return float(held(judged[0], judged[1], level).mean())


def moved(known: Part, judged: Part, level: float) -> float:
    """Move each quantile to where it fits the validation part (Romano et al. 2019)."""
    errors = (known[1][:, None] - known[0]) / known[2][:, None]
    offsets = np.array([np.quantile(errors[:, k], tau) for k, tau in enumerate(LEVELS)])
    quantiles = np.sort(judged[0] + offsets * judged[2][:, None], axis=1)
    return float(held(quantiles, judged[1], level).mean())


def widened(known: Part, judged: Part, level: float) -> float:
    """Widen or narrow all quantiles by the factor that fits the validation part."""

    def stretched(quantiles: Floats, factor: float) -> Floats:
        middle = quantiles[:, MEDIAN, None]
        wide: Floats = middle + factor * (quantiles - middle)
        return wide

    factors = np.arange(0.5, 2.01, 0.02).tolist()
    best = min(factors, key=lambda each: crps(known[1], stretched(known[0], each)).mean())
    return float(held(stretched(judged[0], best), judged[1], level).mean())


def following(_: Part, judged: Part, level: float) -> float:
    """Follow the hits, from the first day that judges on."""
    return followed(judged[1], judged[0], level)[0]


def as_predict(known: Part, judged: Part, level: float) -> float:
    """Follow the hits where the interval is found wrong."""
    wrong = kupiec(held(judged[0], judged[1], level), level).p < SIGNIFICANT
    return (following if wrong else plain)(known, judged, level)


REMEDIES: tuple[Remedy, ...] = (plain, moved, widened, following, as_predict)


def cell(shares: Floats) -> str:
    """Sum up the shares of all series, (n, 2)."""
    near = (np.abs(shares - INTERVAL_LEVELS) <= NEAR).all(axis=1)
    low, high = 100 * shares[:, 0].min(), 100 * shares[:, 0].max()
    return f"{near.sum()} of {len(shares)}, {low:.1f} to {high:.1f} %"


def main() -> int:
    """Train on all series of each kind and print a row for it."""
    parser = model_options(__doc__.partition("\n")[0])
    config = replace(chosen_settings(parser.parse_args()), horizon=1)
    known = {
        ticker: bars.select(slice(0, round(0.8 * len(bars))))
        for ticker, packed in packed_series().items()
        for bars in [prices(ticker, packed)]
    }
    names = (remedy.__name__.replace("_", " ") for remedy in REMEDIES)
    print(f"| repeated closes | {' | '.join(names)} |")
    print("|---" * (len(REMEDIES) + 1) + "|")
    for share, leading in KINDS:
        found = [parts(thinned(bars, share, leading), config) for bars in known.values()]
        cells = [
            cell(np.array([[remedy(*each, level) for level in INTERVAL_LEVELS] for each in found]))
            for remedy in REMEDIES
        ]
        where = "all" if leading == 1 else "the first half"
        print(f"| {100 * share:.0f} % of {where} | {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
