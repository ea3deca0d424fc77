"""Days of prices as bits: what is noted comes back, and what is no day is not noted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.prices.price_days import days_by_source, extent_of
from tests.support.property_tests import PROPERTY

DAYS = st.dictionaries(
    st.integers(0, 400).map(
        lambda day: str(np.datetime64("2023-12-20") + np.timedelta64(day, "D"))
    ),
    st.sampled_from(["b3", "csv", "yahoo"]),
    min_size=1,
)


def text_of(rows: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (source, "".join(day for day in sorted(rows) if rows[day] == source))
        for source in set(rows.values())
    ]


@PROPERTY
@given(before=DAYS, after=DAYS)
def test_days_come_back_whether_noted_at_once_or_one_after_the_other(
    before: dict[str, str], after: dict[str, str]
) -> None:
    start = min(after)
    since = {day: source for day, source in before.items() if day >= start} | after
    now = before | after

    noted = days_by_source(text_of(since), start, days_by_source(text_of(before)))

    assert noted == days_by_source(text_of(now))
    found = extent_of(noted)
    assert found.dates.astype(str).tolist() == sorted(now)
    assert list(found.sources) == sorted(set(now.values()))
    assert sum(found.sources.values()) == len(now)


@pytest.mark.parametrize(
    "days", ["2024-02-31", "2024-02-282024-02-3", "2024-2-028", "2024-02T10", "2024\u00e902-28"]
)
def test_what_is_no_day_is_not_noted(days: str) -> None:
    assert days_by_source([("csv", days)]) == []
