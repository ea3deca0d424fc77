"""models export and import --format classic: the files of the tutorials."""

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from stocklstm.core.clock import utc_now
from stocklstm.core.digest import sha256_hex
from stocklstm.core.inputs.parts import forecast_day, split_ticker
from stocklstm.core.inputs.scaling import PriceScaling
from stocklstm.core.prices.series import Bars
from stocklstm.core.prices.splits import Split
from stocklstm.core.reference import parse_reference, parse_ticker
from stocklstm.core.settings.config import LOCK_TIMEOUT_S
from stocklstm.errors import (
    ArtifactCorruptError,
    ConfigError,
    IntegrityError,
    NotFoundError,
)
from stocklstm.learn.checkpoints import decode_checkpoint, encode_checkpoint
from stocklstm.learn.classic import (
    CONFIG_FILE,
    SCALER_FILE,
    WEIGHTS_FILE,
    ClassicModel,
    decode_classic,
    encode_classic,
)
from stocklstm.learn.loop import TrainingData, adopt_network
from stocklstm.learn.model import architecture_of
from stocklstm.learn.safety import MOST_CHECKPOINT_BYTES
from stocklstm.report.predictions import predictions_png
from stocklstm.store.disk import OversizedError, SymbolicLinkError, read_regular
from stocklstm.store.locks import writer_lock
from stocklstm.store.manifest import CHECKPOINT_FILE, SERVING_FILE, ImportRecord, Manifest
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.loading.model import LoadedModel
from stocklstm.workflows.models.exports import ModelExportResult, write_directory
from stocklstm.workflows.models.imports import (
    ALREADY_THERE,
    ImportedVersion,
    ImportResult,
    decide,
    described,
)
from stocklstm.workflows.publishing import check_rule
from stocklstm.workflows.train.fit import FittedModel, PreparedTicker

_PICTURES = ("training_history.png", "predictions_vs_actual.png")


def export_classic(
    reference: str, output: Path | None = None, *, home: Path | None = None
) -> ModelExportResult:
    """Write a version as the tutorials have it: weights, scaler and settings, and the pictures.

    Args:
        reference: TICKER, TICKER@v3 or TICKER@alias.
        output: The directory; by default TICKER-v3-classic where the program runs.
        home: The store; by default where the command line has it.

    Raises:
        NotFoundError: There is no such version.
        IntegrityError: Its files are not those that were published.
        ConfigError: It is not of a kind that a MinMaxScaler can serve.
    """
    wanted = parse_reference(reference)
    with open_store(home) as store:
        registry = store.registry
        manifest = registry.find(wanted)
        scaling = _price_scaling(manifest)
        checkpoint = decode_checkpoint(registry.read_file(manifest, CHECKPOINT_FILE))
        pictures = {
            name: registry.read_file(manifest, name) for name in _PICTURES if name in manifest.files
        }
    facts = {
        "ticker": manifest.ticker,
        "model": manifest.id,
        "created": manifest.created,
        "train_start": manifest.splits.train_start,
        "train_end": manifest.splits.train_end,
        "test_start": manifest.splits.test_start,
    }
    files = encode_classic(checkpoint["weights"], manifest.config, scaling, facts)
    return write_directory(manifest, "classic", output, files | pictures)


def _price_scaling(manifest: Manifest) -> PriceScaling:
    """Give the price scale, where that is all there is between prices and the network.

    Raises:
        ConfigError: There is more.
    """
    hint = f"stocklstm models export {manifest.id} --format bundle"
    if manifest.config.features != ("close",) or manifest.prices is None:
        raise ConfigError(
            f"{manifest.id} sees {', '.join(manifest.config.features)} and learned a "
            f"{manifest.config.target}: a MinMaxScaler of closes does not serve it",
            hint=hint,
        )
    if CHECKPOINT_FILE not in manifest.files:
        raise ConfigError(
            f"{manifest.id} is {manifest.method} and has no weights for PyTorch", hint=hint
        )
    return manifest.prices


def import_classic(
    path: Path,
    *,
    ticker: str | None = None,
    promote: str = "auto",
    home: Path | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> ImportResult:
    """Make model_lstm.pth, scaler.pkl and config.pkl the next version of a ticker.

    It predicts the same price as they do. Intervals, which they have none of, are measured on the
    stored prices, and so is how it compares with yesterday's close.

    Args:
        path: The directory of the three files.
        ticker: Whose it is; None if config.pkl says so.
        promote: As for `train`.
        home: The store; by default where the command line has it.
        lock_timeout_s: Seconds to wait for another writer.

    Raises:
        NotFoundError: A file is missing, or there is no store, or no prices of the ticker.
        IntegrityError: A file is damaged, or asks for more than plain values.
        ConfigError: They describe a network that cannot be taken over.
        NotEnoughDataError: There are too few prices to test it on.
    """
    check_rule(promote)
    files = {name: _read(path, name) for name in (WEIGHTS_FILE, SCALER_FILE, CONFIG_FILE)}
    model = decode_classic(files)
    if ticker is None and model.ticker is None:
        raise ConfigError(
            f"{CONFIG_FILE} does not say whose model it is",
            hint=f"stocklstm models import {path} --ticker PETR4.SA",
        )
    name = parse_ticker(ticker or model.ticker or "")
    with open_store(home, lock_timeout_s=lock_timeout_s) as store:
        store.require_writable()
        arrival = _Arrival(
            store, name, str(path), sha256_hex(*files.values()), model, lock_timeout_s
        )
        return ImportResult((arrival.take(promote),))


def _read(directory: Path, name: str) -> bytes:
    """Read a file of a bounded size that is itself there, not a link to one.

    Raises:
        NotFoundError: It is not there.
        ArtifactCorruptError: It is no plain file, or too large.
    """
    try:
        return read_regular(directory / name, MOST_CHECKPOINT_BYTES)
    except SymbolicLinkError as error:
        raise ArtifactCorruptError(f"{name} is a link and is not followed") from error
    except (OversizedError, IsADirectoryError) as error:
        raise ArtifactCorruptError(f"{name} is no plain file, or too large") from error
    except (OSError, ValueError) as error:
        raise NotFoundError(
            f"there is no {name} in {directory}",
            hint=f"a classic model is {WEIGHTS_FILE}, {SCALER_FILE} and {CONFIG_FILE}",
        ) from error


@dataclass(frozen=True)
class _Arrival:
    """One classic model on its way into the store."""

    store: Store
    ticker: str
    origin: str
    sha256: str
    model: ClassicModel
    lock_timeout_s: float

    def take(self, promote: str) -> ImportedVersion:
        bars = self.store.prices.bars(self.ticker)
        same = self._same_version()
        if same is not None:
            return described(self.store, same, ALREADY_THERE, unchanged=True, origin=self.origin)
        fitted = self._assess(bars)
        return self._publish(fitted, promote)

    def _same_version(self) -> Manifest | None:
        registry = self.store.registry
        for version in registry.versions(self.ticker):
            try:
                manifest = registry.manifest(self.ticker, version)
                source = manifest.imported_from
                if source is None or source.sha256 != self.sha256:
                    continue
                for name in manifest.files:
                    registry.read_file(manifest, name)
            except IntegrityError:
                continue
            return manifest
        return None

    def _assess(self, bars: Bars) -> FittedModel:
        model, config = self.model, self.model.config
        series, scaling = split_ticker(bars, config), model.scaling
        split = series.split
        data = TrainingData(
            scaling.inputs(bars), scaling.targets(bars), split.train, split.validation
        )
        network = adopt_network(
            config,
            data,
            {
                "architecture": architecture_of(config),
                "config": {"target": config.target, "features": config.features},
                "weights": model.weights,
            },
        )
        return PreparedTicker(config, data, (series,), scaling).assess(network)

    def _publish(self, fitted: FittedModel, promote: str) -> ImportedVersion:
        store, registry = self.store, self.store.registry
        record = ImportRecord("classic", "", None, self.sha256, utc_now())
        sources = tuple(store.prices.sources(self.ticker))
        currency = store.prices.instrument(self.ticker).currency
        origin = "classic files"
        with registry.draft(self.ticker) as draft:
            network = fitted.network
            draft.write(SERVING_FILE, fitted.onnx)
            draft.write(
                CHECKPOINT_FILE,
                encode_checkpoint(network.network, network.state, fitted.config, network.history),
            )
            title = f"{self.ticker}, imported from {origin}"
            draft.write(
                "predictions_vs_actual.png",
                predictions_png(fitted.days, fitted.evaluation, title, currency),
            )
            with writer_lock(store.paths, self.ticker, self.lock_timeout_s):
                manifest = fitted.manifest(self.ticker, {self.ticker: sources}, draft.files)
                # Epochs that were made elsewhere left no curve to be judged by.
                training = replace(manifest.training, diagnosis="")
                manifest = replace(manifest, training=training, imported_from=record)
                model = LoadedModel(manifest, fitted.forecaster)
                promotion = decide(store, promote, model, origin)
                published = registry.publish(
                    draft,
                    self.ticker,
                    lambda version: replace(manifest, version=version),
                    at=utc_now(),
                    promotion=promotion.reason if promotion.promoted else None,
                )
        warnings = _warnings(self.model, fitted.prepared.bars, fitted.prepared.split)
        return described(store, published, promotion, warnings=warnings, origin=self.origin)


def _warnings(model: ClassicModel, bars: Bars, split: Split) -> tuple[str, ...]:
    """Say what the three files cannot vouch for."""
    warnings = []
    first = forecast_day(bars, int(split.test[0]), model.config.horizon)
    calibrated = forecast_day(bars, int(split.calibration[0]), model.config.horizon)
    if model.test_start is None or not _is_day(model.test_start):
        warnings.append(
            f"which days it learned from is not known: the verdict holds only if none was after "
            f"{first}, and the intervals only if none was after {calibrated}"
        )
    elif model.test_start > first:
        warnings.append(
            f"it was trained and chosen on days up to {model.test_start}, which lie in the test "
            f"part from {first} on: the verdict flatters it"
        )
    lowest, highest = float(bars.closes.min()), float(bars.closes.max())
    if model.scaling.data_max > 2 * highest or model.scaling.data_min < lowest / 2:
        warnings.append(
            f"{SCALER_FILE} knows closes from {model.scaling.data_min:.2f} to "
            f"{model.scaling.data_max:.2f}, the stored ones go from {lowest:.2f} to "
            f"{highest:.2f}: is it of this ticker, and in the same scale?"
        )
    return tuple(warnings)


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
