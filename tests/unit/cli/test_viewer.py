"""Pictures: their paths are whole on any terminal, and --open shows them in a viewer on PATH."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stocklstm.cli.viewer import MOST_OPENED, open_pictures
from tests.conftest import TICKER, TINY_OPTIONS, Cli

VIEWER = "open" if sys.platform == "darwin" else "xdg-open"

Opened = Callable[[], list[str]]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Put a viewer on PATH that writes down what it is asked to show."""
    record = tmp_path / "opened.txt"
    put_viewer(tmp_path / "bin", f"printf '%s\\n' \"$1\" >> '{record}'")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", ":0")
    return lambda: record.read_text().splitlines() if record.exists() else []


def put_viewer(folder: Path, body: str) -> None:
    folder.mkdir(exist_ok=True)
    script = folder / VIEWER
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)


def pictures(output: str) -> list[str]:
    """Find the paths of pictures in what a command printed, each in a line of its own."""
    lines = output.splitlines()
    return [line.removeprefix("Picture: ") for line in lines if line.startswith("Picture: ")]


@pytest.fixture
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")


@pytest.mark.usefixtures("_narrow")
def test_train_says_where_its_pictures_are(cli: Cli, priced_home: Path, opened: Opened) -> None:
    outcome = cli("train", TICKER, *TINY_OPTIONS, "--open")

    assert outcome.code == 0, outcome.err
    folder = priced_home / "reports" / TICKER / "v1"
    drawn = [str(folder / name) for name in ("training_history.png", "predictions_vs_actual.png")]
    assert pictures(outcome.out) == drawn
    assert f"Files: {priced_home / 'models' / TICKER / 'v1'}" in outcome.out.splitlines()
    assert all(Path(path).read_bytes().startswith(b"\x89PNG") for path in drawn)
    assert opened() == drawn[:1]


@pytest.mark.usefixtures("_narrow")
def test_every_command_that_draws_shows_its_picture(
    cli: Cli, model_home: Path, opened: Opened
) -> None:
    reports = model_home / "reports" / TICKER
    for arguments, first in (
        (["evaluate"], reports / "v1" / "predictions_vs_actual.png"),
        (["predict"], reports / "v1" / "forecast.png"),
        (["quantize", TICKER], model_home / "models" / TICKER / "v2" / "quantized.png"),
    ):
        outcome = cli(*arguments, "--open")

        assert outcome.code in {0, 3}, outcome.err
        assert pictures(outcome.out)[0] == str(first)
        assert first.exists()
        assert opened()[-1] == str(first)
    assert len(opened()) == 3


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", TICKER, "--open", "--json"], "--json and --quiet are for scripts"),
        (["train", TICKER, "--open", "--quiet"], "--json and --quiet are for scripts"),
        (["predict", "--open", "--csv", "-"], "--csv - is for scripts"),
        (["evaluate", "--live", "--open"], "evaluate --live draws no pictures"),
        (["evaluate", "--no-plot", "--open"], "--no-plot leaves nothing to open"),
        (["train", TICKER, "--no-plot", "--open"], "--no-plot leaves nothing to open"),
    ],
)
def test_nothing_is_opened_for_a_script_nor_without_a_picture(
    cli: Cli, priced_home: Path, opened: Opened, arguments: list[str], said: str
) -> None:
    outcome = cli(*arguments)

    assert outcome.code == 2
    assert said in outcome.out + outcome.err
    assert not (priced_home / "models").exists()
    assert opened() == []


def test_a_dry_run_has_no_picture_to_open(cli: Cli, priced_home: Path, opened: Opened) -> None:
    outcome = cli("train", TICKER, *TINY_OPTIONS, "--dry-run", "--open")

    assert outcome.code == 0
    assert outcome.err == "note: there is no picture to open\n"
    assert not (priced_home / "models").exists()
    assert opened() == []


def said(capfd: pytest.CaptureFixture[str], paths: list[str]) -> str:
    capfd.readouterr()
    open_pictures(paths)
    return capfd.readouterr().err


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS needs no variable for its display")
def test_without_a_display_there_is_a_note(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)

    assert said(capfd, ["a.png", "b.png"]) == (
        "note: no picture was opened: there is no display (neither DISPLAY nor WAYLAND_DISPLAY is "
        "set)\n"
    )
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert said(capfd, ["a.png"]) == ""
    assert opened() == ["a.png"]


@pytest.mark.usefixtures("opened")
def test_without_a_viewer_there_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    put_viewer(tmp_path / "bin", "exit 4")
    assert said(capfd, ["a.png"]) == f"note: no picture was opened: {VIEWER} ended with code 4\n"

    monkeypatch.setenv("PATH", str(tmp_path))
    assert said(capfd, ["a.png"]) == (
        f"note: no picture was opened: there is no {VIEWER} on this machine\n"
    )


def test_each_picture_is_opened_once_and_no_more_than_a_handful(
    opened: Opened, capfd: pytest.CaptureFixture[str]
) -> None:
    many = [f"{number} of them.png" for number in range(MOST_OPENED + 2)]

    assert said(capfd, [many[0], *many]) == (
        "note: opened 5 of 7 pictures; the paths of all stand above\n"
    )
    assert opened() == many[:5]
