"""stocklstm train."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from stocklstm.cli.options import (
    ConfigFile,
    Jobs,
    Json,
    Like,
    LockTimeout,
    Quiet,
    Scheduler,
    Tickers,
    TickersFile,
    all_tickers,
)
from stocklstm.cli.output import View, conclude
from stocklstm.cli.streams import draws_bars, say
from stocklstm.cli.train import dry_run as planning
from stocklstm.cli.train import pooled
from stocklstm.cli.train.setting_options import (
    Given,
    Preset,
    Promote,
    resumable,
    stop_at_interrupt,
    tickers_progress,
    trained_document,
    trained_names,
    training_facts,
    with_settings,
)
from stocklstm.core.settings.config import LOCK_TIMEOUT_S
from stocklstm.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.parallel import TickersDone, Where
    from stocklstm.workflows.train.dry_run import PlanResult
    from stocklstm.workflows.train.pooled import PooledResult
    from stocklstm.workflows.train.result import TrainedVersion
    from stocklstm.workflows.train.runs import EpochEnded
    from stocklstm.workflows.train.train import TrainResult


@with_settings
def train(
    ticker: Tickers = None,
    tickers_file: TickersFile = None,
    pool: pooled.Pooled = False,
    name: pooled.Name = None,
    preset: Preset = None,
    config: ConfigFile = None,
    like: Like = None,
    promote: Promote = "auto",
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|auto",
            help="Go on with a run that was stopped or killed; auto takes the latest.",
            show_default=False,
        ),
    ] = None,
    first_weights: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TICKER@VERSION",
            help="Begin with the weights of a version instead of random ones.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say what would be trained and about how long it takes; store nothing.",
        ),
    ] = False,
    jobs: Jobs = 1,
    scheduler: Scheduler = None,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
    **settings: str | None,
) -> None:
    """Train on the stored prices and publish a new version."""
    given = Given(preset, settings, config, like)

    def plan() -> "PlanResult":
        if resume is not None:
            raise ConfigError(
                "--dry-run is about a new run, and --resume goes on with one that has begun",
                hint="leave --resume out to see what a new run would do",
            )
        pooled.require_no_name(name)
        chosen = given.config(lock_timeout)
        from stocklstm.workflows.publishing import check_rule
        from stocklstm.workflows.train.dry_run import plan_training

        check_rule(promote)
        return plan_training(
            all_tickers(ticker, tickers_file),
            chosen,
            weights=first_weights,
            lock_timeout_s=lock_timeout,
        )

    def call() -> "TrainResult":
        pooled.require_no_name(name)
        if resume is not None:
            given.require_none("run", f"stocklstm train --resume {resume}")
        chosen = given.config(lock_timeout)
        from stocklstm.workflows.parallel import Where
        from stocklstm.workflows.train.train import Beginning, train

        where = Where(jobs, scheduler)
        with _shown(where) as (on_epoch, on_ticker), stop_at_interrupt() as should_stop:
            return train(
                all_tickers(ticker, tickers_file),
                chosen,
                promote=promote,
                beginning=Beginning(resume, first_weights),
                where=where,
                should_stop=should_stop,
                lock_timeout_s=lock_timeout,
                on_epoch=on_epoch,
                on_ticker=on_ticker,
                on_note=lambda words: say(f"note: {words}"),
            )

    def call_pooled() -> "PooledResult":
        pooled.require_new(first_weights, dry_run=dry_run, jobs=jobs, far=scheduler is not None)
        if resume is not None:
            given.require_none("run", f"stocklstm train --resume {resume}")
        tickers = pooled.tickers_of(ticker, tickers_file, resume)
        chosen = given.config(lock_timeout)
        from stocklstm.workflows.train.pooled import train_pooled

        with progress() as on_epoch, stop_at_interrupt() as should_stop:
            return train_pooled(
                name,
                tickers,
                chosen,
                promote=promote,
                resume=resume,
                should_stop=should_stop,
                lock_timeout_s=lock_timeout,
                on_epoch=on_epoch,
                on_note=lambda words: say(f"note: {words}"),
            )

    if pooled.is_asked_for(pool, resume):
        with resumable():
            conclude(pooled.VIEW, call_pooled, as_json=as_json, quiet=quiet)
    if dry_run:
        conclude(planning.VIEW, plan, as_json=as_json, quiet=quiet)
    with resumable():
        conclude(VIEW, call, as_json=as_json, quiet=quiet)


@contextmanager
def _shown(
    where: "Where",
) -> Iterator[tuple[Callable[["EpochEnded"], None], Callable[["TickersDone"], None]]]:
    """Show epochs where one ticker is trained after the other, else how many are through."""
    if not where.is_here:
        with tickers_progress("Training") as on_ticker:
            yield lambda _: None, on_ticker
    else:
        with progress() as on_epoch:
            yield on_epoch, lambda _: None


@contextmanager
def progress() -> Iterator[Callable[["EpochEnded"], None]]:
    """Show epochs on stderr: a bar on a terminal, lines elsewhere."""
    if not draws_bars():
        yield _log
        return
    from stocklstm.cli.progress import training_bar

    with training_bar() as on_epoch:
        yield on_epoch


def _log(event: "EpochEnded") -> None:
    record = event.record
    trained = "" if record.train_loss is None else f"loss {record.train_loss:.5f}, "
    say(
        f"{event.ticker}: epoch {record.epoch}/{event.epochs}: {trained}"
        f"validation loss {record.val_loss:.5f}, best epoch {record.best_epoch}, "
        f"learning rate {record.learning_rate:.3g}"
    )


def _tables(console: "Console", items: Sequence["TrainedVersion"]) -> None:
    from stocklstm.cli.tables import facts, verdict_text

    for item in items:
        facts(
            console,
            f"Trained {item.ticker}@v{item.version}",
            [
                *training_facts(item),
                (
                    "test days",
                    verdict_text(item.evaluation.verdict_text, item.evaluation.verdict),
                ),
                ("files", item.path),
            ],
        )


VIEW: "View[TrainResult, TrainedVersion]" = View(
    command="train",
    key="results",
    items=lambda result: result.results,
    document=trained_document,
    tables=_tables,
    bare=trained_names,
)
