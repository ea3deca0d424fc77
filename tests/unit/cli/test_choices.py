"""What is one of a few words is read in any letter case, wherever it is typed."""

import json
from pathlib import Path

import pytest

from tests.conftest import TICKER, TINY_OPTIONS, Cli


def test_settings_are(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STOCKLSTM_DEVICE", "CPU")
    file = tmp_path / "own.toml"
    file.write_text('optimizer = "AdamW"\nfeatures = ["Close", "VOLUME"]\nrestore_best = true\n')

    typed = ["--preset", "Paper", "--schedule", "Cosine", "--loss", "HUBER"]
    shown = cli("config", "show", *typed, "--config", str(file), "--json")

    settings = {row["name"]: row["value"] for row in json.loads(shown.out)["settings"]}
    assert settings["preset"] == "paper"
    assert settings["features"] == ["close", "volume"]
    assert [settings[name] for name in ("schedule", "loss", "device", "optimizer")] == [
        *("cosine", "huber", "cpu", "adamw")
    ]


def test_so_is_a_preset_in_the_environment(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCKLSTM_PRESET", "PAPER-short")

    assert cli("config", "show", "--quiet").out.startswith("preset paper-short\n")


def test_what_is_none_of_them_is_refused_as_it_was_typed(cli: Cli) -> None:
    said = cli("config", "show", "--optimizer", "ADAMAX")

    assert said.code == 2
    assert "not 'ADAMAX'" in said.err


@pytest.mark.usefixtures("model_home")
def test_so_are_options(cli: Cli, tmp_path: Path) -> None:
    for words in (
        ["fetch", "--source", "Sample"],
        ["train", TICKER, "--dry-run", "--promote", "NEVER", *TINY_OPTIONS],
        ["models", "export", TICKER, "--format", "ONNX", "--output", str(tmp_path / "graph")],
        ["prices", "export", TICKER, "--format", "CSV"],
        ["predict", "--csv", str(tmp_path / "all.csv"), "--csv-style", "Excel-BR"],
        ["evaluate", "--live", "--fail-on", "DRIFT"],
    ):
        assert cli(*words).code == 0, words
    refused = cli(
        "quantize", TICKER, "--method", "PIPELINE", "--budget", "Accuracy", "--alpha", "1"
    )
    assert "--alpha does not belong to method pipeline" in refused.err
    assert cli("train", "--resume", "AUTO") == cli("train", "--resume", "auto")
