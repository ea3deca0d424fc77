"""stocklstm train."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stocklstm.cli.options import Json, LockTimeout, Quiet, Tickers
from stocklstm.cli.output import View, conclude, say
from stocklstm.core.config import LOCK_TIMEOUT_S, PRESETS, configure

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.train import EpochEnded, TrainedVersion, TrainResult


def _setting(words: str, **limits: Any) -> Any:  # noqa: ANN401 - Typer's own signature
    return typer.Option(help=words, show_default=False, rich_help_panel="Settings", **limits)


def train(
    ticker: Tickers = None,
    preset: Annotated[
        str, typer.Option(help=f"Settings to start from: {', '.join(PRESETS)}.")
    ] = "calibrated",
    promote: Annotated[
        str,
        typer.Option(help="Make it champion: auto (unless significantly worse), always, never."),
    ] = "auto",
    epochs: Annotated[int | None, _setting("Most passes over the training windows.")] = None,
    patience: Annotated[
        int | None, _setting("Epochs without improvement before stopping early.")
    ] = None,
    learning_rate: Annotated[float | None, _setting("Step size.")] = None,
    batch_size: Annotated[int | None, _setting("Windows in a step.")] = None,
    seq_length: Annotated[int | None, _setting("Sessions in a window.")] = None,
    hidden_size: Annotated[int | None, _setting("Units of each LSTM layer.")] = None,
    num_layers: Annotated[int | None, _setting("LSTM layers.")] = None,
    dropout: Annotated[float | None, _setting("Share of activations dropped.")] = None,
    seed: Annotated[int | None, _setting("Seed of weights, dropout and data order.")] = None,
    threads: Annotated[int | None, _setting("Threads that PyTorch may use.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Train on the stored prices and publish a new version."""
    settings = {
        "epochs": epochs,
        "patience": patience,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "seq_length": seq_length,
        "hidden_size": hidden_size,
        "num_layers": num_layers,
        "dropout": dropout,
        "seed": seed,
        "threads": threads,
    }

    def call() -> "TrainResult":
        config = configure(preset, **settings)
        from stocklstm.workflows.train import train

        with progress() as on_epoch:
            return train(
                ticker or (),
                config,
                promote=promote,
                lock_timeout_s=lock_timeout,
                on_epoch=on_epoch,
            )

    conclude(VIEW, call, as_json=as_json, quiet=quiet)


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
        f"validation loss {record.val_loss:.5f}, best epoch {record.best_epoch}"
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
