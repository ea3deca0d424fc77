"""A token bucket for each client: how much a client may ask for that has to be computed."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from stocklstm.api.problems import Problem, http_problem, plain_answer
from stocklstm.api.server_options import Limits

MOST_CLIENTS = 4096
"""Clients that are told apart; whoever asked longest ago is forgotten first."""

_ROUNDING = 1e-6

_FREE = frozenset({"/health", "/style.css", "/openapi.json"})


class RateLimit:
    """ASGI application around another one, which refuses with 429 who asks for too much.

    What is remembered never comes here, so it costs a client nothing.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        *,
        token: bool,
        answer_problem: Callable[[Problem, Scope], Response] = plain_answer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wrap an application.

        Args:
            app: Answers.
            limits: How much a client may ask for.
            token: True if clients are told by their token, of which there is one, and not by
                their address.
            answer_problem: Gives the response to a request that is refused.
            clock: Seconds.
        """
        self._app = app
        self._answer_problem = answer_problem
        self._per_s, self._most = limits.made_per_s, float(limits.made_at_once)
        self._token = token
        self._clock = clock
        # How many each may still ask for, and when that was so.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] == "http" and scope["path"] not in _FREE:
            wait_s = self._take("" if self._token else _network(scope.get("client")))
            if wait_s > 0:
                problem = http_problem(
                    429,
                    f"more than {self._per_s:g} answers a second have to be computed for this "
                    f"client",
                    hint="what was asked before is answered at once as long as nothing changes; "
                    "several tickers fit into one request",
                    headers={"retry-after": f"{math.ceil(wait_s)}"},
                )
                await self._answer_problem(problem, scope)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _take(self, client: str) -> float:
        """Count a request; give the seconds until it will be answered, 0 for now."""
        now = self._clock()
        left, since = self._buckets.get(client, (self._most, now))
        left = min(self._most, left + (now - since) * self._per_s)
        # Whoever waits as long as it was told to is not to be refused for a rounding error.
        granted = left >= 1 - _ROUNDING
        self._buckets[client] = (max(0.0, left - granted), now)
        self._buckets.move_to_end(client)
        while len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if granted else (1 - left) / self._per_s


def _network(client: tuple[str, int] | None) -> str:
    """Name a client: its IPv4 address, or the IPv6 network of which it may choose any address."""
    if client is None:
        return ""
    try:
        address = ip_address(client[0])
    except ValueError:
        return client[0]
    return client[0] if address.version == 4 else address.exploded[:19]
