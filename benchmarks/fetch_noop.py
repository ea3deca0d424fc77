"""Cost of an evening without new prices: `fetch` of 100 tickers, without what yfinance takes.

Run: python benchmarks/fetch_noop.py [--tickers N] [--rounds N]

Every ticker has 15 years of daily rows, and a Yahoo server on the loopback interface, in a process
of its own, answers with the days that are asked for: all of them stored, none of them changed. A
fresh process fetches; the time inside yfinance, its import included, is subtracted. A bare loop
over `yfinance.Ticker(...).history` asks the same server for the same days. Rounds alternate,
medians are compared. Neither waits between two tickers. Exit code 1 if the goal is missed.

The server is the one of the tests: pip install 'stocklstm[test]'.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
YEARS = 15
GOAL_MS = 20.0

# Days behind the last stored one from which `fetch` asks; the bare loop does as it does.
OVERLAP_DAYS = 15


@dataclass(frozen=True)
class Cost:
    """Cost of one process in seconds: wall time, CPU time, and CPU time inside yfinance."""

    wall_s: float
    cpu_s: float
    client_s: float


def names(count: int) -> list[str]:
    """Make up tickers of B3."""
    return [f"NOOP{number}.SA" for number in range(count)]


def prepare(count: int) -> list[list[Any]]:
    """Fill the store, and return its last rows as Yahoo would; all tickers have the same."""
    import datetime as dt

    import numpy as np

    from stocklstm.core.clock import utc_now
    from stocklstm.core.prices.series import Bars, Instrument
    from stocklstm.market.calendar import last_final_day, sessions
    from stocklstm.store.store import open_store

    zone, now = "America/Sao_Paulo", dt.datetime.now(dt.UTC)
    day = np.timedelta64(1, "D")
    today = np.datetime64(now.date(), "D")
    calendar = sessions("BVMF", today - 365 * YEARS * day, today + 30 * day)
    days = calendar.dates[calendar.dates <= last_final_day(calendar, zone, now)]
    closes = np.round(
        20 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, len(days)))), 2
    )
    highs, lows = closes * 1.01, closes * 0.99
    volumes = np.full(len(days), 1e6)
    bars = Bars(days, closes, highs, lows, closes, closes * 0.9, volumes)
    with open_store(create=True) as store:
        for name in names(count):
            instrument = Instrument(name, "BRL", "BVMF", zone)
            store.prices.merge(instrument, bars, (), source="yahoo", at=utc_now())
    columns = (bars.opens, highs, lows, closes, bars.adj_closes)
    return [
        [str(day), *(float(column[row]) for column in columns), 1_000_000]
        for row, day in enumerate(days)
    ][-60:]


def serve(folder: str) -> None:
    """Act as Yahoo until standard input ends; print first the environment that a client needs."""
    sys.path.insert(0, str(ROOT))
    from tests.support.yahoo_server import YahooServer, history

    rows = [tuple(row) for row in json.loads((Path(folder) / "rows.json").read_text())]
    with YahooServer(Path(folder), history(rows)) as server:
        print(json.dumps(server.environment), flush=True)
        sys.stdin.read()


@contextmanager
def yahoo(folder: str) -> Iterator[None]:
    """Keep the server running, with this process' children directed to it."""
    command = [sys.executable, __file__, "--serve", folder]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdout is None or not (line := process.stdout.readline()):
            raise SystemExit("the server did not start")
        os.environ.update(json.loads(line))
        yield


class Meter:
    """Adds up the CPU time that a process spends inside some functions."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._inside = False

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Count the calls of a function; calls from within a counted one are not counted again."""

        def call(*args: object, **options: object) -> object:
            if self._inside:
                return function(*args, **options)
            self._inside, began = True, time.process_time()
            try:
                return function(*args, **options)
            finally:
                self.seconds += time.process_time() - began
                self._inside = False

        return call


def fetch_all(count: int) -> Cost:
    """Fetch, counting apart what yfinance takes. While its thread works, the other one waits."""
    from stocklstm import fetch
    from stocklstm.market import yahoo

    yahoo.YahooSource.pause_s = 0.0
    meter, load = Meter(), yahoo._load_client  # noqa: SLF001 - that is where yfinance begins

    def metered_client() -> object:
        client = load()
        for name in ("__init__", "history", "get_history_metadata"):
            if name not in metered:
                metered.add(name)
                setattr(client.Ticker, name, meter.around(getattr(client.Ticker, name)))
        return client

    metered: set[str] = set()
    replaced: Any = yahoo
    replaced._load_client = meter.around(metered_client)  # noqa: SLF001 - the client alone
    wall, cpu = time.perf_counter(), time.process_time()
    result = fetch(names(count))
    cost = Cost(time.perf_counter() - wall, time.process_time() - cpu, meter.seconds)
    if result.failures or not all(item.unchanged for item in result.results):
        raise SystemExit(f"that was no evening without news: {result.failures[:3]}")
    return cost


def ask_all(count: int) -> Cost:
    """Ask yfinance for the same days, and discard the answers."""
    from stocklstm.market.yahoo import cache_directory
    from stocklstm.store.store import open_store

    with open_store() as store:
        span = store.prices.span(names(1)[0])
    if span is None:
        raise SystemExit("nothing is stored")
    start = str(span[1] - OVERLAP_DAYS)
    wall, cpu = time.perf_counter(), time.process_time()
    import yfinance

    yfinance.set_tz_cache_location(str(cache_directory()))
    for name in names(count):
        frame = yfinance.Ticker(name).history(auto_adjust=False, timeout=20.0, start=start)
        if frame.empty:
            raise SystemExit(f"yfinance got nothing for {name}")
    spent = time.process_time() - cpu
    return Cost(time.perf_counter() - wall, spent, spent)


ROLES = {"fetch": fetch_all, "bare yfinance loop": ask_all}


def measure(role: str, count: int) -> Cost:
    """Run a role in a fresh process."""
    command = [sys.executable, __file__, "--role", role, "--tickers", str(count)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Cost(**json.loads(answer))


def medians(count: int, rounds: int) -> dict[str, Cost]:
    """Run all roles in turn; the first round only warms the caches, as earlier evenings did."""
    costs: dict[str, list[Cost]] = {role: [] for role in ROLES}
    for number in range(rounds + 1):
        for role, runs in costs.items():
            cost = measure(role, count)
            if number:
                runs.append(cost)
    fields = ("wall_s", "cpu_s", "client_s")
    return {
        role: Cost(*(statistics.median(getattr(cost, field) for cost in runs) for field in fields))
        for role, runs in costs.items()
    }


def report(count: int, rounds: int) -> int:
    """Print the table; return 1 if the goal is missed."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"STOCKLSTM_HOME": f"{folder}/home", "STOCKLSTM_CACHE": f"{folder}/cache"}
        rows = prepare(count)
        (Path(folder) / "rows.json").write_text(json.dumps(rows))
        with yahoo(folder):
            cost = medians(count, rounds)
    print(f"{count} tickers of {YEARS} years, medians of {rounds} alternating runs, ms a ticker")
    for role, c in cost.items():
        wall, cpu, client = (1000 * s / count for s in (c.wall_s, c.cpu_s, c.client_s))
        print(f"  {role:20} wall {wall:6.2f}  cpu {cpu:6.2f}  of it yfinance {client:6.2f}")
    ours, bare = cost["fetch"], cost["bare yfinance loop"]
    own_ms = 1000 * (ours.cpu_s - ours.client_s) / count
    print(f"  fetch cpu / bare yfinance loop cpu {ours.cpu_s / bare.cpu_s:.2f}")
    verdict = "ok" if own_ms <= GOAL_MS else "MISSED"
    print(f"  own cpu of fetch {own_ms:.2f} ms a ticker  goal <= {GOAL_MS:g}  {verdict}")
    return int(own_ms > GOAL_MS)


def main() -> int:
    """Measure, or run one of the roles."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tickers", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--role", choices=ROLES, help=argparse.SUPPRESS)
    parser.add_argument("--serve", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return 0
    if options.role:
        print(json.dumps(vars(ROLES[options.role](options.tickers))))
        return 0
    return report(options.tickers, options.rounds)


if __name__ == "__main__":
    sys.exit(main())
