"""Currency, calendar and time zone of a ticker: said, stored, chosen, or only assumed."""

from dataclasses import replace
from typing import NamedTuple

from stocklstm.core.prices.answers import SourceAnswer
from stocklstm.core.prices.series import Instrument
from stocklstm.core.reference import AUTO
from stocklstm.errors import RejectedDataError
from stocklstm.market.calendar import time_zone_of
from stocklstm.market.instrument import assumptions, guess_instrument
from stocklstm.store.store import Store

CALENDAR, CURRENCY = "calendar", "currency"

KNOWING = "yahoo"
"""The source that is told currency and exchange; all others take them from the ticker's name."""

FORMERLY = {CALENDAR: "XNYS", CURRENCY: "USD"}
"""What every name without a suffix was once taken for, also that of a pair."""


class Known(NamedTuple):
    """What is believed of a ticker.

    Attributes:
        instrument: With the exchange's own calendar.
        assumed: Which of its calendar (and time zone) and currency nobody knows: they were only
            taken from the name.
    """

    instrument: Instrument
    assumed: tuple[str, ...]


def best_known(
    store: Store,
    answer: SourceAnswer,
    *,
    is_stored: bool,
    from_file: bool,
    calendar: str | None,
    currency: str | None,
) -> Known:
    """Choose what to believe of a ticker whose prices a source has given.

    Args:
        store: May hold the ticker.
        answer: What the source says.
        is_stored: True to hold it against what is stored of the ticker.
        from_file: A file's name for a ticker is a guess, and what is stored is known better.
        calendar: The one that was chosen, now or before; None if the exchange decides.
        currency: The one that is chosen now, "auto" for that of the source, or None.

    Raises:
        RejectedDataError: The prices are in another currency than those that are stored, than
            the one that is chosen, or than the ticker is quoted in.
    """
    given, ticker = _given(answer), answer.instrument.ticker
    own, chosen = given, None if currency == AUTO else currency
    said = _said(answer, given, from_file=from_file)
    if is_stored:
        stored = stored_traits(store, ticker)
        earlier = store.prices.chosen_currency(ticker)
        if earlier is not None and currency is not None:
            # What somebody chose, somebody may choose anew.
            stored = stored._replace(assumed=(*stored.assumed, CURRENCY))
        told = chosen or said
        if told is not None and CURRENCY not in stored.assumed:
            _require_same(store, stored.instrument, told)
        own = _joined(stored, given, from_file=from_file)
    elif from_file and chosen is None and said is not None:
        # Yahoo may well quote in another one: funds in London in dollars, corn in cents.
        _require_usual_currency(ticker, said)
    if chosen is not None:
        if said not in {None, chosen}:
            raise RejectedDataError(
                f"the source quotes {ticker} in {said}, not in {chosen}",
                hint="leave --currency out",
            )
        own = Known(replace(own.instrument, currency=chosen), _without(own, CURRENCY))
    if CALENDAR in own.assumed:
        zone = time_zone_of(calendar) if calendar else guess_instrument(ticker).time_zone
        own = own._replace(instrument=replace(own.instrument, time_zone=zone))
    return own if calendar is None else own._replace(assumed=_without(own, CALENDAR))


def known_exchange(store: Store, ticker: str) -> str | None:
    """Look up the calendar of a stored ticker, if it is known to be another than its name says."""
    stored = stored_traits(store, ticker)
    exchange = stored.instrument.exchange
    as_named = exchange == guess_instrument(ticker).exchange
    return None if as_named or CALENDAR in stored.assumed else exchange


def stored_traits(store: Store, ticker: str) -> Known:
    """Look up what is stored of a ticker that has prices, and what of it was only assumed."""
    stored, guess = store.prices.instrument(ticker, pinned=False), guess_instrument(ticker)
    suggested = assumptions(ticker)
    doubtful = [
        trait
        for trait, value, guessed in _pairs(stored, guess)
        if (trait in suggested if value == guessed else _is_old_guess(ticker, trait, value))
    ]
    if doubtful and store.prices.has_rows_of(ticker, KNOWING):
        doubtful = []
    if CURRENCY in doubtful and store.prices.chosen_currency(ticker) is not None:
        doubtful.remove(CURRENCY)
    return Known(stored, tuple(doubtful))


def _given(answer: SourceAnswer) -> Known:
    """Find out what of an answer is only taken from the ticker's name."""
    given = answer.instrument
    open_to_doubt = set(assumptions(given.ticker)) - set(answer.stated)
    pairs = _pairs(given, guess_instrument(given.ticker))
    assumed = [
        trait for trait, value, guessed in pairs if trait in open_to_doubt and value == guessed
    ]
    return Known(given, tuple(assumed))


def _pairs(one: Instrument, other: Instrument) -> tuple[tuple[str, str, str], ...]:
    return (CALENDAR, one.exchange, other.exchange), (CURRENCY, one.currency, other.currency)


def _said(answer: SourceAnswer, given: Known, *, from_file: bool) -> str | None:
    """Give the currency that the source itself knows; None if it took it from the name."""
    currency = given.instrument.currency
    if CURRENCY in answer.stated:
        return currency
    by_name = from_file and currency == guess_instrument(given.instrument.ticker).currency
    return None if by_name or CURRENCY in given.assumed else currency


def _is_old_guess(ticker: str, trait: str, value: str) -> bool:
    plain = not (set(ticker) & set("^.="))
    return not value or (plain and value == FORMERLY[trait])


def _joined(stored: Known, given: Known, *, from_file: bool) -> Known:
    """Take each trait from where it is known; from the source if it knows it, too."""

    def origin(trait: str) -> Known:
        keeps = trait not in stored.assumed and (from_file or trait in given.assumed)
        return stored if keeps else given

    market, money = origin(CALENDAR), origin(CURRENCY)
    assumed = [
        trait for trait, by in ((CALENDAR, market), (CURRENCY, money)) if trait in by.assumed
    ]
    instrument = replace(market.instrument, currency=money.instrument.currency)
    return Known(instrument, tuple(assumed))


def _require_usual_currency(ticker: str, said: str) -> None:
    """Refuse prices that a file states in another currency than the ticker is quoted in."""
    usual = guess_instrument(ticker).currency
    if CURRENCY not in assumptions(ticker) and said != usual:
        raise RejectedDataError(
            f"{ticker} is quoted in {usual}, and these prices are in {said}",
            hint=f"if they are what you want, add --currency {said}",
        )


def _require_same(store: Store, stored: Instrument, told: str) -> None:
    """Refuse prices in another currency than the stored ones."""
    if told == stored.currency:
        return
    hint, words = "keep to one source, or use another STOCKLSTM_HOME for these prices", ""
    if store.prices.was_currency_chosen(stored.ticker):
        hint = f"if the stored ones are in {told}, add --currency {told}; otherwise {hint}"
        words = ", chosen with --currency"
    raise RejectedDataError(
        f"{stored.ticker} is stored in {stored.currency or 'no currency'}{words}, and these "
        f"prices are in {told or 'none'}",
        hint=hint,
    )


def _without(known: Known, trait: str) -> tuple[str, ...]:
    return tuple(each for each in known.assumed if each != trait)
