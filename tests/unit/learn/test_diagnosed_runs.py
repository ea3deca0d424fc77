"""Real runs on real prices get the diagnosis that their settings were chosen to bring about."""

from typing import Any

import numpy as np
import pytest

from stocklstm.core.prices.series import Bars
from stocklstm.core.settings.config import configure
from stocklstm.core.training.diagnosis import diagnose
from stocklstm.learn.loop import train_network
from tests.support.training_data import training_data

SMALL = {"hidden_size": 16, "num_layers": 1, "dropout": 0.0, "seq_length": 10}


@pytest.mark.parametrize(
    ("kind", "preset", "changes"),
    [
        (
            "overfitting",
            "calibrated",
            {
                "hidden_size": 50,
                "learning_rate": 1e-2,
                "batch_size": 32,
                "ema_decay": 0.98,
                "epochs": 40,
                "patience": 40,
            },
        ),
        ("unstable", "calibrated", {"learning_rate": 1.0, "epochs": 6}),
        ("unstable", "paper-short", {"learning_rate": 0.5, "epochs": 30}),
        ("underfitting", "calibrated", {"learning_rate": 1e-6, "epochs": 6}),
        ("underfitting", "paper-short", {"learning_rate": 1e-7, "epochs": 4}),
        ("still improving", "paper-short", {"learning_rate": 3e-4, "epochs": 8}),
        ("good", "paper-short", {"learning_rate": 1e-2, "epochs": 30}),
        ("still improving", "calibrated", {"epochs": 40}),
    ],
)
def test_a_run_is_called_what_it_is(
    kind: str, preset: str, changes: dict[str, Any], sample_bars: Bars
) -> None:
    base = SMALL if preset == "calibrated" else {"hidden_size": 16}
    config = configure(preset, **{**base, **changes})
    data = training_data(sample_bars.select(slice(-800, None)), config)

    trained = train_network(config, data, lambda _: None)
    found = diagnose(trained.history, trained.constant, config, trained.state["epoch"])

    assert found.kind == kind, found.words


def test_a_run_that_learned_what_there_was_is_called_good() -> None:
    # Of real returns so little can be foreseen that rounding, which differs between processors,
    # decides which epoch is best. Here each return is 0.7 of the one before, and noise.
    config = configure("calibrated", **SMALL, learning_rate=3e-2, ema_decay=0.9, epochs=30)
    data = training_data(_foreseeable(800), config)

    trained = train_network(config, data, lambda _: None)
    found = diagnose(trained.history, trained.constant, config, trained.state["epoch"])

    assert found.kind == "good", found.words


def _foreseeable(rows: int) -> Bars:
    noise = np.random.default_rng(0).normal(0, 0.02, rows)
    returns = np.zeros(rows)
    for row in range(1, rows):
        returns[row] = 0.7 * returns[row - 1] + noise[row]
    closes = 20 * np.exp(np.cumsum(returns))
    days = np.busday_offset("2020-01-01", np.arange(rows), roll="forward").astype("datetime64[D]")
    return Bars(days, closes, closes, closes, closes, closes, np.full(rows, 1e6))
