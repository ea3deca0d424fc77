"""Speed of the program in a store with many models.

Run: python benchmarks/many_models.py [--rounds N] [--tickers N] [--versions N]

One small model is trained, and published again and again as the versions of many tickers. Every
round starts each command once, in turn, so that a busy machine slows all alike; medians are
compared. Exit code 1 if a goal is missed.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from stocklstm.core.reference import ModelReference
from stocklstm.store.registry import Registry
from stocklstm.store.store import open_store

TICKER = "PETR4.SA"
CLI = [sys.executable, "-m", "stocklstm"]
PREDICT = [*CLI, "predict", "--json", "--ticker", TICKER]
LIST = "models list --json, many models"
MANY, ONE = "predict --json, many models", "predict --json, one model"
NUMPY = "import numpy"


@dataclass(frozen=True)
class Cost:
    """Cost of one run: seconds of wall and CPU time."""

    wall_s: float
    cpu_s: float


def prepare(home: Path) -> None:
    """Train one small model."""
    options = ["--quiet", "--ticker", TICKER]
    network = ["--epochs", "1", "--hidden-size", "8", "--num-layers", "1", "--dropout", "0"]
    for arguments in (["fetch", "--source", "sample"], ["train", *network]):
        subprocess.run(
            [*CLI, *arguments, *options],
            check=True,
            env={**os.environ, "STOCKLSTM_HOME": str(home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def fill(home: Path, tickers: int, versions: int) -> None:
    """Publish the model as the versions of many tickers, its own among them."""
    with open_store(home) as store:
        registry = store.registry
        # Waiting for the disk twelve times a version would be most of the benchmark.
        registry.connection.execute("PRAGMA synchronous = OFF")
        original = registry.resolve(ModelReference(TICKER))
        for number in range(tickers):
            ticker = f"T{number:04}.SA" if number else TICKER
            for _ in range(versions - (ticker == TICKER)):
                copy(registry, original, ticker)


def copy(registry: Registry, original: int, ticker: str) -> None:
    """Publish a version of the model as one of another ticker, and make it champion."""
    manifest = registry.manifest(TICKER, original)
    with registry.draft(ticker) as draft:
        for name in manifest.files:
            draft.write(name, registry.read_file(manifest, name))
        registry.publish(
            draft,
            ticker,
            lambda version: replace(manifest, ticker=ticker, version=version),
            at=manifest.created,
            promotion="benchmark",
        )


def measure(command: list[str], home: Path) -> Cost:
    """Run a command to its end and read the system's counters."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        env={**os.environ, "STOCKLSTM_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def medians(commands: dict[str, tuple[list[str], Path]], rounds: int) -> dict[str, Cost]:
    """Measure all commands in turn; the first round only warms the disk's cache."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, (command, home) in commands.items():
            cost = measure(command, home)
            if number:
                costs[name].append(cost)
    return {
        name: Cost(
            statistics.median(cost.wall_s for cost in runs),
            statistics.median(cost.cpu_s for cost in runs),
        )
        for name, runs in costs.items()
    }


def main() -> int:
    """Print costs and ratios; return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--tickers", type=int, default=500)
    parser.add_argument("--versions", type=int, default=4, help="of each ticker")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        one, many = Path(directory, "one"), Path(directory, "many")
        prepare(one)
        shutil.copytree(one, many)
        fill(many, given.tickers, given.versions)
        commands = {
            LIST: ([*CLI, "models", "list", "--json"], many),
            MANY: (PREDICT, many),
            ONE: (PREDICT, one),
            NUMPY: ([sys.executable, "-c", "import numpy"], one),
        }
        cost = medians(commands, given.rounds)
    total = given.tickers * given.versions
    print(
        f"{total:,} versions over {given.tickers} tickers; medians of {given.rounds} runs in turn"
    )
    for name, c in cost.items():
        print(f"  {name:32} wall {c.wall_s:.3f} s  cpu {c.cpu_s:.3f} s")
    goals = [
        ("models list wall, in seconds", cost[LIST].wall_s, 0.5),
        ("models list cpu / import numpy", cost[LIST].cpu_s / cost[NUMPY].cpu_s, 4.0),
        ("predict wall, many models / one", cost[MANY].wall_s / cost[ONE].wall_s, 1.1),
        ("predict cpu, many models / one", cost[MANY].cpu_s / cost[ONE].cpu_s, 1.1),
    ]
    for name, value, goal in goals:
        print(f"  {name:34} {value:.3f}  goal <= {goal:g}  {'ok' if value <= goal else 'MISSED'}")
    return int(any(value > goal for _, value, goal in goals))


if __name__ == "__main__":
    sys.exit(main())
