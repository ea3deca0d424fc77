"""Unfinished training: what a run needs to resume after it was stopped or killed."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from stocklstm.core.operating_system import system
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import ArtifactCorruptError, NotFoundError, StockLstmError
from stocklstm.store.disk import disk_errors, make_private, sync_directory, write_durably
from stocklstm.store.lock_files import drop_lock_file
from stocklstm.store.locks import work_lock
from stocklstm.store.paths import StorePaths, key_of

_RECORD = "run.json"
_STATE = "state.pth"
_CHECKPOINT = "checkpoint-epoch-{:04}.pth"

# An identity becomes a directory name.
_ID = re.compile(r"[A-Za-z0-9+^.=&_-]{1,60}")

# Far longer than `RunStore.idle` holds a lock to see whether it is free.
_MOMENT_S = 0.2


@dataclass(frozen=True)
class PinnedSeries:
    """The prices of one ticker that a run was given.

    Attributes:
        ticker: Ticker whose prices are trained on.
        last: Last ISO day of them.
        sha256: `Bars.fingerprint` of them.
    """

    ticker: str
    last: str
    sha256: str


@dataclass(frozen=True)
class RunRecord:
    """What a run was told to do, on which prices.

    Attributes:
        id: Its name, such as PETR4.SA-20261121T213000Z-3f2a.
        ticker: Whose model.
        created: UTC timestamp.
        config: All settings.
        rows: Sessions it was given.
        last: Last ISO day of them.
        sha256: `Bars.fingerprint` of them.
        start: Identity of the version whose weights it began with; None for random ones.
        pool: Of a pooled model the prices of each ticker; then `rows`, `last` and `sha256` are of
            all of them.
    """

    id: str
    ticker: str
    created: str
    config: TrainingConfig
    rows: int
    last: str
    sha256: str
    start: str | None = None
    pool: tuple[PinnedSeries, ...] = ()

    @property
    def series(self) -> tuple[PinnedSeries, ...]:
        """The prices of each ticker that it was given; of one, unless the model is pooled."""
        return self.pool or (PinnedSeries(self.ticker, self.last, self.sha256),)


@dataclass(frozen=True)
class Run:
    """One run's directory."""

    path: Path
    record: RunRecord

    def save_state(self, content: bytes) -> None:
        """Save what the run needs to resume; a crash leaves the state before."""
        self._replace(_STATE, content)

    def state(self) -> bytes | None:
        """Read the state; None if none was saved yet."""
        with disk_errors("read the run"):
            try:
                return (self.path / _STATE).read_bytes()
            except FileNotFoundError:
                return None

    def has_state(self) -> bool:
        """Tell whether the run can be resumed."""
        with disk_errors("read the run"):
            return (self.path / _STATE).is_file()

    def save_checkpoint(self, epoch: int, content: bytes) -> None:
        """Save the checkpoint of an epoch."""
        self._replace(checkpoint_name(epoch), content)

    def checkpoint(self, epoch: int) -> bytes:
        """Read the checkpoint of an epoch."""
        with disk_errors("read the run"):
            try:
                return (self.path / checkpoint_name(epoch)).read_bytes()
            except FileNotFoundError as error:
                raise _corrupt(self.record.id, f"{checkpoint_name(epoch)} is missing") from error

    def checkpoints(self) -> dict[int, bytes]:
        """Read all checkpoints, by epoch."""
        with disk_errors("read the run"):
            names = [path.name for path in self.path.glob("checkpoint-epoch-*.pth")]
        epochs = sorted(int(name.removesuffix(".pth").rpartition("-")[2]) for name in names)
        return {epoch: self.checkpoint(epoch) for epoch in epochs}

    def drop_checkpoint(self, epoch: int) -> None:
        """Delete the checkpoint of an epoch, if there is one."""
        with disk_errors("write the run"):
            (self.path / checkpoint_name(epoch)).unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the run: it was published, or can never be."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _replace(self, name: str, content: bytes) -> None:
        with disk_errors("write the run"):
            _put(self.path, name, content)


@dataclass(frozen=True)
class RunStore:
    """All unfinished runs."""

    paths: StorePaths

    def create(self, record: RunRecord) -> Run:
        """Make a directory for a new run."""
        run = Run(self.paths.run(record.id), record)
        with disk_errors("create the run"):
            make_private(run.path)
            try:
                _put(run.path, _RECORD, msgspec.json.encode(record))
            except OSError:
                run.remove()
                raise
        return run

    def open(self, name: str) -> Run:
        """Find a run by its identity.

        Raises:
            NotFoundError: There is no such run.
            ArtifactCorruptError: It is damaged.
        """
        path = self.paths.run(name) if _ID.fullmatch(name) else self.paths.run("none")
        try:
            with disk_errors("read the run"):
                content = (path / _RECORD).read_bytes()
        except StockLstmError as error:
            raise _no_run(name, self.names()) from error
        try:
            record = msgspec.json.decode(content, type=RunRecord)
        except (msgspec.MsgspecError, UnicodeDecodeError, StockLstmError) as error:
            raise _corrupt(name, f"{_RECORD} cannot be read: {error}") from error
        if record.id != name:
            raise _corrupt(name, f"{_RECORD} belongs to {record.id!a}")
        return Run(path, record)

    def names(self, ticker: str | None = None) -> list[str]:
        """List the identities of unfinished runs, of one ticker or all, oldest first."""
        with disk_errors("read the runs"):
            if not self.paths.runs.is_dir():
                return []
            names = [key_of(path.name) for path in self.paths.runs.iterdir() if path.is_dir()]
        own = [name for name in names if ticker is None or name.rsplit("-", 2)[0] == ticker]
        return sorted(own, key=lambda name: name.rsplit("-", 2)[1:])

    def begun(self, ticker: str | None = None) -> list[str]:
        """List the runs that have a record, oldest first.

        A process that is killed as it makes a run leaves a directory with nothing in it.
        """
        with disk_errors("read the runs"):
            return [
                name for name in self.names(ticker) if (self.paths.run(name) / _RECORD).exists()
            ]

    def idle(self, ticker: str) -> list[Run]:
        """List the runs of a ticker that can be resumed now, oldest first.

        They have a state, are readable, and no process works on them.
        """
        found = []
        for name in self.names(ticker):
            # Whatever stands in the way of a run, its end among it, is said to who resumes it.
            with suppress(StockLstmError):
                run = self.open(name)
                if run.has_state():
                    with self.locked(name, 0.0):
                        found.append(run)
        return found

    @contextmanager
    def locked(self, name: str, timeout_s: float = _MOMENT_S) -> Iterator[None]:
        """Keep other processes from resuming the same run.

        Raises:
            StoreLockedError: One does.
        """
        with work_lock(self.paths, "run", name, timeout_s):
            try:
                yield
            finally:
                # What was done is done, and `store.leftovers` finds what could not be removed.
                with suppress(OSError):
                    if not self.paths.run(name).exists():
                        drop_lock_file(self.paths.lock(f"run-{name}"))


def _put(directory: Path, name: str, content: bytes) -> None:
    """Write a file; a crash or an error leaves the one that was there before."""
    draft = directory / f".{name}.new"
    try:
        draft.unlink(missing_ok=True)
        write_durably(draft, content)
        system().replace(draft, directory / name)
        sync_directory(directory)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def run_id(ticker: str, now: str) -> str:
    """Name a new run of a ticker; now is a UTC timestamp."""
    moment = now.replace("-", "").replace(":", "")
    return f"{ticker}-{moment}-{os.urandom(2).hex()}"


def checkpoint_name(epoch: int) -> str:
    """Name the file of an epoch's checkpoint."""
    return _CHECKPOINT.format(epoch)


def _no_run(name: str, names: list[str]) -> NotFoundError:
    shown = f"the unfinished runs are {', '.join(names[-5:])}" if names else "no run is unfinished"
    return NotFoundError(
        f"there is no unfinished run {name[:60]!a}; {shown}",
        hint="stocklstm train --ticker PETR4.SA starts a new one",
    )


def _corrupt(name: str, reason: str) -> ArtifactCorruptError:
    return ArtifactCorruptError(
        f"the run {name} is damaged: {reason}",
        hint="stocklstm train --ticker PETR4.SA starts a new one",
    )
