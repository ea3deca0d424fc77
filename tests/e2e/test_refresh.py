"""predict --fetch, as cron runs it: new prices first, and a forecast whatever comes of that."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TICKER, Program
from tests.e2e.conftest import Warm
from tests.support.places import SAMPLE
from tests.support.yahoo_server import NOT_FOUND, TOO_MANY, YahooServer, history, prices_only

NEXT = "2024-03-14"


def rows() -> list[tuple[Any, ...]]:
    """Give the bundled sessions of 2024, and one more."""
    lines = [line.split(",") for line in SAMPLE.read_text().splitlines() if line[:4] == "2024"]
    stored = [(day, *map(float, values[:-1]), int(values[-1])) for day, *values in lines]
    return [*stored, (NEXT, *stored[-1][1:])]


GOOD = history(rows())


@pytest.fixture
def yahoo(tmp_path: Path) -> Iterator[YahooServer]:
    with YahooServer(tmp_path, GOOD) as server:
        yield server


@pytest.mark.usefixtures("model_home")
def test_new_prices_come_first(program: Program, yahoo: YahooServer) -> None:
    before = program("predict", "--json")

    done = program("predict", "--fetch", "--json", **yahoo.environment)

    assert done.returncode == 0, done.stderr
    assert json.loads(before.stdout)["forecasts"][0]["as_of"] == "2024-03-13"
    (made,) = json.loads(done.stdout)["forecasts"]
    assert (made["as_of"], made["target_session"]) == (NEXT, "2024-03-15")
    assert {query.ticker for query in yahoo.queries} == {TICKER}


@pytest.mark.usefixtures("model_home")
def test_a_network_that_fails_costs_a_warning(warm: Warm, yahoo: YahooServer) -> None:
    yahoo.script = prices_only(TOO_MANY, GOOD)

    done = warm("predict", "--fetch", "--json", **yahoo.environment)
    strict = warm("predict", "--fetch", "--strict", "--json", **yahoo.environment)

    assert done.code == 0, done.err
    (made,) = json.loads(done.out)["forecasts"]
    assert made["as_of"] == "2024-03-13"
    (warning,) = made["warnings"]
    assert warning.startswith("prices could not be refreshed (")
    assert f"warning: {TICKER}: {warning}" in done.err
    # A later attempt may succeed: the code says so.
    assert strict.code == 75
    document = json.loads(strict.out)
    assert document["forecasts"] == []
    assert [error["error"] for error in document["errors"]] == ["RateLimitedError"]


@pytest.mark.usefixtures("model_home")
def test_a_ticker_that_yahoo_has_forgotten(warm: Warm, yahoo: YahooServer) -> None:
    yahoo.script = lambda _: NOT_FOUND

    strict = warm("predict", "--fetch", "--strict", "--quiet", **yahoo.environment)

    assert (strict.code, strict.out) == (4, "")
