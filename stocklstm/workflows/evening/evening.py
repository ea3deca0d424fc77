"""evening: fetch, retrain, forecast and score, for one line of cron; one such run at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import dataclass
from functools import partial

import numpy as np

from stocklstm.core.batch import Batch, Failure, Named, Result, attempt_each, each_once
from stocklstm.core.clock import utc_now
from stocklstm.core.prices.series import Dates
from stocklstm.core.reference import (
    StoredTicker,
    parse_reference,
    parse_ticker,
)
from stocklstm.core.wording import counted, first_few
from stocklstm.errors import (
    NotFoundError,
    StaleDataError,
    StockLstmError,
    StoreLockedError,
    TryAgainError,
)
from stocklstm.store.ledger import LedgerColumns
from stocklstm.store.store import Store
from stocklstm.workflows.evening.renewal import NewModel, Renew, renewed
from stocklstm.workflows.ledger import Lookups, closed_forecasts
from stocklstm.workflows.loading.model import tickers_with_champions
from stocklstm.workflows.loading.pooled_model import pool_tickers
from stocklstm.workflows.predict.history import PastForecast, list_forecasts
from stocklstm.workflows.predict.predict import Forecast, predict, unknown_words
from stocklstm.workflows.prices.fetch import FetchedTicker, TickerDone, fetch
from stocklstm.workflows.prices.intraday import is_behind
from stocklstm.workflows.prices.plan import FetchOptions, plan_fetch

_LOCK = "evening"

_MERELY_LATE = 1
"""Sessions that prices may be behind because the source is late; behind by more they are stale."""


@dataclass(frozen=True, repr=False)
class EveningTicker(Result):
    """What became of a ticker this evening.

    Attributes:
        ticker: Whose.
        fetched: What the fetch did; None if no session has ended since the last stored close, so
            that nothing was asked for, or if it failed.
        trained: The version that was trained; None if none was.
        forecast: The forecast, as `predict` gives it.
        closed: The forecast of the session whose close is now the last one, beside that close; None
            if there was none in time.
        missed_sessions: ISO days of the latest sessions that no forecast on record is of, though
            there are some of earlier ones: on the evenings before them nothing was forecast.
        model_sessions: Stored closes after the last one that its model has seen.
        stale_sessions: Sessions that have ended since the last stored close.
        warnings: What to know of prices and forecast, one line each.
        unchanged: True if nothing of it is new.
    """

    SHOWN = (
        "ticker",
        "forecast_target_session",
        "forecast_point",
        "closed_point",
        "closed_outcome",
        "forecast_verdict",
    )
    SAID = ("forecast_verdict_text",)

    ticker: str
    fetched: FetchedTicker | None
    trained: NewModel | None
    forecast: Forecast
    closed: PastForecast | None
    model_sessions: int
    stale_sessions: int
    warnings: tuple[str, ...]
    unchanged: bool
    missed_sessions: tuple[str, ...] = ()


EveningResult = Batch[EveningTicker]


def evening(
    store: Store,
    tickers: Sequence[str],
    *,
    pool: str | None,
    renew: Renew | None,
    on_ticker: Callable[[TickerDone], None],
    finish: Callable[[EveningResult], EveningResult],
) -> EveningResult:
    """Fetch, retrain, forecast and score; see `Client.evening`.

    Args:
        renew: Trains those tickers that are due; None trains none.
    """
    with _alone(store):
        named = list(each_once(evening_names(store, tickers, pool), parse_ticker))
        unknown = _unreadable(named)
        chosen = [each.key for each in named if isinstance(each.key, str)]
        if not chosen:
            # To `predict` none would be all.
            return finish(Batch((), tuple(unknown)))
        fetched, unfetched = _fetched(store, chosen, on_ticker)
        new = renewed(chosen, renew)
        models = {model.ticker: model for model in new.results}
        made = predict(store, [StoredTicker(ticker) for ticker in chosen], pool=pool)
        rows, odd = attempt_each(
            (Named(each.ticker, each.ticker, each.ticker) for each in made.forecasts),
            partial(_row, store, {each.ticker: each for each in made.forecasts}, fetched, models),
        )
        before = (*_unfetched(unfetched, rows), *new.failures)
        missing = (*_unsaid(made.failures, before), *odd)
        late = [failure for row in rows if (failure := _late(row)) is not None]
        return finish(Batch(rows, (*unknown, *before, *missing, *late)))


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    """Let one evening be under way at a time.

    Raises:
        StoreLockedError: Another one still is after the time to wait.
    """
    store.require_writable()
    with ExitStack() as held:
        try:
            held.enter_context(store.writing(_LOCK))
        except StoreLockedError as error:
            raise StoreLockedError(
                f"another evening has been under way for more than {store.lock_timeout_s:g} s",
                hint="it does the same: wait for its end, or allow more time with --lock-timeout",
            ) from error
        yield


def evening_names(store: Store, tickers: Sequence[str], pool: str | None) -> Sequence[str]:
    """Take the tickers given, or all that have a champion, or all that a pooled model knows."""
    if pool is not None:
        return pool_tickers(store, pool, tickers)
    return tickers or tickers_with_champions(store)


def _unreadable(named: Sequence[Named[str]]) -> list[Failure]:
    """Report each name that is no ticker."""
    return [
        Failure(each.ticker, each.key) for each in named if isinstance(each.key, StockLstmError)
    ]


def _fetched(
    store: Store, tickers: Sequence[str], on_ticker: Callable[[TickerDone], None]
) -> tuple[dict[str, FetchedTicker], tuple[Failure, ...]]:
    """Get new prices of the tickers that may have some.

    Where no session has ended since the last stored close nobody is asked: so a second run of an
    evening, a weekend and a holiday need no network.
    """
    wanted = [StoredTicker(ticker) for ticker in tickers if _may_have_news(store, ticker)]
    if not wanted:
        return {}, ()
    try:
        plan = plan_fetch(wanted, FetchOptions(), lambda _: None)
        result = fetch(store, plan, on_ticker)
    except StockLstmError as error:
        return {}, tuple(Failure(str(ticker), error) for ticker in wanted)
    return {item.ticker: item for item in result.results}, result.failures


def _may_have_news(store: Store, ticker: str) -> bool:
    # New prices of an old name would be a second history; `predict` says so.
    if ticker in store.prices.renamed():
        return False
    span = store.prices.span(ticker)
    if span is None:
        return True
    exchange = store.prices.instrument(ticker).exchange
    if store.sessions.ended_since(exchange, str(span[1]), utc_now()) > 0:
        return True
    # What an earlier evening could not get.
    return is_behind(store, ticker, FetchOptions().source)


def _row(
    store: Store,
    forecasts: Mapping[str, Forecast],
    fetches: Mapping[str, FetchedTicker],
    models: Mapping[str, NewModel],
    ticker: str,
) -> EveningTicker:
    """Put together what is known of a ticker."""
    forecast, fetched, trained = forecasts[ticker], fetches.get(ticker), models.get(ticker)
    owner = parse_reference(forecast.model).ticker
    seen = store.registry.manifest(owner, forecast.version).data.last
    dates = store.prices.dates(forecast.ticker)
    closed = _closed(store, forecast, owner)
    return EveningTicker(
        ticker=forecast.ticker,
        fetched=fetched,
        trained=trained,
        forecast=forecast,
        closed=closed,
        model_sessions=int((dates > np.datetime64(seen, "D")).sum()),
        stale_sessions=forecast.stale_sessions,
        warnings=_warnings(forecast, fetched, closed),
        unchanged=(
            forecast.unchanged and trained is None and (fetched is None or fetched.unchanged)
        ),
        missed_sessions=_missed(store, forecast, owner, dates) if closed is None else (),
    )


def _missed(store: Store, forecast: Forecast, owner: str, dates: Dates) -> tuple[str, ...]:
    """List the sessions since the one that a forecast was last of; none if there was none."""
    pool = "" if owner == forecast.ticker else owner
    latest = store.ledger.latest(forecast.ticker, forecast.horizon, forecast.as_of, 1, pool)
    if not len(latest):
        return ()
    last = np.datetime64(latest.target_session[-1], "D")
    return tuple(dates[dates > last].astype(str).tolist())


def _closed(store: Store, forecast: Forecast, owner: str) -> PastForecast | None:
    """Find the forecast whose session closed last, and that counts as in `evaluate --live`."""
    ticker, last = forecast.ticker, forecast.as_of
    pool = "" if owner == ticker else owner
    entries = [
        entry
        for entry in store.ledger.since(ticker, last)
        if entry.target_session == last and entry.pool == pool
    ]
    if not entries:
        return None
    bars = store.prices.bars_since(ticker, min(entry.as_of for entry in entries))
    given = LedgerColumns.of(ticker, entries, pool)
    closed, _ = closed_forecasts(Lookups(store), bars, given, forecast.horizon, None)
    if not len(closed):
        return None
    model = f"{owner}@v{closed.versions[-1]}"
    on_record = list_forecasts(store, [StoredTicker(ticker)], last).results
    wanted = (last, model, forecast.horizon)
    return next(p for p in on_record if (p.target_session, p.model, p.horizon) == wanted)


def _warnings(
    forecast: Forecast, fetched: FetchedTicker | None, closed: PastForecast | None
) -> tuple[str, ...]:
    """Say what is new to know; how old the prices are is said by the errors."""
    said = () if fetched is None else fetched.warnings
    late = None if fetched is None else fetched.lateness
    if forecast.unchanged:
        # Its warnings were given when it was first made.
        return tuple(words for words in said if words != late)
    stale = [check.detail for check in forecast.checks if check.name == "prices"]
    old = [late]
    if fetched is None or fetched.exchange:
        old += stale
    if closed is not None and closed.model == forecast.model:
        # That was said with the forecast before, and will be true for good.
        old.append(unknown_words(forecast.model))
    return tuple(words for words in (*said, *forecast.warnings) if words not in old)


def _late(row: EveningTicker) -> Failure | None:
    """Say that prices are still missing though the source was asked, and answered."""
    fetched, behind = row.fetched, row.stale_sessions
    # Without a calendar a weekday without prices may well have been a holiday.
    if fetched is None or not behind or not fetched.exchange:
        return None
    made = f"the forecast is made from the close of {row.forecast.as_of}"
    again = "stocklstm evening, in half an hour: a second run does only what is still to be done"
    error: StockLstmError
    if fetched.last == fetched.last_final_session:
        error = TryAgainError(
            f"its session has ended, and its prices are not final yet: {made}", hint=again
        )
    elif behind <= _MERELY_LATE:
        error = TryAgainError(
            f"{fetched.source} has no prices of {fetched.last_final_session} yet: {made}",
            hint=again,
        )
    else:
        error = StaleDataError(
            f"{fetched.source} has had no prices for {behind} sessions: {made}",
            hint=f"stocklstm prices show {row.ticker}; without trading there is no forecast",
        )
    return Failure(row.ticker, error)


def _unsaid(unmade: Sequence[Failure], before: Sequence[Failure]) -> Iterator[Failure]:
    """Pass on why there is no forecast, unless that has been said already."""
    tickers = {failure.ticker for failure in before}
    said = {(failure.ticker, failure.error.message) for failure in before}
    for failure in unmade:
        # What keeps a champion from being judged keeps it from forecasting, too.
        again = (failure.ticker, failure.error.message) in said
        if not (again or (isinstance(failure.error, NotFoundError) and failure.ticker in tickers)):
            yield failure


def _unfetched(failures: Sequence[Failure], rows: Sequence[EveningTicker]) -> Iterator[Failure]:
    """Add to each failed fetch what its forecast is made from, and join those that say the same."""
    made = {row.ticker: row for row in rows}
    groups: dict[tuple[type, str, str | None], list[Failure]] = {}
    for failure in failures:
        words = _said(failure, made.get(str(failure.ticker)))
        groups.setdefault((type(failure.error), words, failure.error.hint), []).append(failure)
    for (_, words, _), same in groups.items():
        names = [str(failure.ticker) for failure in same]
        shared = copy(same[0].error)
        shared.message = words if len(same) == 1 else f"{first_few(names)}: {words}"
        shared.__cause__ = same[0].error.__cause__
        yield from (Failure(failure.ticker, shared) for failure in same)


def _said(failure: Failure, row: EveningTicker | None) -> str:
    words = failure.error.message.removeprefix(f"{failure.ticker}: ")
    # Where only bars within sessions are missing, prices are not behind.
    if row is None or not row.stale_sessions:
        return words
    behind = f"{counted(row.stale_sessions, 'session')} behind"
    return f"{words}; the forecast is made from the close of {row.forecast.as_of}, {behind}"
