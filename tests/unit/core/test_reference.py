import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.reference import (
    CHAMPION,
    PREVIOUS,
    ModelReference,
    is_pool,
    parse_alias,
    parse_exact,
    parse_owner,
    parse_pool,
    parse_pool_reference,
    parse_reference,
    parse_ticker,
    version_id,
)
from stocklstm.errors import ConfigError
from tests.support.property_tests import PROPERTY


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("PETR4.SA", ModelReference("PETR4.SA", None, CHAMPION)),
        ("petr4.sa", ModelReference("PETR4.SA", None, CHAMPION)),
        ("PETR4.SA@champion", ModelReference("PETR4.SA", None, CHAMPION)),
        ("^bvsp@previous", ModelReference("^BVSP", None, PREVIOUS)),
        ("EURUSD=X@v1", ModelReference("EURUSD=X", 1)),
        ("BRK-B@v999999999", ModelReference("BRK-B", 999_999_999)),
        ("A@v", ModelReference("A", None, "v")),
        ("A@v-1", ModelReference("A", None, "v-1")),
        ("A@v1b", ModelReference("A", None, "v1b")),
        ("A@version-2_b", ModelReference("A", None, "version-2_b")),
        ("A@" + "a" * 32, ModelReference("A", None, "a" * 32)),
    ],
)
def test_what_a_person_types(text, reference):
    assert parse_reference(text) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@v1",
        "@",
        "A@",
        "A@v0",
        "A@v01",
        "A@v1.0",
        "A@v1000000000",
        "A@v1\n",
        "A@champion\n",
        "A@ v1",
        "A@V1",
        "A@Champion",
        "A@1",
        "A@-a",
        "A@a b",
        "A@a/b",
        "A@..",
        "A@v1@v2",
        "A@v\u0661",  # an Arabic-Indic one
        "A@\u0441hampion",  # a Cyrillic letter that looks like c
        "A@" + "a" * 33,
        "A@" + "a" * 1_000_000,
        "../A@v1",
    ],
)
def test_what_names_nothing(text):
    with pytest.raises(ConfigError) as caught:
        parse_reference(text)
    assert caught.value.hint
    assert len(caught.value.message) < 250
    assert "\n" not in caught.value.message


@PROPERTY
@given(
    ticker=st.sampled_from(["PETR4.SA", "^BVSP", "BRK-B", "EURUSD=X", "0700.HK"]),
    version=st.none() | st.integers(1, 999_999_999),
    alias=st.sampled_from([CHAMPION, PREVIOUS, "mine"]),
)
def test_it_is_written_as_it_is_typed(ticker, version, alias):
    reference = ModelReference(ticker, version, CHAMPION if version else alias)
    assert parse_reference(str(reference)) == reference
    if version:
        assert str(reference) == version_id(ticker, version)


@PROPERTY
@given(st.text())
def test_any_text_is_read_or_refused(text):
    try:
        reference = parse_reference(text)
    except ConfigError:
        return
    assert parse_reference(str(reference)) == reference


def test_what_cannot_be_undone_wants_a_number():
    assert parse_exact("petr4.sa@v3") == ModelReference("PETR4.SA", version=3)
    for text in ("PETR4.SA", "PETR4.SA@champion", "PETR4.SA@previous", "PETR4.SA@live"):
        with pytest.raises(ConfigError, match="name one by its number"):
            parse_exact(text)


@PROPERTY
@given(st.from_regex(r"[a-z][a-z0-9_-]{0,31}", fullmatch=True))
def test_a_name_that_can_be_set_can_be_asked_for_and_is_no_number(name):
    try:
        assert parse_alias(name) == name
    except ConfigError:
        assert name == "previous" or name[1:].isdigit()
    else:
        assert parse_reference(f"PETR4.SA@{name}").alias == name


# Pooled models are called what no ticker is called


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
