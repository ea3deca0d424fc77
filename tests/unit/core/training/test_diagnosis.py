"""Curves of every shape get the name that a person would give them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.settings.config import configure
from stocklstm.core.training.diagnosis import ConstantLosses, Diagnosis, diagnose
from stocklstm.core.training.epochs import EpochRecord
from tests.support.portuguese import english_left

PRICES = ConstantLosses(0.05, 0.1, is_start=False)
RETURNS = ConstantLosses(0.2145, 0.2095, is_start=True)


def records(
    train: list[float], validation: list[float], *, start: float | None = None
) -> list[EpochRecord]:
    found = [] if start is None else [EpochRecord(0, None, start, 1e-3, 0.0, 0)]
    best = 0 if found else 1
    lowest = validation[0] if start is None else start
    for epoch, (loss, held_back) in enumerate(zip(train, validation, strict=True), start=1):
        if held_back < lowest:
            best, lowest = epoch, held_back
        found.append(EpochRecord(epoch, loss, held_back, 1e-3, 0.1, best))
    return found


def of_prices(
    train: list[float], validation: list[float], *, epochs: int | None = None, keep: str = "last"
) -> Diagnosis:
    history = records(train, validation)
    config = replace(configure("paper"), epochs=epochs or len(train))
    kept = history[-1].epoch if keep == "last" else history[-1].best_epoch
    return diagnose(history, PRICES, config, kept)


def of_returns(train: list[float], validation: list[float], epochs: int = 40) -> Diagnosis:
    history = records(train, validation, start=RETURNS.validation)
    config = replace(configure("calibrated"), epochs=epochs)
    return diagnose(history, RETURNS, config, history[-1].best_epoch)


FALLING = [0.02 / n for n in range(1, 11)]


def test_both_curves_falling_to_a_floor_are_good() -> None:
    flat = [0.01, 0.005, 0.004, 0.0035, 0.0034, 0.00339, 0.00338, 0.00339, 0.0034, 0.00338]

    found = of_prices(flat, [2 * loss for loss in flat])

    assert found == Diagnosis(
        "good",
        "validation loss was lowest at epoch 7; the last epoch, 10, was kept, 0 % above it "
        "(--restore-best true keeps the best)",
    )


def test_validation_rising_while_training_falls_is_overfitting() -> None:
    validation = [0.03, 0.02, 0.015, 0.016, 0.018, 0.02, 0.022, 0.024, 0.026, 0.028]

    last, best = (of_prices(FALLING, validation, keep=keep) for keep in ("last", "best"))

    assert last.kind == best.kind == "overfitting"
    assert "lowest at epoch 3" in last.reason
    # (0.026 - 0.015) / (0.1 - 0.015): the median of the last three, over what had been gained.
    assert "given back 13 % of what had been gained" in last.reason
    assert english_left(last.words) == []
    assert last.advice == "stop early with --patience 6 --restore-best true"
    assert "--dropout" in best.advice


def test_returns_overfit_from_the_first_step_on() -> None:
    found = of_returns(
        [0.214, 0.212, 0.209, 0.205, 0.2, 0.195, 0.19],
        [0.2097, 0.2101, 0.2107, 0.2115, 0.2125, 0.214, 0.216],
    )

    assert found.kind == "overfitting"
    assert "lowest at epoch 0" in found.reason


def test_a_noisy_validation_is_no_overfitting() -> None:
    validation = [0.03, 0.01, 0.005, 0.009, 0.004, 0.008, 0.0045, 0.009, 0.0042, 0.0075]

    assert of_prices(FALLING, validation).kind == "good"


def test_a_network_that_learns_nothing_underfits() -> None:
    found = of_prices([0.05, 0.0495, 0.0493, 0.0492, 0.0492], [0.1, 0.099, 0.099, 0.0991, 0.099])

    assert found.kind == "underfitting"
    assert "98.4 %" in found.reason
    assert "--learning-rate" in found.advice


def test_a_step_too_small_for_returns_underfits() -> None:
    assert of_returns([0.2145] * 8, [0.20949] * 8).kind == "underfitting"


def test_a_loss_that_jumps_about_is_unstable() -> None:
    train = [0.04, 0.02, 0.03, 0.01, 0.018, 0.012, 0.02, 0.011, 0.016, 0.01]

    found = of_prices(train, [2 * loss for loss in train])

    assert found.kind == "unstable"
    # 0.03, 0.018, 0.012, 0.02, 0.011 and 0.016 each lie above the lowest before by over a fiftieth
    # of what it had gained on 0.05.
    assert "6 of 10 passes" in found.reason
    assert found.advice == "try --learning-rate 0.0001"


def test_a_first_pass_that_undoes_the_start_is_unstable() -> None:
    found = of_returns([0.2692, 0.24, 0.225, 0.224], [0.2107, 0.2107, 0.2104, 0.2101])

    assert found.kind == "unstable"
    assert "26 % above where it began" in found.reason


def test_a_loss_still_on_its_way_down_is_still_improving() -> None:
    found = of_prices(FALLING, [2 * loss for loss in FALLING])

    assert found.kind == "still improving"
    # From 0.005 to 0.004, of a gain of 0.096.
    assert found.reason == (
        "validation loss was lowest at the last epoch, 10; the last 2 of 10 epochs brought 1 % of "
        "what was gained over a constant forecast"
    )
    assert found.advice == "try --epochs 20"


def test_the_last_epoch_is_not_the_end_of_a_curve_whatever_stopped_it() -> None:
    validation = [2 * loss for loss in FALLING]

    assert of_prices(FALLING, validation, epochs=11).kind == "still improving"
    assert of_prices(FALLING, [*validation[:-1], validation[-2]], epochs=11).kind == "good"


# Of returns little can be gained: here half a per cent of 0.2095. All losses of validation differ
# by less than that, and what they are worth shows only beside it.
GAINING = [0.2094, 0.2091, 0.2088, 0.2086, 0.20855, 0.2085]
LEARNING = [0.2140, 0.2132, 0.2126, 0.2121, 0.2117, 0.2114]


def test_a_small_gain_that_is_given_back_is_overfitting() -> None:
    later = [0.2086, 0.2087, 0.2088, 0.2090, 0.2092, 0.2093]

    found = of_returns([*LEARNING, *np.linspace(0.211, 0.21, 6).tolist()], [*GAINING, *later])

    # The median of the last three is 0.0007 above the best, of a gain of 0.001; the loss itself
    # rose by 0.3 %.
    assert found.kind == "overfitting"
    assert "given back 70 % of what had been gained" in found.reason


def test_a_gain_of_which_most_is_still_there_is_no_overfitting() -> None:
    later = [0.2086, 0.2087, 0.2088, 0.2089]

    found = of_returns([*LEARNING, 0.2111, 0.2108, 0.2105, 0.2102], [*GAINING, *later])

    assert found.kind == "good"


def test_a_small_gain_that_grew_to_the_end_is_still_improving() -> None:
    found = of_returns(LEARNING, GAINING, epochs=6)

    # From 0.20855 to 0.2085, of a gain of 0.001.
    assert found == Diagnosis(
        "still improving",
        "validation loss was lowest at the last epoch, 6; the last 1 of 6 epochs brought 5 % of "
        "what was gained over a constant forecast",
        "try --epochs 12",
    )


def test_a_gain_of_the_last_epochs_but_one_is_still_improving() -> None:
    validation = [*GAINING[:4], 0.2086, 0.2086, 0.2086, 0.2086, 0.2084, 0.20845]

    found = of_returns([*LEARNING, *LEARNING[-1:] * 4], validation, epochs=10)

    assert found.kind == "still improving"
    # From 0.2086 to 0.2084, of a gain of 0.0011.
    assert "lowest at epoch 9; the last 2 of 10 epochs brought 18 %" in found.reason


def test_a_price_model_that_loses_a_thousandth_of_its_gain_is_good() -> None:
    # The loss doubles, from 0.0001 to 0.0002, and both explain over 99 % of 0.1.
    validation = [0.01, 0.001, 0.0001, 0.00012, 0.00018, 0.0002, 0.0002]

    found = of_prices([0.01, 0.001, 0.0002, 0.0001, 0.00009, 0.00008, 0.00007], validation)

    assert found.kind == "good"
    assert "100 % above it" in found.reason


def test_what_min_delta_takes_for_no_improvement_is_one() -> None:
    history = [
        EpochRecord(epoch, loss, 2 * loss, 1e-3, 0.1, 1)
        for epoch, loss in enumerate(FALLING, start=1)
    ]
    config = replace(configure("paper"), min_delta=0.1)

    found = diagnose(history, PRICES, config, 10)

    assert (found.kind, found.advice) == ("still improving", "try a --min-delta below 0.1")


def test_a_model_that_is_worse_than_a_constant_gains_nothing() -> None:
    found = of_prices([0.04, 0.01, 0.005, 0.004, 0.004], [0.13, 0.12, 0.121, 0.12, 0.121])

    assert found.kind == "no gain"
    assert found.reason == "the validation loss never came down to that of a constant forecast"


def test_a_slow_fall_is_told_to_go_faster() -> None:
    found = of_prices([0.05, 0.049, 0.048], [0.1, 0.098, 0.096])

    assert (found.kind, found.advice) == (
        "still improving",
        "try a larger --learning-rate, or --epochs 6",
    )


@pytest.mark.parametrize("lost", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_unstable(lost: float) -> None:
    for train, validation in (([0.01, lost, 0.01], [0.1] * 3), ([0.01] * 3, [0.1, lost, 0.1])):
        assert of_prices(train, validation).kind == "unstable"


def test_a_constant_that_is_no_number_is_no_measure() -> None:
    unknown = ConstantLosses(float("nan"), float("nan"), is_start=False)

    found = diagnose(records([0.1] * 5, [0.2] * 5), unknown, configure("paper"), 5)

    assert found.kind == "good"


def test_a_first_step_away_from_the_start_is_no_overfitting() -> None:
    # Training gained 0.0006 on 0.2145; validation lost 0.00004 at once and no more after that.
    found = of_returns([0.214, 0.2139, 0.2139], [0.20954, 0.20954, 0.20954], epochs=60)

    assert found.kind == "no gain"


def test_returns_of_a_price_that_never_moved_gain_nothing() -> None:
    history = records([2e-4, 1e-4, 3e-4, 5e-4, 1e-4], [2e-4, 2e-4, 1e-4, 1e-4, 1e-4], start=0.0)

    still = ConstantLosses(0.0, 0.0, is_start=True)

    assert diagnose(history, still, configure("calibrated"), 0).kind == "no gain"


def test_figures_out_of_all_proportion_are_not_printed() -> None:
    found = of_prices([1e12] * 4, [1e13] * 4)

    assert found.kind == "underfitting"
    assert "came down to more than 100 times of a constant" in found.reason


def test_no_epoch_better_than_the_start_is_no_gain() -> None:
    found = of_returns([0.2139, 0.213, 0.2131, 0.213], [0.2096, 0.2096, 0.2097, 0.2096])

    assert found.kind == "no gain"
    assert "filtered historical simulation" in found.reason
    assert not found.advice


@pytest.mark.parametrize(("passes", "kind"), [(1, "still improving"), (2, "still improving")])
def test_two_passes_are_no_curve(passes: int, kind: str) -> None:
    found = of_returns([0.2144] * passes, [0.2, 0.19][:passes], epochs=passes)

    assert found.kind == kind


def test_prices_that_never_moved_are_no_division_by_zero() -> None:
    history = records([0.0] * 5, [0.0] * 5)

    still = ConstantLosses(0.0, 0.0, is_start=False)

    assert diagnose(history, still, configure("paper"), 5).kind == "good"


losses = st.floats(0.0, 1e6)


@given(
    st.lists(st.tuples(losses, losses), min_size=1, max_size=30),
    losses,
    st.booleans(),
    st.sampled_from([2.0**-20, 0.25, 1024.0]),
)
def test_the_unit_of_the_losses_does_not_matter(
    curve: list[tuple[float, float]], level: float, returns: bool, unit: float
) -> None:
    config = configure("calibrated" if returns else "paper")

    def kind(scale: float) -> str:
        train, validation = ([scale * loss for loss in part] for part in zip(*curve, strict=True))
        history = records(train, validation, start=scale * level if returns else None)
        constant = ConstantLosses(scale * level, scale * level, is_start=returns)
        return diagnose(history, constant, config, history[-1].best_epoch).kind

    # Powers of two round nothing.
    assert kind(unit) == kind(1.0)


@given(
    st.lists(st.tuples(losses, losses), min_size=1, max_size=30),
    losses,
    st.booleans(),
    st.booleans(),
)
def test_a_curve_that_was_lowest_at_its_end_is_never_good(
    curve: list[tuple[float, float]], level: float, returns: bool, stopped: bool
) -> None:
    train, validation = (list(part) for part in zip(*curve, strict=True))
    validation[-1] = 0.9 * min([*validation, level])
    history = records(train, validation, start=level if returns else None)
    if history[-1].best_epoch != history[-1].epoch:
        return  # all losses were zero
    config = configure("calibrated" if returns else "paper")
    config = replace(config, epochs=len(train) + stopped, warmup_epochs=1)

    found = diagnose(history, ConstantLosses(level, level, is_start=returns), config, len(train))

    assert found.kind in {"still improving", "unstable"}


@given(st.lists(st.tuples(losses, losses), min_size=1, max_size=30), losses, st.booleans())
def test_any_curve_gets_one_name(
    curve: list[tuple[float, float]], level: float, returns: bool
) -> None:
    train, validation = (list(part) for part in zip(*curve, strict=True))
    history = records(train, validation, start=level if returns else None)
    config = configure("calibrated" if returns else "paper")
    constant = ConstantLosses(level, level, is_start=returns)

    found = diagnose(history, constant, config, history[-1].best_epoch)

    assert found.kind in {
        "unstable",
        "overfitting",
        "underfitting",
        "still improving",
        "no gain",
        "good",
    }
    assert found.words.startswith(found.kind)
    assert english_left(found.words) == []
