"""stocklstm evaluate --all."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stocklstm.cli.evaluate.scores import ratio
from stocklstm.cli.output import View
from stocklstm.core.language import say, say_counted
from stocklstm.core.wording import judged_words, p_cell, percent

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

    versions = say_counted(len(items), "1 version", "{count} versions")
    console.print(
        say(
            "{versions}, each on the days of its own test part; lowest CRPS ratio first",
            versions=versions,
        )
    )
    console.print()
    columns = ["", say("Days"), say("CRPS ratio"), "p", say("Holm p")]
    columns += [
        say("In {level}", level="80 %"),
        say("In {level}", level="95 %"),
        say("Against EWMA"),
    ]
    rows = [_spread_row(item) for item in items]
    grid(console, say("Distribution"), columns, rows, left=columns[-1:])
    console.print()
    columns = ["", say("Preset"), say("Days"), say("RMSE ratio"), "p", say("Holm p")]
    columns.append(say("Against last close"))
    rows = [_point_row(item) for item in items]
    grid(console, say("Point"), columns, rows, left=[columns[1], columns[-1]])
    console.print()
    console.print(
        say_counted(
            len(items),
            "p: Diebold-Mariano; Holm p: corrected for the 1 version of each table, which decides.",
            "p: Diebold-Mariano; Holm p: corrected for the {count} versions of each table, which "
            "decides.",
        )
    )


def _name(item: "LeagueRow") -> str:
    # The last close is that of so many sessions before.
    name, horizon = f"{item.ticker}@v{item.version}", item.evaluation.horizon
    return say("{name}, {horizon} ahead", name=name, horizon=horizon) if horizon > 1 else name


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

    return verdict_text(judged_words(verdict), verdict)


VIEW: "View[LeagueRow]" = View(
    command="evaluate",
    key="league",
    document=_document,
    tables=_tables,
    bare=_bare,
)
