"""Rows as another history would have left them: changed by SQL, with checksums to match."""

import sqlite3
from contextlib import closing
from pathlib import Path

from stocklstm.store.checksums import Checksums
from stocklstm.store.database import CHECKSUMS


def connect(home: Path) -> sqlite3.Connection:
    """Open the database of a store; every statement is a transaction of its own."""
    return sqlite3.connect(home / "stocklstm.db", isolation_level=None)


def execute(home: Path, command: str, *values: object) -> None:
    """Change rows as if they had been stored so."""
    with closing(connect(home)) as connection:
        connection.execute(command, values)
        vouch_for(connection)


def damage(home: Path, command: str, *values: object) -> None:
    """Change rows as a failing disk does: nothing vouches for what they are now."""
    with closing(connect(home)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(command, values)


_TABLES_SINCE = {8: ("price_days",), 9: ("realised", "intraday_bars")}


def to_schema(home: Path, schema: int) -> None:
    """Make a store what it was in an older schema: without the tables that came later."""
    for since, tables in _TABLES_SINCE.items():
        for table in tables if since > schema else ():
            damage(home, f"DROP TABLE {table}")
            damage(home, "DELETE FROM checksums WHERE part = ?", table)
    if schema < CHECKSUMS:
        damage(home, "DROP TABLE checksums")
    damage(home, f"PRAGMA user_version = {schema}")


def vouch_for(connection: sqlite3.Connection) -> None:
    """Make the checksums of all rows anew, and what follows from other rows."""
    connection.execute("BEGIN")
    Checksums(connection).vouch_for_all()
    connection.execute("COMMIT")
