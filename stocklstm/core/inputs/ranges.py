"""Between which values each input of the network lay while it learned.

A network answers any input; of inputs beyond all that it was trained on its answer is a guess. The
newest session alone is held against the training part: with all of a window one unusual day would
be reported for as long as it stays in it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stocklstm.core.inputs.features import feature_values
from stocklstm.core.inputs.volatility import VolatilityAnchor
from stocklstm.core.prices.series import Bars, Floats, Indices


@dataclass(frozen=True)
class InputRange:
    """Values of one feature in the windows of the training part.

    Attributes:
        name: Of the feature.
        low: Least value, in the feature's own unit.
        high: Greatest value.
    """

    name: str
    low: float
    high: float


def input_ranges(
    names: Sequence[str], bars: Bars, rows: Indices, anchor: VolatilityAnchor | None
) -> tuple[InputRange, ...]:
    """Find the ranges of the features over some rows.

    Args:
        names: Of the features.
        bars: N sessions.
        rows: (M,) rows that lie in windows of the training part, M >= 1.
        anchor: Estimates volatility, if a feature is measured in it.
    """
    seen = feature_values(names, bars, anchor)[rows]
    lows, highs = seen.min(axis=0).tolist(), seen.max(axis=0).tolist()
    return tuple(InputRange(*each) for each in zip(names, lows, highs, strict=True))


def beyond_training(
    ranges: Sequence[InputRange], bars: Bars, anchor: VolatilityAnchor | None
) -> tuple[str, ...]:
    """Say which inputs of the last session lie beyond what training saw.

    Args:
        ranges: Of the training part.
        bars: N sessions, N >= 1.
        anchor: The one that was fitted then.

    Returns:
        A part of a sentence for each such input, with its value and the range.
    """
    latest = feature_values([each.name for each in ranges], bars, anchor)[-1]
    return tuple(
        _WORDS[each.name](float(value), each)
        for each, value in zip(ranges, latest, strict=True)
        if not each.low <= value <= each.high
    )


def _worded(name: str, unit: str, shown: Callable[[Floats], Floats]) -> Callable[..., str]:
    def words(value: float, seen: InputRange) -> str:
        given, low, high = shown(np.array([value, seen.low, seen.high])).tolist()
        digits = _digits(given, low, high)
        return (
            f"{name} of {given:,.{digits}f}{unit} (training saw {low:,.{digits}f} to "
            f"{high:,.{digits}f})"
        )

    return words


def _digits(given: float, low: float, high: float) -> int:
    """Choose as many decimals as tell a value from the end of the range that it lies beyond."""
    end = low if given < low else high
    return next((d for d in range(2, 8) if f"{given:.{d}f}" != f"{end:.{d}f}"), 8)


_WORDS: Mapping[str, Callable[[float, InputRange], str]] = {
    "return": _worded("a return", " σ", lambda values: values),
    "volatility": _worded("a volatility", " % a day", lambda logs: 100 * np.exp(logs)),
    "close": _worded("a close", "", lambda values: values),
    "volume": _worded("a volume", " times the usual one", np.exp),
    "range": _worded("a range", " % between low and high", lambda logs: 100 * np.expm1(logs)),
    "gap": _worded("a gap", " % at the open", lambda logs: 100 * np.expm1(logs)),
}
