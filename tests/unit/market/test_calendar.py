from datetime import UTC, datetime

import numpy as np
import pytest

from stocklstm.market import calendar
from stocklstm.market.calendar import last_final_day, local_day, session_opens, sessions


def day(text: str) -> np.datetime64:
    return np.datetime64(text, "D")


def test_sessions_of_a_week_with_a_holiday():
    found = sessions("BVMF", day("2024-11-11"), day("2024-11-17"))
    assert found.dates.astype(str).tolist() == [
        "2024-11-11",
        "2024-11-12",
        "2024-11-13",
        "2024-11-14",
    ]
    assert found.closes_utc.dtype == np.dtype("datetime64[s]")
    assert str(found.closes_utc[0]) == "2024-11-11T21:00:00"
    assert found.known
    assert (found.first, found.last) == (day("2024-11-11"), day("2024-11-17"))


def test_closing_time_follows_daylight_saving():
    found = sessions("XNYS", day("2024-03-08"), day("2024-03-11"))
    assert found.closes_utc.astype(str).tolist() == ["2024-03-08T21:00:00", "2024-03-11T20:00:00"]


def test_days_without_any_session():
    found = sessions("BVMF", day("2024-03-16"), day("2024-03-17"))
    assert found.dates.size == found.closes_utc.size == 0
    assert found.closed_on(np.array(["2024-03-16"], "datetime64[D]")).all()


@pytest.mark.parametrize("exchange", ["", "XXXX", "../../etc"])
def test_unknown_exchange_gives_weekdays_and_says_so(exchange):
    found = sessions(exchange, day("2024-03-14"), day("2024-03-19"))
    assert found.dates.astype(str).tolist() == [
        "2024-03-14",
        "2024-03-15",
        "2024-03-18",
        "2024-03-19",
    ]
    assert str(found.closes_utc[0]) == "2024-03-15T00:00:00"
    assert not found.known
    assert not found.closed_on(np.array(["2024-03-16"], "datetime64[D]")).any()


def test_what_was_asked_before_changes_no_answer():
    spans = [
        ("2010-03-01", "2010-03-31"),
        ("2009-01-05", "2009-01-20"),
        ("2012-11-01", "2012-12-31"),
        ("2010-06-01", "2011-06-01"),
        ("1996-06-01", "1998-06-01"),
        ("2190-01-01", "2191-01-01"),
        ("2010-03-05", "2010-03-08"),
    ]
    # The library knows this exchange from 1997 on.
    whole = sessions("XBOM", day("1996-01-01"), day("2191-12-31"))
    for order in (spans, spans[::-1]):
        calendar._built.clear()
        for first, last in order:
            found = sessions("XBOM", day(first), day(last))
            wanted = (whole.dates >= day(first)) & (whole.dates <= day(last))
            assert found.first == max(day(first), whole.first)
            assert found.last == min(day(last), whole.last)
            assert found.dates.tolist() == whole.dates[wanted].tolist()
            assert found.closes_utc.tolist() == whole.closes_utc[wanted].tolist()
            assert session_opens(found).tolist() == session_opens(whole)[wanted].tolist()


def test_days_within_those_asked_before_build_no_calendar(monkeypatch: pytest.MonkeyPatch):
    sessions("BVMF", day("2001-01-01"), day("2005-12-31"))
    monkeypatch.setattr(calendar, "_build_calendar", None)

    found = sessions("BVMF", day("2003-03-03"), day("2003-03-07"))

    assert found.dates.astype(str).tolist() == ["2003-03-05", "2003-03-06", "2003-03-07"]


def test_what_the_library_does_not_know_is_left_out():
    found = sessions("XBOM", day("1980-01-01"), day("2190-01-01"))
    assert found.first == day("1997-01-01")
    assert found.last < day("2190-01-01")
    assert found.dates[0] >= found.first
    assert found.dates[-1] <= found.last
    assert not found.closed_on(np.array(["1990-01-06", "2189-01-02"], "datetime64[D]")).any()
    later = sessions("XBOM", day("2190-01-01"), day("2191-01-01"))
    assert later.dates.size == 0


def test_absurd_dates_do_no_harm():
    found = sessions("BVMF", day("0001-01-01"), day("9999-12-31"))
    assert found.first == day("1900-01-01")
    assert found.dates[-1] <= day("2200-01-01")


@pytest.mark.parametrize("exchange", ["BVMF", ""])
def test_a_start_after_the_end_holds_no_session(exchange):
    assert sessions(exchange, day("2190-01-01"), day("2024-01-01")).dates.size == 0


@pytest.mark.parametrize(
    ("time_zone", "expected"),
    [
        ("America/Sao_Paulo", "2024-03-13"),
        ("Asia/Tokyo", "2024-03-14"),
        ("UTC", "2024-03-14"),
        ("", "2024-03-14"),
        ("Nowhere/City", "2024-03-14"),
        ("../passwd", "2024-03-14"),
    ],
)
def test_local_day(time_zone, expected):
    assert local_day(time_zone, datetime(2024, 3, 14, 1, tzinfo=UTC)) == day(expected)


@pytest.mark.parametrize(
    ("now", "final"),
    [
        ("2024-03-15T20:00", "2024-03-14"),
        ("2024-03-15T20:30", "2024-03-15"),
        # New York's Saturday: whether something was traded on it is known when it is over.
        ("2024-03-16T12:00", "2024-03-15"),
        ("2024-03-17T12:00", "2024-03-16"),
        ("2024-03-18T12:00", "2024-03-17"),
        ("2024-03-29T23:00", "2024-03-28"),
    ],
)
def test_a_day_without_a_session_is_final_when_it_is_over(now, final):
    calendar = sessions("XNYS", day("2024-03-01"), day("2024-04-30"))
    moment = datetime.fromisoformat(f"{now}:00+00:00")
    assert str(last_final_day(calendar, "America/New_York", moment)) == final
