"""Pooled models are called what no ticker is called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.reference import (
    ModelReference,
    is_pool,
    parse_owner,
    parse_pool,
    parse_pool_reference,
    parse_reference,
    parse_ticker,
)
from stocklstm.errors import ConfigError
from tests.support.property_tests import PROPERTY


@pytest.mark.parametrize("typed", ["b3", "+b3", " B3 ", "+B3"])
def test_a_name_is_kept_in_one_form(typed):
    assert parse_pool(typed) == "+b3"


@pytest.mark.parametrize(
    "typed", ["", "+", "3b", "b3.sa", "^bvsp", "a/b", "..", "b 3", "b" * 21, "++b3", "\u212a"]
)
def test_what_is_no_name(typed):
    with pytest.raises(ConfigError, match="cannot be the name of a pooled model"):
        parse_pool(typed)


@PROPERTY
@given(st.from_regex(r"[a-z][a-z0-9_-]{0,19}", fullmatch=True))
def test_no_name_is_ever_a_ticker(name):
    key = parse_pool(name)
    assert is_pool(key)
    assert parse_owner(key) == key
    with pytest.raises(ConfigError):
        parse_ticker(key)


@PROPERTY
@given(st.text(max_size=12))
def test_no_ticker_is_ever_a_name(text):
    try:
        ticker = parse_ticker(text)
    except ConfigError:
        return
    assert not is_pool(ticker)


def test_references_of_pools():
    assert parse_pool_reference("b3") == ModelReference("+b3")
    assert parse_pool_reference("+b3@v2") == ModelReference("+b3", version=2)
    assert parse_reference("+b3@previous") == ModelReference("+b3", alias="previous")
    assert parse_reference("b3") == ModelReference("B3")
