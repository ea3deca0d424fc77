"""Files of forecasts under kills, two at once, a full disk and missing rights.

What `predict --csv FILE --append` and `--out FILE` write is as it was or as it was to be.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import TICKER
from tests.support.faults.boundaries import Fault
from tests.support.faults.disturbed_program import Ended, Forks
from tests.support.faults.hard_places import NOBODY, fill, open_ground, tmpfs
from tests.support.faults.store_invariants import copied


@dataclass(frozen=True)
class Evening:
    """A folder with yesterday's files, and the command that writes today's.

    Attributes:
        home: The store.
        folder: Where the files are.
        arguments: The command.
        before: What they hold; the one that grows has a row.
        after: What they hold once the command went through, where it has one more.
    """

    home: Path
    folder: Path
    arguments: list[str]
    before: dict[str, bytes]
    after: dict[str, bytes]

    def now(self) -> dict[str, bytes]:
        """Read the files, but for what a killed process leaves until the next one comes."""
        return {
            path.name: path.read_bytes()
            for path in self.folder.iterdir()
            if path.is_file() and not path.name.startswith(".stocklstm-")
        }

    def reset(self) -> None:
        for name, content in self.before.items():
            (self.folder / name).write_bytes(content)


def prepared(forks: Forks, base: Path, place: Path) -> Evening:
    home, folder = copied(base, place / "home"), place / "files"
    files = ["--csv", f"{folder}/all.csv", "--append", "--out", f"{folder}/today.json"]
    arguments = ["predict", "-q", *files]
    evening = Evening(home, folder, arguments, {}, {})
    for version, kept in (("@v1", evening.before), ("", evening.after)):
        ended = forks.run(home, *arguments, "-t", f"{TICKER}{version}")
        assert ended.code == 0, ended.err
        kept.update(evening.now())
    lines = [evening.before["all.csv"].splitlines(), evening.after["all.csv"].splitlines()]
    assert [len(each) for each in lines] == [2, 3]
    assert lines[1][:2] == lines[0]
    evening.reset()
    return evening


@pytest.fixture
def evening(forks: Forks, base: Path, tmp_path: Path) -> Evening:
    return prepared(forks, base, tmp_path)


def assert_whole(evening: Evening) -> None:
    for name, content in evening.now().items():
        assert content in {evening.before[name], evening.after[name]}, name


def assert_goes_on(evening: Evening, forks: Forks) -> None:
    """The next run does what this one was to do, and clears away what it left."""
    ended = forks.run(evening.home, *evening.arguments)

    assert ended.code == 0, ended.err
    assert evening.now() == evening.after
    assert {path.name for path in evening.folder.iterdir()} == evening.after.keys()


def test_killed_at_every_boundary(evening: Evening, forks: Forks) -> None:
    counted = forks.run(evening.home, *evening.arguments, counted=True)
    assert counted.code == 0, counted.err
    assert counted.crossed.count("replace") == 2
    # From where the first of the two files is begun.
    first = next(n for n, name in enumerate(counted.crossed) if name == "mkdir")
    for number in range(first, len(counted.crossed)):
        evening.reset()
        how = "half" if counted.crossed[number] == "write" else "before"
        ended = forks.run(evening.home, *evening.arguments, fault=Fault(number, how))
        assert ended.killed, (number, how)
        assert_whole(evening)
        assert_goes_on(evening, forks)


def test_two_at_once_and_one_that_is_killed(evening: Evening, forks: Forks) -> None:
    """Four evenings of versions that the file lacks, and one that dies among them."""
    file = evening.folder / "all.csv"
    for attempt in range(6):
        evening.reset()
        writers = [
            forks.start(
                evening.home,
                ["predict", "-q", "-t", f"{TICKER}@{version}", "--csv", f"{file}", "--append"],
            )
            for version in ("v1", "v2", "v3", "v2")
        ]
        victim = forks.start(evening.home, evening.arguments)
        victim.kill_after(0.03 * attempt)
        victim.wait()
        for writer in writers:
            ended = writer.wait()
            assert ended.code == 0, ended.err

        header, *rows = file.read_bytes().splitlines()
        assert [header, rows[0]] == evening.before["all.csv"].splitlines()
        names = sorted(row.rpartition(b",")[2].decode() for row in rows)
        assert names == [f"{TICKER}@v{version}" for version in (1, 2, 3)]


def assert_refused(ended: Ended, code: int, words: str) -> None:
    assert ended.code == code, ended.err
    assert float(ended.out) > 0
    assert "Traceback" not in ended.err
    for option in ("--csv", "--out"):
        assert f"name another place with {option}" in ended.err
    assert ended.err.count(words) == 2


def test_a_full_disk_leaves_yesterdays_files(evening: Evening, forks: Forks) -> None:
    with tmpfs(400_000) as place:
        full = place / "files"
        full.mkdir()
        for name, content in evening.before.items():
            (full / name).write_bytes(content)
        fill(place / "ballast")
        words = [word.replace(f"{evening.folder}", f"{full}") for word in evening.arguments]

        ended = forks.run(evening.home, *words)

        assert_refused(ended, 75, "No space left on device")
        assert {path.name: path.read_bytes() for path in full.iterdir()} == evening.before


def test_no_file_may_grow_beyond_what_it_is(evening: Evening, forks: Forks) -> None:
    """The system refuses the write."""
    most = max(map(len, evening.before.values())) - 200

    ended = forks.run(evening.home, *evening.arguments, most_bytes=most)

    assert ended.code == 75
    assert "File too large" in ended.err
    assert_whole(evening)
    assert evening.now()["today.json"] == evening.before["today.json"]
    assert_goes_on(evening, forks)


def test_a_directory_that_may_not_be_written(forks: Forks, base: Path) -> None:
    """As somebody whom permissions stop: root becomes nobody for this."""
    user = NOBODY if os.getuid() == 0 else None
    with open_ground() as place:
        evening = prepared(forks, base, place)
        if user is not None:
            for path in [evening.home, *place.rglob("*")]:
                os.chown(path, user, user)
        evening.folder.chmod(0o500)

        ended = forks.run(
            evening.home,
            *evening.arguments,
            user=user,
            environment={"STOCKLSTM_CONFIG": f"{place}/none"},
        )

        evening.folder.chmod(0o700)
        assert_refused(ended, 2, "Permission denied")
        assert evening.now() == evening.before
