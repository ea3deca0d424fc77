"""What a person sees: nothing is cut off, on any width, in any terminal."""

import io
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stocklstm.cli import tables
from stocklstm.cli.evaluate.evaluate import VIEW as EVALUATE
from stocklstm.cli.output import Mode, show
from stocklstm.cli.predict.forecasts import VIEW as PREDICT
from stocklstm.core.batch import Batch, Failure
from stocklstm.core.forecasts.intervals import Interval
from stocklstm.core.language import PORTUGUESE, say, speaking
from stocklstm.core.scores.scores import (
    Coverage,
    DirectionScores,
    DistributionScores,
    Evaluation,
    PointScores,
    RivalScores,
)
from stocklstm.errors import NoModelError
from stocklstm.workflows.evaluate.evaluate import EvaluatedVersion
from stocklstm.workflows.predict.predict import Forecast
from tests.conftest import Cli
from tests.support.property_tests import PROPERTY

FORECAST = Forecast(
    ticker="PETR4.SA",
    version=3,
    model="PETR4.SA@v3",
    as_of="2024-03-13",
    last_close=36.38,
    currency="BRL",
    target_session="2024-03-14",
    horizon=1,
    point=36.4,
    change_pct=0.06,
    intervals=(Interval(0.8, 34.6, 38.3), Interval(0.95, 33.4, 39.6)),
    quantiles={"0.5": 36.4},
    verdict="no_better",
    verdict_text="NO BETTER THAN YESTERDAY'S CLOSE: error 0.1 % smaller (p = 0.13).",
    stale_sessions=0,
    live=None,
    outcome=None,
    unchanged=False,
    warnings=(),
    checks=(),
)

EVALUATED = EvaluatedVersion(
    ticker="PETR4.SA",
    version=3,
    preset="calibrated",
    currency="BRL",
    evaluation=Evaluation(
        start="2021-06-11",
        end="2024-03-13",
        n=687,
        point=PointScores(
            rmse=0.70,
            mae=0.51,
            rmse_naive=0.71,
            mae_naive=0.52,
            rmse_ratio=0.9859,
            mae_ratio=0.9808,
            skill=0.0141,
            mase=1.1,
            dm_stat=-1.2,
            dm_p=0.13,
            skill_low=-0.004,
            skill_high=0.03,
            cw_stat=1.7,
            cw_p=0.047,
            mape=1.7,
            smape=1.71,
            r2=0.9747,
            r2_naive=0.9741,
        ),
        rivals=(RivalScores("drift", 0.711, 0.521, 1.0014),),
        direction=DirectionScores(0.543, 680, 7, 0.506, 0.58, 0.545, 0.455, -0.4, 0.665),
        distribution=DistributionScores(
            0.374,
            0.375,
            0.9973,
            -0.3,
            0.72,
            (
                Coverage(0.8, 0.817, 0.76, 0.838, 3.1, 2.9, 0.272, 0.152),
                Coverage(0.95, 0.939, 0.927, 0.969, 4.2, 4.0, 0.195, 0.028),
            ),
            (0.5,) * 15,
        ),
        verdict="no_better",
        verdict_text="NO BETTER THAN YESTERDAY'S CLOSE: error 1.4 % smaller (p = 0.13).",
    ),
    plot=None,
    plots=(),
    warnings=(),
)

PREDICT_TABLE = """\
Next session's close
Ticker       Session  Forecast   Change            80 %            95 %
───────────────────────────────────────────────────────────────────────
PETR4.SA  2024-03-14  R$ 36.40  +0.06 %  34.60 to 38.30  33.40 to 39.60

PETR4.SA@v3, from the close of 2024-03-13, R$ 36.38.
NO BETTER THAN YESTERDAY'S CLOSE: error 0.1 % smaller (p = 0.13).

A forecast is not investment advice.
"""


def shown(capfd: pytest.CaptureFixture[str], mode: Mode = Mode.HUMAN) -> str:
    show(PREDICT, Batch((FORECAST,)), mode)
    return capfd.readouterr().out


def test_into_a_pipe_the_whole_table_is_written(capfd: pytest.CaptureFixture[str]) -> None:
    assert shown(capfd) == PREDICT_TABLE


def test_quiet_writes_the_number_alone(capfd: pytest.CaptureFixture[str]) -> None:
    assert shown(capfd, Mode.QUIET) == "36.40\n"


@pytest.mark.parametrize("columns", ["20", "40", "60", "80", "200"])
def test_no_width_loses_a_figure(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    show(PREDICT, Batch((FORECAST,)), Mode.HUMAN)
    show(EVALUATE, Batch((EVALUATED,)), Mode.HUMAN)

    out = capfd.readouterr().out

    assert max(map(len, out.splitlines())) <= int(columns)
    assert "…" not in out
    joined = "".join(out.split())
    for figure in (
        "2024-03-14",
        "36.40",
        "33.40",
        "39.60",
        "0.9859",
        "0.9973",
        "93.9",
        "R$0.3740",
        "yesterday'sclose",
        "NOBETTERTHANYESTERDAY'SCLOSE",
    ):
        assert figure in joined


def test_figures_out_of_all_proportion_are_said_in_words(
    capfd: pytest.CaptureFixture[str],
) -> None:
    evaluation = EVALUATED.evaluation
    point = replace(
        evaluation.point,
        rmse_ratio=2194788398625.64,
        skill=-2194788398624.64,
        skill_low=-3e12,
        skill_high=-99.0,
        mase=1e9,
        mape=7e8,
        r2=-4e20,
    )
    spread = replace(evaluation.distribution, crps_ratio=1e15)
    absurd = replace(evaluation, point=point, distribution=spread)

    show(EVALUATE, Batch((replace(EVALUATED, evaluation=absurd),)), Mode.HUMAN)

    out = capfd.readouterr().out
    assert (
        "Skill below -10,000 % (95 %: below -10,000 to -9,900.00), Clark-West p 0.047, MASE > 100, "
        "MAPE > 10,000 %. R² < -100; yesterday's close has 0.9741." in out
    )
    (model,) = [line.split() for line in out.splitlines() if line.startswith("model  ")]
    assert model[-3:] == [">", "100", "0.130"]
    assert max(len(word) for word in out.replace("─", "").split()) < 20


def test_what_costs_less_than_a_cent_has_four_digits(capfd: pytest.CaptureFixture[str]) -> None:
    intervals = (Interval(0.8, 0.004013, 0.004227), Interval(0.95, 0.003951, 0.004291))
    penny = replace(FORECAST, last_close=0.00412, point=0.0041187, intervals=intervals)
    for mode in (Mode.HUMAN, Mode.QUIET):
        show(PREDICT, Batch((penny,)), mode)
    point = replace(EVALUATED.evaluation.point, rmse=0.0000612, rmse_naive=0.0000617)
    evaluation = replace(EVALUATED.evaluation, point=point)
    show(EVALUATE, Batch((replace(EVALUATED, evaluation=evaluation),)), Mode.HUMAN)

    out = capfd.readouterr().out
    assert "R$ 0.004119  +0.06 %  0.004013 to 0.004227  0.003951 to 0.004291" in out
    assert "the close of 2024-03-13, R$ 0.004120." in out
    assert "\n0.004119\n" in out
    assert "R$ 0.00006120" in out
    assert "R$ 0.00006170" in out


def test_no_colour_codes_without_a_terminal(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    assert "\x1b" not in shown(capfd)


def test_failures_go_to_stderr_beside_results(capfd: pytest.CaptureFixture[str]) -> None:
    error = NoModelError("there is no model of NOPE3.SA", hint="stocklstm train --ticker NOPE3.SA")
    show(PREDICT, Batch((FORECAST,), (Failure("NOPE3.SA", error),)), Mode.QUIET)

    captured = capfd.readouterr()

    assert captured.out == "36.40\n"
    assert captured.err == (
        "error: NOPE3.SA: there is no model of NOPE3.SA\n"
        "  next: stocklstm train --ticker NOPE3.SA\n"
    )


STYLED = [
    Text("no better", "yellow"),
    Text("日本\nz", "red"),
    Text.assemble("a", ("b", "bold red")),
]
CELLS = st.sampled_from(
    ["", "1,000", "R$ 36.38", "日本", "two\nlines", "é\n", "[bold]", "a\rb", Text(""), *STYLED]
)
HEADINGS = st.sampled_from(["Model", "Made\n(UTC)", "日本"])
TABLES = st.integers(2, 5).flatmap(
    lambda count: st.tuples(
        # The first column, which names the rows, may do without a heading.
        st.tuples(HEADINGS | st.just(""), *[HEADINGS] * (count - 1)).map(list),
        st.lists(st.lists(CELLS, min_size=count, max_size=count), min_size=1, max_size=4),
    )
)


def _by_rich(columns: Sequence[str], rows: Sequence[Sequence[str | Text]], *, utf8: bool) -> Table:
    shape = box.SIMPLE_HEAD if utf8 else box.ASCII2
    table = Table(box=shape, show_edge=False, pad_edge=False, collapse_padding=True)
    for number, heading in enumerate(columns):
        left = number == 0 or heading == "日本"
        table.add_column(heading, justify="left" if left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _console() -> Console:
    return Console(file=io.StringIO(), width=200, highlight=False, emoji=False, markup=False)


@PROPERTY
@given(TABLES, st.booleans())
def test_a_table_looks_like_one_of_rich(
    table: tuple[list[str], list[list[str | Text]]], utf8: bool
) -> None:
    columns, rows = table
    ours, theirs = _console(), _console()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "writes_utf8", lambda: utf8)
        tables.grid(ours, "Title", columns, rows, left=["日本"])
    theirs.print("Title")
    theirs.print(_by_rich(columns, rows, utf8=utf8))
    drawn, expected = (
        [line.rstrip() for line in console.file.getvalue().splitlines()]
        for console in (ours, theirs)
    )
    assert drawn == expected


LINES = st.lists(
    st.builds(
        tables.Line,
        st.text("ab 日\u0301[/].\n\t\x1b", max_size=30),
        st.sampled_from(["", "yellow", "bold red"]),
        st.booleans(),
        st.just(""),
    ),
    max_size=5,
)


@PROPERTY
@given(LINES, st.integers(1, 40))
def test_lines_are_those_that_rich_prints(lines: list[tables.Line], width: int) -> None:
    ours, theirs = (
        Console(
            file=io.StringIO(),
            width=width,
            force_terminal=True,
            color_system="standard",
            highlight=False,
            emoji=False,
            markup=False,
        )
        for _ in range(2)
    )
    tables.lines(ours, lines)
    for line in lines:
        theirs.print(Text(line.words, line.style), soft_wrap=line.whole)
    assert ours.file.getvalue() == theirs.file.getvalue()


def test_a_table_keeps_the_colours_of_its_cells() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")
    tables.grid(console, "Title", ["Model", "Verdict"], [["A", Text("worse", "bold red")]])
    shown = console.file.getvalue()
    assert "\x1b[1mModel\x1b[0m" in shown
    assert "\x1b[1;31mworse\x1b[0m" in shown


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize(
    "columns", ["1", "0", "99999", "9" * 5000, "-1", "x", "²"], ids=lambda text: ascii(text[:9])
)
def test_any_width_that_the_environment_may_say(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)

    assert cli("models", "list").code == 0


class _Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


PICTURE = Path("/tmp/a b/ações [1]/forecast.png").absolute()  # noqa: S108 - nothing is written

# OSC 8: the address, what is shown, and no address any more.
LINKED = re.compile(r"\x1b\]8;[^;]*;(?P<address>[^\x1b]+)\x1b\\(?P<shown>[^\x1b]*)\x1b\]8;;\x1b\\")


@pytest.mark.parametrize("width", ["20", "200"])
def test_a_path_is_a_link_in_a_terminal(width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", _Terminal())
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", width)

    drawn = tables.printed(lambda console: tables.paths(console, "Picture", [str(PICTURE)]))

    found = LINKED.fullmatch(drawn.removesuffix("\n"))
    assert found
    assert found["shown"] == f"Picture: {PICTURE}"
    assert found["address"] == PICTURE.as_uri()
    assert found["address"].endswith("/a%20b/a%C3%A7%C3%B5es%20%5B1%5D/forecast.png")


def test_a_path_is_no_link_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn() -> str:
        return tables.printed(lambda console: tables.paths(console, "Picture", [str(PICTURE)]))

    assert drawn() == f"Picture: {PICTURE}\n"
    monkeypatch.setattr(sys, "stdout", _Terminal())
    monkeypatch.setenv("TERM", "dumb")
    assert drawn() == f"Picture: {PICTURE}\n"


@pytest.mark.parametrize("name", ["1.500", "2024-03-14", "good"])
def test_names_are_shown_as_they_are_typed(name: str) -> None:
    columns, pairs = ("Ticker", "Aliases", "Close"), ("aliases", "path")
    with speaking(PORTUGUESE):
        drawn = tables.printed(
            lambda console: tables.grid(console, "", list(map(say, columns)), [[name, name, "1.5"]])
        )
        told = tables.printed(
            lambda console: tables.facts(console, "", [(say(each), name) for each in pairs])
        )
    assert drawn.splitlines()[-1].split() == [name, name, "1,5"]
    assert told.split() == ["apelidos", name, "caminho", name]
