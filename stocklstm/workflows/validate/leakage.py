"""Whether anything of the future reached a model: the audit of `validate --leakage`.

Everything after the split is replaced by noise, and all that was made of the prices before it is
made again. A feature, a scaler or a forecast that looked ahead comes out different.

Shares move together, so that for a pooled model it is not enough that no ticker saw its own future:
none may have seen the days on which another is judged.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stocklstm.core.checks import Check
from stocklstm.core.inputs.parts import (
    PoolSeries,
    SplitSeries,
    fit_shared,
    split_pool,
    split_ticker,
)
from stocklstm.core.inputs.scaling import PriceScaling, Scaling, fit_scaling
from stocklstm.core.inputs.volatility import VolatilityAnchor
from stocklstm.core.prices.pool_splits import PoolDays
from stocklstm.core.prices.series import Bars, DayVariances, Floats, Indices
from stocklstm.core.prices.splits import Split
from stocklstm.errors import StockLstmError
from stocklstm.store.manifest import Manifest, split_record
from stocklstm.store.store import Store
from stocklstm.workflows.loading.model import LoadedModel
from stocklstm.workflows.loading.pooled_model import AnyModel

_Real = NDArray[np.floating[Any]]

_SEED = 20_240_313

# Forecasts up to the split that are made again, over all tickers and of each at least: all of them
# would take seconds with a large network.
_SAMPLE = 200
_LEAST_SAMPLE = 5

# Further cuts in the test part: there each evening's forecast has another future.
_LATER_CUTS = 8

# A manifest may come from another machine, whose logarithm rounds the last digit elsewhere. Rows
# that should not have been looked at change the third.
_ROUNDING = 1e-9

# The same of log returns that went through a network of single precision.
_FLOAT32 = 1e-4


@dataclass(frozen=True, eq=False)
class _Series:
    """One ticker that is audited.

    Attributes:
        model: The version, for this ticker.
        bars: Stored prices of the days that it saw, N sessions.
        split: Its parts.
        end: Row of the last close that training or validation may have seen.
        fit: Fits the scaling as training does, given prices and their parts.
        revised: True if prices of the model are no longer those that it saw.
        sample: Origins whose forecasts are made again.
    """

    model: LoadedModel
    bars: Bars
    split: Split
    end: int
    fit: Callable[[Bars, Split], Scaling]
    revised: bool
    sample: int

    @property
    def manifest(self) -> Manifest:
        """Of the version."""
        return self.model.manifest

    def fitted(self, bars: Bars) -> Scaling:
        """Fit the scaling on the training part of other prices."""
        return self.fit(bars, self.split)


@dataclass(frozen=True, eq=False)
class _Audit:
    """A version, and all that was made of its prices, made again.

    Attributes:
        manifest: Of the version.
        series: Its tickers, by name.
        days: Where the parts of the tickers of a pooled model begin; None for the model of one.
        revised: Tickers whose prices are no longer those that it saw.
    """

    manifest: Manifest
    series: Mapping[str, _Series]
    days: PoolDays | None
    revised: Sequence[str]

    def prices(self) -> Check:
        """Tell whether there is something to compare the record with."""
        pooled, rows = self.days is not None, sum(len(each.bars) for each in self.series.values())
        if self.revised and pooled:
            named = ", ".join(self.revised[:3]) + (", …" if len(self.revised) > 3 else "")
            words = f"those of {named} were revised since training: the record is not compared"
        elif self.revised:
            words = (
                f"revised since training: what {self.manifest.id} recorded cannot be compared, "
                "only made again"
            )
        elif pooled:
            words = f"{rows:,} rows of {len(self.series)} tickers, as in training"
        else:
            words = f"{rows:,} rows, those of training"
        return Check("leakage: prices", "warning" if self.revised else "ok", words)

    def parts(self) -> str:
        """Look whether the parts are those of the record, and apart for all tickers at once."""
        recorded = self.manifest.splits
        if not self.revised:
            parts = [SplitSeries(each.bars, each.split) for each in self.series.values()]
            found = split_record(parts, self.manifest.config.horizon)
            _require_recorded(asdict(recorded), asdict(found))
            if self.days is not None and self.manifest.pool is not None:
                _require_recorded(asdict(self.manifest.pool.days), asdict(self.days))
        order = [recorded.train_end, recorded.validation_start, recorded.test_start]
        if sorted(set(order)) != order:
            raise LeakError("the parts overlap")
        for earlier, later in (("train", "validation"), ("validation", "test")):
            self._require_apart(earlier, later)
        together = "" if self.days is None else ", on the same days for all tickers"
        return f"training to {order[0]}, validation from {order[1]}, test from {order[2]}{together}"

    def _require_apart(self, earlier: str, later: str) -> None:
        """Look whether every label of a part was known before any forecast of the next is made."""
        horizon = self.manifest.config.horizon

        def days(part: str, place: int, ahead: int) -> list[tuple[str, str]]:
            return [
                (str(each.bars.dates[rows[place] + ahead]), ticker)
                for ticker, each in self.series.items()
                for rows in [getattr(each.split, part)]
                if len(rows)
            ]

        taught, taught_by = max(days(earlier, -1, horizon))
        begun, begun_by = min(days(later, 0, 0))
        if taught >= begun:
            raise LeakError(
                f"the {earlier} part of {taught_by} goes to {taught}, though forecasts of the "
                f"{later} part of {begun_by} are made from {begun} on"
            )

    def each(self, check: Callable[[_Series], str]) -> str:
        """Check every ticker; say how it went for one, and that it was so for the others."""
        if self.days is None:
            return "".join(map(check, self.series.values()))
        details = []
        for ticker, series in self.series.items():
            try:
                details.append(f"{ticker}: {check(series)}")
            except LeakError as leak:
                raise LeakError(f"{ticker}: {leak}") from leak
        return f"{details[0]}; and so {len(details) - 1} more"


class LeakError(Exception):
    """Something of the future was found where it should not be; holds the words."""


def audit_leakage(store: Store, model: AnyModel) -> tuple[Check, ...]:
    """Replace the future of each ticker by noise and look for what changes; compare the parts.

    Returns:
        One check each of the prices, the parts, the scaling, the inputs and the forecasts; the
        first alone, as a warning, where the prices to audit with are not there.
    """
    try:
        audit = _audit(store, model)
    except StockLstmError as error:
        return (Check("leakage: prices", "warning", f"not audited: {error.message}"),)
    return (
        audit.prices(),
        _checked("parts", audit.parts),
        _checked("scaling", partial(audit.each, _check_scaling)),
        _checked("inputs", partial(audit.each, _check_inputs)),
        _checked("forecasts", partial(audit.each, _check_forecasts)),
    )


def _audit(store: Store, model: AnyModel) -> _Audit:
    """Part the prices that a model saw, and prepare to fit them, as training does.

    Raises:
        StockLstmError: They are not there, or too few by now.
    """
    manifest = model.manifest
    models, bars, revised = {}, {}, []
    for ticker in model.tickers:
        name = store.prices.current_name(ticker)
        stored = store.prices.bars(name).since(manifest.config.start)
        models[ticker] = model.of(ticker, stored)
        data = models[ticker].manifest.data
        seen = stored.select(stored.dates <= np.datetime64(data.last, "D"))
        if data.measured:
            seen = store.prices.measured_then(name, seen, data.sha256, manifest.created)
        bars[ticker] = seen
        if bars[ticker].fingerprint() != data.sha256:
            revised.append(ticker)
    if manifest.pool is None:
        (single,) = models.values()
        series = _series_of_ticker(single, bars[single.ticker], revised=bool(revised))
        return _Audit(manifest, {single.ticker: series}, None, revised)
    # On other prices other days would be chosen: then those of the record are taken.
    days, parts = split_pool(bars, manifest.config, manifest.pool.days if revised else None)
    pooled = _series_of_pool(models, days, parts, revised=bool(revised))
    return _Audit(manifest, pooled, days, revised)


def _series_of_ticker(model: LoadedModel, bars: Bars, *, revised: bool) -> _Series:
    config = model.manifest.config
    split = split_ticker(bars, config).split
    return _Series(
        model,
        bars,
        split,
        end=int(split.validation[-1]) + config.horizon,
        fit=lambda other, parts: fit_scaling(other, parts, config),
        revised=revised,
        sample=_SAMPLE,
    )


def _series_of_pool(
    models: Mapping[str, LoadedModel], days: PoolDays, parts: Sequence[PoolSeries], *, revised: bool
) -> dict[str, _Series]:
    config = next(iter(models.values())).manifest.config
    shared, test_from = fit_shared(parts, config), np.datetime64(days.test_from, "D")
    return {
        each.ticker: _Series(
            models[each.ticker],
            each.bars,
            each.split,
            end=max(int(np.searchsorted(each.bars.dates, test_from)), each.split.train_rows) - 1,
            fit=lambda other, split: shared.of(
                VolatilityAnchor.fit(other, split.train_rows, config.range_decay)
            ),
            revised=revised,
            sample=max(_LEAST_SAMPLE, _SAMPLE // len(parts)),
        )
        for each in parts
    }


def _checked(name: str, check: Callable[[], str]) -> Check:
    """Tell how a check went: it says what it looked at, or raises what it found."""
    try:
        return Check(f"leakage: {name}", "ok", check())
    except LeakError as leak:
        return Check(f"leakage: {name}", "failed", str(leak))
    except StockLstmError as error:
        return Check(f"leakage: {name}", "failed", error.message)


def _require_recorded(recorded: Mapping[str, str], found: Mapping[str, str]) -> None:
    for name, day in found.items():
        if recorded[name] != day:
            raise LeakError(f"{name} is recorded as {recorded[name]}, but was {day}")


def _check_scaling(series: _Series) -> str:
    """Look whether the scaling is that of the training rows, whatever comes after them."""
    fitted = series.fitted(series.bars)
    for name, bars in _futures(series.bars, series.split.train_rows - 1):
        other = series.fitted(bars)
        if other != fitted:
            raise LeakError(f"fitted on the training part, it changes with {name} after that")
    if series.revised:
        return "the same whatever comes after the training part; not compared with the record"
    recorded = series.manifest.scaling
    if isinstance(recorded, PriceScaling):
        _require_residuals(series, recorded)
        recorded = replace(recorded, residuals=())
    elif recorded.anchor.resume is not None:
        _require_state(series, recorded.anchor)
        recorded = replace(recorded, anchor=replace(recorded.anchor, resume=None))
    if not _alike(recorded, fitted):
        every_row = replace(series.split, train_rows=len(series.bars))
        whole = series.fit(series.bars, every_row)
        also = ", but of all rows" if _alike(recorded, whole) else ""
        raise LeakError(f"the recorded numbers are not those of the training part{also}")
    return f"that of the {series.split.train_rows:,} training rows, whatever comes after them"


def _require_state(series: _Series, anchor: VolatilityAnchor) -> None:
    """Compute again where the anchor stood: forecasts of later days go on from there."""
    start = replace(anchor, resume=None)
    expected = start.resumable(series.bars, series.model.forecaster.first_origin())
    if not _alike(anchor.resume, expected):
        raise LeakError("where its volatility is recorded to have stood is not where it stood")


def _require_residuals(series: _Series, recorded: PriceScaling) -> None:
    """Measure the residuals of a price model again, on the calibration part and nothing else."""
    if series.manifest.parent is not None:
        # A smaller version keeps those of its parent, and its own network errs otherwise.
        return
    origins = series.split.calibration
    bars = series.bars.select(slice(0, int(origins[-1]) + recorded.horizon + 1))
    outputs = series.model.forecaster.outputs(bars, origins)
    residuals = recorded.calibrate(outputs, bars, origins).residuals
    if not np.allclose(residuals, recorded.residuals, rtol=0, atol=_FLOAT32):
        raise LeakError("the recorded residuals are not those of the calibration part")


def _alike(left: object, right: object) -> bool:
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


def _check_inputs(series: _Series) -> str:
    """Look whether the training inputs and targets change with what comes after the split."""
    end, horizon = series.end, series.manifest.config.horizon
    inputs, targets = _seen(series.fitted(series.bars), series.bars, end, horizon)
    for name, bars in _futures(series.bars, end):
        others = _seen(series.fitted(bars), bars, end, horizon)
        for words, before, after in zip(
            ("inputs", "targets"), (inputs, targets), others, strict=True
        ):
            rows = _differing(before, after)
            if len(rows):
                raise LeakError(
                    f"with {name} after {series.bars.dates[end]}, the {words} of {len(rows)} "
                    f"earlier sessions change, first that of {series.bars.dates[rows[0]]}"
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


def _check_forecasts(series: _Series) -> str:
    """Look whether forecasts made by the serving graph change with what comes after them."""
    random = np.random.default_rng(_SEED)
    end, first = series.end, series.model.forecaster.first_origin()
    origins = _sample(random, np.arange(first, end + 1), series.sample)
    _require_same(series, end, origins)
    cuts = _sample(random, series.split.test, _LATER_CUTS)
    for cut in cuts:
        _require_same(series, int(cut), np.array([cut]))
    return (
        f"{len(origins)} of {max(0, end + 1 - first):,} to {series.bars.dates[end]}, and "
        f"{len(cuts)} of the test part, the same bit for bit"
    )


def _sample(random: np.random.Generator, rows: Indices, count: int) -> Indices:
    """Choose some rows, always the last one: nearest to the future, it is the first to leak."""
    if len(rows) <= count:
        return rows
    chosen = random.choice(rows[:-1], count - 1, replace=False)
    return np.append(np.sort(chosen), rows[-1])


def _require_same(series: _Series, cut: int, origins: Indices) -> None:
    forecaster = series.model.forecaster
    before = forecaster.forecast(series.bars, origins)
    if not np.isfinite(before.quantiles).all():
        # What is not a number would seem to change with nothing.
        raise LeakError("its forecasts are not finite")
    for name, bars in _futures(series.bars, cut):
        after = forecaster.forecast(bars, origins)
        rows = np.union1d(
            _differing(before.points, after.points), _differing(before.quantiles, after.quantiles)
        )
        if len(rows):
            raise LeakError(
                f"with {name} after {series.bars.dates[cut]}, {len(rows)} of {len(origins)} "
                f"earlier forecasts change, first that of {series.bars.dates[origins[rows[0]]]}"
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
    later: dict[str, Any] = {
        name: np.concatenate([getattr(bars, name)[: row + 1], values])
        for name, values in columns.items()
    }
    return replace(bars, **later, realised=_realised_otherwise(bars, row, random))


def _realised_otherwise(bars: Bars, row: int, random: np.random.Generator) -> DayVariances | None:
    """Put other realised values after a row: of any kind of bars, and on any day."""
    if bars.realised is None:
        return None
    minutes, variances = bars.realised.minutes.copy(), bars.realised.variances.copy()
    later = len(bars) - row - 1
    minutes[row + 1 :] = random.choice([0, 5, 60], later)
    variances[row + 1 :] = np.exp(random.uniform(-15, 0, later))
    variances[minutes == 0] = np.nan
    return DayVariances(minutes, variances)
