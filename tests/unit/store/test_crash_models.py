"""A process that is killed while it promotes, removes or cleans up leaves a store that is whole."""

import shutil
import signal

import pytest

from stocklstm import collect_garbage
from stocklstm.core.reference import ModelReference
from stocklstm.errors import NoModelError
from stocklstm.store.store import Store, open_store
from tests.support.store_processes import killed_at_every_step, running
from tests.support.store_samples import FILES, TICKER, entry_of, publish


@pytest.fixture
def shelf(tmp_path):
    """A store with v1, v2 and v3, of which v1 is champion, and a forecast of v2."""
    home = tmp_path / "shelf"
    with open_store(home, create=True) as store:
        publish(store.registry, promotion="first")
        for _ in range(2):
            publish(store.registry)
        store.ledger.record(entry_of(version=2))
    return home


def state(store: Store) -> tuple:
    """Read all that is listed; what is listed is there, whole."""
    registry = store.registry
    versions = registry.versions(TICKER)
    for version in versions:
        manifest = registry.manifest(TICKER, version)
        assert {name: registry.read_file(manifest, name) for name in manifest.files} == FILES
        assert registry.unlisted_files(manifest) == []
    assert set(registry.aliases.of(TICKER).values()) <= set(versions)
    assert [entry.version for entry in store.ledger.entries(TICKER)] == [2]
    return tuple(versions), tuple(sorted(registry.aliases.of(TICKER).items()))


def on_disk(store: Store) -> set[str]:
    return {path.name for path in store.paths.ticker(TICKER).iterdir()}


def assert_tidied(store: Store) -> None:
    """Whatever was left is found by the next cleaning, which leaves what is listed."""
    before = state(store)
    done = collect_garbage(home=store.paths.home)
    assert not done.failures
    assert not done.results[0].skipped
    assert state(store) == before
    assert on_disk(store) == {f"v{version}" for version in before[0]}
    assert publish(store.registry).version == 4


def test_a_champion_is_the_old_one_or_the_new(child, shelf, tmp_path):
    seen = []
    for store in killed_at_every_step(child, shelf, tmp_path, "promote"):
        versions, aliases = state(store)
        assert versions == (1, 2, 3)
        assert aliases in {(("champion", 1),), (("champion", 3), ("previous", 1))}
        assert len(store.registry.aliases.log(TICKER)) == (1 if len(aliases) == 1 else 3)
        seen.append(len(aliases))
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (1, 2)


def test_a_version_is_whole_or_not_listed(child, shelf, tmp_path):
    seen = set()
    for store in killed_at_every_step(child, shelf, tmp_path, "remove"):
        versions, aliases = state(store)
        assert versions in {(1, 2, 3), (1, 3)}
        assert aliases == (("champion", 1),)
        trash = any(name.startswith(".trash-") for name in on_disk(store))
        seen.add((len(versions), "v2" in on_disk(store), trash))
        if versions == (1, 3):
            with pytest.raises(NoModelError, match=r"PETR4\.SA has v1, v3"):
                store.registry.resolve(ModelReference(TICKER, version=2))
        assert_tidied(store)
    # Whole; off the list; renamed, and file by file deleted; gone.
    assert seen == {(3, True, False), (2, True, False), (2, False, True), (2, False, False)}


def test_cleaning_up_loses_nothing_that_is_named(child, shelf, tmp_path):
    seen = set()
    for store in killed_at_every_step(child, shelf, tmp_path, "collect"):
        versions, aliases = state(store)
        assert aliases == (("champion", 1),)
        seen.add(versions)
        assert_tidied(store)
    assert seen == {(1, 2, 3), (1, 3), (1,)}


def test_the_draft_of_a_living_process_stays_and_that_of_a_dead_one_goes(child, shelf):
    assert child("die_in_draft", shelf).code == -signal.SIGKILL
    with running("hold_draft", shelf):
        (done,) = collect_garbage(home=shelf).results
        with open_store(shelf) as store:
            living, lock = sorted(on_disk(store) - {"v1", "v2", "v3"})
        assert lock == f"{living}.lock"
        assert [item.kind for item in done.removed] == ["draft"]
        assert [item.name for item in done.skipped] == [living]
        assert [item.reason for item in done.skipped] == ["a version is being written there"]
    (done,) = collect_garbage(home=shelf).results
    assert [item.name for item in done.removed] == [living]
    with open_store(shelf) as store:
        assert on_disk(store) == {"v1", "v2", "v3"}


def test_a_ticker_that_is_being_written_is_left_alone(shelf):
    shutil.copytree(shelf / "models" / TICKER / "v1", shelf / "models" / TICKER / "v9")
    with running("hold_lock", shelf, TICKER):
        done = collect_garbage(home=shelf, lock_timeout_s=0)
        assert not done.failures
        assert done.results[0].removed == ()
        assert [item.name for item in done.results[0].skipped] == [TICKER]
    assert [item.name for item in collect_garbage(home=shelf).results[0].removed] == ["v9"]


def test_versions_are_published_while_somebody_cleans_up(shelf, tmp_path):
    gate = tmp_path / "gate"
    with (
        running("publish_many", shelf, gate, 8) as publisher,
        running("collect_many", shelf, gate, 40) as cleaner,
    ):
        gate.touch()
        published, _ = publisher.communicate(timeout=60)
        cleaned, _ = cleaner.communicate(timeout=60)
        assert (publisher.returncode, cleaner.returncode) == (0, 0)
    assert published.split() == [f"{version}" for version in range(4, 12)]
    assert cleaned.split() == []
    with open_store(shelf) as store:
        versions = store.registry.versions(TICKER)
        assert versions == list(range(1, 12))
        for version in versions:
            manifest = store.registry.manifest(TICKER, version)
            assert all(
                store.registry.read_file(manifest, name) is not None for name in manifest.files
            )


def test_a_reader_gets_all_of_a_version_or_is_told_that_it_is_gone(shelf, tmp_path):
    gate = tmp_path / "gate"
    with open_store(shelf) as store:
        for _ in range(37):
            publish(store.registry)
    found = 0
    with running("remove_many", shelf, gate, 2, 40) as remover, open_store(shelf) as store:
        registry = store.registry
        gate.touch()
        while registry.versions(TICKER)[-1] == 40:
            for version in registry.versions(TICKER)[1:4]:
                try:
                    manifest = registry.manifest(TICKER, version)
                    read = {name: registry.read_file(manifest, name) for name in manifest.files}
                except NoModelError:
                    continue
                assert read == FILES
                found += 1
        remover.communicate(timeout=60)
        assert remover.returncode == 0
        assert registry.versions(TICKER) == [1]
    assert found > 0
