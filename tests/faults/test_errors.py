"""A disk that is full, forbidden or failing, at the boundaries of the system calls that write."""

import errno
import shutil
from pathlib import Path

import pytest

from tests.support.faults.boundaries import Fault
from tests.support.faults.chosen_boundaries import PARTS, chosen
from tests.support.faults.disturbed_program import Forks
from tests.support.faults.store_invariants import (
    COMMANDS,
    SceneOf,
    assert_done,
    assert_goes_on,
    assert_said,
    assert_whole,
    copied,
)

# A full disk stays full, and rights stay missing; a failing disk fails once.
FAULTS = {"ENOSPC": True, "EACCES": True, "EIO": False}


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_refused_at_a_boundary(
    command: str, name: str, part: int, scene_of: SceneOf, forks: Forks, tmp_path: Path
) -> None:
    """It is said in a line, with a documented code, and the store is whole."""
    scene = scene_of(command)
    refused = getattr(errno, name)
    # Python's own clean-up of a temporary directory recurses without end where rights that were
    # there as it was made stay missing.
    lasting = FAULTS[name] and (command, name) != ("quantize", "EACCES")
    struck: list[str] = []
    for number in chosen(command, scene.boundaries, part, 5):
        fault = Fault(number, "error", refused, lasting=lasting)
        home = copied(scene.home, tmp_path / f"{number}")

        ended = forks.run(home, *scene.arguments, fault=fault)

        struck += ended.struck
        assert "Traceback" not in ended.err
        now = assert_whole(home, scene)
        assert not (ended.code and command == "predict")
        if ended.code:
            assert_said(ended)
        else:
            assert_done(ended, scene, now)
        assert_goes_on(home, scene, forks, now)
        shutil.rmtree(home)
    assert struck
