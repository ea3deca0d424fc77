"""Checksums: after any writes they are those of the rows, and any changed value is found."""

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm.core.prices.price_days import count_of
from stocklstm.core.prices.series import Action, Bars
from stocklstm.errors import SchemaError
from stocklstm.store.checksums import (
    PARTS,
    PRICE_DAYS,
    PRICES,
    Checksums,
    price_sums,
)
from stocklstm.store.database import open_in_memory
from stocklstm.store.ledger import Ledger, LedgerColumns
from stocklstm.store.prices import SUMMED_UP, PriceStore
from stocklstm.store.sessions import SessionStore
from stocklstm.store.store import Store, open_store
from tests.support.intraday_sessions import bars_on, sessions_on
from tests.support.price_rows import PETR4
from tests.support.property_tests import PROPERTY
from tests.support.store_samples import LATER, NOON, TICKER, entry_of
from tests.support.stored_rows import damage, execute, to_schema

OTHER = "VALE3.SA"
KEPT = ("checksums", "price_days")
GRID = tuple(36 + 0.1 * step for step in range(15))
FIRST = np.datetime64("2024-01-25", "D")

Write = Callable[[sqlite3.Connection], object]


def rows_of(first: int, count: int, close: float, *, ranges: bool = True) -> Bars:
    dates = FIRST + np.arange(first, first + count).astype("timedelta64[D]")
    closes = np.full(count, close)
    unknown = np.full(count, np.nan)
    highs, lows = (closes * 1.01, closes * 0.99) if ranges else (unknown, unknown)
    return Bars(dates, closes if ranges else unknown, highs, lows, closes, closes / 2, highs * 1e6)


tickers = st.sampled_from([TICKER, OTHER])
days = st.integers(0, 40)
bars = st.builds(rows_of, days, st.integers(1, 40), st.floats(1, 100), ranges=st.booleans())


def merge(
    ticker: str,
    given: Bars,
    *,
    split: bool = False,
    shift: bool = False,
    source: str = "csv",
    mend: bool = False,
) -> Write:
    def write(connection: sqlite3.Connection) -> None:
        prices = PriceStore(connection)
        actions = (Action(str(given.dates[0]), "split", 2.0),) if split else ()
        stored = prices.bars_since(ticker, "")
        lacking = stored.select(~np.isin(stored.dates, given.dates))
        halves = replace(lacking, closes=lacking.closes / 2) if shift else None
        prices.merge(
            replace(PETR4, ticker=ticker),
            given,
            actions,
            source=source,
            at=NOON,
            rescaled=halves,
            mend=mend,
        )

    return write


def record(ticker: str, day: int, horizon: int, pool: str) -> Write:
    made = entry_of(
        ticker=ticker,
        target_session=str(FIRST + np.timedelta64(day, "D")),
        as_of=str(FIRST + np.timedelta64(day - 1, "D")),
        horizon=horizon,
        pool=pool,
        quantiles=GRID,
    )
    return lambda connection: Ledger(connection).record_all([made, made._replace(version=2)])


def rename(old: str, new: str) -> Write:
    def write(connection: sqlite3.Connection) -> None:
        prices = PriceStore(connection)
        if prices.has(old) and not prices.has(new):
            prices.rename(old, replace(PETR4, ticker=new), at=LATER)
            Ledger(connection).rename(old, new)

    return write


def put(first: int, count: int) -> Write:
    dates = FIRST + np.arange(first, first + count).astype("timedelta64[D]")
    return lambda connection: SessionStore(connection).put(
        "BVMF", dates, dates + np.timedelta64(21, "h")
    )


def measure(ticker: str, first: int, count: int, bars: int, *, mend: bool = False) -> Write:
    dates = FIRST + np.arange(first, first + count).astype("timedelta64[D]")
    names = dates.astype(str).tolist()

    def write(connection: sqlite3.Connection) -> None:
        prices = PriceStore(connection)
        if prices.has(ticker):
            given = sessions_on(names, bars=bars, minutes=5 if bars > 8 else 60)
            few = bars_on(names[::2])
            prices.keep_realised(ticker, given, source="yahoo", at=NOON, bars=few, mend=mend)

    return write


def choose(ticker: str, word: str | None) -> Write:
    def write(connection: sqlite3.Connection) -> None:
        prices = PriceStore(connection)
        if prices.has(ticker):
            prices.pin_calendar(ticker, word)
            prices.choose_currency(ticker, word, at=NOON)

    return write


writes = st.one_of(
    st.builds(
        merge,
        tickers,
        bars,
        split=st.booleans(),
        shift=st.booleans(),
        source=st.sampled_from(["csv", "b3"]),
    ),
    st.builds(record, tickers, days, st.integers(1, 2), st.sampled_from(["", "+b3"])),
    st.builds(rename, tickers, tickers),
    st.builds(put, days, st.integers(1, 60)),
    st.builds(measure, tickers, days, st.integers(0, 40), st.integers(1, 90), mend=st.booleans()),
    st.builds(choose, tickers, st.sampled_from([None, "USD"])),
)


def all_faults(connection: sqlite3.Connection) -> list[tuple[str, str, list[str]]]:
    checksums = Checksums(connection)
    return [
        (part.name, owner, faults)
        for part in PARTS
        for owner in checksums.owners(part)
        if (faults := checksums.faults(part, owner))
    ]


@contextmanager
def rolled_back(connection: sqlite3.Connection):
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.execute("PRAGMA foreign_keys = ON")


def single_changes(connection: sqlite3.Connection) -> list[str]:
    """Give a statement for every column that is vouched for: each changes one value or row."""
    columns = {
        table: connection.execute(f"PRAGMA table_info({table})").fetchall()
        for table in dict.fromkeys(part.table for part in PARTS)
    }
    statements = []
    for table, described in columns.items():
        key = [name for _, name, _, _, _, place in described if place]
        names = ", ".join(key)
        row = f"({names}) = (SELECT {names} FROM {table} ORDER BY random() LIMIT 1)"  # noqa: S608
        for _, name, kind, *_ in described:
            changed = f"coalesce({name}, 0) + 1000"
            if kind == "BLOB":
                changed = "x'ff00ff'"
            elif kind == "TEXT":
                changed = "'dividend'" if table == "actions" and name == "kind" else "'1999-01-01'"
            statements.append(f"UPDATE {table} SET {name} = {changed} WHERE {row}")  # noqa: S608
        statements.append(f"DELETE FROM {table} WHERE {row}")  # noqa: S608
    return statements


@settings(PROPERTY, max_examples=25)
@given(st.lists(writes, min_size=1, max_size=6))
def test_after_any_writes_they_are_those_of_the_rows(steps: list[Write]) -> None:
    with closing(open_in_memory()) as connection:
        for step in steps:
            step(connection)

        assert all_faults(connection) == []
        assert_days_are_those_of_the_rows(connection)
        before = [connection.execute(f"SELECT * FROM {t}").fetchall() for t in KEPT]  # noqa: S608
        connection.execute("PRAGMA foreign_keys = OFF")
        Checksums(connection).vouch_for_all()
        after = [connection.execute(f"SELECT * FROM {t}").fetchall() for t in KEPT]  # noqa: S608
        assert after == before


def assert_days_are_those_of_the_rows(connection: sqlite3.Connection) -> None:
    prices = PriceStore(connection)
    at_once = prices.checksums.reader(SUMMED_UP)
    for ticker in prices.tickers():
        rows = connection.execute(
            "SELECT date, source FROM prices WHERE ticker = ? ORDER BY date", (ticker,)
        ).fetchall()
        for read in (prices.checksums.read, at_once):
            found = prices.summary(ticker, read)
            assert found.dates.astype(str).tolist() == [day for day, _ in rows]
            assert found.sources == dict(sorted(Counter(source for _, source in rows).items()))
        assert prices.provenance(ticker, rows[-1][0]).sources[-1] == rows[-1][1]


@pytest.fixture
def filled(home: Path) -> Path:
    with open_store(home, create=True) as store:
        connection = store.prices.connection
        for step in (
            merge(TICKER, rows_of(0, 40, 36.38), split=True),
            merge(TICKER, rows_of(10, 40, 38.0), shift=True),
            put(0, 60),
            record(TICKER, 3, 1, ""),
            record(TICKER, 30, 2, "+b3"),
            choose(TICKER, "USD"),
            measure(TICKER, 0, 40, 84),
        ):
            step(connection)
    return home


def test_every_changed_value_and_missing_row_is_found(filled: Path) -> None:
    with open_store(filled) as store:
        connection = store.prices.connection
        statements = single_changes(connection)
        assert len(statements) > 45
        for statement in statements:
            with rolled_back(connection):
                assert connection.execute(statement).rowcount == 1
                assert all_faults(connection), statement
        assert all_faults(connection) == []


def test_a_row_that_nobody_stored_is_found(filled: Path) -> None:
    with open_store(filled) as store:
        connection = store.prices.connection
        for table in dict.fromkeys(part.table for part in PARTS):
            with rolled_back(connection):
                columns = [
                    name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")
                ]
                day = next(c for c in columns if c in {"date", "target_session", "ticker", "id"})
                other = "id + 1000" if day == "id" else "'1999-01-01'"
                values = ", ".join(other if name == day else name for name in columns)
                row = f"SELECT {values} FROM {table} LIMIT 1"  # noqa: S608
                connection.execute(f"INSERT INTO {table} {row}")
                assert all_faults(connection), table


READERS: dict[str, Callable] = {
    "prices": lambda store: store.prices.bars(TICKER),
    "actions": lambda store: store.prices.actions(TICKER),
    "instruments": lambda store: store.prices.instrument(TICKER),
    "price_log": lambda store: store.prices.log(TICKER),
    "forecasts": lambda store: store.ledger.entries(TICKER),
    "sessions": lambda store: store.sessions.next_after("BVMF", "2024-02-01"),
    "realised": lambda store: store.prices.realised(TICKER),
    "intraday_bars": lambda store: store.prices.intraday_bars(TICKER),
}


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("prices", "UPDATE prices SET close = 38.38 WHERE date = '2024-02-01'"),
        ("prices", "UPDATE prices SET volume = NULL WHERE date = '2024-02-01'"),
        ("prices", "DELETE FROM prices WHERE date < '2024-02'"),
        ("actions", "UPDATE actions SET value = 3"),
        ("instruments", "UPDATE instruments SET currency = 'BRM'"),
        ("price_log", "UPDATE price_log SET detail = 'other'"),
        ("forecasts", "UPDATE forecasts SET point = 38.38"),
        ("forecasts", "DELETE FROM forecasts WHERE version = 2"),
        # Sorted after all days of its month.
        ("forecasts", "UPDATE forecasts SET target_session = substr(target_session, 1, 7) || '~5'"),
        ("sessions", "UPDATE sessions SET closes_at = '2024-02-05T22:00:00Z'"),
        *((table, "DELETE FROM checksums WHERE owner <> ''") for table in READERS),
    ],
)
def test_what_reads_a_row_compares_it(filled: Path, table: str, statement: str) -> None:
    with open_store(filled) as store:
        assert READERS[table](store)
        damage(filled, statement)
        with pytest.raises(SchemaError, match="not what was stored") as caught:
            READERS[table](store)
    assert "stocklstm " in caught.value.hint


@pytest.mark.parametrize("latest", [1, 2, 30])
def test_the_latest_forecasts_are_those_of_before_and_compared(filled: Path, latest: int) -> None:
    with open_store(filled) as store:
        for day in range(0, 90, 2):
            record(TICKER, day, 1, "")(store.prices.connection)
        every = [e for e in store.ledger.entries(TICKER) if e.horizon == 1]
        until = str(FIRST + np.timedelta64(61, "D"))
        closed = [e for e in every if e.target_session <= until]

        read = store.ledger.latest(TICKER, 1, until, latest)
        assert read == LedgerColumns.of(TICKER, closed[-latest:])

        damage(
            filled,
            "UPDATE forecasts SET made_at = ? WHERE target_session = ?",
            LATER,
            closed[-1].target_session,
        )
        with pytest.raises(SchemaError, match="the forecasts on record of PETR4"):
            store.ledger.latest(TICKER, 1, until, latest)
        with pytest.raises(SchemaError, match="not what was stored"):
            store.ledger.page(TICKER, 90)


def test_what_is_written_beside_a_damaged_row_does_not_make_it_sound(filled: Path) -> None:
    damage(filled, "UPDATE prices SET close = 38.38 WHERE date = '2024-02-01'")
    damage(filled, "UPDATE forecasts SET point = 38.38")
    damage(filled, "UPDATE instruments SET calendar = 'XNYS'")
    damage(filled, "UPDATE price_log SET detail = 'other'")
    with open_store(filled) as store:
        before = all_faults(store.prices.connection)
        merge_day = rows_of(20, 1, 50.0)
        store.prices.merge(PETR4, merge_day, (), source="csv", at=LATER)
        record(TICKER, 4, 1, "")(store.prices.connection)

        assert all_faults(store.prices.connection) == before


def test_a_whole_answer_makes_damaged_months_sound(filled: Path) -> None:
    damage(filled, "UPDATE prices SET close = 38.38 WHERE date = '2024-02-01'")
    damage(filled, "UPDATE prices SET source = 'x' WHERE date = '2024-02-02'")
    damage(filled, "UPDATE actions SET value = 3")
    with open_store(filled) as store:
        sound = store.prices.sound_bars(TICKER)
        assert {str(day)[:7] for day in sound.dates} == {"2024-01", "2024-03"}
        store.prices.merge(
            PETR4,
            rows_of(0, 60, 36.38),
            (Action(str(FIRST), "split", 2.0),),
            source="csv",
            at=LATER,
        )

        assert all_faults(store.prices.connection) == []
        assert (store.prices.bars(TICKER).closes == 36.38).all()


@pytest.mark.parametrize("unknown", [(), ("volume",), ("open", "high", "low", "volume")])
def test_all_ways_to_sum_up_prices_are_one(filled: Path, unknown: tuple[str, ...]) -> None:
    for name in unknown:
        execute(filled, f"UPDATE prices SET {name} = NULL WHERE date > '2024-02-05'")  # noqa: S608
    with open_store(filled) as store:
        bars = store.prices.bars(TICKER)
        prices = [bars.opens, bars.highs, bars.lows, bars.closes, bars.adj_closes, bars.volumes]
        columns = np.array(prices)

        stored = Checksums(store.prices.connection).stored(PRICES, TICKER)

    assert price_sums(bars.dates, columns) == stored
    assert price_sums(bars.dates[:0], columns[:, :0]) == {}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE prices SET close = 1e300 WHERE date = '2024-02-01'",
        "UPDATE prices SET close = -1 WHERE date = '2024-02-01'",
        "UPDATE prices SET high = 1, low = 2 WHERE date = '2024-02-01'",
        "UPDATE prices SET date = '2024-02-31' WHERE date = '2024-02-01'",
        "UPDATE instruments SET time_zone = 'Mars'",
        "UPDATE instruments SET currency = printf('%.*c', 1000000, 'x')",
        "UPDATE sessions SET closes_at = 'noon'",
        "UPDATE forecasts SET as_of = 'x'",
        "UPDATE forecasts SET quantiles = '[NaN]'",
        "UPDATE forecasts SET version = 9223372036854775807 WHERE version = 2",
        "UPDATE price_log SET at = 'y'",
    ],
)
def test_an_upgrade_vouches_for_nothing_that_cannot_be_right(filled: Path, statement: str) -> None:
    damage(filled, statement)
    to_schema(filled, 6)
    with open_store(filled) as store:
        (fault,) = [f for f in all_faults(store.prices.connection) if f[0] != "origins"]
    assert fault[0] in statement or fault[0] == "instrument"


DAYS_DAMAGED = (
    "UPDATE price_days SET days = x'ff'",
    "UPDATE price_days SET first = '2024-01-24'",
    "UPDATE price_days SET source = 'other'",
    "DELETE FROM price_days",
    "UPDATE checksums SET crc32 = 1 WHERE part = 'price_days'",
    "DELETE FROM checksums WHERE part = 'price_days'",
)


@pytest.mark.parametrize("statement", DAYS_DAMAGED)
def test_days_that_do_not_follow_from_the_rows_are_found_and_made_anew(
    filled: Path, statement: str
) -> None:
    damage(filled, statement)
    with open_store(filled) as store:
        connection = store.prices.connection
        assert [fault[0] for fault in all_faults(connection)] == ["price_days"]
        with pytest.raises(SchemaError, match="the days of prices of PETR4"):
            store.prices.summary(TICKER, store.prices.checksums.read)

        merge(TICKER, store.prices.bars(TICKER))(connection)

        assert all_faults(connection) == []
        assert_days_are_those_of_the_rows(connection)


@pytest.mark.parametrize("as_many", [False, True])
def test_days_with_a_checksum_that_fits_are_compared_with_the_rows(
    filled: Path, *, as_many: bool
) -> None:
    with open_store(filled) as store, rolled_back(store.prices.connection):
        ((source, first, days),) = store.prices.checksums.read(PRICE_DAYS, TICKER)
        # In the right one each day of January is stored; here one is another day.
        moved = bytes([days[0] & 0xFE]) + days[1:] + b"\x01"
        wrong = [(source, first, moved if as_many else b"\xff")]
        assert (count_of(wrong) == count_of([(source, first, days)])) is as_many
        store.prices.checksums.replace(PRICE_DAYS, TICKER, wrong)

        assert all_faults(store.prices.connection) == [("price_days", TICKER, [""])]
        with pytest.raises(SchemaError):
            store.prices.checksums.require(PRICE_DAYS, TICKER)

        # As fetch --full does, which the error names.
        merge(TICKER, store.prices.bars(TICKER), mend=True)(store.prices.connection)
        assert all_faults(store.prices.connection) == []


def test_rows_that_nobody_noted_the_days_of_are_found(filled: Path) -> None:
    damage(filled, "DELETE FROM price_days")
    damage(filled, "DELETE FROM checksums WHERE part = 'price_days'")
    with open_store(filled) as store:
        (fault,) = store.prices.checksums.all_faults()
    assert fault == "the days of prices of PETR4.SA are not what was stored"


def test_an_upgrade_finds_out_which_days_are_stored(filled: Path) -> None:
    """As of schema 7, which had checksums and no list of days."""
    with open_store(filled) as store:
        merge(OTHER, rows_of(3, 30, 40.0), source="b3")(store.prices.connection)
        merge(OTHER, rows_of(20, 5, 41.0), source="csv")(store.prices.connection)
    to_schema(filled, 7)
    damage(filled, "UPDATE prices SET close = 99 WHERE ticker = ?", TICKER)
    with open_store(filled) as store:
        # What was damaged before is not vouched for anew.
        assert {fault[0] for fault in all_faults(store.prices.connection)} == {"prices"}
        assert store.prices.summary(OTHER, store.prices.checksums.read).sources == {
            "b3": 25,
            "csv": 5,
        }


@pytest.mark.parametrize(
    "read",
    [
        lambda store: store.prices.summary(TICKER, store.prices.checksums.read),
        lambda store: store.prices.bars_since(TICKER, "2024-02"),
        lambda store: store.prices.bars(TICKER),
        lambda store: store.prices.instrument(TICKER),
        lambda store: store.prices.log(TICKER),
        lambda store: store.prices.actions(TICKER),
        lambda store: store.prices.provenance(TICKER),
        lambda store: store.prices.realised(TICKER),
        lambda store: store.ledger.entries(TICKER),
        lambda store: store.ledger.page(TICKER, 5),
        lambda store: store.ledger.latest(TICKER, 1, "2099-12-31", 5),
    ],
)
def test_who_reads_while_another_writes_finds_no_damage(
    home: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Store], object]
) -> None:
    with open_store(home, create=True) as writer, open_store(home) as reader:
        merge(TICKER, rows_of(0, 30, 36.0), split=True)(writer.prices.connection)
        measure(TICKER, 0, 30, 84)(writer.prices.connection)
        writer.ledger.record(entry_of())
        right = Checksums.stored
        changed = []

        def stored(own: Checksums, *words: str) -> object:
            if own.connection is reader.prices.connection and not changed:
                # Between the rows and their checksums.
                changed.append(True)
                monkeypatch.setattr(Checksums, "stored", right)
                merge(TICKER, rows_of(0, 40, 37.0), shift=True)(writer.prices.connection)
                measure(TICKER, 0, 30, 85)(writer.prices.connection)
                other = replace(PETR4, ticker=TICKER, currency="USD")
                writer.prices.merge(other, rows_of(41, 1, 38.0), SPLIT, source="b3", at=LATER)
                writer.ledger.record(entry_of()._replace(version=2))
                writer.ledger.record(entry_of()._replace(version=3))
            return right(own, *words)

        monkeypatch.setattr(Checksums, "stored", stored)

        read(reader)

        assert changed
        read(reader)


SPLIT = (Action("2024-03-04", "split", 3.0),)


ORIGINS_DAMAGED = (
    "DELETE FROM prices WHERE ticker = ? AND date = '2024-02-06'",
    "DELETE FROM prices WHERE ticker = ? AND date > '2024-02-06'",
    "UPDATE prices SET source = 'other' WHERE ticker = ? AND date = '2024-02-06'",
    "UPDATE prices SET source = CAST(x'ff41' AS TEXT) WHERE ticker = ? AND date = '2024-02-06'",
    "UPDATE prices SET date = '2024-02-xx' WHERE ticker = ? AND date = '2024-02-06'",
    "UPDATE prices SET date = '1924-02-06' WHERE ticker = ? AND date = '2024-02-06'",
)


@pytest.mark.parametrize("statement", ORIGINS_DAMAGED)
def test_an_upgrade_lists_no_days_that_follow_from_damaged_rows(
    filled: Path, statement: str
) -> None:
    with open_store(filled) as store:
        bars = store.prices.bars(TICKER)
        merge(OTHER, rows_of(3, 30, 40.0))(store.prices.connection)
    to_schema(filled, 7)
    damage(filled, statement, TICKER)
    with open_store(filled) as store:
        read = store.prices.checksums.read
        with pytest.raises(SchemaError, match="the days of prices of PETR4"):
            store.prices.summary(TICKER, read)
        assert len(store.prices.summary(OTHER, read).dates) == 30
        if "DELETE" in statement:
            store.prices.merge(PETR4, bars.select(slice(5)), (), source="csv", at=NOON)
            with pytest.raises(SchemaError, match="the days of prices of PETR4"):
                store.prices.summary(TICKER, read)
            store.prices.merge(PETR4, bars, (), source="csv", at=NOON)
            assert all_faults(store.prices.connection) == []
            assert_days_are_those_of_the_rows(store.prices.connection)


@pytest.mark.parametrize("written", [rows_of(70, 2, 41.0), rows_of(60, 3, 40.0)])
def test_days_that_an_older_program_wrote_meanwhile_are_listed_by_the_next_fetch(
    filled: Path, written: Bars
) -> None:
    with open_store(filled) as store, rolled_back(store.prices.connection):
        connection = store.prices.connection
        before = store.prices.checksums.read(PRICE_DAYS, TICKER)
        merge(TICKER, rows_of(60, 3, 40.0))(connection)
        store.prices.checksums.replace(PRICE_DAYS, TICKER, before)

        merge(TICKER, written)(connection)

        assert all_faults(connection) == []
        assert_days_are_those_of_the_rows(connection)
