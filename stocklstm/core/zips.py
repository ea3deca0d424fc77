"""ZIP archives that may come from anybody, opened without trusting what they say of themselves.

Nothing is ever unpacked to a path that an archive names: members are looked up, bounded and read
into memory.
"""

import errno
import lzma
import struct
import zipfile
import zlib
from typing import BinaryIO

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")

# A directory of this size lists thousands of members; Python reads it whole into objects that are
# many times larger.
_MOST_DIRECTORY_BYTES = 1 << 20

ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,  # a way of compressing that zipfile does not know
    RuntimeError,
    ValueError,
    OverflowError,  # a place beyond what a file can have
)
"""What `zipfile` raises on bytes that are no sound archive."""


def open_archive(
    file: BinaryIO, most_directory_bytes: int = _MOST_DIRECTORY_BYTES
) -> zipfile.ZipFile:
    """Open a seekable archive whose directory is small and which hides nothing behind its end.

    Raises:
        ValueError: It is none, or its directory is larger than that.
    """
    tail_size = _END.size + _LOCATOR.size + _END64.size
    try:
        size = file.seek(0, 2)
        file.seek(max(0, size - tail_size))
        tail = file.read(tail_size + 1)
    except OSError as error:
        # Such as of a file of /proc, which has no end.
        raise ValueError(f"it cannot be read: {error.strerror}") from error
    if len(tail) < _END.size or tail[-_END.size :][:4] != b"PK\x05\x06":
        raise ValueError("it is no ZIP archive, or something follows its end")
    directory_bytes = _END.unpack(tail[-_END.size :])[5]
    if len(tail) == tail_size and tail[-_END.size - _LOCATOR.size :][:4] == b"PK\x06\x07":
        # An archive of the large kind says it a second time; readers believe that place.
        directory_bytes = _END64.unpack(tail[: _END64.size])[8]
    if directory_bytes > most_directory_bytes:
        raise ValueError(f"its directory has {directory_bytes} bytes")
    try:
        return zipfile.ZipFile(file)
    except ZIP_ERRORS as error:
        raise ValueError(str(error)) from error


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, size: int) -> bytes:
    """Read a member that should have a known size in bytes, and never more than that.

    Raises:
        ValueError: It has another size, or cannot be read.
    """
    try:
        with archive.open(member) as stream:
            content = stream.read(size + 1)
    except ZIP_ERRORS as error:
        raise ValueError(f"{member.filename[:100]!a} cannot be read: {error}") from error
    except OSError as error:
        # The directory puts it before the beginning of the file.
        if error.errno != errno.EINVAL:
            raise
        raise ValueError(f"{member.filename[:100]!a} lies outside of the archive") from error
    if len(content) != size:
        more = "more than" if len(content) > size else f"{len(content)} and not"
        raise ValueError(f"{member.filename[:100]!a} has {more} {size} bytes")
    return content
