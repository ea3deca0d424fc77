"""What a reader is given: pages without commands, in a language, of few or thousands of tickers."""

import csv
import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from stocklstm.api.pages import PER_PAGE, answer_problem
from stocklstm.api.problems import MEDIA_TYPE, STATUSES, http_problem, problem_of
from stocklstm.core.language import LANGUAGES, PORTUGUESE
from stocklstm.store.store import open_store
from tests.conftest import TICKER
from tests.support.api_server import InProcess, in_process
from tests.support.evenings import cut_off, live_through
from tests.support.many_tickers import give_names

BROWSER = {"accept": "text/html,*/*;q=0.8"}

COPIES = tuple(f"{letter}{letter}AA3.SA" for letter in "ABCDEFGHIJKLMNOQRSTUVWXYZ")

EVENINGS = 12

COMMAND = re.compile(r"stocklstm (?!stocklstm)[a-z]+ |--[a-z]")


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.answer = answer
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def links(self, words: str = "") -> list[str]:
        return [each["href"] for each in self.all("a") if words in each["href"]]


@pytest.fixture(scope="module")
def many_home(_modelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a store with a page and a bit of tickers, one of them with evenings behind it."""
    home = tmp_path_factory.mktemp("many") / "home"
    shutil.copytree(_modelled, home)
    give_names(home, COPIES)
    with open_store(home) as store:
        registry = store.registry
        manifest = registry.manifest(TICKER, 1)
        for ticker in COPIES:
            with registry.draft(ticker) as draft:
                for name in manifest.files:
                    draft.write(name, registry.read_file(manifest, name))
                registry.publish(
                    draft,
                    ticker,
                    lambda version, ticker=ticker: replace(
                        manifest, ticker=ticker, version=version
                    ),
                    at=manifest.created,
                    promotion="test",
                )
    bars = cut_off(home, EVENINGS)
    live_through(home, bars, range(len(bars) - EVENINGS, len(bars)))
    model = home / "models" / COPIES[0] / "v1" / "model.onnx"
    model.chmod(0o600)
    model.write_bytes(model.read_bytes()[:-1])
    return home


@pytest.fixture(scope="module")
def app(many_home: Path) -> Iterator[InProcess]:
    with in_process(many_home) as running:
        yield running


def page(app: InProcess, path: str, status: int = 200, **headers: str) -> Page:
    found = Page(app.get(path, headers={**BROWSER, **headers}))
    assert found.answer.status_code == status
    assert found.answer.headers["content-type"] == "text/html; charset=utf-8"
    return found


PATHS = {
    "/": 200,
    "/?page=2": 200,
    "/?q=bbaa": 200,
    "/?q=nothing": 200,
    f"/tickers/{TICKER}": 200,
    f"/tickers/{TICKER}?horizon=1-5": 200,
    f"/tickers/{TICKER}/record": 200,
    f"/tickers/{COPIES[1]}/record": 200,
    f"/tickers/{COPIES[0]}": 503,
    "/tickers/NOPE3.SA": 404,
    "/tickers/NOPE3.SA/record": 404,
    f"/tickers/{TICKER}?horizon=5-1": 422,
    f"/tickers/{'A' * 61}": 422,
    "/?page=0": 422,
    "/nowhere": 404,
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_sound_and_names_no_command(app: InProcess, language: str) -> None:
    titles = {}
    for path, status in PATHS.items():
        found = page(app, path, status, **{"accept-language": language})
        assert found.all("html") == [{"lang": language}]
        assert COMMAND.search(found.text) is None, path
        headings = [int(tag[1]) for tag, _ in found.tags if re.fullmatch(r"h\d", tag)]
        assert headings[0] == 1
        assert headings.count(1) == 1
        assert all(later <= earlier + 1 for earlier, later in pairwise(headings))
        assert all(each.get("scope") in {"col", "row"} for each in found.all("th"))
        names = [each["id"] for _, each in found.tags if "id" in each]
        assert len(names) == len(set(names))
        # Nothing that the policy refuses: neither scripts nor styles within the page.
        assert not found.all("script")
        assert all("style" not in each for _, each in found.tags)
        assert {"Accept", "Accept-Language"} <= set(found.answer.headers["vary"].split(", "))
        title = found.answer.text.partition("<title>")[2].partition("</title>")[0]
        titles.setdefault(title, []).append(path)
    assert len(titles) >= 8


def test_a_link_leads_somewhere_and_keeps_the_language(app: InProcess) -> None:
    waiting, seen = ["/?lang=pt-BR"], set()
    while waiting:
        path = waiting.pop()
        if path in seen or "lang=en" in path or len(seen) > 30:
            continue
        seen.add(path)
        answer = app.get(path, headers=BROWSER)
        assert answer.status_code in {200, 503}, path
        if answer.headers["content-type"].startswith("text/html"):
            assert '<html lang="pt-BR">' in answer.text, path
            waiting += [link if link[0] == "/" else path for link in Page(answer).links()]
    assert sum("format=excel-br" in path for path in seen) >= 2


@pytest.mark.parametrize("name", ["path", "self", "page", "%00"])
def test_whatever_else_is_asked_for_the_links_stay_here(app: InProcess, name: str) -> None:
    for path in ("/", f"/tickers/{TICKER}", f"/tickers/{TICKER}/record", "//example.com", "/none"):
        answer = app.get(f"http://localhost{path}?{name}=2", headers=BROWSER)
        assert answer.status_code in {200, 404}
        for link in Page(answer).links():
            assert link.startswith("/")
            assert not link.startswith("//")


def test_languages_are_kept_apart_where_answers_are_remembered(app: InProcess) -> None:
    given = [
        page(app, f"/tickers/{TICKER}", **{"accept-language": language}).answer
        for language in (*LANGUAGES, *LANGUAGES)
    ]

    assert [each.headers.get("cache-status") for each in given[2:]] == ["stocklstm; hit"] * 2
    assert given[0].text.splitlines()[3:] != given[1].text.splitlines()[3:]
    assert [each.text for each in given[:2]] == [each.text for each in given[2:]]
    chosen = page(app, f"/tickers/{TICKER}?lang=pt-BR", **{"accept-language": "en"})
    assert "Previsões registradas" in chosen.text
    # Documents are the same in every language, and remembered once.
    first, other = (
        app.get(f"/predict?ticker={TICKER}", headers={"accept-language": language})
        for language in LANGUAGES
    )
    assert first.content == other.content
    assert "vary" not in other.headers
    assert other.headers["cache-status"] == "stocklstm; hit"


def test_figures_and_days_are_those_of_the_language(app: InProcess) -> None:
    made = app.get(f"/predict?ticker={TICKER}").json()["forecasts"][0]
    year, month, number = made["target_session"].split("-")
    amount = f"{made['point']:,.2f}"

    english = page(app, f"/tickers/{TICKER}")
    portuguese = page(app, f"/tickers/{TICKER}?lang={PORTUGUESE}")

    assert f"R$ {amount}" in english.text.replace("\N{NO-BREAK SPACE}", " ")
    assert f"R$ {amount.replace('.', ',')}" in portuguese.text.replace("\N{NO-BREAK SPACE}", " ")
    assert f"{number}/{month}/{year}" in portuguese.text
    assert f"{year}-{month}-{number}" not in portuguese.text
    assert {"datetime": made["target_session"]} in portuguese.all("time")


def test_the_verdict_is_said_once(app: InProcess) -> None:
    (made,) = app.get(f"/predict?ticker={TICKER}").json()["forecasts"]
    head, _, rest = made["verdict_text"].partition(": ")

    said = page(app, f"/tickers/{TICKER}").text.replace("\N{NO-BREAK SPACE}", " ").lower()

    assert said.count(head.lower()) == 1
    assert said.count(rest.split(".")[0].lower()) == 1


def test_times_are_those_of_the_exchange(app: InProcess) -> None:
    record = app.get(f"/forecasts/{TICKER}?horizon=1").json()["forecasts"]
    past = next(each for each in record if each["made_at"].endswith("T23:00:00Z"))

    found = page(app, f"/tickers/{TICKER}")

    assert f"{past['made_at'][:10]} 20:00" in found.text
    assert "Made, São Paulo time" in found.text
    # When the session ends that is forecast.
    assert re.search(r"Forecast for [\d-]+, 1[78]:\d\d São Paulo", found.text)


def test_the_record_goes_on_page_by_page(app: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stocklstm.api.pages.PER_PAGE", 5)
    history = app.get(f"/forecasts/{TICKER}").json()["forecasts"]
    path, shown, rows = f"/tickers/{TICKER}/record?horizon=1", [], []

    while path:
        found = page(app, path)
        shown += [each["datetime"] for each in found.all("time")[:-1]]
        (data,) = found.links("format=csv")
        rows += csv.DictReader(io.StringIO(app.get(data).text))
        path = next((each["href"] for each in found.all("a") if each.get("rel") == "next"), "")

    assert shown == [each["target_session"] for each in history if each["horizon"] == 1]
    assert [row["target_session"] for row in rows] == shown


def test_tickers_are_found_page_by_page_and_by_name(app: InProcess) -> None:
    names = sorted([TICKER, *COPIES])
    first, second = page(app, "/"), page(app, "/?page=2")

    def shown(found: Page) -> list[str]:
        return [each["id"] for each in found.all("tr") if "id" in each]

    assert sorted(shown(first) + shown(second)) == names
    assert len(shown(first)) == PER_PAGE
    assert "no forecast for now" in first.text
    assert shown(page(app, "/?q=bb")) == ["BBAA3.SA"]
    assert "No ticker is called so." in page(app, "/?q=%3Cb%3E").text
    # Beyond the last page is the last page.
    assert shown(page(app, "/?page=99")) == shown(second)
    # The documents are of what is shown.
    (data,) = [link for link in second.links("/predict") if "format" not in link]
    made = app.get(data).json()["forecasts"]
    assert [each["ticker"] for each in made] == shown(second)


def test_what_has_to_be_repaired_is_told_to_the_operator_alone(
    app: InProcess, caplog: pytest.LogCaptureFixture
) -> None:
    found = page(app, f"/tickers/{COPIES[0]}?horizon=2", 503)

    assert "No forecast for now" in found.text
    assert found.links(f"/tickers/{COPIES[0]}/record")
    assert any("next: 'stocklstm validate" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_problem_has_a_page_without_commands(language: str) -> None:
    problems = [problem_of(kind("it failed", hint="stocklstm train")) for kind in STATUSES]
    problems += [http_problem(status, "detail") for status in (400, 401, 404, 405, 421, 429, 503)]
    assert {each.status for each in problems} >= set(STATUSES.values())
    scope = {
        "type": "http",
        "path": "/tickers/A",
        "query_string": f"lang={language}".encode(),
        "headers": [(b"accept", b"text/html")],
    }

    for problem in problems:
        answer = answer_problem(problem, scope)
        words = answer.body.decode()
        assert answer.status_code == problem.status
        assert f'<html lang="{language}">' in words
        assert COMMAND.search(words.partition("<main>")[2]) is None
        plain = answer_problem(problem, {**scope, "headers": []})
        assert plain.media_type == MEDIA_TYPE
