"""A SQLite that is too old for the tables of a store is called that, and nothing is damaged."""

import sqlite3
from pathlib import Path

import pytest

from stocklstm import backup, export_model
from tests.conftest import TICKER, Cli

SAID = (
    "error: this Python comes with SQLite 3.34.1, and 3.37 is needed\n"
    "  next: install stocklstm with a Python that brings a newer one, such as that of: "
    "uv python install 3.13, or of conda\n"
)

LINES = [
    "fetch --source sample",
    "train --all",
    "train PETR4.SA",
    "train PETR4.SA --dry-run",
    "evaluate",
    "evaluate --live",
    "predict",
    "evening",
    "schedule",
    "forecasts",
    "validate",
    "validate --prices",
    "quantize PETR4.SA",
    "tune PETR4.SA",
    "demo --home {folder}/demo",
    "backup {folder}/another.zip",
    "restore {folder}/backup.zip --home {folder}/restored",
    "restore {folder}/backup.zip --replace",
    "models list",
    "models show PETR4.SA",
    "models promote PETR4.SA@v1",
    "models rollback PETR4.SA",
    "models unalias PETR4.SA@live",
    "models diff PETR4.SA PETR4.SA",
    "models sign PETR4.SA@v1",
    "models adopt",
    "models rm PETR4.SA@v1",
    "models gc",
    "models export PETR4.SA",
    "models import {folder}/bundle.zip",
    "prices show",
    "prices export -t PETR4.SA",
    "prices verify",
    "prices rename PETR4.SA BHIA3.SA",
    "config show --like PETR4.SA@v1",
]


def test_every_command_that_opens_a_store_says_so(
    model_home: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_model(TICKER, tmp_path / "bundle.zip", home=model_home)
    backup(tmp_path / "backup.zip", home=model_home)
    stored = sorted(model_home.rglob("*"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.34.1")

    found = {line: cli(*line.replace("{folder}", str(tmp_path)).split()) for line in LINES}

    assert {line: (each.code, each.err) for line, each in found.items()} == dict.fromkeys(
        LINES, (2, SAID)
    )
    assert sorted(model_home.rglob("*")) == stored
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.zip", "bundle.zip", "home"]


@pytest.mark.parametrize("line", ["fetch --source sample", "train PETR4.SA", "models adopt"])
def test_no_store_is_begun(
    home: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))

    assert cli(*line.split()).code in {2, 4}
    assert not home.exists()


def test_the_first_that_has_strict_tables_will_do(
    priced_home: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 37, 0))

    assert cli("prices", "show").code == 0
    assert priced_home.exists()
