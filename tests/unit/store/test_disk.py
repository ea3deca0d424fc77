import errno
import os
from pathlib import Path

import pytest

from stocklstm.core import operating_system
from stocklstm.core.system_errors import want_of
from stocklstm.errors import ConfigError, StorageError
from stocklstm.store.disk import disk_errors, sync_directory, write_durably
from stocklstm.store.drafts import replace_file

FORBIDDEN = ("EACCES", "EPERM", "EROFS", "ENOTDIR", "EEXIST", "EISDIR", "ELOOP", "ENAMETOOLONG")
STEPS = {
    "ENOSPC": "free some space, or set STOCKLSTM_HOME",
    "EDQUOT": "free some space of your quota",
    "EIO": "check the disk",
    "EFBIG": "ulimit -f",
    "EMFILE": "ulimit -n",
    "ENFILE": "end programs",
    "ENOMEM": "memory",
    "ESTALE": "mount the file system again",
    "ENOENT": "check that the place is there",
}


def fail(name: str):
    number = getattr(errno, name)
    raise OSError(number, os.strerror(number), "/store/file")


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_place_that_will_never_do_is_a_setting_to_change(name):
    with (
        pytest.raises(ConfigError, match=r"cannot write it: .* \(/store/file\)") as caught,
        disk_errors("write it"),
    ):
        fail(name)
    in_the_way = name in {"EISDIR", "ELOOP"}
    assert ("move /store/file away" if in_the_way else "STOCKLSTM_HOME") in caught.value.hint
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("name", STEPS)
def test_a_disk_that_is_full_or_failing_is_worth_another_attempt(name):
    with (
        pytest.raises(StorageError, match=r"cannot write it: .* \(/store/file\)") as caught,
        disk_errors("write it"),
    ):
        fail(name)
    assert STEPS[name] in caught.value.hint
    assert caught.value.hint.endswith("then run it again")


@pytest.mark.parametrize("name", STEPS)
def test_no_step_names_a_command_that_windows_has_not(name, monkeypatch):
    monkeypatch.setattr(operating_system._This, "system", operating_system.Windows())
    with pytest.raises(StorageError) as caught, disk_errors("write it"):
        fail(name)
    number = getattr(errno, name)
    wanting = want_of(OSError(number, os.strerror(number)))
    for hint in (caught.value.hint, *([wanting.hint] if wanting else [])):
        assert "ulimit" not in hint
        assert "{" not in hint


def test_an_error_without_a_number_or_a_file():
    with pytest.raises(StorageError, match=r"(?m)^cannot write it: odd$"), disk_errors("write it"):
        raise OSError("odd")


def test_other_errors_are_left_alone():
    with pytest.raises(ValueError, match="mine"), disk_errors("write it"):
        raise ValueError("mine")


def test_a_file_is_on_the_disk_when_its_writing_returns(monkeypatch, tmp_path):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle)))
    write_durably(tmp_path / "new", b"content")
    # All of it had been handed to the system before the system was asked to keep it.
    assert [(state.st_size, state.st_ino) for state in synced] == [
        (7, (tmp_path / "new").stat().st_ino)
    ]
    assert (tmp_path / "new").read_bytes() == b"content"


def test_a_published_file_is_never_overwritten(tmp_path):
    write_durably(tmp_path / "file", b"first")
    with pytest.raises(FileExistsError):
        write_durably(tmp_path / "file", b"second")
    assert (tmp_path / "file").read_bytes() == b"first"


def test_replacing_makes_directories_and_leaves_no_draft(tmp_path):
    path = tmp_path / "reports" / "PETR4.SA" / "picture.png"
    replace_file(path, b"old")
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_a_reader_sees_the_whole_old_file_or_the_whole_new_one(tmp_path):
    path = tmp_path / "picture.png"
    replace_file(path, b"old" * 1000)
    with path.open("rb") as reader:
        assert reader.read(3) == b"old"
        replace_file(path, b"new" * 1000)
        assert reader.read() == b"old" * 999


def test_a_full_disk_leaves_the_old_file(tmp_path, file_limit):
    path = tmp_path / "picture.png"
    replace_file(path, b"old")
    with (
        file_limit(2),
        pytest.raises(StorageError, match="File too large"),
        disk_errors("write the picture"),
    ):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_names_of_a_directory_are_synced(monkeypatch, tmp_path):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    sync_directory(tmp_path)
    assert synced == [tmp_path.stat().st_ino]


def test_a_failed_sync_leaves_no_open_handle(monkeypatch, tmp_path):
    handles = []

    def refuse(handle: int):
        handles.append(handle)
        fail("EIO")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        sync_directory(tmp_path)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handles[0])


def test_a_directory_that_is_gone(tmp_path):
    with pytest.raises(FileNotFoundError):
        sync_directory(Path(tmp_path / "gone"))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a place that takes no files")
def test_where_nothing_can_be_made_nobody_waits() -> None:
    with pytest.raises(FileNotFoundError):
        replace_file(Path("/proc/forecast.png"), b"")
