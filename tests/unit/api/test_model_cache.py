"""Models in memory: bounded by bytes, loaded side by side, and each only once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from stocklstm.api import model_cache
from stocklstm.api.model_cache import FAILURE_S, ModelCache
from stocklstm.core.reference import ModelReference
from stocklstm.errors import ArtifactCorruptError, NoModelError, StorageError
from stocklstm.store.manifest import Manifest
from stocklstm.store.registry import Registry
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.loading.model import LoadedModel, load_version
from tests.conftest import TICKER
from tests.support.copied_versions import NOW, publish_copy
from tests.support.tampering import flip_bit


@pytest.fixture
def home(model_home: Path) -> Path:
    """A store with three versions of one model."""
    with open_store(model_home) as store:
        for _ in range(2):
            publish_copy(store, store.registry.manifest(TICKER, 1), NOW, None)
    return model_home


def load(cache: ModelCache, home: Path, version: int) -> LoadedModel:
    with open_store(home) as store:
        return cache.load(store, ModelReference(TICKER, version))


def test_a_slow_load_holds_up_no_other(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = Event(), Event()

    def slow(store: Store, manifest: Manifest) -> LoadedModel:
        if manifest.version == 1:
            begun.set()
            assert go_on.wait(60)
        return load_version(store, manifest)

    monkeypatch.setattr(model_cache, "load_version", slow)
    cache = ModelCache(1 << 30)
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(load, cache, home, 1)
        assert begun.wait(60)
        other = pool.submit(load, cache, home, 2)
        try:
            assert other.result(timeout=20).manifest.version == 2
            assert not waiting.done()
        finally:
            go_on.set()
        assert waiting.result().manifest.version == 1


def test_who_asks_at_the_same_time_waits_for_one_load(home: Path) -> None:
    cache = ModelCache(1 << 30)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: load(cache, home, 2), range(8)))

    assert cache.loads == 1
    assert len({id(model) for model in found}) == 1


def test_models_are_kept_by_their_bytes(home: Path) -> None:
    measure = ModelCache(1 << 30)
    load(measure, home, 1)
    two = ModelCache(2 * measure.bytes)

    for version in (1, 2, 1, 3, 1, 2):
        load(two, home, version)

    # Of 1 and 2, the one asked for longest ago made room for 3; of 1 and 3 that was 3.
    assert (len(two), two.loads) == (2, 4)
    assert (TICKER, 1) in two
    assert (TICKER, 3) not in two
    assert two.bytes <= 2 * measure.bytes


def test_a_model_that_is_too_large_is_kept_until_the_next(home: Path) -> None:
    cache = ModelCache(1)

    load(cache, home, 1)
    load(cache, home, 1)

    assert (len(cache), cache.loads) == (1, 1)


def test_a_damaged_model_is_not_read_again_by_each_request(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home / "models" / TICKER / "v2" / "model.onnx"
    flip_bit(file, 0.5)
    reads: list[str] = []
    now = [0.0]
    right = Registry.read_file

    def read_file(registry: Registry, manifest: Manifest, name: str) -> bytes:
        reads.append(name)
        return right(registry, manifest, name)

    monkeypatch.setattr(Registry, "read_file", read_file)
    cache = ModelCache(1 << 30, clock=lambda: now[0])

    for _ in range(5):
        with pytest.raises(ArtifactCorruptError, match="sha256"):
            load(cache, home, 2)
    assert (len(reads), cache.changes) == (1, 1)

    # But an error is not remembered for ever.
    now[0] += FAILURE_S
    with pytest.raises(ArtifactCorruptError):
        load(cache, home, 2)
    assert cache.failure(TICKER, 2) is not None
    flip_bit(file, 0.5)
    now[0] += FAILURE_S
    load(cache, home, 2)
    assert (len(reads), cache.changes, cache.failure(TICKER, 2)) == (3, 2, None)


@pytest.mark.parametrize("error", [StorageError("too many open files"), RuntimeError("a bug")])
def test_what_another_try_may_cure_is_tried_again(
    home: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(_store: Store, _manifest: Manifest) -> LoadedModel:
        raise error

    cache = ModelCache(1 << 30)
    with monkeypatch.context() as failing:
        failing.setattr(model_cache, "load_version", refuse)
        with pytest.raises(type(error)):
            load(cache, home, 1)

    assert load(cache, home, 1).manifest.version == 1
    assert cache.changes == 0
    with pytest.raises(NoModelError):
        load(cache, home, 9)
