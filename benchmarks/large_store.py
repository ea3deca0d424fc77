"""Speed of the program in a store of very many tickers, and how it grows with their number.

Run: python benchmarks/large_store.py [--tickers 300,3000] [--rows N] [--evenings N] [--keep DIR]
     [--least] [--only WORDS]

Makes a store of each size: every ticker has prices, a model of its own, a place in a pooled model,
and forecasts of a year by both on record; some have a run that was broken off. Ten series of prices
are made up and one model of the default size is trained; the other tickers hold the same under
their own names. Then every command runs once over all of them, as a process of its own, and its
seconds by the clock and of the processor are printed. Exit code 1 if a goal is missed, or if the
cost grows faster than the number of tickers, both in processor time, which other work on the
machine disturbs least. Not measured: anything that trains, and anything that asks a source.
"""

import argparse
import math
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import many_forecasts
import numpy as np

from stocklstm.core.prices.series import Bars, Instrument
from stocklstm.core.settings.config import LEVELS, TrainingConfig, configure
from stocklstm.infer.session import ServingGraph
from stocklstm.store.ledger import LedgerEntry
from stocklstm.store.manifest import SERVING_FILE
from stocklstm.store.pool_members import MEMBERS_FILE, encode_members
from stocklstm.store.runs import RunRecord, run_id
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.train.fit import fit
from stocklstm.workflows.train.pool_fit import prepare_pool

POOL = "+all"
DAY = np.timedelta64(1, "D")
EVENING = f"{np.datetime64('now')}Z"
BASES = 10
"""Different series of prices."""

RUN_EVERY = 10
"""One ticker in so many has a run that was broken off."""

GROWTH = 1.25
"""Most times that the cost may grow faster than the number of tickers, as runs differ."""

CLI = [sys.executable, "-m", "stocklstm"]


@dataclass(frozen=True)
class Cost:
    """Seconds of one run, by the clock and of the processor."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Measured:
    """A command that is measured.

    Attributes:
        name: What the table calls it.
        arguments: Those of the command line.
        goal_s: Most seconds at the largest size; None for no goal.
        goal_ms: Most milliseconds a ticker beyond the command for one ticker; None for no goal.
        alone: Arguments of the same for one ticker, which is taken off for `goal_ms`.
    """

    name: str
    arguments: tuple[str, ...]
    goal_s: float | None = None
    goal_ms: float | None = None
    alone: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measurement:
    """Costs of a command over the whole store, and for one ticker if that was measured."""

    whole: Cost
    alone: Cost | None

    def each_ms(self, tickers: int) -> float:
        """Milliseconds of the processor for each ticker; after start-up if that is known."""
        if self.alone is None:
            return 1000 * self.whole.cpu / tickers
        return 1000 * (self.whole.cpu - self.alone.cpu) / (tickers - 1)


COMPLETED, SERVED = "complete a ticker", "serve, ready"
ONE = ("--ticker", "T00000")
COMMANDS = (
    Measured("models gc", ("models", "gc"), goal_s=5),
    Measured("models list", ("models", "list"), goal_s=1),
    Measured("models list --json", ("models", "list", "--json"), goal_s=1),
    Measured("prices show", ("prices", "show"), goal_s=1),
    Measured("prices show --json", ("prices", "show", "--json"), goal_s=1),
    Measured("predict", ("predict",), goal_ms=3, alone=("predict", *ONE)),
    Measured("predict, again", ("predict",), goal_ms=3, alone=("predict", *ONE)),
    Measured(
        "predict pooled",
        ("predict", "--model", "all"),
        goal_ms=0.8,
        alone=("predict", "--model", "all", *ONE),
    ),
    Measured(
        "predict pooled, again",
        ("predict", "--model", "all"),
        goal_ms=0.8,
        alone=("predict", "--model", "all", *ONE),
    ),
    Measured("evaluate --live", ("evaluate", "--live")),
    Measured("forecasts", ("forecasts", "--json")),
    Measured("train --all, none due", ("train", "--all", "--if-older-than", "20000", "--dry-run")),
    Measured("validate --all", ("validate", "--all")),
    Measured("prices verify", ("prices", "verify")),
)


def names_of(count: int) -> list[str]:
    """Name so many tickers."""
    return [f"T{number:05d}" for number in range(count)]


def build(home: Path, count: int, rows: int, evenings: int) -> None:
    """Make a store of so many tickers."""
    names = names_of(count)
    bases = names[:BASES]
    config = configure("calibrated", epochs=1, batch_size=1024)
    with open_store(home, create=True) as store:
        _no_waiting(store)
        _store_prices(store, bases, rows)
        series = [store.prices.bars(name) for name in bases]
        _store_sessions(store, series[0])
        _copy(store, names)
    with patch("os.fsync"):
        many_forecasts.give_models(home, names, config)
        _give_pool(home, names, config)
    with open_store(home) as store:
        _no_waiting(store)
        with store.transaction():
            for name, bars in zip(bases, series, strict=True):
                for pool in ("", POOL):
                    store.ledger.record_all(_forecasts(name, bars, evenings, pool))
        _copy(store, names, ("forecasts", "checksums"))
        for name in names[::RUN_EVERY]:
            identity = run_id(name, EVENING)
            record = RunRecord(identity, name, EVENING, config, rows, "2026-11-20", "0" * 64)
            store.runs.create(record)


def _store_prices(store: Store, names: Sequence[str], rows: int) -> None:
    """Make up prices to the last weekday, so that a forecast has nothing to warn of."""
    today = np.datetime64("today", "D")
    with store.transaction():
        for seed, name in enumerate(names):
            bars = many_forecasts.made_up(rows, seed)
            days = np.busday_offset(today, np.arange(-rows, 0), roll="forward")
            instrument = Instrument(name, "BRL", "BVMF", "America/Sao_Paulo")
            merged = replace(bars, dates=days.astype("datetime64[D]"))
            store.prices.merge(instrument, merged, (), source="csv", at=EVENING)


def _give_pool(home: Path, names: Sequence[str], config: TrainingConfig) -> None:
    """Train a pooled model of the first tickers, and add all others, whose prices are the same."""
    with open_store(home) as store:
        series = {name: store.prices.bars(name) for name in names[:BASES]}
        fitted = fit(prepare_pool(series, config), lambda _: None)
        members = [
            replace(fitted.members[place % BASES], ticker=name) for place, name in enumerate(names)
        ]
        manifest = fitted.manifest(POOL, dict.fromkeys(series, ()), {})
        if manifest.pool is None:
            raise AssertionError("a pooled model without its pool")
        manifest = replace(manifest, pool=replace(manifest.pool, tickers=len(members)))
        files = {SERVING_FILE: fitted.onnx, MEMBERS_FILE: encode_members(members)}
        many_forecasts.publish(store, manifest, files)


def _no_waiting(store: Store) -> None:
    # Waiting for the disk would be most of the time it takes to make the store.
    store.prices.connection.execute("PRAGMA synchronous = OFF")


def _store_sessions(store: Store, bars: Bars) -> None:
    days = np.arange(bars.dates[0] - 40 * DAY, bars.dates[-1] + 365 * DAY)
    days = days[np.is_busday(days)]
    ends = days.astype("datetime64[s]") + np.timedelta64(21, "h")
    store.sessions.put("BVMF", days.astype("datetime64[D]"), ends.astype("datetime64[s]"))


def _forecasts(name: str, bars: Bars, evenings: int, pool: str) -> list[LedgerEntry]:
    """Make forecasts of the latest sessions, each from the close before."""
    normal = statistics.NormalDist()
    spread = [math.exp(0.015 * normal.inv_cdf(level)) for level in LEVELS]
    days = bars.dates.astype(str).tolist()
    made = []
    for row in range(len(bars) - evenings, len(bars)):
        close = float(bars.closes[row - 1])
        grid = tuple(close * factor for factor in spread)
        at = f"{days[row - 1]}T23:00:00Z"
        made.append(LedgerEntry(name, days[row], 1, 1, days[row - 1], close, close, grid, at, pool))
    return made


def _copy(store: Store, names: Sequence[str], only: Sequence[str] = ()) -> None:
    """Store what the database has of the first tickers under all other names as well.

    Args:
        only: Tables; all that are of tickers if none is named.
    """
    connection = store.prices.connection
    found = connection.execute(
        "SELECT t.name, c.name FROM sqlite_master AS t, pragma_table_info(t.name) AS c"
        " WHERE t.type = 'table' AND c.name IN ('ticker', 'owner')"
        " ORDER BY t.name <> 'instruments'"
    ).fetchall()
    statements = []
    for table, owner in found:
        if only and table not in only:
            continue
        columns = ", ".join(
            column
            for (column,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
            if column not in {owner, "id"}
        )
        statements.append(
            f"INSERT OR IGNORE INTO {table} ({owner}, {columns})"  # noqa: S608 - own names
            f" SELECT ?, {columns} FROM {table} WHERE {owner} = ?"
        )
    with store.transaction():
        for place, name in enumerate(names[BASES:]):
            for statement in statements:
                connection.execute(statement, (name, names[place % BASES]))


def run(home: Path, arguments: Sequence[str], **variables: str) -> Cost:
    """Run a command to its end."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [*CLI, *arguments],
        env={**os.environ, "STOCKLSTM_HOME": str(home), **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    complaints = process.stderr.read().decode() if process.stderr else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}: {complaints}")
    return Cost(time.perf_counter() - started, usage.ru_utime + usage.ru_stime)


def completed(home: Path) -> Cost:
    """Let a shell complete the name of a ticker."""
    words = "stocklstm predict --ticker T0"
    return run(home, [], _STOCKLSTM_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD="3")


def served(home: Path) -> Cost:
    """Start a server, and ask whether it is well."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [*CLI, "serve", "--port", "0", "--quiet"],
        env={**os.environ, "STOCKLSTM_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
    )
    address = process.stdout.readline().strip() if process.stdout else ""
    with urllib.request.urlopen(f"{address}/health", timeout=60) as answer:  # noqa: S310 - ours
        answer.read()
    wall = time.perf_counter() - started
    process.terminate()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def measure(home: Path, only: Sequence[str]) -> dict[str, Measurement]:
    """Run every command over the whole store, and those that have a goal a ticker for one, too."""
    run(home, ["models", "list", "--quiet", *ONE])

    def wanted(name: str) -> bool:
        return not only or any(word in name for word in only)

    found: dict[str, Measurement] = {}
    for each in filter(lambda each: wanted(each.name), COMMANDS):
        alone = run(home, each.alone) if each.alone else None
        found[each.name] = Measurement(run(home, each.arguments), alone)
    for name, special in ((COMPLETED, completed), (SERVED, served)):
        if wanted(name):
            found[name] = Measurement(special(home), None)
    return found


def least_ms(home: Path) -> dict[str, float]:
    """Measure what a forecast cannot do without: its rows out of SQLite, and its network.

    Returns:
        Milliseconds of the processor for a ticker, by what is done, at the best of three times.
    """
    connection = sqlite3.connect(home / "stocklstm.db")
    names = [name for (name,) in connection.execute("SELECT ticker FROM instruments")]
    (day,) = connection.execute("SELECT max(date) FROM prices").fetchone()
    months = [str(np.datetime64(day, "M") - back) for back in (2, 3)]
    prices = (
        "SELECT date, open, high, low, close, adj_close, volume FROM prices"
        " WHERE ticker = ? AND date >= ? ORDER BY date"
    )
    forecasts = (
        "SELECT target_session, pool, version, horizon, as_of, last_close, point, quantiles,"
        " made_at FROM forecasts WHERE ticker = ? AND target_session >= ? AND pool = ?"
        " ORDER BY target_session"
    )

    def read() -> None:
        for name in names:
            connection.execute(prices, (name, months[1])).fetchall()
            connection.execute(forecasts, (name, months[0], POOL)).fetchall()

    with open_store(home) as store:
        path = store.paths.version(names[0], 1) / SERVING_FILE
    content = path.read_bytes()
    graph = ServingGraph(content)
    window = np.zeros((1, *graph.window_shape), np.float32)

    def ran() -> None:
        for _ in names:
            graph.run(window)

    def loaded() -> None:
        for _ in names:
            ServingGraph(content)

    found = {}
    for what, task in (("rows read", read), ("network run", ran), ("network loaded", loaded)):
        costs = []
        for _ in range(3):
            started = time.process_time()
            task()
            costs.append(time.process_time() - started)
        found[what] = 1000 * min(costs) / len(names)
    connection.close()
    return found


def report(found: dict[int, dict[str, Measurement]]) -> bool:
    """Print costs, growth and goals; tell whether all goals are met."""
    sizes = sorted(found)
    few, many = sizes[0], sizes[-1]
    met = True
    columns = [f"{size}: {what}" for size in sizes for what in ("by the clock", "processor")]
    print(f"\n| command | {' | '.join(columns)} | growth | ms a ticker | goal |")
    print(f"|---|{'---|' * (len(columns) + 3)}")
    goals = {each.name: each for each in COMMANDS} | {SERVED: Measured(SERVED, (), goal_s=1)}
    for name, largest in found[many].items():
        cells = [
            f"{value:.2f}"
            for size in sizes
            for value in (found[size][name].whole.wall, found[size][name].whole.cpu)
        ]
        growth, each_ms = largest.whole.cpu / found[few][name].whole.cpu, largest.each_ms(many)
        goal = goals.get(name, Measured(name, ()))
        said = "" if goal.goal_s is None else f"<= {goal.goal_s:g} s"
        said = said if goal.goal_ms is None else f"<= {goal.goal_ms:g} ms a ticker"
        good = (
            growth <= GROWTH * many / few
            and (goal.goal_s is None or largest.whole.cpu <= goal.goal_s)
            and (goal.goal_ms is None or each_ms <= goal.goal_ms)
        )
        met = met and good
        print(
            f"| {name} | {' | '.join(cells)} | {growth:.1f} | {each_ms:.2f} "
            f"| {said}{'' if good else ' MISSED'} |"
        )
    return met


def main(arguments: Sequence[str] | None = None) -> int:
    """Print costs and growth; return 1 if a goal is missed.

    Args:
        arguments: In the place of those of the command line.
    """
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tickers", default="300,3000", help="sizes of the stores")
    parser.add_argument("--rows", type=int, default=2500, help="sessions of each ticker")
    parser.add_argument("--evenings", type=int, default=250, help="forecasts on record")
    parser.add_argument("--keep", type=Path, help="keep the stores here, or use those there")
    parser.add_argument("--least", action="store_true", help="measure what cannot be spared, too")
    parser.add_argument("--only", default="", help="words of the commands to measure")
    given = parser.parse_args(arguments)
    only = [word for word in given.only.split(",") if word]
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        for size in sorted(int(size) for size in given.tickers.split(",")):
            home = (given.keep or Path(scratch)) / f"{size}"
            if not home.exists():
                started = time.perf_counter()
                build(home, size, given.rows, given.evenings)
                print(f"made {size} tickers in {time.perf_counter() - started:.0f} s", flush=True)
            found[size] = measure(home, only)
            if given.least:
                print(f"{size} tickers, at the least:")
                for what, cost in least_ms(home).items():
                    print(f"  {what}: {cost:.2f} ms a ticker")
            if given.keep is None:
                shutil.rmtree(home)
    return int(not report(found))


if __name__ == "__main__":
    raise SystemExit(main())
