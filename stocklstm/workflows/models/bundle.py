"""models export and import: a version of a model as one file."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from stocklstm.core.clock import utc_now
from stocklstm.core.prices.series import Bars
from stocklstm.core.reference import parse_reference
from stocklstm.core.scores.baselines import Baselines
from stocklstm.core.settings.compression import WEIGHTS
from stocklstm.core.settings.config import LOCK_TIMEOUT_S
from stocklstm.errors import (
    ArtifactCorruptError,
    ConfigError,
    IntegrityError,
    NotEnoughDataError,
    NotFoundError,
)
from stocklstm.infer.forecaster import Forecaster
from stocklstm.infer.session import ServingGraph
from stocklstm.learn.safety import check_checkpoint
from stocklstm.store.bundles import Bundle, damaged, encode_bundle, open_bundle
from stocklstm.store.locks import writer_lock
from stocklstm.store.manifest import (
    CHECKPOINT_FILE,
    FILE_NAME,
    SERVING_FILE,
    ImportRecord,
    Manifest,
)
from stocklstm.store.output import is_directory, write_file
from stocklstm.store.pool_members import MEMBERS_FILE
from stocklstm.store.registry import Draft
from stocklstm.store.store import Store, open_store
from stocklstm.store.untrusted_manifest import check_words
from stocklstm.workflows.loading.pooled_model import assembled, assembled_pool
from stocklstm.workflows.models.exports import ExportedModel, ModelExportResult
from stocklstm.workflows.models.imports import (
    ALREADY_THERE,
    ImportedVersion,
    ImportResult,
    decide,
    described,
)
from stocklstm.workflows.publishing import Promotion, check_rule


def export_bundle(
    reference: str, output: Path | None = None, *, home: Path | None = None
) -> ModelExportResult:
    """Write a version with all its files as one file that `import` reads.

    Args:
        reference: TICKER, TICKER@v3 or TICKER@alias.
        output: The file, or a directory for it; by default TICKER-v3.zip where the program runs.
        home: The store; by default where the command line has it.

    Raises:
        NotFoundError: There is no such version.
        IntegrityError: Its files are not those that were published.
        ConfigError: The place may not be written, or the version is too large for a bundle.
    """
    wanted = parse_reference(reference)
    with open_store(home) as store:
        registry = store.registry
        manifest = registry.find(wanted)
        files = {name: registry.read_file(manifest, name) for name in manifest.files}
    content = encode_bundle(manifest.encode(), files)
    name = f"{manifest.ticker}-v{manifest.version}.zip"
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
    return ModelExportResult((made,))


def import_bundle(
    path: Path,
    *,
    ticker: str | None = None,
    promote: str = "auto",
    home: Path | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> ImportResult:
    """Make the version in a bundle the next version of its ticker in this store.

    Nothing of the file is believed: names, sizes, hashes and the graph are checked, and a forecast
    is made with it, before anything is published.

    Args:
        path: The bundle.
        ticker: Whose it must be; None for whose it says.
        promote: "auto" makes it champion unless it is significantly worse than the champion on
            the same test days; "always"; "never".
        home: The store, which is made if there is none.
        lock_timeout_s: Seconds to wait for another writer.

    Raises:
        NotFoundError: There is no such file.
        IntegrityError: It is no sound bundle.
        ConfigError: No such promotion rule, or the bundle is of another ticker.
    """
    check_rule(promote)
    with open_bundle(path) as bundle:
        manifest = bundle.manifest
        if ticker is not None and parse_reference(ticker).ticker != manifest.ticker:
            raise ConfigError(
                f"{bundle.name} is of {manifest.ticker}, not of {parse_reference(ticker).ticker}",
                hint=f"stocklstm models import {path}",
            )
        # What cannot work is refused before a store is made for it.
        _require_working(bundle)
        with open_store(home, create=True, lock_timeout_s=lock_timeout_s) as store:
            store.require_writable()
            with (
                store.registry.draft(manifest.ticker) as draft,
                writer_lock(store.paths, manifest.ticker, lock_timeout_s),
            ):
                return ImportResult((_import(store, bundle, draft, promote),))


def _require_working(bundle: Bundle) -> None:
    """Load the graph and make a forecast from made-up prices, with each ticker's numbers.

    Raises:
        ArtifactCorruptError: It cannot be done, or a forecast is no number.
    """
    try:
        models = _models(bundle)
    except ArtifactCorruptError as error:
        if error.message.startswith(bundle.name):
            raise
        raise damaged(bundle.name, error.message) from error
    for forecaster, baselines, close in models:
        _require_forecast(bundle.name, forecaster, baselines, close)


def _models(bundle: Bundle) -> list[tuple[Forecaster, Baselines, float]]:
    """Give what forecasts each ticker, what it is compared with, and a close to begin at."""
    manifest = bundle.manifest
    if manifest.pool is None:
        graph = ServingGraph(bundle.read(SERVING_FILE))
        forecaster = Forecaster(graph, manifest.config, manifest.scaling)
        return [(forecaster, manifest.baselines, manifest.data.last_close)]
    if MEMBERS_FILE not in manifest.files:
        raise ArtifactCorruptError(f"it holds no {MEMBERS_FILE}")
    model = assembled_pool(manifest, bundle.read)
    try:
        check_words(msgspec.json.decode(bundle.read(MEMBERS_FILE)))
    except ConfigError as error:
        raise ArtifactCorruptError(f"{MEMBERS_FILE} cannot be read: {error}") from error
    shared = manifest.pool.scaling
    return [
        (
            Forecaster(model.graph, manifest.config, shared.of(member.anchor)),
            member.baselines,
            member.data.last_close,
        )
        for member in model.members.values()
    ]


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
        raise damaged(name, "its forecast of made-up prices is no number")
    if baseline.shape != forecast.quantiles.shape or not np.isfinite(baseline).all():
        raise damaged(name, "its figures of what costs nothing make no forecast")


def _made_up_bars(rows: int, close: float) -> Bars:
    """Let a price wander as shares do; at least long enough for every volatility to be known."""
    count = max(rows, 60)
    random = np.random.default_rng(0)
    closes = close * np.exp(0.01 * random.standard_normal(count).cumsum())
    opens = closes * np.exp(0.003 * random.standard_normal(count))
    highs, lows = np.maximum(opens, closes) * 1.005, np.minimum(opens, closes) * 0.995
    volumes = 1e6 * np.exp(random.standard_normal(count))
    dates = np.datetime64("2000-01-03", "D") + np.arange(count)
    return Bars(dates, opens, highs, lows, closes, closes, volumes)


def _checked(bundle: Bundle, name: str) -> bytes:
    """Read a file; of PyTorch's also that it holds tensors, and all that it declares.

    Raises:
        ArtifactCorruptError: It does not.
    """
    content = bundle.read(name)
    if name.endswith(".pth"):
        try:
            check_checkpoint(content)
        except ValueError as error:
            raise damaged(bundle.name, f"{name} is not a safe checkpoint: {error}") from error
    return content


def _import(store: Store, bundle: Bundle, draft: Draft, promote: str) -> ImportedVersion:
    same = _same_version(store, bundle.manifest)
    if same is not None:
        # Files that were never read are not vouched for.
        for name in bundle.manifest.files:
            bundle.read(name)
        return described(
            store, same, ALREADY_THERE, unchanged=True, origin=_origin(bundle.manifest)
        )
    for name in bundle.manifest.files:
        draft.write(name, _checked(bundle, name))
    manifest = _arrived(store, bundle)
    origin = _origin(bundle.manifest)
    promotion = _decide(store, promote, manifest, draft, origin)
    published = store.registry.publish(
        draft,
        manifest.ticker,
        lambda version: replace(manifest, version=version, files=dict(draft.files)),
        at=utc_now(),
        promotion=promotion.reason if promotion.promoted else None,
    )
    return described(store, published, promotion, warnings=_warnings(published))


def _decide(store: Store, promote: str, manifest: Manifest, draft: Draft, origin: str) -> Promotion:
    model = assembled(manifest, lambda name: (draft.path / name).read_bytes())
    return decide(store, promote, model, origin)


def _origin(manifest: Manifest) -> str:
    return f"{manifest.id} of another store"


def _same_version(store: Store, wanted: Manifest) -> Manifest | None:
    """Find a version that forecasts the very same, from the very same files, all of them whole."""
    registry = store.registry
    for version in registry.versions(wanted.ticker):
        try:
            manifest = registry.manifest(wanted.ticker, version)
            if _substance(manifest) != _substance(wanted):
                continue
            for name in manifest.files:
                registry.read_file(manifest, name)
        except (IntegrityError, NotFoundError):
            # A damaged version is no reason to refuse a whole one.
            continue
        return manifest
    return None


def _substance(manifest: Manifest) -> tuple[object, ...]:
    return (dict(manifest.files), *_training(manifest), manifest.method)


def _training(manifest: Manifest) -> tuple[object, ...]:
    return (
        *(manifest.config, manifest.anchor, manifest.prices, manifest.splits),
        *(manifest.data, manifest.training),
    )


def _arrived(store: Store, bundle: Bundle) -> Manifest:
    """Describe the version as one of this store."""
    theirs = bundle.manifest
    record = ImportRecord("bundle", theirs.id, theirs.parent, bundle.sha256, utc_now())
    return replace(theirs, parent=_parent_here(store, theirs), imported_from=record)


def _parent_here(store: Store, child: Manifest) -> str | None:
    """Find the version that a smaller one was made from: the number it had elsewhere means nothing.

    They share all settings, scaling numbers and the seconds that training took.
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
            "one: validate --deep has nothing to hold it against"
        )
    return tuple(warnings)
