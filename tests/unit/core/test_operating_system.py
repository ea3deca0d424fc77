"""The three systems, each tried here with a standard library like the one that it has."""

import errno
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm.core.operating_system import Linux, MacOs, OperatingSystem, Windows, system
from tests.support.limited_system import Limited, limited
from tests.support.property_tests import PROPERTY


def windows(patience_s: float = 1.0, **more: object) -> Windows:
    return Windows(Limited(os, **more), limited("signal"), limited, patience_s=patience_s)


def bare() -> OperatingSystem:
    """Some system that has no more than Windows, and is none that we know."""
    return OperatingSystem(limited("os"), limited("signal"), limited)


SYSTEMS: list[Callable[[], OperatingSystem]] = [Linux, MacOs, windows, bare]

every_system = pytest.mark.parametrize("make", SYSTEMS)


def test_this_is_one_of_them() -> None:
    assert system().name == sys.platform


@every_system
def test_files_are_moved_replaced_and_removed(
    make: Callable[[], OperatingSystem], tmp_path: Path
) -> None:
    on = make()
    old, new = tmp_path / "old", tmp_path / "new"
    (old / "below").mkdir(parents=True)
    on.rename(old, new)
    for text in ("one", "two"):
        (tmp_path / "draft").write_text(text)
        on.replace(tmp_path / "draft", new / "file")
        on.make_like(new / "file", new.stat())
        assert (new / "file").read_text() == text
    on.remove_tree(new)

    assert list(tmp_path.iterdir()) == []


@every_system
def test_what_is_written_is_waited_for_as_far_as_one_can(
    make: Callable[[], OperatingSystem], tmp_path: Path
) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.write(b"words")
        file.flush()
        make().sync_file(file.fileno())
    make().sync_directory(tmp_path)
    make().sync_all()


@every_system
def test_a_link_is_not_read(make: Callable[[], OperatingSystem], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a\r\nb\x1ac")
    (tmp_path / "link").symlink_to("file")

    with os.fdopen(make().open_regular(tmp_path / "file"), "rb") as file:
        assert file.read() == b"a\r\nb\x1ac"
    for name, number in (("link", errno.ELOOP), ("none", errno.ENOENT)):
        with pytest.raises(OSError) as no:  # noqa: PT011 - its number is looked at
            make().open_regular(tmp_path / name)
        assert no.value.errno == number


@every_system
def test_a_directory_is_locked_where_it_can_be(
    make: Callable[[], OperatingSystem], tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "file").touch()
    possible = make in {Linux, MacOs}

    with make().directory(tmp_path) as one, make().directory(tmp_path) as other:
        assert one.lock() is (True if possible else None)
        assert other.lock() is (False if possible else None)
    for name in ("link", "file", "none"):
        with pytest.raises(OSError), make().directory(tmp_path / name):  # noqa: PT011 - any
            pass


@every_system
def test_signals_are_held_back_as_far_as_one_can(make: Callable[[], OperatingSystem]) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with make().signals_blocked(make().stop_signals):
        pass

    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert signal.SIGINT in make().stop_signals
    assert (make().hang_up is None) == (signal.SIGHUP not in make().stop_signals)


def work_for(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


@every_system
def test_the_main_thread_is_interrupted_a_moment_later(make: Callable[[], OperatingSystem]) -> None:
    kinds = (signal.SIGALRM, signal.SIGINT)
    before = [signal.getsignal(kind) for kind in kinds]
    try:
        # As after the first Ctrl-C, with which the second one is to end the process.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        make().interrupt_after(0.01)
        with pytest.raises(KeyboardInterrupt):
            work_for(60)
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)


@every_system
def test_a_dead_parent_is_noticed(make: Callable[[], OperatingSystem]) -> None:
    assert make().is_parent(os.getppid())
    # Windows keeps the number of a parent that has ended, and only there another one is asked for.
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    assert not make().is_parent(ended.pid)


def test_windows_notices_a_parent_that_ends_while_it_is_watched() -> None:
    on = windows()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as parent:
        assert on.is_parent(parent.pid)
        parent.communicate(b"\n")
    assert not on.is_parent(parent.pid)


class Held:
    """A file that a scanner has open for a while: acting on it fails a few times."""

    def __init__(self, times: int, winerror: int = 32) -> None:
        self.left, self.winerror = times, winerror

    def act(self, old: Path, new: Path) -> None:
        if self.left:
            self.left -= 1
            error = PermissionError(errno.EACCES, "held", str(old), None, str(new))
            error.winerror = self.winerror  # type: ignore[attr-defined]
            raise error
        old.replace(new)


@pytest.mark.parametrize("call", ["rename", "replace"])
def test_windows_waits_for_a_scanner_and_not_for_ever(call: str, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.touch()
    getattr(windows(**{call: Held(3).act}), call)(old, new)
    assert new.exists()

    for number in (5, 32, 33):
        stuck = windows(patience_s=0.05, **{call: Held(10**9, number).act})
        with pytest.raises(PermissionError) as no:
            getattr(stuck, call)(new, old)
        assert stuck.is_in_use(no.value)
    assert not stuck.is_in_use(PermissionError(errno.EACCES, "no", str(old)))


def test_macos_asks_the_disk_itself(tmp_path: Path) -> None:
    asked = []
    there = SimpleNamespace(F_FULLFSYNC=51, fcntl=lambda *words: asked.append(words))
    on = MacOs(module=lambda _: there)
    with (tmp_path / "file").open("wb") as file:
        on.sync_file(file.fileno())
        assert asked == [(file.fileno(), 51)]


def test_pictures_and_evenings_are_left_to_what_each_system_has() -> None:
    shown: list[str] = []

    assert [(on().viewer, on().scheduler) for on in (Linux, MacOs, windows)] == [
        ("xdg-open", "cron"),
        ("open", "cron"),
        ("", "windows"),
    ]
    windows(startfile=shown.append).show("a.png")
    assert shown == ["a.png"]


@settings(PROPERTY, max_examples=60)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1))
def test_what_is_quoted_is_one_argument_to_a_shell(text: str) -> None:
    import shlex

    # A tilde and brackets are left to the eye, as paths have them seldom.
    if (
        not text.startswith("~")
        and not set(text) & set("[]{}=\t\v\f\x85\xa0")
        and text.isprintable()
    ):
        assert shlex.split(f"x {Linux().quoted(text)}")[1:] == [text]


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        (r"C:\Users\ana\prices.csv", r"C:\Users\ana\prices.csv"),
        (r"C:\My Documents\a.csv", r'"C:\My Documents\a.csv"'),
        ("^BVSP.csv", '"^BVSP.csv"'),
        ("a&b.csv", '"a&b.csv"'),
    ],
)
def test_what_is_quoted_for_windows(text: str, quoted: str) -> None:
    assert windows().quoted(text) == quoted


def test_a_variable_is_set_as_the_shell_of_the_system_does() -> None:
    assert Linux().set_variable("A", "it's") == "export A='it'\"'\"'s'"
    assert windows().set_variable("A", r"C:\it's") == r"$env:A = 'C:\it''s'"
    assert windows().unset_variable("A") == "Remove-Item Env:A"
    assert windows().set_secret("A") == f"$env:A = {windows().random}"


def test_a_shell_does_what_is_written_for_it(tmp_path: Path) -> None:
    link = tmp_path / "a link"
    (tmp_path / "it's").write_text("what it says")
    link.symlink_to("it's")
    on, shown = Linux(), "echo $A"
    lines = (on.set_secret("A"), shown, on.unset_variable("A"), shown, on.replace_link(str(link)))
    secret, none = subprocess.run(
        ["/bin/sh", "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    ).stdout.splitlines()

    assert len(secret) == 64
    assert none == ""
    assert not link.is_symlink()
    assert link.read_text() == "what it says"
    own = shlex.split(windows().random)
    made = subprocess.run([sys.executable, *own[1:]], capture_output=True, text=True, check=True)
    assert len(made.stdout.strip()) == 64


def test_an_old_number_of_a_process_is_not_killed_to_learn_whether_it_lives() -> None:
    """On Windows `os.kill(number, 0)` ends the process."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:

        def kill(*_: object) -> None:
            raise AssertionError("killed")

        assert windows(kill=kill).is_parent(process.pid)
        process.communicate(b"\n")


@every_system
def test_freed_memory_is_kept_where_the_library_can_be_told(
    make: Callable[[], OperatingSystem],
) -> None:
    make().keep_freed_memory()


def test_glibc_is_told_to_keep_it_and_others_are_not() -> None:
    told: list[tuple[int, int]] = []
    library = SimpleNamespace(mallopt=lambda option, size: told.append((option, size)))
    glibc, musl = ({"CDLL": lambda _, found=found: found} for found in (library, object()))

    Linux(module=lambda _: SimpleNamespace(**glibc)).keep_freed_memory()
    assert dict(told) == {-3: 2**25, -1: 2**29, -2: 2**24}
    Linux(module=lambda _: SimpleNamespace(**musl)).keep_freed_memory()
    MacOs(module=lambda _: SimpleNamespace(**glibc)).keep_freed_memory()
    assert len(told) == 3
