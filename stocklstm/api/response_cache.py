"""Responses that are given again while nothing has changed."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stocklstm.errors import StockLstmError

MOST_RESPONSES = 256
"""Responses that are kept while nothing changes."""

MOST_BYTES = 256 << 10
"""Larger responses are not kept."""


@dataclass(frozen=True)
class _Response:
    """A response as it was sent: status and headers, body, and the route that gave it."""

    start: Message
    body: bytes
    route: object


class ResponseCache:
    """ASGI application around another one.

    A response depends only on the address and the state of the store. Without this, reading the
    query of a request would take FastAPI longer than everything else.
    """

    def __init__(
        self, app: ASGIApp, state: Callable[[], Hashable], routes: Collection[str]
    ) -> None:
        """Wrap an application.

        Args:
            app: Answers what is not cached.
            state: Gives a value that changes whenever a response may have changed.
            routes: Paths, as they were declared, whose responses depend on nothing else.
        """
        self._app = app
        self._read_state = state
        self._routes = frozenset(routes)
        self._state: Hashable = None
        self._responses: OrderedDict[tuple[str, bytes], _Response] = OrderedDict()
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
        key = (scope["path"], scope["query_string"])
        found = self._responses.get(key)
        if found is None:
            await self._pass_on(scope, receive, send, key, state)
            return
        self.repeated += 1
        self._responses.move_to_end(key)
        scope["route"] = found.route
        # A copy, as others add headers of their own to it.
        await send(dict(found.start))
        await send({"type": "http.response.body", "body": found.body})

    async def _pass_on(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        key: tuple[str, bytes],
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
        if (
            start.get("status") != 200
            or getattr(route, "path", None) not in self._routes
            or len(body) > MOST_BYTES
            or state != self._state
        ):
            return
        self._responses[key] = _Response(start, body, route)
        while len(self._responses) > MOST_RESPONSES:
            self._responses.popitem(last=False)
