"""What a request asks for beside its address: a language, and a page rather than JSON."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qs

from starlette.types import Scope

from stocklstm.core.language import current, language_of

_MOST_LANGUAGES = 20


class Language(NamedTuple):
    """The language of a page.

    Attributes:
        name: As BCP 47 has it.
        chosen: True if the address names it; then the links of the page do so, too.
    """

    name: str
    chosen: bool


def language_asked(scope: Scope) -> Language:
    """Find the language: the one the address names, the reader's best, or that of the program."""
    # Few addresses name one, and what is remembered is given thousands of times a second.
    if b"lang=" in scope["query_string"]:
        for text in parse_qs(scope["query_string"].decode("latin-1")).get("lang", ())[:1]:
            if (named := language_of(text)) is not None:
                return Language(named, chosen=True)
    found = _best(_header(scope, b"accept-language"))
    return Language(found or current(), chosen=False)


def wants_page(scope: Scope) -> bool:
    """Tell whether whoever asks is a browser: programs seldom name HTML."""
    return "text/html" in _header(scope, b"accept").lower()


def _header(scope: Scope, wanted: bytes) -> str:
    return ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == wanted)


@lru_cache(maxsize=256)
def _best(accepted: str) -> str | None:
    """Find the best language of an Accept-Language header that is spoken here."""
    spoken = (language_of(tag) for tag in _preferred(accepted))
    return next((language for language in spoken if language is not None), None)


def _preferred(accepted: str) -> Iterator[str]:
    """Give the tags of an Accept-Language header, the best first; those with q=0 not at all."""
    weighed = []
    for part in accepted.split(",")[:_MOST_LANGUAGES]:
        tag, *parameters = (piece.strip() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter[:2].lower() == "q=":
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        if tag and 0 < weight <= 1:
            weighed.append((weight, tag))
    yield from (tag for _, tag in sorted(weighed, key=lambda pair: -pair[0]))
