"""Files that users ask for, outside of the store."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from stocklstm.errors import ConfigError, StorageError
from stocklstm.store.disk import disk_errors, sync_directory, write_durably

_ELSEWHERE = "name another place with {}"


def is_directory(path: Path) -> bool:
    """Tell whether a path leads to a directory."""
    try:
        with disk_errors(f"check {path}"):
            return path.is_dir()
    except (ConfigError, StorageError) as error:
        raise ConfigError(error.message, hint=_ELSEWHERE.format("--out")) from error


def write_file(path: Path, content: bytes, option: str = "--out") -> None:
    """Write a file atomically; the option that names it is for the hint of an error.

    A link keeps pointing to the file it names, and a pipe or a device is written to: putting a
    file in its place would take it away from everybody else.
    """
    try:
        with disk_errors(f"write {path}"):
            if path.exists() and not path.is_file():
                with path.open("wb") as file:
                    file.write(content)
            else:
                _replace(Path(os.path.realpath(path)), content)
    except (ConfigError, StorageError) as error:
        raise type(error)(error.message, hint=_ELSEWHERE.format(option)) from error


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # In a directory of its own, so that no name is taken, and no link followed, that somebody
    # else has put there.
    with TemporaryDirectory(prefix=".stocklstm-", dir=path.parent) as drafts:
        draft = Path(drafts) / path.name
        write_durably(draft, content)
        draft.replace(path)
    sync_directory(path.parent)
