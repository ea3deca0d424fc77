"""A ticker under another name: nothing of it is lost, and no model is taken for another one."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm import (
    StartFrom,
    evaluate_live,
    fetch,
    predict,
    rename_prices,
    show_prices,
    train,
    validate,
)
from stocklstm.core.prices.series import Action, Instrument
from stocklstm.core.settings.config import configure
from stocklstm.errors import (
    ConfigError,
    NoModelError,
    NoPricesError,
    RejectedDataError,
    StoreLockedError,
)
from stocklstm.market.sample import SampleSource
from stocklstm.store.locks import writer_lock
from stocklstm.store.paths import StorePaths
from stocklstm.store.store import open_store
from stocklstm.workflows.prices.plan import FetchOptions
from tests.conftest import TICKER, TINY, Cli
from tests.support.evenings import DAYS, scores_of
from tests.support.intraday_sessions import bars_on, sessions_on
from tests.support.pooled_store import EVENING, NAMES
from tests.support.price_rows import bars_of_rows
from tests.support.property_tests import PROPERTY
from tests.support.store_samples import entry_of

NEW = "BHIA3.SA"
ROWS = [("2024-03-13", 40.0), ("2024-03-14", 41.0), ("2024-03-15", 42.0)]
BRAZIL = ("BRL", "BVMF", "America/Sao_Paulo")
AMERICA = ("USD", "XNYS", "America/New_York")
LONDON = ("GBp", "XLON", "Europe/London")
SYDNEY = ("AUD", "XASX", "Australia/Sydney")
SOMEBODYS = ("EUR", "XNYS", "America/New_York")

# Models, their aliases, runs and searches stay where they are.
OF_MODELS = {"versions", "aliases", "alias_log", "removals", "studies"}


def dump(home: Path) -> dict[str, list[dict[str, object]]]:
    """Read every table that knows of tickers, by name."""
    with closing(sqlite3.connect(home / "stocklstm.db")) as connection:
        connection.row_factory = sqlite3.Row
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master")]
        tables = {}
        for name in names:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
            if "ticker" in columns:
                rows = connection.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608 - own names
                tables[name] = [dict(row) for row in rows]
    return tables


def stored_as(home: Path, ticker: str, traits: tuple[str, str, str], source: str = "csv") -> None:
    with open_store(home, create=True) as store:
        at = "2024-03-16T01:00:00Z"
        store.prices.merge(
            Instrument(ticker, *traits), bars_of_rows(ROWS), (), source=source, at=at
        )


# What goes along


def test_everything_but_the_models_has_the_new_name(model_home: Path) -> None:
    predict(home=model_home)
    with open_store(model_home) as store:
        bars = store.prices.bars(TICKER).select(slice(-1, None))
        dividend = (Action("2024-03-13", "dividend", 0.5),)
        correction = replace(bars, closes=bars.closes + 0.01)
        instrument = store.prices.instrument(TICKER)
        store.prices.merge(
            instrument, correction, dividend, source="csv", at="2024-03-16T01:00:00Z"
        )
        store.prices.pin_calendar(TICKER, "XNYS")
        days = ["2024-03-12", "2024-03-13"]
        at = "2024-03-16T01:00:00Z"
        store.prices.keep_realised(
            TICKER, sessions_on(days), source="yahoo", at=at, bars=bars_on(days)
        )
    before = dump(model_home)

    done = rename_prices(TICKER, NEW, home=model_home)

    after = dump(model_home)
    assert (done.ticker, done.renamed_from, done.rows, done.forecasts) == (NEW, TICKER, 3514, 1)
    assert (done.first, done.last) == ("2010-01-04", "2024-03-13")
    assert done.models == (f"{TICKER}@v1",)
    for table, rows in before.items():
        if table in OF_MODELS:
            assert after[table] == rows
        else:
            assert {row["ticker"] for row in after[table]} == {NEW}
    for table in ("prices", "actions", "instruments", "realised", "intraday_bars"):
        assert [{**row, "ticker": TICKER} for row in after[table]] == before[table]
    (*log, renamed) = after["price_log"]
    assert [{**row, "ticker": TICKER} for row in log] == before["price_log"]
    assert (renamed["kind"], renamed["detail"], renamed["rows"]) == (
        *("renamed", f"from {TICKER}"),
        3514,
    )
    assert [{**row, "ticker": TICKER, "pool": ""} for row in after["forecasts"]] == before[
        "forecasts"
    ]
    assert [row["pool"] for row in after["forecasts"]] == [TICKER]


def test_there_and_back_leaves_only_the_log(model_home: Path) -> None:
    predict(home=model_home)
    before = dump(model_home)

    rename_prices(TICKER, NEW, home=model_home)
    rename_prices(NEW, TICKER, home=model_home)

    after = dump(model_home)
    assert [row["detail"] for row in after.pop("price_log")] == [f"from {TICKER}", f"from {NEW}"]
    assert before.pop("price_log") == []
    assert after == before
    assert not predict(home=model_home).failures
    assert show_prices([TICKER], home=model_home).prices[0].log[0].kind == "renamed"


@PROPERTY
@given(names=st.lists(st.sampled_from(["A3.SA", "B3.SA", "C3.SA", "D3.SA"]), max_size=8))
def test_no_chain_of_names_takes_a_forecast_for_that_of_another_model(
    names: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Which model made a forecast is the same under every name; each name makes one more."""
    home = tmp_path_factory.mktemp("chain")
    stored_as(home, "A3.SA", BRAZIL)
    name, made = "A3.SA", set()
    for version, new in enumerate(names, start=1):
        with open_store(home) as store:
            store.ledger.record(entry_of(ticker=name, version=version))
        made.add((name, version))
        if new != name:
            rename_prices(name, new, home=home)
            name = new
    rows = dump(home)["forecasts"]
    assert {row["ticker"] for row in rows} <= {name}
    assert {(row["pool"] or row["ticker"], row["version"]) for row in rows} == made
    with open_store(home) as store:
        assert store.prices.tickers() == [name]
        assert {store.prices.current_name(old) for old, _ in made} <= {name}


# Currency and calendar


@pytest.mark.parametrize(
    ("old", "new", "stored", "source", "expected"),
    [
        # Only guessed: the new name says it better.
        ("PETR4", "PETR4.SA", AMERICA, "csv", BRAZIL),
        ("PETR4", "PETR4.SA", AMERICA, "b3", BRAZIL),
        ("VOD", "VOD.L", AMERICA, "csv", LONDON),
        ("BHP.AX", "BHP.L", SYDNEY, "csv", LONDON),
        ("VIIA3.SA", NEW, BRAZIL, "csv", BRAZIL),
        # Yahoo said so.
        ("PETR4", "PETR4.SA", AMERICA, "yahoo", AMERICA),
        ("FB", "META", AMERICA, "yahoo", AMERICA),
        # Somebody said so: no name is guessed to be that.
        ("PETR4", "PETR4.SA", SOMEBODYS, "csv", SOMEBODYS),
        # The new name says nothing.
        ("PETR4.SA", "PETR4.QQ", BRAZIL, "csv", BRAZIL),
    ],
)  # fmt: skip
def test_traits_that_were_guessed_from_the_old_name_are_those_of_the_new_one(
    home: Path,
    old: str,
    new: str,
    stored: tuple[str, str, str],
    source: str,
    expected: tuple[str, str, str],
) -> None:
    stored_as(home, old, stored, source)

    done = rename_prices(old, new, home=home)

    with open_store(home) as store:
        assert store.prices.instrument(new) == Instrument(new, *expected)
        (entry,) = store.prices.log(new)
    assert (done.currency, done.exchange) == expected[:2]
    changed = [
        f"{name} {old_value} to {new_value}"
        for name, old_value, new_value in (
            ("currency", stored[0], expected[0]),
            ("calendar", stored[1], expected[1]),
        )
        if old_value != new_value
    ]
    assert entry.detail == "; ".join([f"from {old}", *filter(None, [", ".join(changed)])])


def test_sessions_that_are_not_stored_are_told(home: Path) -> None:
    stored_as(home, "PETR4", AMERICA)

    (warning,) = rename_prices("PETR4", TICKER, home=home).warnings

    assert warning.startswith("the sessions of BVMF are not stored yet: the next fetch of PETR4.SA")
    fetch([TICKER], FetchOptions(source="sample", accept_revision=True), home=home)
    assert show_prices([TICKER], home=home).prices[0].calendar_known


# What is refused


@pytest.mark.parametrize(
    ("words", "code", "said", "next_step"),
    [
        ((TICKER, TICKER.lower()), 2, "the old name and the new one", "prices rename VIIA3.SA"),
        ((TICKER, "../x"), 2, "is not a ticker", "write it as Yahoo does"),
        ((TICKER, ""), 2, "is not a ticker", "write it as Yahoo does"),
        ((TICKER, "+b3"), 2, "is not a ticker", "write it as Yahoo does"),
        (("NOPE3.SA", NEW), 4, "no prices of 'NOPE3.SA'", f"stored are OIBR3.SA, {TICKER}"),
        (("", NEW), 4, "there are no prices of ''", f"stored are OIBR3.SA, {TICKER}"),
        ((TICKER, "OIBR3.SA"), 6, "OIBR3.SA has prices of its own", "--ticker OIBR3.SA --source"),
    ],
)  # fmt: skip
def test_what_cannot_be_renamed_is_left_as_it_is(
    cli: Cli, priced_home: Path, words: tuple[str, str], code: int, said: str, next_step: str
) -> None:
    stored_as(priced_home, "OIBR3.SA", BRAZIL)
    before = dump(priced_home)

    outcome = cli("prices", "rename", *words)

    assert outcome.code == code
    error, hint = outcome.err.splitlines()
    assert said in error
    assert next_step in hint
    assert dump(priced_home) == before


@pytest.mark.parametrize(("old", "traits"), [("VIIA3.SA", BRAZIL), ("BHIA3", AMERICA)])
def test_the_next_step_for_two_histories_brings_the_rows_over(
    cli: Cli,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    traits: tuple[str, str, str],
) -> None:
    monkeypatch.chdir(tmp_path)
    stored_as(home, old, traits)
    with open_store(home) as store:
        later = bars_of_rows([*ROWS[1:], ("2024-03-18", 43.0)])
        store.prices.merge(Instrument(NEW, *BRAZIL), later, (), source="yahoo", at=EVENING)

    outcome = cli("prices", "rename", old, NEW)

    commands = outcome.err.partition("by: ")[2].strip().split(", then ")
    for command in commands:
        done = cli(*command.split()[1:])
        assert done.code == 0, done.err
    with open_store(home) as store:
        assert store.prices.bars(NEW).closes.tolist() == [40.0, 41.0, 42.0, 43.0]


def test_one_that_was_renamed_already_says_so(cli: Cli, priced_home: Path) -> None:
    rename_prices(TICKER, NEW, home=priced_home)

    outcome = cli("prices", "rename", TICKER, "X3.SA")

    assert outcome.code == 4
    assert outcome.err.splitlines() == [
        f"error: {TICKER} was renamed to {NEW} already",
        f"  next: stocklstm prices show --ticker {NEW}",
    ]


def test_a_fetch_comes_first(priced_home: Path) -> None:
    with (
        writer_lock(StorePaths(priced_home), "prices", 1),
        pytest.raises(StoreLockedError),
    ):
        rename_prices(TICKER, NEW, home=priced_home, lock_timeout_s=0.05)
    assert show_prices(home=priced_home).prices[0].ticker == TICKER


# The old name afterwards


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "--ticker", TICKER),
        ("predict", "--ticker", f"{TICKER}@v1"),
        ("evaluate", "--ticker", TICKER, "--no-plot"),
        ("train", "--ticker", TICKER),
        ("prices", "show", "--ticker", TICKER),
        ("prices", "export", "--ticker", TICKER),
        ("prices", "verify", "--ticker", TICKER),
        ("predict",),
    ],
    ids=" ".join,
)
def test_the_old_name_leads_to_the_new_one(
    cli: Cli, model_home: Path, words: tuple[str, ...]
) -> None:
    rename_prices(TICKER, NEW, home=model_home)

    outcome = cli(*words)

    assert outcome.code == 4
    assert f"error: {TICKER} was renamed to {NEW}" in outcome.err
    assert f"stocklstm train --ticker {NEW} --like {TICKER} --from {TICKER}" in outcome.err


def test_the_first_model_of_the_new_name_begins_with_one_of_the_old(
    cli: Cli, model_home: Path
) -> None:
    predict(home=model_home)
    rename_prices(TICKER, NEW, home=model_home)

    refused = cli("predict", "--ticker", NEW)
    command = refused.err.partition("next: ")[2].split()
    trained = cli(*command[1:], "--quiet")

    assert refused.code == 4
    assert (trained.code, trained.out) == (0, f"{NEW}@v1\n")
    (mine,) = predict(home=model_home).forecasts
    assert (mine.model, mine.unchanged) == (f"{NEW}@v1", False)
    # Of two versions that bear the same number each keeps its own forecast.
    rows = dump(model_home)["forecasts"]
    assert sorted((row["pool"], row["version"]) for row in rows) == [("", 1), (TICKER, 1)]
    assert {result.status for result in validate(home=model_home, every_version=True).results} == {
        "ok"
    }
    checked = validate([f"{TICKER}@v1"], leakage=True, home=model_home).results[0]
    assert "failed" not in {check.status for check in checked.checks}


def test_weights_of_the_old_name_saw_the_prices_of_the_new_one(model_home: Path) -> None:
    rename_prices(TICKER, NEW, home=model_home)
    earlier = configure("calibrated", **TINY, test_fraction=0.4)

    (failure,) = train(
        [NEW], earlier, beginning=StartFrom(weights=f"{TICKER}@v1"), home=model_home
    ).failures

    assert isinstance(failure.error, ConfigError)
    assert "it would be judged on days that it has seen" in failure.error.message


def test_forecasts_are_scored_as_before(journal: Path) -> None:
    before = scores_of(journal)
    rename_prices(TICKER, NEW, home=journal)

    after = scores_of(journal)

    assert after == before
    assert after.n == DAYS
    with pytest.raises(NoModelError, match=f"there is no model of {NEW}"):
        raise evaluate_live([NEW], home=journal).failures[0].error
    assert not train([NEW], configure("calibrated", **TINY), home=journal).failures
    mine = scores_of(journal, NEW)
    (warning,) = mine.warnings
    assert mine.n == 0
    assert warning == (
        f"{DAYS + 1} forecasts on record by models of {TICKER}, as it was called: "
        f"stocklstm evaluate --live --ticker {TICKER}@champion"
    )


def test_a_forecast_that_was_under_way_is_recorded_under_the_new_name(priced_home: Path) -> None:
    rename_prices(TICKER, NEW, home=priced_home)

    with open_store(priced_home) as store:
        assert store.ledger.record(entry_of()) is None
        assert store.ledger.record(entry_of(point=1.0)) == entry_of(ticker=NEW, pool=TICKER)
        assert store.ledger.unknown_tickers() == []


def test_a_second_history_of_the_old_name_is_warned_of(priced_home: Path) -> None:
    rename_prices(TICKER, NEW, home=priced_home)

    (fetched,) = fetch([TICKER], FetchOptions(source="sample"), home=priced_home).results

    assert any(f"what was stored as {TICKER} is {NEW}" in words for words in fetched.warnings)
    assert not fetch([NEW], FetchOptions(source="sample"), home=priced_home).results
    with pytest.raises(RejectedDataError, match=f"{TICKER} has prices of its own"):
        rename_prices(NEW, TICKER, home=priced_home)


def test_new_prices_are_not_got_for_an_old_name(
    cli: Cli, model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename_prices(TICKER, NEW, home=model_home)
    monkeypatch.setattr("stocklstm.workflows.prices.plan.load_source", lambda _: SampleSource())

    for words in ((), ("--ticker", TICKER)):
        outcome = cli("predict", "--fetch", *words)
        assert outcome.code == 4
        assert f"{TICKER} was renamed to {NEW}" in outcome.err
    with open_store(model_home) as store:
        assert store.prices.tickers() == [NEW]


# Pooled models


def test_a_pooled_model_knows_its_ticker_by_the_new_name(pool_home: Path) -> None:
    before = predict(pool="b3", home=pool_home, now=EVENING).forecasts
    rename_prices(NAMES[0], NEW, home=pool_home)

    after = predict(pool="b3", home=pool_home, now=EVENING)

    assert not after.failures
    renamed = {made.ticker: made for made in after.forecasts}
    assert renamed.keys() == {NEW, *NAMES[1:]}
    # The same forecast is on record already, and no warning says that it is of a newcomer.
    assert renamed[NEW] == replace(before[0], ticker=NEW, unchanged=True)
    with pytest.raises(NoPricesError, match=f"{NAMES[0]} was renamed to {NEW}"):
        raise predict([NAMES[0]], pool="b3", home=pool_home, now=EVENING).failures[0].error
    checked = validate(["+b3@v1"], leakage=True, home=pool_home).results[0]
    assert "failed" not in {check.status for check in checked.checks}


# On the command line


@pytest.mark.usefixtures("model_home")
def test_it_is_told_as_table_json_and_bare(cli: Cli) -> None:
    table = cli("prices", "rename", f" {TICKER.lower()} ", NEW)
    document = json.loads(cli("prices", "rename", NEW, "VIIA3.SA", "--json").out)
    bare = cli("prices", "rename", "VIIA3.SA", TICKER, "--quiet")

    assert table.code == 0
    assert [" ".join(line.split()) for line in table.out.splitlines()] == [
        NEW,
        f"renamed from {TICKER}",
        "rows 3514, 2010-01-04 to 2024-03-13",
        "forecasts 0 on record",
        "currency BRL",
        "calendar BVMF",
        f"models {TICKER}@v1, kept under the old name",
        f"next stocklstm train --ticker {NEW} --like {TICKER} --from {TICKER}",
    ]
    (result,) = document["results"]
    assert (result["ticker"], result["renamed_from"], result["models"]) == ("VIIA3.SA", NEW, [])
    assert bare.out == f"{TICKER}\n"


def test_a_currency_that_a_file_stated_is_no_guess(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "dollars.csv"
    file.write_text("Date,Close,Currency\n2024-03-12,7.2,USD\n2024-03-13,7.3,USD\n")
    fetch(["XYZ"], FetchOptions("csv", (file,)), home=home)
    renamed = rename_prices("XYZ", "BHIA3.SA", home=home)
    assert renamed.currency == "USD"


def test_what_a_suffix_says_is_worth_more_than_a_name_without_one(home: Path) -> None:
    fetch(["PETR4.SA"], FetchOptions("sample"), home=home)
    renamed = rename_prices("PETR4.SA", "AAPL", home=home)
    assert (renamed.currency, renamed.exchange) == ("BRL", "BVMF")


def test_a_name_with_models_of_another_share_is_not_given_anew(model_home: Path) -> None:
    rename_prices(TICKER, "NEWA3.SA", home=model_home)
    fetch(["VALE3.SA"], FetchOptions("csv", (some_prices(model_home),)), home=model_home)
    with pytest.raises(RejectedDataError, match=f"{TICKER} has models of the share") as caught:
        rename_prices("VALE3.SA", TICKER, home=model_home)
    assert "models rm" in str(caught.value.hint)
    # The share itself may have its name back.
    assert rename_prices("NEWA3.SA", TICKER, home=model_home).ticker == TICKER


def some_prices(home: Path) -> Path:
    file = home.parent / "vale.csv"
    file.write_text("Date,Close\n2024-03-12,61.1\n2024-03-13,61.5\n")
    return file
