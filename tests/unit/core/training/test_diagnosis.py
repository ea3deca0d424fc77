"""Curves of every shape get the name that a person would give them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.settings.config import configure
from stocklstm.core.training.diagnosis import ConstantLosses, Diagnosis, diagnose
from stocklstm.core.training.epochs import EpochRecord

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
    assert "validation has risen 73 %" in last.reason
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
    assert "5 of 10 passes" in found.reason
    assert found.advice == "try --learning-rate 0.0001"


def test_a_first_pass_that_undoes_the_start_is_unstable() -> None:
    found = of_returns([0.2692, 0.24, 0.225, 0.224], [0.2107, 0.2107, 0.2104, 0.2101])

    assert found.kind == "unstable"
    assert "26 % above where it began" in found.reason


def test_a_loss_still_on_its_way_down_is_still_improving() -> None:
    found = of_prices(FALLING, [2 * loss for loss in FALLING])

    assert found.kind == "still improving"
    assert "the last 2 of 10 epochs" in found.reason
    assert found.advice == "try --epochs 20"


def test_a_run_that_stopped_early_is_not_still_improving() -> None:
    assert of_prices(FALLING, [2 * loss for loss in FALLING], epochs=11).kind == "good"


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
