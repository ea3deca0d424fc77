"""What killed processes left on the disk and nothing needs."""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stocklstm.errors import StoreLockedError
from stocklstm.store.disk import remove_tree
from stocklstm.store.drafts import is_chance_name, remove_lock_of_none, unclaimed
from stocklstm.store.lock_files import LOCK, drop_lock_file
from stocklstm.store.locks import work_lock
from stocklstm.store.paths import StorePaths, key_of, version_number
from stocklstm.store.registry import DRAFT, TRASH, Registry
from stocklstm.store.runs import RunStore
from stocklstm.store.unlisted import reason_to_keep

# As `store.runs.RunStore.locked` names the lock of a run.
_LOCK = re.compile(r"run-(.+)\.lock")

# As programs before 0.2 name a file that they have not put in its place yet, by their process: it
# takes a moment. Whether that lives cannot be told of one on another machine or in a container.
_TEMPORARY = re.compile(r"\..+\.[1-9][0-9]{0,9}")
_MOMENT_S = 3600

_A_VERSION = "a version is being written there"


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
            if name.startswith((TRASH, DRAFT)):
                yield from _unpublished(path, ticker)
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
                    yield from _temporary(file, ticker)

    def tickers(self) -> set[str]:
        """Name the directories in which leftovers may lie; not each need be a ticker."""
        places = (self.paths.models, self.paths.reports_of(""))
        names = {key_of(path.name) for place in places for path in _entries(place) if path.is_dir()}
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


def _unpublished(path: Path, ticker: str) -> Iterator[Leftover]:
    name = path.name
    if name.startswith(DRAFT) and path.is_dir() and not path.is_symlink():
        yield Leftover("draft", path, ticker, _RemoveDraft(path, _A_VERSION))
    elif name.startswith(DRAFT) and name.endswith(LOCK):
        yield from _lock_of_none(path, ticker)
    else:
        yield Leftover("removed version", path, ticker, _RemoveAnything(path))


def _temporary(path: Path, ticker: str) -> Iterator[Leftover]:
    """Find what `store.drafts.replace_file` and its forerunner leave."""
    rest = path.name.rpartition(".")[2]
    if _TEMPORARY.fullmatch(path.name) and path.is_file():
        yield Leftover("temporary file", path, ticker, _RemoveTemporary(path))
    elif path.name.startswith(".") and is_chance_name(rest) and path.is_dir():
        yield Leftover("temporary file", path, ticker, _RemoveDraft(path))
    elif path.name.startswith(".") and path.suffix == LOCK:
        yield from _lock_of_none(path, ticker)


def _lock_of_none(path: Path, ticker: str) -> Iterator[Leftover]:
    # One that has its directory goes with it.
    if path.exists() and not path.with_name(path.name.removesuffix(LOCK)).exists():
        yield Leftover("lock", path, ticker, _RemoveDraftLock(path))


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
    in_use: str = "it is being written"

    def __call__(self, really: bool) -> None:
        try:
            with unclaimed(self.path) as free:
                if not free:
                    raise InUseError(self.in_use)
                if really:
                    remove_tree(self.path)
        except FileNotFoundError as error:
            raise InUseError("it has been published or removed meanwhile") from error


@dataclass(frozen=True)
class _RemoveDraftLock:
    path: Path

    def __call__(self, really: bool) -> None:
        if really and not remove_lock_of_none(self.path):
            raise InUseError("it is in use")


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
                drop_lock_file(self.paths.lock(f"run-{self.run}"))


@dataclass(frozen=True)
class _RemoveTemporary:
    path: Path

    def __call__(self, really: bool) -> None:
        try:
            written = self.path.lstat().st_mtime
        except FileNotFoundError as error:
            raise InUseError("it has been put in its place meanwhile") from error
        if written > time.time() - _MOMENT_S:
            raise InUseError("it was written less than an hour ago")
        if really:
            remove_tree(self.path)
