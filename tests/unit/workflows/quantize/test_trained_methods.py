"""Smaller networks that are trained become versions of their own."""

from pathlib import Path

import pytest

from stocklstm import predict, quantize, validate
from stocklstm.core.settings.compression import METHODS, Compression
from stocklstm.errors import ConfigError, IntegrityError, RejectedDataError
from stocklstm.store.store import open_store
from stocklstm.workflows.quantize.quantize import QuantizedVersion
from tests.conftest import TICKER
from tests.support.stored_rows import execute
from tests.support.tampering import flip_bit


def quantize_one(home: Path, reference: str = TICKER, **options: object) -> QuantizedVersion:
    result = quantize([reference], Compression(**options), tolerance_pct=100, home=home)
    assert not result.failures
    return result.results[0]


CASES = [
    (
        {"method": "qat", "bits": 4, "epochs": 1},
        "qat-int4",
        ["fine-tuned only", "int4 afterwards"],
        16,
    ),
    (
        {"method": "qat", "bits": 2, "epochs": 1},
        "qat-int2",
        ["fine-tuned only", "int2 afterwards"],
        16,
    ),
    ({"method": "prune", "epochs": 1}, "pruned-int8", ["pruned at once", "pruned"], 16),
    (
        {"method": "prune", "structured": True, "epochs": 2},
        "structured",
        ["trained small"],
        8,
    ),
    ({"method": "distill", "student_hidden": 5}, "distilled", ["trained small"], 5),
    ({"method": "pipeline", "epochs": 1}, "structured-int4", ["structured"], 3),
    # So few units are slower in int8 on most machines, and then activations stay float32.
    (
        {"method": "pipeline", "budget": "latency", "sparsity": 0.75, "epochs": 1},
        "structured-static-int8 or structured-dynamic-int8",
        ["structured"],
        4,
    ),
    (
        {"method": "pipeline", "budget": "accuracy", "epochs": 1},
        "qat-int8",
        ["int8 afterwards"],
        16,
    ),
]


@pytest.mark.parametrize(("options", "method", "controls", "hidden"), CASES)
def test_it_is_a_version_that_serves_and_is_whole(
    model_home: Path, options: dict[str, object], method: str, controls: list[str], hidden: int
) -> None:
    made = quantize_one(model_home, **options)

    assert made.method in method.split(" or ")
    assert made.method in METHODS[str(options["method"])].makes
    assert [step.name for step in made.steps] == controls
    assert made.after.bytes < made.before.bytes
    with open_store(model_home) as store:
        manifest = store.registry.manifest(TICKER, 2)
    assert manifest.parent == f"{TICKER}@v1"
    assert manifest.config.hidden_size == hidden
    assert manifest.training.parameters == made.after.parameters
    assert manifest.evaluation.point.rmse == made.after.rmse
    (forecast,) = predict([TICKER], home=model_home).forecasts
    assert forecast.version == 2
    (checked,) = validate([TICKER], deep=True, leakage=True, home=model_home).results
    assert [check for check in checked.checks if check.status == "failed"] == []


def test_pruning_leaves_the_share_of_zeros_in_every_matrix(model_home: Path) -> None:
    made = quantize_one(model_home, method="prune", sparsity=0.6, epochs=1)

    # Rounding to bytes makes some more.
    assert made.after.sparsity == pytest.approx(0.6, abs=0.02)
    assert made.after.sparsity_by_matrix.keys() == {"lstm.W.0", "lstm.R.0", "head.weight"}
    for share in made.after.sparsity_by_matrix.values():
        assert share == pytest.approx(0.6, abs=0.05)
    assert made.compressed_ratio > made.size_ratio


def test_zeros_are_made_up_for(model_home: Path) -> None:
    made = quantize_one(model_home, method="prune", epochs=6)

    at_once, pruned = (step.figures for step in made.steps)
    assert at_once.sparsity == pytest.approx(pruned.sparsity, abs=1e-9)
    assert abs(pruned.crps - made.before.crps) < abs(at_once.crps - made.before.crps)


def test_what_is_smaller_but_in_float32_can_be_quantized(model_home: Path) -> None:
    small = quantize_one(model_home, method="prune", structured=True, epochs=1)

    made = quantize_one(model_home, f"{TICKER}@v{small.version}", method="static")

    assert made.parent == small.version
    assert made.method == "static-int8"
    (checked,) = validate([f"{TICKER}@v3"], deep=True, home=model_home).results
    assert checked.status == "ok"


def test_a_student_is_smaller_than_its_teacher(model_home: Path) -> None:
    compression = Compression("distill", student_hidden=16)

    (failure,) = quantize([TICKER], compression, home=model_home).failures

    assert isinstance(failure.error, ConfigError)
    assert "no smaller than its teacher of 16" in failure.error.message
    assert failure.error.hint == "--student-hidden 8"


def test_a_damaged_checkpoint_is_not_trained_on(model_home: Path) -> None:
    flip_bit(model_home / "models" / TICKER / "v1" / "model.pth", 0.5)

    (failure,) = quantize([TICKER], Compression("qat"), home=model_home).failures

    assert isinstance(failure.error, IntegrityError)
    with open_store(model_home) as store:
        assert store.registry.versions(TICKER) == [1]


def test_prices_that_were_revised_are_not_trained_on(model_home: Path) -> None:
    execute(model_home, "UPDATE prices SET close = close * 1.01 WHERE date < '2015'")

    (failure,) = quantize([TICKER], Compression("distill"), home=model_home).failures

    assert isinstance(failure.error, RejectedDataError)
    assert "revised" in failure.error.message
