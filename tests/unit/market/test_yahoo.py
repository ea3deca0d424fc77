"""The real yfinance, in a process of its own, against a Yahoo on the loopback interface."""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from stocklstm.errors import StockLstmError
from stocklstm.market.source import FetchRequest, load_source
from tests.support.forks import CALENDARS, FETCHING, Ended, Forks, forks_of
from tests.support.places import ROOT
from tests.support.yahoo_server import (
    HTML,
    NOT_FOUND,
    RESET,
    STALL,
    TOO_MANY,
    UNAVAILABLE,
    Answer,
    Query,
    Script,
    YahooServer,
    chart,
    json_answer,
)


def show(requests: list[dict[str, Any]], timeout_s: float) -> None:
    """Fetch each of some requests in turn and print what a caller would see of the last."""
    warnings.simplefilter("error")
    source = load_source("yahoo")
    source.timeout_s = timeout_s
    for request in requests:
        try:
            answer = source.fetch(FetchRequest(**request))
        except StockLstmError as error:
            shown = {
                "error": type(error).__name__,
                "message": error.message,
                "hint": error.hint,
                "cause": error.__cause__ is not None,
            }
        else:
            bars = answer.bars
            shown = {
                "instrument": asdict(answer.instrument),
                "source": answer.source,
                "actions": [asdict(action) for action in answer.actions],
                "dates": bars.dates.astype(str).tolist(),
                "opens": bars.opens.tolist(),
                "closes": bars.closes.tolist(),
                "adj_closes": bars.adj_closes.tolist(),
                "volumes": bars.volumes.tolist(),
                "date_type": str(bars.dates.dtype),
            }
    print(json.dumps(shown))  # noqa: T201 - a process of its own


ROWS = [
    ("2024-03-11", 36.0, 36.8, 35.9, 36.5, 34.1, 1000),
    ("2024-03-12", 36.4, 37.0, 36.2, 36.9, 34.5, 2000),
    ("2024-03-13", 18.4, 18.6, 18.1, 18.3, 17.8, 3000),
    ("2024-03-14", 18.3, 18.9, 18.2, 18.8, 18.3, 4000),
]
GOOD = chart("PETR4.SA", ROWS, dividends={"2024-03-12": 0.55}, splits={"2024-03-13": (2, 1)})


Ask = Callable[..., tuple[dict[str, Any], YahooServer, str]]


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with forks_of(
        tmp_path_factory.mktemp("forks"), *FETCHING, __name__, prepared=CALENDARS
    ) as started:
        yield started


@pytest.fixture
def ask(forks: Forks) -> Ask:
    """Ask a Yahoo of the loopback interface, and give what it answered and was asked."""

    def call(
        folder: Path, script: Script, *requests: dict[str, Any], timeout_s: float = 20.0
    ) -> tuple[dict[str, Any], YahooServer, str]:
        with YahooServer(folder, script) as server:
            places = {**server.environment, "STOCKLSTM_CACHE": str(folder / "own")}
            ended = forks.run(f"{__name__}:show", requests, timeout_s, environment=places)
        return answered(ended, server), server, ended.err

    return call


def answered(ended: Ended, server: YahooServer) -> dict[str, Any]:
    assert ended.code == 0, ended.err
    assert all(host.endswith(".yahoo.com") for host in server.hosts)
    shown: dict[str, Any] = json.loads(ended.out)
    return shown


def test_an_interpreter_that_imports_it_all_says_nothing_of_it(tmp_path: Path) -> None:
    code = f"from {__name__} import show; show([{{'ticker': 'PETR4.SA'}}], 20.0)"
    with YahooServer(tmp_path, lambda _: GOOD) as server:
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env={**os.environ, **server.environment, "STOCKLSTM_CACHE": str(tmp_path / "own")},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    shown = answered(Ended(run.returncode, run.stdout, run.stderr), server)
    assert shown["dates"] == [row[0] for row in ROWS]
    assert run.stderr == ""


def history_only(answer: Answer) -> Script:
    """Answer the probe for the time zone as usual, and the prices so."""

    def script(query: Query) -> Answer:
        return GOOD if query.is_probe else answer

    return script


def test_bars_come_raw_and_adjusted_with_their_events(ask, tmp_path):
    shown, server, stderr = ask(tmp_path, lambda _: GOOD, {"ticker": "PETR4.SA"})
    assert shown["dates"] == [row[0] for row in ROWS]
    assert shown["date_type"] == "datetime64[D]"
    assert shown["opens"] == [row[1] for row in ROWS]
    assert shown["closes"] == [row[4] for row in ROWS]
    assert shown["adj_closes"] == [row[5] for row in ROWS]
    assert shown["volumes"] == [row[6] for row in ROWS]
    assert shown["actions"] == [
        {"date": "2024-03-12", "kind": "dividend", "value": 0.55},
        {"date": "2024-03-13", "kind": "split", "value": 2.0},
    ]
    assert shown["instrument"] == {
        "ticker": "PETR4.SA",
        "currency": "BRL",
        "exchange": "BVMF",
        "time_zone": "America/Sao_Paulo",
    }
    assert shown["source"] == "yahoo"
    assert stderr == ""
    assert {query.ticker for query in server.queries} == {"PETR4.SA"}
    assert (tmp_path / "own" / "yahoo" / "tkr-tz.db").exists()
    assert not (tmp_path / "cache").exists()


def test_start_is_asked_of_yahoo(ask, tmp_path):
    request = {"ticker": "PETR4.SA", "start": "2024-03-13"}
    shown, server, _ = ask(tmp_path, lambda _: chart("PETR4.SA", ROWS[2:]), request)
    assert shown["dates"] == ["2024-03-13", "2024-03-14"]
    history = next(query for query in server.queries if not query.is_probe)
    # Midnight in Kiribati: from then on it is that day somewhere.
    assert history.options["period1"] == f"{1710288000 - 14 * 3600}"


def test_the_day_before_start_is_not_taken_for_an_answer(ask, tmp_path):
    request = {"ticker": "PETR4.SA", "start": "2024-03-13"}
    shown, _, _ = ask(tmp_path, lambda _: GOOD, request)
    assert shown["dates"] == ["2024-03-11", "2024-03-13", "2024-03-14"]


@pytest.mark.parametrize(
    ("time_zone", "start"),
    [("America/Santiago", "2026-09-06"), ("America/Sao_Paulo", "2017-10-15")],
)
def test_a_day_without_a_midnight_may_be_the_first(ask, tmp_path, time_zone, start):
    """On the days that clocks are put forward at midnight, there is none."""
    rows = [("2026-09-07", 36.0, 36.8, 35.9, 36.5, 34.1, 1000)]
    answer = chart("TEST.SN", rows, currency="CLP", exchange="SGO", time_zone=time_zone)
    shown, _, _ = ask(tmp_path, lambda _: answer, {"ticker": "TEST.SN", "start": start})
    assert shown["dates"] == ["2026-09-07"]


def test_null_rows_are_left_out_and_their_dividend_is_kept(ask, tmp_path):
    nulls = [(day, None, None, None, None, None, None) for day in ("2024-03-12", "2024-03-13")]
    answer = chart("PETR4.SA", [ROWS[0], *nulls, ROWS[3]], dividends={"2024-03-13": 0.2})
    shown, _, _ = ask(tmp_path, lambda _: answer, {"ticker": "PETR4.SA"})
    assert shown["dates"] == ["2024-03-11", "2024-03-13", "2024-03-14"]
    assert str(shown["closes"][1]) == "nan"
    assert shown["actions"] == [{"date": "2024-03-13", "kind": "dividend", "value": 0.2}]


def test_no_session_since_start_is_no_error(ask, tmp_path):
    request = {"ticker": "AAPL", "start": "2024-03-16"}
    traits = {"currency": "USD", "exchange": "NMS", "time_zone": "America/New_York"}
    shown, _, _ = ask(tmp_path, lambda _: chart("AAPL", [], **traits), request)
    assert shown["dates"] == []
    assert shown["instrument"] == {"ticker": "AAPL", **traits, "exchange": "XNYS"}


def test_no_data_for_the_range_is_no_error(ask, tmp_path):
    reason = "Data doesn't exist for startDate = 1710298800, endDate = 1710385200"
    error = {"code": "Bad Request", "description": reason}
    refusal = json_answer({"chart": {"result": None, "error": error}}, 400)
    request = {"ticker": "PETR4.SA", "start": "2024-03-16"}
    shown, _, _ = ask(tmp_path, history_only(refusal), request)
    assert shown["dates"] == []
    assert shown["instrument"]["exchange"] == "BVMF"


@pytest.mark.parametrize(
    "script", [lambda _: NOT_FOUND, history_only(NOT_FOUND), history_only(chart("PETR4.SA", []))]
)
def test_unknown_ticker(ask, tmp_path, script):
    shown, _, stderr = ask(tmp_path, script, {"ticker": "PETR9.SA"})
    assert shown["error"] == "UnknownTickerError"
    assert shown["message"] == "PETR9.SA: unknown or delisted"
    assert shown["hint"] == "check the spelling (B3 tickers end in .SA)"
    assert shown["cause"]
    assert stderr == ""


@pytest.mark.parametrize("script", [lambda _: TOO_MANY, history_only(TOO_MANY)])
def test_rate_limit(ask, tmp_path, script):
    shown, _, stderr = ask(tmp_path, script, {"ticker": "PETR4.SA"})
    assert shown["error"] == "RateLimitedError"
    assert shown["message"] == "Yahoo is rate-limiting this machine"
    assert stderr == ""


@pytest.mark.parametrize(
    "script",
    [
        lambda _: HTML,
        history_only(HTML),
        history_only(UNAVAILABLE),
        history_only(Answer(GOOD.body[:400])),
        history_only(Answer(GOOD.body[:400], promised=len(GOOD.body))),
        history_only(json_answer({"finance": {"result": None, "error": None}})),
        lambda _: json_answer({"finance": {"result": None, "error": None}}),
        history_only(
            json_answer({"chart": {"result": None, "error": {"description": "Internal error"}}})
        ),
    ],
    ids=["html", "html-history", "503", "cut", "cut-short", "other", "other-history", "refusal"],
)
def test_something_other_than_data(ask, tmp_path, script):
    shown, _, stderr = ask(tmp_path, script, {"ticker": "PETR4.SA"})
    assert shown["error"] == "NetworkError"
    assert shown["message"] == "PETR4.SA: Yahoo sent something other than data"
    assert stderr == ""


@pytest.mark.parametrize(
    ("script", "timeout_s"),
    [(lambda _: RESET, 20.0), (history_only(RESET), 20.0), (history_only(STALL), 0.5)],
    ids=["reset", "reset-history", "stall"],
)
def test_no_answer(ask, tmp_path, script, timeout_s):
    shown, _, stderr = ask(tmp_path, script, {"ticker": "PETR4.SA"}, timeout_s=timeout_s)
    assert shown["error"] == "NetworkError"
    assert shown["message"] == "PETR4.SA: no answer from Yahoo"
    assert stderr == ""


def test_a_failure_is_not_remembered(ask, tmp_path):
    answers = iter([GOOD, HTML, GOOD])
    request = {"ticker": "PETR4.SA"}
    shown, server, _ = ask(tmp_path, lambda _: next(answers), request, request)
    assert shown["dates"] == [row[0] for row in ROWS]
    assert [query.is_probe for query in server.queries] == [True, False, False]


@pytest.mark.parametrize("name", ["tkr-tz.db", "cookies.db"])
def test_a_damaged_cache_is_made_anew(ask, tmp_path, name):
    cache = tmp_path / "own" / "yahoo"
    cache.mkdir(parents=True)
    (cache / name).write_bytes(b"no database " * 100)
    shown, _, stderr = ask(tmp_path, lambda _: GOOD, {"ticker": "PETR4.SA"})
    assert shown["dates"] == [row[0] for row in ROWS]
    assert stderr == ""
    assert (cache / name).read_bytes().startswith(b"SQLite format 3")


def test_prices_come_without_a_cache(ask, tmp_path):
    (tmp_path / "own").write_text("a file where a directory should be")
    shown, _, stderr = ask(tmp_path, lambda _: GOOD, {"ticker": "PETR4.SA"})
    assert shown["dates"] == [row[0] for row in ROWS]
    assert stderr == ""
