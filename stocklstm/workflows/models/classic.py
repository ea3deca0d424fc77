"""models export and import --format classic: the files of the tutorials."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from stocklstm.core.batch import Batch
from stocklstm.core.clock import utc_now
from stocklstm.core.digest import sha256_hex
from stocklstm.core.inputs.parts import forecast_day, split_ticker
from stocklstm.core.inputs.scaling import PriceScaling
from stocklstm.core.prices.series import Bars
from stocklstm.core.prices.splits import Split
from stocklstm.core.reference import ModelReference, parse_ticker
from stocklstm.core.wording import price_words, quoted
from stocklstm.errors import ArtifactCorruptError, ConfigError, TrainingDivergedError
from stocklstm.learn.checkpoints import decode_checkpoint, encode_checkpoint
from stocklstm.learn.classic import ClassicModel, decode_classic, encode_classic
from stocklstm.learn.loop import TrainingData, adopt_network
from stocklstm.learn.network import architecture_of
from stocklstm.store.disk import read_regular
from stocklstm.store.manifest import (
    CHECKPOINT_FILE,
    SERVING_FILE,
    FileRecord,
    ImportRecord,
    Manifest,
)
from stocklstm.store.store import Store
from stocklstm.workflows.loading.model import LoadedModel
from stocklstm.workflows.models.classic_files import find_files
from stocklstm.workflows.models.exports import ModelExportResult, write_directory
from stocklstm.workflows.models.imports import (
    ImportResult,
    find_whole,
    imported_version,
    judge_import,
)
from stocklstm.workflows.pictures import (
    FORECASTS_PICTURE,
    HISTORY_PICTURE,
    Drawn,
    draw_training,
)
from stocklstm.workflows.publishing import ALREADY_THERE, Promotion, publish
from stocklstm.workflows.train.fit import FittedModel, PreparedTicker

_MOST_PICTURE_BYTES = 1 << 24


def export_classic(
    store: Store, reference: ModelReference, output: Path | None
) -> ModelExportResult:
    """Write a version as the tutorials have it: weights, scaler and settings, and the pictures.

    Args:
        output: The directory; by default TICKER-v3-classic where the program runs.

    Raises:
        ConfigError: It is not of a kind that a MinMaxScaler can serve.
    """
    registry = store.registry
    manifest = registry.find(reference)
    scaling = _price_scaling(manifest)
    checkpoint = decode_checkpoint(registry.read_file(manifest, CHECKPOINT_FILE))
    pictures = dict(_pictures(store, manifest))
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


def _pictures(store: Store, manifest: Manifest) -> Iterator[tuple[str, bytes]]:
    """Give the pictures that there are: of older versions they are among their files."""
    folder = store.paths.reports(manifest.ticker, manifest.version)
    for name in (f"{HISTORY_PICTURE}.png", f"{FORECASTS_PICTURE}.png"):
        if name in manifest.files:
            yield name, store.registry.read_file(manifest, name)
            continue
        # Nothing that is exported depends on them.
        with suppress(OSError):
            yield name, read_regular(folder / name, _MOST_PICTURE_BYTES)


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


@dataclass(frozen=True, eq=False)
class ClassicFiles:
    """The three files, read and checked.

    Attributes:
        ticker: Whose model.
        origin: Their directory, or the file that was named.
        sha256: Of all three.
        model: What they say.
        notes: Which files were taken for what.
    """

    ticker: str
    origin: str
    sha256: str
    model: ClassicModel
    notes: tuple[str, ...]


def read_classic(path: Path, ticker: str | None, seq_length: int | None = None) -> ClassicFiles:
    """Read weights, scaler and settings without running anything in them.

    Args:
        path: Their directory, or the file of weights beside which the others lie.
        ticker: Whose model it is; None if config.pkl says so.
        seq_length: Sessions of a window; None if config.pkl says so.

    Raises:
        NotFoundError: A file is missing.
        IntegrityError: One is damaged, or asks for more than plain values.
        ConfigError: They describe a network that cannot be taken over, or not whose it is.
    """
    if ticker is not None:
        ticker = parse_ticker(ticker)
    given = f"stocklstm models import PATH --ticker {ticker or 'PETR4.SA'}"
    found = find_files(path, given)
    model = decode_classic(
        found.weights,
        found.scaler,
        found.config,
        seq_length=seq_length,
        ticker=ticker,
        origin=str(path),
    )
    if ticker is None and model.ticker is None:
        raise ConfigError(
            "the files do not say whose model it is", hint=given.replace("PATH", quoted(str(path)))
        )
    owner = parse_ticker(ticker or model.ticker or "")
    parts = [found.weights, found.scaler, *([found.config] if found.config else [])]
    # Another window makes another model of the same files.
    said = [] if seq_length is None else [f"seq_length={seq_length}".encode()]
    sha256 = sha256_hex(*(file.content for file in parts), *said)
    return ClassicFiles(owner, str(path), sha256, model, found.notes)


def import_classic(store: Store, files: ClassicFiles, promote: str) -> ImportResult:
    """Make three classic files the next version of a ticker; see `Client.import_model`.

    It predicts the same price as they do. Intervals, which they have none of, are measured on the
    stored prices, and so is how it compares with yesterday's close.
    """
    store.require_writable()
    bars = store.prices.bars(files.ticker)
    # Scoring takes seconds, and what is here already needs none.
    same = _same_version(store, files)
    if same is not None:
        return Batch((imported_version(store, same, ALREADY_THERE, files.origin),))
    fitted = _assess(files.ticker, files.model, bars)
    flattered = _flattered(files.model, bars, fitted.prepared.split)
    manifest, promotion = _publish(store, files, fitted, promote, flattered)
    # Another process may have published the same meanwhile.
    drawn = Drawn() if promotion is ALREADY_THERE else draw_training(store, manifest, fitted.days)
    warnings = (
        *files.notes,
        *files.model.notes,
        *filter(None, [flattered]),
        *_warnings(files.model, bars),
        *drawn.warnings,
    )
    return Batch((imported_version(store, manifest, promotion, files.origin, warnings),))


def _same_version(store: Store, files: ClassicFiles) -> Manifest | None:
    def is_same(manifest: Manifest) -> bool:
        source = manifest.imported_from
        return source is not None and source.sha256 == files.sha256

    return find_whole(store, files.ticker, is_same)


def _assess(ticker: str, model: ClassicModel, bars: Bars) -> FittedModel:
    config = model.config
    series, scaling = split_ticker(bars, config), model.scaling
    split = series.split
    data = TrainingData(scaling.inputs(bars), scaling.targets(bars), split.train, split.validation)
    state = {
        "architecture": architecture_of(config),
        "config": {"target": config.target, "features": config.features},
        "weights": model.weights,
    }
    try:
        network = adopt_network(config, data, state)
    except TrainingDivergedError as error:
        raise ArtifactCorruptError(
            "with these weights the outputs are no numbers",
            hint=f"stocklstm train --ticker {ticker} --preset paper",
        ) from error
    return PreparedTicker(config, data, (series,), scaling).assess(network)


def _publish(
    store: Store, files: ClassicFiles, fitted: FittedModel, promote: str, flattered: str
) -> tuple[Manifest, Promotion]:
    ticker, origin = files.ticker, "classic files"
    sources = {ticker: tuple(store.prices.sources(ticker))}
    network = fitted.network
    content = {
        SERVING_FILE: fitted.onnx,
        CHECKPOINT_FILE: encode_checkpoint(
            network.network, network.state, fitted.config, network.history
        ),
    }

    def describe(records: Mapping[str, FileRecord], at: str) -> Manifest:
        manifest = fitted.manifest(ticker, sources, records)
        # Epochs that were made elsewhere left no curve to be judged by.
        training = replace(manifest.training, diagnosis="")
        record = ImportRecord("classic", "", None, files.sha256, at)
        return replace(manifest, created=at, training=training, imported_from=record)

    model = LoadedModel(describe({}, utc_now()), fitted.forecaster)
    return publish(
        store,
        ticker,
        content.items(),
        describe,
        lambda: judge_import(store, promote, model, origin, flattered),
        lambda: _same_version(store, files),
    )


def _flattered(model: ClassicModel, bars: Bars, split: Split) -> str:
    """Say why the verdict may flatter a model that learned elsewhere; empty if it cannot."""
    first = forecast_day(bars, int(split.test[0]), model.config.horizon)
    calibrated = forecast_day(bars, int(split.calibration[0]), model.config.horizon)
    if model.test_start is None or not _is_day(model.test_start):
        return (
            f"which days it learned from is not known: the verdict holds only if none was after "
            f"{first}, and the intervals only if none was after {calibrated}"
        )
    if model.test_start > first:
        return (
            f"it was trained and chosen on days up to {model.test_start}, which lie in the test "
            f"part from {first} on: the verdict flatters it"
        )
    return ""


def _warnings(model: ClassicModel, bars: Bars) -> Iterator[str]:
    """Say what does not fit the stored prices."""
    lowest, highest = float(bars.closes.min()), float(bars.closes.max())
    if model.scaling.data_max > 2 * highest or model.scaling.data_min < lowest / 2:
        yield (
            f"the scaler knows closes from {price_words(model.scaling.data_min)} to "
            f"{price_words(model.scaling.data_max)}, the stored ones go from "
            f"{price_words(lowest)} to {price_words(highest)}: is it of "
            "this ticker, and in the same scale?"
        )


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
