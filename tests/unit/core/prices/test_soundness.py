"""Any single fault in stored prices is found, and nothing else is."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.prices.series import Action
from stocklstm.core.prices.soundness import (
    check_actions,
    check_bars,
    check_days,
    gaps,
)
from tests.support.price_rows import bars_of_rows

DAYS = [f"2024-03-{day}" for day in (11, 12, 13, 14, 15, 18, 19)]
WEEK = bars_of_rows([(day, 30 + n) for n, day in enumerate(DAYS)])
SESSIONS = WEEK.dates
TODAY = np.datetime64("2024-03-19")
NAN, INF = np.nan, np.inf


def test_sound_prices_pass():
    assert [check.status for check in (check_bars(WEEK), check_days(WEEK, SESSIONS, TODAY))] == [
        "ok",
        "ok",
    ]
    assert check_bars(WEEK).detail == "7 rows, every value in order"


def test_what_a_source_may_leave_out_is_no_fault():
    unknown = np.full(len(WEEK), NAN)
    bare = replace(WEEK, opens=unknown, highs=unknown, lows=unknown, volumes=unknown)
    assert check_bars(bare).status == "ok"


FAULTS = [
    *(("closes", value) for value in (NAN, INF, 0.0, -1.0)),
    *(("adj_closes", value) for value in (NAN, INF, 0.0, -1.0)),
    *((name, value) for name in ("opens", "highs", "lows") for value in (INF, 0.0, -1.0)),
    *(("volumes", value) for value in (INF, -1.0)),
    ("highs", 1.0),
]


@given(fault=st.sampled_from(FAULTS), row=st.integers(0, 6))
def test_any_single_fault_is_found_and_its_day_is_named(fault, row):
    name, value = fault
    values = getattr(WEEK, name).copy()
    values[row] = value
    found = check_bars(replace(WEEK, **{name: values}))
    assert found.status == "failed"
    assert found.detail.startswith(DAYS[row])


@given(rows=st.permutations(range(7)).filter(lambda rows: rows != sorted(rows)))
def test_any_other_order_is_found(rows):
    assert "does not follow" in check_bars(WEEK.select(np.array(rows))).detail


def test_a_day_twice_is_found():
    assert check_bars(WEEK.select(np.array([0, 1, 1, 2]))).status == "failed"


def test_more_than_one_row_is_counted():
    assert check_bars(replace(WEEK, closes=-WEEK.closes)).detail.startswith(
        "2024-03-11: the close is not a price (7 rows)"
    )


def test_the_future_and_weekends_are_found():
    assert (
        "2024-03-19: not over" in check_days(WEEK, SESSIONS, TODAY - np.timedelta64(1, "D")).detail
    )
    saturday = bars_of_rows([("2024-03-14", 30), ("2024-03-16", 31), ("2024-03-18", 30)])
    assert check_days(saturday, SESSIONS, TODAY).detail == "2024-03-16: a weekend"
    filled = bars_of_rows([("2024-03-15", 30), ("2024-03-16", 30), ("2024-03-18", 30)])
    assert check_days(filled, SESSIONS, TODAY).detail == "2024-03-16: a weekend"
    traded = bars_of_rows([("2024-03-15", 30), ("2024-03-16", 31), ("2024-03-18", 30)])
    assert check_days(traded, SESSIONS, TODAY).status == "ok"
    still = replace(traded, volumes=np.array([1.0, 0.0, 1.0]))
    assert check_days(still, SESSIONS, TODAY).detail == "2024-03-16: a weekend"


def test_a_filled_row_of_a_closed_day_is_found():
    sessions = np.delete(SESSIONS, 3)
    filled = bars_of_rows([(str(day), 30, 30, 30, 30, 30, 0) for day in DAYS])
    assert check_days(filled, sessions, TODAY).detail == (
        "2024-03-14: the exchange was closed, nothing was traded"
    )
    # What was traded was traded, whatever the calendar says.
    assert check_days(WEEK, sessions, TODAY).status == "ok"
    assert check_days(filled, SESSIONS, TODAY).status == "ok"


def test_beyond_the_known_sessions_nothing_is_found():
    filled = bars_of_rows([(str(day), 30, 30, 30, 30, 30, 0) for day in DAYS])
    assert check_days(filled, SESSIONS[2:4], TODAY).status == "ok"


def test_a_session_on_a_saturday_is_none():
    saturday = bars_of_rows([("2024-03-15", 30), ("2024-03-16", 30), ("2024-03-18", 30)])
    assert check_days(saturday, saturday.dates, TODAY).status == "ok"
    assert check_days(saturday, SESSIONS[:0], TODAY).status == "ok"


@pytest.mark.parametrize("value", [0.0, -1.0, NAN, INF])
def test_an_event_without_a_value_is_found(value):
    found = check_actions([Action("2024-03-12", "dividend", value)])
    assert found.status == "failed"
    assert found.detail.startswith("2024-03-12: the dividend")


def test_events_are_counted():
    actions = [Action("2024-03-12", "dividend", 1.0), Action("2024-03-13", "split", 2.0)]
    assert check_actions(actions).detail == "1 dividends, 1 splits"


def test_gaps_lie_between_the_first_and_the_last_row():
    assert gaps(WEEK.dates[[1, 2, 4]], SESSIONS).astype(str).tolist() == ["2024-03-14"]
    assert gaps(WEEK.dates[:0], SESSIONS).size == 0
    assert gaps(WEEK.dates, SESSIONS[:0]).size == 0
