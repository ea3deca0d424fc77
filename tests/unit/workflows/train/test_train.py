"""Training publishes a whole version with honest figures, and promotes by the rule."""

import io
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch

from stocklstm import fetch, load, train
from stocklstm.core.reference import parse_reference
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.errors import (
    ConfigError,
    InterruptedWorkError,
    NoPricesError,
    SeriesTooShortError,
    TrainingDivergedError,
)
from stocklstm.report.figure import canvas
from stocklstm.store.store import open_store
from stocklstm.workflows.loading.model import load_model
from stocklstm.workflows.prices.plan import FetchOptions
from stocklstm.workflows.scoring import score_unseen
from stocklstm.workflows.train.runs import EpochEnded
from stocklstm.workflows.train.train import TrainedVersion
from tests.conftest import TICKER, TINY, TINY_OPTIONS, Cli
from tests.support.forks import PROGRAM, Forks, forks_of, program

# Learns nothing useful of a price in one epoch: far worse than yesterday's close.
HOPELESS = configure("paper-short", **{**TINY, "epochs": 1})


def train_one(config: TrainingConfig, home: Path, **options: str) -> TrainedVersion:
    result = train([TICKER], config, home=home, **options)
    assert not result.failures
    return result.results[0]


def test_a_version_is_published_whole_and_becomes_champion(
    priced_home: Path, tiny: TrainingConfig
) -> None:
    made = train_one(tiny, priced_home)

    directory = priced_home / "models" / TICKER / "v1"
    assert made.path == str(directory)
    assert (made.promoted, made.promotion, made.by_hand) == (True, "there was no champion", None)
    assert {path.name for path in directory.iterdir()} == {
        "manifest.json",
        "model.onnx",
        "model.pth",
        "history.csv",
    }
    with open_store(priced_home) as store:
        assert store.registry.aliases.of(TICKER) == {"champion": 1}
        manifest = store.registry.manifest(TICKER, 1)
        for name in manifest.files:
            store.registry.read_file(manifest, name)


def test_nothing_is_left_beside_the_version(priced_home: Path, tiny: TrainingConfig) -> None:
    train_one(tiny, priced_home)

    assert [path.name for path in (priced_home / "models" / TICKER).iterdir()] == ["v1"]


def test_the_manifest_says_what_training_saw(priced_home: Path, tiny: TrainingConfig) -> None:
    train_one(tiny, priced_home)

    manifest = json.loads((priced_home / "models" / TICKER / "v1" / "manifest.json").read_text())
    with open_store(priced_home) as store:
        bars = store.prices.bars(TICKER)
    assert manifest["data"]["rows"] == len(bars)
    assert manifest["data"]["sha256"] == bars.fingerprint()
    assert manifest["data"]["sources"] == ["sample"]
    splits = manifest["splits"]
    assert splits["train_start"] < splits["train_end"] < splits["validation_start"]
    assert splits["validation_start"] < splits["test_start"] < splits["test_end"]
    assert splits["test_end"] == str(bars.dates[-1])
    assert manifest["environment"]["torch"] == version("torch")


@pytest.mark.parametrize("preset", ["calibrated", "paper-short"])
def test_the_published_figures_are_those_of_what_ships(priced_home: Path, preset: str) -> None:
    made = train_one(configure(preset, **TINY), priced_home)

    with open_store(priced_home) as store:
        model = load_model(store, parse_reference(TICKER))
        _, evaluation = score_unseen(model, store.prices.bars(TICKER))
        assert evaluation == made.evaluation
        assert model.manifest.evaluation == made.evaluation


def test_a_price_model_covers_by_residuals_it_was_not_fitted_on(priced_home: Path) -> None:
    train_one(configure("paper-short", **{**TINY, "epochs": 5}), priced_home)

    with open_store(priced_home) as store:
        scaling = store.registry.manifest(TICKER, 1).prices
    assert scaling is not None
    assert len(scaling.residuals) == 15
    assert list(scaling.residuals) == sorted(scaling.residuals)
    assert scaling.residuals[0] < scaling.residuals[-1]


def test_the_checkpoint_is_the_epoch_that_was_kept(priced_home: Path, tiny: TrainingConfig) -> None:
    made = train_one(tiny, priced_home)

    content = (Path(made.path) / "model.pth").read_bytes()
    checkpoint = torch.load(io.BytesIO(content), weights_only=True)
    assert checkpoint["epoch"] == made.kept_epoch
    assert checkpoint["config"]["hidden_size"] == tiny.hidden_size


def test_epochs_are_reported(priced_home: Path, tiny: TrainingConfig) -> None:
    seen: list[EpochEnded] = []

    train([TICKER], tiny, home=priced_home, on_epoch=seen.append)

    assert [event.record.epoch for event in seen] == [0, 1, 2]
    assert {(event.ticker, event.epochs) for event in seen} == {(TICKER, 2)}


def mean_crps_in(reason: str) -> list[float]:
    """Read the new version's figure and the champion's."""
    (figures,) = re.findall(r"mean CRPS ([\d.]+) against ([\d.]+) on \d+ shared test days", reason)
    return [float(figure) for figure in figures]


def test_a_significantly_worse_version_does_not_become_champion(model_home: Path) -> None:
    made = train_one(HOPELESS, model_home)

    assert not made.promoted
    assert "significantly worse than PETR4.SA@v1" in made.promotion
    mine, champions = mean_crps_in(made.promotion)
    assert mine > champions
    with open_store(model_home) as store:
        assert store.registry.aliases.of(TICKER) == {"champion": 1}
        assert store.registry.versions(TICKER) == [1, 2]


def test_a_version_that_is_as_good_takes_over(model_home: Path, tiny: TrainingConfig) -> None:
    made = train_one(tiny, model_home)

    assert made.promoted
    assert "not significantly worse than PETR4.SA@v1" in made.promotion
    # Both are scored on the test part that they share, and so as they were when published.
    published = [load(f"{TICKER}@v{n}", home=model_home).manifest.evaluation for n in (2, 1)]
    expected = [evaluation.distribution.crps for evaluation in published]
    assert mean_crps_in(made.promotion) == pytest.approx(expected, rel=1e-3)
    with open_store(model_home) as store:
        assert store.registry.aliases.of(TICKER) == {"champion": 2, "previous": 1}
        log = store.registry.aliases.log(TICKER)
    assert made.promotion in {entry.reason for entry in log if entry.name == "champion"}


def test_promotion_can_be_forced_and_forbidden(model_home: Path, tiny: TrainingConfig) -> None:
    assert train_one(HOPELESS, model_home, promote="always").promoted
    assert not train_one(tiny, model_home, promote="never").promoted

    with open_store(model_home) as store:
        assert store.registry.aliases.of(TICKER) == {"champion": 2, "previous": 1}


def test_a_damaged_champion_is_replaced(model_home: Path, tiny: TrainingConfig) -> None:
    (model_home / "models" / TICKER / "v1" / "model.onnx").write_bytes(b"junk")

    made = train_one(tiny, model_home)

    assert made.promoted
    assert "the champion cannot be used" in made.promotion


def test_a_diverging_run_publishes_nothing(priced_home: Path) -> None:
    result = train([TICKER], replace(HOPELESS, learning_rate=1e30), home=priced_home)

    assert isinstance(result.failures[0].error, TrainingDivergedError)
    with open_store(priced_home) as store:
        assert store.registry.versions(TICKER) == []


@pytest.mark.parametrize("preset", ["calibrated", "paper", "paper-short"])
def test_too_few_rows_say_how_many_are_needed(home: Path, tmp_path: Path, preset: str) -> None:
    config = configure(preset, epochs=1, hidden_size=2)

    def attempt(rows: int) -> object:
        fetch([TICKER], FetchOptions("csv", (series(tmp_path, rows),)), home=home / f"{rows}")
        return train([TICKER], config, home=home / f"{rows}")

    error = attempt(90).failures[0].error
    assert isinstance(error, SeriesTooShortError)
    assert f"at least {error.needed}" in error.message
    assert not attempt(error.needed).failures
    assert attempt(error.needed - 1).failures


def series(directory: Path, rows: int) -> Path:
    """Write closes that wander, one a weekday."""
    closes = 30 * np.exp(np.random.default_rng(1).normal(0, 0.01, rows).cumsum())
    days = np.busday_offset(np.datetime64("2015-01-01"), np.arange(rows), roll="forward")
    lines = [f"{day},{close:.4f}" for day, close in zip(days, closes, strict=True)]
    path = directory / f"{rows}.csv"
    path.write_text("Date,Close\n" + "\n".join(lines))
    return path


def test_one_failing_ticker_does_not_stop_the_others(
    priced_home: Path, tiny: TrainingConfig
) -> None:
    result = train(["NOPE3.SA", TICKER], tiny, home=priced_home)

    assert isinstance(result.failures[0].error, NoPricesError)
    assert [made.ticker for made in result.results] == [TICKER]


def test_without_a_ticker_or_with_an_unknown_rule_nothing_runs(
    priced_home: Path, tiny: TrainingConfig
) -> None:
    with pytest.raises(ConfigError, match="needs a ticker"):
        train([], tiny, home=priced_home)
    with pytest.raises(ConfigError, match="--promote"):
        train([TICKER], tiny, home=priced_home, promote="maybe")


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Processes that have imported all that a training needs, and nothing that draws."""
    modules = ("onnx", "onnxruntime", "torch", "stocklstm.workflows.train.train", __name__)
    with forks_of(tmp_path_factory.mktemp("forks"), *modules) as started:
        yield started


def killed_by_matplotlib(*arguments: str) -> int:
    """Run a command line, and kill it as it begins to import what draws."""

    class Killer:
        def find_spec(self, name: str, *_: object) -> None:
            if name.partition(".")[0] == "matplotlib":
                os.kill(os.getpid(), signal.SIGKILL)

    assert "matplotlib" not in sys.modules
    sys.meta_path.insert(0, Killer())
    return program(*arguments)


def test_a_version_is_champion_before_anything_is_drawn(
    cli: Cli, priced_home: Path, forks: Forks
) -> None:
    task = f"{__name__}:killed_by_matplotlib"
    place = {"STOCKLSTM_HOME": str(priced_home)}

    killed = forks.run(task, "train", TICKER, *TINY_OPTIONS, environment=place)

    assert killed.code == -signal.SIGKILL
    with open_store(priced_home) as store:
        assert store.registry.aliases.of(TICKER) == {"champion": 1}
    assert not list((priced_home / "runs").iterdir())
    assert not (priced_home / "reports").exists()
    assert cli("validate", "--all").code == 0
    assert cli("models", "gc", "--quiet").out == ""
    # Nobody waits for pictures who has not asked for them.
    done = forks.run(task, "train", TICKER, *TINY_OPTIONS, "--quiet", environment=place)
    assert done.code == 0, done.err


def test_who_stops_it_while_it_draws_is_told_how_to_draw_the_rest(
    priced_home: Path, tiny: TrainingConfig
) -> None:
    version = priced_home / "models" / TICKER / "v1"

    with pytest.raises(InterruptedWorkError) as stopped:
        train([TICKER], tiny, home=priced_home, should_stop=version.exists)

    assert stopped.value.command == f"stocklstm evaluate {TICKER}@v1"
    with open_store(priced_home) as store:
        assert store.registry.aliases.of(TICKER) == {"champion": 1}


def opens_a_figure() -> int:
    with canvas():
        from matplotlib.artist import Artist

        class Own(Artist):
            def set_own(self, value: object) -> None:
                """Set it."""

        # What is left out for ourselves others still get.
        return "MPLCONFIGDIR" in os.environ or "own" not in str(Own.set.__doc__)


def test_the_list_of_fonts_is_kept_where_there_is_no_home(forks: Forks, tmp_path: Path) -> None:
    cache = {"STOCKLSTM_CACHE": str(tmp_path / "cache"), "HOME": "/nonexistent"}

    done = forks.run(f"{__name__}:opens_a_figure", environment=cache)

    assert done.code == 0, done.err
    assert len(list((tmp_path / "cache" / "matplotlib").glob("fontlist-*.json"))) == 1


def test_two_trainers_of_one_ticker_lose_nothing(priced_home: Path, forks: Forks) -> None:
    options = ["--epochs", "1", "--hidden-size", "2", "--seq-length", "5", "--promote", "always"]
    place = {"STOCKLSTM_HOME": str(priced_home)}

    running = [
        forks.start(PROGRAM, "train", "-q", TICKER, *options, environment=place) for _ in range(3)
    ]
    said = sorted(process.wait().out.strip() for process in running)

    assert said == ["PETR4.SA@v1", "PETR4.SA@v2", "PETR4.SA@v3"]
    with open_store(priced_home) as store:
        assert store.registry.versions(TICKER) == [1, 2, 3]
        assert store.registry.aliases.of(TICKER)["champion"] in {1, 2, 3}
