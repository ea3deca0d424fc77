"""Splits and dividends are worked into prices as Yahoo does it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.prices.adjustment import adjust
from stocklstm.core.prices.answers import Basis
from stocklstm.core.prices.series import Action, Bars
from tests.support.bundled_prices import bundled
from tests.support.price_rows import bars_of_rows

DAYS = ("2024-03-11", "2024-03-12", "2024-03-13", "2024-03-14", "2024-03-15")
NOTHING = bars_of_rows([])


def week(*closes: float) -> Bars:
    bars = bars_of_rows(list(zip(DAYS, closes, strict=False)))
    return replace(bars, adj_closes=np.full(len(bars), np.nan))


def test_what_is_adjusted_already_is_left_alone():
    bars = bars_of_rows([("2024-03-11", 36.0)])
    assert adjust(bars, Basis.ADJUSTED, [Action("2024-03-12", "split", 2)], NOTHING) is bars


def test_without_events_the_adjusted_close_is_the_close():
    bars = adjust(week(10, 11, 12), Basis.SPLIT_ADJUSTED, [], NOTHING)
    assert bars.adj_closes.tolist() == [10, 11, 12]


def test_dividends_lower_the_adjusted_closes_before_their_ex_dates():
    dividends = [Action("2024-03-12", "dividend", 1.0), Action("2024-03-14", "dividend", 0.6)]
    bars = adjust(week(10, 11, 12, 11, 11), Basis.SPLIT_ADJUSTED, dividends, NOTHING)
    late = 1 - 0.6 / 12
    expected = [10 * (1 - 1 / 10) * late, 11 * late, 12 * late, 11, 11]
    assert bars.adj_closes == pytest.approx(expected, rel=1e-14)
    assert bars.closes.tolist() == [10, 11, 12, 11, 11]


def test_a_split_is_taken_out_of_prices_as_they_were_traded():
    actions = [Action("2024-03-13", "split", 2.0), Action("2024-03-14", "dividend", 0.5)]
    bars = adjust(week(20, 22, 11, 12), Basis.AS_TRADED, actions, NOTHING)
    assert bars.closes.tolist() == [10, 11, 11, 12]
    assert bars.highs.tolist() == [10.5, 11.5, 12, 13]
    assert bars.volumes.tolist() == [200, 200, 100, 100]
    before = 1 - 0.5 / 11
    assert bars.adj_closes == pytest.approx([10 * before, 11 * before, 11 * before, 12])


def test_a_split_is_no_business_of_prices_that_allow_for_it():
    bars = adjust(week(10, 11), Basis.SPLIT_ADJUSTED, [Action("2024-03-12", "split", 2.0)], NOTHING)
    assert bars.closes.tolist() == [10, 11]


def test_a_dividend_nobody_can_place_changes_nothing():
    odd = [Action("2024-03-11", "dividend", 1.0), Action("2024-03-12", "dividend", 10.0)]
    bars = adjust(week(10, 11), Basis.SPLIT_ADJUSTED, odd, NOTHING)
    assert bars.adj_closes.tolist() == [10, 11]


def test_stored_days_keep_their_adjusted_close_and_their_neighbours_its_scale():
    stored = bars_of_rows(
        [
            ("2024-03-12", 11, 12, 10, 11, 9.9, 1),
            ("2024-03-14", 12, 13, 11, 12, 12.0, 1),
        ]
    )
    dividend = Action("2024-03-14", "dividend", 1.2)
    bars = adjust(week(10, 11, 12, 12, 13), Basis.SPLIT_ADJUSTED, [dividend], stored)
    assert bars.adj_closes == pytest.approx([9.0, 9.9, 12 * 0.9, 12.0, 13.0])


def test_nothing_stays_nothing():
    assert len(adjust(NOTHING, Basis.AS_TRADED, [], NOTHING)) == 0


@given(
    closes=st.lists(st.floats(1, 1000), min_size=5, max_size=5),
    splits=st.dictionaries(st.sampled_from(DAYS[1:]), st.sampled_from([0.1, 0.5, 2, 3, 10])),
    dividends=st.dictionaries(st.sampled_from(DAYS[1:]), st.floats(0.01, 0.5)),
)
def test_the_adjusted_return_is_what_a_holder_earned(closes, splits, dividends):
    """By hand: a share bought before and sold after, with its split and its dividend."""
    traded = week(*closes)
    kept = {day: value for day, value in dividends.items() if value < 0.9}
    actions = [Action(day, "split", value) for day, value in splits.items()]
    per_share_now = {}
    for day, value in kept.items():
        later = np.prod([ratio for other, ratio in splits.items() if other > day])
        per_share_now[day] = value / later
    actions += [Action(day, "dividend", value) for day, value in per_share_now.items()]
    bars = adjust(traded, Basis.AS_TRADED, actions, NOTHING)
    for place in range(1, 5):
        day = DAYS[place]
        split, dividend = splits.get(day, 1), kept.get(day, 0.0)
        before = closes[place - 1] / split
        if dividend >= before:
            continue
        earned = closes[place] / (before - dividend)
        assert bars.adj_closes[place] / bars.adj_closes[place - 1] == pytest.approx(earned)
    assert bars.adj_closes[-1] == closes[-1]


def test_real_prices_come_out_as_yahoo_adjusted_them():
    real = bundled().bars
    # The ex-dates and amounts that Yahoo's own factors imply.
    factors = real.adj_closes / real.closes
    steps = np.flatnonzero(np.abs(factors[1:] / factors[:-1] - 1) > 1e-4) + 1
    dividends = [
        Action(
            str(real.dates[row]),
            "dividend",
            real.closes[row - 1] * (1 - factors[row - 1] / factors[row]),
        )
        for row in steps
    ]
    assert len(dividends) > 20
    bare = replace(real, adj_closes=np.full(len(real), np.nan))
    ours = adjust(bare, Basis.SPLIT_ADJUSTED, dividends, NOTHING)
    assert ours.adj_closes == pytest.approx(real.adj_closes, rel=2e-3)
    for name in ("dates", "opens", "highs", "lows", "closes", "volumes"):
        assert np.array_equal(getattr(ours, name), getattr(real, name))
