"""Dropout masks drop what they say, independently, and keep the mean."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stocklstm.learn.dropout import draw_bits, masks_of
from tests.support.property_tests import PROPERTY


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.9])
def test_as_many_are_dropped_as_is_said(share: float) -> None:
    torch.manual_seed(0)
    masks = masks_of(draw_bits(200, 1001), share)

    dropped = int((masks == 0).sum())
    assert stats.binomtest(dropped, masks.numel(), share).pvalue > 0.001
    assert sorted(set(masks.flatten().tolist())) == pytest.approx([0, 1 / (1 - share)], rel=1e-4)


def test_all_bits_are_random() -> None:
    """A generator that leaves a bit at zero would drop too few, or the same ones."""
    torch.manual_seed(1)
    bits = draw_bits(100, 400).numpy().view(np.uint16).astype(int)

    for place in range(16):
        ones = int(((bits >> place) & 1).sum())
        assert stats.binomtest(ones, bits.size, 0.5).pvalue > 0.0005
    # Of neighbours within a word of the generator, and of one word to the next.
    for distance in (1, 2, 3, 4):
        found = stats.pearsonr(bits.flat[:-distance], bits.flat[distance:])
        assert found.pvalue > 0.0005


@PROPERTY
@given(
    windows=st.integers(1, 40),
    numbers=st.integers(1, 40),
    share=st.floats(0, 1, exclude_max=True),
    seed=st.integers(0, 2**31),
)
def test_masks_of_any_shape(windows: int, numbers: int, share: float, seed: int) -> None:
    torch.manual_seed(seed)
    bits = draw_bits(windows, numbers)
    masks = masks_of(bits, share)

    assert bits.shape == masks.shape == (windows, numbers)
    assert bool(torch.isfinite(masks).all())
    torch.manual_seed(seed)
    assert torch.equal(masks_of(draw_bits(windows, numbers), share), masks)
    # What a part of the bits gives is that part of the mask, however they are cut.
    assert torch.equal(masks_of(bits[: windows // 2], share), masks[: windows // 2])


def test_nothing_is_dropped_of_a_share_of_nothing() -> None:
    assert bool((masks_of(draw_bits(50, 50), 0.0) == 1).all())
