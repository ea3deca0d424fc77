"""Rows as another history would have left them: changed by SQL, with checksums to match."""

import sqlite3
from contextlib import closing
from pathlib import Path

from stocklstm.store.checksums import Checksums


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


def vouch_for(connection: sqlite3.Connection) -> None:
    """Make the checksums of all rows anew, and what follows from other rows."""
    connection.execute("BEGIN")
    Checksums(connection).vouch_for_all()
    connection.execute("COMMIT")
