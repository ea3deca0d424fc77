"""Runs the program in a fork, and counts, kills or refuses its writing system calls.

The process that forks does all of it once before, so that a child imports nothing.
"""

import json
import os
import signal
from pathlib import Path
from typing import Any

from stocklstm.cli.app import run
from stocklstm.workflows import pictures
from stocklstm.workflows.quantize import quantize
from tests.conftest import TICKER
from tests.support.faults.boundaries import Boundaries, Fault, install


def obey(order: dict[str, Any]) -> int:
    """Run command lines one after the other until one fails.

    Args:
        order: From `tests.support.faults.disturbed_program.Forks.start`.
    """
    boundaries = Boundaries(None if order["fault"] is None else Fault(**order["fault"]))
    write = open(order["log"], "w").write  # noqa: SIM115, PTH123 - opened before it is counted
    code = 1
    try:
        limit_files(order["most_bytes"])
        become(order["user"])
        if order["counted"]:
            install(boundaries)
        for arguments in order["commands"]:
            code = run(arguments)
            if code:
                break
    finally:
        write(json.dumps([boundaries.crossed, boundaries.struck]))
        write.__self__.flush()  # type: ignore[attr-defined]
    return code


def limit_files(most_bytes: int | None) -> None:
    """Let no file grow beyond a size: a limit of the system, which answers EFBIG."""
    if most_bytes is not None:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))


def become(user: int | None) -> None:
    """Be somebody else, whom permissions stop."""
    if user is not None:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)


def warm_up(place: str) -> None:
    """Do all of it once, and keep the pictures: to draw them again takes most of a training."""
    folder = Path(place)
    for module in (pictures, quantize):
        for name in ("history_figure", "predictions_figure", "rendered"):
            if hasattr(module, name):
                setattr(module, name, _once(getattr(module, name)))
    os.environ["STOCKLSTM_HOME"] = f"{folder / 'home'}"
    prices = ["--source", "csv", "--file", f"{folder / 'prices.csv'}"]
    training = [
        "train",
        "-q",
        "--plot",
        "-t",
        TICKER,
        *json.loads((folder / "training").read_text()),
    ]
    for arguments in (
        ["fetch", "-q", "-t", TICKER, *prices],
        training,
        ["quantize", "-q", "-t", TICKER, "--tolerance", "1000"],
        ["predict", "-q"],
        ["validate", "-q", "--all", "--deep", "--prices"],
        ["models", "export", "-q", TICKER, "--out", f"{folder / 'bundle.zip'}"],
        ["models", "import", "-q", f"{folder / 'bundle.zip'}"],
        ["models", "promote", "-q", f"{TICKER}@v1"],
        ["models", "list"],
        ["models", "gc"],
        ["demo", "--help"],
    ):
        code = run(arguments)
        assert code == 0, (arguments, code)


def _once(draw: Any) -> Any:
    drawn: list[object] = []

    def call(*args: object) -> object:
        if not drawn:
            drawn.append(draw(*args))
        return drawn[0]

    return call
