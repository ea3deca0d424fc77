"""The libraries that a command loads, seen in a fresh interpreter."""

import json
import os
import subprocess
import sys
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


def loaded(home: Path, *arguments: str, code: int = 0) -> set[str]:
    """Name the libraries that a command loads in a fresh interpreter, and ends with that code."""
    return {name.partition(".")[0] for name in _modules(home, *arguments, code=code)}


def loaded_of_package(home: Path, *arguments: str) -> set[str]:
    """Name the files of the package that it loads, folders left out."""
    ours = {name for name in _modules(home, *arguments) if name.startswith("stocklstm.")}
    folders = {name.rpartition(".")[0] for name in ours}
    return {name.removeprefix("stocklstm.") for name in ours - folders}


def _modules(home: Path, *arguments: str, code: int = 0) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(arguments)],
        env={**os.environ, "STOCKLSTM_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    report = json.loads(done.stderr.splitlines()[-1])
    assert report["code"] == code, done.stderr
    return set(report["modules"])
