import csv
import io
import os
import pty
import subprocess
import sys
from datetime import date

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stocklstm.core.prices.answers import Basis, Rejection
from stocklstm.errors import ConfigError, NotFoundError, RejectedDataError, StockLstmError
from stocklstm.market.csv import CsvSource
from stocklstm.market.source import FetchRequest
from tests.support.price_rows import PETR4, prices_of


def read(text: str, encoding: str = "utf-8", **form):
    return prices_of(text.encode(encoding), **form)


def fetch(path, **options):
    return CsvSource().fetch(FetchRequest("PETR4.SA", file=path, **options))


YAHOO = """Date,Open,High,Low,Close,Adj Close,Volume
2024-03-12,36.40,37.00,36.20,36.90,34.50,2000
2024-03-13,36.80,37.10,36.00,36.50,34.10,3000
"""

BRAZILIAN = """Data;Abertura;Máxima;Mínima;Fechamento;Fechamento Ajustado;Volume
12/03/2024;36,40;37,00;36,20;36,90;34,50;2.000
13/03/2024;36,80;37,10;36,00;36,50;34,10;3.000
"""


def test_yahoo_columns():
    bars, rejections = read(YAHOO)
    assert rejections == ()
    assert bars.dates.dtype == np.dtype("datetime64[D]")
    assert bars.dates.astype(str).tolist() == ["2024-03-12", "2024-03-13"]
    assert bars.opens.tolist() == [36.4, 36.8]
    assert bars.highs.tolist() == [37.0, 37.1]
    assert bars.lows.tolist() == [36.2, 36.0]
    assert bars.closes.tolist() == [36.9, 36.5]
    assert bars.adj_closes.tolist() == [34.5, 34.1]
    assert bars.volumes.tolist() == [2000, 3000]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_brazilian_spreadsheet_reads_the_same(encoding, line_end):
    bars, rejections = read(BRAZILIAN.replace("\n", line_end), encoding)
    assert rejections == ()
    assert bars.fingerprint() == read(YAHOO)[0].fingerprint()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators(separator):
    text = YAHOO.replace(",", separator)
    assert read(text)[0].fingerprint() == read(YAHOO)[0].fingerprint()


def test_a_site_that_writes_newest_first_with_quoted_commas():
    bars, rejections = read(
        '"Data","Último","Abertura","Máxima","Mínima","Vol.","Var%"\n'
        '"13.03.2024","118.532","118.000","119.000","117.100","12,34B","-0,5%"\n'
        '"12.03.2024","117.000","116.500","117.900","116.000","987,6M","0,1%"\n'
    )
    assert rejections == ()
    assert bars.closes.tolist() == [118532, 117000]
    assert np.isnan(bars.adj_closes).all()
    assert bars.volumes.tolist() == [12.34e9, 987.6e6]


def test_closes_alone():
    bars, _ = read("Date,Close\n2024-03-12,36.9\n2024-03-13,36.5\n")
    assert bars.closes.tolist() == [36.9, 36.5]
    for missing in (bars.opens, bars.highs, bars.lows, bars.adj_closes, bars.volumes):
        assert np.isnan(missing).all()


def test_what_yfinance_writes_for_one_ticker():
    bars, rejections = read(
        "Price,Adj Close,Close,High\nTicker,PETR4.SA,PETR4.SA,PETR4.SA\nDate,,,\n"
        "2024-03-12 00:00:00-03:00,34.5,36.9,37\n"
    )
    assert rejections == ()
    assert bars.dates.astype(str).tolist() == ["2024-03-12"]
    assert (bars.closes[0], bars.adj_closes[0]) == (36.9, 34.5)


def test_what_yahoo_offered_for_download():
    bars, rejections = read(
        "Date,Open,High,Low,Close,Adj Close,Volume\r\n"
        "2024-03-12,36.400002,37.000000,36.200001,36.900002,34.500000,20000000\r\n"
        "2024-03-13,null,null,null,null,null,null"
    )
    assert rejections == ()
    assert bars.closes[0] == 36.900002
    assert np.isnan(bars.closes[1])


def test_what_google_finance_writes():
    bars, rejections = read(
        "Date,Open,High,Low,Close,Volume\n"
        "3/12/2024 16:56:00,36.4,37,36.2,36.9,2000\n3/13/2024 16:56:00,36.8,37.1,36,36.5,3000\n"
    )
    assert rejections == ()
    assert bars.dates.astype(str).tolist() == ["2024-03-12", "2024-03-13"]
    assert bars.volumes.tolist() == [2000, 3000]


def test_what_investing_com_writes_in_portuguese():
    bars, rejections = read(
        '\ufeff"Data";"Último";"Abertura";"Máxima";"Mínima";"Vol.";"Var%"\n'
        '"13.03.2024";"36,50";"36,80";"37,10";"36,00";"12,3M";"-1,08%"\n'
        '"12.03.2024";"36,90";"36,40";"37,00";"36,20";"987,65K";"0,00%"\n'
    )
    assert rejections == ()
    assert bars.dates.astype(str).tolist() == ["2024-03-13", "2024-03-12"]
    assert bars.closes.tolist() == [36.5, 36.9]
    assert bars.volumes.tolist() == [12.3e6, 987.65e3]


def test_what_a_b3_spreadsheet_holds():
    bars, rejections = read(
        "Código;Data do Pregão;Preço de Abertura;Preço Máximo;Preço Mínimo;Preço de Fechamento\n"
        "PETR4;12/03/2024;R$ 36,40;R$ 37,00;R$ 36,20;R$ 1.036,90\n"
        "PETR4;13/03/2024;R$ 36,80;R$ 37,10;R$ 36,00;R$ 36,50\n;;;;;\n",
        "cp1252",
    )
    assert rejections == ()
    assert bars.closes.tolist() == [1036.9, 36.5]
    assert bars.highs.tolist() == [37, 37.1]


@pytest.mark.parametrize("extra", [b"\x80 36,50", b"\x81", b"\x85\x93\x94"])
def test_bytes_of_windows_1252_and_beyond_cost_their_row_at_most(extra):
    content = (
        b"Data;M\xe1xima;Fechamento\n12/03/2024;37,00;36,90\n13/03/2024;" + extra + b";36,50\n"
    )
    bars, rejections = prices_of(content)
    assert bars.highs[0] == 37
    assert len(bars) + len(rejections) == 2


def test_the_euro_sign_of_windows():
    assert read("Date;Close\n2024-03-12;€ 36,50\n", "cp1252")[0].closes.tolist() == [36.5]


def test_a_quotation_mark_left_open_costs_its_line_only():
    bars, rejections = read(
        'Date,Close\n2024-03-12,"36.9\n2024-03-13,36.5\n2024-03-14,"36,5\n2024-03-15,"36.4"\n'
    )
    assert bars.closes.tolist() == [36.9, 36.5, 36.4]
    assert rejections == (Rejection("2024-03-14", "close: '36,5' is not a number"),)
    bars, rejections = read("Date,Close\n" + 'x","\n' + "2024-03-13,36.5\n" * 20_000)
    assert len(bars) == 20_000
    assert len(rejections) == 1


def test_many_numbers_that_agree_settle_the_decimal_mark():
    bars, rejections = read(
        "Date,Close\n" + "2024-03-12,36.5\n" * 10_000 + '2024-03-13,"1,5"\n' * 3
    )
    assert len(bars) == 10_000
    assert {rejection.reason for rejection in rejections} == {"close: '1,5' is not a number"}


def test_numbers_that_disagree_are_all_counted():
    few, many = "2024-03-12;36.5\n" * 3, "2024-03-13;1,5\n" * 12_000
    assert len(read("Date;Close\n" + few + many)[0]) == 12_000


CUT = "Date,Open,Close,Volume\n" + "".join(f"2024-02-{d},36.00,36.{d},100\n" for d in range(12, 17))
SIX = "Date,Close\n" + "".join(f"2024-02-{d},36.0000{d}\n" for d in range(12, 17))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (CUT + "2024-03-13,36.90,36.38,3", True),  # a volume may be as small
        (CUT + "2024-03-13,36.90,36.", False),
        (CUT + "2024-03-13,36.9", False),
        (CUT + "2024-03-13,36.9\n", True),
        (SIX + "2024-03-13,36.90", False),
        (SIX + "2024-03-13,36.900000", True),
        (SIX + "2024-03-13,36.90\n", True),
        (SIX.replace("0000", "") + "2024-03-13,36.9", True),  # as pandas writes 36.90
        (SIX.replace("0000", "") + "2024-03-13,3", False),
        (SIX.replace("\n", "\r") + "2024-03-13,36.90", False),
    ],
)
def test_a_file_that_ends_in_the_middle_of_a_row(text, kept):
    bars, rejections = read(text)
    assert len(bars) == 5 + kept
    cut = () if kept else (Rejection("2024-03-13", "the file ends in the middle of this row"),)
    assert rejections == cut


def test_a_second_header():
    first, second = "Date,Open,Close\n2024-03-12,36,36.8\n", "Date,Close,Open\n2024-03-13,36.3,36\n"
    bars, rejections = read(first + first.replace("12", "13"))
    assert (len(bars), rejections) == (2, ())
    with pytest.raises(RejectedDataError, match="second header with other columns in line 3"):
        read(first + second)


def test_the_line_in_which_excel_names_its_separator():
    assert len(read("sep=;\n" + BRAZILIAN)[0]) == 2


@pytest.mark.parametrize(
    ("mark", "texts", "values"),
    [
        ("point", ["1,234.56", "12"], [1234.56, 12]),
        ("point", ["1,234,567", "1.234"], [1234567, 1.234]),
        ("point", ["12345.678", "1.234"], [12345.678, 1.234]),
        ("point", ["1e-05", "R$ 1.5"], [1e-05, 1.5]),
        ("comma", ["1.234,56", "12"], [1234.56, 12]),
        ("comma", ["1.234.567", "1,234"], [1234567, 1.234]),
        ("comma", ["0,123", "1.234"], [0.123, 1234]),
        ("comma", ["R$ 38,42", "+38,4"], [38.42, 38.4]),
    ],
)
def test_decimal_marks(mark, texts, values):
    lines = "".join(f"2024-03-{day};{text}\n" for day, text in enumerate(texts, start=11))
    bars, rejections = read("Date;Close\n" + lines)
    assert rejections == (), mark
    assert bars.closes.tolist() == pytest.approx(values)


@pytest.mark.parametrize(
    ("text", "close"),
    [
        ("Date,Close\n2024-03-12,118.532\n", 118.532),
        ("Date;Close\n2024-03-12;36,125\n2024-03-13;36,500\n", 36.125),
        ("Data;Fechamento\n2024-03-12;36,125\n", 36.125),
        ("Data,Fechamento\n2024-03-12,118.532\n", 118.532),
        ("Data;Fechamento;Var%\n2024-03-12;118.532;-0,5%\n", 118532),
        ('Date,Close,Volume\n2024-03-12,"36,125","1,234,567"\n', 36125),
        ('Date,Close,Chg\n2024-03-12,"36,125",0.5%\n', 36125),
        ("Date;Close;Low\n2024-03-12;36,125;0,125\n", 36.125),
    ],
)
def test_three_digits_behind_a_mark_are_decimals_unless_something_speaks_for_thousands(text, close):
    assert read(text)[0].closes[0] == close


@pytest.mark.parametrize(
    ("text", "mark", "close"),
    [
        ("Data;Fechamento\n2024-03-12;118.532\n", ",", 118532),
        ("Date;Close\n2024-03-12;118.532\n", ".", 118.532),
        ("Data;Fechamento\n2024-03-12;118.532\n", ".", 118.532),
        ('Date,Close\n2024-03-12,"36,125"\n', ".", 36125),
        ('Date,Close\n2024-03-12,"36,125"\n', ",", 36.125),
        ("Date\tClose\n2024-03-12\t36,125\n", ",", 36.125),
        ("Date;Close;Low\n2024-03-12;36,125;1.234\n", ",", 36.125),
    ],
)
def test_what_can_be_read_in_two_ways_is_asked_about(text, mark, close):
    with pytest.raises(ConfigError, match="cannot be told from the file") as caught:
        read(text)
    assert f"--decimal {mark}" in caught.value.hint
    assert read(text, decimal=mark)[0].closes.tolist() == [close]


def test_where_both_marks_are_shown_a_number_that_shows_neither_is_not_read():
    bars, rejections = read(
        "Date;Close\n2024-03-11;1,5\n2024-03-12;2,5\n2024-03-13;1.5\n2024-03-14;1.250\n"
    )
    assert bars.closes.tolist() == [1.5, 2.5]
    assert [row.reason for row in rejections] == [
        "close: '1.5' is not a number",
        "close: '1.250' can be read in two ways",
    ]


@pytest.mark.parametrize("blank", ["", "null", "N/A", "-", "NaN", "n/d"])
def test_blank_cells_are_nan(blank):
    bars, rejections = read(f"Date,Open,Close,Volume\n2024-03-12,{blank},36.9,{blank}\n")
    assert rejections == ()
    assert np.isnan(bars.opens[0])
    assert np.isnan(bars.volumes[0])
    assert bars.closes[0] == 36.9


def test_unreadable_rows_are_named():
    bars, rejections = read(
        "Date,Open,Close\n2024-03-12,36,36.9\n2024-13-01,1,2\nlater,1,2\n2024-03-14,1,abc\n"
        '2024-03-15,"36,5",2\n2024-03-18,1,2,3,4\n,,\n,1,2\n2024-03-19\n'
    )
    assert bars.dates.astype(str).tolist() == ["2024-03-12", "2024-03-19"]
    assert np.isnan(bars.closes[1])
    assert rejections == (
        Rejection("2024-13-01", "'2024-13-01' is not a date like the others"),
        Rejection("later", "'later' is not a date like the others"),
        Rejection("2024-03-14", "close: 'abc' is not a number"),
        Rejection("2024-03-15", "open: '36,5' is not a number"),
        Rejection("2024-03-18", "5 cells, but the header names 3"),
        Rejection("", "'' is not a date like the others"),
    )


def test_what_a_row_said_is_shown_short_and_harmless():
    _, rejections = read(f"Date,Close\n2024-03-12,36\n\u202e{'x' * 99},1\n")
    assert len(rejections[0].date) <= 60
    assert rejections[0].date.isascii()


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["13/03/2024", "01/04/2024"], ["2024-03-13", "2024-04-01"]),
        (["03/13/2024", "04/01/2024"], ["2024-03-13", "2024-04-01"]),
        (["13-3-24", "1-4-24"], ["2024-03-13", "2024-04-01"]),
        (["13.03.1999", "01.04.1999"], ["1999-03-13", "1999-04-01"]),
        (["31/12/69", "1/1/68"], ["1969-12-31", "2068-01-01"]),
        (["2024/03/13", "2024/04/01"], ["2024-03-13", "2024-04-01"]),
        (["20240313", "20240401"], ["2024-03-13", "2024-04-01"]),
        (["2024-03-13T10:00:00Z", "2024-04-01"], ["2024-03-13", "2024-04-01"]),
        (["04/04/2024", "05/05/2024"], ["2024-04-04", "2024-05-05"]),
    ],
)
def test_dates_are_found_out(dates, expected):
    bars, rejections = read("Date,Close\n" + "".join(f"{day},1\n" for day in dates))
    assert rejections == ()
    assert bars.dates.astype(str).tolist() == expected


def test_a_slip_in_one_date_does_not_make_the_others_ambiguous():
    bars, rejections = read("Date,Close\n13/03/2024,1\n13/13/2024,2\n99/01/2024,3\n01/99/2024,4\n")
    assert bars.dates.astype(str).tolist() == ["2024-03-13"]
    assert [rejection.date for rejection in rejections] == [
        "13/13/2024",
        "99/01/2024",
        "01/99/2024",
    ]


AMBIGUOUS = "Date,Close\n01/02/2024,1\n02/02/2024,2\n"


@pytest.mark.parametrize(
    "text",
    [
        AMBIGUOUS,
        AMBIGUOUS.replace("\n", "\n99/99/2024,1\n", 1),
    ],
)
def test_ambiguous_dates_are_asked_about(text):
    with pytest.raises(ConfigError, match="01/02/2024: which is the day") as caught:
        read(text)
    assert "--date-format" in caught.value.hint


def test_date_format_settles_the_matter():
    first = read(AMBIGUOUS, date_format="%d/%m/%Y")[0].dates
    assert first.astype(str).tolist() == ["2024-02-01", "2024-02-02"]
    first = read(AMBIGUOUS, date_format="%m/%d/%Y")[0].dates
    assert first.astype(str).tolist() == ["2024-01-02", "2024-02-02"]
    with pytest.raises(RejectedDataError, match="%Y-%m-%d reads none of its dates") as caught:
        read(AMBIGUOUS, date_format="%Y-%m-%d")
    assert "--date-format %d/%m/%Y or --date-format %m/%d/%Y" in caught.value.hint
    with pytest.raises(RejectedDataError) as caught:
        read(YAHOO, date_format="%d/%m/%Y")
    assert "leave --date-format out" in caught.value.hint


@pytest.mark.parametrize("pattern", ["", "%d/%m", "%Q", "%", "%Y %Y", "%Y-%m", "\0", "words"])
def test_useless_date_formats(pattern):
    with pytest.raises(ConfigError, match="is not a pattern of whole dates"):
        read(AMBIGUOUS, date_format=pattern)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \r\n\n", "is empty"),
        (b"Date,Close\n", "has a header but no prices"),
        (b"Date,Close\n,\n\n", "has a header but no prices"),
        (b"2024-03-12,36.9\n2024-03-13,36.5\n", "has no date column: its first line is"),
        (b"Close,Volume\n36,1\n", "has no date column"),
        (b"Date,Volume\n2024-03-12,1\n", "has no close column"),
        (b"<html><body>no</body></html>", "is a web page"),
        (b" <!DOCTYPE html>\n<html>", "is a web page"),
        (b'{"chart": 1}', "is JSON"),
        (b"PAR1\x15\x04", "is a Parquet file"),
        (b"00COTAHIST.2024BOVESPA 20240313\n", "is a file of B3"),
        (b"PK\x03\x04" + bytes(26) + b"COTAHIST_A2023.TXT", "is a file of B3"),
        (b"\x1f\x8b\x08", "is compressed"),
        (b"\x80\x04\x95", "is a pickle"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "is an Excel workbook"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not a text file"),
        (b"PK\x03\x04\x14\0", "is a ZIP archive or an Excel workbook"),
        (b"\xff\xfe\x00", "is not a text file"),
        (b"\xff\xfeD\xd8", "is not a text file"),
        (YAHOO.encode("utf-16-le"), "is not a text file"),
        (b"Date,Close\n2024-03-12,36\0\n", "is not a text file"),
        (b"Date,Close\n2024-03-12,36\n" + b"1" * 140_000, "is not a table of prices: a line has"),
        (b"Date,Close\n2024-03-12,36\n" + b"1," * 70_000, "is not a table of prices: a line has"),
        (b"Date,Close," + b"1" * 140_000 + b"\n", "is not a table of prices: a line has"),
        (b"Date,Close,Close\n2024-03-12,1,2\n", "more than one close"),
    ],
)
def test_what_is_no_table_of_prices(content, message):
    with pytest.raises(RejectedDataError, match=message) as caught:
        prices_of(content)
    assert caught.value.message.startswith("prices.csv ")
    assert len(caught.value.message) < 120
    assert caught.value.hint


def test_more_rows_than_there_are_days_are_refused(monkeypatch):
    monkeypatch.setattr("stocklstm.market.tables.table._MOST_ROWS", 1000)
    row = b"2024-03-12,36.9\n"
    assert len(prices_of(b"Date,Close\n" + row * 1000)[0]) == 1000
    with pytest.raises(RejectedDataError, match="has more than 1,000 rows") as caught:
        prices_of(b"Date,Close\n" + row * 1001)
    assert caught.value.hint


def test_the_source_reads_the_named_file(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text(YAHOO)
    answer = fetch(path)
    assert (answer.instrument, answer.source, answer.actions) == (PETR4, "csv", ())
    assert len(answer.bars) == 2
    assert len(fetch(path, start="2024-03-13").bars) == 1


@pytest.mark.parametrize("header", ["Date,Close", "Date,Close,Adj Close"])
def test_without_an_adjusted_close_the_prices_allow_for_splits_only(tmp_path, header):
    path = tmp_path / "prices.csv"
    path.write_text(f"{header}\n2024-03-12,36.9\n2024-03-13,36.5\n")
    answer = fetch(path)
    assert answer.basis is Basis.SPLIT_ADJUSTED
    assert np.isnan(answer.bars.adj_closes).all()


def test_with_an_adjusted_close_in_any_row_they_are_adjusted(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text("Date,Close,Adj Close\n2024-03-12,36.9,34.5\n2024-03-13,36.5,\n")
    assert fetch(path).basis is Basis.ADJUSTED
    # What was not asked for tells of the file too.
    assert fetch(path, start="2024-03-13").basis is Basis.ADJUSTED


def test_a_file_too_large_is_not_read_to_its_end(tmp_path, monkeypatch):
    path = tmp_path / "prices.csv"
    path.write_text(YAHOO)
    monkeypatch.setattr("stocklstm.market.csv.LARGEST_FILE", len(YAHOO))
    assert len(fetch(path).bars) == 2
    path.write_text(YAHOO + "\n")
    with pytest.raises(RejectedDataError, match="is larger than") as caught:
        fetch(path)
    assert caught.value.hint


FROM_STANDARD_INPUT = """
from pathlib import Path
from stocklstm.errors import StockLstmError
from stocklstm.market.csv import CsvSource
from stocklstm.market.source import FetchRequest
try:
    print(len(CsvSource().fetch(FetchRequest("PETR4.SA", file=Path("-"))).bars))
except StockLstmError as error:
    print(type(error).__name__, error.message, error.hint, sep=": ")
"""


def fetch_from_standard_input(*command, **options):
    run = subprocess.run(
        [*command, sys.executable, "-c", FROM_STANDARD_INPUT],
        capture_output=True,
        timeout=60,
        check=True,
        **options,
    )
    assert run.stderr == b""
    return run.stdout.decode()


def test_a_dash_means_standard_input():
    assert fetch_from_standard_input(input=BRAZILIAN.encode("cp1252")) == "2\n"


def test_standard_input_is_named_in_messages():
    out = fetch_from_standard_input(input=b"")
    assert out.startswith("RejectedDataError: standard input is empty: ")


def test_a_terminal_is_refused_instead_of_waited_for():
    primary, secondary = pty.openpty()
    try:
        out = fetch_from_standard_input(stdin=secondary)
    finally:
        os.close(primary)
        os.close(secondary)
    assert out.startswith("ConfigError: --file - reads standard input, which is a terminal")
    assert "< prices.csv" in out


def test_standard_input_may_be_closed():
    out = fetch_from_standard_input("/bin/sh", "-c", 'exec "$@" <&-', "sh")
    assert out.startswith("ConfigError: --file - reads standard input, which is closed")


def test_standard_input_may_be_unreadable(tmp_path):
    with (tmp_path / "written").open("wb") as written:
        out = fetch_from_standard_input(stdin=written)
    assert out.startswith("NotFoundError: standard input cannot be read: ")


def test_a_file_must_be_named():
    with pytest.raises(ConfigError) as caught:
        fetch(None)
    assert "--file" in caught.value.hint


@pytest.mark.parametrize("name", ["nowhere.csv", ".", "x" * 300, "nul\0.csv"])
def test_a_file_that_cannot_be_opened(tmp_path, name):
    with pytest.raises(NotFoundError) as caught:
        fetch(tmp_path / name)
    assert "--file" in caught.value.hint


@given(st.binary(max_size=300))
@example(b"Date,Close\n2024-01-02,1e999\n")
@example(b"Date,Close\n2024-01-02,\xb2\n\xb9999-01-01,1\n")
@example(b'Date,Close\n2024-01-02,"1\n')
@example(b"\xff\xfeD\xd8")
def test_any_bytes_give_rows_or_an_error_of_ours(content):
    assert_readable_or_ours(content)


@given(st.text(alphabet="0123456789.,-/;\t\n\"' eEMKR$nul+", max_size=200))
def test_any_cells_give_rows_or_an_error_of_ours(text):
    assert_readable_or_ours(f"Date,Close,Volume\n{text}".encode())
    assert_readable_or_ours(f"Data;Fechamento\n{text}".encode())


def assert_readable_or_ours(content):
    try:
        bars, rejections = prices_of(content)
    except StockLstmError:
        return
    assert bars.dates.dtype == np.dtype("datetime64[D]")
    assert not np.isnat(bars.dates).any()
    assert len(bars.closes) == len(bars.volumes) == len(bars)
    assert len(bars) + len(rejections) > 0
    assert all(rejection.reason for rejection in rejections)


PRICES = st.floats(0.01, 1e6).map(lambda price: round(price, 2))
ROWS = st.lists(
    st.tuples(st.dates(date(1970, 1, 1), date(2068, 12, 31)), *[PRICES] * 5),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row[0],
)


@given(
    rows=ROWS,
    separator=st.sampled_from(",;\t"),
    decimal=st.sampled_from(".,"),
    grouped=st.booleans(),
    date_format=st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%d/%m/%Y", "%m-%d-%Y", "%d.%m.%y"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "utf-16"]),
)
def test_written_rows_come_back_whatever_the_dialect(
    rows, separator, decimal, grouped, date_format, encoding
):
    def number(value):
        text = f"{value:,.2f}" if grouped else f"{value:.2f}"
        return text.translate(str.maketrans(".,", ",.")) if decimal == "," else text

    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator)
    writer.writerow(["Data", "Abertura", "Máximo", "Mínimo", "Último", "Fechamento ajustado"])
    for day, *prices in rows:
        writer.writerow([day.strftime(date_format), *map(number, prices)])
    bars, rejections = read(
        buffer.getvalue(), encoding, date_format=date_format, accept_spacing=True
    )
    assert rejections == ()
    assert bars.dates.tolist() == [row[0] for row in rows]
    columns = (bars.opens, bars.highs, bars.lows, bars.closes, bars.adj_closes)
    assert [list(prices) for prices in zip(*columns, strict=True)] == [
        list(row[1:]) for row in rows
    ]
