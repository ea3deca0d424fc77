"""Names of model versions, such as champion, and every change of them."""

import sqlite3
from collections.abc import Callable, Mapping

from stocklstm.core.records import dataclass
from stocklstm.core.reference import CHAMPION, PREVIOUS
from stocklstm.errors import NoModelError
from stocklstm.store.database import (
    database_errors,
    require_words,
    rows_by_owner,
    transaction,
)


@dataclass(frozen=True)
class AliasChange:
    """One line of the alias log.

    Attributes:
        at: UTC timestamp.
        name: Alias.
        version: What it points at since then; None if it was removed.
        replaced: What it pointed at before, if anything.
        reason: Why, in words.
    """

    at: str
    name: str
    version: int | None
    replaced: int | None
    reason: str


class Aliases:
    """The aliases of all tickers."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def of(self, ticker: str) -> Mapping[str, int]:
        """Read the version of each alias of a ticker."""
        with database_errors():
            rows = self.connection.execute(
                "SELECT name, version FROM aliases WHERE ticker = ? ORDER BY name", (ticker,)
            ).fetchall()
        require_words("aliases", ("name", "version"), rows)
        return dict(rows)

    def of_each(self) -> Callable[[str], Mapping[str, int]]:
        """Read the aliases of all tickers at once; what it returns does what `of` does."""
        every = rows_by_owner(self.connection, "aliases", "ticker", ("name", "version"))
        return self.of if every is None else lambda ticker: dict(every.get(ticker, ()))

    def champions(self) -> Mapping[str, int]:
        """Read the champion of every ticker that has one."""
        with database_errors():
            rows = self.connection.execute(
                "SELECT ticker, version FROM aliases WHERE name = ?", (CHAMPION,)
            ).fetchall()
        return dict(rows)

    def log(self, ticker: str) -> list[AliasChange]:
        """Read every change of a ticker's aliases, oldest first."""
        with database_errors():
            rows = self.connection.execute(
                "SELECT at, name, version, replaced, reason FROM alias_log"
                " WHERE ticker = ? ORDER BY id",
                (ticker,),
            ).fetchall()
        require_words("alias_log", ("at", "name", "version", "replaced", "reason"), rows)
        return [AliasChange(*row) for row in rows]

    def faults(self) -> list[str]:
        """Compare every alias with the list of versions and with its log; return what disagrees."""
        with database_errors():
            lost = self.connection.execute(
                "SELECT ticker, name, version FROM aliases"
                " EXCEPT SELECT ticker, name, version FROM aliases JOIN versions"
                " USING (ticker, version)"
            ).fetchall()
            last = "SELECT ticker, name, version, max(id) FROM alias_log GROUP BY ticker, name"
            logged = {(t, n): v for t, n, v, _ in self.connection.execute(last)}
            named = {
                (ticker, name): version
                for ticker, name, version in self.connection.execute("SELECT * FROM aliases")
            }
        faults = [f"{t}@{n} means v{v}, which is not listed" for t, n, v in lost]
        for key in sorted(named.keys() | logged.keys()):
            if named.get(key) != logged.get(key):
                meant, said = (_named(place.get(key)) for place in (named, logged))
                faults.append(f"{key[0]}@{key[1]} means {meant}, but its log says {said}")
        return faults

    def promote(self, ticker: str, version: int, *, reason: str, at: str) -> None:
        """Point "champion" at a version and "previous" at the one it replaces."""
        with transaction(self.connection):
            champion = self.of(ticker).get(CHAMPION)
            if champion == version:
                return
            if champion is not None:
                self.point(ticker, PREVIOUS, champion, reason=reason, at=at)
            self.point(ticker, CHAMPION, version, reason=reason, at=at)

    def point(self, ticker: str, name: str, version: int, *, reason: str, at: str) -> None:
        """Point an alias other than the champion at a version, unless it does so already."""
        with transaction(self.connection):
            replaced = self.of(ticker).get(name)
            if replaced == version:
                return
            self._write(AliasChange(at, name, version, replaced, reason), ticker)
            self.connection.execute(
                "INSERT OR REPLACE INTO aliases VALUES (?, ?, ?)", (ticker, name, version)
            )

    def drop(self, ticker: str, name: str, *, reason: str, at: str) -> int:
        """Remove an alias and return the version that it named.

        Raises:
            NoModelError: There is no such alias.
        """
        with transaction(self.connection):
            replaced = self.of(ticker).get(name)
            if replaced is None:
                raise NoModelError(
                    f"{ticker} has no alias {name}",
                    hint=f"stocklstm models list --ticker {ticker}",
                )
            self._write(AliasChange(at, name, None, replaced, reason), ticker)
            self.connection.execute(
                "DELETE FROM aliases WHERE ticker = ? AND name = ?", (ticker, name)
            )
        return replaced

    def _write(self, change: AliasChange, ticker: str) -> None:
        self.connection.execute(
            "INSERT INTO alias_log (at, ticker, name, version, replaced, reason)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (change.at, ticker, change.name, change.version, change.replaced, change.reason),
        )


def _named(version: int | None) -> str:
    return "nothing" if version is None else f"v{version}"
