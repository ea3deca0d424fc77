"""Errors as HTTP reports them: RFC 9457 problem details."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import Scope

from stocklstm.core.exits import exit_code
from stocklstm.errors import (
    CheckFailedError,
    ConfigError,
    IntegrityError,
    NotEnoughDataError,
    NotFoundError,
    StaleDataError,
    StockLstmError,
    TryAgainError,
    UnexpectedError,
)

MEDIA_TYPE = "application/problem+json"

RETRY_AFTER_S = 5

STATUSES: Mapping[type[StockLstmError], int] = {
    ConfigError: 422,
    CheckFailedError: 409,
    NotFoundError: 404,
    # Somebody has to repair the store; meanwhile another server may have a sound one.
    IntegrityError: 503,
    NotEnoughDataError: 422,
    # What was asked for is right, and would be answered after a fetch.
    StaleDataError: 409,
    TryAgainError: 503,
    UnexpectedError: 500,
}
"""The status of each error, by the nearest class that is listed."""

# What HTTP itself can have against a request, beside the errors of the program.
_TITLES = {
    400: "The request cannot be read",
    401: "The token is missing or wrong",
    404: "There is no such address",
    405: "This method is not for this address",
    408: "The request took too long to arrive",
    413: "The request is too large",
    415: "The body is not JSON",
    421: "This server does not go by that name",
    422: "The request is not valid",
    429: "Too many requests",
    431: "The head of the request is too large",
    500: "A bug in stocklstm",
    503: "Try again in a moment",
}


@dataclass(frozen=True)
class Problem:
    """Why there is no answer.

    Attributes:
        status: Of HTTP.
        title: What kind of problem, the same words each time.
        detail: What happened this time.
        kind: Class of the error, or "http".
        hint: What to do about it.
        code: Exit code that the command line would end with; None for what only HTTP knows.
        headers: To send with it.
        errors: What is wrong with each part of the request.
    """

    status: int
    title: str
    detail: str
    kind: str = "http"
    hint: str | None = None
    code: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    errors: Sequence[Mapping[str, Any]] | None = None

    def document(self, instance: str) -> dict[str, Any]:
        """Build its JSON; the instance is the path of the request."""
        document = {
            "type": f"urn:stocklstm:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": _encodable(self.detail),
            "instance": _encodable(instance),
            "hint": None if self.hint is None else _encodable(self.hint),
            "code": self.code,
        }
        return document if self.errors is None else document | {"errors": self.errors}

    def response(self, instance: str) -> Response:
        """Build the response."""
        return Response(
            msgspec.json.encode(self.document(instance)),
            self.status,
            {**self.headers, "cache-control": "no-store"},
            MEDIA_TYPE,
        )


def plain_answer(problem: Problem, scope: Scope) -> Response:
    """Answer a request with the JSON of its problem."""
    return problem.response(scope["path"])


def _encodable(text: str) -> str:
    # JSON may name halves of characters, which no text can hold.
    return text.encode("utf-8", "backslashreplace").decode()


def status_of(error: StockLstmError) -> int:
    """Find the status of an error by its class."""
    return next((STATUSES[kind] for kind in type(error).mro() if kind in STATUSES), 500)


def problem_of(error: StockLstmError) -> Problem:
    """Translate an error of the program."""
    status = status_of(error)
    bug = isinstance(error, UnexpectedError)
    words = type(error).__doc__ or type(error).__name__
    return Problem(
        status=status,
        title=_TITLES[500] if bug else words.partition("\n")[0].rstrip("."),
        # What a bug says of itself is for the log of the server, not for whoever asked.
        detail="the log of the server has the traceback" if bug else error.message,
        kind=type(error).__name__,
        hint="please report it with that traceback" if bug else error.hint,
        code=int(exit_code(error)),
        headers={"retry-after": f"{RETRY_AFTER_S}"} if isinstance(error, TryAgainError) else {},
    )


def bug_problem() -> Problem:
    """Describe an error that nobody foresaw; what it says of itself is for the log alone."""
    return http_problem(
        500, "the log of the server has the traceback", hint="please report it with that traceback"
    )


def http_problem(
    status: int,
    detail: str,
    *,
    hint: str | None = None,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, Any]] | None = None,
) -> Problem:
    """Describe a fault of the request itself."""
    title = _TITLES.get(status, "The request cannot be answered")
    return Problem(status, title, detail, hint=hint, headers=headers or {}, errors=errors)
