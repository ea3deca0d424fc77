"""stocklstm demo."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from stocklstm.cli import fetch, quantize, validate
from stocklstm.cli.evaluate import evaluate
from stocklstm.cli.options import Json, Quiet
from stocklstm.cli.output import (
    Mode,
    View,
    choose_mode,
    complain,
    document,
    show,
    write_json,
)
from stocklstm.cli.predict import forecasts
from stocklstm.cli.progress import training_progress
from stocklstm.cli.streams import note, speaking, write
from stocklstm.cli.train import train
from stocklstm.client import Client
from stocklstm.core.batch import Batch, Failure
from stocklstm.core.exits import ExitCode, exit_code, worst
from stocklstm.core.language import retold, say
from stocklstm.core.operating_system import system
from stocklstm.core.packages import PICTURES, TRAINING, require_packages
from stocklstm.errors import ConfigError, StockLstmError
from stocklstm.workflows.documents import SCHEMA_VERSION, error_object

if TYPE_CHECKING:
    from stocklstm.workflows.predict.predict import PredictResult
    from stocklstm.workflows.train.train import TrainResult

TICKER = "PETR4.SA"

T = TypeVar("T")


def demo(
    home: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="New directory for its store; a temporary one if not given. Either is kept.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run the whole pipeline on bundled real prices of PETR4.SA, offline."""
    tour = _Tour(Mode.JSON if as_json else Mode.HUMAN)
    try:
        tour.mode = choose_mode(as_json=as_json, quiet=quiet)
        require_packages("demo", (*TRAINING, *PICTURES))
        tour.home = _new_home(home)
        with speaking(only_wrong=tour.mode is not Mode.HUMAN):
            _run(tour, tour.home)
    except StockLstmError as error:
        tour.fail(error)
    tour.end()
    raise typer.Exit(worst(tour.codes))


def _new_home(chosen: Path | None) -> Path:
    """Make the demo's own store; never touch one that holds anything."""
    if chosen is None:
        import tempfile

        return Path(tempfile.mkdtemp(prefix="stocklstm-demo-"))
    from stocklstm.store.paths import expanded

    home = expanded(chosen).absolute()
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise ConfigError(
            f"{home} is not empty, and the demo would write into it",
            hint="stocklstm demo --home with a new directory, or without --home",
        )
    return home


def _run(tour: "_Tour", home: Path) -> None:
    from stocklstm.workflows.prices.plan import FetchOptions

    sample = FetchOptions(source="sample")
    with Client(home) as client:
        tour.step(say("1. Prices"), fetch.VIEW, lambda: client.fetch([TICKER], sample))
        tour.step(say("2. Training"), train.VIEW, lambda: _train(client))
        tour.step(say("3. Evaluation"), evaluate.VIEW, lambda: client.evaluate([TICKER]))
        tour.step(say("4. Quantization"), quantize.VIEW, lambda: client.quantize([TICKER]))
        tour.step(say("5. Validation"), validate.VIEW, lambda: client.validate([TICKER]))
        tour.step(say("6. Forecast"), forecasts.VIEW, lambda: _forecast(client))


def _train(client: Client) -> "TrainResult":
    with training_progress() as on_epoch:
        # The evaluation that follows draws them all.
        return client.train([TICKER], plot=False, on_epoch=on_epoch)


def _forecast(client: Client) -> "PredictResult":
    result = client.predict([TICKER])
    for forecast in result.forecasts:
        # That the bundled prices are old is no surprise here.
        for words in forecast.warnings:
            note(retold(words))
    return result


class _Tour:
    """Runs steps and shows each; a step that fails ends the tour."""

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self.home: Path | None = None
        self.documents: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []
        self.codes: list[ExitCode] = []

    def step(self, heading: str, view: View[T], call: Callable[[], Batch[T]]) -> None:
        if self.mode is Mode.HUMAN:
            write(f"\n{heading}: stocklstm {view.command}\n\n")
        batch = call()
        self.documents.append(document(view, batch))
        self.codes += [view.code(result) for result in batch.results]
        if self.mode is Mode.HUMAN or (self.mode is Mode.QUIET and view.command == "predict"):
            show(view, Batch(batch.results), self.mode)
        if batch.failures:
            raise batch.failures[0].error

    def fail(self, error: StockLstmError) -> None:
        complain(error)
        self.errors.append(error_object(Failure(TICKER, error)))
        self.codes.append(exit_code(error))

    def end(self) -> None:
        if self.mode is Mode.JSON:
            write_json(
                {
                    "schema_version": SCHEMA_VERSION,
                    "command": "demo",
                    "home": None if self.home is None else str(self.home),
                    "steps": self.documents,
                    "errors": self.errors,
                }
            )
        elif self.mode is Mode.HUMAN and self.home is not None:
            write("\n" + say("Everything lies in {home}", home=self.home) + "\n")
            for picture in sorted(self.home.rglob("*.png")):
                write(f"  {picture.relative_to(self.home)}\n")
            command = system().set_variable("STOCKLSTM_HOME", str(self.home))
            write(say("Go on with it: {command}", command=command) + "\n")
