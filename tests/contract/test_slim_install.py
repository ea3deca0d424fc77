"""Without torch, scikit-learn, joblib, onnx and matplotlib: what works, and what the others say.

Every command has its place in one of the two tables.
"""

from pathlib import Path

import pytest

from stocklstm import export_model
from stocklstm.store.store import open_store
from tests.conftest import TICKER
from tests.support.command_lines import EVERY
from tests.support.copied_versions import NOW, publish_copy
from tests.support.evenings import cut_off
from tests.support.many_tickers import give_names
from tests.support.slim_install import PAGES, outcomes
from tests.support.stored_rows import execute
from tests.support.tampering import replace_manifest
from tests.support.yahoo_machine import GOOD
from tests.support.yahoo_server import YahooServer

WORKING = {
    "--help": 0,
    "--version": 0,
    "train --help": 0,
    "fetch": 0,
    "fetch --source sample": 0,
    "fetch --list-sources": 0,
    "predict": 0,
    "predict --horizon 1-5 --adaptive --csv {folder}/forecasts.csv --append": 0,
    # Yahoo knows nothing of the years since.
    "evening --report {folder}/report": 6,
    "evening --retrain-after 60": 6,
    "schedule --for systemd --retrain-after 60": 0,
    "forecasts": 0,
    "validate": 0,
    "validate --all --prices": 0,
    # The picture is not drawn, and a warning says why.
    "evaluate": 0,
    "evaluate --all": 0,
    "evaluate --live": 0,
    "evaluate --horizons 1-2": 0,
    "evaluate --compare PETR4.SA@v1 PETR4.SA@v2": 0,
    "train --all --if-older-than 60": 0,
    "train --all --if-older-than 60 --dry-run": 0,
    "serve --port 0 --quiet": 0,
    "backup {folder}/backup.zip": 0,
    "restore {folder}/backup.zip --home {folder}/restored": 0,
    "models list": 0,
    "models show PETR4.SA": 0,
    "models promote PETR4.SA@v2": 0,
    "models rollback PETR4.SA": 0,
    "models promote PETR4.SA@v1 --as live": 0,
    "models unalias PETR4.SA@live": 0,
    "models diff PETR4.SA@v1 PETR4.SA@v2": 0,
    "models export PETR4.SA@v1 --out {folder}/again.zip": 0,
    "models export PETR4.SA@v1 --format onnx --out {folder}/graph": 0,
    "models import {folder}/bundle.zip": 0,
    "models sign PETR4.SA@v1": 0,
    "models adopt": 0,
    "models rm PETR4.SA@v3": 0,
    "models gc --keep 1": 0,
    "prices show": 0,
    "prices export -t PETR4.SA": 0,
    "prices verify": 0,
    "prices rename PETR4.SA BHIA3.SA": 0,
    "config show --origin": 0,
    "config path": 0,
}
"""Command lines and their exit codes, in this order; none of them may miss anything."""

NEVER = "9999-12-31T00:00:00Z"

WHOLE = "pip install stocklstm"

REFUSED = {
    "train PETR4.SA": ("torch", WHOLE),
    "train PETR4.SA --dry-run": ("torch", WHOLE),
    "train PETR4.SA --jobs 2": ("torch", WHOLE),
    # Before any price is fetched.
    "train VALE3.SA": ("torch", WHOLE),
    "train --pooled --name b3 PETR4.SA VALE3.SA": ("torch", WHOLE),
    "train --pooled --name b3 PETR4.SA VALE3.SA --dry-run": ("torch", WHOLE),
    "train --resume auto PETR4.SA": ("torch", WHOLE),
    "train --all": ("torch", WHOLE),
    "tune PETR4.SA": ("torch", WHOLE),
    "tune PETR4.SA --sampler tpe": ("torch", WHOLE),
    "quantize PETR4.SA": ("torch", WHOLE),
    "quantize PETR4.SA --method fp16": ("torch", WHOLE),
    "quantize PETR4.SA --jobs 2": ("torch", WHOLE),
    "evaluate PETR4.SA --walk-forward 20": ("torch", WHOLE),
    "validate --deep": ("torch", WHOLE),
    "predict --plot": ("matplotlib", "pip install matplotlib"),
    "predict --plot-file {folder}/forecast.png": ("matplotlib", "pip install matplotlib"),
    "demo": ("torch", WHOLE),
    "models export PETR4.SA --format classic --out {folder}/classic": ("torch", WHOLE),
    "models import {folder} --ticker PETR4.SA": ("torch", WHOLE),
}
"""Command lines, the package that each names, and the line that installs it."""


def _placed(lines: dict[str, object], folder: Path) -> list[str]:
    return [line.replace("{folder}", str(folder)) for line in lines]


def test_every_command_has_its_place() -> None:
    lines = [*WORKING, *REFUSED]
    commands = {path for path, command in EVERY.items() if not hasattr(command, "commands")}

    assert commands == {
        path for path in commands if any(line.split()[: len(path)] == [*path] for line in lines)
    }


@pytest.fixture
def slim_home(model_home: Path, tmp_path: Path) -> Path:
    """Give a store three versions, prices that end before Yahoo's, and a bundle beside."""
    export_model(f"{TICKER}@v1", tmp_path / "bundle.zip", home=model_home)
    with open_store(model_home) as store:
        for _ in range(2):
            publish_copy(store, store.registry.manifest(TICKER, 1), NOW, None)
    cut_off(model_home, 3)
    return model_home


def test_what_forecasts_works(
    slim_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOCKLSTM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("STOCKLSTM_SIGNING_KEY", "0123456789abcdef" * 4)
    with YahooServer(tmp_path, GOOD) as yahoo:
        found = outcomes(slim_home, _placed(WORKING, tmp_path), yahoo.environment)

    codes = dict(zip(WORKING, (each.code for each in found.values()), strict=True))
    said = "".join(each.err for each in found.values())
    assert codes == WORKING, said
    assert "Traceback" not in said
    (missed,) = [line for line in said.splitlines() if "not installed" in line]
    assert missed == (
        "warning: PETR4.SA: no picture was drawn: a picture needs matplotlib, which is not "
        "installed (pip install matplotlib)"
    )
    assert "3 " in found["fetch"].out
    served = found["serve --port 0 --quiet"].out.splitlines()
    assert served[1:] == [f"200 {page}" for page in PAGES]
    # That PyTorch is not here is no fault of a machine that forecasts.
    assert "(here none), which no forecast needs" in found["validate"].out
    page = (tmp_path / "report" / "index.html").read_text()
    assert "No pictures: a picture needs matplotlib, which is not installed" in page
    assert "<img" not in page


def test_what_trains_or_draws_names_the_package(slim_home: Path, tmp_path: Path) -> None:
    before = (slim_home / "stocklstm.db").read_bytes()

    found = outcomes(slim_home, _placed(REFUSED, tmp_path))

    said = {line: (each.code, each.out) for line, each in found.items()}
    assert said == dict.fromkeys(found, (2, ""))
    for (package, line), each in zip(REFUSED.values(), found.values(), strict=True):
        first, second = each.err.splitlines()
        assert first.startswith("error: ")
        assert first.endswith(f" needs {package}, which is not installed")
        assert second == f"  next: {line}"
    assert (slim_home / "stocklstm.db").read_bytes() == before


def test_an_evening_forecasts_though_a_champion_is_due(model_home: Path, tmp_path: Path) -> None:
    """Cron is told by the exit code that nothing was trained, whatever could be forecast."""
    give_names(model_home, ("AAAA3.SA",))
    version = model_home / "models" / TICKER / "v1"
    seen = (version / "manifest.json").read_text().replace("2024-03-13", "2024-03-08")
    replace_manifest(version, seen)
    execute(model_home, "UPDATE sessions SET closes_at = ? WHERE date > '2024-03-13'", NEVER)
    table = tmp_path / "forecasts.csv"
    line = f"evening {TICKER} AAAA3.SA --retrain-after 2 --csv {table} --append"

    (found,) = outcomes(model_home, [line]).values()

    assert found.code == 2
    assert found.err == (
        f"error: {TICKER} is due, and training needs torch, which is not installed\n"
        "  next: pip install stocklstm\n"
        "error: AAAA3.SA: train needs torch, which is not installed\n"
        "  next: pip install stocklstm\n"
    )
    assert [row.split(",")[0] for row in table.read_text().splitlines()[1:]] == [TICKER]
