"""The same answer again while nothing has changed: for whoever asks often."""

from collections import OrderedDict
from collections.abc import Collection, Hashable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stocklstm.api.service import Service
from stocklstm.errors import StockLstmError

MOST_ANSWERS = 256
"""Answers that are kept while nothing changes."""

MOST_BYTES = 256 << 10
"""Larger answers are not kept."""


@dataclass(frozen=True)
class _Answer:
    """What was answered.

    Attributes:
        start: Status and headers.
        body: Bytes.
        route: What answered it.
    """

    start: Message
    body: bytes
    route: object


class Repeater:
    """ASGI application around another one.

    What an answer depends on is the address and what `Service.moment` tells; where neither has
    changed, what would be answered is known to the byte. Reading the query of a request takes
    FastAPI longer than all else that such an answer takes.
    """

    def __init__(self, app: ASGIApp, service: Service, routes: Collection[str]) -> None:
        """Stand around an application.

        Args:
            app: Answers what was not asked before.
            service: Tells when something has changed.
            routes: Paths, as they were declared, whose answers depend on nothing else.
        """
        self._app = app
        self._service = service
        self._routes = frozenset(routes)
        self._moment: Hashable = None
        self._answers: OrderedDict[tuple[str, bytes], _Answer] = OrderedDict()
        self.repeated = 0
        """Answers that were given again."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        try:
            moment = self._service.moment()
        except StockLstmError:
            # Whoever answers runs into the same, and says so.
            await self._app(scope, receive, send)
            return
        if moment != self._moment:
            self._moment = moment
            self._answers.clear()
        key = (scope["path"], scope["query_string"])
        found = self._answers.get(key)
        if found is None:
            await self._asked(scope, receive, send, key, moment)
            return
        self.repeated += 1
        self._answers.move_to_end(key)
        scope["route"] = found.route
        # Others add headers of their own to it.
        await send(dict(found.start))
        await send({"type": "http.response.body", "body": found.body})

    async def _asked(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        key: tuple[str, bytes],
        moment: Hashable,
    ) -> None:
        """Pass a request on, and keep its answer if it may be given again."""
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
            or moment != self._moment
        ):
            return
        self._answers[key] = _Answer(start, body, route)
        while len(self._answers) > MOST_ANSWERS:
            self._answers.popitem(last=False)
