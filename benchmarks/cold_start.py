"""How long a forecast takes in a fresh process, as ratios to well-known imports.

Run: python benchmarks/cold_start.py [--rounds N]

Every round starts each command once, in turn, so that a busy machine slows all alike; medians
are compared. All run from bytecode, as pip installs it. Exit code 1 if a goal is missed.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

PREDICT = [sys.executable, "-m", "stocklstm", "predict", "--json", "--ticker", "PETR4.SA"]
COMMANDS = {
    "predict --json": PREDICT,
    "--help": [sys.executable, "-m", "stocklstm", "--help"],
    "import torch, pandas, sklearn": [sys.executable, "-c", "import torch, pandas, sklearn"],
    "import numpy": [sys.executable, "-c", "import numpy"],
    "import typer": [sys.executable, "-c", "import typer"],
}


@dataclass(frozen=True)
class Cost:
    """Cost of one run: seconds of wall and CPU time, MiB of memory at its peak."""

    wall_s: float
    cpu_s: float
    peak_mib: float


def measure(command: list[str]) -> Cost:
    """Run a command to its end and read the system's counters."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=_with_bytecode(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
    # Linux counts KiB, macOS bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def _with_bytecode() -> dict[str, str]:
    """Let the first round write the bytecode that an editable installation may lack."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def prepare(home: str) -> None:
    """Train a model of the default size; one epoch is enough for its speed."""
    os.environ["STOCKLSTM_HOME"] = home
    cli = [sys.executable, "-m", "stocklstm"]
    options = ["--quiet", "--ticker", "PETR4.SA"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*cli, "fetch", "--source", "sample", *options], check=True, **quiet)
    subprocess.run([*cli, "train", "--epochs", "1", *options], check=True, **quiet)


def medians(rounds: int) -> dict[str, Cost]:
    """Measure all commands in turn; the first round only warms the disk's cache."""
    costs: dict[str, list[Cost]] = {name: [] for name in COMMANDS}
    for number in range(rounds + 1):
        for name, command in COMMANDS.items():
            cost = measure(command)
            if number:
                costs[name].append(cost)
    return {
        name: Cost(
            *(
                statistics.median(getattr(cost, field) for cost in runs)
                for field in ("wall_s", "cpu_s", "peak_mib")
            )
        )
        for name, runs in costs.items()
    }


def main() -> int:
    """Print costs and ratios; return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as home:
        prepare(home)
        cost = medians(rounds)
    print(f"medians of {rounds} alternating runs")
    for name, c in cost.items():
        print(f"  {name:30} wall {c.wall_s:.3f} s  cpu {c.cpu_s:.3f} s  peak {c.peak_mib:6.1f} MiB")
    predict, stack = cost["predict --json"], cost["import torch, pandas, sklearn"]
    goals = [
        ("predict wall / import torch, pandas, sklearn", predict.wall_s / stack.wall_s, 0.09),
        ("predict peak / import torch, pandas, sklearn", predict.peak_mib / stack.peak_mib, 0.18),
        ("predict cpu / import numpy", predict.cpu_s / cost["import numpy"].cpu_s, 2.0),
        ("--help wall / import typer", cost["--help"].wall_s / cost["import typer"].wall_s, 1.6),
    ]
    for name, ratio, goal in goals:
        print(f"  {name:46} {ratio:.3f}  goal <= {goal:g}  {'ok' if ratio <= goal else 'MISSED'}")
    return int(any(ratio > goal for _, ratio, goal in goals))


if __name__ == "__main__":
    sys.exit(main())
