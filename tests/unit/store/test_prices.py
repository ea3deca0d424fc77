import json
import sqlite3
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm.core.prices.series import COLUMNS, Action, Bars, Instrument
from stocklstm.errors import (
    NoPricesError,
    RejectedDataError,
    StockLstmError,
    StorageError,
    StoreLockedError,
)
from stocklstm.store.prices import MergeResult, PriceStore
from stocklstm.store.store import Store, open_store
from tests.support.price_rows import PETR4, bars_of_rows
from tests.support.store_samples import DIVIDEND, LATER, NOON, SPLIT, TICKER, WEEK

NAN = np.nan
UNCHANGED = MergeResult(0, 0, unchanged=True)


def merge(
    store, bars=WEEK, actions=(DIVIDEND,), *, source="csv", at=NOON, instrument=PETR4, **options
):
    return store.prices.merge(instrument, bars, actions, source=source, at=at, **options)


def rows(store, table="prices") -> list[tuple]:
    return store.registry.connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - fixed names


def everything(store) -> list[list[tuple]]:
    return [rows(store, table) for table in ("instruments", "prices", "actions")]


def same(left: Bars, right: Bars) -> bool:
    return all(
        np.array_equal(getattr(left, name), getattr(right, name), equal_nan=name != "dates")
        for name in ("dates", *COLUMNS)
    )


def present(bars: Bars, name: str) -> set[str]:
    return set(bars.dates[~np.isnan(getattr(bars, name))].astype(str).tolist())


def scaled(bars: Bars, factor: float, *names: str) -> Bars:
    return replace(bars, **{name: getattr(bars, name) * factor for name in names})


def test_a_first_fetch_is_stored_as_it_is(store):
    assert merge(store) == MergeResult(3, 0, unchanged=False)
    stored = store.prices.bars(TICKER)
    assert stored.fingerprint() == WEEK.fingerprint()
    assert stored.dates.dtype == np.dtype("datetime64[D]")
    assert all(getattr(stored, name).flags.c_contiguous for name in COLUMNS)
    assert store.prices.instrument(TICKER) == PETR4
    assert store.prices.actions(TICKER) == (DIVIDEND,)
    assert store.prices.sources(TICKER) == ["csv"]
    assert store.prices.tickers() == [TICKER]


def test_the_same_again_writes_no_row(store):
    merge(store)
    before = rows(store), rows(store, "actions")
    assert merge(store, source="yahoo", at=LATER) == UNCHANGED
    assert (rows(store), rows(store, "actions")) == before
    # When it was last looked at is known all the same.
    assert rows(store, "instruments")[0][4:6] == ("yahoo", LATER)
    assert store.prices.last_fetch(TICKER) == LATER


@pytest.mark.parametrize("jitter", [1e-7, -1e-7, 5e-6, -5e-6])
def test_jitter_is_no_revision(store, jitter):
    merge(store)
    before = rows(store)
    names = ("opens", "highs", "lows", "closes", "adj_closes", "volumes")
    assert merge(store, scaled(WEEK, 1 + jitter, *names), at=LATER) == UNCHANGED
    assert rows(store) == before


def test_jitter_does_not_add_up(store):
    merge(store)
    for _ in range(5):
        assert merge(store, scaled(WEEK, 1 + 9e-6, "adj_closes")) == UNCHANGED
    assert store.prices.bars(TICKER).fingerprint() == WEEK.fingerprint()


@pytest.mark.parametrize("name", ["opens", "highs", "lows", "closes", "adj_closes", "volumes"])
def test_one_revised_value_rewrites_its_row_alone(store, name):
    merge(store)
    before = rows(store)
    values = getattr(WEEK, name).copy()
    values[1] += 0.01 if name != "volumes" else 1e6
    revised = replace(WEEK, **{name: values})
    assert merge(store, revised, source="yahoo", at=LATER) == MergeResult(0, 1, unchanged=False)
    assert store.prices.bars(TICKER).fingerprint() == revised.fingerprint()
    after = rows(store)
    assert [after[0], after[2]] == [before[0], before[2]]
    assert after[1][-2:] == ("yahoo", LATER)
    assert store.prices.sources(TICKER) == ["csv", "yahoo"]


def test_a_volume_that_was_zero_is_revised(store):
    merge(store)
    assert merge(store, replace(WEEK, volumes=np.array([5e7, 6e7, 1.0]))).revised == 1


def test_a_new_dividend_rewrites_the_adjusted_history(store):
    merge(store)
    revised = scaled(WEEK, 0.98, "adj_closes")
    assert merge(store, revised) == MergeResult(0, 3, unchanged=False)
    assert store.prices.bars(TICKER).fingerprint() == revised.fingerprint()


def test_a_split_rewrites_the_whole_history(store):
    merge(store)
    revised = scaled(WEEK, 0.5, "opens", "highs", "lows", "closes", "adj_closes")
    assert merge(store, revised, (DIVIDEND, SPLIT)) == MergeResult(0, 3, unchanged=False)
    assert store.prices.bars(TICKER).fingerprint() == revised.fingerprint()


@pytest.mark.parametrize("kept", [[0], [1], [2], [0, 2], []])
def test_rows_that_a_newer_answer_lacks_are_kept(store, kept):
    merge(store)
    assert merge(store, WEEK.select(np.array(kept, np.int64)), ()) == UNCHANGED
    assert store.prices.bars(TICKER).fingerprint() == WEEK.fingerprint()
    assert store.prices.actions(TICKER) == (DIVIDEND,)


def test_new_rows_before_between_and_after(store):
    merge(store, WEEK.select(np.array([0, 2])))
    more = bars_of_rows([("2024-03-08", 35.0), ("2024-03-12", 37.0), ("2024-03-14", 38.0)])
    assert merge(store, more) == MergeResult(3, 0, unchanged=False)
    stored = store.prices.bars(TICKER)
    assert stored.dates.astype(str).tolist() == [
        "2024-03-08",
        "2024-03-11",
        "2024-03-12",
        "2024-03-13",
        "2024-03-14",
    ]
    assert stored.closes.tolist() == [35.0, 36.5, 37.0, 36.2, 38.0]


def test_closes_alone_stay_closes_alone(store):
    bars = bars_of_rows([("2024-03-11", NAN, NAN, NAN, 36.5, 33.1, NAN)])
    assert merge(store, bars) == MergeResult(1, 0, unchanged=False)
    assert same(store.prices.bars(TICKER), bars)
    assert merge(store, bars) == UNCHANGED


def test_a_range_that_comes_later_is_a_revision(store):
    merge(store, bars_of_rows([("2024-03-11", NAN, NAN, NAN, 36.5, 33.1, NAN)]))
    assert merge(store).revised == 1
    assert store.prices.bars(TICKER).fingerprint() == WEEK.fingerprint()


@pytest.mark.parametrize("name", ["opens", "highs", "lows", "closes", "adj_closes", "volumes"])
def test_a_missing_value_never_replaces_a_stored_one(store, name):
    merge(store)
    before = rows(store)
    values = getattr(WEEK, name).copy()
    values[[0, 2]] = NAN
    assert merge(store, replace(WEEK, **{name: values}), source="yahoo", at=LATER) == UNCHANGED
    assert rows(store) == before


def test_a_row_without_any_value_changes_nothing(store):
    merge(store)
    nothing = bars_of_rows([(day, *[NAN] * 6) for day in WEEK.dates.astype(str)])
    before = rows(store)
    assert merge(store, nothing, source="yahoo", at=LATER) == UNCHANGED
    assert rows(store) == before


def test_a_revised_row_keeps_what_the_newer_one_lacks(store):
    merge(store)
    newer = bars_of_rows([("2024-03-12", 36.6, NAN, 36.2, 37.05, NAN, NAN)])
    assert merge(store, newer) == MergeResult(0, 1, unchanged=False)
    expected = bars_of_rows([("2024-03-12", 36.6, 37.2, 36.2, 37.05, 33.6, 6e7)])
    assert same(store.prices.bars(TICKER).select(np.array([1])), expected)
    assert same(store.prices.bars(TICKER).select(np.array([0, 2])), WEEK.select(np.array([0, 2])))


def test_what_is_given_is_not_written_to(store):
    merge(store)
    given = bars_of_rows([("2024-03-12", NAN, NAN, NAN, 37.0, 33.6, NAN)])
    untouched = bars_of_rows([("2024-03-12", NAN, NAN, NAN, 37.0, 33.6, NAN)])
    merge(store, given)
    assert same(given, untouched)


def test_a_new_row_may_lack_values_but_not_its_closes(store):
    merge(store)
    merge(store, bars_of_rows([("2024-03-14", NAN, NAN, NAN, 37.5, 34.0, NAN)]))
    assert np.isnan(store.prices.bars(TICKER).opens).tolist() == [False] * 3 + [True]
    with pytest.raises(sqlite3.IntegrityError):
        merge(store, bars_of_rows([("2024-03-15", 1, 1, 1, 37.5, NAN, 1)]))


def test_new_and_changed_actions(store):
    merge(store)
    assert merge(store, actions=(DIVIDEND, SPLIT)) == MergeResult(0, 0, unchanged=False)
    assert store.prices.actions(TICKER) == (DIVIDEND, SPLIT)
    corrected = replace(DIVIDEND, value=0.56)
    assert merge(store, actions=(corrected,)) == MergeResult(0, 0, unchanged=False)
    assert store.prices.actions(TICKER) == (corrected, SPLIT)
    assert merge(store, actions=(SPLIT, corrected)) == UNCHANGED


def test_a_dividend_and_a_split_of_one_day(store):
    split = replace(SPLIT, date=DIVIDEND.date)
    merge(store, actions=(split, DIVIDEND))
    assert store.prices.actions(TICKER) == (DIVIDEND, split)


def test_tickers_do_not_mix(store):
    merge(store)
    vale = Instrument("VALE3.SA", "BRL", "BVMF", "America/Sao_Paulo")
    merge(store, bars_of_rows([("2024-03-12", 60.0)]), (), instrument=vale)
    assert store.prices.tickers() == [TICKER, "VALE3.SA"]
    assert store.prices.bars(TICKER).fingerprint() == WEEK.fingerprint()
    assert store.prices.bars("VALE3.SA").closes.tolist() == [60.0]
    assert store.prices.actions("VALE3.SA") == ()


def test_what_is_known_of_the_instrument_is_replaced(store):
    merge(store)
    moved = replace(PETR4, exchange="XNYS", currency="USD", time_zone="America/New_York")
    merge(store, instrument=moved)
    assert store.prices.instrument(TICKER) == moved


@pytest.mark.parametrize("read", ["bars", "instrument"])
def test_a_ticker_that_was_never_fetched(store, read):
    with pytest.raises(NoPricesError, match=r"no prices of VALE3\.SA") as caught:
        getattr(store.prices, read)("VALE3.SA")
    assert caught.value.hint == "stocklstm fetch --ticker VALE3.SA"
    assert store.prices.actions("VALE3.SA") == ()
    assert store.prices.sources("VALE3.SA") == []


def test_a_ticker_whose_answer_was_empty(store):
    assert merge(store, bars_of_rows([]), ()) == UNCHANGED
    assert store.prices.tickers() == []
    with pytest.raises(NoPricesError):
        store.prices.bars(TICKER)


# All or nothing


@pytest.mark.parametrize("reaction", ["ABORT", "ROLLBACK"])
@pytest.mark.parametrize("table", ["instruments", "prices", "actions"])
def test_an_error_in_the_middle_leaves_everything_as_it_was(store, table, reaction):
    merge(store)
    before = everything(store)
    action = "UPDATE" if table == "instruments" else "INSERT"
    when = "WHEN new.date = '2024-03-15'" if table == "prices" else ""
    store.registry.connection.execute(
        f"CREATE TEMP TRIGGER fail BEFORE {action} ON main.{table} {when}"
        f" BEGIN SELECT RAISE({reaction}, 'stop here'); END"
    )
    more = bars_of_rows([("2024-03-13", 40.0), ("2024-03-14", 41.0), ("2024-03-15", 42.0)])
    with pytest.raises(sqlite3.IntegrityError, match="stop here"):
        merge(store, more, (SPLIT,), source="yahoo", at=LATER)
    assert everything(store) == before
    store.registry.connection.execute("DROP TRIGGER fail")
    assert merge(store, more, (SPLIT,)) == MergeResult(2, 1, unchanged=False)


def test_an_answer_that_cannot_be_stored_changes_nothing(store):
    merge(store)
    before = everything(store)
    more = bars_of_rows([("2024-03-14", 41.0), ("2024-03-15", 1, 1, 1, NAN, 1, 1)])
    with pytest.raises(sqlite3.IntegrityError):
        merge(store, more, (Action("2024-03-14", "dividend", 1.0),))
    assert everything(store) == before


def test_a_full_disk_loses_nothing(store, file_limit):
    merge(store)
    before = everything(store)
    days = (np.datetime64("2010-01-01") + np.arange(4000)).astype(str)
    with file_limit(100_000), pytest.raises(StorageError):
        merge(store, bars_of_rows([(day, 30.0) for day in days]))
    assert everything(store) == before


def test_an_interruption_loses_nothing(store, monkeypatch):
    merge(store)
    before = everything(store)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(PriceStore, "_write_bars", interrupt)
    with pytest.raises(KeyboardInterrupt):
        merge(store, scaled(WEEK, 2, "closes"), (SPLIT,), at=LATER)
    assert everything(store) == before


def test_a_closed_store_is_a_bug_and_not_damage(home):
    with open_store(home, create=True) as store:
        merge(store)
    with pytest.raises(sqlite3.ProgrammingError):
        store.prices.bars(TICKER)


def test_a_read_only_store_refuses_in_words(home, monkeypatch):
    with open_store(home, create=True) as store:
        merge(store)
    monkeypatch.setattr("os.access", lambda *_: False)
    with open_store(home) as store:
        assert store.prices.bars(TICKER).fingerprint() == WEEK.fingerprint()
        with pytest.raises(StockLstmError, match="cannot be written"):
            merge(store, scaled(WEEK, 2, "closes"))


# Within a transaction of the caller


def merge_and_raise(error: BaseException, store: Store, *answer: object, **options: object) -> None:
    with store.transaction():
        merge(store, *answer, **options)
        raise error


@pytest.mark.parametrize("error", [RejectedDataError("no"), ValueError("no"), KeyboardInterrupt()])
def test_a_veto_leaves_everything_as_it_was(home, store, error):
    merge(store)
    store.registry.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = everything(store)
    files = {path.name: path.read_bytes() for path in home.iterdir() if path.suffix != ".db-shm"}
    moved = replace(PETR4, currency="USD")
    more = bars_of_rows([("2024-03-13", 40.0), ("2024-03-14", 41.0)])
    with pytest.raises(type(error)) as caught:
        merge_and_raise(error, store, more, (SPLIT,), source="yahoo", at=LATER, instrument=moved)
    assert caught.value is error
    assert everything(store) == before
    assert files == {
        path.name: path.read_bytes() for path in home.iterdir() if path.suffix != ".db-shm"
    }
    assert merge(store, more, (SPLIT,)) == MergeResult(1, 1, unchanged=False)


def test_a_veto_of_a_first_fetch_leaves_no_ticker(store):
    with pytest.raises(RejectedDataError):
        merge_and_raise(RejectedDataError("no"), store)
    assert not any(everything(store))
    assert store.prices.tickers() == []
    with pytest.raises(NoPricesError):
        store.prices.instrument(TICKER)


def test_no_other_process_writes_in_between(home, store):
    merge(store)
    with store.transaction():
        with open_store(home, lock_timeout_s=0.05) as other:
            assert other.prices.bars(TICKER).fingerprint() == WEEK.fingerprint()
            with pytest.raises(StoreLockedError):
                merge(other, scaled(WEEK, 3, "closes"))
        assert merge(store, scaled(WEEK, 2, "closes")).revised == 3


# The log


def test_a_correction_is_logged_with_what_was_there(store):
    merge(store)
    assert store.prices.log(TICKER) == ()
    merge(store, bars_of_rows([("2024-03-12", 36.5, 37.5, 36.0, 37.25, 33.5, 6e7)]), at=LATER)
    (entry,) = store.prices.log(TICKER)
    assert (entry.at, entry.source, entry.kind) == (LATER, "csv", "corrected")
    assert (entry.first, entry.last, entry.rows) == ("2024-03-12", "2024-03-12", 1)
    before = WEEK.select(WEEK.dates == np.datetime64("2024-03-12"))
    assert json.loads(entry.detail)["close"] == [before.closes[0], 37.25]


def test_a_range_that_became_known_is_logged_as_such(store):
    merge(store, bars_of_rows([("2024-03-12", NAN, NAN, NAN, 37.0, 33.5, NAN)]))
    merge(store, bars_of_rows([("2024-03-12", 36.5, 37.5, 36.0, 37.0, 33.5, 6e7)]))
    (entry,) = store.prices.log(TICKER)
    assert json.loads(entry.detail) == {
        "open": [None, 36.5],
        "high": [None, 37.5],
        "low": [None, 36.0],
        "volume": [None, 6e7],
    }


def test_a_revision_is_one_line_and_rescaled_rows_keep_their_source(store):
    merge(store, source="b3")
    halves = scaled(WEEK, 0.5, "opens", "highs", "lows", "closes", "adj_closes")
    result = store.prices.merge(
        PETR4,
        halves.select(slice(1, 3)),
        (SPLIT,),
        source="yahoo",
        at=LATER,
        rescaled=halves.select(slice(0, 1)),
        revision="a split",
    )
    assert result == MergeResult(0, 3, unchanged=False)
    assert same(store.prices.bars(TICKER), halves)
    assert store.prices.provenance(TICKER).sources == ("b3", "yahoo", "yahoo")
    assert set(store.prices.provenance(TICKER).fetched_at) == {LATER}
    (entry,) = store.prices.log(TICKER)
    assert (entry.kind, entry.rows, entry.detail) == ("revised", 3, "a split")
    assert (entry.first, entry.last) == ("2024-03-11", "2024-03-13")


def test_many_corrections_are_one_line(store):
    days = (np.datetime64("2020-01-01") + np.arange(60)).astype(str)
    bars = bars_of_rows([(day, 30.0) for day in days])
    merge(store, bars, ())
    merge(store, scaled(bars, 1.001, "volumes"), ())
    (entry,) = store.prices.log(TICKER)
    assert (entry.kind, entry.rows) == ("corrected", 60)


# The calendar somebody chose


def test_a_pinned_calendar_outlives_fetches_until_it_is_let_go(store):
    merge(store)
    store.prices.pin_calendar(TICKER, "XNYS")
    merge(store, at=LATER)
    assert store.prices.pinned_calendar(TICKER) == "XNYS"
    assert store.prices.instrument(TICKER).exchange == "XNYS"
    store.prices.pin_calendar(TICKER, "")
    assert store.prices.instrument(TICKER).exchange == ""
    store.prices.pin_calendar(TICKER, None)
    assert store.prices.instrument(TICKER) == PETR4


def test_a_ticker_that_is_not_stored_has_no_pinned_calendar(store):
    assert store.prices.pinned_calendar(TICKER) is None
    assert not store.prices.has(TICKER)
    assert store.prices.span(TICKER) is None


# Dividends and splits


def test_jitter_in_a_dividend_is_no_change(store):
    merge(store)
    jittered = replace(DIVIDEND, value=DIVIDEND.value * (1 + 1e-7))
    assert merge(store, actions=(jittered,), at=LATER) == UNCHANGED
    assert store.prices.actions(TICKER) == (DIVIDEND,)


# Whatever the prices are

PRICES = st.floats(1e-300, 1e300)
MAYBE = st.one_of(st.just(NAN), PRICES)
DAYS = st.dates(
    min_value=np.datetime64("1900-01-01").item(), max_value=np.datetime64("2199-12-31").item()
).map(str)
ROWS = st.lists(
    st.tuples(DAYS, MAYBE, MAYBE, MAYBE, PRICES, PRICES, st.one_of(MAYBE, st.just(0.0))),
    min_size=1,
    max_size=20,
    unique_by=lambda row: row[0],
).map(sorted)


@settings(deadline=None, max_examples=60)
@given(first=ROWS, second=ROWS)
def test_any_answers_round_trip_to_the_last_bit(first, second):
    with (
        tempfile.TemporaryDirectory() as directory,
        open_store(Path(directory), create=True) as store,
    ):
        merge(store, bars_of_rows(first), ())
        assert same(store.prices.bars(TICKER), bars_of_rows(first))
        assert merge(store, bars_of_rows(first), ()) == UNCHANGED
        merge(store, bars_of_rows(second), ())
        stored = store.prices.bars(TICKER)
        assert set(stored.dates.astype(str).tolist()) == {row[0] for row in first + second}
        # The newer answer stands, up to jitter.
        for name in ("opens", "highs", "lows", "volumes"):
            # What was known once is known still.
            known = present(bars_of_rows(first), name) | present(bars_of_rows(second), name)
            assert present(stored, name) == known
        given_again = np.isin(stored.dates, bars_of_rows(second).dates)
        assert np.allclose(
            stored.closes[given_again], bars_of_rows(second).closes, rtol=1.1e-5, atol=0
        )
        assert merge(store, bars_of_rows(second), ()) == UNCHANGED
