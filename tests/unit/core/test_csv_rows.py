"""Rows of forecasts as text, and a file of them that grows evening by evening."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stocklstm.core.csv_rows import (
    PLAIN,
    STYLES,
    Cell,
    CsvStyle,
    Table,
    csv_style,
    csv_text,
    with_rows,
)
from stocklstm.errors import ConfigError
from tests.support.property_tests import PROPERTY

COLUMNS = ("ticker", "as_of", "target", "point", "lower_80", "upper_80", "adaptive", "model")
EXCEL = STYLES["excel-br"]


def table(*rows: list[Cell], columns: tuple[str, ...] = COLUMNS) -> Table:
    return Table(columns, ("ticker", "model", "as_of", "target"), ("as_of", "target"), rows)


def row(
    ticker: str = "PETR4.SA", day: int = 13, point: float = 36.5, version: int = 1
) -> list[Cell]:
    days = [f"2024-03-{day:02}", f"2024-03-{day + 1:02}"]
    return [ticker, *days, point, point - 1.25, point + 1.25, False, f"{ticker}@v{version}"]


def test_programs_read_a_decimal_point() -> None:
    assert csv_text(table(row()), PLAIN) == (
        "ticker,as_of,target,point,lower_80,upper_80,adaptive,model\n"
        "PETR4.SA,2024-03-13,2024-03-14,36.5,35.25,37.75,false,PETR4.SA@v1\n"
    )


def test_excel_reads_what_is_usual_in_brazil() -> None:
    text = csv_text(
        table([*row()[:-1], "+b3@v1"], [*row(day=14)[:3], None, -0.5, 1e-7, True, "x;y"]), EXCEL
    )

    assert text.encode() == (
        b"\xef\xbb\xbfticker;as_of;target;point;lower_80;upper_80;adaptive;model\r\n"
        b"PETR4.SA;2024-03-13;2024-03-14;36,5;35,25;37,75;false;b3@v1\r\n"
        b'PETR4.SA;2024-03-14;2024-03-15;;-0,5;1e-07;true;"x;y"\r\n'
    )


def test_styles_take_any_letter_case_and_no_other_name() -> None:
    assert csv_style("Excel-BR") is EXCEL
    with pytest.raises(ConfigError, match="no style 'tsv'") as caught:
        csv_style("tsv")
    assert caught.value.hint == "take plain or excel-br"


def grown(style: CsvStyle, *evenings: list[list[Cell]], found: bytes = b"") -> bytes:
    for rows in evenings:
        found = with_rows(found, table(*rows), style, "f.csv")
    return found


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_a_row_that_is_there_stays_as_it_was_made(style: CsvStyle) -> None:
    first = grown(style, [row(), row("VALE3.SA")])

    assert first == csv_text(table(row(), row("VALE3.SA")), style).encode()
    assert grown(style, [row(point=40.0), row("VALE3.SA")], found=first) == first
    later = grown(style, [row(day=14), row(version=2)], found=first)
    assert later.startswith(first)
    assert (
        later
        == csv_text(table(row(), row("VALE3.SA"), row(day=14), row(version=2)), style).encode()
    )


EVENINGS = st.lists(
    st.lists(
        st.builds(
            row,
            ticker=st.sampled_from(["PETR4.SA", "VALE3.SA", "^BVSP"]),
            day=st.integers(1, 6),
            point=st.floats(0.01, 1e6),
            version=st.integers(1, 2),
        ),
        max_size=5,
    ),
    min_size=1,
    max_size=8,
)


@PROPERTY
@given(evenings=EVENINGS, style=st.sampled_from(list(STYLES.values())))
@example(evenings=[[row()], [row(point=1.0)], []], style=PLAIN)
def test_any_sequence_of_evenings_gives_each_forecast_once(
    evenings: list[list[list[Cell]]], style: CsvStyle
) -> None:
    """The first of each, in the order in which they were made, to the last digit."""
    expected: dict[tuple[Cell, ...], Cell] = {}
    for made in evenings:
        for each in made:
            expected.setdefault((each[0], each[1], each[7]), each[3])

    content = grown(style, *evenings).decode()

    assert content.count(style.mark or COLUMNS[0]) == 1
    read = csv.DictReader(io.StringIO(content.removeprefix(style.mark)), delimiter=style.delimiter)
    found = [
        (
            (each["ticker"], each["as_of"], each["model"]),
            float(each["point"].replace(style.decimal, ".")),
        )
        for each in read
    ]
    assert found == list(expected.items())


def test_what_a_spreadsheet_or_an_editor_did_to_the_ends_is_taken() -> None:
    windows = csv_text(table(row()), PLAIN).replace("\n", "\r\n").encode()
    marked = b"\xef\xbb\xbf" + windows
    cut = windows.rstrip()
    blank = windows + b",,,,,,,\r\n\r\n"

    for found in (windows, marked, cut, blank):
        assert grown(PLAIN, [row()], found=found) == found
        added = grown(PLAIN, [row(day=14)], found=found)
        gap = b"\r\n" if found is cut else b""
        assert added == found + gap + (
            b"PETR4.SA,2024-03-14,2024-03-15,36.5,35.25,37.75,false,PETR4.SA@v1\r\n"
        )


def test_an_empty_file_is_a_new_one() -> None:
    assert grown(PLAIN, [row()], found=b"\n") == csv_text(table(row()), PLAIN).encode()


HEADER = ",".join(COLUMNS)


@pytest.mark.parametrize(
    ("found", "style", "said", "hint"),
    [
        (b"date,close\n", PLAIN, "begins with 'date,close'", "name another file with --csv"),
        (b"\xef\xbb\xbf", PLAIN, "holds something else", "name another file with --csv"),
        (b"a" * 200_000, PLAIN, "no text file", "name another file with --csv"),
        (b"\n\n,\n", PLAIN, "holds something else", "name another file with --csv"),
        (HEADER.encode(), EXCEL, "is of the style plain", "add --csv-style plain"),
        (
            HEADER.replace(",", ";").encode(),
            PLAIN,
            "is of the style excel-br",
            "add --csv-style excel-br",
        ),
        (
            HEADER.replace("_80", "_97.5").encode(),
            PLAIN,
            "has other intervals",
            "--levels 0.975 as in the file",
        ),
        (b"\xff\xfe\x00t", PLAIN, "no text file", "name another file with --csv"),
        (b"PK\x03\x04" + bytes(range(128, 200)), PLAIN, "no text file", "name another file"),
        (
            f"{HEADER}\nPETR4.SA,13/03/2024,14/03/2024,36.5,1,2,false,PETR4.SA@v1\n".encode(),
            PLAIN,
            "line 2 of f.csv is no row of forecasts any more",
            "mend that line",
        ),
        (
            f"{HEADER}\nPETR4.SA,2024-03-13,2024-03-14,36,5,35,2,37,7,false,x\n".encode(),
            PLAIN,
            "line 2 of f.csv",
            "mend that line",
        ),
    ],
)
def test_a_file_that_is_not_its_own_is_refused(
    found: bytes, style: CsvStyle, said: str, hint: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        grown(style, [row()], found=found)

    assert hint in caught.value.hint
