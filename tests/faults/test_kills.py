"""kill -9 at the boundaries of the system calls that write, and at moments between them.

Each command is a process that kills itself; the boundaries are counted in one that is not killed.
A sample of them is tried, evenly spread: STOCKLSTM_FAULTS=all tries every one.
"""

import shutil
from pathlib import Path

import pytest

from tests.conftest import TICKER
from tests.support.faults.boundaries import Fault, sees_sqlite
from tests.support.faults.chosen_boundaries import PARTS, chosen, spread
from tests.support.faults.disturbed_program import Forks
from tests.support.faults.store_invariants import (
    COMMANDS,
    SEEDED,
    SceneOf,
    assert_goes_on,
    assert_whole,
    copied,
    known,
)

# Of one command.
MOST = 28


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("command", COMMANDS)
def test_killed_at_a_boundary(
    command: str, part: int, scene_of: SceneOf, forks: Forks, tmp_path: Path
) -> None:
    """A store is as it was or as it was to be, and nothing stands in the way of the next run."""
    scene = scene_of(command)
    for number in chosen(command, scene.boundaries, part, MOST):
        # Between two calls nothing is written: after one is before the next.
        last = number == len(scene.boundaries) - 1
        torn = scene.boundaries[number].endswith("write") and number % 2
        fault = Fault(number, "after" if last else "half" if torn else "before")
        home = copied(scene.home, tmp_path / f"{number}")

        assert forks.run(home, *scene.arguments, fault=fault).killed, fault

        now = assert_whole(home, scene)
        assert_goes_on(home, scene, forks, now)
        shutil.rmtree(home)


def test_the_sample_is_not_small(scene_of: SceneOf) -> None:
    kills = [len(spread(name, scene_of(name).boundaries, MOST)) for name in COMMANDS]

    assert sum(kills) >= 200
    for name in COMMANDS:
        sqlites = [each for each in scene_of(name).boundaries if each.startswith("sqlite")]
        assert bool(sqlites) == sees_sqlite()


def test_a_killed_training_goes_on_to_the_same_weights(
    scene_of: SceneOf, forks: Forks, tmp_path: Path
) -> None:
    """Whatever it had kept by then: nothing, half a record, a state, checkpoints."""
    scene = scene_of("train")
    whole = _serving_graph(scene.home.with_name("after"), 4)
    # A run that was told what to do is told nothing; one that is begun anew takes it from here.
    words = dict(zip(SEEDED[::2], SEEDED[1::2], strict=True))
    promote = words.pop("--promote")
    settings = {f"STOCKLSTM_{name[2:].replace('-', '_').upper()}": v for name, v in words.items()}
    resume = ["train", "-q", "-t", TICKER, "--promote", promote, "--resume", "auto"]
    resumed = 0
    for number in spread("train", scene.boundaries, 26):
        home = copied(scene.home, tmp_path / f"{number}")
        assert forks.run(home, *scene.arguments, fault=Fault(number, "half")).killed
        if known(home).versions == scene.before.versions:
            # A directory that was never published keeps its number.
            version = 4 + (home / "models" / TICKER / "v4").exists()
            again = forks.run(home, *resume, environment=settings)
            assert again.code == 0, again.err
            assert _serving_graph(home, version) == whole
            resumed += 1
        shutil.rmtree(home)
    assert resumed >= 10


def _serving_graph(home: Path, version: int) -> bytes:
    return (home / "models" / TICKER / f"v{version}" / "model.onnx").read_bytes()
