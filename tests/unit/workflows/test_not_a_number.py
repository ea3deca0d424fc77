"""No check is passed by what is not a number: each is given NaN and infinity in turn."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stocklstm.core.inputs.features import InputRange, beyond_training
from stocklstm.core.prices.soundness import check_bars
from stocklstm.core.reference import ModelReference
from stocklstm.core.scores.acceptance import judge_smaller
from stocklstm.core.scores.comparison import NO_DIFFERENCE, _judged, compare_all
from stocklstm.core.scores.drift import skill_reference
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.core.scores.significance import PairedTest
from stocklstm.errors import ArtifactCorruptError, RejectedDataError
from stocklstm.learn.checkpoints import load_tensors
from stocklstm.store.store import open_store
from stocklstm.workflows.loading.model import load_model, require_training_scale
from stocklstm.workflows.publishing import _worse
from stocklstm.workflows.scoring import score_model
from stocklstm.workflows.scoring import test_origins as origins_of
from stocklstm.workflows.validate.validate import validate
from tests.conftest import TICKER
from tests.support.made_prices import made_bars
from tests.support.tampering import replace_file

WILD = [np.nan, np.inf, -np.inf]


@pytest.fixture(scope="module")
def days(_modelled: Path) -> ScoredDays:
    with open_store(_modelled) as store:
        model = load_model(store, ModelReference(TICKER))
        bars = store.prices.bars(TICKER)
        return score_model(model, bars, origins_of(model.manifest, bars))


def spoiled(days: ScoredDays, value: float) -> ScoredDays:
    quantiles, points = days.forecasts.quantiles.copy(), days.forecasts.points.copy()
    quantiles[-1], points[-1] = value, value
    return replace(days, forecasts=type(days.forecasts)(points, quantiles))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("value", WILD)
def test_scores(days: ScoredDays, value: float) -> None:
    wild = spoiled(days, value)

    assert not judge_smaller(wild, days, 0.5).accepted
    assert not judge_smaller(days, wild, 0.5).accepted
    assert skill_reference(wild) is None
    assert compare_all([days, wild])[1].crps is None or _judged(value, np.nan) == NO_DIFFERENCE
    assert _worse(PairedTest(np.nan, np.nan, 9))
    assert _worse(PairedTest(np.nan, 0.01, 9))
    assert not _worse(PairedTest(-3.0, 0.01, 9))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("value", [*WILD, 0.0])
def test_prices(model_home: Path, value: float) -> None:
    bars = made_bars(100, 1)
    closes = bars.closes.copy()
    closes[-1] = value
    wild = replace(bars, closes=closes)
    with open_store(model_home) as store:
        manifest = store.registry.manifest(TICKER, 1)
    learned = replace(
        manifest,
        config=replace(manifest.config, features=("close",)),
        data=replace(manifest.data, last=str(bars.dates[-1])),
    )

    assert check_bars(wild).status == "failed"
    with pytest.raises(RejectedDataError):
        require_training_scale(learned, wild)
    with pytest.raises(RejectedDataError):
        require_training_scale(replace(learned, data=replace(learned.data, last_close=value)), bars)
    if value:
        (words,) = beyond_training([InputRange("close", 1.0, 100.0)], wild, None)
        assert words


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("value", WILD)
def test_weights(kind: torch.dtype, value: float) -> None:
    def file(weight: float) -> bytes:
        buffer = io.BytesIO()
        torch.save({"weights": torch.tensor([1.0, -2.0, weight], dtype=kind)}, buffer)
        return buffer.getvalue()

    assert load_tensors(file(65504.0), "x.pth")["weights"].dtype == kind
    with pytest.raises(ArtifactCorruptError, match="not finite"):
        load_tensors(file(value), "x.pth")


@pytest.mark.parametrize("value", WILD)
def test_a_checkpoint_that_validate_looks_at(model_home: Path, value: float) -> None:
    version = model_home / "models" / TICKER / "v1"
    state: dict[str, Any] = torch.load(version / "model.pth")
    state["weights"]["head.bias"][:] = value
    buffer = io.BytesIO()
    torch.save(state, buffer)
    replace_file(version, "model.pth", buffer.getvalue())

    with open_store(model_home) as store:
        found = validate(
            store, [TICKER], every_version=False, deep=True, leakage=False, prices=False
        )

    (check,) = [each for each in found.results[0].checks if each.status == "failed"]
    assert (check.name, "not finite" in check.detail) == ("checkpoint", True)
