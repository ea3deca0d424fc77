"""Pictures of scores and forecasts: where they go, what they hold, and what they never cost."""

import json
import math
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stocklstm import draw_forecasts, evaluate, predict, train
from stocklstm.core.settings.config import LEVELS, configure
from stocklstm.store.store import open_store
from stocklstm.workflows.pictures import _fan, _fan_words
from stocklstm.workflows.predict.predict import Forecast, Wanted
from tests.conftest import TICKER, TINY, TINY_OPTIONS, Cli

pytestmark = pytest.mark.usefixtures("painted")

PNG = b"\x89PNG\r\n\x1a\n"


def forecast(home: Path, at: str | None = None, horizon: int | None = None) -> Forecast:
    result = predict([TICKER], Wanted(at, horizon), home=home)
    assert not result.failures
    return result.forecasts[0]


def test_the_pictures_of_scores_lie_in_the_reports(model_home: Path) -> None:
    (result,) = evaluate([TICKER], home=model_home).results

    assert [Path(path).name for path in result.plots] == [
        "predictions_vs_actual.png",
        "errors_over_time.png",
        "calibration.png",
        "training_history.png",
    ]
    assert result.plot == result.plots[0]
    for path in map(Path, result.plots):
        assert path.parent == model_home / "reports" / TICKER / "v1"
        assert path.read_bytes().startswith(PNG)


def test_a_picture_in_the_way_of_the_second_costs_neither_scores_nor_the_first(
    model_home: Path,
) -> None:
    (model_home / "reports" / TICKER / "v1" / "errors_over_time.png").mkdir(parents=True)

    (result,) = evaluate([TICKER], home=model_home).results

    assert result.plots == (result.plot,)
    assert "no further picture was drawn: cannot write the picture" in result.warnings[0]
    assert result.evaluation.n > 0


def test_what_a_training_did_not_draw_is_drawn_later_and_the_same(
    cli: Cli, priced_home: Path
) -> None:
    folder = priced_home / "reports" / TICKER / "v1"
    said = cli("train", "-v", TICKER, *TINY_OPTIONS)
    drawn = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert drawn.keys() == {"training_history.png", "predictions_vs_actual.png"}
    assert f"{TICKER}@v1: seconds of imports " in said.err
    assert ", pictures " in said.err
    shutil.rmtree(folder)

    scored = json.loads(cli("evaluate", "--json").out)["results"][0]

    assert len(scored["plots"]) == 4
    assert scored["warnings"] == []
    assert {name: (folder / name).read_bytes() for name in drawn} == drawn


def test_a_forecast_is_drawn_only_if_asked(cli: Cli, model_home: Path) -> None:
    plain = json.loads(cli("predict", "--json").out)["forecasts"][0]
    assert plain["plot"] is None
    assert not (model_home / "reports").exists()

    outcome = cli("predict", "--plot", "--json")

    drawn = json.loads(outcome.out)["forecasts"][0]
    assert outcome.code == 0
    assert drawn["plot"] == str(model_home / "reports" / TICKER / "v1" / "forecast.png")
    assert Path(drawn["plot"]).read_bytes().startswith(PNG)
    assert drawn["quantiles"] == plain["quantiles"]


def test_the_picture_is_named_below_its_forecast(cli: Cli, model_home: Path) -> None:
    outcome = cli("predict", "-t", TICKER, "--plot")

    path = model_home / "reports" / TICKER / "v1" / "forecast.png"
    assert f"Picture: {path}\n" in outcome.out
    # --quiet stays the bare number.
    assert cli("predict", "-t", TICKER, "--plot", "--quiet").out.count("\n") == 1


def test_a_file_takes_the_picture_of_one_model(
    cli: Cli, model_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    outcome = cli("predict", "--plot-file", "new/fan.PNG", "--json")

    assert json.loads(outcome.out)["forecasts"][0]["plot"] == str(tmp_path / "new" / "fan.PNG")
    assert (tmp_path / "new" / "fan.PNG").read_bytes().startswith(PNG)
    assert not (model_home / "reports").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-t", TICKER, "-t", "VALE3.SA", "--plot-file", "x.png"), "pictures of 2 models"),
        (("--plot-file", "x.pdf"), "the picture is a PNG"),
        (("--plot-file", "folder.png"), "is not the name of one"),
        (("--plot-file", "home/models/PETR4.SA/v1/training_history.png"), "belongs to the store"),
    ],
    ids=["several", "other-format", "folder", "of-the-store"],
)
def test_a_file_that_cannot_take_the_picture_is_refused_before_the_forecast(
    cli: Cli,
    model_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()

    outcome = cli("predict", *arguments)

    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.out == ""
    with open_store(model_home) as store:
        assert not store.ledger.entries(TICKER)


@pytest.mark.usefixtures("model_home")
def test_one_model_named_twice_is_one(cli: Cli, tmp_path: Path) -> None:
    twice = ["-t", TICKER, "-t", TICKER.lower()]

    assert cli("predict", *twice, "--plot-file", str(tmp_path / "x.png")).code == 0


def test_every_model_without_a_ticker_counts(cli: Cli, model_home: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(model_home / "stocklstm.db", isolation_level=None)) as connection:
        connection.execute("CREATE TEMP TABLE another AS SELECT * FROM versions")
        connection.execute("UPDATE another SET ticker = 'VALE3.SA'")
        connection.execute("INSERT INTO versions SELECT * FROM another")
    with open_store(model_home) as store:
        assert len(store.registry.tickers()) == 2

    outcome = cli("predict", "--plot-file", str(tmp_path / "x.png"))

    assert outcome.code == 2
    assert "pictures of 2 models" in outcome.err


def test_a_picture_that_cannot_be_drawn_costs_no_forecast(cli: Cli, model_home: Path) -> None:
    (model_home / "reports").write_text("in the way")

    outcome = cli("predict", "--plot", "--json")

    (made,) = json.loads(outcome.out)["forecasts"]
    assert outcome.code == 0
    assert made["plot"] is None
    assert "no picture was drawn: cannot write the picture" in made["warnings"][-1]
    assert f"warning: {TICKER}: no picture was drawn" in outcome.err


def test_a_store_that_can_only_be_read_gives_the_forecast_and_a_warning(
    cli: Cli, model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Permissions do not bind a superuser.
    monkeypatch.setattr(os, "access", lambda *_: False)

    outcome = cli("predict", "--plot", "--json")

    (made,) = json.loads(outcome.out)["forecasts"]
    assert outcome.code == 0
    assert made["plot"] is None
    assert "no picture was drawn: the store" in made["warnings"][-1]
    assert not (model_home / "reports").exists()


@pytest.mark.parametrize("learned", [1, 3])
def test_each_session_of_the_fan_is_what_would_be_forecast_of_it(
    model_home: Path, learned: int
) -> None:
    if learned > 1:
        config = configure("calibrated", **TINY, horizon=learned)
        assert not train([TICKER], config, home=model_home, promote="always").failures
    made = forecast(model_home, horizon=6)

    with open_store(model_home) as store:
        bars, exchange = store.prices.bars(TICKER), store.prices.instrument(TICKER).exchange
        fan = _fan(store, exchange, bars, [made], learned)

    np.testing.assert_array_equal(fan.closes, bars.closes[-60:])
    assert fan.forecasts.points[0] == made.last_close
    for ahead in range(learned, 7):
        alone = forecast(model_home, horizon=ahead)
        assert str(fan.sessions[ahead]) == alone.target_session
        assert math.isclose(fan.forecasts.points[ahead], alone.point)
        expected = [alone.quantiles[f"{level:g}"] for level in LEVELS]
        np.testing.assert_allclose(fan.forecasts.quantiles[ahead], expected)
    assert len(fan.outcomes) == 0


def test_the_sessions_of_a_ticker_share_one_picture(model_home: Path) -> None:
    result = predict([TICKER], Wanted(horizon=(2, 3, 6)), home=model_home)

    drawn = draw_forecasts(result, home=model_home).forecasts

    path = model_home / "reports" / TICKER / "v1" / "forecast.png"
    assert [made.plot for made in drawn] == [str(path)] * 3
    assert [each.name for each in path.parent.iterdir()] == ["forecast.png"]
    with open_store(model_home) as store:
        bars, exchange = store.prices.bars(TICKER), store.prices.instrument(TICKER).exchange
        fan = _fan(store, exchange, bars, drawn, 1)
    assert fan.horizons == (2, 3, 6)
    for made in drawn:
        assert str(fan.sessions[made.horizon]) == made.target_session
        assert math.isclose(fan.forecasts.points[made.horizon], made.point)
        expected = [made.quantiles[f"{level:g}"] for level in LEVELS]
        np.testing.assert_allclose(fan.forecasts.quantiles[made.horizon], expected)


def test_in_hindsight_the_fan_holds_what_came(model_home: Path) -> None:
    made = forecast(model_home, at="2024-03-06", horizon=8)

    with open_store(model_home) as store:
        bars, exchange = store.prices.bars(TICKER), store.prices.instrument(TICKER).exchange
        fan = _fan(store, exchange, bars, [made], 1)

    assert str(fan.dates[-1]) == "2024-03-06"
    # Prices end on 2024-03-13, five sessions later; three of the eight are still to come.
    assert fan.sessions[1:6].astype(str).tolist() == bars.dates[-5:].astype(str).tolist()
    assert str(fan.sessions[-1]) == made.target_session
    assert len(fan.outcomes) == 5
    for ahead, came in enumerate(fan.outcomes, start=1):
        assert came == forecast(model_home, at="2024-03-06", horizon=ahead).outcome


def test_the_fan_says_that_its_intervals_are_not_the_adapted_ones(model_home: Path) -> None:
    made = forecast(model_home)
    adapted = [replace(interval, adaptive=True) for interval in made.intervals]

    told = _fan_words([replace(made, intervals=tuple(adapted))], in_hindsight=False)

    assert "not the adapted ones" in told
    plain = [replace(interval, adaptive=False) for interval in made.intervals]
    assert "adapted" not in _fan_words([replace(made, intervals=tuple(plain))], in_hindsight=False)


def test_pictures_are_drawn_from_python_too(model_home: Path) -> None:
    result = draw_forecasts(predict([TICKER], home=model_home), home=model_home)

    assert result.forecasts[0].plot is not None
    assert Path(result.forecasts[0].plot).is_file()
