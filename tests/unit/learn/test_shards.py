"""The gradient of a batch is the same whole, in shards, and by several threads."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from stocklstm.core.settings.config import configure
from stocklstm.learn.flat import FlatWeights
from stocklstm.learn.network import StockLSTM
from stocklstm.learn.shards import Batch, ShardedGradient, shard_count
from tests.support.property_tests import PROPERTY

CPU = torch.device("cpu")


def network(seed: int = 0) -> StockLSTM:
    torch.manual_seed(seed)
    return StockLSTM(input_size=2, hidden_size=4, num_layers=2, dropout=0.2, outputs=3)


def loss(network: StockLSTM, shard: Batch) -> Tensor:
    windows, targets = shard
    return nn.functional.mse_loss(network(windows), targets)


def batch(count: int) -> list[Tensor]:
    return [torch.randn(count, 5, 2), torch.randn(count, 3)]


@settings(PROPERTY, max_examples=10)
@given(count=st.integers(1, 9), shards=st.integers(1, 4), seed=st.integers(0, 1000))
def test_it_is_that_of_the_whole_batch(count: int, shards: int, seed: int) -> None:
    torch.manual_seed(seed)
    examples = batch(count)
    reference = network().eval()
    expected = loss(reference, examples)
    expected.backward()
    flat = torch.cat([own.grad.flatten() for own in reference.parameters()])

    weights = FlatWeights(network().eval())
    value = ShardedGradient(weights, shards, threads=1).compute(loss, examples)

    assert value == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(weights.vector.grad, flat, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_threads_change_no_bit_of_it(count: int) -> None:
    torch.manual_seed(count)
    examples = batch(count)
    # Without dropout, which a network draws in its own thread unless it is given masks.
    found = []
    for threads in (1, 2, 3):
        weights = FlatWeights(network().eval())
        value = ShardedGradient(weights, 3, threads).compute(loss, examples)
        found.append((value, weights.vector.grad))

    assert {value for value, _ in found} == {found[0][0]}
    assert all(torch.equal(gradient, found[0][1]) for _, gradient in found)


def test_an_error_of_one_thread_is_raised_when_all_have_ended() -> None:
    seen: list[int] = []

    def broken(_: StockLSTM, shard: Batch) -> Tensor:
        seen.append(len(shard[0]))
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        ShardedGradient(FlatWeights(network()), 2, 2).compute(broken, batch(5))

    assert sorted(seen) == [2, 3]


def test_shards_have_the_weights_of_the_network_also_after_a_step() -> None:
    weights = FlatWeights(network())
    gradient = ShardedGradient(weights, 2, 1)
    examples = batch(6)
    before = gradient.compute(loss, examples)
    with torch.no_grad():
        weights.vector.zero_()

    after = gradient.compute(loss, examples)

    assert after == pytest.approx(examples[1].square().mean().item(), rel=1e-5)
    assert after != before


def test_small_networks_are_not_worth_a_second_thread() -> None:
    large, small = configure("paper"), configure("paper-short")

    assert shard_count(large, CPU) == 2
    assert shard_count(small, CPU) == 1
    # A GPU does a whole batch at once.
    assert shard_count(large, torch.device("cuda")) == 1


def test_copies_do_not_share_what_the_network_has_besides() -> None:
    original = network()
    weights = FlatWeights(original)
    kept = copy.deepcopy(original.state_dict())
    ShardedGradient(weights, 2, 1)

    assert all(torch.equal(value, kept[name]) for name, value in original.state_dict().items())
    assert weights.vector.numel() == sum(value.numel() for value in kept.values())
