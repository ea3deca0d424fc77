"""What is put together beside its place: who else may take it for a leftover, and who may not."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import pytest

from stocklstm import collect_garbage
from stocklstm.core import operating_system
from stocklstm.errors import StoreLockedError
from stocklstm.store.drafts import (
    chance_name,
    claimed_directory,
    clear_abandoned,
    is_chance_name,
    unclaimed,
)
from stocklstm.store.locks import directory_lock
from stocklstm.store.store import open_store
from tests.support.store_samples import TICKER
from tests.unit.core.test_operating_system import windows

PREFIX = ".put-"


@pytest.fixture(params=["here", "Windows"])
def _on(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "Windows":
        monkeypatch.setattr(operating_system._This, "system", windows())
        monkeypatch.setattr(filelock, "FileLock", _GoesWithItsLock)


class _GoesWithItsLock(filelock.FileLock):
    """A lock whose file is gone once it is released, as on Windows."""

    def release(self, force: bool = False) -> None:
        held = self.is_locked
        super().release(force)
        if held:
            Path(self.lock_file).unlink(missing_ok=True)


on_both = pytest.mark.usefixtures("_on")


def claimed(place: Path) -> Path:
    return place / f"{PREFIX}{chance_name()}"


def is_free(path: Path) -> bool:
    with unclaimed(path) as free:
        return free


def names(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()}


@on_both
def test_nobody_takes_it_for_a_leftover_also_where_it_is_renamed(tmp_path: Path) -> None:
    with claimed_directory(lambda: claimed(tmp_path)) as path:
        assert not is_free(path)
        clear_abandoned(tmp_path, PREFIX)
        assert names(tmp_path) == {path.name, f"{path.name}.lock"}
        operating_system.system().rename(path, tmp_path / "done")
        clear_abandoned(tmp_path, PREFIX)
    assert names(tmp_path) == {"done"}


@on_both
def test_what_a_killed_process_left_goes_with_its_lock(tmp_path: Path) -> None:
    one, other = claimed(tmp_path), claimed(tmp_path)
    one.mkdir()
    for path in (one, other):
        path.with_name(f"{path.name}.lock").touch()
    (tmp_path / f"{PREFIX}mine").mkdir()
    (tmp_path / f"{PREFIX}mine.lock").touch()

    assert is_free(one)
    # Who only looks changes nothing.
    assert names(tmp_path) >= {one.name, f"{one.name}.lock"}
    clear_abandoned(tmp_path, PREFIX)

    assert names(tmp_path) == {f"{PREFIX}mine", f"{PREFIX}mine.lock"}


@contextmanager
def locked_as_before(path: Path) -> Iterator[None]:
    """Claim a directory as programs before 0.2 do."""
    path.mkdir()
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def test_a_program_of_before_that_still_runs_keeps_what_it_claimed(tmp_path: Path) -> None:
    path = claimed(tmp_path)
    with locked_as_before(path):
        assert not is_free(path)
        clear_abandoned(tmp_path, PREFIX)
        assert names(tmp_path) == {path.name}
    assert is_free(path)
    clear_abandoned(tmp_path, PREFIX)
    assert names(tmp_path) == set()


def test_a_program_of_before_leaves_what_is_claimed_now(tmp_path: Path) -> None:
    with claimed_directory(lambda: claimed(tmp_path)) as path:
        handle = os.open(path, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)


def test_what_may_be_in_use_stays_where_directories_have_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On NFS a program of before claims nothing: one of its directories cannot be told from it."""
    flock = fcntl.flock

    def of_files_alone(handle: int, how: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{handle}"):  # noqa: PTH112 - a link of the system
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", of_files_alone)
    path, left = claimed(tmp_path), claimed(tmp_path)
    path.mkdir()
    left.mkdir()
    left.with_name(f"{left.name}.lock").touch()
    with claimed_directory(lambda: claimed(tmp_path)) as held:
        clear_abandoned(tmp_path, PREFIX)
        assert names(tmp_path) == {path.name, held.name, f"{held.name}.lock"}
    # What its maker could not remove is found later.
    clear_abandoned(tmp_path, PREFIX)
    assert names(tmp_path) == {path.name}
    with directory_lock(tmp_path, 0):
        with pytest.raises(StoreLockedError), directory_lock(tmp_path, 0.05):
            pass
        assert names(tmp_path) == {path.name, ".stocklstm.lock"}
    assert names(tmp_path) == {path.name}


@on_both
def test_one_at_a_time_in_a_directory(tmp_path: Path) -> None:
    for _ in range(2):
        with (
            directory_lock(tmp_path, 0),
            pytest.raises(StoreLockedError),
            directory_lock(tmp_path, 0.05),
        ):
            pass
        assert names(tmp_path) == set()


def test_who_cleans_up_a_moment_too_early_makes_it_begin_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [claimed(tmp_path) for _ in range(3)]
    left = iter(paths)
    lock = operating_system._LockableDirectory.lock

    def cleared(directory: operating_system._LockableDirectory) -> bool | None:
        paths[0].exists() and shutil.rmtree(paths[0])
        if paths[1].exists():
            paths[1].with_name(f"{paths[1].name}.lock").unlink(missing_ok=True)
        return lock(directory)

    monkeypatch.setattr(operating_system._LockableDirectory, "lock", cleared)
    with claimed_directory(lambda: next(left)) as path:
        assert path == paths[2]
        assert names(tmp_path) == {path.name, f"{path.name}.lock"}


def test_garbage_collection_finds_what_is_left_of_pictures(home: Path) -> None:
    with open_store(home, create=True) as store:
        reports = store.paths.reports_of(TICKER)
        models = store.paths.ticker(TICKER)
    models.mkdir(parents=True)
    place = reports / f".tune-1.png.{chance_name()}"
    place.mkdir(parents=True)
    (place / "tune-1.png").write_bytes(b"half")
    place.with_name(f"{place.name}.lock").touch()
    (models / f".draft-{chance_name()}.lock").touch()
    with claimed_directory(lambda: reports / f".tune-2.png.{chance_name()}") as held:
        (done,) = collect_garbage(home=home).results

        assert [item.kind for item in done.removed] == ["lock", "temporary file"]
        assert [(item.name, item.reason) for item in done.skipped] == [
            (held.name, "it is being written")
        ]
        held.rmdir()
    assert (names(reports), names(models)) == (set(), set())


def test_names_by_chance_are_told_from_others() -> None:
    assert is_chance_name(chance_name())
    assert not any(map(is_chance_name, ("", "a" * 31, "A" * 32, "g" * 32)))
