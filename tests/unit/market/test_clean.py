from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.prices.answers import Rejection
from stocklstm.core.prices.series import Action, Instrument
from stocklstm.core.prices.soundness import check_bars
from stocklstm.errors import RejectedDataError
from stocklstm.market.calendar import sessions
from stocklstm.market.clean import clean
from tests.support.price_rows import answer_of, bars_of_rows

TODAY = np.datetime64("2024-12-31")
CALENDAR = sessions("BVMF", np.datetime64("2024-01-01"), np.datetime64("2025-12-31"))
GOOD = [("2024-03-11", 36.0), ("2024-03-12", 36.5), ("2024-03-13", 37.0)]
NAN, INF = np.nan, np.inf


def cleaned(rows, **options):
    return clean(answer_of(rows), CALENDAR, last_final=TODAY, **options)


def test_good_rows_pass_unchanged():
    prices = cleaned(GOOD)
    assert prices.bars.fingerprint() == bars_of_rows(GOOD).fingerprint()
    assert prices.rejections == ()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("2024-03-14", 36, 37, 35, NAN, 36, 1), "the close is missing"),
        (("2024-03-14", 36, 37, 35, INF, 36, 1), "the close is infinite"),
        (("2024-03-14", 36, 37, 35, 0, 36, 1), "the close is not above zero"),
        (("2024-03-14", 36, 37, 35, -3, 36, 1), "the close is not above zero"),
        (("2024-03-14", 36, 37, 35, 1e-13, 36, 1), "the close is below a trillionth"),
        (("2024-03-14", 36, 37, 35, 36, 1e-13, 1), "the adjusted close is below a trillionth"),
        (("2024-03-14", 36, 37, 35, 36, NAN, 1), "the adjusted close is missing"),
        (("2024-03-14", 36, 37, 35, 36, INF, 1), "the adjusted close is infinite"),
        (("2024-03-14", 36, 37, 35, 36, -1, 1), "the adjusted close is not above zero"),
        (("2024-03-14", 36, 37, 35, 36, 36, -1), "the volume is infinite or negative"),
        (("2024-03-16", 36.0), "no session of BVMF on this weekend"),
        (("2024-03-29", 36, 36, 36, 36, 36, 0), "filler: BVMF was closed, nothing was traded"),
        (("2024-03-29", 0, 0, 0, 36, 36, 0), "filler: BVMF was closed, nothing was traded"),
        (("2024-03-29", NAN, NAN, NAN, 36, 36, 0), "filler: BVMF was closed, nothing was traded"),
        (("2025-01-02", 36.0), "its session is not over yet"),
        (("0202-03-14", 36.0), "the date lies before 1900"),
        (("NaT", 36.0), "the date is missing"),
        (("2024-03-08", 36.0), "out of order: the date does not fit its neighbours"),
    ],
)
def test_a_bad_row_is_named_and_the_rest_is_kept(row, reason):
    prices = cleaned([*GOOD, row])
    assert prices.rejections == (Rejection(row[0], reason),)
    assert prices.bars.fingerprint() == bars_of_rows(GOOD).fingerprint()


@pytest.mark.parametrize(
    "row",
    [
        ("2024-03-14", NAN, NAN, NAN, 36, 36, NAN),
        ("2024-03-14", 36, 37, 35, 34, 34, 1),
        ("2024-03-14", 36, 36, 36, 36, 36, 0),
        ("2024-03-29", 36, 37, 35, 36, 36, 5),
    ],
    ids=["close-only", "close-below-low", "flat-session", "traded-on-a-holiday"],
)
def test_an_odd_row_is_kept(row):
    prices = cleaned([*GOOD, row])
    assert len(prices.bars) == 4
    assert prices.rejections == ()


ZERO = "open, high and low unknown (0 is no price)"


@pytest.mark.parametrize(
    ("given_values", "kept", "reason"),
    [
        ((0, 0, 0), (NAN, NAN, NAN), ZERO),
        ((0, 37, 35), (NAN, 37, 35), "open unknown (0 is no price)"),
        ((NAN, 37, 35), (NAN, 37, 35), ""),
        ((NAN, NAN, NAN), (NAN, NAN, NAN), ""),
        ((-36, 37, 35), (NAN, 37, 35), "open unknown (-36 is no price)"),
        ((36, INF, 35), (36, NAN, NAN), "high and low unknown (inf is no price)"),
        ((36, 37, 0), (36, NAN, NAN), "high and low unknown (0 is no price)"),
        ((36, 2e12, 35), (36, NAN, NAN), "high and low unknown (2e+12 is no price)"),
        ((36, 35, 37), (36, NAN, NAN), "high and low unknown (the high is below the low)"),
        (
            (0, 35, 37),
            (NAN, NAN, NAN),
            "open, high and low unknown (0 is no price, the high is below the low)",
        ),
    ],
)
def test_what_is_no_price_is_unknown_and_the_close_is_kept(given_values, kept, reason):
    prices = cleaned([*GOOD, ("2024-03-14", *given_values, 36, 35.5, 7)])
    bars = prices.bars
    assert (bars.closes[3], bars.adj_closes[3], bars.volumes[3]) == (36, 35.5, 7)
    assert np.array_equal((bars.opens[3], bars.highs[3], bars.lows[3]), kept, equal_nan=True)
    assert prices.rejections == ()
    assert prices.incomplete == ((Rejection("2024-03-14", reason),) if reason else ())


def test_a_rejected_row_is_not_called_incomplete_too():
    prices = cleaned([*GOOD, ("2024-03-14", 0, 0, 0, 0, 0, 0)])
    assert [row.reason for row in prices.rejections] == ["the close is not above zero"]
    assert prices.incomplete == ()


NSE = Instrument("RELIANCE.NS", "INR", "XBOM", "Asia/Kolkata")
INDIA = sessions("XBOM", np.datetime64("2023-06-01"), np.datetime64("2024-12-31"))
# Beside pandas 2 the calendar knows one session on a Saturday; here it is to know none.
WEEKDAYS = np.is_busday(INDIA.dates)
INDIA = replace(INDIA, dates=INDIA.dates[WEEKDAYS], closes_utc=INDIA.closes_utc[WEEKDAYS])


def cleaned_in_india(rows):
    return clean(answer_of(rows, instrument=NSE), INDIA, last_final=TODAY)


def traded(day: str, close: float, volume: float = 1000) -> tuple:
    return (day, close, close + 1, close - 1, close, close, volume)


@pytest.mark.parametrize(
    ("before", "special", "after"),
    [
        ("2023-11-10", "2023-11-12", "2023-11-13"),
        ("2024-01-19", "2024-01-20", "2024-01-23"),
        ("2024-03-01", "2024-03-02", "2024-03-04"),
        ("2024-05-17", "2024-05-18", "2024-05-21"),
    ],
)
def test_a_session_on_a_weekend_is_kept_where_something_was_traded(before, special, after):
    """Muhurat 2023 and the three live tests of NSE in 2024, as its own files have them."""
    rows = [traded(before, 100), traded(special, 101), traded(after, 102)]
    for given_rows in (rows, rows[:2], rows[::-1]):
        prices = cleaned_in_india(given_rows)
        assert prices.rejections == ()
        assert special in prices.bars.dates.astype(str)
    for volume in (0, NAN):
        rejected = cleaned_in_india([rows[0], traded(special, 101, volume), rows[2]]).rejections
        assert rejected == (Rejection(special, "no session of XBOM on this weekend"),)
    repeated = cleaned_in_india([rows[0], (special, *rows[0][1:]), rows[2]]).rejections
    assert [row.date for row in repeated] == [special]


@pytest.mark.parametrize("shift", [-1, 1])
@pytest.mark.parametrize("weeks", [1, 3])
def test_sessions_whose_dates_are_a_day_off_are_no_weekend_sessions(shift, weeks):
    """As of files whose days are those of another time zone."""
    days = [day for day in INDIA.dates if "2024-07-22" <= str(day) <= "2024-08-10"][: 5 * weeks]
    rows = [traded(str(day + np.timedelta64(shift, "D")), 100 + n) for n, day in enumerate(days)]
    rejected = {row.date for row in cleaned_in_india(rows).rejections}
    weekend = {row[0] for row in rows if not np.is_busday(row[0])}
    if shift < 0:
        assert rejected == weekend
    else:
        # What follows the last row is not known.
        assert rejected >= weekend - {rows[-1][0]}


@pytest.mark.parametrize("last", ["2024-12-31", "2024-01-16"])
def test_weekend_after_weekend_is_of_no_exchange(last):
    """As of a coin, or of a file whose weekends somebody filled by interpolation."""
    days = np.arange(np.datetime64("2024-01-01"), np.datetime64(last))
    rows = [traded(str(day), 100 + n / 10, 1000 + n) for n, day in enumerate(days)]
    rejected = {row.date for row in cleaned_in_india(rows).rejections}
    assert rejected == {str(day) for day in days if not np.is_busday(day)}


def test_weekends_count_where_the_exchange_is_unknown():
    answer = answer_of([("2024-03-16", 36.0)], instrument=Instrument("X", "", "", "UTC"))
    calendar = sessions("", np.datetime64("2024-01-01"), np.datetime64("2025-01-01"))
    assert len(clean(answer, calendar, last_final=TODAY).bars) == 1


def test_newest_first_is_turned_around():
    prices = cleaned(GOOD[::-1])
    assert prices.bars.fingerprint() == bars_of_rows(GOOD).fingerprint()
    assert prices.rejections == ()


def test_an_answer_made_of_pieces_is_sorted():
    rows = [(f"2024-04-{day:02}", 36.0) for day in (15, 16, 17, 8, 9, 10, 1, 2, 3)]
    prices = cleaned(rows)
    assert prices.rejections == ()
    assert np.all(np.diff(prices.bars.dates) > np.timedelta64(0, "D"))


@given(place=st.integers(0, 40), move=st.integers(3, 40), newest_first=st.booleans())
def test_one_misplaced_row_is_found(place, move, newest_first):
    days = CALENDAR.dates[:60]
    order = np.arange(60)
    row = order[place]
    order = np.insert(np.delete(order, place), min(place + move, 59), row)
    rows = [(str(day), 36.0) for day in days[order]]
    prices = cleaned(rows[::-1] if newest_first else rows)
    assert [rejection.date for rejection in prices.rejections] == [str(days[row])]


def test_the_last_believable_row_of_a_day_wins():
    rows = [*GOOD, ("2024-03-13", 38.0), ("2024-03-13", 36, 37, 35, NAN, 36, 1)]
    prices = cleaned(rows)
    assert prices.bars.closes.tolist() == [36.0, 36.5, 38.0]
    assert [rejection.reason for rejection in prices.rejections] == [
        "repeated day; the last row of it was kept",
        "the close is missing",
    ]


def test_rows_before_start_were_not_asked_for():
    prices = cleaned(GOOD, start="2024-03-12")
    assert prices.rejections == (Rejection("2024-03-11", "before 2024-03-12, not asked for"),)


def test_what_the_source_could_not_read_comes_first():
    unread = Rejection("??", "'??' is not a date like the others")
    answer = answer_of([*GOOD, ("2024-03-16", 36.0)], rejections=(unread,))
    assert clean(answer, CALENDAR, last_final=TODAY).rejections[0] == unread


def test_actions_survive_their_rows_but_must_make_sense():
    dividend = Action("2024-03-14", "dividend", 0.5)
    actions = (dividend, dividend, Action("2024-03-11", "split", 0.0))
    rows = [*GOOD, ("2024-03-14", NAN, NAN, NAN, NAN, NAN, NAN)]
    prices = clean(answer_of(rows, actions=actions), CALENDAR, last_final=TODAY)
    assert prices.actions == (dividend,)
    assert prices.rejections[-1] == Rejection("2024-03-11", "the split is not above zero")


def test_an_empty_answer_stays_empty():
    assert len(cleaned([]).bars) == 0


def test_rows_of_which_none_is_usable():
    with pytest.raises(RejectedDataError, match=r"none of 2 rows is usable.*2024-03-16") as caught:
        cleaned([("2024-03-16", 36.0), ("2024-03-17", 36.0)])
    assert "--source" in caught.value.hint


ROW = st.tuples(
    st.dates().map(str),
    *[st.floats(allow_nan=True, allow_infinity=True) for _ in range(6)],
)


@given(st.lists(ROW, max_size=12))
def test_whatever_comes_in_what_leaves_can_be_believed(rows):
    try:
        prices = cleaned(rows)
    except RejectedDataError:
        return
    assert len(prices.bars) + len(prices.rejections) == len(rows)
    assert np.all(np.diff(prices.bars.dates) > np.timedelta64(0, "D"))
    assert np.all(prices.bars.dates <= TODAY)
    for closes in (prices.bars.closes, prices.bars.adj_closes):
        assert np.all(np.isfinite(closes) & (closes > 0))
    for values in (prices.bars.opens, prices.bars.highs, prices.bars.lows):
        assert np.all(np.isnan(values) | (np.isfinite(values) & (values > 0)))
    assert check_bars(prices.bars).status == "ok"
