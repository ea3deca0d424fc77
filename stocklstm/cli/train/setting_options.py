"""What the commands that train share: an option for every setting, and an orderly stop."""

import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, current_thread, main_thread
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stocklstm.cli.options import parameter, with_parameters
from stocklstm.cli.streams import draws_bars, say
from stocklstm.core.exits import ExitCode
from stocklstm.core.settings.config import PRESETS, TrainingConfig
from stocklstm.core.settings.layers import SETTINGS, EffectiveSettings
from stocklstm.errors import ConfigError, InterruptedWorkError

if TYPE_CHECKING:
    from stocklstm.workflows.parallel import TickersDone
    from stocklstm.workflows.train.result import TrainedVersion

Preset = Annotated[
    str | None,
    typer.Option(
        help=f"Settings to start from: {', '.join(PRESETS)}; calibrated if not given.",
        show_default=False,
    ),
]

Promote = Annotated[
    str,
    typer.Option(help="Make it champion: auto (unless significantly worse), always, never."),
]

_METAVARS = {int: "N", float: "X", str: "WORD", bool: "true|false", tuple: "WORD,…"}


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for every setting, as words: `Setting.parse` reads them.

    Args:
        command: Takes them as keyword arguments.
    """
    rows = [
        parameter(
            name,
            str | None,
            setting.help_text,
            metavar=_METAVARS[setting.kind],
            panel="Settings",
        )
        for name, setting in SETTINGS.items()
    ]
    return with_parameters(command, rows)


@dataclass(frozen=True)
class Given:
    """Where the settings of a command are to be found.

    Attributes:
        preset: The option `--preset`.
        settings: The options of `with_settings`.
        file: The option `--config`.
        like: The option `--like`.
    """

    preset: str | None
    settings: Mapping[str, str | None]
    file: Path | None
    like: str | None

    def config(self, lock_timeout_s: float) -> TrainingConfig:
        """Give what holds.

        Raises:
            ConfigError: See `effective`.
        """
        return self.effective(lock_timeout_s).config

    def effective(self, lock_timeout_s: float) -> EffectiveSettings:
        """Put them together; warn of variables that are no settings.

        Raises:
            ConfigError: One is no value of its kind, or they do not fit each other.
        """
        from stocklstm.client import Client
        from stocklstm.workflows.settings import unknown_variables

        for name in unknown_variables():
            say(f"warning: {name} is no setting; stocklstm config show lists them")
        with Client(lock_timeout_s=lock_timeout_s) as client:
            return client.effective_settings(self._flags(), file=self.file, like=self.like)

    def require_none(self, work: str, command: str) -> None:
        """Refuse settings for work that has its own.

        Args:
            work: Such as "run".
            command: Goes on with it.

        Raises:
            ConfigError: Some were given.
        """
        if self._flags() or self.file or self.like:
            raise ConfigError(f"a {work} that is resumed keeps its settings", hint=command)

    def _flags(self) -> dict[str, Any]:
        given = {
            name: SETTINGS[name].parse(text, SETTINGS[name].option)
            for name, text in self.settings.items()
            if text is not None
        }
        return given if self.preset is None else {"preset": self.preset, **given}


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
def resumable() -> Iterator[None]:
    """End with the code of an interruption, and say how to go on, if there is a way."""
    try:
        yield
    except InterruptedWorkError as stop:
        say("stopped; what is done is kept")
        say(f"  next: {stop.command}")
        raise typer.Exit(ExitCode.INTERRUPTED) from stop


@contextmanager
def tickers_progress(
    words: str, *, shown: bool = True
) -> Iterator[Callable[["TickersDone"], None]]:
    """Show on stderr how many tickers are through: a bar on a terminal, lines elsewhere.

    Args:
        words: What is being done, such as "Training".
        shown: False shows nothing: one ticker after the other shows more than that.
    """
    if not shown:
        yield lambda _: None
        return
    if not draws_bars():
        yield _log_ticker
        return
    from stocklstm.cli.progress import tickers_bar

    with tickers_bar(words) as on_ticker:
        yield on_ticker


def _log_ticker(event: "TickersDone") -> None:
    if not event.ticker:
        return
    outcome = "done" if event.error is None else f"failed: {event.error.message}"
    say(f"{event.ticker}: {outcome} ({event.done} of {event.total})")


def training_facts(item: "TrainedVersion") -> list[tuple[str, str]]:
    """List what a training did, for a table.

    Args:
        item: Of one ticker or of several.
    """
    champion = "yes" if item.promoted else "no"
    return [
        ("preset", f"{item.preset}, {item.parameters:,} parameters"),
        ("epochs", f"{item.epochs} in {item.seconds:.0f} s"),
        ("best epoch", f"{item.best_epoch}, validation loss {item.best_val_loss:.5f}"),
        ("kept epoch", f"{item.kept_epoch}"),
        ("diagnosis", item.diagnosis),
        ("champion", f"{champion}: {item.promotion}"),
    ]


def trained_document(item: "TrainedVersion") -> Mapping[str, Any]:
    """Give what a training made as JSON has it.

    Args:
        item: Of one ticker or of several.
    """
    from dataclasses import asdict

    from stocklstm.cli.evaluate.scores import evaluation_document

    return asdict(item) | {"evaluation": evaluation_document(item.evaluation)}


def trained_names(item: "TrainedVersion") -> Iterable[str]:
    """Give what --quiet prints of a training.

    Args:
        item: Of one ticker or of several.
    """
    yield f"{item.ticker}@v{item.version}"
