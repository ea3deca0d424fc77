"""Currency, calendar and time zone of a ticker: said, stored, chosen, or only assumed."""

from dataclasses import replace

from stocklstm.core.prices.series import Instrument
from stocklstm.core.reference import AUTO
from stocklstm.errors import RejectedDataError
from stocklstm.market.calendar import time_zone_of
from stocklstm.market.instrument import guess_instrument
from stocklstm.store.store import Store

CALENDAR, CURRENCY = "calendar", "currency"

# The source that is told currency and exchange; whatever else does not know takes them from the
# ticker's name.
_KNOWING = "yahoo"

# What every name without a suffix was once taken for, also that of a pair or a future.
_FORMERLY = {CALENDAR: "XNYS", CURRENCY: "USD"}


def best_known(
    store: Store, given: Instrument, *, from_file: bool, calendar: str | None, currency: str | None
) -> Instrument:
    """Choose what to believe of a ticker whose prices a source has given.

    Args:
        store: May hold the ticker.
        given: What the source says.
        from_file: A file's name for a ticker is a guess, and what is stored is known better.
        calendar: The one that was chosen, now or before; None if the exchange decides.
        currency: The one that is chosen now, "auto" for that of the source, or None.

    Returns:
        The instrument, with the exchange's own calendar, and what of it is only assumed.

    Raises:
        RejectedDataError: The prices are in another currency than those that are stored, than
            the one that is chosen, or than the ticker is quoted in.
    """
    own, chosen = given, None if currency == AUTO else currency
    said = _said(given, from_file=from_file)
    if store.prices.has(given.ticker):
        stored = stored_instrument(store, given.ticker)
        earlier = store.prices.chosen_currency(given.ticker)
        if earlier is not None and currency is not None:
            # What somebody chose, somebody may choose anew.
            stored = replace(stored, assumed=(*stored.assumed, CURRENCY))
        told = chosen or said
        if told is not None and CURRENCY not in stored.assumed and told != stored.currency:
            raise _stored_otherwise(stored, told, earlier)
        own = _joined(stored, given, from_file=from_file)
    elif from_file and chosen is None and said is not None:
        # Yahoo may well quote in another one: funds in London in dollars, corn in cents.
        _require_usual_currency(given.ticker, said)
    if chosen is not None:
        if said not in {None, chosen}:
            raise RejectedDataError(
                f"the source quotes {given.ticker} in {said}, not in {chosen}",
                hint="leave --currency out",
            )
        own = replace(own, currency=chosen, assumed=_without(own, CURRENCY))
    if CALENDAR in own.assumed:
        zone = time_zone_of(calendar) if calendar else guess_instrument(given.ticker).time_zone
        own = replace(own, time_zone=zone)
    return own if calendar is None else replace(own, assumed=_without(own, CALENDAR))


def _require_usual_currency(ticker: str, said: str) -> None:
    """Refuse prices that a file states in another currency than the ticker is quoted in."""
    usual = guess_instrument(ticker)
    if CURRENCY not in usual.assumed and said != usual.currency:
        raise RejectedDataError(
            f"{ticker} is quoted in {usual.currency}, and these prices are in {said}",
            hint=f"if they are what you want, add --currency {said}",
        )


def _said(given: Instrument, *, from_file: bool) -> str | None:
    """Give the currency that the source itself states; None if it took it from the name."""
    by_name = from_file and given.currency == guess_instrument(given.ticker).currency
    return None if by_name or CURRENCY in given.assumed else given.currency


def stored_instrument(store: Store, ticker: str) -> Instrument:
    """Look up what is stored of a ticker that has prices, and what of it was only assumed."""
    stored, guess = store.prices.instrument(ticker, pinned=False), guess_instrument(ticker)
    doubtful = [
        trait
        for trait, value, guessed in (
            (CALENDAR, stored.exchange, guess.exchange),
            (CURRENCY, stored.currency, guess.currency),
        )
        if (trait in guess.assumed if value == guessed else _is_old_guess(ticker, trait, value))
    ]
    if not doubtful or store.prices.has_rows_of(ticker, _KNOWING):
        return stored
    if CURRENCY in doubtful and store.prices.chosen_currency(ticker) is not None:
        doubtful.remove(CURRENCY)
    return replace(stored, assumed=tuple(doubtful))


def _is_old_guess(ticker: str, trait: str, value: str) -> bool:
    plain = not (set(ticker) & set("^.="))
    return not value or (plain and value == _FORMERLY[trait])


def _joined(stored: Instrument, given: Instrument, *, from_file: bool) -> Instrument:
    """Take each trait from where it is known; from the source if it knows it, too."""

    def origin(trait: str) -> Instrument:
        keeps = trait not in stored.assumed and (from_file or trait in given.assumed)
        return stored if keeps else given

    market, money = origin(CALENDAR), origin(CURRENCY)
    assumed = [
        trait for trait, by in ((CALENDAR, market), (CURRENCY, money)) if trait in by.assumed
    ]
    return Instrument(
        given.ticker, money.currency, market.exchange, market.time_zone, tuple(assumed)
    )


def _stored_otherwise(stored: Instrument, told: str, chosen: str | None) -> RejectedDataError:
    hint = "keep to one source, or use another STOCKLSTM_HOME for these prices"
    if chosen is not None:
        hint = f"if the stored ones are in {told}, add --currency {told}; otherwise {hint}"
    return RejectedDataError(
        f"{stored.ticker} is stored in {stored.currency or 'no currency'}"
        f"{', chosen with --currency' if chosen is not None else ''}, and these prices are in "
        f"{told or 'none'}",
        hint=hint,
    )


def _without(instrument: Instrument, trait: str) -> tuple[str, ...]:
    return tuple(each for each in instrument.assumed if each != trait)
