"""A file of prices that has been opened: whose prices it holds, and the rows of each."""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import numpy as np

from stocklstm.core.prices.adjustment import leaves_splits_in, without_splits
from stocklstm.core.prices.answers import CUT_OFF, Rejection
from stocklstm.core.prices.realised import IntradayBars
from stocklstm.core.prices.series import Action, Bars, Floats
from stocklstm.core.prices.spacing import spaced_run, spacing_days, spacing_name, spacing_words
from stocklstm.errors import RejectedDataError, StockLstmError
from stocklstm.market.instrument import SHARED_SIGNS, stated_currency
from stocklstm.market.tables.columns import NUMBERS, Columns, currency_of_name
from stocklstm.market.tables.date_column import Cell, DateColumn
from stocklstm.market.tables.dates import DateReader, Moment, join_time, patterned
from stocklstm.market.tables.instants import UNSAID, Moments, local_moments, on_weekends
from stocklstm.market.tables.intraday import (
    bars_within,
    is_intraday,
    one_row_a_day,
    whole_days,
)
from stocklstm.market.tables.numbers import Notation, currency_of, find_notation, read_number
from stocklstm.market.tables.shown import shown
from stocklstm.market.tables.table import Row, Table, cell, read_table
from stocklstm.market.tables.tickers import is_named

# A calendar that knows no weekends.
_EVERY_DAY = "24/7"

# Cells that all have so many decimals are written so on purpose, and so are many with fewer.
_MANY_DECIMALS = 4
_FEW_ROWS, _MANY_ROWS = 5, 50

# A Saturday now and then is a session of some exchanges.
_MANY_WEEKENDS = 0.05

_ADJUSTED = (
    "yfinance has worked dividends into these closes, which are not those that were quoted; "
    "download with auto_adjust=False for both"
)


@dataclass(frozen=True)
class FileForm:
    """What the user says of a file's form; whatever is None is found out.

    Attributes:
        date_format: strptime pattern of its dates.
        decimal: What precedes the decimals, "." or ",".
        columns: Pairs of what a column holds and its name in the file.
        accept_spacing: Take rows that lie weeks or months apart.
    """

    date_format: str | None = None
    decimal: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    accept_spacing: bool = False


@dataclass(frozen=True, eq=False)
class FilePrices:
    """What a file holds of one instrument.

    Attributes:
        bars: Rows in the file's order; parts of days are put together to days, oldest first.
        rejections: Rows that could not be read.
        notes: What a person should know of them.
        currency: As the file says; "" if it does not.
        splits: Those that the file names and that were taken out of its prices.
        intraday: The parts of the days that are whole; None where it has whole days alone.
    """

    bars: Bars
    rejections: tuple[Rejection, ...]
    notes: tuple[str, ...]
    currency: str
    splits: tuple[Action, ...]
    intraday: IntradayBars | None = None


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of one instrument as written.

    Attributes:
        moments: Their days and times.
        bars: Their prices; the dates are those of `moments`.
        rejections: Rows that could not be read.
        currency: As the file says; "" if it does not.
        splits: New shares per old one, (N,); NaN where there is none.
    """

    moments: Moments
    bars: Bars
    rejections: tuple[Rejection, ...]
    currency: str
    splits: Floats


class PriceFile:
    """A file whose columns, numbers and dates are understood."""

    def __init__(self, content: bytes, name: str, form: FileForm) -> None:
        """Find out how it is written.

        Args:
            content: The whole file.
            name: For messages.
            form: What is known of it.

        Raises:
            ConfigError: A column that was named is not there, a pattern is none, or the file can
                be read in two ways and the user has to choose.
            RejectedDataError: It is not a table of prices, or its dates are not of one kind.
        """
        self.name = name
        self._form = form
        self._table = read_table(content, name, dict(form.columns))
        self._dates = DateColumn(name, self._table.text, self._cells)
        self._read_date = self._find_dates()
        self._notation = self._find_notation()

    def instruments(self) -> list[str]:
        """List the names of the instruments, as written; none if the file names none."""
        return self._table.instruments()

    def read(self, ticker: str, exchange: str, zone: ZoneInfo) -> FilePrices:
        """Read the prices of one ticker.

        Args:
            ticker: As Yahoo has it.
            exchange: Name of its calendar; "" if none is known.
            zone: Of the exchange.

        Raises:
            RejectedDataError: The file holds other tickers, or no daily prices.
        """
        instrument = self._table.find(ticker)
        columns = self._table.columns(instrument)
        rows = self._rows(instrument, columns)
        if not len(rows.bars):
            raise self._nothing_read(rows.rejections)
        named = not instrument or is_named(instrument, ticker)
        notes = [] if named else [f"the file calls it {shown(instrument)}"]
        bars, rejections = rows.bars, rows.rejections
        local = local_moments(rows.moments, exchange, zone)
        parts = None
        if is_intraday(local):
            every = bars
            bars, incomplete, some_left_out = whole_days(bars, local, exchange, zone)
            rejections += incomplete
            parts = bars_within(every, local, bars.dates, zone)
            also = ", without those before and after the session" if some_left_out else ""
            notes.append(f"the parts of each day were put together to days of {zone.key}{also}")
        else:
            bars, several = one_row_a_day(replace(bars, dates=local.dates), local)
            rejections += several
            self._require_one_row_a_day(bars)
        spaced = self._spacing(bars)
        if not spaced:
            self._require_sessions(rows.moments, local, exchange)
        notes += spaced
        if self._is_adjusted(columns):
            bars = replace(bars, adj_closes=bars.closes.copy())
            notes.append(_ADJUSTED)
        bars, splits = _without_splits(bars, rows, local)
        if splits:
            words = "split was" if len(splits) == 1 else "splits were"
            notes.append(f"{len(splits)} {words} taken out of the prices, as the file names them")
        return FilePrices(bars, rejections, tuple(notes), rows.currency, splits, parts)

    def _require_sessions(self, written: Moments, local: Moments, exchange: str) -> None:
        """Refuse instants of which no reading falls on the days that the exchange trades."""
        instants = (written.offsets != UNSAID) & (written.seconds >= 0)
        if instants.all() and on_weekends(local) > _MANY_WEEKENDS and exchange != _EVERY_DAY:
            raise RejectedDataError(
                f"{self.name}: its times fall on weekends, as days of "
                f"{exchange or 'an exchange without a calendar'}",
                hint="say where it is traded, with --calendar XETR, XTKS or 24/7, or write the "
                "days without a time",
            )

    def _cells(self) -> Iterator[Cell]:
        """Give the date of every row."""
        shared = self._table.layout.shared
        for row in self._table.rows():
            yield Cell(row.place, cell(row, shared.get("ticker")), _date(row, shared))

    def _find_dates(self) -> DateReader:
        if self._form.date_format is None:
            return self._dates.reader()
        read = patterned(self._form.date_format)
        self._dates.require_own_order(read)
        return read

    def _find_notation(self) -> Notation:
        if self._form.decimal is not None:
            return Notation(self._form.decimal)
        table = self._table
        words = {table.layout.shared.get(name) for name in ("date", "time", "ticker", "currency")}
        places = [place for place in range(len(table.layout.header)) if place not in words]
        return find_notation(
            (cell(row, place) for row in table.rows() for place in places),
            separator=table.separator,
            quoted=table.quoted,
            local=table.layout.local,
        )

    def _rows(self, instrument: str, columns: Columns) -> _Rows:
        # A number takes eight bytes here, and over thirty in a list.
        days, seconds, offsets = array("q"), array("q"), array("q")
        numbers, splits = array("d"), array("d")
        rejections: list[Rejection] = []
        currencies: set[str] = set()
        torn, widths, decimals = self._table.torn, Counter[int](), Counter[int]()
        for row in self._table.rows(instrument):
            if row.place == torn and self._is_cut_off(row, widths, decimals):
                rejections.append(Rejection(self._day(row, columns), CUT_OFF))
                continue
            if torn is not None:
                widths[len(row.cells)] += 1
                decimals[self._decimals(row)] += 1
            try:
                moment, values = self._row(row, columns)
            except ValueError as error:
                rejections.append(Rejection(self._day(row, columns), str(error)))
                continue
            days.append(moment.day)
            seconds.append(moment.second)
            offsets.append(UNSAID if moment.offset is None else moment.offset)
            numbers.extend(values)
            splits.append(self._split(row, columns))
            currencies.add(cell(row, columns.get("currency")))
            currencies.add(currency_of(cell(row, columns["close"])))
        table = np.frombuffer(numbers, np.float64).reshape(-1, len(NUMBERS)).T
        moments = Moments(*(np.array(values, np.int64) for values in (days, seconds, offsets)))
        bars = Bars(moments.dates, *(column.copy() for column in table))
        currency = self._currency(columns, currencies)
        return _Rows(moments, bars, tuple(rejections), currency, np.array(splits, np.float64))

    def _currency(self, columns: Columns, in_rows: set[str]) -> str:
        """Find the one currency that the rows, the header or a line above it state; "" if none.

        Raises:
            RejectedDataError: They state several.
        """
        header = currency_of_name(self._table.layout.header[columns["close"]])
        texts = (*in_rows, header, self._table.above.get("currency", ""))
        stated = {text if text in SHARED_SIGNS else stated_currency(text) for text in texts} - {""}
        for sign, codes in SHARED_SIGNS.items():
            if stated.intersection(codes):
                stated.discard(sign)  # which dollars those are is said, too
        if len(stated) > 1:
            raise RejectedDataError(
                f"{self.name} has prices in {len(stated)} currencies: "
                + ", ".join(map(shown, sorted(stated)[:4])),
                hint="give the rows of one currency only",
            )
        return next(iter(stated), "")

    def _is_cut_off(self, row: Row, widths: Counter[int], decimals: Counter[int]) -> bool:
        """Tell whether a last row without an end lacks cells, or decimals, that all others have.

        Args:
            row: The last one.
            widths: Cells of the others.
            decimals: Those of the last cells of the others; pandas writes as few as it can.
        """
        if widths and len(row.cells) < min(widths):
            return True
        if len(decimals) != 1:
            return False
        ((usual, rows),) = decimals.items()
        own = self._decimals(row)
        needed = _FEW_ROWS if usual >= _MANY_DECIMALS or not own else _MANY_ROWS
        return own < usual and rows >= needed

    def _day(self, row: Row, columns: Columns) -> str:
        """Give the ISO day of a row that is not taken, or what stands in its place."""
        text = _date(row, columns)
        try:
            moment = self._read_date(text)
        except ValueError:
            return shown(text)
        # Which day an instant is of is not told by one row.
        return shown(text) if moment.second >= 0 else str(np.datetime64(moment.day, "D"))

    def _decimals(self, row: Row) -> int:
        return len(row.cells[-1].strip().partition(self._notation.mark)[2])

    def _row(self, row: Row, columns: Columns) -> tuple[Moment, list[float]]:
        """Read one row; a ValueError says why it cannot be read."""
        width = len(self._table.layout.header)
        if any(text.strip() for text in row.cells[width:]):
            raise ValueError(f"{len(row.cells)} cells, but the header names {width}")
        text = _date(row, columns)
        try:
            moment = self._read_date(text)
        except ValueError as error:
            raise ValueError(f"'{shown(text)}' is not a date like the others") from error
        if moment.offset is None and moment.second >= 0 and self._table.layout.utc:
            moment = moment._replace(offset=0)
        values = []
        for column in NUMBERS:
            text = cell(row, columns.get(column))
            try:
                values.append(read_number(text, self._notation))
            except ValueError as error:
                label = column.replace("_", " ")
                raise ValueError(f"{label}: '{shown(text)}' {error}") from error
        return moment, values

    def _split(self, row: Row, columns: Columns) -> float:
        """Read the split of a row; NaN if there is none."""
        try:
            value = read_number(cell(row, columns.get("split")), self._notation)
        except ValueError:
            return np.nan  # such as "2:1", which other programs write
        return np.nan if value in {0, 1} else value

    def _nothing_read(self, rejections: Sequence[Rejection]) -> StockLstmError:
        first = rejections[0]
        if self._form.date_format is not None and "is not a date" in first.reason:
            return self._no_dates(self._form.date_format)
        hint = "look at that row; --columns and --decimal say how a file is written"
        if self._form.decimal is not None and "is not a number" in first.reason:
            hint = "leave --decimal out, or give the other mark"
        if "cells, but the header" in first.reason:
            hint = (
                "a comma seems to stand between the cells and within the numbers: export the file "
                "with semicolons, or with its numbers in quotation marks"
            )
        return RejectedDataError(
            f"{self.name}: none of {len(rejections):,} rows can be read; "
            f"the first, {first.date}: {first.reason}",
            hint=hint,
        )

    def _no_dates(self, pattern: str) -> StockLstmError:
        """Say that the pattern of the user reads no date, and what would read them."""
        hint = "leave --date-format out: the dates are understood without it"
        try:
            self._dates.reader()
        except StockLstmError as error:
            hint = error.hint or hint
        return RejectedDataError(f"{self.name}: {pattern} reads none of its dates", hint=hint)

    def _require_one_row_a_day(self, bars: Bars) -> None:
        """Refuse a file in which most days stand several times, each time with another close."""
        pairs = np.unique(np.stack([bars.dates.astype(np.float64), bars.closes]), axis=1)
        days, closes = np.unique(pairs[0], return_counts=True)
        many = days[closes > 1]
        if len(many) >= 2 and 2 * len(many) > len(days):
            day = many[0].astype("datetime64[D]")
            raise RejectedDataError(
                f"{self.name} has several rows of one day, such as {day}, and neither times nor "
                "tickers that tell them apart",
                hint="give the prices of one ticker, or name the column that tells: "
                "--columns ticker=NAME, or --columns time=NAME",
            )

    def _spacing(self, bars: Bars) -> list[str]:
        days, dates = spacing_days(bars.dates), np.unique(bars.dates)
        if days == 1:
            dates = spaced_run(bars.dates)
            days = spacing_days(dates)
        if days == 1:
            return []
        if not self._form.accept_spacing:
            first = ", ".join(dates[:3].astype(str))
            raise RejectedDataError(
                f"{self.name} holds {spacing_name(days) or 'no daily'} prices: its rows are {days} "
                f"days apart ({first}, ...)",
                hint="export daily prices; --accept-spacing takes these as they are",
            )
        where = f" from {dates[0]} to {dates[-1]}" if len(dates) < len(bars) else ""
        return [
            f"its prices are {spacing_words(days)}{where}: what is called a day is as long as that"
        ]

    def _is_adjusted(self, columns: Columns) -> bool:
        """Tell whether yfinance wrote the file, and has worked dividends into the closes.

        Whoever asks it for `auto_adjust=False` gets a column of adjusted closes.
        """
        if "adj_close" in columns:
            return False
        prices = {"open", "high", "low", "close", "volume"} <= set(columns)
        history = {"dividend", "split"} <= set(columns) and _is_capitalized(self._table, columns)
        return prices and (bool(self._table.layout.own) or history)


def _without_splits(bars: Bars, rows: _Rows, moments: Moments) -> tuple[Bars, tuple[Action, ...]]:
    """Take the splits that a file names out of its prices, where they are still in them."""
    places = np.flatnonzero(rows.splits > 0)
    splits = tuple(
        Action(str(moments.dates[place]), "split", float(rows.splits[place])) for place in places
    )
    sound = bars.select((bars.closes > 0) & np.isfinite(bars.closes))
    ordered = sound.select(np.argsort(sound.dates, kind="stable"))
    if not leaves_splits_in(ordered, splits):
        return bars, ()
    return without_splits(bars, splits), splits


def _date(row: Row, columns: Columns) -> str:
    text = cell(row, columns["date"])
    time = cell(row, columns.get("time"))
    return join_time(text, time) if time else text


def _is_capitalized(table: Table, columns: Columns) -> bool:
    """Tell whether the columns of events are named as yfinance names them."""
    names = [table.layout.header[columns[column]] for column in ("dividend", "split")]
    return names == ["Dividends", "Stock Splits"]
