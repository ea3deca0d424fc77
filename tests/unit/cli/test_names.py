"""Names that are not UTF-8, or that would steer a terminal, in whatever is written."""

import json
import os
from pathlib import Path

import pytest

from tests.conftest import TICKER, Cli

# As Python has the byte 0xff of a path.
BYTE = os.fsdecode(b"\xff")
ODD = f"pre{BYTE}os \x1b[2J\n.txt"


@pytest.mark.parametrize("mode", [(), ("--json",), ("--quiet",)], ids=" ".join)
def test_a_store_whose_path_is_not_utf8(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: tuple[str, ...]
) -> None:
    monkeypatch.setenv("STOCKLSTM_HOME", f"{tmp_path}/{BYTE}")
    outcome = cli("config", "path", *mode)

    assert outcome.code == 0
    if mode == ("--json",):
        document = json.loads(outcome.out)
        shown = next(item["path"] for item in document["paths"] if item["name"] == "store")
        assert shown == f"{tmp_path}/\\xff"
    else:
        assert f"{tmp_path}/\\xff" in outcome.out


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize(
    "words",
    [
        ("predict", "--tickers-file"),
        ("fetch", TICKER, "--file"),
        ("train", TICKER, "--config"),
        ("models", "import"),
        ("models", "show"),
        ("predict",),
        ("prices", "show"),
        ("predict", "--levels"),
        ("predict", "--at"),
        ("train", TICKER, "--features"),
    ],
    ids=" ".join,
)
def test_errors_are_one_line_and_documents_are_whole(cli: Cli, words: tuple[str, ...]) -> None:
    human, machine = cli(*words, ODD), cli(*words, ODD, "--json")

    assert human.code == machine.code in {2, 4}
    assert "\x1b" not in human.err + machine.out
    lines = human.err.splitlines()
    assert [line[:7] for line in lines] == ["error: ", "  next:"]
    (error,) = json.loads(machine.out)["errors"]
    assert lines[0].endswith(error["message"])


@pytest.mark.usefixtures("model_home")
def test_results_have_such_names_too(cli: Cli, tmp_path: Path) -> None:
    place = f"{tmp_path}/{BYTE}.zip"
    exported = cli("models", "export", TICKER, "--output", place, "--json")

    assert exported.code == 0, exported.err
    assert Path(place).exists()
    assert "\\\\xff.zip" in exported.out
    log = tmp_path / "log"
    evening = cli("evening", TICKER, "--csv", f"{place}/below.csv", "--log", str(log))
    assert evening.code in {2, 75}
    assert "\\xff" in log.read_text()


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize("kind", ["cron", "systemd", "windows"])
def test_a_table_of_cron_is_utf8(cli: Cli, kind: str) -> None:
    outcome = cli("schedule", TICKER, "--for", kind, "--log", f"/var/log/{BYTE}")

    assert (outcome.code, outcome.out) == (2, "")
    assert "is not UTF-8" in outcome.err


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize(
    "words",
    [
        ("forecasts", BYTE),
        ("prices", "export", BYTE),
        ("prices", "rename", BYTE, "NEW3.SA"),
        ("restore", "/proc/self/mem"),
        ("models", "import", "/proc/self/mem"),
    ],
    ids=lambda words: " ".join(words).encode("ascii", "replace").decode(),
)
def test_what_no_database_and_no_archive_takes(cli: Cli, words: tuple[str, ...]) -> None:
    outcome = cli(*words)

    assert outcome.code in {2, 4, 5}, outcome.err
    assert "next: " in outcome.err


@pytest.mark.usefixtures("model_home")
def test_a_link_to_itself(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")

    outcome = cli("predict", "--csv", f"{tmp_path}/loop")

    assert outcome.code == 2, outcome.err
