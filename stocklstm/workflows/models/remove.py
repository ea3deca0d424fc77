"""models rm and gc: removing versions and leftovers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from stocklstm.core.batch import Batch, Result, for_each
from stocklstm.core.clock import utc_now
from stocklstm.core.reference import (
    ModelReference,
    StoredTicker,
    is_owner_key,
    parse_exact,
    parse_owner,
    parse_reference,
    version_id,
)
from stocklstm.errors import ConfigError, NoModelError, StockLstmError, StoreLockedError
from stocklstm.store.disk import disk_errors, size_of
from stocklstm.store.leftovers import InUseError, Leftover, Leftovers
from stocklstm.store.manifest import Outline
from stocklstm.store.store import Store

# Days that an unfinished run is kept for `--resume`, unless told otherwise.
RUN_DAYS = 30.0


@dataclass(frozen=True, repr=False)
class RemovedVersion(Result):
    """A version that is gone.

    Attributes:
        ticker: Whose it was.
        version: Its number, which is never given again.
        bytes: What it took, pictures drawn later included.
        children: Versions that were made from it and stay; they forecast as before.
    """

    ticker: str
    version: int
    bytes: int
    children: tuple[int, ...]


RemoveResult = Batch[RemovedVersion]


@dataclass(frozen=True)
class Garbage:
    """Something that is removed.

    Attributes:
        kind: "version", or that of a `store.leftovers.Leftover`.
        ticker: Ticker of the version, or name of a pooled model with its mark.
        name: Identity of a version, otherwise the name of the file or directory.
        path: Where it lay.
        bytes: What it took.
    """

    kind: str
    ticker: str
    name: str
    path: str
    bytes: int


@dataclass(frozen=True)
class Skipped:
    """Something that stays because it is in use, or because somebody may still want it.

    Attributes:
        ticker: Ticker of the version, or name of a pooled model with its mark.
        name: What.
        reason: Why, in words.
    """

    ticker: str
    name: str
    reason: str


@dataclass(frozen=True, repr=False)
class Collection(Result):
    """What `models gc` removed.

    Attributes:
        dry_run: True if nothing was removed, only looked for.
        removed: In order of ticker.
        skipped: What stays because somebody works on it, or may still want it.
        bytes: Freed in all.
    """

    ROWS = "removed"
    SAID = ()

    dry_run: bool
    removed: tuple[Garbage, ...]
    skipped: tuple[Skipped, ...]
    bytes: int


CollectResult = Batch[Collection]


@dataclass(frozen=True)
class RemovalRule:
    """Which of the versions that nothing needs are removed.

    With both limits a version is removed only if it is beyond both; with neither none is.

    Example:
        >>> rule = stocklstm.RemovalRule(keep=3, older_than_days=90)
        >>> stocklstm.collect_garbage("PETR4.SA", rule, dry_run=True).results[0].removed
        ()

    Attributes:
        keep: How many of the newest versions of a ticker stay; None for no such limit.
        older_than_days: Days since publication after which one is removed; None for no such limit.
            Of unfinished runs, days since one was last worked on; `RUN_DAYS` if None.
    """

    keep: int | None = None
    older_than_days: float | None = None

    def __post_init__(self) -> None:
        """Refuse impossible limits.

        Raises:
            ConfigError: One is below 0 or too large.
        """
        if self.keep is not None and self.keep < 0:
            raise ConfigError(
                f"--keep must be at least 0, not {self.keep}",
                hint="--keep 3 leaves the newest three of each ticker",
            )
        if self.older_than_days is not None and not 0 <= self.older_than_days <= 36_500:
            raise ConfigError(
                f"--older-than must be from 0 to 36500 days, not {self.older_than_days:g}",
                hint="--older-than 90 removes what is older than 90 days",
            )


def remove_versions(store: Store, references: Sequence[str]) -> RemoveResult:
    """Remove versions that no alias names; see `Client.remove_versions`."""
    store.require_writable()

    def remove(reference: ModelReference) -> RemovedVersion:
        with store.writing(reference.ticker):
            return _remove(store, reference.ticker, store.registry.resolve(reference))

    return Batch(*for_each(references, parse_exact, remove))


def _remove(store: Store, ticker: str, version: int) -> RemovedVersion:
    children = tuple(
        child for child, parent in _parents(store, ticker).items() if parent == version
    )
    size = _size(store, ticker, version)
    store.registry.remove(ticker, version, at=utc_now())
    return RemovedVersion(ticker, version, size, children)


def _size(store: Store, ticker: str, version: int) -> int:
    """Measure a version and its pictures, in bytes; 0 for what is not there."""
    places = (store.paths.version(ticker, version), store.paths.reports(ticker, version))
    with disk_errors("read the model"):
        return sum(size_of(place) for place in places if place.exists() or place.is_symlink())


def _parents(store: Store, ticker: str) -> dict[int, int]:
    """Give the version that each version of a ticker was made from, where it can be read."""
    found = {}
    # Under a wrong key no signature fits, and what others were made from must stay even then.
    for version, outline in store.registry.outlines(ticker, any_signature=True).items():
        if isinstance(outline, Outline) and outline.parent is not None:
            found[version] = parse_reference(outline.parent).version or 0
    return found


def collect_garbage(
    store: Store, tickers: Sequence[str], rule: RemovalRule, *, dry_run: bool, now: str | None
) -> CollectResult:
    """Remove old versions, and what killed processes left behind; see `Client.collect_garbage`."""
    store.require_writable()
    collector = _Collector(store, rule, dry_run, datetime.fromisoformat(now or utc_now()))
    known = {*store.registry.tickers(), *filter(is_owner_key, collector.leftovers.tickers())}
    done, failures = for_each(
        tickers or [StoredTicker(name) for name in sorted(known)],
        lambda name: _known_ticker(name, known),
        collector.collect,
    )
    removed = tuple(item for part, _ in done for item in part)
    collection = Collection(
        dry_run=dry_run,
        removed=removed,
        skipped=tuple(item for _, part in done for item in part),
        bytes=sum(item.bytes for item in removed),
    )
    return Batch((collection,), failures)


def _known_ticker(name: str, known: set[str]) -> str:
    ticker = parse_owner(name)
    if ticker not in known:
        raise NoModelError(
            f"the store has nothing of {ticker}",
            hint="stocklstm models list shows what there is",
        )
    return ticker


@dataclass(frozen=True)
class _Collector:
    store: Store
    rule: RemovalRule
    dry_run: bool
    now: datetime
    starts: dict[str, ModelReference | None] = field(default_factory=dict)

    @cached_property
    def leftovers(self) -> Leftovers:
        return Leftovers(self.store.registry)

    def collect(self, ticker: str) -> tuple[list[Garbage], list[Skipped]]:
        # Most tickers have nothing to remove, and to look costs less than to take a lock. What is
        # found without one may be at work: then it is looked for once more.
        with disk_errors("clean up"):
            if not self._spare(ticker) and next(self._left(ticker), None) is None:
                return [], []
        try:
            with self.store.writing(ticker):
                return self._collect(ticker)
        except StoreLockedError as error:
            return [], [Skipped(ticker, ticker, error.message)]

    def _collect(self, ticker: str) -> tuple[list[Garbage], list[Skipped]]:
        removed, skipped = [], []
        for version in self._spare(ticker):
            size = _size(self.store, ticker, version)
            if not self.dry_run:
                self.store.registry.remove(ticker, version, at=utc_now())
            path = str(self.store.paths.version(ticker, version))
            removed.append(Garbage("version", ticker, version_id(ticker, version), path, size))
        with disk_errors("clean up"):
            for item in self._left(ticker):
                size = size_of(item.path)
                try:
                    item.remove(not self.dry_run)
                except InUseError as error:
                    skipped.append(Skipped(ticker, item.path.name, str(error)))
                else:
                    path = str(item.path)
                    removed.append(Garbage(item.kind, ticker, item.path.name, path, size))
        return removed, skipped

    def _left(self, ticker: str) -> Iterator[Leftover]:
        yield from self.leftovers.of_models(ticker)
        days = self.rule.older_than_days
        before = self.now - timedelta(days=RUN_DAYS if days is None else days)
        yield from self.leftovers.of_runs(ticker, before.timestamp())

    def _spare(self, ticker: str) -> list[int]:
        """List the versions that the rule names and nothing needs, oldest first."""
        keep, days = self.rule.keep, self.rule.older_than_days
        if keep is None and days is None:
            return []
        published = self.store.registry.published(ticker)
        if len(published) <= (keep or 0):
            return []
        newest = set(sorted(published, reverse=True)[: keep or 0])
        before = (self.now - timedelta(days=days or 0)).astimezone(UTC)
        needed = newest | set(self.store.registry.aliases.of(ticker).values())
        spare = {
            version
            for version, at in published.items()
            if version not in needed and datetime.fromisoformat(at) <= before
        }
        if spare:
            spare -= self._begun_with(ticker)
        if not spare:
            return []
        parents = _parents(self.store, ticker)
        while held := spare & {
            parents.get(version) for version in published if version not in spare
        }:
            spare -= held
        return sorted(spare)

    def _begun_with(self, ticker: str) -> set[int]:
        """Find the versions whose weights unfinished runs of any ticker began with."""
        starts = (self._starts(name) for name in self.store.runs.names())
        return {s.version for s in starts if s and s.ticker == ticker and s.version}

    def _starts(self, run: str) -> ModelReference | None:
        """Look up what a run began with, which never changes; None if it is not known."""
        if run not in self.starts:
            try:
                start = self.store.runs.open(run).record.start
            except StockLstmError:
                start = None
            self.starts[run] = parse_reference(start) if start else None
        return self.starts[run]
