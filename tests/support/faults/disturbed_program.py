"""Starting the program many times over, each time as a process of its own that may be disturbed."""

import json
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support import forks
from tests.support.faults.boundaries import Fault


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

    process: forks.Fork
    log: Path

    def kill(self) -> None:
        self.process.kill()

    def kill_after(self, seconds: float) -> None:
        time.sleep(seconds)
        self.kill()

    def wait(self) -> Ended:
        ended = self.process.wait()
        crossed, struck = json.loads(self.log.read_text() or "[[], []]")
        self.log.unlink()
        return Ended(ended.code, ended.out, ended.err, tuple(crossed), tuple(struck))


@dataclass
class Forks:
    """Starts the program at the price of a fork."""

    forks: forks.Forks
    started: int = 0

    @property
    def folder(self) -> Path:
        return self.forks.folder

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
        log = self.folder / f"log-{self.started}"
        log.touch()
        order = {
            "commands": commands,
            "fault": None if fault is None else asdict(fault),
            "counted": counted or fault is not None,
            "most_bytes": most_bytes,
            "user": user,
            "log": str(log),
        }
        process = self.forks.start(
            "tests.support.faults.forked_program:obey",
            order,
            environment={"STOCKLSTM_HOME": str(home), **(environment or {})},
        )
        return Fork(process, log)

    def run(self, home: Path, *command: str, **how: object) -> Ended:
        """Start it and wait for its end."""
        return self.start(home, command, **how).wait()  # type: ignore[arg-type]


@contextmanager
def forks_of(folder: Path) -> Iterator[Forks]:
    """Start the process that forks.

    Args:
        folder: Holds `prices.csv` and `training`, a JSON list of options.
    """
    with forks.forks_of(
        folder, prepared=("tests.support.faults.forked_program:warm_up", str(folder))
    ) as started:
        yield Forks(started)
