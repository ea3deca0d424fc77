"""stocklstm quantize."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from stocklstm.cli.exits import ExitCode
from stocklstm.cli.options import Json, LockTimeout, OneOrMore, Quiet
from stocklstm.cli.output import View, as_document, conclude
from stocklstm.core.config import LOCK_TIMEOUT_S
from stocklstm.core.money import money

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.quantize import QuantizedVersion, QuantizeResult


def quantize(
    ticker: OneOrMore = None,
    method: Annotated[
        str, typer.Option(help="dynamic: int8 weights, activations scaled as they come.")
    ] = "dynamic",
    tolerance: Annotated[
        float,
        typer.Option(metavar="PERCENT", help="Most growth of RMSE and CRPS to be accepted."),
    ] = 0.5,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Make a smaller, faster version; champion only if its errors hardly grow."""

    def call() -> "QuantizeResult":
        from stocklstm.workflows.quantize import quantize

        return quantize(
            ticker or (), method=method, tolerance_pct=tolerance, lock_timeout_s=lock_timeout
        )

    conclude(VIEW, call, as_json=as_json, quiet=quiet)


def _bare(item: "QuantizedVersion") -> Iterable[str]:
    yield f"{item.ticker}@v{item.version}"


def _code(item: "QuantizedVersion") -> ExitCode:
    return ExitCode.OK if item.accepted else ExitCode.CHECK_FAILED


def _tables(console: "Console", items: Sequence["QuantizedVersion"]) -> None:
    for item in items:
        _table(console, item)


def _table(console: "Console", item: "QuantizedVersion") -> None:
    from rich.text import Text

    from stocklstm.cli.tables import grid

    before, after = item.before, item.after
    rows = [
        [
            "Serving file",
            f"{before.bytes:,} bytes",
            f"{after.bytes:,} bytes",
            _times(item.size_ratio, "smaller", "larger"),
        ],
        [
            "Forecast of one window",
            f"{before.latency_ms:.3f} ms",
            f"{after.latency_ms:.3f} ms",
            _times(item.speed_ratio, "faster", "slower"),
        ],
        [
            "RMSE",
            money(before.rmse, item.currency, 4),
            money(after.rmse, item.currency, 4),
            f"{round(item.rmse_change_pct, 2) + 0.0:+.2f} %",
        ],
        [
            "CRPS",
            money(before.crps, item.currency, 4),
            money(after.crps, item.currency, 4),
            f"{round(item.crps_change_pct, 2) + 0.0:+.2f} %",
        ],
        ["Parameters", f"{before.parameters:,}", f"{after.parameters:,}", ""],
        ["Weights that are zero", _percent(before.sparsity), _percent(after.sparsity), ""],
    ]
    title = f"{item.ticker}@v{item.version}: {item.method} of v{item.parent}"
    grid(console, title, ["", "Before", "After", "Change"], rows)
    if not item.accepted:
        words, style = "REFUSED, not champion", "bold red"
    elif item.promoted:
        words, style = "ACCEPTED, now champion", "green"
    else:
        words, style = f"ACCEPTED, not champion because v{item.parent} is not", "yellow"
    console.print()
    console.print(Text(f"{words}. {item.reason}.", style))


def _times(ratio: float, gain: str, loss: str) -> str:
    return f"{ratio:.2f} × {gain}" if ratio >= 1 else f"{1 / ratio:.2f} × {loss}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


VIEW: "View[QuantizeResult, QuantizedVersion]" = View(
    command="quantize",
    key="results",
    items=lambda result: result.results,
    document=as_document,
    tables=_tables,
    bare=_bare,
    code=_code,
)
