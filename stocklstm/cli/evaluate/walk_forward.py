"""stocklstm evaluate --walk-forward."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stocklstm.cli.evaluate.scores import evaluation_document, ratio, scores_tables
from stocklstm.cli.interrupts import interrupted_code
from stocklstm.cli.output import View, warn
from stocklstm.cli.progress import Lines
from stocklstm.cli.streams import draws_bars, tell, to_stderr
from stocklstm.cli.train.dry_run import duration
from stocklstm.client import Client
from stocklstm.core.language import say, say_counted
from stocklstm.core.wording import range_words
from stocklstm.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.evaluate.walk_forward import (
        FoldEnded,
        WalkedFold,
        WalkedVersion,
        WalkForwardResult,
        WalkPlanned,
    )

PANEL = "Walk-forward"

Sessions = Annotated[
    int | None,
    typer.Option(
        "--walk-forward",
        metavar="SESSIONS",
        help="Train the model's settings anew, again and again, and forecast so many sessions, "
        "the last ones.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]

RefitEvery = Annotated[
    int | None,
    typer.Option(
        metavar="SESSIONS",
        help="Sessions that one training forecasts; 20 if not given.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]

Embargo = Annotated[
    int | None,
    typer.Option(
        metavar="SESSIONS",
        help="Sessions left out between two parts beyond the horizon; 0 if not given.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]

Jobs = Annotated[
    int | None,
    typer.Option(
        metavar="COUNT",
        help="Models at the same time, each in a process of its own; with --walk-forward, "
        "trainings of a model; 1 if not given.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class WalkOptions:
    """The options about walking forward, as they were given.

    Attributes:
        sessions: Of `--walk-forward`.
        refit_every: Of `--refit-every`.
        embargo: Of `--embargo`.
        jobs: Of `--jobs`.
    """

    sessions: int | None
    refit_every: int | None
    embargo: int | None
    jobs: int | None

    def check(self, *, alone: bool) -> None:
        """Refuse options about walking forward without `--walk-forward`.

        Args:
            alone: True where no other kind of evaluation is asked for: scoring takes `--jobs`, too.
        """
        given = {"--refit-every": self.refit_every, "--embargo": self.embargo}
        if not alone:
            given["--jobs"] = self.jobs
        for option, value in given.items():
            if self.sessions is None and value is not None:
                raise ConfigError(
                    f"{option} says how to walk forward, and --walk-forward was not given",
                    hint=f"stocklstm evaluate --walk-forward 250 {option} {value}",
                )


def walk(client: Client, references: Sequence[str], options: WalkOptions) -> "WalkForwardResult":
    """Walk forward, and say on stderr how far it is; `options.sessions` is given."""
    from stocklstm.core.prices.folds import REFIT_EVERY, WalkForward

    way = WalkForward(
        options.sessions or 0,
        REFIT_EVERY if options.refit_every is None else options.refit_every,
        options.embargo or 0,
    )
    jobs = 1 if options.jobs is None else options.jobs
    with _progress() as (on_plan, on_fold):
        result = client.walk_forward(references, way, jobs=jobs, on_plan=on_plan, on_fold=on_fold)
    for walked in result.results:
        warn(f"{walked.ticker}@v{walked.version}", walked.warnings)
    return result


@contextmanager
def stoppable() -> Iterator[None]:
    """End with the code of an interruption, and say what is lost by it."""
    try:
        yield
    except KeyboardInterrupt as stop:
        to_stderr(say("stopped; of the model that was under way nothing is stored"))
        raise typer.Exit(interrupted_code()) from stop


Callbacks = tuple[Callable[["WalkPlanned"], None], Callable[["FoldEnded"], None]]


@contextmanager
def _progress() -> Iterator[Callbacks]:
    """Show trainings on stderr: a bar on a terminal, lines elsewhere."""
    if not draws_bars():
        lines = Lines()
        yield (
            lambda plan: tell(_announcement(plan)),
            lambda event: lines.now_and_then(_fold_line(event)),
        )
        return
    from stocklstm.cli.progress import walking_bar

    with walking_bar(_announcement) as callbacks:
        yield callbacks


def _announcement(plan: "WalkPlanned") -> str:
    windows = (
        f"{plan.least_windows:,}"
        if plan.least_windows == plan.most_windows
        else range_words(plan.least_windows, plan.most_windows, 0)
    )
    return say(
        "{ticker}@v{version}: {trainings} on {windows} windows, at most {epochs} "
        "epochs each, to forecast {first} to {last}: about {duration} at most",
        ticker=plan.ticker,
        version=plan.version,
        trainings=_trainings(plan.trainings),
        windows=windows,
        epochs=plan.epochs,
        first=plan.first,
        last=plan.last,
        duration=duration(plan.seconds),
    )


def _fold_line(event: "FoldEnded") -> str:
    fold = event.fold
    return say(
        "{ticker}@v{version}: {done} of {trainings}: {first} to {last}, {epochs} "
        "epochs in {duration}, RMSE ratio {ratio}, CRPS ratio {ratio2}",
        ticker=event.ticker,
        version=event.version,
        done=event.done,
        trainings=event.trainings,
        first=fold.first,
        last=fold.last,
        epochs=fold.epochs,
        duration=duration(fold.seconds),
        ratio=ratio(fold.rmse_ratio),
        ratio2=ratio(fold.crps_ratio),
    )


def _document(item: "WalkedVersion") -> Mapping[str, Any]:
    return {
        "ticker": item.ticker,
        "version": item.version,
        "preset": item.preset,
        "currency": item.currency,
        "sessions": item.sessions,
        "refit_every": item.refit_every,
        "embargo": item.embargo,
        "folds": [asdict(fold) for fold in item.folds],
        **evaluation_document(item.evaluation),
        "report": item.report,
        "warnings": item.warnings,
    }


def _bare(item: "WalkedVersion") -> Iterable[str]:
    yield f"{item.ticker}@v{item.version} {item.evaluation.verdict}"


def _tables(console: "Console", items: Sequence["WalkedVersion"]) -> None:
    from stocklstm.cli.tables import grid

    for item in items:
        scores = item.evaluation
        console.print(
            say(
                "{ticker}@v{version} ({preset}), its settings trained anew every "
                "{refit_every} sessions, on {n} days, {start} to {end}",
                ticker=item.ticker,
                version=item.version,
                preset=item.preset,
                refit_every=item.refit_every,
                n=scores.n,
                start=scores.start,
                end=scores.end,
            )
        )
        console.print()
        columns = ["#", say("First"), say("Last"), say("Days"), say("Windows"), say("Epochs")]
        columns += [say("RMSE ratio"), say("CRPS ratio")]
        grid(console, say("Trainings"), columns, [_row(fold) for fold in item.folds])
        console.print(_steadiness(item.folds))
        console.print()
        scores_tables(console, item)
        if item.report:
            console.print(say("Every forecast: {report}", report=item.report), soft_wrap=True)


def _row(fold: "WalkedFold") -> list[str]:
    return [
        f"{fold.number}",
        fold.first,
        fold.last,
        f"{fold.n}",
        f"{fold.windows:,}",
        f"{fold.epochs}",
        ratio(fold.rmse_ratio),
        ratio(fold.crps_ratio),
    ]


def _steadiness(folds: Sequence["WalkedFold"]) -> str:
    def below(ratios: Sequence[float | None]) -> int:
        return sum(ratio is not None and ratio < 1 for ratio in ratios)

    return say(
        "Of {trainings}, {erred_less} erred less than the last close, and {lower} had a lower CRPS "
        "than EWMA.",
        trainings=_trainings(len(folds)),
        erred_less=below([f.rmse_ratio for f in folds]),
        lower=below([f.crps_ratio for f in folds]),
    )


def _trainings(count: int) -> str:
    return say_counted(count, "1 training", "{count} trainings")


VIEW: "View[WalkedVersion]" = View(
    command="evaluate",
    key="walks",
    document=_document,
    tables=_tables,
    bare=_bare,
)
