"""What is wrong with Yahoo is said in our own words, and changes not a byte of what is stored."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.yahoo_machine import (
    FIRST_ASKED,
    GOOD,
    ITUB4,
    JUMPED,
    NEW,
    PETR4,
    ROWS,
    VALE3,
    Machine,
    always,
    of,
    replaced,
    row_of,
    scaled,
    with_prices,
)
from tests.support.yahoo_server import (
    HTML,
    NOT_FOUND,
    RESET,
    STALL,
    TOO_MANY,
    UNAVAILABLE,
    Answer,
    Script,
    by_ticker,
    chart,
    history,
    in_turn,
    json_answer,
    prices_only,
)


@dataclass(frozen=True)
class Refusal:
    """A case that ends in an error.

    Attributes:
        script: What Yahoo answers.
        code: Exit code.
        says: The error's message, whole or in part.
        hints: Words of the next step.
        options: Beyond `--ticker PETR4.SA`.
        empty: True to start with nothing stored.
        asked: Requests for prices that reach Yahoo. The client itself repeats one that was
            answered with an error, under another cookie.
    """

    script: Script
    code: int
    says: str
    hints: str
    options: tuple[str, ...] = ("--retries", "0")
    empty: bool = False
    asked: int = 1


NO_DATA = "PETR4.SA: Yahoo sent something other than data"
UNKNOWN = "PETR4.SA: unknown or delisted"
SPELLING = "check the spelling (B3 tickers end in .SA)"
UNAUTHORIZED = json_answer({"finance": {"result": None, "error": {"code": "Unauthorized"}}}, 401)
REFUSALS = {
    "rate-limit": Refusal(
        always(TOO_MANY),
        75,
        "Yahoo is rate-limiting this machine; stopped after 0 of 1; stored data untouched",
        "try again in an hour",
        options=(),
        asked=2,
    ),
    "reset": Refusal(
        always(RESET),
        75,
        "PETR4.SA: no answer from Yahoo",
        "try again",
        options=("--retries", "1"),
        asked=2,
    ),
    "timeout": Refusal(
        always(STALL), 75, "PETR4.SA: no answer from Yahoo", "try again", empty=True, asked=0
    ),
    "html": Refusal(always(HTML), 75, NO_DATA, "try again"),
    "truncated": Refusal(always(Answer(chart(PETR4, ROWS).body[:900])), 75, NO_DATA, "try again"),
    "503": Refusal(
        always(UNAVAILABLE), 75, NO_DATA, "try again", options=("--retries", "1"), asked=4
    ),
    "401": Refusal(always(UNAUTHORIZED), 75, NO_DATA, "try again", asked=2),
    "unknown": Refusal(always(NOT_FOUND), 4, UNKNOWN, SPELLING, empty=True, options=(), asked=0),
    "delisted": Refusal(always(NOT_FOUND), 4, UNKNOWN, SPELLING, options=(), asked=2),
    "jump-on-a-new-day": Refusal(
        history(JUMPED), 6, "and no split is recorded: 2024-03-12, ", "--accept-revision"
    ),
    "jump-on-a-stored-day": Refusal(
        history(replaced(ROWS, *scaled([row_of("2024-03-05")], prices=100, adjusted=100))),
        6,
        "2024-03-05, 40.08 to 3,996.00 (about 1:100); 2024-03-06, 3,996.00 to 40.84 (about 100:1)",
        "--accept-revision",
    ),
    "ratio-of-closes-without-event": Refusal(
        history(scaled(ROWS, prices=0.5, adjusted=0.5, shares=2)),
        6,
        "by a factor of 0.5 on 2024-01-02, and no recorded event explains it",
        "--accept-revision",
        asked=2,
    ),
    "ratio-of-adjusted-closes-without-event": Refusal(
        history(scaled(ROWS, adjusted=0.98)),
        6,
        "by a factor of 0.98 on 2024-01-02, and no recorded event explains it",
        "--accept-revision",
        asked=2,
    ),
    "ratio-that-the-event-does-not-explain": Refusal(
        history(scaled(ROWS, prices=0.5, adjusted=0.5, shares=2), dividends={"2024-03-11": 1.1}),
        6,
        "by a factor of 0.5 on 2024-01-02, and no recorded event explains it",
        "--accept-revision",
        asked=2,
    ),
    "currency": Refusal(
        history(ROWS, currency="USD"), 6, "PETR4.SA is stored in BRL", "STOCKLSTM_HOME"
    ),
    "nothing-but-bad-rows": Refusal(
        history([with_prices(row[0], close=0.0) for row in ROWS]),
        6,
        "the close is not above zero",
        "--source",
    ),
}


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_says_why_and_changes_nothing(
    case: Refusal, request: pytest.FixtureRequest
) -> None:
    machine: Machine = request.getfixturevalue("fresh" if case.empty else "filled")

    fetched = machine.fetch("-t", PETR4, "--json", *case.options, script=case.script)

    assert fetched.code == case.code, fetched.err
    assert fetched.document["results"] == []
    (error,) = fetched.document["errors"]
    assert error["ticker"] == PETR4
    assert error["code"] == case.code
    assert case.says in error["message"]
    assert case.hints in error["hint"]
    assert case.says in fetched.err
    assert fetched.after == fetched.before
    assert len(fetched.starts) == case.asked


def test_a_refusal_leaves_stdout_empty_for_people(fresh: Machine) -> None:
    fetched = fresh.fetch("-t", "PETR9", script=always(NOT_FOUND))

    assert fetched.code == 4
    assert fetched.out == ""
    assert fetched.err == f"error: PETR9: unknown or delisted\n  next: {SPELLING}\n"


def test_a_stalled_yahoo_costs_no_more_than_the_deadline(filled: Machine) -> None:
    fetched = filled.fetch(
        "-t",
        PETR4,
        "-t",
        VALE3,
        "--retries",
        "0",
        "--deadline",
        "3",
        "--json",
        script=always(STALL),
    )

    assert fetched.code == 75
    assert 3 <= fetched.seconds < 9
    errors = fetched.document["errors"]
    assert [error["ticker"] for error in errors] == [PETR4, VALE3]
    message = "the deadline of 3 s has passed; stopped after 0 of 2; stored data untouched"
    assert {error["message"] for error in errors} == {message}
    assert fetched.err.count(message) == 1
    assert "--deadline" in fetched.err
    assert fetched.after == fetched.before
    assert VALE3 not in {query.ticker for query in fetched.queries}


def test_a_rate_limit_stops_the_run_and_keeps_what_came_before(filled: Machine) -> None:
    fetched = filled.fetch(
        "-t",
        PETR4,
        "-t",
        VALE3,
        "-t",
        ITUB4,
        "--json",
        script=by_ticker(GOOD, VALE3=always(TOO_MANY)),
    )

    assert fetched.code == 75
    assert fetched.result["ticker"] == PETR4
    assert fetched.result["rows_added"] == len(NEW)
    message = "Yahoo is rate-limiting this machine; stopped after 1 of 3; stored data untouched"
    errors = fetched.document["errors"]
    assert [(error["ticker"], error["message"]) for error in errors] == [
        (VALE3, message),
        (ITUB4, message),
    ]
    assert {error["hint"] for error in errors} == {"try again in an hour"}
    assert fetched.err.count("error: ") == 1
    assert f"error: {message}\n  next: try again in an hour\n" in fetched.err
    assert {query.ticker for query in fetched.queries} == {PETR4, VALE3}
    assert len(fetched.stored()) == len(ROWS)
    for table, rows in fetched.before.items():
        for ticker in (VALE3, ITUB4):
            assert of(fetched.after[table], ticker) == of(rows, ticker)


def test_a_rate_limit_from_the_first_request_on_is_said(fresh: Machine) -> None:
    fresh.yahoo.crumb = TOO_MANY

    fetched = fresh.fetch("-t", PETR4, script=always(TOO_MANY))

    assert fetched.code == 75
    assert fetched.out == ""
    assert fetched.err == (
        "error: PETR4.SA: Yahoo is rate-limiting this machine; stopped after 0 of 1; "
        "stored data untouched\n  next: try again in an hour\n"
    )
    assert fetched.after == fetched.before


def test_prices_that_come_without_a_crumb_are_taken(fresh: Machine) -> None:
    fresh.yahoo.crumb = TOO_MANY

    fetched = fresh.fetch("-t", PETR4, "--json")

    assert fetched.code == 0
    assert fetched.result["rows"] == len(ROWS)


def test_an_answer_after_a_reset_is_taken(filled: Machine) -> None:
    script = in_turn(prices_only(RESET, GOOD), GOOD)

    fetched = filled.fetch("-t", PETR4, "--json", "--retries", "1", script=script)

    assert fetched.code == 0
    assert fetched.result["rows_added"] == len(NEW)
    assert fetched.starts == [FIRST_ASKED] * 2
    assert "error" not in fetched.err


def test_an_unknown_ticker_among_good_ones_stops_none(filled: Machine, tmp_path: Path) -> None:
    names = tmp_path / "tickers.txt"
    names.write_text(f"# the big three\n{PETR4}\nVALLE3.SA  # misspelt\n\n{VALE3}\n{ITUB4}\n")

    fetched = filled.fetch(
        "--tickers-file", f"{names}", script=by_ticker(GOOD, VALLE3=always(NOT_FOUND))
    )

    assert fetched.code == 4
    assert "error: VALLE3.SA: unknown or delisted\n" in fetched.err
    for ticker in (PETR4, VALE3, ITUB4):
        assert ticker in fetched.out
        assert len(fetched.stored(ticker)) == len(ROWS)
    assert "VALLE3.SA" not in fetched.out
    assert not of(fetched.after["instruments"], "VALLE3.SA")
