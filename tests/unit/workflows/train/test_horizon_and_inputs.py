"""Other inputs and farther days, from training to a scored forecast."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stocklstm import evaluate, predict, train, validate
from stocklstm.core.prices.series import Bars
from stocklstm.core.reference import parse_reference
from stocklstm.core.settings.config import FEATURES, TrainingConfig, configure
from stocklstm.errors import ConfigError, RejectedDataError
from stocklstm.learn.loop import train_network
from stocklstm.store.store import open_store
from stocklstm.workflows.loading.model import load_model, require_training_scale
from stocklstm.workflows.scoring import score_model
from stocklstm.workflows.train.beginning import StartFrom
from stocklstm.workflows.train.fit import prepare
from tests.conftest import TICKER, TINY, Cli
from tests.support.made_prices import other_future
from tests.support.stored_rows import execute


def bars_of(home: Path) -> Bars:
    with open_store(home) as store:
        return store.prices.bars(TICKER)


@pytest.fixture(scope="session")
def _far_home(_modelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("far") / "home"
    shutil.copytree(_modelled, home)
    config = configure("calibrated", **{**TINY, "horizon": 5, "features": FEATURES})
    assert not train([TICKER], config, home=home).failures
    return home


@pytest.fixture
def far_home(_far_home: Path, home: Path) -> Path:
    """Give this test's store a second version, of all inputs, that looks five sessions ahead."""
    shutil.copytree(_far_home, home)
    return home


def test_a_version_with_another_horizon_is_no_champion(far_home: Path) -> None:
    with open_store(far_home) as store:
        assert store.registry.aliases.of(TICKER) == {"champion": 1}

    (item,) = validate([f"{TICKER}@v2"], deep=True, home=far_home).results
    assert item.status == "ok"


def test_it_forecasts_the_fifth_session(far_home: Path) -> None:
    (near,) = predict([TICKER], home=far_home).forecasts
    (far,) = predict([f"{TICKER}@v2"], home=far_home).forecasts

    assert (near.horizon, near.target_session) == (1, "2024-03-14")
    assert (far.horizon, far.target_session) == (5, "2024-03-20")
    widths = [f.intervals[-1].upper - f.intervals[-1].lower for f in (near, far)]
    assert 1.5 < widths[1] / widths[0] < 3.5
    assert predict([f"{TICKER}@v2"], home=far_home).forecasts[0].unchanged


def test_a_far_forecast_is_the_one_that_is_scored(far_home: Path) -> None:
    bars = bars_of(far_home)
    with open_store(far_home) as store:
        model = load_model(store, parse_reference(f"{TICKER}@v2"))
    origin = len(bars) - 40

    days = score_model(model, bars, np.array([origin]))
    forecast = model.forecast(bars.select(slice(0, origin + 1))).closes(bars.closes[[origin]])

    assert np.array_equal(days.forecasts.quantiles, forecast.quantiles)
    assert days.dates.tolist() == bars.dates[[origin + 5]].tolist()


def test_the_verdict_names_what_it_is_held_against(far_home: Path) -> None:
    (item,) = evaluate([f"{TICKER}@v2"], home=far_home).results

    assert item.evaluation.horizon == 5
    assert "THAN THE CLOSE 5 SESSIONS BEFORE" in item.evaluation.verdict_text


@pytest.mark.usefixtures("far_home")
def test_tables_say_how_far_ahead(cli: Cli) -> None:
    far = f"{TICKER}@v2"

    assert "the close 5 sessions before" in cli("evaluate", "-t", far).out
    forecast = cli("predict", "-t", far).out
    assert "Forecast closes" in forecast
    assert "5 sessions ahead" in forecast


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"horizon": 5, "features": FEATURES},
        {"target": "price", "loss": "huber", "calibration_fraction": 0.1, "features": ("close",)},
    ],
)
def test_no_price_of_the_test_part_reaches_a_weight(
    priced_home: Path, tiny: TrainingConfig, changes: dict[str, object]
) -> None:
    config = replace(tiny, epochs=1, **changes)
    bars = bars_of(priced_home)
    prepared = prepare(bars, config)
    last_label = int(prepared.split.validation[-1]) + config.horizon
    other = prepare(other_future(bars, last_label), config)

    assert prepared.scaling == other.scaling
    assert np.array_equal(prepared.data.inputs, other.data.inputs, equal_nan=True)
    assert np.array_equal(prepared.data.targets, other.data.targets, equal_nan=True)
    assert len(prepared.data.inputs) == last_label + 1
    # And every label that training or validation looks at is there.
    for rows in (prepared.data.train, prepared.data.validation):
        assert np.isfinite(prepared.data.targets[rows]).all()
    trained = train_network(config, prepared.data, lambda _: None)
    assert np.isfinite(trained.history[-1].val_loss)


def test_a_model_that_saw_closes_refuses_prices_of_another_scale(
    priced_home: Path, tiny: TrainingConfig
) -> None:
    train([TICKER], replace(tiny, features=("return", "close")), home=priced_home)
    bars = bars_of(priced_home)
    halved = replace(bars, closes=bars.closes / 2, adj_closes=bars.adj_closes / 2)
    with open_store(priced_home) as store:
        manifest = load_model(store, parse_reference(TICKER)).manifest

    require_training_scale(manifest, bars)
    with pytest.raises(RejectedDataError, match=r"rescaled by 0\.5"):
        require_training_scale(manifest, halved)


def test_a_champion_that_a_split_has_ended_is_replaced(
    priced_home: Path, tiny: TrainingConfig
) -> None:
    train([TICKER], replace(tiny, features=("return", "close")), home=priced_home)
    execute(
        priced_home,
        "UPDATE prices SET open = open / 2, high = high / 2, low = low / 2,"
        " close = close / 2, adj_close = adj_close / 2, volume = volume * 2",
    )

    result = train([TICKER], tiny, home=priced_home)

    assert not result.failures
    assert result.results[0].promoted
    assert "the champion cannot be used" in result.results[0].promotion
    (failure,) = predict([f"{TICKER}@v1"], home=priced_home).failures
    assert f"train --ticker {TICKER} --like {TICKER}@v1" in str(failure.error.hint)


def test_weights_that_saw_something_else_are_no_beginning(
    model_home: Path, tiny: TrainingConfig
) -> None:
    other = replace(tiny, features=("volume", "range"))

    (failure,) = train(
        [TICKER], other, beginning=StartFrom(weights=f"{TICKER}@v1"), home=model_home
    ).failures

    assert "has features ('return', 'volatility')" in failure.error.message
    assert "--like" in str(failure.error.hint)


def test_a_test_part_of_a_few_spans_is_too_short(priced_home: Path, tiny: TrainingConfig) -> None:
    (failure,) = train([TICKER], replace(tiny, horizon=200), home=priced_home).failures

    assert "a horizon of 200 need at least" in failure.error.message
    assert "a shorter --horizon" in str(failure.error.hint)


def test_a_price_is_not_told_from_returns_alone(tiny: TrainingConfig) -> None:
    with pytest.raises(ConfigError, match="cannot be told from return, volatility alone") as caught:
        replace(tiny, target="price", loss="mae", calibration_fraction=0.1)

    assert caught.value.hint == "--features close,return,volatility"


@pytest.mark.usefixtures("priced_home")
def test_features_from_the_command_line_and_a_file(tmp_path: Path, cli: Cli) -> None:
    file = tmp_path / "run.toml"
    file.write_text('features = ["return", "volume"]\n')

    listed = cli("config", "show", "--config", str(file), "--json").out
    unknown = cli("train", "-t", TICKER, "--features", "return,moon")

    assert '"return",\n' in listed
    assert "moon" not in listed
    assert unknown.code == 2
    assert "some of return, volatility, close, volume, range, gap" in unknown.err


def test_a_feature_that_the_prices_lack_is_refused(tmp_path: Path, cli: Cli) -> None:
    days = np.datetime64("2022-01-03") + np.arange(400)
    rows = "".join(f"{day},{30 + i % 7}\n" for i, day in enumerate(days) if np.is_busday(day))
    file = tmp_path / "closes.csv"
    file.write_text(f"Date,Close\n{rows}")
    assert cli("fetch", "-t", TICKER, "--source", "csv", "--file", str(file)).code == 0

    outcome = cli("train", "-t", TICKER, "--features", "return,volume", "--seq-length", "5")

    assert outcome.code == 6
    assert "training days have a volume" in outcome.err
    assert "leave volume out of --features" in outcome.err
