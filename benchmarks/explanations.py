"""Draws the pictures of docs/explanation from the bundled prices of PETR4.SA.

Run: python benchmarks/explanations.py [FOLDER]

Trains the default preset and paper-short, scores both on their test parts, and writes one PNG a
page into docs/explanation/images, or into FOLDER. Prints the figures that the pages cite.
"""

import argparse
import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from series import prices

from stocklstm.core.forecasts.quantiles import crps
from stocklstm.core.inputs.volatility import VolatilityAnchor
from stocklstm.core.prices.series import Bars, Flags, Floats, Indices
from stocklstm.core.scores.baselines import EwmaBaseline
from stocklstm.core.scores.calibration import independence, kupiec
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.core.scores.scores import Evaluation
from stocklstm.core.scores.significance import diebold_mariano
from stocklstm.core.settings.config import LEVELS, configure
from stocklstm.workflows.train.fit import fit, prepare

TICKER = "PETR4.SA"
FOLDER = Path(__file__).parents[1] / "docs" / "explanation" / "images"

# Okabe & Ito's palette, as in all pictures of the program.
BLACK, BLUE, ORANGE, GREY, PALE = "#000000", "#0072B2", "#D55E00", "#666666", "#BBD6E8"


class Scored(NamedTuple):
    """A preset's forecasts of its test part."""

    days: ScoredDays
    evaluation: Evaluation


class Material(NamedTuple):
    """What all pictures are drawn from."""

    bars: Bars
    default: Scored
    tutorial: Scored


@contextmanager
def panels(
    file: Path, rows: int = 1, columns: int = 1, *, inches: float = 4.6, **options: object
) -> Iterator[list[Axes]]:
    """Open panels 1000 pixels wide in all, and write them as a small PNG."""
    with mpl.rc_context():
        mpl.rcdefaults()
        figure = Figure(figsize=(10, inches), dpi=100, layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False, **options)  # type: ignore[call-overload]
        for axes in grid.flat:
            axes.set_axisbelow(True)
            axes.grid(alpha=0.3)
        yield list(grid.flat)
        painted = io.BytesIO()
        figure.savefig(painted, format="png")
    # Few colours are enough, and a third of the bytes.
    Image.open(painted).convert("RGB").quantize(
        64, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE
    ).save(file, optimize=True)


def title(axes: Axes, words: str) -> None:
    """Write what a panel shows above its left edge."""
    axes.set_title(words, loc="left", fontsize=11, fontweight="bold")


def legend_below(axes: Axes) -> None:
    """Explain the marks of one panel below all of them."""
    axes.figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False
    )


def scored(bars: Bars, preset: str) -> Scored:
    """Train a preset and score its test part."""
    fitted = fit(prepare(bars, configure(preset)), lambda _: None)
    return Scored(fitted.days_by_ticker(TICKER)[TICKER], fitted.evaluation)


# Why forecasts of prices look good


def looks_good(found: Material, file: Path) -> None:
    """Show a tutorial's forecasts over three years, and over thirty days."""
    days, point = found.tutorial.days, found.tutorial.evaluation.point
    when, points = days.dates.astype(object), days.forecasts.points
    with panels(file, 2, inches=6.4) as (far, near):
        far.plot(when, days.actuals, color=BLACK, linewidth=1, label="the close that came")
        far.plot(when, points, color=ORANGE, linewidth=1, label="forecast of paper-short")
        title(far, f"From far away: {len(when)} test days, R² {point.r2:.3f}")
        far.legend(loc="upper left", frameon=False)
        last = slice(-30, None)
        near.plot(
            when[last], days.actuals[last], color=BLACK, marker="o", label="the close that came"
        )
        near.plot(
            when[last],
            points[last],
            color=ORANGE,
            marker="s",
            markersize=4,
            label=f"forecast of paper-short: typical error R\\$ {point.rmse:.2f}",
        )
        near.plot(
            when[last],
            days.last_closes[last],
            color=BLUE,
            linestyle="--",
            marker=".",
            label=f"yesterday's close: typical error R\\$ {point.rmse_naive:.2f}",
        )
        title(
            near, "From near: the last 30 days. The forecast comes late, as yesterday's close does"
        )
        near.legend(loc="lower left", frameon=False)
        for axes in (far, near):
            axes.set_ylabel("R\\$")
    print(f"paper-short: R² {point.r2}, that of yesterday's close {point.r2_naive}")


# CRPS


def areas(found: Material, file: Path) -> None:
    """Show the area that CRPS measures, on a calm day and on a wild one."""
    days = found.default.days
    scores = crps(days.actuals, days.forecasts.quantiles)
    with panels(file, 1, 2, sharey=True) as both:
        for axes, day in zip(both, ("2024-03-04", "2024-03-08"), strict=True):
            row = int(np.flatnonzero(days.dates == np.datetime64(day))[0])
            curve, came = days.forecasts.quantiles[row], float(days.actuals[row])
            low, high = min(curve[0], came) - 0.6, max(curve[-1], came) + 0.6
            at = np.linspace(low, high, 600)
            below = np.interp(at, curve, LEVELS, left=0, right=1)
            axes.fill_between(
                at, below, (at >= came).astype(float), color=PALE, label="what is between them"
            )
            axes.plot(at, below, color=BLUE, label="forecast: chance of at most this close")
            axes.step([low, came, high], [0, 1, 1], where="post", color=BLACK, label="what came")
            axes.plot([came], [0.5], "D", color=BLACK)
            title(axes, f"{day}: R\\$ {came:.2f} came, CRPS R\\$ {scores[row]:.2f}")
            axes.set_xlabel("close in R\\$")
            print(
                f"{day}: point {days.forecasts.points[row]:.2f}, from "
                f"{days.last_closes[row]:.2f}, came {came:.2f}, CRPS {scores[row]:.4f}"
            )
        both[0].set_ylabel("probability")
        legend_below(both[0])
    print(f"mean CRPS {scores.mean():.4f}, EWMA {crps(days.actuals, days.ewma).mean():.4f}")


# EWMA


def averages(found: Material, file: Path) -> None:
    """Show returns with the volatility that EWMA expected of each, and its weights."""
    bars = found.bars
    anchor = VolatilityAnchor.fit_returns(bars, found.default.days.dates.size)
    expected = 100 * anchor.sigmas(bars)
    first, last = (
        int(np.searchsorted(bars.dates, np.datetime64(day))) for day in ("2019-12-02", "2020-09-01")
    )
    when = bars.dates[first:last].astype(object)
    with panels(file, 1, 2, width_ratios=(3, 1)) as (wide, narrow):
        moves = 100 * bars.log_returns[first:last]
        reach = 2 * expected[first - 1 : last - 1]
        wide.fill_between(
            when, -reach, reach, color=PALE, label="± 2 × volatility expected by EWMA"
        )
        wide.bar(when, moves, width=1.0, color=BLUE, label="what the day brought")
        title(wide, "PETR4.SA, December 2019 to August 2020")
        wide.set_ylabel("log return, %")
        wide.legend(loc="lower right", frameon=False)
        ages = np.arange(60)
        narrow.bar(ages + 1, 100 * 0.06 * 0.94**ages, color=BLUE)
        title(narrow, "Weight of a day")
        narrow.set_xlabel("sessions ago")
        narrow.set_ylabel("%")
    for day in ("2020-02-21", "2020-03-12", "2020-08-31"):
        row = int(np.searchsorted(bars.dates, np.datetime64(day)))
        print(f"EWMA volatility after {bars.dates[row]}: {expected[row]:.2f} % a day")


# Diebold and Mariano


def differences(found: Material, file: Path) -> None:
    """Show the mean difference of two models beside what chance would give."""
    with panels(file, 1, 2) as both:
        for axes, (name, (days, _)) in zip(
            both,
            {"calibrated": found.default, "paper-short": found.tutorial}.items(),
            strict=True,
        ):
            losses = (days.actuals - days.forecasts.points) ** 2
            naive = (days.actuals - days.last_closes) ** 2
            apart = losses - naive
            test = diebold_mariano(losses, naive)
            spread = apart.std() / math.sqrt(len(apart))
            reach = max(4.2 * spread, 1.15 * abs(apart.mean()))
            at = np.linspace(-reach, reach, 500)
            bell = np.exp(-((at / spread) ** 2) / 2)
            usual = np.abs(at) <= 1.963 * spread
            axes.fill_between(at[usual], bell[usual], color=PALE, label="95 of 100 chance results")
            axes.plot(at, bell, color=BLUE, label="chance, were both equally good")
            axes.axvline(
                float(apart.mean()), color=ORANGE, linewidth=2.5, label="what was measured"
            )
            chance = "p < 0.001" if test.p < 0.001 else f"p = {test.p:.2f}"
            title(axes, f"{name}: {chance}")
            axes.set_xlabel("mean squared error less that of yesterday's close")
            axes.set_yticks([])
            axes.set_ylim(0, 1.1)
            print(
                f"{name}: on {float((apart < 0).mean()):.1%} of {test.n} days nearer than "
                f"yesterday's close, mean {apart.mean():.5f}, DM {test.stat:.2f}, p {test.p:.3g}"
            )
        legend_below(both[0])


# Coverage


def held(found: Material, file: Path) -> None:
    """Show intervals that follow the market beside intervals of one width, on the same days."""
    bars = found.bars
    taught = int(np.searchsorted(bars.dates, np.datetime64("2019-09-12")))
    ewma = EwmaBaseline.fit(bars, taught)
    origins = np.arange(taught, len(bars) - 1)
    moves = bars.log_returns[origins + 1]
    tails = [LEVELS.index(0.1), LEVELS.index(0.9)]
    width = np.quantile(bars.log_returns[1:taught], (0.1, 0.9))
    shown = slice(0, int(np.searchsorted(bars.dates[origins], np.datetime64("2021-03-15"))))
    when = bars.dates[origins + 1][shown].astype(object)
    with panels(file, 2, inches=6.2, sharex=True, sharey=True) as both:
        for axes, bounds, words in zip(
            both,
            (ewma.returns(bars, origins)[:, tails], np.tile(width, (len(origins), 1))),
            ("80 % interval by EWMA", "80 % interval of one width"),
            strict=True,
        ):
            inside = (bounds[:, 0] <= moves) & (moves <= bounds[:, 1])
            low, high = 100 * bounds[shown].T
            axes.fill_between(when, low, high, color=PALE, step="mid")
            for chosen, mark, colour, name in (
                (inside[shown], ".", BLUE, "inside"),
                (~inside[shown], "X", ORANGE, "outside: a miss"),
            ):
                axes.plot(
                    when[chosen],
                    np.clip(100 * moves[shown][chosen], -19, 19),
                    mark,
                    color=colour,
                    markersize=4,
                    label=name,
                )
            wild = (when >= date(2020, 3, 1)) & (when < date(2020, 6, 1))
            title(
                axes,
                f"{words}: held {100 * inside[shown].mean():.1f} % of the days shown, "
                f"{100 * inside[shown][wild].mean():.1f} % of March to May 2020",
            )
            axes.set_ylabel("log return, %")
            axes.set_ylim(-20, 20)
            _print_coverage(words, inside, inside[shown], inside[shown][wild])
        both[0].legend(loc="upper right", frameon=False, ncols=2)


def _print_coverage(words: str, inside: Flags, shown: Flags, wild: Flags) -> None:
    for name, hits in (("all", inside), ("shown", shown), ("wild", wild)):
        print(
            f"{words}, {name}: {hits.mean():.4f} of {len(hits)}, Kupiec {kupiec(hits, 0.8).p:.3g}, "
            f"independence {independence(hits).p:.3g}, misses after a miss "
            f"{1 - hits[1:][~hits[:-1]].mean():.3f}, "
            f"after a hit {1 - hits[1:][hits[:-1]].mean():.3f}"
        )


# Leakage

AHEAD = 20


def leak(found: Material, file: Path) -> None:
    """Show two ways to split the same days, and how good a useless model looks in each."""
    closes = found.bars.closes
    origins = np.arange(len(closes) - AHEAD)
    tested = len(origins) // 5
    shuffled = np.sort(np.random.default_rng(0).permutation(origins)[:tested])
    latest = origins[-tested:]
    errors = {
        "last close,\nlast fifth": closes[latest + AHEAD] - closes[latest],
        "nearest day,\nlast fifth": _nearest(closes, origins[: -tested - AHEAD], latest),
        "last close,\nshuffled": closes[shuffled + AHEAD] - closes[shuffled],
        "nearest day,\nshuffled": _nearest(closes, np.setdiff1d(origins, shuffled), shuffled),
    }
    sizes = {name: float(np.sqrt(np.mean(each**2))) for name, each in errors.items()}
    with panels(file, 1, 2, width_ratios=(1.1, 1)) as (strips, bars):
        shown = np.zeros((2, 60))
        shown[0, np.random.default_rng(1).permutation(60)[:12]] = 1
        shown[1, 48:] = 1
        for row, place in enumerate((1, 0)):
            for column, is_test in enumerate(shown[row]):
                strips.barh(place, 0.8, left=column, height=0.5, color=ORANGE if is_test else PALE)
        strips.set_yticks([1, 0], ["shuffled", "in the order\nof time"])
        strips.set_xlim(-1, 61)
        strips.set_xticks([])
        strips.set_xlabel("days, oldest on the left")
        strips.set_ylim(-0.6, 1.6)
        strips.grid(visible=False)
        strips.barh(9, 1, color=PALE, label="days to learn from")
        strips.barh(9, 1, color=ORANGE, label="days to be judged on")
        legend_below(strips)
        title(strips, "Two ways to choose the test days")
        colours = (GREY, BLUE, GREY, BLUE)
        drawn = bars.bar(list(sizes), list(sizes.values()), color=colours)
        bars.bar_label(drawn, [f"{size:.2f}" for size in sizes.values()])
        bars.set_ylabel("typical error (RMSE) in R\\$")
        bars.tick_params(axis="x", labelsize=9)
        title(bars, f"The close {AHEAD} sessions ahead")
    print({name.replace("\n", " "): round(size, 3) for name, size in sizes.items()})


def _nearest(closes: Floats, known: Indices, asked: Indices) -> Floats:
    """Forecast what came after the known day that lies nearest in time; give the errors."""
    places = np.abs(known[None, :] - asked[:, None]).argmin(axis=1)
    errors: Floats = closes[asked + AHEAD] - closes[known[places] + AHEAD]
    return errors


PICTURES: dict[str, Callable[[Material, Path], None]] = {
    "looks_good.png": looks_good,
    "crps.png": areas,
    "ewma.png": averages,
    "diebold_mariano.png": differences,
    "coverage.png": held,
    "leakage.png": leak,
}


def main() -> None:
    """Draw them all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    bars = prices(TICKER, None)
    found = Material(bars, scored(bars, "calibrated"), scored(bars, "paper-short"))
    for name, draw in PICTURES.items():
        draw(found, folder / name)


if __name__ == "__main__":
    main()
