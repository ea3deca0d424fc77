"""Runs the program at the price of a fork: `python -m tests.faults.driver FOLDER`.

It imports everything and does all of it once; then it forks for every order that comes in, and
tells how a child ended when asked. A child may count its writing system calls, and be killed or
refused at one of them.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from stocklstm.cli.app import run
from stocklstm.workflows import quantize
from stocklstm.workflows import training as training_files
from tests.conftest import TICKER
from tests.faults.boundaries import Boundaries, Fault, install

# Nothing passes or fails by it: a child that hangs is to end the test.
_LONG_S = 120


def serve() -> None:
    alive = set()
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            alive.remove(order["wait"])
            _, status = os.waitpid(order["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0:
                obey(order)
            alive.add(answer)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    for child in alive:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def obey(order: dict[str, Any]) -> None:
    """Run the program in this process and end it."""
    code = 1
    log = Path(order["log"])
    boundaries = Boundaries(None if order["fault"] is None else Fault(**order["fault"]))
    leave, write = os._exit, open(log, "w").write  # noqa: SIM115, PTH123
    try:
        signal.alarm(_LONG_S)
        for descriptor, name in enumerate([os.devnull, order["out"], order["err"]]):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), descriptor)
        os.environ |= order["environment"]
        os.environ["STOCKLSTM_HOME"] = order["home"]
        limit_files(order["most_bytes"])
        become(order["user"])
        if order["counted"]:
            install(boundaries)
        for arguments in order["commands"]:
            code = run(arguments)
            if code:
                break
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        write(json.dumps([boundaries.crossed, boundaries.struck]))
        write.__self__.flush()
        leave(code)


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


def warm_up(folder: Path) -> None:
    """Do all of it once, and keep the pictures: to draw them again takes most of a training."""
    for module in (training_files, quantize):
        for name in ("history_png", "predictions_png"):
            if hasattr(module, name):
                setattr(module, name, _once(getattr(module, name)))
    os.environ["STOCKLSTM_HOME"] = f"{folder / 'home'}"
    prices = ["--source", "csv", "--file", f"{folder / 'prices.csv'}"]
    training = ["train", "-q", "-t", TICKER, *json.loads((folder / "training").read_text())]
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
    drawn: list[bytes] = []

    def call(*args: object) -> bytes:
        if not drawn:
            drawn.append(draw(*args))
        return drawn[0]

    return call


if __name__ == "__main__":
    _told = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(Path(sys.argv[1], "words"), os.O_WRONLY | os.O_CREAT), 2)
    warm_up(Path(sys.argv[1]))
    sys.stdout.flush()
    os.dup2(_told, 1)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    serve()
