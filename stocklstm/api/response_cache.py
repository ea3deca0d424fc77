"""Responses that are given again while nothing has changed."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stocklstm.errors import StockLstmError

LARGEST_SHARE = 4
"""Responses that take more than this part of the cache are not kept."""

# RFC 9211: tells a client, and benchmarks, that nothing was computed for it.
_HIT = (b"cache-status", b"stocklstm; hit")
_NEVER = (b"cache-status", b"stocklstm; fwd=miss; stored=?0")

# What a response takes beside its body and its query.
_BYTES_EACH = 1 << 10


class Passing(bytes):
    """A response that is not given again: what it forecasts can be recorded in a moment."""


def caching(content: bytes) -> dict[str, str]:
    """Give the headers that say who may keep an answer: nobody on its way, perhaps not even we."""
    name, value = _NEVER
    never = {name.decode(): value.decode()} if isinstance(content, Passing) else {}
    return {"cache-control": "no-store", **never}


@dataclass(frozen=True)
class _Response:
    """A response as it was sent: status and headers, body, and the route that gave it."""

    start: Message
    body: bytes
    route: object
    bytes: int


_Key = tuple[str, bytes, Hashable]


class ResponseCache:
    """ASGI application around another one.

    A response depends only on the address, its variant and the state of the store. Without this,
    reading the query of a request would take FastAPI longer than everything else.
    """

    def __init__(
        self,
        app: ASGIApp,
        state: Callable[[], Hashable],
        routes: Collection[str],
        most_bytes: int,
        variant: Callable[[Scope], Hashable] = lambda _: None,
    ) -> None:
        """Wrap an application.

        Args:
            app: Answers what is not cached.
            state: Gives a value that changes whenever a response may have changed.
            routes: Paths, as they were declared, whose responses depend on nothing else.
            most_bytes: Of the responses that are kept; those asked for longest ago go first.
            variant: Tells apart the responses of one address, as by their language.
        """
        self._app = app
        self._read_state = state
        self._routes = frozenset(routes)
        self._most_bytes = most_bytes
        self._variant = variant
        self._state: Hashable = None
        self._bytes = 0
        self._responses: OrderedDict[_Key, _Response] = OrderedDict()
        self.repeated = 0
        """Responses that were given again."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        try:
            state = self._read_state()
        except StockLstmError:
            # The application runs into the same error, and reports it.
            await self._app(scope, receive, send)
            return
        if state != self._state:
            self._state = state
            self._responses.clear()
            self._bytes = 0
        key = (scope["path"], scope["query_string"], self._variant(scope))
        found = self._responses.get(key)
        if found is None:
            await self._pass_on(scope, receive, send, key, state)
            return
        self.repeated += 1
        self._responses.move_to_end(key)
        scope["route"] = found.route
        # A copy, as others add headers of their own to it.
        await send({**found.start, "headers": [*found.start["headers"], _HIT]})
        await send({"type": "http.response.body", "body": found.body})

    async def _pass_on(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        key: _Key,
        state: Hashable,
    ) -> None:
        """Let the application answer, and keep the response if it may be given again."""
        start: Message = {}
        body = b""

        async def keep(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = dict(message)
            else:
                body += message.get("body", b"")
            await send(message)

        await self._app(scope, receive, keep)
        route = scope.get("route")
        size = _BYTES_EACH + len(body) + len(key[0]) + len(key[1])
        if (
            start.get("status") != 200
            or _NEVER in start["headers"]
            or getattr(route, "path", None) not in self._routes
            or size * LARGEST_SHARE > self._most_bytes
            or state != self._state
            or key in self._responses
        ):
            return
        self._responses[key] = _Response(start, body, route, size)
        self._bytes += size
        while self._bytes > self._most_bytes:
            self._bytes -= self._responses.popitem(last=False)[1].bytes
