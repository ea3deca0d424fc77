"""What strangers can do to the log of the server: nothing."""

import logging
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm.api import responses
from stocklstm.api.server_log import OneColumnFormatter, SeldomFilter
from tests.support.api_server import in_process, problem
from tests.support.property_tests import PROPERTY

FEW = settings(PROPERTY, max_examples=30)

FORGED = "nothing\nERROR: the disk is on fire\r\x1b[2J\u202e\x00"


def log_of(clock: list[float]) -> tuple[logging.Logger, StringIO]:
    said = StringIO()
    handler = logging.StreamHandler(said)
    handler.setFormatter(OneColumnFormatter("%(levelname)s: %(message)s"))
    handler.addFilter(SeldomFilter(clock=lambda: clock[0]))
    log = logging.getLogger("tests.strangers")
    log.handlers, log.propagate = [handler], False
    return log, said


@FEW
@given(st.text(), st.text())
def test_a_line_cannot_be_forged(first: str, second: str) -> None:
    log, said = log_of([0.0])
    log.error("a bug with %s", first, exc_info=ValueError(second))

    lines = said.getvalue().split("\n")
    assert lines.pop() == ""
    assert lines[0].startswith("ERROR: a bug with ")
    assert all(line.startswith("  ") for line in lines[1:])
    assert all(line.isprintable() for line in lines)


@FEW
@given(st.lists(st.floats(0, 40), max_size=60))
def test_a_line_cannot_be_multiplied(pauses: list[float]) -> None:
    clock = [0.0]
    log, said = log_of(clock)
    for pause in pauses:
        clock[0] += pause
        log.warning("Invalid HTTP request received.")
        log.error("a bug with %s", f"{pause}")

    lines = said.getvalue().splitlines()
    assert len(lines) <= 2 * (1 + clock[0] // 60)
    kept = [line for line in lines if line.startswith("WARNING")]
    left_out = sum(int(line.partition("(")[2].split()[0]) for line in kept if "(" in line)
    assert len(kept) + left_out <= len(pauses)


def test_different_bugs_are_different_lines() -> None:
    log, said = log_of([0.0])
    for number in range(3):
        for text in ("x", "", "x"):
            try:
                int(text) if number else {}[text]
            except (KeyError, ValueError):
                log.exception("a bug")

    assert said.getvalue().count("ERROR") == 2


@pytest.mark.parametrize("path", ["/models", "/openapi.json", "/"])
def test_an_unexpected_error_is_a_problem_too(
    model_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    path: str,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(FORGED)

    monkeypatch.setattr(responses, "models_json", fail)
    monkeypatch.setattr("stocklstm.api.pages._overview_page", fail)
    monkeypatch.setattr("stocklstm.api.schema.get_openapi", fail)
    with in_process(model_home) as client:
        answer = client.get(path)
        after = client.get("/health")

    document = problem(answer, 500)
    assert (document["title"], document["instance"]) == ("A bug in stocklstm", path)
    assert "fire" not in answer.text
    assert after.status_code == 200
    (record,) = (each for each in caplog.records if each.name == "stocklstm.api")
    assert record.exc_info is not None
