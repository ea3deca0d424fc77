"""Backups: the whole store, as it was at one moment, in one file.

A ZIP archive that is laid out as a store is: the database, every version that it lists, and
`backup.json` with the size and hash of each. What anybody may have written is believed no more than
a bundle: names are compared with those that a store can have, and contents with their hashes.
"""

import re
import sqlite3
import stat
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from stocklstm.core.digest import sha256_hasher, sha256_hex
from stocklstm.core.reference import is_owner_key
from stocklstm.core.zips import ZIP_ERRORS, open_archive, read_member
from stocklstm.errors import (
    ArtifactCorruptError,
    ArtifactVersionError,
    ConfigError,
    IntegrityError,
    NotFoundError,
    SchemaError,
)
from stocklstm.store.checksums import Checksums
from stocklstm.store.database import (
    CHECKSUMS,
    WAY_BACK,
    database_address,
    database_errors,
    foreign_parts,
    integrity_faults,
    schema_version,
    stored_values,
)
from stocklstm.store.disk import make_private, open_new, sync_file, write_durably
from stocklstm.store.paths import StorePaths, file_name, key_of
from stocklstm.store.unlisted import read_unlisted
from stocklstm.store.untrusted_manifest import decode_untrusted_manifest

FORMAT = 1
INDEX = "backup.json"
_DATABASE = "stocklstm.db"

_CHUNK = 1 << 20
_MOST_INDEX_BYTES = 64 << 20
# About 150,000 files.
_MOST_DIRECTORY_BYTES = 16 << 20

_MEMBER = re.compile(r"models/([^/]{1,40})/v([1-9][0-9]{0,8})/(\w[\w.-]{0,99})", re.ASCII)
# What would move the cursor of a terminal that it is shown on.
_UNPRINTABLE = f"*[{chr(1)}-{chr(31)}{chr(127)}-{chr(159)}]*"

Row = tuple[str, int, str]
"""Owner, version and hash of the manifest, as the database lists a version."""


class Member(msgspec.Struct, frozen=True):
    """A file of the backup."""

    name: str
    size: int
    sha256: str


class Index(msgspec.Struct, frozen=True):
    """What a backup says of itself.

    Attributes:
        format: Number of this layout.
        program: Version of the program that made it.
        created: UTC timestamp.
        members: Every other file.
    """

    format: int
    program: str
    created: str
    members: list[Member]


class _Header(msgspec.Struct):
    format: int


class BackupWriter:
    """Writes the files of a backup, one after the other."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._members: list[Member] = []

    def add(self, name: str, content: bytes) -> None:
        """Write a file of a version."""
        self._archive.writestr(_info(name, zipfile.ZIP_STORED), content)
        self._members.append(Member(name, len(content), sha256_hex(content)))

    def add_database(self, path: Path) -> None:
        """Write the database, which may be far larger than the memory."""
        digest, size = sha256_hasher(), 0
        info = _info(_DATABASE, zipfile.ZIP_DEFLATED)
        with path.open("rb") as source, self._archive.open(info, "w", force_zip64=True) as target:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                target.write(chunk)
        self._members.append(Member(_DATABASE, size, str(digest.hexdigest())))

    def add_index(self, program: str, created: str) -> None:
        """Write what the backup says of itself."""
        index = Index(FORMAT, program, created, self._members)
        content = msgspec.json.format(msgspec.json.encode(index), indent=1) + b"\n"
        directory = sum(len(member.name) + 80 for member in self._members)
        if len(content) > _MOST_INDEX_BYTES or directory > _MOST_DIRECTORY_BYTES:
            raise ConfigError(
                f"the store has too many files for one backup: {len(self._members)}",
                hint="stocklstm models gc --keep 3 removes old versions",
            )
        self._archive.writestr(_info(INDEX, zipfile.ZIP_STORED), content)


@contextmanager
def backup_writer(file: BinaryIO) -> Iterator[BackupWriter]:
    """Begin a backup in an open file; it is whole at the end."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        yield BackupWriter(archive)


def _info(name: str, method: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type = method
    info.create_system = 3
    info.external_attr = (stat.S_IFREG | 0o600) << 16
    return info


def listed_versions(database: Path) -> list[Row]:
    """Read which versions a copy of a database lists, after a look at every page of it.

    Raises:
        SchemaError: It is damaged.
    """
    with _reading(database) as connection:
        faults = [*integrity_faults(connection), *_changed_rows(connection)]
        if faults:
            raise ArtifactCorruptError(
                f"the database is damaged, and no backup is made of it: {faults[0][:200]}",
                hint="stocklstm validate says what still holds; stocklstm restore FILE goes back",
            )
        return _rows(connection)


def counted(database: Path) -> tuple[int, int]:
    """Count the tickers that have prices in a copy of a database, and the forecasts on record."""
    with _reading(database) as connection:
        query = "SELECT (SELECT count(*) FROM instruments), (SELECT count(*) FROM forecasts)"
        tickers, forecasts = connection.execute(query).fetchone()
        return tickers, forecasts


def _rows(connection: sqlite3.Connection) -> list[Row]:
    with database_errors():
        query = "SELECT ticker, version, manifest_sha256 FROM versions ORDER BY ticker, version"
        return connection.execute(query).fetchall()


@contextmanager
def _reading(database: Path) -> Iterator[sqlite3.Connection]:
    """Open a database that nobody else has, and that anybody may have made."""
    with database_errors():
        address = database_address(database.absolute(), "ro&immutable=1")
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA cell_size_check = ON")
            yield connection


@dataclass(frozen=True)
class Backup:
    """An open backup, whose files have the names that they may have.

    Attributes:
        name: What to call it in messages.
    """

    index: Index
    archive: zipfile.ZipFile
    name: str

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(member.size for member in self.index.members)

    def unpack(self, home: Path) -> None:
        """Write every file below a new directory, and compare it with its hash."""
        paths = StorePaths(home)
        for member in self.index.members:
            match = _MEMBER.fullmatch(member.name)
            if match is None:
                make_private(home, exist_ok=True)
                self._unpack_database(member, paths.database)
                continue
            target = paths.version(match[1], int(match[2])) / match[3]
            make_private(target.parent, exist_ok=True)
            try:
                content = read_member(self.archive, self.archive.getinfo(member.name), member.size)
            except ValueError as error:
                raise damaged(self.name, str(error)) from error
            if sha256_hex(content) != member.sha256:
                raise self._changed(member)
            write_durably(target, content)

    def _unpack_database(self, member: Member, target: Path) -> None:
        digest, left = sha256_hasher(), member.size
        try:
            with self.archive.open(member.name) as source, open_new(target) as file:
                while chunk := source.read(min(_CHUNK, left + 1)):
                    left -= len(chunk)
                    if left < 0:
                        raise damaged(self.name, f"{member.name} has more than {member.size} bytes")
                    digest.update(chunk)
                    file.write(chunk)
                sync_file(file)
        except ZIP_ERRORS as error:
            raise damaged(self.name, f"{member.name} cannot be read: {error}") from error
        if left or digest.hexdigest() != member.sha256:
            raise self._changed(member)

    def _changed(self, member: Member) -> ArtifactCorruptError:
        return damaged(self.name, f"{member.name} is not the file that was backed up (sha256)")


def damaged(name: str, reason: str) -> ArtifactCorruptError:
    """Make the error of a backup that is not restored.

    Args:
        reason: What is wrong, without a full stop.
    """
    return ArtifactCorruptError(
        f"{name} is not restored: {reason}",
        hint="take another backup; it is made with: stocklstm backup FILE",
    )


@contextmanager
def open_backup(path: Path) -> Iterator[Backup]:
    """Open a backup from anybody and check all but the contents of its files.

    Raises:
        NotFoundError: There is no such file.
        ArtifactCorruptError: It is no backup; ArtifactVersionError if one of another format.
    """
    name = ascii(path.name[:100])
    try:
        if not path.is_file():
            # A pipe or a device cannot be read from its end.
            words = f"{path} is no file" if path.exists() else f"there is no file {path}"
            raise NotFoundError(words, hint="check the path of the backup")
        file = path.open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NotFoundError(
            f"{str(path)[:100]!a} cannot be read: {reason}", hint="check the path of the backup"
        ) from error
    with file:
        try:
            with open_archive(file, _MOST_DIRECTORY_BYTES) as archive:
                yield Backup(_checked_index(archive, name), archive, name)
        except ZIP_ERRORS as error:
            raise damaged(name, str(error)) from error


def _checked_index(archive: zipfile.ZipFile, name: str) -> Index:
    headers = {header.filename: header for header in archive.infolist()}
    # On Windows and macOS names that differ in their letter case alone are those of one file.
    if len({file.casefold() for file in headers}) != len(archive.infolist()):
        raise damaged(name, "it holds a file more than once")
    for header in headers.values():
        _require_plain(header)
    if INDEX not in headers:
        raise damaged(name, f"it holds no {INDEX}, as backups do")
    if headers[INDEX].file_size > _MOST_INDEX_BYTES:
        raise damaged(name, f"its {INDEX} has {headers[INDEX].file_size} bytes")
    index = _decoded(read_member(archive, headers[INDEX], headers[INDEX].file_size), name)
    sizes = {member.name: member.size for member in index.members}
    there = {file: header.file_size for file, header in headers.items() if file != INDEX}
    if len(sizes) != len(index.members) or sizes != there:
        raise damaged(name, f"its files are not exactly those that {INDEX} lists, each once")
    if _DATABASE not in sizes:
        raise damaged(name, f"it holds no {_DATABASE}")
    for file in sizes:
        if file != _DATABASE and not _is_member(file):
            raise damaged(name, f"{file[:100]!a} is no file of a store")
    return index


def _require_plain(header: zipfile.ZipInfo) -> None:
    """Refuse links, devices, directories, and what is compressed where nothing needs to be."""
    kind = stat.S_IFMT(header.external_attr >> 16)
    deflated = header.filename == _DATABASE and header.compress_type == zipfile.ZIP_DEFLATED
    if kind not in {0, stat.S_IFREG} or header.is_dir():
        raise ValueError(f"{header.filename[:100]!a} is not a regular file")
    if header.flag_bits & 0x1 or not (deflated or header.compress_type == zipfile.ZIP_STORED):
        raise ValueError(f"{header.filename[:100]!a} is encrypted or compressed")
    # So that all files together are no larger than the backup.
    if not deflated and header.compress_size != header.file_size:
        raise ValueError(f"{header.filename[:100]!a} has two sizes")


def _decoded(content: bytes, name: str) -> Index:
    try:
        found = msgspec.json.decode(content, type=_Header).format
        if found != FORMAT:
            raise ArtifactVersionError(
                f"{name} is a backup of format {found}; this stocklstm reads {FORMAT}",
                hint="upgrade with: pip install --upgrade stocklstm",
            )
        index = msgspec.json.decode(content, type=Index)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise damaged(name, f"its {INDEX} cannot be read: {error}") from error
    if not (f"{index.program}{index.created}".isprintable() and len(index.program) < 60):
        raise damaged(name, f"its {INDEX} holds text that is not printable")
    return index


def _is_member(file: str) -> bool:
    match = _MEMBER.fullmatch(file)
    if match is None:
        return False
    return is_owner_key(match[1]) and file_name(match[3]) == match[3]


def check_unpacked(home: Path, name: str) -> list[Row]:
    """Check that an unpacked backup is a store: its database, and every version that it lists.

    Returns:
        The versions.

    Raises:
        ArtifactCorruptError: It is none; another IntegrityError likewise.
    """
    paths = StorePaths(home)
    try:
        with _reading(paths.database) as connection:
            schema_version(connection)
            _require_none(name, foreign_parts(connection), "is no part of a store's database")
            _require_none(name, integrity_faults(connection), "")
            _require_none(name, _changed_rows(connection), "")
            _require_none(name, _strange_words(connection), "holds what stocklstm never writes")
            rows = _rows(connection)
    except SchemaError as error:
        if error.hint != WAY_BACK:
            raise
        # The store that is in use is not damaged, and nobody is to move it away.
        raise damaged(name, error.message) from error
    for owner, version, sha256_of_manifest in rows:
        try:
            found = read_unlisted(paths, owner, version)
            decode_untrusted_manifest(found.content)
        except IntegrityError as error:
            raise damaged(name, error.message) from error
        if found.sha256 != sha256_of_manifest:
            raise damaged(name, f"{owner}@v{version} is not the version that was published")
    _require_none(name, _unlisted(paths, {row[:2] for row in rows}), "is not listed")
    return rows


def _require_none(name: str, faults: Iterable[str], words: str) -> None:
    for fault in faults:
        raise damaged(name, f"its database: {fault[:200]} {words}".rstrip())


def _changed_rows(connection: sqlite3.Connection) -> list[str]:
    """Say of which rows the checksums are wrong; those of before there were any have none."""
    if schema_version(connection) < CHECKSUMS:
        return []
    with stored_values():
        return Checksums(connection).all_faults()


def _unlisted(paths: StorePaths, listed: set[tuple[str, int]]) -> Iterator[str]:
    for place in paths.models.glob("*/*"):
        owner = key_of(place.parent.name)
        if (owner, int(place.name[1:])) not in listed:
            yield f"{owner}@{place.name}"


def _strange_words(connection: sqlite3.Connection) -> Iterator[str]:
    """Name columns whose words a terminal would obey, and tickers that are none."""
    with database_errors():
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            if not name.startswith("sqlite_")
        ]
        for table in tables:
            columns = connection.execute(
                "SELECT name FROM pragma_table_info(?) WHERE type = 'TEXT'", (table,)
            ).fetchall()
            for (column,) in columns:
                place = f'"{table}" WHERE "{column}" GLOB ?'
                query = f"SELECT 1 FROM {place} LIMIT 1"  # noqa: S608 - names of our own schema
                if connection.execute(query, (_UNPRINTABLE,)).fetchone():
                    yield f"{table}.{column}"
                if column == "ticker":
                    query = f'SELECT DISTINCT ticker FROM "{table}"'  # noqa: S608 - likewise
                    yield from (
                        f"{table}.ticker"
                        for (ticker,) in connection.execute(query)
                        if not (isinstance(ticker, str) and is_owner_key(ticker))
                    )
