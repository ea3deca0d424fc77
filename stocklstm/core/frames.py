"""Results as a table, a row each, and tables as data frames of pandas.

The only place outside `market` where pandas is imported, and only once somebody asks for a frame.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from numbers import Real
from pathlib import PurePath
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin

from stocklstm.core.csv_rows import Cell, Table
from stocklstm.core.packages import require_packages

if TYPE_CHECKING:
    from pandas import DataFrame, Series

# What these hold is about the row itself, so its columns have no name before theirs.
_INLINE = {"evaluation", "retraining"}

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


def table_of(records: Sequence[object]) -> Table:
    """Put results into rows, as wide as all of them together.

    What lies deeper has a column of its own, named by the way to it: `point_rmse`. Of probabilities
    the name ends with the per cent: `coverage_80`. Records without such a name are counted.
    Where a class says with `ROWS` which of its fields holds rows, there is a row for each.
    """
    rows = [row for record in records for row in _rows(record)]
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    kinds = {
        column: kind
        for each in dict.fromkeys(map(type, records))
        for column, kind in _kinds(each, "")
    }
    return Table(columns, (), (), [[row.get(name) for name in columns] for row in rows], kinds)


def _kinds(kind: type, prefix: str) -> Iterator[tuple[str, type]]:
    """Tell of the columns of a class whose cells may be missing what they hold otherwise."""
    for field in fields(kind):
        options = get_args(field.type) if isinstance(field.type, UnionType) else (field.type,)
        for one in options:
            if isinstance(one, type) and is_dataclass(one):
                inner = prefix if field.name in _INLINE else f"{prefix}{field.name}_"
                yield from _kinds(one, inner)
            elif get_origin(one) is tuple and field.name == getattr(kind, "ROWS", None):
                rows: Any = get_args(one)[0]
                if is_dataclass(rows):
                    yield from _kinds(rows, "")  # type: ignore[arg-type]
            elif one in {bool, int, str} and len(options) > 1:
                yield f"{prefix}{field.name}", one


def _rows(record: object) -> Iterator[dict[str, Cell]]:
    inner = getattr(record, "ROWS", None)
    if inner is None:
        yield dict(cells_of(record))
        return
    outer = {field.name: getattr(record, field.name) for field in fields(record)}  # type: ignore[arg-type]
    shared = {name: each for name, each in outer.items() if _is_cell(each)}
    for item in outer[inner]:
        own = dict(cells_of(item))
        yield {name: each for name, each in shared.items() if name not in own} | own


def cells_of(record: object) -> Iterator[tuple[str, Cell]]:
    """Give the columns of one record, whatever rows it holds besides."""
    return _cells(type(record), record, "")


def _cells(kind: type, record: object, prefix: str) -> Iterator[tuple[str, Cell]]:
    """Give the columns of a record; of one that is missing those that it would have."""
    for name, inner, several in _fields(kind):
        value = None if record is None else getattr(record, name)
        column = f"{prefix}{name}"
        if inner is not None or is_dataclass(value):
            yield from _cells(
                inner or type(value), value, prefix if name in _INLINE else f"{column}_"
            )
        elif value is None and several:
            continue
        elif isinstance(value, Mapping):
            yield from ((f"{column}_{_key(key)}", _cell(each)) for key, each in value.items())
        elif isinstance(value, tuple):
            yield from _of_several(column, value)
        elif _is_cell(value) and not isinstance(value, bytes):
            yield column, _cell(value)


def _of_several(column: str, values: tuple[Any, ...]) -> Iterator[tuple[str, Cell]]:
    if values and hasattr(values[0], "level"):
        for each in values:
            end = _key(each.level)
            for name, cell in cells_of(each):
                if name == "share":
                    yield f"{column}_{end}", cell
                elif name != "level":
                    yield f"{column}_{name}_{end}", cell
    elif any(is_dataclass(each) for each in values):
        yield column, len(values)
    elif not any(isinstance(each, float) for each in values):
        yield column, ", ".join(map(str, values))


@cache
def _fields(kind: type) -> tuple[tuple[str, type | None, bool], ...]:
    """Name the fields of a class, the class of those that are one record, and which are several."""
    found: list[tuple[str, type | None, bool]] = []
    for field in fields(kind):
        kinds = get_args(field.type) if isinstance(field.type, UnionType) else (field.type,)
        inner = next((one for one in kinds if isinstance(one, type) and is_dataclass(one)), None)
        several = any(get_origin(one) is not None for one in kinds)
        found.append((field.name, inner, several))
    return tuple(found)


def _key(key: object) -> str:
    """Write what a column is of: of a probability its per cent."""
    try:
        level = float(str(key))
    except ValueError:
        return str(key)
    return f"{100 * level:g}" if 0 < level < 1 else f"{key}"


def _is_cell(value: object) -> bool:
    return value is None or isinstance(value, (str, Real, Enum, PurePath))


def _cell(value: Any) -> Cell:  # noqa: ANN401 - of whatever a record has
    if isinstance(value, Enum):
        value = value.value
    return str(value) if isinstance(value, PurePath) else value


def data_frame(table: Table, index: Sequence[str] = ()) -> "DataFrame":
    """Turn a table into a data frame.

    Days become dates, UTC timestamps moments of that zone; what is missing is missing there, too.

    Args:
        index: Columns to tell the rows by; none for their numbers.

    Raises:
        MissingPackageError: pandas is not installed.
    """
    require_packages("a data frame", ("pandas",))
    import pandas as pd

    columns = {
        name: _series([row[place] for row in table.rows], table.kinds.get(name))
        for place, name in enumerate(table.columns)
    }
    frame = pd.DataFrame(columns, columns=pd.Index(table.columns))
    return frame.set_index(list(index)) if index else frame


def _series(cells: list[Cell], kind: type | None) -> "Series[Any]":
    """Make a column; one whose cells may be missing has the same dtype whether any is or not."""
    import pandas as pd

    known = [cell for cell in cells if cell is not None]
    kinds = {type(cell) for cell in known}
    if kind in {bool, int} and kinds <= {kind}:
        return pd.Series(cells, dtype="boolean" if kind is bool else "Int64")
    whole = len(known) == len(cells)
    if kinds == {str} and all(_DAY.fullmatch(str(cell)) for cell in known):
        return pd.to_datetime(pd.Series(cells), format="%Y-%m-%d")
    if kinds == {str} and all(_INSTANT.fullmatch(str(cell)) for cell in known):
        return pd.to_datetime(pd.Series(cells), format="ISO8601", utc=True)
    if kinds == {bool}:
        return pd.Series(cells, dtype="bool" if whole else "boolean")
    if kinds == {int}:
        return pd.Series(cells, dtype="int64" if whole else "Int64")
    is_number = kinds <= {int, float} and kind is not str
    return pd.Series(cells, dtype=float if is_number else None if kinds else object)
