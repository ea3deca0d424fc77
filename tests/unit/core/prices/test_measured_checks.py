"""Sessions held against daily rows: what was measured of real paths fits them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.prices.measured_checks import (
    check_against_days,
    check_kept,
    check_measured,
    has_step,
    implausible,
    misfit,
)
from stocklstm.core.prices.realised import IntradayBars, measure_sessions
from stocklstm.core.prices.series import Bars
from tests.support.property_tests import PROPERTY

DAY, ZONE = "2024-03-12", "America/Sao_Paulo"
OPENING = int(np.datetime64(f"{DAY}T13:00", "s").astype(np.int64))


def path(seed: int, bars: int, volatility: float) -> IntradayBars:
    """Make bars of a random walk of ten ticks a bar."""
    steps = volatility * np.random.default_rng(seed).standard_normal((bars, 10))
    prices = 36 * np.exp(np.cumsum(steps).reshape(bars, 10))
    opens = np.concatenate(([36.0], prices[:-1, -1]))
    every = np.column_stack([opens, prices])
    starts = OPENING + 300 * np.arange(bars)
    return IntradayBars(starts, 5, opens, every.max(axis=1), every.min(axis=1), prices[:, -1])


def day_of(bars: IntradayBars, scale: float = 1.0) -> Bars:
    values = [bars.opens[0], bars.highs.max(), bars.lows.min(), bars.closes[-1], bars.closes[-1]]
    columns = (np.array([value * scale]) for value in values)
    return Bars(np.array([DAY], "datetime64[D]"), *columns, np.array([1e6]))


paths = st.builds(
    path, st.integers(0, 10**6), st.integers(1, 100), st.floats(0, 0.02, allow_subnormal=False)
)


@PROPERTY
@given(paths, st.floats(1e-6, 1e6))
def test_what_was_measured_of_a_path_fits_its_day_in_any_scale(
    bars: IntradayBars, scale: float
) -> None:
    day, measured = day_of(bars, scale), measure_sessions(bars, ZONE, {})

    assert misfit(day, bars) == ""
    assert implausible(day, float(measured.realised[0]), len(bars)) == ""
    assert check_measured(measured, day.dates) == []
    assert check_kept(measured, [(DAY, bars)]) == []
    assert check_against_days(measured, [(DAY, bars)], day) == []


@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_a_variance_that_cannot_be_is_named(factor: float) -> None:
    bars = path(7, 84, 0.001)
    risen = np.array([36 * 1.1])
    day = replace(day_of(bars), closes=risen, highs=risen * 1.001)
    measured = measure_sessions(bars, ZONE, {})
    wrong = replace(measured, realised=measured.realised * factor)

    (words,) = check_against_days(wrong, [], day)

    assert words.startswith(f"{DAY}, 5 minutes: 84 bars")
    assert ("as much" if factor > 1 else "as little") in words
    assert check_against_days(replace(wrong, usable=~wrong.usable), [], day) == []


def test_bars_of_another_day_are_named() -> None:
    bars, day = path(7, 84, 0.001), day_of(path(8, 84, 0.0005))
    assert "their range is" in misfit(day, bars)
    low = replace(bars, closes=np.append(bars.closes[:-1], bars.lows.min() * 0.9999))
    lower = replace(day_of(bars), closes=bars.highs[:1].max(keepdims=True))
    assert "their close is" in misfit(lower, low) or "range" in misfit(lower, low)


def test_rows_that_were_never_stored_so_are_named() -> None:
    measured = measure_sessions(path(7, 84, 0.001), ZONE, {})
    for wrong, words in (
        (replace(measured, ranges=-measured.ranges), "below zero"),
        (replace(measured, bars=measured.bars * 0), "no order"),
        (replace(measured, firsts=measured.lasts + 5), "no order"),
    ):
        (found,) = check_measured(wrong, measured.dates)
        assert words in found
    assert "no daily row" in check_measured(measured, measured.dates + np.timedelta64(1, "D"))[0]


def test_a_session_that_is_not_what_its_bars_say_is_named() -> None:
    bars = path(7, 84, 0.001)
    measured = measure_sessions(bars, ZONE, {})
    other = replace(measured, realised=measured.realised * (1 + 1e-6))
    assert "not what its bars" in check_kept(other, [(DAY, bars)])[0]
    assert "of no session" in check_kept(measured, [(DAY, replace(bars, minutes=15))])[0]
    assert "of no session" in check_kept(measured, [("2024-03-13", bars)])[0]


@PROPERTY
@given(st.integers(0, 83), st.sampled_from([1.5, 2, 3, 10, 100]), st.booleans())
def test_a_split_within_a_session_is_a_step(row: int, ratio: float, upwards: bool) -> None:
    bars = path(7, 84, 0.001)
    assert not has_step(bars)
    factor = np.where(np.arange(84) < row, 1.0, ratio if upwards else 1 / ratio)
    prices = (bars.opens, bars.highs, bars.lows, bars.closes)
    torn = IntradayBars(bars.starts, 5, *(column * factor for column in prices))
    assert has_step(torn) == (row > 0)
