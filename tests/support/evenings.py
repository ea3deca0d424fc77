"""A store whose prices grow day by day, with a forecast every evening."""

from collections.abc import Iterable
from pathlib import Path

from stocklstm import evaluate_live, predict
from stocklstm.core.prices.series import Bars
from stocklstm.store.store import open_store
from stocklstm.workflows.evaluate.live import LiveScores
from stocklstm.workflows.predict.predict import Forecast, Wanted
from tests.conftest import TICKER
from tests.support.stored_rows import execute

DAYS = 70
"""Forecasts of the fixture `journal` that have closed."""


def cut_off(home: Path, days: int) -> Bars:
    """Take the last days out of a store, and give all there were."""
    with open_store(home) as store:
        bars = store.prices.bars(TICKER)
    execute(home, "DELETE FROM prices WHERE date > ?", str(bars.dates[-days - 1]))
    return bars


def evening(bars: Bars, row: int) -> str:
    """Give the UTC time at which the forecast of a session's evening is made."""
    return f"{bars.dates[row]}T23:00:00Z"


def close(home: Path, bars: Bars, row: int) -> None:
    """Let one more session close."""
    with open_store(home) as store:
        instrument = store.prices.instrument(TICKER)
        store.prices.merge(
            instrument, bars.select(slice(row, row + 1)), (), source="sample", at=evening(bars, row)
        )


def live_through(
    home: Path,
    bars: Bars,
    rows: Iterable[int],
    reference: str = TICKER,
    wanted: Wanted | None = None,
) -> list[Forecast]:
    """Store the close of each row and forecast the next one, or those that are wanted."""
    made: list[Forecast] = []
    for row in rows:
        close(home, bars, row)
        result = predict([reference], wanted, home=home, now=evening(bars, row))
        assert not result.failures
        made += result.forecasts
    return made


def scores_of(home: Path, reference: str = TICKER, last: int | None = None) -> LiveScores:
    """Score what was forecast, evening by evening."""
    result = evaluate_live([reference], last=last, home=home)
    assert not result.failures
    return result.results[0]
