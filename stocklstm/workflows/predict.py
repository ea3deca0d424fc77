"""predict: the next session's close, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stocklstm.core.clock import utc_now
from stocklstm.core.config import LOCK_TIMEOUT_S
from stocklstm.core.levels import INTERVAL_LEVELS, LEVELS
from stocklstm.core.outcomes import Failure, for_each
from stocklstm.core.quantiles import interval
from stocklstm.core.reference import ModelReference, parse_reference
from stocklstm.errors import ConfigError, StorageError
from stocklstm.store.ledger import LedgerEntry
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.serving import LoadedModel, chosen_references, load_model


@dataclass(frozen=True)
class Interval:
    """A central interval of the forecast close.

    Attributes:
        level: Probability promised.
        lower: Lower bound, in currency.
        upper: Upper bound.
    """

    level: float
    lower: float
    upper: float


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
        intervals: 80 and 95 %.
        quantiles: The whole grid, by probability.
        verdict: How the model compared with yesterday's close on its test part.
        verdict_text: The same in words.
        stale_sessions: Sessions that have ended since the last stored close.
        live: Scores of past forecasts; None until there are any.
        unchanged: True if the same forecast was on record already.
        warnings: What to know before relying on it, one line each.
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
    live: None
    unchanged: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class PredictResult:
    """Outcome for all tickers."""

    forecasts: tuple[Forecast, ...]
    failures: tuple[Failure, ...]


def predict(
    references: Sequence[str] = (),
    *,
    home: Path | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    now: str | None = None,
) -> PredictResult:
    """Forecast the next session of each ticker and keep the forecast in the ledger.

    Args:
        references: TICKER or TICKER@version; none means the champion of every ticker.
        home: The store; by default where the command line has it.
        lock_timeout_s: Seconds to wait for another writer.
        now: UTC timestamp; by default the current time.

    Raises:
        NotFoundError: There is no store, or no model at all.
    """
    made_at = now or utc_now()
    with open_store(home, lock_timeout_s=lock_timeout_s) as store:
        names = chosen_references(store, references)
        return PredictResult(
            *for_each(names, parse_reference, lambda chosen: _predict_one(store, chosen, made_at))
        )


def _predict_one(store: Store, reference: ModelReference, made_at: str) -> Forecast:
    model = load_model(store, reference)
    manifest = model.manifest
    instrument = store.prices.instrument(manifest.ticker)
    entry = _forecast(store, model, instrument.exchange, made_at)
    stale = store.sessions.ended_since(instrument.exchange, entry.as_of, made_at)
    unchanged, warnings = _record(store, entry)
    if stale:
        warnings.append(
            f"prices are {stale} session{'s' if stale > 1 else ''} behind: "
            f"stocklstm fetch --ticker {manifest.ticker}"
        )
    quantiles = np.array([entry.quantiles])
    bounds = [(level, *interval(quantiles, level)) for level in INTERVAL_LEVELS]
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
        intervals=tuple(Interval(level, float(lo[0]), float(up[0])) for level, lo, up in bounds),
        quantiles={f"{p:g}": q for p, q in zip(LEVELS, entry.quantiles, strict=True)},
        verdict=manifest.evaluation.verdict,
        verdict_text=manifest.evaluation.verdict_text,
        stale_sessions=stale,
        live=None,
        unchanged=unchanged,
        warnings=tuple(warnings),
    )


def _forecast(store: Store, model: LoadedModel, exchange: str, made_at: str) -> LedgerEntry:
    manifest = model.manifest
    bars = store.prices.bars(manifest.ticker)
    closes = model.forecast(bars).closes(bars.closes[-1:])
    as_of = str(bars.dates[-1])
    horizon = manifest.config.horizon
    return LedgerEntry(
        ticker=manifest.ticker,
        target_session=store.sessions.next_after(exchange, as_of, horizon),
        version=manifest.version,
        horizon=horizon,
        as_of=as_of,
        last_close=float(bars.closes[-1]),
        point=float(closes.points[0]),
        quantiles=tuple(closes.quantiles[0].tolist()),
        made_at=made_at,
    )


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
