"""What quantize can be asked for."""

from typing import get_args

import pytest

from stocklstm.core.settings.compression import METHODS, WEIGHTS, Compression, Method, options
from stocklstm.errors import ConfigError


@pytest.mark.parametrize("method", METHODS)
def test_every_method_needs_nothing_but_its_name(method: str) -> None:
    assert Compression(method).method == method


def test_every_kind_of_weights_comes_from_a_method() -> None:
    assert WEIGHTS.keys() == set(get_args(Method))
    assert {name for name, weights in WEIGHTS.items() if weights.float32} == {
        "float32",
        "structured",
        "distilled",
    }


def test_every_option_belongs_to_a_method_and_says_so() -> None:
    rows = {row.name: row.metadata["words"] for row in options()}

    assert rows.keys() == {name for row in METHODS.values() for name in row.options}
    for method, row in METHODS.items():
        assert all(method in rows[name] for name in row.options)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"method": "magic"}, "there is no method 'magic'"),
        ({"method": "static", "per_tensor": True}, "--per-tensor does not belong to method static"),
        ({"calibration_windows": 100}, "--calibration-windows does not belong to method dynamic"),
        ({"method": "qat", "bits": 3}, "--bits must be 8, 4 or 2, not 3"),
        ({"method": "qat", "epochs": 0}, "--epochs must be from 1 to 10,000, not 0"),
        ({"method": "prune", "sparsity": 1.0}, "--sparsity must be above 0 and below 1, not 1.0"),
        ({"method": "prune", "sparsity": float("nan")}, "--sparsity must be above 0"),
        ({"method": "distill", "student_hidden": 0}, "--student-hidden must be at least 1, not 0"),
        ({"method": "distill", "alpha": 1.5}, "--alpha must be from 0 to 1, not 1.5"),
        ({"method": "pipeline", "budget": "money"}, "--budget must be size, latency or accuracy"),
        (
            {"method": "pipeline", "budget": "accuracy", "sparsity": 0.5},
            "--sparsity does not belong to --budget accuracy",
        ),
        (
            {"method": "int4", "calibration_windows": 31},
            "--calibration-windows must be at least 32, not 31",
        ),
    ],
)
def test_what_cannot_be_asked_for_is_said(asked: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Compression(**asked)


def test_every_method_comes_with_a_note() -> None:
    assert all(Compression(method).note for method in METHODS)
    assert "zeros" in Compression("prune").note
    assert "zeros" not in Compression("prune", structured=True).note
    assert "take 4 in the file" in Compression("qat", bits=2).note
