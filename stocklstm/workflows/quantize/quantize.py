"""quantize: a smaller, faster version, kept as champion only if it forecasts as well."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stocklstm.core.batch import Batch, Result, for_each
from stocklstm.core.language import english
from stocklstm.core.reference import CHAMPION, ModelReference, parse_reference
from stocklstm.core.scores.acceptance import Acceptance, LossTest, judge_smaller
from stocklstm.core.settings.compression import WEIGHTS, Compression
from stocklstm.errors import ConfigError
from stocklstm.report.compression import CompressedBar, compression_figure
from stocklstm.report.figure import rendered
from stocklstm.report.predictions import predictions_figure
from stocklstm.store.manifest import CHECKPOINT_FILE, SERVING_FILE, FileRecord, Manifest
from stocklstm.store.store import Store
from stocklstm.workflows.environment import environment
from stocklstm.workflows.loading.bars import bars_of_model
from stocklstm.workflows.loading.model import load_model
from stocklstm.workflows.publishing import Promotion, publish
from stocklstm.workflows.quantize.measure import Measured, VersionFigures, measure
from stocklstm.workflows.quantize.methods import AFTER_TRAINING, Candidate, EpochTrained, Parent

if TYPE_CHECKING:
    from stocklstm.workflows.parallel import TickersDone

PICTURE_FILE = "quantized.png"


@dataclass(frozen=True)
class MeasuredStep:
    """A network that the new version is to be compared with, or that came before it.

    Attributes:
        name: What it is.
        figures: Its size, speed and accuracy.
    """

    name: str
    figures: VersionFigures


@dataclass(frozen=True, repr=False)
class QuantizedVersion(Result):
    """A smaller version beside the one it was made from.

    Attributes:
        ticker: Whose model.
        parent: Version it was made from.
        version: Its number.
        method: As in its manifest, such as "dynamic-int8".
        currency: ISO 4217 code of errors.
        before: The parent's figures.
        steps: Those of what lies between the two: controls, and what came on the way.
        after: Its own.
        size_ratio: Bytes before / after.
        compressed_ratio: Compressed bytes before / after.
        speed_ratio: Latency of one window before / after.
        rmse_change_pct: Growth of the error, in per cent.
        crps_change_pct: Growth of the score, in per cent.
        squared: Paired test of its daily squared errors against the parent's: is there a loss?
        distribution: Of its daily CRPS likewise.
        largest_difference: Of two point forecasts of the same test day, in currency.
        accepted: True if neither error grew by more than the tolerance, neither test finds a
            loss, and the file is smaller.
        promoted: True if it is the champion now.
        reason: Why or why not, in words.
        note: What to know of the method, in words.
        plot: Where the picture of size, speed and accuracy lies.
    """

    SHOWN = (
        "ticker",
        "parent",
        "version",
        "method",
        "size_ratio",
        "speed_ratio",
        "rmse_change_pct",
        "crps_change_pct",
        "accepted",
    )
    SAID = ("reason",)

    ticker: str
    parent: int
    version: int
    method: str
    currency: str
    before: VersionFigures
    steps: tuple[MeasuredStep, ...]
    after: VersionFigures
    size_ratio: float
    compressed_ratio: float
    speed_ratio: float
    rmse_change_pct: float
    crps_change_pct: float
    squared: LossTest
    distribution: LossTest
    largest_difference: float
    accepted: bool
    promoted: bool
    reason: str
    note: str
    plot: str


QuantizeResult = Batch[QuantizedVersion]


def quantize(
    store: Store,
    references: Sequence[str],
    compression: Compression,
    *,
    tolerance_pct: float,
    jobs: int,
    on_note: Callable[[str], None],
    on_epoch: Callable[[EpochTrained], None],
    on_ticker: Callable[["TickersDone"], None],
) -> QuantizeResult:
    """Make a smaller version of each model; see `Client.quantize`."""
    store.require_writable()
    if jobs != 1:
        # A model that is not trained for it waits for no import of what trains.
        from stocklstm.workflows.parallel import for_each_in_processes

        given = (compression, tolerance_pct)
        return Batch(
            *for_each_in_processes(
                store,
                references,
                parse_reference,
                jobs,
                _quantize_apart,
                given,
                on_ticker=on_ticker,
            )
        )
    run = _Quantization(store, compression, tolerance_pct, on_note, on_epoch)
    return Batch(*for_each(references, parse_reference, run.quantize_one))


def check_quantize(references: Sequence[str], tolerance_pct: float) -> None:
    """Refuse what needs no store to be refused.

    Raises:
        ConfigError: No ticker, or a tolerance below 0.
    """
    if not tolerance_pct >= 0:
        raise ConfigError(
            f"--tolerance must be at least 0, not {tolerance_pct}",
            hint="--tolerance 1 lets the errors grow by one per cent",
        )
    if not references:
        raise ConfigError("quantize needs a ticker", hint="stocklstm quantize --ticker PETR4.SA")


def _quantize_apart(
    store: Store,
    reference: ModelReference,
    compression: Compression,
    tolerance_pct: float,
    _should_stop: object,
) -> QuantizedVersion:
    run = _Quantization(store, compression, tolerance_pct, _ignore, _ignore)
    return run.quantize_one(reference)


def _ignore(_: object) -> None:
    """Show no progress: another process shows that of all models."""


@dataclass(frozen=True)
class _Quantization:
    store: Store
    compression: Compression
    tolerance_pct: float
    on_note: Callable[[str], None]
    on_epoch: Callable[[EpochTrained], None]

    def quantize_one(self, reference: ModelReference) -> QuantizedVersion:
        parent = self._parent(reference)
        candidates = (parent.candidate, *compress(parent, self.compression))
        before, *steps, after = measure(candidates, parent.bars)
        acceptance = _judge(before, after, self.tolerance_pct)
        made, promotion = self._publish(before, steps, after, acceptance)
        old, new = before.figures, after.figures
        return QuantizedVersion(
            ticker=made.ticker,
            parent=parent.manifest.version,
            version=made.version,
            method=made.method,
            currency=self.store.prices.instrument(made.ticker).currency,
            before=old,
            steps=tuple(MeasuredStep(step.candidate.name, step.figures) for step in steps),
            after=new,
            size_ratio=old.bytes / new.bytes,
            compressed_ratio=old.compressed_bytes / new.compressed_bytes,
            speed_ratio=old.latency_ms / new.latency_ms,
            rmse_change_pct=acceptance.rmse_change_pct,
            crps_change_pct=acceptance.crps_change_pct,
            squared=acceptance.squared,
            distribution=acceptance.distribution,
            largest_difference=acceptance.largest_difference,
            accepted=acceptance.accepted,
            promoted=promotion.promoted,
            reason=acceptance.reason,
            note=self.compression.note,
            plot=str(self.store.paths.version(made.ticker, made.version) / PICTURE_FILE),
        )

    def _parent(self, reference: ModelReference) -> Parent:
        model = load_model(self.store, reference)
        manifest = model.manifest
        if not WEIGHTS[manifest.method].float32:
            raise ConfigError(
                f"{manifest.id} is {manifest.method} already",
                hint=f"stocklstm quantize --ticker {manifest.parent}" if manifest.parent else None,
            )
        read, data = self.store.registry.read_file, manifest.data
        return Parent(
            Candidate(f"v{manifest.version}", read(manifest, SERVING_FILE), model),
            bars_of_model(self.store, manifest, manifest.ticker).since(manifest.config.start),
            training_bars=lambda: self.store.prices.pinned(
                manifest.ticker,
                data.last,
                data.sha256,
                name=f"the version {manifest.id}",
                command="train",
                created=manifest.created,
                start=manifest.config.start,
            ),
            checkpoint=lambda: read(manifest, CHECKPOINT_FILE),
            on_note=self.on_note,
            on_epoch=self.on_epoch,
        )

    def _publish(
        self,
        before: Measured,
        steps: Sequence[Measured],
        after: Measured,
        acceptance: Acceptance,
    ) -> tuple[Manifest, Promotion]:
        parent, described = before.candidate.model.manifest, after.candidate.model.manifest

        def describe(files: Mapping[str, FileRecord], at: str) -> Manifest:
            return replace(
                described,
                created=at,
                parent=parent.id,
                evaluation=after.evaluation,
                environment=environment(),
                files=dict(files),
                imported_from=None,
            )

        def decide() -> Promotion:
            # A smaller copy of a model that is not in use is not put into use either.
            champion = self.store.registry.aliases.of(parent.ticker).get(CHAMPION)
            in_use = champion == parent.version
            return Promotion(acceptance.accepted and in_use, acceptance.reason)

        files = self._files(before, steps, after, acceptance)
        return publish(self.store, parent.ticker, files.items(), describe, decide)

    def _files(
        self,
        before: Measured,
        steps: Sequence[Measured],
        after: Measured,
        acceptance: Acceptance,
    ) -> dict[str, bytes]:
        """Give the files of the new version by name."""
        parent, made = before.candidate.model.manifest, after.candidate
        currency = self.store.prices.instrument(parent.ticker).currency
        title = f"{made.model.manifest.method} of {parent.id}"
        files = {SERVING_FILE: made.content}
        if made.checkpoint is not None:
            files[CHECKPOINT_FILE] = made.checkpoint
        files["predictions_vs_actual.png"] = rendered(
            predictions_figure(after.days, after.evaluation, title, currency)
        )
        words = f"{'Accepted' if acceptance.accepted else 'Refused'}. {acceptance.reason}."
        bars = [_bar(each, before, self.tolerance_pct) for each in (before, *steps, after)]
        files[PICTURE_FILE] = rendered(compression_figure(bars, self.tolerance_pct, title, words))
        return files


def _judge(before: Measured, after: Measured, tolerance_pct: float) -> Acceptance:
    """Compare the smaller version with its parent; refuse one that is not smaller."""
    acceptance = judge_smaller(after.days, before.days, tolerance_pct)
    old, new = before.figures.bytes, after.figures.bytes
    if new < old:
        return acceptance
    return replace(
        acceptance,
        accepted=False,
        reason=f"{acceptance.reason}; "
        + english("not smaller: {old:,} to {new:,} bytes", old=old, new=new),
    )


def _bar(measured: Measured, parent: Measured, tolerance_pct: float) -> CompressedBar:
    compared = judge_smaller(measured.days, parent.days, tolerance_pct)
    return CompressedBar(
        name=measured.candidate.name,
        kilobytes=measured.figures.bytes / 1e3,
        latency_ms=measured.figures.latency_ms,
        rmse_change_pct=compared.rmse_change_pct,
        crps_change_pct=compared.crps_change_pct,
    )


def compress(parent: Parent, compression: Compression) -> tuple[Candidate, ...]:
    """Make a float32 model smaller.

    Returns:
        The smaller model, last, and before it what it has to be compared with.

    Raises:
        SeriesTooShortError: There are not as many training windows as are to be used.
        RejectedDataError: The method trains, and the prices have been revised.
        TrainingDivergedError: A loss became infinite, or worse than that of an untrained network.
        ConfigError: The student would be as large as the teacher.
    """
    if compression.method in AFTER_TRAINING:
        return (AFTER_TRAINING[compression.method](parent.candidate, parent.bars, compression),)
    from stocklstm.workflows.quantize.trained_methods import retrain

    return retrain(parent, compression)
