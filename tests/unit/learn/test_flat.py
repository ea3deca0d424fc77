"""Weights as one vector are the network's weights, and their average is PyTorch's."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn, optim
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from stocklstm.learn.flat import FlatWeights, WeightAverage
from stocklstm.learn.network import StockLSTM
from tests.support.property_tests import PROPERTY

OPTIMIZERS = {
    "adam": lambda weights: optim.Adam(weights, lr=0.01),
    "momentum": lambda weights: optim.SGD(weights, lr=0.01, momentum=0.9),
    "plain": lambda weights: optim.SGD(weights, lr=0.01),
    "rmsprop": lambda weights: optim.RMSprop(weights, lr=0.01),
}


def network(seed: int = 0) -> StockLSTM:
    torch.manual_seed(seed)
    # One output, so that a weight has a single number, as the count of steps has.
    return StockLSTM(input_size=2, hidden_size=3, num_layers=2, dropout=0.0, outputs=1)


def descend(weights: FlatWeights, optimizer: optim.Optimizer, steps: int) -> None:
    windows = torch.linspace(-1, 1, 24).reshape(3, 4, 2)
    for _ in range(steps):
        loss = weights.network(windows).square().mean()
        found = torch.autograd.grad(loss, list(weights.network.parameters()))
        weights.vector.grad = torch.cat([one.flatten() for one in found])
        optimizer.step()


def test_a_change_of_the_vector_is_one_of_the_network_and_back() -> None:
    weights = FlatWeights(network())
    before = copy.deepcopy(weights.network.state_dict())
    assert torch.equal(
        weights.vector.detach(), torch.cat([value.flatten() for value in before.values()])
    )

    with torch.no_grad():
        weights.vector.mul_(2)
    assert all(torch.equal(value, 2 * before[n]) for n, value in weights.network.named_parameters())
    weights.network.load_state_dict(before)
    assert torch.equal(
        weights.vector.detach(), torch.cat([value.flatten() for value in before.values()])
    )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_state_of_an_optimizer_is_that_of_the_networks_own(name: str) -> None:
    """A checkpoint holds what PyTorch's optimizer of the network would, whatever trained it."""
    weights, theirs = FlatWeights(network()), network()
    optimizer, reference = OPTIMIZERS[name]([weights.vector]), OPTIMIZERS[name](theirs.parameters())
    windows = torch.linspace(-1, 1, 24).reshape(3, 4, 2)
    descend(weights, optimizer, 3)
    for _ in range(3):
        reference.zero_grad()
        theirs(windows).square().mean().backward()
        reference.step()

    ours, expected = weights.optimizer_state(optimizer), reference.state_dict()

    assert ours["param_groups"] == expected["param_groups"]
    assert ours["state"].keys() == expected["state"].keys()
    for place, of_one in expected["state"].items():
        assert ours["state"][place].keys() == of_one.keys()
        for key, value in of_one.items():
            torch.testing.assert_close(ours["state"][place][key], value)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_returns_to_a_state_to_the_bit(name: str) -> None:
    weights = FlatWeights(network())
    optimizer = OPTIMIZERS[name]([weights.vector])
    descend(weights, optimizer, 3)
    saved, kept = weights.optimizer_state(optimizer), weights.vector.detach().clone()
    descend(weights, optimizer, 2)
    other = FlatWeights(network(seed=1))
    with torch.no_grad():
        other.vector.copy_(kept)
    another = OPTIMIZERS[name]([other.vector])

    other.load_optimizer_state(another, saved)
    descend(other, another, 2)

    assert torch.equal(other.vector, weights.vector)


def test_a_state_of_other_weights_is_refused() -> None:
    weights = FlatWeights(network())
    optimizer = optim.Adam([weights.vector])
    descend(weights, optimizer, 1)
    state = weights.optimizer_state(optimizer)
    wider = FlatWeights(
        StockLSTM(input_size=2, hidden_size=4, num_layers=2, dropout=0.0, outputs=1)
    )
    deeper = FlatWeights(
        StockLSTM(input_size=2, hidden_size=3, num_layers=3, dropout=0.0, outputs=1)
    )

    for other in (wider, deeper):
        with pytest.raises(ValueError, match=r"other weights|zip"):
            other.load_optimizer_state(optim.Adam([other.vector]), state)


@PROPERTY
@given(most=st.floats(0.01, 100), size=st.floats(1e-3, 1e3))
def test_a_gradient_is_clipped_as_pytorch_does(most: float, size: float) -> None:
    weights, theirs = FlatWeights(network()), network()
    torch.manual_seed(3)
    gradient = size * torch.randn_like(weights.vector)
    weights.vector.grad = gradient.clone()
    for own, part in zip(
        theirs.parameters(),
        torch.split(gradient, [own.numel() for own in theirs.parameters()]),
        strict=True,
    ):
        own.grad = part.view_as(own).clone()

    weights.clip_gradient(most)
    nn.utils.clip_grad_norm_(theirs.parameters(), most)

    expected = torch.cat([own.grad.flatten() for own in theirs.parameters()])
    torch.testing.assert_close(weights.vector.grad, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_the_average_is_pytorchs(decay: float) -> None:
    weights = FlatWeights(network())
    ours = WeightAverage(weights.network, decay)
    theirs = AveragedModel(weights.network, multi_avg_fn=get_ema_multi_avg_fn(decay))
    for _ in range(5):
        with torch.no_grad():
            weights.vector.add_(torch.randn_like(weights.vector))
        ours.update(weights)
        theirs.update_parameters(weights.network)

    assert ours.steps == int(theirs.n_averaged)
    for mine, own in zip(ours.network.parameters(), theirs.module.parameters(), strict=True):
        torch.testing.assert_close(mine, own)
