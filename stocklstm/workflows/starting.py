"""The version whose weights another one begins with."""

from stocklstm.core.reference import parse_reference
from stocklstm.errors import NoModelError
from stocklstm.learn.checkpoints import decode_checkpoint
from stocklstm.learn.loop import State
from stocklstm.store.manifest import CHECKPOINT_FILE
from stocklstm.store.store import Store


def weights_identity(store: Store, reference: str) -> str:
    """Name the version whose checkpoint a reference means: of a smaller version, its parent.

    Args:
        store: Holds it.
        reference: TICKER@version, as typed.

    Raises:
        NoModelError: There is none, or it has no checkpoint.
    """
    chosen = parse_reference(reference)
    version = store.registry.resolve(chosen)
    manifest = store.registry.manifest(chosen.ticker, version)
    if manifest.parent is None and CHECKPOINT_FILE not in manifest.files:
        raise NoModelError(
            f"{manifest.id} came without the version it was made from, and has no checkpoint",
            hint="import that version, too, or begin without --from",
        )
    return manifest.parent or manifest.id


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
