"""What killed processes left on the disk and nothing needs."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stocklstm.errors import StoreLockedError
from stocklstm.store.disk import remove_tree
from stocklstm.store.locks import unclaimed, work_lock
from stocklstm.store.paths import StorePaths, version_number
from stocklstm.store.registry import DRAFT, TRASH, Registry
from stocklstm.store.runs import RunStore
from stocklstm.store.unlisted import reason_to_keep

# As `store.runs.RunStore.locked` names the lock of a run.
_LOCK = re.compile(r"run-(.+)\.lock")

# As `store.disk.replace_file` names what it has not put in its place yet.
_TEMPORARY = re.compile(r"\..+\.([1-9][0-9]{0,9})")


class InUseError(Exception):
    """A living process uses it, or somebody may still want it: it stays."""


@dataclass(frozen=True)
class Leftover:
    """Something that may be removed.

    Attributes:
        kind: "draft", "removed version", "unlisted version", "pictures", "temporary file",
            "unfinished run" or "lock".
        remove: Removes it; raises `InUseError` if somebody needs it after all. With False it only
            looks whether somebody does.
    """

    kind: str
    path: Path
    ticker: str
    remove: Callable[[bool], None]


@dataclass(frozen=True)
class Leftovers:
    """Finds them.

    The directories that all tickers share are listed once, however many tickers are asked for.
    """

    registry: Registry

    @property
    def paths(self) -> StorePaths:
        """Where everything lies."""
        return self.registry.paths

    def of_models(self, ticker: str) -> Iterator[Leftover]:
        """Find what publishing and removing versions of a ticker left behind.

        The caller holds the ticker's writer lock: without it a version that is being published
        would look like one that never was.
        """
        known = set(self.registry.versions(ticker))
        for path in _entries(self.paths.ticker(ticker)):
            name = path.name
            number = version_number(name)
            if name.startswith(DRAFT) and path.is_dir() and not path.is_symlink():
                yield Leftover("draft", path, ticker, _RemoveDraft(path))
            elif name.startswith((TRASH, DRAFT)):
                yield Leftover("removed version", path, ticker, _RemoveAnything(path))
            elif number and number not in known:
                removed = self.registry.removed(ticker).get(number)
                if reason := reason_to_keep(self.paths, ticker, number, removed):
                    known.add(number)
                    yield Leftover("unlisted version", path, ticker, _Keep(reason))
                else:
                    yield Leftover("unlisted version", path, ticker, _RemoveAnything(path))
        for path in _entries(self.paths.reports_of(ticker)):
            number = version_number(path.name)
            if number and number not in known:
                yield Leftover("pictures", path, ticker, _RemoveAnything(path))
            else:
                inside = _entries(path) if path.is_dir() else []
                for file in [path, *inside]:
                    if _TEMPORARY.fullmatch(file.name):
                        yield Leftover("temporary file", file, ticker, _RemoveTemporary(file))

    def tickers(self) -> set[str]:
        """Name the directories in which leftovers may lie; not each need be a ticker."""
        places = (self.paths.models, self.paths.reports_of(""))
        names = {path.name for place in places for path in _entries(place) if path.is_dir()}
        return names | self._runs.keys() | self._locks.keys()

    def of_runs(self, ticker: str, before: float) -> Iterator[Leftover]:
        """Find abandoned runs, and the locks of runs that ended.

        Args:
            before: Seconds since 1970; what was touched later stays.
        """
        runs = RunStore(self.paths)
        for name in self._runs.get(ticker, ()):
            path = self.paths.run(name)
            # One may have ended since the directory was listed.
            with suppress(FileNotFoundError):
                if not path.is_symlink() and path.stat().st_mtime <= before:
                    yield Leftover("unfinished run", path, ticker, _RemoveRun(runs, name))
        for name in self._locks.get(ticker, ()):
            if not self.paths.run(name).exists():
                path = self.paths.lock(f"run-{name}")
                yield Leftover("lock", path, ticker, _RemoveLock(self.paths, name))

    @cached_property
    def _runs(self) -> dict[str, list[str]]:
        """The identities of unfinished runs, by ticker, oldest first."""
        return _by_owner(RunStore(self.paths).names())

    @cached_property
    def _locks(self) -> dict[str, list[str]]:
        """The identities of runs that have a lock file, by ticker."""
        found = (_LOCK.fullmatch(path.name) for path in _entries(self.paths.locks))
        return _by_owner(match[1] for match in found if match)


def _by_owner(runs: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in runs:
        found.setdefault(_owner(name), []).append(name)
    return found


def _owner(run: str) -> str:
    """Return the ticker of a run."""
    return run.rsplit("-", 2)[0]


def _entries(directory: Path) -> list[Path]:
    """List a directory; none if it is a symbolic link, which may lead out of the store."""
    if directory.is_symlink() or not directory.is_dir():
        return []
    # Names are put in order far more quickly than paths.
    return sorted(directory.iterdir(), key=lambda path: path.name)


@dataclass(frozen=True)
class _Keep:
    reason: str

    def __call__(self, _really: bool) -> None:
        raise InUseError(self.reason)


@dataclass(frozen=True)
class _RemoveAnything:
    path: Path

    def __call__(self, really: bool) -> None:
        if really:
            remove_tree(self.path)


@dataclass(frozen=True)
class _RemoveDraft:
    path: Path

    def __call__(self, really: bool) -> None:
        try:
            with unclaimed(self.path) as free:
                if not free:
                    raise InUseError("a version is being written there")
                if really:
                    remove_tree(self.path)
        except FileNotFoundError as error:
            raise InUseError("it has been published or removed meanwhile") from error


@dataclass(frozen=True)
class _RemoveRun:
    runs: RunStore
    name: str

    def __call__(self, really: bool) -> None:
        with ExitStack() as held:
            try:
                held.enter_context(self.runs.locked(self.name, 0.0))
            except StoreLockedError as error:
                raise InUseError("a training is using it") from error
            if really:
                remove_tree(self.runs.paths.run(self.name))


@dataclass(frozen=True)
class _RemoveLock:
    paths: StorePaths
    run: str

    def __call__(self, really: bool) -> None:
        with ExitStack() as held:
            try:
                held.enter_context(work_lock(self.paths, "run", self.run))
            except StoreLockedError as error:
                raise InUseError("a training is about to end") from error
            if really:
                self.paths.lock(f"run-{self.run}").unlink(missing_ok=True)


@dataclass(frozen=True)
class _RemoveTemporary:
    path: Path

    def __call__(self, really: bool) -> None:
        if _lives(int(self.path.name.rpartition(".")[2])):
            raise InUseError("its process is still running")
        if really:
            remove_tree(self.path)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
