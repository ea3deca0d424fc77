"""backup and restore: the whole store in one file, and back."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage

from stocklstm.core.batch import Batch, Result
from stocklstm.core.clock import utc_now
from stocklstm.core.digest import sha256_hex
from stocklstm.core.reference import version_id
from stocklstm.errors import (
    ArtifactCorruptError,
    ConfigError,
    IntegrityError,
    StorageError,
    StoreLockedError,
)
from stocklstm.store.backups import (
    Backup,
    BackupWriter,
    Row,
    backup_writer,
    check_unpacked,
    counted,
    listed_versions,
    open_backup,
)
from stocklstm.store.database import copy_database, file_size, require_sqlite
from stocklstm.store.disk import disk_errors, sync_file
from stocklstm.store.manifest import corrupt
from stocklstm.store.opening import open_readonly
from stocklstm.store.paths import StorePaths, owners_on_disk
from stocklstm.store.restoring import finish, is_pending, put_in_place, staged
from stocklstm.store.store import Store
from stocklstm.store.unlisted import read_files
from stocklstm.store.untrusted_manifest import decode_untrusted_manifest
from stocklstm.store.user_files import file_in_the_making
from stocklstm.workflows.environment import packages

# A version that is removed while the store is read makes it begin anew.
_ATTEMPTS = 5

# What an empty store has nothing in.
_HELD = ("instruments", "versions", "forecasts", "studies")


@dataclass(frozen=True, repr=False)
class MadeBackup(Result):
    """A backup that was written.

    Attributes:
        path: The file.
        created: UTC timestamp.
        bytes: Its size.
        tickers: How many have prices in it.
        versions: How many versions of models are in it.
        forecasts: How many forecasts on record.
    """

    path: str
    created: str
    bytes: int
    tickers: int
    versions: int
    forecasts: int


@dataclass(frozen=True, repr=False)
class RestoredStore(Result):
    """A store that was made of a backup.

    Attributes:
        home: Its directory.
        created: UTC timestamp of the backup.
        program: Version of the program that made it.
        tickers: How many have prices.
        versions: How many versions of models there are.
        forecasts: How many forecasts on record.
        moved_to: Where the store is that was there before; None if there was none.
    """

    home: str
    created: str
    program: str
    tickers: int
    versions: int
    forecasts: int
    moved_to: str | None


BackupResult = Batch[MadeBackup]
RestoreResult = Batch[RestoredStore]


def back_up(store: Store, path: Path) -> BackupResult:
    """Write the whole store to one file; see `Client.backup`."""
    created = utc_now()
    with file_in_the_making(path, "FILE") as draft:
        copy = draft.with_name("stocklstm.db")
        for _ in range(_ATTEMPTS):
            rows = _attempt(store, draft, copy, created)
            if rows is not None:
                break
        else:
            raise StoreLockedError(
                "versions are being removed faster than they can be read",
                hint="run it again once models gc has ended",
            )
        tickers, forecasts = counted(copy)
        size = draft.stat().st_size
    made = MadeBackup(str(path), created, size, tickers, len(rows), forecasts)
    return Batch((made,))


def _attempt(store: Store, draft: Path, copy: Path, created: str) -> Sequence[Row] | None:
    """Copy the database, then what it lists; None if a version was removed in between."""
    copy.unlink(missing_ok=True)
    copy_database(store.registry.connection, copy)
    rows = listed_versions(copy)
    with draft.open("wb") as file:
        with backup_writer(file) as writer:
            writer.add_database(copy)
            for row in rows:
                try:
                    _add_version(store, writer, row)
                except ArtifactCorruptError:
                    if row[1] not in store.registry.versions(row[0]):
                        return None
                    raise
            writer.add_index(packages()["stocklstm"], created)
        sync_file(file)
    return rows


def _add_version(store: Store, writer: BackupWriter, row: Row) -> None:
    owner, version, sha256 = row
    place = f"models/{owner}/v{version}"
    for number, (name, content) in enumerate(read_files(store.paths, owner, version)):
        if number == 0:
            if sha256_hex(content) != sha256:
                raise corrupt(version_id(owner, version), f"{name} is not what was published")
            decode_untrusted_manifest(content)
        writer.add(f"{place}/{name}", content)


def restore(
    paths: StorePaths, file: Path, *, replace: bool, lock_timeout_s: float
) -> RestoreResult:
    """Make a store of a backup; see `Client.restore`."""
    require_sqlite()
    with open_backup(file) as backup:
        if is_pending(paths):
            finish(paths, lock_timeout_s)
        if not replace and _holds_anything(paths, lock_timeout_s):
            raise ConfigError(
                f"there is a store at {paths.home}",
                hint="restore to another directory with --home, or add --replace, which moves what "
                "is there aside",
            )
        with staged(paths) as new:
            _require_room(new, backup)
            with disk_errors("restore the store"):
                backup.unpack(new)
            rows = check_unpacked(new, backup.name)
            tickers, forecasts = counted(StorePaths(new).database)
            moved_to = put_in_place(paths, new, utc_now(), lock_timeout_s)
    restored = RestoredStore(
        home=str(paths.home),
        created=backup.index.created,
        program=backup.index.program,
        tickers=tickers,
        versions=len(rows),
        forecasts=forecasts,
        moved_to=None if moved_to is None else str(moved_to),
    )
    return Batch((restored,))


def _require_room(place: Path, backup: Backup) -> None:
    """Refuse what the disk cannot hold, before it is full."""
    with disk_errors("restore the store"):
        free = disk_usage(place).free
    if backup.size > free:
        raise StorageError(
            f"{backup.name} unpacks to {backup.size:,} bytes, and {free:,} are free",
            hint="free some space, or restore to another disk with --home",
        )


def _holds_anything(paths: StorePaths, lock_timeout_s: float) -> bool:
    """Tell whether anything would have to be moved aside that somebody may miss."""
    with disk_errors("look at the store"):
        if any(owners_on_disk(paths)):
            return True
    try:
        if not file_size(paths.database):
            return False
        with closing(open_readonly(paths.database, lock_timeout_s=lock_timeout_s)) as connection:
            return any(
                connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()  # noqa: S608
                for table in _HELD
            )
    except (IntegrityError, sqlite3.Error):
        return True
