"""What is timed is training itself: the same first steps, which leave no trace."""

import math
from dataclasses import replace

import torch

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.learn.loop import TrainingData, train_network
from stocklstm.learn.timing import Pace, measure_pace


def test_a_pace_is_of_the_network_and_the_steps_that_training_takes(
    tiny: TrainingConfig, data: TrainingData
) -> None:
    pace = measure_pace(tiny, data)

    assert pace.parameters == 4 * 16 * (2 + 16 + 2) + 15 * (16 + 1)
    assert pace.steps_per_epoch == math.ceil(len(data.train) / tiny.batch_size)
    assert pace.device == "cpu"
    assert 0 < pace.step_s < math.inf
    assert 0 < pace.validation_s < math.inf


def test_a_batch_larger_than_all_windows_is_one_step(
    tiny: TrainingConfig, data: TrainingData
) -> None:
    assert measure_pace(replace(tiny, batch_size=100_000), data).steps_per_epoch == 1


def test_seconds_are_those_of_all_steps_and_validations() -> None:
    pace = Pace(1, "cpu", (), steps_per_epoch=10, step_s=0.5, validation_s=2.0)

    assert pace.seconds(3) == 3 * 10 * 0.5 + 4 * 2.0


def test_measuring_does_not_change_a_training_after_it(
    tiny: TrainingConfig, data: TrainingData
) -> None:
    first = train_network(tiny, data, lambda _: None)
    measure_pace(tiny, data)
    second = train_network(tiny, data, lambda _: None)

    weights = second.network.state_dict()
    for name, value in first.network.state_dict().items():
        assert torch.equal(value, weights[name])
