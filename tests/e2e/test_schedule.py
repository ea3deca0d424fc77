"""What schedule prints runs as it is printed, where nothing is known but what is in it."""

import csv
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import TICKER, Program
from tests.support.evenings import cut_off
from tests.support.exchange_days import Exchange, Share, bundled_rows
from tests.support.places import ROOT
from tests.support.yahoo_server import YahooServer

NOBODY = """
import pwd
def nobody(_):
    raise KeyError("uid not found")
pwd.getpwuid = nobody
"""
"""Gives the user a number and no name, as in a container: no home directory can be looked up."""


@dataclass
class Bare:
    """A container: `env -i`, no HOME, a user without a home, a PATH that lacks the program."""

    folder: Path
    exchange: Exchange

    @property
    def home(self) -> Path:
        # A directory that a shell, cron and systemd would each take apart in another way.
        return self.folder / "my 100% $HOME store"

    @property
    def nowhere(self) -> Path:
        """Where it is started."""
        return self.folder / "nowhere"

    def at(self, day: str) -> None:
        """Let it be the evening of a day; the program that is called has no other clock."""
        self.exchange.today = day
        words = f"from tests.support.moving_clock import move\nmove('{day}T21:30:00Z')\n"
        (self.folder / "sitecustomize.py").write_text(NOBODY + words)

    def sh(self, line: str, *variables: str) -> subprocess.CompletedProcess[str]:
        """Give a line to a shell, as cron and systemd start theirs."""
        return subprocess.run(
            ["/usr/bin/env", "-i", "PATH=/usr/bin:/bin", *variables, "/bin/sh", "-c", line],
            cwd=self.nowhere,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def rows(self) -> list[tuple[str, str]]:
        with (self.folder / "all.csv").open(newline="") as file:
            return [(row["as_of"], row["target_session"]) for row in csv.DictReader(file)]


@pytest.fixture
def bare(
    tmp_path: Path, model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Bare, dict[str, str]]]:
    # What a machine of developers has set would be printed as well.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    cut_off(model_home, 6)
    exchange = Exchange({TICKER: Share(bundled_rows())})
    machine = Bare(tmp_path, exchange)
    shutil.move(model_home, machine.home)
    machine.nowhere.mkdir()
    with YahooServer(tmp_path, exchange) as yahoo:
        yield (
            machine,
            {
                **{name: yahoo.environment[name] for name in ("https_proxy", "REQUESTS_CA_BUNDLE")},
                "STOCKLSTM_HOME": str(machine.home),
                "STOCKLSTM_CACHE": str(tmp_path / "own cache"),
                "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
            },
        )


def test_the_lines_run_as_printed(
    program: Program, bare: tuple[Bare, dict[str, str]], tmp_path: Path
) -> None:
    machine, environment = bare
    machine.at("2024-03-07")
    options = (TICKER, "--csv", str(tmp_path / "all.csv"), "--append")
    cron = program("schedule", *options, **environment)
    systemd = program("schedule", *options, "--quiet", "--for", "systemd", **environment)
    assert (cron.returncode, cron.stderr, systemd.returncode) == (0, "", 0)

    # crontab(5): five fields, then a command in which an escaped % is one.
    *comments, line = cron.stdout.splitlines()
    (weekly,) = (words[2:] for words in comments if words.startswith("# 0 9 * * 6 "))
    line, weekly = (each.split(" ", 5)[5].replace(r"\%", "%") for each in (line, weekly))
    first = machine.sh(line)
    again = machine.sh(line)
    asked = machine.sh(weekly)
    # systemd.exec(5): %% and $$ stand for one, and quoting is that of a shell.
    unit = systemd.stdout.replace("%%", "%").splitlines()
    machine.at("2024-03-08")
    variables = [shlex.split(text)[0] for text in values(unit, "Environment")]
    (start,) = values(unit, "ExecStart")
    later = machine.sh(start.replace("$$", r"\$"), *variables)

    # What is written to either would be mailed.
    assert (first.returncode, first.stdout, first.stderr) == (0, "", "")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, "", "")
    assert (later.returncode, later.stderr) == (0, "")
    assert later.stdout.startswith("Evening\n")
    assert machine.rows() == [("2024-03-07", "2024-03-08"), ("2024-03-08", "2024-03-11")]
    log = (machine.home / "evening.log").read_text()
    assert log.startswith("2024-03-07T21:30:00Z\nEvening\n")
    assert log.count("Evening\n") == 1
    # Nothing was left where it was started.
    assert list(machine.nowhere.iterdir()) == []
    # Twice on the first evening, for all of it, since what was stored is of another source.
    assert machine.exchange.asked == [TICKER] * 3
    assert not (tmp_path / "cache").exists()


def values(unit: list[str], name: str) -> list[str]:
    return [line.removeprefix(f"{name}=") for line in unit if line.startswith(f"{name}=")]


@pytest.mark.parametrize(
    ("words", "code"), [("config path", 0), ("predict", 4), ("schedule PETR4.SA", 0)]
)
def test_who_has_no_home_is_told_what_to_set(tmp_path: Path, words: str, code: int) -> None:
    (tmp_path / "sitecustomize.py").write_text(NOBODY)
    done = subprocess.run(
        [sys.executable, "-m", "stocklstm", *words.split()],
        cwd=tmp_path,
        env={"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code, done.stderr
    assert "a bug" not in done.stderr
    # Nothing is made in a place that nobody has.
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == [
        "sitecustomize.py"
    ]
