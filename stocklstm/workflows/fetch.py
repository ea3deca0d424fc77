"""fetch: prices into the local store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from stocklstm.core.clock import utc_now
from stocklstm.core.config import LOCK_TIMEOUT_S
from stocklstm.core.outcomes import Failure, for_each
from stocklstm.core.series import Instrument, Rejection, SourceAnswer, parse_ticker
from stocklstm.errors import ConfigError, RejectedDataError
from stocklstm.market.calendar import last_final_day, local_day, missing_sessions, sessions
from stocklstm.market.clean import clean, require_explained_jumps
from stocklstm.market.source import FetchRequest, PriceSource, load_source
from stocklstm.store.store import Store, open_store

_YEAR = np.timedelta64(365, "D")


@dataclass(frozen=True)
class FetchOptions:
    """How to fetch.

    Attributes:
        source: Entry-point name of the source.
        file: For sources that read one.
        date_format: strptime pattern of its dates; None to find it out.
        accept_jumps: Believe moves beyond 35 % that no recorded split explains.
    """

    source: str = "yahoo"
    file: Path | None = None
    date_format: str | None = None
    accept_jumps: bool = False


DEFAULTS = FetchOptions()


@dataclass(frozen=True)
class FetchedTicker:
    """What one fetch did.

    Attributes:
        ticker: Whose prices.
        source: Where from.
        rows_added: Sessions that were not stored.
        rows_revised: Sessions whose prices changed.
        rows_rejected: Rows that were not stored, with the reason.
        missing_sessions: ISO days on which the exchange traded and there is no row.
        first: First stored ISO day.
        last: Last stored ISO day.
        rows: Stored sessions.
        currency: ISO 4217 code.
        exchange: Calendar; empty if weekdays stand in for one.
        unchanged: True if the fetch changed nothing.
    """

    ticker: str
    source: str
    rows_added: int
    rows_revised: int
    rows_rejected: tuple[Rejection, ...]
    missing_sessions: tuple[str, ...]
    first: str
    last: str
    rows: int
    currency: str
    exchange: str
    unchanged: bool


@dataclass(frozen=True)
class FetchResult:
    """Outcome for all tickers."""

    results: tuple[FetchedTicker, ...]
    failures: tuple[Failure, ...]


def fetch(
    tickers: Sequence[str],
    options: FetchOptions = DEFAULTS,
    *,
    home: Path | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> FetchResult:
    """Get prices from a source and merge them into the store.

    Args:
        tickers: As typed; none means all that are stored.
        options: Source and its details.
        home: The store; by default where the command line has it.
        lock_timeout_s: Seconds to wait for another writer.

    Raises:
        ConfigError: No such source, or nothing to fetch.
        StockLstmError: The store cannot be opened.
    """
    source = load_source(options.source)
    if options.file is not None and len(set(tickers)) != 1:
        raise ConfigError(
            "--file holds the prices of one ticker: name it, and no other",
            hint=f"stocklstm fetch --ticker PETR4.SA --source csv --file {options.file}",
        )
    with open_store(home, create=True, lock_timeout_s=lock_timeout_s) as store:
        names = tickers or store.prices.tickers()
        if not names:
            raise ConfigError(
                "no ticker was given and the store is empty",
                hint="stocklstm fetch --ticker PETR4.SA",
            )
        return FetchResult(
            *for_each(names, parse_ticker, lambda name: _fetch_one(store, source, name, options))
        )


def _fetch_one(
    store: Store, source: PriceSource, ticker: str, options: FetchOptions
) -> FetchedTicker:
    answer = source.fetch(FetchRequest(ticker, options.file, options.date_format))
    _require_same_currency(store, answer.instrument)
    now = datetime.now(UTC)
    today = local_day(answer.instrument.time_zone, now)
    days = sessions(answer.instrument.exchange, _first_day(answer, today), today + _YEAR)
    final = last_final_day(days, answer.instrument.time_zone, now)
    judged = clean(answer, days, last_final=final)
    if days.known and len(days.dates):
        store.sessions.put(days.exchange, days.dates, days.closes_utc)
    actions = judged.actions + store.prices.actions(ticker)
    merged = store.prices.merge(
        answer.instrument,
        judged.bars,
        judged.actions,
        source=answer.source,
        at=utc_now(),
        # The series as a whole: new rows may be fine in themselves and not fit the stored ones.
        check=lambda bars: require_explained_jumps(bars, actions, accept=options.accept_jumps),
    )
    stored = store.prices.bars(ticker)
    return FetchedTicker(
        ticker=ticker,
        source=answer.source,
        rows_added=merged.added,
        rows_revised=merged.revised,
        rows_rejected=judged.rejections,
        missing_sessions=tuple(missing_sessions(stored, days).astype(str).tolist()),
        first=str(stored.dates[0]),
        last=str(stored.dates[-1]),
        rows=len(stored),
        currency=answer.instrument.currency,
        exchange=answer.instrument.exchange,
        unchanged=merged.unchanged,
    )


def _require_same_currency(store: Store, instrument: Instrument) -> None:
    if instrument.ticker not in store.prices.tickers():
        return
    stored = store.prices.instrument(instrument.ticker).currency
    if stored != instrument.currency:
        raise RejectedDataError(
            f"{instrument.ticker} is stored in {stored or 'no currency'}, and this source quotes "
            f"it in {instrument.currency or 'none'}",
            hint="keep to one source, or use another STOCKLSTM_HOME for this one",
        )


def _first_day(answer: SourceAnswer, today: np.datetime64) -> np.datetime64:
    """Find the first day of an answer not judged yet, whose dates may be unreadable."""
    dates = answer.bars.dates
    return min(dates[~np.isnat(dates)], default=today)
