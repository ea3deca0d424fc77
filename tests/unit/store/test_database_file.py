"""What lies where the database should be: nothing, something else, or somebody else's."""

import os
import resource
import signal
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm.errors import LostDatabaseError, SchemaError, StorageError
from stocklstm.store.database import APPLICATION_ID, SCHEMA_VERSION, database_address
from stocklstm.store.names import price_tickers
from stocklstm.store.opening import open_database, open_readonly
from stocklstm.store.paths import StorePaths
from stocklstm.store.store import Store, open_store, stand_in
from tests.conftest import TICKER, Cli
from tests.support.store_samples import NOON, publish
from tests.support.stored_rows import to_schema
from tests.support.tampering import os_refuses_to_write

WAY_BACK = "stocklstm restore FILE, if there is a backup; or stocklstm models adopt"


@contextmanager
def no_waiting() -> Iterator[None]:
    """End a test that waits for a pipe."""

    def fail(_number: int, _frame: object) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(20)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def opened(home: Path, *, create: bool = False) -> None:
    with open_store(home, create=create):
        pass


def stood_in(home: Path) -> Store | None:
    with stand_in(home) as found:
        return found


# Other things


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket has 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


THINGS: dict[str, Callable[[Path], None]] = {
    "a pipe": os.mkfifo,
    "a directory": Path.mkdir,
    "a socket": _socket,
    "a device": lambda path: path.symlink_to("/dev/zero"),
}

EVERY_KIND = [
    *("predict", "models list", "models gc", "prices show", "validate", "forecasts"),
    *(f"fetch -t {TICKER} --source sample", f"train {TICKER}", "models adopt", "evening"),
]


@pytest.mark.parametrize("linked", [False, True], ids=["itself", "linked"])
@pytest.mark.parametrize("kind", THINGS)
def test_what_is_no_file_is_called_what_it_is(
    cli: Cli, home: Path, kind: str, linked: bool
) -> None:
    home.mkdir()
    THINGS[kind](home / ("other" if linked else "stocklstm.db"))
    if linked:
        (home / "stocklstm.db").symlink_to("other")
    for words in EVERY_KIND:
        with no_waiting():
            said = cli(*words.split())
        assert said.code == 5, words
        first, hint = said.err.splitlines()
        assert first.endswith(f"stocklstm.db is {kind}, not a file")
        assert hint.startswith("  next: move it away, then stocklstm restore FILE")
    with no_waiting():
        assert price_tickers(StorePaths(home)) == []


# Another program's


@settings(max_examples=20, deadline=None)
@given(
    mark=st.one_of(st.just(0), st.integers(-(2**31), 2**31 - 1)).filter(
        lambda mark: mark != APPLICATION_ID
    ),
    version=st.one_of(st.just(0), st.just(SCHEMA_VERSION), st.integers(-(2**31), 2**31 - 1)),
    tables=st.sets(st.sampled_from(["moz_places", "prices", "versions", "Café"]), max_size=3),
    wal=st.booleans(),
)
def test_the_database_of_another_program_is_never_written_to(
    tmp_path_factory: pytest.TempPathFactory, mark: int, version: int, tables: set[str], wal: bool
) -> None:
    home = tmp_path_factory.mktemp("other")
    path = home / "stocklstm.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as theirs:
        theirs.execute(f"PRAGMA journal_mode = {'WAL' if wal else 'DELETE'}")
        theirs.execute(f"PRAGMA application_id = {mark}")
        theirs.execute(f"PRAGMA user_version = {version}")
        for name in sorted(tables):
            theirs.execute(f'CREATE TABLE "{name}" (x)')
    if not mark and not version and not tables:
        return opened(home, create=True)
    before = path.read_bytes()
    for call in (opened, lambda home: opened(home, create=True)):
        with pytest.raises(SchemaError):
            call(home)
    assert [found.name for found in home.iterdir()] == ["stocklstm.db"]
    # Who may only read leaves the empty files that SQLite reads with.
    with pytest.raises(SchemaError):
        _readonly(home)
    assert path.read_bytes() == before
    assert not [found for found in home.glob("*-wal") if found.read_bytes()]
    return None


def _readonly(home: Path) -> None:
    open_readonly(home / "stocklstm.db", lock_timeout_s=0.2).close()


def test_a_browser_has_no_newer_schema(cli: Cli, home: Path) -> None:
    home.mkdir()
    with closing(sqlite3.connect(home / "stocklstm.db")) as places:
        places.execute("CREATE TABLE moz_places (id)")
        places.execute("PRAGMA user_version = 79")

    said = cli("fetch", "-t", TICKER, "--source", "sample")

    assert said.code == 5
    assert "another program" in said.err
    assert "STOCKLSTM_HOME" in said.err


def marks(home: Path) -> tuple[int, int]:
    with closing(sqlite3.connect(home / "stocklstm.db")) as connection:
        return tuple(  # type: ignore[return-value]
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version")
        )


def test_databases_are_marked_new_ones_and_those_of_before(home: Path) -> None:
    opened(home, create=True)
    assert marks(home) == (APPLICATION_ID, SCHEMA_VERSION)
    with closing(sqlite3.connect(home / "stocklstm.db")) as connection:
        connection.execute("PRAGMA application_id = 0")
    with os_refuses_to_write():
        opened(home)
    assert marks(home)[0] == 0
    with open_store(home, lock_timeout_s=3) as store:
        timeout = store.registry.connection.execute("PRAGMA busy_timeout").fetchone()[0]
    assert (marks(home)[0], timeout) == (APPLICATION_ID, 3000)


def test_the_mark_waits_for_nobody(home: Path) -> None:
    opened(home, create=True)
    with closing(sqlite3.connect(home / "stocklstm.db", isolation_level=None)) as other:
        other.execute("PRAGMA application_id = 0")
        other.execute("BEGIN IMMEDIATE")
        opened(home)
    assert marks(home)[0] == 0


@pytest.mark.parametrize("number", [-1, 0])
def test_a_damaged_number_of_the_schema_makes_no_new_tables(home: Path, number: int) -> None:
    opened(home, create=True)
    with closing(sqlite3.connect(home / "stocklstm.db")) as connection:
        connection.execute("PRAGMA application_id = 0")
        connection.execute(f"PRAGMA user_version = {number}")
    before = (home / "stocklstm.db").read_bytes()
    for create in (False, True):
        with pytest.raises(SchemaError, match="is damaged: its schema has the number"):
            opened(home, create=create)
    assert (home / "stocklstm.db").read_bytes() == before


# Too many files


@pytest.fixture
def no_file_left() -> Iterator[Callable[[], ExitStack]]:
    """Gives what leaves no file to be opened until it is closed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def use_up() -> ExitStack:
        held = ExitStack()
        held.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        highest = max(int(found.name) for found in Path("/proc/self/fd").iterdir())
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 8, hard))
        try:
            while True:
                held.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        except OSError:
            return held

    yield use_up
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("opener", [open_database, open_readonly])
def test_too_many_open_files_are_called_that(
    home: Path, no_file_left: Callable[[], ExitStack], opener: Callable
) -> None:
    opened(home, create=True)
    with no_file_left(), pytest.raises(StorageError, match="too many files are open") as caught:
        opener(home / "stocklstm.db", lock_timeout_s=0.2)
    assert "ulimit" in caught.value.hint


# No room


@pytest.mark.parametrize("create", [False, True])
def test_a_disk_without_room_for_an_upgrade_is_called_that(home: Path, create: bool) -> None:
    opened(home, create=True)
    to_schema(home, 7)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500, hard))
    try:
        with pytest.raises(StorageError, match="cannot be written") as caught:
            opened(home, create=create)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "free some space" in caught.value.hint
    opened(home, create=False)


# Lost


def _hollow(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("VACUUM")


LOST: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "without a table": _hollow,
    "a link to nowhere": lambda path: (path.unlink(), path.symlink_to("gone/stocklstm.db")),
}


@pytest.fixture
def shelf(home: Path) -> Path:
    """A store with a model."""
    with open_store(home, create=True) as store:
        publish(store.registry, promotion="first")
    return home


def tree(home: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(home)): path.read_bytes() if path.is_file() else None
        for path in home.rglob("*")
        if "locks" not in path.parts
    }


COMMANDS = [
    *("predict", f"predict {TICKER}", "predict --fetch", "evening", f"evening {TICKER}"),
    *("evaluate", "evaluate --live", "evaluate --all", "evaluate --horizons 1-2"),
    *(f"evaluate --compare {TICKER}@v1 {TICKER}@v2", "forecasts", "validate", "validate --all"),
    *("validate --prices", f"quantize {TICKER}", "models list", f"models show {TICKER}"),
    *(f"models promote {TICKER}@v1", f"models rollback {TICKER}", f"models rm {TICKER}@v1"),
    *(f"models diff {TICKER}@v1 {TICKER}@v2", f"models unalias {TICKER}@live", "models gc"),
    *(f"models export {TICKER}", "prices show", "prices verify", f"prices export {TICKER}"),
    *("prices rename VIIA3.SA BHIA3.SA", "fetch", f"fetch {TICKER} --source sample"),
    *(f"train {TICKER}", f"train {TICKER} --no-fetch", f"train {TICKER} --dry-run", "train --all"),
    *(f"train --pooled --name b3 {TICKER} VALE3.SA", f"tune {TICKER}", "predict"),
]


@pytest.mark.parametrize("how", LOST)
def test_every_command_says_that_the_database_was_lost(cli: Cli, shelf: Path, how: str) -> None:
    LOST[how](shelf / "stocklstm.db")
    before = tree(shelf)
    # One way of losing it for all commands, and a few commands for the other ways.
    for words in COMMANDS if how == "empty" else COMMANDS[-8:]:
        said = cli(*words.split())
        assert said.code == 5, (words, said)
        errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, words
        assert "missing or empty, and models lie beside it" in errors[0]
        assert f"  next: {WAY_BACK}" in said.err
    assert tree(shelf) == before


def test_models_of_many_tickers_alone_are_models(home: Path) -> None:
    (home / "models" / "+b3" / "v2").mkdir(parents=True)
    for call in (opened, lambda home: opened(home, create=True), stood_in):
        with pytest.raises(LostDatabaseError, match=r"such as '\+b3'"):
            call(home)


@pytest.mark.parametrize("name", ["T/.draft-0", "T/notes", "T", "T/v01", "T/.trash-0"])
def test_what_is_no_version_is_no_model(home: Path, name: str) -> None:
    (home / "models" / name).mkdir(parents=True)
    (home / "models" / "X").symlink_to(home / "models")
    opened(home, create=True)


def test_an_empty_database_keeps_its_journal(shelf: Path) -> None:
    """SQLite throws away the journal of a database that is empty."""
    journal = shelf / "stocklstm.db-wal"
    with open_store(shelf) as store:
        store.registry.aliases.point(TICKER, "live", 1, reason="mine", at=NOON)
        kept = journal.read_bytes()
    assert kept
    (shelf / "stocklstm.db").write_bytes(b"")
    journal.write_bytes(kept)
    with pytest.raises(LostDatabaseError):
        opened(shelf, create=True)
    assert journal.read_bytes() == kept


@pytest.mark.parametrize(
    ("path", "address"),
    [
        (PurePosixPath("/home/ana maria/a?b#c%.db"), "file:///home/ana%20maria/a%3Fb%23c%25.db"),
        (PureWindowsPath(r"C:\Users\Ana Maria\a.db"), "file:///C:/Users/Ana%20Maria/a.db"),
        # With the server where a URI has it, SQLite says "invalid uri authority".
        (PureWindowsPath(r"\\server\share\ana\a.db"), "file:////server/share/ana/a.db"),
    ],
)
def test_a_path_of_any_system_is_an_address_for_sqlite(path: PurePath, address: str) -> None:
    assert database_address(path, "ro") == f"{address}?mode=ro"
    if isinstance(path, PureWindowsPath):
        # SQLite refuses an address with an authority before it looks for the file.
        with pytest.raises(sqlite3.OperationalError, match="unable to open database file"):
            sqlite3.connect(database_address(path, "ro"), uri=True)
