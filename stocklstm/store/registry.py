"""Immutable model versions, and the aliases that point at them."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from stocklstm.core.digest import sha256_hex
from stocklstm.core.reference import CHAMPION, PREVIOUS, ModelReference, version_id
from stocklstm.errors import NoModelError
from stocklstm.store.database import database_errors, stored_values, transaction
from stocklstm.store.disk import disk_errors, sync_directory, write_durably
from stocklstm.store.manifest import (
    FILE_NAME,
    FileRecord,
    Manifest,
    corrupt,
    decode_manifest,
)
from stocklstm.store.paths import StorePaths

MOST_MANIFEST_BYTES = 1 << 20
"""Far more than any settings and scores take."""


@dataclass(frozen=True)
class Draft:
    """A version in the making; it becomes visible only by being published.

    Attributes:
        path: Its directory, on the same file system as the published ones.
        files: What was written so far.
    """

    path: Path
    files: dict[str, FileRecord]

    def write(self, name: str, content: bytes) -> None:
        """Write one file of the version and wait until it is on the disk.

        Raises:
            StorageError: The disk is full or failing; ConfigError if it may not be written.
        """
        with disk_errors("write the model"):
            write_durably(self.path / name, content)
        self.files[name] = FileRecord(sha256_hex(content), len(content))


@dataclass(frozen=True)
class AliasChange:
    """One line of the alias log.

    Attributes:
        at: UTC timestamp.
        name: Alias.
        version: What it points at since then.
        replaced: What it pointed at before, if anything.
        reason: Why, in words.
    """

    at: str
    name: str
    version: int
    replaced: int | None
    reason: str


@dataclass(frozen=True)
class Registry:
    """All model versions of a store.

    Attributes:
        paths: Where they lie.
        connection: An open database, which holds the aliases.
    """

    paths: StorePaths
    connection: sqlite3.Connection

    def tickers(self) -> list[str]:
        """List every ticker that has a published version, in order."""
        with database_errors():
            rows = self.connection.execute("SELECT DISTINCT ticker FROM versions ORDER BY ticker")
            return [ticker for (ticker,) in rows]

    def versions(self, ticker: str) -> list[int]:
        """List the published versions of a ticker, oldest first."""
        with database_errors():
            rows = self.connection.execute(
                "SELECT version FROM versions WHERE ticker = ? ORDER BY version", (ticker,)
            )
            return [version for (version,) in rows]

    def resolve(self, reference: ModelReference) -> int:
        """Find the version that a reference means.

        Raises:
            NoModelError: The ticker has no model, or not this version or alias.
        """
        ticker = reference.ticker
        # The alias before the versions: one published in between is then in the list as well.
        version = reference.version or self.aliases(ticker).get(reference.alias)
        versions = self.versions(ticker)
        if not versions:
            raise NoModelError(
                f"there is no model of {ticker}", hint=f"stocklstm train --ticker {ticker}"
            )
        if version is None or version not in versions:
            listed = ", ".join(f"v{number}" for number in versions)
            raise NoModelError(
                f"there is no {reference}; {ticker} has {listed}",
                hint=f"stocklstm models list --ticker {ticker}",
            )
        return version

    def manifest(self, ticker: str, version: int) -> Manifest:
        """Read and check a version's manifest.

        Raises:
            ArtifactCorruptError: It is missing or damaged; ArtifactVersionError if of another
                format.
        """
        self._require_size(ticker, version, FILE_NAME, MOST_MANIFEST_BYTES)
        content = self._read(ticker, version, FILE_NAME)
        with database_errors():
            row = self.connection.execute(
                "SELECT manifest_sha256 FROM versions WHERE ticker = ? AND version = ?",
                (ticker, version),
            ).fetchone()
        if row is None or sha256_hex(content) != row[0]:
            raise corrupt(
                version_id(ticker, version),
                f"{FILE_NAME} is not the file that was published (sha256)",
            )
        return decode_manifest(content, ticker, version)

    def read_file(self, manifest: Manifest, name: str) -> bytes:
        """Read one file of a version and check it against the manifest.

        The bytes that were checked are the bytes that are returned: nothing can change between.

        Raises:
            ArtifactCorruptError: The file is missing, not listed, or its size or hash differs.
        """
        record = manifest.files.get(name)
        if record is None:
            raise corrupt(manifest.id, f"its manifest does not list {name}")
        self._require_size(manifest.ticker, manifest.version, name, record.size)
        content = self._read(manifest.ticker, manifest.version, name)
        if len(content) != record.size:
            raise corrupt(manifest.id, f"{name} has {len(content)} bytes, not {record.size}")
        if sha256_hex(content) != record.sha256:
            raise corrupt(manifest.id, f"{name} is not the file that was published (sha256)")
        return content

    def _require_size(self, ticker: str, version: int, name: str, most: int) -> None:
        """Refuse a file that has grown, before it fills the memory."""
        with suppress(OSError):
            path = self.paths.version(ticker, version) / name
            size = path.stat().st_size
            if size > most and path.is_file():
                raise corrupt(
                    version_id(ticker, version), f"{name} has {size} bytes, not {most} or fewer"
                )

    def _read(self, ticker: str, version: int, name: str) -> bytes:
        with disk_errors(f"read {name}"):
            try:
                return (self.paths.version(ticker, version) / name).read_bytes()
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
                raise corrupt(version_id(ticker, version), f"{name} is missing") from error

    def unlisted_files(self, manifest: Manifest) -> list[str]:
        """Name what lies in a version's directory though its manifest does not list it."""
        with disk_errors("read the model"):
            names = {
                p.name for p in self.paths.version(manifest.ticker, manifest.version).iterdir()
            }
        return sorted(names - manifest.files.keys() - {FILE_NAME})

    @contextmanager
    def draft(self, ticker: str) -> Iterator[Draft]:
        """Open a directory for a new version; what is not published in it is removed.

        Args:
            ticker: Checked before.

        Raises:
            StorageError: The disk refuses; ConfigError if it may not be written.
        """
        path = self.paths.ticker(ticker) / f".draft-{os.urandom(16).hex()}"
        with disk_errors("create the model"):
            path.mkdir(parents=True, mode=0o700)
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
            draft: All files written.
            ticker: Whose.
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
        target = self.paths.version(ticker, version)
        try:
            with transaction(self.connection):
                self.connection.execute(
                    "INSERT INTO versions VALUES (?, ?, ?, ?)",
                    (ticker, version, sha256_hex(content), at),
                )
                if promotion is not None:
                    self._promote(ticker, version, promotion, at)
                # The directory is in its place before anybody can read that it is there.
                with disk_errors("publish the model"):
                    draft.path.rename(target)
                    for directory in (target.parent, self.paths.models, self.paths.home):
                        sync_directory(directory)
        except BaseException:
            # Back to where drafts are cleaned up, unless the commit itself went through. Where
            # even that fails it stays behind, and nothing lists it.
            if not draft.path.exists() and version not in self.versions(ticker):
                with suppress(OSError):
                    target.rename(draft.path)
            raise
        return manifest

    def _next_version(self, ticker: str) -> int:
        """Number the next version; no number is ever given twice, whatever became of the first."""
        with stored_values():
            (known,) = self.connection.execute(
                "SELECT max(version) FROM (SELECT version FROM versions WHERE ticker = ?1"
                " UNION SELECT version FROM alias_log WHERE ticker = ?1"
                " UNION SELECT version FROM forecasts WHERE ticker = ?1)",
                (ticker,),
            ).fetchone()
            version: int = 1 + (known or 0)
        # A killed process may have left a directory that was never published.
        while self.paths.version(ticker, version).exists():
            version += 1
        return version

    def aliases(self, ticker: str) -> Mapping[str, int]:
        """Read what every alias of a ticker points at."""
        with database_errors():
            rows = self.connection.execute(
                "SELECT name, version FROM aliases WHERE ticker = ? ORDER BY name", (ticker,)
            ).fetchall()
        return dict(rows)

    def promote(self, ticker: str, version: int, *, reason: str, at: str) -> None:
        """Point "champion" at a version and "previous" at the one it replaces.

        Args:
            ticker: Whose.
            version: Published.
            reason: Kept in the log.
            at: UTC timestamp.
        """
        with transaction(self.connection):
            self._promote(ticker, version, reason, at)

    def _promote(self, ticker: str, version: int, reason: str, at: str) -> None:
        champion = self.aliases(ticker).get(CHAMPION)
        if champion == version:
            return
        if champion is not None:
            self._point(ticker, PREVIOUS, champion, reason, at)
        self._point(ticker, CHAMPION, version, reason, at)

    def _point(self, ticker: str, name: str, version: int, reason: str, at: str) -> None:
        self.connection.execute(
            "INSERT INTO alias_log (at, ticker, name, version, replaced, reason) VALUES"
            " (?1, ?2, ?3, ?4, (SELECT version FROM aliases WHERE ticker = ?2 AND name = ?3), ?5)",
            (at, ticker, name, version, reason),
        )
        self.connection.execute(
            "INSERT OR REPLACE INTO aliases VALUES (?, ?, ?)", (ticker, name, version)
        )

    def alias_log(self, ticker: str) -> list[AliasChange]:
        """Read every change of a ticker's aliases, oldest first."""
        with database_errors():
            rows = self.connection.execute(
                "SELECT at, name, version, replaced, reason FROM alias_log"
                " WHERE ticker = ? ORDER BY id",
                (ticker,),
            ).fetchall()
        return [AliasChange(*row) for row in rows]
