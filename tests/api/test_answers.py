"""Every address answers what the command line's --json says, and problems where it cannot."""

import json
from pathlib import Path
from typing import Any

import pytest

from stocklstm.store.store import open_store
from tests.conftest import TICKER, Cli
from tests.support.api_server import Server, problem
from tests.support.stored_rows import execute


def in_json(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.setenv("STOCKLSTM_HOME", str(home))
    return json.loads(cli(*arguments, "--json").out)


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("/predict", ("predict",)),
        (f"/predict?ticker={TICKER}", ("predict", "-t", TICKER)),
        (
            "/predict?horizon=5&level=0.9&level=0.98",
            ("predict", "--horizon", "5", "--levels", "0.9,0.98"),
        ),
        ("/predict?horizon=8-9,20", ("predict", "--horizon", "8-9,20")),
        ("/predict?at=2024-03-01", ("predict", "--at", "2024-03-01")),
        ("/predict?adaptive=true&max_age=10", ("predict", "--adaptive", "--max-age", "10")),
        ("/models", ("models", "list")),
        (f"/models/{TICKER}", ("models", "show", TICKER)),
        (f"/models/{TICKER}@v1", ("models", "show", f"{TICKER}@v1")),
    ],
)
def test_same_document_as_the_command_line(
    server: Server,
    shared_home: Path,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    arguments: tuple[str, ...],
) -> None:
    # Once, so that both find the forecast on record and neither is the first to make it.
    in_json(cli, shared_home, monkeypatch, *arguments)

    first, again = server.get(path), server.get(path)

    assert first.status_code == again.status_code == 200
    assert first.headers["content-type"] == "application/json"
    assert first.json() == again.json() == in_json(cli, shared_home, monkeypatch, *arguments)


@pytest.mark.parametrize("form", ["csv", "excel-br"])
@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("/predict?horizon=31-33&level=0.9", ("predict", "--horizon", "31-33", "--levels", "0.9")),
        (f"/forecasts/{TICKER}?limit=9", ("forecasts", TICKER)),
    ],
)
def test_same_rows_as_the_command_line(
    server: Server,
    shared_home: Path,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    arguments: tuple[str, ...],
    form: str,
) -> None:
    monkeypatch.setenv("STOCKLSTM_HOME", str(shared_home))
    style = ["--csv-style", form] if form != "csv" else []

    answer = server.get(f"{path}&format={form}", headers={"accept-language": "pt-BR"})

    expected = cli(*arguments, "--csv", "-", *style).out.splitlines()
    # The server has the latest sessions first, as its pages do.
    assert sorted(answer.content.decode().splitlines()) == sorted(expected)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].endswith('.csv"')


def test_the_record_of_one_horizon(server: Server) -> None:
    server.get("/predict?horizon=31-33")

    found = server.get(f"/forecasts/{TICKER}?horizon=32").json()["forecasts"]

    assert {past["horizon"] for past in found} == {32}


def test_a_posted_question_has_the_answer_of_a_get(server: Server) -> None:
    server.get("/predict")
    body = {"tickers": [TICKER], "horizon": 2, "levels": [0.8]}

    posted = server.post("/predict", json=body)
    again = server.post("/predict", json=body)

    assert posted.json()["forecasts"][0]["unchanged"] is False
    assert again.json() == server.get(f"/predict?ticker={TICKER}&horizon=2&level=0.8").json()


def test_several_sessions_may_be_posted(server: Server, shared_home: Path) -> None:
    server.get("/predict?horizon=11-13")
    stored = server.get("/predict?horizon=11-13").json()["forecasts"]

    posted = server.post("/predict", json={"horizon": "11-13"}).json()["forecasts"]
    body = given(shared_home, 10_000, everything=True) | {"horizon": "13,11-12"}
    made = server.post("/predict", json=body).json()["forecasts"]

    assert posted == stored
    assert [each["horizon"] for each in made] == [11, 12, 13]
    for one, other in zip(made, stored, strict=True):
        assert one["target_session"] == other["target_session"]
        assert one["quantiles"] == pytest.approx(other["quantiles"], rel=1e-12)


def given(home: Path, last: int, *, everything: bool) -> dict[str, Any]:
    with open_store(home) as store:
        bars = store.prices.bars(TICKER).select(slice(-last, None))
    body: dict[str, Any] = {"ticker": TICKER, "closes": bars.closes.tolist()}
    if everything:
        body |= {name: getattr(bars, name).tolist() for name in ("opens", "highs", "lows")}
        body |= {"adj_closes": bars.adj_closes.tolist(), "volumes": bars.volumes.tolist()}
        body |= {"dates": [str(day) for day in bars.dates]}
    return body


def test_given_prices_are_forecast_as_stored_ones(server: Server, shared_home: Path) -> None:
    with open_store(shared_home) as store:
        before = len(store.ledger.entries(TICKER))
    (stored,) = server.get(f"/predict?ticker={TICKER}&horizon=7").json()["forecasts"]

    # All there are: the anchor's memory of the days before would fade, but not to the last digit.
    body = given(shared_home, 10_000, everything=True) | {"horizon": 7}
    (made,) = server.post("/predict", json=body).json()["forecasts"]

    for key in (
        "ticker",
        "version",
        "as_of",
        "last_close",
        "currency",
        "target_session",
        "horizon",
    ):
        assert made[key] == stored[key]
    assert made["quantiles"] == pytest.approx(stored["quantiles"], rel=1e-12)
    assert made.keys() == stored.keys()
    assert [check["name"] for check in made["checks"]] == ["age", "inputs", "horizon"]
    with open_store(shared_home) as store:
        assert len(store.ledger.entries(TICKER)) == before + 1  # that of the GET


def test_closes_alone_are_enough(server: Server, shared_home: Path) -> None:
    body = given(shared_home, 250, everything=False)

    (made,) = server.post("/predict", json=body).json()["forecasts"]

    assert (made["as_of"], made["target_session"], made["stale_sessions"]) == (None, None, None)
    assert made["last_close"] == body["closes"][-1]
    assert any("opens, highs and lows" in warning for warning in made["warnings"])
    assert made["quantiles"]["0.025"] < made["last_close"] < made["quantiles"]["0.975"]
    # Raw prices in, prices out: the same shares in another unit give the same forecast in it.
    doubled = body | {"closes": [2 * close for close in body["closes"]]}
    (twice,) = server.post("/predict", json=doubled).json()["forecasts"]
    assert twice["point"] == pytest.approx(2 * made["point"], rel=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"closes": [10.0] * 5}, "too few"),
        ({"closes": []}, "closes"),
        ({"closes": [10.0] * 99 + [-1.0]}, "closes.99"),
        ({"closes": [10.0] * 99 + [0.0]}, "closes.99"),
        ({"closes": ["ten"] * 100}, "closes.0"),
        ({"closes": [10.0] * 10_001}, "closes"),
        ({"dates": ["2024-03-13"]}, "1 dates and"),
        ({"dates": ["2024-02-31"] * 250}, "dates[0]"),
        ({"dates": ["2024-03-13"] * 250}, "dates[1] is not after"),
        ({"opens": [1.0] * 250}, "all three or none"),
        ({"opens": [1.0] * 250, "highs": [1.0] * 250, "lows": [2.0] * 250}, "highs[0] is below"),
        ({"volumes": [1.0]}, "1 volumes and"),
        ({"adj_closes": [1.0]}, "1 adj_closes and"),
        ({"levels": [0.1]}, "no interval of 0.1"),
        ({"levels": [0.8, 0.8]}, "twice"),
        ({"horizon": 0}, "horizon"),
        ({"horizon": "5-1"}, "goes backwards"),
        ({"horizon": [1, 2]}, "horizon"),
        ({"adaptive": True}, "adaptive"),
        ({"tickers": [TICKER]}, "closes need one model"),
        ({"ticker": None}, "closes need one model"),
        ({"surprise": 1}, "surprise"),
        ({"ticker": "../../etc/passwd"}, "is not a ticker"),
    ],
)
def test_prices_that_are_none_are_refused(
    server: Server, shared_home: Path, change: dict[str, Any], words: str
) -> None:
    body = given(shared_home, 250, everything=False) | change

    answer = server.post("/predict", json=body)

    document = problem(answer, 422)
    assert words in answer.text
    assert document["code"] in {2, 6, None}


def test_moves_beyond_all_measure_are_no_forecast(server: Server) -> None:
    body = {"ticker": TICKER, "closes": [1e-6, 1e12] * 100, "horizon": 250}

    assert "move so much" in problem(server.post("/predict", json=body), 422)["detail"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/predict?ticker=NOPE3.SA", 404, 4),
        (f"/predict?ticker={TICKER}@v9", 404, 4),
        ("/predict?ticker=NOPE3.SA&ticker=NOPE4.SA", 404, 4),
        ("/models/NOPE3.SA", 404, 4),
        ("/forecasts/NOPE3.SA", 404, 4),
        ("/predict?ticker=a%20b", 422, 2),
        ("/predict?at=2024-02-31", 422, 2),
        ("/predict?at=2024-03-01&adaptive=true", 422, 2),
        ("/predict?level=0.1", 422, 2),
        ("/predict?strict=true", 409, 6),
        ("/predict?horizon=251", 422, 2),
        ("/predict?horizon=5-1", 422, 2),
        ("/predict?horizon=1,1", 422, 2),
        ("/predict?horizon=a", 422, 2),
        ("/predict?horizon=1-250", 422, 2),
        (f"/predict?horizon={'1,' * 200}", 422, None),
        ("/forecasts/PETR4.SA?limit=0", 422, None),
        ("/nothing", 404, None),
    ],
)
def test_problems(server: Server, path: str, status: int, code: int | None) -> None:
    document = problem(server.get(path), status)

    assert document["code"] == code
    assert document["instance"] == path.partition("?")[0]


def test_another_method_is_not_for_this_address(server: Server) -> None:
    answer = server.post("/models", json={})

    problem(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD"


def test_one_of_several_that_fails_stops_no_other(server: Server) -> None:
    document = server.get(f"/predict?ticker={TICKER}&ticker=NOPE3.SA").json()

    assert [made["ticker"] for made in document["forecasts"]] == [TICKER]
    assert [(error["ticker"], error["code"]) for error in document["errors"]] == [("NOPE3.SA", 4)]


def test_the_ledger_is_listed_latest_first(server: Server, shared_home: Path) -> None:
    for horizon in (1, 3):
        server.get(f"/predict?horizon={horizon}")

    listed = server.get(f"/forecasts/{TICKER}").json()["forecasts"]
    page = server.get(f"/forecasts/{TICKER}?limit=1&offset=1").json()["forecasts"]

    with open_store(shared_home) as store:
        assert len(listed) == len(store.ledger.entries(TICKER))
    assert page == [listed[1]]
    targets = [one["target_session"] for one in listed]
    assert targets == sorted(targets, reverse=True)
    assert listed[0]["outcome"] is listed[0]["held"] is None
    # The bundled prices end in 2024: what is forecast from them today comes too late to count.
    assert listed[0]["late"] is True


def test_health_and_metrics(server: Server) -> None:
    health = server.get("/health")
    server.get("/nothing")
    figures = server.get("/metrics")

    document = health.json()
    assert health.status_code == 200
    assert (document["status"], document["ready"], document["models_loaded"]) == ("ok", True, 1)
    (champion,) = document["tickers"]
    assert (champion["ticker"], champion["version"], champion["as_of"]) == (TICKER, 1, "2024-03-13")
    assert champion["stale_sessions"] > 600
    assert "stocklstm_ready 1.0" in figures.text
    assert f'stocklstm_stale_sessions{{ticker="{TICKER}"}}' in figures.text
    assert 'stocklstm_requests_total{method="GET",route="none",status="404"}' in figures.text
    assert "stocklstm_models_loaded 1.0" in figures.text


def test_prices_that_change_change_the_answer(server: Server, shared_home: Path) -> None:
    before = server.get("/predict").json()["forecasts"][0]
    assert server.get("/predict").json()["forecasts"][0] == before | {"unchanged": True}

    execute(shared_home, "UPDATE prices SET close = close * 1.01 WHERE date = '2024-03-13'")
    after = server.get("/predict").json()["forecasts"][0]

    assert after["last_close"] == pytest.approx(1.01 * before["last_close"])
    execute(shared_home, "UPDATE prices SET close = close / 1.01 WHERE date = '2024-03-13'")
