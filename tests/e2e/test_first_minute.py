"""From an empty machine to a champion by one command; without a network, nothing left behind."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stocklstm.store.store import open_store
from tests.conftest import TICKER, TINY_OPTIONS, Program
from tests.e2e.conftest import Warm
from tests.support.many_tickers import published
from tests.support.recent_prices import recent_rows
from tests.support.yahoo_server import NOT_FOUND, YahooServer, by_ticker, history

OTHER = "VALE3.SA"
SMALL = [*TINY_OPTIONS, "--epochs", "1", "--hidden-size", "8", "--batch-size", "256"]


@pytest.fixture
def yahoo(tmp_path: Path) -> Iterator[YahooServer]:
    script = by_ticker(history(recent_rows()), NONE3=lambda _: NOT_FOUND)
    with YahooServer(tmp_path, script) as server:
        yield server


def asked_for(yahoo: YahooServer) -> set[str]:
    return {query.ticker for query in yahoo.queries}


@pytest.fixture
def offline(yahoo: YahooServer) -> dict[str, str]:
    """Give the environment of a machine whose way to the network ends nowhere."""
    nowhere = {name: "http://127.0.0.1:9" for name in yahoo.environment if "proxy" in name.lower()}
    return {**yahoo.environment, **nowhere, "NO_PROXY": "", "no_proxy": ""}


def test_one_command_leads_to_a_champion(
    program: Program, warm: Warm, home: Path, yahoo: YahooServer
) -> None:
    trained = program("train", TICKER, *SMALL, **yahoo.environment)
    again = warm("train", TICKER, *SMALL, "--promote", "never", "-q", **yahoo.environment)
    asked = len(yahoo.queries)
    predicted = warm("predict", "-q", **yahoo.environment)

    assert trained.returncode == 0, trained.stderr
    assert f"Trained {TICKER}@v1" in trained.stdout
    fetching, training = trained.stderr.splitlines()
    assert fetching == f"note: no prices of {TICKER} are stored: fetching them from Yahoo"
    assert training.startswith(f"{TICKER}: epoch 0/1: ")
    with open_store(home) as store:
        assert store.registry.aliases.of(TICKER)["champion"] == 1
    # Prices that are there are asked for by nobody.
    assert (again.out, again.err) == (f"{TICKER}@v2\n", "")
    assert asked_for(yahoo) == {TICKER}
    assert len(yahoo.queries) == asked == 2
    assert predicted.out.strip().replace(".", "").isdigit()


def test_without_a_network_there_is_one_error_and_nothing_is_left(
    warm: Warm, home: Path, offline: dict[str, str]
) -> None:
    done = warm("train", TICKER, **offline)

    assert (done.code, done.out) == (75, "")
    tried, error, step = done.err.splitlines()
    assert tried == f"note: no prices of {TICKER} are stored: fetching them from Yahoo"
    assert error.startswith(f"error: {TICKER}: ")
    assert step.startswith("  next: ")
    assert not home.exists()


def test_nor_by_a_search_and_its_document(warm: Warm, home: Path, offline: dict[str, str]) -> None:
    done = warm("tune", TICKER, "--json", **offline)

    assert done.code == 75
    error, step = done.err.splitlines()
    assert error.startswith(f"error: {TICKER}: ")
    assert step.startswith("  next: ")
    (entry,) = json.loads(done.out)["errors"]
    assert (entry["ticker"], entry["error"], entry["code"]) == (TICKER, "NetworkError", 75)
    assert not home.exists()


def test_a_ticker_that_cannot_be_had_stops_no_other(
    warm: Warm, priced_home: Path, yahoo: YahooServer
) -> None:
    names = ["none3.sa", TICKER, OTHER, "a b"]
    done = warm("train", *names, *SMALL, "--json", "--jobs", "2", **yahoo.environment)

    document = json.loads(done.out)
    assert done.code == 4
    assert [result["ticker"] for result in document["results"]] == [TICKER, OTHER]
    assert [error["ticker"] for error in document["errors"]] == ["NONE3.SA", None]
    assert asked_for(yahoo) == {"NONE3.SA", OTHER}
    assert published(priced_home) == {TICKER: [1], OTHER: [1]}


def test_prices_are_not_fetched_where_that_is_forbidden(
    warm: Warm, home: Path, yahoo: YahooServer
) -> None:
    for command in (["train", "--no-fetch"], ["train", "--dry-run"], ["tune", "--no-fetch"]):
        done = warm(*command, TICKER, OTHER, **yahoo.environment)

        assert (done.code, done.out) == (4, "")
        assert done.err.splitlines() == [
            line
            for ticker in (TICKER, OTHER)
            for line in (
                f"error: {ticker}: there are no prices of {ticker} in the store",
                f"  next: stocklstm fetch --ticker {ticker}",
            )
        ]
    assert yahoo.queries == []
    assert not home.exists()


def test_a_pool_is_trained_on_what_can_be_had(warm: Warm, home: Path, yahoo: YahooServer) -> None:
    pooled = ["train", "--pooled", "--name", "b3", *SMALL, "--json"]
    alone = warm(*pooled, TICKER, "NONE3.SA", **yahoo.environment)
    some = warm(*pooled, TICKER, "NONE3.SA", OTHER, **yahoo.environment)

    # What was fetched stays; one ticker is no pool.
    assert alone.code == some.code == 4
    assert json.loads(alone.out)["results"] == []
    (result,) = json.loads(some.out)["results"]
    assert result["tickers"] == [TICKER, OTHER]
    for done in (alone, some):
        assert [e["ticker"] for e in json.loads(done.out)["errors"]] == ["NONE3.SA"]
    assert published(home) == {"+b3": [1]}


def test_a_search_fetches_as_well(warm: Warm, home: Path, yahoo: YahooServer) -> None:
    done = warm("tune", TICKER, "--trials", "1", *SMALL, "--json", **yahoo.environment)

    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["results"][0]["ticker"] == TICKER
    with open_store(home) as store:
        assert store.prices.has(TICKER)


def test_a_model_without_prices_gets_them_for_its_first_forecast(
    warm: Warm, model_home: Path, tmp_path: Path, yahoo: YahooServer
) -> None:
    bundle, other = tmp_path / "petr4.zip", tmp_path / "other"
    assert warm("models", "export", TICKER, "--output", str(bundle)).code == 0
    there = {"STOCKLSTM_HOME": str(other), **yahoo.environment}
    assert warm("models", "import", str(bundle), **there).code == 0

    done = warm("predict", "--fetch", "--csv", "-", **there)

    assert done.code == 0, done.err
    assert f"note: no prices of {TICKER} are stored: fetching them from Yahoo\n" in done.err
    assert TICKER in done.out
    assert model_home != other


NOTEBOOK = """
import stocklstm
tiny = stocklstm.configure(
    "calibrated", epochs=1, hidden_size=8, num_layers=1, dropout=0.0, seq_length=10
)
refused = stocklstm.train(["NONE3.SA"], tiny, fetch=True)
assert [type(failure.error).__name__ for failure in refused.failures] == ["UnknownTickerError"]
notes = []
trained = stocklstm.train(["PETR4.SA"], tiny, fetch=True, on_note=notes.append)
assert (len(trained.results), trained.failures) == (1, ())
assert notes == ["no prices of PETR4.SA are stored: fetching them from Yahoo"]
# Unless it is told so, it asks nobody.
(failure,) = stocklstm.train(["VALE3.SA"], tiny).failures
assert type(failure.error).__name__ == "NoPricesError"
"""


def test_a_notebook_says_that_prices_may_be_fetched(home: Path, yahoo: YahooServer) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK],
        env={**os.environ, "STOCKLSTM_HOME": str(home), **yahoo.environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert asked_for(yahoo) == {"NONE3.SA", TICKER}
