"""Cost of many tickers: trained in parallel, and ten of them beside two hundred.

Run: python benchmarks/scale.py [--quick | --whole N]

Real prices under other names, each ticker the same number of days of them. All compared runs are
of this one call, in turn, so that a busy machine slows all alike. Memory and processor time are
read from /proc, of the process that hands out the work and of those that train. At the end
benchmarks/many_forecasts.py is run. With --whole, N tickers are trained by the default settings
in two processes instead, and nothing else. Exit code 1 if a goal is missed.
"""

import argparse
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import many_forecasts

from stocklstm.store.checksums import Checksums

TICKER = "PETR4.SA"
CLI = [sys.executable, "-m", "stocklstm"]
TINY = ["--epochs", "1", "--hidden-size", "8", "--num-layers", "1", "--seq-length", "10"]
TINY_ROWS = 500
WHOLE_ROWS = 3000
IN_EARNEST = 500
"""Tickers that are to be trained by the default settings within `MINUTES`."""

MINUTES = 12.0
TICKS = os.sysconf("SC_CLK_TCK")
KIB_IN_MIB = 1024
SECONDS_IN_MINUTE = 60
ALL_ROWS = 3500
"""So many of the bundled prices are copied from, at most."""


@dataclass
class Watched:
    """Memory and processor time of the processes of one command.

    Attributes:
        leader: Identity of the process that hands out the work.
        peaks_mib: Most memory of each process, by its identity.
        leader_cpu_s: Seconds of the processor that the leader took.
    """

    leader: int
    peaks_mib: dict[int, float] = field(default_factory=dict)
    leader_cpu_s: float = 0.0

    def look(self) -> None:
        """Read the counters of every running process of the command."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) != self.leader:
                    continue
                peak = re.search(r"VmHWM:\s+(\d+)", (process / "status").read_text())
            except OSError:
                continue
            if peak is not None:
                self.peaks_mib[int(process.name)] = int(peak[1]) / KIB_IN_MIB
            if int(process.name) == self.leader:
                self.leader_cpu_s = (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def leader_mib(self) -> float:
        """Most memory of the leader."""
        return self.peaks_mib[self.leader]

    @property
    def worker_mib(self) -> float:
        """Most memory of the largest other process."""
        others = [mib for process, mib in self.peaks_mib.items() if process != self.leader]
        return max(others, default=0.0)


@dataclass(frozen=True)
class Cost:
    """Cost of one command.

    Attributes:
        wall_s: From its start to its end.
        ticker_s: From the first ticker that was done to the last, for each but the first.
        watched: Its processes.
    """

    wall_s: float
    ticker_s: float
    watched: Watched


def fetched(home: Path) -> None:
    """Store the bundled prices."""
    subprocess.run(
        [*CLI, "fetch", "--source", "sample", "--ticker", TICKER, "--quiet"],
        check=True,
        env={**os.environ, "STOCKLSTM_HOME": str(home)},
        stdout=subprocess.DEVNULL,
    )


def copies(original: Path, home: Path, count: int, rows: int) -> list[str]:
    """Make a store with the last prices under many names, each ending a day earlier."""
    shutil.copytree(original, home)
    names = [f"T{number:04}.SA" for number in range(count)]
    connection = sqlite3.connect(home / "stocklstm.db")
    with connection:
        for shift, name in enumerate(names):
            wanted = {
                "prices": ("ORDER BY date DESC LIMIT ? OFFSET ?", (rows, shift)),
                "instruments": ("", ()),
            }
            for table, (which, numbers) in wanted.items():
                connection.execute(
                    f"CREATE TEMP TABLE copied AS SELECT * FROM {table}"  # noqa: S608 - two names
                    f" WHERE ticker = ? {which}",
                    (TICKER, *numbers),
                )
                connection.execute("UPDATE copied SET ticker = ?", (name,))
                connection.execute(f"INSERT INTO {table} SELECT * FROM copied")  # noqa: S608
                connection.execute("DROP TABLE copied")
    connection.execute("BEGIN")
    Checksums(connection).vouch_for_all()
    connection.execute("COMMIT")
    connection.close()
    (home / "tickers.txt").write_text("\n".join(names))
    return names


def trained(home: Path, jobs: int, settings: list[str]) -> Cost:
    """Train all tickers of a store, and watch the processes."""
    arguments = ["train", "--tickers-file", str(home / "tickers.txt"), "--jobs", str(jobs)]
    started = time.perf_counter()
    process = subprocess.Popen(
        [*CLI, *arguments, *settings, "--promote", "never", "--no-plot"],
        env={**os.environ, "STOCKLSTM_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    watched, over = Watched(process.pid), threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            watched.look()

    looking = threading.Thread(target=look)
    looking.start()
    done = [time.perf_counter() for line in process.stderr or () if ": done (" in line]
    code = process.wait()
    wall = time.perf_counter() - started
    over.set()
    looking.join()
    if code:
        raise SystemExit(f"train failed with {code}")
    each = (done[-1] - done[0]) / (len(done) - 1) if len(done) > 1 else wall
    return Cost(wall, each, watched)


def side_by_side(original: Path, directory: Path, tickers: int, rounds: int) -> tuple[float, float]:
    """Train the default with one process and with two, in turn.

    Returns:
        The speed-up of two, and the minutes that they would take for `IN_EARNEST` tickers.
    """
    home = directory / "whole"
    copies(original, home, tickers, WHOLE_ROWS)
    costs: dict[int, list[Cost]] = {1: [], 2: []}
    for _ in range(rounds):
        for jobs, measured in costs.items():
            measured.append(trained(home, jobs, []))
    one, two = (statistics.median(cost.wall_s for cost in costs[jobs]) for jobs in (1, 2))
    # Without the start of two processes, which is paid once for all tickers.
    each = statistics.median(cost.ticker_s for cost in costs[2])
    print(f"{tickers} tickers of {WHOLE_ROWS} days, by the default settings\n")
    print("| processes | seconds in all | a ticker |")
    print("|---|---|---|")
    for jobs, wall in ((1, one), (2, two)):
        print(f"| {jobs} | {wall:.1f} | {wall / tickers:.2f} |")
    print(f"\nEach but the first with two: {each:.2f} s\n")
    return one / two, IN_EARNEST * each / SECONDS_IN_MINUTE


def whole(tickers: int) -> int:
    """Train that many by the default settings; return 1 if `IN_EARNEST` would take too long."""
    with tempfile.TemporaryDirectory() as directory:
        original, home = Path(directory, "original"), Path(directory, "home")
        fetched(original)
        copies(original, home, tickers, min(WHOLE_ROWS, ALL_ROWS - tickers))
        cost = trained(home, 2, [])
    minutes = cost.wall_s * IN_EARNEST / tickers / SECONDS_IN_MINUTE
    print(
        f"{tickers} tickers in {cost.wall_s / SECONDS_IN_MINUTE:.1f} minutes, {IN_EARNEST} in "
        f"{minutes:.1f} (goal {MINUTES:g}): memory of the leader {cost.watched.leader_mib:.0f} "
        f"MiB, of a worker {cost.watched.worker_mib:.0f} MiB"
    )
    return int(not minutes <= MINUTES)


def few_and_many(original: Path, directory: Path, few: int, many: int) -> tuple[Cost, Cost]:
    """Train few tiny networks before and after many; return the better of both costs."""
    homes = {count: directory / f"{count}" for count in (few, many)}
    for count, home in homes.items():
        copies(original, home, count, TINY_ROWS)
    before = [trained(homes[few], 2, TINY) for _ in range(2)]
    whole = trained(homes[many], 2, TINY)
    around = [*before, *(trained(homes[few], 2, TINY) for _ in range(2))]
    around.sort(key=lambda cost: cost.ticker_s)
    middle = around[len(around) // 2]
    versions = homes[many] / "models"
    size = sum(file.stat().st_size for file in versions.rglob("*") if file.is_file()) / many
    print(f"--jobs 2, {TINY_ROWS} days, {' '.join(TINY)}\n")
    print("| tickers | seconds a ticker | leader, MiB | worker, MiB | leader's processor, ms |")
    print("|---|---|---|---|---|")
    for count, cost in ((few, middle), (many, whole)):
        seen = cost.watched
        print(
            f"| {count} | {cost.ticker_s:.3f} | {seen.leader_mib:.0f} | {seen.worker_mib:.0f} "
            f"| {1000 * seen.leader_cpu_s / count:.0f} |"
        )
    print(f"\nA version takes {size / 1e3:.0f} kB on the disk.\n")
    return middle, whole


def main() -> int:
    """Print costs and ratios; return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer tickers, for a look")
    parser.add_argument("--whole", type=int, metavar="N", help="train N tickers in earnest")
    options = parser.parse_args()
    if options.whole:
        return whole(options.whole)
    tickers, rounds, few, many = (4, 1, 5, 20) if options.quick else (24, 2, 10, 200)
    with tempfile.TemporaryDirectory() as directory:
        original = Path(directory, "original")
        fetched(original)
        quicker, minutes = side_by_side(original, Path(directory), tickers, rounds)
        small, large = few_and_many(original, Path(directory), few, many)
    memory = [
        getattr(large.watched, name) / getattr(small.watched, name)
        for name in ("leader_mib", "worker_mib")
    ]
    goals = [
        ("--jobs 2, times quicker than one process", quicker, quicker >= 1.8, ">= 1.8"),
        (f"minutes for {IN_EARNEST} tickers", minutes, minutes <= MINUTES, f"<= {MINUTES:g}"),
        (
            f"time a ticker, {many} / {few}",
            large.ticker_s / small.ticker_s,
            large.ticker_s <= 1.1 * small.ticker_s,
            "<= 1.1",
        ),
        (f"leader's memory, {many} / {few}", memory[0], memory[0] <= 1.1, "<= 1.1"),
        (f"worker's memory, {many} / {few}", memory[1], memory[1] <= 1.1, "<= 1.1"),
    ]
    print("| what | measured | goal | |")
    print("|---|---|---|---|")
    for name, value, met, goal in goals:
        print(f"| {name} | {value:.2f} | {goal} | {'ok' if met else 'MISSED'} |")
    print(flush=True)
    return int(not all(met for _, _, met, _ in goals)) or many_forecasts.main([])


if __name__ == "__main__":
    sys.exit(main())
