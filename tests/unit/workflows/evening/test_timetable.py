"""An evening runs once prices are final, on every session of a year and in every zone."""

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from stocklstm.errors import ConfigError, NoModelError, NotFoundError
from stocklstm.market.calendar import last_final_day, sessions
from stocklstm.store.store import Store, stand_in
from stocklstm.workflows.evening.timetable import Timetable, plan_evenings, weekday_words
from tests.support.moving_clock import set_clock

TODAY = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, TODAY.isoformat)


@pytest.fixture
def empty(home: Path) -> Store:
    with stand_in(home) as store:
        assert store is not None
        yield store


def planned(store: Store, *tickers: str, at: str | None = None, zone: str = "UTC") -> Timetable:
    return plan_evenings(store, tickers, pool=None, at=at, machine=ZoneInfo(zone))


def starts(table: Timetable, zone: str) -> list[dt.datetime]:
    """List all moments of a year, UTC, at which cron of a machine in a zone starts a run."""
    machine, day = ZoneInfo(zone), TODAY.date()
    found = []
    for days in range(-2, 366):
        local = day + dt.timedelta(days=days)
        for weekdays, minutes in table.local.by_day().items():
            if local.weekday() in weekdays:
                found += [
                    dt.datetime.combine(local, dt.time(m // 60, m % 60), machine) for m in minutes
                ]
    return sorted(moment.astimezone(dt.UTC) for moment in found)


@pytest.mark.parametrize(
    ("zone", "tickers"),
    [
        ("America/New_York", ("PETR4.SA",)),
        ("Asia/Tokyo", ("AAPL", "PETR4.SA")),
        ("Pacific/Honolulu", ("7203.T", "VOD.L")),
    ],
)
def test_the_first_run_after_each_session_finds_its_prices_final(
    empty: Store, zone: str, tickers: tuple[str, ...]
) -> None:
    table = planned(empty, *tickers, zone=zone)
    runs = starts(table, zone)

    for exchange in table.exchanges:
        day = np.datetime64(TODAY.date(), "D")
        known = sessions(exchange, day, day + np.timedelta64(360, "D"))
        for date, close in zip(known.dates, known.closes_utc.astype(object), strict=True):
            first = next(run for run in runs if run >= close.replace(tzinfo=dt.UTC))
            assert last_final_day(known, "UTC", first) >= date, (exchange, date, first)
    assert len(runs) > 3 * 240


def test_of_b3_that_is_half_past_six_there(empty: Store) -> None:
    table = planned(empty, "PETR4.SA")

    assert (table.exchanges, table.time_zone) == (("BVMF",), "America/Sao_Paulo")
    assert (table.earliest, table.at, table.local_times) == ("18:30", "18:30", ("21:30",))
    assert table.times.minutes == (1110, 1170, 1230)
    assert table.local.minutes == (1290, 1350, 1410)
    assert weekday_words(table.times) == "Mon to Fri"


def test_where_clocks_are_changed_the_later_time_holds(empty: Store) -> None:
    table = planned(empty, "PETR4.SA", zone="America/New_York")

    assert table.local_times == ("16:30", "17:30")
    assert table.local.minutes[0] == 17 * 60 + 30


def test_of_two_exchanges_the_later_one_decides(empty: Store) -> None:
    """New York closes at 16:00 there, an hour after B3 in its summer's clock, or with it."""
    table = planned(empty, "PETR4.SA", "AAPL")
    alone = planned(empty, "AAPL")

    assert alone.time_zone == "America/New_York"
    assert (alone.earliest, alone.local_times) == ("16:30", ("20:30", "21:30"))
    assert table.local_times == ("21:30",)


def test_coins_are_final_as_their_day_has_ended(empty: Store) -> None:
    table = planned(empty, "BTC-USD")

    assert (table.exchanges, table.earliest) == (("24/7",), "00:30")
    # Thirty minutes into the day after.
    assert table.times.minutes[0] == 24 * 60 + 30
    assert weekday_words(table.times) == "Mon to Sun"


def test_without_a_calendar_a_day_ends_at_midnight(empty: Store) -> None:
    table = planned(empty, "ABC.XX")

    assert (table.exchanges, table.earliest, table.time_zone) == ((), "00:00", "UTC")
    assert table.times.weekdays == (0, 1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize(("at", "first"), [("18:30", 1110), ("21:30", 1290), ("23:59", 1439)])
def test_a_later_time_is_taken(empty: Store, at: str, first: int) -> None:
    assert planned(empty, "PETR4.SA", at=at).times.minutes[0] == first


@pytest.mark.parametrize("at", ["18:29", "0:00", "9:15"])
def test_an_earlier_one_is_refused_and_the_first_one_named(empty: Store, at: str) -> None:
    with pytest.raises(ConfigError, match="BVMF are not final") as refused:
        planned(empty, "PETR4.SA", at=at)

    assert str(refused.value.hint).startswith("stocklstm schedule --at 18:30")


@pytest.mark.parametrize("at", ["24:00", "6pm", "18:60", "18", "", "18:30:00"])
def test_what_is_no_time_is_refused(empty: Store, at: str) -> None:
    with pytest.raises(ConfigError, match="time of day"):
        planned(empty, "PETR4.SA", at=at)


def test_what_is_stored_of_a_ticker_is_known_better_than_its_name(priced_home: Path) -> None:
    from stocklstm import plan_evenings as plan

    assert plan(["PETR4.SA"], home=priced_home).exchanges == ("BVMF",)
    with pytest.raises(NoModelError):
        plan(home=priced_home)


def test_without_a_store_tickers_have_to_be_named(home: Path) -> None:
    from stocklstm import plan_evenings as plan

    assert plan(["PETR4.SA"], home=home).earliest == "18:30"
    with pytest.raises(NotFoundError, match="no store"):
        plan(home=home)
    assert not home.exists()
