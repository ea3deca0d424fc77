"""The ONNX export is enough to forecast with numpy and onnxruntime alone."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from stocklstm import export_model, predict, train
from stocklstm.core.prices.series import Bars
from stocklstm.core.settings.config import configure
from stocklstm.store.store import open_store
from tests.conftest import TICKER


def volatilities(bars: Bars, how: dict) -> np.ndarray:
    """Follow docs/how-to/bundles.md, and nothing else."""
    returns = np.append(np.nan, np.diff(np.log(bars.adj_closes)))
    variances = returns**2
    if how["estimator"] == "range":
        o, h, l, c = bars.opens, bars.highs, bars.lows, bars.closes  # noqa: E741
        # The night's return with dividends added back: the whole one less that of the day.
        night = returns - np.log(c / o)
        day = np.log(h / o) * np.log(h / c) + np.log(l / o) * np.log(l / c)
        valid = (l > 0) & (l <= np.minimum(o, c)) & (h >= np.maximum(o, c)) & (h > l)
        variances = np.where(valid, night**2 + day, variances)
    average = variances[1:21].mean()
    result = np.full(len(returns), np.nan)
    result[20] = average
    for row in range(21, len(returns)):
        average = how["decay"] * average + (1 - how["decay"]) * variances[row]
        result[row] = average
    roots, levels = np.sqrt(result), np.ones(len(returns))
    if how["level_decay"] is not None:
        for row in range(21, len(returns)):
            move = min(abs(returns[row]) / roots[row - 1], 5) / np.sqrt(2 / np.pi)
            levels[row] = how["level_decay"] * levels[row - 1] + (1 - how["level_decay"]) * move
    return np.maximum(roots * levels, how["floor"])


def forecast(directory: Path, bars: Bars) -> np.ndarray:
    """Give the quantiles of the next close."""
    side = json.loads((directory / "model.json").read_text())
    session = onnxruntime.InferenceSession(str(directory / "model.onnx"))
    last = bars.closes[-1]
    sigmas = None if side["volatility"] is None else volatilities(bars, side["volatility"])
    values = {"close": bars.closes}
    if sigmas is not None:
        returns = np.append(np.nan, np.diff(np.log(bars.adj_closes)))
        values["return"] = returns / np.append(np.nan, sigmas[:-1])
        values["volatility"] = np.log(sigmas)
    columns = [
        f["offset"] + (values[f["name"]] - f["center"]) / f["spread"]
        for f in side["input"]["features"]
    ]
    length = side["input"]["shape"][1]
    window = np.column_stack(columns)[-length:].astype(np.float32)[None]
    (outputs,) = session.run(None, {side["input"]["name"]: window})
    if side["target"] == "return":
        scale = sigmas[-1] * np.sqrt(side["horizon"])
        return last * np.exp(np.sort(outputs[0].astype(np.float64)) * scale)
    price = side["price"]
    spread = (price["data_max"] - price["data_min"]) / (price["high"] - price["low"])
    close = price["data_min"] + (float(outputs[0, 0]) - price["low"]) * spread
    return close * np.exp(price["residuals"])


@pytest.mark.parametrize("preset", ["calibrated", "paper-short"])
def test_two_files_reproduce_the_forecast(preset: str, model_home: Path, tmp_path: Path) -> None:
    if preset != "calibrated":
        config = configure(preset, epochs=2, hidden_size=8)
        train([TICKER], config, home=model_home, promote="always")
    export_model(TICKER, tmp_path / "onnx", file_format="onnx", home=model_home)
    with open_store(model_home) as store:
        bars = store.prices.bars(TICKER)

    (expected,) = predict([TICKER], home=model_home).forecasts

    assert forecast(tmp_path / "onnx", bars) == pytest.approx(
        list(expected.quantiles.values()), rel=1e-6
    )
    assert sorted(p.name for p in (tmp_path / "onnx").iterdir()) == ["model.json", "model.onnx"]
