"""Progress where no bar can be drawn: how many lines there are, and what they count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.cli import progress
from stocklstm.cli.progress import Lines, fetch_progress, tickers_progress
from stocklstm.cli.streams import note, speaking, tell, to_stderr
from stocklstm.errors import NetworkError
from stocklstm.workflows.parallel import TickersDone
from stocklstm.workflows.prices.fetch import TickerDone


class Clock:
    """Goes on when it is told to."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 200)), max_size=60))
def test_lines_are_as_many_as_tickers_and_minutes(steps: list[tuple[str, float]]) -> None:
    clock, written = Clock(), []
    lines = Lines(clock)
    lines._write = lambda line: (written.append(line), Lines._write(lines, line))

    with speaking(only_wrong=True):
        for ticker, seconds in steps:
            clock.seconds += seconds
            lines.of(ticker, ticker)

    assert len(written) <= len({ticker for ticker, _ in steps}) + clock.seconds / 60
    # Every ticker is heard of when it begins.
    assert list(dict.fromkeys(written)) == list(dict.fromkeys(ticker for ticker, _ in steps))


def test_a_line_a_minute_and_none_before(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = Lines(clock)
    for second in range(0, 180, 5):
        clock.seconds = float(second)
        lines.now_and_then(f"at {second}")

    assert capsys.readouterr().err.splitlines() == ["at 60", "at 120"]


def fetched(*failed: int) -> list[TickerDone]:
    return [
        TickerDone(f"T{place}3.SA", place, len(failed), sum(failed[:place]))
        for place in range(1, len(failed) + 1)
    ]


def test_five_hundred_tickers_in_less_than_a_minute_are_no_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with fetch_progress() as (on_ticker, _):
        for event in fetched(*[0] * 500):
            on_ticker(event)

    assert capsys.readouterr().err == ""


def test_what_failed_is_not_fetched(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "MINUTE_S", 0.0)
    with fetch_progress() as (on_ticker, _):
        for event in fetched(0, 1, 1):
            on_ticker(event)

    assert capsys.readouterr().err.splitlines() == [
        "1 of 3 fetched, the last one T13.SA",
        "1 of 3 fetched, 1 failed, the last one T23.SA",
        "1 of 3 fetched, 2 failed, the last one T33.SA",
    ]


def test_tickers_of_other_processes_are_counted_by_how_they_ended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    gone = NetworkError("no answer")
    with tickers_progress("Training") as on_ticker:
        on_ticker(TickersDone("", 0, 3, None))
        on_ticker(TickersDone("A3.SA", 1, 3, None))
        on_ticker(TickersDone("B3.SA", 2, 3, gone))
        on_ticker(TickersDone("C3.SA", 3, 3, None))

    assert capsys.readouterr().err.splitlines() == [
        "A3.SA: done (1 of 3)",
        "B3.SA: failed: no answer (1 of 3, 1 failed)",
        "C3.SA: done (2 of 3, 1 failed)",
    ]


def test_who_wants_what_is_wrong_hears_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    with speaking(only_wrong=True):
        tell("progress")
        note("a note")
        to_stderr("error: wrong")
        with speaking(only_wrong=False):
            tell("inside")
        tell("progress")
    note("afterwards")

    assert capsys.readouterr().err.splitlines() == ["error: wrong", "inside", "note: afterwards"]
