"""Horizons are read as they are written, and what means nothing is refused with a way on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.forecasts.horizons import (
    FARTHEST,
    MOST,
    horizons_text,
    parse_horizons,
    require_horizons,
)
from stocklstm.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "horizons", "shortest"),
    [
        ("5", (5,), "5"),
        ("1-5", (1, 2, 3, 4, 5), "1-5"),
        ("1,5,20", (1, 5, 20), "1,5,20"),
        ("1-5,20", (1, 2, 3, 4, 5, 20), "1-5,20"),
        # In any order, and with the spaces that a person leaves.
        ("20, 1 - 2,3", (1, 2, 3, 20), "1-3,20"),
        ("7-7,250", (7, 250), "7,250"),
        ("007", (7,), "7"),
    ],
)
def test_they_are_read_and_written(text: str, horizons: tuple[int, ...], shortest: str) -> None:
    assert parse_horizons(text) == horizons
    assert horizons_text(horizons) == shortest


@given(st.sets(st.integers(1, FARTHEST), min_size=1, max_size=MOST))
def test_what_is_written_is_read_back(horizons: set[int]) -> None:
    ordered = tuple(sorted(horizons))

    assert parse_horizons(horizons_text(ordered)) == ordered
    assert parse_horizons(",".join(map(str, horizons))) == ordered


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("0", "must be from 1 to 250, not 0", "5"),
        ("251", "must be from 1 to 250, not 251", "5"),
        ("1-99999999", "must be from 1 to 250, not 99999999", "5"),
        ("5-1", "5-1 goes backwards", "1-5"),
        ("1,1", "names 1 twice", "1"),
        ("1-3,2", "names 2 twice", "1-3"),
        ("1-61", "names 61 sessions, and 60 at once", "1-60"),
        ("a", "is a number of sessions, or several (1-5, or 1,5,20), not 'a'", "1-5"),
        ("", "not ''", "1-5"),
        ("1,", "not ''", "1-5"),
        ("-1", "not '-1'", "1-5"),
        ("1-", "not '1-'", "1-5"),
        ("1-2-3", "not '1-2-3'", "1-5"),
        ("1.5", "not '1.5'", "1-5"),
        ("٣", "not '\\u0663'", "1-5"),
        ("9" * 5000, "not '999", "1-5"),
    ],
)
def test_what_means_nothing_is_refused(text: str, words: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_horizons(text, "stocklstm evaluate --horizons")

    assert caught.value.message.startswith("--horizons ")
    assert words in caught.value.message
    assert caught.value.hint == f"stocklstm evaluate --horizons {hint}"


def test_none_at_all_are_refused() -> None:
    with pytest.raises(ConfigError, match="names no session"):
        require_horizons(())
