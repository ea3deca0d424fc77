"""validate: the store as a whole, the database and what it says about the disk."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from stocklstm.core.batch import Result
from stocklstm.core.checks import Check
from stocklstm.core.language import english
from stocklstm.core.reference import version_id
from stocklstm.errors import IntegrityError
from stocklstm.store.checksums import Checksums
from stocklstm.store.database import integrity_faults, schema_version, stored_values, word_faults
from stocklstm.store.disk import disk_errors
from stocklstm.store.leftovers import InUseError, Leftover, Leftovers
from stocklstm.store.store import Store

# Checks that fail where bytes are wrong or gone; the others find what does not agree.
_BYTES = {"database", "checksums", "versions"}

# What those that never fail advise.
_ADVICE = {
    "leftovers": "stocklstm models gc removes them",
    "unlisted versions": "stocklstm models adopt lists them again",
}

# So many faults of a kind are named, and the others counted.
_NAMED = 3


@dataclass(frozen=True, repr=False)
class CheckedStore(Result):
    """Checks of a store as a whole.

    Attributes:
        ticker: Always None: they are of all.
        version: Always None.
        status: "ok" or "failed".
        corrupt: True if the database is damaged or a published version is gone from the disk.
        checks: In the order they were made.
    """

    ROWS = "checks"
    SHOWN = ("ticker", "status", "name", "detail")
    SAID = ()

    ticker: None
    version: None
    status: str
    corrupt: bool
    checks: tuple[Check, ...]


def check_store(store: Store) -> CheckedStore:
    """Find contradictions between the database and the disk.

    Nothing is locked and nothing is changed; what another process is just making or removing is
    no fault.
    """
    connection, aliases = store.prices.connection, store.registry.aliases
    # Of versions among them every byte is read.
    unlisted = cache(lambda: _found(store))
    schema = english(
        "schema {number}, pages and references sound", number=schema_version(connection)
    )
    checks: Sequence[tuple[str, Callable[[], list[str]], str]] = (
        ("database", lambda: integrity_faults(connection) + word_faults(connection), schema),
        ("checksums", lambda: _changed_rows(connection), english("every row is what was stored")),
        ("versions", lambda: _missing_versions(store), english("each listed one is on the disk")),
        ("aliases", aliases.faults, english("each as its log says, on a listed version")),
        ("ledger", lambda: _unknown_tickers(store), english("every forecast is of a known ticker")),
        ("leftovers", lambda: _leftovers(unlisted()), english("none")),
        ("unlisted versions", lambda: _unlisted_versions(unlisted()), english("none")),
    )
    outcomes = [_check(*check) for check in checks]
    failed = any(check.status == "failed" for check, _ in outcomes)
    return CheckedStore(
        ticker=None,
        version=None,
        status="failed" if failed else "ok",
        corrupt=any(corrupt for _, corrupt in outcomes),
        checks=tuple(check for check, _ in outcomes),
    )


def _check(name: str, find_faults: Callable[[], list[str]], sound: str) -> tuple[Check, bool]:
    """Give the outcome of a check, and whether bytes are wrong or gone."""
    try:
        faults = find_faults()
    except IntegrityError as error:
        # A damaged database may be too damaged for one question and not for the next.
        return Check(name, "failed", error.message), True
    if not faults:
        return Check(name, "ok", sound), False
    if advice := _ADVICE.get(name):
        return Check(name, "warning", f"{_listed(faults)}: {advice}"), False
    return Check(name, "failed", _listed(faults)), name in _BYTES


def _listed(faults: Sequence[str]) -> str:
    more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
    return "; ".join(faults[:_NAMED]) + more


def _changed_rows(connection: sqlite3.Connection) -> list[str]:
    with stored_values():
        return Checksums(connection).all_faults()


def _missing_versions(store: Store) -> list[str]:
    """Name listed versions that have no directory."""
    registry = store.registry
    with disk_errors("look for the models"):
        missing = [
            (ticker, version)
            for ticker in registry.tickers()
            for version in registry.versions(ticker)
            if not store.paths.version(ticker, version).is_dir()
        ]
    # Who removes a version takes it off the list before the disk.
    return [
        f"{version_id(ticker, version)} is listed, but its directory is gone"
        for ticker, version in missing
        if version in registry.versions(ticker)
    ]


def _unknown_tickers(store: Store) -> list[str]:
    return [
        f"there are forecasts of {name}, which has neither prices nor a model"
        for name in store.ledger.unknown_tickers()
    ]


_Found = Sequence[tuple[Leftover, bool]]


def _leftovers(found: _Found) -> list[str]:
    """Name files and directories that nothing needs."""
    return [f"{item.ticker}/{item.path.name} ({item.kind})" for item, stays in found if not stays]


def _unlisted_versions(found: _Found) -> list[str]:
    """Name the versions that are whole and that the database does not list."""
    return [
        f"{item.ticker}@{item.path.name} is not listed"
        for item, stays in found
        if stays and item.kind == "unlisted version"
    ]


def _found(store: Store) -> _Found:
    """Find what the database does not list, and whether a cleaning would leave it."""
    search = Leftovers(store.registry)
    with disk_errors("look for leftovers"):
        found = [
            (item, _in_use(item))
            for ticker in sorted(search.tickers())
            for item in search.of_models(ticker)
        ]
    # A version is in its place a moment before it is listed.
    listed = store.registry.versions
    return [(item, stays) for item, stays in found if not _published_since(item, listed)]


def _in_use(item: Leftover) -> bool:
    try:
        item.remove(False)
    except InUseError:
        return True
    return False


def _published_since(item: Leftover, listed: Callable[[str], list[int]]) -> bool:
    return item.kind == "unlisted version" and item.path.name in {
        f"v{version}" for version in listed(item.ticker)
    }
