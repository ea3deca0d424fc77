"""Names that a store holds, for a shell that completes words: nothing is written or waited for."""

import sqlite3
from contextlib import closing
from pathlib import Path

from stocklstm.errors import StockLstmError
from stocklstm.store.database import database_address, file_size
from stocklstm.store.paths import StorePaths, key_of

# A shell waits for the answer at every press of a key.
_PATIENCE_S = 0.1


def price_tickers(paths: StorePaths) -> list[str]:
    """List the tickers that have stored prices; none where the store cannot be read at once."""
    return [name for (name,) in _rows(paths, "SELECT ticker FROM instruments ORDER BY ticker")]


def model_names(paths: StorePaths) -> dict[str, list[str]]:
    """List what each ticker's or pooled model's versions are called: v2, v1, and then aliases."""
    found: dict[str, list[str]] = {}
    numbers = "SELECT ticker, 'v' || version FROM versions ORDER BY ticker, version DESC"
    for query in (numbers, "SELECT ticker, name FROM aliases ORDER BY ticker, name"):
        for ticker, name in _rows(paths, query):
            found.setdefault(ticker, []).append(name)
    return found


def unfinished_studies(paths: StorePaths) -> list[str]:
    """List the searches that can be resumed, the latest first."""
    query = "SELECT id FROM studies WHERE finished_at IS NULL ORDER BY created DESC"
    return [name for (name,) in _rows(paths, query)]


def unfinished_runs(paths: StorePaths) -> list[str]:
    """List the trainings that have begun and not ended, in order."""
    try:
        names = [path.name for path in paths.runs.iterdir()]
    except OSError:
        return []
    return sorted(key_of(name) for name in names if not name.startswith("."))


def _rows(paths: StorePaths, query: str) -> list[tuple[str, ...]]:
    try:
        if not file_size(paths.database):
            return []
        with closing(_connection(paths.database)) as connection:
            rows: list[tuple[str, ...]] = connection.execute(query).fetchall()
    except (sqlite3.Error, OSError, ValueError, StockLstmError):
        return []
    return [row for row in rows if all(isinstance(value, str) for value in row)]


def _connection(database: Path) -> sqlite3.Connection:
    # To read what is in its journal SQLite needs the file beside it that whoever wrote has made.
    # Without a journal it would make one, unless it is told that nobody writes.
    journal = database.with_name(f"{database.name}-wal")
    mode = "ro" if journal.exists() else "ro&immutable=1"
    address = database_address(database.absolute(), mode)
    return sqlite3.connect(address, uri=True, timeout=_PATIENCE_S)
