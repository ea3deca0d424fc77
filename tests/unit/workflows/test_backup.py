"""backup and restore: the whole store in one file, and nothing believed on the way back."""

import errno
import io
import json
import os
import sqlite3
import stat
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path

import pytest

from stocklstm import backup, predict, restore
from stocklstm.client import Client
from stocklstm.core import operating_system
from stocklstm.core.digest import sha256_hex
from stocklstm.errors import ConfigError, IntegrityError, StockLstmError, StoreLockedError
from stocklstm.store import restoring
from stocklstm.store.backups import INDEX, open_backup
from stocklstm.store.opening import open_database, open_readonly
from stocklstm.store.registry import Registry
from stocklstm.store.store import open_store
from tests.conftest import TICKER, Cli
from tests.support.copied_versions import only
from tests.support.limited_system import rename_closed
from tests.support.price_rows import PETR4
from tests.support.store_samples import DIVIDEND, NOON, WEEK, entry_of, publish
from tests.support.tampering import flip_bit, os_refuses_to_write
from tests.unit.core.test_operating_system import windows


@pytest.fixture
def shelf(home: Path) -> Path:
    """Prices, PETR4.SA@v1 and v2, a forecast and a name of one's own."""
    with open_store(home, create=True) as store:
        store.prices.merge(PETR4, WEEK, (DIVIDEND,), source="csv", at=NOON)
        publish(store.registry, promotion="first")
        publish(store.registry)
        store.registry.aliases.point(TICKER, "live", 2, reason="mine", at=NOON)
        store.registry.sign(TICKER, 1, "a signature")
        store.ledger.record(entry_of())
    return home


@pytest.fixture
def made(shelf: Path, tmp_path: Path) -> Path:
    path = tmp_path / "stocklstm.zip"
    backup(path, home=shelf)
    return path


def rows(home: Path) -> dict[str, list]:
    """Read the whole database, and every file of a version."""
    with closing(sqlite3.connect(home / "stocklstm.db")) as connection:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        found = {
            name: connection.execute(f'SELECT * FROM "{name}" ORDER BY 1, 2').fetchall()  # noqa: S608
            for (name,) in tables.fetchall()
        }
    files = sorted(path for path in (home / "models").rglob("*") if path.is_file())
    return found | {"": [(str(path.relative_to(home)), path.read_bytes()) for path in files]}


def names(home: Path) -> set[str]:
    return {path.name for path in home.iterdir()} - {"locks"} if home.exists() else set()


# There and back


def test_on_windows_a_store_that_somebody_has_open_stays(
    cli: Cli, shelf: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that is open is renamed there, not by who has opened it either."""
    monkeypatch.setattr(
        operating_system._This, "system", windows(patience_s=0.05, rename=rename_closed)
    )
    before, lying = rows(shelf), names(shelf)
    with closing(open_readonly(shelf / "stocklstm.db", lock_timeout_s=1)):
        said = cli("restore", str(made), "--replace")

        assert said.code == 75
        assert "cannot restore the store: another program has it open" in said.err
        assert "stocklstm serve" in said.err
    assert (rows(shelf), names(shelf)) == (before, lying)

    assert cli("restore", str(made), "--replace").code == 0
    assert rows(shelf) == before


def test_a_restored_store_forecasts_the_same_to_the_last_digit(
    cli: Cli, model_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, other = tmp_path / "b.zip", tmp_path / "other"
    made = predict([TICKER], home=model_home).forecasts
    written = json.loads(cli("backup", str(file), "--json").out)["backups"][0]
    taken = only(cli("restore", str(file), "--home", str(other), "--json").out, "stores")

    assert written.keys() == {"path", "created", "bytes", "tickers", "versions", "forecasts"}
    assert taken == {
        **{key: written[key] for key in ("created", "tickers", "versions", "forecasts")},
        "home": str(other),
        "program": taken["program"],
        "moved_to": None,
    }
    assert (written["tickers"], written["versions"], written["forecasts"]) == (1, 1, 1)
    assert file.stat().st_size == written["bytes"]
    assert rows(other) == rows(model_home)
    monkeypatch.setenv("STOCKLSTM_HOME", str(other))
    assert cli("validate", "--all", "--deep").code == 0
    assert predict([TICKER], home=other).forecasts[0].quantiles == made[0].quantiles
    with closing(sqlite3.connect(other / "stocklstm.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert all(p.stat().st_mode & 0o077 == 0 for p in [other, *other.rglob("*")])


def test_it_is_a_plain_archive_laid_out_as_a_store(made: Path, tmp_path: Path, shelf: Path) -> None:
    with zipfile.ZipFile(made) as archive:
        archive.extractall(tmp_path / "by hand")
    assert rows(tmp_path / "by hand") == rows(shelf)


def test_what_is_told(cli: Cli, shelf: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    file = tmp_path / "b.zip"
    said = cli("backup", str(file))
    assert said.code == 0
    assert "versions: 2" in said.out
    assert cli("backup", str(file), "--replace", "--quiet").out == f"{file}\n"
    assert cli("restore", str(file), "--home", str(tmp_path / "o"), "--quiet").out == (
        f"{tmp_path / 'o'}\n"
    )
    assert "before" in cli("restore", str(file), "--replace").out
    assert rows(shelf)["versions"]


def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(
    cli: Cli, shelf: Path, made: Path, tmp_path: Path
) -> None:
    before = made.read_bytes()
    said = cli("backup", str(made))
    assert (said.code, made.read_bytes()) == (2, before)
    assert "--replace" in said.err
    for place in (tmp_path, shelf / "models" / "b.zip", shelf / "stocklstm.db", "/dev/null"):
        assert cli("backup", str(place), "--replace").code == 2
    assert cli("backup", "-").code == 2
    assert not Path("-").exists()
    assert cli("backup", str(tmp_path / "none" / "b.zip")).code == 0
    flip_bit(shelf / "models" / TICKER / "v2" / "model.pth", 0.5)
    assert cli("backup", str(made), "--replace").code == 5
    assert made.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "none", "stocklstm.zip"]


def test_what_is_damaged_takes_the_place_of_no_backup(cli: Cli, shelf: Path, made: Path) -> None:
    before = made.read_bytes()
    with closing(sqlite3.connect(shelf / "stocklstm.db")) as connection, connection:
        connection.execute("UPDATE forecasts SET point = point + 1")

    said = cli("backup", str(made), "--replace")

    assert said.code == 5
    assert "no backup is made of it: the forecasts" in said.err
    assert made.read_bytes() == before


def test_where_nothing_may_be_written(
    cli: Cli, shelf: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(shelf)
    with os_refuses_to_write():
        assert cli("backup", str(tmp_path / "another.zip")).code == 0
    (tmp_path / "file").write_text("in the way")
    assert cli("backup", str(tmp_path / "file" / "b.zip")).code == 2
    assert cli("restore", str(made), "--home", str(tmp_path / "file")).code == 2
    assert cli("restore", str(made), "--home", str(tmp_path / "file" / "below")).code == 2

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert cli("backup", str(tmp_path / "full.zip")).code == 75
    assert cli("restore", str(made), "--replace").code == 75
    assert rows(shelf) == before
    assert not (tmp_path / "full.zip").exists()
    assert names(shelf) == {"stocklstm.db", "models"}


def test_no_store_is_no_backup(cli: Cli, tmp_path: Path) -> None:
    assert cli("backup", str(tmp_path / "b.zip")).code == 4
    assert cli("restore", str(tmp_path / "b.zip")).code == 4
    os.mkfifo(tmp_path / "pipe")
    said = cli("restore", str(tmp_path / "pipe"))
    assert said.code == 4
    assert "pipe is no file" in said.err
    assert not (tmp_path / "home").exists()


def test_a_version_that_is_removed_meanwhile_begins_it_anew(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stocklstm.workflows import backup as module

    right, calls = module.copy_database, []

    def copy(connection: sqlite3.Connection, path: Path) -> None:
        right(connection, path)
        if not calls:
            with open_store(shelf) as other:
                other.registry.aliases.drop(TICKER, "live", reason="mine", at=NOON)
                other.registry.remove(TICKER, 2, at=NOON)
        calls.append(path)

    monkeypatch.setattr(module, "copy_database", copy)
    (result,) = backup(tmp_path / "b.zip", home=shelf).results
    assert (result.versions, len(calls)) == (1, 2)
    restore(tmp_path / "b.zip", home=tmp_path / "other")
    assert rows(tmp_path / "other") == rows(shelf)


# What is there already


def test_a_store_is_never_written_over(cli: Cli, shelf: Path, made: Path) -> None:
    before = rows(shelf)
    (shelf / "evening.log").write_text("not the store's")
    (shelf / "runs" / "one").mkdir(parents=True)
    (shelf / "reports").mkdir()
    with open_store(shelf) as store:
        publish(store.registry, promotion="newer")
        changed = rows(shelf)
        assert cli("restore", str(made)).code == 2
        assert rows(shelf) == changed

        done = only(cli("restore", str(made), "--replace", "--json").out, "stores")

    assert rows(shelf) == before
    moved = Path(done["moved_to"])
    assert rows(moved) == changed
    assert moved.parent == shelf
    assert names(shelf) == {"stocklstm.db", "models", "evening.log", moved.name}
    assert {"runs", "reports"} <= names(moved)


@pytest.mark.parametrize("how", ["lost", "damaged", "a directory", "empty"])
def test_what_stands_in_the_way_is_moved_aside(cli: Cli, shelf: Path, made: Path, how: str) -> None:
    before = rows(shelf)
    database = shelf / "stocklstm.db"
    if how == "damaged":
        database.write_bytes(b"no database" * 1000)
    else:
        database.unlink()
    if how == "a directory":
        (database / "inside").mkdir(parents=True)
    if how == "empty":
        for name in ("v1", "v2"):
            for file in (shelf / "models" / TICKER / name).iterdir():
                file.unlink()
            (shelf / "models" / TICKER / name).rmdir()
        with open_store(shelf, create=True):
            pass
    else:
        assert cli("restore", str(made)).code == 2
    options = [] if how == "empty" else ["--replace"]
    assert cli("restore", str(made), *options).code == 0
    assert rows(shelf) == before


@pytest.mark.parametrize("models", [True, False])
@pytest.mark.parametrize("opener", [open_database, open_readonly])
def test_who_opens_the_store_meanwhile_makes_no_other_one(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opener: Callable, models: bool
) -> None:
    with open_store(home, create=True) as store:
        store.prices.merge(PETR4, WEEK, (DIVIDEND,), source="csv", at=NOON)
        if models:
            publish(store.registry, promotion="first")
    backup(tmp_path / "b.zip", home=home)
    path, real, opening = home / "stocklstm.db", restoring.sync_directory, []

    def read() -> int:
        with closing(opener(path, lock_timeout_s=20)) as connection:
            return connection.execute("SELECT count(*) FROM prices").fetchone()[0]

    def step(directory: Path) -> None:
        real(directory)
        opening.append(pool.submit(read))
        # It may wait, or be done: whichever it is, it is on its way by then.
        wait(opening[-1:], timeout=0.1)

    with ThreadPoolExecutor(8) as pool:
        monkeypatch.setattr(restoring, "sync_directory", step)
        restore(tmp_path / "b.zip", replace=True, home=home)
        assert {each.result() for each in opening} == {len(WEEK)}

    assert "restoring" not in names(home)
    assert rows(home)["prices"]


def test_who_writes_comes_first(shelf: Path, made: Path) -> None:
    with (
        open_store(shelf) as store,
        store.transaction(),
        pytest.raises(StoreLockedError, match="is writing"),
    ):
        restore(made, replace=True, home=shelf, lock_timeout_s=0.1)
    assert "restoring" not in names(shelf)
    assert not [name for name in names(shelf) if name.startswith(".restoring")]


# From strangers

Files = dict[str, bytes]


def packed(path: Path, files: Files, *, change: Callable[[zipfile.ZipInfo], None] = id) -> Path:
    """Write an archive, with an index that fits unless there is one among the files."""
    if INDEX not in files:
        members = [
            {"name": name, "size": len(content), "sha256": sha256_hex(content)}
            for name, content in files.items()
        ]
        index = {"format": 1, "program": "0.1", "created": NOON, "members": members}
        files = files | {INDEX: json.dumps(index).encode()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFREG | 0o600) << 16
            change(info)
            archive.writestr(info, content)
    return path


def files_of(path: Path) -> Files:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name != INDEX}


def _with(**files: bytes) -> Callable[[Files], Files]:
    return lambda before: before | {name.replace("__", "/"): c for name, c in files.items()}


def _named(name: str) -> Callable[[Files], Files]:
    return lambda files: files | {name: b"x"}


def _in_database(*statements: str) -> Callable[[Files], Files]:
    def change(files: Files) -> Files:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            connection.deserialize(_rollback_mode(files["stocklstm.db"]))
            for statement in statements:
                connection.execute(statement)
            return files | {"stocklstm.db": connection.serialize()}

    return change


def _rollback_mode(database: bytes) -> bytes:
    """Let a database be read from memory, which has no journal beside it."""
    return database[:18] + b"\x01\x01" + database[20:]


def _swapped(files: Files) -> Files:
    one, other = (f"models/{TICKER}/v{number}/manifest.json" for number in (1, 2))
    return files | {one: files[other], other: files[one]}


HOSTILE: dict[str, Callable[[Files], Files]] = {
    "outside": _named("../outside"),
    "absolute": _named("/etc/outside"),
    "outside by a ticker": _named("models/../v1/x"),
    "a ticker that is none": _named("models/petr4.sa/v1/x"),
    "a directory's place": _named(f"models/{TICKER}/v1"),
    "a journal": _named("stocklstm.db-wal"),
    "a file of the store's": _named("locks/PETR4.SA.lock"),
    "a version that is not listed": _named(f"models/{TICKER}/v7/manifest.json"),
    "another file of a version": lambda files: {
        name: (b"y" if name.endswith("v1/model.pth") else content)
        for name, content in files.items()
    },
    "a version that is missing": lambda files: {
        name: content for name, content in files.items() if "/v2/" not in name
    },
    "no database": lambda files: {n: c for n, c in files.items() if n != "stocklstm.db"},
    "no SQLite": _with(**{"stocklstm.db": b"text" * 1000}),
    "an empty database": _with(**{"stocklstm.db": b""}),
    "swapped": _swapped,
    "of another program": _in_database("PRAGMA application_id = 7"),
    "newer": _in_database("PRAGMA user_version = 999"),
    "a trigger": _in_database(
        "CREATE TRIGGER evil AFTER INSERT ON forecasts BEGIN DELETE FROM prices; END"
    ),
    "a view": _in_database("DROP TABLE trials", "CREATE VIEW trials AS SELECT 1 AS study"),
    "another table": _in_database("CREATE TABLE evil (x)"),
    "another column": _in_database("ALTER TABLE aliases ADD COLUMN evil TEXT"),
    "escapes": _in_database("UPDATE alias_log SET reason = 'x' || char(27) || '[2J'"),
    "another price": _in_database("UPDATE prices SET close = close + 1"),
    "a ticker that leads out": _in_database("UPDATE forecasts SET ticker = '../../x'"),
    "orphans": _in_database("DELETE FROM instruments"),
    "another hash": _in_database("UPDATE versions SET manifest_sha256 = 'x'"),
    "no index": lambda files: files | {INDEX: b""},
    "an index that is no list": lambda files: files | {INDEX: b"[" * 100_000},
    "an index of another format": lambda files: files | {INDEX: b'{"format": 2}'},
    "an index with nothing": lambda files: (
        files | {INDEX: b'{"format": 1, "program": "", "created": "", "members": []}'}
    ),
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_a_backup_from_a_stranger_is_refused_and_nothing_is_left(
    cli: Cli, made: Path, tmp_path: Path, attack: str
) -> None:
    hostile, other = tmp_path / "hostile.zip", tmp_path / "other"
    packed(hostile, HOSTILE[attack](files_of(made)))
    before = set(tmp_path.rglob("*"))

    said = cli("restore", str(hostile), "--home", str(other))

    assert said.code == 5, said
    first, hint = said.err.splitlines()
    assert first.startswith("error: ")
    assert hint.startswith("  next: ")
    # The store that is in use is not what is damaged.
    assert "move it away" not in hint
    assert ("pip install --upgrade" in hint) == (attack in {"newer", "an index of another format"})
    assert first.isprintable()
    assert names(other) == set()
    assert set(tmp_path.rglob("*")) - before <= {other, other / "locks"}


def test_the_way_it_is_packed_here_is_a_sound_one(made: Path, tmp_path: Path, shelf: Path) -> None:
    again = packed(tmp_path / "again.zip", files_of(made))
    restore(again, home=tmp_path / "other")
    assert rows(tmp_path / "other") == rows(shelf)


def _link(info: zipfile.ZipInfo) -> None:
    if info.filename.endswith("model.pth"):
        info.external_attr = (stat.S_IFLNK | 0o777) << 16


def _deflated(info: zipfile.ZipInfo) -> None:
    info.compress_type = zipfile.ZIP_DEFLATED


@pytest.mark.parametrize("change", [_link, _deflated])
def test_members_that_no_backup_has(made: Path, tmp_path: Path, change: Callable) -> None:
    hostile = packed(tmp_path / "hostile.zip", files_of(made), change=change)
    with pytest.raises(IntegrityError):
        restore(hostile, home=tmp_path / "other")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_comes_twice(made: Path, tmp_path: Path) -> None:
    content = made.read_bytes()
    hostile = tmp_path / "hostile.zip"
    hostile.write_bytes(content)
    with zipfile.ZipFile(hostile, "a") as archive:
        archive.writestr("stocklstm.db", b"another")
    with pytest.raises(IntegrityError, match="more than once"):
        restore(hostile, home=tmp_path / "other")


def test_a_bomb_is_refused_before_the_disk_is_full(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stocklstm.workflows import backup as module

    usage = module.disk_usage(tmp_path)
    monkeypatch.setattr(module, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(StockLstmError, match="are free"):
        restore(made, home=tmp_path / "other")
    assert names(tmp_path / "other") == set()


def test_every_way_of_cutting_it_off_is_found(made: Path, tmp_path: Path) -> None:
    content, cut = made.read_bytes(), tmp_path / "cut.zip"
    for size in range(0, len(content), max(1, len(content) // 300)):
        cut.write_bytes(content[:size])
        with pytest.raises(IntegrityError), open_backup(cut):
            pytest.fail(f"{size} bytes are enough")
    cut.write_bytes(content + b"\0")
    with pytest.raises(IntegrityError), open_backup(cut):
        pytest.fail("something may follow")


def test_every_byte_that_matters_is_vouched_for(made: Path, tmp_path: Path, shelf: Path) -> None:
    """What ZIP does not use, such as the times of files, may be anything: all else is found."""
    content, flipped = made.read_bytes(), tmp_path / "flipped.zip"
    before, found = rows(shelf), 0
    places = range(0, len(content), max(1, len(content) // 60))
    for number, place in enumerate(places):
        flipped.write_bytes(
            content[:place] + bytes([content[place] ^ (1 << number % 8)]) + content[place + 1 :]
        )
        other = tmp_path / f"other{number}"
        try:
            restore(flipped, home=other)
        except IntegrityError:
            found += 1
            assert names(other) == set()
        else:
            assert rows(other) == before
    assert found > 50


def test_a_store_of_before_is_brought_up_to_date(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stocklstm.store import database

    with monkeypatch.context() as old:
        old.setattr(database, "_MIGRATIONS", database._MIGRATIONS[:4])
        old.setattr(database, "SCHEMA_VERSION", 4)
        with open_store(home, create=True) as store:
            connection = store.registry.connection
            connection.execute(
                "INSERT INTO instruments VALUES (?, 'BRL', 'SAO', 'UTC', 'csv', ?, 'BVMF')",
                (TICKER, NOON),
            )
            connection.execute(
                "INSERT INTO prices VALUES (?, '2024-03-11', 36, 37, 35, 36, 36, 1, 'csv', ?)",
                (TICKER, NOON),
            )
        backup(tmp_path / "old.zip", home=home)
    restore(tmp_path / "old.zip", home=tmp_path / "other")
    with open_store(tmp_path / "other") as store:
        assert store.prices.bars(TICKER).closes.tolist() == [36.0]


def test_a_client_goes_on_with_what_was_restored(shelf: Path, made: Path) -> None:
    with Client(shelf) as client:
        registry: Registry = client.store().registry
        publish(registry)
        client.restore(made, replace=True)
        assert client.store().registry.versions(TICKER) == [1, 2]
        with pytest.raises(ConfigError):
            client.backup(shelf / "stocklstm.db", replace=True)


def test_a_backup_is_a_stream_of_bytes_that_zip_tools_read(made: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(made.read_bytes())) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[-1] == INDEX
