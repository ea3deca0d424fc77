"""Bundles: one version of a model as one file, to be taken to another store.

A ZIP archive of `manifest.json` and every file that it lists, and nothing else. The same version
always gives the same bytes: nothing is compressed, dated or ordered by chance.
"""

import io
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from stocklstm.core.digest import sha256_hex
from stocklstm.core.zips import ZIP_ERRORS, open_archive, read_member
from stocklstm.errors import (
    ArtifactCorruptError,
    ArtifactVersionError,
    ConfigError,
    NotFoundError,
)
from stocklstm.store.manifest import FILE_NAME, MOST_MANIFEST_BYTES, SERVING_FILE, Manifest
from stocklstm.store.untrusted_manifest import decode_untrusted_manifest

MOST_FILES = 250
MOST_SERVING_BYTES = 64 << 20
MOST_FILE_BYTES = 128 << 20
MOST_BYTES = 256 << 20

_AGAIN = "ask for it again; it is made with: stocklstm models export --format bundle"


@dataclass(frozen=True)
class Bundle:
    """An open bundle, which holds exactly the files that its manifest lists.

    Attributes:
        sha256: Of the manifest's bytes.
        name: What to call it in messages.
    """

    manifest: Manifest
    sha256: str
    archive: zipfile.ZipFile
    name: str

    def read(self, name: str) -> bytes:
        """Read one file and check its size and hash against the manifest."""
        record = self.manifest.files[name]
        try:
            content = read_member(self.archive, self.archive.getinfo(name), record.size)
        except ValueError as error:
            raise damaged(self.name, str(error)) from error
        if sha256_hex(content) != record.sha256:
            raise damaged(self.name, f"{name} is not the file that its manifest lists (sha256)")
        return content


def damaged(name: str, reason: str) -> ArtifactCorruptError:
    """Make the error of a model that cannot be imported.

    Args:
        reason: What is wrong, without a full stop.
    """
    return ArtifactCorruptError(f"{name} cannot be imported: {reason}", hint=_AGAIN)


def encode_bundle(manifest: bytes, files: dict[str, bytes]) -> bytes:
    """Pack a version into a ZIP archive.

    Raises:
        ConfigError: It is larger than a bundle may be.
    """
    sizes = {name: len(content) for name, content in files.items()}
    fault = _oversize(sizes)
    if fault or len(manifest) > MOST_MANIFEST_BYTES:
        reason = fault or "its manifest is too large"
        raise ConfigError(
            f"this version does not fit into a bundle: {reason}",
            hint="take --format onnx, which writes the graph alone",
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in [(FILE_NAME, manifest), *sorted(files.items())]:
            member = zipfile.ZipInfo(name)
            # The same on every system: a regular file that everybody may read.
            member.create_system = 3
            member.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(member, content)
    return buffer.getvalue()


@contextmanager
def open_bundle(path: Path) -> Iterator[Bundle]:
    """Open a bundle from anybody and check all but the contents of its files.

    Raises:
        NotFoundError: There is no such file.
        ArtifactCorruptError: It is no bundle; ArtifactVersionError if one of another format.
    """
    name = ascii(path.name[:100])
    with _opened(path) as file:
        try:
            with open_archive(file) as archive:
                yield _checked(archive, name)
        except ValueError as error:
            raise damaged(name, str(error)) from error
        except ZIP_ERRORS as error:
            raise damaged(name, str(error)) from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        if not path.is_file():
            raise NotFoundError(f"there is no file {path}", hint="check the path of the bundle")
        if path.stat().st_size > MOST_BYTES + (MOST_MANIFEST_BYTES << 1):
            raise damaged(ascii(path.name[:100]), "it is larger than a bundle may be")
        file = path.open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NotFoundError(
            f"{str(path)[:100]!a} cannot be read: {reason}",
            hint="check the path of the bundle",
        ) from error
    with file:
        yield file


def _checked(archive: zipfile.ZipFile, name: str) -> Bundle:
    members = archive.infolist()
    names = sorted(member.filename for member in members)
    if FILE_NAME not in names:
        raise ArtifactCorruptError(
            f"{name} cannot be imported: it holds no {FILE_NAME}, as bundles do",
            hint=f"if it holds the files of a tutorial: unzip {name} -d classic, then "
            "stocklstm models import classic --ticker PETR4.SA",
        )
    for member in members:
        _require_plain(member)
    if names.count(FILE_NAME) != 1:
        raise ValueError(f"it holds {FILE_NAME} more than once")
    header = archive.getinfo(FILE_NAME)
    if header.file_size > MOST_MANIFEST_BYTES:
        raise ValueError(f"its manifest has {header.file_size} bytes")
    content = read_member(archive, header, header.file_size)
    try:
        manifest = decode_untrusted_manifest(content)
    except ArtifactVersionError as error:
        raise ArtifactVersionError(f"{name}: {error.message}", hint=_newer(error)) from error
    except ArtifactCorruptError as error:
        raise ValueError(error.message) from error
    if names != sorted([FILE_NAME, *manifest.files]):
        raise ValueError("its files are not exactly those that its manifest lists, each once")
    if SERVING_FILE not in manifest.files:
        raise ValueError(f"it holds no {SERVING_FILE}")
    fault = _oversize({file: record.size for file, record in manifest.files.items()})
    if fault:
        raise ValueError(fault)
    return Bundle(manifest, sha256_hex(content), archive, name)


def _newer(error: ArtifactVersionError) -> str:
    upgrade = error.hint is not None and "upgrade" in error.hint
    return "upgrade with: pip install --upgrade stocklstm" if upgrade else _AGAIN


def _require_plain(member: zipfile.ZipInfo) -> None:
    """Refuse links, devices, directories and encrypted members."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in {0, stat.S_IFREG} or member.is_dir():
        raise ValueError(f"{member.filename[:100]!a} is not a regular file")
    if member.flag_bits & 0x1:
        raise ValueError(f"{member.filename[:100]!a} is encrypted")
    if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise ValueError(f"{member.filename[:100]!a} is compressed in an unusual way")


def _oversize(sizes: dict[str, int]) -> str:
    """Describe the first file that is too large; empty if none is."""
    if len(sizes) > MOST_FILES:
        return f"{len(sizes)} files, more than {MOST_FILES}"
    for name, size in sizes.items():
        most = MOST_SERVING_BYTES if name == SERVING_FILE else MOST_FILE_BYTES
        if not 0 <= size <= most:
            return f"{name} has {size} bytes, more than {most}"
    total = sum(sizes.values())
    return f"{total} bytes, more than {MOST_BYTES}" if total > MOST_BYTES else ""
