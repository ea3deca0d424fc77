"""Directories in which something is put together, until it is renamed or taken out of them.

Whoever makes one holds the lock of a file beside it, which stays where it is: Windows renames
nothing that is open. Programs before 0.2 lock the directory itself, where the system can: that is
done and looked at as well, since one of them may still be running.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from stocklstm.core.operating_system import system
from stocklstm.store.disk import make_private, open_new
from stocklstm.store.lock_files import LOCK, drop_lock_file, locked_file


@contextmanager
def claimed_directory(name: Callable[[], Path]) -> Iterator[Path]:
    """Make a directory and hold a lock on it until the end, also where it is renamed.

    Args:
        name: Gives a path that nothing has yet.
    """
    while True:
        path = name()
        make_private(path.parent, exist_ok=True)
        file = _lock_file(path)
        with ExitStack() as held:
            held.callback(_keep_if_needed, path, file)
            # Without locks `unclaimed` takes all for in use.
            locked = held.enter_context(locked_file(file))
            if locked is False:
                _require_room(path.parent)
                continue
            if locked:
                held.callback(_drop_unless_needed, path, file)
            make_private(path)
            held.enter_context(_locked_as_of_old(path))
            # Somebody who cleans up may have taken either for a leftover a moment before.
            if path.exists() and (file.exists() or not locked):
                yield path
                return
            with suppress(FileNotFoundError):
                path.rmdir()


def _require_room(directory: Path) -> None:
    """Raise what stands in the way where nothing can be made, as in /proc; a lock waits for it."""
    probe = directory / f".{chance_name()}"
    make_private(probe)
    probe.rmdir()


@contextmanager
def _locked_as_of_old(path: Path) -> Iterator[None]:
    with ExitStack() as held:
        # It may be gone again.
        with suppress(FileNotFoundError):
            held.enter_context(system().directory(path)).lock()
        yield


@contextmanager
def unclaimed(path: Path) -> Iterator[bool]:
    """Hold the lock of such a directory; yield False if a living process has it, or may.

    Raises:
        OSError: It is not there any more, or is a symbolic link.
    """
    file = _lock_file(path)
    with ExitStack() as held:
        directory = held.enter_context(system().directory(path))
        known = os.path.lexists(file)
        if known:
            held.callback(_keep_if_needed, path, file)
        locked = held.enter_context(locked_file(file))
        if locked and known:
            held.callback(_drop_unless_needed, path, file)
        elif locked:
            held.callback(drop_lock_file, file)
        of_old = directory.lock()
        # A directory that has no lock file is of a program of before, or of another machine's.
        yield bool(locked) and of_old is not False and (known or of_old is True)


def _drop_unless_needed(path: Path, file: Path) -> None:
    # What could not be removed is somebody's to remove later.
    if not os.path.lexists(path):
        drop_lock_file(file)


def remove_lock_of_none(file: Path) -> bool:
    """Remove a lock file whose directory is gone; False if a living process has it, or may."""
    directory = file.with_name(file.name.removesuffix(LOCK))
    if os.path.lexists(directory):
        return False
    with locked_file(file) as locked:
        free = bool(locked) and not os.path.lexists(directory)
        if free:
            drop_lock_file(file)
        return free


def clear_abandoned(directory: Path, prefix: str) -> None:
    """Remove what processes left in a directory that were killed as they put something together.

    Args:
        directory: Where they did.
        prefix: How the names of theirs begin; the rest is that of `chance_name`.
    """
    for path in directory.glob(f"{prefix}*"):
        rest = path.name.removeprefix(prefix)
        if not is_chance_name(rest.removesuffix(LOCK)):
            continue
        # Somebody else's is somebody else's to remove, and may be gone by now.
        with suppress(OSError):
            if rest.endswith(LOCK):
                remove_lock_of_none(path)
            else:
                with unclaimed(path) as left:
                    if left:
                        shutil.rmtree(path, ignore_errors=True)


def chance_name() -> str:
    """Make a name that nothing has yet."""
    return os.urandom(16).hex()


def is_chance_name(name: str) -> bool:
    """Tell whether a name has the form of one that was made by chance."""
    return len(name) == 32 and set(name) <= set("0123456789abcdef")


def replace_file(path: Path, content: bytes) -> None:
    """Write a file atomically: readers see the old content or the new."""
    with claimed_directory(lambda: path.with_name(f".{path.name}.{chance_name()}")) as drafts:
        try:
            draft = drafts / path.name
            with open_new(draft) as file:
                file.write(content)
            system().replace(draft, path)
        finally:
            shutil.rmtree(drafts, ignore_errors=True)


def _keep_if_needed(path: Path, file: Path) -> None:
    """Put a lock file back that filelock has removed with the lock, as it does on Windows."""
    if os.path.lexists(path):
        with suppress(OSError):
            file.touch(mode=0o600)


def _lock_file(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}{LOCK}")
