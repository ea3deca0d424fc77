"""Asking a price source for many tickers: patient with one, polite to it, never for ever."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from stocklstm.core.prices.answers import SourceAnswer
from stocklstm.errors import (
    NetworkError,
    NotFoundError,
    RateLimitedError,
    StockLstmError,
    TryAgainError,
)
from stocklstm.market.source import FetchRequest, PriceSource

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How long to keep asking.

    Example:
        >>> stocklstm.FetchOptions(patience=stocklstm.Patience(retries=5)).patience.retries
        5

    Attributes:
        deadline_s: Seconds for all tickers together.
        retries: Further attempts for a ticker after the network failed.
        backoff_s: Seconds to wait before the first of them; each later wait is twice as long,
            and every one is shortened or lengthened by up to a half, so that many machines that
            failed together do not come back together.
    """

    deadline_s: float = 900.0
    retries: int = 2
    backoff_s: float = 1.0


class Asker:
    """Asks for one ticker after another until the source or the clock says stop."""

    def __init__(self, source: PriceSource, patience: Patience, total: int) -> None:
        """Start the clock; `total` is how many tickers there are, for messages."""
        self.source = source
        self._patience = patience
        self._total = total
        self._end = time.monotonic() + patience.deadline_s
        self._worker = _Worker()
        self._pause_s = float(getattr(source, "pause_s", 0.0))
        self._asked_before = False
        self._stopped: StockLstmError | None = None
        self.done = 0
        """Tickers that are through, well or not; counted by the caller."""

    def begin(self, total: int) -> None:
        """Begin to count anew, of so many tickers; the clock goes on."""
        self._total, self.done = total, 0

    def ask(self, request: FetchRequest) -> SourceAnswer:
        """Get one answer.

        Raises:
            RateLimitedError: The source wants no more requests; so for every later ticker.
            NetworkError: No usable answer after all attempts, or the deadline has passed.
        """
        return self.call(lambda: self.source.fetch(request))

    def call(self, question: Callable[[], T]) -> T:
        """Get the answer to any question to the source, as `ask` does."""
        if self._stopped is not None:
            raise self._stopped
        if self._asked_before:
            self._sleep(self._pause_s)
        self._asked_before = True
        for attempt in range(self._patience.retries):
            try:
                return self._attempt(question)
            except NetworkError as error:
                if error is self._stopped:
                    raise
                wait_s = self._patience.backoff_s * 2**attempt
                self._sleep(wait_s * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        return self._attempt(question)

    def close(self) -> None:
        """Let the thread end that did the asking."""
        self._worker.close()

    def _attempt(self, question: Callable[[], T]) -> T:
        try:
            return self._worker.call(question, self._end - time.monotonic())
        except RateLimitedError as error:
            self._stopped = RateLimitedError(
                f"{error.message}; {self._how_far()}", hint="try again in an hour"
            )
            raise self._stopped from error
        except Empty as error:
            self._stopped = NetworkError(
                f"the deadline of {self._patience.deadline_s:g} s has passed; {self._how_far()}",
                hint="run it again, or allow more time with --deadline",
            )
            raise self._stopped from error
        except StockLstmError as error:
            # A plug-in may leave it out.
            error.hint = error.hint or _next_step(error)
            raise

    def _how_far(self) -> str:
        return f"stopped after {self.done} of {self._total}; stored data untouched"

    def _sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, min(seconds, self._end - time.monotonic())))


def _next_step(error: StockLstmError) -> str:
    if isinstance(error, TryAgainError):
        return "check the connection, then run it again"
    if isinstance(error, NotFoundError):
        return "check the spelling: Yahoo's is PETR4.SA for shares of B3, AAPL for American ones"
    return "take another source; stocklstm fetch --list-sources names them"


class _Worker:
    """One thread beside the main one, because no source can be trusted to keep to a time.

    It is a daemon: a call that hangs is left behind and ends with the process.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._outcomes: SimpleQueue[Any] = SimpleQueue()
        self._thread: Thread | None = None

    def call(self, task: Callable[[], T], timeout_s: float) -> T:
        """Run a task and wait for it.

        Raises:
            Empty: It has not ended in time. The worker must not be called again.
            BaseException: What the task raised.
        """
        if timeout_s <= 0:
            raise Empty
        if self._thread is None:
            self._thread = Thread(target=self._run, name="stocklstm-source", daemon=True)
            self._thread.start()
        self._calls.put(task)
        outcome: T | BaseException = self._outcomes.get(timeout=timeout_s)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def close(self) -> None:
        self._calls.put(None)

    def _run(self) -> None:
        while (task := self._calls.get()) is not None:
            outcome: object
            try:
                outcome = task()
            except BaseException as error:  # noqa: BLE001 - raised again by the caller
                outcome = error
            self._outcomes.put(outcome)
