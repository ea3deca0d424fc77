"""Dates as people write them: 2024-03-13, 13/03/24, Mar 13, 2024, 13-mar-2024, Unix time."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple

from stocklstm.errors import ConfigError

EPOCH = date(1970, 1, 1).toordinal()
_DAY_S = 86_400

_YEARS = range(1800, 2200)

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january janeiro ene enero",
            "feb february fev fevereiro febrero",
            "mar march marco marzo",
            "apr april abr abril",
            "may mai maio mayo",
            "jun june junho junio",
            "jul july julho julio",
            "aug august ago agosto",
            "sep sept september set setembro septiembre setiembre",
            "oct october out outubro octubre",
            "nov november novembro noviembre",
            "dec december dez dezembro dic diciembre",
        ),
        start=1,
    )
    for name in names.split()
}
# The first three letters, in English, Portuguese and Spanish.
_WEEKDAYS = {
    *("mon", "tue", "wed", "thu", "fri", "sat", "sun", "seg", "ter", "qua", "qui", "sex", "sab"),
    *("dom", "lun", "mie", "jue", "vie"),
}
_FILLERS = {"de", "of", "the", "del"}

_TIME = re.compile(
    r"[T\s,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?"
    r"(?:\s*(?P<half>[ap])\.?m\.?)?"
    r"(?:\s*(?:(?:utc|gmt)?(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})?|(?P<utc>z|utc|gmt)))?"
    r"(?:\s*[a-z]{2,5})?(?:\s*\(.*\))?",
    re.ASCII | re.IGNORECASE,
)
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})", re.ASCII)
_MONTH_ONLY = re.compile(r"(?:\d{4}[-/.]\d{1,2}|\d{1,2}[-/.]\d{4})", re.ASCII)
_WHOLE = re.compile(r"-?\d+(?:\.0*)?", re.ASCII)
_WORDS = re.compile(r"[a-z]+|\d+")

MONTH = "month"
UNIX = "Unix time"

CACHED = 100_000
"""Cells whose reading is remembered."""

# Digits of Unix time at the most, in seconds, milli-, micro- and nanoseconds.
_UNITS = ((0, 11), (3, 14), (6, 17), (9, 20))


class Moment(NamedTuple):
    """What a cell says of when.

    Attributes:
        day: Days since 1970, as written.
        second: Of that day; -1 if the cell names none.
        offset: Seconds east of UTC; None where the cell does not say.
    """

    day: int
    second: int = -1
    offset: int | None = None


class Written(NamedTuple):
    """A date as written, before it is known which number is the day.

    Attributes:
        kind: Such as "y-n-n" or "n/n/y"; dates of one column are all of one kind.
        numbers: In the order in which they stand.
        second: Of the day; -1 if none.
        offset: Seconds east of UTC; None if none.
    """

    kind: str
    numbers: tuple[int, ...]
    second: int = -1
    offset: int | None = None


DateReader = Callable[[str], Moment]


@dataclass(frozen=True)
class Order:
    """Which number is which: positions of year, month and day."""

    year: int
    month: int
    day: int

    def read(self, written: Written) -> date:
        """Make a date of the numbers; a ValueError says that it is none."""
        numbers = written.numbers
        return date(_year(numbers[self.year], written.kind), numbers[self.month], numbers[self.day])


YMD, YDM = Order(0, 1, 2), Order(0, 2, 1)
DMY, MDY = Order(2, 1, 0), Order(2, 0, 1)


def _year(number: int, kind: str) -> int:
    # Two-digit years the way strptime reads them: 69 and later belong to the last century.
    if "yy" not in kind or number > 99:
        return number
    return 2000 + number - (100 if number >= 69 else 0)


def join_time(day: str, time: str) -> str:
    """Join a date and the cell of a time column, such as 16:30, 163000 or 0."""
    if time.isdigit():
        digits = time.zfill(6) if len(time) > 4 else time.zfill(4) + "00"
        time = f"{digits[:2]}:{digits[2:4]}:{digits[4:6]}"
    return f"{day} {time}" if time else day


def patterned(date_format: str) -> DateReader:
    """Read dates as a strptime pattern says; a time that it leaves out may stand behind them.

    Raises:
        ConfigError: It is no pattern of whole dates.
    """

    @lru_cache(maxsize=CACHED)
    def read(text: str) -> Moment:
        try:
            moment = datetime.strptime(text, date_format)  # noqa: DTZ007 - a zone may be in it
        except ValueError:
            rest, second, east = _without_time(text)
            if second < 0:
                raise
            return read(rest)._replace(second=second, offset=east)
        offset = moment.utcoffset()
        timed = any(mark in date_format for mark in ("%H", "%I", "%c", "%X"))
        seconds = moment.hour * 3600 + moment.minute * 60 + moment.second if timed else -1
        day = moment.date().toordinal() - EPOCH
        return Moment(day, seconds, None if offset is None else int(offset.total_seconds()))

    probe = datetime(2001, 12, 31, tzinfo=UTC)
    try:
        # Python warns of days without a year, and is going to refuse them.
        dated = any(mark in date_format for mark in ("%Y", "%y", "%G", "%c", "%x"))
        usable = dated and read(probe.strftime(date_format)).day == probe.toordinal() - EPOCH
    except (ValueError, re.error):
        usable = False
    if not usable:
        raise ConfigError(
            f"{date_format!a} is not a pattern of whole dates",
            hint="write it like --date-format %d/%m/%Y",
        )
    return read


@lru_cache(maxsize=CACHED)
def take_apart(text: str) -> Written:
    """Take a date apart.

    Raises:
        ValueError: It is none.
    """
    # Excel marks what it is not to convert with an apostrophe.
    text, second, offset = _without_time(text.removeprefix("'"))
    if match := _YEAR_FIRST.fullmatch(text):
        numbers = (int(match[1]), int(match[3]), int(match[4]))
        return Written(f"y{match[2]}n{match[2]}n", numbers, second, offset)
    if match := _YEAR_LAST.fullmatch(text):
        numbers = (int(match[1]), int(match[3]), int(match[4]))
        year = "y" if len(match[4]) == 4 else "yy"
        return Written(f"n{match[2]}n{match[2]}{year}", numbers, second, offset)
    if _WHOLE.fullmatch(text):
        return _of_digits(text.partition(".")[0], second, offset)
    if _MONTH_ONLY.fullmatch(text):
        return Written(MONTH, ())
    return _of_words(text, second, offset)


def is_date(text: str) -> bool:
    """Tell whether a cell can be read as a date."""
    try:
        take_apart(text)
    except ValueError:
        return False
    return True


def _without_time(text: str) -> tuple[str, int, int | None]:
    """Cut the time off; give its second of the day, and its offset from UTC."""
    match = _TIME.search(text)
    if match is None or (match.end() < len(text) and not text[match.end() :].strip().isdigit()):
        return text, -1, None
    hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second"))
    if match["half"]:
        hour = hour % 12 + (12 if match["half"] in "pP" else 0)
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError(text)
    offset = 0 if match["utc"] else None
    if match["sign"]:
        offset = int(match["hours"]) * 3600 + int(match["minutes"] or 0) * 60
        offset = -offset if match["sign"] == "-" else offset
    rest = f"{text[: match.start()]} {text[match.end() :]}".strip()
    return rest, hour * 3600 + minute * 60 + second, offset


def _of_digits(digits: str, second: int, offset: int | None) -> Written:
    """Read 20240313, 202403131630, Unix seconds, or parts of them: the length tells."""
    length = len(digits)
    if length in {8, 10, 12, 14} and int(digits[:4]) in _YEARS:
        # A Unix time of the years until 2030 is none of these.
        numbers = (int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
        rest = digits[8:].ljust(6, "0")
        hour, minute, seconds = int(rest[:2]), int(rest[2:4]), int(rest[4:])
        if _is_day(numbers) and hour < 24 and minute < 60 and seconds < 60:
            if length > 8:
                second = hour * 3600 + minute * 60 + seconds
            return Written("yyyymmdd", numbers, second, offset)
    if length == 6 and int(digits[:4]) in _YEARS and 1 <= int(digits[4:]) <= 12:
        return Written(MONTH, ())
    unit = next((10**power for power, most in _UNITS if length <= most), 0)
    if length < 9 or not unit or second >= 0:
        raise ValueError(digits)
    day, rest_s = divmod(int(digits) // unit, _DAY_S)
    _ = date.fromordinal(day + EPOCH)
    return Written(UNIX, (day,), rest_s, 0)


def _is_day(numbers: tuple[int, int, int]) -> bool:
    try:
        date(*numbers)
    except ValueError:
        return False
    return True


def _of_words(text: str, second: int, offset: int | None) -> Written:
    """Read a date with the name of its month."""
    words = [
        word
        for word in _WORDS.findall(_plain(text))
        if word not in _FILLERS and word not in {"st", "nd", "rd", "th"}
    ]
    if words and words[0][:3] in _WEEKDAYS and not words[0].isdigit() and words[0] not in _MONTHS:
        words = [word for word in words[1:] if word != "feira"]
    places = [place for place, word in enumerate(words) if word in _MONTHS]
    if len(places) != 1 or not all(word.isdigit() for word in words if word not in _MONTHS):
        raise ValueError(text)
    numbers = tuple(_MONTHS[word] if word in _MONTHS else int(word) for word in words)
    if len(words) == 2:
        return Written(MONTH, ())
    if len(words) != 3 or places[0] == 2:
        raise ValueError(text)
    last = "y" if len(words[2]) == 4 else "yy"
    if places[0] == 0:
        return Written(f"month day {last}", (numbers[1], numbers[0], numbers[2]), second, offset)
    if len(words[0]) == 4:
        return Written("y month day", (numbers[2], numbers[1], numbers[0]), second, offset)
    return Written(f"day month {last}", numbers, second, offset)


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
