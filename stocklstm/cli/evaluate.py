"""stocklstm evaluate."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stocklstm.cli.options import Json, LockTimeout, Models, Quiet
from stocklstm.cli.output import View, conclude, warn
from stocklstm.core.config import LOCK_TIMEOUT_S
from stocklstm.core.money import money
from stocklstm.core.scores import naive_words

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.core.scores import Coverage, Evaluation
    from stocklstm.workflows.evaluate import EvaluatedVersion, EvaluateResult


def evaluate(
    ticker: Models = None,
    plot: Annotated[bool, typer.Option(help="Draw predictions_vs_actual.png.")] = True,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Score models on days they never saw, beside yesterday's close and EWMA."""

    def call() -> "EvaluateResult":
        from stocklstm.workflows.evaluate import evaluate

        result = evaluate(ticker or (), plot=plot, lock_timeout_s=lock_timeout)
        for scored in result.results:
            warn(scored.ticker, scored.warnings)
        return result

    conclude(VIEW, call, as_json=as_json, quiet=quiet)


def evaluation_document(evaluation: "Evaluation") -> dict[str, Any]:
    """Build the JSON of an evaluation, intervals keyed by their level."""
    from dataclasses import asdict

    distribution = asdict(evaluation.distribution)
    coverage: Sequence[Coverage] = evaluation.distribution.coverage

    def keyed(name: str) -> dict[str, float]:
        return {f"{interval.level:g}": getattr(interval, name) for interval in coverage}

    return {
        "test": {
            "start": evaluation.start,
            "end": evaluation.end,
            "n": evaluation.n,
            "horizon": evaluation.horizon,
        },
        "point": asdict(evaluation.point),
        "direction": asdict(evaluation.direction),
        "distribution": distribution
        | {
            "coverage": keyed("share"),
            "coverage_low": keyed("low"),
            "coverage_high": keyed("high"),
            "winkler": keyed("winkler"),
            "width": keyed("width"),
        },
        "verdict": evaluation.verdict,
        "verdict_text": evaluation.verdict_text,
    }


def _document(item: "EvaluatedVersion") -> Mapping[str, Any]:
    return {
        "ticker": item.ticker,
        "version": item.version,
        "preset": item.preset,
        "currency": item.currency,
        **evaluation_document(item.evaluation),
        "plot": item.plot,
        "warnings": item.warnings,
    }


def _bare(item: "EvaluatedVersion") -> Iterable[str]:
    yield f"{item.ticker}@v{item.version} {item.evaluation.verdict}"


def _tables(console: "Console", items: Sequence["EvaluatedVersion"]) -> None:
    for item in items:
        _table(console, item)


def _table(console: "Console", item: "EvaluatedVersion") -> None:
    from stocklstm.cli.tables import grid, verdict_text

    scores = item.evaluation
    title = (
        f"{item.ticker}@v{item.version} ({item.preset}) on {scores.n} unseen days, "
        f"{scores.start} to {scores.end}"
    )
    columns = ["", "Model", "Reference", "Ratio", "p", "Against"]
    grid(console, title, columns, _rows(item), left=["Against"])
    console.print()
    console.print(verdict_text(scores.verdict_text, scores.verdict))
    if item.plot:
        console.print(f"Picture: {item.plot}", soft_wrap=True)


def _rows(item: "EvaluatedVersion") -> list[list[str]]:
    scores = item.evaluation
    point, direction, spread = scores.point, scores.direction, scores.distribution

    naive = naive_words(scores.horizon)
    # Four digits for shares, two for an index in the thousands.
    digits = 4 if point.rmse_naive < 10 else 2

    def amount(value: float) -> str:
        return money(value, item.currency, digits)

    rows = [
        [
            "RMSE",
            amount(point.rmse),
            amount(point.rmse_naive),
            _number(point.rmse_ratio),
            _chance(point.dm_p),
            naive,
        ],
        [
            "MAE",
            amount(point.mae),
            amount(point.mae_naive),
            _number(point.mae_ratio),
            "",
            naive,
        ],
        [
            "CRPS",
            amount(spread.crps),
            amount(spread.crps_ewma),
            _number(spread.crps_ratio),
            _chance(spread.dm_p),
            "EWMA simulation",
        ],
        [
            "Direction right",
            _percent(direction.accuracy),
            _percent(direction.always_up),
            "",
            "",
            "always up",
        ],
    ]
    rows += [
        [
            f"In {c.level * 100:.0f} % interval",
            _percent(c.share),
            _percent(c.level),
            "",
            "",
            f"promise ({100 * c.low:.1f}-{100 * c.high:.1f} fits)",
        ]
        for c in spread.coverage
    ]
    return rows


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _chance(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


VIEW: "View[EvaluateResult, EvaluatedVersion]" = View(
    command="evaluate",
    key="results",
    items=lambda result: result.results,
    document=_document,
    tables=_tables,
    bare=_bare,
)
