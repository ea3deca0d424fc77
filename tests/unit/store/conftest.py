import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stocklstm.store.store import Store, open_store


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with open_store(home, create=True) as opened:
        yield opened


@contextmanager
def _file_limit(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def file_limit():
    """Make the operating system refuse to write beyond so many bytes of any file."""
    return _file_limit
