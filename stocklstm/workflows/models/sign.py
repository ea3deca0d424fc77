"""models sign: signatures for versions that were published without one, or under another key."""

from collections.abc import Sequence
from dataclasses import dataclass

from stocklstm.core.batch import Batch, Failure, Result, for_each
from stocklstm.core.operating_system import system
from stocklstm.core.reference import ModelReference, parse_exact, parse_reference, version_id
from stocklstm.errors import ArtifactCorruptError, ConfigError
from stocklstm.store.manifest import decode_manifest
from stocklstm.store.signing import VARIABLE, SigningKey
from stocklstm.store.store import Store
from stocklstm.workflows.loading.model import chosen_references, expand_reference


@dataclass(frozen=True, repr=False)
class SignedVersion(Result):
    """A version with a signature.

    Attributes:
        ticker: Whose model.
        version: Its number.
        replaced: True if it had a signature of another key.
        unchanged: True if it had this very signature.
    """

    ticker: str
    version: int
    replaced: bool
    unchanged: bool


SignResult = Batch[SignedVersion]


def sign_versions(
    store: Store, references: Sequence[str], *, every_version: bool, replace: bool
) -> SignResult:
    """Sign versions whose every byte is what was published; see `Client.sign_versions`."""
    key = store.registry.key
    if key is None:
        raise ConfigError(f"{VARIABLE} is not set", hint=system().set_secret(VARIABLE))
    store.require_writable()
    names, unknown = _names(store, references, every_version=every_version)

    def sign(reference: ModelReference) -> SignedVersion:
        with store.writing(reference.ticker):
            return _sign_one(store, reference, key, replace=replace)

    signed, failures = for_each(names, parse_exact, sign)
    return Batch(signed, unknown + failures)


def check_sign(references: Sequence[str], *, every_version: bool) -> None:
    """Refuse to sign nothing.

    Raises:
        ConfigError: No version is named, and not all are meant.
    """
    if not references and not every_version:
        raise ConfigError(
            "no version is named",
            hint="stocklstm models sign PETR4.SA@v3, or --all for every version",
        )


def _names(
    store: Store, references: Sequence[str], *, every_version: bool
) -> tuple[list[str], tuple[Failure, ...]]:
    if not every_version:
        return list(references), ()
    groups, unknown = for_each(
        chosen_references(store, references, pools=True),
        parse_reference,
        lambda reference: expand_reference(store, reference, every_version=True),
    )
    return [name for group in groups for name in group], unknown


def _sign_one(
    store: Store, reference: ModelReference, key: SigningKey, *, replace: bool
) -> SignedVersion:
    registry, ticker = store.registry, reference.ticker
    version = registry.resolve(reference)
    stored = registry.stored_manifest(ticker, version)
    fits = stored.signed_with(key)
    if fits is False and not replace:
        name = version_id(ticker, version)
        raise ArtifactCorruptError(
            f"{name} has a signature that does not fit its manifest and {VARIABLE}",
            hint=f"if only the key is new: stocklstm models sign {name} --replace",
        )
    # A signature vouches for all of it, so all of it is looked at.
    manifest = decode_manifest(stored.content, ticker, version)
    for name in manifest.files:
        registry.read_file(manifest, name)
    if not fits:
        registry.sign(ticker, version, key.sign(stored.content))
    return SignedVersion(ticker, version, replaced=fits is False, unchanged=fits is True)
