import hashlib
import math
import re
import struct
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.prices.series import COLUMNS
from stocklstm.core.reference import parse_ticker
from stocklstm.errors import ConfigError
from tests.support.made_prices import bars_of, made_bars, with_realised
from tests.support.property_tests import PROPERTY


@pytest.mark.parametrize(
    ("text", "ticker"),
    [
        ("PETR4.SA", "PETR4.SA"),
        ("petr4.sa", "PETR4.SA"),
        ("  aapl\t", "AAPL"),
        ("PETR4.SA\n", "PETR4.SA"),
        ("\u00a0AAPL\u00a0", "AAPL"),
        ("^BVSP", "^BVSP"),
        ("BRK-B", "BRK-B"),
        ("EURUSD=X", "EURUSD=X"),
        ("0700.HK", "0700.HK"),
        ("DX-Y.NYB", "DX-Y.NYB"),
        ("F", "F"),
        ("^X", "^X"),
        ("A" * 20, "A" * 20),
        ("^" + "A" * 20, "^" + "A" * 20),
    ],
)
def test_tickers(text, ticker):
    assert parse_ticker(text) == ticker


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n",
        ".",
        "..",
        "...",
        ".SA",
        "PETR4.",
        "PETR4..SA",
        "-B",
        "=X",
        "EURUSD=",
        "^",
        "^^BVSP",
        "BVSP^",
        "PETR4/SA",
        "/etc/passwd",
        "../PETR4",
        "..\\PETR4",
        "PETR4\\SA",
        "C:PETR4",
        "PETR4 SA",
        "PETR4\nSA",
        "PETR4\x00",
        "PETR4@v1",
        "~",
        "*",
        "$HOME",
        "A;B",
        "A" * 21,
        "^" + "A" * 21,
        "A" * 1_000_000,
        "." * 1_000_000,
        "A." * 500_000,
        " " * 1_000_000,
        "РЕТR4.SA",  # noqa: RUF001 - Cyrillic Er, Ie and Te
        "\uff30\uff25\uff34\uff32\uff14.SA",  # full-width
        "PETR\u0664.SA",  # an Arabic-Indic four
        "PETR4\u2024SA",  # a one-dot leader
        "BRK\u2010B",  # a typographic hyphen
        "PETR4.\u017fA",  # a long s, which becomes S in upper case
        "\u0131BM",  # a dotless i, which becomes I
        "\u212a",  # the Kelvin sign, which is K in lower case
        "\ufb01",  # a ligature, which becomes FI
        "\xdf",  # a sharp s, which becomes SS
        "AAPL\u200b",  # a zero-width space
    ],
)
def test_what_is_no_ticker(text):
    with pytest.raises(ConfigError, match="is not a ticker") as caught:
        parse_ticker(text)
    assert caught.value.hint
    assert caught.value.message.isascii()
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 500


@PROPERTY
@given(st.text() | st.text("^.=&_-/\\ aZ0", max_size=24))
def test_a_ticker_can_be_a_directory_name(text):
    try:
        ticker = parse_ticker(text)
    except ConfigError:
        return
    assert re.fullmatch(r"[A-Z0-9^.=&_-]{1,21}", ticker, re.ASCII)
    assert ticker[0] != "."
    assert ticker[-1] not in ".^"
    assert ".." not in ticker
    assert parse_ticker(ticker) == ticker


def test_returns_are_those_of_the_adjusted_close():
    bars = bars_of([100, 99, 50], adj_closes=[90, 99, 49.5])
    assert len(bars) == 3
    assert math.isnan(bars.log_returns[0])
    assert bars.log_returns[1:].tolist() == pytest.approx([math.log(1.1), math.log(0.5)], rel=1e-15)


@pytest.mark.parametrize("rows", [0, 1])
def test_returns_of_no_day_and_of_one(rows):
    returns = bars_of(np.full(rows, 5.0)).log_returns
    assert returns.shape == (rows,)
    assert np.isnan(returns).all()


def test_rows_are_chosen_together():
    bars = made_bars(10)
    for rows in (slice(2, 5), np.array([2, 3, 4]), np.arange(10) // 3 * 3 == 3):
        chosen = bars.select(rows)
        for name in ("dates", *COLUMNS):
            assert np.array_equal(getattr(chosen, name), getattr(bars, name)[rows])
        assert chosen.realised is None
        measured = with_realised(bars)
        chosen = measured.select(rows).realised
        assert np.array_equal(chosen.minutes, measured.realised.minutes[rows])
        assert np.array_equal(chosen.variances, measured.realised.variances[rows], equal_nan=True)
    assert len(bars.select(slice(0))) == 0


def test_returns_of_chosen_rows_are_their_own():
    bars = made_bars(10)
    assert bars.log_returns.size == 10
    chosen = bars.select(slice(0, 10, 2))
    assert np.allclose(chosen.log_returns[1:], np.diff(np.log(bars.adj_closes[::2])))


def test_a_fingerprint_is_the_sha256_of_dates_and_prices_in_order():
    bars = made_bars(5)
    days = [(day - np.datetime64("1970-01-01")).astype(int) for day in bars.dates]
    packed = struct.pack("<5q", *days)
    for name in ("opens", "highs", "lows", "closes", "adj_closes", "volumes"):
        packed += struct.pack("<5d", *getattr(bars, name))
    assert bars.fingerprint() == hashlib.sha256(packed).hexdigest()


def test_a_fingerprint_does_not_depend_on_how_numbers_lie_in_memory():
    bars = made_bars(6)
    twice = bars.select(np.repeat(np.arange(6), 2)).select(slice(0, None, 2))
    assert not twice.closes.flags.c_contiguous
    assert twice.fingerprint() == bars.fingerprint()
    seconds = replace(
        bars, dates=bars.dates.astype("datetime64[s]"), closes=bars.closes.astype(">f8")
    )
    assert seconds.fingerprint() == bars.fingerprint()


@pytest.mark.parametrize("name", ["dates", *COLUMNS])
def test_a_fingerprint_sees_every_value(name):
    bars = made_bars(6)
    values = getattr(bars, name).copy()
    day = np.timedelta64(1, "D")
    values[3] = values[3] + day if name == "dates" else np.nextafter(values[3], np.inf)
    assert replace(bars, **{name: values}).fingerprint() != bars.fingerprint()


@pytest.mark.parametrize("name", ["minutes", "variances"])
def test_a_fingerprint_sees_every_realised_value_where_there_are_any(name):
    bars = with_realised(made_bars(6))
    assert bars.fingerprint() != replace(bars, realised=None).fingerprint()
    values = getattr(bars.realised, name).copy()
    values[3] = 1 if np.isnan(values[3]) else values[3] + 1
    other = replace(bars.realised, **{name: values})
    assert replace(bars, realised=other).fingerprint() != bars.fingerprint()


def test_a_fingerprint_sees_missing_rows_and_swapped_columns():
    bars = made_bars(6)
    assert bars.select(slice(5)).fingerprint() != bars.fingerprint()
    swapped = replace(bars, opens=bars.closes, closes=bars.opens)
    assert swapped.fingerprint() != bars.fingerprint()


def test_bars_cannot_be_exchanged():
    with pytest.raises(FrozenInstanceError):
        made_bars(3).closes = np.zeros(3)
