"""What one training made, as whoever asked for it is told."""

from dataclasses import dataclass
from typing import Any, Self

from stocklstm.core.scores.scores import Evaluation
from stocklstm.store.manifest import Manifest
from stocklstm.store.store import Store
from stocklstm.workflows.publishing import Promotion


@dataclass(frozen=True)
class TrainedVersion:
    """What one run made.

    Attributes:
        ticker: Whose model; of a pooled one its name, with the mark.
        version: Its number.
        preset: What the settings started from.
        epochs: Passes made.
        best_epoch: Epoch with the lowest validation loss.
        best_val_loss: Validation loss there.
        kept_epoch: Epoch whose weights were kept.
        parameters: Weights of the network.
        seconds: Wall time of training.
        promoted: True if it is the champion now.
        promotion: Why or why not, in words.
        diagnosis: What the losses show, in words.
        diagnosis_kind: The same in one word or two; see `core.training.diagnosis`.
        evaluation: Scores on the test part.
        resumed_from: The run it went on with; None for a fresh start.
        path: Its directory.
    """

    ticker: str
    version: int
    preset: str
    epochs: int
    best_epoch: int
    best_val_loss: float
    kept_epoch: int
    parameters: int
    seconds: float
    promoted: bool
    promotion: str
    diagnosis: str
    diagnosis_kind: str
    evaluation: Evaluation
    resumed_from: str | None
    path: str

    @classmethod
    def published(
        cls,
        store: Store,
        manifest: Manifest,
        promotion: Promotion,
        *,
        seconds: float,
        diagnosis: str,
        resumed_from: str | None,
        **further: Any,  # noqa: ANN401 - what a subclass has besides
    ) -> Self:
        """Tell of a version that has been published.

        Args:
            store: Where.
            manifest: What it is.
            promotion: Whether it became champion.
            seconds: Wall time of training.
            diagnosis: What the losses show, in words.
            resumed_from: The run it went on with; None for a fresh start.
            further: Attributes that a subclass has besides.
        """
        training = manifest.training
        return cls(
            ticker=manifest.ticker,
            version=manifest.version,
            preset=manifest.config.preset,
            epochs=training.epochs,
            best_epoch=training.best_epoch,
            best_val_loss=training.best_val_loss,
            kept_epoch=training.kept_epoch,
            parameters=training.parameters,
            seconds=seconds,
            promoted=promotion.promoted,
            promotion=promotion.reason,
            diagnosis=diagnosis,
            diagnosis_kind=training.diagnosis,
            evaluation=manifest.evaluation,
            resumed_from=resumed_from,
            path=str(store.paths.version(manifest.ticker, manifest.version)),
            **further,
        )
