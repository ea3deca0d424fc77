"""Uvicorn, with a time limit for slow request heads, and the signal that ended it."""

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from types import FrameType

import h11
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from stocklstm.api.problems import RETRY_AFTER_S, http_problem
from stocklstm.api.routes import create_app
from stocklstm.api.server_log import log_to_stderr
from stocklstm.api.server_options import Limits, ServerOptions
from stocklstm.core.exits import STOP_SIGNALS
from stocklstm.core.operating_system import system
from stocklstm.errors import ConfigError, TryAgainError

_SWITCH_S = 0.0002


@dataclass(frozen=True)
class Serving:
    """A server that has begun to listen.

    Attributes:
        url: Address to open.
        host: Address it listens on.
        port: Port it listens on.
        token: True if it wants one.
        pid: Of its process.
    """

    url: str
    host: str
    port: int
    token: bool
    pid: int


def serve(options: ServerOptions, announce: Callable[[Serving], None]) -> int:
    """Listen and answer until a signal says stop.

    Args:
        options: Address, token, store and limits.
        announce: Called once it listens and its models are loaded.

    Returns:
        The signal that ended it: SIGTERM, SIGINT or SIGHUP.
    """
    log_to_stderr()
    with _listening(options) as listener:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        serving = Serving(
            f"http://{shown}:{port}", host, port, options.token is not None, os.getpid()
        )
        # What is remembered is given by one thread, which otherwise waits 5 ms for those that
        # compute, each time that it has asked the system for something.
        sys.setswitchinterval(_SWITCH_S)
        server = _Server(_uvicorn_config(options), lambda: announce(serving))
        server.run(sockets=[listener])
        return server.ended_by


def _uvicorn_config(options: ServerOptions) -> uvicorn.Config:
    limits = options.limits
    return uvicorn.Config(
        create_app(options),
        http=_protocol(limits),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=int(limits.header_s),
        timeout_graceful_shutdown=int(limits.drain_s),
        h11_max_incomplete_event_size=limits.head_bytes,
    )


@contextmanager
def _listening(options: ServerOptions) -> Iterator[socket.socket]:
    try:
        family = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((options.host, options.port), family=family, backlog=512)
    except OSError as error:
        raise _cannot_listen(options, error) from error
    with listener:
        # Connections take it over. asyncio would set it for sockets of its own making only, and
        # without it the body of an answer waits 40 ms for the head to be acknowledged.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener


def _cannot_listen(options: ServerOptions, error: OSError) -> ConfigError | TryAgainError:
    where = f"{options.host}:{options.port}"
    if error.errno == errno.EADDRINUSE:
        return TryAgainError(
            f"{where} is in use by another program",
            hint="stop it, or name another port with --port; --port 0 takes one that is free",
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return ConfigError(
            f"listening on {where} is not allowed", hint="take a port above 1023 with --port"
        )
    return ConfigError(
        f"cannot listen on {where}: {error.strerror or error}",
        hint="--host is an address of this machine, such as 127.0.0.1",
    )


class _Server(uvicorn.Server):
    """A server that announces when it is ready, and does not raise the signal again at its end."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce
        self.ended_by = int(signal.SIGTERM)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # What is ignored stays so, as of a server that a script has started in the background.
        before = {
            kind: signal.signal(kind, self.handle_exit)
            for kind in STOP_SIGNALS
            if signal.getsignal(kind) is not signal.SIG_IGN
        }
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        again = self.should_exit and sig == self.ended_by != _HANG_UP
        self.ended_by = sig
        super().handle_exit(sig, frame)
        if again:
            self.force_exit = True


# Sent twice where a terminal is closed, by its shell and by the system.
_HANG_UP = system().hang_up


class _Protocol(H11Protocol):
    """HTTP/1.1 with limits on the head of each request and on connections; refusals are problems.

    The head has to arrive within a time from the moment it could begin: Uvicorn waits for ever for
    its first byte, and again once that is there.
    """

    most_connections: int
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # A few above the limit are told so; more than those are not even listened to.
        if len(self.connections) > self.most_connections + _TOLD:
            transport.abort()
        else:
            self._wait()

    def data_received(self, data: bytes) -> None:
        crowded = len(self.connections) >= self.most_connections
        self.app = _crowded if crowded else self.config.loaded_app
        super().data_received(data)
        # Until the first head is there uvicorn has no cycle, whatever its annotation says.
        if getattr(self.cycle, "response_complete", True):
            if self._waiting is None:
                self._wait()
        else:
            self._stop_waiting()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - as Uvicorn calls it
        # Called while the error is handled.
        large = getattr(sys.exception(), "error_status_hint", 400) == 431
        problem = (
            http_problem(431, "the head of the request is too large")
            if large
            else http_problem(400, "this is not HTTP/1.1")
        )
        if self.cycle is not None:
            # An answer may be under way, and would come after this one.
            self.cycle.disconnected = True
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            response = problem.response("")
            head = [*response.raw_headers, (b"connection", b"close")]
            reason = HTTPStatus(problem.status).phrase.encode()
            for event in (
                h11.Response(status_code=problem.status, headers=head, reason=reason),
                h11.Data(data=bytes(response.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._stop_waiting()
        if self.conn.trailing_data[0] and not self.transport.is_closing():
            # The next head has begun to arrive already.
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self.timeout_keep_alive, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if not self.transport.is_closing():
            self.transport.close()


_TOLD = 64


def _protocol(limits: Limits) -> type[_Protocol]:
    return type("Protocol", (_Protocol,), {"most_connections": limits.connections})


async def _crowded(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer on a connection too many."""
    words, retry = "too many connections are open", {"retry-after": f"{RETRY_AFTER_S}"}
    response = http_problem(503, words, headers=retry).response(scope["path"])
    response.headers["connection"] = "close"
    await response(scope, receive, send)
