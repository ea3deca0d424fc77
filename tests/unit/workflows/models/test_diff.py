"""models diff, as a person uses it."""

from dataclasses import replace
from pathlib import Path

from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.store.store import open_store
from tests.conftest import TICKER, Cli
from tests.support.copied_versions import NOW, only, publish_copy


def test_what_two_versions_differ_in(cli: Cli, model_home: Path, tiny: TrainingConfig) -> None:
    with open_store(model_home) as store:
        first = store.registry.manifest(TICKER, 1)
        other = replace(
            first,
            config=configure("calibrated", **{**settings(tiny), "hidden_size": 32}),
            environment=first.environment | {"torch": "9.9"},
        )
        publish_copy(store, other, NOW, None)
    outcome = cli("models", "diff", TICKER, f"{TICKER}@v2", "--json")
    found = only(outcome.out, "diffs")
    assert (found["left"], found["right"]) == (f"{TICKER}@v1", f"{TICKER}@v2")
    assert found["settings"] == [{"name": "hidden_size", "left": 16, "right": 32}]
    (library,) = found["environment"]
    assert (library["name"], library["right"]) == ("torch", "9.9")
    assert found["comparable"] is True
    scores = {pair["name"]: pair for pair in found["scores"]}
    assert scores["rmse"]["left"] == scores["rmse"]["right"] == first.evaluation.point.rmse
    prices = {pair["name"]: pair["left"] for pair in found["prices"]}
    assert prices["rows"] == first.data.rows
    assert prices["sha256"] == first.data.sha256
    sizes = {pair["name"]: pair["left"] for pair in found["files"]}
    assert sizes == {name: record.size for name, record in first.files.items()}
    assert cli("models", "diff", TICKER, f"{TICKER}@v2", "--quiet").out == "hidden_size\t16\t32\n"
    same = cli("models", "diff", TICKER, TICKER).out
    assert "Settings that differ: none" in same
    assert "cannot be compared" not in same


def settings(config: TrainingConfig) -> dict:
    names = ("epochs", "hidden_size", "num_layers", "dropout", "seq_length")
    return {name: getattr(config, name) for name in names}


def test_versions_tested_on_other_days_are_not_called_comparable(
    cli: Cli, model_home: Path
) -> None:
    with open_store(model_home) as store:
        first = store.registry.manifest(TICKER, 1)
        publish_copy(store, replace(first, evaluation=replace(first.evaluation, n=7)), NOW, None)
    assert "the scores cannot be compared" in cli("models", "diff", TICKER, f"{TICKER}@v2").out
