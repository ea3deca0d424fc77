"""Whether anything of the future reached a model: the audit of `validate --leakage`.

Everything after the split is replaced by noise, and all that was made of the prices before it is
made again. A feature, a scaler or a forecast that looked ahead comes out different.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stocklstm.core.checks import Check
from stocklstm.core.inputs.scaling import (
    PooledScaling,
    PriceScaling,
    Scaling,
    fit_scaling,
    warm_up_rows,
)
from stocklstm.core.inputs.volatility import VolatilityAnchor
from stocklstm.core.prices.series import Bars, Floats, Indices
from stocklstm.core.prices.splits import Split, split_origins
from stocklstm.errors import NoPricesError, StockLstmError
from stocklstm.store.manifest import Manifest
from stocklstm.store.store import Store
from stocklstm.workflows.loading.model import LoadedModel

_Real = NDArray[np.floating[Any]]

_SEED = 20_240_313

# Further cuts in the test part: there each evening's forecast has another future.
_LATER_CUTS = 8

# A manifest may come from another machine, whose logarithm rounds the last digit elsewhere. Rows
# that should not have been looked at change the third.
_ROUNDING = 1e-9

# The same of log returns that went through a network of single precision.
_FLOAT32 = 1e-4


@dataclass(frozen=True, eq=False)
class Audited:
    """What is audited.

    Attributes:
        model: The version.
        bars: Stored prices of the days that it saw, N sessions.
        split: Its parts.
        revised: True if these prices are no longer those that it saw.
        seen: Row of the last close that training or validation may have seen; None for that of the
            last validation label.
        shared: What the scaling of a pooled model shares among its tickers, fitted on all of them.
        sample: Origins whose forecasts are made again: all of them take seconds with a large
            network.
    """

    model: LoadedModel
    bars: Bars
    split: Split
    revised: bool
    seen: int | None = None
    shared: PooledScaling | None = None
    sample: int = 200

    @property
    def manifest(self) -> Manifest:
        """Of the version."""
        return self.model.manifest

    @property
    def end(self) -> int:
        """Row of the last validation label: no later one may have shaped anything."""
        if self.seen is not None:
            return self.seen
        return int(self.split.validation[-1]) + self.manifest.config.horizon

    def fitted(self, bars: Bars) -> Scaling:
        """Fit the scaling as training does."""
        return self.fitted_on(bars, self.split)

    def fitted_on(self, bars: Bars, split: Split) -> Scaling:
        """Do the same on other parts."""
        if self.shared is not None:
            return self.shared.of(VolatilityAnchor.fit(bars, split.train_rows))
        return fit_scaling(bars, split, self.manifest.config)


def audit_leakage(store: Store, model: LoadedModel) -> tuple[Check, ...]:
    """Replace the future of a model by noise and look for what changes.

    Args:
        store: Holds the prices that it was made from.
        model: Any version.

    Returns:
        One check each of the prices, the parts, the scaling, the inputs and the forecasts; the
        first alone, as a warning, where the prices to audit with are not there.
    """
    manifest = model.manifest
    try:
        bars = store.prices.bars(manifest.ticker)
    except NoPricesError as error:
        return (Check("leakage: prices", "warning", f"not audited: {error.message}"),)
    last = np.datetime64(manifest.data.last, "D")
    bars = bars.select(bars.dates <= last)
    revised = bars.fingerprint() != manifest.data.sha256
    try:
        split = split_origins(len(bars), warm_up_rows(manifest.config), manifest.config)
    except StockLstmError as error:
        return (Check("leakage: prices", "warning", f"not audited: {error.message}"),)
    subject = Audited(model, bars, split, revised)
    return (
        _prices(subject),
        *(
            checked(name, partial(check, subject))
            for name, check in (
                ("parts", _parts),
                ("scaling", check_scaling),
                ("inputs", check_inputs),
                ("forecasts", check_forecasts),
            )
        ),
    )


class LeakError(Exception):
    """Something of the future was found where it should not be; holds the words."""


def checked(name: str, check: Callable[[], str]) -> Check:
    """Carry out one check of an audit, and tell how it went.

    Args:
        name: What it looks at.
        check: Says what it looked at, and raises `LeakError` where it finds something.
    """
    try:
        return Check(f"leakage: {name}", "ok", check())
    except LeakError as leak:
        return Check(f"leakage: {name}", "failed", str(leak))
    except StockLstmError as error:
        return Check(f"leakage: {name}", "failed", error.message)


def _prices(subject: Audited) -> Check:
    if subject.revised:
        return Check(
            "leakage: prices",
            "warning",
            f"revised since training: what {subject.manifest.id} recorded cannot be compared, "
            "only made again",
        )
    return Check("leakage: prices", "ok", f"{len(subject.bars):,} rows, those of training")


def _parts(subject: Audited) -> str:
    """Look whether the parts follow each other as recorded, with nothing of one in the next."""
    recorded, split = subject.manifest.splits, subject.split
    days = subject.bars.dates[subject.manifest.config.horizon :].astype(str)
    found = {
        "train_start": days[split.train[0]],
        "train_end": days[split.train[-1]],
        "validation_start": days[split.validation[0]],
        "test_start": days[split.test[0]],
        "test_end": days[split.test[-1]],
    }
    if subject.revised:
        found = {field.name: getattr(recorded, field.name) for field in fields(recorded)}
    for name, day in found.items():
        if getattr(recorded, name) != day:
            raise LeakError(f"{name} is recorded as {getattr(recorded, name)}, but was {day}")
    order = [recorded.train_end, recorded.validation_start, recorded.test_start]
    if sorted(set(order)) != order:
        raise LeakError("the parts overlap")
    return f"training to {order[0]}, validation from {order[1]}, test from {order[2]}"


def check_scaling(subject: Audited) -> str:
    """Look whether the scaling is that of the training rows, whatever comes after them."""
    fitted = subject.fitted(subject.bars)
    for name, bars in _futures(subject.bars, subject.split.train_rows - 1):
        other = subject.fitted(bars)
        if other != fitted:
            raise LeakError(f"fitted on the training part, it changes with {name} after that")
    if subject.revised:
        return "the same whatever comes after the training part; not compared with the record"
    recorded = subject.manifest.scaling
    if isinstance(recorded, PriceScaling):
        _require_residuals(subject, recorded)
        recorded = replace(recorded, residuals=())
    if not _alike(recorded, fitted):
        every_row = replace(subject.split, train_rows=len(subject.bars))
        whole = subject.fitted_on(subject.bars, every_row)
        also = ", but of all rows" if _alike(recorded, whole) else ""
        raise LeakError(f"the recorded numbers are not those of the training part{also}")
    return f"that of the {subject.split.train_rows:,} training rows, whatever comes after them"


def _require_residuals(subject: Audited, recorded: PriceScaling) -> None:
    """Measure the residuals of a price model again, on the calibration part and nothing else."""
    if subject.manifest.parent is not None:
        # A smaller version keeps those of its parent, and its own network errs otherwise.
        return
    origins = subject.split.calibration
    bars = subject.bars.select(slice(0, int(origins[-1]) + recorded.horizon + 1))
    outputs = subject.model.forecaster.outputs(bars, origins)
    residuals = recorded.calibrate(outputs, bars, origins).residuals
    if not np.allclose(residuals, recorded.residuals, rtol=0, atol=_FLOAT32):
        raise LeakError("the recorded residuals are not those of the calibration part")


def _alike(left: Scaling, right: Scaling) -> bool:
    first, second = _values(left), _values(right)
    return first.keys() == second.keys() and all(
        math.isclose(value, other, rel_tol=_ROUNDING, abs_tol=_ROUNDING)
        if isinstance(value, float) and isinstance(other, float)
        else value == other
        for value, other in ((first[name], second[name]) for name in first)
    )


def _values(part: object, path: str = "") -> dict[str, object]:
    """Lay the fields of nested dataclasses and tuples side by side, by their path."""
    if isinstance(part, tuple):
        inner = [(str(place), value) for place, value in enumerate(part)]
    elif hasattr(part, "__dataclass_fields__"):
        inner = [(name, getattr(part, name)) for name in part.__dataclass_fields__]
    else:
        return {path: part}
    return {
        place: value
        for name, below in inner
        for place, value in _values(below, f"{path}.{name}").items()
    }


def check_inputs(subject: Audited) -> str:
    """Look whether the training inputs and targets change with what comes after the split."""
    end, horizon = subject.end, subject.manifest.config.horizon
    inputs, targets = _seen(subject.fitted(subject.bars), subject.bars, end, horizon)
    for name, bars in _futures(subject.bars, end):
        others = _seen(subject.fitted(bars), bars, end, horizon)
        for words, before, after in zip(
            ("inputs", "targets"), (inputs, targets), others, strict=True
        ):
            rows = _differing(before, after)
            if len(rows):
                raise LeakError(
                    f"with {name} after {subject.bars.dates[end]}, the {words} of {len(rows)} "
                    f"earlier sessions change, first that of {subject.bars.dates[rows[0]]}"
                )
    return f"{len(inputs):,} rows and {len(targets):,} targets, the same bit for bit"


def _seen(scaling: Scaling, bars: Bars, end: int, horizon: int) -> tuple[_Real, _Real]:
    """Build the inputs of the rows to an end, and the targets whose day is no later."""
    return scaling.inputs(bars)[: end + 1], scaling.targets(bars)[: end + 1 - horizon]


def _differing(before: _Real, after: _Real) -> Indices:
    """Find the rows with any other bit; NaN is like NaN."""
    same = (before == after) | (np.isnan(before) & np.isnan(after))
    rows: Indices = np.flatnonzero(~same.reshape(len(same), -1).all(axis=1))
    return rows


def check_forecasts(subject: Audited) -> str:
    """Look whether forecasts made by the serving graph change with what comes after them."""
    random = np.random.default_rng(_SEED)
    end, first = subject.end, subject.model.forecaster.first_origin()
    origins = _sample(random, np.arange(first, end + 1), subject.sample)
    _require_same(subject, end, origins)
    cuts = _sample(random, subject.split.test, _LATER_CUTS)
    for cut in cuts:
        _require_same(subject, int(cut), np.array([cut]))
    return (
        f"{len(origins)} of {max(0, end + 1 - first):,} to {subject.bars.dates[end]}, and "
        f"{len(cuts)} of the test part, the same bit for bit"
    )


def _sample(random: np.random.Generator, rows: Indices, count: int) -> Indices:
    """Choose some rows, always the last one: nearest to the future, it is the first to leak."""
    if len(rows) <= count:
        return rows
    chosen = random.choice(rows[:-1], count - 1, replace=False)
    return np.append(np.sort(chosen), rows[-1])


def _require_same(subject: Audited, cut: int, origins: Indices) -> None:
    forecaster = subject.model.forecaster
    before = forecaster.forecast(subject.bars, origins)
    for name, bars in _futures(subject.bars, cut):
        after = forecaster.forecast(bars, origins)
        rows = np.union1d(
            _differing(before.points, after.points), _differing(before.quantiles, after.quantiles)
        )
        if len(rows):
            raise LeakError(
                f"with {name} after {subject.bars.dates[cut]}, {len(rows)} of {len(origins)} "
                f"earlier forecasts change, first that of {subject.bars.dates[origins[rows[0]]]}"
            )


def _futures(bars: Bars, row: int) -> Iterator[tuple[str, Bars]]:
    """Give a series other futures after a row: none, a random walk, and extreme values."""
    later = len(bars) - row - 1
    yield "nothing", bars.select(slice(0, row + 1))
    random = np.random.default_rng([_SEED, row])
    walk = bars.closes[row] * np.exp(np.cumsum(0.05 * random.standard_normal(later)))
    yield "a random walk", _continued(bars, row, walk, random)
    extreme = bars.closes[row] * np.exp(random.choice([-5.0, 5.0], later))
    yield "extreme values", _continued(bars, row, extreme, random)


def _continued(bars: Bars, row: int, closes: Floats, random: np.random.Generator) -> Bars:
    """Put other closes after a row, with opens, highs, lows and volumes that fit them."""
    opens = closes * np.exp(0.02 * random.standard_normal(len(closes)))
    columns = {
        "opens": opens,
        "highs": np.maximum(opens, closes) * 1.03,
        "lows": np.minimum(opens, closes) / 1.03,
        "closes": closes,
        "adj_closes": closes * bars.adj_closes[row] / bars.closes[row],
        "volumes": np.exp(random.uniform(0, 25, len(closes))),
    }
    return replace(
        bars,
        **{
            name: np.concatenate([getattr(bars, name)[: row + 1], values])
            for name, values in columns.items()
        },
    )
