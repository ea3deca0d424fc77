"""predict: the close of a session to come, with intervals."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from stocklstm.core.checks import Check
from stocklstm.core.clock import utc_now
from stocklstm.core.config import LOCK_TIMEOUT_S
from stocklstm.core.evaluation import outcomes
from stocklstm.core.intervals import Interval, adapted_intervals, plain_intervals
from stocklstm.core.levels import INTERVAL_LEVELS, LEVELS
from stocklstm.core.live import FEWEST, ClosedForecasts, LiveRecord, live_record
from stocklstm.core.outcomes import Failure, for_each
from stocklstm.core.quantiles import available_intervals
from stocklstm.core.reference import ModelReference, parse_reference
from stocklstm.core.scaling import ReturnForecasts
from stocklstm.core.series import Bars
from stocklstm.errors import ConfigError, NotEnoughDataError, StorageError
from stocklstm.store.ledger import LedgerEntry
from stocklstm.store.manifest import Manifest
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.closed import closed_forecasts, pinned_version
from stocklstm.workflows.preconditions import NO_DEMANDS, Demands, examine, require_all_well
from stocklstm.workflows.serving import LoadedModel, chosen_references, load_model, unsigned

_SHOWN = 60
"""Closed forecasts that a new one is shown beside."""

_LEARNED = 500
"""Closed forecasts that adaptive intervals learn from: what lies farther back is forgotten."""

_PER_SESSION = 4
"""Forecasts of one session that are read to find the champion's."""


@dataclass(frozen=True)
class Wanted:
    """What is to be forecast.

    Attributes:
        at: ISO day: forecast as if it were the evening of that day; None for the last close.
        horizon: Sessions ahead, not fewer than the model learned; None for as many as it learned.
        levels: Probabilities of the intervals.
        adaptive: Take the intervals where past ones would have held what they promised.
    """

    at: str | None = None
    horizon: int | None = None
    levels: tuple[float, ...] = INTERVAL_LEVELS
    adaptive: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be forecast.

        Raises:
            ConfigError: No such day, a horizon below 1, an interval that the grid lacks or that
                was named twice, or intervals of the past that adapt to what came later.
        """
        if self.adaptive and self.at is not None:
            raise ConfigError("--adaptive learns from forecasts up to now: leave out --at")
        if self.at is not None:
            try:
                # 20240313 is ISO 8601 too, but to NumPy it is a year.
                known = date.fromisoformat(self.at).isoformat() == self.at
            except ValueError:
                known = False
            if not known:
                raise ConfigError(f"--at is a day such as 2024-03-13, not {self.at[:30]!a}")
        if self.horizon is not None and not 1 <= self.horizon <= 250:
            raise ConfigError(f"--horizon must be from 1 to 250, not {self.horizon}")
        if len(set(self.levels)) < len(self.levels):
            raise ConfigError("a level was given twice", hint="--levels 0.8,0.95")
        missing = set(self.levels) - set(available_intervals())
        if missing or not self.levels:
            raise ConfigError(
                f"there is no interval of {min(missing):g}" if missing else "no level was given",
                hint=f"--levels are some of {', '.join(map(str, available_intervals()))}",
            )


LATEST = Wanted()


@dataclass(frozen=True)
class Forecast:
    """One forecast.

    Attributes:
        ticker: Whose.
        version: Model version.
        as_of: ISO day of the last stored close.
        last_close: That close, in currency.
        currency: ISO 4217 code.
        target_session: ISO day that is forecast.
        horizon: Sessions ahead.
        point: Forecast close.
        change_pct: Change from the last close, in per cent.
        intervals: One for each level asked for.
        quantiles: The whole grid, by probability.
        verdict: How the model compared with yesterday's close on its test part.
        verdict_text: The same in words.
        stale_sessions: Sessions that have ended since the last stored close; of a day of the past,
            up to it.
        live: What the last 60 forecasts were worth whose session has closed; None until there
            are any, and for a forecast of the past.
        outcome: Close of the target session, dividends added back; None if it is not known.
        unchanged: True if the same forecast was on record already.
        warnings: What to know before relying on it, one line each.
        checks: What was looked at for that: prices, age of the model and its inputs; those that
            warn are among the warnings.
        plot: Where its picture lies; None if none was drawn.
    """

    ticker: str
    version: int
    as_of: str
    last_close: float
    currency: str
    target_session: str
    horizon: int
    point: float
    change_pct: float
    intervals: tuple[Interval, ...]
    quantiles: dict[str, float]
    verdict: str
    verdict_text: str
    stale_sessions: int
    live: LiveRecord | None
    outcome: float | None
    unchanged: bool
    warnings: tuple[str, ...]
    checks: tuple[Check, ...]
    plot: str | None = None


@dataclass(frozen=True)
class PredictResult:
    """Outcome for all tickers."""

    forecasts: tuple[Forecast, ...]
    failures: tuple[Failure, ...]


def predict(
    references: Sequence[str] = (),
    wanted: Wanted = LATEST,
    *,
    demands: Demands = NO_DEMANDS,
    home: Path | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    now: str | None = None,
) -> PredictResult:
    """Forecast a session to come of each ticker and keep the forecast in the ledger.

    What would have been forecast on an earlier day is computed from the prices up to that day, in
    today's scale, and is not kept: it was not made then.

    Args:
        references: TICKER or TICKER@version; none means the champion of every ticker.
        wanted: Which session, from which day, with which intervals.
        demands: What prices and model must be like; what they are not is warned of, or refused.
        home: The store; by default where the command line has it.
        lock_timeout_s: Seconds to wait for another writer.
        now: UTC timestamp; by default the current time.

    Raises:
        NotFoundError: There is no store, or no model at all.
    """
    with open_store(home, lock_timeout_s=lock_timeout_s) as store:
        return predict_from(store, references, wanted, demands=demands, now=now)


def predict_from(
    store: Store,
    references: Sequence[str] = (),
    wanted: Wanted = LATEST,
    *,
    demands: Demands = NO_DEMANDS,
    now: str | None = None,
    load: Callable[[Store, ModelReference], LoadedModel] = load_model,
) -> PredictResult:
    """Do the same from a store that is open.

    Args:
        store: Open.
        references: As for `predict`.
        wanted: As for `predict`.
        demands: As for `predict`.
        now: UTC timestamp; by default the current time.
        load: Gives the model of a reference; by default from the disk.

    Raises:
        NotFoundError: There is no model at all.
    """
    made_at = now or utc_now()
    names = chosen_references(store, references)
    return PredictResult(
        *for_each(
            names,
            parse_reference,
            lambda chosen: _predict_one(store, chosen, wanted, demands, made_at, load),
        )
    )


def _predict_one(
    store: Store,
    reference: ModelReference,
    wanted: Wanted,
    demands: Demands,
    made_at: str,
    load: Callable[[Store, ModelReference], LoadedModel],
) -> Forecast:
    model = load(store, reference)
    manifest = model.manifest
    instrument = store.prices.instrument(manifest.ticker)
    bars = store.prices.bars(manifest.ticker)
    seen = _seen(bars, manifest.ticker, wanted.at)
    horizon = horizon_ahead(manifest, wanted.horizon)
    target, outcome = _target(store, instrument.exchange, bars, len(seen) - 1, horizon)
    entry = _forecast(model, seen, target, horizon, made_at)
    stale = _behind(store, instrument.exchange, bars, wanted.at, made_at)
    findings = examine(manifest, seen, stale, demands)
    require_all_well(manifest, findings, demands)
    if wanted.at is None:
        unchanged, warnings = _record(store, entry)
    else:
        unchanged, warnings = False, _hindsight(manifest, entry.target_session)
    checks = tuple(finding.check for finding in findings)
    warnings += [check.detail for check in checks if check.status == "warning"]
    warnings += untested(manifest, horizon)
    closed = None
    if wanted.at is None:
        closed = _closed(store, bars, pinned_version(store, reference), entry, wanted)
    intervals, remarks = _intervals(entry, wanted, closed)
    return Forecast(
        ticker=manifest.ticker,
        version=manifest.version,
        as_of=entry.as_of,
        last_close=entry.last_close,
        currency=instrument.currency,
        target_session=entry.target_session,
        horizon=entry.horizon,
        point=entry.point,
        change_pct=100 * (entry.point / entry.last_close - 1),
        intervals=intervals,
        quantiles={f"{p:g}": q for p, q in zip(LEVELS, entry.quantiles, strict=True)},
        verdict=manifest.evaluation.verdict,
        verdict_text=manifest.evaluation.verdict_text,
        stale_sessions=stale or 0,
        live=None if closed is None else live_record(closed.select(slice(-_SHOWN, None))),
        outcome=outcome,
        unchanged=unchanged,
        warnings=(*warnings, *remarks, *unsigned(store, manifest)),
        checks=checks,
    )


def _intervals(
    entry: LedgerEntry, wanted: Wanted, closed: ClosedForecasts | None
) -> tuple[tuple[Interval, ...], list[str]]:
    """Take the intervals out of the grid, and say what to know about them."""
    grid = np.array(entry.quantiles)
    if not wanted.adaptive or closed is None:
        return plain_intervals(grid, wanted.levels), []
    if len(closed) < FEWEST:
        count = f"{len(closed)} forecasts have closed, of {FEWEST} needed"
        remark = f"the intervals are not adapted: {count}"
        return plain_intervals(grid, wanted.levels), [remark]
    return adapted_intervals(grid, wanted.levels, closed)


def _closed(
    store: Store, bars: Bars, version: int | None, entry: LedgerEntry, wanted: Wanted
) -> ClosedForecasts:
    """Read the latest forecasts of the same kind that have been put to the test."""
    count = _PER_SESSION * (_LEARNED if wanted.adaptive else _SHOWN)
    entries = store.ledger.latest(entry.ticker, entry.horizon, entry.as_of, count)
    closed, _ = closed_forecasts(store, bars, entries, entry.horizon, version)
    return closed.select(slice(-_LEARNED, None))


def _seen(bars: Bars, ticker: str, at: str | None) -> Bars:
    """Leave out what came after a day."""
    if at is None:
        return bars
    seen = bars.select(bars.dates <= np.datetime64(at, "D"))
    if not len(seen):
        raise NotEnoughDataError(
            f"the stored prices of {ticker} begin on {bars.dates[0]}, after {at}",
            hint=f"stocklstm fetch --ticker {ticker} --full",
        )
    return seen


def _behind(store: Store, exchange: str, bars: Bars, at: str | None, now: str) -> int | None:
    """Count the sessions that the prices lack; None if they hold the day that was asked for."""
    last = str(bars.dates[-1])
    if at is None:
        return store.sessions.ended_since(exchange, last, now)
    # The evening of a day to come has not been: by then as little is known as now.
    evening = min(now, f"{at}T23:59:59Z")
    return store.sessions.ended_since(exchange, last, evening) or None


def horizon_ahead(manifest: Manifest, wanted: int | None) -> int:
    """Take the horizon that is wanted, or the one that the model learned.

    Raises:
        ConfigError: The one wanted is nearer than what the model learned.
    """
    learned = manifest.config.horizon
    if wanted is not None and wanted < learned:
        raise ConfigError(
            f"{manifest.id} forecasts {learned} sessions ahead and no fewer, not {wanted}",
            hint=f"stocklstm train --ticker {manifest.ticker} --horizon {wanted}",
        )
    return wanted or learned


def _target(
    store: Store, exchange: str, bars: Bars, origin: int, horizon: int
) -> tuple[str, float | None]:
    """Find the session that is forecast, and its close if that is known by now."""
    if origin + horizon < len(bars):
        known = outcomes(bars, np.array([origin]), horizon)
        return str(bars.dates[origin + horizon]), float(known[0])
    missing = origin + horizon - (len(bars) - 1)
    return store.sessions.next_after(exchange, str(bars.dates[-1]), missing), None


def closes_ahead(model: LoadedModel, bars: Bars, horizon: int) -> ReturnForecasts:
    """Forecast the close some sessions after the last one.

    Args:
        model: Loaded.
        bars: N sessions.
        horizon: From `horizon_ahead`.

    Returns:
        One forecast, in currency.
    """
    learned = model.manifest.config.horizon
    returns = model.forecast(bars)
    if horizon != learned:
        returns = returns.widened(math.sqrt(horizon / learned))
    return returns.closes(bars.closes[-1:])


def _forecast(
    model: LoadedModel, bars: Bars, target: str, horizon: int, made_at: str
) -> LedgerEntry:
    manifest = model.manifest
    closes = closes_ahead(model, bars, horizon)
    return LedgerEntry(
        ticker=manifest.ticker,
        target_session=target,
        version=manifest.version,
        horizon=horizon,
        as_of=str(bars.dates[-1]),
        last_close=float(bars.closes[-1]),
        point=float(closes.points[0]),
        quantiles=tuple(closes.quantiles[0].tolist()),
        made_at=made_at,
    )


def _hindsight(manifest: Manifest, target: str) -> list[str]:
    """Say so where a forecast of the past is of a day that the model learned from."""
    if target >= manifest.splits.test_start:
        return []
    warning = (
        f"{manifest.id} was trained with {target} in sight: such a forecast proves nothing "
        f"(its test part begins on {manifest.splits.test_start})"
    )
    return [warning]


def untested(manifest: Manifest, horizon: int) -> list[str]:
    """Say so where the verdict is of nearer forecasts than this one."""
    learned = manifest.config.horizon
    if horizon == learned:
        return []
    tested = "the next session" if learned == 1 else f"{learned} sessions ahead"
    warning = (
        f"the verdict on {manifest.id} is of forecasts of {tested}; how good those {horizon} "
        "sessions ahead are was not tested"
    )
    return [warning]


def _record(store: Store, entry: LedgerEntry) -> tuple[bool, list[str]]:
    """Keep a forecast, where that is possible: it is worth more than its record.

    Returns:
        True if the very same forecast was on record already, and what to know about it.
    """
    try:
        store.require_writable()
        earlier = store.ledger.record(entry)
    except (ConfigError, StorageError) as error:
        return False, [f"this forecast is not in the ledger: {error.message}"]
    if earlier is None:
        return False, []
    if (earlier.point, earlier.quantiles) == (entry.point, entry.quantiles):
        return True, []
    warning = (
        f"prices were revised since {earlier.made_at}: the forecast on record for "
        f"{entry.target_session} stays {earlier.point:.2f}"
    )
    return False, [warning]
