"""Checks that every request passes first: host name, token, size and time."""

import asyncio
import base64
import binascii
import logging
import math
import time
from collections.abc import Callable, Mapping

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stocklstm.api.metrics import Metrics
from stocklstm.api.problems import (
    RETRY_AFTER_S,
    Problem,
    bug_problem,
    http_problem,
    plain_answer,
)
from stocklstm.api.server_options import Limits, ServerOptions

HEALTH = "/health"

_log = logging.getLogger("stocklstm.api")

_HEADERS = [(b"x-content-type-options", b"nosniff")]

# Nothing is loaded from elsewhere, no script runs, and no other page may frame these.
_PAGE_HEADERS = [
    *_HEADERS,
    (
        b"content-security-policy",
        (
            b"default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
            b"form-action 'self'; frame-ancestors 'none'"
        ),
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]


class _TooLargeError(Exception):
    """The body is larger than the limit."""


class _DisconnectedError(Exception):
    """The client went away before its request was complete."""


class Guard:
    """ASGI application around another one.

    A request with a wrong host name or token, or of a wrong size, is refused before its body is
    read, and takes no place of those that are answered. The body is read here, whole and within its
    time limit, so that no handler waits for a slow client.
    """

    def __init__(
        self,
        app: ASGIApp,
        options: ServerOptions,
        metrics: Metrics,
        is_up: Callable[[], Response],
        answer_problem: Callable[[Problem, Scope], Response] = plain_answer,
    ) -> None:
        """Wrap an application.

        Args:
            app: Answers who may ask.
            options: Who may, and the limits.
            metrics: Counts the requests.
            is_up: Tells a stranger whether the server can forecast, at no cost.
            answer_problem: Gives the response to a request that is refused.
        """
        self._app = app
        self._is_up = is_up
        self._answer_problem = answer_problem
        self._options = options
        self._limits: Limits = options.limits
        self._names = options.host_names
        self._metrics = metrics
        self._in_flight = 0
        self._strangers = Turns(options.limits.strangers_per_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] != "http":
            # Lifespan events pass; web sockets are not served.
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        answer = _ResponseSender(send)
        method = scope["method"]
        if method == "HEAD":
            # Uvicorn, which has the scope as it was, leaves out the body.
            scope = {**scope, "method": "GET"}
        try:
            async with asyncio.timeout(self._limits.answer_s):
                await self._answer(scope, receive, answer)
        except TimeoutError:
            words = f"no answer within {self._limits.answer_s:g} s"
            await self._refuse(http_problem(503, words, headers=_RETRY), scope, answer)
        except _DisconnectedError:
            pass
        except Exception:  # noqa: BLE001 - a bug must not end the server
            _log.exception("a bug in stocklstm, in answering %a", scope["path"][:200])
            await self._refuse(bug_problem(), scope, answer)
        finally:
            self._metrics.count(scope, method, answer.status, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, answer: "_ResponseSender") -> None:
        headers = {name: value for name, value in scope["headers"]}  # noqa: C416 - the last counts
        trusted = self._trusted(headers)
        problem = self._refusal(scope, headers, trusted=trusted)
        if not trusted and (wait_s := self._strangers.wait_s()) > 0:
            await asyncio.sleep(wait_s)
        if problem is not None:
            await self._refuse(problem, scope, answer)
        elif not trusted:
            await self._is_up()(scope, _disconnected, answer.send)
        elif self._in_flight >= self._limits.in_flight:
            words = f"{self._limits.in_flight} requests are under way"
            await self._refuse(http_problem(503, words, headers=_RETRY), scope, answer)
        else:
            self._count_in_flight(1)
            try:
                await self._pass_on(scope, headers, receive, answer)
            finally:
                self._count_in_flight(-1)

    def _count_in_flight(self, more: int) -> None:
        self._in_flight += more
        self._metrics.in_flight.set(self._in_flight)

    async def _pass_on(
        self,
        scope: Scope,
        headers: Mapping[bytes, bytes],
        receive: Receive,
        answer: "_ResponseSender",
    ) -> None:
        if not _has_body(headers):
            await self._app(scope, receive, answer.send)
            return
        try:
            async with asyncio.timeout(self._limits.body_s):
                body = await self._body(receive)
        except TimeoutError:
            words = f"the body did not arrive within {self._limits.body_s:g} s"
            await self._refuse(http_problem(408, words), scope, answer)
        except _TooLargeError:
            await self._refuse(self._too_large(), scope, answer)
        else:
            await self._app(scope, _Replay(body, receive), answer.send)

    def _refusal(
        self, scope: Scope, headers: Mapping[bytes, bytes], *, trusted: bool
    ) -> Problem | None:
        """Return the first reason to refuse a request, before its body is read; None if none."""
        if scope["http_version"] not in {"1.0", "1.1"}:
            return http_problem(400, "this server speaks HTTP/1.1")
        if b"transfer-encoding" in headers and (
            b"content-length" in headers or scope["http_version"] == "1.0"
        ):
            # Whoever stands in front may take another end of it for the right one, and what
            # follows for the request of somebody else.
            return http_problem(400, "Transfer-Encoding goes with HTTP/1.1 and no Content-Length")
        host = headers.get(b"host", b"").decode("latin-1")
        if self._names is not None and _without_port(host) not in self._names:
            return http_problem(
                421,
                f"this server does not go by the name {host[:100]!a}",
                hint="name it with stocklstm serve --allow-host NAME",
            )
        if not trusted and (
            scope["path"] != HEALTH or scope["method"] != "GET" or _has_body(headers)
        ):
            return http_problem(
                401,
                "send the token that the server was started with",
                hint="Authorization: Bearer TOKEN, or as the password in a browser",
                headers={"www-authenticate": 'Bearer realm="stocklstm", Basic realm="stocklstm"'},
            )
        # h11 takes a head of any size that arrives in one piece.
        head = len(scope["raw_path"]) + len(scope["query_string"])
        if head + sum(len(n) + len(v) for n, v in scope["headers"]) > self._limits.head_bytes:
            return http_problem(
                431, f"the head of a request has at most {self._limits.head_bytes:,} bytes"
            )
        return self._body_refusal(headers) if _has_body(headers) else None

    def _body_refusal(self, headers: Mapping[bytes, bytes]) -> Problem | None:
        """Return the reason to refuse a body before any of it is read."""
        if _declared_length(headers) > self._limits.body_bytes:
            return self._too_large()
        if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != _JSON:
            return http_problem(415, "the body must be JSON, with Content-Type: application/json")
        return None

    def _trusted(self, headers: Mapping[bytes, bytes]) -> bool:
        token = self._options.token
        return token is None or token.matches(_given_token(headers.get(b"authorization", b"")))

    def _too_large(self) -> Problem:
        return http_problem(
            413, f"the body of a request has at most {self._limits.body_bytes:,} bytes"
        )

    async def _body(self, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise _DisconnectedError
            part = message.get("body", b"")
            size += len(part)
            if size <= self._limits.body_bytes:
                parts.append(part)
            last = not message.get("more_body", False)
            # A client that is cut off while it still sends may never read why: discard the rest.
            if size > self._limits.body_bytes and (last or size > self._limits.discarded_bytes):
                raise _TooLargeError
            if last:
                return b"".join(parts)

    async def _refuse(self, problem: Problem, scope: Scope, answer: "_ResponseSender") -> None:
        """Answer with a problem, and close the connection."""
        if answer.status is not None:
            return
        response = self._answer_problem(problem, scope)
        # The rest of the body is not waited for.
        response.headers["connection"] = "close"
        await response(scope, _disconnected, answer.send)


class Turns:
    """Gives each who comes a moment of its own, so many a second; a second's worth at once.

    Whoever sends without end is answered no more often, and others hardly wait for the answers.
    """

    def __init__(self, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._each_s = 1 / per_s
        self._clock = clock
        self._last = -math.inf

    def wait_s(self) -> float:
        """Take a turn; give the seconds until it comes, at most 0 for now."""
        now = self._clock()
        self._last = max(self._last + self._each_s, now - 1)
        return self._last - now


_RETRY = {"retry-after": f"{RETRY_AFTER_S}"}
_JSON = b"application/json"


class _ResponseSender:
    """Passes a response on, with the headers that every one carries."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message.get("headers", ())
            page = any(name == b"content-type" and b"html" in value for name, value in headers)
            message["headers"] = [*headers, *(_PAGE_HEADERS if page else _HEADERS)]
        await self._send(message)


class _Replay:
    """Gives a body that was read already, then what arrives on the connection."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def _disconnected() -> Message:
    return {"type": "http.disconnect"}


def _has_body(headers: Mapping[bytes, bytes]) -> bool:
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


def _declared_length(headers: Mapping[bytes, bytes]) -> int:
    # h11 has refused anything but a number.
    return int(headers.get(b"content-length", b"0"))


def _without_port(host: str) -> str:
    """Return the name of a Host header, lower case, an IPv6 address in its brackets."""
    name, colon, port = host.rpartition(":")
    bare = name if colon and (port.isdigit() or not port) else host
    return bare.lower().rstrip(".")


def _given_token(authorization: bytes) -> bytes:
    """Return the token of an Authorization header; empty if there is none.

    A browser cannot send a bearer token, but asks for a name and a password.
    """
    scheme, _, rest = authorization.partition(b" ")
    if scheme.lower() == b"bearer":
        return rest.strip()
    if scheme.lower() != b"basic":
        return b""
    try:
        return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
    except binascii.Error:
        return b""
