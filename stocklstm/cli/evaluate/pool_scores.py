"""stocklstm evaluate --model."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stocklstm.cli.evaluate.scores import evaluation_document, ratio
from stocklstm.cli.output import View
from stocklstm.core.language import say
from stocklstm.core.wording import naive_words, p_cell, percent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from stocklstm.workflows.evaluate.pool_scores import (
        PoolMeans,
        PoolRow,
        PoolScores,
    )


def _document(item: "PoolScores") -> Mapping[str, Any]:
    return {
        "ticker": item.ticker,
        "version": item.version,
        "preset": item.preset,
        "horizon": item.horizon,
        "means": asdict(item.means),
        "rows": [
            {
                "ticker": row.ticker,
                "known": row.known,
                **evaluation_document(row.evaluation),
                "own": None if row.own is None else asdict(row.own),
            }
            for row in item.rows
        ],
        "plots": item.plots,
        "warnings": item.warnings,
    }


def _bare(item: "PoolScores") -> Iterable[str]:
    for row in item.rows:
        yield f"{item.ticker}@v{item.version} {row.ticker} {row.evaluation.verdict}"


def _tables(console: "Console", items: Sequence["PoolScores"]) -> None:
    from stocklstm.cli.tables import grid, paths

    for item in items:
        console.print(
            say(
                "{ticker}@v{version} ({preset}) on unseen days of each ticker",
                ticker=item.ticker,
                version=item.version,
                preset=item.preset,
            )
        )
        console.print()
        columns = ["", say("Days"), say("CRPS ratio"), "p", say("In {level}", level="80 %")]
        columns += [say("In {level}", level="95 %"), say("RMSE ratio"), "p"]
        grid(console, say("Ticker by ticker"), columns, [*map(_row, item.rows), _mean(item.means)])
        console.print()
        if item.means.owned:
            columns = ["", say("Own model"), say("Pooled / own"), "p"]
            owned = [row for row in item.rows if row.own is not None]
            rows = [*map(_beside, owned), _mean_beside(item.means)]
            grid(console, say("Beside models of their own"), columns, rows, left=columns[1:2])
            console.print()
        console.print(_counted(item))
        parts = [say("CRPS ratio: against EWMA; RMSE ratio: against yesterday's close")]
        if item.means.owned:
            parts.append(
                say(
                    "Pooled / own: CRPS over that of the ticker's own model, on days that neither "
                    "saw"
                )
            )
        console.print("; ".join([*parts, "p: Diebold-Mariano."]))
        if any(not row.known for row in item.rows):
            console.print(say("*: the model was not trained on it."))
        paths(console, say("Picture"), item.plots)


def _counted(item: "PoolScores") -> str:
    means, naive = item.means, naive_words(item.horizon)
    counts = {
        naive: (means.better, means.worse),
        "EWMA": (means.crps_better, means.crps_worse),
    }
    return " ".join(
        say(
            "Against {name}: better for {better} of {tickers} after Holm, worse for {worse}.",
            name=name,
            better=better,
            tickers=means.tickers,
            worse=worse,
        )
        for name, (better, worse) in counts.items()
    )


def _row(row: "PoolRow") -> list["str | Text"]:
    point, spread = row.evaluation.point, row.evaluation.distribution
    return [
        row.ticker if row.known else f"{row.ticker} *",
        f"{row.evaluation.n}",
        ratio(spread.crps_ratio),
        p_cell(spread.dm_p),
        *(percent(each.share) for each in spread.coverage),
        ratio(point.rmse_ratio),
        p_cell(point.dm_p),
    ]


def _mean(means: "PoolMeans") -> list["str | Text"]:
    shares = (percent(share) for share in means.coverage.values())
    return [say("mean"), "", ratio(means.crps_ratio), "", *shares, ratio(means.rmse_ratio), ""]


def _beside(row: "PoolRow") -> list["str | Text"]:
    own = row.own
    return [] if own is None else [row.ticker, own.model, ratio(own.crps_ratio), p_cell(own.p)]


def _mean_beside(means: "PoolMeans") -> list["str | Text"]:
    own = "" if means.own_crps_ratio is None else ratio(means.own_crps_ratio)
    return [say("mean"), say("{done} of {total}", done=means.owned, total=means.tickers), own, ""]


VIEW: "View[PoolScores]" = View(
    command="evaluate",
    key="pools",
    document=_document,
    tables=_tables,
    bare=_bare,
    picture=lambda item: next(iter(item.plots), None),
)
