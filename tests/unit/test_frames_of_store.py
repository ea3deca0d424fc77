"""Data frames of prices, forecasts and loss curves; the same columns as in files."""

import csv
import io
import re
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import stocklstm
from stocklstm.core.forecasts.intervals import Interval
from stocklstm.errors import ConfigError, MissingPackageError, NoPricesError, NotFoundError
from stocklstm.store.registry import Registry
from stocklstm.workflows.predict.predict import PredictResult
from tests.conftest import TICKER, Cli
from tests.support.evenings import cut_off, live_through

OTHER = "VALE3.SA"


def test_prices_are_rows_by_date(priced_home: Path) -> None:
    with stocklstm.open(priced_home) as client:
        prices = client.prices(TICKER)
        some = client.prices([TICKER], since="2024-03-01")
        bars = client.store().prices.bars(TICKER)

    assert list(prices.columns) == ["open", "high", "low", "close", "adj_close", "volume"]
    assert (prices.index.name, len(prices)) == ("date", 3514)
    assert prices.index.is_monotonic_increasing
    assert prices["close"].tolist() == bars.closes.tolist()
    assert prices.index[-1] == pd.Timestamp("2024-03-13")
    assert some.index.names == ["ticker", "date"]
    assert some.loc[TICKER].equals(prices.loc["2024-03-01":])
    assert stocklstm.prices(home=priced_home, since="2024-03-01").equals(some)


def test_what_cannot_be_a_frame_is_an_error(priced_home: Path) -> None:
    with stocklstm.open(priced_home) as client:
        with pytest.raises(NoPricesError, match=OTHER):
            client.prices([TICKER, OTHER])
        with pytest.raises(ConfigError, match="--since is a day"):
            client.prices(TICKER, since="yesterday")
        with pytest.raises(NotFoundError, match="no forecast"):
            client.forecasts()
        with pytest.raises(NotFoundError, match=TICKER):
            client.history(TICKER)


def test_without_pandas_there_is_no_frame(
    priced_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stocklstm.core.packages.find_spec", lambda _: None)

    with pytest.raises(MissingPackageError, match="a data frame needs pandas"):
        stocklstm.prices(TICKER, home=priced_home)


def test_frames_of_forecasts_have_the_columns_of_their_files(cli: Cli, model_home: Path) -> None:
    bars = cut_off(model_home, 3)
    live_through(model_home, bars, range(len(bars) - 3, len(bars)))

    with stocklstm.open(model_home) as client:
        made = client.predict(TICKER, horizon=[1, 2], levels=[0.5, 0.975]).to_frame()
        record = client.forecasts(TICKER)
        empty = client.predict([OTHER]).to_frame()
        with pytest.raises(NotFoundError, match=OTHER):
            client.forecasts([TICKER, OTHER])
    predicted = cli("predict", "--horizon", "1,2", "--levels", "0.5,0.975", "--csv", "-").out
    recorded = list(csv.DictReader(io.StringIO(cli("forecasts", "--csv", "-").out)))

    (far,) = stocklstm.predict(TICKER, horizon=2, levels=[0.5], home=model_home).forecasts
    assert "ahead" in repr(PredictResult((far,))).splitlines()[0].split()
    assert re.fullmatch(r"\(Interval\(50 %: [\d.]+ to [\d.]+\),\)", repr(far.intervals))
    assert predicted.splitlines()[0].split(",") == list(made.columns)[:-2]
    assert list(made.columns)[-2:] == ["outcome", "warnings"]
    assert list(recorded[0]) == list(record.columns)
    assert len(made) == 2
    assert empty.empty
    assert "lower_80" in empty.columns
    # What has not come yet is missing, and what came has its type.
    assert record.outcome.notna().sum() == 2
    assert record.outcome.dtype == float
    assert record.held_80.dtype == "boolean"
    assert record.made_at.dt.tz is not None
    assert [f"{day.date()}" for day in record.target_session] == [
        row["target_session"] for row in recorded[: len(record)]
    ]


def test_all_prices_of_a_forecast_have_as_many_decimals(model_home: Path) -> None:
    (made,) = stocklstm.predict(TICKER, home=model_home).forecasts
    held = (Interval(0.8, 0.97, 1.05),)
    cheap = replace(made, last_close=1.01, point=1.01, intervals=held, outcome=0.99)

    assert repr(cheap).endswith("R$ 1.01, 80 %: 0.97 to 1.05, came: 0.99)")
    row = repr(PredictResult((cheap,))).splitlines()[1]
    assert " ".join(row.split()).endswith("0.97 to 1.05 0.99")


def test_loss_curves_are_rows_by_epoch(model_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = stocklstm.history(f"{TICKER}@v1", home=model_home)

    assert losses.index.tolist() == [0, 1, 2]
    assert pd.isna(losses.train_loss[0])
    assert losses.best_epoch.iloc[-1] == losses.val_loss.idxmin()
    # As of a version that was imported, or made of another one.
    monkeypatch.setattr(Registry, "history", lambda *_: ())
    with pytest.raises(NotFoundError, match="has no history of a training"):
        stocklstm.history(TICKER, home=model_home)


def test_every_result_is_short_in_a_prompt_and_can_be_a_frame(model_home: Path) -> None:
    with stocklstm.open(model_home) as client:
        results = [
            *(client.predict(TICKER), client.list_forecasts(TICKER), client.list_models()),
            *(client.show_prices(), client.validate(), client.verify_prices(), client.find_due()),
            *(client.evaluate(TICKER, plot=False), client.score_league(), client.evaluate_live()),
            *(client.evaluate_horizons(TICKER, [1, 2]), client.collect_garbage(dry_run=True)),
            *(client.show_model(TICKER), client.diff_models(f"{TICKER}@v1", f"{TICKER}@v1")),
        ]
        others = [client.load(TICKER), client.effective_settings({}), client.plan_evenings()]

    for result in results:
        assert len(repr(result)) < 2500, type(result)
        frame = result.to_frame()
        inner = getattr(result, "results", ())
        assert len(frame) or not inner or not getattr(inner[0], inner[0].ROWS or "")
        for each in inner:
            line = repr(each)
            assert len(line) < 400, line
            assert "\n" not in line
            assert "Evaluation" not in line.partition("(")[2]
    assert all(len(repr(each)) < 1500 for each in others)
    assert "pandas" in sys.modules
