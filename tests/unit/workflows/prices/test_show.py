"""What is stored can be looked at, taken elsewhere and trusted."""

import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from stocklstm import export_prices, fetch, show_prices, validate, verify_prices
from stocklstm.core.checks import Check
from stocklstm.core.prices.series import COLUMNS, Action, Bars, Instrument
from stocklstm.errors import (
    ConfigError,
    NoModelError,
    NoPricesError,
    NotFoundError,
    SchemaError,
)
from stocklstm.store.store import open_store
from stocklstm.workflows.prices.plan import FetchOptions
from tests.conftest import TICKER
from tests.support.price_rows import prices_of
from tests.support.stored_rows import damage, execute
from tests.support.tampering import os_refuses_to_write

INSTRUMENT = Instrument(TICKER, "BRL", "BVMF", "America/Sao_Paulo")


def stored(home: Path, ticker: str = TICKER) -> Bars:
    with open_store(home) as store:
        return store.prices.bars(ticker)


@pytest.fixture
def two_tickers(priced_home: Path) -> Path:
    with open_store(priced_home) as store:
        other = replace(INSTRUMENT, ticker="VALE3.SA")
        last = store.prices.bars(TICKER).select(slice(-90, None))
        store.prices.merge(other, last, (), source="test", at="2024-03-14T00:00:00Z")
    return priced_home


def same(left: Bars, right: Bars) -> bool:
    return all(
        np.array_equal(getattr(left, name), getattr(right, name), equal_nan=name != "dates")
        for name in ("dates", *COLUMNS)
    )


def alter(home: Path, statement: str) -> None:
    execute(home, statement)


# Showing


def test_everything_stored_is_shown(priced_home: Path) -> None:
    (shown,) = show_prices(home=priced_home).prices

    assert (shown.ticker, shown.rows, shown.last) == (TICKER, 3514, "2024-03-13")
    assert shown.sources == {"sample": 3514}
    assert shown.gaps == ("2012-02-22", "2020-11-20")
    assert len(shown.recent) == 60
    assert [row.date for row in shown.last_rows][-2:] == ["2024-03-12", "2024-03-13"]
    assert shown.last_rows[-1].close == shown.last_close == 36.380001


def test_where_each_row_came_from_is_shown(priced_home: Path, tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("Date,Close\n2024-03-13,36.9\n2024-03-14,36.5\n")
    fetch([TICKER], FetchOptions("csv", (file,)), home=priced_home)

    (shown,) = show_prices([TICKER], last=2, home=priced_home).prices

    assert shown.sources == {"csv": 2, "sample": 3513}
    assert [row.source for row in shown.last_rows] == ["csv", "csv"]
    (entry,) = shown.log
    assert (entry.first, entry.source) == ("2024-03-13", "csv")
    assert "[36.380001, 36.9]" in entry.detail


def test_no_rows_may_be_wanted(priced_home: Path) -> None:
    assert show_prices(last=0, home=priced_home).prices[0].last_rows == ()


def test_nothing_to_show_is_said(home: Path) -> None:
    with pytest.raises(NotFoundError):
        show_prices(home=home)
    with open_store(home, create=True), pytest.raises(NoPricesError):
        show_prices(home=home)


def test_one_unknown_ticker_stops_no_other(priced_home: Path) -> None:
    result = show_prices(["VALE3.SA", TICKER], home=priced_home)

    assert [shown.ticker for shown in result.prices] == [TICKER]
    assert isinstance(result.failures[0].error, NoPricesError)


@pytest.mark.parametrize("named", [(), ([TICKER],)])
def test_a_row_of_a_day_without_a_session_hides_no_gap(
    priced_home: Path, named: tuple[list[str], ...]
) -> None:
    # As many rows as before, and the same first and last one.
    alter(priced_home, "UPDATE prices SET date = '2023-06-10' WHERE date = '2023-06-15'")

    (shown,) = show_prices(*named, home=priced_home).prices

    assert shown.rows == 3514
    assert shown.gaps == ("2012-02-22", "2020-11-20", "2023-06-15")


DAMAGED = (
    "UPDATE prices SET close = 38.38 WHERE ticker = ?1 AND date = '2024-03-12'",
    "UPDATE prices SET source = 'other' WHERE ticker = ?1 AND date = '2024-03-12'",
    "DELETE FROM prices WHERE ticker = ?1",
    "DELETE FROM prices WHERE ticker = ?1 AND date > '2024-03-12'",
    "UPDATE price_days SET days = x'ff' WHERE ticker = ?1",
    "DELETE FROM price_days WHERE ticker = ?1",
    "UPDATE instruments SET currency = 'USD' WHERE ticker = ?1",
    "INSERT INTO actions VALUES (?1, '2024-03-12', 'split', 2)",
    # No text at all, at which a query over all tickers stops.
    "INSERT INTO actions VALUES (?1, CAST(x'ff' AS TEXT), 'split', 2)",
    "UPDATE prices SET date = CAST(x'ff' AS TEXT) WHERE ticker = ?1 AND date = '2024-03-12'",
    "UPDATE instruments SET currency = CAST(x'ff' AS TEXT) WHERE ticker = ?1",
    "DELETE FROM checksums WHERE owner = ?1",
)


@pytest.mark.parametrize("statement", DAMAGED)
@pytest.mark.parametrize("named", [False, True])
def test_of_a_damaged_ticker_nothing_is_shown_and_of_others_all(
    two_tickers: Path, statement: str, *, named: bool
) -> None:
    names = ([TICKER, "VALE3.SA"],) if named else ()
    before = show_prices(*names, home=two_tickers)
    damage(two_tickers, statement, "VALE3.SA")

    result = show_prices(*names, home=two_tickers)

    assert (len(before.prices), before.failures) == (2, ())
    assert result.prices == before.prices[:1]
    if not named and statement == "DELETE FROM prices WHERE ticker = ?1":
        return  # all tickers are those that have prices
    (failure,) = result.failures
    assert (failure.ticker, type(failure.error)) == ("VALE3.SA", SchemaError)


# Exporting


def test_an_export_can_be_fetched_back_to_the_last_bit(priced_home: Path, tmp_path: Path) -> None:
    file, other = tmp_path / "petr4.csv", tmp_path / "other"
    export_prices([TICKER], out=file, home=priced_home)

    fetch([TICKER], FetchOptions("csv", (file,)), home=other)

    assert same(stored(other), stored(priced_home))


def test_events_stand_beside_their_day(priced_home: Path) -> None:
    with open_store(priced_home) as store:
        actions = (Action("2024-03-12", "dividend", 0.55), Action("2024-03-13", "split", 2.0))
        store.prices.merge(
            store.prices.instrument(TICKER),
            stored(priced_home).select(slice(0)),
            actions,
            source="test",
            at="2024-03-14T00:00:00Z",
        )

    (export,) = export_prices([TICKER], home=priced_home).exports

    lines = export.content.splitlines()
    assert lines[-2].split(",")[7:9] == ["0.55", "0.0"]
    assert lines[-1].split(",")[7:9] == ["0.0", "2.0"]


def test_parquet_keeps_types_and_values(priced_home: Path, tmp_path: Path) -> None:
    file = tmp_path / "petr4.parquet"

    (export,) = export_prices([TICKER], out=file, home=priced_home).exports

    table, bars = parquet.read_table(file), stored(priced_home)
    assert (export.format, export.rows, table.num_rows) == ("parquet", 3514, 3514)
    assert str(table.schema.field("date").type) == "date32[day]"
    assert np.array_equal(table["date"].to_numpy(), bars.dates)
    for name in ("open", "high", "low", "close", "adj_close", "volume"):
        values = table[name].to_numpy()
        assert np.array_equal(values, getattr(bars, f"{name}s"), equal_nan=True)
    assert table.schema.metadata[b"currency"] == b"BRL"


def test_a_directory_gets_a_file_for_each_ticker(priced_home: Path, tmp_path: Path) -> None:
    result = export_prices(
        [TICKER, "VALE3.SA"], out=tmp_path, file_format="parquet", home=priced_home
    )

    assert [export.path for export in result.exports] == [str(tmp_path / f"{TICKER}.parquet")]
    assert [failure.ticker for failure in result.failures] == ["VALE3.SA"]


def test_what_was_there_is_replaced_as_a_whole(priced_home: Path, tmp_path: Path) -> None:
    file = tmp_path / "petr4.csv"
    file.write_text("old")

    with pytest.raises(ConfigError, match="no format"):
        export_prices([TICKER], out=file, file_format="xlsx", home=priced_home)
    assert file.read_text() == "old"
    export_prices([TICKER], out=file, home=priced_home)

    assert file.read_text().startswith("Date,Open,High,Low,Close,Adj Close,Volume")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["petr4.csv"]


@pytest.mark.parametrize(
    ("tickers", "options", "words"),
    [
        ([], {}, "no ticker"),
        ([TICKER, "VALE3.SA"], {}, "several tickers"),
        ([TICKER, "VALE3.SA"], {"out": Path("one.csv")}, "several tickers"),
        ([TICKER], {"file_format": "parquet"}, "not text"),
    ],
)
def test_what_cannot_be_exported(
    priced_home: Path, tickers: list[str], options: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        export_prices(tickers, home=priced_home, **options)


def test_a_place_that_cannot_be_written_is_named(priced_home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    (failure,) = export_prices(
        [TICKER], out=tmp_path / "file" / "petr4.csv", home=priced_home
    ).failures

    assert "petr4.csv" in failure.error.message


def test_without_pyarrow_the_extra_is_named(
    priced_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)

    with pytest.raises(ConfigError) as caught:
        export_prices([TICKER], out=tmp_path / "petr4.parquet", home=priced_home)

    assert "stocklstm[parquet]" in str(caught.value.hint)


def test_the_same_ticker_twice_is_one(priced_home: Path) -> None:
    (export,) = export_prices([TICKER, " petr4.sa"], home=priced_home).exports

    assert export.ticker == TICKER


def test_a_link_keeps_pointing_to_its_file(priced_home: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    file, link = tmp_path / "elsewhere" / "petr4.csv", tmp_path / "link.csv"
    link.symlink_to(file)

    export_prices([TICKER], out=link, home=priced_home)

    assert link.is_symlink()
    assert file.read_text().startswith("Date,")


def test_a_pipe_is_written_to_and_stays_one(priced_home: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()

    (export,) = export_prices([TICKER], out=pipe, home=priced_home).exports

    reader.join(timeout=30)
    assert pipe.is_fifo()
    assert read[0].count("\n") == export.rows + 1


PRICE = st.floats(1e-9, 1e12)
MAYBE = st.one_of(st.just(np.nan), PRICE)


@given(rows=st.lists(st.tuples(MAYBE, MAYBE, PRICE, PRICE, MAYBE), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)
def test_any_sound_prices_come_back_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, ...]]
) -> None:
    home = tmp_path_factory.mktemp("home")
    opens, highs, closes, adjusted, volumes = np.array(rows).T
    days = np.datetime64("2023-01-02") + 7 * np.arange(len(rows))
    bars = Bars(days, opens, highs, highs / 2, closes, adjusted, volumes)
    with open_store(home, create=True) as store:
        store.prices.merge(INSTRUMENT, bars, (), source="test", at="2024-03-14T00:00:00Z")
    (export,) = export_prices([TICKER], home=home).exports

    back, rejected = prices_of(export.content.encode(), accept_spacing=True)

    assert rejected == ()
    assert same(back, stored(home))


# Verifying


def test_sound_prices_are_called_sound(priced_home: Path) -> None:
    (result,) = verify_prices(home=priced_home).results

    assert (result.status, result.version) == ("ok", None)
    assert [check.name for check in result.checks] == [
        *("database", "checksums", "prices", "actions", "days", "jumps", "gaps")
    ]
    assert validate(prices=True, home=priced_home).results == (result,)


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("UPDATE prices SET close = -1 WHERE date = '2024-03-12'", "checksums prices"),
        ("UPDATE prices SET high = 1 WHERE date = '2024-03-12'", "checksums prices"),
        ("UPDATE prices SET date = '2999-01-01' WHERE date = '2024-03-12'", "days"),
        ("UPDATE prices SET date = '2024-03-09', volume = 0 WHERE date = '2024-03-12'", "days"),
        ("INSERT INTO actions VALUES ('PETR4.SA', '2024-03-12', 'split', 0)", "checksums actions"),
        ("INSERT INTO actions VALUES ('VALE3.SA', '2024-03-12', 'split', 2)", "database"),
    ],
)
def test_what_was_never_stored_so_is_found(priced_home: Path, statement: str, name: str) -> None:
    alter(priced_home, statement)

    (result,) = verify_prices(home=priced_home).results

    assert (result.status, result.corrupt) == ("failed", True)
    assert [check.name for check in result.checks if check.status == "failed"] == name.split()


def test_a_row_on_the_weekend_after_the_last_session_is_found(priced_home: Path) -> None:
    alter(priced_home, "UPDATE prices SET date = '2024-03-16' WHERE date = '2024-03-13'")

    (result,) = verify_prices(home=priced_home).results

    (check,) = [check for check in result.checks if check.status == "failed"]
    assert check.detail == "2024-03-16: a weekend"


TREBLED = (
    "UPDATE prices SET open = open * 3, high = high * 3, low = low * 3, close = close * 3,"
    " adj_close = adj_close * 3 WHERE date = '2024-03-13'"
)
CRASHED = TREBLED.replace("* 3", "* 0.23")


@pytest.mark.parametrize(
    ("sql", "status", "words"),
    [
        (TREBLED, "warning", "1 like a split that is not recorded, or other units: 2024-03-13"),
        (CRASHED, "ok", "1 beyond 35 % without a split: 2024-03-13"),
    ],
    ids=["split", "crash"],
)
def test_only_what_looks_like_a_split_is_a_warning(
    priced_home: Path, sql: str, status: str, words: str
) -> None:
    alter(priced_home, sql)

    (result,) = verify_prices(home=priced_home).results

    assert (result.status, result.corrupt) == ("ok", False)
    assert Check("jumps", status, words) in result.checks


def test_prices_that_only_may_be_read_are_shown_and_verified(priced_home: Path) -> None:
    priced_home.chmod(0o500)
    (priced_home / "stocklstm.db").chmod(0o400)
    with os_refuses_to_write():
        assert len(show_prices(home=priced_home).prices) == 1
        assert verify_prices(home=priced_home).results[0].status == "ok"
        assert export_prices([TICKER], home=priced_home).exports[0].rows == 3514


def test_without_a_calendar_gaps_are_not_known(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("Date,Close\n2024-03-11,10\n2024-03-13,10.1\n")
    fetch(["ABC.XYZ"], FetchOptions("csv", (file,)), home=home)

    (shown,) = show_prices(home=home).prices
    (checked,) = verify_prices(home=home).results

    assert (shown.exchange, shown.calendar_known, shown.gaps) == ("", False, ())
    assert checked.checks[-1].detail == "not known: no calendar"


def test_no_models_are_no_reason_to_drop_the_prices(priced_home: Path) -> None:
    result = validate(prices=True, every_version=True, home=priced_home)

    assert [checked.status for checked in result.results] == ["ok"]
    assert [type(failure.error) for failure in result.failures] == [NoModelError]


def test_deep_is_about_models(model_home: Path) -> None:
    result = validate(prices=True, deep=True, home=model_home)

    assert [checked.version for checked in result.results] == [None, 1, None]
    assert result.results[1].checks[-1].name == "checkpoint"


def test_prices_and_models_can_be_validated_together(model_home: Path) -> None:
    result = validate(prices=True, every_version=True, home=model_home)

    assert [checked.ticker for checked in result.results] == [TICKER, TICKER, None]
    assert [checked.version for checked in result.results] == [None, 1, None]
    assert not result.failures
