"""Results as tables and data frames: a column for everything, whatever a result holds."""

import html
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm.core.batch import Batch, Failure, Result
from stocklstm.core.csv_rows import Table
from stocklstm.core.frames import data_frame, table_of
from stocklstm.errors import NoPricesError

# As far as pandas 2 goes, which counts nanoseconds.
DAYS = st.dates(date(1700, 1, 1), date(2262, 1, 1))

CELLS = st.one_of(
    *(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False)),
    *(st.text(max_size=5), DAYS.map(str), st.just("2024-03-13T21:05:00Z")),
)


class Kind(Enum):
    GOOD = "good"


@dataclass(frozen=True)
class Score:
    rmse: float
    p: float | None = None


@dataclass(frozen=True)
class Cover:
    level: float
    share: float
    low: float


@dataclass(frozen=True)
class Fold:
    number: int
    score: Score


@dataclass(frozen=True, repr=False)
class Scored(Result):
    SHOWN = ("ticker", "point_rmse")

    ticker: str
    day: str
    point: Score | None
    evaluation: Score
    coverage: tuple[Cover, ...]
    shares: dict[str, float] | None
    names: tuple[str, ...]
    folds: tuple[Fold, ...]
    grid: tuple[float, ...]
    kind: Kind = Kind.GOOD
    path: Path = Path("somewhere")
    verdict_text: str = "NO BETTER <b>"


@dataclass(frozen=True, repr=False)
class Walked(Result):
    ROWS = "folds"

    ticker: str
    number: int
    folds: tuple[Fold, ...]


def scored(ticker: str = "A", point: Score | None = None, shares: object = None) -> Scored:
    covers = (Cover(0.8, 0.79, 0.7), Cover(0.975, 0.97, 0.9))
    folds = (Fold(1, Score(1.0)),)
    return Scored(
        ticker, "2024-03-13", point, Score(0.5), covers, shares, ("x", "y"), folds, (1.0, 2.0)
    )


def test_what_lies_deeper_is_named_by_the_way_to_it() -> None:
    one = scored(point=Score(1.5), shares={"0.8": 0.81, "other": 0.0})

    (row,) = table_of([one]).rows

    assert dict(zip(table_of([one]).columns, row, strict=True)) == {
        "ticker": "A",
        "day": "2024-03-13",
        "point_rmse": 1.5,
        "point_p": None,
        # An evaluation is about the row itself.
        "rmse": 0.5,
        "p": None,
        "coverage_80": 0.79,
        "coverage_low_80": 0.7,
        "coverage_97.5": 0.97,
        "coverage_low_97.5": 0.9,
        "shares_80": 0.81,
        "shares_other": 0.0,
        "names": "x, y",
        "folds": 1,
        "kind": "good",
        "path": "somewhere",
        "verdict_text": "NO BETTER <b>",
    }


def test_what_is_missing_leaves_its_columns_empty() -> None:
    full, empty = scored(point=Score(1.5), shares={"0.8": 0.8}), scored("B")
    frame = Batch((full, empty)).to_frame()

    assert list(frame.columns) == list(table_of([full]).columns)
    assert frame.point_rmse.isna().tolist() == frame["shares_80"].isna().tolist() == [False, True]
    assert list(table_of([empty]).columns) == [c for c in frame.columns if c != "shares_80"]


def test_where_a_result_holds_rows_there_is_one_for_each() -> None:
    walked = Walked("A", 7, (Fold(1, Score(0.5)), Fold(2, Score(0.6))))

    assert table_of([walked]) == Table(
        ("ticker", "number", "score_rmse", "score_p"),
        (),
        (),
        [["A", 1, 0.5, None], ["A", 2, 0.6, None]],
    )


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        ([1, 2], "int64"),
        ([1, None], "Int64"),
        ([1, 2.5, None], "float64"),
        ([True, False], "bool"),
        ([True, None], "boolean"),
        ([None, None], "float64"),
        (["2024-03-13", None], "datetime64[ns]"),
        (["2024-03-13T21:05:00Z", None], "datetime64[ns, UTC]"),
    ],
)
def test_columns_have_the_type_of_what_they_hold(cells: list[object], dtype: str) -> None:
    frame = data_frame(Table(("x",), (), (), [[cell] for cell in cells]))

    # Days are counted in other units by other versions of pandas.
    assert str(frame.x.dtype).replace("[us", "[ns").replace("[s", "[ns") == dtype
    assert frame.x.isna().tolist() == [cell is None for cell in cells]


@settings(max_examples=25)
@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=4))
def test_a_frame_holds_what_the_table_holds(rows: list[list[object]]) -> None:
    frame = data_frame(Table(("a", "b"), (), (), rows))

    assert list(frame.columns) == ["a", "b"]
    for row, found in zip(rows, frame.itertuples(index=False), strict=True):
        for cell, there in zip(row, found, strict=True):
            assert pd.isna(there) if cell is None else there == cell or isinstance(cell, str)


def test_a_result_is_shown_in_short() -> None:
    one = scored(point=Score(1.5))
    failure = Failure("C", NoPricesError("there are no prices of C", hint="stocklstm fetch C"))

    assert repr(one) == "Scored(ticker='A', point_rmse=1.5, ...)"
    assert repr(Batch((one, scored("B")), (failure,))) == (
        "ticker  point_rmse\n"
        "A              1.5\n"
        "B\n"
        "A: NO BETTER <b>\n"
        "B: NO BETTER <b>\n"
        "C: NoPricesError: there are no prices of C\n"
        "[13 more columns: to_frame()]"
    )
    assert repr(Batch(())) == "nothing"
    assert repr(failure) == "Failure(C: NoPricesError: there are no prices of C)"


def test_of_many_rows_the_first_are_shown() -> None:
    lines = repr(Batch(tuple(scored(f"T{number}") for number in range(300)))).splitlines()

    assert lines[20].split() == ["T19"]
    assert lines[21] == "and 280 more rows"


def test_without_a_choice_the_first_columns_that_fit_are_shown() -> None:
    @dataclass(frozen=True)
    class Wide:
        a: str = "x" * 500
        nothing: None = None
        b: str = "y" * 39
        c: str = "z" * 39

    head, row, rest = repr(Batch((Wide(),))).splitlines()

    assert head.split() == ["a", "b"]
    assert row == f"{'x' * 39}…  {'y' * 39}"
    assert rest == "[2 more columns: to_frame()]"


@settings(max_examples=25)
@given(st.text(alphabet="<>&\"'ab", max_size=30))
def test_in_a_notebook_every_value_is_escaped(text: str) -> None:
    page = Batch((scored(text),), (Failure(text, NoPricesError(text)),))._repr_html_()
    page = page.replace(' align="right"', "").replace(" nowrap>", ">")

    for tag in ("table", "thead", "tbody", "tr", "th", "td", "p"):
        page = page.replace(f"<{tag}>", "").replace(f"</{tag}>", "")
    assert "<" not in page
    assert ">" not in page
    assert html.escape(text) in page
    # Colours are the notebook's, light or dark.
    assert "style" not in page
