"""What realised variance brings: the default network with and without it, on the S&P 500.

Run: python benchmarks/realised.py FILE [--stand-in] [--seeds N ...] [--candidates NAME ...]
       [--series NAME ...]

FILE holds the realised variance of each day in a column rv5 beside Date, such as that of the
Oxford-Man realised library, which R's package rumidas has as data/rv5.rda. It is joined with the
daily bars of ^GSPC in data/, and with those of `arch.data.sp500`. Every candidate is trained and
judged on the same days, the last fifth; with --stand-in the last fifth is cut off before and that
of what is left judges, which is where choices are made. CRPS is compared with that of the first
candidate, day by day, as means over the seeds, and once more in shares of what EWMA expects of each
day, so that a crash counts for no more than other days; intervals are bootstraps of blocks of 20
days.
"""

import argparse
import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from series import packed_series, prices

from stocklstm.core.forecasts.quantiles import crps
from stocklstm.core.inputs import volatility
from stocklstm.core.prices.series import Bars, Dates, DayVariances, Floats
from stocklstm.core.settings.config import LEVELS, PRESETS, configure
from stocklstm.workflows.train.fit import fit, prepare

BLOCK = 20
"""Days of a block of the bootstrap."""


@dataclass(frozen=True)
class Candidate:
    """An anchor and the inputs of a network.

    Attributes:
        realised: True if it is shown realised values.
        ranged: Decay of the daily ranges.
        measured: Decay of the realised values.
        features: Inputs besides those of the preset.
        latest: Sessions, the last ones, whose realised values are known; None for all.
    """

    realised: bool
    ranged: float = PRESETS["calibrated"].range_decay
    measured: float = volatility.MEASURED_DECAY
    features: tuple[str, ...] = ()
    latest: int | None = None


HAR = ("variance1", "variance5", "variance22")

CANDIDATES = {
    "range": Candidate(realised=False),
    "range 0.75": Candidate(realised=False, ranged=0.75),
    "realised": Candidate(realised=True),
    "realised 0.6": Candidate(realised=True, measured=0.6),
    "realised 0.8": Candidate(realised=True, measured=0.8),
    "realised, 500 days": Candidate(realised=True, latest=500),
    "realised, HAR": Candidate(realised=True, features=HAR),
    "range, HAR": Candidate(realised=False, features=HAR),
}


@dataclass(frozen=True)
class Scores:
    """How the days that judge were forecast, means over seeds.

    Attributes:
        dates: (n,) days.
        crps: (n,) of the model, in index points.
        ewma: (n,) of filtered historical simulation on EWMA.
        usual: (n,) distance of the 10 and 90 % quantiles of the latter.
        held: Share of the days on which each interval held.
        rmse: Over that of yesterday's close.
    """

    dates: Dates
    crps: Floats
    ewma: Floats
    usual: Floats
    held: Floats
    rmse: float


def joined(bars: Bars, realised: dict[str, float]) -> Bars:
    """Add realised variances, and leave out the days from the first to the last without any."""
    known = np.array([realised.get(str(day), np.nan) for day in bars.dates])
    found = np.flatnonzero(~np.isnan(known))
    minutes = np.where(np.isnan(known), 0, 5)
    with_them = replace(bars, realised=DayVariances(minutes, known))
    return with_them.select(slice(int(found[0]), int(found[-1]) + 1))


def sp500() -> Bars:
    """Take the daily bars of 1999 to 2018 that come with arch."""
    from arch.data import sp500 as data

    table = data.load()
    columns = ("Open", "High", "Low", "Close", "Adj Close", "Volume")
    days = table.index.to_numpy().astype("datetime64[D]")
    return Bars(days, *(table[name].to_numpy(np.float64) for name in columns))


SERIES: dict[str, Callable[[], Bars]] = {
    "^GSPC": lambda: prices("^GSPC", packed_series()["^GSPC"]),
    "sp500": sp500,
}


def scored(bars: Bars, candidate: Candidate, seeds: list[int]) -> Scores:
    """Train with every seed and score each day that judges."""
    volatility.MEASURED_DECAY = candidate.measured
    shown = as_known(bars, candidate)
    found = []
    for seed in seeds:
        config = configure("calibrated", seed=seed, range_decay=candidate.ranged)
        config = replace(config, features=(*config.features, *candidate.features))
        found.append(fit(prepare(shown, config), lambda _: None))
    days = [model.days for model in found]
    return Scores(
        days[0].dates,
        np.mean([crps(each.actuals, each.forecasts.quantiles) for each in days], axis=0),
        crps(days[0].actuals, days[0].ewma),
        days[0].ewma[:, LEVELS.index(0.9)] - days[0].ewma[:, LEVELS.index(0.1)],
        np.mean(
            [
                [interval.share for interval in model.evaluation.distribution.coverage]
                for model in found
            ],
            axis=0,
        ),
        float(np.mean([model.evaluation.point.rmse_ratio for model in found])),
    )


def as_known(bars: Bars, candidate: Candidate) -> Bars:
    """Show a candidate what it may know."""
    realised = bars.realised if candidate.realised else None
    if realised is None or candidate.latest is None:
        return replace(bars, realised=realised)
    known = np.arange(len(bars)) >= len(bars) - candidate.latest
    return replace(
        bars,
        realised=DayVariances(
            np.where(known, realised.minutes, 0), np.where(known, realised.variances, np.nan)
        ),
    )


def ratio_interval(above: Floats, below: Floats) -> tuple[float, float, float]:
    """Give the ratio of two means, and its 95 % interval by moving blocks (Kuensch 1989)."""
    random, count = np.random.default_rng(0), len(above)
    starts = random.integers(0, count - BLOCK + 1, (10_000, -(-count // BLOCK)))
    rows = (starts[:, :, None] + np.arange(BLOCK)).reshape(len(starts), -1)[:, :count]
    ratios = above[rows].sum(axis=1) / below[rows].sum(axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(above.sum() / below.sum()), float(low), float(high)


def shares_cell(above: Floats, below: Floats) -> str:
    """Write a ratio and its interval."""
    ratio, low, high = ratio_interval(above, below)
    return f"{ratio:.4f} | {low:.4f} to {high:.4f}"


def main() -> int:
    """Train all candidates and print a row of each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--stand-in", action="store_true")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--candidates", nargs="*", default=["range", "realised"])
    parser.add_argument("--series", nargs="*", default=list(SERIES))
    chosen = parser.parse_args()
    with chosen.file.open() as lines:
        realised = {row["Date"]: float(row["rv5"]) for row in csv.DictReader(lines)}
    first = chosen.candidates[0]
    print(f"| series | days | anchor | CRPS / EWMA | CRPS / {first} | 95 % interval |", end="")
    print(" in shares | 95 % interval | RMSE ratio | 80 % held | 95 % held |")
    print("|---" * 11 + "|")
    together: dict[str, list[tuple[Floats, Floats]]] = {}
    for name in chosen.series:
        bars = joined(SERIES[name](), realised)
        if chosen.stand_in:
            bars = bars.select(slice(0, round(0.8 * len(bars))))
        base: Scores | None = None
        for anchor in chosen.candidates:
            found = scored(bars, CANDIDATES[anchor], chosen.seeds)
            base = base or found
            # Candidates with other inputs may begin some days later.
            _, own, others = np.intersect1d(found.dates, base.dates, return_indices=True)
            ratio, low, high = ratio_interval(found.crps[own], base.crps[others])
            shares = found.crps[own] / base.usual[others], base.crps[others] / base.usual[others]
            together.setdefault(anchor, []).append(shares)
            near, far = 100 * found.held
            print(
                f"| {name} | {len(found.crps)} | {anchor} | "
                f"{found.crps.mean() / found.ewma.mean():.4f} | {ratio:.4f} | "
                f"{low:.4f} to {high:.4f} | {shares_cell(*shares)} | {found.rmse:.4f} | "
                f"{near:.1f} % | {far:.1f} % |",
                flush=True,
            )
    print("\n| series together | days | in shares | 95 % interval |\n|---|---|---|---|")
    for anchor, parts in together.items():
        above, below = (np.concatenate(each) for each in zip(*parts, strict=True))
        print(f"| {anchor} | {len(above)} | {shares_cell(above, below)} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
