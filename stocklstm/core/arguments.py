"""What the functions of Python are given: names, days and numbers, in whatever form a notebook has.

Neither NumPy nor pandas is imported: their values are told by what they can do.
"""

import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from os import PathLike
from pathlib import Path

from stocklstm.core.clock import is_day, utc_text
from stocklstm.errors import ConfigError


class _All(tuple[str, ...]):
    """All that there are: an empty list of names is another thing, which is refused."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ALL"


ALL: tuple[str, ...] = _All()
"""What is meant where no name is given."""

_DAY_AND_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d)[ T]00:00(:00(\.0+)?)?([+-]\d\d:?\d\d|Z)?")


def read_names(given: object, what: str) -> tuple[str, ...]:
    """Read names: one as it is, or several in a list, an array, a Series or whatever gives them.

    Args:
        given: As it was given.
        what: What the names are, in errors.

    Raises:
        ConfigError: It is nothing of the kind.
    """
    if given is ALL:
        return ALL
    names = []
    for each in _one_or_several(given):
        if not isinstance(each, str):
            raise ConfigError(
                f"{what} are names such as 'PETR4.SA', or a list of them, not {_of(each)}",
                hint='stocklstm.predict(["PETR4.SA", "VALE3.SA"])',
            )
        # NumPy has a class of its own for them.
        names.append(str(each) if type(each).__module__ == "numpy" else each)
    return tuple(names)


def require_any(names: Sequence[str], function: str) -> None:
    """Refuse an empty list where no list at all means all that there are.

    Raises:
        ConfigError: It is one.
    """
    if not names and names is not ALL:
        raise ConfigError(
            f"an empty list of names was given to {function}",
            hint=f"stocklstm.{function}() without a list takes all that there are",
        )


def read_day(given: object, name: str) -> str | None:
    """Read a day: a text, a date, a Timestamp or a datetime64, of which the day counts.

    A text that is no day is given back as it is, to be refused by whoever knows its command.

    Raises:
        ConfigError: It is nothing of the kind.
    """
    if given is None:
        return None
    if isinstance(given, str):
        found = _DAY_AND_MIDNIGHT.fullmatch(given)
        return found[1] if found else given
    text = ""
    if isinstance(given, date):
        text = given.isoformat()[:10]
    elif type(given).__name__ == "datetime64":
        text = str(given)[:10]
    if not is_day(text):
        raise ConfigError(
            f"{name} is a day such as '2024-03-13' or a date, not {_of(given)}",
            hint=f"{name}='2024-03-13'",
        )
    return text


def read_moment(given: object, name: str) -> str | None:
    """Read a UTC timestamp: a text, or a datetime or Timestamp that knows its zone.

    Raises:
        ConfigError: It is nothing of the kind.
    """
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else given
        if isinstance(moment, datetime) and moment.tzinfo is not None:
            return utc_text(moment)
    except ValueError:
        pass
    raise ConfigError(
        f"{name} is a moment with its zone such as '2024-03-14T21:05:00Z', not {_of(given)}",
        hint=f"{name}='2024-03-14T21:05:00Z'",
    )


def read_paths(given: object, name: str) -> tuple[Path, ...]:
    """Read one path or several, each a text or a path.

    Raises:
        ConfigError: It is nothing of the kind.
    """
    paths = []
    for each in _one_or_several(given):
        if not isinstance(each, (str, PathLike)):
            raise ConfigError(
                f"{name} are paths such as 'petr4.csv', not {_of(each)}",
                hint='write a data frame to a file first: frame.to_csv("petr4.csv")',
            )
        paths.append(Path(each))
    return tuple(paths)


def read_whole_numbers(given: object, name: str) -> tuple[int, ...]:
    """Read one whole number or several, of Python or of NumPy; 5.0 is one.

    Raises:
        ConfigError: It is nothing of the kind.
    """
    return tuple(_whole(each, name) for each in _one_or_several(given))


def read_numbers(given: object, name: str) -> tuple[float, ...]:
    """Read one number or several, of Python or of NumPy.

    Raises:
        ConfigError: It is nothing of the kind.
    """
    return tuple(_number(each, name) for each in _one_or_several(given))


def require_class(given: object, wanted: Sequence[str], name: str, function: str) -> None:
    """Refuse an argument that is of none of some classes, which need not be loaded.

    Args:
        given: As it was given.
        wanted: Names of the classes.
        name: Of the argument.
        function: That it was given to.

    Raises:
        ConfigError: It is of another one.
    """
    if {each.__name__ for each in type(given).__mro__}.isdisjoint(wanted):
        example = (
            'stocklstm.configure("calibrated", epochs=8)'
            if "TrainingConfig" in wanted
            else f"{name}=stocklstm.{wanted[0]}(...)"
        )
        raise ConfigError(
            f"{name} of {function} is a {' or '.join(wanted)}, not {_of(given)}", hint=example
        )


def _one_or_several(given: object) -> tuple[object, ...]:
    """Give what is in a list, an array or a Series; of anything else itself."""
    if isinstance(given, (str, bytes, PathLike)) or hasattr(given, "columns"):
        return (given,)
    # Arrays of NumPy and series of pandas: then their elements are Python's own.
    values = given.tolist() if hasattr(given, "tolist") else given
    if isinstance(values, (Mapping, str, bytes)) or not isinstance(values, Iterable):
        return (given,)
    return tuple(sorted(values) if isinstance(values, (set, frozenset)) else values)


def _whole(given: object, name: str) -> int:
    if type(given).__name__ not in {"bool", "bool_"}:
        if hasattr(given, "is_integer") and given.is_integer():
            return int(given)  # type: ignore[call-overload,no-any-return]
        try:
            return operator.index(given)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise ConfigError(f"{name} is a whole number, not {_of(given)}", hint=f"{name}=5")


def _number(given: object, name: str) -> float:
    if not isinstance(given, (str, bytes)) and type(given).__name__ not in {"bool", "bool_"}:
        try:
            return float(given)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            pass
    raise ConfigError(f"{name} are numbers, not {_of(given)}", hint=f"{name}=[0.8, 0.95]")


def _of(given: object) -> str:
    """Name what was given: by its value where that is short, else by its class."""
    text = repr(given)
    kind = type(given).__name__
    return text if len(text) <= 30 and "\n" not in text else f"a {kind}"
