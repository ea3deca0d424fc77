"""A smaller version is measured honestly and gated."""

from pathlib import Path

import pytest

import stocklstm.workflows.quantize as module
from stocklstm.core.config import TrainingConfig, configure
from stocklstm.errors import ConfigError
from stocklstm.store.store import open_store
from stocklstm.workflows.predict import predict
from stocklstm.workflows.quantize import QuantizedVersion, VersionFigures, _judge, quantize
from stocklstm.workflows.train import train
from tests.conftest import TICKER
from tests.tampering import noisy_graph


def quantize_one(home: Path, reference: str = TICKER, **options: float) -> QuantizedVersion:
    result = quantize([reference], home=home, **options)
    assert not result.failures
    return result.results[0]


def figures(rmse: float, crps: float, size: int = 99) -> VersionFigures:
    return VersionFigures(size, 1.0, rmse, crps, 10, 0.0)


def test_it_becomes_champion_with_a_parent(model_home: Path) -> None:
    made = quantize_one(model_home)

    assert made.accepted
    assert made.promoted
    assert (made.parent, made.version, made.method) == (1, 2, "dynamic-int8")
    with open_store(model_home) as store:
        manifest = store.registry.manifest(TICKER, 2)
        assert manifest.parent == f"{TICKER}@v1"
        assert store.registry.aliases(TICKER) == {"champion": 2, "previous": 1}
        assert made.after.bytes == manifest.files["model.onnx"].size
        assert made.before.bytes == store.registry.manifest(TICKER, 1).files["model.onnx"].size


def test_its_figures_are_those_of_the_published_graph(model_home: Path) -> None:
    made = quantize_one(model_home)

    with open_store(model_home) as store:
        scores = store.registry.manifest(TICKER, 2).evaluation
    assert (made.after.rmse, made.after.crps) == (scores.point.rmse, scores.distribution.crps)
    assert made.rmse_change_pct == pytest.approx(100 * (made.after.rmse / made.before.rmse - 1))


def test_it_forecasts_nearly_the_same(model_home: Path) -> None:
    (before,) = predict([TICKER], home=model_home).forecasts
    quantize_one(model_home)
    (after,) = predict([TICKER], home=model_home).forecasts

    assert after.version == 2
    assert after.point != before.point
    assert after.point == pytest.approx(before.point, rel=1e-3)


@pytest.mark.parametrize(
    ("after", "accepted"),
    [
        (figures(1.0, 1.0), True),
        (figures(1.0049, 1.0049), True),
        (figures(1.0051, 1.0), False),
        (figures(1.0, 1.0051), False),
        (figures(0.9, 0.9), True),
        (figures(0.9, 0.9, size=100), False),
    ],
)
def test_the_gate_is_half_a_per_cent_of_both_errors(after: VersionFigures, accepted: bool) -> None:
    assert _judge(figures(1.0, 1.0, size=100), after, 0.5).accepted is accepted


def test_a_refused_version_is_kept_but_not_champion(
    model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Noise on every weight stands for a method that does too much harm.
    monkeypatch.setattr(module, "quantize_dynamic_int8", noisy_graph)

    made = quantize_one(model_home, tolerance_pct=0.0)

    assert not made.accepted
    assert not made.promoted
    assert "more than the 0 % allowed" in made.reason
    with open_store(model_home) as store:
        assert store.registry.aliases(TICKER) == {"champion": 1}
        assert store.registry.versions(TICKER) == [1, 2]


def test_a_version_that_is_not_in_use_is_not_promoted(
    model_home: Path, tiny: TrainingConfig
) -> None:
    train([TICKER], tiny, home=model_home, promote="always")

    made = quantize_one(model_home, f"{TICKER}@v1")

    assert made.accepted
    assert not made.promoted
    with open_store(model_home) as store:
        assert store.registry.aliases(TICKER)["champion"] == 2


def test_a_price_model_can_be_quantized(priced_home: Path) -> None:
    config = configure("paper-short", epochs=3, hidden_size=8)
    train([TICKER], config, home=priced_home)

    made = quantize_one(priced_home)

    assert made.rmse_change_pct == pytest.approx(0, abs=5)


def test_what_cannot_be_done_is_said(model_home: Path) -> None:
    quantize_one(model_home)

    (failure,) = quantize([TICKER], home=model_home).failures
    assert isinstance(failure.error, ConfigError)
    assert "is dynamic-int8 already" in failure.error.message
    with pytest.raises(ConfigError, match="no method"):
        quantize([TICKER], home=model_home, method="magic")
    with pytest.raises(ConfigError, match="--tolerance"):
        quantize([TICKER], home=model_home, tolerance_pct=-1)
    with pytest.raises(ConfigError, match="needs a ticker"):
        quantize([], home=model_home)
