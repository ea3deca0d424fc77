"""Pictures of a training: drawn where somebody waits for them, or later; never in its way."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from stocklstm.core.training.epochs import EpochRecord, history_csv
from stocklstm.store.store import open_store
from stocklstm.workflows.publishing import Promotion, publish
from tests.conftest import TICKER, TINY_OPTIONS, Cli

PNG = b"\x89PNG\r\n\x1a\n"


def test_under_quiet_a_training_draws_what_was_asked_for_alone(cli: Cli, priced_home: Path) -> None:
    assert cli("train", "-q", TICKER, *TINY_OPTIONS).out == f"{TICKER}@v1\n"
    assert not (priced_home / "reports").exists()

    assert cli("train", "-q", "--plot", TICKER, *TINY_OPTIONS).out == f"{TICKER}@v2\n"
    assert len(list((priced_home / "reports" / TICKER / "v2").iterdir())) == 2

    without = cli("train", "--no-plot", TICKER, *TINY_OPTIONS)
    assert f"Pictures: stocklstm evaluate {TICKER}@v3\n" in without.out


@pytest.mark.usefixtures("priced_home")
def test_without_what_draws_a_version_is_trained_all_the_same(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    outcome = cli("train", TICKER, *TINY_OPTIONS, "--json")

    (made,) = json.loads(outcome.out)["results"]
    assert (outcome.code, made["promoted"], made["plots"]) == (0, True, [])
    assert "a picture needs matplotlib, which is not installed" in made["warnings"][0]
    assert outcome.err == f"warning: {TICKER}: {made['warnings'][0]}\n"


def republished(home: Path, files: dict[str, bytes]) -> None:
    """Publish version 1 once more, with some files besides or in the place of its own."""
    with open_store(home) as store:
        manifest = store.registry.manifest(TICKER, 1)
        own = {name: store.registry.read_file(manifest, name) for name in manifest.files}
        publish(
            store,
            TICKER,
            (own | files).items(),
            lambda records, at: replace(manifest, created=at, files=dict(records)),
            lambda: Promotion(promoted=True, reason="it is to be looked at"),
        )


def test_older_versions_keep_their_pictures_among_their_files(
    cli: Cli, model_home: Path, tmp_path: Path
) -> None:
    old = {"training_history.png": PNG, "predictions_vs_actual.png": PNG}
    republished(model_home, old)

    scored = json.loads(cli("evaluate", "--json").out)["results"][0]
    assert [Path(path).name for path in scored["plots"]].count("training_history.png") == 0
    assert cli("validate", "--deep").code == 0
    assert cli("models", "export", TICKER, "--out", str(tmp_path / "old.zip")).code == 0
    with open_store(model_home) as store:
        assert store.registry.manifest(TICKER, 2).files.keys() >= old.keys()


def test_the_curves_of_a_version_never_change_and_are_drawn_once(
    cli: Cli, model_home: Path
) -> None:
    picture = model_home / "reports" / TICKER / "v1" / "training_history.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(PNG)

    (scored,) = json.loads(cli("evaluate", "--json").out)["results"]

    assert scored["plots"][-1] == str(picture)
    assert picture.read_bytes() == PNG


@pytest.mark.parametrize("history", [b"\xff", b"epoch\n1\n", None])
def test_curves_that_nobody_can_draw_cost_no_scores(
    cli: Cli, model_home: Path, history: bytes | None
) -> None:
    # Or one that ends before the epoch that was kept.
    short = history_csv([EpochRecord(0, None, 0.1, 0.1, 0.1, 0)]).encode()
    republished(model_home, {"history.csv": short if history is None else history})

    outcome = cli("evaluate", "--json")

    (scored,) = json.loads(outcome.out)["results"]
    assert (outcome.code, len(scored["plots"])) == (0, 3)
    assert f"no further picture was drawn: {TICKER}@v2 is damaged" in scored["warnings"][0]
