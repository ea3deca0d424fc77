"""Words of pages: for readers, who need no commands, by the clock of an exchange."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.api.page_texts import city, clock, live_words, quiet, time_of_day, without_commands
from stocklstm.core.forecasts.live import LiveRecord
from stocklstm.core.language import PORTUGUESE, speaking


@pytest.mark.parametrize(
    ("warning", "words"),
    [
        (
            "prices are 2 sessions behind: stocklstm fetch --ticker A",
            "prices are 2 sessions behind",
        ),
        ("A@v1 is damaged; stocklstm train --ticker A makes a new one", "A@v1 is damaged"),
        ("no prices: look for one that is wrong: stocklstm prices verify", "no prices"),
        ("A@v1 is older (stocklstm train --ticker A)", "A@v1 is older"),
        ("the store is of stocklstm 0.2", "the store is of stocklstm 0.2"),
        ("beyond training: close and volume", "beyond training: close and volume"),
    ],
)
def test_a_warning_without_its_command(warning: str, words: str) -> None:
    assert without_commands(warning) == words


@given(st.text(), st.sampled_from([": ", "; ", ", "]), st.sampled_from(["fetch", "train -t A"]))
def test_no_command_is_left_at_the_end(words: str, joint: str, command: str) -> None:
    shown = without_commands(f"{words}{joint}stocklstm {command}")

    assert not shown.endswith(command)
    assert words.startswith(shown) or shown.startswith(words)


@pytest.mark.parametrize(
    ("loud", "words"),
    [
        ("NO BETTER THAN YESTERDAY'S CLOSE: p = 0.3", "no better than yesterday's close: p = 0.3"),
        ("worse THAN THE CLOSE 5 SESSIONS BEFORE", "worse than the close 5 sessions before"),
        ("better than EWMA (p = 0.01)", "better than EWMA (p = 0.01)"),
        ("PETR4.SA@v3 makes none", "PETR4.SA@v3 makes none"),
    ],
)
def test_nobody_is_shouted_at(loud: str, words: str) -> None:
    assert quiet(loud) == words


def test_times_are_by_the_clock_of_the_exchange() -> None:
    assert clock("2024-03-14T01:30:59Z", "America/Sao_Paulo") == "2024-03-13 22:30"
    assert time_of_day("2024-03-14T20:00:00Z", "America/Sao_Paulo") == "17:00 São Paulo"
    assert city("Europe/Madrid") == "Madrid"
    assert city("America/Argentina/Buenos_Aires") == "Buenos Aires"
    assert city("Nowhere/At_All") == "UTC"
    with speaking(PORTUGUESE):
        assert clock("2024-03-14T01:30:59Z", "America/New_York") == "13/03/2024 21:30"
        assert time_of_day("2024-07-01T20:00:00Z", "America/New_York") == "16:00 Nova York"


def test_few_forecasts_are_said_to_be_few() -> None:
    def record(n: int) -> LiveRecord:
        return LiveRecord(n, {"0.8": 0.75, "0.95": 1.0}, None)

    assert live_words(None) == "none has closed yet"
    assert (
        live_words(record(1)) == "75.0 % inside 80 %, 100.0 % inside 95 % (of one, too few to tell)"
    )
    assert live_words(record(19)).endswith("(of 19, too few to tell)")
    with speaking(PORTUGUESE):
        assert live_words(record(60)) == "75,0 % dentro de 80 %, 100,0 % dentro de 95 % (de 60)"
