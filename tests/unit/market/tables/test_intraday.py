"""Parts of days become days: the values were worked out by hand from the rows."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm.core.prices.series import Bars
from stocklstm.market.tables.instants import UNSAID, Moments
from stocklstm.market.tables.intraday import bars_within
from stocklstm.market.tables.price_file import FileForm, PriceFile
from tests.support.price_rows import prices_of
from tests.support.property_tests import PROPERTY

HOURS = [10, 11, 12, 13, 14, 15, 16, 17]
# Close c of hour h is c; open is c - 1, high c + 2, low c - 3, volume 100.
DAYS = {"2024-03-11": 100, "2024-03-12": 200, "2024-03-13": 300}


def hourly(days=DAYS, hours=None, offset="-03:00"):
    rows = []
    for day, base in days.items():
        for hour in (hours or {}).get(day, HOURS):
            close = base + hour
            rows.append(
                f"{day} {hour}:00:00{offset},{close - 1},{close + 2},{close - 3},{close},100"
            )
    return rows


def read(rows):
    text = "Datetime,Open,High,Low,Close,Volume\n" + "\n".join(rows) + "\n"
    return prices_of(text.encode())


def of(bars):
    columns = (bars.opens, bars.highs, bars.lows, bars.closes, bars.volumes)
    return {
        str(day): tuple(values)
        for day, *values in zip(bars.dates, *(c.tolist() for c in columns), strict=True)
    }


WHOLE = {
    "2024-03-11": (109, 119, 107, 117, 800),
    "2024-03-12": (209, 219, 207, 217, 800),
    "2024-03-13": (309, 319, 307, 317, 800),
}


@pytest.mark.parametrize("offset", ["-03:00", ""])
@pytest.mark.parametrize("order", [1, -1])
def test_whole_days_in_either_order(order, offset):
    bars, rejections = read(hourly(offset=offset)[::order])
    assert rejections == ()
    assert of(bars) == WHOLE


def test_utc_becomes_the_exchanges_time():
    rows = [row.replace("-03:00", "Z") for row in hourly(hours=dict.fromkeys(DAYS, range(13, 21)))]
    bars, rejections = read(rows)
    assert rejections == ()
    # 13:00 to 20:00 in UTC are 10:00 to 17:00 in São Paulo.
    assert of(bars)["2024-03-12"] == (212, 222, 210, 220, 800)


def test_a_newest_day_that_goes_on_is_not_final():
    bars, rejections = read(hourly(hours={"2024-03-13": HOURS[:-1]}))
    assert list(of(bars)) == ["2024-03-11", "2024-03-12"]
    assert [(row.date, row.reason) for row in rejections] == [
        ("2024-03-13", "the day is not complete: its last row is of 16:00")
    ]


def test_a_day_in_between_that_ends_early_is_not_complete():
    bars, rejections = read(hourly(hours={"2024-03-12": HOURS[:4]}))
    assert list(of(bars)) == ["2024-03-11", "2024-03-13"]
    assert [row.date for row in rejections] == ["2024-03-12"]


def test_of_a_first_day_that_began_before_the_file_the_close_is_known():
    bars, rejections = read(hourly(hours={"2024-03-11": HOURS[3:]}))
    assert rejections == ()
    first = of(bars)["2024-03-11"]
    assert first[3] == 117
    assert np.isnan([first[0], first[1], first[2], first[4]]).all()
    assert of(bars)["2024-03-12"] == WHOLE["2024-03-12"]


def test_one_day_alone_is_whole_if_it_reaches_the_end_of_the_session():
    day = {"2024-03-11": 100}
    assert of(read(hourly(day))[0]) == {"2024-03-11": WHOLE["2024-03-11"]}
    bars, rejections = read(hourly(day, hours={"2024-03-11": HOURS[:5]}))
    assert len(bars) == 0
    assert len(rejections) == 1


def test_a_row_given_twice_counts_once():
    rows = hourly()
    assert of(read([*rows[:9], rows[8], *rows[9:]])[0]) == WHOLE


def test_zeros_are_no_prices_of_a_day():
    rows = hourly()
    rows[1] = "2024-03-11 11:00:00-03:00,0,0,0,111,100"
    assert of(read(rows)[0]) == WHOLE


def test_a_time_of_day_alone_makes_no_parts_of_days():
    closes = {"11": "36,19", "12": "36,82", "13": "36,38"}
    rows = "".join(f"{day}/03/2024 16:56:00;{close}\n" for day, close in closes.items())
    bars, rejections = prices_of(f"Date;Close\n{rows}".encode())
    assert rejections == ()
    assert bars.closes.tolist() == [36.19, 36.82, 36.38]


def test_a_time_column():
    text = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
    for row in hourly(offset=""):
        day, rest = row.split(" ")
        time, *numbers, volume = rest.split(",")
        cells = [day.replace("-", "."), time, *numbers, "7", volume, "1"]
        text += "\t".join(cells) + "\n"
    bars, rejections = prices_of(text.encode())
    assert rejections == ()
    assert of(bars) == WHOLE


def test_a_day_in_parts_among_whole_days_is_named():
    days = ["2024-03-11 00:00", "2024-03-12 00:00", "2024-03-13 00:00", "2024-03-13 12:00"]
    rows = "".join(f"{day},{place}.5\n" for place, day in enumerate(days, start=1))
    bars, rejections = prices_of(f"Date,Close\n{rows}".encode())
    assert bars.closes.tolist() == [1.5, 2.5]
    assert [(row.date, row.reason) for row in rejections] == [
        ("2024-03-13", "several rows of that day, each with a time of its own")
    ]


def test_what_is_traded_before_and_after_the_session_is_left_out():
    # New York, 9:30 to 16:00: rows from 4:00 to 19:30, the close of half hour h is 100 + h.
    rows = []
    for day in ("2024-03-11", "2024-03-12"):
        for half in range(8, 40):
            hour, minute = divmod(30 * half, 60)
            time = f"{day} {hour:02}:{minute:02}:00-04:00"
            rows.append(f"{time},{half},{100 + half},{half / 10},{100 + half},{half}")
    text = "Datetime,Open,High,Low,Close,Volume\n" + "\n".join(rows) + "\n"
    file = PriceFile(text.encode(), "prices.csv", FileForm())
    found = file.read("AAPL", "XNYS", ZoneInfo("America/New_York"))
    # Half hours 19 (9:30) to 31 (15:30).
    assert list(of(found.bars).values()) == [(19, 131, 1.9, 131, sum(range(19, 32)))] * 2
    assert "without those before and after the session" in found.notes[0]


@pytest.mark.parametrize("last_day", [(), ("2024-03-13",)])
def test_a_day_of_which_only_the_hours_before_the_session_are_there_is_named(
    last_day: tuple[str, ...],
) -> None:
    early = [
        f"{day} 0{hour}:00:00-04:00" for day in ("2024-03-11", "2024-03-12") for hour in (4, 5)
    ]
    whole = [f"{day} {hour:02}:30:00-04:00" for day in last_day for hour in range(9, 16)]
    rows = "".join(f"{time},{place}.5\n" for place, time in enumerate((*early, *whole)))
    file = PriceFile(f"Datetime,Close\n{rows}".encode(), "prices.csv", FileForm())
    found = file.read("AAPL", "XNYS", ZoneInfo("America/New_York"))
    assert found.bars.dates.astype(str).tolist() == list(last_day)
    assert found.bars.closes.tolist() == [10.5] * len(last_day)
    assert [(row.date, row.reason) for row in found.rejections] == [
        ("2024-03-11", "no row of that day is of its session"),
        ("2024-03-12", "no row of that day is of its session"),
    ]


# The days on which clocks are changed are among them: in New York, and in São Paulo until 2019.
CHANGES = [np.datetime64(day) for day in ("2018-02-17", "2018-11-03", "2024-03-09", "2024-11-02")]


@settings(PROPERTY, max_examples=25)
@given(
    zone=st.sampled_from(["America/New_York", "America/Sao_Paulo", "Asia/Tokyo", "Asia/Kolkata"]),
    first=st.sampled_from(CHANGES),
    step=st.sampled_from([60, 300, 900, 1800, 3600]),
    opening=st.integers(4 * 3600, 12 * 3600),
    order=st.randoms(use_true_random=False),
)
def test_parts_begin_when_the_clock_of_the_exchange_says_so(zone, first, step, opening, order):
    days = np.repeat((first + np.arange(4)).astype("datetime64[D]"), 6)
    seconds = np.tile(opening - opening % step + step * np.arange(6), 4)
    rows = list(range(len(days)))
    order.shuffle(rows)
    closes = np.arange(1.0, 25.0)
    bars = Bars(days[rows], *(closes[rows] for _ in range(6)))
    moments = Moments(days[rows].astype(np.int64), seconds[rows], np.full(24, UNSAID))

    found = bars_within(bars, moments, days[:18], ZoneInfo(zone))

    assert found.minutes == step // 60
    assert found.closes.tolist() == closes[:18].tolist()
    for start, day, second in zip(found.starts.tolist(), days, seconds, strict=False):
        local = datetime.fromtimestamp(start, UTC).astimezone(ZoneInfo(zone))
        assert str(local.date()) == str(day)
        assert local.hour * 3600 + local.minute * 60 + local.second == second


@pytest.mark.parametrize(("step", "minutes"), [(1, 1), (30, 1), (90, None), (3600, 60)])
def test_parts_without_a_length_in_minutes_measure_nothing(step, minutes):
    seconds = 36_000 + step * np.arange(5)
    days = np.full(5, np.datetime64("2024-03-11"))
    bars = Bars(days, *(np.ones(5) for _ in range(6)))
    moments = Moments(days.astype(np.int64), seconds, np.full(5, UNSAID))
    found = bars_within(bars, moments, days, ZoneInfo("UTC"))
    assert (None if found is None else found.minutes) == minutes
    assert bars_within(bars, moments, days[:0], ZoneInfo("UTC")) is None
