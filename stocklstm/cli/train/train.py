"""stocklstm train."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stocklstm.cli.fetch import require_prices
from stocklstm.cli.interrupts import resumable, stop_at_interrupt
from stocklstm.cli.options import (
    ConfigFile,
    Jobs,
    Json,
    Like,
    LockTimeout,
    NamedTickers,
    NoFetch,
    OpenPicture,
    PictureFormat,
    Plot,
    Quiet,
    Scheduler,
    Tickers,
    TickersFile,
    all_tickers,
    or_auto,
    require_something_to_open,
)
from stocklstm.cli.output import VERBOSE, View, conclude, warn
from stocklstm.cli.progress import tickers_progress, training_progress
from stocklstm.cli.streams import note, speaks_only_of_wrong, tell
from stocklstm.cli.train import dry_run as planning
from stocklstm.cli.train import retraining
from stocklstm.cli.train.retraining import Every, IfDrift, IfOlderThan, RetrainOptions
from stocklstm.cli.train.setting_options import Given, Preset, Promote, with_settings
from stocklstm.client import Client
from stocklstm.core.batch import Batch
from stocklstm.core.language import retold, say
from stocklstm.core.reference import AUTO, is_pool
from stocklstm.core.settings.config import LOCK_TIMEOUT_S
from stocklstm.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.cli.train.retraining import PlannedRetraining
    from stocklstm.core.settings.config import TrainingConfig
    from stocklstm.workflows.parallel import Backend, TickersDone
    from stocklstm.workflows.prices.missing import Stocked
    from stocklstm.workflows.retraining import RetrainResult
    from stocklstm.workflows.train.dry_run import PlannedTraining, PlanResult
    from stocklstm.workflows.train.runs import EpochEnded
    from stocklstm.workflows.train.train import (
        PooledResult,
        PooledVersion,
        TrainedVersion,
        TrainResult,
    )

POOLED_PANEL = "Pooled"


@with_settings
def train(
    named: NamedTickers = None,
    ticker: Tickers = None,
    tickers_file: TickersFile = None,
    pool: Annotated[
        bool,
        typer.Option(
            "--pooled",
            help="Train one model on all tickers together, and publish it under --name.",
            rich_help_panel=POOLED_PANEL,
        ),
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Of the pooled model, such as b3.",
            show_default=False,
            rich_help_panel=POOLED_PANEL,
        ),
    ] = None,
    preset: Preset = None,
    config: ConfigFile = None,
    like: Like = None,
    promote: Promote = "auto",
    every: Every = False,
    if_older_than: IfOlderThan = None,
    if_drift: IfDrift = False,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|auto",
            parser=or_auto,
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
    no_fetch: NoFetch = False,
    plot: Plot = None,
    open_picture: OpenPicture = False,
    picture_format: PictureFormat = None,  # noqa: ARG001 - heeded as it is read
    jobs: Jobs = 1,
    scheduler: Scheduler = None,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
    **settings: str | None,
) -> None:
    """Train on the stored prices, fetched first if there are none, and publish a new version."""
    given = Given(preset, settings, config, like)
    pooled = pool or (resume is not None and is_pool(resume))
    excluded = {
        "--pooled": pool,
        "--name": name is not None,
        "--resume": resume is not None,
        "--from": first_weights is not None,
    }
    again = RetrainOptions(every, if_older_than, if_drift, excluded)
    drawn = _drawn(plot, wanted=open_picture, quiet=quiet)

    def ready(client: Client, chosen: "TrainingConfig", backend: "Backend") -> "Stocked":
        from stocklstm.workflows.train.beginning import check_promotion

        check_promotion(promote)
        typed = all_tickers(named, ticker, tickers_file)
        asked = _Asked(typed, pooled, name, resume, first_weights)
        asked = asked.with_tickers_of(client, like)
        # A dry run stores nothing, so it fetches nothing.
        return asked.ready(client, chosen, backend, fetch=not (no_fetch or dry_run))

    def plan(client: Client) -> "PlanResult | Batch[PlannedTraining]":
        if resume is not None:
            raise ConfigError(
                "--dry-run is about a new run, and --resume goes on with one that has begun",
                hint="leave --resume out to see what a new run would do",
            )
        _require_pool(name, pooled=pooled)
        chosen = given.effective(client).config
        from stocklstm.workflows.parallel import Backend

        stocked = ready(client, chosen, Backend(jobs, scheduler))
        if pooled:
            return client.dry_run_pooled(
                name, stocked.tickers, chosen, weights=first_weights, on_note=note
            )
        if not stocked.tickers:
            return Batch((), stocked.failures)
        planned = client.dry_run(stocked.tickers, chosen, weights=first_weights)
        return planned.after(stocked.failures)

    def call(client: Client) -> "TrainResult | PooledResult":
        _require_pool(name, pooled=pooled)
        _require_nothing_new(
            given, [*(named or ()), *(ticker or ())], tickers_file, resume, pooled=pooled
        )
        chosen = given.effective(client).config
        from stocklstm.workflows.parallel import Backend
        from stocklstm.workflows.train.beginning import StartFrom

        backend, beginning = Backend(jobs, scheduler), StartFrom(resume, first_weights)
        stocked = ready(client, chosen, backend)
        if stocked.failures and len(stocked.tickers) < (2 if pooled else 1):
            return Batch((), stocked.failures)
        method = partial(client.train_pooled, name) if pooled else client.train
        with _progress(backend) as (on_epoch, on_ticker), stop_at_interrupt() as should_stop:
            result = method(
                stocked.tickers,
                chosen,
                promote=promote,
                beginning=beginning,
                backend=backend,
                plot=drawn,
                should_stop=should_stop,
                on_epoch=on_epoch,
                on_ticker=on_ticker,
                on_note=note,
            )
        _warn_of_left_out(result)
        _comment(result.results)
        return result.after(stocked.failures)

    view: View[Any]
    work: Callable[[Client], Batch[Any]]
    if again.given:
        asked = _AskedAgain(again, partial(all_tickers, named, ticker, tickers_file), given)
        work = asked.plan if dry_run else partial(asked.retrain, promote, jobs, scheduler, drawn)
        view = retraining.PLAN_VIEW if dry_run else retraining.view_of(VIEW)
    else:
        work, view = (plan, planning.VIEW) if dry_run else (call, VIEW)

    def run() -> Batch[Any]:
        require_something_to_open(plot, open_picture=open_picture)
        with Client(lock_timeout_s=lock_timeout) as client:
            return work(client)

    with resumable():
        conclude(view, run, as_json=as_json, quiet=quiet, open_picture=open_picture)


@dataclass(frozen=True)
class _AskedAgain:
    """What a command line asks to be retrained.

    Attributes:
        options: Of retraining.
        tickers: Puts together those that were typed.
        given: Settings that were given; there may be none.
    """

    options: RetrainOptions
    tickers: Callable[[], Sequence[str]]
    given: Given

    def plan(self, client: Client) -> "Batch[PlannedRetraining]":
        """Say what would be retrained."""
        tickers = self.tickers()
        return retraining.plan(client, tickers, self.options.rule(tickers, self.given))

    def retrain(
        self,
        promote: str,
        jobs: int,
        scheduler: str | None,
        plot: bool | None,
        client: Client,
    ) -> "RetrainResult":
        """Retrain what is due."""
        tickers = self.tickers()
        rule = self.options.rule(tickers, self.given)
        from stocklstm.workflows.parallel import Backend

        backend = Backend(jobs, scheduler)
        with _progress(backend) as (on_epoch, on_ticker), stop_at_interrupt() as should_stop:
            result = client.retrain(
                tickers,
                rule,
                promote=promote,
                backend=backend,
                plot=plot,
                should_stop=should_stop,
                on_epoch=on_epoch,
                on_ticker=on_ticker,
                on_note=note,
            )
        _comment([each.trained for each in result.results if each.trained is not None])
        return result


@dataclass(frozen=True)
class _Asked:
    """What a command line asks to be trained.

    Attributes:
        tickers: As typed.
        pooled: True for one model of all of them.
        name: Of that model.
        resume: The run to go on with, or "auto"; None for a new one.
        weights: The version whose weights are to be the first ones; None for random ones.
    """

    tickers: Sequence[str]
    pooled: bool
    name: str | None
    resume: str | None
    weights: str | None

    def with_tickers_of(self, client: Client, like: str | None) -> "_Asked":
        """Take the tickers of a pooled version where only its settings were named."""
        known = self.tickers or self.resume is not None
        if known or not self.pooled or like is None or not is_pool(like):
            return self
        from stocklstm.workflows.loading.pooled_model import pool_tickers

        return replace(self, tickers=pool_tickers(client.store(), like, ()))

    def ready(
        self, client: Client, chosen: "TrainingConfig", backend: "Backend", *, fetch: bool
    ) -> "Stocked":
        """Refuse what can be refused, and get missing prices, before PyTorch is loaded."""
        from stocklstm.workflows.prices.missing import Stocked
        from stocklstm.workflows.train import beginning
        from stocklstm.workflows.train.warm_start import check_weights

        if self.pooled:
            beginning.check_pooled(backend)
        if self.resume is None:
            if self.pooled:
                beginning.check_pool(self.name, self.tickers, chosen)
            else:
                beginning.require_tickers(self.tickers, "train")
        if self.weights is not None:
            check_weights(client.store(), self.weights)
        # A run has its prices, and a pool leaves out what has none.
        resumed = self.resume is not None and (self.pooled or self.resume != AUTO)
        if resumed or not self.tickers or (self.pooled and not fetch):
            return Stocked(tuple(self.tickers), ())
        return require_prices(client, self.tickers, fetch=fetch)


def _warn_of_left_out(result: "TrainResult | PooledResult") -> None:
    """Name the tickers that a pool is trained without to whoever did not hear of it before."""
    if not speaks_only_of_wrong():
        return
    for trained in result.results:
        for each in getattr(trained, "left_out", ()):
            warn(each.ticker, [say("left out: {reason}", reason=each.reason)])


def _drawn(plot: bool | None, *, wanted: bool, quiet: bool) -> bool | None:
    """Tell whether pictures are drawn; None for where this process trains."""
    if plot is None and wanted:
        return True
    return False if plot is None and quiet else plot


def _comment(versions: Sequence["TrainedVersion"]) -> None:
    """Say what went less well than it should, and to whoever asked for it where the time went."""
    for made in versions:
        warn(made.ticker, made.warnings)
        if os.environ.get(VERBOSE):
            parts = ", ".join(f"{part} {seconds:.2f}" for part, seconds in made.times.items())
            tell(
                say(
                    "{ticker}@v{version}: seconds of {parts}",
                    ticker=made.ticker,
                    version=made.version,
                    parts=parts,
                )
            )


def _require_pool(name: str | None, *, pooled: bool) -> None:
    """Refuse a name where nothing could be called so."""
    if name is not None and not pooled:
        raise ConfigError(
            "--name is that of a pooled model, and --pooled was not given",
            hint=f"stocklstm train --pooled --name {name} --tickers-file FILE",
        )


def _require_nothing_new(
    given: Given, ticker: Sequence[str], file: Path | None, resume: str | None, *, pooled: bool
) -> None:
    """Refuse settings for a run that is resumed, and tickers for that of a pooled model."""
    if resume is None:
        return
    command = f"stocklstm train --resume {resume}"
    given.require_none("run", command)
    if pooled and (ticker or file):
        raise ConfigError("a run that is resumed keeps its tickers", hint=command)


@contextmanager
def _progress(
    backend: "Backend",
) -> Iterator[tuple[Callable[["EpochEnded"], None], Callable[["TickersDone"], None]]]:
    """Show epochs where this process trains, else how many tickers are through."""
    if not backend.is_this_process:
        with tickers_progress(say("Training")) as on_ticker:
            yield lambda _: None, on_ticker
    else:
        with training_progress() as on_epoch:
            yield on_epoch, lambda _: None


def _document(item: "TrainedVersion") -> Mapping[str, Any]:
    from dataclasses import asdict

    from stocklstm.cli.evaluate.scores import evaluation_document

    return asdict(item) | {"evaluation": evaluation_document(item.evaluation)}


def _bare(item: "TrainedVersion") -> Iterable[str]:
    yield f"{item.ticker}@v{item.version}"


def _tables(console: "Console", items: Sequence["TrainedVersion | PooledVersion"]) -> None:
    from stocklstm.cli.tables import facts, verdict_text
    from stocklstm.cli.train.dry_run import tickers_words
    from stocklstm.workflows.train.train import PooledVersion

    for item in items:
        scores = item.evaluation
        verdict = verdict_text(scores.verdict_text, scores.verdict)
        title = say("Trained {ticker}@v{version}", ticker=item.ticker, version=item.version)
        if not isinstance(item, PooledVersion):
            facts(
                console,
                title,
                [*_training_facts(item), (say("test days"), verdict)],
            )
            _places(console, item)
            continue
        facts(
            console,
            title,
            [
                (say("tickers"), tickers_words(item.tickers, item.left_out)),
                (say("windows"), say("{windows:,} to learn from", windows=item.windows)),
                *_training_facts(item),
                (
                    say("test days"),
                    say(
                        "{start} to {end}, {n:,} over all tickers",
                        start=scores.start,
                        end=scores.end,
                        n=scores.n,
                    ),
                ),
                (say("verdict"), verdict),
            ],
        )
        _places(console, item)
        console.print(
            "\n"
            + say(
                "Of each ticker: {command}", command=f"stocklstm evaluate --model {item.ticker[1:]}"
            ),
            soft_wrap=True,
        )


def _places(console: "Console", item: "TrainedVersion") -> None:
    from stocklstm.cli.tables import paths

    paths(console, say("Files"), [item.path])
    paths(console, say("Picture"), item.plots)
    if not item.plots:
        from stocklstm.store.manifest import drawing_command

        command = drawing_command(item.ticker, item.version)
        console.print(say("Pictures: {command}", command=command), soft_wrap=True)


def _training_facts(item: "TrainedVersion") -> list[tuple[str, str]]:
    champion = say("yes") if item.promoted else say("no")
    return [
        (
            say("preset"),
            say(
                "{preset}, {parameters:,} parameters",
                preset=item.preset,
                parameters=item.parameters,
            ),
        ),
        (
            say("epochs"),
            say("{epochs} in {seconds:.0f} s", epochs=item.epochs, seconds=item.seconds),
        ),
        (
            say("best epoch"),
            say(
                "{best_epoch}, validation loss {best_val_loss:.5f}",
                best_epoch=item.best_epoch,
                best_val_loss=item.best_val_loss,
            ),
        ),
        (say("kept epoch"), f"{item.kept_epoch}"),
        *_measured(item.measured),
        (say("diagnosis"), item.diagnosis),
        (say("champion"), f"{champion}: {retold(item.promotion)}"),
        *([] if item.by_hand is None else [(say("by hand"), item.by_hand)]),
    ]


def _measured(sessions: Mapping[str, int]) -> list[tuple[str, str]]:
    from stocklstm.core.wording import measured_words

    return (
        [
            (
                say("sessions"),
                say("measured {measured}", measured=measured_words(sessions)),
            )
        ]
        if sessions
        else []
    )


VIEW: "View[TrainedVersion]" = View(
    command="train",
    key="results",
    document=_document,
    tables=_tables,
    bare=_bare,
    picture=lambda item: next(iter(item.plots), None),
)
