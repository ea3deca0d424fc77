"""Versions that lie on the disk and that the database does not list.

They are there after a database was lost, or replaced by an older one, and where a process was
killed between the two steps of publishing or removing.
"""

from collections.abc import Iterator
from typing import NamedTuple

from stocklstm.core.digest import sha256_hex
from stocklstm.core.reference import version_id
from stocklstm.errors import ArtifactCorruptError, StockLstmError
from stocklstm.store.manifest import (
    FILE_NAME,
    MOST_MANIFEST_BYTES,
    Manifest,
    corrupt,
    decode_manifest,
    read_version_file,
)
from stocklstm.store.paths import StorePaths


class Found(NamedTuple):
    """A version as it lies on the disk, whole.

    Attributes:
        manifest: What it says of itself.
        content: Bytes of the manifest.
    """

    manifest: Manifest
    content: bytes

    @property
    def sha256(self) -> str:
        """Hash of the manifest's bytes."""
        return sha256_hex(self.content)


def read_unlisted(paths: StorePaths, owner: str, version: int) -> Found:
    """Read a version, and compare every file with what its manifest says of it.

    Raises:
        ArtifactCorruptError: A file is missing or another one, or there is no such manifest;
            ArtifactVersionError if that is of a format that is not read.
        StorageError: It cannot be read now, and may be sound; ConfigError likewise.
    """
    files = read_files(paths, owner, version)
    _, content = next(files)
    for _ in files:
        pass
    return Found(decode_manifest(content, owner, version), content)


def read_files(paths: StorePaths, owner: str, version: int) -> Iterator[tuple[str, bytes]]:
    """Give name and content of every file of a version, the manifest first; see `read_unlisted`."""
    content = read_version_file(paths, owner, version, FILE_NAME, MOST_MANIFEST_BYTES)
    yield FILE_NAME, content
    manifest = decode_manifest(content, owner, version)
    for name, record in manifest.files.items():
        found = read_version_file(paths, owner, version, name, record.size)
        if len(found) != record.size or sha256_hex(found) != record.sha256:
            raise corrupt(manifest.id, f"{name} is not the file that its manifest lists")
        yield name, found


def reason_to_keep(
    paths: StorePaths, owner: str, version: int, removed: str | None = None
) -> str | None:
    """Say why an unlisted version is not to be cleaned up; None if nobody can need it.

    Args:
        removed: Hash of the manifest of the version that had this number and was removed on
            purpose, if one was.
    """
    try:
        found = read_unlisted(paths, owner, version)
    except ArtifactCorruptError:
        return None
    except StockLstmError as error:
        # Of a newer format, or on a disk that fails just now: it may well be sound.
        return error.message
    if found.sha256 == removed:
        return None
    return f"sound, but not listed: stocklstm models adopt {version_id(owner, version)}"
