import math
from collections import defaultdict
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.inputs.volatility import range_variances
from stocklstm.core.prices.realised import (
    IntradayBars,
    RealisedSessions,
    measure_sessions,
    variances_of_days,
)
from tests.support.property_tests import PROPERTY
from tests.support.simulated_sessions import simulate

NEW_YORK = "America/New_York"

Bar = tuple[datetime, float, float, float, float]


def made(bars: list[Bar], minutes: int = 60) -> IntradayBars:
    starts = np.array([int(bar[0].timestamp()) for bar in bars], np.int64)
    columns = np.array([bar[1:] for bar in bars], np.float64).reshape(-1, 4).T
    return IntradayBars(starts, minutes, *columns)


def by_hand(bars: list[Bar], zone: str) -> dict[str, dict[str, float]]:
    """The same in plain Python, bar by bar."""
    sessions: dict[str, list[Bar]] = defaultdict(list)
    for bar in sorted(bars, key=lambda bar: bar[0].timestamp()):
        sessions[bar[0].astimezone(ZoneInfo(zone)).date().isoformat()].append(bar)
    found = {}
    for day, rows in sessions.items():
        realised = ranges = products = 0.0
        before, moves = rows[0][1], []
        for _, *prices in rows:
            opened, close, high, low = prices[0], prices[3], max(prices), min(prices)
            moves.append(math.log(close / before))
            ranges += math.log(opened / before) ** 2
            ranges += math.log(high / close) * math.log(high / opened)
            ranges += math.log(low / close) * math.log(low / opened)
            before = close
        realised = sum(move**2 for move in moves)
        products = sum(abs(a * b) for a, b in pairwise(moves))
        count, local = len(rows), [row[0].astimezone(ZoneInfo(zone)) for row in rows]
        found[day] = {
            "realised": realised,
            "ranges": ranges,
            "bipower": math.pi / 2 * products * count / (count - 1) if count > 1 else realised,
            "bars": count,
            "firsts": 60 * local[0].hour + local[0].minute,
            "lasts": 60 * local[-1].hour + local[-1].minute,
        }
    return found


def as_rows(sessions: RealisedSessions) -> dict[str, dict[str, float]]:
    names = ("realised", "ranges", "bipower", "bars", "firsts", "lasts")
    columns = zip(*(getattr(sessions, name).tolist() for name in names), strict=True)
    return {
        str(date): dict(zip(names, row, strict=True))
        for date, row in zip(sessions.dates, columns, strict=True)
    }


@st.composite
def any_bars(draw):
    """Bars of some days around a change of the clocks, some of them missing."""
    zone = draw(st.sampled_from([NEW_YORK, "America/Sao_Paulo", "UTC", "Australia/Lord_Howe"]))
    first = draw(st.sampled_from([date(2025, 3, 6), date(2025, 10, 31), date(2018, 11, 2)]))
    minutes = draw(st.sampled_from([5, 60]))
    price = st.floats(0.5, 200, allow_nan=False)
    bars = [
        (
            datetime.combine(first + timedelta(days=day), time(10), ZoneInfo(zone))
            + timedelta(minutes=minutes * bar),
            *draw(st.tuples(price, price, price, price)),
        )
        for day in range(draw(st.integers(0, 5)))
        for bar in draw(st.sets(st.integers(0, 7), max_size=8))
    ]
    return draw(st.permutations(bars)), zone, minutes


@PROPERTY
@given(any_bars())
def test_sessions_are_measured_as_bar_by_bar(drawn):
    bars, zone, minutes = drawn
    found = measure_sessions(made(bars, minutes), zone, {})
    expected = by_hand(bars, zone)
    assert list(as_rows(found)) == sorted(expected)
    for day, row in as_rows(found).items():
        assert row == pytest.approx(expected[day], rel=1e-9, abs=1e-12), day
    assert (found.minutes == minutes).all()
    assert (found.ranges >= -1e-15).all()


def session(day: int, hours: list[int], *, month: int = 3) -> list[Bar]:
    return [
        (datetime(2025, month, day, hour, 30, tzinfo=ZoneInfo(NEW_YORK)), 10.0, 11.0, 9.5, 10.5)
        for hour in hours
    ]


def test_a_session_is_usable_with_four_fifths_of_the_bars_it_should_have():
    bars = [
        *session(3, [*range(9, 16)]),
        *session(4, [*range(9, 15)]),
        *session(5, [*range(9, 14)]),
    ]
    found = measure_sessions(
        made(bars), NEW_YORK, dict.fromkeys(["2025-03-03", "2025-03-04", "2025-03-05"], 7)
    )
    assert found.usable.tolist() == [True, True, False]
    assert found.bars.tolist() == [7, 6, 5]


def test_a_half_day_is_usable_where_the_calendar_knows_of_it():
    bars = [
        *session(3, [*range(9, 16)]),
        *session(4, [*range(9, 16)]),
        *session(5, [*range(9, 13)]),
    ]
    known = measure_sessions(made(bars), NEW_YORK, {"2025-03-05": 4})
    unknown = measure_sessions(made(bars), NEW_YORK, {})
    assert known.usable.tolist() == [True, True, True]
    assert unknown.usable.tolist() == [True, True, False]


def test_sessions_keep_their_local_times_when_the_clocks_change():
    found = measure_sessions(made([*session(7, [9, 15]), *session(10, [9, 15])]), NEW_YORK, {})
    assert found.firsts.tolist() == [570, 570]
    assert found.lasts.tolist() == [930, 930]


def test_bars_without_a_price_are_left_out_and_the_last_of_a_start_counts():
    bars = session(3, [9, 10, 11])
    worthless = [(bars[1][0], math.nan, 11.0, 9.5, 10.5), (bars[1][0], 10.0, 11.0, 0.0, 10.5)]
    other = (bars[1][0], 10.0, 12.0, 9.5, 10.5)
    found = measure_sessions(made([bars[0], bars[1], other, *worthless, bars[2]]), NEW_YORK, {})
    assert as_rows(found) == as_rows(
        measure_sessions(made([bars[0], other, bars[2]]), NEW_YORK, {})
    )


def test_the_night_is_in_no_sum():
    calm = [(bar[0], 10.0, 10.0, 10.0, 10.0) for bar in session(3, [9, 10])]
    after = [(bar[0], 20.0, 20.0, 20.0, 20.0) for bar in session(4, [9, 10])]
    found = measure_sessions(made([*calm, *after]), NEW_YORK, {})
    assert found.realised.tolist() == found.ranges.tolist() == found.bipower.tolist() == [0, 0]


def test_without_bars_there_are_no_sessions():
    assert len(measure_sessions(made([]), NEW_YORK, {})) == 0


def test_rows_can_be_chosen():
    found = measure_sessions(made([*session(3, [9, 10]), *session(4, [9, 10])]), NEW_YORK, {})
    assert as_rows(found.select(found.dates > np.datetime64("2025-03-03"))).keys() == {"2025-03-04"}


def rows(*given: tuple[str, int, float, float, bool]) -> RealisedSessions:
    """Make sessions of days, minutes, realised variances, ranges and whether they are used."""
    days, minutes, realised, ranges, usable = zip(*given, strict=True) if given else [()] * 5
    some = np.ones(len(given), np.int64)
    return RealisedSessions(
        np.array(days, "datetime64[D]"),
        np.array(minutes, np.int64),
        np.array(realised, np.float64),
        np.array(ranges, np.float64),
        np.array(realised, np.float64),
        some,
        some,
        some,
        np.array(usable, bool),
    )


def test_each_day_has_what_its_shortest_bars_say():
    days = np.array(["2025-03-03", "2025-03-04", "2025-03-05", "2025-03-06"], "datetime64[D]")
    found = variances_of_days(
        rows(
            ("2025-03-02", 5, 9.0, 9.0, True),
            ("2025-03-03", 5, 1.0, 2.0, True),
            ("2025-03-03", 60, 3.0, 4.0, True),
            ("2025-03-04", 5, 5.0, 6.0, False),
            ("2025-03-04", 60, 7.0, 8.0, True),
            ("2025-03-05", 5, 0.0, 0.0, True),
            ("2025-03-06", 390, 1.0, 1.0, True),
            ("2025-03-07", 5, 1.0, 1.0, True),
        ),
        days,
    )
    assert found.minutes.tolist() == [5, 60, 0, 0]
    assert np.array_equal(found.variances, [1.0, 8.0, math.nan, math.nan], equal_nan=True)


def test_without_sessions_no_day_has_any():
    found = variances_of_days(rows(), np.array(["2025-03-03"], "datetime64[D]"))
    assert found.minutes.tolist() == [0]
    assert np.isnan(found.variances).all()


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_simulated_sessions_are_measured_without_bias_and_better_than_by_their_range(missing):
    """benchmarks/intraday.py does the same with more days, and prints the figures."""
    sessions = simulate(2_500, seed=1)
    daily = sessions.daily()
    nights = daily.log_returns - np.log(daily.closes / daily.opens)
    true = sessions.variances[1:]
    by_range = (range_variances(daily) - nights**2)[1:] / true - 1
    for minutes, name, efficiency in ((60, "ranges", 2), (5, "realised", 4)):
        count = -(-390 // minutes)
        left_out = np.random.default_rng(0).random((2_500, count)) < missing
        left_out[:, [0, -1]] = False
        bars = sessions.intraday(minutes, left_out)
        found = measure_sessions(bars, "UTC", {str(day): count for day in daily.dates})
        used = np.isin(daily.dates, found.dates[found.usable])[1:]
        assert used.mean() > 0.85
        values = getattr(found, name)[found.usable & (found.dates > daily.dates[0])]
        errors = values / true[used] - 1
        assert abs(values.sum() / true[used].sum() - 1) < 0.02, name
        assert abs(errors.mean()) < 0.02, name
        assert by_range.var() / errors.var() > efficiency, name
