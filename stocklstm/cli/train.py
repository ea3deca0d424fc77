"""stocklstm train."""

import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event, current_thread, main_thread
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stocklstm.cli import planning
from stocklstm.cli.exits import ExitCode
from stocklstm.cli.options import ConfigFile, Json, Like, LockTimeout, Quiet, Tickers
from stocklstm.cli.output import View, conclude, say
from stocklstm.core.config import LOCK_TIMEOUT_S, PRESETS
from stocklstm.core.settings import SETTINGS
from stocklstm.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.core.config import TrainingConfig
    from stocklstm.workflows.planning import PlanResult
    from stocklstm.workflows.train import EpochEnded, TrainedVersion, TrainResult


def train(
    ticker: Tickers = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help=f"Settings to start from: {', '.join(PRESETS)}; calibrated if not given.",
            show_default=False,
        ),
    ] = None,
    config: ConfigFile = None,
    like: Like = None,
    promote: Annotated[
        str,
        typer.Option(help="Make it champion: auto (unless significantly worse), always, never."),
    ] = "auto",
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
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
    **settings: str | None,
) -> None:
    """Train on the stored prices and publish a new version."""

    def effective() -> "TrainingConfig":
        from stocklstm.workflows.settings import effective_settings, unknown_variables

        flags = _flags(preset, settings)
        if resume is not None and (flags or config or like):
            raise ConfigError(
                "a run that is resumed keeps its settings",
                hint=f"stocklstm train --resume {resume}",
            )
        for name in unknown_variables():
            say(f"warning: {name} is no setting; stocklstm config show lists them")
        return effective_settings(flags, file=config, like=like, lock_timeout_s=lock_timeout).config

    def plan() -> "PlanResult":
        if resume is not None:
            raise ConfigError(
                "--dry-run is about a new run, and --resume goes on with one that has begun",
                hint="leave --resume out to see what a new run would do",
            )
        chosen = effective()
        from stocklstm.workflows.planning import plan_training
        from stocklstm.workflows.promotion import check_rule

        check_rule(promote)
        return plan_training(
            ticker or (), chosen, weights=first_weights, lock_timeout_s=lock_timeout
        )

    def call() -> "TrainResult":
        chosen = effective()
        from stocklstm.workflows.train import Beginning, train

        with progress() as on_epoch, stop_at_interrupt() as should_stop:
            return train(
                ticker or (),
                chosen,
                promote=promote,
                beginning=Beginning(resume, first_weights),
                should_stop=should_stop,
                lock_timeout_s=lock_timeout,
                on_epoch=on_epoch,
                on_note=lambda words: say(f"note: {words}"),
            )

    if dry_run:
        conclude(planning.VIEW, plan, as_json=as_json, quiet=quiet)

    try:
        conclude(VIEW, call, as_json=as_json, quiet=quiet)
    except KeyboardInterrupt as stop:
        run = getattr(stop, "run", None)
        if run is None:
            raise
        say("stopped; nothing of it is lost")
        say(f"  next: stocklstm train --resume {run}")
        raise typer.Exit(ExitCode.INTERRUPTED) from stop


def _flags(preset: str | None, settings: Mapping[str, str | None]) -> dict[str, Any]:
    flags = {
        name: SETTINGS[name].parse(text, SETTINGS[name].option)
        for name, text in settings.items()
        if text is not None
    }
    return flags if preset is None else {"preset": preset, **flags}


def _with_settings(command: Callable[..., None]) -> None:
    """Give a command an option for every setting, as words: `Setting.parse` reads them."""
    signature = inspect.signature(command)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                str | None,
                typer.Option(
                    setting.option,
                    metavar=_METAVARS[setting.kind],
                    help=f"{setting.words[0].upper()}{setting.words[1:]}.",
                    show_default=False,
                    rich_help_panel="Settings",
                ),
            ],
        )
        for name, setting in SETTINGS.items()
    ]
    parameters = [*own, *options]
    # To mypy a function has no signature that could be set; to `inspect`, and so to Typer, it has.
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}


_METAVARS = {int: "N", float: "X", str: "WORD", bool: "true|false"}
_with_settings(train)


@contextmanager
def stop_at_interrupt() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C finish the step that is under way; the second one ends it at once."""
    asked = Event()
    if current_thread() is not main_thread():
        yield asked.is_set
        return

    def on_signal(*_: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)
        say("stopping after this step; once more stops at once")

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def progress() -> Iterator[Callable[["EpochEnded"], None]]:
    """Show epochs on stderr: a bar on a terminal, lines elsewhere."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
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


def _document(item: "TrainedVersion") -> Mapping[str, Any]:
    from dataclasses import asdict

    from stocklstm.cli.evaluate import evaluation_document

    return asdict(item) | {"evaluation": evaluation_document(item.evaluation)}


def _bare(item: "TrainedVersion") -> Iterable[str]:
    yield f"{item.ticker}@v{item.version}"


def _tables(console: "Console", items: Sequence["TrainedVersion"]) -> None:
    from stocklstm.cli.tables import facts, verdict_text

    for item in items:
        champion = "yes" if item.promoted else "no"
        facts(
            console,
            f"Trained {item.ticker}@v{item.version}",
            [
                ("preset", f"{item.preset}, {item.parameters:,} parameters"),
                ("epochs", f"{item.epochs} in {item.seconds:.0f} s"),
                ("best epoch", f"{item.best_epoch}, validation loss {item.best_val_loss:.5f}"),
                ("kept epoch", f"{item.kept_epoch}"),
                ("diagnosis", item.diagnosis),
                ("champion", f"{champion}: {item.promotion}"),
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
    document=_document,
    tables=_tables,
    bare=_bare,
)
