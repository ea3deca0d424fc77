"""Stand-ins for the one part that cannot run in a test: a source with a mind of its own."""

from collections.abc import Callable
from dataclasses import dataclass, field

from stocklstm.core.prices.answers import SourceAnswer
from stocklstm.market.source import FetchRequest

Reply = SourceAnswer | BaseException


@dataclass
class ScriptedSource:
    """Answers, or raises, what its script says, and remembers what it was asked."""

    script: Callable[[FetchRequest], Reply]
    requests: list[FetchRequest] = field(default_factory=list)

    def fetch(self, request: FetchRequest) -> SourceAnswer:
        self.requests.append(request)
        reply = self.script(request)
        if isinstance(reply, BaseException):
            raise reply
        return reply
