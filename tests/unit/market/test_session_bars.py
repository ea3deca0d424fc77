"""Which bars are of which session: hours, half days, clocks that change, bars that cannot be."""

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm.core.prices.measured_checks import (
    check_against_days,
    check_kept,
    check_measured,
)
from stocklstm.core.prices.realised import IntradayBars, measure_sessions
from stocklstm.core.prices.series import Bars
from stocklstm.market.calendar import Sessions, session_lengths, sessions
from stocklstm.market.session_bars import Measured, coarser, measured
from tests.support.property_tests import PROPERTY

NEW_YORK, SAO_PAULO = "America/New_York", "America/Sao_Paulo"
NONE = np.empty(0, np.int64)


def calendar_of(exchange: str) -> Sessions:
    return sessions(exchange, np.datetime64("2024-01-01", "D"), np.datetime64("2024-12-31", "D"))


def bars_between(
    day: str, first: str, last: str, zone: str = NEW_YORK, minutes: int = 5, level: float = 50.0
) -> IntradayBars:
    """Make bars that begin from one time of a day to before another one."""
    start, end = (
        int(dt.datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(zone)).timestamp())
        for clock in (first, last)
    )
    starts = np.arange(start, end, minutes * 60)
    closes = level * np.exp(0.001 * np.sin(np.arange(len(starts)) + len(day)))
    opens = np.concatenate(([level], closes[:-1]))
    highs, lows = np.maximum(opens, closes) * 1.0002, np.minimum(opens, closes) * 0.9998
    return IntradayBars(starts, minutes, opens, highs, lows, closes)


def together(*parts: IntradayBars) -> IntradayBars:
    names = ("starts", "opens", "highs", "lows", "closes")
    starts, *prices = (np.concatenate([getattr(part, name) for part in parts]) for name in names)
    return IntradayBars(starts, parts[0].minutes, *prices)


def day_of(*parts: IntradayBars, days: list[str], scale: float = 1.0) -> Bars:
    """Make the daily rows that bars belong to."""
    closes = np.array([part.closes[-1] for part in parts]) * scale
    highs = np.array([part.highs.max() for part in parts]) * scale
    lows = np.array([part.lows.min() for part in parts]) * scale
    opens = np.array([part.opens[0] for part in parts]) * scale
    return Bars(np.array(days, "datetime64[D]"), opens, highs, lows, closes, closes, closes * 1e6)


def measured_on(
    days: dict[str, IntradayBars],
    *extra: IntradayBars,
    exchange: str = "XNYS",
    zone: str = NEW_YORK,
    usual: np.ndarray = NONE,
    scale: float = 1.0,
) -> Measured:
    daily = day_of(*days.values(), days=list(days), scale=scale)
    bars = together(*days.values(), *extra)
    return measured(bars, calendar_of(exchange), zone, daily, usual)


@pytest.mark.parametrize(
    ("exchange", "day", "minutes"),
    [
        ("XNYS", "2024-07-02", 390),
        ("XNYS", "2024-07-03", 210),
        ("BVMF", "2024-02-14", 300),
        ("XTKS", "2024-07-02", 300),
        ("24/7", "2024-07-06", 1440),
    ],
)
def test_a_session_is_as_long_as_its_calendar_says(exchange: str, day: str, minutes: int) -> None:
    known = calendar_of(exchange)
    (place,) = np.flatnonzero(known.dates == np.datetime64(day))
    assert session_lengths(known)[place] == minutes


def test_half_days_and_late_openings_need_fewer_bars() -> None:
    half = measured_on({"2024-07-03": bars_between("2024-07-03", "09:30", "13:00")})
    late = measured_on(
        {"2024-02-14": bars_between("2024-02-14", "13:00", "18:00", SAO_PAULO)},
        exchange="BVMF",
        zone=SAO_PAULO,
    )
    short = measured_on({"2024-07-02": bars_between("2024-07-02", "09:30", "13:00")})

    assert half.sessions.usable.all()
    assert (half.sessions.bars.tolist(), half.sessions.lasts.tolist()) == ([42], [775])
    assert late.sessions.usable.all()
    assert not short.sessions.usable.any()


def test_b3_closes_an_hour_earlier_in_the_northern_summer() -> None:
    day = {"2024-07-02": bars_between("2024-07-02", "10:00", "17:00", SAO_PAULO)}
    assert measured_on(day, exchange="BVMF", zone=SAO_PAULO).sessions.usable.all()


def test_bars_outside_of_the_hours_are_of_no_session() -> None:
    day = "2024-07-02"
    within = bars_between(day, "09:30", "16:00")
    before = bars_between(day, "08:00", "09:30", level=47.0)
    after = bars_between(day, "16:00", "16:05", level=47.0)

    found = measured_on({day: within}, before, after)

    expected = measure_sessions(within, NEW_YORK, {})
    assert found.sessions.realised.tolist() == expected.realised.tolist()
    assert (found.sessions.firsts.tolist(), found.sessions.lasts.tolist()) == ([570], [955])
    assert found.bars[day].starts.tolist() == within.starts.tolist()


@pytest.mark.parametrize("day", ["2024-03-08", "2024-03-11", "2024-11-01", "2024-11-04"])
def test_clocks_that_change_move_no_session(day: str) -> None:
    found = measured_on({day: bars_between(day, "09:30", "16:00")}).sessions
    assert (found.firsts.tolist(), found.usable.tolist()) == ([570], [True])


def test_a_day_without_a_daily_row_has_no_value() -> None:
    stored, other = (bars_between(day, "09:30", "16:00") for day in ("2024-07-01", "2024-07-02"))
    found = measured_on({"2024-07-01": stored}, other)
    assert found.sessions.dates.astype(str).tolist() == ["2024-07-01"]


def test_bars_may_come_in_any_order_twice_and_without_a_price() -> None:
    day = "2024-07-02"
    whole = bars_between(day, "09:30", "16:00")
    nothing = replace(
        whole, **dict.fromkeys(("opens", "highs", "lows", "closes"), whole.opens * np.nan)
    )
    order = np.random.default_rng(1).permutation(len(whole))
    mixed = IntradayBars(
        whole.starts[order],
        5,
        *(c[order] for c in (whole.opens, whole.highs, whole.lows, whole.closes)),
    )
    found = measured(
        together(nothing, whole, mixed),
        calendar_of("XNYS"),
        NEW_YORK,
        day_of(whole, days=[day]),
        NONE,
    )
    assert found.sessions.bars.tolist() == [78]
    assert found.sessions.realised[0] == measure_sessions(whole, NEW_YORK, {}).realised[0]


@pytest.mark.parametrize("ratio", [1.5, 2.0, 10.0])
def test_a_step_of_a_split_within_a_session_is_not_used(ratio: float) -> None:
    day = "2024-07-02"
    whole = bars_between(day, "09:30", "16:00")
    factors = np.where(np.arange(len(whole)) < 9, ratio, 1.0)
    torn = IntradayBars(
        whole.starts,
        5,
        *(c * factors for c in (whole.opens, whole.highs, whole.lows, whole.closes)),
    )
    # Also where the daily row has the same step.
    for of_day in (whole, torn):
        daily = day_of(of_day, days=[day])
        found = measured(torn, calendar_of("XNYS"), NEW_YORK, daily, NONE)
        assert found.sessions.usable.tolist() == [False]


def test_bars_of_another_share_do_not_fit_the_day() -> None:
    day = "2024-07-02"
    whole = bars_between(day, "09:30", "16:00")
    wild = replace(whole, highs=whole.highs * np.where(np.arange(len(whole)) == 40, 1.05, 1.0))
    elsewhere = replace(whole, closes=np.append(whole.closes[:-1], whole.lows.min() * 0.98))
    daily = day_of(whole, days=[day])
    for bars, usable in ((whole, True), (wild, False), (elsewhere, False)):
        found = measured(bars, calendar_of("XNYS"), NEW_YORK, daily, NONE)
        assert found.sessions.usable.tolist() == [usable]
    unknown = replace(daily, highs=daily.highs * np.nan, lows=daily.lows * np.nan)
    assert measured(whole, calendar_of("XNYS"), NEW_YORK, unknown, NONE).sessions.usable.all()


WILD = [np.nan, np.inf, -np.inf, 0.0, -50.0, 5e-324, 1e-300, 1e-9, 49.0, 51.0, 60.0, 1e9, 1.7e308]


@PROPERTY
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 77), st.sampled_from(WILD)), max_size=9),
    st.sampled_from([45.0, 49.0, 50.0, 55.0, 1e-9, 1e9]),
)
def test_what_is_used_is_what_a_check_against_the_daily_rows_lets_pass(
    changed: list[tuple[int, int, float]], opened: float
) -> None:
    day = "2024-07-02"
    bars = whole = bars_between(day, "09:30", "16:00")
    for column, place, price in changed:
        name = ("opens", "highs", "lows", "closes")[column]
        prices = np.where(np.arange(len(bars)) == place, price, getattr(bars, name))
        bars = replace(bars, **{name: prices})
    daily = day_of(whole, days=[day])
    opens = np.array([opened])
    daily = replace(
        daily,
        opens=opens,
        highs=np.maximum(opens, daily.highs),
        lows=np.minimum(opens, daily.lows),
    )

    found = measured(bars, calendar_of("XNYS"), NEW_YORK, daily, NONE)

    assert check_measured(found.sessions, daily.dates) == []
    kept = list(found.bars.items())
    assert check_kept(found.sessions, kept) == []
    assert check_against_days(found.sessions, kept, daily) == []
    assert check_against_days(found.sessions, [], daily) == []


def test_a_later_split_of_the_daily_prices_makes_no_difference() -> None:
    day = {"2024-07-02": bars_between("2024-07-02", "09:30", "16:00")}
    assert measured_on(day, scale=0.1).sessions.usable.all()


def test_without_a_calendar_what_is_usual_counts() -> None:
    day = {"2024-07-02": bars_between("2024-07-02", "09:30", "13:00")}
    alone = measured_on(day, exchange="")
    beside = measured_on(day, exchange="", usual=np.full(20, 78))
    assert (alone.sessions.usable.tolist(), beside.sessions.usable.tolist()) == ([True], [False])


@pytest.mark.parametrize("minutes", [1, 5, 15])
def test_bars_may_be_named_by_their_ends(minutes: int) -> None:
    days = ["2024-07-01", "2024-07-02", "2024-07-03"]
    ends = ["16:00", "16:00", "13:00"]
    whole = {
        day: bars_between(day, "09:30", end, minutes=minutes)
        for day, end in zip(days, ends, strict=True)
    }
    moved = {day: replace(bars, starts=bars.starts + 60 * minutes) for day, bars in whole.items()}
    by_starts, by_ends = measured_on(whole).sessions, measured_on(moved).sessions
    assert by_ends.realised.tolist() == by_starts.realised.tolist()
    assert by_ends.firsts.tolist() == [570] * 3
    assert by_ends.usable.all()


def test_a_session_that_begins_late_and_has_a_closing_auction_is_not_moved() -> None:
    day = "2024-07-02"
    whole = bars_between(day, "09:35", "16:00")
    auction = bars_between(day, "16:00", "16:05")
    assert measured_on({day: whole}, auction).sessions.firsts.tolist() == [575]


@pytest.mark.parametrize("minutes", [120, 180])
def test_a_few_long_bars_say_nothing(minutes: int) -> None:
    day = {"2024-07-02": bars_between("2024-07-02", "09:30", "16:00", minutes=minutes)}
    assert measured_on(day).sessions.usable.tolist() == [False]


def test_no_bars_measure_nothing() -> None:
    whole = bars_between("2024-07-02", "09:30", "16:00")
    empty = IntradayBars(NONE, 5, *(np.empty(0) for _ in range(4)))
    for exchange in ("XNYS", ""):
        nothing = measured(
            empty, calendar_of(exchange), NEW_YORK, day_of(whole, days=["2024-07-02"]), NONE
        )
        assert (len(nothing.sessions), nothing.bars) == (0, {})


@settings(PROPERTY, max_examples=25)
@given(st.sets(st.integers(0, 389), min_size=1), st.sampled_from([5, 15, 60]))
def test_bars_put_together_are_what_was_traded(places: set[int], minutes: int) -> None:
    fine = bars_between("2024-07-02", "09:30", "16:00", minutes=1)
    rows = np.array(sorted(places))
    part = IntradayBars(
        fine.starts[rows], 1, *(c[rows] for c in (fine.opens, fine.highs, fine.lows, fine.closes))
    )

    found = coarser(part, minutes)

    assert (np.diff(found.starts) > 0).all()
    assert (found.starts % (60 * minutes) == 0).all()
    for start, first, high, low, last in zip(
        *(found.starts, found.opens, found.highs, found.lows, found.closes), strict=True
    ):
        of_bar = (part.starts >= start) & (part.starts < start + 60 * minutes)
        assert first == part.opens[of_bar][0]
        assert last == part.closes[of_bar][-1]
        assert (high, low) == (part.highs[of_bar].max(), part.lows[of_bar].min())
    assert part.highs.max() == found.highs.max()


@pytest.mark.parametrize(
    ("every", "minutes", "bars"), [(1, [5], [78]), (3, [5, 15], [26, 26]), (9, [5, 60], [9, 7])]
)
def test_of_a_share_that_is_traded_now_and_then_longer_bars_are_made(
    every: int, minutes: list[int], bars: list[int]
) -> None:
    day = "2024-07-02"
    whole = bars_between(day, "09:30", "16:00")
    rows = np.arange(len(whole)) % every == 0
    some = IntradayBars(
        whole.starts[rows],
        5,
        *(c[rows] for c in (whole.opens, whole.highs, whole.lows, whole.closes)),
    )

    found = measured_on({day: some})

    assert found.sessions.minutes.tolist() == minutes
    assert found.sessions.bars.tolist() == bars
    assert found.sessions.usable.tolist() == [False] * (len(minutes) - 1) + [True]
    assert set(found.sessions.firsts.tolist()) == {570}
    assert found.bars[day].minutes == 5


def test_minutes_are_put_together_before_they_are_measured() -> None:
    fine = bars_between("2024-07-02", "09:30", "16:00", minutes=1)
    found = measured_on({"2024-07-02": fine}).sessions
    assert (found.minutes.tolist(), found.bars.tolist(), found.usable.tolist()) == (
        [5],
        [78],
        [True],
    )
