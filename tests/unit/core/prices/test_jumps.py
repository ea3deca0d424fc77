"""A market crashes and recovers; a split, or another unit, moves the level and nothing else."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stocklstm.core.prices.jumps import find_jumps
from stocklstm.core.prices.series import Action, Bars

SPLITS = [2, 3, 4, 5, 6, 8, 10, 15, 20, 25, 30, 40, 50, 100, 1000, 3 / 2, 7]


def share(*closes: float, width: float = 0.01) -> Bars:
    """Make sessions of these closes, each with a range around its close."""
    values = np.array(closes, np.float64)
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(len(values))]
    return Bars(
        np.array(days, "datetime64[D]"),
        values.copy(),
        values * (1 + width),
        values * (1 - width),
        values,
        values.copy(),
        np.full(len(values), 1000.0),
    )


def day(bars: Bars, row: int) -> str:
    return str(bars.dates[row])


def found(bars: Bars, *actions: Action) -> list[tuple[int, str]]:
    return [(jump.row, jump.ratio) for jump in find_jumps(bars, actions)]


@pytest.mark.parametrize("ratio", SPLITS)
@pytest.mark.parametrize("off", [0.951, 1.0, 1.049])
def test_a_level_that_moves_by_a_ratio_of_splits_and_stays(ratio: float, off: float) -> None:
    shown = ("3", "2") if ratio == 1.5 else (f"{ratio}", "1")
    up = share(10, 10.1, 10 * ratio * off, 10 * ratio, 10.2 * ratio)
    bars = replace(up, adj_closes=up.closes.copy())
    bars.closes[1] = bars.adj_closes[1] = 10.0
    assert found(bars) == [(2, f"{shown[1]}:{shown[0]}")]
    down = share(10, 10, 10 / ratio * off, 10 / ratio, 9.9 / ratio)
    # From 3 to 2 is a fall of a third: less than what is looked at.
    if 1 / ratio * off < 0.65:
        assert found(down) == [(2, f"{shown[0]}:{shown[1]}")]
    else:
        assert found(down) == []


@pytest.mark.parametrize(
    "ratio", [0.23, 0.4, 0.44, 0.56, 0.28, 1.4, 1.6, 1.8, 2.5, 9, 12, 150, 700, 1 / 12, 1 / 500]
)
def test_any_other_ratio_is_a_move_of_the_market(ratio: float) -> None:
    assert found(share(10, 10, 10 * ratio, 10.1 * ratio, 9.9 * ratio)) == [(2, "")]


def test_a_real_crash() -> None:
    """Americanas, January 2023."""
    assert found(share(11.8, 12.0, 2.72, 3.15, 1.94, 1.88)) == [(2, ""), (4, "")]


@pytest.mark.parametrize("move", [0.351, 0.349, -0.351, -0.349])
def test_moves_beyond_35_per_cent_are_looked_at(move: float) -> None:
    bars = share(10, 10, 10 * (1 + move), 10 * (1 + move))
    assert len(find_jumps(bars, ())) == (abs(move) > 0.35)


def test_beyond_a_thousand_no_market_moves() -> None:
    assert found(share(10, 10, 27_500, 27_500)) == [(2, "1:2750")]


# Whether the level stays


@pytest.mark.parametrize(
    ("after", "ratio"),
    [
        ((), "2:1"),
        ((5.1,), "2:1"),
        ((9.0,), ""),
        ((5.1, 5.2, 9, 9, 9), ""),
        ((5.1, 9, 9, 5.2, 5.0), "2:1"),
        ((5.5, 6, 6.5, 6.9, 6.8, 9.9, 9.9, 9.9), "2:1"),
        ((6.5, 7.5, 8.5, 9.5, 9.9), ""),
        ((4, 3, 2, 2, 2), ""),
    ],
)
def test_the_next_closes_tell(after: tuple[float, ...], ratio: str) -> None:
    assert found(share(10, 10, 5, *after))[0] == (2, ratio)


@pytest.mark.parametrize("sessions", [1, 2, 3, 5])
def test_of_rows_in_other_units_both_ends_are_found(sessions: int) -> None:
    bars = share(10, 10, *[1000] * sessions, 10, 10, 10, 10, 10, 10)
    assert found(bars) == [(2, "1:100"), (2 + sessions, "100:1")]


def test_a_single_wrong_close_within_its_own_range_of_old_is_found() -> None:
    bars = share(10, 10, 10, 10, 10)
    bars.closes[2] = bars.adj_closes[2] = 1000
    assert found(bars) == [(2, "1:100"), (3, "100:1")]


# What happened within the day


def test_a_price_that_travelled_within_the_day_was_traded() -> None:
    bars = share(10, 10, 5, 5.1, 5.0)
    bars.highs[2], bars.lows[2] = 9.0, 4.8
    assert found(bars) == [(2, "")]
    # The open of a fall may not be known.
    bars.opens[2] = np.nan
    assert found(bars) == [(2, "")]
    bars.highs[2] = 5.9
    assert found(bars) == [(2, "2:1")]
    bars.highs[2] = np.nan
    assert found(bars) == [(2, "2:1")]


def test_no_market_moves_a_hundredfold_within_a_day() -> None:
    bars = share(10, 10, 1000, 1000, 1000)
    bars.lows[2] = 10
    assert found(bars) == [(2, "1:100")]


# Events


@pytest.mark.parametrize("row", [1, 2])
def test_a_split_between_two_rows_explains_their_move(row: int) -> None:
    whole = share(10, 10, 10, 5, 5)
    # The share did not trade on the day of the split.
    bars = whole.select(np.array([0, 1, 3, 4]))
    assert found(bars, Action(day(whole, row + 1), "split", 2.0)) == []
    assert found(bars, Action(day(whole, 1), "split", 2.0)) == [(2, "2:1")]
    assert found(bars, Action(day(whole, 4), "split", 2.0)) == [(2, "2:1")]


def test_a_dividend_is_in_the_adjusted_close() -> None:
    bars = share(10, 10, 4, 4.1, 4.0)
    paid = replace(bars, adj_closes=np.array([4, 4, 4, 4.1, 4.0]))
    assert found(paid) == []
    half = replace(share(10, 10, 5, 5, 5), adj_closes=np.full(5, 5.0))
    assert found(half, Action(day(bars, 2), "dividend", 5.0)) == []
    # Without a record of it: a split that only the adjusted closes allow for.
    assert found(half) == [(2, "2:1")]


def test_a_split_left_in_on_the_day_of_a_dividend() -> None:
    bars = share(10, 10, 2.5, 2.5, 2.5)
    # A tenth was paid: adjusted closes fall less, to 1 : 3.6.
    bars.adj_closes[:2] = 9
    assert found(bars) == [(2, "4:1")]


def test_the_move_is_told_in_closes_or_where_they_stand_still_in_adjusted_ones() -> None:
    bars = share(10, 10, 5, 5, 5)
    ((jump),) = find_jumps(replace(bars, adj_closes=bars.closes * 0.9), ())
    assert (jump.move.before, jump.move.after) == (10, 5)
    assert jump.move.change_pct == pytest.approx(-50)
    ((jump),) = find_jumps(replace(share(*[10] * 5), adj_closes=bars.closes), ())
    assert (jump.column, jump.move.before, jump.move.after) == ("adj_closes", 10, 5)


@given(
    closes=st.lists(st.floats(1e-6, 1e9), max_size=30),
    splits=st.lists(st.integers(0, 30), max_size=3),
)
def test_whatever_moves_is_found_once_and_nothing_else(
    closes: list[float], splits: list[int]
) -> None:
    bars = share(*closes)
    actions = [
        Action(str(np.datetime64("2024-01-01") + np.timedelta64(n, "D")), "split", 2.0)
        for n in splits
    ]
    moves = {
        row
        for row in range(1, len(closes))
        if abs(closes[row] / closes[row - 1] - 1) > 0.35 and row not in splits
    }
    assume(
        all(abs(abs(closes[r] / closes[r - 1] - 1) - 0.35) > 1e-9 for r in range(1, len(closes)))
    )
    assert [jump.row for jump in find_jumps(bars, actions)] == sorted(moves)
