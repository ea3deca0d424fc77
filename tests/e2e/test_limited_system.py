"""All that people do, where nothing is to be had that POSIX alone has; see the support module."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import TINY_OPTIONS
from tests.support.places import ROOT

TICKER = "PETR4.SA"


def test_every_command_runs_there(tmp_path: Path, home: Path) -> None:
    csv, file = str(tmp_path / "forecasts.csv"), str(tmp_path / "store.zip")
    commands = [
        ["fetch", "--source", "sample", "--ticker", TICKER],
        ["train", "--ticker", TICKER, *TINY_OPTIONS],
        ["evaluate", "--ticker", TICKER, "--no-plot"],
        ["predict", "--csv", csv, "--append"],
        ["predict", "--csv", csv, "--append", "--json"],
        ["quantize", "--ticker", TICKER],
        ["validate", "--all", "--deep"],
        ["backup", file],
        ["restore", file, "--replace"],
        ["models", "gc"],
        ["forecasts"],
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.limited_system", json.dumps(commands), str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "STOCKLSTM_HOME": str(home), "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        text=True,
        encoding="cp1252",
        check=False,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr
    codes = json.loads(done.stdout.splitlines()[-1])
    assert codes == [0] * len(commands), done.stderr
