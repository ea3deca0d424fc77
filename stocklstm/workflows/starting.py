"""The version whose weights another one begins with."""

from stocklstm.core.reference import parse_reference
from stocklstm.errors import NoModelError
from stocklstm.learn.checkpoints import decode_checkpoint
from stocklstm.learn.loop import State
from stocklstm.store.manifest import CHECKPOINT_FILE
from stocklstm.store.store import Store


def weights_identity(store: Store, reference: str) -> str:
    """Name the version whose checkpoint a reference means: itself, or what it was made from.

    Args:
        store: Holds it.
        reference: TICKER@version, as typed.

    Raises:
        NoModelError: There is none, or it has no checkpoint.
    """
    chosen = parse_reference(reference)
    version = store.registry.resolve(chosen)
    manifest = store.registry.manifest(chosen.ticker, version)
    if CHECKPOINT_FILE in manifest.files:
        return manifest.id
    if manifest.parent is None:
        raise NoModelError(
            f"{manifest.id} came without the version it was made from, and has no checkpoint",
            hint="import that version, too, or begin without --from",
        )
    return manifest.parent


def read_weights(store: Store, identity: str) -> State:
    """Read the checkpoint of a version.

    Args:
        store: Holds it.
        identity: From `weights_identity`.

    Raises:
        NoModelError: It is not there any more.
        ArtifactCorruptError: It is damaged.
    """
    reference = parse_reference(identity)
    version = store.registry.resolve(reference)
    manifest = store.registry.manifest(reference.ticker, version)
    return decode_checkpoint(store.registry.read_file(manifest, CHECKPOINT_FILE))
