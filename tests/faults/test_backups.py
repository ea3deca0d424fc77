"""backup, restore and models adopt, killed or in the midst of writers: old or new, never less."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from stocklstm import adopt_versions, backup, predict, restore, validate
from stocklstm.errors import LostDatabaseError, NotFoundError
from stocklstm.store.backups import check_unpacked, open_backup
from stocklstm.store.store import open_store
from tests.conftest import TICKER, TINY_OPTIONS
from tests.support.faults.boundaries import Fault
from tests.support.faults.chosen_boundaries import spread
from tests.support.faults.disturbed_program import Forks
from tests.support.store_samples import NOON, entry_of, publish

# Of one command, besides those that put something in its place.
MOST = 2

Content = dict[str, object]


def content(home: Path) -> Content:
    """Read what a store lists, and the files of it; nothing where there is no store."""
    try:
        with open_store(home) as store:
            versions = {owner: store.registry.versions(owner) for owner in store.registry.tickers()}
    except NotFoundError:
        return {}
    with closing(sqlite3.connect(home / "stocklstm.db")) as connection:
        found: Content = {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()  # noqa: S608
            for table in ("versions", "aliases", "alias_log", "forecasts")
        }
    for owner, numbers in versions.items():
        for number in numbers:
            place = home / "models" / owner / f"v{number}"
            found[f"{owner}@v{number}"] = {path.name: path.read_bytes() for path in place.iterdir()}
    return found


def made(home: Path, count: int, version: int) -> Path:
    with open_store(home, create=True) as store:
        for _ in range(count):
            publish(store.registry, promotion="newer")
        store.ledger.record(entry_of(version=version))
    return home


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return made(tmp_path / "old", 1, 1)


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return made(tmp_path / "new", 2, 2)


@pytest.fixture
def file(new: Path, tmp_path: Path) -> Path:
    backup(tmp_path / "backup.zip", home=new)
    return tmp_path / "backup.zip"


def killed(
    forks: Forks, start: Callable[[Path], None], arguments: list[str], folder: Path
) -> Iterator[Path]:
    """Give the store after each kill, and remove it then."""
    start(folder / "counted")
    ended = forks.run(folder / "counted", *arguments, counted=True)
    assert ended.code == 0, ended.err
    moves = {n for n, name in enumerate(ended.crossed) if name in {"rename", "replace", "rmdir"}}
    for number in sorted(moves | set(spread("predict", ended.crossed, MOST))):
        home = folder / f"{number}"
        start(home)
        moment = "after" if number == len(ended.crossed) - 1 else "before"
        assert forks.run(home, *arguments, fault=Fault(number, moment)).killed
        yield home
        shutil.rmtree(home)


@pytest.mark.parametrize("there", ["a store", "nothing", "a lost database"])
def test_a_restored_store_is_the_old_one_or_the_new_one(
    forks: Forks, old: Path, new: Path, file: Path, tmp_path: Path, there: str
) -> None:
    def start(home: Path) -> None:
        if there == "nothing":
            home.mkdir()
            return
        shutil.copytree(old, home)
        if there == "a lost database":
            (home / "stocklstm.db").unlink()

    before, after = content(old), content(new)
    arguments = ["restore", "-q", "--replace", str(file)]
    seen = []
    for home in killed(forks, start, arguments, tmp_path):
        try:
            now = content(home)
        except LostDatabaseError:
            assert there == "a lost database"
            now = before
        assert now in ((before, after) if there != "nothing" else ({}, after))
        seen.append(now == after)
        restore(file, replace=True, home=home)
        assert content(home) == after
        left = {path.name for path in home.iterdir()}
        kept = {name for name in left if name.startswith("before-restore-")}
        assert left - kept == {"stocklstm.db", "models", "locks"}
        if there == "a store":
            assert [content(home / name) for name in kept].count(before) == 1
    assert seen == sorted(seen)
    assert set(seen) == {False, True}


def test_a_backup_is_the_old_one_or_the_new_one(
    forks: Forks, old: Path, file: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target" / "backup.zip"

    def start(home: Path) -> None:
        shutil.rmtree(target.parent, ignore_errors=True)
        target.parent.mkdir()
        shutil.copy(file, target)
        shutil.copytree(old, home)

    before, seen = content(old), []
    arguments = ["backup", "-q", "--replace", str(target)]
    for home in killed(forks, start, arguments, tmp_path):
        assert content(home) == before
        with open_backup(target) as found:
            found.unpack(tmp_path / "unpacked")
        seen.append(len(check_unpacked(tmp_path / "unpacked", "it")))
        shutil.rmtree(tmp_path / "unpacked")
        backup(target, replace=True, home=home)
        assert [path.name for path in target.parent.iterdir()] == ["backup.zip"]
    assert set(seen) == {1, 2}
    assert seen == sorted(seen, reverse=True)


def test_models_that_are_being_adopted_are_there_whatever_happens(
    forks: Forks, new: Path, tmp_path: Path
) -> None:
    with open_store(new) as store:
        files = [store.paths.version(TICKER, number) for number in (1, 2)]
        published = store.registry.published(TICKER)
    assert all(path.is_dir() for path in files)

    def start(home: Path) -> None:
        shutil.copytree(new, home)
        (home / "stocklstm.db").write_bytes(b"")

    for home in killed(forks, start, ["models", "adopt", "-q"], tmp_path):
        assert not adopt_versions(home=home).failures
        with open_store(home) as store:
            assert store.registry.published(TICKER) == published == {1: NOON, 2: NOON}
            assert store.registry.aliases.of(TICKER) == {"champion": 2, "previous": 1}
            assert store.registry.aliases.faults() == []


def test_a_backup_that_is_taken_while_others_write_is_one_moment(
    forks: Forks, model_home: Path, tmp_path: Path
) -> None:
    prices = str(forks.folder / "prices.csv")
    writer = forks.start(
        model_home,
        ["predict", "-q"],
        ["train", "-q", "-t", TICKER, *TINY_OPTIONS, "--seed", "5", "--promote", "always"],
        ["fetch", "-q", "-t", "ABEV3.SA", "--source", "csv", "--file", prices],
        ["predict", "-q"],
        ["quantize", "-q", "-t", TICKER, "--tolerance", "1000"],
        ["models", "gc", "-q", "--keep", "1"],
        ["predict", "-q"],
    )
    files = []
    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(writer.wait)
        while not ending.done() or not files:
            files.append(tmp_path / f"{len(files)}.zip")
            backup(files[-1], home=model_home)
            time.sleep(0.05)
    assert ending.result().code == 0, ending.result().err
    files.append(tmp_path / "last.zip")
    backup(files[-1], home=model_home)

    # The first, the last, and some in between.
    for number in sorted({0, len(files) // 3, 2 * len(files) // 3, len(files) - 1}):
        home = tmp_path / f"restored{number}"
        restore(files[number], home=home)
        checked = validate(every_version=True, deep=True, prices=True, home=home)
        assert not checked.failures
        assert [item.status for item in checked.results if item.status != "ok"] == []
        assert predict([TICKER], home=home).forecasts
    ours, theirs = (predict([TICKER], home=home).forecasts for home in (model_home, home))
    assert (ours[0].version, ours[0].point, ours[0].quantiles) == (
        *(theirs[0].version, theirs[0].point, theirs[0].quantiles),
    )
    with open_store(model_home) as one, open_store(home) as other:
        assert one.ledger.entries(TICKER) == other.ledger.entries(TICKER)
        assert one.registry.aliases.log(TICKER) == other.registry.aliases.log(TICKER)
