"""The libraries that a command loads, seen in a fresh interpreter."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HEAVY = {
    "torch",
    "sklearn",
    "pandas",
    "joblib",
    "loky",
    "matplotlib",
    "yfinance",
    "scipy",
    "onnx",
    "exchange_calendars",
    "pyarrow",
}

CODE = """
import json, sys
from stocklstm.__main__ import main
sys.argv = ["stocklstm", *json.loads(sys.argv[1])]
try:
    main()
except SystemExit as end:
    code = end.code
print(json.dumps({"code": code, "modules": sorted(sys.modules)}), file=sys.stderr)
"""


ONE_AFTER_THE_OTHER = """
import json, sys
from stocklstm.cli.app import run
report = []
for line in json.loads(sys.argv[1]):
    before = set(sys.modules)
    code = int(run(line.split()))
    report.append([line, code, sorted(set(sys.modules) - before)])
print(json.dumps(report), file=sys.stderr)
"""


def libraries_of_each(
    home: Path, lines: Sequence[str], watched: frozenset[str] = frozenset(HEAVY)
) -> list[tuple[str, int, set[str]]]:
    """Run command lines one after the other in a fresh interpreter.

    Returns:
        Each with its exit code, and those of the libraries watched that it was the first to load.
    """
    done = _fresh(home, ONE_AFTER_THE_OTHER, list(lines))
    report = json.loads(done.stderr.splitlines()[-1])
    return [
        (line, code, {name.partition(".")[0] for name in modules} & watched)
        for line, code, modules in report
    ]


def loaded(home: Path, *arguments: str, code: int = 0) -> set[str]:
    """Name the libraries that a command loads in a fresh interpreter, and ends with that code."""
    return {name.partition(".")[0] for name in _modules(home, *arguments, code=code)}


def loaded_of_package(home: Path, *arguments: str) -> set[str]:
    """Name the files of the package that it loads, folders left out."""
    ours = {name for name in _modules(home, *arguments) if name.startswith("stocklstm.")}
    folders = {name.rpartition(".")[0] for name in ours}
    return {name.removeprefix("stocklstm.") for name in ours - folders}


def _modules(home: Path, *arguments: str, code: int = 0) -> set[str]:
    done = _fresh(home, CODE, arguments)
    report = json.loads(done.stderr.splitlines()[-1])
    assert report["code"] == code, done.stderr
    return set(report["modules"])


def _fresh(home: Path, program: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, json.dumps(arguments)],
        env={**os.environ, "STOCKLSTM_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
