"""How well bars within sessions measure a day, on simulated sessions whose variance is known.

Run: python benchmarks/intraday.py [--days N] [--seed N]

Prints of each estimator its bias and its efficiency: by how much its error's variance is smaller
than that of the daily range, of the session alone and with the night before it. The price is a
continuous path; at the end, what remains of highs and lows where it is seen now and then only.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from stocklstm.core.inputs.volatility import range_variances
from stocklstm.core.prices.realised import RealisedSessions, measure_sessions
from stocklstm.core.prices.series import Floats, Indices
from tests.support.simulated_sessions import SimulatedSessions, simulate


def measured(
    sessions: SimulatedSessions, minutes: int, share: float, seed: int
) -> RealisedSessions:
    """Measure all sessions by bars of some length, a share of which is missing."""
    bars = len(range(0, 390, minutes))
    missing = np.random.default_rng(seed).random((len(sessions.ends), bars)) < share
    # Sessions that begin late or end early lack a part of the day, which is another matter.
    missing[:, [0, -1]] = False
    expected = {str(day): bars for day in sessions.dates}
    return measure_sessions(sessions.intraday(minutes, missing), "UTC", expected)


def estimates(sessions: SimulatedSessions, seed: int) -> Mapping[str, tuple[Indices, Floats]]:
    """Give rows and what each estimator says of them, without the night."""
    daily = sessions.daily()
    nights = daily.log_returns - np.log(daily.closes / daily.opens)
    every = np.arange(1, len(daily))
    found: dict[str, tuple[Indices, Floats]] = {
        "daily range": (every, (range_variances(daily) - nights**2)[1:])
    }
    found["squared return of the session"] = (every, np.log(daily.closes / daily.opens)[1:] ** 2)
    for minutes in (5, 60):
        for share in (0.0, 0.1):
            measures = measured(sessions, minutes, share, seed)
            rows = np.searchsorted(daily.dates, measures.dates)
            used = measures.usable & (rows > 0)
            words = f"{minutes}-minute bars" + (", a tenth missing" if share else "")
            for name in ("realised", "ranges", "bipower"):
                values = getattr(measures, name)[used]
                found[f"{words}: {name}"] = (rows[used], values)
    return found


def main() -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--days", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    sessions = simulate(chosen.days, chosen.seed)
    daily = sessions.daily()
    nights = daily.log_returns - np.log(daily.closes / daily.opens)
    print("| estimator | days | bias | error | efficiency | with the night: bias | efficiency |")
    print("|---" * 7 + "|")
    base: tuple[float, float] | None = None
    for name, (rows, values) in estimates(sessions, chosen.seed).items():
        true, whole = sessions.variances[rows], (sessions.variances + sessions.nights)[rows]
        errors, errors_whole = values / true - 1, (values + nights[rows] ** 2) / whole - 1
        spread = float(np.var(errors)), float(np.var(errors_whole))
        base = base or spread
        print(
            f"| {name} | {len(rows):,} | {100 * errors.mean():+.1f} % | "
            f"{100 * np.sqrt(spread[0]):.0f} % | {base[0] / spread[0]:.1f} | "
            f"{100 * errors_whole.mean():+.1f} % | {base[1] / spread[1]:.2f} |"
        )
    print("\n| price seen | daily range | 60-minute bars: ranges | 5-minute bars: ranges |", end="")
    print(" 5-minute bars: realised |\n" + "|---" * 5 + "|")
    for step_s in (1, 5, 15, 60):
        seen = simulate(1_000, chosen.seed, step_s=step_s, continuous=False)
        found = estimates(seen, chosen.seed)
        cells = []
        for name in (
            "daily range",
            "60-minute bars: ranges",
            "5-minute bars: ranges",
            "5-minute bars: realised",
        ):
            rows, values = found[name]
            cells.append(f"{100 * (values.sum() / seen.variances[rows].sum() - 1):+.1f} %")
        print(f"| every {step_s} s | {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
