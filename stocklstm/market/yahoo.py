"""Prices from Yahoo Finance through yfinance, with the errors that yfinance hides."""

import logging
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from filelock import FileLock, Timeout
from platformdirs import user_cache_dir

from stocklstm.core.prices.answers import SourceAnswer
from stocklstm.core.prices.realised import IntradayBars
from stocklstm.core.prices.series import (
    Action,
    Bars,
    Floats,
    Instrument,
)
from stocklstm.core.symbols import doubt
from stocklstm.errors import (
    NetworkError,
    RateLimitedError,
    RejectedDataError,
    StockLstmError,
    StorageError,
    StoreLockedError,
    UnknownTickerError,
)
from stocklstm.market.instrument import calendar_name, guess_instrument
from stocklstm.market.source import FetchRequest, IntradayRequest

if TYPE_CHECKING:
    from pandas import DataFrame

T = TypeVar("T")

# Kiribati is first to see a day.
_EARLIEST_ZONE_S = 14 * 3600

# Longer than yfinance takes for one ticker at its worst.
_LOCK_TIMEOUT_S = 120.0

# Yahoo's words for a range without sessions, and for a ticker without any.
_NO_SESSIONS = "Data doesn't exist for startDate"
_NO_TICKER = ("No data found", "delisted", "Not Found")


class YahooSource:
    """Asks Yahoo Finance, one ticker and one attempt at a time.

    Attributes:
        pause_s: Seconds to leave between two questions.
        reaches: How many days back there are bars, by their length in minutes: two fewer than
            Yahoo says, since it counts from the moment and a request begins the day before.
    """

    pause_s = 0.2
    reaches: Mapping[int, int] = MappingProxyType({5: 58, 15: 58, 60: 728})

    def __init__(self, timeout_s: float = 20.0) -> None:
        """Set the time limit.

        Args:
            timeout_s: Longest wait for the prices. yfinance itself waits 10 s for the time zone
                of a ticker it has not met and 30 s for its cookie.
        """
        self.timeout_s = timeout_s

    def fetch(self, request: FetchRequest) -> SourceAnswer:
        """Fetch all daily bars, or those from `start` on, with dividends and splits.

        Returns:
            Bars without rows if Yahoo knows the ticker but no session since `start`.

        Raises:
            UnknownTickerError: Yahoo does not know the ticker, or no longer does.
            RateLimitedError: Yahoo asks this machine to stop.
            NetworkError: No answer, or one that is not data.
            StorageError: yfinance's cache cannot be used.
            ConfigError: A file was given.
        """
        request.require_no_file("yahoo")
        return _with_sound_cache(lambda: self._fetch(request))

    def fetch_intraday(self, request: IntradayRequest) -> IntradayBars:
        """Fetch bars within sessions, from a day on; prices are adjusted for splits.

        Returns:
            Bars, also of the session that goes on; none if Yahoo has no session since then.

        Raises:
            RejectedDataError: Yahoo has no bars of this length, or not so far back.
            StockLstmError: As `fetch`.
        """
        return _with_sound_cache(lambda: self._fetch_intraday(request))

    def _fetch_intraday(self, request: IntradayRequest) -> IntradayBars:
        client = _load_client()
        warnings.simplefilter("ignore")
        try:
            frame = client.Ticker(request.ticker).history(
                start=_moment(request.start),
                interval=f"{request.minutes}m",
                auto_adjust=False,
                timeout=self.timeout_s,
            )
        except client.exceptions.YFPricesMissingError as error:
            if not error.yahoo_reason:
                raise _not_data(request.ticker) from error
            if _NO_SESSIONS not in error.yahoo_reason:
                raise RejectedDataError(
                    f"{request.ticker}: Yahoo gives no bars of {request.minutes} minutes",
                    hint=f"stocklstm fetch --ticker {request.ticker} --no-intraday leaves them out",
                ) from error
            return _intraday_bars(None, request.minutes)
        except Exception as error:
            raise _translated(error, request.ticker) from error
        return _intraday_bars(frame, request.minutes)

    def _fetch(self, request: FetchRequest) -> SourceAnswer:
        client = _load_client()
        # Once more, because yfinance's import asks to see its own deprecations.
        warnings.simplefilter("ignore")
        ticker = client.Ticker(request.ticker)
        span = {"period": "max"} if request.start is None else {"start": _moment(request.start)}
        try:
            # Never an `end`: yfinance remembers failed answers for ranges of the past.
            frame = ticker.history(auto_adjust=False, timeout=self.timeout_s, **span)
        except client.exceptions.YFPricesMissingError as error:
            return _empty_answer(request, error, ticker.get_history_metadata())
        except Exception as error:
            raise _translated(error, request.ticker) from error
        answer = _answer(request.ticker, frame, ticker.get_history_metadata())
        return answer if request.start is None else _since(answer, request.start)


def _with_sound_cache(question: Callable[[], T]) -> T:
    """Ask yfinance, and once more with an empty cache where that cannot be used."""
    with _quiet(), _cache_lock():
        try:
            return question()
        except StorageError:
            # Many processes at once, or a crash in one of them, break yfinance's cache.
            _wipe_cache()
            return question()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep yfinance's log lines and pandas' warnings off the terminal: errors say it all."""
    logger = logging.getLogger("yfinance")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def cache_directory() -> Path:
    """Return yfinance's directory, in `STOCKLSTM_CACHE` or the user's cache."""
    return Path(os.environ.get("STOCKLSTM_CACHE") or user_cache_dir("stocklstm")) / "yahoo"


@contextmanager
def _cache_lock() -> Iterator[None]:
    """Let one process at a time use yfinance's cache, whichever store it fetches for."""
    folder = cache_directory()
    lock = FileLock(folder.with_name("yahoo.lock"), timeout=_LOCK_TIMEOUT_S)
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            held.enter_context(lock)
        except Timeout as error:
            raise StoreLockedError(
                f"another process has been asking Yahoo for more than {_LOCK_TIMEOUT_S:g} s",
                hint="wait for it to end, then run it again",
            ) from error
        except OSError:
            # Where there can be no lock there can be no cache either; yfinance does without.
            pass
        yield


def _wipe_cache() -> None:
    """Delete yfinance's cache and make it forget the files it has open."""
    from yfinance import cache as caches

    folder = cache_directory()
    caches.set_cache_location(str(folder))  # closes the databases
    for manager, name in (
        (caches._TzCacheManager, "_tz_cache"),  # noqa: SLF001 - there is no public way
        (caches._CookieCacheManager, "_Cookie_cache"),  # noqa: SLF001
        (caches._ISINCacheManager, "_isin_cache"),  # noqa: SLF001
    ):
        setattr(manager, name, None)
    shutil.rmtree(folder, ignore_errors=True)


@cache
def _load_client() -> Any:  # noqa: ANN401 - yfinance ships no types
    """Import yfinance and set it up once: its cache must not move while it is in use."""
    import yfinance

    yfinance.config.debug.hide_exceptions = False
    yfinance.set_tz_cache_location(str(cache_directory()))
    return yfinance


def _moment(day: str) -> int:
    """Return the second before which no exchange on earth can have begun a day.

    Not the day itself: yfinance looks for its midnight at the exchange, and on the days that
    clocks are changed there is none, or two.
    """
    return int(np.datetime64(day, "s").astype(np.int64)) - _EARLIEST_ZONE_S


def _since(answer: SourceAnswer, start: str) -> SourceAnswer:
    """Drop the day before, for which `_moment` may have asked; an earlier one is odd and stays."""
    day_before = np.datetime64(start, "D") - np.timedelta64(1, "D")
    return replace(answer, bars=answer.bars.select(answer.bars.dates != day_before))


def _answer(ticker: str, frame: "DataFrame", metadata: Mapping[str, Any]) -> SourceAnswer:
    bars = _bars(frame)
    actions = _actions(bars, frame, "Dividends", "dividend") + _actions(
        bars, frame, "Stock Splits", "split"
    )
    return SourceAnswer(
        _instrument(ticker, metadata), bars, actions, (), "yahoo", stated=_stated(metadata)
    )


def _empty_answer(
    request: FetchRequest,
    error: Any,  # noqa: ANN401
    metadata: Mapping[str, Any],
) -> SourceAnswer:
    """Distinguish a range without sessions, an unknown ticker, and an answer that is neither."""
    reason = error.yahoo_reason or ""
    known = _NO_SESSIONS in reason or (not reason and "exchangeName" in metadata)
    if known and request.start is not None:
        instrument = _instrument(request.ticker, metadata)
        return SourceAnswer(instrument, _no_bars(), (), (), "yahoo", stated=_stated(metadata))
    if known or any(words in reason for words in _NO_TICKER):
        raise _unknown(request.ticker) from error
    raise _not_data(request.ticker) from error


def _bars(frame: "DataFrame") -> Bars:
    dates = np.array([moment.date() for moment in frame.index], "datetime64[D]")
    names = ("Open", "High", "Low", "Close", "Adj Close", "Volume")
    return Bars(dates, *(_column(frame, name) for name in names))


def _intraday_bars(frame: "DataFrame | None", minutes: int) -> IntradayBars:
    """Read the bars of an answer; those without a price are none."""
    if frame is None or frame.empty:
        return IntradayBars(np.empty(0, np.int64), minutes, *(np.empty(0) for _ in range(4)))
    starts = np.array([moment.timestamp() for moment in frame.index]).astype(np.int64)
    prices = [_column(frame, name) for name in ("Open", "High", "Low", "Close")]
    return IntradayBars(starts, minutes, *prices)


def _no_bars() -> Bars:
    return Bars(np.empty(0, "datetime64[D]"), *(np.empty(0) for _ in range(6)))


def _column(frame: "DataFrame", name: str) -> Floats:
    return frame[name].to_numpy(np.float64, copy=True)


def _actions(bars: Bars, frame: "DataFrame", name: str, kind: str) -> tuple[Action, ...]:
    values = _column(frame, name)
    days = np.flatnonzero(values)
    return tuple(Action(str(bars.dates[day]), kind, float(values[day])) for day in days)


def _instrument(ticker: str, metadata: Mapping[str, Any]) -> Instrument:
    guess = guess_instrument(ticker)
    if not metadata.get("exchangeName"):
        return guess
    return Instrument(
        ticker,
        currency=str(metadata.get("currency") or guess.currency),
        exchange=calendar_name(str(metadata["exchangeName"])),
        time_zone=str(metadata.get("exchangeTimezoneName") or guess.time_zone),
    )


def _stated(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    names = {"calendar": "exchangeName", "currency": "currency"}
    return tuple(trait for trait, name in names.items() if metadata.get(name))


def _unknown(ticker: str) -> UnknownTickerError:
    # What old stores hold is refreshed under the name it has there.
    doubtful = doubt(ticker)
    hint = doubtful.instead if doubtful else "check the spelling (B3 tickers end in .SA)"
    return UnknownTickerError(f"{ticker}: unknown or delisted", hint=hint)


def _not_data(ticker: str) -> NetworkError:
    return NetworkError(
        f"{ticker}: Yahoo sent something other than data", hint="try again in a few minutes"
    )


def _translated(error: Exception, ticker: str) -> StockLstmError:
    """Turn errors of yfinance, pandas, peewee or the transport into ours."""
    from yfinance.exceptions import YFRateLimitError, YFTickerMissingError

    response = getattr(error, "response", None)
    status = getattr(response, "status_code", 0) or 0
    if isinstance(error, YFRateLimitError) or status == 429:
        return RateLimitedError(
            "Yahoo is rate-limiting this machine",
            hint="try again in an hour; stored prices are untouched",
        )
    if isinstance(error, YFTickerMissingError) or status == 404:
        return _unknown(ticker)
    if type(error).__module__ == "peewee":  # yfinance's choice of database, none of ours
        return StorageError(
            f"yfinance's cache {cache_directory()} cannot be used: {error}",
            hint="delete that directory, or set STOCKLSTM_CACHE to one that you may write",
        )
    # The client's transport errors are OSErrors; those of its JSON readers are ValueErrors too.
    if isinstance(error, OSError) and not isinstance(error, ValueError) and not status:
        return NetworkError(
            f"{ticker}: no answer from Yahoo", hint="check the connection, then try again"
        )
    return _not_data(ticker)
