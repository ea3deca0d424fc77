"""What a fetch makes of Yahoo's answers: nothing new, bad rows, revisions, another exchange."""

import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.yahoo_machine import (
    FIRST_ASKED,
    GOOD,
    ITUB4,
    JUMPED,
    LAST_STORED,
    NEW,
    OLD,
    PETR4,
    ROWS,
    VALE3,
    Machine,
    Row,
    always,
    nulls,
    replaced,
    row_of,
    scaled,
    with_prices,
)
from tests.support.yahoo_server import (
    Script,
    by_ticker,
    chart,
    history,
    json_answer,
    prices_only,
)

# Answers with nothing new, or with nothing at all.


def test_no_new_rows_are_no_error_and_change_nothing(filled: Machine) -> None:
    reason = "Data doesn't exist for startDate = 1708570800, endDate = 1710385200"
    error = {"code": "Bad Request", "description": reason}
    refused = json_answer({"chart": {"result": None, "error": error}}, 400)
    script = by_ticker(
        # The seventh digit of an adjusted close differs from one answer to the next.
        history([(*row[:5], row[5] * (1 + 3e-7 * (-1) ** n), row[6]) for n, row in enumerate(OLD)]),
        VALE3=prices_only(chart(VALE3, []), GOOD),
        ITUB4=prices_only(refused, GOOD),
    )

    machine, people = filled.fetch("--json", script=script), filled.fetch(script=script)

    assert (machine.code, people.code) == (0, 0)
    items = machine.document["results"]
    assert [item["ticker"] for item in items] == [ITUB4, PETR4, VALE3]
    for item in items:
        assert item["unchanged"] is True
        assert (item["rows_added"], item["rows_revised"], item["revision"]) == (0, 0, "")
        assert (item["rows"], item["last"]) == (len(OLD), LAST_STORED)
        assert f"{item['ticker']}: up to date, nothing changed" in people.out
    for fetched in (machine, people):
        assert set(fetched.starts) == {FIRST_ASKED}
        assert [query.ticker for query in fetched.queries].count(PETR4) == 1
        for table in ("prices", "actions", "price_log"):
            assert fetched.after[table] == fetched.before[table]


def test_an_unfinished_day_is_not_stored_however_often_it_comes(fresh: Machine) -> None:
    def final_day() -> dt.date:
        moment = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=30)
        return moment.date() - dt.timedelta(days=1)

    def coins(price_today: float) -> Script:
        days = [today - dt.timedelta(days=back) for back in (3, 2, 1, 0)]
        prices = (61_000.0, 60_500.0, 62_000.0, price_today)
        rows = [
            (f"{day}", price, price + 400, price - 400, price + 100, price + 100, 10**9)
            for day, price in zip(days, prices, strict=True)
        ]
        return history(rows, currency="USD", exchange="CCC", time_zone="UTC", opens_at_utc=0)

    today, final = dt.datetime.now(dt.UTC).date(), {final_day()}
    first = fresh.fetch("-t", "BTC-USD", "--json", script=coins(63_000.0))
    again = fresh.fetch("-t", "BTC-USD", "--json", script=coins(64_000.0))
    final.add(final_day())

    assert (first.code, again.code) == (0, 0)
    assert first.result["exchange"] == "24/7"
    assert dt.date.fromisoformat(first.result["last"]) in final
    assert first.result["last"] == first.result["last_final_session"]
    unfinished = {"date": f"{today}", "reason": "its session is not over yet"}
    assert unfinished in first.result["rows_rejected"]
    assert unfinished in again.result["rows_rejected"]
    assert f"{today}" not in again.stored("BTC-USD")
    assert first.err == ""
    if len(final) == 1:
        assert again.result["unchanged"] is True
        assert again.after["prices"] == again.before["prices"]


# Rows that cannot be believed.


def test_bad_rows_are_named_and_the_rest_is_kept(fresh: Machine) -> None:
    saturday = ("2024-01-06", *row_of("2024-01-05")[1:])
    closed = [(day, *[41.299999] * 5, 0) for day in ("2024-02-12", "2024-02-13")]
    low, high = row_of("2024-01-15")[3], row_of("2024-01-15")[2]
    rows = replaced(
        ROWS,
        saturday,
        with_prices("2024-01-10", close=0.0),
        with_prices("2024-01-11", close=-38.07),
        with_prices("2024-01-12", close=float("inf")),
        with_prices("2024-01-15", high=low, low=high),
        with_prices("2024-01-16", open=0.0, high=0.0, low=0.0),
        with_prices("2024-01-19", adj_close=0.0),
        *closed,
    )
    # An exchange that answers null, with a dividend on one of the days.
    empty = {day: nulls(day) for day in ("2024-01-17", "2024-01-18")}
    rows = [empty.get(row[0], row) for row in rows]
    # yfinance sorts the rows and drops repeated days itself: there is nothing left to name.
    early, late = (row[0] for row in ROWS[-10:-8])
    twice = row_of("2024-02-05")
    jumbled = [row for row in rows if row[0] != early]
    jumbled.insert(next(n for n, row in enumerate(jumbled) if row[0] == late) + 1, row_of(early))
    jumbled.insert(30, twice)

    fetched = fresh.fetch(
        "-t",
        PETR4,
        "--json",
        script=always(chart(PETR4, jumbled, dividends={"2024-01-18": 0.5, "2024-01-22": 0.25})),
    )

    assert fetched.code == 0
    weekend, filler = "no session of BVMF on this weekend", "filler: BVMF was closed"
    found = {item["date"]: item["reason"] for item in fetched.result["rows_rejected"]}
    assert len(found) == len(fetched.result["rows_rejected"])
    expected = {
        "2024-01-06": weekend,
        "2024-01-10": "the close is not above zero",
        "2024-01-11": "the close is not above zero",
        "2024-01-12": "the close is infinite",
        "2024-01-18": "the close is missing",
        "2024-01-19": "the adjusted close is not above zero",
        "2024-02-12": filler,
        "2024-02-13": filler,
    }
    assert found.keys() == expected.keys()
    assert all(found[day].startswith(reason) for day, reason in expected.items())
    assert fetched.result["rows_incomplete"] == [
        {"date": "2024-01-15", "reason": "high and low unknown (the high is below the low)"},
        {"date": "2024-01-16", "reason": "open, high and low unknown (0 is no price)"},
    ]
    unknown = {"2024-01-15": ("high", "low"), "2024-01-16": ("open", "high", "low")}
    gaps = [f"2024-01-{day}" for day in (10, 11, 12, 17, 18, 19)]
    assert fetched.result["missing_sessions"] == gaps
    stored = fetched.stored()
    assert list(stored) == [row[0] for row in ROWS if row[0] not in gaps]
    for day, *values in ROWS:
        if day not in gaps:
            given = dict(zip(("open", "high", "low", "close"), values, strict=False))
            given |= dict.fromkeys(unknown.get(day, ()))
            assert {name: stored[day][name] for name in given} == given
    assert [(row["date"], row["kind"], row["value"]) for row in fetched.after["actions"]] == [
        ("2024-01-18", "dividend", 0.5),
        ("2024-01-22", "dividend", 0.25),
    ]


def test_bad_rows_replace_no_stored_ones(filled: Machine) -> None:
    low, high = row_of("2024-03-12")[3], row_of("2024-03-12")[2]
    unasked = [with_prices(row[0], close=row[4] + 1, volume=1) for row in ROWS[-20:-15]]
    assert max(row[0] for row in unasked) < FIRST_ASKED
    rows = replaced(
        ROWS[-15:],
        *unasked,
        with_prices("2024-03-05", close=0.0),
        with_prices("2024-03-12", high=low, low=high),
    )

    fetched = filled.fetch("-t", PETR4, script=always(chart(PETR4, rows)))

    assert fetched.code == 0
    shown = " ".join(fetched.out.split())
    assert f"rejected, before {FIRST_ASKED}, not asked for: {unasked[0][0]}, " in shown
    assert "rejected, the close is not above zero: 2024-03-05" in shown
    assert "kept, high and low unknown (the high is below the low): 2024-03-12" in shown
    assert "BVMF traded, but there is no row" not in shown
    stored = fetched.stored()
    assert {day: stored[day] for day in fetched.stored_before()} == fetched.stored_before()
    assert stored.keys() - fetched.stored_before().keys() == {row[0] for row in NEW}
    assert fetched.log() == []


def test_a_jump_that_a_person_accepts_is_stored(filled: Machine) -> None:
    fetched = filled.fetch("-t", PETR4, "--json", "--accept-revision", script=history(JUMPED))
    again = filled.fetch("-t", PETR4, "--json")

    assert fetched.code == 0
    assert fetched.result["rows_added"] == len(NEW)
    assert fetched.stored()["2024-03-12"]["close"] == 100 * row_of("2024-03-12")[4]
    assert again.code == 0
    assert again.result["unchanged"] is True


# Revisions of what is stored.


def test_new_days_cost_one_request_for_them_and_the_two_weeks_before(filled: Machine) -> None:
    fetched = filled.fetch("-t", PETR4, "--json")

    assert fetched.code == 0
    assert fetched.starts == [FIRST_ASKED]
    assert (fetched.result["rows_added"], fetched.result["rows_revised"]) == (len(NEW), 0)
    assert fetched.result["unchanged"] is False
    before = fetched.stored_before()
    assert {day: fetched.stored()[day] for day in before} == before
    assert list(fetched.stored()) == [row[0] for row in ROWS]
    assert fetched.log() == []


def test_a_dividend_revises_all_adjusted_closes_in_one_go(filled: Machine) -> None:
    rows = scaled(OLD, adjusted=0.97) + NEW

    fetched = filled.fetch(
        "-t", PETR4, "--json", script=history(rows, dividends={"2024-03-11": 1.1})
    )

    assert fetched.code == 0
    assert fetched.starts == [FIRST_ASKED, ""]
    assert (fetched.result["rows_added"], fetched.result["rows_revised"]) == (3, len(OLD))
    assert "dividend of 1.1 on 2024-03-11" in fetched.result["revision"]
    stored = fetched.stored()
    assert [stored[row[0]]["adj_close"] for row in rows] == [row[5] for row in rows]
    assert [stored[row[0]]["close"] for row in rows] == [row[4] for row in rows]
    assert len({row["fetched_at"] for row in stored.values()}) == 1
    (entry,) = fetched.log()
    assert (entry["ticker"], entry["kind"], entry["source"]) == (PETR4, "revised", "yahoo")
    assert (entry["first"], entry["last"]) == (OLD[0][0], LAST_STORED)
    assert entry["rows"] == len(OLD)
    assert [(row["date"], row["value"]) for row in fetched.after["actions"]] == [
        ("2024-03-11", 1.1)
    ]


def test_a_split_revises_everything_and_days_yahoo_forgot_follow(filled: Machine) -> None:
    forgotten = ("2024-01-10", "2024-02-29")
    rows = scaled(ROWS, prices=0.5, adjusted=0.5, shares=2)
    answered = [row for row in rows if row[0] not in forgotten]

    fetched = filled.fetch(
        "-t", PETR4, "--json", script=history(answered, splits={"2024-03-11": (2, 1)})
    )
    again = filled.fetch("-t", PETR4, "--json")

    assert fetched.code == 0
    assert fetched.starts == [FIRST_ASKED, ""]
    assert (fetched.result["rows_added"], fetched.result["rows_revised"]) == (3, len(OLD))
    assert fetched.result["missing_sessions"] == []
    assert "split of 2 on 2024-03-11" in fetched.result["revision"]
    stored = fetched.stored()
    names = ("open", "high", "low", "close", "adj_close", "volume")
    for day, *values in rows:
        assert [stored[day][name] for name in names] == pytest.approx(values, rel=1e-9)
    (entry,) = fetched.log()
    assert (entry["kind"], entry["rows"]) == ("revised", len(OLD))
    assert (entry["first"], entry["last"]) == (OLD[0][0], LAST_STORED)
    assert again.result["unchanged"] is True
    assert again.after["prices"] == again.before["prices"]


PAID = {"2024-01-25": 1.2, "2024-02-21": 0.8}


def with_dividends(rows: list[Row]) -> list[Row]:
    """Give rows the adjusted closes that Yahoo computes of the dividends in PAID."""
    closes = {row[0]: row[4] for row in rows}
    adjusted = []
    for day, *values, _, volume in rows:
        factor = 1.0
        for ex_date, dividend in PAID.items():
            if day < ex_date:
                factor *= 1 - dividend / closes[max(each for each in closes if each < ex_date)]
        adjusted.append((day, *values, round(values[3] * factor, 6), volume))
    return adjusted


def as_downloaded(file: Path, rows: list[Row]) -> Path:
    """Write what yf.download() gives of these rows unless told otherwise: all prices adjusted."""
    lines = ["Date,Close,High,Low,Open,Volume"]
    for day, opened, high, low, close, adjusted, volume in rows:
        factor = adjusted / close
        prices = [adjusted, *(round(value * factor, 6) for value in (high, low, opened))]
        lines.append(",".join(f"{value}" for value in (day, *prices, volume)))
    file.write_text("\n".join(lines) + "\n")
    return file


def test_who_stored_adjusted_closes_is_told_so_and_one_command_mends_it(
    fresh: Machine, tmp_path: Path
) -> None:
    rows = with_dividends(ROWS)
    script = history(rows, dividends=PAID)
    file = as_downloaded(tmp_path / "petr4.csv", rows[:-3])
    stored = fresh.fetch("-t", PETR4, "--file", f"{file}")
    assert stored.code == 0, stored.err

    refused = fresh.fetch("-t", PETR4, "--json", script=script)

    assert refused.code == 6
    (error,) = refused.document["errors"]
    assert error["message"] == (
        f"{PETR4}: the stored closes allow for dividends, as those of yf.download() and "
        "Ticker.history() do, and the closes of yahoo do not"
    )
    command = f"stocklstm fetch --ticker {PETR4} --full --accept-revision"
    assert error["hint"].startswith(f"{command}, ")
    assert refused.after == refused.before

    mended = fresh.fetch(*command.split()[2:], "--json")
    again = fresh.fetch("-t", PETR4, "--json")

    assert (mended.code, again.code) == (0, 0), mended.err
    assert again.result["unchanged"] is True
    kept = again.stored()
    assert [(day, kept[day]["close"], kept[day]["adj_close"]) for day in kept] == [
        (row[0], row[4], row[5]) for row in rows
    ]
    assert [kept[row[0]]["high"] for row in rows] == [row[2] for row in rows]


def test_a_file_of_adjusted_closes_changes_no_stored_ones(fresh: Machine, tmp_path: Path) -> None:
    rows = with_dividends(ROWS)
    fresh.fetch("-t", PETR4, script=history(rows[:-3], dividends=PAID))
    file = as_downloaded(tmp_path / "petr4.csv", rows)

    refused = fresh.fetch("-t", PETR4, "--file", f"{file}", "--json")

    assert refused.code == 6
    (error,) = refused.document["errors"]
    assert "the closes of csv allow for dividends" in error["message"]
    assert "and the stored closes do not" in error["message"]
    assert "auto_adjust=False" in error["hint"]
    assert refused.after == refused.before
    assert fresh.fetch("-t", PETR4, script=history(rows, dividends=PAID)).code == 0


def test_what_a_file_gave_is_compared_as_a_whole_once(fresh: Machine, tmp_path: Path) -> None:
    """A file without dividends: Yahoo's come with its first answer."""
    rows = with_dividends(ROWS)
    lines = ["Date,Close", *(f"{row[0]},{row[4]}" for row in rows[5:-3])]
    (tmp_path / "petr4.csv").write_text("\n".join(lines) + "\n")
    fresh.fetch("-t", PETR4, "--file", f"{tmp_path / 'petr4.csv'}")

    first = fresh.fetch("-t", PETR4, "--json", script=history(rows, dividends=PAID))
    later = fresh.fetch("-t", PETR4, "--json")

    assert (first.code, later.code) == (0, 0), first.err
    assert first.starts == [FIRST_ASKED, rows[5][0]]
    assert later.starts == ["2024-02-27"]
    kept = later.stored()
    assert [(day, kept[day]["adj_close"]) for day in kept] == [(r[0], r[5]) for r in rows[5:]]


def test_a_corrected_day_is_revised_alone_and_logged(filled: Machine) -> None:
    rows = replaced(OLD, with_prices("2024-03-01", close=40.3))

    fetched = filled.fetch("-t", PETR4, "--json", script=history(rows))

    assert fetched.code == 0
    assert fetched.starts == [FIRST_ASKED]
    assert (fetched.result["rows_added"], fetched.result["rows_revised"]) == (0, 1)
    assert fetched.result["revision"] == ""
    assert fetched.result["unchanged"] is False
    stored, before = fetched.stored(), fetched.stored_before()
    assert [day for day in stored if stored[day] != before[day]] == ["2024-03-01"]
    assert stored["2024-03-01"]["close"] == 40.3
    (entry,) = fetched.log()
    assert (entry["kind"], entry["first"], entry["last"]) == (
        "corrected",
        "2024-03-01",
        "2024-03-01",
    )
    assert json.loads(entry["detail"]) == {"close": [40.18, 40.3], "adj_close": [40.18, 40.3]}


# Caches and calendars.


def test_a_damaged_cache_of_the_client_costs_nothing(filled: Machine) -> None:
    names = ("tkr-tz.db", "cookies.db")
    for name in names:
        assert (filled.cache / "yahoo" / name).exists()
        (filled.cache / "yahoo" / name).write_bytes(b"no database " * 400)

    fetched = filled.fetch("-t", PETR4, "--json")

    assert fetched.code == 0
    assert fetched.result["rows_added"] == len(NEW)
    assert "error" not in fetched.err
    for name in names:
        assert (filled.cache / "yahoo" / name).read_bytes().startswith(b"SQLite format 3")


def test_many_at_once_share_the_cache_of_the_client(fresh: Machine) -> None:
    # Each from the first import on: whoever forks would do one after the other.
    machines = [replace(fresh, store=f"home{number}", forks=None) for number in range(4)]

    with ThreadPoolExecutor(len(machines)) as pool:
        runs = list(pool.map(lambda machine: machine.fetch("-t", PETR4, "--json"), machines))

    assert [run.code for run in runs] == [0] * len(machines)
    assert [run.result["rows"] for run in runs] == [len(ROWS)] * len(machines)


def test_an_unknown_exchange_goes_by_weekdays_until_a_calendar_is_chosen(fresh: Machine) -> None:
    script = history(ROWS, currency="EUR", exchange="ZZZ", time_zone="Europe/London")
    warning = "no calendar is known for its exchange: weekdays stand in for sessions"

    unknown = fresh.fetch("-t", "ABC.ZZ", "--json", script=script)
    chosen = fresh.fetch("-t", "ABC.ZZ", "--json", "--calendar", "XLON")
    later = fresh.fetch("-t", "ABC.ZZ", "--json")

    assert (unknown.code, chosen.code, later.code) == (0, 0, 0)
    assert unknown.result["exchange"] == ""
    assert unknown.result["missing_sessions"] == []
    assert f"warning: ABC.ZZ: {warning}" in unknown.err
    for fetched in (chosen, later):
        assert fetched.result["exchange"] == "XLON"
        assert fetched.result["missing_sessions"] == ["2024-02-12", "2024-02-13"]
        assert warning not in fetched.err
    assert (chosen.result["unchanged"], later.result["unchanged"]) == (False, True)
