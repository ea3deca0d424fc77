"""All that a store holds, to be compared."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from stocklstm.core.digest import sha256_hex


def lost(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Name what is no longer there, or no longer what it was; a table may have more rows."""
    return [
        name
        for name, found in before.items()
        if name not in after
        or (not set(found) <= set(after[name]) if isinstance(found, list) else found != after[name])
    ]


def contents(home: Path) -> dict[str, Any]:
    """Give every row of every table, and the digest of every file; locks hold nothing."""
    found: dict[str, Any] = {}
    for path in home.rglob("*"):
        place = path.relative_to(home)
        if place.parts[0] == "locks" or place.name.startswith("stocklstm.db"):
            continue
        if path.is_file():
            found[str(place)] = sha256_hex(path.read_bytes())
    with closing(sqlite3.connect(f"file:{home}/stocklstm.db?mode=ro", uri=True)) as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            found[table] = sorted(map(repr, database.execute(f'SELECT * FROM "{table}"')))  # noqa: S608 - its own names
    return found
