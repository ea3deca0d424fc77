"""validate: is every stored version what it was when it was published, and does it work?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from stocklstm.core.batch import Failure, for_each
from stocklstm.core.checks import Check
from stocklstm.core.reference import ModelReference, parse_reference
from stocklstm.core.settings.compression import WEIGHTS
from stocklstm.core.settings.config import LOCK_TIMEOUT_S
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
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.environment import differences
from stocklstm.workflows.loading.model import (
    chosen_references,
    expand_reference,
)
from stocklstm.workflows.loading.pooled_model import AnyModel, load_any_version
from stocklstm.workflows.prices.verify import CheckedPrices, verify_prices
from stocklstm.workflows.validate.inventory import CheckedStore, check_store
from stocklstm.workflows.validate.leakage import audit_leakage

_DUMMY_WINDOWS = 16

T = TypeVar("T")


@dataclass(frozen=True)
class ValidatedVersion:
    """All checks of one version.

    Attributes:
        ticker: Whose model.
        version: Its number.
        status: "ok" or "failed".
        corrupt: True if a failed check means that bytes are not those that were published.
        checks: In the order they were made.
    """

    ticker: str
    version: int
    status: str
    corrupt: bool
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class ValidateResult:
    """Outcome for all versions, prices, and the store as a whole."""

    results: tuple[ValidatedVersion | CheckedPrices | CheckedStore, ...]
    failures: tuple[Failure, ...]


def validate(
    references: Sequence[str] = (),
    *,
    every_version: bool = False,
    deep: bool = False,
    leakage: bool = False,
    prices: bool = False,
    home: Path | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> ValidateResult:
    """Check stored versions byte for byte and make a dummy forecast with each.

    Where no ticker is named, or every version is wanted, the store is looked at as a whole, too.

    Args:
        references: TICKER or TICKER@version; none means the champion of every ticker.
        every_version: Check all versions of these tickers, not only the one that is meant.
        deep: Also load the checkpoint, rebuild the network and compare it with the serving
            graph; this needs PyTorch.
        leakage: Also replace the prices after the split by noise, and look for anything earlier
            that changes with it.
        prices: Check the stored prices of these tickers, or of all; models as well only with
            one of the three options above, which are about models alone.
        home: The store; by default where the command line has it.
        lock_timeout_s: Seconds to wait for another writer.

    Raises:
        NotFoundError: There is no store, or nothing in it of what is to be checked.
        SchemaError: The database is damaged.
    """
    with open_store(home, lock_timeout_s=lock_timeout_s) as store:
        names = list(dict.fromkeys(name.partition("@")[0] for name in references))
        parts: list[Callable[[], ValidateResult]] = []
        if prices:
            parts.append(lambda: _prices(store, names))
        if not prices or every_version or deep or leakage:
            further = _Further(deep=deep, leakage=leakage)
            parts.append(lambda: _models(store, references, every_version, further))
        return parts[0]() if len(parts) == 1 else _together(parts)


def _prices(store: Store, tickers: Sequence[str]) -> ValidateResult:
    found = verify_prices(store, tickers)
    return ValidateResult(found.results, found.failures)


def _together(parts: Sequence[Callable[[], ValidateResult]]) -> ValidateResult:
    """Do all of it: that one part has nothing to check stops no other."""
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
    store: Store, references: Sequence[str], every_version: bool, further: "_Further"
) -> ValidateResult:
    expanded, unknown = for_each(
        chosen_references(store, references, pools=True),
        parse_reference,
        lambda reference: expand_reference(store, reference, every_version=every_version),
    )
    results, failures = for_each(
        [name for group in expanded for name in group],
        parse_reference,
        lambda reference: _validate_one(store, reference, further),
    )
    whole = () if references and not every_version else (check_store(store),)
    return ValidateResult((*results, *whole), unknown + failures)


def _validate_one(store: Store, reference: ModelReference, further: "_Further") -> ValidatedVersion:
    version = store.registry.resolve(reference)
    checks, corrupt = _run_checks(store, reference.ticker, version, further)
    failed = any(check.status == "failed" for check in checks)
    return ValidatedVersion(
        ticker=reference.ticker,
        version=version,
        status="failed" if failed else "ok",
        corrupt=corrupt,
        checks=checks,
    )


def _run_checks(
    store: Store, ticker: str, version: int, further: "_Further"
) -> tuple[tuple[Check, ...], bool]:
    """Go on as long as there is something left to check with; tell if bytes are wrong."""
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
            if further.deep:
                recorder.run("checkpoint", lambda: _checkpoint(store, model))
            if further.leakage:
                recorder.checks += audit_leakage(store, model)
    return tuple(recorder.checks), recorder.corrupt


@dataclass(frozen=True)
class _Further:
    """Checks that are made only if asked for.

    Attributes:
        deep: Of the checkpoint.
        leakage: For anything of the future.
    """

    deep: bool
    leakage: bool


class _Recorder:
    """Turns what a check returns or raises into a line."""

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
    written = stored_format(stored.content)
    read = "" if written == manifest.format else f", read as {manifest.format}"
    return (stored, manifest), f"format {written}{read}, preset {manifest.config.preset}"


def _check_signature(recorder: _Recorder, stored: StoredManifest, key: SigningKey | None) -> None:
    if stored.signature is None:
        # Who has no key has decided against signatures; who has one should know of each gap.
        status = "ok" if key is None else "warning"
        recorder.checks.append(Check("signature", status, "not signed"))
    elif key is None:
        detail = f"there is one; whether it fits cannot be told without {VARIABLE}"
        recorder.checks.append(Check("signature", "warning", detail))
    else:
        recorder.run("signature", lambda: _signature(stored, key))


def _signature(stored: StoredManifest, key: SigningKey) -> tuple[None, str]:
    if not stored.signed_with(key):
        raise ArtifactCorruptError(f"it is not that of this manifest and of {VARIABLE}")
    return None, f"of this manifest and of {VARIABLE}"


def _environment(manifest: Manifest) -> Check:
    found = differences(manifest.environment)
    return Check("environment", "warning" if found else "ok", "; ".join(found) or "as it was made")


def _file(store: Store, manifest: Manifest, name: str) -> tuple[None, str]:
    content = store.registry.read_file(manifest, name)
    return None, f"{len(content):,} bytes, sha256 as published"


def _unlisted(store: Store, manifest: Manifest) -> tuple[None, str]:
    names = store.registry.unlisted_files(manifest)
    if names:
        raise ArtifactCorruptError(f"not in the manifest: {', '.join(map(ascii, names))}")
    return None, "none"


def _graph(store: Store, manifest: Manifest) -> tuple[AnyModel, str]:
    model = load_any_version(store, manifest)
    length, features = model.graph.window_shape
    return model, f"windows of {length} sessions × {features}, {manifest.config.outputs} outputs"


def _dummy(model: AnyModel) -> tuple[None, str]:
    outputs = model.graph.run(_dummy_windows(model.graph))
    if outputs.shape != (_DUMMY_WINDOWS, model.manifest.config.outputs):
        raise ArtifactCorruptError(f"the forecast has shape {outputs.shape}")
    if not np.isfinite(outputs).all():
        raise ArtifactCorruptError("the forecast is not finite")
    return None, f"shape {outputs.shape[0]} × {outputs.shape[1]}, all finite"


def _dummy_windows(graph: ServingGraph) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.standard_normal((_DUMMY_WINDOWS, *graph.window_shape)).astype(np.float32)


def _checkpoint(store: Store, model: AnyModel) -> tuple[None, str]:
    from stocklstm.learn.checkpoints import decode_checkpoint, rebuild_network
    from stocklstm.learn.model import network_outputs

    manifest = model.manifest
    own = CHECKPOINT_FILE in manifest.files
    if manifest.parent is None and manifest.method != "float32" and not own:
        return None, "not held against the version it was made from, which was not imported"
    owner = manifest if manifest.parent is None or own else _parent(store, manifest)
    network = rebuild_network(decode_checkpoint(store.registry.read_file(owner, CHECKPOINT_FILE)))
    windows = _dummy_windows(model.graph)
    expected = network_outputs(network, windows)
    found = model.graph.run(windows)
    difference = float(np.abs(found - expected).max() / np.abs(expected).max())
    tolerance = WEIGHTS[manifest.method].parity
    if difference > tolerance:
        raise ArtifactCorruptError(
            f"the serving graph differs from the checkpoint by {difference:.2g} (relative), "
            f"more than {tolerance:g}"
        )
    return None, f"network rebuilt; agrees with the serving graph to {difference:.1g} (relative)"


def _parent(store: Store, manifest: Manifest) -> Manifest:
    return store.registry.find(parse_reference(manifest.parent or manifest.id))
