"""The version whose weights another one begins with."""

from collections.abc import Sequence

from stocklstm.core.inputs.parts import SplitSeries
from stocklstm.core.reference import StoredTicker, is_pool, parse_reference
from stocklstm.errors import ConfigError, NoModelError
from stocklstm.store.manifest import CHECKPOINT_FILE, split_record
from stocklstm.store.store import Store


def weights_identity(store: Store, reference: str) -> str:
    """Name the version whose checkpoint a reference means: itself, or what it was made from.

    Args:
        store: Holds it.
        reference: TICKER@version, as typed.

    Raises:
        NoModelError: There is none, or it has no checkpoint.
    """
    manifest = store.registry.find(parse_reference(StoredTicker(reference)))
    if CHECKPOINT_FILE in manifest.files:
        return manifest.id
    if manifest.parent is None:
        raise NoModelError(
            f"{manifest.id} came without the version it was made from, and has no checkpoint",
            hint="import that version, too, or begin without --from",
        )
    return manifest.parent


def check_weights(store: Store, weights: str | None) -> None:
    """Refuse weights that are not there.

    Args:
        store: Where the versions are.
        weights: Reference to the version that has them, as typed; None for random ones.

    Raises:
        NoModelError: There is no such version, or it has no checkpoint.
    """
    if weights is not None:
        weights_identity(store, weights)


def days_learned(store: Store, identity: str) -> dict[str, str]:
    """Say which days are known to a version and to those that its first weights come from.

    Args:
        store: Holds the version.
        identity: From `weights_identity`.

    Returns:
        By ticker or name of a pool the first day that none of them may have learned.
    """
    manifest = store.registry.find(parse_reference(identity))
    before = manifest.learned_before
    own = max(manifest.splits.test_start, before.get(manifest.ticker, ""))
    return {**before, manifest.ticker: own}


def require_unseen_test_part(
    store: Store, identity: str, owner: str, series: Sequence[SplitSeries], horizon: int
) -> None:
    """Refuse weights that saw days on which the new version is to be judged.

    Args:
        store: Holds the version whose weights they are.
        identity: From `weights_identity`.
        owner: Of the new version; what the prices of another ticker taught is none of its outcomes.
        series: Its tickers with their parts.
        horizon: Sessions ahead.

    Raises:
        ConfigError: Its training or validation, or that of what it began with, reaches into the
            new test part.
    """
    own = parse_reference(identity).ticker
    judged = split_record(series, horizon).test_start
    for name, seen in days_learned(store, identity).items():
        # Of a pooled model any ticker counts: what others did on a day tells of this one, too.
        same = owner in {name, store.prices.current_name(name)}
        if (same or is_pool(name) or is_pool(owner)) and judged < seen:
            raise ConfigError(
                f"{identity} may have learned any day before {seen}, and the test part of the new "
                f"version would begin on {judged}: it would be judged on days that it has seen",
                # With the parts of a version of another ticker the test part begins elsewhere.
                hint=f"leave out --from, or give the settings of its parts with --like {identity}"
                if name == own
                else "leave out --from",
            )


def read_checkpoint(store: Store, identity: str) -> bytes:
    """Read the checkpoint of a version; see `learn.checkpoints.decode_checkpoint`.

    Args:
        store: Holds it.
        identity: From `weights_identity`.

    Raises:
        NoModelError: It is not there any more.
        ArtifactCorruptError: It is damaged.
    """
    manifest = store.registry.find(parse_reference(identity))
    return store.registry.read_file(manifest, CHECKPOINT_FILE)
