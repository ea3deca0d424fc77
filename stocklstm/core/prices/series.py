"""Daily price series as NumPy arrays: what crosses every boundary of the program."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from stocklstm.core.digest import sha256_hex
from stocklstm.core.records import dataclass

Floats = NDArray[np.float64]
Dates = NDArray[np.datetime64]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]

JITTER = 1e-5
"""Relative difference below which two prices are the same.

Yahoo's adjusted closes differ in the seventh digit from one identical call to the next.
"""


_FEW_DAYS = 400
"""So many are remembered at most: a whole history would take too much memory."""


def parse_days(days: Sequence[str]) -> Dates:
    """Turn ISO days into dates, (N,) datetime64[D], which may not be written.

    Raises:
        ValueError: One of them is no day.
    """
    # Most tickers have the very same days, and to parse them would take longer than to read them.
    return _parsed(tuple(days)) if len(days) <= _FEW_DAYS else _parsed.__wrapped__(days)


@lru_cache(maxsize=8)
def _parsed(days: Sequence[str]) -> Dates:
    dates = np.array(days, "datetime64[D]")
    dates.flags.writeable = False
    return dates


def iso_days(dates: Dates) -> AbstractSet[str]:
    """Turn dates, (N,) datetime64[D], into ISO days; see `parse_days`."""
    few = len(dates) <= _FEW_DAYS
    return (_written if few else _written.__wrapped__)(dates.astype("datetime64[D]").tobytes())


@lru_cache(maxsize=8)
def _written(dates: bytes) -> AbstractSet[str]:
    days = np.frombuffer(dates, "datetime64[D]")
    return frozenset(np.datetime_as_string(days, unit="D").tolist())


COLUMNS = ("opens", "highs", "lows", "closes", "adj_closes", "volumes")
"""Names of the prices in `Bars`, in order."""


@dataclass(frozen=True, eq=False)
class DayVariances:
    """What the bars within sessions say of N days.

    Attributes:
        minutes: (N,) length of the bars; 0 where a day has none.
        variances: (N,) squared log returns, without the night; NaN where a day has none.
    """

    minutes: Indices
    variances: Floats

    def select(self, rows: Indices | Flags | slice) -> "DayVariances":
        """Keep some rows, chosen by anything that indexes an array along its first axis."""
        return DayVariances(self.minutes[rows], self.variances[rows])

    def counts(self) -> dict[str, int]:
        """Count the days of each kind: "daily" of those without, "60-minute" and so on."""
        lengths, counts = np.unique(self.minutes, return_counts=True)
        return {
            f"{length}-minute" if length else "daily": count
            for length, count in zip(lengths.tolist(), counts.tolist(), strict=True)
        }


@dataclass(frozen=True, eq=False)
class Bars:
    """Daily bars, oldest first; N sessions, all arrays of shape (N,).

    Prices are in the instrument's currency. `closes` are adjusted for splits only and are what
    a person sees quoted; `adj_closes` are adjusted for splits and dividends. Opens, highs and
    lows are NaN where a source gives closes alone. `realised` is None where nobody asked for it.

    Example:
        >>> with stocklstm.open() as client:
        ...     bars = client.store().prices.bars("PETR4.SA")
        >>> len(bars), bars.last_day, bars.closes[-1].item()
        (3514, '2024-03-13', 36.380001)
    """

    dates: Dates
    opens: Floats
    highs: Floats
    lows: Floats
    closes: Floats
    adj_closes: Floats
    volumes: Floats
    realised: DayVariances | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        """Count the sessions."""
        return len(self.dates)

    def select(self, rows: Indices | Flags | slice) -> "Bars":
        """Keep some rows, chosen by anything that indexes an array along its first axis."""
        return Bars(
            self.dates[rows],
            self.opens[rows],
            self.highs[rows],
            self.lows[rows],
            self.closes[rows],
            self.adj_closes[rows],
            self.volumes[rows],
            realised=None if self.realised is None else self.realised.select(rows),
        )

    def since(self, day: str | None) -> "Bars":
        """Leave out the sessions before an ISO day; None leaves out none."""
        first = 0 if day is None else int(np.searchsorted(self.dates, np.datetime64(day, "D")))
        return self.select(slice(first, None)) if first else self

    @cached_property
    def last_day(self) -> str:
        """ISO day of the last session."""
        return str(self.dates[-1])

    @cached_property
    def log_returns(self) -> Floats:
        """Log returns of the adjusted close, (N,); the first is NaN, having no day before it."""
        returns = np.full(len(self), np.nan)
        logs = np.log(self.adj_closes)
        returns[1:] = logs[1:] - logs[:-1]
        return returns

    @cached_property
    def derived(self) -> "dict[object, Floats]":
        """Cache of volatilities and features of these bars, by what made them."""
        return {}

    def returns_over(self, horizon: int) -> Floats:
        """Sum log returns over a horizon h, from 1 to N - 1 sessions.

        Returns:
            (N - h,) the return from each row's adjusted close to that of h rows later.
        """
        spans = np.lib.stride_tricks.sliding_window_view(self.log_returns[1:], horizon)
        total: Floats = spans.sum(axis=1)
        return total

    def fingerprint(self) -> str:
        """Hash dates and every price (hex sha256): a model keeps it of the rows that it saw.

        Realised values are hashed, too, where they are there.
        """
        columns = [getattr(self, name).astype("<f8").tobytes() for name in COLUMNS]
        if self.realised is not None:
            columns += [
                self.realised.minutes.astype("<i8").tobytes(),
                self.realised.variances.astype("<f8").tobytes(),
            ]
        return sha256_hex(self.dates.astype("datetime64[D]").astype("<i8").tobytes(), *columns)


@dataclass(frozen=True)
class Instrument:
    """What is known of a ticker besides its prices.

    Example:
        >>> stocklstm.Instrument("PETR4.SA", "BRL", "BVMF", "America/Sao_Paulo").currency
        'BRL'

    Attributes:
        ticker: Yahoo's name, upper case.
        currency: ISO 4217 code, such as BRL; of a pair what it is quoted in, such as USDT.
        exchange: Name of the exchange's calendar, such as BVMF.
        time_zone: IANA name, such as America/Sao_Paulo.
    """

    ticker: str
    currency: str
    exchange: str
    time_zone: str


@dataclass(frozen=True)
class Action:
    """A dividend (currency per share) or a split (new shares per old one) on its ex-date.

    Example:
        >>> stocklstm.Action("2008-04-28", "split", 2.0).value
        2.0

    Attributes:
        date: ISO day, exchange-local.
        kind: "dividend" or "split".
        value: Always above zero.
    """

    date: str
    kind: str
    value: float


def fill_missing(given: Bars, stored: Bars) -> Bars:
    """Fill what given rows lack with what is stored for the same days.

    Args:
        given: N rows, no date twice.
        stored: M rows, no date twice.

    Returns:
        The N given rows; NaN is left only where nothing is stored either.
    """
    _, in_given, in_stored = np.intersect1d(
        given.dates, stored.dates, assume_unique=True, return_indices=True
    )
    columns = {}
    for name in COLUMNS:
        values = getattr(given, name).copy()
        known = getattr(stored, name)[in_stored]
        values[in_given] = np.where(np.isnan(values[in_given]), known, values[in_given])
        columns[name] = values
    return replace(given, **columns)


def new_actions(given: Iterable[Action], stored: Iterable[Action]) -> list[Action]:
    """Choose the actions that are not stored yet, or with another value, in the given order."""
    known = {(action.date, action.kind): action.value for action in stored}
    return [
        action
        for action in given
        if not np.isclose(
            action.value, known.get((action.date, action.kind), np.nan), rtol=JITTER, atol=0
        )
    ]


def outcomes(bars: Bars, origins: Indices, horizon: int = 1) -> Floats:
    """Give the closes that came after each origin, dividends added back.

    Args:
        origins: (n,) rows, each below N - horizon.

    Returns:
        (n,) in currency.
    """
    growth = bars.adj_closes[origins + horizon] / bars.adj_closes[origins]
    return bars.closes[origins] * growth
