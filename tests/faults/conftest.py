import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TICKER
from tests.support.faults.disturbed_program import Forks, forks_of
from tests.support.faults.store_invariants import COMMANDS, TRAINING, Scene, SceneOf, copied, known
from tests.support.places import SAMPLE


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    folder = tmp_path_factory.mktemp("forks")
    header, *rows = SAMPLE.read_text().splitlines()
    (folder / "prices.csv").write_text("\n".join([header, *rows[-400:-20], ""]))
    (folder / "later.csv").write_text("\n".join([header, *rows[-60:], ""]))
    (folder / "training").write_text(json.dumps([*TRAINING, "--seed", "7"]))
    with forks_of(folder) as started:
        yield started


@pytest.fixture(scope="session")
def base(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with v2 the champion, v1 the previous one, v3 a smaller v1, and a forecast."""
    home = tmp_path_factory.mktemp("base") / "home"
    prices = forks.folder / "prices.csv"
    ended = forks.start(
        home,
        ["fetch", "-q", "-t", TICKER, "--source", "csv", "--file", f"{prices}"],
        ["train", "-q", "-t", TICKER, *TRAINING],
        ["train", "-q", "-t", TICKER, *TRAINING, "--seed", "3"],
        ["quantize", "-q", "-t", f"{TICKER}@v1", "--tolerance", "1000"],
        ["predict", "-q"],
    ).wait()
    assert ended.code == 0, ended.err
    return home


def _plant(home: Path) -> None:
    """Leave behind what killed processes leave."""
    model = home / "models" / TICKER
    shutil.copytree(model / "v1", model / "v9")
    for name in (".draft-", ".trash-"):
        shutil.copytree(model / "v1", model / f"{name}{'0' * 32}")
    pictures = home / "reports" / TICKER
    for path in (pictures / "v9" / "forecast.png", pictures / "v1" / ".forecast.png.999999999"):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half a picture")
        # A program before 0.2 has named it, more than an hour ago.
        os.utime(path, (0, 0))
    run = home / "runs" / f"{TICKER}-20240101T000000Z-0000"
    run.mkdir(parents=True)
    (run / "state.pth").write_bytes(b"half a state")
    os.utime(run, (0, 0))


@pytest.fixture(scope="session")
def scene_of(forks: Forks, base: Path, tmp_path_factory: pytest.TempPathFactory) -> SceneOf:
    """Gives the store before a command, once the command went through on a copy of it."""
    scenes: dict[str, Scene] = {}

    def find(name: str) -> Scene:
        if name not in scenes:
            folder = tmp_path_factory.mktemp(name)
            home = copied(base, folder / "before")
            if name == "gc":
                _plant(home)
            arguments = tuple(word.format(folder=forks.folder) for word in COMMANDS[name])
            done = copied(home, folder / "after")
            ended = forks.run(done, *arguments, counted=True)
            assert ended.code == 0, ended.err
            scenes[name] = Scene(home, arguments, known(home), known(done), ended.crossed)
        return scenes[name]

    return find
