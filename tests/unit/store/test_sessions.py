import numpy as np
import pytest

from stocklstm.errors import SchemaError

# Friday the 29th was Good Friday; after Monday the calendar ends.
DAYS = ("2024-03-27", "2024-03-28", "2024-04-01")


def days_of(*days: str) -> tuple[np.ndarray, np.ndarray]:
    dates = np.array(days, "datetime64[D]")
    return dates, dates.astype("datetime64[s]") + np.timedelta64(20 * 3600, "s")


@pytest.fixture
def sessions(store):
    store.sessions.put("BVMF", *days_of(*DAYS))
    return store.sessions


def stored(sessions) -> list[tuple]:
    return sessions.connection.execute("SELECT * FROM sessions").fetchall()


def test_times_are_kept_as_they_are_compared(sessions):
    assert stored(sessions)[0] == ("BVMF", "2024-03-27", "2024-03-27T20:00:00Z")


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2024-01-01", "2024-03-27"),
        ("2024-03-27", "2024-03-28"),
        ("2024-03-28", "2024-04-01"),
        ("2024-03-30", "2024-04-01"),
        ("2024-04-01", "2024-04-02"),
        ("2024-04-05", "2024-04-08"),
        ("2024-04-06", "2024-04-08"),
    ],
    ids=["before", "inside", "holiday", "weekend", "end", "friday-after-end", "saturday-after-end"],
)
def test_the_next_session(sessions, date, expected):
    assert sessions.next_after("BVMF", date) == expected


@pytest.mark.parametrize(
    ("date", "count", "expected"),
    [
        ("2024-03-27", 2, "2024-04-01"),
        ("2024-03-01", 3, "2024-04-01"),
        # Past the end of the calendar weekdays go on where it ended.
        ("2024-03-27", 3, "2024-04-02"),
        ("2024-03-01", 8, "2024-04-08"),
        ("2024-04-05", 5, "2024-04-12"),
        ("2024-04-06", 1, "2024-04-08"),
    ],
)
def test_a_later_session(sessions, date, count, expected):
    assert sessions.next_after("BVMF", date, count) == expected


def test_counting_sessions_is_taking_the_next_again_and_again(sessions):
    day = "2024-03-20"
    for count in range(1, 15):
        day = sessions.next_after("BVMF", day)
        assert sessions.next_after("BVMF", "2024-03-20", count) == day


def test_weekdays_stand_in_for_an_unknown_exchange(sessions):
    assert sessions.next_after("", "2024-03-28") == "2024-03-29"
    assert sessions.next_after("XNYS", "2024-03-29") == "2024-04-01"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2024-03-27T19:00:00Z", 0),
        ("2024-03-28T19:59:59Z", 0),
        ("2024-03-28T20:00:00Z", 1),
        ("2024-03-31T12:00:00Z", 1),
        ("2024-04-01T20:00:01Z", 2),
    ],
)
def test_sessions_that_have_ended_since(sessions, now, expected):
    assert sessions.ended_since("BVMF", "2024-03-27", now) == expected


def test_when_sessions_end(sessions):
    assert sessions.ends("BVMF", "2024-03-28", "2024-04-02") == {
        "2024-03-28": "2024-03-28T20:00:00Z",
        "2024-04-01": "2024-04-01T20:00:00Z",
    }
    assert sessions.ends("XNYS", "2024-03-28", "2024-04-02") == {}


def test_a_holiday_was_no_session_to_miss(sessions):
    assert sessions.ended_since("BVMF", "2024-03-28", "2024-03-31T12:00:00Z") == 0


@pytest.mark.parametrize(
    ("exchange", "date", "now", "expected"),
    [
        ("", "2024-03-27", "2024-03-27T23:00:00Z", 0),
        ("", "2024-03-27", "2024-03-28T23:00:00Z", 0),
        ("", "2024-03-27", "2024-03-29T23:00:00Z", 1),
        ("", "2024-03-28", "2024-04-01T09:00:00Z", 1),
        ("BVMF", "2024-04-01", "2024-04-03T09:00:00Z", 1),
        ("BVMF", "2024-04-05", "2024-04-06T09:00:00Z", 0),
        ("BVMF", "2024-04-05", "2024-04-01T09:00:00Z", 0),
    ],
    ids=[
        "same-day",
        "today-may-be-trading",
        "yesterday",
        "over-a-weekend",
        "after-the-calendar",
        "nothing-since",
        "clock-behind",
    ],
)
def test_weekdays_where_nothing_is_known(sessions, exchange, date, now, expected):
    assert sessions.ended_since(exchange, date, now) == expected


@pytest.mark.parametrize(
    ("date", "now", "expected"),
    [
        ("2024-03-27", "2024-04-02T09:00:00Z", 2),
        ("2024-03-27", "2024-04-03T09:00:00Z", 3),
        ("2024-03-27", "2024-04-08T09:00:00Z", 6),
        ("2024-03-28", "2024-04-08T09:00:00Z", 5),
        ("2024-04-01", "2024-04-08T09:00:00Z", 4),
        ("2024-03-28", "2025-04-01T09:00:00Z", 261),
        # The last session that is known has not ended yet: nothing is past the calendar's end.
        ("2024-03-27", "2024-04-01T19:00:00Z", 1),
    ],
    ids=["day-after", "one-weekday", "a-week", "inside", "from-the-end", "a-year", "not-ended"],
)
def test_weekdays_stand_in_past_the_end_of_the_calendar(sessions, date, now, expected):
    assert sessions.ended_since("BVMF", date, now) == expected


def test_a_calendar_that_ends_never_makes_prices_younger(sessions):
    days = np.datetime64("2024-03-27") + np.arange(60)
    counts = [sessions.ended_since("BVMF", "2024-03-27", f"{day}T23:00:00Z") for day in days]
    assert counts == sorted(counts)
    assert counts[-1] == 2 + np.busday_count("2024-04-02", days[-1])


def test_the_end_of_another_calendar_says_nothing(sessions):
    sessions.put("XNYS", *days_of("2024-04-08"))
    assert sessions.ended_since("BVMF", "2024-03-27", "2024-04-03T09:00:00Z") == 3


def test_a_newer_calendar_replaces_its_own_stretch(sessions):
    # A holiday was declared on the 28th, and the 29th became a session.
    sessions.put("BVMF", *days_of("2024-03-27", "2024-03-29"))
    assert [row[1] for row in stored(sessions)] == ["2024-03-27", "2024-03-29", "2024-04-01"]


def test_putting_the_same_again_changes_nothing(sessions):
    before = stored(sessions)
    sessions.put("BVMF", *days_of(*DAYS))
    assert stored(sessions) == before


def test_exchanges_do_not_mix(sessions):
    sessions.put("XNYS", *days_of("2024-03-28"))
    assert sessions.next_after("XNYS", "2024-03-01") == "2024-03-28"
    assert sessions.next_after("BVMF", "2024-03-01") == "2024-03-27"


def test_an_error_in_the_middle_leaves_the_old_calendar(sessions):
    before = stored(sessions)
    dates, closes = days_of("2024-03-28", "2024-03-29")
    with pytest.raises(ValueError, match="shorter"):
        sessions.put("BVMF", dates, closes[:1])
    assert stored(sessions) == before


def test_a_damaged_table(sessions):
    sessions.connection.execute("DROP TABLE sessions")
    with pytest.raises(SchemaError):
        sessions.next_after("BVMF", "2024-03-27")
    with pytest.raises(SchemaError):
        sessions.ended_since("BVMF", "2024-03-27", "2024-03-28T00:00:00Z")


@pytest.mark.parametrize("day", ["2024-04-0e", "2024-13-01", "zzz"])
def test_a_stored_date_that_is_none(sessions, day):
    sessions.connection.execute("DELETE FROM sessions")
    sessions.connection.execute("INSERT INTO sessions VALUES ('BVMF', ?, 'noon')", (day,))
    with pytest.raises(SchemaError, match="is damaged"):
        sessions.next_after("BVMF", "2024-03-27")
    with pytest.raises(SchemaError, match="is damaged"):
        sessions.ended_since("BVMF", "2024-03-27", "2024-04-03T09:00:00Z")


def test_a_clock_that_is_none_is_not_called_damage(sessions):
    with pytest.raises(ValueError, match="parsing datetime"):
        sessions.ended_since("BVMF", "2024-03-27", "yesterday at noon")
