"""The two pages in a real browser without JavaScript: what they say, and how they lie."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stocklstm.core.language import english_money
from tests.conftest import TICKER
from tests.support.api_server import Server, serving
from tests.support.evenings import cut_off, live_through

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

SESSIONS = 25


@pytest.fixture(scope="module")
def server(_modelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a store with 25 evenings behind it, the last close of which is the bundled one."""
    home = tmp_path_factory.mktemp("lived") / "home"
    shutil.copytree(_modelled, home)
    bars = cut_off(home, SESSIONS)
    live_through(home, bars, range(len(bars) - SESSIONS, len(bars)))
    with serving(home) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    # Its sandbox cannot be had by root, nor in most containers.
    arguments = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield found
        found.close()


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=lambda param: f"{param[0]}")
def page(browser: "Browser", request: pytest.FixtureRequest) -> "Iterator[Page]":
    width, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, java_script_enabled=False
    )
    opened = context.new_page()
    trouble: list[str] = []
    opened.on("console", lambda said: None if "404" in said.text else trouble.append(said.text))
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    yield opened
    context.close()
    # Nothing was refused by the content security policy, and nobody else was asked.
    assert trouble == []
    assert all(url.startswith(("http://127.0.0.1:", "data:")) for url in asked)


def forecast(server: Server) -> dict[str, object]:
    made: dict[str, object] = server.get("/predict").json()["forecasts"][0]
    return made


def fits(page: "Page") -> bool:
    """Tell if nothing is wider than the window."""
    width = page.viewport_size["width"] if page.viewport_size else 0
    box = page.locator("html").evaluate("element => element.scrollWidth")
    return int(box) <= width


def screens(page: "Page") -> float:
    """Tell how many windows high a page is."""
    return float(page.locator("html").evaluate("element => element.scrollHeight")) / 844


def shown(chart: "Locator") -> list[str]:
    """Give the figures of sessions that are to be read in a chart."""
    readings = chart.locator(".reading")
    return [one.text_content() for one in readings.all() if one.is_visible()]


def words(locator: "Locator") -> str:
    return " ".join(locator.inner_text().split())


def brightness(page: "Page") -> float:
    colour = page.locator("body").evaluate("element => getComputedStyle(element).backgroundColor")
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


def test_the_overview(server: Server, page: "Page", tmp_path: Path) -> None:
    made = forecast(server)
    intervals = [f"{i['lower']:,.2f} to {i['upper']:,.2f}" for i in made["intervals"]]

    page.goto(f"{server.url}/")

    row = page.locator(f"[id='{TICKER}']")
    said, light = words(row), page.viewport_size["width"] == 1280
    expected = [
        TICKER,
        f"{made['change_pct']:+.2f} %",
        english_money(made["point"], "BRL"),
        intervals[0],
    ]
    expected += [made["verdict"].replace("_", " "), "sessions behind"]
    if light:
        expected += [
            made["as_of"],
            made["target_session"],
            english_money(made["last_close"], "BRL"),
        ]
        expected += [intervals[1], f"of {made['live']['n']}"]
    assert [each for each in expected if each not in said] == []
    assert "A forecast is not investment advice." in page.inner_text("footer")
    assert fits(page)
    assert screens(page) <= 3
    assert (brightness(page) > 200) == light
    assert len(page.screenshot(path=tmp_path / "overview.png", full_page=True)) > 10_000

    row.get_by_role("link").click()
    assert page.url == f"{server.url}/tickers/{TICKER}"


def test_the_page_of_a_ticker(server: Server, page: "Page", tmp_path: Path) -> None:
    made = forecast(server)
    history = server.get(f"/forecasts/{TICKER}").json()["forecasts"]

    page.goto(f"{server.url}/tickers/{TICKER}")

    assert words(page.locator("#last-close")) == english_money(made["last_close"], "BRL")
    assert page.inner_text("#point").split()[:2] == english_money(made["point"], "BRL").split()
    for number, interval in enumerate(made["intervals"], 1):
        bounds = f"{interval['lower']:,.2f} to {interval['upper']:,.2f}"
        assert page.inner_text(f"#interval-{number}") == bounds
    assert fits(page)
    assert screens(page) <= 3
    charts = [chart for chart in page.locator("svg.chart").all() if chart.is_visible()]
    assert len(charts) == 1
    box = charts[0].bounding_box()
    assert box["width"] > 0.85 * min(page.viewport_size["width"], 1120)
    picture = charts[0].get_by_role("img").get_attribute("aria-label")
    assert f"forecast for {made['target_session']}" in picture
    # One mark of each interval for every forecast that has closed.
    assert charts[0].locator("rect.past.p95").count() == SESSIONS - 1
    rows = page.locator("tbody tr").all()
    for row, past in zip(rows, history, strict=False):
        said = words(row)
        assert past["target_session"] in said
        if past["outcome"] is None:
            assert "waiting" in said
        else:
            assert english_money(past["outcome"], "BRL") in said
            assert ("outside 95 %" in said) == (not past["held"]["0.95"])
            assert ("inside 80 %" in said) == past["held"]["0.8"]
    assert 5 <= len(rows) < len(history)
    assert len(page.screenshot(path=tmp_path / "ticker.png", full_page=True)) > 20_000


def test_the_figures_of_each_session_can_be_read_without_a_script(
    server: Server, page: "Page"
) -> None:
    past = server.get(f"/forecasts/{TICKER}?horizon=1").json()["forecasts"]
    closed = {each["target_session"]: each for each in past if each["outcome"] is not None}
    page.goto(f"{server.url}/tickers/{TICKER}")
    (chart,) = [chart for chart in page.locator("svg.chart").all() if chart.is_visible()]

    def figures_of(day: str) -> str:
        each = closed[day]
        bounds = "".join(
            f"{100 * i['level']:g} %: {i['lower']:,.2f} to {i['upper']:,.2f}"
            for i in each["intervals"]
        )
        return f"{day}close {each['outcome']:,.2f}forecast {each['point']:,.2f}{bounds}"

    # At first those of the last close; then of whichever day is pointed at.
    days = sorted(closed)
    assert shown(chart) == [figures_of(days[-1])]
    box = chart.locator(".at").nth(chart.locator(".at").count() - 4).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
    assert shown(chart) == [figures_of(days[-3])]
    page.mouse.move(1, 1)
    assert shown(chart) == [figures_of(days[-1])]
    # One stop of the tab key for all of them.
    chart.locator("input:checked").focus()
    page.keyboard.press("ArrowLeft")
    assert shown(chart) == [figures_of(days[-2])]
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "CSV"


def test_the_page_of_several_sessions(server: Server, page: "Page", tmp_path: Path) -> None:
    made = server.get("/predict?horizon=1-5").json()["forecasts"]

    page.goto(f"{server.url}/tickers/{TICKER}")
    page.get_by_role("link", name="Sessions 1 to 5 ahead").click()

    assert page.url == f"{server.url}/tickers/{TICKER}?horizon=1-5"
    rows = page.locator("#sessions tbody tr").all()
    assert len(rows) == len(made) == 5
    for row, each in zip(rows, made, strict=True):
        said = words(row)
        assert each["target_session"] in said
        assert english_money(each["point"], "BRL") in said
        for interval in each["intervals"]:
            assert f"{interval['lower']:,.2f} to {interval['upper']:,.2f}" in said
    assert fits(page)
    (chart,) = [chart for chart in page.locator("svg.chart").all() if chart.is_visible()]
    assert screens(page) <= 3
    assert chart.locator("circle.point").count() == 5
    picture = chart.get_by_role("img").get_attribute("aria-label")
    assert all(each["target_session"] in picture for each in made)
    # The record is that of the nearest: those farther ahead are of the same sessions.
    assert chart.locator("rect.past.p95").count() == SESSIONS - 1
    assert page.inner_text("main").count("were not tested") == 1
    assert len(page.screenshot(path=tmp_path / "sessions.png", full_page=True)) > 20_000
    backwards = server.get(f"/tickers/{TICKER}?horizon=5-1")
    assert backwards.status_code == 422
    assert "goes backwards" in backwards.text


def test_what_is_missing_is_said_on_a_page(server: Server, page: "Page") -> None:
    answer = page.goto(f"{server.url}/tickers/NOPE3.SA")

    assert answer.status == 404
    assert "No forecast yet" in page.inner_text("h1")
    assert "stocklstm" not in page.inner_text("main")
    page.get_by_role("link", name="All tickers").click()
    assert page.url == f"{server.url}/"


def test_whatever_an_error_says_is_no_markup(server: Server) -> None:
    answer = server.get("/tickers/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    plain = server.get("/tickers/%3Cb%3E")

    assert answer.status_code == 404
    assert plain.status_code == 422
    assert "<b>" not in plain.text
    assert "&lt;b&gt;" in plain.text
    policy = plain.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert json.dumps(dict(plain.headers)).count("nosniff") == 1
