"""A training with a first day is one in a store that holds no earlier prices."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from stocklstm import (
    WalkForward,
    dry_run,
    evaluate,
    evaluate_horizons,
    evaluate_pool,
    predict,
    score_league,
    train,
    train_pooled,
    tune,
    validate,
    walk_forward,
)
from stocklstm.core.inputs.scaling import warm_up_rows
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.errors import NotEnoughDataError, SeriesTooShortError
from stocklstm.store.manifest import SERVING_FILE, Manifest
from stocklstm.store.store import open_store
from stocklstm.workflows.predict.predict import Wanted
from stocklstm.workflows.train.beginning import Search, StartFrom
from stocklstm.workflows.train.runs import TrainingStoppedError
from tests.conftest import TICKER, TINY, Cli
from tests.support.pooled_store import NAMES, pool_config, priced
from tests.support.stored_rows import execute

# A Sunday. The moving level of the volatility anchor has hardly forgotten by the test part what
# came before.
START = "2020-05-31"
FIRST = "2020-06-01"


def cut(home: Path, day: str) -> None:
    execute(home, "DELETE FROM prices WHERE date < ?", day)


def manifest_of(home: Path, ticker: str = TICKER) -> Manifest:
    with open_store(home) as store:
        return store.registry.manifest(ticker, store.registry.versions(ticker)[-1])


def file_of(home: Path, name: str) -> bytes:
    with open_store(home) as store:
        return store.registry.read_file(store.registry.manifest(TICKER, 1), name)


def learned(manifest: Manifest) -> dict[str, Any]:
    """Take what does not depend on where and when it was trained, nor on what was asked."""
    same = replace(
        manifest,
        created="",
        files={},
        config=replace(manifest.config, start=None),
        training=replace(manifest.training, seconds=0.0),
    )
    return asdict(same)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory, _priced: Path) -> tuple[Path, Path]:
    """Train in a store with all prices from a day on, and in one that has no earlier ones."""
    import shutil

    whole, short = (tmp_path_factory.mktemp(name) / "home" for name in ("whole", "short"))
    for home in (whole, short):
        shutil.copytree(_priced, home)
    cut(short, START)
    tiny = configure("calibrated", **TINY)
    assert not train([TICKER], replace(tiny, start=START), home=whole).failures
    assert not train([TICKER], tiny, home=short).failures
    return whole, short


def test_it_learns_from_that_day_on_and_nothing_before(homes: tuple[Path, Path]) -> None:
    whole, short = homes

    manifest = manifest_of(whole)
    assert manifest.config.start == START
    assert manifest.data.first == FIRST
    assert learned(manifest) == learned(manifest_of(short))
    assert file_of(whole, SERVING_FILE) == file_of(short, SERVING_FILE)


def test_its_forecasts_and_scores_are_those(homes: tuple[Path, Path]) -> None:
    whole, _ = homes

    scored, other = (evaluate([TICKER], home=home, plot=False).results[0] for home in homes)
    assert scored.evaluation == other.evaluation
    recorded, now = manifest_of(whole).evaluation, scored.evaluation
    # GARCH is fitted when it is asked for.
    assert replace(now, distribution=replace(now.distribution, rivals=())) == recorded

    # In a table of many, each is scored from all prices that are stored.
    (row,) = score_league([TICKER], home=whole).results
    assert row.evaluation.distribution.crps_ratio == other.evaluation.distribution.crps_ratio
    assert row.evaluation.point.rmse_ratio == other.evaluation.point.rmse_ratio

    farther, same_rows = (
        evaluate_horizons([TICKER], [1, 5], home=home).results[0].rows for home in homes
    )
    assert farther == same_rows

    forecast, same = (predict([TICKER], home=home).forecasts[0] for home in homes)
    assert forecast.quantiles == same.quantiles
    assert forecast.checks == same.checks
    (early,) = predict([TICKER], Wanted(at="2020-05-28"), home=whole).failures
    assert early.error.message.startswith(f"0 rows from {START} on are too few for a forecast")
    (checked,) = validate([TICKER], home=whole, leakage=True).results[:1]
    assert checked.status == "ok"
    assert {check.status for check in checked.checks if "leakage" in check.name} == {"ok"}


def test_so_is_what_is_trained_with_its_settings(homes: tuple[Path, Path]) -> None:
    walk = WalkForward(9, 9)
    walked, same = (walk_forward([TICKER], walk, home=home).results[0] for home in homes)
    assert walked.evaluation == same.evaluation

    # Smaller versions are taught with the prices of their parent.
    with open_store(homes[0]) as store:
        manifest = manifest_of(homes[0])
        data = manifest.data
        prices = store.prices.pinned(
            TICKER,
            data.last,
            data.sha256,
            name="it",
            command="train",
            created=manifest.created,
            start=START,
        )
    assert (str(prices.dates[0]), len(prices)) == (FIRST, data.rows)


def test_a_run_and_a_study_keep_it(priced_home: Path, tiny: TrainingConfig) -> None:
    config = replace(tiny, start=START)
    steps = iter([False] * 9)
    with pytest.raises(TrainingStoppedError) as stopped:
        train([TICKER], config, home=priced_home, should_stop=lambda: next(steps, True))

    resumed = train([], tiny, home=priced_home, beginning=StartFrom(stopped.value.run))
    assert not resumed.failures
    assert manifest_of(priced_home).data.first == FIRST
    (found,) = tune([TICKER], config, Search("grid", 1), home=priced_home).results
    assert f"--start {START}" in found.command
    assert found.config.start == START


def test_a_pool_learns_from_that_day_on(tmp_path: Path) -> None:
    whole, short = tmp_path / "whole", tmp_path / "short"
    for home in (whole, short):
        priced(home)
    start = "2025-06-02"
    cut(short, start)
    assert not train_pooled("b3", NAMES[:2], pool_config(start=start), home=whole).failures
    assert not train_pooled("b3", NAMES[:2], pool_config(), home=short).failures

    own, other = (manifest_of(home, "+b3") for home in (whole, short))
    assert own.data.first == start
    assert learned(own) == learned(other)
    with pytest.raises(NotEnoughDataError) as refused:
        train_pooled("b3", NAMES[:2], pool_config(start="2034-01-01"), home=whole)
    assert refused.value.hint == "take an earlier --start than 2034-01-01"
    # The third is one that it has never seen.
    scored, same = (evaluate_pool("b3", NAMES, home=home).results[0] for home in (whole, short))
    assert len(scored.rows) == 3
    assert scored.rows == same.rows


def test_too_few_rows_say_how_many_are_needed(cli: Cli, priced_home: Path) -> None:
    late = configure("calibrated", **TINY, start="2024-01-02")
    (failure,) = train([TICKER], late, home=priced_home).failures
    (planned,) = dry_run([TICKER], late, home=priced_home).failures

    for error in (failure.error, planned.error):
        assert isinstance(error, SeriesTooShortError)
        assert error.found == 50
        assert (
            f"50 rows from 2024-01-02 on are too few: windows of 10 need at least {error.needed}"
            in (error.message)
        )
    # As many as are said to be needed are enough, and one fewer is not.
    with open_store(priced_home) as store:
        days = [str(day) for day in store.prices.dates(TICKER)]
    enough, too_few = (
        configure("calibrated", **TINY, start=days[-n]) for n in (error.needed, error.needed - 1)
    )
    assert not dry_run([TICKER], enough, home=priced_home).failures
    assert dry_run([TICKER], too_few, home=priced_home).failures
    assert warm_up_rows(late) < error.needed

    after = cli("train", TICKER, "--start", "2034-01-01")
    assert after.code == 6
    assert "0 rows from 2034-01-01 on are too few" in after.err
    assert "next: take an earlier --start" in after.err
    assert not (priced_home / "runs").exists()


def test_a_day_is_read_wherever_settings_stand(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "own.toml"
    file.write_text("start = 2018-01-02\n")
    assert "start 2018-01-02\n" in cli("config", "show", "--config", str(file), "-q").out
    file.write_text("start = 2018-01-02T00:00:00\n")
    refused = cli("config", "show", "--config", str(file))
    assert refused.code == 2
    assert "start must be a day such as 2018-01-01 or none, not '2018-01-02 00:" in refused.err
    monkeypatch.setenv("STOCKLSTM_START", "2018-01-03")
    assert "start 2018-01-03\n" in cli("config", "show", "-q").out
    assert "start none\n" in cli("config", "show", "--start", "NONE", "-q").out

    for wrong in ("2018", "01/02/2018", "2018-02-30", "20180102"):
        refused = cli("config", "show", "--start", wrong)
        assert refused.code == 2
        assert "start must be a day such as 2018-01-01 or none" in refused.err
