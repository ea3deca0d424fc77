import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.prices.spacing import spacing_days, spacing_name

START = np.datetime64("2020-01-06", "D")  # a Monday
DAY = np.timedelta64(1, "D")
WEEKDAYS = np.array([START + day * DAY for day in range(1000) if day % 7 < 5])


@pytest.mark.parametrize(
    ("step", "name"),
    [(7, "weekly"), (14, "fortnightly"), (30, "monthly"), (91, "quarterly"), (365, "yearly")],
)
def test_regular_steps(step, name):
    dates = START + step * DAY * np.arange(12)
    assert spacing_days(dates) == step
    assert spacing_name(step) == name
    assert spacing_days(dates[::-1]) == step
    assert spacing_days(np.concatenate([dates, dates])) == step


def test_months_have_no_even_length():
    first_days = np.arange("2020-01", "2023-01", dtype="datetime64[M]").astype("datetime64[D]")
    assert spacing_name(spacing_days(first_days)) == "monthly"


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_rows_tell_nothing(count):
    assert spacing_days(START + 7 * DAY * np.arange(count)) == 1


@given(st.integers(0, 700), st.integers(3, 300), st.sets(st.integers(0, 299), max_size=60))
def test_daily_rows_with_gaps_are_daily(start, count, missing):
    days = WEEKDAYS[start : start + count]
    kept = np.array([day for place, day in enumerate(days) if place not in missing])
    if 2 * len(kept) > len(days) + 4:
        assert spacing_days(kept) == 1


def test_rows_of_a_share_that_is_seldom_traded_are_daily():
    dates = START + DAY * np.cumsum([0, 3, 11, 1, 20, 2, 6, 40, 1, 9, 5, 33])
    assert spacing_days(dates) == 1


@pytest.mark.parametrize(
    ("texts", "days", "name"),
    [
        (["2018-04-12", "2018-04-16", "2018-04-23", "2018-04-30", "2018-05-07"], 7, "weekly"),
        (["2010-08-19", "2010-09-01", "2010-10-01", "2010-11-01"], 30, "monthly"),
        (["2010-10-29", "2010-11-01", "2010-12-01", "2011-01-03", "2011-02-01"], 30, "monthly"),
        (["2011-05-23", "2011-06-01", "2011-07-01"], 19, ""),
        (["2024-03-08", "2024-03-11", "2024-03-18"], 1, ""),
    ],
)
def test_short_files(texts, days, name):
    dates = np.array(texts, "datetime64[D]")
    assert spacing_days(dates) == days
    assert spacing_name(days) == name
