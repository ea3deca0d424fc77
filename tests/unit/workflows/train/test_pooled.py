"""One model of several tickers is trained, kept, checked and carried about as any other."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from stocklstm import StartFrom, dry_run_pooled, train, train_pooled
from stocklstm.core.reference import ModelReference
from stocklstm.errors import (
    ConfigError,
    NotEnoughDataError,
    NotFoundError,
    RejectedDataError,
)
from stocklstm.learn.loop import TrainingRun, isolated_torch
from stocklstm.store.store import open_store
from stocklstm.workflows.loading.pooled_model import load_pool
from stocklstm.workflows.train.dry_run import PlannedPool
from stocklstm.workflows.train.pool_fit import prepare_pool
from stocklstm.workflows.train.runs import EpochEnded, TrainingStoppedError
from stocklstm.workflows.train.train import PooledVersion
from tests.conftest import Cli
from tests.support.made_prices import made_bars
from tests.support.pooled_store import NAMES, POOL, YOUNG, dated, pool_config, put, train_pool


def test_one_version_knows_all_its_tickers(pool_home: Path) -> None:
    with open_store(pool_home) as store:
        model = load_pool(store, ModelReference(POOL))
        bars = {name: store.prices.bars(name) for name in NAMES}
    manifest = model.manifest

    assert manifest.id == "+b3@v1"
    assert sorted(model.members) == sorted(NAMES)
    assert manifest.pool is not None
    assert manifest.pool.tickers == 3
    assert manifest.data.rows == 3 * 420
    anchors = {member.anchor for member in model.members.values()}
    assert len(anchors) == 3
    for name, member in model.members.items():
        assert member.data.sha256 == bars[name].fingerprint()
        assert member.scores is not None
        assert member.scores.n > 20
    assert manifest.evaluation.n == sum(m.scores.n for m in model.members.values() if m.scores)


def test_the_order_of_the_tickers_does_not_matter(pool_home: Path) -> None:
    train_pool(pool_home, *reversed(NAMES))

    first, second = (pool_home / "models" / POOL / f"v{n}" / "model.onnx" for n in (1, 2))
    assert first.read_bytes() == second.read_bytes()


def test_before_the_first_step_it_is_the_quantiles_of_all_tickers(prices_home: Path) -> None:
    from stocklstm.core.settings.config import LEVELS

    with open_store(prices_home) as store:
        series = {name: store.prices.bars(name) for name in NAMES}
    config = pool_config()
    prepared = prepare_pool(series, config)
    with isolated_torch(config):
        run = TrainingRun(config, prepared.data, lambda _: None)
        bias = run.network.head.bias.detach().numpy()

    labels = []
    for each in prepared.series:
        targets = prepared.scaling.of(each.anchor).targets(each.bars)
        labels.append(targets[each.split.train])
    expected = np.quantile(np.concatenate(labels).astype(np.float64), LEVELS)
    assert bias == pytest.approx(expected, abs=1e-6)


def test_no_window_reaches_from_one_ticker_into_another(prices_home: Path) -> None:
    with open_store(prices_home) as store:
        series = {name: store.prices.bars(name) for name in NAMES}
    config = pool_config()
    prepared = prepare_pool(series, config)
    with isolated_torch(config):
        run = TrainingRun(config, prepared.data, lambda _: None)
        found = run._windows_at(run.train_rows).numpy()

    expected = [
        prepared.scaling.of(each.anchor).inputs(each.bars)[origin - 9 : origin + 1]
        for each in prepared.series
        for origin in each.split.train
    ]
    assert np.array_equal(found, np.array(expected))


def test_memory_grows_with_rows_and_not_with_the_length_of_windows(prices_home: Path) -> None:
    with open_store(prices_home) as store:
        series = {name: store.prices.bars(name) for name in NAMES}

    def peak(length: int) -> int:
        config = pool_config(seq_length=length)
        prepare_pool(series, config)
        tracemalloc.start()
        prepared = prepare_pool(series, config)
        with isolated_torch(config):
            run = TrainingRun(config, prepared.data, lambda _: None)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # All windows are there, as views of the rows.
        assert run.windows.shape[1] == length
        assert run.windows.untyped_storage().nbytes() == prepared.data.inputs.nbytes
        return most

    assert peak(100) < 1.2 * peak(10)


def test_validation_is_the_same_in_parts(
    prices_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stocklstm.learn import loop

    with open_store(prices_home) as store:
        series = {name: store.prices.bars(name) for name in NAMES}
    config = pool_config()
    data = prepare_pool(series, config).data
    with isolated_torch(config):
        run = TrainingRun(config, data, lambda _: None)
        whole = run.validation_loss()
        monkeypatch.setattr(loop, "_VALIDATED_AT_ONCE", 7)
        assert run.validation_loss() == pytest.approx(whole, rel=1e-6)


def test_a_ticker_that_cannot_be_used_is_left_out_and_the_others_go_on(prices_home: Path) -> None:
    put(prices_home, "TINY3.SA", dated(made_bars(100, 5)))
    notes: list[str] = []

    result = train_pooled(
        "b3",
        [*NAMES, "NONE3.SA", "TINY3.SA"],
        pool_config(),
        home=prices_home,
        on_note=notes.append,
    )

    (version,) = result.results
    assert not result.failures
    assert version.tickers == tuple(sorted(NAMES))
    assert [each.ticker for each in version.left_out] == ["NONE3.SA", "TINY3.SA"]
    assert "no prices" in notes[0]
    assert "100 rows are too few" in notes[1]


def test_a_young_ticker_adds_what_it_has(prices_home: Path) -> None:
    put(prices_home, "MID3.SA", dated(made_bars(170, 6)))

    train_pool(prices_home, *NAMES, "MID3.SA")

    with open_store(prices_home) as store:
        member = load_pool(store, ModelReference(POOL)).members["MID3.SA"]
    assert member.windows == 0
    assert member.scores is not None
    assert member.scores.n == 170 - 120


@pytest.mark.parametrize(
    ("name", "tickers", "changes", "words"),
    [
        ("aaa", ["AAA", "BBB4.SA"], {}, "AAA is a ticker"),
        ("BBB4.SA", NAMES, {}, "cannot be the name"),
        (None, NAMES, {}, "needs a name"),
        ("b3", NAMES[:1], {}, "of several tickers, and 1 was named"),
        ("b3", [], {}, "of several tickers, and none was named"),
        ("b3", NAMES, {"features": ("return", "close")}, "a pooled model learns returns"),
        ("b3", NAMES, {"calibration_fraction": 0.1}, "no use for a calibration part"),
    ],
)
def test_what_is_no_pool(
    prices_home: Path,
    name: str | None,
    tickers: list[str],
    changes: dict[str, object],
    words: str,
) -> None:
    with pytest.raises(ConfigError, match=words):
        train_pooled(name, tickers, pool_config(**changes), home=prices_home)
    assert not (prices_home / "runs").exists()


@pytest.mark.usefixtures("prices_home")
def test_a_price_preset_is_refused(cli: Cli) -> None:
    outcome = cli(
        "train", "--pooled", "--name", "b3", "--preset", "paper", "-t", "AAA3.SA", "-t", "BBB4.SA"
    )
    assert outcome.code == 2
    assert "a pooled model learns returns" in outcome.err


def test_one_usable_ticker_is_no_pool(prices_home: Path) -> None:
    with pytest.raises(NotEnoughDataError, match="1 of 2 tickers"):
        train_pooled("b3", [NAMES[0], "NONE3.SA"], pool_config(), home=prices_home)


def test_only_one_old_enough_to_teach_is_no_pool(prices_home: Path) -> None:
    put(prices_home, "MID3.SA", dated(made_bars(135, 6)))
    with pytest.raises(NotEnoughDataError, match=r"only AAA3.SA is old enough"):
        train_pooled("b3", [NAMES[0], "MID3.SA"], pool_config(), home=prices_home)


def test_a_stopped_run_goes_on_to_the_very_same_weights(pool_home: Path) -> None:
    steps = iter([False] * 9 + [True])
    with pytest.raises(TrainingStoppedError) as caught:
        train_pooled("b3", NAMES, pool_config(), home=pool_home, should_stop=lambda: next(steps))
    # Prices that came meanwhile stay out.
    put(pool_home, NAMES[0], dated(made_bars(1, 1), np.datetime64("2026-11-23")))

    result = train_pooled(
        None, (), pool_config(), home=pool_home, beginning=StartFrom(resume=caught.value.run)
    )

    (version,) = result.results

    assert version.resumed_from == caught.value.run
    first, second = (pool_home / "models" / POOL / f"v{n}" / "model.onnx" for n in (1, 2))
    assert first.read_bytes() == second.read_bytes()
    assert not list((pool_home / "runs").iterdir())


def test_runs_of_pools_and_of_tickers_are_kept_apart(prices_home: Path) -> None:
    steps = iter([False, True])
    with pytest.raises(TrainingStoppedError) as caught:
        train_pooled("b3", NAMES, pool_config(), home=prices_home, should_stop=lambda: next(steps))

    with pytest.raises(ConfigError, match="train needs a ticker"):
        train([], pool_config(), home=prices_home, beginning=StartFrom("auto"))
    with pytest.raises(ConfigError, match=r"is of \+b3"):
        train_pooled(
            "us", (), pool_config(), home=prices_home, beginning=StartFrom(resume=caught.value.run)
        )
    with pytest.raises(NotFoundError, match="no unfinished run"):
        train_pooled("us", (), pool_config(), home=prices_home, beginning=StartFrom(resume="auto"))
    put(prices_home, NAMES[0], dated(made_bars(420, 77)))
    with pytest.raises(RejectedDataError, match="revised since"):
        train_pooled("b3", (), pool_config(), home=prices_home, beginning=StartFrom(resume="auto"))


def test_the_next_version_is_held_against_the_champion(pool_home: Path) -> None:
    version = train_pool(pool_home, epochs=1)

    assert version.version == 2
    assert "+b3@v1: mean CRPS" in version.promotion
    never = train_pooled("b3", NAMES, pool_config(), promote="never", home=pool_home).results[0]
    assert not never.promoted


def test_its_numbers_are_its_own(pool_home: Path) -> None:
    """Neither a ticker's versions nor forecasts of tickers move the numbers of a pool."""
    from stocklstm import predict

    predict(pool="b3", home=pool_home)
    train([NAMES[0]], pool_config(), home=pool_home)

    assert train_pool(pool_home).version == 2
    with open_store(pool_home) as store:
        assert store.registry.versions(NAMES[0]) == [1]


def test_a_run_is_resumed_by_its_identity_alone(prices_home: Path) -> None:
    steps = iter([False] * 9 + [True])
    with pytest.raises(TrainingStoppedError) as caught:
        train_pooled("b3", NAMES, pool_config(), home=prices_home, should_stop=lambda: next(steps))

    (version,) = train([], home=prices_home, beginning=StartFrom(resume=caught.value.run)).results

    assert isinstance(version, PooledVersion)
    assert version.tickers == tuple(sorted(NAMES))


def test_another_run_that_is_unfinished_is_said(prices_home: Path) -> None:
    steps = iter([False] * 9 + [True])
    with pytest.raises(TrainingStoppedError) as caught:
        train_pooled("b3", NAMES, pool_config(), home=prices_home, should_stop=lambda: next(steps))
    notes: list[str] = []

    train_pooled("b3", NAMES, pool_config(), home=prices_home, on_note=notes.append)

    command = f"stocklstm train --resume {caught.value.run}"
    assert notes == [f"+b3 has an unfinished run; to go on with it instead: {command}"]


# What it will be like


def test_a_dry_run_says_what_training_then_does(pool_home: Path) -> None:
    before = sorted(pool_home.rglob("*"))

    result = dry_run_pooled("b3", [*NAMES, "NONE3.SA"], pool_config(), home=pool_home)

    (plan,) = result.plans
    assert sorted(pool_home.rglob("*")) == before
    with open_store(pool_home) as store:
        model = load_pool(store, ModelReference(POOL))
    manifest, parts = model.manifest, {part.name: part for part in plan.parts}
    assert isinstance(plan, PlannedPool)
    assert (plan.ticker, plan.tickers) == ("+b3", tuple(sorted(NAMES)))
    assert [each.ticker for each in plan.left_out] == ["NONE3.SA"]
    assert plan.rows == manifest.data.rows
    assert plan.parameters == manifest.training.parameters
    assert parts["train"].windows == sum(member.windows for member in model.members.values())
    assert parts["test"].windows == manifest.evaluation.n
    splits = manifest.splits
    assert (parts["train"].first, parts["train"].last) == (splits.train_start, splits.train_end)
    assert parts["validation"].first == splits.validation_start
    assert (parts["test"].first, parts["test"].last) == (splits.test_start, splits.test_end)
    assert parts["calibration"].windows == 0


@pytest.mark.usefixtures("pool_home")
def test_a_dry_run_refuses_what_the_training_refuses(cli: Cli) -> None:
    outcome = cli(
        *("train", "--pooled", "--name", "b3", "-t", "PETR4.SA", "-t", "VALE3.SA"),
        *("--jobs", "2", "--dry-run"),
    )

    assert outcome.code == 2
    assert "--jobs is not for pooled models" in outcome.err


@pytest.mark.usefixtures("pool_home")
def test_a_dry_run_is_shown(cli: Cli) -> None:
    arguments = ["train", "--pooled", "--name", "b3", *(w for n in NAMES for w in ("-t", n))]

    outcome = cli(*arguments, "--like", "+b3@v1", "--from", "+b3@v1", "--dry-run")

    assert outcome.code == 0, outcome.err
    assert "What training +b3 would do" in outcome.out
    lines = {line.split()[0]: line for line in outcome.out.splitlines() if line.startswith("  ")}
    assert lines["tickers"].split() == ["tickers", "3"]
    assert "+b3@v1" in lines["begins"]
    assert "1,260 sessions" in lines["prices"]
    for part in ("train", "validation", "test"):
        assert "windows, forecasting 20" in lines[part]


@pytest.mark.parametrize(
    ("name", "tickers", "words"),
    [(None, NAMES, "needs a name"), ("b3", NAMES[:1], "of several tickers, and 1 was named")],
)
def test_what_cannot_be_trained_is_no_plan_either(
    prices_home: Path, name: str | None, tickers: list[str], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        dry_run_pooled(name, tickers, pool_config(), home=prices_home)


# Weights and settings of others


def test_it_begins_with_the_weights_of_another_version(pool_home: Path) -> None:
    events: list[EpochEnded] = []
    weights = StartFrom(weights="+b3@v1")

    result = train_pooled(
        "b3", NAMES, pool_config(), home=pool_home, beginning=weights, on_epoch=events.append
    )

    assert result.results[0].version == 2
    with open_store(pool_home) as store:
        first = store.registry.manifest(POOL, 1).training
    assert events[0].record.epoch == 0
    assert events[0].record.val_loss == pytest.approx(first.best_val_loss, rel=1e-6)


def test_a_warm_start_that_was_stopped_goes_on_with_the_same_weights(pool_home: Path) -> None:
    weights = StartFrom(weights="+b3@v1")
    whole = train_pooled("b3", NAMES, pool_config(), home=pool_home, beginning=weights)
    steps = iter([False] * 9 + [True])
    with pytest.raises(TrainingStoppedError) as caught:
        train_pooled(
            "b3",
            NAMES,
            pool_config(),
            home=pool_home,
            beginning=weights,
            should_stop=lambda: next(steps),
        )

    resumed = train_pooled(
        None, (), pool_config(), home=pool_home, beginning=StartFrom(caught.value.run)
    )

    paths = [Path(result.results[0].path) for result in (whole, resumed)]
    first, second = ((path / "model.onnx").read_bytes() for path in paths)
    assert first == second


@pytest.mark.parametrize("reference", ["+b3@v1", NAMES[0], "NEWS3.SA"])
def test_no_weights_that_saw_its_test_days(pool_home: Path, reference: str) -> None:
    """Also those of a ticker that is none of its own: shares move together."""
    put(pool_home, "NEWS3.SA", dated(made_bars(420, 8)))
    if reference != "+b3@v1":
        assert train([reference], pool_config(), home=pool_home).results
    earlier = pool_config(test_fraction=0.6)

    with pytest.raises(ConfigError, match="judged on days that it has seen"):
        train_pooled("b3", NAMES, earlier, home=pool_home, beginning=StartFrom(weights=reference))

    with pytest.raises(ConfigError, match="judged on days that it has seen"):
        dry_run_pooled("b3", NAMES, earlier, home=pool_home, weights=reference)
    assert not list((pool_home / "runs").iterdir())


def test_weights_and_a_run_exclude_each_other(pool_home: Path) -> None:
    with pytest.raises(ConfigError, match="has its weights already"):
        train_pooled("b3", (), home=pool_home, beginning=StartFrom("auto", "+b3@v1"))


@pytest.mark.usefixtures("pool_home")
def test_its_settings_are_those_of_another_version(cli: Cli) -> None:
    arguments = ["train", "--pooled", "--name", "b3", *(w for n in NAMES for w in ("-t", n))]

    outcome = cli(*arguments, "--like", "+b3@v1", "--promote", "never", "--json")

    assert outcome.code == 0, outcome.err
    shown = [
        json.loads(cli("models", "show", f"+b3@v{number}", "--json").out)["models"][0]
        for number in (1, 2)
    ]
    assert shown[0]["manifest"]["config"] == shown[1]["manifest"]["config"]
    files = [each["manifest"]["files"] for each in shown]
    assert files[0]["model.onnx"] == files[1]["model.onnx"]


def test_its_settings_and_weights_serve_others_but_not_its_test_days(pool_home: Path) -> None:
    young = pool_config(test_fraction=0.6)
    result = train([NAMES[0]], young, home=pool_home, beginning=StartFrom(weights="+b3@v1"))
    (failure,) = result.failures
    assert "judged on days that it has seen" in failure.error.message
    result = train(
        [NAMES[0]],
        pool_config(test_fraction=0.1),
        home=pool_home,
        beginning=StartFrom(weights="+b3@v1"),
    )
    assert not result.failures


def test_a_ticker_of_120_days_is_no_member_but_known_of(prices_home: Path) -> None:
    with pytest.raises(NotEnoughDataError, match="1 of 2"):
        train_pooled("b3", [NAMES[0], YOUNG], pool_config(), home=prices_home)
