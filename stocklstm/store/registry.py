"""Immutable model versions, and the aliases that point at them."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stocklstm.core.digest import sha256_hex
from stocklstm.core.operating_system import system
from stocklstm.core.reference import (
    CHAMPION,
    PREVIOUS,
    ModelReference,
    parse_reference,
    version_id,
)
from stocklstm.errors import (
    ArtifactCorruptError,
    CheckFailedError,
    ConfigError,
    IntegrityError,
    NoModelError,
    StockLstmError,
)
from stocklstm.store.aliases import Aliases
from stocklstm.store.database import (
    database_errors,
    require_words,
    rows_by_owner,
    stored_values,
    transaction,
)
from stocklstm.store.disk import (
    disk_errors,
    remove_tree,
    sync_directory,
    write_durably,
)
from stocklstm.store.drafts import chance_name, claimed_directory
from stocklstm.store.manifest import (
    FILE_NAME,
    HISTORY_FILE,
    MOST_MANIFEST_BYTES,
    FileRecord,
    Manifest,
    Outline,
    corrupt,
    decode_manifest,
    decode_outline,
    read_version_file,
    training_command,
)
from stocklstm.store.paths import StorePaths, owners_on_disk, versions_on_disk
from stocklstm.store.prices import PriceStore
from stocklstm.store.signing import VARIABLE, SigningKey

if TYPE_CHECKING:
    from stocklstm.core.training.epochs import History

_LISTED = ("version", "manifest_sha256", "signature")
"""Columns of what a version is compared with."""

# How the names begin of what is not published yet, and of what is removed but not gone yet.
DRAFT = ".draft-"
TRASH = ".trash-"


class Draft(NamedTuple):
    """A version in the making; it becomes visible only by being published.

    Attributes:
        path: Its directory, on the same file system as the published ones.
        files: What was written so far.
    """

    path: Path
    files: dict[str, FileRecord]

    def write(self, name: str, content: bytes) -> None:
        """Write one file of the version and wait until it is on the disk."""
        with disk_errors("write the model"):
            write_durably(self.path / name, content)
        self.files[name] = FileRecord.of(content)


class StoredManifest(NamedTuple):
    """The bytes of a manifest, as they were published.

    Attributes:
        signature: Made when it was published or later; None if it never was signed.
    """

    content: bytes
    signature: str | None

    def signed_with(self, key: SigningKey) -> bool | None:
        """Tell whether the key made the signature; None if there is no signature."""
        return None if self.signature is None else key.signed(self.content, self.signature)


class Registry:
    """All model versions of a store.

    Attributes:
        key: Signs what is published, and checks the signature of what is read; None without one.
    """

    def __init__(
        self, paths: StorePaths, connection: sqlite3.Connection, key: SigningKey | None = None
    ) -> None:
        self.paths = paths
        self.connection = connection
        self.key = key

    def tickers(self) -> list[str]:
        """List the tickers and pooled models that have a published version, in order."""
        with database_errors():
            rows = self.connection.execute(
                "SELECT DISTINCT ticker FROM versions ORDER BY ticker"
            ).fetchall()
        require_words("versions", ("ticker",), rows)
        return [ticker for (ticker,) in rows]

    def versions(self, ticker: str) -> list[int]:
        """List the published versions of a ticker, oldest first."""
        with database_errors():
            rows = self.connection.execute(
                "SELECT version FROM versions WHERE ticker = ? ORDER BY version", (ticker,)
            ).fetchall()
        require_words("versions", ("version",), rows)
        return [version for (version,) in rows]

    def published(self, ticker: str) -> dict[int, str]:
        """Return the UTC timestamps of publication by version, oldest first."""
        with database_errors():
            rows = self.connection.execute(
                "SELECT version, published_at FROM versions WHERE ticker = ? ORDER BY version",
                (ticker,),
            ).fetchall()
        require_words("versions", ("version", "published_at"), rows)
        return dict(rows)

    def resolve(self, reference: ModelReference) -> int:
        """Find the version that a reference means.

        Raises:
            NoModelError: The ticker has no model, or not this version or alias.
        """
        ticker = reference.ticker
        # The alias before the versions: one published in between is then in the list as well.
        version = reference.version or self.aliases.of(ticker).get(reference.alias)
        versions = self.versions(ticker)
        if not versions:
            raise NoModelError(f"there is no model of {ticker}", hint=self._to_begin(ticker))
        if version is None or version not in versions:
            listed = ", ".join(f"v{number}" for number in versions)
            raise NoModelError(
                f"there is no {reference}; {ticker} has {listed}",
                hint=f"stocklstm models list --ticker {ticker}",
            )
        return version

    def _to_begin(self, ticker: str) -> str:
        """Name the command that makes the first model: of a renamed ticker, from one of before."""
        if self.unlisted(ticker):
            return f"stocklstm models adopt {ticker}, which lists again what lies on the disk"
        prices = PriceStore(self.connection)
        command = training_command(prices.current_name(ticker))
        for old in prices.former_names(ticker):
            if self.versions(old):
                return f"{command} --like {old} --from {old}"
        return command

    def unlisted(self, ticker: str) -> list[int]:
        """List the versions on the disk that the database does not list, in order."""
        with disk_errors("look for the models"):
            on_disk = versions_on_disk(self.paths, ticker)
        # Asked for afterwards: a version is in its place a moment before it is listed.
        listed = set(self.versions(ticker)) if on_disk else set()
        return [version for version in on_disk if version not in listed]

    def adopt(self, ticker: str, version: int, sha256: str, at: str) -> None:
        """List a version that lies on the disk, whose files the caller has checked.

        It has no signature: who lists it does not vouch for it.

        Args:
            sha256: Of its manifest.
            at: UTC timestamp of its publication.
        """
        with transaction(self.connection):
            self.connection.execute(
                "INSERT INTO versions (ticker, version, manifest_sha256, published_at)"
                " VALUES (?, ?, ?, ?)",
                (ticker, version, sha256, at),
            )
            self.connection.execute(
                "DELETE FROM removals WHERE ticker = ? AND version = ?", (ticker, version)
            )

    def any_on_disk(self) -> bool:
        """Tell whether the directory of any version is there, listed or not."""
        with disk_errors("look for the models"):
            return any(owners_on_disk(self.paths))

    def removed(self, ticker: str) -> dict[int, str]:
        """Return the hash of the manifest of each version that was removed on purpose."""
        with database_errors():
            rows = self.connection.execute(
                "SELECT version, manifest_sha256 FROM removals WHERE ticker = ?", (ticker,)
            ).fetchall()
        return dict(rows)

    def find(self, reference: ModelReference) -> Manifest:
        """Read and check the manifest of the version that a reference means.

        Raises:
            NoModelError: The ticker has no model, or not this version or alias.
            ArtifactCorruptError: As of `manifest`, and ArtifactVersionError likewise.
        """
        return self.manifest(reference.ticker, self.resolve(reference))

    def trained_from(self, manifest: Manifest) -> Manifest:
        """Follow a smaller version to the one that `train` made, whose settings are its settings.

        Where one on the way is gone, or damaged, the last one that is there stands for it.
        """
        # A version is made from an earlier one: what says otherwise might be a loop.
        while manifest.parent is not None:
            try:
                parent = self.find(parse_reference(manifest.parent))
            except (IntegrityError, NoModelError, ConfigError):
                break
            if parent.version >= manifest.version:
                break
            manifest = parent
        return manifest

    def manifest(self, ticker: str, version: int) -> Manifest:
        """Read and check a version's manifest, and its signature if there is a key.

        Raises:
            ArtifactCorruptError: It is missing or damaged, or the signature is wrong;
                ArtifactVersionError if of a format that is not read.
            NoModelError: The version is not there, or not any more.
        """
        stored = self.stored_manifest(ticker, version)
        self._require_signature(stored, ticker, version)
        return decode_manifest(stored.content, ticker, version)

    def stored_manifest(self, ticker: str, version: int) -> StoredManifest:
        """Read a version's manifest as it was published, of any format and signature.

        Raises:
            ArtifactCorruptError: It is missing, or not the one that was published.
            NoModelError: The version is not there, or not any more.
        """
        content = self._read(ticker, version, FILE_NAME, MOST_MANIFEST_BYTES)
        with database_errors():
            row = self.connection.execute(
                "SELECT manifest_sha256, signature FROM versions WHERE ticker = ? AND version = ?",
                (ticker, version),
            ).fetchone()
        if row is None:
            raise _no_version(ticker, version)
        return StoredManifest(_require_published(content, row[0], ticker, version), row[1])

    def sign(self, ticker: str, version: int, signature: str) -> None:
        """Store a signature of a version's manifest, whose files the caller has checked."""
        with transaction(self.connection):
            self.connection.execute(
                "UPDATE versions SET signature = ? WHERE ticker = ? AND version = ?",
                (signature, ticker, version),
            )

    def _require_signature(self, stored: StoredManifest, ticker: str, version: int) -> None:
        """Refuse a signature of another manifest or key, if there is a key to check with."""
        if self.key is not None and stored.signed_with(self.key) is False:
            name = version_id(ticker, version)
            raise ArtifactCorruptError(
                f"the signature of {name} does not fit its manifest and {VARIABLE}",
                hint=f"if only the key is new: stocklstm models sign {name} --replace; otherwise "
                f"somebody changed it: {training_command(ticker)}",
            )

    def outlines_of_each(self) -> Callable[[str], dict[int, Outline | StockLstmError]]:
        """Read the list of versions of all tickers at once; what it returns is as `outlines`."""
        listed = rows_by_owner(self.connection, "versions", "ticker", _LISTED)
        if listed is None:
            return self.outlines
        return lambda ticker: self._outlines(ticker, listed.get(ticker, ()), any_signature=False)

    def outlines(
        self, ticker: str, *, any_signature: bool = False
    ) -> dict[int, Outline | StockLstmError]:
        """Read what a list shows of every version of a ticker, or the error, oldest first.

        Every manifest is compared with its hash; only what is shown of it is decoded.

        Args:
            any_signature: Read also what has a signature that does not fit.
        """
        with database_errors():
            rows = self.connection.execute(
                f"SELECT {', '.join(_LISTED)} FROM versions WHERE ticker = ?"  # noqa: S608 - fixed names
                " ORDER BY version",
                (ticker,),
            ).fetchall()
        require_words("versions", _LISTED, rows)
        return self._outlines(ticker, rows, any_signature=any_signature)

    def _outlines(
        self, ticker: str, rows: Sequence[tuple[Any, ...]], *, any_signature: bool
    ) -> dict[int, Outline | StockLstmError]:
        found: dict[int, Outline | StockLstmError] = {}
        for version, sha256, signature in rows:
            try:
                content = self._read(ticker, version, FILE_NAME, MOST_MANIFEST_BYTES)
                _require_published(content, sha256, ticker, version)
                if not any_signature:
                    self._require_signature(StoredManifest(content, signature), ticker, version)
                found[version] = decode_outline(content, ticker, version)
            except StockLstmError as error:
                found[version] = error
        return found

    def read_file(self, manifest: Manifest, name: str) -> bytes:
        """Read one file of a version and check it against the manifest.

        The bytes that were checked are the bytes that are returned: nothing can change in between.

        Raises:
            ArtifactCorruptError: The file is missing, not listed, or its size or hash differs.
            NoModelError: The version has been removed meanwhile.
        """
        record = manifest.files.get(name)
        if record is None:
            raise corrupt(manifest.id, f"its manifest does not list {name}")
        content = self._read(manifest.ticker, manifest.version, name, record.size)
        if len(content) != record.size:
            raise corrupt(manifest.id, f"{name} has {len(content)} bytes, not {record.size}")
        if sha256_hex(content) != record.sha256:
            raise corrupt(manifest.id, f"{name} is not the file that was published (sha256)")
        return content

    def history(self, manifest: Manifest) -> "History":
        """Read what happened in each epoch of a version's training; none where it has no such file.

        Raises:
            ArtifactCorruptError: The file is not the one that was published, or no history.
        """
        if HISTORY_FILE not in manifest.files:
            return ()
        from stocklstm.core.training.epochs import read_history

        content = self.read_file(manifest, HISTORY_FILE)
        try:
            return read_history(content.decode())
        except ValueError as error:
            raise corrupt(
                manifest.id, f"{HISTORY_FILE} is not the history of a training"
            ) from error

    def _read(self, ticker: str, version: int, name: str, most: int) -> bytes:
        try:
            return read_version_file(self.paths, ticker, version, name, most)
        except ArtifactCorruptError as error:
            # A version is first taken off the list and then off the disk.
            if version not in self.versions(ticker):
                raise _no_version(ticker, version) from error
            raise

    def unlisted_files(self, manifest: Manifest) -> list[str]:
        """Name the files of a version's directory that its manifest does not list."""
        with disk_errors("read the model"):
            names = {
                p.name for p in self.paths.version(manifest.ticker, manifest.version).iterdir()
            }
        return sorted(names - manifest.files.keys() - {FILE_NAME})

    @contextmanager
    def draft(self, ticker: str) -> Iterator[Draft]:
        """Open a directory for a new version; it is removed unless it was published."""
        with ExitStack() as held:
            with disk_errors("create the model"):
                path = held.enter_context(claimed_directory(lambda: self._new_path(ticker, DRAFT)))
            try:
                yield Draft(path, {})
            finally:
                shutil.rmtree(path, ignore_errors=True)

    def publish(
        self,
        draft: Draft,
        ticker: str,
        describe: Callable[[int], Manifest],
        *,
        at: str,
        promotion: str | None = None,
    ) -> Manifest:
        """Make a draft the next version, and champion if so decided: all of it or nothing.

        The caller holds the ticker's writer lock.

        Args:
            describe: Makes the manifest, given the version number.
            at: UTC timestamp.
            promotion: Why it becomes champion, kept in the log; None if it does not.

        Returns:
            The manifest as it was written.
        """
        version = self._next_version(ticker)
        manifest = describe(version)
        content = manifest.encode()
        # What cannot be read back, such as a number that is not finite, is never published.
        decode_manifest(content, ticker, version)
        with disk_errors("publish the model"):
            write_durably(draft.path / FILE_NAME, content)
            sync_directory(draft.path)
        signature = None if self.key is None else self.key.sign(content)
        target = self.paths.version(ticker, version)
        try:
            with transaction(self.connection):
                self.connection.execute(
                    "INSERT INTO versions VALUES (?, ?, ?, ?, ?)",
                    (ticker, version, sha256_hex(content), at, signature),
                )
                if promotion is not None:
                    self.aliases.promote(ticker, version, reason=promotion, at=at)
                # The directory is in its place before anybody can read that it is there.
                with disk_errors("publish the model"):
                    system().rename(draft.path, target)
                    for directory in (target.parent, self.paths.models, self.paths.home):
                        sync_directory(directory)
        except BaseException:
            # Back to where drafts are cleaned up, unless the commit itself went through. Where
            # even that fails it stays behind, and nothing lists it.
            if not draft.path.exists() and version not in self.versions(ticker):
                with suppress(OSError):
                    system().rename(target, draft.path)
            raise
        return manifest

    def _next_version(self, ticker: str) -> int:
        """Number the next version; no number is given twice, even if the first is gone."""
        with stored_values():
            (known,) = self.connection.execute(
                "SELECT max(version) FROM (SELECT version FROM versions WHERE ticker = ?1"
                " UNION SELECT version FROM removals WHERE ticker = ?1"
                " UNION SELECT version FROM alias_log WHERE ticker = ?1"
                " UNION SELECT version FROM forecasts WHERE ticker = ?1 AND pool = ''"
                " UNION SELECT version FROM forecasts WHERE pool = ?1 AND pool <> '')",
                (ticker,),
            ).fetchone()
        require_words("versions", ("version",), [] if known is None else [(known,)])
        version: int = 1 + (known or 0)
        # A directory that no list has was never published, or was so by a database that was lost.
        with disk_errors("publish the model"):
            version = max(version, 1 + max(versions_on_disk(self.paths, ticker), default=0))
        while os.path.lexists(self.paths.version(ticker, version)):
            version += 1
        return version

    def remove(self, ticker: str, version: int, *, at: str) -> None:
        """Remove a version that no alias names; its number is never given again.

        It goes off the list first, so that a reader finds all of it or is told that it is gone;
        what a crash leaves on the disk after that is found by `store.leftovers`. The caller holds
        the ticker's writer lock.

        Raises:
            CheckFailedError: An alias names it.
            NoModelError: It is not there.
            ArtifactCorruptError: Its ticker's directory leads out of the store.
        """
        directory = self.paths.version(ticker, version)
        if directory.parent.is_symlink():
            raise corrupt(version_id(ticker, version), "its directory is a symbolic link")
        with transaction(self.connection):
            self._unlist(ticker, version, at)
        with disk_errors("remove the model"), suppress(FileNotFoundError):
            trash = self._new_path(ticker, TRASH)
            system().rename(directory, trash)
            remove_tree(trash)
        pictures = self.paths.reports(ticker, version)
        if not pictures.parent.is_symlink():
            with disk_errors("remove the pictures of the model"):
                remove_tree(pictures)

    def _unlist(self, ticker: str, version: int, at: str) -> None:
        naming = [name for name, target in self.aliases.of(ticker).items() if target == version]
        if naming:
            raise CheckFailedError(
                f"{version_id(ticker, version)} is {' and '.join(naming)}; a version that an "
                "alias names is not removed",
                hint=_command_to_free(ticker, naming[0]),
            )
        removed = self.connection.execute(
            "INSERT INTO removals SELECT ticker, version, manifest_sha256, published_at, ?"
            " FROM versions WHERE ticker = ? AND version = ?",
            (at, ticker, version),
        )
        if removed.rowcount == 0:
            raise _no_version(ticker, version)
        self.connection.execute(
            "DELETE FROM versions WHERE ticker = ? AND version = ?", (ticker, version)
        )

    def _new_path(self, ticker: str, prefix: str) -> Path:
        return self.paths.ticker(ticker) / f"{prefix}{chance_name()}"

    @property
    def aliases(self) -> Aliases:
        """The aliases of all tickers."""
        return Aliases(self.connection)


def _require_published(content: bytes, sha256: str, ticker: str, version: int) -> bytes:
    if sha256_hex(content) != sha256:
        raise corrupt(
            version_id(ticker, version), f"{FILE_NAME} is not the file that was published (sha256)"
        )
    return content


def _no_version(ticker: str, version: int) -> NoModelError:
    return NoModelError(
        f"there is no {version_id(ticker, version)}; it may have been removed",
        hint=f"stocklstm models list --ticker {ticker}",
    )


def _command_to_free(ticker: str, name: str) -> str:
    if name in {CHAMPION, PREVIOUS}:
        return f"stocklstm models promote {ticker}@VERSION makes another one the champion"
    return f"stocklstm models unalias {ticker}@{name}"
