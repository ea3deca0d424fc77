"""Starting the program many times over, each time as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.faults.boundaries import Fault

ROOT = Path(__file__).parents[2]

# Threads of libraries would not survive a fork.
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "PYTHONPATH": str(ROOT),
}


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        code: Its exit code, negative for a signal.
        out: What it wrote to stdout.
        err: What it wrote to stderr.
        crossed: The boundaries it came to, if it was not killed.
        struck: The calls that were refused.
    """

    code: int
    out: str
    err: str
    crossed: tuple[str, ...]
    struck: tuple[str, ...]

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


@dataclass
class Fork:
    """The program, running."""

    parent: "Forks"
    pid: int
    place: Path

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)  # a process that has ended keeps its number until `wait`

    def kill_after(self, seconds: float) -> None:
        time.sleep(seconds)
        self.kill()

    def wait(self) -> Ended:
        code = self.parent.order(wait=self.pid)
        out, err, log = (Path(f"{self.place}-{name}") for name in ("out", "err", "log"))
        crossed, struck = json.loads(log.read_text() or "[[], []]")
        ended = Ended(code, out.read_text(), err.read_text(), tuple(crossed), tuple(struck))
        for file in (out, err, log):
            file.unlink()
        return ended


@dataclass
class Forks:
    """Starts the program at the price of a fork."""

    folder: Path
    process: subprocess.Popen[str]
    started: int = 0

    def order(self, **words: object) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def start(
        self,
        home: Path,
        *commands: Sequence[str],
        fault: Fault | None = None,
        counted: bool = False,
        most_bytes: int | None = None,
        user: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Fork:
        """Start it.

        Args:
            home: The store.
            commands: Argument lists, run one after the other until one fails.
            fault: What is to happen at which boundary.
            counted: Count boundaries; a fault counts them in any case.
            most_bytes: Size beyond which the system lets no file grow.
            user: Whom the process belongs to, by number; this one if None.
            environment: Variables that it has besides.
        """
        self.started += 1
        place = self.folder / f"{self.started}"
        for name in ("out", "err", "log"):
            Path(f"{place}-{name}").touch()
        pid = self.order(
            commands=commands,
            home=f"{home}",
            fault=None if fault is None else asdict(fault),
            counted=counted or fault is not None,
            most_bytes=most_bytes,
            user=user,
            environment=dict(environment or {}),
            **{name: f"{place}-{name}" for name in ("out", "err", "log")},
        )
        return Fork(self, pid, place)

    def run(self, home: Path, *command: str, **how: object) -> Ended:
        """Start it and wait for its end."""
        return self.start(home, command, **how).wait()  # type: ignore[arg-type]


@contextmanager
def forks_of(folder: Path) -> Iterator[Forks]:
    """Start the process that forks.

    Args:
        folder: Holds `prices.csv` and `training`, a JSON list of options.
    """
    command = [sys.executable, "-m", "tests.faults.driver", str(folder)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **_ENVIRONMENT},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n", (folder / "words").read_text()
        yield Forks(folder, process)
        process.stdin.close()
        assert process.wait(timeout=60) == 0
