"""Walking forward repeats training as it would have been, and looks at nothing later."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stocklstm import quantize, train, walk_forward
from stocklstm.core.inputs.scaling import warm_up_rows
from stocklstm.core.prices.folds import WalkForward, fold_splits
from stocklstm.core.prices.series import Bars
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.errors import ConfigError, SeriesTooShortError, TrainingDivergedError
from stocklstm.store.store import open_store
from stocklstm.workflows.evaluate import walk_forward as walking
from stocklstm.workflows.evaluate.walk_forward import (
    FoldEnded,
    WalkedFold,
    WalkedVersion,
    WalkForwardResult,
    WalkPlanned,
    run_fold,
)
from tests.conftest import TICKER, TINY
from tests.support.stored_rows import execute

SMALLEST = {**TINY, "epochs": 1, "hidden_size": 8, "seq_length": 5, "batch_size": 256}
ROWS = 500
WALK = WalkForward(45, 20, 2)


@pytest.fixture(scope="session")
def _walked_home(_priced: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("walked") / "home"
    shutil.copytree(_priced, home)
    execute(
        home,
        "DELETE FROM prices WHERE date NOT IN (SELECT date FROM prices ORDER BY date DESC LIMIT ?)",
        ROWS,
    )
    assert not train([TICKER], configure("calibrated", **SMALLEST), home=home, plot=False).failures
    return home


@pytest.fixture
def few_home(_walked_home: Path, home: Path) -> Path:
    """Give this test's store the last 500 prices and a model that learns them in a moment."""
    shutil.copytree(_walked_home, home)
    return home


@pytest.fixture(scope="session")
def few_bars(_walked_home: Path) -> Bars:
    with open_store(_walked_home) as store:
        return store.prices.bars(TICKER)


class _Prices(dict[str, Bars]):
    """Bars whose words do not fill a screen when Hypothesis shows an example."""

    def __repr__(self) -> str:
        return "prices"


@pytest.fixture(scope="session")
def few_prices(few_bars: Bars) -> _Prices:
    return _Prices({TICKER: few_bars})


def walked(result: WalkForwardResult) -> WalkedVersion:
    assert not result.failures
    (version,) = result.results
    return version


def timeless(folds: tuple[WalkedFold, ...]) -> tuple[WalkedFold, ...]:
    return tuple(replace(fold, seconds=0.0) for fold in folds)


def without_time(report: Path) -> dict[str, object]:
    content = json.loads(report.read_bytes())
    del content["created"]
    for fold in content["folds"]:
        del fold["seconds"]
    return content


def test_one_training_over_the_test_part_finds_what_was_published(few_home: Path) -> None:
    with open_store(few_home) as store:
        published = store.registry.manifest(TICKER, 1).evaluation

    found = walked(walk_forward([TICKER], WalkForward(published.n, published.n), home=few_home))

    assert found.evaluation == published
    (fold,) = found.folds
    assert fold.rmse_ratio == published.point.rmse_ratio


def test_every_session_is_forecast_once_by_the_training_before_it(few_home: Path) -> None:
    found = walked(walk_forward([f"{TICKER}@v1"], WALK, home=few_home))

    with open_store(few_home) as store:
        days = [str(day) for day in store.prices.bars(TICKER).dates[-46:]]
    assert [fold.n for fold in found.folds] == [20, 20, 5]
    assert [fold.known_to for fold in found.folds] == [days[0], days[20], days[40]]
    assert [fold.first for fold in found.folds] == [days[1], days[21], days[41]]
    assert [fold.last for fold in found.folds] == [days[20], days[40], days[45]]
    assert (found.evaluation.start, found.evaluation.end) == (days[1], days[45])
    assert found.evaluation.n == 45
    assert found.folds[0].windows < found.folds[1].windows < found.folds[2].windows


def test_the_outcome_is_the_same_for_any_number_of_processes(few_home: Path) -> None:
    alone = walked(walk_forward([TICKER], WALK, home=few_home))
    stored = without_time(Path(str(alone.report)))
    together = walked(walk_forward([TICKER], WALK, jobs=2, home=few_home))

    assert replace(together, folds=timeless(together.folds)) == replace(
        alone, folds=timeless(alone.folds)
    )
    assert without_time(Path(str(together.report))) == stored


def test_what_is_stored_lies_beside_the_version_and_holds_every_forecast(few_home: Path) -> None:
    version = few_home / "models" / TICKER / "v1"
    before = sorted(path.name for path in version.iterdir())

    found = walked(walk_forward([TICKER], WALK, home=few_home))

    report = few_home / "reports" / TICKER / "v1" / "walk_forward.json"
    assert found.report == str(report)
    assert sorted(path.name for path in version.iterdir()) == before
    assert [path.name for path in report.parent.iterdir()] == ["walk_forward.json"]
    content = json.loads(report.read_bytes())
    days = content["days"]
    assert {len(days[k]) for k in ("dates", "last_closes", "actuals", "points", "quantiles")} == {
        45
    }
    errors = np.array(days["actuals"]) - np.array(days["points"])
    assert float(np.sqrt(np.mean(errors**2))) == pytest.approx(found.evaluation.point.rmse)
    assert content["evaluation"]["verdict_text"] == found.evaluation.verdict_text
    assert content["prices"]["rows"] == ROWS


def test_scores_that_cannot_be_stored_are_still_given(few_home: Path) -> None:
    (few_home / "reports").write_text("in the way")

    found = walked(walk_forward([TICKER], WALK, home=few_home))

    assert found.report is None
    assert "the scores were not stored" in found.warnings[0]
    assert found.evaluation.n == 45


def test_mase_is_scaled_by_the_training_parts_of_all_folds(few_home: Path, few_bars: Bars) -> None:
    found = walked(walk_forward([TICKER], WALK, home=few_home))

    config = configure("calibrated", **SMALLEST)
    closes, adjusted = few_bars.closes, few_bars.adj_closes
    moves = np.abs(closes[:-1] * adjusted[1:] / adjusted[:-1] - closes[:-1])
    scales = [
        (len(split.test), moves[: split.train_rows - 1].mean())
        for split in fold_splits(ROWS, warm_up_rows(config), config, WALK)
    ]
    scale = sum(n * mean for n, mean in scales) / 45
    point = found.evaluation.point
    assert point.mase == pytest.approx(point.mae / scale)


def test_the_cost_is_told_first_and_every_training_after(few_home: Path) -> None:
    told: list[WalkPlanned | FoldEnded] = []

    found = walked(
        walk_forward([TICKER], WALK, home=few_home, on_plan=told.append, on_fold=told.append)
    )

    plan, *ended = told
    assert isinstance(plan, WalkPlanned)
    assert (plan.trainings, plan.epochs) == (3, 1)
    assert (plan.least_windows, plan.most_windows) == (
        found.folds[0].windows,
        found.folds[2].windows,
    )
    assert (plan.first, plan.last) == (found.folds[0].first, found.folds[2].last)
    assert plan.seconds > 0
    assert [event.done for event in ended] == [1, 2, 3]
    assert [event.fold for event in ended] == list(found.folds)


def test_too_short_a_history_says_how_many_rows_it_takes(few_home: Path) -> None:
    (failure,) = walk_forward([TICKER], WalkForward(450), home=few_home).failures

    assert isinstance(failure.error, SeriesTooShortError)
    assert failure.error.found == ROWS
    assert f"at least {failure.error.needed}" in failure.error.message
    assert not (few_home / "reports").exists()


def test_a_model_made_smaller_is_walked_with_at_full_precision(few_home: Path) -> None:
    assert not quantize([TICKER], tolerance_pct=50, home=few_home).failures

    small = walked(walk_forward([f"{TICKER}@v2"], WALK, home=few_home))
    full = walked(walk_forward([f"{TICKER}@v1"], WALK, home=few_home))

    assert small.evaluation == full.evaluation
    assert full.warnings == ()
    assert "trained anew in float32" in small.warnings[0]


def test_processes_are_counted(few_home: Path) -> None:
    with pytest.raises(ConfigError, match="--jobs"):
        walk_forward([TICKER], WALK, jobs=0, home=few_home)


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interruption_leaves_what_was_stored_before(few_home: Path, jobs: int) -> None:
    before = Path(str(walked(walk_forward([TICKER], WALK, home=few_home)).report))
    content = before.read_bytes()

    def interrupt(_: FoldEnded) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        walk_forward([TICKER], WALK, jobs=jobs, home=few_home, on_fold=interrupt)

    assert before.read_bytes() == content
    assert list(before.parent.iterdir()) == [before]


# No look-ahead


def first_days(bars: Bars, config: TrainingConfig, which: int) -> ScoredDays:
    split = fold_splits(len(bars), warm_up_rows(config), config, WALK)[which]
    return run_fold(1, bars, split, config).days


def scrambled(bars: Bars, row: int, change: str, seed: int) -> Bars:
    """Change every price after a row."""
    rng, place = np.random.default_rng(seed), np.arange(len(bars))
    later = place > row
    if change == "permuted":
        place[later] = rng.permutation(place[later])
        return replace(bars.select(place), dates=bars.dates)
    noise = np.where(later, rng.uniform(0.2, 5, len(bars)), 1.0)
    columns = ("opens", "highs", "lows", "closes", "adj_closes", "volumes")
    return replace(bars, **{name: getattr(bars, name) * noise for name in columns})


@given(
    st.sampled_from(["calibrated", "paper-short"]),
    st.sampled_from(["permuted", "noise"]),
    st.integers(0, 1),
    st.integers(0, 2**32 - 1),
)
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_later_prices_change_no_forecast_by_a_bit(few_prices, preset, change, which, seed):
    (few_bars,) = few_prices.values()
    config = configure(preset, **SMALLEST)
    split = fold_splits(len(few_bars), warm_up_rows(config), config, WALK)[which]
    last = int(split.test[-1]) + config.horizon
    other = scrambled(few_bars, last, change, seed)
    assert not np.array_equal(other.closes, few_bars.closes)

    mine, theirs = (first_days(bars, config, which) for bars in (few_bars, other))

    assert np.array_equal(mine.forecasts.points, theirs.forecasts.points)
    assert np.array_equal(mine.forecasts.quantiles, theirs.forecasts.quantiles)
    assert np.array_equal(mine.ewma, theirs.ewma)
    assert all(np.array_equal(mine.rivals[name], theirs.rivals[name]) for name in mine.rivals)


@pytest.mark.parametrize("preset", ["calibrated", "paper-short"])
def test_the_day_of_the_first_forecast_is_known_to_nobody(few_bars: Bars, preset: str) -> None:
    # The strictest form: after the close at which the first forecast is made, nothing is real.
    config = configure(preset, **SMALLEST)
    split = fold_splits(len(few_bars), warm_up_rows(config), config, WALK)[0]
    other = scrambled(few_bars, int(split.test[0]), "noise", 5)

    mine, theirs = (first_days(bars, config, 0) for bars in (few_bars, other))

    assert mine.forecasts.points[0] == theirs.forecasts.points[0]
    assert np.array_equal(mine.forecasts.quantiles[0], theirs.forecasts.quantiles[0])
    assert mine.actuals[0] != theirs.actuals[0]
    # And the day after, it is.
    assert mine.forecasts.points[1] != theirs.forecasts.points[1]


def test_a_training_that_diverges_is_named(few_bars: Bars) -> None:
    config = configure("paper-short", **{**SMALLEST, "epochs": 2}, learning_rate=10.0)
    split = fold_splits(len(few_bars), warm_up_rows(config), config, WALK)[0]

    with pytest.raises(TrainingDivergedError, match=str(few_bars.dates[split.test[0]])):
        run_fold(1, few_bars, split, config)


def test_a_training_is_handed_no_row_after_its_last_forecast(
    few_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[tuple[str, str]] = []
    right: Callable[..., object] = run_fold

    def spy(number, bars, *rest):
        outcome = right(number, bars, *rest)
        handed.append((str(bars.dates[-1]), outcome.fold.last))
        return outcome

    monkeypatch.setattr(walking, "run_fold", spy)
    walk_forward([TICKER], WALK, home=few_home)

    assert len(handed) == 3
    assert all(last_row == last_forecast for last_row, last_forecast in handed)
