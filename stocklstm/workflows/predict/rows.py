"""Forecasts as rows of comma-separated values: those made now, and those on record."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stocklstm.core.csv_rows import Table
from stocklstm.core.settings.config import INTERVAL_LEVELS

if TYPE_CHECKING:
    from stocklstm.workflows.predict.history import PastForecast
    from stocklstm.workflows.predict.predict import Forecast

_MADE = (
    *("ticker", "version", "as_of", "last_close", "currency", "target_session", "horizon"),
    *("point", "change_pct"),
)

_ON_RECORD = (
    *("ticker", "model", "made_at", "as_of", "last_close", "currency", "target_session"),
    *("horizon", "point", "change_pct"),
)

_KEY = ("ticker", "model", "as_of", "target_session", "horizon")


def forecast_table(items: Sequence["Forecast"], levels: Sequence[float]) -> Table:
    """Put forecasts into rows, with a pair of bounds for each level."""
    return Table(
        columns=(*_MADE, *_bounds(levels), "adaptive", "verdict", "model"),
        key=_KEY,
        days=("as_of", "target_session"),
        rows=[
            [
                *(getattr(item, name) for name in _MADE),
                *(bound for each in item.intervals for bound in (each.lower, each.upper)),
                any(each.adaptive for each in item.intervals),
                item.verdict,
                item.model,
            ]
            for item in items
        ],
    )


def record_table(items: Sequence["PastForecast"]) -> Table:
    """Put forecasts on record into rows, each beside what came."""
    return Table(
        columns=(
            *(*_ON_RECORD, *_bounds(INTERVAL_LEVELS), "outcome", "error"),
            *(*(f"held_{100 * level:g}" for level in INTERVAL_LEVELS), "late", "scale"),
        ),
        key=_KEY,
        days=("as_of", "target_session"),
        rows=[
            [
                *(getattr(item, name) for name in _ON_RECORD),
                *(bound for each in item.intervals for bound in (each.lower, each.upper)),
                *(item.outcome, item.error),
                *(_held(item, level) for level in INTERVAL_LEVELS),
                *(item.late, item.scale),
            ]
            for item in items
        ],
        kinds={f"held_{100 * level:g}": bool for level in INTERVAL_LEVELS},
    )


def _bounds(levels: Sequence[float]) -> list[str]:
    return [f"{side}_{100 * level:g}" for level in levels for side in ("lower", "upper")]


def _held(item: "PastForecast", level: float) -> bool | None:
    return None if item.held is None else item.held[f"{level:g}"]
