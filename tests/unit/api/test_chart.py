"""The chart shows every price where it belongs, whatever the prices are."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm.api.chart import NARROW, WIDE, Size, _round_prices, draw
from stocklstm.core.forecasts.intervals import plain_intervals
from stocklstm.core.language import LANGUAGES, day, number, say, speaking
from stocklstm.core.settings.config import INTERVAL_LEVELS, LEVELS
from stocklstm.workflows.predict.history import TickerHistory
from stocklstm.workflows.predict.predict import Forecast

SPREAD = np.linspace(-0.1, 0.1, len(LEVELS))


def forecast(last: float, horizon: int) -> Forecast:
    grid = last * np.exp(SPREAD)
    return Forecast(
        ticker="A&B.SA",
        version=1,
        model="A&B.SA@v1",
        as_of="2024-03-13",
        last_close=last,
        currency="BRL",
        target_session="2024-03-14",
        horizon=horizon,
        point=last * 1.01,
        change_pct=1.0,
        intervals=plain_intervals(grid, INTERVAL_LEVELS),
        quantiles={f"{p:g}": q for p, q in zip(LEVELS, grid.tolist(), strict=True)},
        verdict="no_better",
        verdict_text="NO BETTER",
        stale_sessions=0,
        live=None,
        outcome=None,
        unchanged=True,
        warnings=(),
        checks=(),
    )


@settings(max_examples=40, deadline=None)
@given(
    closes=st.lists(st.floats(1e-4, 1e6), min_size=1, max_size=60),
    horizons=st.sets(st.integers(1, 30), min_size=1, max_size=5),
    size=st.sampled_from([WIDE, NARROW]),
)
def test_everything_lies_on_the_surface(
    closes: list[float], horizons: set[int], size: Size
) -> None:
    dates = np.datetime64("2024-03-13", "D") - np.arange(len(closes))[::-1]
    history = TickerHistory("A&B.SA", "BRL", dates, np.array(closes), ())

    made = [forecast(closes[-1], horizon) for horizon in sorted(horizons)]

    svg = ET.fromstring(draw(made, history, 1, size))  # noqa: S314 - own

    lines = {line.get("class"): line.get("points").split() for line in svg.findall(".//polyline")}
    assert len(lines["closes"]) == len(closes)
    assert len(lines["path"]) == max(horizons) + 1
    # Each session that was asked for has a mark on the way ahead.
    marks = [float(mark.get("cx")) for mark in svg.findall(".//circle[@class='point']")]
    places = [float(point.split(",")[0]) for point in lines["path"]]
    assert marks == [places[horizon] for horizon in sorted(horizons)]
    # The way ahead begins where the closes end.
    assert lines["path"][0] == lines["closes"][-1]
    for points in lines.values():
        for x, y in (map(float, point.split(",")) for point in points):
            assert 0 <= x <= size.width
            assert 0 <= y <= size.height
    # Each session can be pointed at, and no two at the same place.
    buttons = svg.findall(".//foreignObject")
    assert len(buttons) == len(svg.findall(".//g[@class='reading']")) == len(closes) + len(made)
    spans = [(float(one.get("x")), float(one.get("width"))) for one in buttons]
    assert all(width > 0 for _, width in spans)
    assert all(
        left + width <= following + 0.11 for (left, width), (following, _) in pairwise(spans)
    )
    assert spans[0][0] >= 0
    assert sum(spans[-1]) <= size.width
    # Higher prices lie higher.
    heights = [float(point.split(",")[1]) for point in lines["closes"]]
    order = np.argsort(closes, kind="stable")
    assert all(np.diff(np.array(heights)[order]) <= 0.11)


@pytest.mark.parametrize("size", [WIDE, NARROW])
@pytest.mark.parametrize("last", [36.38, 128_456.0, 0.00412, 2.2e-9])
def test_prices_of_any_length_have_room(last: float, size: Size) -> None:
    dates = np.datetime64("2024-03-13", "D") - np.arange(60)[::-1]
    closes = last * np.linspace(0.9, 1, 60)

    svg = ET.fromstring(  # noqa: S314 - own
        draw([forecast(last, 1)], TickerHistory("A&B.SA", "BRL", dates, closes, ()), 1, size)
    )

    # Twelve pixels of DejaVu Sans, and fourteen of its bold: 0.636 and 0.696 of that a digit.
    named = {mark.text: float(mark.get("x")) for mark in svg.findall(".//text[@class='tick']")}
    assert len(named) > 2
    assert all(end - 12 * 0.636 * len(words) >= 0 for words, end in named.items())
    (point,) = svg.findall(".//text[@class='point']")
    assert float(point.get("x")) + 14 * 0.696 * len(point.text) <= size.width


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(33.5, 44.2, [34, 36, 38, 40, 42, 44]), (0.0131, 0.0139, [0.0132, 0.0134, 0.0136, 0.0138])],
)
def test_prices_along_the_axis_are_round(low: float, high: float, expected: list[float]) -> None:
    assert _round_prices(low, high) == pytest.approx(expected)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_figures_of_a_session_are_those_that_lie_there(language: str) -> None:
    dates = np.datetime64("2024-03-13", "D") - np.arange(3)[::-1]
    history = TickerHistory("A&B.SA", "BRL", dates, np.array([1200.0, 1201.5, 1210.25]), ())

    with speaking(language):
        svg = ET.fromstring(draw([forecast(1210.25, 1)], history, 1, WIDE))  # noqa: S314 - own

    said = [one.get("aria-label") for one in svg.findall(".//input")]
    shown = ["".join(one.itertext()) for one in svg.findall(".//g[@class='reading']")]
    assert [words.replace(", ", "") for words in said] == shown
    with speaking(language):
        assert said[1] == f"{day('2024-03-12')}, {say('close {price}', price='1,201.50')}"
        assert number(1210.25 * 1.01, 2) in said[-1]
    (chosen,) = [one for one in svg.findall(".//input") if one.get("checked")]
    assert chosen.get("aria-label") == said[2]
