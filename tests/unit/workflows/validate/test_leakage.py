"""The audit passes what is honest, catches what is not, and knows what it cannot tell."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm import load, quantize, train, validate
from stocklstm.core.checks import Check
from stocklstm.core.inputs import features, scaling
from stocklstm.core.inputs.scaling import AnchorScaling, fit_scaling, warm_up_rows
from stocklstm.core.inputs.volatility import VolatilityAnchor
from stocklstm.core.prices.series import Bars, Floats
from stocklstm.core.prices.splits import split_origins
from stocklstm.core.settings.config import FEATURES, configure
from stocklstm.store.store import open_store
from stocklstm.workflows.validate import leakage
from tests.conftest import TICKER, TINY, Cli
from tests.support.made_prices import made_bars
from tests.support.property_tests import PROPERTY
from tests.support.stored_rows import execute
from tests.support.tampering import replace_manifest

NAMES = ["prices", "parts", "scaling", "inputs", "forecasts"]


@pytest.fixture(scope="session")
def unwritten_home(request: pytest.FixtureRequest) -> Path:
    """Give a store that many examples may read."""
    home: Path = request.getfixturevalue("_modelled")
    return home


def audit(home: Path, reference: str = TICKER) -> dict[str, Check]:
    (result,) = validate([reference], leakage=True, home=home).results
    return {
        check.name.removeprefix("leakage: "): check
        for check in result.checks
        if check.name.startswith("leakage")
    }


def statuses(found: dict[str, Check]) -> dict[str, str]:
    return {name: check.status for name, check in found.items()}


def stored(home: Path) -> Bars:
    with open_store(home) as store:
        return store.prices.bars(TICKER)


def change_manifest(home: Path, change: Callable[[dict[str, Any]], None]) -> None:
    version = home / "models" / TICKER / "v1"
    document = json.loads((version / "manifest.json").read_text())
    change(document)
    replace_manifest(version, json.dumps(document))


def change_prices(home: Path, statement: str) -> None:
    execute(home, statement)


# What is honest


def test_an_honest_model_passes(model_home: Path) -> None:
    found = audit(model_home)

    assert list(found) == NAMES
    assert set(statuses(found).values()) == {"ok"}
    assert "bit for bit" in found["inputs"].detail
    assert "200 of" in found["forecasts"].detail


@pytest.mark.parametrize(
    "settings",
    [
        {"preset": "paper-short"},
        {"preset": "calibrated", "horizon": 5, "features": FEATURES},
        {"preset": "paper", "features": ("volatility", "close", "gap")},
    ],
    ids=["price", "every feature, five sessions", "price and others"],
)
def test_other_models_pass_too(model_home: Path, settings: dict[str, Any]) -> None:
    config = configure(**{**TINY, "epochs": 1, **settings})
    assert not train([TICKER], config, promote="always", home=model_home).failures

    assert statuses(audit(model_home)) == dict.fromkeys(NAMES, "ok")


def test_a_quantized_model_passes_too(model_home: Path) -> None:
    quantize([TICKER], home=model_home)

    assert statuses(audit(model_home, f"{TICKER}@v2")) == dict.fromkeys(NAMES, "ok")


def test_prices_that_came_later_are_no_matter(model_home: Path) -> None:
    change_prices(
        model_home,
        "INSERT INTO prices SELECT ticker, '2024-03-14', open, high, low, close, adj_close, volume,"
        " source, fetched_at FROM prices WHERE date = '2024-03-13'",
    )

    assert statuses(audit(model_home)) == dict.fromkeys(NAMES, "ok")


@pytest.mark.usefixtures("model_home")
def test_it_is_made_only_if_asked_for(cli: Cli) -> None:
    assert "leakage" not in cli("validate").out
    outcome = cli("validate", "--leakage")
    assert outcome.code == 0
    assert "leakage: forecasts" in outcome.out


# What is not


def test_a_scaler_fitted_on_all_rows_is_caught(model_home: Path, cli: Cli) -> None:
    bars, config = stored(model_home), configure("calibrated", **TINY)
    leaking = AnchorScaling.fit(bars, len(bars), config)
    change_manifest(model_home, lambda manifest: manifest.update(anchor=asdict(leaking)))

    found = audit(model_home)

    assert found["scaling"].status == "failed"
    assert found["scaling"].detail.endswith("not those of the training part, but of all rows")
    assert [name for name, status in statuses(found).items() if status != "ok"] == ["scaling"]
    assert cli("validate", "--leakage").code == 3


def test_a_scaler_that_is_off_by_a_session_is_caught(model_home: Path) -> None:
    bars, config = stored(model_home), configure("calibrated", **TINY)
    split = split_origins(len(bars), warm_up_rows(config), config)
    leaking = AnchorScaling.fit(bars, split.train_rows + 1, config)
    change_manifest(model_home, lambda manifest: manifest.update(anchor=asdict(leaking)))

    found = audit(model_home)["scaling"]

    assert (found.status, found.detail.endswith("of the training part")) == ("failed", True)


def test_a_volatility_that_stood_elsewhere_is_caught(model_home: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["anchor"]["anchor"]["resume"]["average"] *= 2

    change_manifest(model_home, change)
    failed = audit(model_home)["scaling"]
    assert failed.status == "failed"
    assert "volatility is recorded to have stood" in failed.detail


def test_rounding_on_another_machine_is_no_leak(model_home: Path) -> None:
    def nudge(manifest: dict[str, Any]) -> None:
        manifest["anchor"]["features"][1]["center"] *= 1 + 1e-14

    change_manifest(model_home, nudge)

    assert audit(model_home)["scaling"].status == "ok"


def test_residuals_of_other_days_are_caught(model_home: Path) -> None:
    train([TICKER], configure("paper-short", **TINY), promote="always", home=model_home)
    model, bars = load(TICKER, home=model_home), stored(model_home)
    split = split_origins(len(bars), warm_up_rows(model.manifest.config), model.manifest.config)
    outputs = model.forecaster.outputs(bars, split.test)
    leaking = model.manifest.prices.calibrate(outputs, bars, split.test)
    version = model_home / "models" / TICKER / "v2"
    document = json.loads((version / "manifest.json").read_text())
    document["prices"] = asdict(leaking)
    replace_manifest(version, json.dumps(document))

    found = audit(model_home)["scaling"]

    assert found.status == "failed"
    assert "residuals are not those of the calibration part" in found.detail


def looking_ahead(values: Callable[..., Floats]) -> Callable[..., Floats]:
    """Give each row what is known only a session later."""

    def leaking(bars: Bars, sigmas: Floats | None) -> Floats:
        honest = values(bars, sigmas)
        return np.append(honest[1:], honest[-1])

    return leaking


def test_a_feature_that_looks_one_day_ahead_is_caught(
    model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = features.ROWS["return"]
    leaking = honest._replace(values=looking_ahead(honest.values), warm_up=honest.warm_up)
    monkeypatch.setitem(features.ROWS, "return", leaking)

    found = audit(model_home)

    # The one row whose next session lies beyond the cut.
    assert found["inputs"].status == "failed"
    assert "the inputs of 1 earlier sessions change" in found["inputs"].detail
    assert found["forecasts"].status == "failed"
    assert "forecasts change" in found["forecasts"].detail


def test_a_feature_centred_on_the_whole_history_is_caught(
    model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = features.ROWS["return"]

    def centred(bars: Bars, sigmas: Floats | None) -> Floats:
        values = honest.values(bars, sigmas)
        return values - np.nanmean(values)

    monkeypatch.setitem(features.ROWS, "return", honest._replace(values=centred))

    found = audit(model_home)

    assert "with nothing after" in found["inputs"].detail
    assert statuses(found) | {"inputs": "failed", "forecasts": "failed"} == statuses(found)


def test_a_volatility_that_knows_the_future_is_caught(
    model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = VolatilityAnchor.sigmas

    def leaking(self: VolatilityAnchor, bars: Bars) -> Floats:
        return honest(self, bars) * float(np.std(bars.log_returns[1:]))

    monkeypatch.setattr(VolatilityAnchor, "sigmas", leaking)

    found = audit(model_home)

    assert {found[name].status for name in ("scaling", "inputs", "forecasts")} == {"failed"}


def test_a_scaler_that_is_fitted_on_what_it_is_given_is_caught(
    model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leaking(bars: Bars, _rows: int, *others: Any) -> Any:
        return features.fit_features(bars, len(bars), *others)

    monkeypatch.setattr(scaling, "fit_features", leaking)

    found = audit(model_home)

    assert "it changes with nothing after that" in found["scaling"].detail


def test_targets_of_a_later_day_are_caught(
    model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = AnchorScaling.targets

    def leaking(self: AnchorScaling, bars: Bars) -> Any:
        return np.append(honest(self, bars)[1:], np.float32(np.nan))

    monkeypatch.setattr(AnchorScaling, "targets", leaking)

    assert "the targets of 1 earlier sessions" in audit(model_home)["inputs"].detail


def test_a_test_part_that_begins_too_early_is_caught(model_home: Path) -> None:
    change_manifest(model_home, lambda manifest: manifest["splits"].update(test_start="2015-06-01"))

    found = audit(model_home)["parts"]

    assert (found.status, "test_start is recorded as 2015-06-01" in found.detail) == (
        "failed",
        True,
    )


# What it cannot tell


def test_revised_prices_are_said_and_are_no_leak(model_home: Path, cli: Cli) -> None:
    change_prices(
        model_home, "UPDATE prices SET adj_close = adj_close * 0.99 WHERE date < '2015-06-01'"
    )

    found = audit(model_home)

    assert statuses(found) == {**dict.fromkeys(NAMES, "ok"), "prices": "warning"}
    assert found["prices"].detail.startswith("revised since training")
    assert "not compared with the record" in found["scaling"].detail
    assert cli("validate", "--leakage").code == 0


def test_a_leak_shows_with_revised_prices_too(
    model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_prices(
        model_home, "UPDATE prices SET adj_close = adj_close * 0.99 WHERE date < '2015-06-01'"
    )
    honest = features.ROWS["return"]
    leaking = honest._replace(values=looking_ahead(honest.values))
    monkeypatch.setitem(features.ROWS, "return", leaking)

    assert audit(model_home)["forecasts"].status == "failed"


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM prices", "DELETE FROM prices WHERE date < '2024-02-01'"],
    ids=["none", "too few"],
)
def test_without_prices_there_is_nothing_to_audit(model_home: Path, statement: str) -> None:
    change_prices(model_home, statement)

    found = audit(model_home)

    assert statuses(found) == {"prices": "warning"}
    assert found["prices"].detail.startswith("not audited")


# The property behind it


@PROPERTY
@given(data=st.data())
def test_permuting_the_future_never_changes_a_past_forecast(
    unwritten_home: Path, data: st.DataObject
) -> None:
    model, bars = load(TICKER, home=unwritten_home), stored(unwritten_home)
    first = model.forecaster.first_origin()
    cut = data.draw(st.integers(first, len(bars) - 2), label="cut")
    earlier = data.draw(st.integers(first, cut), label="earlier origin")
    seed = data.draw(st.integers(0, 2**32), label="seed of the permutation")
    later = cut + 1 + np.random.default_rng(seed).permutation(len(bars) - cut - 1)
    order = np.append(np.arange(cut + 1), later)
    permuted = replace(bars.select(order), dates=bars.dates)
    origins = np.array([earlier, cut])

    before, after = (model.forecaster.forecast(each, origins) for each in (bars, permuted))

    assert before.quantiles.tobytes() == after.quantiles.tobytes()
    assert before.points.tobytes() == after.points.tobytes()


@PROPERTY
@given(seed=st.integers(0, 2**32), row=st.integers(0, 499), rows=st.integers(30, 500))
def test_other_futures_leave_the_past_alone_and_are_prices(seed: int, row: int, rows: int) -> None:
    bars = made_bars(rows, seed)
    row = min(row, rows - 1)

    for _, other in leakage._futures(bars, row):
        for name in ("opens", "highs", "lows", "closes", "adj_closes", "volumes"):
            values = getattr(other, name)
            assert values[: row + 1].tobytes() == getattr(bars, name)[: row + 1].tobytes()
            assert np.isfinite(values).all()
            assert (values[row + 1 :] > 0).all()
        assert (other.lows[row + 1 :] <= other.closes[row + 1 :]).all()


def test_the_scaling_is_fitted_as_training_fits_it(model_home: Path) -> None:
    model, bars = load(TICKER, home=model_home), stored(model_home)
    config = model.manifest.config

    split = split_origins(len(bars), warm_up_rows(config), config)

    # But for where the volatility stood, which no training sees.
    recorded = model.manifest.scaling
    recorded = replace(recorded, anchor=replace(recorded.anchor, resume=None))
    assert fit_scaling(bars, split, config) == recorded
