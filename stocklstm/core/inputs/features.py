"""What the network may be shown of each session: one row of `ROWS` for each input.

A feature of a row uses nothing later than that row's close. Its centre and spread come from
training rows, are kept in the manifest and are never refitted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stocklstm.core.inputs.volatility import WARM_UP, VolatilityAnchor, valid_ranges
from stocklstm.core.prices.series import Bars, Flags, Floats, Indices
from stocklstm.core.records import dataclass
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.core.wording import price_digits
from stocklstm.errors import RejectedDataError

# Sessions over which a volume is usual.
_VOLUME_SESSIONS = 20

# A day without trades counts as a hundredth of the usual volume: its logarithm must be finite.
_LEAST_VOLUME = 0.01

# Share of training days that must have what a feature is made of: as the range anchor asks.
_KNOWN_SHARE = 0.9

# Spread by which a flag is divided that says nothing.
_NEVER = 1e9


@dataclass(frozen=True)
class FeatureScale:
    """How one feature is brought to unit size: offset + (value − center) / spread.

    Attributes:
        name: Of the feature.
        center: In the feature's own unit.
        spread: Above 0, in the same unit.
        offset: Without unit.
    """

    name: str
    center: float
    spread: float
    offset: float = 0.0


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


# Raw values


def _surprises(bars: Bars, anchor: VolatilityAnchor | None) -> Floats:
    surprises = np.full(len(bars), np.nan)
    surprises[1:] = bars.log_returns[1:] / _measured(anchor).sigmas(bars)[:-1]
    return surprises


def _log_volatility(bars: Bars, anchor: VolatilityAnchor | None) -> Floats:
    logs: Floats = np.log(_measured(anchor).sigmas(bars))
    return logs


def _measured(anchor: VolatilityAnchor | None) -> VolatilityAnchor:
    assert anchor is not None  # noqa: S101 - `needs_anchor` says so
    return anchor


def _log_variances(sessions: int) -> Callable[[Bars, VolatilityAnchor | None], Floats]:
    """Make a term of the HAR model (Corsi 2009): the mean variance of the latest sessions."""

    def values(bars: Bars, anchor: VolatilityAnchor | None) -> Floats:
        terms = np.full(len(bars), np.nan)
        if len(bars) > sessions:
            spans = np.lib.stride_tricks.sliding_window_view(
                _measured(anchor).variances(bars)[1:], sessions
            )
            terms[sessions:] = np.log(spans.mean(axis=1))
        return terms

    return values


def _intraday_kinds(bars: Bars, anchor: VolatilityAnchor | None) -> Floats:
    return _measured(anchor).kinds(bars)


def _closes(bars: Bars, _: VolatilityAnchor | None) -> Floats:
    return bars.closes


def _relative_volumes(bars: Bars, _: VolatilityAnchor | None) -> Floats:
    relative = np.full(len(bars), np.nan)
    if len(bars) >= _VOLUME_SESSIONS:
        known = np.isfinite(bars.volumes)
        sums, counts = (
            np.lib.stride_tricks.sliding_window_view(values, _VOLUME_SESSIONS).sum(axis=1)
            for values in (np.where(known, bars.volumes, 0.0), known)
        )
        latest = slice(_VOLUME_SESSIONS - 1, None)
        # A volume that is not known is taken to be usual, and so is that of a share that nobody
        # trades at all.
        ratios = np.divide(
            bars.volumes[latest] * counts,
            sums,
            out=np.ones(len(sums)),
            where=known[latest] & (sums > 0),
        )
        relative[latest] = np.log(np.maximum(ratios, _LEAST_VOLUME))
    return relative


def _ranges(bars: Bars, _: VolatilityAnchor | None) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        ranges = np.log(bars.highs / bars.lows)
    # Where a source has no range, the move of the close is the least that the range can be.
    return np.where(_known_ranges(bars), ranges, np.abs(bars.log_returns))


def _known_ranges(bars: Bars) -> Flags:
    """Flag the days with a believable range, (N,); a range needs no open."""
    opens = np.where(np.isnan(bars.opens), bars.closes, bars.opens)
    return valid_ranges(replace(bars, opens=opens))


def _gaps(bars: Bars, _: VolatilityAnchor | None) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        # The whole return less that from open to close: a dividend at the open is no gap.
        gaps = bars.log_returns - np.log(bars.closes / bars.opens)
    gaps = np.where(valid_ranges(bars), gaps, 0.0)
    gaps[:1] = np.nan
    return gaps


# What prices must have


class _Need(NamedTuple):
    """Part of a session without which a feature cannot be made.

    Attributes:
        words: What it is called.
        known: Gives (N,) flags of the sessions that have it.
        first: Row of the first session that can have it.
    """

    words: str
    known: Callable[[Bars], Flags]
    first: int = 0


_RANGES = _Need("a high and low", _known_ranges, first=1)
_GAPS = _Need("an open, high and low", valid_ranges, first=1)
_VOLUMES = _Need("a volume", lambda bars: np.isfinite(bars.volumes))


# Scales, from the values of the training part


def _unscaled(name: str, _values: Floats, _config: TrainingConfig) -> FeatureScale:
    return FeatureScale(name, 0.0, 1.0)


def _min_max(name: str, values: Floats, config: TrainingConfig) -> FeatureScale:
    low, high = float(values.min()), float(values.max())
    spread = ((high - low) or 1.0) / (config.scale_high - config.scale_low)
    return FeatureScale(name, low, spread, config.scale_low)


def _flag(name: str, values: Floats, _config: TrainingConfig) -> FeatureScale:
    spread = float(values.std())
    # Weights for a flag that training never saw raised are random: it is kept from them.
    return FeatureScale(name, float(values.mean()), spread if spread > 1e-9 else _NEVER)


def _standardised(name: str, values: Floats, _config: TrainingConfig) -> FeatureScale:
    spread = float(values.std())
    # Equal values, of a price that never moved, differ from their mean by rounding.
    return FeatureScale(name, float(values.mean()), spread if spread > 1e-9 else 1.0)


# The table


class Feature(NamedTuple):
    """The row of an input: how it is made, scaled and worded.

    Attributes:
        words: What a warning calls it.
        unit: What follows a value of it in a warning.
        values: Gives (N,) raw values, NaN in the first `warm_up` rows; the anchor is None if no
            feature asks for one.
        warm_up: Rows without a value.
        scale: Chooses its scale, given its name and the raw values of the training part.
        shown: Turns raw values into those of the unit.
        needs: What the prices must have.
        needs_anchor: True if it is measured in volatility.
    """

    words: str
    unit: str
    values: Callable[[Bars, VolatilityAnchor | None], Floats]
    warm_up: int
    scale: Callable[[str, Floats, TrainingConfig], FeatureScale] = _standardised
    shown: Callable[[Floats], Floats] = lambda values: values
    needs: _Need | None = None
    needs_anchor: bool = False


ROWS: Mapping[str, Feature] = {
    "return": Feature(
        words="a return",
        unit=" σ",
        values=_surprises,
        warm_up=WARM_UP + 1,
        scale=_unscaled,  # in volatilities, it is of unit size
        needs_anchor=True,
    ),
    "volatility": Feature(
        words="a volatility",
        unit=" % a day",
        values=_log_volatility,
        warm_up=WARM_UP,
        shown=lambda logs: 100 * np.exp(logs),
        needs_anchor=True,
    ),
    "close": Feature(
        words="a close",
        unit="",
        values=_closes,
        warm_up=0,
        scale=_min_max,
    ),
    "volume": Feature(
        words="a volume",
        unit=" times the usual one",
        values=_relative_volumes,
        warm_up=_VOLUME_SESSIONS - 1,
        shown=np.exp,
        needs=_VOLUMES,
    ),
    "range": Feature(
        words="a range",
        unit=" % between low and high",
        values=_ranges,
        warm_up=1,
        shown=lambda logs: 100 * np.expm1(logs),
        needs=_RANGES,
    ),
    "gap": Feature(
        words="a gap",
        unit=" % at the open",
        values=_gaps,
        warm_up=1,
        shown=lambda logs: 100 * np.expm1(logs),
        needs=_GAPS,
    ),
    **{
        f"variance{sessions}": Feature(
            words=f"a volatility of {'the day' if sessions == 1 else f'{sessions} days'}",
            unit=" % a day",
            values=_log_variances(sessions),
            warm_up=sessions,
            shown=lambda logs: 100 * np.exp(logs / 2),
            needs_anchor=True,
        )
        for sessions in (1, 5, 22)
    },
    "intraday": Feature(
        words="a kind of measurement",
        unit="",
        values=_intraday_kinds,
        warm_up=0,
        scale=_flag,
        needs_anchor=True,
    ),
}
"""Every input, in the order of `config.FEATURES`, where `--help` finds the names."""


def needs_anchor(names: Sequence[str]) -> bool:
    """Tell whether any of some features is measured in volatility."""
    return any(ROWS[name].needs_anchor for name in names)


def features_warm_up(names: Sequence[str]) -> int:
    """Count the leading rows that have no value of some of the features."""
    return max(ROWS[name].warm_up for name in names)


def fit_features(
    bars: Bars, rows: int, config: TrainingConfig, anchor: VolatilityAnchor | None
) -> tuple[FeatureScale, ...]:
    """Choose the scales of the features by the training part, the leading `rows`.

    Args:
        anchor: Gives volatilities, if a feature needs them.

    Raises:
        RejectedDataError: The training part lacks what a feature is made of.
    """
    return fit_shared_features([(bars, rows, anchor)], config)


def fit_shared_features(
    parts: Sequence[tuple[Bars, int, VolatilityAnchor | None]], config: TrainingConfig
) -> tuple[FeatureScale, ...]:
    """Choose the scales by the training parts of several series, as if they were one.

    Args:
        parts: Bars of each series, the leading rows that are its training part, and what gives
            its volatilities, if a feature needs them.

    Raises:
        RejectedDataError: The training parts lack what a feature is made of.
    """
    needs = (ROWS[name].needs for name in config.features)
    for need in dict.fromkeys(need for need in needs if need is not None):
        _require(need, parts)
    values: dict[str, list[Floats]] = {name: [] for name in config.features}
    for bars, rows, anchor in parts:
        for name, found in values.items():
            found.append(ROWS[name].values(bars, anchor)[ROWS[name].warm_up : rows])
    return tuple(
        ROWS[name].scale(name, np.concatenate(found), config) for name, found in values.items()
    )


def _require(need: _Need, parts: Sequence[tuple[Bars, int, VolatilityAnchor | None]]) -> None:
    known = np.concatenate([need.known(bars)[need.first : rows] for bars, rows, _ in parts])
    if not known.size or float(known.mean()) < _KNOWN_SHARE:
        names = " and ".join(name for name, row in ROWS.items() if row.needs is need)
        raise RejectedDataError(
            f"only {int(known.sum())} of {known.size} training days have {need.words}",
            hint=f"leave {names} out of --features, or fetch from a source that has them",
        )


def feature_values(names: Sequence[str], bars: Bars, anchor: VolatilityAnchor | None) -> Floats:
    """Build (N, F): every feature of every session in its own unit; NaN where it has no value.

    Args:
        anchor: Estimates volatility, if a feature is measured in it.

    Returns:
        The array is kept with the bars, and so may not be written.
    """
    made_by = (*names, anchor)
    # The inputs of a forecast and their check ask for the same ones.
    found = bars.derived.get(made_by)
    if found is None:
        found = np.column_stack([ROWS[name].values(bars, anchor) for name in names])
        found.flags.writeable = False
        bars.derived[made_by] = found
    return found


def feature_inputs(
    scales: Sequence[FeatureScale], bars: Bars, anchor: VolatilityAnchor | None
) -> NDArray[np.float32]:
    """Build (N, F): every feature of every session, scaled.

    Args:
        scales: From `fit_features`, with the same anchor.
    """
    values = feature_values([scale.name for scale in scales], bars, anchor)
    columns = [
        scale.offset + (column - scale.center) / scale.spread
        for scale, column in zip(scales, values.T, strict=True)
    ]
    return np.column_stack(columns).astype(np.float32)


# Share of the range that training saw by which an input may lie beyond it.
_LEEWAY = 0.1

# What training saw: a network answers any input, but its answer to inputs beyond all that it was
# trained on is a guess.


def input_ranges(
    names: Sequence[str], bars: Bars, rows: Indices, anchor: VolatilityAnchor | None
) -> tuple[InputRange, ...]:
    """Find the ranges of the features over some rows.

    Args:
        rows: (M,) rows that lie in windows of the training part, M >= 1.
        anchor: Estimates volatility, if a feature is measured in it.
    """
    seen = feature_values(names, bars, anchor)[rows]
    lows, highs = seen.min(axis=0).tolist(), seen.max(axis=0).tolist()
    return tuple(InputRange(*each) for each in zip(names, lows, highs, strict=True))


def beyond_training(
    ranges: Sequence[InputRange], bars: Bars, anchor: VolatilityAnchor | None
) -> tuple[str, ...]:
    """Name the inputs of the last session that lie beyond what training saw by more than a tenth.

    A tenth of the range that training saw, in the unit of the input: a record by a little is no
    reason for doubt. Of the last session alone: with all of a window one unusual day would be
    reported for as long as it stays in it.

    Args:
        anchor: The one that was fitted with the ranges.

    Returns:
        A part of a sentence for each such input, with its value, its day, the limit and the range.
    """
    latest = feature_values([each.name for each in ranges], bars, anchor)[-1]
    found = zip(ranges, latest.tolist(), strict=True)
    return tuple(words for each, value in found if (words := _beyond(value, each, bars)))


def _beyond(value: float, seen: InputRange, bars: Bars) -> str:
    """Say how far a value of the last session is out; nothing if it is not."""
    if ROWS[seen.name].scale is _flag:
        # One that training never saw raised is kept from the network.
        return ""
    leeway = _LEEWAY * (seen.high - seen.low)
    if seen.low - leeway <= value <= seen.high + leeway:
        return ""
    if not np.isfinite(value):
        return f"{ROWS[seen.name].words} on {bars.dates[-1]} is not a number"
    above = value > seen.high
    limit = seen.high + leeway if above else seen.low - leeway
    row = ROWS[seen.name]
    shown = row.shown(np.array([value, limit, seen.low, seen.high])).tolist()
    digits = _digits(*shown[:2])
    given, most, low, high = (f"{number:,.{digits}f}" for number in shown)
    return (
        f"{row.words} of {given}{row.unit} on {bars.dates[-1]}, {'above' if above else 'below'} "
        f"the limit of {most} (training saw {low} to {high})"
    )


def _digits(given: float, limit: float) -> int:
    """Choose as many decimals as tell a value from its limit, and four digits of what is small."""
    least = max(price_digits(max(abs(given), abs(limit))), 2)
    return next((d for d in range(least, 15) if f"{given:.{d}f}" != f"{limit:.{d}f}"), 15)
