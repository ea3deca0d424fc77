"""Numbers as people write them: 1,234.56 or 1.234,56, R$ 38,42, 12.3M, 1'234.56."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from stocklstm.errors import ConfigError

MARKS = (".", ",")
"""What may precede the decimals."""

_BLANK = {
    "",
    "-",
    "--",
    "null",
    "none",
    "nan",
    "na",
    "n/a",
    "n/d",
    "nd",
    "#n/a",
    "#n/d",
    "#n/a n/a",
}
_SIGN = r"(?:R\$|US\$|\$|€|£|¥|₹|BRL|USD|EUR|GBP|GBX|Rs\.?)"
_CURRENCY = re.compile(rf"^{_SIGN}\s*|\s*{_SIGN}$")
_EXPONENTS = {"K": 3, "M": 6, "MI": 6, "B": 9, "BI": 9, "T": 12, "TRI": 12}
_SCALED = re.compile(r"(.*\d)\s*(K|MI?|BI?|TRI|T)", re.ASCII | re.IGNORECASE)

# Apostrophes and blanks separate thousands only, never decimals.
_NEUTRAL_GROUP = re.compile(r"(?<=[0-9])['\u2019\s](?=[0-9]{3}(?![0-9]))")

_DIGITS = {
    # Besides thousands India's groups of two: 45,14,060.
    ".": r"(?:\d+|\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})+,\d{3})(?:\.\d*)?",
    ",": r"(?:\d+|\d{1,3}(?:\.\d{3})+)(?:,\d*)?",
}
# Most cells are no more than this, and there may be millions of them.
_PLAIN = {mark: re.compile(digits, re.ASCII) for mark, digits in _DIGITS.items()}
_NUMBER = {
    mark: re.compile(rf"[+-]?(?:{digits}|[{mark}]\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
    for mark, digits in _DIGITS.items()
}

# So many numbers that all show the same decimal mark leave no doubt about a file's others.
_ENOUGH_VOTES = 10_000


@dataclass(frozen=True)
class Notation:
    """How the numbers of a file are written.

    Attributes:
        mark: What precedes the decimals, "." or ",".
        contested: True if some cells show the other mark: one such as 1.234, which can be read
            in both ways, is then not read at all.
    """

    mark: str
    contested: bool = False


def currency_of(text: str) -> str:
    """Return the sign or code of a currency in a cell, such as "R$"; "" if there is none."""
    found = _CURRENCY.search(text)
    return found[0].strip().rstrip(".") if found else ""


def is_blank(text: str) -> bool:
    """Tell whether a cell stands for a missing value."""
    return text.strip().casefold() in _BLANK


def find_notation(cells: Iterable[str], *, separator: str, quoted: bool, local: bool) -> Notation:
    """Decide from the numbers of a file which mark precedes their decimals.

    Args:
        cells: Of all columns, dates apart.
        separator: What stands between the cells.
        quoted: True if some cells are in quotation marks, and may hold the separator.
        local: True if the header is in a language whose speakers write decimal commas.

    Raises:
        ConfigError: All numbers can be read in both ways, as 118.532 between semicolons.
    """
    if separator == "," and not quoted:
        return Notation(".")
    votes: Counter[str] = Counter()
    either: dict[str, str] = {}
    for text in cells:
        kind, mark = _shown_mark(text)
        if kind == "either":
            either.setdefault(mark, text)
        elif kind:
            votes[mark] += 1
            if votes[mark] == _ENOUGH_VOTES == votes.total():
                break
    if votes:
        return Notation(max(votes, key=lambda mark: votes[mark]), contested=len(votes) > 1)
    if (
        len(either) > 1
        or ("," in either and separator != ";")
        or ("." in either and (local or separator == ";"))
    ):
        shown = next(iter(either.values()))
        other = "," if "," in shown else "."
        raise ConfigError(
            f"{shown}: whether that is {shown.replace(other, '')} or {shown.replace(other, '.')} "
            "cannot be told from the file",
            hint=f"say what precedes its decimals with --decimal {'.' if other == ',' else ','} "
            f"or --decimal {other}",
        )
    return Notation("," if "," in either else ".")


def _shown_mark(text: str) -> tuple[str, str]:
    """Tell what a cell shows of decimal marks.

    Returns:
        ("shown", mark), ("either", the only mark there is) for a cell such as 1.234, or ("", "").
    """
    points, commas = text.count("."), text.count(",")
    if not points + commas:
        return "", ""
    number = _bare(text.rstrip("%"))[0].lstrip("+-")
    marks = [mark for mark in MARKS if _NUMBER[mark].fullmatch(number)]
    last = "." if number.rfind(".") > number.rfind(",") else ","
    if len(marks) == 2 and not number.startswith("0"):
        return "either", last
    # A cell such as 0.125 has no thousands, though they could be read.
    return ("shown", last if len(marks) == 2 else marks[0]) if marks else ("", "")


def _bare(text: str) -> tuple[str, int]:
    """Strip blanks, the currency and neutral groups; give the scale (12.3M) as a power of ten."""
    number = _CURRENCY.sub("", text.strip()).strip()
    number = _NEUTRAL_GROUP.sub("", number)
    if scaled := _SCALED.fullmatch(number):
        return scaled[1], _EXPONENTS[scaled[2].upper()]
    return number, 0


def read_number(text: str, notation: Notation) -> float:
    """Read one number.

    Args:
        text: A cell, such as "1.234,56", "R$ 38,42", "12,3M" or "n/a".

    Returns:
        The number; NaN if the cell says that there is none.

    Raises:
        ValueError: The cell holds something else; the words say what.
    """
    mark = notation.mark
    if not notation.contested and _PLAIN[mark].fullmatch(text):
        return _to_float(text, mark)
    if is_blank(text):
        return np.nan
    if notation.contested and _shown_mark(text)[0] == "either":
        raise ValueError("can be read in two ways")
    number, exponent = _bare(text)
    # A power of ten as text rounds once: 1.1 * 1e6 is not 1100000.
    number += f"e{exponent}" if exponent else ""
    if not _NUMBER[mark].fullmatch(number):
        raise ValueError("is not a number")
    return _to_float(number, mark)


def _to_float(number: str, mark: str) -> float:
    group = "," if mark == "." else "."
    return float(number.replace(group, "").replace(mark, "."))
