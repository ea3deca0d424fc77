"""stocklstm predict."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from stocklstm.cli.options import Json, LockTimeout, Models, Quiet
from stocklstm.cli.output import View, as_document, conclude, warn
from stocklstm.core.config import LOCK_TIMEOUT_S
from stocklstm.core.money import money, price_digits

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.predict import Forecast, PredictResult


def predict(
    ticker: Models = None,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Forecast the next session's close, with intervals."""

    def call() -> "PredictResult":
        from stocklstm.workflows.predict import predict

        return warned(predict(ticker or (), lock_timeout_s=lock_timeout))

    conclude(VIEW, call, as_json=as_json, quiet=quiet)


def warned(result: "PredictResult") -> "PredictResult":
    """Say on stderr what to know before relying on the forecasts, and pass them on."""
    for forecast in result.forecasts:
        warn(forecast.ticker, forecast.warnings)
    return result


def _bare(item: "Forecast") -> Iterable[str]:
    yield f"{item.point:.{price_digits(item.point)}f}"


def _tables(console: "Console", items: Sequence["Forecast"]) -> None:
    from stocklstm.cli.tables import grid, verdict_text

    columns = ["Ticker", "Session", "Forecast", "Change", "80 %", "95 %"]
    rows = [
        [
            item.ticker,
            item.target_session,
            money(item.point, item.currency, digits),
            f"{item.change_pct:+.2f} %",
            *(f"{i.lower:,.{digits}f} to {i.upper:,.{digits}f}" for i in item.intervals),
        ]
        for item in items
        for digits in [price_digits(item.last_close)]
    ]
    further = any(item.horizon > 1 for item in items)
    grid(console, "Closes to come" if further else "Next session's close", columns, rows)
    for item in items:
        last = money(item.last_close, item.currency, price_digits(item.last_close))
        ahead = f", {item.horizon} sessions ahead" if item.horizon > 1 else ""
        console.print(
            f"\n{item.ticker}@v{item.version}, from the close of {item.as_of}, {last}{ahead}."
        )
        console.print(verdict_text(item.verdict_text, item.verdict))
    console.print("\nA forecast is not investment advice.")


VIEW: "View[PredictResult, Forecast]" = View(
    command="predict",
    key="forecasts",
    items=lambda result: result.forecasts,
    document=as_document,
    tables=_tables,
    bare=_bare,
)
