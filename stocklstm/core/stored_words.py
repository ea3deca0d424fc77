"""What each column of the database may hold: the one place that says so, table by table.

SQLite keeps the type of a value, and a text may still be no day, and a number no price.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

Test = Callable[[Any], bool]

# As many as nobody will ever publish, and 32 bits hold.
_MOST_VERSIONS = 2**31 - 1

# No price is quoted as high; one that was adjusted for splits may be a million times as high.
HIGHEST = 1e18

# Longer than any name that a ticker, an exchange, a currency or a source has.
_LONGEST_NAME = 200

_MINUTES_OF_A_DAY = 24 * 60
_BYTES_OF_A_BAR = 40

_SHA256 = re.compile(r"[0-9a-f]{64}").fullmatch


@cache
def _is_day(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


@cache
def is_instant(value: str) -> bool:
    """UTC to the second, as `core.clock.utc_now` gives it."""
    try:
        return datetime.fromisoformat(value).strftime("%Y-%m-%dT%H:%M:%SZ") == value
    except ValueError:
        return False


@cache
def _is_zone(value: str) -> bool:
    """Some machines have no list of time zones: to them every name is one."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(value)
    except ZoneInfoNotFoundError:
        return value != "UTC" and not _is_zone("UTC")
    except (OSError, ValueError):
        return False
    return True


def _is_name(value: str) -> bool:
    return len(value) <= _LONGEST_NAME and value.isprintable()


def _is_filled_name(value: str) -> bool:
    return bool(value) and _is_name(value)


def _is_version(value: int) -> bool:
    return 1 <= value <= _MOST_VERSIONS


def _are_bits(value: bytes) -> bool:
    """A bit a day from a first one to a last one, and zeros that fill a byte."""
    return value[:1] >= b"\x80" and not value.endswith(b"\0")


def _are_bars(value: bytes) -> bool:
    """Of each bar a start and four prices, eight bytes each."""
    return len(value) > 0 and len(value) % _BYTES_OF_A_BAR == 0


def _is_bar_length(value: int) -> bool:
    return 1 <= value <= _MINUTES_OF_A_DAY


def _is_minute(value: int) -> bool:
    return 0 <= value < _MINUTES_OF_A_DAY


def _is_yes_or_no(value: int) -> bool:
    return value in {0, 1}


def _is_count(value: int) -> bool:
    return 0 <= value <= _MOST_VERSIONS


def _is_natural(value: int) -> bool:
    return 0 <= value < 2**63 - 1


def _is_price(value: float) -> bool:
    return 0 < value <= HIGHEST


def _is_volume(value: float) -> bool:
    return 0 <= value < math.inf


def _is_number(value: float) -> bool:
    return math.isfinite(value)


def is_sha256(value: str) -> bool:
    """64 hexadecimal digits."""
    return _SHA256(value) is not None


def _is_anything(_: object) -> bool:
    """Such as any text, and the figures of a search, which may have diverged."""
    return True


def _is_json(kind: type) -> Test:
    def test(value: str) -> bool:
        try:
            return isinstance(json.loads(value), kind)
        except (ValueError, RecursionError):
            return False

    return test


def _are_quantiles(value: str) -> bool:
    """Closes over the quantile grid, in order."""
    from stocklstm.core.settings.config import LEVELS

    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(found, list)
        and len(found) == len(LEVELS)
        and all(isinstance(each, float) and _is_price(each) for each in found)
        and found == sorted(found)
    )


def _one_of(*words: str) -> Test:
    return lambda value: value in words


def _or_none(test: Test) -> Test:
    return lambda value: value is None or test(value)


_is_price_or_none = _or_none(_is_price)
_is_volume_or_none = _or_none(_is_volume)

# Tests that hold for all numbers between two for which they hold.
_RANGES = {
    _is_version,
    _is_count,
    _is_natural,
    _is_price,
    _is_volume,
    _is_bar_length,
    _is_minute,
    _is_yes_or_no,
}
_RANGES_OR_NONE = {_is_price_or_none: _is_price, _is_volume_or_none: _is_volume}


WORDS: Mapping[str, Mapping[str, Test]] = {
    "instruments": {
        "ticker": _is_filled_name,
        "currency": _is_name,
        "exchange": _is_name,
        "time_zone": _is_zone,
        "source": _is_filled_name,
        "fetched_at": is_instant,
        "calendar": _or_none(_is_name),
    },
    "prices": {
        "ticker": _is_filled_name,
        "date": _is_day,
        "open": _is_price_or_none,
        "high": _is_price_or_none,
        "low": _is_price_or_none,
        "close": _is_price,
        "adj_close": _is_price,
        "volume": _is_volume_or_none,
        "source": _is_filled_name,
        "fetched_at": is_instant,
    },
    "actions": {
        "ticker": _is_filled_name,
        "date": _is_day,
        "kind": _one_of("dividend", "split"),
        "value": _is_price,
    },
    "price_days": {
        "ticker": _is_filled_name,
        "source": _is_filled_name,
        "first": _is_day,
        "days": _are_bits,
    },
    "realised": {
        "ticker": _is_filled_name,
        "date": _is_day,
        "minutes": _is_bar_length,
        "realised": _is_volume,
        "ranges": _is_volume,
        "bipower": _is_volume,
        "bars": _is_count,
        "first": _is_minute,
        "last": _is_minute,
        "usable": _is_yes_or_no,
        "source": _is_filled_name,
        "fetched_at": is_instant,
    },
    "intraday_bars": {
        "ticker": _is_filled_name,
        "date": _is_day,
        "minutes": _is_bar_length,
        "bars": _are_bars,
    },
    "sessions": {"exchange": _is_name, "date": _is_day, "closes_at": is_instant},
    "price_log": {
        "id": _is_number,
        "at": is_instant,
        "ticker": _is_filled_name,
        "source": _is_filled_name,
        "kind": _one_of("corrected", "revised", "renamed", "currency"),
        "first": _is_day,
        "last": _is_day,
        "rows": _is_count,
        "detail": _is_anything,
    },
    "forecasts": {
        "ticker": _is_filled_name,
        "target_session": _is_day,
        "pool": _is_name,
        "version": _is_version,
        "horizon": _is_version,
        "as_of": _is_day,
        "last_close": _is_price,
        "point": _is_price,
        "quantiles": _are_quantiles,
        "made_at": is_instant,
    },
    "versions": {
        "ticker": _is_filled_name,
        "version": _is_version,
        "manifest_sha256": is_sha256,
        "published_at": is_instant,
        "signature": _or_none(is_sha256),
    },
    "aliases": {"ticker": _is_filled_name, "name": _is_filled_name, "version": _is_version},
    "alias_log": {
        "id": _is_number,
        "at": is_instant,
        "ticker": _is_filled_name,
        "name": _is_filled_name,
        "version": _or_none(_is_version),
        "replaced": _or_none(_is_version),
        "reason": _is_anything,
    },
    "removals": {
        "ticker": _is_filled_name,
        "version": _is_version,
        "manifest_sha256": is_sha256,
        "published_at": is_instant,
        "removed_at": is_instant,
    },
    "studies": {
        "id": _is_filled_name,
        "ticker": _is_filled_name,
        "created": is_instant,
        "sampler": _is_filled_name,
        "most_trials": _or_none(_is_count),
        "config": _is_json(dict),
        "last": _is_day,
        "sha256": is_sha256,
        "finished_at": _or_none(is_instant),
    },
    "trials": {
        "study": _is_filled_name,
        "number": _is_natural,
        "settings": _is_json(dict),
        "status": _one_of("complete", "pruned", "diverged"),
        "loss": _or_none(_is_anything),
        "curve": _is_json(list),
        "kept_epoch": _is_natural,
        "losses": _is_json(list),
        "seconds": _is_anything,
    },
}
"""Tests of every column that hold for all that this program writes."""


def are_sound(table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bool:
    """Tell whether some rows hold nothing that this program never writes."""
    return not (rows and faults_in(table, columns, rows))


def faults_in(table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Name the columns in which some row holds what this program never writes.

    Args:
        columns: Those of the rows, in their order.
    """
    tests, values = WORDS[table], dict(zip(columns, zip(*rows, strict=True), strict=True))
    # Most values are there many times.
    faults = [name for name, column in values.items() if not _all_hold(tests[name], set(column))]
    highs, lows = values.get("high", ()), values.get("low", ())
    if not faults and any(
        high is not None and low is not None and high < low
        for high, low in zip(highs, lows, strict=True)
    ):
        faults.append("high")
    return faults


def _all_hold(test: Test, values: set[Any]) -> bool:
    if test in _RANGES_OR_NONE:
        test, values = _RANGES_OR_NONE[test], values - {None}
    if test in _RANGES and len(values) > 2:
        try:
            # NaN is between no two numbers, and makes a sum NaN.
            ends = set() if math.isnan(sum(values)) else {min(values), max(values)}
        except (TypeError, OverflowError):
            ends = set()
        values = ends or values
    return all(_holds(test, value) for value in values)


def _holds(test: Test, value: object) -> bool:
    try:
        return test(value)
    except (TypeError, AttributeError):
        return False  # NULL, where there must be something
