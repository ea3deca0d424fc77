"""models adopt: listing again what lies on the disk after a database was lost."""

from collections.abc import Sequence
from dataclasses import dataclass

from stocklstm.core.batch import Batch, Failure, Result, for_each
from stocklstm.core.clock import utc_now
from stocklstm.core.reference import (
    CHAMPION,
    StoredTicker,
    is_owner_key,
    parse_exact,
    parse_owner,
    version_id,
)
from stocklstm.core.settings.config import SIGNIFICANT, differing_settings
from stocklstm.core.stored_words import is_instant
from stocklstm.core.wording import first_few
from stocklstm.errors import ArtifactCorruptError, NoModelError, StockLstmError
from stocklstm.store.manifest import Manifest
from stocklstm.store.paths import owners_on_disk
from stocklstm.store.store import Store
from stocklstm.store.unlisted import Found, read_unlisted
from stocklstm.store.untrusted_manifest import decode_untrusted_manifest


@dataclass(frozen=True)
class LeftOut:
    """A whole version that was not listed again.

    Attributes:
        version: Its number.
        reason: Why, in words.
    """

    version: int
    reason: str


@dataclass(frozen=True, repr=False)
class Adoption(Result):
    """What was listed again of a ticker or pooled model.

    Attributes:
        ticker: Ticker, or name of the pooled model with its mark.
        dry_run: True if nothing was changed, only looked for.
        versions: Numbers of the versions, oldest first.
        left_out: Whole versions that stay unlisted.
        champion: Number of the champion that it has now; None without one.
        reason: Why that one is the champion, in words; empty if nothing was decided.
        by_hand: Command that makes another one the champion; None where there is no other.
    """

    SHOWN = ("ticker", "versions", "champion", "dry_run")
    SAID = ("reason",)

    ticker: str
    dry_run: bool
    versions: tuple[int, ...]
    left_out: tuple[LeftOut, ...]
    champion: int | None
    reason: str
    by_hand: str | None


AdoptResult = Batch[Adoption]


def adopt_versions(store: Store, references: Sequence[str], *, dry_run: bool) -> AdoptResult:
    """List versions again that lie whole on the disk; see `Client.adopt_versions`."""
    if not dry_run:
        store.require_writable()
    known = {*_owners_on_disk(store), *store.registry.tickers()}
    faults: list[Failure] = []

    def adopt(wanted: tuple[str, int | None]) -> Adoption:
        owner, version = wanted
        if owner not in known:
            raise NoModelError(
                f"the store has nothing of {owner}",
                hint="stocklstm models adopt takes all that lies in it",
            )
        if dry_run:
            return _adopted(store, owner, version, faults, dry_run=True)
        with store.writing(owner):
            return _adopted(store, owner, version, faults, dry_run=False)

    names = references or [StoredTicker(owner) for owner in sorted(known)]
    done, failures = for_each(names, _wanted, adopt)
    told = tuple(item for item in done if references or item.versions or item.left_out)
    return Batch(told, (*failures, *faults))


def _wanted(name: str) -> tuple[str, int | None]:
    """Read a ticker, which stands for all of its versions, or one version of it."""
    if "@" not in name:
        return parse_owner(name), None
    reference = parse_exact(name)
    return reference.ticker, reference.version


def _owners_on_disk(store: Store) -> list[str]:
    return [name for name in owners_on_disk(store.paths) if is_owner_key(name)]


def _adopted(
    store: Store, owner: str, named: int | None, faults: list[Failure], *, dry_run: bool
) -> Adoption:
    registry = store.registry
    listed, removed = registry.versions(owner), registry.removed(owner)
    found, left_out = {}, []
    for version in _looked_at(store, owner, named):
        try:
            one = _read(store, owner, version)
        except StockLstmError as error:
            faults.append(Failure(owner, error))
            continue
        if named is None and removed.get(version) == one.sha256:
            own = version_id(owner, version)
            left_out.append(
                LeftOut(version, f"removed on purpose: stocklstm models adopt {own} takes it back")
            )
        else:
            found[version] = one
    steps = [] if listed else _succession([one.manifest for one in found.values()])
    at = utc_now()
    if found and not dry_run:
        with store.transaction():
            for version, one in found.items():
                registry.adopt(owner, version, one.sha256, _published_at(one.manifest))
            for manifest, reason in steps:
                registry.aliases.promote(
                    owner, manifest.version, reason=f"adopted: {reason}", at=at
                )
    champion = steps[-1][0].version if steps else registry.aliases.of(owner).get(CHAMPION)
    others = [version for version in [*listed, *found] if version != champion]
    return Adoption(
        ticker=owner,
        dry_run=dry_run,
        versions=tuple(found),
        left_out=tuple(left_out),
        champion=champion,
        reason=steps[-1][1] if steps else "",
        by_hand=f"stocklstm models promote {version_id(owner, max(others))}" if others else None,
    )


def _looked_at(store: Store, owner: str, named: int | None) -> list[int]:
    unlisted = store.registry.unlisted(owner)
    if named is None:
        return unlisted
    if named not in unlisted and named not in store.registry.versions(owner):
        raise NoModelError(
            f"there is no {version_id(owner, named)} on the disk",
            hint=f"stocklstm models adopt {owner} --dry-run shows what there is",
        )
    return [named] if named in unlisted else []


def _read(store: Store, owner: str, version: int) -> Found:
    """Read a version as one that anybody may have put there.

    Raises:
        ArtifactCorruptError: It is not whole; ArtifactVersionError if of another format.
    """
    own = version_id(owner, version)
    try:
        found = read_unlisted(store.paths, owner, version)
        decode_untrusted_manifest(found.content)
    except ArtifactCorruptError as error:
        raise _unsound(own, error.message) from error
    if not is_instant(_published_at(found.manifest)):
        raise _unsound(own, "its manifest does not say when it was published")
    return found


def _unsound(own: str, reason: str) -> ArtifactCorruptError:
    return ArtifactCorruptError(
        reason if own in reason else f"{own} is damaged: {reason}",
        hint=f"put its files back from a backup, then: stocklstm models adopt {own}",
    )


def _published_at(manifest: Manifest) -> str:
    """Say when a version was published, as its manifest tells."""
    imported = manifest.imported_from
    return manifest.created if imported is None else imported.at


def _succession(manifests: Sequence[Manifest]) -> list[tuple[Manifest, str]]:
    """Say which versions would have become champion, one after the other, and why.

    The rule is that of `publishing.judge`, as far as manifests alone can tell: prices and the
    other names are lost. A smaller version was accepted by figures that no manifest has, so it
    becomes champion only where there is nothing else.

    Args:
        manifests: Of one owner, oldest first.
    """
    trained = [manifest for manifest in manifests if manifest.parent is None]
    steps: list[tuple[Manifest, str]] = []
    for manifest in trained or manifests[:1]:
        reason = _takes_over(manifest, steps[-1][0]) if steps else "the first one that is whole"
        if reason:
            steps.append((manifest, reason))
    return steps


def _takes_over(new: Manifest, champion: Manifest) -> str:
    """Say why a version takes over from the champion; empty if nothing shows that it would."""
    if new.config.horizon != champion.config.horizon:
        return ""
    if not _changes(new, champion):
        later = new.data.last >= champion.data.last
        return f"the settings of {champion.id} on later prices" if later else ""
    own, other = new.evaluation, champion.evaluation
    same_days = (own.start, own.end, own.n) == (other.start, other.end, other.n)
    crps, others = own.distribution, other.distribution
    if not (same_days and new.data.sha256 == champion.data.sha256 and crps.crps < others.crps):
        return ""
    if _worse(crps.dm_stat, crps.dm_p) and not _worse(others.dm_stat, others.dm_p):
        return ""
    return f"a lower mean CRPS than {champion.id} on the same test days"


def _worse(stat: float | None, p: float) -> bool:
    return stat is not None and stat > 0 and p < SIGNIFICANT


def _changes(new: Manifest, champion: Manifest) -> str:
    """Say in words what is not as in the champion's training; empty if only the prices are."""
    if settings := differing_settings(new.config, champion.config):
        return first_few(settings)
    if new.learned_before != champion.learned_before:
        return "other first weights"
    fewer = new.pool and champion.pool and new.pool.tickers < champion.pool.tickers
    return "fewer tickers" if fewer else ""
