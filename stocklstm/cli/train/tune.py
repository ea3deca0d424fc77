"""stocklstm tune."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stocklstm.cli.fetch import require_prices
from stocklstm.cli.interrupts import resumable, stop_at_interrupt
from stocklstm.cli.options import (
    ConfigFile,
    Json,
    Like,
    LockTimeout,
    NamedTickers,
    NoFetch,
    OpenPicture,
    PictureFormat,
    Quiet,
    Tickers,
    all_tickers,
    in_any_case,
    or_auto,
)
from stocklstm.cli.output import View, as_document, conclude, warn
from stocklstm.cli.progress import Lines, tickers_progress, training_progress
from stocklstm.cli.streams import draws_bars, note
from stocklstm.cli.train import train as training
from stocklstm.cli.train.setting_options import Given, Preset, Promote, with_settings
from stocklstm.client import Client
from stocklstm.core.batch import Batch
from stocklstm.core.language import retold, say
from stocklstm.core.reference import AUTO
from stocklstm.core.settings.config import AXES, LOCK_TIMEOUT_S, SAMPLERS
from stocklstm.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.core.settings.config import AxisValues
    from stocklstm.workflows.train.train import TrainedVersion
    from stocklstm.workflows.train.tune import TrialEnded, TriedSettings, TunedTicker, TuneResult


@dataclass(frozen=True)
class _Tuned:
    """A search, and the version that was trained with what it found, if that was wanted."""

    found: "TunedTicker"
    trained: "TrainedVersion | None"


@with_settings
def tune(
    named: NamedTickers = None,
    ticker: Tickers = None,
    sampler: Annotated[
        str | None,
        typer.Option(
            metavar="SAMPLER",
            parser=in_any_case,
            help=f"How to search: {', '.join(SAMPLERS)}; all but the first, which is what is done "
            "if not given, need Optuna.",
            show_default=False,
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            metavar="TRIALS", help="Trials at most; 30 for random and tpe.", show_default=False
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(
            metavar="COUNT",
            help="Tickers at the same time, each in a process of its own; trials of a single one.",
        ),
    ] = 1,
    publish: Annotated[
        bool, typer.Option("--publish", help="Train with the best settings and publish that.")
    ] = False,
    promote: Promote = "auto",
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="STUDY|auto",
            parser=or_auto,
            help="Go on with a search that was stopped or killed; auto takes the latest.",
            show_default=False,
        ),
    ] = None,
    preset: Preset = None,
    config: ConfigFile = None,
    like: Like = None,
    no_fetch: NoFetch = False,
    open_picture: OpenPicture = False,
    picture_format: PictureFormat = None,  # noqa: ARG001 - heeded as it is read
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
    **settings: str | None,
) -> None:
    """Search for settings with a low validation loss; test days are never looked at."""

    def call() -> Batch[_Tuned]:
        with Client(lock_timeout_s=lock_timeout) as client:
            result = search_with(client)
            if not publish:
                return _unpublished(result)
            return _published(client, result, promote, plot=jobs == 1 and not quiet)

    def search_with(client: Client) -> "TuneResult":
        given = Given(preset, settings, config, like)
        if resume is not None:
            command = f"stocklstm tune --resume {resume}"
            given.require_none("study", command)
            if sampler is not None or trials is not None:
                raise ConfigError(
                    "a study that is resumed keeps its sampler and its number of trials",
                    hint=command,
                )
        start = given.effective(client).config
        from stocklstm.workflows.prices.missing import Stocked
        from stocklstm.workflows.train.beginning import (
            Search,
            check_promotion,
            require_tickers,
            shares_tickers,
        )

        # Before the search, which may take hours.
        check_promotion(promote)
        search = Search(sampler or "coordinate", trials, jobs, resume)
        tickers = all_tickers(named, ticker)
        if resume in {None, AUTO}:
            require_tickers(tickers, "tune")
            stocked = require_prices(client, tickers, fetch=not no_fetch)
            if not stocked.tickers:
                return Batch((), stocked.failures)
        else:
            stocked = Stocked(tuple(tickers), ())
        # With processes for trials the one that hands them out only waits: Ctrl-C must wake it.
        shared = shares_tickers(stocked.tickers, search)
        stopping = stop_at_interrupt() if jobs == 1 or shared else _never()
        with (
            _progress(shown=not shared) as on_trial,
            tickers_progress(say("Searching"), shown=shared) as on_ticker,
            stopping as should_stop,
        ):
            result = client.tune(
                stocked.tickers,
                start,
                search,
                should_stop=should_stop,
                on_trial=on_trial,
                on_ticker=on_ticker,
                on_note=lambda words: note(retold(words)),
            )
        return result.after(stocked.failures)

    with resumable():
        conclude(VIEW, call, as_json=as_json, quiet=quiet, open_picture=open_picture)


@contextmanager
def _never() -> Iterator[Callable[[], bool]]:
    yield lambda: False


def _unpublished(result: "TuneResult") -> Batch[_Tuned]:
    return Batch(tuple(_Tuned(found, None) for found in result.results), result.failures)


def _published(client: Client, result: "TuneResult", promote: str, *, plot: bool) -> Batch[_Tuned]:
    results, failures = [], list(result.failures)
    for found in result.results:
        with training_progress() as on_epoch, stop_at_interrupt() as should_stop:
            trained = client.train(
                [found.ticker],
                found.config,
                promote=promote,
                plot=plot,
                should_stop=should_stop,
                on_epoch=on_epoch,
            )
        for made in trained.results:
            warn(made.ticker, made.warnings)
        results.append(_Tuned(found, trained.results[0] if trained.results else None))
        failures += trained.failures
    return Batch(tuple(results), tuple(failures))


@contextmanager
def _progress(*, shown: bool) -> Iterator[Callable[["TrialEnded"], None]]:
    """Show trials on stderr: a bar on a terminal, lines elsewhere."""
    if not shown:
        yield lambda _: None
        return
    if not draws_bars():
        lines = Lines()
        yield lambda event: lines.of(event.ticker, _trial_line(event))
        return
    from stocklstm.cli.progress import tuning_bar

    with tuning_bar() as on_trial:
        yield on_trial


def _trial_line(event: "TrialEnded") -> str:
    trial = event.trial
    return say(
        "{ticker}: trial {done} of at most {most}: {words}: {status}, validation "
        "loss {loss:.5f}, best {loss2:.5f}",
        ticker=event.ticker,
        done=event.done,
        most=event.most,
        words=_words(trial.settings),
        status=trial.status,
        loss=trial.loss,
        loss2=event.best.loss,
    )


def _words(settings: "AxisValues") -> str:
    return ", ".join(f"{name} {settings[name]:g}" for name in AXES)


def _document(item: _Tuned) -> Mapping[str, Any]:
    trained = None if item.trained is None else training.VIEW.document(item.trained)
    return as_document(item.found) | {"published": trained}


def _bare(item: _Tuned) -> Iterable[str]:
    yield (
        item.found.command
        if item.trained is None
        else f"{item.found.ticker}@v{item.trained.version}"
    )


def _tables(console: "Console", items: Sequence[_Tuned]) -> None:
    from stocklstm.cli.tables import facts, grid, paths

    for item in items:
        found = item.found
        axes = [say("rate"), say("hidden"), say("layers"), "dropout", say("batch")]
        grid(
            console,
            say("Trials of {ticker}, {sampler}", ticker=found.ticker, sampler=found.sampler),
            ["#", *axes, say("loss"), say("epochs"), "s", ""],
            [_row(trial, found) for trial in found.trials],
            left=[""],
            # As they are typed.
            verbatim=axes,
        )
        facts(
            console,
            say("Best settings of {ticker}", ticker=found.ticker),
            [
                (say("settings"), _words(found.best.settings)),
                (say("result"), found.conclusion),
                (
                    say("seen"),
                    say(
                        "{validation_days} validation days, no test day",
                        validation_days=found.validation_days,
                    ),
                ),
                (say("train it"), found.command),
            ],
        )
        paths(console, say("Picture"), [found.plot])
        if item.trained is not None:
            training.VIEW.tables(console, [item.trained])


def _row(trial: "TriedSettings", found: "TunedTicker") -> list[str]:
    marks = [
        *([say("best")] if trial == found.best else []),
        *([say("start")] if trial == found.start else []),
        *([trial.status] if trial.status != "complete" else []),
    ]
    return [
        f"{trial.number}",
        *(f"{trial.settings[name]:g}" for name in AXES),
        "–" if trial.val_loss is None else f"{trial.val_loss:.5f}",
        f"{trial.epochs}",
        f"{trial.seconds:.0f}",
        ", ".join(marks),
    ]


VIEW: "View[_Tuned]" = View(
    command="tune",
    key="results",
    document=_document,
    tables=_tables,
    bare=_bare,
    picture=lambda item: item.found.plot,
)
