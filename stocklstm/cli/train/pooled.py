"""stocklstm train --pooled."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stocklstm.cli.options import all_tickers
from stocklstm.cli.output import View
from stocklstm.cli.train.setting_options import trained_document, trained_names, training_facts
from stocklstm.core.reference import is_pool
from stocklstm.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.train.pooled import PooledResult, PooledVersion

PANEL = "Pooled"

Pooled = Annotated[
    bool,
    typer.Option(
        "--pooled",
        help="Train one model on all tickers together, and publish it under --name.",
        rich_help_panel=PANEL,
    ),
]

Name = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Of the pooled model, such as b3.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]


def is_asked_for(pool: bool, resume: str | None) -> bool:
    """Tell whether a command line of train is about a pooled model.

    Args:
        pool: Of `--pooled`.
        resume: Of `--resume`.
    """
    return pool or (resume is not None and is_pool(resume))


def require_no_name(name: str | None) -> None:
    """Refuse a name where nothing could be called so.

    Args:
        name: Of `--name`.

    Raises:
        ConfigError: One was given.
    """
    if name is not None:
        raise ConfigError(
            "--name is that of a pooled model, and --pooled was not given",
            hint=f"stocklstm train --pooled --name {name} --tickers-file FILE",
        )


def require_new(first_weights: str | None, *, dry_run: bool, jobs: int, far: bool) -> None:
    """Refuse what a pooled training cannot do.

    Args:
        first_weights: Of `--from`.
        dry_run: Of `--dry-run`.
        jobs: Of `--jobs`.
        far: True with `--scheduler`.

    Raises:
        ConfigError: One of them was given.
    """
    given = {
        "--from": first_weights is not None,
        "--dry-run": dry_run,
        "--jobs": jobs != 1,
        "--scheduler": far,
    }
    for option in (option for option, wanted in given.items() if wanted):
        raise ConfigError(
            f"{option} is not for pooled models: it is one network that is trained",
            hint=f"leave {option} out",
        )


def tickers_of(typed: Sequence[str] | None, file: Path | None, resume: str | None) -> list[str]:
    """Put together the tickers of a pool; none where a run is resumed, which knows its own.

    Args:
        typed: Of `--ticker`.
        file: Of `--tickers-file`.
        resume: Of `--resume`.

    Raises:
        ConfigError: Some were named for a run that has its own.
    """
    if resume is None:
        return all_tickers(typed, file)
    if typed or file:
        raise ConfigError(
            "a run that is resumed keeps its tickers", hint=f"stocklstm train --resume {resume}"
        )
    return []


def _tables(console: "Console", items: Sequence["PooledVersion"]) -> None:
    from stocklstm.cli.tables import facts, verdict_text

    for item in items:
        scores = item.evaluation
        left_out = f"; {len(item.left_out)} left out" if item.left_out else ""
        facts(
            console,
            f"Trained {item.ticker}@v{item.version}",
            [
                ("tickers", f"{len(item.tickers)}{left_out}"),
                ("windows", f"{item.windows:,} to learn from"),
                *training_facts(item),
                ("test days", f"{scores.start} to {scores.end}, {scores.n:,} over all tickers"),
                ("verdict", verdict_text(scores.verdict_text, scores.verdict)),
                ("files", item.path),
            ],
        )
        console.print(
            f"\nOf each ticker: stocklstm evaluate --model {item.ticker[1:]}", soft_wrap=True
        )


VIEW: "View[PooledResult, PooledVersion]" = View(
    command="train",
    key="results",
    items=lambda result: result.results,
    document=trained_document,
    tables=_tables,
    bare=trained_names,
)
