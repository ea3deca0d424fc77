"""fetch: prices into the local store."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from stocklstm.core.batch import Batch, Named, Result, attempt_each, for_each
from stocklstm.core.clock import is_day, now, utc_now
from stocklstm.core.language import english
from stocklstm.core.prices.adjustment import adjust
from stocklstm.core.prices.answers import CUT_OFF, Basis, Rejection, SourceAnswer
from stocklstm.core.prices.jumps import LargeMove
from stocklstm.core.prices.series import Action, Bars, Dates
from stocklstm.core.prices.soundness import gaps
from stocklstm.core.reference import AUTO, StoredTicker, parse_ticker
from stocklstm.core.stored_words import HIGHEST
from stocklstm.core.wording import first_few, percent_change, price_words, quoted
from stocklstm.errors import ConfigError, RejectedDataError, StockLstmError
from stocklstm.market.calendar import (
    WEEKDAYS,
    Calendars,
    Sessions,
    last_final_day,
    local_day,
)
from stocklstm.market.clean import CleanPrices, clean
from stocklstm.market.file_set import FileSet
from stocklstm.market.revisions import (
    REPEAT,
    Reconciled,
    follow_adjusted,
    joined,
    large_moves,
    reaches_further,
    reconcile,
)
from stocklstm.market.sample import SampleSource
from stocklstm.market.source import IntradaySource, PriceSource
from stocklstm.store.prices import MergeResult
from stocklstm.store.store import Store
from stocklstm.workflows.prices.intraday import (
    FetchedSessions,
    ListedTicker,
    Wish,
    fetch_sessions,
    is_wanted,
    keep_sessions,
)
from stocklstm.workflows.prices.plan import FetchOptions, FetchPlan, request_for
from stocklstm.workflows.prices.retry import Asker
from stocklstm.workflows.prices.traits import (
    CALENDAR,
    CURRENCY,
    KNOWING,
    best_known,
    known_exchange,
)

T = TypeVar("T")

_YEAR = np.timedelta64(365, "D")

# How far behind the last stored day an answer starts: about ten sessions, to see whether the
# source has changed its mind about them.
_OVERLAP = np.timedelta64(15, "D")


@dataclass(frozen=True, repr=False)
class FetchedTicker(Result):
    """What one fetch did.

    Attributes:
        ticker: Whose prices.
        source: Where from.
        rows_added: Sessions that were not stored.
        rows_revised: Sessions whose prices changed.
        rows_rejected: Rows that were not stored, with the reason.
        rows_incomplete: Rows whose open, high or low cannot be a price and is unknown, with the
            reason; the close is kept.
        large_moves: New moves beyond 35 % without a recorded split.
        missing_sessions: ISO days on which the exchange traded and there is no row.
        first: First stored ISO day.
        last: Last stored ISO day.
        last_final_session: Last ISO day whose session is over for good, stored or not.
        rows: Stored sessions.
        currency: ISO 4217 code.
        exchange: Calendar; empty if weekdays stand in for one.
        revision: What happened to the history as a whole; empty if nothing did.
        assumed: What nobody knows of "calendar" and "currency", each with what the ticker's name
            suggests; empty once the source or somebody has said it.
        warnings: What a person should know, in words.
        unchanged: True if the fetch changed nothing.
        intraday: What became of bars within sessions; None if none were asked for, or none are
            missing.
    """

    SHOWN = ("ticker", "source", "rows_added", "rows_revised", "rows", "first", "last", "unchanged")
    SAID = ("warnings",)

    ticker: str
    source: str
    rows_added: int
    rows_revised: int
    rows_rejected: tuple[Rejection, ...]
    rows_incomplete: tuple[Rejection, ...]
    large_moves: tuple[LargeMove, ...]
    missing_sessions: tuple[str, ...]
    first: str
    last: str
    last_final_session: str
    rows: int
    currency: str
    exchange: str
    revision: str
    assumed: dict[str, str]
    warnings: tuple[str, ...]
    unchanged: bool
    intraday: FetchedSessions | None = None

    @property
    def lateness(self) -> str | None:
        """Say that the source has no prices of the last finished session; None if it has them."""
        late = self.exchange and self.last < self.last_final_session
        return _lateness(self.source, self.last, self.last_final_session) if late else None


FetchResult = Batch[FetchedTicker]


@dataclass(frozen=True)
class TickerDone:
    """Progress.

    Attributes:
        ticker: The one that is through, well or not.
        done: How many are.
        total: Of how many.
        failed: How many of those that are through failed.
    """

    ticker: str
    done: int
    total: int
    failed: int = 0


class _Target:
    """Where prices go: a store, which is made once there is something for it, if there is none."""

    def __init__(self, store: Store, make: Callable[[], Store] | None, lock: ExitStack) -> None:
        self.store = store
        self._make = make
        self._lock = lock
        self._obstacle: StockLstmError | None = None
        if make is None:
            lock.enter_context(store.writing("prices"))

    @property
    def is_there(self) -> bool:
        """True once there is a store that can be written."""
        return self._make is None

    def require_possible(self) -> None:
        """Refuse work for a store that could not be made."""
        if self._obstacle is not None:
            raise self._obstacle

    def make(self) -> None:
        """Make the store, and keep other writers out."""
        if self._make is None:
            return
        try:
            store = self._make()
            self._lock.enter_context(store.writing("prices"))
        except StockLstmError as error:
            self._obstacle = error
            raise
        self.store, self._make = store, None


@dataclass(frozen=True)
class _Run:
    """What the tickers of one call share.

    Attributes:
        target: Where to.
        options: How.
        asker: Whom to ask.
        calendars: Those needed so far.
        kept: Of each exchange the calendar whose sessions are stored.
        live: True of a source on the network.
        waiting: By ticker, of what to ask for bars within sessions once all daily prices are there.
    """

    target: _Target
    options: FetchOptions
    asker: Asker
    calendars: Calendars
    kept: dict[str, Sessions]
    live: bool
    waiting: dict[str, ListedTicker] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        """What is stored; empty as long as there is no store."""
        return self.target.store


@dataclass(frozen=True, eq=False)
class _Offer:
    """An answer that has been judged row by row and adjusted.

    Attributes:
        answer: As the source gave it, but for an instrument that is known better.
        assumed: What of that instrument nobody knows.
        prices: What can be believed of it.
        calendar: Sessions from the first stored or given row to a year ahead.
        last_session: Last session whose prices can no longer change.
        start: First ISO day that was asked for; "" for all.
    """

    answer: SourceAnswer
    assumed: tuple[str, ...]
    prices: CleanPrices
    calendar: Sessions
    last_session: np.datetime64
    start: str


def fetch(
    store: Store,
    plan: FetchPlan,
    on_ticker: Callable[[TickerDone], None],
    make: Callable[[], Store] | None = None,
) -> FetchResult:
    """Get prices from a source and merge them into the store; see `Client.fetch`.

    Args:
        store: Where to, or an empty one in the place of one that is not there.
        plan: What to get.
        on_ticker: Called after each ticker.
        make: Makes the store that is not there; None where there is one.
    """
    source, options = plan.source, plan.options
    with ExitStack() as lock:
        target = _Target(store, make, lock)
        names = list(plan.tickers) or _all_tickers(store, source)
        total = len({name.strip().upper() for name in names})
        asker = Asker(source, options.patience, total)
        run = _Run(target, options, asker, Calendars(), {}, live=hasattr(source, "pause_s"))

        through = failed = 0

        def counted(work: Callable[[_Run, str], T]) -> Callable[[str], T]:
            def task(ticker: str) -> T:
                nonlocal through, failed
                try:
                    return work(run, ticker)
                except Exception:
                    failed += 1
                    raise
                finally:
                    asker.done += 1
                    # Bars within sessions of others are still to come.
                    if ticker not in run.waiting:
                        through += 1
                        on_ticker(TickerDone(ticker, through, total, failed))

            return task

        try:
            results, failures = for_each(names, parse_ticker, counted(_fetch_one))
            # Daily prices come first: bars within sessions are as many questions again.
            asker.begin(len(run.waiting))
            waiting = [Named(ticker, ticker, ticker) for ticker in run.waiting]
            pairs, unfinished = attempt_each(waiting, counted(_bars_within))
        finally:
            asker.close()
    found = dict(pairs)
    return FetchResult(
        tuple(_with_sessions(each, found.get(each.ticker)) for each in results),
        (*failures, *unfinished),
    )


def _bars_within(run: _Run, ticker: str) -> tuple[str, FetchedSessions | None]:
    """Get bars within sessions of a ticker that waits for them, its daily prices being stored."""
    source, whose = run.asker.source, run.waiting.pop(ticker)
    if not isinstance(source, IntradaySource):
        return ticker, None
    wish = Wish(run.options.keep_bars, run.options.full)
    return ticker, fetch_sessions(run.store, run.asker, source, whose, wish)


def _with_sessions(fetched: FetchedTicker, found: FetchedSessions | None) -> FetchedTicker:
    if found is None:
        return fetched
    changed = found.sessions_added or found.sessions_revised or found.sessions_dropped
    return replace(fetched, intraday=found, unchanged=fetched.unchanged and not changed)


def _all_tickers(store: Store, source: PriceSource) -> list[str]:
    if isinstance(source, FileSet):
        if not source.tickers():
            raise RejectedDataError(
                "the files hold no share of the cash market",
                hint="name a ticker to learn what they hold of it, or give another year's file",
            )
        return source.tickers()
    if isinstance(source, SampleSource):
        return source.bundled()
    names = store.prices.tickers()
    if not names:
        raise ConfigError(
            "no ticker was given and the store is empty", hint="stocklstm fetch --ticker PETR4.SA"
        )
    return [StoredTicker(name) for name in names]


def _fetch_one(run: _Run, ticker: str) -> FetchedTicker:
    run.target.require_possible()
    offer = _offered(run, ticker)
    if not run.target.is_there:
        # What is refused is no reason to make a store.
        _fitting(run, ticker, offer)
        run.target.make()
        # Another process may have made it meanwhile, and stored prices of the same ticker.
        if run.store.prices.has(ticker):
            offer = _offered(run, ticker)
    with run.store.transaction():
        fetched = _keep(run, ticker, offer)
        whose = ListedTicker(
            ticker, offer.answer.source, offer.answer.instrument.time_zone, offer.calendar
        )
        if offer.answer.intraday is not None and run.options.intraday is not False:
            bars = [offer.answer.intraday]
            wish = Wish(run.options.keep_bars, run.options.full)
            fetched = _with_sessions(fetched, keep_sessions(run.store, whose, bars, wish))
        elif run.options.intraday and not isinstance(run.asker.source, IntradaySource):
            words = "the file has no bars within sessions that can be measured"
            fetched = replace(fetched, warnings=(*fetched.warnings, words))
    run.kept[offer.calendar.exchange] = offer.calendar
    if isinstance(run.asker.source, IntradaySource) and is_wanted(
        run.store, ticker, whose.source, chosen=run.options.intraday
    ):
        run.waiting[ticker] = whose
    return fetched


def _offered(run: _Run, ticker: str) -> _Offer:
    """Ask for what may be new of a ticker, or for more where that is not enough."""
    start = _first_day_to_ask(run, ticker)
    offer = _ask(run, ticker, start)
    if start:
        prices = run.store.prices
        # A changed day at the very beginning says nothing of the days before it: get them all.
        if reaches_further(prices.bars_since(ticker, start), offer.prices.bars):
            offer = _ask(run, ticker, "")
        # What another source gave may differ from this one's on any day.
        elif not prices.has_rows_of(ticker, offer.answer.source):
            offer = _ask(run, ticker, str(prices.dates(ticker)[0]))
    return offer


def _first_day_to_ask(run: _Run, ticker: str) -> str:
    """Find the first ISO day to ask for; "" for the whole history."""
    span = run.store.prices.span(ticker)
    if span is None or run.options.full or run.options.files:
        return ""
    return str(span[1] - _OVERLAP)


def _ask(run: _Run, ticker: str, start: str) -> _Offer:
    store, options, is_stored = run.store, run.options, _traits_are_known(run, ticker, start)
    chosen = _chosen_calendar(run, ticker, is_stored=is_stored)
    exchange = chosen
    if chosen is None and options.files and is_stored:
        exchange = known_exchange(store, ticker)
    request = replace(request_for(ticker, options), start=start or None, exchange=exchange)
    answer = run.asker.ask(request)
    known = best_known(
        store,
        answer,
        is_stored=is_stored,
        from_file=bool(options.files),
        calendar=chosen,
        currency=options.currency or (None if is_stored else store.prices.chosen_currency(ticker)),
    )
    answer = replace(answer, instrument=known.instrument)
    time_zone, moment = answer.instrument.time_zone, now()
    today = local_day(time_zone, moment)
    exchange = answer.instrument.exchange if chosen is None else chosen
    days = run.calendars.covering(exchange, _first_day(store, answer, today), today + _YEAR)
    final = last_final_day(days, time_zone, moment)
    prices = clean(answer, days, last_final=final, start=start or None)
    if answer.basis is not Basis.ADJUSTED:
        bars = adjust(
            prices.bars,
            answer.basis,
            _together(_stored_actions(store, ticker, start), prices.actions),
            _stored_bars(store, ticker, "", whole=not start),
        )
        prices = replace(prices, bars=bars)
    return _Offer(answer, known.assumed, prices, days, _last_session(days, final), start)


def _traits_are_known(run: _Run, ticker: str, start: str) -> bool:
    """Tell whether currency and calendar are stored; damaged ones are replaced as rows are."""
    prices = run.store.prices
    return prices.has(ticker) if start else prices.has_sound_traits(ticker)


def _stored_bars(store: Store, ticker: str, start: str, *, whole: bool) -> Bars:
    """Read the rows that an answer is held against, from a day on.

    Damaged ones are left out where the whole history was asked for: it takes their place.
    """
    if whole:
        return store.prices.sound_bars(ticker)
    return store.prices.bars_since(ticker, start)


def _stored_actions(store: Store, ticker: str, start: str) -> tuple[Action, ...]:
    """Read the dividends and splits likewise."""
    return store.prices.actions(ticker) if start else store.prices.sound_actions(ticker)


def _last_session(calendar: Sessions, final: np.datetime64) -> np.datetime64:
    finished = calendar.dates[calendar.dates <= final]
    return finished[-1] if len(finished) else final


def _chosen_calendar(run: _Run, ticker: str, *, is_stored: bool = True) -> str | None:
    """Look up the calendar that somebody chose, now or before; None if the exchange decides."""
    if run.options.calendar is None:
        return run.store.prices.pinned_calendar(ticker) if is_stored else None
    return None if run.options.calendar == AUTO else run.options.calendar


def _first_day(store: Store, answer: SourceAnswer, today: np.datetime64) -> np.datetime64:
    """Find the first day there is, stored or in an answer whose dates may be unreadable."""
    given = answer.bars.dates
    given = np.append(given[~np.isnat(given)], today)
    return min(given.min(), *(store.prices.span(answer.instrument.ticker) or (today,)))


def _keep(run: _Run, ticker: str, offer: _Offer) -> FetchedTicker:
    store, answer = run.store, offer.answer
    fitting, moves = _fitting(run, ticker, offer)
    days, is_new = offer.calendar, not store.prices.has_sound_traits(ticker)
    # The sessions of an exchange are the same for all its tickers.
    if days.known and run.kept.get(days.exchange) is not days:
        store.sessions.put(days.exchange, days.dates, days.closes_utc)
    merged = store.prices.merge(
        answer.instrument,
        fitting.bars,
        offer.prices.actions,
        source=answer.source,
        at=utc_now(),
        rescaled=fitting.rescaled,
        revision=fitting.revision,
        mend=not offer.start,
    )
    pinned = _pin(run, ticker) | _choose_currency(run, ticker, answer)
    assumed = _assumed(offer)
    noted = assumed if is_new or (run.options.files and merged.added) else {}
    dates = store.prices.dates(ticker)
    return FetchedTicker(
        ticker=ticker,
        source=answer.source,
        rows_added=merged.added,
        rows_revised=merged.revised,
        rows_rejected=offer.prices.rejections,
        rows_incomplete=offer.prices.incomplete,
        large_moves=moves,
        missing_sessions=tuple(_gaps(dates, days)),
        first=str(dates[0]),
        last=str(dates[-1]),
        last_final_session=str(offer.last_session),
        rows=len(dates),
        currency=answer.instrument.currency,
        exchange=offer.calendar.exchange if offer.calendar.known else "",
        revision=fitting.revision,
        assumed=assumed,
        warnings=(
            *_assumptions(noted),
            *_warnings(run, offer, merged, dates[-1]),
            *_words_of_moves(moves),
            *_still_damaged(run, ticker),
        ),
        unchanged=merged.unchanged and not pinned,
    )


def _gaps(dates: Dates, calendar: Sessions) -> list[str]:
    # A weekday without a row may well have been a holiday.
    return gaps(dates, calendar.dates).astype(str).tolist() if calendar.known else []


def _fitting(run: _Run, ticker: str, offer: _Offer) -> tuple[Reconciled, tuple[LargeMove, ...]]:
    """Make the offer fit what is stored, and list its new large moves, or refuse it."""
    store, accept = run.store, run.options.accept_revision
    stored = _stored_bars(store, ticker, offer.start, whole=not offer.start)
    known = _stored_actions(store, ticker, offer.start)
    given = offer.prices
    if not len(given.bars) and not store.prices.has(ticker):
        raise RejectedDataError(
            f"{ticker}: {offer.answer.source} has no prices of a finished session",
            hint="run it again after the session, or take another --source",
        )
    try:
        fitting = reconcile(stored, given.bars, known, given.actions, accept=accept)
        series = joined(stored, fitting.rescaled, fitting.bars)
        moves = large_moves(series, known + given.actions, stored, accept=accept)
    except RejectedDataError as error:
        if offer.answer.basis is not Basis.AS_TRADED:
            raise _refusal(run, ticker, offer, stored, error) from error
        raise RejectedDataError(
            f"{ticker}: {error.message}; {offer.answer.source} gives prices as they were traded",
            hint=f"stocklstm fetch --ticker {ticker} gets the splits from Yahoo; then repeat "
            "this, or use --accept-revision",
        ) from error
    _require_prices(ticker, fitting)
    return fitting, moves


def _require_prices(ticker: str, fitting: Reconciled) -> None:
    """Refuse what would be called damaged once it is stored.

    Each price of an answer may be one, and still make none of another by which it is scaled.
    """
    for bars in (fitting.bars, fitting.rescaled):
        ranges = np.stack([bars.opens, bars.highs, bars.lows])
        closes = np.stack([bars.closes, bars.adj_closes])
        wrong = ((ranges <= 0) | (ranges > HIGHEST)).any(axis=0)
        wrong |= ~((closes > 0) & (closes <= HIGHEST)).all(axis=0)
        if wrong.any():
            day = bars.dates[wrong][0]
            raise RejectedDataError(
                f"{ticker}: in the scale of the new prices that of {day} would be no price",
                hint="look at what the source gives for that day and for those before it",
            )


def _refusal(
    run: _Run, ticker: str, offer: _Offer, stored: Bars, error: RejectedDataError
) -> RejectedDataError:
    """Say more of what was refused, if dividends have been taken off one of the two closes."""
    given, source = offer.prices.bars, offer.answer.source
    taken_off = "allow for dividends, as those of yf.download() and Ticker.history() do"
    if offer.answer.basis is Basis.ADJUSTED and follow_adjusted(stored, given):
        files = [f"--file {quoted(str(file))}" for file in run.options.files]
        place = " ".join(["", f"--source {run.options.source}", *files]) if files else ""
        return RejectedDataError(
            f"{ticker}: the stored closes {taken_off}, and the closes of {source} do not",
            hint=f"stocklstm fetch --ticker {ticker}{place} --full --accept-revision, which puts "
            f"both closes of {source} in their place",
        )
    if follow_adjusted(given, stored):
        return RejectedDataError(
            f"{ticker}: the closes of {source} {taken_off}, and the stored closes do not",
            hint=f"stocklstm fetch --ticker {ticker} gets new prices from Yahoo; or make the file "
            "again with auto_adjust=False",
        )
    hint = str(error.hint)
    if not run.options.files:
        # Also an evening, a training or a forecast fetches, and none of these has the option.
        hint = hint.replace(REPEAT, f"stocklstm fetch --ticker {ticker} --accept-revision")
    return RejectedDataError(f"{ticker}: {error.message}", hint=hint)


def _words_of_moves(moves: Sequence[LargeMove]) -> Iterator[str]:
    if moves:
        shown = [
            f"{move.date} ({price_words(move.before)} to {price_words(move.after)}, "
            f"{percent_change(move.change_pct)})"
            for move in moves
        ]
        yield f"stored with a move beyond 35 % that no recorded event explains: {first_few(shown)}"


def _pin(run: _Run, ticker: str) -> bool:
    """Keep the calendar somebody chose; tell whether that is another one than before."""
    chosen = run.options.calendar
    if chosen is None:
        return False
    wanted = None if chosen == AUTO else chosen
    if wanted == run.store.prices.pinned_calendar(ticker):
        return False
    run.store.prices.pin_calendar(ticker, wanted)
    return True


def _choose_currency(run: _Run, ticker: str, answer: SourceAnswer) -> bool:
    """Keep the currency that somebody chose or a source states; tell whether that is new."""
    chosen, known = run.options.currency, run.store.prices.chosen_currency(ticker)
    wanted, by = None if chosen == AUTO else chosen, "--currency"
    states = CURRENCY in answer.stated and answer.source != KNOWING
    if chosen is None and states and known is None:
        wanted, by = answer.instrument.currency, answer.source
    elif chosen is None:
        return False
    if wanted == known:
        return False
    run.store.prices.choose_currency(ticker, wanted, at=utc_now(), by=by)
    return True


def _assumed(offer: _Offer) -> dict[str, str]:
    instrument = offer.answer.instrument
    values = {CALENDAR: instrument.exchange or WEEKDAYS, CURRENCY: instrument.currency}
    return {trait: values[trait] for trait in offer.assumed}


def _assumptions(assumed: dict[str, str]) -> Iterator[str]:
    """Say what was only assumed, and the options that set it."""
    # Where weekdays stand in for a calendar, that is said by itself.
    guessed = {trait: v for trait, v in assumed.items() if v not in {"", WEEKDAYS}}
    if guessed:
        if len(guessed) > 1:
            yield english(
                "the calendar {calendar} and the currency {currency} are only assumed, from its "
                "name; say which by --calendar and --currency",
                **guessed,
            )
        elif CURRENCY in guessed:
            yield english(
                "the currency {currency} is only assumed, from its name; say which by --currency",
                **guessed,
            )
        else:
            yield english(
                "the calendar {calendar} is only assumed, from its name; say which by --calendar",
                **guessed,
            )
    if assumed.get(CURRENCY) == "":
        yield english("its currency is not known; say which by --currency")


def _together(stored: Sequence[Action], given: Sequence[Action]) -> list[Action]:
    """Lay the actions of an answer over the stored ones of the same day and kind."""
    return list({(a.date, a.kind): a for a in (*stored, *given)}.values())


def _warnings(run: _Run, offer: _Offer, merged: MergeResult, last: np.datetime64) -> Iterator[str]:
    ticker = offer.answer.instrument.ticker
    yield from offer.answer.notes
    # Who chose weekdays knows it.
    if not offer.calendar.known and _chosen_calendar(run, ticker) is None:
        yield english(
            "no calendar is known for its exchange: weekdays stand in for sessions, and holidays "
            "cannot be told from gaps; choose one with --calendar, or weekdays to keep to these"
        )
    if name := run.store.prices.other_history(ticker):
        yield english(
            "what was stored as {ticker} is {name} since prices rename, and these rows are a "
            "history of their own; if they are of the same share: {command}",
            ticker=ticker,
            name=name,
            command=f"stocklstm fetch --ticker {name}",
        )
    unadjusted = offer.answer.basis is not Basis.ADJUSTED and merged.added
    if unadjusted and not any(a.kind == "dividend" for a in run.store.prices.actions(ticker)):
        yield english("no dividends are known: its adjusted closes are its closes")
    if run.options.files:
        yield from _lost(offer, str(last))
    if run.live and offer.calendar.known and last < offer.last_session:
        yield _lateness(offer.answer.source, str(last), str(offer.last_session))


def _lost(offer: _Offer, last: str) -> Iterator[str]:
    """Name the rows of a file that are newer than the last stored one, and were not stored."""
    lost = [
        row
        for row in offer.prices.rejections
        if (
            row.date > last and _is_session(row.date, offer.calendar)
            if is_day(row.date)
            else row.reason == CUT_OFF
        )
    ]
    if lost:
        named = first_few([f"{row.date} ({row.reason})" for row in lost])
        yield f"not stored, and newer than the last stored row, of {last}: {named}"


def _is_session(day: str, calendar: Sessions) -> bool:
    """Tell whether a row of a day is missed: fillers of weekends and holidays are not."""
    return not calendar.closed_on(np.array([day], "datetime64[D]")).any()


def _still_damaged(run: _Run, ticker: str) -> list[str]:
    """Say what a whole answer did not replace, since it lacks rows that are stored."""
    faults = run.store.prices.faults(ticker) if run.options.full else []
    return [f"{fault}, and this source does not have all of them" for fault in faults]


def _lateness(source: str, last: str, finished: str) -> str:
    return english(
        "the last finished session is {finished}, the last row of {source} is of {last}",
        finished=finished,
        source=source,
        last=last,
    )
