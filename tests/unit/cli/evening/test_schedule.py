"""schedule prints what a scheduler takes, with all that is needed where nothing else is known."""

import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli

KINDS = ("cron", "systemd", "windows")


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(sys, "argv", ["/opt/x/stocklstm/__main__.py"])
    for name in ("PYTHONPATH", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    yield
    monkeypatch.undo()
    time.tzset()


def command(cli: Cli, *options: str) -> list[str]:
    """Give the words of the line that is printed for cron, its five fields left out."""
    done = cli("schedule", *options, "--quiet")
    assert done.code == 0, done.err
    return shlex.split(done.out.splitlines()[0].split(" ", 5)[5])


def test_the_line_has_whole_paths_and_the_store(
    cli: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.txt").write_text("PETR4.SA\n")
    monkeypatch.delenv("STOCKLSTM_CONFIG")

    words = command(
        cli,
        *("--tickers-file", "names.txt", "--csv", "all.csv", "--append", "--report", "page"),
    )

    assert words == [
        *(sys.executable, "-P", "-m", "stocklstm", "evening", "--home", str(home)),
        *("--tickers-file", str(tmp_path / "names.txt"), "--csv", str(tmp_path / "all.csv")),
        *("--append", "--report", str(tmp_path / "page"), "--log", str(home / "evening.log")),
        *("--lock-timeout", "21600"),
    ]


@pytest.mark.parametrize(
    ("locale", "options", "spoken"),
    [
        ("pt_BR.UTF-8", (), "STOCKLSTM_LANG=pt-BR"),
        ("C", ("--lang", "pt-BR"), "STOCKLSTM_LANG=pt-BR"),
        ("pt_BR.UTF-8", ("--lang", "en"), None),
        ("C", (), None),
    ],
)
def test_cron_speaks_the_language_that_is_spoken_here(
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    locale: str,
    options: tuple[str, ...],
    spoken: str | None,
) -> None:
    monkeypatch.setenv("LC_MESSAGES", locale)
    monkeypatch.delenv("STOCKLSTM_LANG", raising=False)

    words = command(cli, "PETR4.SA", *options)

    assert next((word for word in words if word.startswith("STOCKLSTM_LANG")), None) == spoken


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_is_said_of_it_is_said_in_portuguese(cli: Cli, kind: str) -> None:
    english, told = (
        cli("schedule", "X.SA", "--for", kind, *language).out.splitlines()
        for language in ((), ("--lang", "pt-BR"))
    )

    def said(lines: list[str]) -> set[str]:
        return {line for line in lines if line.startswith("# ") and "stocklstm eval" not in line}

    both = {line for line in said(english) & said(told) if not line.startswith("# ~/")}
    assert both == set()


def test_variables_that_it_needs_are_set_and_secrets_are_not_printed(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOCKLSTM_CACHE", "/var/cache/my stock")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("STOCKLSTM_SIGNING_KEY", "a key that nobody can guess")

    assert {"STOCKLSTM_CACHE=/var/cache/my stock", "https_proxy=http://proxy:3128"} <= {
        *command(cli, "PETR4.SA")
    }
    for kind in KINDS:
        done = cli("schedule", "PETR4.SA", "--for", kind)
        assert "nobody can guess" not in done.out + done.err
        assert "STOCKLSTM_SIGNING_KEY is set here" in done.out


def test_it_is_started_in_another_directory(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STOCKLSTM_CONFIG", "my.toml")
    monkeypatch.setenv("SSL_CERT_FILE", "certificates/ca.pem")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["lib", "/opt/lib"]))
    monkeypatch.setenv("NO_PROXY", "localhost")

    assert {
        f"STOCKLSTM_CONFIG={tmp_path / 'my.toml'}",
        f"SSL_CERT_FILE={tmp_path / 'certificates' / 'ca.pem'}",
        f"PYTHONPATH={tmp_path / 'lib'}{os.pathsep}/opt/lib",
        "NO_PROXY=localhost",
    } <= {*command(cli, "PETR4.SA")}


def test_the_program_is_the_one_that_was_called(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "bin dir" / "stocklstm"
    script.parent.mkdir()
    script.write_text("")
    monkeypatch.setattr(sys, "argv", [str(script)])

    words = command(cli, "PETR4.SA")

    assert words[words.index("evening") - 1] == str(script)


def test_comments_tell_what_it_is(cli: Cli, home: Path) -> None:
    done = cli("schedule", "PETR4.SA", "--at", "18:45")

    *comments, line = done.out.splitlines()
    assert all(comment.startswith("# ") for comment in comments)
    assert line.startswith("45 21,22,23 * * 1-5 ")
    said = "\n".join(comments)
    assert "Mon to Fri at 18:45 in America/Sao_Paulo" in said
    assert "prices of BVMF are final at 18:30" in said
    assert "By the clock of this machine that is 21:45." in said
    assert str(home / "evening.log") in said
    assert "1 MB" in said
    assert done.err == ""
    # It installs nothing, and makes no store.
    assert not home.exists()


def test_systemd_has_the_zone_of_the_exchange_and_catches_up(cli: Cli) -> None:
    lines = cli("schedule", "PETR4.SA", "--for", "systemd", "-q").out.splitlines()

    assert "# ~/.config/systemd/user/stocklstm-evening.service" in lines
    assert "OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 18:30:00 America/Sao_Paulo" in lines
    assert "Persistent=true" in lines
    assert "Restart=on-failure" in lines
    # The journal has the table.
    (start,) = (line for line in lines if line.startswith("ExecStart="))
    assert "--log" not in start


def test_windows_has_a_task(cli: Cli) -> None:
    lines = cli("schedule", "PETR4.SA", "--for", "Windows", "-q").out.splitlines()

    assert lines[0].startswith(f"$action = New-ScheduledTaskAction -Execute '{sys.executable}' ")
    assert lines[-1].startswith("Register-ScheduledTask -TaskName 'stocklstm evening' ")


def test_json_has_the_same(cli: Cli) -> None:
    (one,) = json.loads(cli("schedule", "PETR4.SA", "--json").out)["schedules"]

    (file,) = one["files"]
    assert file["name"] is None
    assert "\n".join(file["lines"]) + "\n" == cli("schedule", "PETR4.SA", "-q").out
    assert (one["at"], one["earliest"], one["time_zone"]) == (
        *("18:30", "18:30", "America/Sao_Paulo"),
    )


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("PETR4.SA --at 17:00", "--at 18:30"),
        ("PETR4.SA --at soon", "--at 18:30"),
        ("PETR4.SA --for launchd", "--for systemd"),
        ("--tickers-file -", "--tickers-file tickers.txt"),
        ("PETR4.SA --append", "--csv forecasts.csv"),
        ("PETR4", "PETR4.SA"),
        ("PETR4.SA " + "--ticker VALE3.SA " * 120, "--tickers-file"),
    ],
)
def test_what_cannot_run_is_refused(cli: Cli, words: str, hint: str) -> None:
    done = cli("schedule", *words.split())

    assert (done.code, done.out) == (2, "")
    assert hint in done.err.partition("  next: ")[2]


def test_without_a_ticker_those_with_a_champion_are_meant(cli: Cli, priced_home: Path) -> None:
    done = cli("schedule")

    assert done.code == 4
    assert "  next: stocklstm train PETR4.SA" in done.err
    assert priced_home.exists()
