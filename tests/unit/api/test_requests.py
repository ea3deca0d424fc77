"""Bodies and parameters are taken for what they say, or refused."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import TICKER
from tests.support.api_server import InProcess, in_process, problem

CLOSES = [30 + 0.1 * (day % 7) for day in range(120)]
FROM_PRICES: dict[str, Any] = {"ticker": TICKER, "closes": CLOSES}
JSON = {"Content-Type": "application/json"}

DOCUMENTED = {200, 400, 404, 409, 422, 503}

once_each = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def client(_modelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    home = tmp_path_factory.mktemp("asked") / "home"
    shutil.copytree(_modelled, home)
    with in_process(home) as running:
        yield running


def post(client: InProcess, text: str | bytes) -> httpx.Response:
    return client.post("/predict", content=text, headers=JSON)


def test_the_body_that_the_others_are_made_from_is_a_good_one(client: InProcess) -> None:
    assert post(client, json.dumps(FROM_PRICES)).status_code == 200
    # An integer is a number.
    assert post(client, json.dumps({**FROM_PRICES, "closes": [36] * 120})).status_code == 200


NO_NUMBERS = st.one_of(
    st.booleans(),
    st.none(),
    st.floats(1, 100).map(str),
    st.sampled_from([[], {}, [1.0], {"close": 1.0}, -1, 0, 1e300, 10**400, ""]),
)


@given(
    column=st.sampled_from(["closes", "opens", "highs", "lows", "adj_closes", "volumes"]),
    row=st.integers(0, 119),
    value=NO_NUMBERS,
)
@once_each
def test_what_is_no_price_is_refused(
    client: InProcess, column: str, row: int, value: object
) -> None:
    prices: list[object] = list(CLOSES)
    prices[row] = value
    ranges = dict.fromkeys(("opens", "highs", "lows"), CLOSES)
    body = {**FROM_PRICES, **ranges, "volumes": CLOSES, column: prices}

    answer = post(client, json.dumps(body))

    if column == "volumes" and value == 0 and not isinstance(value, bool):
        assert answer.status_code == 200
    else:
        assert f"body.{column}.{row}" in str(problem(answer, 422)["errors"])


@pytest.mark.parametrize(
    "change",
    [
        *({"horizon": True}, {"horizon": 1.0}, {"horizon": 5.5}, {"adaptive": 0}),
        *({"adaptive": "false"}, {"levels": [True]}, {"levels": ["0.8"]}, {"ticker": 1}),
        *({"tickers": "PETR4.SA"}, {"closes": "30,31"}, {"closes": {"0": 30}}),
    ],
)
def test_types_are_not_guessed(client: InProcess, change: dict[str, Any]) -> None:
    problem(post(client, json.dumps(FROM_PRICES | change)), 422)


@pytest.mark.parametrize(
    "day",
    [
        *("2026-02-30", "2023-02-29", "1900-02-29", "2024-13-01", "2024-00-10", "2024-01-00"),
        *("0000-01-01", "10000-01-01", "-001-01-01", "2024-1-1", "20240101", "2024-01-01T00:00"),
        *(
            "\u0662\u0660\u0662\u0664-01-01",
            " 2024-01-01",
            "2024-01-01\n",
            "",
            "today",
            "2024-W01-1",
        ),
    ],
)
def test_days_outside_the_calendar(client: InProcess, day: str) -> None:
    before = [f"{1990 + year}-06-15" for year in range(10)]
    dated = {"ticker": TICKER, "closes": CLOSES[:11], "dates": [*before, day]}

    posted = problem(post(client, json.dumps(dated)), 422)
    got = problem(client.get("/predict", params={"at": day}), 422)

    assert "dates[10]" in posted["detail"]
    assert got["code"] in {2, None}


@pytest.mark.parametrize("last", ["9999-12-31", "9999-12-30", "0200-01-01", "2262-04-12"])
@pytest.mark.parametrize("horizon", [1, 250])
def test_days_at_the_ends_of_the_calendar(client: InProcess, last: str, horizon: int) -> None:
    days = np.datetime64(last) - np.arange(119, -1, -1)
    body = {**FROM_PRICES, "dates": days.astype(str).tolist(), "horizon": horizon}

    answer = post(client, json.dumps(body))

    assert answer.status_code in {200, 422}
    if answer.status_code == 200:
        (made,) = answer.json()["forecasts"]
        assert len(made["target_session"]) == 10
    assert client.get(f"/predict?at={last}&horizon={horizon}").status_code in {200, 422}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"closes": [NaN], "ticker": "PETR4.SA"}', "NaN is no number"),
        ('{"closes": [-Infinity], "ticker": "PETR4.SA"}', "-Infinity is no number"),
        ('{"closes": [1e999], "ticker": "PETR4.SA"}', "finite"),
        ('{"closes": [' + "9" * 5000 + '], "ticker": "PETR4.SA"}', "too many digits"),
        ('{"closes": [' + "9" * 4000 + '], "ticker": "PETR4.SA"}', "closes.0"),
        ('{"horizon": ' + "9" * 4000 + "}", "horizon"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("[" * 900 + "]" * 900, "dictionary"),
        ('{"tickers": ["PETR4.SA"], "tickers": []}', "a name is there twice"),
        ('{"horizon": 1, "\\u0068orizon": 2}', "a name is there twice"),
        ('{"tickers": [{"a": 1, "a": 2}]}', "a name is there twice"),
        ('{"\\ud800": 1}', "body"),
        ('{"tickers": ["\\ud800"]}', "ud800"),
        ('{"ticker": "\\udfff", "closes": [1]}', "body.ticker"),
        ('{"horizon": "\\ud800"}', "horizon"),
        ('{"' + "k" * 100_000 + '": 1}', "kkk"),
        ("{'a': 1}", "property name"),
        ("nothing", "Expecting value"),
        ("", "body"),
        ("{} {}", "Extra data"),
    ],
)
def test_bodies_that_parsers_disagree_on(client: InProcess, text: str, words: str) -> None:
    answer = post(client, text)

    problem(answer, 422)
    assert words in answer.text
    assert len(answer.content) < 5000


def test_a_body_that_is_no_text(client: InProcess) -> None:
    problem(post(client, b'{"ticker": "\xff"}'), 400)


@pytest.mark.parametrize(
    "query",
    [
        *("horizon=1&horizon=2", "horizon=1&horizon=1", "at=2024-03-01&at=2024-03-02"),
        *("adaptive=true&adaptive=false", "max_age=1&max_age=&ticker=PETR4.SA", "x=1&x=2"),
        *("strict=true&%73trict=false", "horizon=1&horizon"),
    ],
)
def test_a_parameter_that_is_given_twice(client: InProcess, query: str) -> None:
    assert "given twice" in problem(client.get(f"/predict?{query}"), 422)["detail"]


def test_a_list_may_be_given_in_parts(client: InProcess) -> None:
    asked = f"/predict?ticker={TICKER}&level=0.5&level=0.9&ticker={TICKER}@v1"

    assert client.get(asked).status_code == 200


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
NAMES = ("tickers", "ticker", "closes", "dates", "opens", "volumes", "horizon", "levels", "at")


@given(body=st.dictionaries(st.sampled_from(NAMES), ANYTHING) | ANYTHING)
@once_each
def test_any_body_has_a_documented_answer(client: InProcess, body: object) -> None:
    answer = post(client, json.dumps(body))

    assert answer.status_code in DOCUMENTED
    if answer.status_code != 200:
        problem(answer, answer.status_code)


@given(
    query=st.dictionaries(
        st.sampled_from(["ticker", "at", "horizon", "level", "adaptive", "strict", "max_age", "x"]),
        st.text(max_size=12) | st.sampled_from(["1-5", "9" * 5000, "nan", "0.8", "2024-02-29"]),
        max_size=3,
    ),
    path=st.sampled_from(["/predict", "/forecasts/PETR4.SA", "/models/PETR4.SA", "/tickers/a%00b"]),
)
@once_each
def test_any_query_has_a_documented_answer(
    client: InProcess, query: dict[str, str], path: str
) -> None:
    answer = client.get(path, params=query)

    assert answer.status_code in DOCUMENTED | {431}
    if answer.status_code != 200 and path != "/tickers/a%00b":
        problem(answer, answer.status_code)
