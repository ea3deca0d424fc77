"""models promote, rollback and unalias: what the names of versions mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stocklstm.core.clock import utc_now
from stocklstm.core.reference import CHAMPION, PREVIOUS, parse_alias, parse_owner, parse_reference
from stocklstm.core.settings.config import LOCK_TIMEOUT_S
from stocklstm.errors import ConfigError, NoModelError
from stocklstm.store.locks import writer_lock
from stocklstm.store.manifest import SERVING_FILE
from stocklstm.store.store import Store, open_store

_LONGEST_REASON = 300


@dataclass(frozen=True)
class AliasMove:
    """What an alias meant and what it means now.

    Attributes:
        ticker: Whose.
        alias: Its name.
        version: What it points at now; None if it was removed.
        replaced: What it pointed at before, if anything.
        previous: What "previous" points at now, if anything.
        reason: Kept in the log.
        unchanged: True if it pointed there already; nothing was written then.
    """

    ticker: str
    alias: str
    version: int | None
    replaced: int | None
    previous: int | None
    reason: str
    unchanged: bool


def promote(
    reference: str,
    *,
    alias: str = CHAMPION,
    reason: str = "",
    home: Path | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> AliasMove:
    """Point "champion", or an alias of one's own, at a version.

    Args:
        reference: TICKER@v3 or TICKER@alias.
        alias: "champion" or a name of one's own; "previous" only follows the champion.
        reason: Kept in the log.
        home: The store; by default where the command line has it.
        lock_timeout_s: Seconds to wait for another writer.

    Raises:
        ConfigError: Such an alias cannot be set, the reason is not one line, or the store may not
            be written.
        NotFoundError: There is no such version.
        ArtifactCorruptError: Its manifest or serving file is not the one that was published.
    """
    name = parse_alias(alias)
    words = _one_line(reason) or "models promote"
    wanted = parse_reference(reference)
    ticker = wanted.ticker
    with _writing(ticker, home, lock_timeout_s) as store:
        version = store.registry.resolve(wanted)
        before = store.registry.aliases.of(ticker).get(name)
        _require_sound(store, ticker, version)
        if name == CHAMPION:
            store.registry.aliases.promote(ticker, version, reason=words, at=utc_now())
        else:
            store.registry.aliases.point(ticker, name, version, reason=words, at=utc_now())
        return _moved(store, ticker, name, before, words)


def rollback(
    ticker: str,
    *,
    reason: str = "",
    home: Path | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> AliasMove:
    """Make the previous champion the champion again, and the present one the previous.

    Args:
        ticker: Whose.
        reason: Kept in the log.
        home: The store; by default where the command line has it.
        lock_timeout_s: Seconds to wait for another writer.

    Raises:
        ConfigError: The reason is not one line, or the store may not be written.
        NotFoundError: There is no previous champion.
        ArtifactCorruptError: Its manifest or serving file is not the one that was published.
    """
    name = parse_owner(ticker)
    words = _one_line(reason) or "models rollback"
    with _writing(name, home, lock_timeout_s) as store:
        aliases = store.registry.aliases.of(name)
        if PREVIOUS not in aliases:
            # Whether there is any model is said by what looks for the champion.
            store.registry.resolve(parse_reference(name))
            raise NoModelError(
                f"{name} has had no champion before this one",
                hint=f"stocklstm models promote {name}@VERSION makes another one the champion",
            )
        _require_sound(store, name, aliases[PREVIOUS])
        store.registry.aliases.promote(name, aliases[PREVIOUS], reason=words, at=utc_now())
        return _moved(store, name, CHAMPION, aliases.get(CHAMPION), words)


def unalias(
    reference: str,
    *,
    reason: str = "",
    home: Path | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> AliasMove:
    """Remove an alias of one's own; the version it points at stays.

    Args:
        reference: TICKER@alias.
        reason: Kept in the log.
        home: The store; by default where the command line has it.
        lock_timeout_s: Seconds to wait for another writer.

    Raises:
        ConfigError: It is no alias of one's own, the reason is not one line, or the store may not
            be written.
        NotFoundError: There is no such alias.
    """
    wanted = parse_reference(reference)
    if wanted.version is not None:
        raise ConfigError(
            f"{wanted} is a version, not an alias",
            hint=f"stocklstm models rm {wanted} removes a version",
        )
    if wanted.alias in {CHAMPION, PREVIOUS}:
        raise ConfigError(
            f"{wanted.alias} cannot be removed, only moved",
            hint=f"stocklstm models promote {wanted.ticker}@VERSION",
        )
    words = _one_line(reason) or "models unalias"
    with _writing(wanted.ticker, home, lock_timeout_s) as store:
        before = store.registry.aliases.drop(
            wanted.ticker, wanted.alias, reason=words, at=utc_now()
        )
        return _moved(store, wanted.ticker, wanted.alias, before, words)


def _one_line(reason: str) -> str:
    """Refuse what would not fit the log, or would play tricks on the terminal that shows it."""
    if not reason.isprintable() or len(reason) > _LONGEST_REASON:
        raise ConfigError(
            f"--reason is one line of at most {_LONGEST_REASON} characters",
            hint='such as --reason "calmer in March"',
        )
    return reason.strip()


@contextmanager
def _writing(ticker: str, home: Path | None, lock_timeout_s: float) -> Iterator[Store]:
    with open_store(home, lock_timeout_s=lock_timeout_s) as store:
        store.require_writable()
        with writer_lock(store.paths, ticker, lock_timeout_s):
            yield store


def _require_sound(store: Store, ticker: str, version: int) -> None:
    """Read what every forecast will read; what is damaged is put into use by nobody."""
    store.registry.read_file(store.registry.manifest(ticker, version), SERVING_FILE)


def _moved(store: Store, ticker: str, name: str, before: int | None, reason: str) -> AliasMove:
    aliases = store.registry.aliases.of(ticker)
    now = aliases.get(name)
    return AliasMove(
        ticker=ticker,
        alias=name,
        version=now,
        replaced=before,
        previous=aliases.get(PREVIOUS),
        reason=reason,
        unchanged=now == before,
    )
