import threading

import pytest
from filelock import FileLock

from stocklstm.errors import ConfigError, StoreLockedError
from stocklstm.store.locks import writer_lock
from stocklstm.store.paths import StorePaths
from tests.support.store_processes import running


def take(home, name="PETR4.SA", timeout_s=30.0) -> str:
    with writer_lock(StorePaths(home), name, timeout_s):
        return "taken"


def test_a_second_process_gives_up_after_the_time_allowed(home):
    with running("hold_lock", home, "PETR4.SA"):
        with pytest.raises(StoreLockedError, match=r"writing PETR4.SA for more than 0.2 s") as no:
            take(home, timeout_s=0.2)
        assert "--lock-timeout" in no.value.hint


def test_no_time_allowed_is_one_attempt(home):
    assert take(home, timeout_s=0) == "taken"
    with running("hold_lock", home, "PETR4.SA"), pytest.raises(StoreLockedError):
        take(home, timeout_s=0)


def test_another_ticker_is_free_meanwhile(home):
    with running("hold_lock", home, "PETR4.SA"):
        assert take(home, "VALE3.SA", timeout_s=0) == "taken"


def test_a_second_process_waits_its_turn(home):
    with running("hold_lock", home, "PETR4.SA") as holder:
        ending = threading.Timer(0.3, holder.stdin.close)
        ending.start()
        assert take(home) == "taken"
        ending.join()


def test_the_lock_of_a_killed_process_is_free(home):
    with running("hold_lock", home, "PETR4.SA") as holder:
        holder.kill()
        holder.wait()
        assert take(home, timeout_s=5) == "taken"


def test_the_same_process_waits_too(home):
    with writer_lock(StorePaths(home), "PETR4.SA", 1), pytest.raises(StoreLockedError):
        take(home, timeout_s=0.1)


def test_an_error_lets_go_without_waiting_for_the_garbage_collector(home, monkeypatch):
    kept = []

    class KeptLock(FileLock):
        def acquire(self, *args, **options):
            kept.append(self)
            return super().acquire(*args, **options)

    monkeypatch.setattr("filelock.FileLock", KeptLock)
    with pytest.raises(KeyError), writer_lock(StorePaths(home), "PETR4.SA", 1):
        raise KeyError
    assert take(home, timeout_s=0) == "taken"
    assert len(kept) == 2


def test_a_store_without_room_for_locks(home):
    home.mkdir()
    (home / "locks").write_text("in the way")
    with pytest.raises(ConfigError, match="cannot take the lock"):
        take(home)


def test_a_lock_that_cannot_be_opened(home):
    (home / "locks" / "PETR4.SA.lock").mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot take the lock"):
        take(home)


@pytest.mark.parametrize("kind", ["directory", "link"])
def test_what_has_the_name_of_a_lock_is_to_be_moved_away(home, tmp_path, kind):
    path = StorePaths(home).lock("PETR4.SA")
    path.parent.mkdir(parents=True)
    path.mkdir() if kind == "directory" else path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError) as caught, writer_lock(StorePaths(home), "PETR4.SA", 0):
        pass
    assert caught.value.hint == f"move {path} away, which is no file, then run it again"
    assert not (tmp_path / "elsewhere").exists()
