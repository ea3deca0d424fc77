"""Every text that people read has a translation, and scripts read the same in every language."""

import ast
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

import jinja2
import pytest

from stocklstm.core.language import retold, speaking
from stocklstm.core.portuguese import PORTUGUESE_TEXTS, SAID, TOLD
from tests.conftest import TICKER, Cli
from tests.support.moving_clock import set_clock
from tests.support.places import ROOT

PACKAGE = ROOT / "stocklstm"
SPEECH = "stocklstm.core.language"

KINDS = {"say": 1, "say_counted": 2, "english": 1}
"""Functions of `core/language.py` that are given texts, and how many."""


@cache
def _calls() -> list[tuple[str, list[ast.expr], str]]:
    """Find the calls that are given texts: the function's name, the texts, and where it stands."""
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
    return [
        call
        for path, source in sources.items()
        if f"from {SPEECH} import" in source
        for call in _calls_in(path, ast.parse(source))
    ]


def _calls_in(path: Path, tree: ast.AST) -> Iterator[tuple[str, list[ast.expr], str]]:
    names = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == SPEECH
        for alias in node.names
        if alias.name in KINDS
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = names.get(node.func.id)
            if name is not None:
                first = 1 if name == "say_counted" else 0
                texts = node.args[first : first + KINDS[name]]
                yield name, texts, f"{path.relative_to(ROOT)}:{node.lineno}"


def _in_code(*names: str) -> set[str]:
    return {
        text.value
        for name, texts, _ in _calls()
        for text in texts
        if name in names and isinstance(text, ast.Constant)
    }


def _in_templates() -> Iterator[str]:
    environment = jinja2.Environment(autoescape=True)
    for path in sorted((PACKAGE / "api" / "templates").glob("*")):
        if path.suffix not in {".html", ".css", ".svg"}:
            continue
        tree = environment.parse(path.read_text(encoding="utf-8"))
        for call in tree.find_all(jinja2.nodes.Call):
            if not isinstance(call.node, jinja2.nodes.Name) or call.node.name not in KINDS:
                continue
            first = 1 if call.node.name == "say_counted" else 0
            for text in call.args[first : first + KINDS[call.node.name]]:
                assert isinstance(text, jinja2.nodes.Const), f"{path.name}: a text that is made"
                yield text.value


def test_a_text_is_written_where_it_is_said() -> None:
    """One that is put together could not be looked up."""
    made = [
        where
        for _, texts, where in _calls()
        if not all(isinstance(text, ast.Constant) for text in texts)
    ]

    assert made == []


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (SAID, lambda: _in_code("say", "say_counted") | {*_in_templates()}),
        (TOLD, lambda: _in_code("english")),
    ],
    ids=["say", "english"],
)
def test_every_text_is_translated_and_no_translation_is_left_over(table, said) -> None:
    texts = said()

    assert sorted(texts - set(table)) == [], "texts without a translation"
    assert sorted(set(table) - texts) == [], "translations of what nobody says"


@pytest.mark.parametrize("table", [SAID, TOLD], ids=["say", "english"])
def test_a_translation_has_the_fields_of_its_text(table: dict[str, str]) -> None:
    def fields(text: str) -> list[tuple[str | None, str | None]]:
        return sorted({(name, spec) for _, name, spec, _ in Formatter().parse(text) if name})

    assert [text for text, new in table.items() if fields(text) != fields(new)] == []


def test_only_what_people_read_is_said_in_their_language() -> None:
    """What results hold goes into JSON: there, `english` marks it."""
    for_people = ("stocklstm/cli/", "stocklstm/api/", "stocklstm/report/")
    pages = ("stocklstm/workflows/evening/report.py", "stocklstm/workflows/evening/summary.py")
    elsewhere = {
        where
        for name, _, where in _calls()
        if name != "english" and not where.startswith((*for_people, *pages))
    }

    assert elsewhere == set()


FOR_SCRIPTS = [
    words
    for line in (
        "predict",
        "predict --at 2024-03-01 --horizon 1-3 --levels 0.5,0.9",
        "forecasts",
        "evaluate --live",
        "validate",
        "validate --prices",
        "models list",
        f"models show {TICKER}",
        f"models diff {TICKER}@v1 {TICKER}@champion",
        "models gc --dry-run",
        "prices show",
        f"prices show {TICKER} --last 3",
        "prices verify",
        "config show --origin",
        "config path",
        "predict NONE3.SA",
    )
    for mode in ("--json", "--quiet")
    if (words := (*line.split(), mode))
] + [
    ("predict", "--csv", "-"),
    ("forecasts", "--csv", "-"),
    ("forecasts", "--csv", "-", "--csv-style", "excel-br"),
    ("prices", "export", TICKER),
    ("fetch", "--list-sources"),
    ("--version",),
]
"""Command lines whose output is for scripts."""


def test_scripts_read_the_same_bytes_whatever_the_language(
    cli: Cli, model_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clock(monkeypatch, lambda: "2024-03-14T22:00:00Z")
    before = tmp_path / "before"
    shutil.copytree(model_home, before)
    found = {}
    for locale in ("C", "pt_BR.UTF-8"):
        shutil.rmtree(model_home)
        shutil.copytree(before, model_home)
        monkeypatch.setenv("LC_MESSAGES", locale)
        found[locale] = {words: cli(*words) for words in FOR_SCRIPTS}
    english, portuguese = found.values()

    for words in FOR_SCRIPTS:
        assert portuguese[words].out == english[words].out, words
        assert portuguese[words].code == english[words].code, words
        assert english[words].code in {0, 4}, (words, english[words].err)
    # That the language was another one is seen where people read.
    assert cli("predict").out.startswith("Fechamento do próximo pregão")


@pytest.mark.parametrize("text", sorted(TOLD))
def test_every_stored_sentence_is_told_whole_with_whatever_is_in_it(text: str) -> None:
    """A finished sentence is found again by its words: none may be taken for another one."""
    names = {name for _, name, _, _ in Formatter().parse(text) if name}
    values: dict[str, Any] = {name: _value(name) for name in names}
    finished = _Filled().vformat(text, (), values)

    with speaking("pt-BR"):
        told = retold(finished)

    assert told == PORTUGUESE_TEXTS.vformat(TOLD[text], (), values)


def _value(name: str) -> str:
    """Make a value of a field, as it may be."""
    if name == "command":
        return "stocklstm fetch --ticker PETR4.SA"
    if name in {"p", "chance"}:
        return "p = 0.031"
    if name in {"model", "champion", "name", "first", "ticker"}:
        return "PETR4.SA@v1"
    return "1,234.5"


class _Filled(Formatter):
    """Fills in values that have their form already."""

    def format_field(self, value: object, _format_spec: str) -> str:
        return str(value)


def test_what_is_to_know_of_ones_own_prices_is_said_in_portuguese(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [f"2024-03-{day:02},10.5" for day in range(4, 9)]
    rows = "\n".join(["Date,Close", *days])
    (tmp_path / "own.csv").write_text(f"{rows}\n")
    monkeypatch.setenv("LC_MESSAGES", "pt_BR.UTF-8")

    said = cli("fetch", "OWN", "--file", str(tmp_path / "own.csv")).err

    assert "aviso: OWN: não se conhece nenhum dividendo" in said
    assert "aviso: OWN: o calendário XNYS e a moeda USD são só uma suposição, pelo nome" in said


def test_the_exchange_is_called_as_people_call_it() -> None:
    with speaking("pt-BR"):
        told = retold("filler: BVMF was closed, nothing was traded")
        other = retold("filler: XNYS was closed, nothing was traded")

    assert told == "preenchimento: a B3 não abriu, nada foi negociado"
    assert other == "preenchimento: XNYS não abriu, nada foi negociado"
