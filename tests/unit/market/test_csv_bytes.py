"""Whatever a file holds, it becomes rows that can be believed or an error that helps."""

import tempfile
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stocklstm.core.exits import ExitCode, exit_code
from stocklstm.core.prices.answers import Basis
from stocklstm.errors import StockLstmError
from stocklstm.market.calendar import sessions
from stocklstm.market.clean import clean
from stocklstm.market.csv import CsvSource
from stocklstm.market.source import FetchRequest

EXAMPLES = 120
CALENDAR = sessions("BVMF", np.datetime64("2010-01-04"), np.datetime64("2025-03-14"))
LAST_FINAL = np.datetime64("2024-12-31")

REAL = b"".join(
    files("stocklstm").joinpath("data", "PETR4.SA.csv").read_bytes().splitlines(keepends=True)[:31]
)
BRAZILIAN = "Data;Abertura;Máxima;Mínima;Último;Vol.;Var%\r\n" + "".join(
    f"{day:02}/03/2024;36,40;37,10;36,00;1.036,{day};12,{day}M;-0,5%\r\n" for day in range(1, 30)
)
SEEDS = [
    REAL,
    BRAZILIAN.encode("cp1252"),
    BRAZILIAN.encode("utf-16"),
    ("sep=;\n" + BRAZILIAN.replace("36,40", "€ 36,40")).encode("utf-8-sig"),
    b"Price,Adj Close,Close\nTicker,PETR4.SA,PETR4.SA\nDate,,\n2024-03-12 00:00:00,34.5,36.9\n",
]

# What means something to a reader of tables, besides bytes by chance.
TOKENS = st.sampled_from(
    [
        *(b"\n", b"\r", b'"', b";", b",", b"\t", b".", b"-", b"\0", b"\x80", b"\xff\xfe"),
        *(b"\xef\xbb\xbf", b"null", b"1e999", b"nan", b"9" * 400, b"R$", b"sep=|\n"),
        *(b"0001-01-01", b"31/12/9999"),
    ]
)


def flip(content, place, piece):
    return content[:place] + bytes([content[place] ^ (piece[0] or 1)]) + content[place + 1 :]


def insert(content, place, piece):
    return content[:place] + piece + content[place:]


def delete(content, place, piece):
    return content[:place] + content[place + len(piece) :]


def duplicate_line(content, place, _piece):
    lines = content.splitlines(keepends=True)
    chosen = place % len(lines)
    return b"".join([*lines[:chosen], lines[chosen], *lines[chosen:]])


def delete_line(content, place, _piece):
    lines = content.splitlines(keepends=True)
    del lines[place % len(lines)]
    return b"".join(lines)


def move_line(content, place, piece):
    lines = content.splitlines(keepends=True)
    lines.insert(piece[0] % len(lines), lines.pop(place % len(lines)))
    return b"".join(lines)


@st.composite
def mutated_files(draw):
    content = draw(st.sampled_from(SEEDS))
    changes = [flip, insert, delete, duplicate_line, delete_line, move_line]
    for change in draw(st.lists(st.sampled_from(changes), min_size=1, max_size=6)):
        if content:
            place = draw(st.integers(0, len(content) - 1))
            piece = draw(TOKENS | st.binary(min_size=1, max_size=8))
            content = change(content, place, piece)
    return content


def cleaned(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "prices.csv")
        path.write_bytes(content)
        answer = CsvSource().fetch(FetchRequest("PETR4.SA", file=path))
    if answer.basis is not Basis.ADJUSTED:
        # What remains to be done with such prices is not a file's affair.
        assert np.isnan(answer.bars.adj_closes).all()
        answer = replace(answer, bars=replace(answer.bars, adj_closes=answer.bars.closes.copy()))
    return clean(answer, CALENDAR, last_final=LAST_FINAL)


def assert_believable_or_helpful(content):
    try:
        prices = cleaned(content)
    except StockLstmError as error:
        assert_helpful(error)
    else:
        assert_believable(prices)


def assert_helpful(error):
    assert error.message
    assert error.hint
    assert exit_code(error) not in {ExitCode.OK, ExitCode.BUG}


def assert_believable(prices):
    bars = prices.bars
    days = bars.dates.tolist()
    assert days, "a file without a single row is refused"
    assert all(earlier < later for earlier, later in pairwise(days))
    columns = (bars.opens, bars.highs, bars.lows, bars.closes, bars.adj_closes, bars.volumes)
    assert {len(column) for column in columns} == {len(days)}
    for closes in (bars.closes, bars.adj_closes):
        assert np.isfinite(closes).all()
        assert (closes > 0).all()
    assert not (bars.highs < bars.lows).any()
    assert not (bars.volumes < 0).any()
    assert not np.isinf(bars.volumes).any()
    assert all(rejection.reason for rejection in prices.rejections)


def test_the_files_to_be_mutated_are_good():
    assert [len(cleaned(content).bars) for content in SEEDS] == [30, 21, 21, 21, 1]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.data_too_large])
@given(mutated_files())
@example(REAL.replace(b"\n", b""))
@example(BRAZILIAN.encode("utf-16")[:-1])
@example(BRAZILIAN.encode("utf-16")[1:])
def test_a_mutated_file(content):
    assert_believable_or_helpful(content)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=400))
@example(b"")
@example(b"\xff\xfe")
@example(b"Date,Close\n0001-01-01,1\n9999-12-31,1\n")
@example(b"Date,Close\n2024-03-12,-1e999\n")
def test_any_bytes(content):
    assert_believable_or_helpful(content)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(TOKENS | st.binary(max_size=6), max_size=40).map(b"".join))
def test_any_cells(body):
    assert_believable_or_helpful(b"Date,Close,Volume\n2024-03-12,36.5,1\n" + body)
    assert_believable_or_helpful(b"Data;Fechamento;Fech. Ajustado\n" + body)
