"""Workers of a Dask cluster, which need share no file with this machine, and are not believed.

Dask itself sends results, types and errors as pickles, which are programs. Here nothing that comes
from a cluster is unpickled but the type `bytes`: a task answers with bytes, also where it fails.
"""

import io
import logging
import pickle
import socket
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec

from stocklstm import errors
from stocklstm.errors import (
    ArtifactCorruptError,
    ConfigError,
    MissingPackageError,
    NetworkError,
    StockLstmError,
    TrainingDivergedError,
    TryAgainError,
    UnexpectedError,
)
from stocklstm.learn.stopping import ShouldStop, StoppedError
from stocklstm.learn.workers import Call, Completed, Task, Workers

Versions = Callable[[], Mapping[str, str]]

_POLL_S = 0.1
# Between two looks at the cluster, and at whether a task was cancelled.
_LOOK_S = 1.0
_ANSWER_S = 5.0
_CONNECT_S = 15.0
_FETCH_S = 10.0
# How long to wait without any worker, or any answer: those that are restarted come back sooner.
_NO_WORKER_S = 60.0
# Looks at which the scheduler says that a task is over, or unknown, and has not told the client.
_MOST_LOOKS = 5
# Each lost worker costs one.
_MOST_FETCHES = 4
# A network of the largest settings with twenty checkpoints.
_MOST_ANSWER_BYTES = 1 << 30
_MOST_WORDS = 2_000

# PyTorch's random numbers and threads are of a process: two trainings in one would mix them.
_ONE_AT_A_TIME = Lock()
# What Dask unpickles is decided for a whole process.
_ONE_CLUSTER = Lock()


class _Words(msgspec.Struct, frozen=True):
    """An error of a worker: the name of its class in `stocklstm.errors`, and what it says."""

    kind: str
    message: str


class _Answer(msgspec.Struct, frozen=True):
    """What a worker sends back: what the task returned, or why it did not."""

    made: bytes | None = None
    error: _Words | None = None


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

        Args:
            task: Returns bytes. What it raises comes back as words.
            calls: Of the task.
            should_stop: Asked all the time.

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
        try:
            threads = _asked(client, client.scheduler.ncores)
            # Not `client.run`, which would wait for ever.
            told = _asked(client, client._run, _told_versions, self.versions, on_error="return")  # noqa: SLF001
        except (OSError, TimeoutError) as error:
            raise _no_answer(self.address) from error
        except Exception as error:
            # Something else than bytes, which may be anything.
            raise ConfigError(
                "a worker of the cluster does not say which versions it has",
                hint=f"install stocklstm {here.get('stocklstm')} where the workers run",
            ) from error
        for worker, there in told.items():
            _require_same(here, _read_versions(there), worker)
        if crowded := [worker for worker, count in threads.items() if count > 1]:
            self.on_note(
                f"{len(crowded)} workers have several threads, and use one: a process trains one "
                "network at a time; dask worker --nworkers N --nthreads 1 uses all"
            )


def _asked(client: Any, question: Callable[..., Any], *args: Any, **options: Any) -> Any:  # noqa: ANN401
    """Ask a scheduler, and wait only so long for its answer."""
    return client.sync(question, *args, callback_timeout=_CONNECT_S, **options)


def _told_versions(versions: Versions) -> bytes:
    """Say on a worker what is installed there."""
    return msgspec.msgpack.encode(dict(versions()))


def _read_versions(told: object) -> object:
    """Read what a worker says of itself; an error stays what it is."""
    if not isinstance(told, bytes):
        return told
    try:
        return msgspec.msgpack.decode(told, type=dict[str, str])
    except (msgspec.MsgspecError, RecursionError) as error:
        return error


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
) -> bytes:
    """Run a task on a Dask worker, whose versions must be the expected ones.

    They were compared before, but this worker may have come later.

    Returns:
        What `_read_answer` reads: what was made, or words.
    """
    from distributed import get_worker

    answer: _Answer
    try:
        _require_same(expected, dict(versions()), get_worker().address)
        should_stop = _told_by_scheduler()
        with _ONE_AT_A_TIME:
            answer = _Answer(made=task(*arguments, should_stop))
    except StockLstmError as error:
        answer = _Answer(error=_Words(type(error).__name__, error.message))
    except Exception as error:  # noqa: BLE001 - not everything that is raised can be pickled
        answer = _Answer(error=_Words("", f"{type(error).__name__}: {error}"))
    return msgspec.msgpack.encode(answer)


def _read_answer(key: int, content: object) -> Completed:
    """Read what `run_task` returned on a worker, or what else came in its place."""
    if not isinstance(content, bytes) or len(content) > _MOST_ANSWER_BYTES:
        return Completed(key, error=_no_answer_at_all(f"{type(content).__name__}, or too much"))
    try:
        answer = msgspec.msgpack.decode(content, type=_Answer)
    except (msgspec.MsgspecError, RecursionError) as error:
        return Completed(key, error=_no_answer_at_all(f"{error}"))
    if answer.error is not None:
        return Completed(key, error=_worded(answer.error))
    if answer.made is None:
        return Completed(key, error=_no_answer_at_all("it is nothing"))
    return Completed(key, answer.made)


def _no_answer_at_all(reason: str) -> ArtifactCorruptError:
    return ArtifactCorruptError(
        f"what a worker of the cluster sent back is not read: {reason}", hint=_HERE
    )


# What to do next is not for a worker to say.
_HERE = "the same command without --scheduler does it on this machine"
_HINTS: Mapping[type[StockLstmError], str] = {
    TrainingDivergedError: "train with a smaller --learning-rate, such as 0.001"
}


def _worded(words: _Words) -> StockLstmError:
    """Make an error of words that came from a worker."""
    text = "".join(letter if letter.isprintable() else "?" for letter in words.message)
    kind = getattr(errors, words.kind, None)
    if not (isinstance(kind, type) and issubclass(kind, StockLstmError)):
        kind, text = UnexpectedError, f"a worker of the cluster failed: {text}"
    error = StockLstmError.__new__(kind)
    StockLstmError.__init__(error, text[:_MOST_WORDS], hint=_HINTS.get(kind, _HERE))
    return error


@dataclass
class _UnderWay:
    """A call that a worker has, or that waits for one."""

    future: Any
    call: Call
    fetches: int = 0


@dataclass
class _DaskCalls:
    """The calls of one `DaskWorkers.run`."""

    workers: DaskWorkers
    client: Any
    task: Task
    calls: Iterator[Call]
    under_way: dict[str, _UnderWay] = field(default_factory=dict)
    ready: SimpleQueue[Any] = field(default_factory=SimpleQueue)
    room: int = 0
    all_taken: bool = False
    # How often the scheduler has said that it knows nothing more of a task, by its key.
    silences: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.expected = dict(self.workers.versions())
        self.next_look = self.last_seen = time.monotonic()

    def completed(self, should_stop: ShouldStop) -> Iterator[Completed]:
        while True:
            if should_stop():
                yield from self._end_all(StoppedError())
                return
            if time.monotonic() >= self.next_look:
                yield from self._look()
            if time.monotonic() >= self.last_seen + _NO_WORKER_S:
                error = _no_worker(self.workers.address)
                yield from self._end_all(error)
                yield from (Completed(call.key, error=error) for call in self.calls)
                return
            self._hand_out()
            if self.all_taken and not self.under_way:
                return
            with suppress(Empty):
                yield from self._completed(self.ready.get(timeout=_POLL_S))

    def _look(self) -> Iterator[Completed]:
        """Count the workers, and give up what the scheduler has lost."""
        try:
            # One more for each, so that none waits while a result is looked at.
            self.room = 2 * len(_asked(self.client, self.client.scheduler.ncores))
            keys = [key for key, each in self.under_way.items() if not each.future.done()]
            question = self.client.scheduler.get_task_status
            states = _asked(self.client, question, keys=keys) if keys else {}
        except (OSError, TimeoutError):
            return
        finally:
            self.next_look = time.monotonic() + _LOOK_S
        if self.room:
            self.last_seen = time.monotonic()
        for key in keys:
            # It has ended, or is not known; the client would wait for ever to hear of it.
            if states.get(key) in {None, "memory", "erred", "forgotten"}:
                self.silences[key] += 1
                if self.silences[key] >= _MOST_LOOKS:
                    yield self._given_up(key, "the scheduler has lost it")
            else:
                del self.silences[key]

    def _hand_out(self) -> None:
        while len(self.under_way) < self.room:
            call = next(self.calls, None)
            if call is None:
                self.all_taken = True
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
            self.under_way[future.key] = _UnderWay(future, call)
            future.add_done_callback(self.ready.put)

    def _completed(self, future: Any) -> Iterator[Completed]:  # noqa: ANN401
        each = self.under_way.get(future.key)
        if each is None:
            return
        try:
            completed = _read_answer(each.call.key, future.result(timeout=_FETCH_S))
        except TimeoutError:
            each.fetches += 1
            if each.fetches >= _MOST_FETCHES:
                yield self._given_up(future.key, "its result cannot be fetched")
            else:
                # The worker that holds the result is gone; another one makes it again.
                future.add_done_callback(self.ready.put)
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, this call has ended
            completed = Completed(each.call.key, error=self._translated(error))
        del self.under_way[future.key]
        yield completed

    def _given_up(self, key: str, why: str) -> Completed:
        each = self.under_way.pop(key)
        each.future.release()
        error = TryAgainError(f"it was given up: {why}", hint="give the same command again")
        return Completed(each.call.key, error=error)

    def _translated(self, error: Exception) -> Exception:
        from distributed.client import FutureCancelledError

        translated: StockLstmError
        if isinstance(error, _KilledWorkerError):
            translated = TryAgainError(
                "it was given up: several workers ended as they trained it, perhaps for want of "
                "memory",
                hint="try again with more memory for a worker",
            )
        elif isinstance(error, FutureCancelledError):
            translated = NetworkError(
                f"the scheduler at {self.workers.address} is gone, and this training with it",
                hint="start it again, and give the same command for what is missing",
            )
        else:
            translated = _no_answer_at_all("it is something else than bytes")
        translated.__cause__ = error
        return translated

    def _end_all(self, error: StockLstmError | StoppedError) -> Iterator[Completed]:
        futures = [each.future for each in self.under_way.values()]
        with suppress(OSError, TimeoutError):
            # Not `client.cancel`, which would wait for ever.
            _asked(self.client, self.client._cancel, futures, force=True)  # noqa: SLF001
        for each in self.under_way.values():
            yield Completed(each.call.key, error=error)


# What Dask may unpickle


class _KilledWorkerError(Exception):
    """The scheduler has given a task up whose workers were lost, one after the other."""


def _load_nothing(content: bytes, *, buffers: object = ()) -> object:  # noqa: ARG001 - not looked at
    """Read the pickles of a cluster, in the place of `pickle.loads`: nothing is executed.

    Raises:
        TypeError: It is something else than `bytes`, the type, or plain values.
    """
    from stocklstm.learn.pickles import PICKLE_ERRORS, Inert, WordsUnpickler

    try:
        value = WordsUnpickler(io.BytesIO(bytes(content))).load()
    except PICKLE_ERRORS as error:
        raise TypeError(f"a pickle that is not read: {error}") from error
    if isinstance(value, Inert):
        names = [value.name]
        # Errors may travel inside of a call that would make them.
        names += [part.name for part in value.state.get("arguments", ()) if isinstance(part, Inert)]
        if names == ["builtins.bytes"]:
            return bytes
        if "distributed.scheduler.KilledWorker" in names:
            return _KilledWorkerError()
        raise TypeError(f"an object of {value.name[:80]!a}, which is not read")
    return value


@contextmanager
def _nothing_unpickled() -> Iterator[None]:
    """Let Dask read no pickle but what `_load_nothing` reads; that counts for all clients here."""
    from distributed.protocol import pickle as module

    # All that Dask unpickles, types, errors and results, goes through this module.
    dask_pickle: Any = module
    restricted = SimpleNamespace(**{**vars(pickle), "loads": _load_nothing})
    with _ONE_CLUSTER:
        before = dask_pickle.pickle
        dask_pickle.pickle = restricted
        try:
            yield
        finally:
            dask_pickle.pickle = before


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    try:
        import dask

        # It would write about every lost connection on stderr, and about all that it cannot read.
        quiet = dict.fromkeys(("distributed", "distributed.client"), logging.CRITICAL + 1)
        with dask.config.set({"logging": quiet}):
            from distributed import Client
    except ImportError as error:
        raise MissingPackageError(
            "--scheduler needs Dask, which is not installed",
            hint="pip install 'stocklstm[distributed]'",
        ) from error

    class DeafClient(Client):
        """Prints and warns of nothing that a worker would like to be printed."""

        def subscribe_topic(self, topic: str, handler: object) -> None:
            """Subscribe to nothing."""

    if _require_answer(address) == "tls":
        _require_certificates(address)
    with _nothing_unpickled():
        try:
            client = DeafClient(address, timeout=_CONNECT_S, set_as_default=False)  # type: ignore[no-untyped-call]
        except (OSError, TimeoutError) as error:
            raise _no_answer(address) from error
        except (ValueError, TypeError, RuntimeError) as error:
            raise _no_address(address, f"{error}") from error
        try:
            yield client
        finally:
            client.close(timeout=_ANSWER_S)  # type: ignore[no-untyped-call]


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
            hint="docs/how-to/cluster.md says how: DASK_DISTRIBUTED__COMM__TLS__CA_FILE, …",
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
