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
roots = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps({"code": code, "modules": roots}), file=sys.stderr)
"""


def loaded(home: Path, *arguments: str) -> set[str]:
    """Name the top-level modules that a command loads in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(arguments)],
        env={**os.environ, "STOCKLSTM_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    report = json.loads(done.stderr.splitlines()[-1])
    assert report["code"] == 0, done.stderr
    return set(report["modules"])
