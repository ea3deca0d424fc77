"""Splits of every kind, and their parts in the order of time."""

import copy

import numpy as np
from hypothesis import strategies as st

from stocklstm.core.prices.splits import Split
from stocklstm.core.settings.config import PRESETS, TrainingConfig, configure

ORDER = ("train", "validation", "calibration", "test")


def with_horizon(config: TrainingConfig, horizon: int) -> TrainingConfig:
    """Look further ahead than the limits of settings allow so far; splits do not mind."""
    config = copy.copy(config)
    object.__setattr__(config, "horizon", horizon)
    return config


def parts_of(split: Split) -> list[np.ndarray]:
    return [part for name in ORDER if len(part := getattr(split, name))]


@st.composite
def configs(draw) -> TrainingConfig:
    config = configure(
        draw(st.sampled_from(list(PRESETS))),
        seq_length=draw(st.integers(2, 120)),
        validation_fraction=draw(st.floats(0.05, 0.4)),
        calibration_fraction=draw(st.floats(0.05, 0.4)),
        test_fraction=draw(st.floats(0.05, 0.6)),
    )
    return with_horizon(config, draw(st.integers(1, 10)))
