"""What quantize can be asked for."""

import pytest

from stocklstm.core.compression import METHODS, Compression
from stocklstm.errors import ConfigError


@pytest.mark.parametrize("method", METHODS)
def test_every_method_needs_nothing_but_its_name(method: str) -> None:
    assert Compression(method).method == method


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"method": "magic"}, "there is no method 'magic'"),
        ({"method": "static", "per_tensor": True}, "--per-tensor does not belong to method static"),
        ({"calibration_windows": 100}, "--calibration-windows does not belong to method dynamic"),
        (
            {"method": "int4", "calibration_windows": 31},
            "--calibration-windows must be at least 32, not 31",
        ),
    ],
)
def test_what_cannot_be_asked_for_is_said(asked: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Compression(**asked)
