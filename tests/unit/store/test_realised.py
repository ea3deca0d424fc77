"""Intraday sessions in the store: kept, replaced by better ones only, and compared when read."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm import backup, restore
from stocklstm.core.prices.realised import IntradayBars, RealisedSessions
from stocklstm.errors import IntegrityError, SchemaError
from stocklstm.store import database
from stocklstm.store.database import SCHEMA_VERSION, open_in_memory
from stocklstm.store.prices import PriceStore
from stocklstm.store.store import open_store
from stocklstm.workflows.validate.inventory import check_store
from tests.conftest import Cli
from tests.support.intraday_sessions import bars_on, sessions_on
from tests.support.price_rows import PETR4
from tests.support.property_tests import PROPERTY
from tests.support.store_samples import LATER, NOON, TICKER, WEEK
from tests.support.stored_rows import damage, to_schema

DAYS = ("2024-03-11", "2024-03-12", "2024-03-13")
LAST_MONTH = ("2024-02-28", "2024-02-29")


@pytest.fixture
def prices() -> Iterator[PriceStore]:
    with closing(open_in_memory()) as connection:
        store = PriceStore(connection)
        store.merge(PETR4, WEEK, (), source="csv", at=NOON)
        yield store


def keep(prices: PriceStore, sessions: RealisedSessions, **options: object) -> tuple[int, ...]:
    words = {"source": "yahoo", "at": NOON, **options}
    return tuple(prices.keep_realised(TICKER, sessions, **words))  # type: ignore[arg-type]


def assert_same(found: object, expected: object) -> None:
    for field in fields(expected):  # type: ignore[arg-type]
        np.testing.assert_array_equal(getattr(found, field.name), getattr(expected, field.name))


def test_what_is_kept_is_read_to_the_last_digit(prices: PriceStore) -> None:
    given, bars = sessions_on(DAYS), bars_on(DAYS)

    assert keep(prices, given, bars=bars) == (3, 0, 0)

    assert_same(prices.realised(TICKER), given)
    assert_same(prices.realised(TICKER, "2024-03-12"), given.select(slice(1, None)))
    assert len(prices.realised(TICKER, "2025-01-01")) == len(prices.realised("VALE3.SA")) == 0
    for (day, found), (expected_day, expected) in zip(
        prices.intraday_bars(TICKER), bars.items(), strict=True
    ):
        assert day == expected_day
        assert_same(found, expected)
    assert prices.faults(TICKER) == []
    assert (prices.has_realised(TICKER, "yahoo"), prices.has_realised(TICKER, "csv")) == (
        True,
        False,
    )
    assert prices.has_intraday_bars(TICKER)
    assert prices.last_realised(TICKER, most_minutes=60) == "2024-03-13"
    assert prices.last_realised(TICKER, most_minutes=1) is None


def test_the_same_again_changes_nothing(prices: PriceStore) -> None:
    keep(prices, sessions_on(DAYS), bars=bars_on(DAYS))
    before = prices.connection.total_changes

    assert keep(prices, sessions_on(DAYS), at=LATER) == (0, 0, 0)

    assert prices.connection.total_changes == before
    assert prices.has_intraday_bars(TICKER)


def test_bars_of_sessions_that_are_stored_are_added(prices: PriceStore) -> None:
    keep(prices, sessions_on(DAYS))

    assert keep(prices, sessions_on(DAYS), bars=bars_on(DAYS[:2])) == (0, 2, 0)

    assert [day for day, _ in prices.intraday_bars(TICKER)] == list(DAYS[:2])
    assert keep(prices, sessions_on(DAYS), bars=bars_on(DAYS[:2])) == (0, 0, 0)


@pytest.mark.parametrize(
    ("stored", "given", "replaced"),
    [
        ((84, True), (84, True), True),
        ((84, True), (80, True), False),
        ((80, True), (84, True), True),
        ((84, True), (84, False), False),
        ((10, False), (84, True), True),
        ((10, False), (9, False), False),
        ((10, False), (12, False), True),
    ],
)
def test_a_session_is_replaced_by_one_that_is_no_worse(
    prices: PriceStore, stored: tuple[int, bool], given: tuple[int, bool], replaced: bool
) -> None:
    bars, usable = stored
    keep(prices, sessions_on(DAYS, bars=bars, usable=usable), bars=bars_on(DAYS))
    bars, usable = given
    fresh = sessions_on(DAYS, bars=bars, usable=usable, level=2)

    assert keep(prices, fresh) == (0, 3 * replaced, 0)

    assert (prices.realised(TICKER).realised == fresh.realised).all() == replaced
    # Bars of what is no longer stored are no longer true.
    assert prices.has_intraday_bars(TICKER) == (not replaced)
    assert prices.faults(TICKER) == []


def test_anew_a_session_may_turn_out_not_to_be_usable(prices: PriceStore) -> None:
    keep(prices, sessions_on(DAYS))
    worse, fewer = sessions_on(DAYS, usable=False), sessions_on(DAYS, bars=2, usable=False)

    assert keep(prices, worse) == (0, 0, 0)
    assert keep(prices, fewer, anew=True) == (0, 0, 0)
    assert keep(prices, worse, anew=True) == (0, 3, 0)

    assert not prices.realised(TICKER).usable.any()
    assert prices.faults(TICKER) == []


def test_bars_of_two_lengths_lie_side_by_side(prices: PriceStore) -> None:
    keep(prices, sessions_on(DAYS, minutes=60, bars=7))
    keep(prices, sessions_on(DAYS[1:], minutes=5))

    found = prices.realised(TICKER)

    assert found.dates.astype(str).tolist() == [DAYS[0], DAYS[1], DAYS[1], DAYS[2], DAYS[2]]
    assert found.minutes.tolist() == [60, 5, 60, 5, 60]
    assert prices.last_realised(TICKER, most_minutes=15) == DAYS[2]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE realised SET realised = realised * 2 WHERE date = '2024-03-12'",
        "UPDATE realised SET usable = 0 WHERE date = '2024-03-12'",
        "DELETE FROM realised WHERE date = '2024-03-12'",
        "UPDATE realised SET date = '2024-03-14' WHERE date = '2024-03-12'",
        "DELETE FROM checksums WHERE part = 'realised' AND period = '2024-03'",
    ],
)
def test_damage_is_found_and_what_yahoo_still_has_mends_it(
    prices: PriceStore, statement: str
) -> None:
    keep(prices, sessions_on((*LAST_MONTH, *DAYS)), bars=bars_on((*LAST_MONTH, *DAYS)))
    prices.connection.execute(statement)

    with pytest.raises(SchemaError, match=r"intraday sessions of PETR4\.SA in 2024-03") as caught:
        prices.realised(TICKER)
    assert "--intraday --full" in str(caught.value.hint)
    assert len(prices.realised(TICKER, "2024-04-01")) == 0
    assert prices.faults(TICKER)[0].startswith("the intraday sessions of PETR4.SA in 2024-03")
    # One more session makes the others of its month no sounder.
    keep(prices, sessions_on(["2024-03-15"]))
    assert prices.faults(TICKER)

    fresh = sessions_on(DAYS[1:])
    added, _, dropped = keep(prices, fresh, mend=True)

    assert prices.faults(TICKER) == []
    found = prices.realised(TICKER)
    assert found.dates.astype(str).tolist() == [*LAST_MONTH, *DAYS[1:]]
    assert (added, dropped >= 3) == (2, True)


def test_a_whole_month_given_anew_is_sound(prices: PriceStore) -> None:
    keep(prices, sessions_on(DAYS))
    prices.connection.execute("UPDATE realised SET realised = 1 WHERE date = '2024-03-12'")

    keep(prices, sessions_on(DAYS))

    assert prices.faults(TICKER) == []
    assert_same(prices.realised(TICKER), sessions_on(DAYS))


def test_they_go_with_the_ticker_to_its_new_name(prices: PriceStore) -> None:
    keep(prices, sessions_on(DAYS), bars=bars_on(DAYS))

    prices.rename(TICKER, replace(PETR4, ticker="PETR5.SA"), at=LATER)

    assert_same(prices.realised("PETR5.SA"), sessions_on(DAYS))
    assert len(prices.intraday_bars("PETR5.SA")) == 3
    assert len(prices.realised(TICKER)) == 0
    assert prices.checksums.all_faults() == []


def test_a_store_of_schema_8_gets_the_tables(home: Path) -> None:
    with open_store(home, create=True) as store:
        store.prices.merge(PETR4, WEEK, (), source="csv", at=NOON)
    to_schema(home, 8)
    with open_store(home) as store:
        assert len(store.prices.realised(TICKER)) == 0
        keep(store.prices, sessions_on(DAYS))
        assert store.prices.checksums.all_faults() == []
        assert store.prices.bars(TICKER).fingerprint() == WEEK.fingerprint()


def test_a_program_of_before_refuses_the_store(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(home, create=True):
        pass
    monkeypatch.setattr(database, "_MIGRATIONS", database._MIGRATIONS[:8])
    monkeypatch.setattr(database, "SCHEMA_VERSION", 8)
    newer = f"newer stocklstm: schema {SCHEMA_VERSION}, not 8"
    with pytest.raises(SchemaError, match=newer), open_store(home):
        pass


def test_nothing_is_stored_of_a_ticker_without_prices(prices: PriceStore) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        prices.keep_realised("VALE3.SA", sessions_on(DAYS), source="yahoo", at=NOON)


numbers = st.floats(allow_nan=False)


@settings(PROPERTY, max_examples=12)
@given(st.lists(st.tuples(st.integers(), numbers, numbers, numbers, numbers), min_size=1))
def test_bars_are_read_as_they_were_kept(rows: list[tuple[float, ...]]) -> None:
    starts = np.array([row[0] % 2**62 for row in rows], np.int64)
    columns = (np.array(column) for column in zip(*(row[1:] for row in rows), strict=True))
    given_bars = IntradayBars(starts, 15, *columns)
    with closing(open_in_memory()) as connection:
        store = PriceStore(connection)
        store.merge(PETR4, WEEK, (), source="csv", at=NOON)
        one = sessions_on(DAYS[:1], minutes=15)
        store.keep_realised(TICKER, one, source="yahoo", at=NOON, bars={DAYS[0]: given_bars})
        ((_, found),) = store.intraday_bars(TICKER)
    assert_same(found, given_bars)


def test_what_the_disk_did_is_found_by_those_who_look(home: Path) -> None:
    with open_store(home, create=True) as store:
        store.prices.merge(PETR4, WEEK, (), source="csv", at=NOON)
        keep(store.prices, sessions_on(DAYS), bars=bars_on(DAYS))
    damage(home, "UPDATE intraday_bars SET bars = zeroblob(40) WHERE date = '2024-03-12'")
    with open_store(home) as store:
        assert store.prices.checksums.all_faults() == [
            "the intraday bars of PETR4.SA in 2024-03 are not what was stored"
        ]
        with pytest.raises(SchemaError):
            store.prices.intraday_bars(TICKER)
        assert_same(store.prices.realised(TICKER), sessions_on(DAYS))


def test_they_are_in_backups_and_validate_looks_at_them(
    cli: Cli, home: Path, tmp_path: Path
) -> None:
    with open_store(home, create=True) as store:
        store.prices.merge(PETR4, WEEK, (), source="csv", at=NOON)
        keep(store.prices, sessions_on(DAYS), bars=bars_on(DAYS))
    backup(tmp_path / "store.zip", home=home)
    restore(tmp_path / "store.zip", home=tmp_path / "other")
    with open_store(tmp_path / "other") as store:
        assert_same(store.prices.realised(TICKER), sessions_on(DAYS))
        assert len(store.prices.intraday_bars(TICKER)) == 3

    damage(home, "UPDATE realised SET bars = 83 WHERE date = '2024-03-12'")

    words = "the intraday sessions of PETR4.SA in 2024-03 are not what was stored"
    outcome = cli("prices", "verify")
    assert outcome.code == 5
    assert words in " ".join(outcome.out.split())
    with open_store(home) as store:
        inventory = check_store(store)
    assert inventory.corrupt
    assert any(words in check.detail for check in inventory.checks)
    with pytest.raises(IntegrityError, match="intraday sessions"):
        backup(tmp_path / "damaged.zip", home=home)
