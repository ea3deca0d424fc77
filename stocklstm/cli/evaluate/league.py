"""stocklstm evaluate --all."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stocklstm.cli.evaluate.scores import ratio
from stocklstm.cli.output import View
from stocklstm.core.wording import p_cell, percent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from stocklstm.workflows.evaluate.league import LeagueRow


def _document(item: "LeagueRow") -> Mapping[str, Any]:
    scores, corrected = item.evaluation, item.corrected
    point, distribution = scores.point, scores.distribution
    return {
        "ticker": item.ticker,
        "version": item.version,
        "preset": item.preset,
        "test": {
            "start": scores.start,
            "end": scores.end,
            "n": scores.n,
            "horizon": scores.horizon,
        },
        "rmse_ratio": point.rmse_ratio,
        "dm_p": point.dm_p,
        "dm_holm_p": corrected.dm_holm_p,
        "crps_ratio": distribution.crps_ratio,
        "crps_p": distribution.dm_p,
        "crps_holm_p": corrected.crps_holm_p,
        "coverage": {f"{c.level:g}": c.share for c in distribution.coverage},
        "verdict": corrected.verdict,
        "distribution_verdict": corrected.distribution_verdict,
        "rows": item.rows,
    }


def _bare(item: "LeagueRow") -> Iterable[str]:
    yield f"{item.ticker}@v{item.version} {item.corrected.verdict}"


def _tables(console: "Console", items: Sequence["LeagueRow"]) -> None:
    from stocklstm.cli.tables import grid

    versions = "1 version" if len(items) == 1 else f"{len(items)} versions"
    console.print(f"{versions}, each on the days of its own test part; lowest CRPS ratio first\n")
    columns = ["", "Days", "CRPS ratio", "p", "Holm p", "In 80 %", "In 95 %", "Against EWMA"]
    rows = [_spread_row(item) for item in items]
    grid(console, "Distribution", columns, rows, left=columns[-1:])
    console.print()
    columns = ["", "Preset", "Days", "RMSE ratio", "p", "Holm p", "Against last close"]
    rows = [_point_row(item) for item in items]
    grid(console, "Point", columns, rows, left=["Preset", columns[-1]])
    console.print()
    console.print(
        f"p: Diebold-Mariano; Holm p: corrected for the {versions} of each table, which decides."
    )


def _name(item: "LeagueRow") -> str:
    # The last close is that of so many sessions before.
    ahead = f", {item.evaluation.horizon} ahead" if item.evaluation.horizon > 1 else ""
    return f"{item.ticker}@v{item.version}{ahead}"


def _spread_row(item: "LeagueRow") -> list["str | Text"]:
    spread = item.evaluation.distribution
    return [
        _name(item),
        f"{item.evaluation.n}",
        ratio(spread.crps_ratio),
        p_cell(spread.dm_p),
        p_cell(item.corrected.crps_holm_p),
        *(percent(c.share) for c in spread.coverage),
        _judged(item.corrected.distribution_verdict),
    ]


def _point_row(item: "LeagueRow") -> list["str | Text"]:
    point = item.evaluation.point
    return [
        _name(item),
        item.preset,
        f"{item.evaluation.n}",
        ratio(point.rmse_ratio),
        p_cell(point.dm_p),
        p_cell(item.corrected.dm_holm_p),
        _judged(item.corrected.verdict),
    ]


def _judged(verdict: str) -> "Text":
    from stocklstm.cli.tables import verdict_text

    return verdict_text(verdict.replace("_", " "), verdict)


VIEW: "View[LeagueRow]" = View(
    command="evaluate",
    key="league",
    document=_document,
    tables=_tables,
    bare=_bare,
)
