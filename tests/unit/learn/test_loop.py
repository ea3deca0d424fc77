"""The loop learns, stops, keeps the right epoch, and can be repeated to the bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stocklstm.core.forecasts.quantiles import pinball
from stocklstm.core.prices.series import Bars
from stocklstm.core.settings.config import LEVELS, TrainingConfig, configure
from stocklstm.core.training.epochs import EpochRecord
from stocklstm.errors import TrainingDivergedError
from stocklstm.learn.loop import TrainedNetwork, TrainingData, train_network
from stocklstm.learn.network import network_outputs
from tests.conftest import TINY
from tests.support.training_data import training_data


def run(config: TrainingConfig, data: TrainingData) -> TrainedNetwork:
    return train_network(config, data, lambda _: None)


def weights(trained: TrainedNetwork) -> dict[str, torch.Tensor]:
    return trained.network.state_dict()


def validation_loss(trained: TrainedNetwork, config: TrainingConfig, data: TrainingData) -> float:
    """Compute it anew with NumPy, window by window."""
    length = config.seq_length
    windows = np.stack([data.inputs[row - length + 1 : row + 1] for row in data.validation])
    outputs = network_outputs(trained.network, windows)
    return float(pinball(data.targets[data.validation], outputs).mean())


def test_the_same_seed_gives_the_same_weights(tiny: TrainingConfig, data: TrainingData) -> None:
    first, second = weights(run(tiny, data)), weights(run(tiny, data))

    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_another_seed_gives_other_weights(tiny: TrainingConfig, data: TrainingData) -> None:
    first, second = weights(run(tiny, data)), weights(run(replace(tiny, seed=1), data))

    assert not torch.equal(first["lstm.weight_hh_l0"], second["lstm.weight_hh_l0"])


def test_a_notebook_keeps_its_own_random_state(tiny: TrainingConfig, data: TrainingData) -> None:
    torch.manual_seed(7)
    threads, expected = torch.get_num_threads(), torch.get_rng_state()

    run(tiny, data)

    assert torch.equal(torch.get_rng_state(), expected)
    assert torch.get_num_threads() == threads


def test_epoch_0_is_filtered_historical_simulation(
    tiny: TrainingConfig, data: TrainingData
) -> None:
    trained = run(tiny, data)

    fixed = np.quantile(data.targets[data.train].astype(float), LEVELS)
    targets = data.targets[data.validation].astype(float)
    expected = pinball(targets, np.tile(fixed, (len(targets), 1))).mean()
    assert trained.history[0].epoch == 0
    assert trained.history[0].train_loss is None
    assert trained.history[0].val_loss == pytest.approx(expected, rel=1e-5)


def test_the_best_epoch_is_kept_and_training_stops_early(
    tiny: TrainingConfig, data: TrainingData
) -> None:
    # Far too large a step: validation gets worse soon, and patience runs out.
    config = replace(tiny, learning_rate=0.05, epochs=40, patience=2, ema_decay=None)

    trained = run(config, data)

    losses = [record.val_loss for record in trained.history]
    best = int(np.argmin(losses))
    assert trained.state["epoch"] == trained.history[best].epoch
    assert trained.history[-1].epoch == trained.history[best].epoch + 2
    assert validation_loss(trained, config, data) == pytest.approx(min(losses), rel=1e-5)


def test_without_patience_the_last_epoch_is_kept(sample_bars: Bars) -> None:
    config = configure("paper-short", epochs=2, hidden_size=4)
    trained = run(config, training_data(sample_bars.select(slice(-400, None)), config))

    assert [record.epoch for record in trained.history] == [1, 2]
    assert trained.state["epoch"] == 2


def test_averaged_weights_are_what_is_validated_and_kept(
    tiny: TrainingConfig, data: TrainingData
) -> None:
    config = replace(tiny, ema_decay=0.9)
    trained = run(config, data)

    kept = next(r for r in trained.history if r.epoch == trained.state["epoch"])
    assert validation_loss(trained, config, data) == pytest.approx(kept.val_loss, rel=1e-5)
    if kept.epoch:
        stepping = trained.state["stepping"]
        assert not torch.equal(stepping["head.bias"], weights(trained)["head.bias"])


def test_training_lowers_the_training_loss(sample_bars: Bars) -> None:
    config = configure("paper-short", **{**TINY, "epochs": 8, "learning_rate": 0.01})
    trained = run(config, training_data(sample_bars.select(slice(-400, None)), config))

    assert trained.history[-1].train_loss < trained.history[0].train_loss / 2


def test_every_epoch_is_reported_as_it_ends(tiny: TrainingConfig, data: TrainingData) -> None:
    seen: list[EpochRecord] = []

    trained = train_network(tiny, data, seen.append)

    assert tuple(seen) == trained.history


@pytest.mark.parametrize("preset", ["calibrated", "paper-short"])
@pytest.mark.parametrize("rate", [10.0, 1e30])
@pytest.mark.parametrize("epochs", [1, 2, 20])
def test_a_diverging_run_says_so(preset: str, rate: float, epochs: int, sample_bars: Bars) -> None:
    changes = TINY | {"learning_rate": rate, "epochs": epochs}
    config = configure(preset, **changes)
    data = training_data(sample_bars.select(slice(-400, None)), config)

    with pytest.raises(TrainingDivergedError, match="training diverged: the loss") as caught:
        run(config, data)

    assert "--learning-rate" in caught.value.hint


def test_the_default_settings_diverge_at_a_learning_rate_of_10(sample_bars: Bars) -> None:
    config = configure("calibrated", learning_rate=10.0)

    with pytest.raises(TrainingDivergedError, match="the loss of epoch 2 is over 2 times"):
        run(config, training_data(sample_bars.select(slice(-1500, None)), config))


def test_a_run_that_patience_ends_in_ruins_has_diverged(
    tiny: TrainingConfig, data: TrainingData
) -> None:
    config = replace(tiny, learning_rate=10.0, epochs=20, patience=1, restore_best=False)

    with pytest.raises(TrainingDivergedError, match="the loss of epoch 1 is over 2 times"):
        run(config, data)


def test_a_bad_first_pass_may_be_made_good(sample_bars: Bars) -> None:
    config = configure("paper-short", learning_rate=0.3, epochs=5)
    data = training_data(sample_bars.select(slice(-800, None)), config)

    trained = run(config, data)

    assert trained.history[0].train_loss > 2 * trained.constant.train
    assert trained.history[-1].train_loss < trained.constant.train / 10


def test_prices_that_never_moved_do_not_diverge(tiny: TrainingConfig, sample_bars: Bars) -> None:
    bars = sample_bars.select(slice(-400, None))
    still = np.full(len(bars), 7.0)
    flat = replace(bars, opens=still, highs=still, lows=still, closes=still, adj_closes=still)

    assert run(tiny, training_data(flat, tiny)).history[-1].epoch == tiny.epochs
