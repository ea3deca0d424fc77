"""Optimizers move weights as PyTorch's own do, to the last bit."""

import copy

import pytest
import torch
from torch import nn, optim

from stocklstm.core.settings.config import configure
from stocklstm.learn.optimization import make_optimizer

SETTINGS = {"learning_rate": 0.01, "weight_decay": 0.001, "momentum": 0.5}
REFERENCES = {
    "adam": lambda weights: optim.Adam(weights, lr=0.01, weight_decay=0.001, fused=True),
    "adamw": lambda weights: optim.AdamW(weights, lr=0.01, weight_decay=0.001, fused=True),
    "sgd": lambda weights: optim.SGD(weights, lr=0.01, weight_decay=0.001, momentum=0.5),
    "rmsprop": lambda weights: optim.RMSprop(weights, lr=0.01, weight_decay=0.001, momentum=0.5),
}


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1))


def descend(network: nn.Module, optimizer: optim.Optimizer, steps: int) -> None:
    inputs = torch.linspace(-1, 1, 40).reshape(8, 5)
    for _ in range(steps):
        optimizer.zero_grad()
        (network(inputs) - 1).square().mean().backward()
        optimizer.step()


def require_equal(one: nn.Module, other: nn.Module) -> None:
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("name", REFERENCES)
def test_steps_are_those_of_pytorch(name: str) -> None:
    config = configure("calibrated", optimizer=name, **SETTINGS)
    ours, theirs = network(), network()

    descend(ours, make_optimizer(config, ours.parameters()), 20)
    descend(theirs, REFERENCES[name](theirs.parameters()), 20)

    require_equal(ours, theirs)
    assert not torch.equal(next(ours.parameters()), next(network().parameters()))


@pytest.mark.parametrize("name", REFERENCES)
def test_a_state_goes_from_one_to_the_other(name: str) -> None:
    """Checkpoints hold what PyTorch's optimizers hold, and can be taken up by them."""
    config = configure("calibrated", optimizer=name, **SETTINGS)
    ours = network()
    begun = make_optimizer(config, ours.parameters())
    descend(ours, begun, 5)
    theirs = copy.deepcopy(ours)
    reference = REFERENCES[name](theirs.parameters())
    reference.load_state_dict(copy.deepcopy(begun.state_dict()))
    again = copy.deepcopy(ours)
    resumed = make_optimizer(config, again.parameters())
    resumed.load_state_dict(copy.deepcopy(reference.state_dict()))

    for net, optimizer in ((ours, begun), (theirs, reference), (again, resumed)):
        descend(net, optimizer, 5)

    require_equal(ours, theirs)
    require_equal(ours, again)


def test_no_gradient_is_taken_of_a_step() -> None:
    net = network()
    optimizer = make_optimizer(configure("calibrated"), net.parameters())

    descend(net, optimizer, 3)

    assert all(weight.grad_fn is None and weight.requires_grad for weight in net.parameters())
    assert torch.is_grad_enabled()
