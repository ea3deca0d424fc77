"""validate: stored versions are checked byte for byte, and made to forecast."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from stocklstm.core.batch import Batch, Failure, Result, for_each
from stocklstm.core.checks import Check
from stocklstm.core.language import english
from stocklstm.core.reference import ModelReference, is_pool, parse_reference
from stocklstm.core.settings.compression import WEIGHTS
from stocklstm.errors import ArtifactCorruptError, IntegrityError, NotFoundError, StockLstmError
from stocklstm.infer.session import ServingGraph
from stocklstm.store.manifest import (
    CHECKPOINT_FILE,
    Manifest,
    decode_manifest,
    stored_format,
)
from stocklstm.store.registry import StoredManifest
from stocklstm.store.signing import VARIABLE, SigningKey
from stocklstm.store.store import Store
from stocklstm.workflows.environment import differences
from stocklstm.workflows.loading.model import (
    chosen_references,
    expand_reference,
)
from stocklstm.workflows.loading.pooled_model import AnyModel, load_any_version, require_method
from stocklstm.workflows.prices.verify import CheckedPrices, verify_prices
from stocklstm.workflows.validate.inventory import CheckedStore, check_store
from stocklstm.workflows.validate.leakage import audit_leakage

_DUMMY_WINDOWS = 16

T = TypeVar("T")


@dataclass(frozen=True, repr=False)
class ValidatedVersion(Result):
    """All checks of one version.

    Attributes:
        ticker: Whose model.
        version: Its number.
        status: "ok" or "failed".
        corrupt: True if a failed check means that bytes are not those that were published.
        checks: In the order they were made.
    """

    ROWS = "checks"
    SHOWN = ("ticker", "version", "status", "name", "detail")
    SAID = ()

    ticker: str
    version: int
    status: str
    corrupt: bool
    checks: tuple[Check, ...]


ValidateResult = Batch[ValidatedVersion | CheckedPrices | CheckedStore]


def validate(
    store: Store,
    references: Sequence[str],
    *,
    every_version: bool,
    deep: bool,
    leakage: bool,
    prices: bool,
) -> ValidateResult:
    """Check stored versions byte for byte, or prices; see `Client.validate`."""
    names = list(dict.fromkeys(name.partition("@")[0] for name in references))
    parts: list[Callable[[], ValidateResult]] = []
    if prices:
        parts.append(lambda: _prices(store, names))
    if not prices or every_version or deep or leakage:
        extra = _ExtraChecks(deep=deep, leakage=leakage)
        parts.append(lambda: _models(store, references, every_version, extra))
    return parts[0]() if len(parts) == 1 else _together(parts)


def _prices(store: Store, tickers: Sequence[str]) -> ValidateResult:
    found = verify_prices(store, tickers)
    return ValidateResult(found.results, found.failures)


def _together(parts: Sequence[Callable[[], ValidateResult]]) -> ValidateResult:
    """Run all parts, even where one has nothing to check."""
    done = []
    for part in parts:
        try:
            done.append(part())
        except NotFoundError as error:
            done.append(ValidateResult((), (Failure(None, error),)))
    return ValidateResult(
        tuple(result for part in done for result in part.results),
        tuple(failure for part in done for failure in part.failures),
    )


def _models(
    store: Store, references: Sequence[str], every_version: bool, extra: "_ExtraChecks"
) -> ValidateResult:
    expanded, unknown = for_each(
        chosen_references(store, references, pools=True),
        parse_reference,
        lambda reference: expand_reference(store, reference, every_version=every_version),
    )
    results, failures = for_each(
        [name for group in expanded for name in group],
        parse_reference,
        lambda reference: _validate_one(store, reference, extra),
    )
    whole = () if references and not every_version else (check_store(store),)
    return ValidateResult((*results, *whole), unknown + failures)


def _validate_one(
    store: Store, reference: ModelReference, extra: "_ExtraChecks"
) -> ValidatedVersion:
    version = store.registry.resolve(reference)
    checks, corrupt = _run_checks(store, reference.ticker, version, extra)
    failed = any(check.status == "failed" for check in checks)
    return ValidatedVersion(
        ticker=reference.ticker,
        version=version,
        status="failed" if failed else "ok",
        corrupt=corrupt,
        checks=checks,
    )


def _run_checks(
    store: Store, ticker: str, version: int, extra: "_ExtraChecks"
) -> tuple[tuple[Check, ...], bool]:
    """Run the checks that can be run; tell whether bytes are wrong."""
    recorder = _Recorder()
    found = recorder.run("manifest", lambda: _manifest(store, ticker, version))
    if found is not None:
        stored, manifest = found
        _check_signature(recorder, stored, store.registry.key)
        for name in manifest.files:
            recorder.run(name, partial(_file, store, manifest, name))
        recorder.run("unlisted files", lambda: _unlisted(store, manifest))
        recorder.checks.append(_environment(manifest))
        model = recorder.run("serving graph", lambda: _graph(store, manifest))
        if model is not None:
            recorder.run("dummy forecast", lambda: _dummy(model))
            if extra.deep:
                recorder.run("checkpoint", lambda: _checkpoint(store, model))
            if extra.leakage:
                recorder.checks += audit_leakage(store, model)
    return tuple(recorder.checks), recorder.corrupt


@dataclass(frozen=True)
class _ExtraChecks:
    """Checks that are made only if asked for.

    Attributes:
        deep: Compare the checkpoint with the serving graph.
        leakage: Look for anything that depends on the future.
    """

    deep: bool
    leakage: bool


class _Recorder:
    """Turns what a check returns or raises into a `Check`."""

    def __init__(self) -> None:
        self.checks: list[Check] = []
        self.corrupt = False

    def run(self, name: str, check: Callable[[], tuple[T, str]]) -> T | None:
        try:
            found, detail = check()
        except StockLstmError as error:
            self.corrupt |= isinstance(error, IntegrityError)
            self.checks.append(Check(name, "failed", error.message))
            return None
        self.checks.append(Check(name, "ok", detail))
        return found


def _manifest(
    store: Store, ticker: str, version: int
) -> tuple[tuple[StoredManifest, Manifest], str]:
    stored = store.registry.stored_manifest(ticker, version)
    manifest = decode_manifest(stored.content, ticker, version)
    facts = {"format": stored_format(stored.content), "preset": manifest.config.preset}
    if facts["format"] == manifest.format:
        return (stored, manifest), english("format {format}, preset {preset}", **facts)
    return (stored, manifest), english(
        "format {format}, read as {read}, preset {preset}", read=manifest.format, **facts
    )


def _check_signature(recorder: _Recorder, stored: StoredManifest, key: SigningKey | None) -> None:
    if stored.signature is None:
        # Who has no key has decided against signatures; who has one should know of each gap.
        status = "ok" if key is None else "warning"
        recorder.checks.append(Check("signature", status, english("not signed")))
    elif key is None:
        detail = english(
            "there is one, which cannot be checked without {variable}", variable=VARIABLE
        )
        recorder.checks.append(Check("signature", "warning", detail))
    else:
        recorder.run("signature", lambda: _signature(stored, key))


def _signature(stored: StoredManifest, key: SigningKey) -> tuple[None, str]:
    if not stored.signed_with(key):
        raise ArtifactCorruptError(f"it does not fit this manifest and {VARIABLE}")
    return None, english("fits this manifest and {variable}", variable=VARIABLE)


def _environment(manifest: Manifest) -> Check:
    found = differences(manifest.environment)
    if found.forecasts:
        owner, _, version = manifest.id.partition("@")
        chosen = f"--model {owner[1:]}@{version}" if is_pool(owner) else manifest.id
        return Check(
            "environment",
            "warning",
            english(
                "made with {libraries}: forecasts may differ in their last digits; {command} "
                "scores them here",
                libraries=" and ".join(found.forecasts),
                command=f"stocklstm evaluate {chosen}",
            ),
        )
    if found.trainings:
        words = english(
            "made with {libraries}, which no forecast needs",
            libraries=" and ".join(found.trainings),
        )
        return Check("environment", "ok", words)
    return Check("environment", "ok", english("same as when it was made"))


def _file(store: Store, manifest: Manifest, name: str) -> tuple[None, str]:
    content = store.registry.read_file(manifest, name)
    return None, english("{size:,} bytes, sha256 as published", size=len(content))


def _unlisted(store: Store, manifest: Manifest) -> tuple[None, str]:
    names = store.registry.unlisted_files(manifest)
    if names:
        raise ArtifactCorruptError(f"not in the manifest: {', '.join(map(ascii, names))}")
    return None, english("none")


def _graph(store: Store, manifest: Manifest) -> tuple[AnyModel, str]:
    model = load_any_version(store, manifest)
    require_method(model)
    length, features = model.graph.window_shape
    return model, english(
        "windows of {length} sessions × {features}, {outputs} outputs",
        length=length,
        features=features,
        outputs=manifest.config.outputs,
    )


def _dummy(model: AnyModel) -> tuple[None, str]:
    outputs = model.graph.run(_dummy_windows(model.graph))
    if outputs.shape != (_DUMMY_WINDOWS, model.manifest.config.outputs):
        raise ArtifactCorruptError(f"the forecast has shape {outputs.shape}")
    if not np.isfinite(outputs).all():
        raise ArtifactCorruptError("the forecast is not finite")
    return None, english(
        "shape {shape}, all finite", shape=f"{outputs.shape[0]} × {outputs.shape[1]}"
    )


def _dummy_windows(graph: ServingGraph) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.standard_normal((_DUMMY_WINDOWS, *graph.window_shape)).astype(np.float32)


def _checkpoint(store: Store, model: AnyModel) -> tuple[None, str]:
    from stocklstm.learn.checkpoints import decode_checkpoint, rebuild_network
    from stocklstm.learn.network import network_outputs

    manifest = model.manifest
    own = CHECKPOINT_FILE in manifest.files
    if manifest.parent is None and manifest.method != "float32" and not own:
        return None, english("not compared: the version it was made from was not imported")
    owner = manifest if manifest.parent is None or own else _parent(store, manifest)
    network = rebuild_network(decode_checkpoint(store.registry.read_file(owner, CHECKPOINT_FILE)))
    windows = _dummy_windows(model.graph)
    expected = network_outputs(network, windows)
    found = model.graph.run(windows)
    # A network whose outputs are all zero is compared as it stands.
    difference = float(np.abs(found - expected).max() / (np.abs(expected).max() or 1.0))
    tolerance = WEIGHTS[manifest.method].parity
    if not difference <= tolerance:
        raise ArtifactCorruptError(
            f"the serving graph differs from the checkpoint by {difference:.2g} (relative), "
            f"more than {tolerance:g}"
        )
    return None, english(
        "network rebuilt; agrees with the serving graph to {difference} (relative)",
        difference=f"{difference:.1g}",
    )


def _parent(store: Store, manifest: Manifest) -> Manifest:
    return store.registry.find(parse_reference(manifest.parent or manifest.id))
