"""A plan says what training would do, by counts of its own, and leaves no trace."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stocklstm import dry_run, fetch, train
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.errors import (
    ConfigError,
    NoModelError,
    NoPricesError,
    NotFoundError,
    SeriesTooShortError,
    TrainingDivergedError,
)
from stocklstm.store.store import open_store
from stocklstm.workflows.prices.plan import FetchOptions
from stocklstm.workflows.train.dry_run import PlannedNetwork, PlannedTraining
from tests.conftest import TICKER, TINY
from tests.support.tampering import os_refuses_to_write


def plan(home: Path, config: TrainingConfig, weights: str | None = None) -> PlannedTraining:
    result = dry_run([TICKER], config, home=home, weights=weights)
    assert not result.failures
    return result.plans[0]


def contents(home: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in home.rglob("*")}


def test_the_figures_are_those_of_a_count_by_hand(priced_home: Path) -> None:
    made = plan(priced_home, configure("paper", hidden_size=50, epochs=7))

    # Each gate: weights of the input, of the state, and two biases.
    first, second, head = 4 * 50 * (1 + 50 + 2), 4 * 50 * (50 + 50 + 2), 50 + 1
    assert made.parameters == first + second + head == 31_051
    assert made.network == PlannedNetwork(inputs=1, hidden=50, layers=2, outputs=1)
    assert (made.rows, made.first, made.last) == (3514, "2010-01-04", "2024-03-13")
    # 3514 rows give 3454 windows with a label. A fifth, 691, is for the test; of the 2763 others
    # 15 and 10 % are held back; one window is left out at each of the three cuts.
    parts = {part.name: part for part in made.parts}
    assert {name: part.windows for name, part in parts.items()} == {
        "train": 3454 - 691 - 414 - 276 - 3,
        "validation": 414,
        "calibration": 276,
        "test": 691,
    }
    with open_store(priced_home) as store:
        days = [str(day) for day in store.prices.bars(TICKER).dates]
    assert (parts["train"].first, parts["train"].last) == (days[60], days[60 + 2070 - 1])
    assert parts["validation"].first == days[60 + 2070 + 1]
    assert (parts["test"].first, parts["test"].last) == (days[-691], days[-1])
    assert made.steps_per_epoch == math.ceil(2070 / 32) == 65
    assert (made.epochs, made.steps, made.device) == (7, 7 * 65, "cpu")


def test_the_time_is_measured(priced_home: Path, tiny: TrainingConfig) -> None:
    made = plan(priced_home, tiny)

    for seconds in (made.seconds_per_step, made.seconds_per_validation, made.seconds):
        assert 0 < seconds < math.inf
    # Twice all steps; three validations, since the first weights are a candidate.
    assert made.seconds == pytest.approx(
        made.steps * made.seconds_per_step + 3 * made.seconds_per_validation
    )


def test_the_plan_is_what_training_then_does(priced_home: Path, tiny: TrainingConfig) -> None:
    planned = plan(priced_home, tiny)
    (made,) = train([TICKER], tiny, home=priced_home).results

    with open_store(priced_home) as store:
        manifest = store.registry.manifest(TICKER, 1)
    parts = {part.name: part for part in planned.parts}
    assert planned.parameters == made.parameters
    assert planned.rows == manifest.data.rows
    assert parts["train"].first == manifest.splits.train_start
    assert parts["train"].last == manifest.splits.train_end
    assert parts["validation"].first == manifest.splits.validation_start
    assert (parts["test"].first, parts["test"].last) == (made.evaluation.start, made.evaluation.end)
    assert parts["test"].windows == made.evaluation.n
    assert (parts["calibration"].windows, parts["calibration"].first) == (0, None)


def test_nothing_is_written(model_home: Path, tiny: TrainingConfig) -> None:
    before = contents(model_home)

    plan(model_home, tiny, f"{TICKER}@v1")

    assert contents(model_home) == before


def test_a_store_that_only_may_be_read_is_enough(priced_home: Path, tiny: TrainingConfig) -> None:
    before = contents(priced_home)

    with os_refuses_to_write():
        assert plan(priced_home, tiny).rows == 3514
        with pytest.raises(ConfigError, match="cannot be written"):
            train([TICKER], tiny, home=priced_home)

    # Of a reader that could write after all SQLite leaves its own files beside the database.
    after = contents(priced_home)
    assert {path: after[path] for path in after if "stocklstm.db-" not in path.name} == before


def test_a_notebook_keeps_its_own_random_state(priced_home: Path, tiny: TrainingConfig) -> None:
    torch.manual_seed(7)
    threads, expected = torch.get_num_threads(), torch.get_rng_state()

    plan(priced_home, replace(tiny, threads=threads + 1))

    assert torch.equal(torch.get_rng_state(), expected)
    assert torch.get_num_threads() == threads


def test_too_few_rows_say_how_many_are_needed(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "short.csv"
    file.write_text("Date,Close\n2024-03-11,10\n2024-03-12,10.1\n2024-03-13,10.2\n")
    fetch([TICKER], FetchOptions("csv", (file,)), home=home)

    (planned,) = dry_run([TICKER], configure("paper"), home=home).failures
    (trained,) = train([TICKER], configure("paper"), home=home).failures

    assert isinstance(planned.error, SeriesTooShortError)
    assert planned.error.message == trained.error.message
    assert f"at least {planned.error.needed}" in planned.error.message


def test_one_failing_ticker_does_not_stop_the_others(
    priced_home: Path, tiny: TrainingConfig
) -> None:
    result = dry_run(["NOPE3.SA", TICKER], tiny, home=priced_home)

    assert isinstance(result.failures[0].error, NoPricesError)
    assert [made.ticker for made in result.plans] == [TICKER]


def test_without_a_ticker_or_a_store_there_is_no_plan(
    priced_home: Path, tmp_path: Path, tiny: TrainingConfig
) -> None:
    with pytest.raises(ConfigError, match="needs a ticker"):
        dry_run([], tiny, home=priced_home)
    with pytest.raises(NotFoundError, match="there is no store"):
        dry_run([TICKER], tiny, home=tmp_path / "none")


def test_weights_to_begin_with_must_exist_and_fit(model_home: Path, tiny: TrainingConfig) -> None:
    def attempt(config: TrainingConfig, weights: str) -> Exception:
        (failure,) = dry_run([TICKER], config, home=model_home, weights=weights).failures
        return failure.error

    assert plan(model_home, tiny, TICKER).start == f"{TICKER}@v1"
    # Where there are none, no ticker can begin with them.
    with pytest.raises(NoModelError, match=r"there is no PETR4\.SA@v7"):
        dry_run([TICKER], tiny, home=model_home, weights=f"{TICKER}@v7")
    other = attempt(replace(tiny, hidden_size=8), f"{TICKER}@v1")
    assert isinstance(other, ConfigError)
    assert "architecture" in str(other)


def test_what_diverges_at_once_is_found_beforehand(priced_home: Path) -> None:
    wild = configure("paper-short", **{**TINY, "learning_rate": 1e30, "optimizer": "sgd"})

    (failure,) = dry_run([TICKER], wild, home=priced_home).failures

    assert isinstance(failure.error, TrainingDivergedError)
