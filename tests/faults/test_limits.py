"""Disks that are really full and directories that may really not be written."""

import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import TICKER
from tests.support.faults.disturbed_program import Ended, Forks
from tests.support.faults.hard_places import NOBODY, fill, open_ground, system, tmpfs
from tests.support.faults.store_invariants import (
    COMMANDS,
    Scene,
    SceneOf,
    assert_done,
    assert_goes_on,
    assert_said,
    assert_whole,
    copied,
)


def assert_sound(home: Path, scene: Scene, ended: Ended) -> None:
    assert "Traceback" not in ended.err
    now = assert_whole(home, scene)
    if ended.code:
        assert_said(ended)
    else:
        assert_done(ended, scene, now)


@pytest.mark.parametrize("most_bytes", [1_500, 30_000, 80_000])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_file_may_grow_beyond_a_size(
    command: str, most_bytes: int, scene_of: SceneOf, forks: Forks, tmp_path: Path
) -> None:
    """The system refuses the write, in SQLite, in ONNX and in Python alike."""
    scene = scene_of(command)
    home = copied(scene.home, tmp_path / "limited")

    ended = forks.run(home, *scene.arguments, most_bytes=most_bytes)

    assert_sound(home, scene, ended)
    if most_bytes < 4096:  # a page of the database
        assert ended.code == (0 if command == "predict" else 75)
    assert_goes_on(home, scene, forks, assert_whole(home, scene))


@pytest.mark.parametrize("room", [0, 60_000, 150_000])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_system_without_room(
    command: str, room: int, scene_of: SceneOf, forks: Forks
) -> None:
    scene = scene_of(command)
    used = sum(-(-path.lstat().st_size // 4096) * 4096 for path in scene.home.rglob("*"))
    with tmpfs(used + room) as place:
        home = copied(scene.home, place / "home")
        ballast = place / "ballast"
        if room == 0:
            fill(ballast)

        ended = forks.run(home, *scene.arguments)

        # There is no room to read in either: SQLite needs some beside the database.
        ballast.unlink(missing_ok=True)
        if room == 0:
            assert ended.code == (0 if command == "predict" else 75)
        assert not system("mount", "-o", "remount,size=64m", str(place))
        assert_sound(home, scene, ended)
        assert_goes_on(home, scene, forks, assert_whole(home, scene))


CLOSED = ["", "models", f"models/{TICKER}", "locks", "runs"]


@pytest.mark.parametrize("closed", CLOSED, ids=lambda name: name or "home")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_directory_that_may_not_be_written(
    command: str, closed: str, scene_of: SceneOf, forks: Forks
) -> None:
    """As somebody whom permissions stop: root becomes nobody for this."""
    scene = scene_of(command)
    user = NOBODY if os.getuid() == 0 else None
    with open_ground() as place:
        home = copied(scene.home, place / "home")
        arguments = [_within(place, word) for word in scene.arguments]
        directory = home / closed
        directory.mkdir(exist_ok=True)
        if user is not None:
            for path in [home, *home.rglob("*")]:
                os.chown(path, user, user)
        directory.chmod(0o500)

        ended = forks.run(
            home, *arguments, user=user, environment={"STOCKLSTM_CONFIG": str(place / "none")}
        )

        directory.chmod(0o700)
        if user is not None:
            for path in [home, *home.rglob("*")]:
                os.chown(path, 0, 0)
        if not closed:
            assert ended.code == (0 if command == "predict" else 2)
        assert_sound(home, scene, ended)
        assert_goes_on(home, scene, forks, assert_whole(home, scene))


def _within(place: Path, word: str) -> str:
    """Copy a file that a command reads to where everybody can read it."""
    if not Path(word).is_file():
        return word
    shutil.copyfile(word, place / Path(word).name)
    return str(place / Path(word).name)
