"""Forecasts as comma-separated values, one row each."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stocklstm.cli.streams import write

if TYPE_CHECKING:
    from stocklstm.workflows.predict.predict import Forecast

STDOUT = "-"
"""What to type for standard output in the place of a file."""

_COLUMNS = (
    *("ticker", "version", "as_of", "last_close", "currency", "target_session", "horizon"),
    *("point", "change_pct"),
)


def write_forecasts(target: str, items: Sequence["Forecast"], levels: Sequence[float]) -> None:
    """Write forecasts, one a row, to `STDOUT` or to a file: whole, or as it was before."""
    text = _text(items, levels)
    if target == STDOUT:
        write(text)
        return
    from stocklstm.store.user_files import write_file

    write_file(Path(target), text.encode(), option="--csv")


def _text(items: Sequence["Forecast"], levels: Sequence[float]) -> str:
    # Few forecasts go this way: the others need not wait for these.
    import csv
    import io

    # A decimal point and whole precision, whatever the locale.
    bounds = [f"{side}_{100 * level:g}" for level in levels for side in ("lower", "upper")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_COLUMNS, *bounds, "adaptive", "verdict"])
    for item in items:
        intervals = [bound for each in item.intervals for bound in (each.lower, each.upper)]
        facts = [getattr(item, name) for name in _COLUMNS]
        adaptive = str(any(each.adaptive for each in item.intervals)).lower()
        writer.writerow([*facts, *intervals, adaptive, item.verdict])
    return text.getvalue()
