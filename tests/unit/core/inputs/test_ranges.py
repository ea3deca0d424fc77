"""What training saw of each feature, and the last session held against it."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.inputs.features import (
    InputRange,
    beyond_training,
    features_warm_up,
    input_ranges,
)
from stocklstm.core.inputs.volatility import VolatilityAnchor
from stocklstm.core.prices.series import Bars
from stocklstm.core.settings.config import FEATURES
from tests.support.made_prices import made_bars, other_future
from tests.support.property_tests import PROPERTY

ANCHOR = VolatilityAnchor.fit(made_bars(300), 200, 0.92)
ROWS = np.arange(features_warm_up(FEATURES), 200)


def ranges_of(bars: Bars, names: tuple[str, ...] = FEATURES) -> dict[str, InputRange]:
    return {each.name: each for each in input_ranges(names, bars, ROWS, ANCHOR)}


def to(bars: Bars, row: int) -> Bars:
    return bars.select(slice(0, row + 1))


def test_the_ranges_by_hand() -> None:
    bars = made_bars(300)
    sigmas = ANCHOR.sigmas(bars)

    found = ranges_of(bars)

    assert list(found) == list(FEATURES)
    closes = bars.closes[ROWS]
    assert (found["close"].low, found["close"].high) == (closes.min(), closes.max())
    moves = bars.log_returns[ROWS] / sigmas[ROWS - 1]
    assert (found["return"].low, found["return"].high) == (moves.min(), moves.max())
    logs = np.log(sigmas[ROWS])
    assert (found["volatility"].low, found["volatility"].high) == (logs.min(), logs.max())
    spans = np.log(bars.highs[ROWS] / bars.lows[ROWS])
    assert (found["range"].low, found["range"].high) == (spans.min(), spans.max())


@PROPERTY
@given(seed=st.integers(0, 10_000), row=st.sampled_from(ROWS.tolist()))
def test_no_training_session_lies_beyond_training(seed: int, row: int) -> None:
    bars = made_bars(300, seed)

    assert beyond_training(input_ranges(FEATURES, bars, ROWS, ANCHOR), to(bars, row), ANCHOR) == ()


def test_no_later_session_widens_the_ranges() -> None:
    bars = made_bars(300)

    assert ranges_of(bars) == ranges_of(other_future(bars, int(ROWS[-1])))


@pytest.mark.parametrize(
    ("name", "seen", "words", "limit", "ends"),
    [
        ("return", (-1.5, 2.25), "a return of {} σ", "-1.88", "-1.50 to 2.25"),
        # 0.5 · (0.5 / 0.75) ^ 0.1
        ("volatility", (0.5, 0.75), "a volatility of {} % a day", "48.01", "50.00 to 75.00"),
        ("close", (1000, 2000.5), "a close of {}", "899.95", "1,000.00 to 2,000.50"),
        ("volume", (2, 3), "a volume of {} times the usual one", "1.92", "2.00 to 3.00"),
        # 1.5 · (1.5 / 1.6) ^ 0.1 - 1
        ("range", (1.5, 1.6), "a range of {} % between low and high", "49.04", "50.00 to 60.00"),
        ("gap", (1.5, 1.6), "a gap of {} % at the open", "49.04", "50.00 to 60.00"),
    ],
)
def test_each_feature_is_said_in_its_own_unit(
    name: str, seen: tuple[float, float], words: str, limit: str, ends: str
) -> None:
    if name not in {"return", "close"}:
        seen = math.log(seen[0]), math.log(seen[1])
    bars = made_bars(300)
    # An ordinary last session but for a fall.
    closes = bars.closes.copy()
    closes[-1] = bars.closes[-2] * 0.9
    fallen = replace(bars, closes=closes, adj_closes=closes)
    sigmas = ANCHOR.sigmas(fallen)
    value = {
        "return": (fallen.log_returns / np.append(np.nan, sigmas[:-1]))[-1],
        "volatility": 100 * ANCHOR.sigmas(fallen)[-1],
        "close": closes[-1],
        "volume": 1.0,
        # A close below the low: the range is that of the move at least, and no gap is known.
        "range": 100 * (1 / 0.9 - 1),
        "gap": 0.0,
    }[name]
    assert closes[-1] < bars.lows[-1]

    (said,) = beyond_training([InputRange(name, *seen)], fallen, ANCHOR)

    below = f"below the limit of {limit} (training saw {ends})"
    assert said == f"{words.format(f'{value:,.2f}')} on {fallen.dates[-1]}, {below}"


def said_of_close(close: float, low: float, high: float) -> tuple[str, ...]:
    bars = made_bars(300)
    bars.closes[-1] = close
    return beyond_training([InputRange("close", low, high)], bars, None)


@pytest.mark.parametrize(
    ("close", "side"),
    [(32.0, ""), (32.01, "above the limit of 32.00"), (8.0, ""), (7.99, "below the limit of 8.00")],
)
def test_a_tenth_of_the_range_is_let_pass(close: float, side: str) -> None:
    said = said_of_close(close, 10, 30)

    assert len(said) == bool(side)
    for words in said:
        assert words.startswith(f"a close of {close:.2f} on ")
        assert words.endswith(f", {side} (training saw 10.00 to 30.00)")


def test_logarithms_are_let_pass_as_logarithms() -> None:
    bars = made_bars(300)
    sigma = float(ANCHOR.sigmas(bars)[-1])
    # From half of it to what makes it lie a tenth, and a hundredth more, above the range.
    for share, beyond in ((1.1, False), (1.11, True)):
        span = math.log(2) / share
        seen = InputRange("volatility", math.log(sigma / 2), math.log(sigma / 2) + span)
        assert bool(beyond_training([seen], bars, ANCHOR)) == beyond


def test_a_value_just_beyond_is_told_from_the_limit() -> None:
    (said,) = said_of_close(32.0004, 10, 30.0001)

    assert ", above the limit of 32.0001 (training saw 10.0000 to 30.0001)" in said
    assert said.startswith("a close of 32.0004 on ")


def test_a_price_of_less_than_a_cent_is_told_from_its_limit() -> None:
    (said,) = said_of_close(0.0021, 0.001, 0.0015)

    assert said.startswith("a close of 0.002100 on ")
    assert ", above the limit of 0.001550 (training saw 0.001000 to 0.001500)" in said


def test_the_ends_themselves_lie_within() -> None:
    bars = made_bars(300)
    last = float(bars.closes[-1])

    assert beyond_training([InputRange("close", last, last)], bars, None) == ()
