"""A process in which what a slim install leaves out cannot be found, as if it had never been there.

`python -m tests.support.slim_install LINES` runs command lines in it, one after the other.
"""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from tests.conftest import Outcome
from tests.support.places import ROOT

LEFT_OUT = {
    "torch": "torch",
    "sklearn": "scikit-learn",
    "joblib": "joblib",
    "onnx": "onnx",
    "matplotlib": "matplotlib",
}
"""What is imported of the packages that it leaves out, and their names."""

PAGES = ("/", "/tickers/PETR4.SA", "/health", "/models", "/predict?ticker=PETR4.SA")
"""What a server is asked for before it is ended."""


class _Hiding:
    """A finder of modules and of packages that does not find these."""

    def __init__(self, finder: Any) -> None:
        self._finder = finder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name.partition(".")[0] in LEFT_OUT:
            return None
        return self._finder.find_spec(name, path, target)

    def find_distributions(self, *context: Any) -> Iterator[Distribution]:
        find = getattr(self._finder, "find_distributions", lambda *_: ())
        return (each for each in find(*context) if each.name.lower() not in LEFT_OUT.values())


def hide() -> None:
    """Hide them from this process, which has imported none of them."""
    assert not LEFT_OUT.keys() & sys.modules.keys()
    sys.meta_path[:] = [_Hiding(finder) for finder in sys.meta_path]


def outcomes(
    home: Path, lines: Sequence[str], environment: Mapping[str, str] | None = None
) -> dict[str, Outcome]:
    """Run command lines in one such process; a server is asked for `PAGES`, and ended."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.slim_install", json.dumps(lines)],
        cwd=ROOT,
        env={**os.environ, "STOCKLSTM_HOME": str(home), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {line: Outcome(*values) for line, *values in json.loads(done.stdout)}


def _run(line: str) -> tuple[str, int, str, str]:
    from stocklstm.cli.app import run

    out, err = io.StringIO(), io.StringIO()
    if line.startswith("serve "):
        threading.Thread(target=_ask, args=(out,)).start()
    with redirect_stdout(out), redirect_stderr(err):
        code = int(run(line.split()))
    return line, code, out.getvalue(), err.getvalue()


def _ask(said: io.StringIO) -> None:
    """Wait for the address of a server, ask it, and end it."""
    while not said.getvalue().endswith("\n"):
        time.sleep(0.01)
    url = said.getvalue().strip()
    # Whatever proxy there is for Yahoo.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        for page in PAGES:
            with direct.open(url + page) as answer:
                said.write(f"{answer.status} {page}\n")
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    hide()
    print(json.dumps([_run(line) for line in json.loads(sys.argv[1])]))  # noqa: T201 - the answer
