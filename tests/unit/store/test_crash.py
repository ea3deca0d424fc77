"""A process that is killed at any step leaves a store that is whole."""

import shutil
import signal

import pytest

from stocklstm.core.reference import ModelReference
from stocklstm.errors import NoModelError
from stocklstm.store.locks import writer_lock
from stocklstm.store.manifest import FILE_NAME
from stocklstm.store.store import Store, open_store
from tests.support.price_rows import PETR4
from tests.support.store_actions import merge, release
from tests.support.store_processes import killed_at_every_step
from tests.support.store_samples import DIVIDEND, FILES, NOON, TICKER, WEEK, entry_of, publish


@pytest.fixture
def before(tmp_path):
    """A store with prices and a champion, closed properly."""
    home = tmp_path / "before"
    with open_store(home, create=True) as store:
        store.prices.merge(PETR4, WEEK, (), source="csv", at=NOON)
        publish(store.registry, promotion="first")
    return home


def prices(store: Store) -> tuple[str, tuple]:
    return store.prices.bars(TICKER).fingerprint(), store.prices.actions(TICKER)


def merged(home, tmp_path) -> tuple[str, tuple]:
    """What the prices are once the merge that is going to be interrupted has happened."""
    shutil.copytree(home, tmp_path / "after")
    with open_store(tmp_path / "after") as store:
        merge(store)
        assert store.prices.actions(TICKER) == (DIVIDEND,)
        return prices(store)


def assert_whole(store: Store) -> None:
    connection = store.registry.connection
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    registry = store.registry
    assert registry.tickers() == [TICKER]
    for version in registry.versions(TICKER):
        manifest = registry.manifest(TICKER, version)
        assert {name: registry.read_file(manifest, name) for name in manifest.files} == FILES
        assert registry.unlisted_files(manifest) == []
    assert registry.resolve(ModelReference(TICKER)) in registry.versions(TICKER)


def assert_goes_on(store: Store) -> None:
    """Nothing that was left behind stands in the way of the next run, nor is taken over by it."""
    merge(store)
    left = directories(store)
    with writer_lock(store.paths, TICKER, 5):
        version = publish(store.registry, promotion="next").version
    assert version == 1 + max(left)
    assert directories(store) == [*left, version]
    assert store.registry.resolve(ModelReference(TICKER)) == version
    assert_whole(store)


def directories(store: Store) -> list[int]:
    """Number the directories that a version may have, published or not."""
    return sorted(int(path.name[1:]) for path in store.paths.ticker(TICKER).glob("v*"))


def whole_at_every_step(child, before, tmp_path, action):
    """Kill an action at every step, and check each time that the store is whole and goes on."""
    for store in killed_at_every_step(child, before, tmp_path, action):
        yield store
        assert_whole(store)
        assert_goes_on(store)


def test_prices_are_merged_or_not(child, before, tmp_path):
    with open_store(before) as store:
        old = prices(store)
    new = merged(before, tmp_path)
    seen = []
    for store in whole_at_every_step(child, before, tmp_path, "merge"):
        found = prices(store)
        assert found in {old, new}
        seen.append(found == new)
    # The commit comes last but for closing; nothing undoes it, nothing comes before it.
    assert seen == sorted(seen)
    assert seen[-2:] == [False, True]


def test_a_ticker_is_renamed_as_a_whole_or_not(child, before, tmp_path):
    with open_store(before) as store:
        store.ledger.record(entry_of())
        old, _ = prices(store)
    seen = []
    for store in killed_at_every_step(child, before, tmp_path, "rename"):
        assert_whole(store)
        (name,) = store.prices.tickers()
        assert store.prices.bars(name).fingerprint() == old
        assert len(store.ledger.entries(name, "" if name == TICKER else TICKER)) == 1
        assert len(store.prices.log(name)) == (name != TICKER)
        assert store.ledger.unknown_tickers() == []
        seen.append(name == "BHIA3.SA")
    assert seen == sorted(seen)
    assert set(seen) == {False, True}


def test_a_version_is_published_and_champion_or_neither(child, before, tmp_path):
    seen = []
    for store in whole_at_every_step(child, before, tmp_path, "release"):
        registry = store.registry
        versions = registry.versions(TICKER)
        champion = registry.resolve(ModelReference(TICKER))
        forecasts = [entry.version for entry in store.ledger.entries(TICKER)]
        seen.append((len(versions), champion, len(directories(store)), len(forecasts)))
        if versions == [1]:
            assert registry.aliases.of(TICKER) == {"champion": 1}
            assert len(registry.aliases.log(TICKER)) == 1
            with pytest.raises(NoModelError, match=r"there is no PETR4\.SA@v2; PETR4\.SA has v1"):
                registry.resolve(ModelReference(TICKER, version=2))
        else:
            assert versions == [1, 2]
            assert registry.aliases.of(TICKER) == {"champion": 2, "previous": 1}
            assert [change.reason for change in registry.aliases.log(TICKER)[1:]] == ["newest"] * 2
    assert seen == sorted(seen)
    # A directory alone is a version that was never published.
    assert set(seen) == {(1, 1, 1, 0), (1, 1, 2, 0), (2, 2, 2, 0), (2, 2, 2, 1)}


def test_what_a_killed_publisher_left_is_not_listed_nor_read_nor_numbered_again(child, before):
    assert child("die_at_commit", before).code == -signal.SIGKILL
    with open_store(before) as store:
        registry = store.registry
        left = {path: path.read_bytes() for path in store.paths.version(TICKER, 2).iterdir()}
        assert sorted(path.name for path in left) == sorted([*FILES, FILE_NAME])
        assert registry.versions(TICKER) == [1]
        with pytest.raises(NoModelError, match=r"there is no PETR4\.SA@v2"):
            registry.manifest(TICKER, 2)
        assert publish(registry).version == 3
        shutil.rmtree(store.paths.version(TICKER, 3))
        assert publish(registry).version == 4
        assert registry.versions(TICKER) == [1, 3, 4]
        assert {path: path.read_bytes() for path in left} == left
        assert registry.resolve(ModelReference(TICKER)) == 1


@pytest.mark.parametrize("times", [1, 3])
def test_killed_publishers_leave_numbers_behind_and_nothing_else(child, before, times):
    for _ in range(times):
        assert child("die_at_commit", before).code == -signal.SIGKILL
    with open_store(before) as store:
        assert directories(store) == list(range(1, times + 2))
        assert store.registry.versions(TICKER) == [1]
        assert_goes_on(store)
        assert store.registry.versions(TICKER) == [1, times + 2]


def test_a_first_version_is_published_or_not(child, tmp_path):
    """Of a ticker that had none, in a store that has nothing else."""
    home = tmp_path / "empty"
    with open_store(home, create=True):
        pass
    seen = []
    for store in killed_at_every_step(child, home, tmp_path, "release"):
        registry = store.registry
        found = (registry.tickers(), registry.versions(TICKER), dict(registry.aliases.of(TICKER)))
        assert found in [([], [], {}), ([TICKER], [1], {"champion": 1})]
        seen.append(registry.tickers() == [TICKER])
        if not seen[-1]:
            with pytest.raises(NoModelError):
                registry.resolve(ModelReference(TICKER))
    assert seen == sorted(seen)
    assert set(seen) == {False, True}


def test_a_store_is_made_or_not(tmp_path):
    """The first run of all, killed while it makes the database."""
    made = tmp_path / "made"
    with open_store(made, create=True) as store:
        connection = store.registry.connection
        merge(store)
        torn = (made / "stocklstm.db-wal").read_bytes()
        schema = connection.execute("SELECT sql FROM sqlite_master").fetchall()
        content = (made / "stocklstm.db").read_bytes()
    lengths = sorted({0, 1, 31, 32, 33, len(torn) - 1, len(torn), *range(0, len(torn), 1777)})
    seen = []
    for length in lengths:
        home = tmp_path / f"torn-{length}"
        home.mkdir()
        (home / "stocklstm.db").write_bytes(content)
        (home / "stocklstm.db-wal").write_bytes(torn[:length])
        with open_store(home, create=True) as store:
            connection = store.registry.connection
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("SELECT sql FROM sqlite_master").fetchall() == schema
            seen.append(store.prices.tickers() == [TICKER])
            merge(store)
            assert len(store.prices.bars(TICKER)) == 3
    assert seen == sorted(seen)
    assert seen[0] is False
    assert seen[-1] is True


def test_a_journal_cut_off_anywhere_gives_all_of_a_merge_or_nothing(before, tmp_path):
    """A power failure keeps as much of the journal as had reached the disk."""
    with open_store(before) as store:
        old = prices(store)
        merge(store)
        new = prices(store)
        files = {
            name: (before / name).read_bytes() for name in ("stocklstm.db", "stocklstm.db-wal")
        }
    journal = files["stocklstm.db-wal"]
    seen = []
    for length in [*range(0, len(journal), 997), len(journal) - 1, len(journal)]:
        home = tmp_path / f"cut-{length}"
        home.mkdir()
        (home / "stocklstm.db").write_bytes(files["stocklstm.db"])
        (home / "stocklstm.db-wal").write_bytes(journal[:length])
        with open_store(home) as store:
            found = prices(store)
            assert found in {old, new}
            seen.append(found == new)
            merge(store)
            assert prices(store) == new
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (False, True)


def test_a_journal_cut_off_anywhere_gives_a_champion_or_no_version(before, tmp_path):
    """Power fails while the commit is written: the directory lies in its place already."""
    with open_store(before) as store:
        publish(store.registry, promotion="newest")
        shutil.copytree(before, tmp_path / "torn")
    journal = (tmp_path / "torn" / "stocklstm.db-wal").read_bytes()
    seen = []
    for length in [*range(0, len(journal), 997), len(journal) - 1, len(journal)]:
        home = tmp_path / f"cut-{length}"
        shutil.copytree(tmp_path / "torn", home)
        (home / "stocklstm.db-shm").unlink()
        (home / "stocklstm.db-wal").write_bytes(journal[:length])
        with open_store(home) as store:
            registry = store.registry
            found = (registry.versions(TICKER), dict(registry.aliases.of(TICKER)))
            assert found in [
                ([1], {"champion": 1}),
                ([1, 2], {"champion": 2, "previous": 1}),
            ]
            seen.append(len(found[0]))
            assert_whole(store)
            assert_goes_on(store)
        shutil.rmtree(home)
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (1, 2)


def test_a_child_that_is_not_killed_does_what_this_process_does(child, before, tmp_path):
    shutil.copytree(before, tmp_path / "here")
    for action in ("merge", "release"):
        assert child("die_at_step", before, action, 10**6).code == 0
    with open_store(before) as there, open_store(tmp_path / "here") as here:
        merge(here)
        release(here)
        assert prices(there) == prices(here)
        assert there.registry.aliases.log(TICKER) == here.registry.aliases.log(TICKER)
        assert there.ledger.entries(TICKER) == here.ledger.entries(TICKER)
        assert_whole(there)
