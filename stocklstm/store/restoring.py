"""Putting a restored store in its place: whatever stops it, the old one is there or the new one.

The new store is complete in one directory, `restoring`, before anything of the old one is
touched. Taking the old database away is what decides: from then on there is none, and whoever
opens the store moves the rest first. What was there before is moved aside and never deleted.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from shutil import rmtree

from stocklstm.core.operating_system import system
from stocklstm.errors import ConfigError, StoreLockedError
from stocklstm.store.disk import disk_errors, make_private, sync_directory
from stocklstm.store.drafts import chance_name, claimed_directory, clear_abandoned
from stocklstm.store.locks import writer_lock
from stocklstm.store.paths import StorePaths

_STAGED = ".restoring-"
_PENDING = "restoring"
_BEFORE = "before"
_JOURNALS = ("-wal", "-shm", "-journal")


def is_pending(paths: StorePaths) -> bool:
    """Tell whether a store was restored, and its files are not all in their places yet."""
    return _new_database(paths).exists() and not os.path.lexists(paths.database)


def finish(paths: StorePaths, lock_timeout_s: float) -> None:
    """Move what a killed process left to be moved.

    Raises:
        ConfigError: It may not be moved.
        StoreLockedError: Another process took too long.
    """
    with writer_lock(paths, "restore", lock_timeout_s), disk_errors("restore the store"):
        _move_in(paths)


@contextmanager
def nobody_restoring(paths: StorePaths, lock_timeout_s: float) -> Iterator[None]:
    """Keep others from restoring the store, once what was restored is in its place.

    Raises:
        ConfigError: Nothing may be written there.
        StoreLockedError: Another process took too long.
    """
    with writer_lock(paths, "restore", lock_timeout_s), disk_errors("restore the store"):
        _move_in(paths)
        yield


@contextmanager
def staged(paths: StorePaths) -> Iterator[Path]:
    """Give a directory in which a store is put together, on the same file system; it is removed."""
    with disk_errors("restore the store"):
        make_private(paths.home, exist_ok=True)
        clear_abandoned(paths.home, _STAGED)
        with claimed_directory(lambda: paths.home / f"{_STAGED}{chance_name()}") as directory:
            try:
                yield directory
            finally:
                rmtree(directory, ignore_errors=True)


def put_in_place(paths: StorePaths, new: Path, at: str, lock_timeout_s: float) -> Path | None:
    """Make a complete store the one that is opened, and move the old one aside.

    Args:
        new: From `staged`.
        at: UTC timestamp, for the name of what was there before.

    Returns:
        Where that is now; None if there was nothing.

    Raises:
        StoreLockedError: Another process writes to the old one.
    """
    with writer_lock(paths, "restore", lock_timeout_s), disk_errors("restore the store"):
        if os.path.ismount(paths.models):
            raise ConfigError(
                f"{paths.models} is a disk of its own, and cannot be moved aside",
                hint="set STOCKLSTM_HOME to another directory, and restore there",
            )
        _clear(paths, at)
        for name in ("models", _BEFORE):
            make_private(new / name, exist_ok=True)
        # Every file is on the disk, but the directories that hold them may not be.
        system().sync_all()
        pending = paths.home / _PENDING
        with _nobody_writing(paths.database, lock_timeout_s):
            system().rename(new, pending)
            sync_directory(paths.home)
            if os.path.lexists(paths.database):
                try:
                    system().rename(paths.database, pending / _BEFORE / paths.database.name)
                except OSError:
                    # Nothing has changed yet: what cannot take its place is removed.
                    system().rename(pending, new)
                    raise
                sync_directory(paths.home)
        _move_in(paths)
        return _tidy(paths, at)


def _new_database(paths: StorePaths) -> Path:
    return paths.home / _PENDING / paths.database.name


@contextmanager
def _nobody_writing(database: Path, timeout_s: float) -> Iterator[None]:
    """Keep a sound database from being written to, until it is out of the way.

    Where open files are not renamed it is closed by then: it gets out of the way only if nobody
    else has it open either.
    """
    if not database.is_file():
        yield
        return
    with ExitStack() as held:
        held.enter_context(_no_writer(database, timeout_s))
        if not system().moves_open_files:
            held.close()
        yield


@contextmanager
def _no_writer(database: Path, timeout_s: float) -> Iterator[None]:
    with closing(sqlite3.connect(database, timeout=timeout_s, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                raise StoreLockedError(
                    "another stocklstm is writing to the store that is to be replaced",
                    hint="wait for it to end, or allow more time with --lock-timeout",
                ) from error
        except sqlite3.DatabaseError:
            pass  # nobody can write to what is no database
        yield


def _move_in(paths: StorePaths) -> None:
    """Move everything whose place is free by now; a process that was killed at it goes on here."""
    if not is_pending(paths):
        return
    home, pending = paths.home, paths.home / _PENDING
    name = paths.database.name
    for old in [*(home / f"{name}{end}" for end in _JOURNALS), paths.runs, home / "reports"]:
        _move_aside(old, pending / _BEFORE)
    # Once they are gone from here they are in their place.
    if (pending / "models").exists():
        _move_aside(paths.models, pending / _BEFORE)
        system().rename(pending / "models", paths.models)
    sync_directory(home)
    system().rename(_new_database(paths), paths.database)
    sync_directory(home)


def _move_aside(old: Path, before: Path) -> None:
    if os.path.lexists(old):
        target, number = before / old.name, 1
        while os.path.lexists(target):
            target, number = before / f"{old.name}.{number}", number + 1
        system().rename(old, target)


def _clear(paths: StorePaths, at: str) -> None:
    """Put away what an earlier restore left that was killed."""
    _move_in(paths)
    if _new_database(paths).exists():
        # It never took the place of the store that is there.
        rmtree(paths.home / _PENDING / "models", ignore_errors=True)
        _new_database(paths).unlink()
    _tidy(paths, at)


def _tidy(paths: StorePaths, at: str) -> Path | None:
    """Give what was there before a name of its own."""
    pending = paths.home / _PENDING
    if not pending.is_dir():
        return None
    kept = None
    before = pending / _BEFORE
    if before.is_dir() and any(before.iterdir()):
        moment = at.replace("-", "").replace(":", "")
        kept, number = paths.home / f"before-restore-{moment}", 1
        while os.path.lexists(kept):
            kept, number = paths.home / f"before-restore-{moment}.{number}", number + 1
        system().rename(before, kept)
    else:
        with suppress(FileNotFoundError):
            before.rmdir()
    pending.rmdir()
    sync_directory(paths.home)
    return kept
