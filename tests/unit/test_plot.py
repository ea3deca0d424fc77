"""Pictures of results as figures that a notebook shows, without pyplot and without a file."""

import pickle
from pathlib import Path
from typing import Any

import pytest

import stocklstm
from stocklstm.errors import ConfigError, NotFoundError, StockLstmError
from stocklstm.report.figure import DARK
from tests.conftest import ONE_PIXEL, TICKER


def files_below(place: Path) -> set[Path]:
    return set(place.rglob("*.png"))


def test_results_and_versions_are_drawn_and_nothing_is_written(model_home: Path) -> None:
    with stocklstm.open(model_home) as client:
        ahead = client.predict(TICKER, horizon=[1, 2])
        scored = client.evaluate(TICKER, plot=False)
        before = files_below(model_home)

        fan, one = client.plot(ahead), client.plot(ahead.forecasts[0])
        scores, again = client.plot(scored, dark=True), client.plot(TICKER, "predictions")
        curves, calibration = client.plot(f"{TICKER}@v1"), client.plot(scored, "calibration")
        errors = client.plot(scored.results[0], "errors")

    assert len(fan.axes) == len(one.axes) == 2
    assert _text(scores) == _text(again)
    titles = [_text(each) for each in (fan, scores, curves, calibration, errors)]
    for title, words in zip(
        titles, ("Forecast: ", "Forecast and outcome: ", "Training history: ", "", ""), strict=True
    ):
        assert f"{TICKER}@v1" in title
        assert words in title
    assert len(set(titles)) == 5
    assert scores.get_facecolor() != again.get_facecolor()
    assert DARK.paper == "#1B1F25"
    assert files_below(model_home) == before


def _text(figure: Any) -> str:
    axes = [each.get_title(loc="left") for each in figure.axes]
    return " ".join([*axes, *(each.get_text() for each in figure.texts)])


def test_a_notebook_shows_it(model_home: Path) -> None:
    figure = stocklstm.plot(f"{TICKER}@v1", home=model_home)

    assert figure._repr_png_() == ONE_PIXEL


@pytest.mark.usefixtures("painted")
def test_it_is_painted_and_can_be_sent_away(model_home: Path) -> None:
    figure = stocklstm.plot(f"{TICKER}@v1", home=model_home)

    assert figure._repr_png_().startswith(b"\x89PNG")
    assert pickle.loads(pickle.dumps(figure))._repr_png_().startswith(b"\x89PNG")  # noqa: S301


@pytest.mark.parametrize(
    ("what", "kind", "error", "words"),
    [
        (f"{TICKER}@v1", "fan", ConfigError, "there is no picture 'fan'"),
        (f"{TICKER}@v9", None, NotFoundError, "there is no"),
        (3, None, ConfigError, "there is no picture of a int"),
        (lambda client: client.predict(TICKER), "history", ConfigError, "has one picture"),
        (lambda client: client.show_prices(), None, ConfigError, "of a StoredPrices"),
        (lambda client: client.predict(["VALE3.SA"]), None, ConfigError, "this is of 0"),
    ],
)
def test_what_has_no_picture_is_an_error(
    model_home: Path, what: Any, kind: str | None, error: type[StockLstmError], words: str
) -> None:
    with stocklstm.open(model_home) as client:
        given = what(client) if callable(what) else what
        with pytest.raises(error, match=words):
            client.plot(given, kind)


def test_of_several_models_one_is_to_be_chosen(model_home: Path) -> None:
    with stocklstm.open(model_home) as client:
        made = client.predict([TICKER, f"{TICKER}@v1"])
        # Both names mean the same model, at the same horizon.
        with pytest.raises(ConfigError, match="this is of 2"):
            client.plot(made)
        client.plot(made.results[0])
