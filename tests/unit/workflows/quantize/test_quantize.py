"""A smaller version is measured honestly and gated."""

from pathlib import Path

import pytest

import stocklstm.workflows.quantize.methods as module
from stocklstm import predict, quantize, train, validate
from stocklstm.core.settings.compression import METHODS, Compression
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.errors import ConfigError, SeriesTooShortError
from stocklstm.store.store import open_store
from stocklstm.workflows.quantize.quantize import QuantizedVersion
from stocklstm.workflows.quantize.trained_methods import TRAINED
from tests.conftest import TICKER
from tests.support.tampering import noisy_graph


def quantize_one(
    home: Path, reference: str = TICKER, tolerance_pct: float = 0.5, **options: object
) -> QuantizedVersion:
    result = quantize([reference], Compression(**options), tolerance_pct=tolerance_pct, home=home)
    assert not result.failures
    return result.results[0]


def test_it_becomes_champion_with_a_parent(model_home: Path) -> None:
    made = quantize_one(model_home)

    assert made.accepted
    assert made.promoted
    assert (made.parent, made.version, made.method) == (1, 2, "dynamic-int8")
    with open_store(model_home) as store:
        manifest = store.registry.manifest(TICKER, 2)
        assert manifest.parent == f"{TICKER}@v1"
        assert store.registry.aliases.of(TICKER) == {"champion": 2, "previous": 1}
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
    ("method", "name", "difference"),
    [
        ("dynamic", "dynamic-int8", 0.1),
        ("static", "static-int8", 0.02),
        ("fp16", "float16", 0.005),
        ("int4", "int4", 0.2),
    ],
)
def test_every_method_serves_what_its_parent_serves(
    model_home: Path, method: str, name: str, difference: float
) -> None:
    (before,) = predict([TICKER], home=model_home).forecasts

    made = quantize_one(model_home, method=method, tolerance_pct=50)

    assert made.method == name
    assert made.after.bytes < made.before.bytes
    assert made.largest_difference <= difference
    assert Path(made.plot).read_bytes().startswith(b"\x89PNG")
    (after,) = predict([TICKER], home=model_home).forecasts
    assert after.version == 2
    assert abs(after.point - before.point) <= difference
    (checked,) = validate([TICKER], deep=True, home=model_home).results
    assert [check.detail for check in checked.checks if check.status == "failed"] == []
    assert METHODS[method].makes.keys() == {name}


def test_a_larger_file_is_refused(model_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # An unused string makes the file larger and changes nothing else.
    monkeypatch.setattr(
        module, "quantize_dynamic_int8", lambda content, **_: content + b"\x32\x01x"
    )

    made = quantize_one(model_home)

    assert not made.accepted
    assert "not smaller" in made.reason


def test_a_refused_version_is_kept_but_not_champion(
    model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Noise on every weight stands for a method that does too much harm.
    monkeypatch.setattr(module, "quantize_dynamic_int8", lambda content, **_: noisy_graph(content))

    made = quantize_one(model_home, tolerance_pct=0.0)

    assert not made.accepted
    assert not made.promoted
    assert "more than the 0 % allowed" in made.reason
    with open_store(model_home) as store:
        assert store.registry.aliases.of(TICKER) == {"champion": 1}
        assert store.registry.versions(TICKER) == [1, 2]


def test_a_version_that_is_not_in_use_is_not_promoted(
    model_home: Path, tiny: TrainingConfig
) -> None:
    train([TICKER], tiny, home=model_home, promote="always")

    made = quantize_one(model_home, f"{TICKER}@v1")

    assert made.accepted
    assert not made.promoted
    with open_store(model_home) as store:
        assert store.registry.aliases.of(TICKER)["champion"] == 2


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
    with pytest.raises(ConfigError, match="--tolerance"):
        quantize([TICKER], home=model_home, tolerance_pct=-1)
    with pytest.raises(ConfigError, match="needs a ticker"):
        quantize([], home=model_home)


def test_calibration_needs_as_many_training_windows(model_home: Path) -> None:
    compression = Compression("static", calibration_windows=10_000)

    (failure,) = quantize([TICKER], compression, home=model_home).failures

    assert isinstance(failure.error, SeriesTooShortError)
    assert failure.error.needed == 10_000
    assert "fewer than the 10,000 that are to be used" in failure.error.message
    assert f"--calibration-windows {failure.error.found}" in (failure.error.hint or "")


def test_calibration_sees_nothing_after_the_training_part(model_home: Path) -> None:
    with open_store(model_home) as store:
        manifest = store.registry.manifest(TICKER, 1)
        bars = store.prices.bars(TICKER)

    origins = module.training_origins(manifest, bars)

    assert str(bars.dates[origins[0] + 1]) == manifest.splits.train_start
    assert str(bars.dates[origins[-1] + 1]) == manifest.splits.train_end
    chosen = module.calibration_origins(manifest, bars, 100)
    assert (chosen[0], chosen[-1], len(set(chosen))) == (origins[0], origins[-1], 100)


def test_every_method_is_carried_out_by_one_function() -> None:
    assert {**module.AFTER_TRAINING, **TRAINED}.keys() == METHODS.keys()
