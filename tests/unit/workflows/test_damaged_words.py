"""Junk in any column of any table is damage: no command fails in another way, validate finds it."""

import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from stocklstm import predict
from stocklstm.core.exits import ExitCode
from stocklstm.core.stored_words import WORDS
from stocklstm.errors import NotFoundError, SchemaError
from stocklstm.store.checksums import PARTS
from stocklstm.store.store import open_store
from stocklstm.workflows.validate.inventory import check_store
from tests.conftest import TICKER, Cli
from tests.support.stored_rows import connect, damage, vouch_for

SHA = "ab" * 32
NOON = "2026-11-21T12:00:00Z"

ROWS = (
    ("actions", (TICKER, "2024-03-12", "dividend", 0.5)),
    ("price_log", (1, NOON, TICKER, "csv", "corrected", "2024-03-12", "2024-03-12", 1, "{}")),
    ("realised", (TICKER, "2024-03-12", 5, *[1e-4] * 3, 84, 600, 1015, 1, "yahoo", NOON)),
    ("intraday_bars", (TICKER, "2024-03-12", 5, bytes(40))),
    ("removals", (TICKER, 9, SHA, NOON, NOON)),
    ("studies", ("s", TICKER, NOON, "tpe", 3, "{}", "2024-03-12", SHA, None)),
    ("trials", ("s", 0, "{}", "complete", 0.5, "[]", 1, "[]", 1.5)),
)

JUNK = {"TEXT": "\x00x", "INTEGER": 2**63 - 1, "REAL": float("inf"), "BLOB": b"\x00\xff"}

# Where any text will do, and numbers that only put rows in order.
FREE = {("alias_log", "reason"), ("alias_log", "id"), ("trials", "loss"), ("trials", "seconds")}

COMMANDS = ("predict", "evaluate --live", "models list", f"models show {TICKER}", "validate --all")

CODES = {int(code) for code in ExitCode} - {1}

SEALED = {part.table for part in PARTS}


@pytest.fixture(scope="module")
def whole(_modelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store with a row in every table."""
    home = tmp_path_factory.mktemp("whole") / "home"
    shutil.copytree(_modelled, home)
    assert not predict([TICKER], home=home, now="2024-03-13T23:00:00Z").failures
    with closing(connect(home)) as connection:
        for table, row in ROWS:
            marks = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 - ours
        vouch_for(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return home


@pytest.fixture(scope="module")
def short(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make it shorter, where every row is read many times."""
    home = tmp_path_factory.mktemp("short") / "home"
    shutil.copytree(whole, home)
    with closing(connect(home)) as connection:
        for table in ("prices", "sessions"):
            connection.execute(f"DELETE FROM {table} WHERE date < '2023-11'")  # noqa: S608 - ours
        connection.execute("DELETE FROM sessions WHERE date > '2024-06'")
        vouch_for(connection)
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return home


def columns(home: Path) -> list[tuple[str, str, str]]:
    """List every column of every table, also of those that there will be one day."""
    with closing(connect(home)) as connection:
        return connection.execute(
            "SELECT t.name, c.name, c.type FROM sqlite_master AS t, pragma_table_info(t.name) AS c"
            " WHERE t.type = 'table' ORDER BY 1, 2"
        ).fetchall()


def again(whole: Path, home: Path) -> None:
    """Put the database back as it was."""
    for file in home.glob("stocklstm.db*"):
        file.unlink()
    shutil.copy(whole / "stocklstm.db", home)


def damaged(whole: Path, home: Path, tables: set[str]) -> Iterator[str]:
    """Write junk into one column after the other."""
    for table, column, kind in columns(whole):
        if table in tables and (table, column) not in FREE:
            again(whole, home)
            where = {
                "prices": "date = '2024-03-12'",
                "sessions": "date = '2024-03-12'",
                "checksums": "part = 'prices' AND period = '2024-03'",
            }.get(table, "true")
            damage(home, f"UPDATE {table} SET {column} = ? WHERE {where}", JUNK[kind])  # noqa: S608
            yield f"{table}.{column}"


def test_every_table_has_its_words(whole: Path) -> None:
    tables: dict[str, set[str]] = {}
    for table, column, _ in columns(whole):
        tables.setdefault(table, set()).add(column)
    del tables["checksums"]

    assert tables == {table: set(tests) for table, tests in WORDS.items()}
    with closing(connect(whole)) as connection:
        for table in tables:
            assert connection.execute(f"SELECT 1 FROM {table}").fetchone(), table  # noqa: S608


def test_junk_in_lists_and_logs_is_damage(cli: Cli, whole: Path, home: Path) -> None:
    shutil.copytree(whole, home)
    for place in damaged(whole, home, {"versions", "aliases", "alias_log"}):
        for command in COMMANDS:
            outcome = cli(*command.split(), "--json")
            assert outcome.code in CODES, (place, command, outcome.err)
            assert "Traceback" not in outcome.err
        assert outcome.code == 5, (place, outcome.out)


def test_junk_that_validate_alone_reads_is_found(short: Path, home: Path) -> None:
    shutil.copytree(short, home)
    for place in damaged(short, home, {"removals", "studies", "trials", "checksums"}):
        with open_store(home) as store, suppress(SchemaError, NotFoundError):
            assert check_store(store).corrupt, place
            store.studies.open("s")
            store.studies.trials("s")


@pytest.mark.parametrize("vouched_for", [False, True])
def test_junk_in_rows_with_checksums_is_damage(
    cli: Cli, short: Path, home: Path, *, vouched_for: bool
) -> None:
    shutil.copytree(short, home)
    for place in damaged(short, home, SEALED):
        if vouched_for:
            with closing(connect(home)) as connection:
                vouch_for(connection)
        outcome = cli("predict", "--json")
        assert outcome.code in CODES, (place, outcome.err)
        with open_store(home) as store:
            # What follows from prices is made of them anew.
            free = vouched_for and place.startswith(
                ("price_log.detail", "price_log.id", "price_days")
            )
            assert check_store(store).corrupt or free, place
