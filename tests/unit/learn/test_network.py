"""The network has the size it is said to have, and computes what PyTorch's layers compute."""

import pytest
import torch

from stocklstm.core.settings.config import PRESETS, configure
from stocklstm.learn.network import StockLSTM


def network(hidden_size: int, outputs: int = 1, input_size: int = 1) -> StockLSTM:
    return StockLSTM(
        input_size=input_size,
        hidden_size=hidden_size,
        num_layers=2,
        dropout=0.2,
        outputs=outputs,
    )


@pytest.mark.parametrize(("hidden_size", "count"), [(50, 31_051), (100, 122_101)])
def test_parameter_count_is_the_documented_one(hidden_size: int, count: int) -> None:
    assert network(hidden_size).parameter_count == count


@pytest.mark.parametrize(
    ("preset", "count"),
    [
        ("calibrated", 1_535),
        ("calibrated-50", 31_965),
        ("paper", 122_101),
        ("paper-short", 4_513),
    ],
)
def test_each_preset_has_the_documented_size(preset: str, count: int) -> None:
    assert StockLSTM.from_config(PRESETS[preset]).parameter_count == count


def test_only_the_last_step_reaches_the_head() -> None:
    model = network(5, outputs=3).eval()
    windows = torch.randn(4, 7, 1)

    states, _ = model.lstm(windows)
    expected = states[:, -1] @ model.head.weight.T + model.head.bias

    assert torch.allclose(model(windows), expected, atol=1e-6)


def test_dropout_is_active_in_training_only() -> None:
    model = network(20)
    windows = torch.randn(2, 5, 1)

    assert not torch.equal(model.train()(windows), model(windows))
    assert torch.equal(model.eval()(windows), model(windows))


def test_an_untrained_network_can_forecast_fixed_quantiles() -> None:
    model = network(6, outputs=3).eval()
    model.start_from(torch.tensor([-1.0, 0.0, 1.0]))

    outputs = model(100 * torch.randn(5, 9, 1))

    assert torch.equal(outputs, torch.tensor([[-1.0, 0.0, 1.0]]).expand(5, 3))


def test_the_architecture_rebuilds_the_network() -> None:
    model = StockLSTM.from_config(configure("calibrated", num_layers=1, hidden_size=7))

    again = StockLSTM(**model.architecture)

    assert [p.shape for p in again.parameters()] == [p.shape for p in model.parameters()]
    assert again.dropout.p == 0.2
