"""The scaler of a tutorial: what it does to a close, as numbers."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from stocklstm.errors import ArtifactCorruptError, ConfigError
from stocklstm.learn.pickles import CLASS, SCALERS

_REWRITE = (
    'joblib.dump(MinMaxScaler().fit(df[["Close"]]), "scaler.pkl") on the days of its training'
)


class CloseScale(NamedTuple):
    """How a close becomes an input, and an output a close: both along one straight line.

    Attributes:
        start: Close that becomes `low`.
        end: Close that becomes `high`; the same as `start` if all closes were.
        low: What the first becomes.
        high: What the second becomes.
        notes: What a person should know, in words.
    """

    start: float
    end: float
    low: float
    high: float
    notes: tuple[str, ...] = ()


def close_scale(found: object, name: str) -> CloseScale:
    """Read the numbers of a scaler that was fitted on one column, the close.

    Args:
        found: As `pickles.read_plain` gives it: a scaler, or a list or dictionary of them.
        name: Of the file.

    Raises:
        ArtifactCorruptError: It is no such scaler.
        ConfigError: It is one that cannot be taken over.
    """
    scaler = _the_one(found, name)
    kind = str(scaler.get(CLASS, "MinMaxScaler"))
    _require_one_column(scaler, kind, name)
    try:
        scale = _READERS[kind](scaler)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactCorruptError(
            f"{name} is a {kind} that was not fitted: it has no numbers of any close",
            hint=f"write it after fit: {_REWRITE}",
        ) from error
    if not (all(map(math.isfinite, scale[:4])) and scale.low < scale.high and scale.end > 0):
        raise ArtifactCorruptError(
            f"{name} takes {scale.start:g} to {scale.low:g} and {scale.end:g} to {scale.high:g}, "
            "which no closes are scaled by",
            hint=f"write one that was fitted on closes: {_REWRITE}",
        )
    if scaler.get("clip"):
        raise ConfigError(
            f"{name} is a {kind} with clip=True, which cuts off closes beyond those of its "
            "training; networks are given such closes here as they are",
            hint=f"without clip, if you accept that: {_REWRITE}",
        )
    return scale


def _the_one(found: object, name: str) -> Mapping[str, Any]:
    """Take the scaler itself, or the only one of several that all do the same."""
    if isinstance(found, dict) and _is_scaler(found):
        return found
    parts = list(found.values()) if isinstance(found, dict) else found
    scalers = [part for part in parts if _is_scaler(part)] if isinstance(parts, list) else []
    if not scalers:
        raise ArtifactCorruptError(
            f"{name} holds no scaler of scikit-learn, but {type(found).__name__}",
            hint=f"read are {', '.join(SCALERS)}: {_REWRITE}",
        )
    if any(not _same(scalers[0], other) for other in scalers[1:]):
        raise ConfigError(
            f"{name} holds {len(scalers)} scalers that differ, and one is needed: that of the "
            "closes, which are both input and output",
            hint='write that one alone, such as joblib.dump(scalers[0], "scaler.pkl")',
        )
    chosen: Mapping[str, Any] = scalers[0]
    return chosen


def _is_scaler(value: object) -> bool:
    return isinstance(value, dict) and (CLASS in value or "data_min_" in value)


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


def _require_one_column(scaler: Mapping[str, Any], kind: str, name: str) -> None:
    columns = scaler.get("n_features_in_", 1)
    if columns == 1:
        return
    named = scaler.get("feature_names_in_")
    listed = ascii(", ".join(map(str, named))[:80])[1:-1] if isinstance(named, list) else ""
    which = f" ({listed})" if listed else ""
    raise ConfigError(
        f"{name} is a {kind} of {columns} columns{which}; only a network of the close alone can be "
        "taken over",
        hint=f"if the network sees the close alone: {_REWRITE}",
    )


def _min_max(scaler: Mapping[str, Any]) -> CloseScale:
    low, high = (float(end) for end in scaler["feature_range"])
    start, end = _single(scaler["data_min_"]), _single(scaler["data_max_"])
    if start > end:
        raise ValueError("its lowest close lies above its highest")
    notes = (f"its scaler was fitted on closes that were all {start:g}",) if start == end else ()
    return CloseScale(start, end, low, high, notes)


def _standard(scaler: Mapping[str, Any]) -> CloseScale:
    mean = _single(scaler["mean_"]) if scaler["with_mean"] else 0.0
    return _line(mean, _single(scaler["scale_"]) if scaler["with_std"] else 1.0)


def _robust(scaler: Mapping[str, Any]) -> CloseScale:
    center = _single(scaler["center_"]) if scaler["with_centering"] else 0.0
    return _line(center, _single(scaler["scale_"]) if scaler["with_scaling"] else 1.0)


def _max_abs(scaler: Mapping[str, Any]) -> CloseScale:
    return _line(0.0, _single(scaler["scale_"]))


def _line(center: float, spread: float) -> CloseScale:
    """Say (close - center) / spread by two closes: what becomes 0, and what becomes 1."""
    if not spread > 0:
        raise ValueError("it has no spread")
    return CloseScale(center, center + spread, 0.0, 1.0)


def _single(values: Any) -> float:  # noqa: ANN401 - an array, if it is one
    (value,) = values.tolist()
    return float(value)


_READERS = {
    "MinMaxScaler": _min_max,
    "StandardScaler": _standard,
    "RobustScaler": _robust,
    "MaxAbsScaler": _max_abs,
}
