"""Workers of a Dask cluster, which need share no file with this machine."""

import socket
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from stocklstm.errors import ConfigError, NetworkError, StockLstmError, TryAgainError
from stocklstm.learn.stopping import ShouldStop, StoppedError
from stocklstm.learn.workers import Call, Completed, Task, Workers

Versions = Callable[[], Mapping[str, str]]

_POLL_S = 0.1
# Between two looks at the number of workers, and at whether a task was cancelled.
_LOOK_S = 1.0
_ANSWER_S = 5.0
_CONNECT_S = 15.0
_FETCH_S = 10.0
# How long to wait without any worker: those that are restarted come back sooner.
_NO_WORKER_S = 60.0

# PyTorch's random numbers and threads are of a process: two trainings in one would mix them.
_ONE_AT_A_TIME = Lock()


class DaskWorkers(Workers):
    """Workers of a Dask cluster; the scheduler gives the tasks of a lost one to others."""

    def __init__(
        self, address: str, versions: Versions, on_note: Callable[[str], None] = lambda _: None
    ) -> None:
        """Take the address of the scheduler, such as tcp://host:8786.

        Args:
            address: Connected to with each `run`.
            versions: Function of a module that lists the packages that shape a result, with their
                versions; they must be the same here and there.
            on_note: Called with what a person may want to know of the cluster.
        """
        self.address = address
        self.versions = versions
        self.on_note = on_note

    def run(
        self, task: Task, calls: Iterable[Call], should_stop: ShouldStop
    ) -> Generator[Completed]:
        """See `Workers.run`.

        Raises:
            ConfigError: Dask is not installed, the address is invalid, or a worker has other
                versions.
            NetworkError: Nobody answers there, or there is no worker.
        """
        with _connected(self.address) as client:
            self._check(client)
            calls_made = _DaskCalls(self, client, task, iter(calls))
            yield from calls_made.completed(should_stop)

    def _check(self, client: Any) -> None:  # noqa: ANN401 - Dask's types are not checked
        here = dict(self.versions())
        try:
            client.wait_for_workers(1, timeout=_CONNECT_S)
        except TimeoutError as error:
            raise _no_worker(self.address) from error
        for worker, there in client.run(self.versions, on_error="return").items():
            _require_same(here, there, worker)
        crowded = [worker for worker, threads in client.nthreads().items() if threads > 1]
        if crowded:
            self.on_note(
                f"{len(crowded)} workers have several threads, and use one: a process trains one "
                "network at a time; dask worker --nworkers N --nthreads 1 uses all"
            )


def _told_by_scheduler() -> ShouldStop:
    """Make the stop condition of the Dask task that this thread runs.

    It was cancelled, or its client is gone: the scheduler tells the worker, which cannot stop a
    thread of its own but knows the state of the task.
    """
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()
    next_look = time.monotonic()

    def told() -> bool:
        nonlocal next_look
        if time.monotonic() < next_look:
            return False
        next_look = time.monotonic() + _LOOK_S
        task = worker.state.tasks.get(key)
        return task is None or task.state == "cancelled"

    return told


def run_task(
    task: Task, versions: Versions, expected: Mapping[str, str], arguments: tuple[Any, ...]
) -> Any:  # noqa: ANN401 - whatever the task returns
    """Run a task on a Dask worker, whose versions must be the expected ones.

    They were compared before, but this worker may have come later.
    """
    from distributed import get_worker

    _require_same(expected, dict(versions()), get_worker().address)
    should_stop = _told_by_scheduler()
    with _ONE_AT_A_TIME:
        return task(*arguments, should_stop)


class _DaskCalls:
    """The calls of one `DaskWorkers.run`."""

    def __init__(
        self,
        workers: DaskWorkers,
        client: Any,  # noqa: ANN401
        task: Task,
        calls: Iterator[Call],
    ) -> None:
        self.workers = workers
        self.client = client
        self.task = task
        self.calls = calls
        self.expected = dict(workers.versions())
        self.under_way: dict[str, tuple[Any, Call]] = {}
        self.ready: SimpleQueue[Any] = SimpleQueue()
        self.room = 0
        self.next_look = self.last_seen = time.monotonic()

    def completed(self, should_stop: ShouldStop) -> Iterator[Completed]:
        while True:
            if should_stop():
                yield from self._end_all(StoppedError())
                return
            if not self._count_workers():
                yield from self._end_all(_no_worker(self.workers.address))
                return
            self._hand_out()
            if not self.under_way:
                return
            with suppress(Empty):
                yield from self._completed(self.ready.get(timeout=_POLL_S))

    def _count_workers(self) -> bool:
        """Count the workers; tell whether to go on waiting for one."""
        now = time.monotonic()
        if now >= self.next_look:
            with suppress(OSError, TimeoutError):
                # One more for each, so that none waits while a result is looked at.
                self.room = 2 * len(self.client.nthreads())
            self.next_look = now + _LOOK_S
            self.last_seen = now if self.room else self.last_seen
        return now < self.last_seen + _NO_WORKER_S

    def _hand_out(self) -> None:
        while len(self.under_way) < self.room:
            call = next(self.calls, None)
            if call is None:
                return
            future = self.client.submit(
                run_task,
                self.task,
                self.workers.versions,
                self.expected,
                call.arguments,
                # The result of a task with the same key would be taken for this one's.
                key=f"stocklstm-{call.key}-{uuid4().hex}",
            )
            self.under_way[future.key] = future, call
            future.add_done_callback(self.ready.put)

    def _completed(self, future: Any) -> Iterator[Completed]:  # noqa: ANN401
        _, call = self.under_way[future.key]
        try:
            completed = Completed(call.key, future.result(timeout=_FETCH_S))
        except TimeoutError:
            # The worker that holds the result is gone; another one makes it again.
            future.add_done_callback(self.ready.put)
            return
        except Exception as error:  # noqa: BLE001 - whatever it raised is given on
            completed = Completed(call.key, error=self._translated(error))
        del self.under_way[future.key]
        yield completed

    def _translated(self, error: Exception) -> Exception:
        from distributed.client import FutureCancelledError
        from distributed.scheduler import KilledWorker

        translated: StockLstmError
        if isinstance(error, KilledWorker):
            translated = TryAgainError(
                f"it was given up: {error.allowed_failures + 1} workers ended as they trained it, "
                "perhaps for want of memory",
                hint="try again with more memory for a worker",
            )
        elif isinstance(error, FutureCancelledError):
            translated = NetworkError(
                f"the scheduler at {self.workers.address} is gone, and this training with it",
                hint="start it again, and give the same command for what is missing",
            )
        else:
            return error
        translated.__cause__ = error
        return translated

    def _end_all(self, error: StockLstmError | StoppedError) -> Iterator[Completed]:
        with suppress(OSError, TimeoutError):
            self.client.cancel([future for future, _ in self.under_way.values()], force=True)
        for _, call in self.under_way.values():
            yield Completed(call.key, error=error)


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    try:
        import dask

        # It would write about every lost connection on stderr.
        with dask.config.set({"logging": {"distributed": "critical"}}):
            from distributed import Client
    except ImportError as error:
        raise ConfigError(
            "--scheduler needs Dask, which is not installed",
            hint="pip install 'stocklstm[distributed]'",
        ) from error
    if _require_answer(address) == "tls":
        _require_certificates(address)
    try:
        client = Client(address, timeout=_CONNECT_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError) as error:
        raise _no_answer(address) from error
    except (ValueError, TypeError, RuntimeError) as error:
        raise _no_address(address, f"{error}") from error
    with client:
        yield client


def parse_address(address: str) -> tuple[str, str, int]:
    """Read the address of a scheduler: its protocol ("tcp" or "tls"), host and port.

    Raises:
        ConfigError: It is of another form.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _no_address(address, f"{error}") from error
    if parts.scheme not in {"tcp", "tls"} or host is None or port is None:
        raise _no_address(address, "it is of another form")
    return parts.scheme, host, port


def _require_answer(address: str) -> str:
    """Connect once, sooner than Dask gives up, and return the protocol, "tcp" or "tls"."""
    protocol, host, port = parse_address(address)
    try:
        socket.create_connection((host, port), _ANSWER_S).close()
    except OSError as error:
        raise _no_answer(address) from error
    return protocol


def _require_certificates(address: str) -> None:
    from distributed import Security

    if Security().get_connection_args("client").get("ssl_context") is None:  # type: ignore[no-untyped-call]
        raise ConfigError(
            f"{address} needs certificates, and Dask was told of none",
            hint="docs/cluster.md says how: DASK_DISTRIBUTED__COMM__TLS__CA_FILE, …",
        )


def _no_address(address: str, reason: str) -> ConfigError:
    return ConfigError(
        f"{address[:80]!a} is no address of a Dask scheduler: {reason}",
        hint="write it as tcp://host:8786 or tls://host:8786",
    )


def _no_answer(address: str) -> NetworkError:
    return NetworkError(
        f"no Dask scheduler answers at {address}",
        hint="dask scheduler starts one, and says its address",
    )


def _require_same(here: Mapping[str, str], there: object, worker: str) -> None:
    if not isinstance(there, Mapping):
        raise ConfigError(
            f"the worker {worker} cannot run stocklstm: {type(there).__name__}: {there}",
            hint=f"install stocklstm {here.get('stocklstm')} where the worker runs",
        )
    for name, version in here.items():
        if there.get(name) != version:
            raise ConfigError(
                f"the worker {worker} has {name} {there.get(name)}, and here is {version}: what "
                "it trains would not be what is trained here",
                hint=f"install {name} {version} where the worker runs",
            )


def _no_worker(address: str) -> NetworkError:
    return NetworkError(
        f"the scheduler at {address} has no worker",
        hint=f"dask worker {address} --nthreads 1 starts one",
    )
