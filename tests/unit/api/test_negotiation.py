"""The language of a page: the address, the reader's browser, or the program says which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.api.negotiation import Language, language_asked, wants_page
from stocklstm.core.language import ENGLISH, LANGUAGES, PORTUGUESE, program_speaks


def scope(query: bytes = b"", **headers: bytes) -> dict:
    named = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    return {"type": "http", "path": "/", "query_string": query, "headers": named}


@pytest.mark.parametrize(
    ("query", "accepted", "spoken"),
    [
        (b"", b"", Language(ENGLISH, chosen=False)),
        (b"", b"pt-BR,pt;q=0.9,en;q=0.8", Language(PORTUGUESE, chosen=False)),
        (b"", b"en;q=0.8, pt;q=0.9", Language(PORTUGUESE, chosen=False)),
        (b"", b"fr, en;q=0.5, pt;q=0.4", Language(ENGLISH, chosen=False)),
        (b"", b"pt-BR;q=0, en;q=0.1", Language(ENGLISH, chosen=False)),
        (b"", b"pt;q=nan, de", Language(ENGLISH, chosen=False)),
        (b"lang=pt-BR", b"en", Language(PORTUGUESE, chosen=True)),
        (b"horizon=1-5&lang=en", b"pt", Language(ENGLISH, chosen=True)),
        (b"lang=klingon", b"pt", Language(PORTUGUESE, chosen=False)),
    ],
)
def test_the_address_comes_before_the_browser(
    query: bytes, accepted: bytes, spoken: Language
) -> None:
    assert language_asked(scope(query, accept_language=accepted)) == spoken


def test_the_program_says_where_nobody_else_does() -> None:
    with program_speaks(lambda: PORTUGUESE):
        assert language_asked(scope()).name == PORTUGUESE


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_whatever_is_sent_a_language_is_found(query: bytes, accepted: bytes) -> None:
    assert language_asked(scope(query, accept_language=accepted)).name in LANGUAGES


def test_programs_get_json_and_browsers_pages() -> None:
    assert wants_page(scope(accept=b"text/html,application/xhtml+xml,*/*;q=0.8"))
    assert not wants_page(scope(accept=b"*/*"))
    assert not wants_page(scope())
