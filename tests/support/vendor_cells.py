"""How vendors write numbers, days and tables: cells and columns, by hand."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from tests.support.vendor_rows import OHLC, Row, Rows


def short(number: Decimal) -> str:
    """Without noughts at the end, as spreadsheets show numbers."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def floating(number: Decimal | int) -> str:
    """As pandas writes a float."""
    return repr(float(number))


def comma(number: Decimal) -> str:
    return f"{number:f}".replace(".", ",")


def english(number: Decimal | int) -> str:
    return f"{number:,f}" if isinstance(number, Decimal) else f"{number:,}"


def latin(number: Decimal | int) -> str:
    """1.234,56."""
    return english(number).translate(str.maketrans(",.", ".,"))


def indian(number: Decimal | int) -> str:
    """45,14,060.00."""
    whole, point, rest = str(number).partition(".")
    groups = [whole[-3:]]
    whole = whole[:-3]
    while whole:
        groups.insert(0, whole[-2:])
        whole = whole[:-2]
    return ",".join(groups) + point + rest


def unit_of(volume: int) -> tuple[int, str]:
    for unit, letter in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if volume >= unit:
            return unit, letter
    return 1, ""


def abbreviated(volume: int) -> str:
    """45.14M."""
    unit, letter = unit_of(volume)
    return f"{Decimal(volume) / unit:.2f}{letter}"


def change(row: Row) -> str:
    return f"{(row.close - row.open) / row.open * 100:.2f}%"


def turnover(row: Row) -> Decimal:
    return round(row.close * row.volume, 2)


def at(row: Row, clock: time, zone: str) -> datetime:
    return datetime.combine(row.day, clock, ZoneInfo(zone))


def unix(row: Row, clock: time, zone: str) -> int:
    return int(at(row, clock, zone).timestamp())


ENGLISH_MONTHS, PORTUGUESE_MONTHS, SPANISH_MONTHS = (
    months.split()
    for months in (
        "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
        "jan fev mar abr mai jun jul ago set out nov dez",
        "ene feb mar abr may jun jul ago sep oct nov dic",
    )
)


def pattern(strftime: str) -> Callable[[Row], str]:
    return lambda row: row.day.strftime(strftime)


iso = pattern("%Y-%m-%d")
american = pattern("%m/%d/%Y")
latin_day = pattern("%d/%m/%Y")
dotted = pattern("%d.%m.%Y")


def month_day(row: Row) -> str:
    """3/13/2024."""
    return f"{row.day.month}/{row.day.day}/{row.day.year}"


def fixed(field: str) -> Callable[[Row], str]:
    return lambda row: f"{getattr(row, field):f}"


def shown(field: str, write: Callable[[Decimal], str]) -> Callable[[Row], str]:
    return lambda row: write(getattr(row, field))


def volume(row: Row) -> str:
    return f"{row.volume}"


def constant(text: str) -> Callable[[Row], str]:
    return lambda _: text


Columns = Mapping[str, Callable[[Row], str]]


def table(
    columns: Columns,
    rows: Rows,
    separator: str = ",",
    quoting: int = csv.QUOTE_MINIMAL,
    above: str = "",
) -> str:
    cells = [list(columns), *([cell(row) for cell in columns.values()] for row in rows)]
    return above + lines(cells, separator, quoting)


def lines(
    cells: Sequence[Sequence[str]], separator: str = ",", quoting: int = csv.QUOTE_MINIMAL
) -> str:
    text = io.StringIO()
    csv.writer(
        text, delimiter=separator, quoting=csv.QUOTE_ALL if quoting else 0, lineterminator="\n"
    ).writerows(cells)
    return text.getvalue()


def ohlc(names: str, write: Callable[[Decimal], str] = "{:f}".format) -> Columns:
    """Four columns, named in this order."""
    return {name: shown(field, write) for name, field in zip(names.split(), OHLC, strict=True)}


def reordered(columns: Columns, names: str, separator: str = " ") -> Columns:
    return {name: columns[name] for name in names.split(separator)}


ADJ = {"Adj Close": fixed("adj_close")}
VOLUME = {"Volume": volume}
