"""models export and import: a version of a model as one file."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from stocklstm.core.batch import Batch
from stocklstm.core.clock import utc_now
from stocklstm.core.prices.series import Bars, DayVariances
from stocklstm.core.reference import ModelReference, parse_reference
from stocklstm.core.scores.baselines import Baselines
from stocklstm.core.settings.compression import WEIGHTS
from stocklstm.errors import (
    ArtifactCorruptError,
    ConfigError,
    IntegrityError,
    NotEnoughDataError,
)
from stocklstm.infer.forecaster import Forecaster
from stocklstm.infer.session import ServingGraph
from stocklstm.learn.safety import check_checkpoint
from stocklstm.store.bundles import Bundle, damaged, encode_bundle, open_bundle
from stocklstm.store.manifest import (
    CHECKPOINT_FILE,
    FILE_NAME,
    SERVING_FILE,
    ImportRecord,
    Manifest,
)
from stocklstm.store.paths import file_name
from stocklstm.store.pool_members import MEMBERS_FILE
from stocklstm.store.store import Store
from stocklstm.store.untrusted_manifest import check_members, check_words
from stocklstm.store.user_files import is_directory, write_file
from stocklstm.workflows.loading.model import LoadedModel
from stocklstm.workflows.loading.pooled_model import AnyModel, assembled_pool, require_method
from stocklstm.workflows.models.exports import ExportedModel, ModelExportResult
from stocklstm.workflows.models.imports import (
    ImportResult,
    find_whole,
    imported_version,
    judge_import,
)
from stocklstm.workflows.publishing import ALREADY_THERE, publish


def export_bundle(
    store: Store, reference: ModelReference, output: Path | None
) -> ModelExportResult:
    """Write a version with all its files as one file that `import` reads.

    Args:
        output: The file, or a directory for it; by default TICKER-v3.zip where the program runs.
    """
    registry = store.registry
    manifest = registry.find(reference)
    files = {name: registry.read_file(manifest, name) for name in manifest.files}
    content = encode_bundle(manifest.encode(), files)
    name = file_name(f"{manifest.ticker}-v{manifest.version}.zip")
    path = Path(name) if output is None else output
    if is_directory(path):
        path /= name
    write_file(path, content)
    made = ExportedModel(
        ticker=manifest.ticker,
        version=manifest.version,
        format="bundle",
        path=str(path),
        files=(FILE_NAME, *sorted(files)),
        bytes=len(content),
    )
    return Batch((made,))


@dataclass(frozen=True, eq=False)
class CheckedBundle:
    """An open bundle whose model was seen to work.

    Attributes:
        bundle: Still to be read: not every file of it has been.
        model: Put together from its files.
    """

    bundle: Bundle
    model: AnyModel


@contextmanager
def checked_bundle(path: Path, ticker: str | None) -> Iterator[CheckedBundle]:
    """Open a bundle and make a forecast with it, so that what cannot work is refused.

    Nothing of the file is believed: names, sizes and the graph are checked here, and every file
    against its hash as it is read.

    Args:
        path: A file from anybody.
        ticker: Whose it must be; None for whose it says.

    Raises:
        NotFoundError: There is no such file.
        IntegrityError: It is no sound bundle.
        ConfigError: It is of another ticker.
    """
    with open_bundle(path) as bundle:
        owner = bundle.manifest.ticker
        if ticker is not None and parse_reference(ticker).ticker != owner:
            raise ConfigError(
                f"{bundle.name} is of {owner}, not of {parse_reference(ticker).ticker}",
                hint=f"stocklstm models import {path}",
            )
        try:
            model = _loaded(bundle)
            require_method(model)
        except ArtifactCorruptError as error:
            if error.message.startswith(bundle.name):
                raise
            raise damaged(bundle.name, error.message) from error
        for forecaster, baselines, close in _parts(model):
            _require_forecast(bundle.name, forecaster, baselines, close)
        yield CheckedBundle(bundle, model)


def import_bundle(store: Store, checked: CheckedBundle, promote: str) -> ImportResult:
    """Make the version in a bundle the next version of its ticker; see `Client.import_model`."""
    store.require_writable()
    bundle, theirs = checked.bundle, checked.bundle.manifest
    origin = f"{theirs.id} of another store"
    manifest, promotion = publish(
        store,
        theirs.ticker,
        ((name, _checked(bundle, name)) for name in theirs.files),
        lambda files, _: replace(_as_ours(store, bundle), files=dict(files)),
        lambda: judge_import(store, promote, checked.model, origin),
        lambda: find_whole(store, theirs.ticker, lambda ours: _same(ours, theirs)),
    )
    if promotion is ALREADY_THERE:
        return Batch((imported_version(store, manifest, promotion, origin),))
    warnings = _warnings(manifest)
    return Batch((imported_version(store, manifest, promotion, theirs.id, warnings),))


def _loaded(bundle: Bundle) -> AnyModel:
    """Put the model together.

    Raises:
        ArtifactCorruptError: Its files do not fit each other.
    """
    manifest = bundle.manifest
    if manifest.pool is None:
        graph = ServingGraph(bundle.read(SERVING_FILE))
        return LoadedModel(manifest, Forecaster(graph, manifest.config, manifest.scaling))
    if MEMBERS_FILE not in manifest.files:
        raise ArtifactCorruptError(f"it holds no {MEMBERS_FILE}")
    model = assembled_pool(manifest, bundle.read)
    try:
        check_words(msgspec.json.decode(bundle.read(MEMBERS_FILE)))
        check_members(model.members)
    except ConfigError as error:
        raise ArtifactCorruptError(f"{MEMBERS_FILE} cannot be read: {error}") from error
    return model


def _parts(model: AnyModel) -> Iterator[tuple[Forecaster, Baselines, float]]:
    """Give forecaster, baselines and last close of each ticker."""
    manifest = model.manifest
    if isinstance(model, LoadedModel):
        yield model.forecaster, manifest.baselines, manifest.data.last_close
        return
    for member in model.members.values():
        scaling = model.record.scaling.of(member.anchor)
        forecaster = Forecaster(model.graph, manifest.config, scaling)
        yield forecaster, member.baselines, member.data.last_close


def _require_forecast(
    name: str, forecaster: Forecaster, baselines: Baselines, close: float
) -> None:
    try:
        bars = _made_up_bars(forecaster.first_origin() + 1, close)
        with np.errstate(all="ignore"):
            forecast = forecaster.forecast(bars, np.array([len(bars) - 1]))
            baseline = baselines.ewma.returns(bars, np.array([len(bars) - 1]))
    except NotEnoughDataError as error:
        raise damaged(name, "it makes no forecast from made-up prices") from error
    except (ValueError, ArithmeticError, IndexError, TypeError) as error:
        raise damaged(name, f"it makes no forecast: {error}") from error
    if not (np.isfinite(forecast.quantiles).all() and np.isfinite(forecast.points).all()):
        raise damaged(name, "its forecast from made-up prices is not finite")
    if baseline.shape != forecast.quantiles.shape or not np.isfinite(baseline).all():
        raise damaged(name, "its baselines make no forecast")


def _made_up_bars(rows: int, close: float) -> Bars:
    """Simulate prices; at least as many as every volatility needs."""
    count = max(rows, 60)
    random = np.random.default_rng(0)
    closes = close * np.exp(0.01 * random.standard_normal(count).cumsum())
    opens = closes * np.exp(0.003 * random.standard_normal(count))
    highs, lows = np.maximum(opens, closes) * 1.005, np.minimum(opens, closes) * 0.995
    volumes = 1e6 * np.exp(random.standard_normal(count))
    dates = np.datetime64("2000-01-03", "D") + np.arange(count).astype("timedelta64[D]")
    minutes = random.choice([0, 5, 60], count)
    variances = np.where(minutes > 0, 1e-4 * np.exp(random.standard_normal(count)), np.nan)
    realised = DayVariances(minutes, variances)
    return Bars(dates, opens, highs, lows, closes, closes, volumes, realised=realised)


def _checked(bundle: Bundle, name: str) -> bytes:
    """Read a file, and refuse one of PyTorch's that is not made of tensors alone.

    Raises:
        ArtifactCorruptError: It is not, or not the file that the manifest lists.
    """
    content = bundle.read(name)
    if name.endswith(".pth"):
        try:
            check_checkpoint(content)
        except ValueError as error:
            raise damaged(bundle.name, f"{name} is not a safe checkpoint: {error}") from error
    return content


def _same(ours: Manifest, theirs: Manifest) -> bool:
    one, other = ((m.files, m.method, _training(m)) for m in (ours, theirs))
    return one == other


def _training(manifest: Manifest) -> tuple[object, ...]:
    return (
        *(manifest.config, manifest.anchor, manifest.prices, manifest.splits),
        *(manifest.data, manifest.training),
    )


def _as_ours(store: Store, bundle: Bundle) -> Manifest:
    """Describe the version as one of this store."""
    theirs = bundle.manifest
    record = ImportRecord("bundle", theirs.id, theirs.parent, bundle.sha256, utc_now())
    return replace(theirs, parent=_parent_here(store, theirs), imported_from=record)


def _parent_here(store: Store, child: Manifest) -> str | None:
    """Find the version that a smaller one was made from.

    They share all settings, scaling numbers and the seconds that training took; the number it had
    elsewhere means nothing here.
    """
    if child.parent is None:
        return None
    for version in store.registry.versions(child.ticker):
        try:
            manifest = store.registry.manifest(child.ticker, version)
        except IntegrityError:
            continue
        if WEIGHTS[manifest.method].float32 and _training(manifest) == _training(child):
            return manifest.id
    return None


def _warnings(manifest: Manifest) -> tuple[str, ...]:
    warnings = []
    source = manifest.imported_from
    missing = None if source is None or manifest.parent is not None else source.parent
    if missing is not None and CHECKPOINT_FILE not in manifest.files:
        warnings.append(
            f"the version it was made from, {missing} of the other store, is not in this "
            "one: validate --deep has nothing to compare it with"
        )
    return tuple(warnings)
