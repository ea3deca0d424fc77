"""How the dates of a file are written: which number is the day, and whether all agree."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from stocklstm.core.wording import quoted
from stocklstm.errors import ConfigError, RejectedDataError, StockLstmError
from stocklstm.market.tables.dates import (
    CACHED,
    DMY,
    EPOCH,
    MDY,
    MONTH,
    UNIX,
    YDM,
    YMD,
    DateReader,
    Moment,
    Order,
    Written,
    patterned,
    take_apart,
)
from stocklstm.market.tables.shown import shown
from stocklstm.market.tables.text import line_number

# Cells that show why a column cannot be read.
_ENOUGH = 200

# What may be suggested for dates that cannot be read.
_PATTERNS = (
    *("%y%m%d", "%d%m%Y", "%m%d%Y", "%d%m%y", "%Y-%d-%m", "%Y/%d/%m", "%y-%m-%d", "%y/%m/%d"),
    *("%y.%m.%d", "%d_%m_%Y", "%Y_%m_%d", "%d %m %Y", "%Y %m %d", "%Y:%m:%d", "%Y-%j", "%Y%j"),
    *("%m-%d/%Y", "%d-%m/%Y", "%d/%m-%Y", "%Y/%j", "%Y\u5e74%m\u6708%d\u65e5", "%G-W%V-%u"),
)
_DAY_NUMBER = re.compile(r"[2-6]\d{4}(\.\d+)?", re.ASCII)
_FIRST_TWO = re.compile(r"(\d{1,2})\D(\d{1,2})\D", re.ASCII)

# In days.
_WEEK, _LONG_WEEKEND = 7, 5

_ALIKE = "write all dates as yyyy-mm-dd, or name the form of the right ones with --date-format"

_NOT_NEEDED = Written("", ())


class Cell(NamedTuple):
    """A date in its place.

    Attributes:
        place: Where its line begins in the text of the file.
        instrument: Whose row it is, as the file names it.
        text: As written.
    """

    place: int
    instrument: str
    text: str


class _Row(NamedTuple):
    """A date whose day and month can be told apart by the other rows only.

    Attributes:
        cell: As written.
        written: Taken apart.
        day: In the order that was found.
        other: With day and month turned round where that is a date, else as found.
    """

    cell: Cell
    written: Written
    day: date
    other: date


@dataclass(frozen=True)
class DateColumn:
    """The dates of a file.

    Attributes:
        name: Of the file, for messages.
        text: All of it.
        cells: Gives the dates of all rows, in the order of the file, whenever it is called.
    """

    name: str
    text: str
    cells: Callable[[], Iterator[Cell]]

    def reader(self) -> DateReader:
        """Decide how they are written.

        Returns:
            What turns such a cell into a moment; it raises ValueError for any other.

        Raises:
            ConfigError: Days and months cannot be told apart.
            RejectedDataError: Dates are written in several ways, or none can be read.
        """
        first: dict[str, Cell] = {}
        for cell in self.cells():
            try:
                first.setdefault(take_apart(cell.text).kind, cell)
            except ValueError:
                continue
        if not first:
            raise self._unreadable()
        if len(first) > 1:
            one, other, *_ = first.values()
            raise self._two_kinds(one, other, "they are written in two ways")
        kind = next(iter(first))
        if kind == MONTH:
            raise RejectedDataError(
                f"{self.name} holds monthly prices: its dates are months, such as "
                f"{shown(first[kind].text)}",
                hint="export daily prices, with a day in each date",
            )
        return _reader(kind, self._order(kind))

    def _unreadable(self) -> RejectedDataError:
        """Say that no date can be read, and how some could be."""
        texts = [cell.text for cell, _ in zip(self.cells(), range(_ENOUGH), strict=False)]
        words = [text for text in texts if text] or [""]
        hint = "write the dates as yyyy-mm-dd, or say how they are written with --date-format"
        if all(_DAY_NUMBER.fullmatch(text) for text in words):
            hint = "a spreadsheet counts days so: format that column as dates, and export it again"
        elif pattern := next((each for each in _PATTERNS if _reads(each, words)), None):
            hint = f"say how they are written: --date-format {quoted(pattern)}"
        return RejectedDataError(f"{self.name}: '{shown(words[0])}' is not a date", hint=hint)

    def _order(self, kind: str) -> Order | None:
        """Decide which number is which; None for Unix time."""
        if kind == UNIX:
            return None
        if "month" in kind:
            return DMY
        if kind == "yyyymmdd":
            return YMD
        return self._year_first(kind) if kind.startswith("y") else self._year_last(kind)

    def _taken_apart(self, kind: str) -> Iterator[tuple[Cell, Written]]:
        for cell in self.cells():
            try:
                written = take_apart(cell.text)
            except ValueError:
                continue
            if written.kind == kind:
                yield cell, written

    def _year_first(self, kind: str) -> Order:
        """Find out whether the day stands before the month, as in 2024-13-03."""
        day_last: list[Cell] = []
        day_second: list[Cell] = []
        doubtful: list[Cell] = []
        for cell, written in self._taken_apart(kind):
            _, second, third = written.numbers
            if min(second, third) <= 12 < max(second, third) <= 31:
                (day_last if third > 12 else day_second).append(cell)
            elif second != third and max(second, third) <= 12:
                doubtful.append(cell)
        # One or two are slips of the pen, which cost their own rows.
        if len(day_second) < 3 and len(day_second) <= len(day_last):
            if day_last and day_second:
                self._require_own_order(self._rows(kind, YMD, YDM), day_last[0])
            return YMD
        mark = kind[1]
        others = day_last or (doubtful if len(day_second) < 3 else [])
        if others:
            hint = (
                "write all dates as yyyy-mm-dd; if the day stands before the month in all of them: "
                f"--date-format %Y{mark}%d{mark}%m"
            )
            raise self._two_kinds(others[0], day_second[0], "the months stand apart", hint)
        raise RejectedDataError(
            f"{self.name}: {shown(day_second[0].text)} has its day before its month",
            hint=f"say so with --date-format %Y{mark}%d{mark}%m",
        )

    def _year_last(self, kind: str) -> Order:
        """Find out whether the day or the month stands first."""
        day_first: Cell | None = None
        month_first: Cell | None = None
        example: Cell | None = None
        alike = True
        for cell, written in self._taken_apart(kind):
            one, two, _ = written.numbers
            # What is no date either way has no say.
            if not 1 <= min(one, two) <= 12 or max(one, two) > 31:
                continue
            example = example or cell
            alike = alike and one == two
            if one > 12:
                day_first = day_first or cell
            elif two > 12:
                month_first = month_first or cell
        if example is None:
            raise self._unreadable()
        if day_first and month_first:
            raise self._two_kinds(day_first, month_first, "the months stand apart")
        mark, year = kind[1], "%y" if kind.endswith("yy") else "%Y"
        hint = (
            f"say it with --date-format %d{mark}%m{mark}{year} "
            f"or --date-format %m{mark}%d{mark}{year}"
        )
        sure = day_first or month_first
        if not (sure or alike):
            raise ConfigError(
                f"{shown(example.text)}: which is the day and which is the month cannot be told "
                "from the file",
                hint=hint,
            )
        order, turned = (MDY, DMY) if month_first else (DMY, MDY)
        rows = self._rows(kind, order, turned)
        if year == "%y":
            _require_year_last(rows, hint=f"{hint}, or --date-format %y{mark}%m{mark}%d")
        if sure:
            self._require_own_order(rows, sure)
        return order

    def _rows(self, kind: str, order: Order, turned: Order) -> list[_Row]:
        rows = []
        for cell, written in self._taken_apart(kind):
            try:
                day = order.read(written)
            except ValueError:
                continue
            try:
                other = turned.read(written)
            except ValueError:
                other = day
            rows.append(_Row(cell, written, day, other))
        return rows

    def _require_own_order(self, rows: Sequence[_Row], sure: Cell) -> None:
        """Refuse dates of which a spreadsheet has turned some round.

        A sheet whose language puts the month first turns 03/04/2024 of a file that puts it last
        round, and leaves 13/04/2024 as it is. Read alike, such dates jump to and fro where others
        follow each other, or fall on weekends.

        Args:
            rows: In the order that was found.
            sure: A date that showed that order.
        """
        doubtful = [row for row in rows if row.day != row.other]
        turned = _turned_round(rows)
        days, others = {row.day for row in doubtful}, {row.other for row in doubtful}
        if len(days) >= 5 and _on_weekends(days) >= 2 and not _on_weekends(others):
            turned = doubtful
        if turned:
            words = "read alike they break the order of the file"
            raise self._two_kinds(turned[0].cell, sure, words, "write all dates as yyyy-mm-dd")
        # Such a sheet shows 13/03/2024 as it was, and what it has turned round as 3/12/2024.
        for place in (1, 2):
            padded = next((row.cell for row in rows if _digits(row, place)[0] == "0"), None)
            short = next((row.cell for row in doubtful if len(_digits(row, place)) == 1), None)
            if padded and short:
                raise self._two_kinds(short, padded, "they are written in two ways")

    def require_own_order(self, read: DateReader) -> None:
        """Refuse a pattern of the user that breaks the order of the file, or fits few of its dates.

        Raises:
            RejectedDataError: The dates are understood without it, and it does not read all of
                them; or read so they jump to and fro, and with some turned round they do not.
        """
        rows, unread = [], 0
        for cell in self.cells():
            try:
                day = date.fromordinal(read(cell.text).day + EPOCH)
            except ValueError:
                unread += bool(cell.text)
                continue
            rows.append(_Row(cell, _NOT_NEEDED, day, _turned(day)))
        if unread:
            self._require_needed(unread)
        sure = next((row for row in rows if row.day == row.other and row.day.day > 12), None)
        # Without such a row the whole file may be meant the other way, and the pattern says not.
        if sure and (turned := _turned_round(rows)):
            words = "read so they break the order of the file"
            raise self._two_kinds(turned[0].cell, sure.cell, words, "write all dates as yyyy-mm-dd")

    def _require_needed(self, unread: int) -> None:
        """Refuse a pattern that leaves dates unread where none need be."""
        try:
            self.reader()
        except StockLstmError:
            return
        raise RejectedDataError(
            f"{self.name}: the pattern leaves {unread:,} dates unread",
            hint="leave --date-format out: the dates are understood without it",
        )

    def _two_kinds(
        self, one: Cell, other: Cell, words: str, hint: str = _ALIKE
    ) -> RejectedDataError:
        lines = [line_number(self.text, cell.place) for cell in (one, other)]
        return RejectedDataError(
            f"{self.name} has {shown(one.text)} in line {lines[0]} and {shown(other.text)} in line "
            f"{lines[1]}: {words}, as where a spreadsheet has converted half of them",
            hint=hint,
        )


def _reader(kind: str, order: Order | None) -> DateReader:
    # A long file repeats its days, if only because it holds several tickers.
    @lru_cache(maxsize=CACHED)
    def read(text: str) -> Moment:
        written = take_apart(text)
        if written.kind != kind:
            raise ValueError(text)
        if order is None:
            return Moment(written.numbers[0], written.second, written.offset)
        day = order.read(written).toordinal() - EPOCH
        return Moment(day, written.second, written.offset)

    return read


def _reads(pattern: str, texts: Sequence[str]) -> bool:
    """Tell whether a pattern reads all dates, and as days that prices may be of."""
    read = patterned(pattern)
    oldest, latest = (date(year, 1, 1).toordinal() - EPOCH for year in (1900, 2100))
    try:
        return all(oldest <= read(text).day < latest for text in texts)
    except ValueError:
        return False


def _require_year_last(rows: Sequence[_Row], hint: str) -> None:
    """Ask about 24/03/13 if the year may well come first: then the days lie closer together."""
    try:
        days = [YMD.read(row.written) for row in rows]
    except ValueError:
        return
    if days and _span(days) < _span([row.day for row in rows]):
        raise ConfigError(
            f"{shown(rows[0].cell.text)}: which is the day and which is the year cannot be told "
            "from the file",
            hint=hint,
        )


def _span(days: Sequence[date]) -> timedelta:
    return max(days) - min(days)


def _on_weekends(days: Iterable[date]) -> int:
    return sum(day.weekday() > 4 for day in days)


def _turned(day: date) -> date:
    """Turn day and month round where that is a date."""
    return date(day.year, day.day, day.month) if day.day <= 12 else day


def _turned_round(rows: Sequence[_Row]) -> list[_Row]:
    """Find the rows that have to be turned round for the dates to follow each other.

    Returns:
        Those of the shortest way through all dates, instrument by instrument, if daily prices run
        so and the way through the dates as they were read is more than twice as long, or more
        than a week longer where the shortest runs one way; else none.
    """
    by_instrument: dict[str, list[_Row]] = {}
    for row in rows:
        by_instrument.setdefault(row.cell.instrument, []).append(row)
    found: list[_Row] = []
    length = shortest = span = 0
    for each in by_instrument.values():
        days = _shortest_way(each)
        length += _way([row.day for row in each])
        shortest += _way(days)
        span += abs((days[-1] - days[0]).days)
        found += [row for row, day in zip(each, days, strict=True) if row.day != day]
    daily = shortest <= _LONG_WEEKEND * (len(rows) - len(by_instrument))
    one_way = shortest == span and length - shortest > _WEEK
    return found if daily and (one_way or 2 * shortest < length) else []


def _way(days: Sequence[date]) -> int:
    return sum(abs((later - day).days) for day, later in pairwise(days))


def _shortest_way(rows: Sequence[_Row]) -> list[date]:
    """Choose for each row one of its two dates so that the steps between them are shortest."""
    lengths = [0, 0]
    origins: list[list[int]] = []
    for row, later in pairwise(rows):
        steps = [
            [lengths[old] + abs((new - day).days) for old, day in enumerate((row.day, row.other))]
            for new in (later.day, later.other)
        ]
        origins.append([each.index(min(each)) for each in steps])
        lengths = [min(each) for each in steps]
    chosen = [lengths.index(min(lengths))]
    for origin in reversed(origins):
        chosen.append(origin[chosen[-1]])
    pairs = zip(rows, reversed(chosen), strict=True)
    return [row.other if turned else row.day for row, turned in pairs]


def _digits(row: _Row, place: int) -> str:
    match = _FIRST_TWO.match(row.cell.text)
    return match[place] if match else "?"
