"""Signals that ask to stop, sent to this very process."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from stocklstm.cli import app
from stocklstm.cli.app import run
from stocklstm.cli.interrupts import ended_by_signals, interrupted_code, stop_at_interrupt
from stocklstm.core.batch import for_each, unexpected
from stocklstm.core.exits import STOP_SIGNALS
from stocklstm.errors import UnexpectedError
from tests.conftest import TICKER, Cli
from tests.support.signal_handlers import handled

END, HANG_UP, CTRL_C = signal.SIGTERM, signal.SIGHUP, signal.SIGINT


@pytest.fixture(autouse=True)
def _as_started_by_a_shell() -> Iterator[None]:
    with handled(
        {END: signal.SIG_DFL, HANG_UP: signal.SIG_DFL, CTRL_C: signal.default_int_handler}
    ):
        yield


def send(kind: signal.Signals) -> None:
    os.kill(os.getpid(), kind)


@pytest.mark.parametrize("kind", STOP_SIGNALS)
def test_a_signal_interrupts_and_its_number_is_the_code(kind: signal.Signals) -> None:
    with ended_by_signals():
        with pytest.raises(KeyboardInterrupt):
            send(kind)
        assert interrupted_code() == 128 + kind
    assert signal.getsignal(END) is signal.getsignal(HANG_UP) is signal.SIG_DFL


@pytest.mark.parametrize("second", [CTRL_C, END])
@pytest.mark.parametrize("first", STOP_SIGNALS)
def test_the_first_one_ends_the_step_and_the_second_everything(
    first: signal.Signals, second: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    with ended_by_signals(), stop_at_interrupt() as should_stop:
        assert not should_stop()
        send(first)
        assert should_stop()
        assert interrupted_code() == 128 + first
        with pytest.raises(KeyboardInterrupt):
            send(second)
    assert capsys.readouterr().err.startswith("stopping after this step; once more stops at once\n")


def test_a_terminal_that_is_closed_hangs_up_twice() -> None:
    with ended_by_signals(), stop_at_interrupt() as should_stop:
        send(HANG_UP)
        send(HANG_UP)
        assert should_stop()
    with ended_by_signals():
        with pytest.raises(KeyboardInterrupt):
            send(HANG_UP)
        send(HANG_UP)


@pytest.mark.parametrize("kind", STOP_SIGNALS)
def test_what_is_ignored_stays_so(kind: signal.Signals) -> None:
    """As SIGHUP is by nohup, and Ctrl-C of what a script has started in the background."""
    with handled({kind: signal.SIG_IGN}), ended_by_signals(), stop_at_interrupt() as should_stop:
        send(kind)
        assert not should_stop()
        assert signal.getsignal(kind) is signal.SIG_IGN


@pytest.mark.parametrize("kind", STOP_SIGNALS)
def test_a_signal_during_a_destructor_is_not_lost(
    kind: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    class Closing:
        def __del__(self) -> None:
            send(kind)

    with handled({signal.SIGALRM: signal.SIG_DFL}), ended_by_signals():
        with pytest.raises(KeyboardInterrupt):
            waits_after(Closing)
        assert interrupted_code() == 128 + kind
    assert "Traceback" not in capsys.readouterr().err


def waits_after(make: Callable[[], object]) -> None:
    make()
    time.sleep(5)


def imports_in_c(kind: signal.Signals, depth: int) -> None:
    """Report an interrupt as a library of pybind11 does, and packages that import it."""
    if depth == 0:
        send(kind)
    try:
        imports_in_c(kind, depth - 1)
    except BaseException as error:
        raise ImportError("initialization failed") from error


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("kind", STOP_SIGNALS)
def test_a_signal_while_a_library_is_imported_is_no_bug(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, kind: signal.Signals, depth: int
) -> None:
    with ended_by_signals(), pytest.raises(KeyboardInterrupt):
        for_each([TICKER], str, lambda _: imports_in_c(kind, depth))
    with monkeypatch.context() as patch:
        patch.setattr("stocklstm.client.Client.predict", lambda *_, **__: imports_in_c(kind, depth))
        in_a_command = cli("predict", TICKER)
    monkeypatch.setattr(app, "build_app", lambda _: imports_in_c(kind, depth))

    assert in_a_command.code == run(["predict"]) == 128 + kind
    assert "Traceback" not in in_a_command.err
    assert "a bug" not in in_a_command.err


def test_an_error_of_a_library_stays_a_bug() -> None:
    error = ImportError("initialization failed")
    error.__cause__ = ValueError("no such thing")

    assert isinstance(unexpected(error), UnexpectedError)


def test_other_threads_have_no_signals() -> None:
    asked = []

    def work() -> None:
        with ended_by_signals(), stop_at_interrupt() as should_stop:
            asked.append(should_stop())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert asked == [False]
