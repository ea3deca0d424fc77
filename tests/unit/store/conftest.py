from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stocklstm.store.registry import Registry
from stocklstm.store.store import Store, open_store
from tests.support.forks import Ended, forks_of
from tests.support.store_processes import Child


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with open_store(home, create=True) as opened:
        yield opened


@pytest.fixture
def registry(store: Store) -> Registry:
    return store.registry


@contextmanager
def _file_limit(size: int) -> Iterator[None]:
    import resource  # Windows has none

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


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """Let another process act on a store, and wait for its end."""
    with forks_of(tmp_path_factory.mktemp("forks"), "tests.support.store_actions") as forks:

        def act(action: str, home: Path, *arguments: object) -> Ended:
            return forks.run("tests.support.store_actions:act", action, str(home), *arguments)

        yield act
