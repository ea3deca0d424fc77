"""stocklstm evaluate --compare."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stocklstm.cli.evaluate.scores import ratio
from stocklstm.cli.output import View
from stocklstm.core.language import english_money, retold, say, say_counted
from stocklstm.core.wording import error_digits, judged_words, p_cell

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from stocklstm.core.scores.comparison import AdjustedTest
    from stocklstm.workflows.evaluate.compare import ComparedVersion


def _document(item: "ComparedVersion") -> Mapping[str, Any]:
    scores = asdict(item.scores)
    return {
        "ticker": item.ticker,
        "version": item.version,
        "preset": item.preset,
        "currency": item.currency,
        "against": item.against,
        "test": {"start": item.start, "end": item.end, "n": item.n, "horizon": item.horizon},
        **scores,
        "result": item.result,
        "result_text": item.result_text,
    }


def _bare(item: "ComparedVersion") -> Iterable[str]:
    yield f"{item.ticker}@v{item.version} {item.result}"


def _tables(console: "Console", items: Sequence["ComparedVersion"]) -> None:
    from stocklstm.cli.tables import grid, verdict_text

    first = items[0]
    name = f"{first.ticker}@v{first.version}"
    pairs = len(items) - 1
    console.print(
        say(
            "{ticker} on {n} days that none of these versions saw, {start} to {end}",
            ticker=first.ticker,
            n=first.n,
            start=first.start,
            end=first.end,
        )
    )
    console.print()
    columns = [
        "",
        "CRPS",
        say("Ratio to EWMA"),
        "p",
        say("Holm p"),
        say("Against {name}", name=name),
    ]
    rows = [
        _row(item, item.scores.crps, item.scores.crps_ratio, item.scores.distribution)
        for item in items
    ]
    grid(console, say("Distribution"), columns, rows, left=columns[-1:])
    console.print()
    columns[1:3] = ["RMSE", say("Ratio to last close")]
    rows = [
        _row(item, item.scores.rmse, item.scores.rmse_ratio, item.scores.squared) for item in items
    ]
    grid(console, say("Point"), columns, rows, left=columns[-1:])
    console.print()
    console.print(
        say_counted(
            pairs,
            "p: Diebold-Mariano on the same days; Holm p: corrected for 1 comparison in each "
            "table.",
            "p: Diebold-Mariano on the same days; Holm p: corrected for {count} comparisons in "
            "each table.",
        )
    )
    console.print()
    for item in items[1:]:
        console.print(verdict_text(f"{retold(item.result_text)}.", _verdict(item.result)))


def _row(
    item: "ComparedVersion", value: float, relative: float | None, test: "AdjustedTest | None"
) -> list["str | Text"]:
    from stocklstm.cli.tables import verdict_text

    shown = english_money(value, item.currency, error_digits(item.scores.rmse))
    name = f"{item.ticker}@v{item.version}"
    number = ratio(relative)
    if test is None:
        return [name, shown, number, "", "", ""]
    judged = verdict_text(judged_words(test.judged), _verdict(test.judged))
    return [name, shown, number, p_cell(test.p), p_cell(test.holm_p), judged]


def _verdict(result: str) -> str:
    return "no_better" if result == "no_difference" else result


VIEW: "View[ComparedVersion]" = View(
    command="evaluate",
    key="comparison",
    document=_document,
    tables=_tables,
    bare=_bare,
)
