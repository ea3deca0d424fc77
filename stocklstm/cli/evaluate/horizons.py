"""stocklstm evaluate --horizons."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stocklstm.cli.evaluate.scores import ratio
from stocklstm.cli.output import View
from stocklstm.core.forecasts.horizons import horizons_text, parse_horizons
from stocklstm.core.language import say, say_counted
from stocklstm.core.wording import judged_words, level_percent, p_cell, percent, sessions_ahead

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from stocklstm.client import Client
    from stocklstm.workflows.evaluate.horizons import HorizonResult, HorizonRow, HorizonScores

TOO_FEW = "too_few"

Horizons = Annotated[
    str | None,
    typer.Option(
        metavar="SESSIONS",
        help="Score forecasts so many sessions ahead, such as 1-5 or 1,5,20: a row for each.",
        show_default=False,
    ),
]


def score(
    client: "Client", references: Sequence[str], text: str, pool: str | None
) -> "HorizonResult":
    """Score the horizons that were typed."""
    horizons = parse_horizons(text, "stocklstm evaluate --horizons")
    return client.evaluate_horizons(references, horizons, pool=pool)


def _document(item: "HorizonScores") -> Mapping[str, Any]:
    return {
        "ticker": item.ticker,
        "version": item.version,
        "model": item.model,
        "preset": item.preset,
        "learned": item.learned,
        "rows": [_row_document(row) for row in item.rows],
    }


def _row_document(row: "HorizonRow") -> Mapping[str, Any]:
    scores, corrected = row.evaluation, row.corrected
    point, distribution = scores.point, scores.distribution
    return {
        "test": {
            "start": scores.start,
            "end": scores.end,
            "n": scores.n,
            "horizon": scores.horizon,
        },
        "spans": row.spans,
        "rmse_ratio": point.rmse_ratio,
        "dm_p": point.dm_p,
        "dm_holm_p": corrected.dm_holm_p,
        "rivals": [asdict(rival) for rival in scores.rivals],
        "crps_ratio": distribution.crps_ratio,
        "crps_p": distribution.dm_p,
        "crps_holm_p": corrected.crps_holm_p,
        "coverage": {f"{c.level:g}": c.share for c in distribution.coverage},
        "coverage_low": {f"{c.level:g}": c.low for c in distribution.coverage},
        "coverage_high": {f"{c.level:g}": c.high for c in distribution.coverage},
        "kupiec_p": {f"{c.level:g}": c.kupiec_p for c in distribution.coverage},
        "kupiec_holm_p": {f"{i.level:g}": i.holm_p for i in row.intervals},
        "intervals": {f"{i.level:g}": i.verdict for i in row.intervals},
        "verdict": row.verdict,
        "distribution_verdict": row.distribution_verdict,
    }


def _bare(item: "HorizonScores") -> Iterable[str]:
    name = item.model if item.model.startswith(f"{item.ticker}@") else f"{item.model} {item.ticker}"
    for row in item.rows:
        yield f"{name} {row.evaluation.horizon} {row.verdict or TOO_FEW}"


def _tables(console: "Console", items: Sequence["HorizonScores"]) -> None:
    from stocklstm.cli.tables import grid

    for item in items:
        own = item.model.startswith(f"{item.ticker}@")
        name = (
            item.model if own else say("{ticker} by {model}", ticker=item.ticker, model=item.model)
        )
        first, last = item.rows[0].evaluation, item.rows[-1].evaluation
        title = say(
            "{name} ({preset}), by sessions ahead, {start} to {end}",
            name=name,
            preset=item.preset,
            start=first.start,
            end=last.end,
        )
        columns = [
            *(say("Ahead"), say("Days"), say("RMSE ratio"), say("Holm p"), say("CRPS ratio")),
            say("Holm p"),
            *(say("In {level}", level=level_percent(c.level)) for c in first.distribution.coverage),
            say("Verdict"),
        ]
        grid(console, title, columns, [_cells(row) for row in item.rows], left=columns[-1:])
        for words in _remarks(item):
            console.print(words)
        console.print()
    console.print(
        say(
            "RMSE ratio: against the last close; CRPS ratio: against EWMA of the same session; "
            "Holm p: Diebold-Mariano, corrected for the horizons of a table, which decides, as it "
            "does of Kupiec's test of the intervals. Spans of several sessions overlap: the tests "
            "count one day in so many."
        )
    )


def _cells(row: "HorizonRow") -> list["str | Text"]:
    from stocklstm.cli.tables import verdict_text

    scores, corrected = row.evaluation, row.corrected
    point, spread = scores.point, scores.distribution
    return [
        f"{scores.horizon}",
        f"{scores.n}",
        ratio(point.rmse_ratio),
        p_cell(corrected.dm_holm_p),
        ratio(spread.crps_ratio),
        p_cell(corrected.crps_holm_p),
        *(percent(c.share) for c in spread.coverage),
        verdict_text(judged_words(row.verdict or TOO_FEW), row.verdict or ""),
    ]


def _remarks(item: "HorizonScores") -> Iterable[str]:
    """Say what the verdicts, of the point forecast beside the last close, leave out."""
    beaten = [row for row in item.rows if row.verdict == "better" and _drift_is_as_good(row)]
    if beaten:
        yield say(
            "Point: the drift, the mean return of the past, is as good {ahead}.",
            ahead=_ahead(beaten),
        )
    for side in ("better", "worse"):
        found = [r for r in item.rows if r.distribution_verdict == side]
        if found:
            yield (
                say("Distribution: better than EWMA {ahead}.", ahead=_ahead(found))
                if side == "better"
                else say("Distribution: worse than EWMA {ahead}.", ahead=_ahead(found))
            )
    few = [row for row in item.rows if row.verdict is None]
    if few:
        # Only here: errors in what was typed must not wait for NumPy.
        from stocklstm.core.forecasts.live import FEWEST

        yield say_counted(
            few[0].spans,
            "Too few to judge {ahead}: 1 span without overlap, of {needed} needed.",
            "Too few to judge {ahead}: {count} spans without overlap, of {needed} needed.",
            ahead=_ahead(few),
            needed=FEWEST,
        )
    off = False
    for place, interval in enumerate(item.rows[0].intervals):
        for verdict in ("too_narrow", "too_wide"):
            found = [row for row in item.rows if row.intervals[place].verdict == verdict]
            if found:
                off = True
                level = level_percent(interval.level)
                yield (
                    say("Intervals: {level} too narrow {ahead}.", level=level, ahead=_ahead(found))
                    if verdict == "too_narrow"
                    else say(
                        "Intervals: {level} too wide {ahead}.", level=level, ahead=_ahead(found)
                    )
                )
    if not off and len(few) < len(item.rows):
        judged = any(interval.verdict for row in item.rows for interval in row.intervals)
        yield (
            say("Intervals: none holds significantly less or more than it promises.")
            if judged
            else say("Intervals: each a single price.")
        )


def _drift_is_as_good(row: "HorizonRow") -> bool:
    """Tell whether a rise that went on, which anybody can extrapolate, explains the lead."""
    model = row.evaluation.point.rmse
    return any(rival.name == "drift" and rival.rmse <= model for rival in row.evaluation.rivals)


def _ahead(rows: Sequence["HorizonRow"]) -> str:
    horizons = [row.evaluation.horizon for row in rows]
    if len(horizons) == 1:
        return sessions_ahead(horizons[0])
    return say("{numbers} sessions ahead", numbers=horizons_text(horizons))


VIEW: "View[HorizonScores]" = View(
    command="evaluate",
    key="horizons",
    document=_document,
    tables=_tables,
    bare=_bare,
)
