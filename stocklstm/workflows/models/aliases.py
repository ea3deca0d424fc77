"""models promote, rollback and unalias: the names of versions."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from stocklstm.core.clock import utc_now
from stocklstm.core.reference import CHAMPION, PREVIOUS, ModelReference, parse_reference
from stocklstm.errors import ConfigError, NoModelError
from stocklstm.store.manifest import SERVING_FILE
from stocklstm.store.store import Store

_LONGEST_REASON = 300


@dataclass(frozen=True)
class AliasMove:
    """An alias before and after.

    Attributes:
        ticker: Ticker of the model, or name of a pooled one with its mark.
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


def promote(store: Store, wanted: ModelReference, name: str, reason: str) -> AliasMove:
    """Point "champion", or an alias of one's own, at a version; see `Client.promote`."""
    words = reason or "models promote"
    ticker = wanted.ticker
    with _writing(store, ticker):
        version = store.registry.resolve(wanted)
        before = store.registry.aliases.of(ticker).get(name)
        _require_sound(store, ticker, version)
        if name == CHAMPION:
            store.registry.aliases.promote(ticker, version, reason=words, at=utc_now())
        else:
            store.registry.aliases.point(ticker, name, version, reason=words, at=utc_now())
        return _moved(store, ticker, name, before, words)


def rollback(store: Store, name: str, reason: str) -> AliasMove:
    """Make the previous champion the champion again; see `Client.rollback`."""
    words = reason or "models rollback"
    with _writing(store, name):
        aliases = store.registry.aliases.of(name)
        if PREVIOUS not in aliases:
            # Whether there is any model is said by what looks for the champion.
            store.registry.resolve(ModelReference(name))
            raise NoModelError(
                f"{name} has had no champion before this one",
                hint=f"stocklstm models promote {name}@VERSION makes another one the champion",
            )
        _require_sound(store, name, aliases[PREVIOUS])
        store.registry.aliases.promote(name, aliases[PREVIOUS], reason=words, at=utc_now())
        return _moved(store, name, CHAMPION, aliases.get(CHAMPION), words)


def own_alias(reference: str) -> ModelReference:
    """Read TICKER@alias, of an alias that may be removed.

    Raises:
        ConfigError: It is a version, or an alias that can only be moved.
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
    return wanted


def unalias(store: Store, wanted: ModelReference, reason: str) -> AliasMove:
    """Remove an alias of one's own; see `Client.unalias`."""
    words = reason or "models unalias"
    with _writing(store, wanted.ticker):
        before = store.registry.aliases.drop(
            wanted.ticker, wanted.alias, reason=words, at=utc_now()
        )
        return _moved(store, wanted.ticker, wanted.alias, before, words)


def checked_reason(reason: str) -> str:
    """Strip a reason, and refuse one that is too long for the log or would disturb a terminal."""
    if not reason.isprintable() or len(reason) > _LONGEST_REASON:
        raise ConfigError(
            f"--reason is one line of at most {_LONGEST_REASON} characters",
            hint='such as --reason "calmer in March"',
        )
    return reason.strip()


@contextmanager
def _writing(store: Store, ticker: str) -> Iterator[None]:
    store.require_writable()
    with store.writing(ticker):
        yield


def _require_sound(store: Store, ticker: str, version: int) -> None:
    """Read what every forecast will read: a damaged version is not put into use.

    Raises:
        ArtifactCorruptError: It is damaged.
    """
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
