import math
from dataclasses import FrozenInstanceError, asdict, fields, replace

import pytest

from stocklstm.core.settings.config import LEVELS, PRESETS, TrainingConfig, configure
from stocklstm.core.settings.layers import SETTINGS
from stocklstm.errors import ConfigError

CALIBRATED_50 = {
    "preset": "calibrated-50",
    "target": "return",
    "features": ("return", "volatility"),
    "start": None,
    "scale_low": 0.0,
    "scale_high": 1.0,
    "seq_length": 60,
    "horizon": 1,
    "hidden_size": 50,
    "num_layers": 2,
    "dropout": 0.2,
    "range_decay": 0.92,
    "intraday": True,
    "loss": "pinball",
    "optimizer": "adam",
    "weight_decay": 0.0,
    "momentum": 0.0,
    "schedule": "constant",
    "learning_rate": 1e-3,
    "lr_factor": 0.5,
    "lr_patience": 3,
    "lr_gamma": 0.95,
    "min_lr": 1e-6,
    "warmup_epochs": 3,
    "batch_size": 32,
    "clip_norm": 1.0,
    "ema_decay": 0.999,
    "epochs": 60,
    "patience": 10,
    "min_delta": 0.0,
    "restore_best": True,
    "checkpoint_every": None,
    "top_k": 0,
    "validation_fraction": 0.15,
    "calibration_fraction": 0.0,
    "test_fraction": 0.2,
    "seed": 0,
    "threads": 2,
    "device": "cpu",
    "precision": "32",
}
CALIBRATED = CALIBRATED_50 | {
    "preset": "calibrated",
    "seq_length": 10,
    "hidden_size": 16,
    "num_layers": 1,
    "learning_rate": 2e-3,
    "batch_size": 128,
    "ema_decay": 0.996,
}
PAPER = CALIBRATED_50 | {
    "preset": "paper",
    "target": "price",
    "features": ("close",),
    "hidden_size": 100,
    "loss": "mse",
    "clip_norm": None,
    "ema_decay": None,
    "epochs": 100,
    "patience": None,
    "restore_best": False,
    "calibration_fraction": 0.1,
}
PAPER_SHORT = PAPER | {
    "preset": "paper-short",
    "scale_low": -1.0,
    "seq_length": 10,
    "hidden_size": 32,
    "num_layers": 1,
    "dropout": 0.0,
    "epochs": 20,
}


def test_presets_are_what_the_design_says():
    expected = {
        "calibrated": CALIBRATED,
        "calibrated-50": CALIBRATED_50,
        "paper": PAPER,
        "paper-short": PAPER_SHORT,
    }
    assert {name: asdict(preset) for name, preset in PRESETS.items()} == expected


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_where_settings_start(preset):
    assert configure(preset) == PRESETS[preset]
    assert configure(preset, epochs=7) == replace(PRESETS[preset], epochs=7)
    assert PRESETS[preset].epochs != 7


def test_none_means_as_the_preset_has_it():
    assert configure("calibrated", patience=None, epochs=None, seed=3).patience == 10
    nothing = {field.name: None for field in fields(TrainingConfig) if field.name != "preset"}
    assert configure("paper", **nothing) == PRESETS["paper"]


def test_sizes_follow_the_target():
    assert (PRESETS["calibrated"].input_size, PRESETS["calibrated"].outputs) == (2, len(LEVELS))
    for preset in ("paper", "paper-short"):
        assert (PRESETS[preset].input_size, PRESETS[preset].outputs) == (1, 1)


@pytest.mark.parametrize("preset", ["", "Calibrated", "papers", "calibrated ", "../paper"])
def test_no_such_preset(preset):
    with pytest.raises(ConfigError, match="there is no preset") as caught:
        configure(preset)
    assert caught.value.hint == "the presets are calibrated, calibrated-50, paper, paper-short"


def test_no_such_setting():
    with pytest.raises(ConfigError, match="there is no setting 'epoch'"):
        configure("paper", epoch=3)
    # Even if it says nothing; and the first in the alphabet is named, whatever the order.
    with pytest.raises(ConfigError, match="there is no setting 'alpha'"):
        configure("paper", zeta=1, alpha=None)
    with pytest.raises(ConfigError, match="there is no setting 'input_size'"):
        configure("paper", input_size=3)


NAN, INF = math.nan, math.inf
REFUSED = {
    "target": ["returns", "", "Price"],
    "loss": ["l1", "MSE", ""],
    "optimizer": ["lbfgs", "Adam", ""],
    "weight_decay": [-0.1, NAN, INF],
    "momentum": [-0.1, 1, NAN],
    "range_decay": [0, 1, -0.1, NAN],
    "schedule": ["linear", ""],
    "lr_factor": [0, 1, -0.5, NAN],
    "lr_patience": [-1],
    "lr_gamma": [0, 1.1, NAN],
    "min_lr": [-1e-6, NAN, INF],
    "warmup_epochs": [0, -1],
    "min_delta": [-1e-9, NAN, INF],
    "checkpoint_every": [0, -1],
    "top_k": [-1, 101],
    "start": ["2018", "2018-02-30", "20180102", "", 20180102],
    "seq_length": [1, 0, -60],
    "horizon": [0, 251, -1],
    "features": [(), ("return", "return"), ("moon",), ("Close",)],
    "hidden_size": [0, -1],
    "num_layers": [0, -1],
    "dropout": [-0.1, 1, 1.5, NAN, INF],
    "learning_rate": [0, -1e-3, NAN, INF],
    "batch_size": [0, -32],
    "clip_norm": [0, -1.0, NAN],
    "ema_decay": [0, 1, -0.5, 1.5, NAN],
    "epochs": [0, -1],
    "patience": [0, -1],
    "validation_fraction": [0, 0.5, -0.1, 1, NAN],
    "calibration_fraction": [0.5, -0.1, 1, NAN],
    "test_fraction": [0, 0.9, -0.1, 1, NAN],
    "seed": [-1, 2**63, 10**30],
    "threads": [0, -1],
    "device": ["gpu", "CPU", ""],
    "precision": ["16", "fp16", 32],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values]
)
def test_a_value_outside_its_limits(name, value):
    with pytest.raises(ConfigError, match=f"^{name} must be .*, not ") as caught:
        configure("calibrated", **{name: value})
    assert caught.value.hint == f"leave {name} out to use the preset's value"
    shown = ",".join(value) if isinstance(value, tuple) else repr(value)
    assert caught.value.message.endswith(f", not {shown}")


ALLOWED = {
    "features": [("close",), ("volume", "range", "gap", "volatility", "return")],
    "horizon": [1, 5, 250],
    "start": ["2018-01-02", "1950-12-31"],
    "seq_length": [2, 500],
    "hidden_size": [1, 512],
    "num_layers": [1, 5],
    "dropout": [0, 0.999],
    "learning_rate": [1e-12, 10],
    "weight_decay": [0, 1.0],
    "momentum": [0, 0.99],
    "range_decay": [0.01, 0.99],
    "lr_patience": [0, 100],
    "lr_gamma": [0.5, 1],
    "min_lr": [0, 1e-3],
    "min_delta": [0, 1.0],
    "checkpoint_every": [1, 100],
    "top_k": [0, 100],
    "batch_size": [1, 10_000],
    "clip_norm": [1e-6, 100],
    "ema_decay": [1e-6, 0.9999],
    "epochs": [1, 100_000],
    "patience": [1, 1000],
    "validation_fraction": [0.01, 0.49],
    "calibration_fraction": [0, 0.49],
    "test_fraction": [0.01, 0.89],
    "seed": [0, 2**63 - 1],
    "threads": [1, 64],
    "device": ["auto", "cuda", "mps"],
    "precision": ["bf16-mixed", "16-mixed"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in ALLOWED.items() for value in values]
)
def test_a_value_at_its_limits(name, value):
    assert getattr(configure("calibrated", **{name: value}), name) == value


def test_every_setting_with_a_limit_is_tried():
    limited = {name for name, setting in SETTINGS.items() if setting.limits is not None}

    assert limited == set(REFUSED)


@pytest.mark.parametrize(
    ("preset", "settings"),
    [
        ("calibrated", {"loss": "mse"}),
        ("calibrated", {"target": "price"}),
        ("calibrated", {"loss": "huber"}),
        ("paper", {"loss": "pinball"}),
        ("paper", {"target": "return"}),
    ],
)
def test_a_loss_must_fit_its_target(preset, settings):
    with pytest.raises(ConfigError, match="does not fit target"):
        configure(preset, **settings)


@pytest.mark.parametrize("schedule", ["plateau", "cosine", "warmup-cosine"])
def test_a_step_size_cannot_fall_to_more_than_it_is(schedule):
    with pytest.raises(ConfigError, match="min_lr, 1e-06, is above learning_rate, 1e-07"):
        configure("calibrated", schedule=schedule, learning_rate=1e-7)


def test_a_warm_up_must_leave_something():
    with pytest.raises(ConfigError, match="warmup_epochs, 5, leave nothing of 5 epochs"):
        configure("calibrated", schedule="warmup-cosine", warmup_epochs=5, epochs=5)


def test_target_and_loss_may_change_together():
    config = configure("paper", target="return", loss="pinball")
    assert (config.preset, config.outputs) == ("paper", len(LEVELS))


@pytest.mark.parametrize(
    ("low", "high"),
    [(1.0, 1.0), (2.0, 1.0), (NAN, 1.0), (0.0, NAN), (0.0, INF), (-INF, 0.0), (INF, INF)],
)
def test_a_scale_has_two_finite_ends_in_order(low, high):
    with pytest.raises(ConfigError, match="scale_low must be below scale_high"):
        configure("paper", scale_low=low, scale_high=high)


@pytest.mark.parametrize("preset", ["paper", "paper-short"])
def test_a_price_needs_days_to_measure_its_intervals_on(preset):
    with pytest.raises(ConfigError, match="calibration_fraction"):
        configure(preset, calibration_fraction=0.0)


def test_settings_stay_as_they_are():
    with pytest.raises(FrozenInstanceError):
        PRESETS["paper"].epochs = 1
