"""Files outside of the store: replaced whole, and revised by one process at a time."""

import errno
import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stocklstm.errors import ConfigError, StoreLockedError
from stocklstm.store.drafts import claimed_directory
from stocklstm.store.locks import directory_lock
from stocklstm.store.user_files import revise_file, write_file
from tests.support.places import ROOT


def add_line(found: bytes) -> bytes:
    return found + b"line\n"


def revise(path: Path, change=add_line, lock_timeout_s: float = 0.0) -> None:
    revise_file(path, change, option="--csv", lock_timeout_s=lock_timeout_s)


def test_a_file_grows_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.csv"
    revise(path)
    revise(path)

    assert path.read_bytes() == b"line\nline\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_without_news_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    revise(path)
    before = path.stat()
    revise(path, change=lambda found: found)

    assert path.stat() == before


def test_a_file_keeps_its_rights_and_a_new_one_has_the_usual_ones(tmp_path: Path) -> None:
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_bytes(b"")
    old.chmod(0o664)
    umask = os.umask(0o027)
    try:
        for write in (lambda path: write_file(path, b"x"), revise):
            write(old)
            write(new)
            assert [stat.S_IMODE(path.stat().st_mode) for path in (old, new)] == [0o664, 0o640]
            new.unlink()
    finally:
        os.umask(umask)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give a file away")
def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(b"")
    os.chown(path, 1234, 4321)
    revise(path)

    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


def test_a_link_keeps_pointing_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "shared" / "file.csv")
    revise(link)
    revise(link)

    assert link.is_symlink()
    assert (tmp_path / "shared" / "file.csv").read_bytes() == b"line\nline\n"


def test_what_a_killed_process_left_is_removed_and_what_is_in_use_stays(tmp_path: Path) -> None:
    names = [f".stocklstm-{digit * 32}" for digit in "ab"]
    (tmp_path / names[0]).mkdir()
    (tmp_path / names[0] / "file.csv").write_bytes(b"half a")
    (tmp_path / ".stocklstm-notes").mkdir()
    with claimed_directory(lambda: tmp_path / names[1]):
        revise(tmp_path / "file.csv")

        assert {path.name for path in tmp_path.iterdir()} == {
            *("file.csv", ".stocklstm-notes", names[1], f"{names[1]}.lock")
        }


def test_a_change_that_is_refused_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    revise(path)

    def refuse(_: bytes) -> bytes:
        raise ConfigError("no", hint="of its own")

    with pytest.raises(ConfigError) as caught:
        revise(path, change=refuse)
    assert caught.value.hint == "of its own"
    assert path.read_bytes() == b"line\n"


def test_what_cannot_grow_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"")
    for name in ("pipe", ".", "file/below.csv"):
        with pytest.raises(ConfigError) as caught:
            revise(tmp_path / name)
        assert caught.value.hint == "name another place with --csv"


@pytest.mark.parametrize(
    "own",
    [
        *("stocklstm.db", "stocklstm.db-wal", "STOCKLSTM.DB", "locks/prices.lock"),
        *("models/PETR4.SA/v1/model.onnx", "models/PETR4.SA/v2/new.csv", "runs/x/state.pth"),
    ],
)
def test_what_is_the_stores_own_is_refused(tmp_path: Path, own: str) -> None:
    home = tmp_path / "home"
    (home / own).parent.mkdir(parents=True)
    (home / "stocklstm.db").write_bytes(b"prices")
    link = tmp_path / "link.csv"
    link.symlink_to(home / own)

    for path in (home / own, link, home / "models" / ".." / own):
        for write in (lambda path: write_file(path, b"x"), revise):
            with pytest.raises(ConfigError, match="belongs to the store") as caught:
                write(path)
            assert str(caught.value.hint).startswith("name another place with --")
    assert (home / "stocklstm.db").read_bytes() == b"prices"
    assert [path.name for path in home.rglob("*.csv")] == []


def test_a_file_beside_what_is_the_stores_own_is_written(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "models").mkdir(parents=True)
    (home / "stocklstm.db").write_bytes(b"prices")

    for path in (home / "forecasts.csv", home / "modelsX" / "a.csv", tmp_path / "models" / "a.csv"):
        write_file(path, b"x")
        revise(path)

        assert path.read_bytes() == b"xline\n"


def test_another_process_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    with (
        directory_lock(tmp_path, 0),
        pytest.raises(StoreLockedError, match=f"in {tmp_path} for more than 0.05 s"),
    ):
        revise(path, lock_timeout_s=0.05)
    assert not path.exists()


def test_a_file_system_without_locks_has_to_do_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_handle: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    left = tmp_path / f".stocklstm-{'a' * 32}"
    left.mkdir()

    revise(tmp_path / "file.csv")

    assert (tmp_path / "file.csv").read_bytes() == b"line\n"
    # Whether it is in use cannot be told there.
    assert left.exists()


ADD = """
import sys
from pathlib import Path
from stocklstm.store.user_files import revise_file

name = sys.argv[2].encode()
for number in range(25):
    line = b"%s %d\\n" % (name, number)
    revise_file(Path(sys.argv[1]), lambda f: f + line, option="--csv", lock_timeout_s=60)
"""


def test_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    processes = [
        subprocess.Popen([sys.executable, "-c", ADD, str(path), name], cwd=ROOT) for name in "abc"
    ]

    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    assert sorted(path.read_text().splitlines()) == sorted(
        f"{name} {number}" for name in "abc" for number in range(25)
    )
    assert list(tmp_path.iterdir()) == [path]
