"""Many who forecast while others write, and writers who meet or die."""

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from stocklstm import validate
from stocklstm.core.reference import CHAMPION, parse_reference
from stocklstm.errors import NoModelError
from stocklstm.store.locks import work_lock, writer_lock
from stocklstm.store.manifest import Manifest
from stocklstm.store.paths import StorePaths
from stocklstm.store.registry import Registry
from stocklstm.store.store import open_store
from stocklstm.workflows.loading.model import load_model
from tests.conftest import TICKER
from tests.support.faults.disturbed_program import Ended, Forks
from tests.support.faults.store_invariants import (
    COMMANDS,
    SEEDED,
    TRAINING,
    SceneOf,
    assert_goes_on,
    assert_whole,
    copied,
    known,
)

LATER = "2024-03-14T21:00:00Z"
READERS = 16
ROUNDS = 5
PATIENT = ["--lock-timeout", "120"]


def promoted(reference: str) -> list[str]:
    return ["models", "promote", "-q", f"{TICKER}@{reference}", *PATIENT]


def assert_follows(seen: list[int], champions: list[int]) -> None:
    """One reader's versions were champion one after the other, in this order."""
    at = 0
    for version in seen:
        assert version in champions[at:], (seen, champions)
        at = champions.index(version, at)


def test_forecasts_while_versions_come_and_go(base: Path, forks: Forks, tmp_path: Path) -> None:
    """Every one is made, by a version that was champion then."""
    home = copied(base, tmp_path / "home")
    clean = ["models", "gc", "-q", "--keep", "0", "--older-than", "0", *PATIENT]
    taken = ["models", "import", "-q", f"{forks.folder / 'bundle.zip'}", "--promote", "always"]
    smaller = ["quantize", "-q", "-t", f"{TICKER}@v2", "--tolerance", "1000", *PATIENT]
    writing = [
        *(promoted("v3"), promoted("v1"), promoted("v2"), smaller, clean),
        *([*taken, *PATIENT], promoted("v2"), promoted("v4"), clean),
        *(["train", "-q", "-t", TICKER, *SEEDED, *PATIENT], promoted("v2"), promoted("v4"), clean),
    ]

    writer = forks.start(home, *writing)
    reading = [["predict", "--json", *PATIENT]] * ROUNDS
    readers = [forks.start(home, *reading) for _ in range(READERS)]
    ended = [reader.wait() for reader in readers]
    written = writer.wait()

    assert written.code == 0, written.err
    champions = [2, *_champions(home)[2:]]
    assert len(champions) > 8
    for reader in ended:
        assert reader.code == 0, reader.err
        assert_follows(_versions(reader), champions)
    checked = validate(every_version=True, prices=True, home=home)
    assert {item.status for item in checked.results} == {"ok"}


def _champions(home: Path) -> list[int]:
    with open_store(home) as store:
        log = store.registry.aliases.log(TICKER)
    return [change.version or 0 for change in log if change.name == CHAMPION]


def _versions(reader: Ended) -> list[int]:
    """Read the versions out of one JSON document after the other."""
    decoder, text, found = json.JSONDecoder(), reader.out.strip(), []
    while text:
        document, end = decoder.raw_decode(text)
        assert document["errors"] == []
        found += [forecast["version"] for forecast in document["forecasts"]]
        text = text[end:].lstrip()
    assert len(found) == ROUNDS
    return found


class Meddled(Registry):
    """A registry whose v2 is replaced and removed between two steps of a reader."""

    def manifest(self, ticker: str, version: int) -> Manifest:
        if version == 2 and 2 in self.versions(ticker):
            for other in (3, 1):
                self.aliases.promote(ticker, other, reason="better", at=LATER)
            self.remove(ticker, 2, at=LATER)
        return super().manifest(ticker, version)


@pytest.mark.parametrize("reference", ["champion", "v2"])
def test_a_name_that_means_another_version_by_now(
    base: Path, tmp_path: Path, reference: str
) -> None:
    home = copied(base, tmp_path / "home")
    wanted = parse_reference(f"{TICKER}@{reference}")
    with open_store(home) as store:
        registry = Meddled(store.paths, store.registry.connection)
        meddled = replace(store, registry=registry)
        if reference == "v2":
            with pytest.raises(NoModelError, match=r"there is no PETR4\.SA@v2"):
                load_model(meddled, wanted)
        else:
            assert load_model(meddled, wanted).manifest.version == 1


def test_a_forecast_waits_for_no_training(base: Path, forks: Forks, tmp_path: Path) -> None:
    """Every lock of a training and of a fetch is held, and a forecast takes no moment for them."""
    home = copied(base, tmp_path / "home")
    paths = StorePaths(home)
    with (
        writer_lock(paths, TICKER, 0),
        writer_lock(paths, "prices", 0),
        work_lock(paths, "run", f"{TICKER}-20240101T000000Z-0000"),
    ):
        made = forks.run(home, "predict", "-q", "-t", f"{TICKER}@v1", "--lock-timeout", "0")
        moved = forks.run(home, *promoted("v3")[:-1], "0")

    assert (made.code, made.err.count("ledger")) == (0, 0), made.err
    assert len(known(home).ledger) == len(known(base).ledger) + 1
    assert moved.code == 75


def test_two_trainers_of_one_ticker_and_one_that_is_killed(
    base: Path, forks: Forks, tmp_path: Path
) -> None:
    home = copied(base, tmp_path / "home")
    training = ["train", "-q", "-t", TICKER, *TRAINING, *PATIENT]

    both = [forks.start(home, [*training, "--seed", seed]) for seed in ("11", "12", "13")]
    both[1].kill()
    ended = [trainer.wait() for trainer in both]

    assert [trainer.code for trainer in ended] == [0, -9, 0], [trainer.err for trainer in ended]
    made = {trainer.out for trainer in (ended[0], ended[2])}
    assert made == {f"{TICKER}@v4\n", f"{TICKER}@v5\n"}
    assert known(home).versions == (1, 2, 3, 4, 5)
    checked = validate(every_version=True, prices=True, home=home)
    assert {item.status for item in checked.results} == {"ok"}


def test_killed_at_any_moment(scene_of: SceneOf, forks: Forks, tmp_path: Path) -> None:
    """Also where no boundary is counted; the moments come from a fixed seed."""
    moments = random.Random(20_240_313)
    for number in range(3 * len(COMMANDS)):
        scene = scene_of(list(COMMANDS)[number % len(COMMANDS)])
        home = copied(scene.home, tmp_path / f"{number}")
        fork = forks.start(home, scene.arguments)
        # Longer than most commands take: that one has ended before it is killed is no failure.
        fork.kill_after(moments.uniform(0, 0.15))
        assert fork.wait().code in {0, -9}
        assert_goes_on(home, scene, forks, assert_whole(home, scene))
        shutil.rmtree(home)
