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

ANCHOR = VolatilityAnchor.fit(made_bars(300), 200)
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
    ("name", "seen", "words"),
    [
        ("return", (-1.5, 2.25), "a return of {} σ (training saw -1.50 to 2.25)"),
        (
            "volatility",
            (math.log(0.5), math.log(0.75)),
            "a volatility of {} % a day (training saw 50.00 to 75.00)",
        ),
        ("close", (1000, 2000.5), "a close of {} (training saw 1,000.00 to 2,000.50)"),
        (
            "volume",
            (math.log(2), math.log(3)),
            "a volume of {} times the usual one (training saw 2.00 to 3.00)",
        ),
        (
            "range",
            (math.log(1.5), math.log(1.6)),
            "a range of {} % between low and high (training saw 50.00 to 60.00)",
        ),
        (
            "gap",
            (math.log(1.5), math.log(1.6)),
            "a gap of {} % at the open (training saw 50.00 to 60.00)",
        ),
    ],
)
def test_each_feature_is_said_in_its_own_unit(
    name: str, seen: tuple[float, float], words: str
) -> None:
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

    assert said == words.format(f"{value:,.2f}")


def test_a_value_just_beyond_is_told_from_the_end_of_the_range() -> None:
    bars = made_bars(300)
    bars.closes[-1] = 30.0004

    (said,) = beyond_training([InputRange("close", 10, 30.0001)], bars, None)

    assert said == "a close of 30.0004 (training saw 10.0000 to 30.0001)"


def test_the_ends_themselves_lie_within() -> None:
    bars = made_bars(300)
    last = float(bars.closes[-1])

    assert beyond_training([InputRange("close", last, last)], bars, None) == ()
