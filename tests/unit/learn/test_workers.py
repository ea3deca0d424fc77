"""Workers give every call back once, whatever becomes of their processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from loky.backend.queues import Queue

from stocklstm.errors import ConfigError, TryAgainError
from stocklstm.learn import workers
from stocklstm.learn.stopping import ShouldStop, StoppedError
from stocklstm.learn.workers import Call, Completed, LocalWorkers
from tests.support.places import ROOT


def square(number: int, _should_stop: ShouldStop) -> int:
    if number < 0:
        raise ConfigError("below zero", hint="another one")
    return number * number


def die(number: int, deadly: int, marks: Path, should_stop: ShouldStop) -> int:
    """End this process if the number is deadly; leave a mark for each attempt."""
    with (marks / f"{number}").open("a") as file:
        file.write("x")
    if number == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return square(number, should_stop)


def die_once(number: int, deadly: int, marks: Path, should_stop: ShouldStop) -> int:
    """End this process at the first attempt."""
    again = (marks / f"{number}").exists()
    return die(number, -1 if again else deadly, marks, should_stop)


def wait_to_be_stopped(marks: Path, should_stop: ShouldStop) -> None:
    (marks / f"{os.getpid()}-{time.monotonic_ns()}").touch()
    while not should_stop():
        time.sleep(0.01)
    raise StoppedError


class UnreadableError(Exception):
    """Is pickled, and cannot be made again."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} {other}")


class UnwritableError(Exception):
    """Cannot be pickled."""

    def __reduce__(self) -> str:
        raise TypeError("it stays here")


def fail(kind: str, marks: Path, _should_stop: ShouldStop) -> None:
    with (marks / kind).open("a") as file:
        file.write("x")
    raise (
        UnreadableError("some", "words") if kind == "unreadable" else UnwritableError("some words")
    )


def test_an_error_that_cannot_travel_comes_back_as_words(tmp_path: Path) -> None:
    kinds = ["unreadable", "unwritable"]

    with LocalWorkers(1) as workers:
        found = by_key(workers.run(fail, [Call(i, (k, tmp_path)) for i, k in enumerate(kinds)]))

    for number, kind in enumerate(kinds):
        assert "Error: some words" in str(found[number].error)
        assert (tmp_path / kind).read_text() == "x"


def give_too_much(place: Path, _should_stop: ShouldStop) -> bytes:
    (place / f"{os.getpid()}").touch()
    return bytes(64 << 20)


# It is stopped, so that nobody reads what its worker writes, and then killed.
ORPHANING = """
import os, signal, sys
from pathlib import Path
from stocklstm.learn.workers import LocalWorkers
from tests.unit.learn.test_workers import give_too_much

workers = LocalWorkers(1)
workers.submit(give_too_much, Path(sys.argv[1]), None)
while not os.listdir(sys.argv[1]):
    pass
os.kill(os.getpid(), signal.SIGSTOP)
"""


def test_workers_end_with_their_parent_whatever_they_are_doing(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", ORPHANING, str(tmp_path)], env=environment
    ) as parent:
        os.waitid(os.P_PID, parent.pid, os.WSTOPPED)
        parent.kill()

    (worker,) = tmp_path.iterdir()
    for _ in range(600):
        if not is_at_work(int(worker.name)):
            return
        time.sleep(0.1)
    os.kill(int(worker.name), signal.SIGKILL)
    pytest.fail("it is still there")


def is_at_work(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def by_key(ended: Iterator[Completed]) -> dict[int, Completed]:
    found: dict[int, Completed] = {}
    for each in ended:
        assert each.key not in found
        found[each.key] = each
    return found


def test_every_call_comes_back_once_with_what_it_gave_or_raised() -> None:
    numbers = [3, -1, 4, 1, 5]

    with LocalWorkers(2) as workers:
        found = by_key(workers.run(square, [Call(i, (n,)) for i, n in enumerate(numbers)]))

    assert [found[i].value for i in range(5)] == [9, None, 16, 1, 25]
    error = found[1].error
    assert isinstance(error, ConfigError)
    assert (error.message, error.hint) == ("below zero", "another one")


def test_no_thread_outlives_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that gave up a lock as the process ended left a warning of a leaked lock on stderr."""
    before = set(threading.enumerate())
    feed = Queue._feed

    def slowly(*arguments: object) -> None:
        feed(*arguments)
        time.sleep(0.2)

    monkeypatch.setattr(Queue, "_feed", slowly)

    with LocalWorkers(1) as workers:
        assert [each.value for each in workers.run(square, [Call(0, (3,))])] == [9]

    assert set(threading.enumerate()) == before


def test_calls_are_taken_only_when_somebody_is_about_to_be_free() -> None:
    taken = []

    def calls() -> Iterator[Call]:
        for number in range(8):
            taken.append(number)
            yield Call(number, (number,))

    with LocalWorkers(2) as workers, closing(workers.run(square, calls())) as completed:
        next(completed)
        assert len(taken) <= 4


def test_who_kills_his_process_twice_is_given_up_and_nobody_else(tmp_path: Path) -> None:
    calls = [Call(number, (number, 2, tmp_path)) for number in range(6)]

    with LocalWorkers(2) as workers:
        found = by_key(workers.run(die, calls))

    assert [found[n].value for n in range(6)] == [0, 1, None, 9, 16, 25]
    assert isinstance(found[2].error, TryAgainError)
    assert (tmp_path / "2").read_text() == "xx"


def test_a_process_that_is_killed_once_costs_nothing(tmp_path: Path) -> None:
    calls = [Call(number, (number, 1, tmp_path)) for number in range(4)]

    with LocalWorkers(2) as workers:
        found = by_key(workers.run(die_once, calls))

    assert [found[n].value for n in range(4)] == [0, 1, 4, 9]


def test_all_that_was_taken_ends_when_it_is_asked_to_stop(tmp_path: Path) -> None:
    taken = []

    def calls() -> Iterator[Call]:
        for number in range(100):
            taken.append(number)
            yield Call(number, (tmp_path,))

    with LocalWorkers(2) as workers:
        found = by_key(
            workers.run(wait_to_be_stopped, calls(), lambda: len(list(tmp_path.iterdir())) == 2)
        )

    assert sorted(found) == taken
    assert len(taken) < 5
    assert {type(ended.error) for ended in found.values()} == {StoppedError}


@pytest.mark.parametrize("receiver", ["this thread", "another thread"])
def test_ctrl_c_while_work_is_handed_out_is_held_back_and_not_lost(receiver: str) -> None:
    def press() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    seen = []

    def hand_out() -> None:
        with workers._interrupts_held():
            if receiver == "this thread":
                press()
            else:
                thread = threading.Thread(target=press)
                thread.start()
                thread.join()
            child = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGINT)"]
            seen.append(subprocess.run(child, check=False).returncode)

    # Whoever runs the tests may have told this process to ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            hand_out()
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [0]
