"""Files that users ask for, outside of the store."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from typing import BinaryIO

from stocklstm.core.operating_system import system
from stocklstm.core.reading import open_to_read
from stocklstm.errors import ConfigError, StorageError
from stocklstm.store.disk import disk_errors, sync_directory, write_durably
from stocklstm.store.drafts import chance_name, claimed_directory, clear_abandoned
from stocklstm.store.locks import directory_lock
from stocklstm.store.paths import StorePaths

_ELSEWHERE = "name another place with {}"

_MOST_BYTES = 16 << 20

_OF_STORES = {"models", "runs", "locks"}

_DRAFTS = ".stocklstm-"
"""What directories are called in which files of users are written."""


def is_directory(path: Path) -> bool:
    """Tell whether a path leads to a directory."""
    try:
        with disk_errors(f"check {path}"):
            return path.is_dir()
    except (ConfigError, StorageError) as error:
        raise ConfigError(error.message, hint=_ELSEWHERE.format("--out")) from error


def read_small_file(path: Path) -> bytes:
    """Read a file of settings or of names, which may be a pipe and never ends if it is a device.

    Raises:
        OSError: It cannot be read.
        ValueError: It is larger than any such file.
    """
    with open_to_read(path) as file:
        return read_small(file)


def read_small(stream: BinaryIO) -> bytes:
    """Read what such a file holds from where it is open already, as standard input is.

    Raises:
        OSError: It cannot be read.
        ValueError: It is larger than any such file.
    """
    content = stream.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError(f"it is larger than {_MOST_BYTES >> 20} MB")
    return content


def require_outside_stores(path: Path) -> None:
    """Refuse a file that is a store's own: its database, a version, a run or a lock.

    Raises:
        ConfigError: It is.
    """
    real = Path(os.path.realpath(path))
    for home in real.parents:
        if os.path.exists(StorePaths(home).database):  # noqa: PTH110 - never raises
            first = real.relative_to(home).parts[0].casefold()
            if first in _OF_STORES or first.startswith(StorePaths(home).database.name):
                raise ConfigError(
                    f"{path} belongs to the store, and would be overwritten",
                    hint="name a file outside of the store",
                )


def write_file(path: Path, content: bytes, option: str = "--out") -> None:
    """Write a file atomically; the option that names it is for the hint of an error.

    A link keeps pointing to the file it names, and a pipe or a device is written to: putting a
    file in its place would take it away from everybody else.
    """
    with _errors_of(path, option):
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                file.write(content)
        else:
            _replace(_real(path), content)


def require_new_file(path: Path, *, replace: bool) -> None:
    """Refuse to write a large file where something else is, before it is made.

    Raises:
        ConfigError: A directory or a device is there, or a file that is not to be replaced.
    """
    if str(path) == "-":
        raise ConfigError(
            "a large file is not written to standard output",
            hint="name the file that is to be made",
        )
    if is_directory(path):
        raise ConfigError(f"{path} is a directory", hint="name the file that is to be made")
    if os.path.lexists(path) and not path.is_file():
        raise ConfigError(f"{path} is no file", hint="name a file that is to be made")
    if path.exists() and not replace:
        raise ConfigError(f"{path} is there already", hint="name another file, or add --replace")


@contextmanager
def file_in_the_making(path: Path, name: str) -> Iterator[Path]:
    """Give the path of a draft, which takes the place of a file once it is written and synced.

    What else is put beside the draft is removed.

    Args:
        name: How the command line calls the file.
    """
    with _errors_of(path, name), _replacing(_real(path)) as draft:
        yield draft


def revise_file(
    path: Path, change: Callable[[bytes], bytes], *, option: str, lock_timeout_s: float
) -> None:
    """Replace a file atomically by what becomes of its content, one process at a time.

    Args:
        change: Takes the content, which is empty where there is no file yet.
        option: Names the file on the command line.
        lock_timeout_s: Seconds to wait for another process.

    Raises:
        ConfigError: It may not be written, or is no file.
        StorageError: The disk is full or failing.
        StoreLockedError: Another process took too long.
    """
    with ExitStack() as held:
        with _errors_of(path, option):
            real = _real(path)
            held.enter_context(directory_lock(real.parent, lock_timeout_s))
            # A pipe would never end; a directory says itself what it is.
            special = real.exists() and not (real.is_file() or real.is_dir())
            found = real.read_bytes() if real.exists() and not special else b""
        if special:
            raise ConfigError(f"{path} is no file that could grow", hint=_ELSEWHERE.format(option))
        content = change(found)
        if content != found or not real.exists():
            with _errors_of(path, option):
                _replace(real, content)


@contextmanager
def _errors_of(path: Path, option: str) -> Iterator[None]:
    elsewhere = _ELSEWHERE.format(option)
    try:
        with disk_errors(f"write {path}", elsewhere):
            yield
    except ConfigError as error:
        raise ConfigError(error.message, hint=elsewhere) from error


def _real(path: Path) -> Path:
    """Follow links, and make the directory that is to hold a file."""
    require_outside_stores(path)
    real = Path(os.path.realpath(path))
    real.parent.mkdir(parents=True, exist_ok=True)
    return real


def _replace(path: Path, content: bytes) -> None:
    with _replacing(path) as draft:
        write_durably(draft, content, private=False)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give the path of a draft, which takes the place of a file once it is written."""
    clear_abandoned(path.parent, _DRAFTS)
    # In a directory of its own, so that no name is taken, and no link followed, that somebody
    # else has put there.
    with claimed_directory(lambda: path.parent / f"{_DRAFTS}{chance_name()}") as drafts:
        try:
            draft = drafts / path.name
            yield draft
            with suppress(FileNotFoundError):
                system().make_like(draft, path.stat())
            system().replace(draft, path)
        finally:
            rmtree(drafts, ignore_errors=True)
    sync_directory(path.parent)
