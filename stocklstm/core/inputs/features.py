"""What the network may be shown of each session, as plain numbers of about unit size.

A feature of a row uses nothing later than that row's close. Its centre and spread come from
training rows, are kept in the manifest and are never refitted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stocklstm.core.inputs.volatility import WARM_UP, VolatilityAnchor, valid_ranges
from stocklstm.core.prices.series import Bars, Flags, Floats
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import RejectedDataError

# Sessions over which a volume is usual.
_VOLUME_SESSIONS = 20

# A day without trades counts as a hundredth of the usual volume: its logarithm must be finite.
_LEAST_VOLUME = 0.01

# Share of training days that must have what a feature is made of: as the range anchor asks.
_KNOWN_SHARE = 0.9


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
class _Feature:
    """What a feature is made of.

    Attributes:
        values: Gives (N,) raw values, NaN in the first `warm_up` rows; the volatilities are None
            if no feature asks for them.
        warm_up: Rows without a value.
        needs_anchor: True if it is measured in volatility.
    """

    values: Callable[[Bars, Floats | None], Floats]
    warm_up: int
    needs_anchor: bool = False


def _surprises(bars: Bars, sigmas: Floats | None) -> Floats:
    assert sigmas is not None  # noqa: S101 - `needs_anchor` says so
    surprises = np.full(len(bars), np.nan)
    surprises[1:] = bars.log_returns[1:] / sigmas[:-1]
    return surprises


def _log_volatility(_: Bars, sigmas: Floats | None) -> Floats:
    assert sigmas is not None  # noqa: S101 - `needs_anchor` says so
    logs: Floats = np.log(sigmas)
    return logs


def _closes(bars: Bars, _: Floats | None) -> Floats:
    return bars.closes


def _relative_volumes(bars: Bars, _: Floats | None) -> Floats:
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


def _ranges(bars: Bars, _: Floats | None) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        ranges = np.log(bars.highs / bars.lows)
    # Where a source has no range, the move of the close is the least that the range can be.
    return np.where(valid_ranges(bars), ranges, np.abs(bars.log_returns))


def _gaps(bars: Bars, _: Floats | None) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        # The whole return less that from open to close: a dividend at the open is no gap.
        gaps = bars.log_returns - np.log(bars.closes / bars.opens)
    gaps = np.where(valid_ranges(bars), gaps, 0.0)
    gaps[:1] = np.nan
    return gaps


_FEATURES: Mapping[str, _Feature] = {
    "return": _Feature(_surprises, WARM_UP + 1, needs_anchor=True),
    "volatility": _Feature(_log_volatility, WARM_UP, needs_anchor=True),
    "close": _Feature(_closes, 0),
    "volume": _Feature(_relative_volumes, _VOLUME_SESSIONS - 1),
    "range": _Feature(_ranges, 1),
    "gap": _Feature(_gaps, 1),
}


def needs_anchor(names: Sequence[str]) -> bool:
    """Tell whether any of some features is measured in volatility."""
    return any(_FEATURES[name].needs_anchor for name in names)


def features_warm_up(names: Sequence[str]) -> int:
    """Count the leading rows that have no value of some of the features."""
    return max(_FEATURES[name].warm_up for name in names)


def fit_features(
    bars: Bars, rows: int, config: TrainingConfig, anchor: VolatilityAnchor | None
) -> tuple[FeatureScale, ...]:
    """Measure the features of the training part.

    Args:
        bars: N sessions.
        rows: Leading rows that belong to the training part.
        config: Names the features and the ends of the price scale.
        anchor: Gives volatilities, if a feature needs them.

    Raises:
        RejectedDataError: The training part lacks what a feature is made of.
    """
    return fit_shared_features([(bars, rows, anchor)], config)


def fit_shared_features(
    parts: Sequence[tuple[Bars, int, VolatilityAnchor | None]], config: TrainingConfig
) -> tuple[FeatureScale, ...]:
    """Measure the features of the training parts of several series as if they were one.

    Args:
        parts: Of each series its N sessions, the leading rows that belong to its training part,
            and what gives its volatilities, if a feature needs them.
        config: Names the features and the ends of the price scale.

    Raises:
        RejectedDataError: The training parts lack what a feature is made of.
    """
    if {"range", "gap"} & set(config.features):
        valid = np.concatenate([valid_ranges(bars)[1:rows] for bars, rows, _ in parts])
        _require(valid, "an open, high and low", "range and gap")
    if "volume" in config.features:
        known = np.concatenate([np.isfinite(bars.volumes[:rows]) for bars, rows, _ in parts])
        _require(known, "a volume", "volume")
    values: dict[str, list[Floats]] = {name: [] for name in config.features}
    for bars, rows, anchor in parts:
        sigmas = None if anchor is None else anchor.sigmas(bars)
        for name, found in values.items():
            feature = _FEATURES[name]
            found.append(feature.values(bars, sigmas)[feature.warm_up : rows])
    return tuple(_scale(name, np.concatenate(found), config) for name, found in values.items())


def _require(known: Flags, words: str, names: str) -> None:
    if not known.size or float(known.mean()) < _KNOWN_SHARE:
        raise RejectedDataError(
            f"only {int(known.sum())} of {known.size} training days have {words}",
            hint=f"leave {names} out of --features, or fetch from a source that has them",
        )


def _scale(name: str, values: Floats, config: TrainingConfig) -> FeatureScale:
    if name == "return":
        # In volatilities already.
        return FeatureScale(name, 0.0, 1.0)
    if name == "close":
        low, high = float(values.min()), float(values.max())
        spread = ((high - low) or 1.0) / (config.scale_high - config.scale_low)
        return FeatureScale(name, low, spread, config.scale_low)
    spread = float(values.std())
    # Equal values, of a price that never moved, differ from their mean by rounding.
    return FeatureScale(name, float(values.mean()), spread if spread > 1e-9 else 1.0)


def feature_values(names: Sequence[str], bars: Bars, anchor: VolatilityAnchor | None) -> Floats:
    """Build (N, F): every feature of every session in its own unit; NaN where it has no value.

    Args:
        names: Of the features.
        bars: N sessions.
        anchor: Estimates volatility, if a feature is measured in it.
    """
    sigmas = None if anchor is None else anchor.sigmas(bars)
    return np.column_stack([_FEATURES[name].values(bars, sigmas) for name in names])


def feature_inputs(
    scales: Sequence[FeatureScale], bars: Bars, anchor: VolatilityAnchor | None
) -> NDArray[np.float32]:
    """Build (N, F): every feature of every session, scaled.

    Args:
        scales: From `fit_features`.
        bars: N sessions.
        anchor: The same as then.
    """
    values = feature_values([scale.name for scale in scales], bars, anchor)
    columns = [
        scale.offset + (column - scale.center) / scale.spread
        for scale, column in zip(scales, values.T, strict=True)
    ]
    return np.column_stack(columns).astype(np.float32)
