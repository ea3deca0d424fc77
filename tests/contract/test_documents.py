"""README and docs say what the program does."""

import re
from pathlib import Path

import pytest

from stocklstm.cli.app import COMMANDS
from stocklstm.core.settings.compression import METHODS
from stocklstm.core.settings.config import FEATURES, PRESETS
from stocklstm.learn.devices import KNOWN_FAULTS
from stocklstm.workflows.settings import OTHER_VARIABLES
from tests.conftest import Cli
from tests.support.command_lines import complaint_about
from tests.support.documents import PAGES, blocks, commands, inline_commands, name_of
from tests.support.places import DOCS, ROOT
from tests.support.reference import MARKED, REFERENCE, generated, renewed

README = (ROOT / "README.md").read_text()
PORTUGUESE = (DOCS / "pt-BR" / "README.md").read_text(encoding="utf-8")
COMMANDS_PAGE = (DOCS / "reference" / "commands.md").read_text()

# What each kind of page is for: to learn, to do, to look up, to understand.
KINDS = {"tutorial", "how-to", "reference", "explanation"}

# Variables that other programs and libraries look at.
OF_OTHERS = {
    *("HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"),
    *("COLUMNS", "TERM", "NO_COLOR", "LANG", "TZ", "OMP_NUM_THREADS"),
}


@pytest.mark.parametrize(("readme", "heading"), [(README, "Commands"), (PORTUGUESE, "Comandos")])
def test_every_command_has_a_row_and_every_row_a_command(readme: str, heading: str) -> None:
    section = readme.partition(f"## {heading}")[2].partition("## ")[0]
    rows = re.findall(r"^\| `([a-z0-9]+)` \|", section, re.MULTILINE)

    assert set(rows) == set(COMMANDS)
    sections = re.findall(r"^## ([a-z]+)$", COMMANDS_PAGE, re.MULTILINE)
    assert sorted(sections) == sorted(COMMANDS)


def test_readme_fits_the_eye() -> None:
    assert len(README.splitlines()) < 150


def links(page: Path) -> list[str]:
    """Give where the links and pictures of a page lead, but for other sites."""
    return re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text())


def test_every_page_is_in_the_index() -> None:
    """Those in Portuguese may be in the Portuguese one, which is in the English one."""
    indexes = [page for page in PAGES if page.name == "README.md" and page.is_relative_to(DOCS)]
    listed = {(page.parent / link).resolve() for page in indexes for link in links(page)}

    assert [name_of(page) for page in PAGES[1:] if page not in {*listed, DOCS / "README.md"}] == []


def test_pages_are_of_the_four_kinds() -> None:
    """Beside them there are only the index, and what GitHub looks for in docs/."""
    at_top = {"README.md", "CONTRIBUTING.md", "SECURITY.md"}

    assert {page.name for page in DOCS.glob("*.md")} == at_top
    assert {page.parts[-2] for page in DOCS.rglob("*.md")} <= {*KINDS, "docs", "pt-BR"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in links(page):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text()), target


def test_every_page_that_is_named_without_a_link_exists() -> None:
    """Code, hints, tests and comments name pages, too."""
    files = [
        *(
            file
            for place in ("stocklstm", "tests", "benchmarks")
            for file in (ROOT / place).rglob("*.py")
        ),
        *(file for place in (".ci", ".github", "docs") for file in (ROOT / place).rglob("*")),
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "pyproject.toml")),
    ]
    named = {
        (name, file.relative_to(ROOT))
        for file in files
        if file.is_file() and file.suffix in {".py", ".md", ".toml", ".txt", ".yml", ""}
        for name in re.findall(r"\bdocs/[\w/.-]+\.md", file.read_text(encoding="utf-8"))
    }

    assert [each for each in sorted(named) if not (ROOT / each[0]).exists()] == []


def anchors(text: str) -> set[str]:
    """Give the names that GitHub makes of headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    words = [re.sub(r"\[(.+?)\]\(.+?\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", each).lower().replace(" ", "-") for each in words}


# What the parser answers by itself, and words that stand for any command.
NOT_RUN = re.compile(r" (--(help|version|list-sources|\w+-completion)|COMMAND)\b")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_line_can_be_typed(page: Path) -> None:
    """By the program's own parser; those in a sentence may leave out what they are about."""
    text = page.read_text(encoding="utf-8")
    typed = [line for lines in blocks(text) for line in commands(lines)]
    named = inline_commands(text)
    said = {line: complaint_about(line) for line in {*typed, *named} if not NOT_RUN.search(line)}

    for line in set(named) - set(typed):
        if re.match("Missing parameter|Option .* requires an argument", said.get(line, "")):
            del said[line]
    assert {line: complaint for line, complaint in said.items() if complaint} == {}


def test_every_preset_is_described() -> None:
    for readme in (README, PORTUGUESE):
        assert all(f"| `{preset}`" in readme for preset in PRESETS)


# Where the Python of each page is run; of this one, only what would be dear is made smaller.
PYTHON_RUN_BY = {
    "README.md": "",
    "docs/pt-BR/README.md": "",
    "docs/reference/evaluation.md": "",
    "docs/how-to/bundles.md": "tests/unit/workflows/models/test_classic.py",
    "docs/how-to/price-source.md": "tests/e2e/test_plug_in.py",
    "docs/reference/python.md": "tests/e2e/test_readme.py",
    "docs/reference/python-api.md": "tests/unit/test_examples.py",
}


def test_the_python_of_every_page_is_run_somewhere() -> None:
    assert {name_of(page) for page in PAGES if "```python\n" in page.read_text()} == {
        *PYTHON_RUN_BY
    }
    assert all((ROOT / test).is_file() for test in PYTHON_RUN_BY.values() if test)


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize("page", [page for page, test in PYTHON_RUN_BY.items() if not test])
def test_the_python_of_a_page_runs(page: str) -> None:
    blocks = re.findall(
        r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL
    )
    code = "".join(blocks).replace("sessions=250, refit_every=50", "sessions=20")

    exec(code.replace(", jobs=2", ""), {})  # noqa: S102 - our own words


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_option_for_machines(cli: Cli, command: str) -> None:
    arguments = [
        command,
        *{"models": ["list"], "prices": ["show"], "config": ["show"]}.get(command, []),
    ]

    outcome = cli(*arguments, "--help")

    assert outcome.code == 0
    assert "--json" in outcome.out
    assert "--quiet" in outcome.out


@pytest.mark.parametrize("page", sorted(REFERENCE.glob("*.md")), ids=name_of)
def test_what_is_generated_from_the_code_is_what_the_code_says(page: Path) -> None:
    text = page.read_text()

    assert text == renewed(text), "run: python -m tests.support.reference"


def test_every_part_that_can_be_generated_is_in_one_page() -> None:
    parts = [match[2] for page in PAGES for match in MARKED.finditer(page.read_text())]

    assert sorted(parts) == sorted(generated())


def test_every_variable_of_the_environment_is_documented() -> None:
    page = (REFERENCE / "environment.md").read_text()
    rows = re.findall(r"^\| `STOCKLSTM_(\w+)` \|", page, re.MULTILINE)

    assert {*rows} == {*OTHER_VARIABLES, "PRESET"}
    named = set(re.findall(r"`([A-Z_]+)`", page))
    assert named <= {*(f"STOCKLSTM_{row}" for row in rows), "STOCKLSTM_LEARNING_RATE", *OF_OTHERS}


@pytest.mark.parametrize("place", [".ci/run", ".github/workflows/tests.yml"])
def test_the_site_is_built_strictly(place: str) -> None:
    (line,) = [line for line in (ROOT / place).read_text().splitlines() if "mkdocs build" in line]

    assert "mkdocs build --strict -f .ci/mkdocs.yml" in line
    # MkDocs then counts no warnings.
    assert not re.search(r" (-q|--quiet)\b", line)


def test_every_input_is_documented() -> None:
    section = (DOCS / "reference" / "settings.md").read_text().partition("| feature |")[2]

    rows = re.findall(r"^\| `([a-z0-9]+)` \|", section.partition("\n## ")[0], re.MULTILINE)

    assert tuple(rows) == FEATURES


def test_every_device_that_trains_wrongly_is_documented() -> None:
    section = (DOCS / "reference" / "settings.md").read_text().partition("| device | PyTorch |")[2]
    rows = re.findall(r"^\| `\w+` \|.+", section.partition("\n## ")[0], re.MULTILINE)

    assert rows == [
        f"| `{fault.device}` | {'all' if fault.fixed is None else f'before {fault.fixed}'} "
        f"| {fault.reason} | [{fault.report}](https://github.com/pytorch/pytorch/issues/"
        f"{fault.report.removeprefix('pytorch#')}) |"
        for fault in KNOWN_FAULTS
    ]


def test_every_method_of_quantize_is_documented_with_its_options() -> None:
    text = (DOCS / "reference" / "quantization.md").read_text()
    rows = re.findall(r"^\| `(\w+)[^`]*` \| (.+) \|$", text, re.MULTILINE)

    for method, row in METHODS.items():
        documented = " ".join(words for name, words in rows if name == method)
        own = [name for name in row.options if name != "structured"]
        assert all(f"--{name.replace('_', '-')}" in documented for name in own), method


def test_every_file_of_the_program_that_is_named_exists() -> None:
    named = {
        name for page in PAGES for name in re.findall(r"stocklstm/[\w/]+\.py", page.read_text())
    }

    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_ci_runs_the_test_command_of_the_readme() -> None:
    (line,) = [line for line in README.splitlines() if "pip install -e '.[test]'" in line]

    assert line.startswith("python3 -m venv .venv && ")
    assert line.endswith("&& .venv/bin/pytest -n auto --dist worksteal")
    assert "grep -F \"pip install -e '.[test]'\" README.md" in (ROOT / ".ci" / "run").read_text()
