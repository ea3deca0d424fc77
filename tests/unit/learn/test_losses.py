"""Training minimises what evaluation measures."""

import numpy as np
import pytest
import torch

from stocklstm.core.forecasts.quantiles import pinball
from stocklstm.learn.losses import loss_function


def test_pinball_is_the_mean_of_the_evaluated_one() -> None:
    random = np.random.default_rng(0)
    outputs, targets = random.standard_normal((50, 15)), random.standard_normal(50)

    loss = loss_function("pinball")(torch.from_numpy(outputs), torch.from_numpy(targets))

    assert loss.item() == pytest.approx(pinball(targets, outputs).mean(), rel=1e-12)


def test_mse_is_the_mean_squared_difference() -> None:
    loss = loss_function("mse")(torch.tensor([[1.0], [4.0]]), torch.tensor([2.0, 2.0]))

    assert loss.item() == 2.5
