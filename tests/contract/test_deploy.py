"""What docs/deploy/ installs is what forecasting needs, and the image does what its page says."""

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from stocklstm import backup
from stocklstm.cli.app import COMMANDS
from stocklstm.core.packages import EXTRAS, package_of
from tests.support.places import ROOT
from tests.support.slim_install import LEFT_OUT, outcomes
from tests.support.stored_rows import execute

DEPLOY = ROOT / "docs" / "deploy"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGE = (ROOT / "docs" / "how-to" / "deploy.md").read_text()

KNOWN = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "ENTRYPOINT", "CMD"}


def requirements(lines: list[str]) -> dict[str, tuple[SpecifierSet, str]]:
    """Read requirements: of each package the versions, and on which machines it is one."""
    read = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    return {canonicalize_name(each.name): (each.specifier, str(each.marker or "")) for each in read}


SLIM = requirements((DEPLOY / "slim.txt").read_text().splitlines())


def test_the_slim_list_is_all_but_the_five_and_what_serve_needs() -> None:
    whole = requirements(PROJECT["dependencies"])
    assert set(LEFT_OUT.values()) <= whole.keys()

    kept = {name: wanted for name, wanted in whole.items() if name not in LEFT_OUT.values()}
    assert kept | requirements(PROJECT["optional-dependencies"]["api"]) == SLIM


def test_the_extras_that_errors_name_bring_what_is_missing() -> None:
    extras = {
        name: requirements(lines).keys() for name, lines in PROJECT["optional-dependencies"].items()
    }

    for extra, modules in EXTRAS.items():
        # dask brings distributed.
        assert {package_of(module) for module in modules} - {"distributed"} <= extras[extra]
    assert extras.keys() - EXTRAS.keys() == {"test", "static", "dev"}


def instructions() -> list[tuple[str, str]]:
    """Read the file: each instruction and its words, lines that go on put together."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(word, rest) for line in lines if line for word, _, rest in [line.partition(" ")]]


FILE = instructions()


def of(word: str) -> list[str]:
    return [rest for name, rest in FILE if name == word]


def environment(data: Path) -> dict[str, str]:
    """Give the variables that the image sets, with its volume at another place."""
    pairs = [pair.split("=", 1) for line in of("ENV") for pair in shlex.split(line)]
    kept = {name: value for name, value in pairs if name != "PATH"}
    return {name: re.sub("^/data", str(data), value) for name, value in kept.items()}


def test_every_instruction_is_known_and_every_shell_line_is_one() -> None:
    assert {word for word, _ in FILE} == KNOWN
    for line in of("RUN"):
        subprocess.run(["/bin/sh", "-n", "-c", line], check=True)


def test_it_installs_the_slim_list_and_the_program_alone() -> None:
    pip = [words for line in of("RUN") for words in line.split("&&") if "pip install" in words]

    assert [words.split("pip install")[1].split() for words in pip] == [
        ["--no-cache-dir", "-r", "slim.txt"],
        ["--no-cache-dir", "--no-deps", "."],
    ]


def test_what_it_copies_is_there_and_is_not_ignored() -> None:
    ignoring = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in ignoring if line.startswith("!")}
    copied = {
        source
        for line in of("COPY")
        if not line.startswith("--from=build")
        for source in line.split()[:-1]
    }

    assert copied == let_in
    assert all((ROOT / source).exists() for source in copied)
    # A wheel is built of these.
    assert {"pyproject.toml", PROJECT["readme"], *PROJECT["license-files"], "stocklstm"} <= copied


def test_its_python_is_one_that_the_program_runs_on() -> None:
    (tag,) = {re.fullmatch(r"python:([\d.]+)-slim( AS build)?", line)[1] for line in of("FROM")}

    assert tag in SpecifierSet(PROJECT["requires-python"])


def test_it_runs_as_nobody_in_particular_who_owns_the_volume() -> None:
    (number,) = of("USER")
    (making,) = [line for line in of("RUN") if "useradd" in line]
    (volume,) = json.loads(of("VOLUME")[0])

    assert number.isdigit()
    assert int(number) > 999
    assert f"useradd --uid {number} " in making
    assert re.search(rf"install -d -o stocklstm -g stocklstm -m 0700 {volume}$", making)
    # Nothing but the last commands comes after it, and all that is written goes there.
    later = [word for word, _ in FILE[FILE.index(("USER", number)) + 1 :]]
    assert later == ["VOLUME", "WORKDIR", "ENTRYPOINT", "CMD"]
    places = {name: value for name, value in environment(Path(volume)).items() if "LSTM" in name}
    assert places.keys() == {"STOCKLSTM_HOME", "STOCKLSTM_CACHE", "STOCKLSTM_CONFIG"}
    assert all(value.startswith(f"{volume}/") for value in places.values())


def lines_of_the_page() -> list[list[str]]:
    """Give what the page runs in the container, and what the image runs by itself."""
    (entry,), command = json.loads(of("ENTRYPOINT")[0]), json.loads(of("CMD")[0])
    assert entry == PROJECT["name"]
    runs = [shlex.split(line) for line in PAGE.splitlines() if line.startswith("docker run")]
    return [words[words.index("stocklstm") + 1 :] or command for words in runs]


def test_what_the_page_runs_works_on_a_new_volume(model_home: Path, tmp_path: Path) -> None:
    """In the order of the page, in a process that finds no more than the image has."""
    never = "9999-12-31T00:00:00Z"
    execute(model_home, "UPDATE sessions SET closes_at = ? WHERE date > '2024-03-13'", never)
    backup(tmp_path / "store.zip", home=model_home)
    data = tmp_path / "data"
    data.mkdir()
    lines = [" ".join(words) for words in lines_of_the_page() if words[0] != "serve"]
    assert lines[:2] == ["restore /store.zip", "evening"]
    assert {line.split()[0] for line in lines} <= COMMANDS.keys()
    placed = [line.replace("/store.zip", f"{tmp_path}/store.zip") for line in lines]
    placed = [line.replace("/data", str(data)) for line in placed]

    found = outcomes(data / "store", placed, environment(data))

    assert {line: each.code for line, each in found.items()} == dict.fromkeys(placed, 0)
    assert (data / "forecasts.csv").read_text().count("PETR4.SA,") == 1
    assert {path.name for path in data.iterdir()} <= {"store", "cache", "forecasts.csv"}


def test_the_page_serves_as_the_program_does() -> None:
    (words,) = [words for words in lines_of_the_page() if words[0] == "serve"]
    (line,) = [line for line in PAGE.splitlines() if line.endswith(" ".join(words))]

    assert words == ["serve", "--host", "0.0.0.0"]  # noqa: S104 - behind Docker's own port
    # Without it the program refuses to serve beyond its machine.
    assert "-e STOCKLSTM_API_TOKEN" in line


@pytest.mark.parametrize("name", ["slim.txt", "Dockerfile"])
def test_the_page_names_them(name: str) -> None:
    assert f"deploy/{name}" in PAGE
