import math
import sqlite3
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm.errors import SchemaError, StoreLockedError
from stocklstm.store.store import open_store
from tests.support.store_processes import running
from tests.support.store_samples import LATER, TICKER, entry_of


def test_a_forecast_is_kept_once_and_the_first_one_stands(store):
    first = entry_of()
    assert store.ledger.record(first) is None
    assert store.ledger.record(first) == first
    another = first._replace(point=99.0, as_of="2024-03-13", made_at=LATER)
    assert store.ledger.record(another) == first
    assert store.ledger.entries(TICKER) == [first]


def test_what_is_on_record_already_changes_no_checksum_and_is_not_summed_up_again(store):
    store.ledger.record(entry_of())
    said: list[str] = []
    store.prices.connection.set_trace_callback(said.append)
    store.ledger.record(entry_of())
    assert any("INSERT INTO forecasts" in statement for statement in said)
    assert not any("checksums" in statement for statement in said)


def test_what_is_on_record_of_whom_and_since_when(store):
    assert store.ledger.tickers() == []
    assert not store.ledger.has(TICKER)
    entries = [
        entry_of(),
        entry_of(version=2, made_at=LATER),
        entry_of(pool="+b3", version=2, made_at=LATER),
        entry_of(target_session="2099-01-01"),
        entry_of(ticker="VALE3.SA"),
    ]
    store.ledger.record_all(entries[::-1])

    assert store.ledger.tickers() == [TICKER, "VALE3.SA"]
    assert store.ledger.has(TICKER)
    assert not store.ledger.has("NOPE3.SA")
    assert store.ledger.since(TICKER, "") == entries[:4]
    assert store.ledger.since(TICKER, entries[0].target_session) == entries[:4]
    assert store.ledger.since(TICKER, "2098-12-31") == entries[3:4]


def test_the_earlier_forecast_is_the_one_of_the_very_same_key(store):
    around = [
        entry_of(),
        entry_of(point=1.0, target_session="2024-03-18"),
        entry_of(point=2.0, version=2),
        entry_of(point=3.0, horizon=2),
        entry_of(point=4.0, ticker="VALE3.SA"),
    ]
    assert [store.ledger.record(entry) for entry in around] == [None] * 5
    assert [store.ledger.record(entry._replace(point=99.0)) for entry in around] == around


@pytest.mark.parametrize(
    "other",
    [
        {"target_session": "2024-03-18"},
        {"version": 2},
        {"horizon": 2},
        {"ticker": "VALE3.SA"},
        {"pool": "+b3"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_key_is_another_forecast(store, other):
    assert store.ledger.record(entry_of()) is None
    assert store.ledger.record(entry_of(**other)) is None
    all_of_them = [
        *store.ledger.entries(TICKER),
        *store.ledger.entries(TICKER, "+b3"),
        *store.ledger.entries("VALE3.SA"),
    ]
    assert all_of_them == [entry_of(), entry_of(**other)]


def test_many_forecasts_are_kept_at_once_and_those_of_before_stand(store):
    assert store.ledger.record(entry_of()) is None
    many = [entry_of(point=1.0), entry_of(version=2), entry_of(pool="+b3", point=2.0)]

    assert store.ledger.record_all(many) == [entry_of(), None, None]

    assert store.ledger.entries(TICKER) == [entry_of(), entry_of(version=2)]
    assert store.ledger.entries(TICKER, "+b3") == [entry_of(pool="+b3", point=2.0)]


def test_of_many_forecasts_all_are_kept_or_none(store):
    with pytest.raises(sqlite3.IntegrityError):
        store.ledger.record_all([entry_of(), entry_of(version=2, point=math.nan)])
    assert store.ledger.entries(TICKER) == []


def test_entries_come_oldest_target_first(store):
    keys = [("2024-03-18", 1, 1), ("2024-03-15", 2, 1), ("2024-03-15", 1, 2), ("2024-03-15", 1, 1)]
    for target, version, horizon in keys:
        store.ledger.record(entry_of(target_session=target, version=version, horizon=horizon))
    found = [(e.target_session, e.version, e.horizon) for e in store.ledger.entries(TICKER)]
    assert found == sorted(keys)


def test_the_latest_come_oldest_first_and_of_one_horizon(store):
    keys = [("2024-03-15", 1, 1), ("2024-03-15", 2, 1), ("2024-03-18", 1, 1), ("2024-03-19", 1, 1)]
    for target, version, horizon in [*keys, ("2024-03-18", 1, 5)]:
        store.ledger.record(entry_of(target_session=target, version=version, horizon=horizon))

    def found(until, count):
        latest = store.ledger.latest(TICKER, 1, until, count)
        return list(zip(latest.target_session, latest.version, latest.horizon, strict=True))

    assert found("2024-03-18", 9) == keys[:3]
    assert found("2024-03-18", 2) == keys[1:3]
    assert found("2024-03-14", 9) == []
    assert len(store.ledger.latest("VALE3.SA", 1, "2024-03-18", 9)) == 0


def test_a_ticker_without_forecasts(store):
    assert store.ledger.entries(TICKER) == []


def test_numbers_of_numpy_come_back_as_plain_ones(store):
    store.ledger.record(entry_of(point=np.float64(36.25), quantiles=(np.float64(0.1),)))
    (entry,) = store.ledger.entries(TICKER)
    assert (type(entry.point), type(entry.quantiles[0])) == (float, float)
    assert entry.quantiles == (0.1,)


def test_a_forecast_that_is_no_number_is_not_called_known(store):
    with pytest.raises(sqlite3.IntegrityError):
        store.ledger.record(entry_of(point=math.nan))
    assert store.ledger.entries(TICKER) == []


def test_a_locked_store(home, store):
    with (
        open_store(home, lock_timeout_s=0.1) as other,
        running("hold_write", home),
        pytest.raises(StoreLockedError),
    ):
        other.ledger.record(entry_of())
    assert store.ledger.entries(TICKER) == []


@pytest.mark.parametrize(
    "read", [lambda ledger: ledger.entries(TICKER), lambda ledger: ledger.record(entry_of())]
)
def test_a_damaged_table(store, read):
    store.ledger.record(entry_of())
    store.ledger.connection.execute("ALTER TABLE forecasts RENAME COLUMN quantiles TO quantile5")
    with pytest.raises(SchemaError, match="is damaged"):
        read(store.ledger)


def test_an_earlier_forecast_that_is_damaged(store):
    store.ledger.record(entry_of())
    store.ledger.connection.execute("UPDATE forecasts SET quantiles = '[1.0'")
    with pytest.raises(SchemaError, match="is damaged"):
        store.ledger.record(entry_of())


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(NUMBERS, NUMBERS, st.lists(NUMBERS)), min_size=1, max_size=5))
def test_entries_round_trip_to_the_last_bit(numbers):
    entries = [
        entry_of(version=number, last_close=close, point=point, quantiles=tuple(quantiles))
        for number, (close, point, quantiles) in enumerate(numbers, start=1)
    ]
    with (
        tempfile.TemporaryDirectory() as directory,
        open_store(Path(directory), create=True) as store,
    ):
        assert [store.ledger.record(entry) for entry in entries] == [None] * len(entries)
        assert [store.ledger.record(entry) for entry in entries] == entries
        assert store.ledger.entries(TICKER) == entries


def test_a_forecast_that_is_on_record_is_no_change_of_the_store(home, store):
    store.ledger.record(entry_of())
    with open_store(home) as other:
        before = other.ledger.connection.execute("PRAGMA data_version").fetchone()

        store.ledger.record(entry_of())
        assert other.ledger.connection.execute("PRAGMA data_version").fetchone() == before

        store.ledger.record(entry_of(horizon=2))
        assert other.ledger.connection.execute("PRAGMA data_version").fetchone() != before
