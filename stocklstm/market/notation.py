"""Numbers and dates as people write them: 1,234.56 or 1.234,56; 2024-03-13 or 13/03/2024."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, datetime
from functools import lru_cache

import numpy as np

from stocklstm.errors import ConfigError

_BLANK = {"", "-", "--", "null", "none", "nan", "na", "n/a", "n/d", "nd", "#n/a", "#n/d"}
_MONEY = re.compile(r"^(R\$|US\$|\$|€|£)")
_SCALES = {"K": 1e3, "M": 1e6, "MI": 1e6, "B": 1e9, "BI": 1e9, "T": 1e12, "TRI": 1e12}
_SCALED = re.compile(r"(.*\d)(K|MI?|BI?|TRI|T)", re.ASCII | re.IGNORECASE)

_DIGITS = {
    mark: rf"(?:\d+|\d{{1,3}}(?:{group}\d{{3}})+)(?:{decimal}\d*)?"
    for mark, decimal, group in ((".", r"\.", ","), (",", ",", r"\."))
}
# Most cells are no more than this, and there may be millions of them.
_PLAIN = {mark: re.compile(digits, re.ASCII) for mark, digits in _DIGITS.items()}
_NUMBER = {
    mark: re.compile(rf"[+-]?(?:{digits}|[{mark}]\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
    for mark, digits in _DIGITS.items()
}

# So many numbers that all show the same decimal mark leave no doubt about a file's others.
_ENOUGH_VOTES = 10_000

_YEAR_FIRST = re.compile(r"(\d{4})([-/.]?)(\d{1,2})\2(\d{1,2})(?:[T ].*)?", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(?:[T ].*)?", re.ASCII)

_DAYS = 100_000

DateReader = Callable[[str], date]


def is_blank(text: str) -> bool:
    """Tell whether a cell stands for a missing value."""
    return text.strip().casefold() in _BLANK


def decimal_mark(texts: Iterable[str], *, otherwise: str) -> str:
    """Decide from many numbers whether "." or "," precedes the decimals.

    Args:
        otherwise: The answer if no cell shows it: 1.234 may be either.
    """
    votes: Counter[str] = Counter()
    for mark in filter(None, map(_shown_mark, texts)):
        votes[mark] += 1
        if votes[mark] == _ENOUGH_VOTES == votes.total():
            break
    return max(votes, key=lambda mark: votes[mark]) if votes else otherwise


def _shown_mark(text: str) -> str:
    points, commas = text.count("."), text.count(",")
    if not points + commas:
        return ""
    number = _bare(text)[0].lstrip("+-")
    last = "." if number.rfind(".") > number.rfind(",") else ","
    if points and commas:
        return last
    if points + commas > 1:
        return "," if last == "." else "."  # 1.234.567: only thousands repeat their mark
    whole, _, decimals = number.partition(last)
    grouped = len(decimals) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0")
    return "" if grouped else last


def _bare(text: str) -> tuple[str, float]:
    """Strip blanks, the currency sign and the scale (12.3M) from a number."""
    number = _MONEY.sub("", re.sub(r"\s", "", text))
    if scaled := _SCALED.fullmatch(number):
        return scaled[1], _SCALES[scaled[2].upper()]
    return number, 1.0


def read_number(text: str, mark: str) -> float:
    """Read one number.

    Args:
        text: A cell, such as "1.234,56", "R$ 38,42", "12,3M" or "n/a".
        mark: What comes before the decimals, "." or ",".

    Returns:
        The number; NaN if the cell says that there is none.

    Raises:
        ValueError: The cell holds something else.
    """
    if _PLAIN[mark].fullmatch(text):
        return _to_float(text, mark)
    if is_blank(text):
        return np.nan
    number, scale = _bare(text)
    if not _NUMBER[mark].fullmatch(number):
        raise ValueError(text)
    return _to_float(number, mark) * scale


def _to_float(number: str, mark: str) -> float:
    group = "," if mark == "." else "."
    return float(number.replace(group, "").replace(mark, "."))


def date_reader(texts: Iterable[str], date_format: str | None) -> DateReader:
    """Decide from the dates of a file how they are written.

    Args:
        date_format: A strptime pattern that settles the matter; None to find it out.

    Returns:
        What turns such a cell into a date; it raises ValueError for any other.

    Raises:
        ConfigError: Days and months cannot be told apart, or the pattern is no date pattern.
    """
    read = _find_reader(texts) if date_format is None else _patterned(date_format)
    # A long file repeats its days, if only because it holds several tickers.
    return lru_cache(maxsize=_DAYS)(read)


def _find_reader(texts: Iterable[str]) -> DateReader:
    year_first = 0
    year_last: Counter[tuple[int, int]] = Counter()
    example = ""
    for text in texts:
        if match := _YEAR_LAST.fullmatch(text):
            pair = int(match[1]), int(match[3])
            # What is no date either way has no say.
            if min(pair) <= 12 and max(pair) <= 31:
                year_last[pair] += 1
                example = example or text[: match.end(4)]
        elif _YEAR_FIRST.fullmatch(text):
            year_first += 1
    if year_last.total() <= year_first:
        return _read_year_first
    return _day_or_month_first(list(year_last), example)


def _patterned(date_format: str) -> DateReader:
    def read(text: str) -> date:
        return datetime.strptime(text, date_format).date()  # noqa: DTZ007 - a session is a day

    probe = date(2001, 12, 31)
    try:
        usable = read(probe.strftime(date_format)) == probe
    except (ValueError, re.error):
        usable = False
    if not usable:
        raise ConfigError(
            f"{date_format!a} is not a pattern of whole dates",
            hint="write it like --date-format %d/%m/%Y",
        )
    return read


def _day_or_month_first(pairs: list[tuple[int, int]], example: str) -> DateReader:
    """Decide by the first two numbers of every date."""
    day_first = any(first > 12 for first, _ in pairs)
    month_first = any(second > 12 for _, second in pairs)
    alike = all(first == second for first, second in pairs)
    if day_first == month_first and not alike:
        raise ConfigError(
            f"{example}: which is the day and which is the month cannot be told from the file",
            hint="say it with --date-format %d/%m/%Y or --date-format %m/%d/%Y",
        )
    return lambda text: _read_year_last(text, month_first=month_first)


def _read_year_first(text: str) -> date:
    match = _YEAR_FIRST.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return date(int(match[1]), int(match[3]), int(match[4]))


def _read_year_last(text: str, *, month_first: bool) -> date:
    match = _YEAR_LAST.fullmatch(text)
    if match is None:
        raise ValueError(text)
    month, day = (match[1], match[3]) if month_first else (match[3], match[1])
    # Two-digit years the way strptime reads them: 69 and later belong to the last century.
    year = int(match[4]) if len(match[4]) == 4 else 2000 + int(match[4]) - 100 * (match[4] >= "69")
    return date(year, int(month), int(day))
