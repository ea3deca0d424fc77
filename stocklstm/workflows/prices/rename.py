"""prices rename: a ticker that changed its name, or was stored under a wrong one."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from stocklstm.core.clock import utc_now
from stocklstm.core.prices.series import Instrument
from stocklstm.core.reference import parse_ticker
from stocklstm.core.wording import first_few
from stocklstm.errors import ConfigError, NoPricesError, RejectedDataError
from stocklstm.market.instrument import assumptions, guess_instrument
from stocklstm.store.store import Store
from stocklstm.workflows.prices.traits import CALENDAR, CURRENCY, FORMERLY, KNOWING

_TAKEN_FOR_AMERICAN = (FORMERLY[CURRENCY], FORMERLY[CALENDAR], "America/New_York")


@dataclass(frozen=True)
class RenamedPrices:
    """What a renaming did.

    Attributes:
        ticker: The name from now on.
        renamed_from: The name before.
        rows: Sessions that are stored under the new name now.
        first: First ISO day.
        last: Last ISO day.
        forecasts: Forecasts on record that went along.
        currency: ISO 4217 code that holds from now on.
        exchange: Calendar that holds from now on; empty if weekdays stand in for one.
        models: Versions of the old name, which stay where they are.
        warnings: What a person should know, in words.
    """

    ticker: str
    renamed_from: str
    rows: int
    first: str
    last: str
    forecasts: int
    currency: str
    exchange: str
    models: tuple[str, ...]
    warnings: tuple[str, ...]


class Names(NamedTuple):
    """The name of a ticker before and from now on."""

    old: str
    new: str


def read_names(old: str, new: str) -> Names:
    """Check what was typed, before any store is opened.

    Raises:
        ConfigError: The new name is no ticker, or is the old one.
    """
    # Whatever is stored can be renamed, also what no ticker could be called today.
    names = Names(old.strip().upper(), parse_ticker(new))
    if names.old == names.new:
        raise ConfigError(
            f"{names.old} is the old name and the new one",
            hint="the old name, then the new: stocklstm prices rename VIIA3.SA BHIA3.SA",
        )
    return names


def rename_prices(store: Store, names: Names) -> RenamedPrices:
    """Store all that there is of a ticker under another name; see `Client.rename_prices`."""
    store.require_writable()
    before, ticker = names
    with store.writing("prices"):
        _require_free(store, before, ticker)
        given = store.prices.instrument(before, pinned=False)
        instrument = _instrument(store, before, ticker)
        with store.transaction():
            store.prices.rename(before, instrument, at=utc_now(), note=_changes(given, instrument))
            forecasts = store.ledger.rename(before, ticker)
    return _described(store, before, ticker, forecasts)


def _require_free(store: Store, old: str, new: str) -> None:
    """Refuse what cannot be renamed, or not to this."""
    if not store.prices.has(old):
        raise _unknown(store, old)
    present = store.prices.current_name(new)
    if present not in {new, old} and store.registry.versions(new):
        raise RejectedDataError(
            f"{new} has models of the share that is {present} now, and they know no other",
            hint=f"if none is needed: stocklstm models list --ticker {new}, then models rm",
        )
    if store.prices.has(new):
        raise RejectedDataError(
            f"{new} has prices of its own, and two histories are not joined by a new name",
            hint=f"what {new} lacks of them it gets by: stocklstm prices export --ticker {old} "
            f"--out {old}.csv, then stocklstm fetch --ticker {new} --source csv --file {old}.csv",
        )


def _unknown(store: Store, old: str) -> NoPricesError:
    stored = store.prices.tickers()
    if now := store.prices.renamed().get(old):
        return NoPricesError(
            f"{old[:40]} was renamed to {now} already",
            hint=f"stocklstm prices show --ticker {now}",
        )
    return NoPricesError(
        f"there are no prices of {old[:40]!a} in the store",
        hint=f"stored are {first_few(stored, 8)}"
        if stored
        else "stocklstm fetch --ticker PETR4.SA",
    )


def _instrument(store: Store, old: str, new: str) -> Instrument:
    """Choose the traits of the new name: those of the old one, unless they were only guessed."""
    given, guessed = store.prices.instrument(old, pinned=False), guess_instrument(new)
    kept = replace(given, ticker=new)
    if store.prices.has_rows_of(old, KNOWING) or not guessed.currency:
        return kept
    if CURRENCY in assumptions(new) and CURRENCY not in assumptions(old):
        return kept  # what a suffix says for certain is worth more than what is only assumed
    by_name = {_traits(guess_instrument(old)), _TAKEN_FOR_AMERICAN}
    if chosen := store.prices.chosen_currency(old):
        # That was no guess, and stays.
        by_name = {(chosen, exchange, time_zone) for _, exchange, time_zone in by_name}
        guessed = replace(guessed, currency=chosen)
    return guessed if _traits(given) in by_name else kept


def _traits(instrument: Instrument) -> tuple[str, str, str]:
    return instrument.currency, instrument.exchange, instrument.time_zone


def _changes(before: Instrument, after: Instrument) -> str:
    pairs = (
        ("currency", before.currency, after.currency),
        ("calendar", before.exchange, after.exchange),
    )
    return ", ".join(
        f"{name} {old or 'none'} to {new or 'none'}" for name, old, new in pairs if old != new
    )


def _described(store: Store, old: str, ticker: str, forecasts: int) -> RenamedPrices:
    dates, instrument = store.prices.dates(ticker), store.prices.instrument(ticker)
    first, last = str(dates[0]), str(dates[-1])
    models = tuple(f"{old}@v{version}" for version in store.registry.versions(old))
    warnings = []
    if instrument.exchange and not len(store.sessions.between(instrument.exchange, first, last)):
        warnings.append(
            f"the sessions of {instrument.exchange} are not stored yet: the next fetch of "
            f"{ticker} stores them"
        )
    return RenamedPrices(
        ticker=ticker,
        renamed_from=old,
        rows=len(dates),
        first=first,
        last=last,
        forecasts=forecasts,
        currency=instrument.currency,
        exchange=instrument.exchange,
        models=models,
        warnings=tuple(warnings),
    )
