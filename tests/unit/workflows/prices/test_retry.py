"""A source is asked patiently, politely and never for ever."""

import threading
from collections.abc import Iterator

import pytest

from stocklstm.core.prices.answers import SourceAnswer
from stocklstm.errors import (
    ConfigError,
    NetworkError,
    RateLimitedError,
    RejectedDataError,
    StockLstmError,
    UnknownTickerError,
)
from stocklstm.market.source import FetchRequest
from stocklstm.workflows.prices import retry as asking
from stocklstm.workflows.prices.retry import Asker, Patience
from tests.support.price_rows import answer_of
from tests.support.scripted_source import Reply, ScriptedSource

GOOD = answer_of([("2024-03-13", 36.0)])
DOWN = NetworkError("no answer from Yahoo")
PETR4, VALE3 = FetchRequest("PETR4.SA"), FetchRequest("VALE3.SA")
AT_ONCE = Patience(deadline_s=60, retries=2, backoff_s=0)


def replies(*script: Reply) -> ScriptedSource:
    remaining: Iterator[Reply] = iter(script)
    return ScriptedSource(lambda _: next(remaining))


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Collect the waits without waiting."""
    waited: list[float] = []
    monkeypatch.setattr(asking.time, "sleep", waited.append)
    return waited


def test_a_network_that_recovers_is_no_failure() -> None:
    source = replies(DOWN, DOWN, GOOD)

    assert Asker(source, AT_ONCE, 1).ask(PETR4) is GOOD
    assert len(source.requests) == 3


def test_the_last_failure_is_reported() -> None:
    last = NetworkError("the last one")

    with pytest.raises(NetworkError) as caught:
        Asker(replies(DOWN, DOWN, last), AT_ONCE, 1).ask(PETR4)

    assert caught.value is last


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (NetworkError("no answer"), "run it again"),
        (UnknownTickerError("never heard of it"), "check the spelling"),
        (RejectedDataError("nonsense came"), "take another source"),
        (ConfigError("it wants a key", hint="set MINE_KEY"), "set MINE_KEY"),
    ],
)
def test_a_source_that_names_no_next_step_is_helped(error: StockLstmError, hint: str) -> None:
    with pytest.raises(type(error)) as caught:
        Asker(replies(error), Patience(retries=0), 1).ask(PETR4)

    assert hint in str(caught.value.hint)


def test_no_retries_means_one_attempt() -> None:
    source = replies(DOWN)

    with pytest.raises(NetworkError):
        Asker(source, Patience(retries=0), 1).ask(PETR4)

    assert len(source.requests) == 1


def test_what_another_attempt_cannot_cure_is_not_tried_again() -> None:
    source = replies(UnknownTickerError("unknown"))

    with pytest.raises(UnknownTickerError):
        Asker(source, AT_ONCE, 1).ask(PETR4)

    assert len(source.requests) == 1


def test_waits_double_and_are_never_quite_the_same(waits: list[float]) -> None:
    for _ in range(20):
        asker = Asker(replies(DOWN, DOWN, DOWN, GOOD), Patience(retries=3, backoff_s=1), 1)
        asker.ask(PETR4)

    rounds = [waits[place : place + 3] for place in range(0, 60, 3)]
    for number, nominal in enumerate((1, 2, 4)):
        found = [each[number] for each in rounds]
        assert all(nominal / 2 <= wait <= nominal * 1.5 for wait in found)
        assert len(set(found)) > 10


def test_no_wait_outlasts_the_deadline(waits: list[float]) -> None:
    asker = Asker(replies(DOWN, GOOD), Patience(deadline_s=5, retries=1, backoff_s=3600), 1)

    asker.ask(PETR4)

    assert 0 < waits[0] <= 5


def test_a_source_that_asks_for_it_gets_a_pause_between_tickers(waits: list[float]) -> None:
    source = replies(GOOD, GOOD, GOOD)
    source.pause_s = 0.25
    asker = Asker(source, AT_ONCE, 3)

    for _ in range(3):
        asker.ask(PETR4)

    assert waits == [0.25, 0.25]


def test_a_rate_limit_stops_the_run() -> None:
    source = replies(GOOD, RateLimitedError("Yahoo is rate-limiting this machine"))
    asker = Asker(source, AT_ONCE, 20)
    asker.ask(PETR4)
    asker.done += 1

    with pytest.raises(RateLimitedError) as first:
        asker.ask(VALE3)
    with pytest.raises(RateLimitedError) as second:
        asker.ask(PETR4)

    assert first.value.message == (
        "Yahoo is rate-limiting this machine; stopped after 1 of 20; stored data untouched"
    )
    assert first.value.hint == "try again in an hour"
    assert second.value is first.value
    assert len(source.requests) == 2


def test_a_source_that_hangs_is_left_at_the_deadline() -> None:
    release = threading.Event()

    def hang(_: FetchRequest) -> SourceAnswer:
        release.wait(30)
        return GOOD

    source = ScriptedSource(hang)
    asker = Asker(source, Patience(deadline_s=0.05, retries=5), 2)
    try:
        with pytest.raises(NetworkError, match=r"deadline of 0\.05 s has passed; stopped after 0"):
            asker.ask(PETR4)
        with pytest.raises(NetworkError, match="stopped after 0 of 2") as caught:
            asker.ask(VALE3)
    finally:
        release.set()
        asker.close()

    assert "--deadline" in str(caught.value.hint)
    assert len(source.requests) == 1


def test_no_time_at_all_asks_nothing() -> None:
    source = replies()

    with pytest.raises(NetworkError, match="deadline"):
        Asker(source, Patience(deadline_s=0), 1).ask(PETR4)

    assert source.requests == []


def test_an_interruption_inside_the_source_reaches_the_caller() -> None:
    with pytest.raises(KeyboardInterrupt):
        Asker(replies(KeyboardInterrupt()), AT_ONCE, 1).ask(PETR4)


def test_the_thread_ends_with_the_run() -> None:
    asker = Asker(replies(GOOD), AT_ONCE, 1)
    asker.ask(PETR4)

    asker.close()

    worker = asker._worker._thread
    assert worker is not None
    worker.join(10)
    assert not worker.is_alive()
