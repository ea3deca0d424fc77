"""Forecasts on the terminal: what predict and demo show."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from stocklstm.cli.output import View, as_document, warn
from stocklstm.core.wording import horizon_suffix, level_percent, money, percent, price_digits

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.core.forecasts.live import LiveRecord
    from stocklstm.workflows.predict.predict import Forecast, PredictResult


def warned(result: "PredictResult") -> "PredictResult":
    """Say on stderr what to know before relying on the forecasts, and pass them on."""
    for forecast in result.forecasts:
        warn(forecast.ticker, forecast.warnings)
    return result


def _bare(item: "Forecast") -> Iterable[str]:
    yield f"{item.point:.{price_digits(item.point)}f}"


def _tables(console: "Console", items: Sequence["Forecast"]) -> None:
    from stocklstm.cli.tables import grid, verdict_text

    intervals = [level_percent(interval.level) for interval in items[0].intervals]
    known = any(item.outcome is not None for item in items)
    columns = ["Ticker", "Session", "Forecast", "Change", *intervals, *["Outcome"][: int(known)]]
    rows = [
        [
            item.ticker,
            item.target_session,
            money(item.point, item.currency, digits),
            f"{item.change_pct:+.2f} %",
            *(f"{i.lower:,.{digits}f} to {i.upper:,.{digits}f}" for i in item.intervals),
            *([_outcome(item, digits)] if known else []),
        ]
        for item in items
        for digits in [price_digits(item.last_close)]
    ]
    near = all(item.horizon == 1 and item.outcome is None for item in items)
    grid(console, "Next session's close" if near else "Forecast closes", columns, rows)
    for item in items:
        last = money(item.last_close, item.currency, price_digits(item.last_close))
        begin = f"{last}{horizon_suffix(item.horizon)}"
        console.print(f"\n{_maker(item)}, from the close of {item.as_of}, {begin}.")
        console.print(verdict_text(item.verdict_text, item.verdict))
        if item.live is not None:
            console.print(_live_words(item.live))
        if item.intervals[0].adaptive:
            console.print(_adaptive_words(item))
        if item.plot:
            console.print(f"Picture: {item.plot}", soft_wrap=True)
    console.print("\nA forecast is not investment advice.")


def _maker(item: "Forecast") -> str:
    own = item.model == f"{item.ticker}@v{item.version}"
    return item.model if own else f"{item.ticker} by {item.model}"


def _live_words(live: "LiveRecord") -> str:
    from stocklstm.core.forecasts.live import FEWEST

    held = [
        f"{level_percent(float(level))} held {percent(share)}"
        for level, share in live.coverage.items()
    ]
    skill = "" if live.skill is None else f", skill {100 * live.skill:+.1f} %"
    sessions = "session" if live.n == 1 else f"{live.n} sessions"
    few = "" if live.n >= FEWEST else f" ({FEWEST} would begin to tell something)"
    return f"Live, last {sessions}: {', '.join(held)}{skill}{few}."


def _adaptive_words(item: "Forecast") -> str:
    taken = [
        f"{level_percent(interval.level)} as {percent(interval.effective_level)}"
        for interval in item.intervals
        if interval.effective_level is not None
    ]
    return f"Adaptive intervals: {', '.join(taken)} of the forecast distribution."


def _outcome(item: "Forecast", digits: int) -> str:
    return "" if item.outcome is None else money(item.outcome, item.currency, digits)


VIEW: "View[Forecast]" = View(
    command="predict",
    key="forecasts",
    document=as_document,
    tables=_tables,
    bare=_bare,
)
