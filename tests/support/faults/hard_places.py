"""Disks without room, and directories that may not be written: real ones."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

NOBODY = 65534


def system(name: str, *words: str) -> str:
    """Run a command of the system.

    Returns:
        What it said if it failed.
    """
    path = shutil.which(name)
    if path is None:
        return f"there is no {name}"
    done = subprocess.run([path, *words], capture_output=True, text=True, check=False)
    return done.stderr.strip() or name if done.returncode else ""


@contextmanager
def tmpfs(size: int) -> Iterator[Path]:
    """Mount a small file system."""
    with TemporaryDirectory() as place:
        refusal = system("mount", "-t", "tmpfs", "-o", f"size={size}", "none", place)
        if refusal:
            pytest.skip(f"mounting a small file system needs CAP_SYS_ADMIN: {refusal}")
        try:
            yield Path(place)
        finally:
            assert not system("umount", place)


def fill(path: Path) -> None:
    """Take all the room that is left."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


@contextmanager
def open_ground() -> Iterator[Path]:
    """Give a directory that everybody can get to."""
    with TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        yield place
