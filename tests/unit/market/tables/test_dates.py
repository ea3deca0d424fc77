"""How dates are read, or refused: each right day was written down by hand."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.errors import ConfigError, RejectedDataError, StockLstmError
from stocklstm.market.csv import CsvSource
from stocklstm.market.source import FetchRequest
from stocklstm.market.tables.price_file import FileForm, PriceFile
from tests.support.price_rows import prices_of

MARCH_13 = ["2024-03-13"]


def days(*texts: str, ticker: str = "PETR4.SA", **form) -> list[str]:
    rows = "".join(f'"{text}";{30 + place}.5\n' for place, text in enumerate(texts))
    bars, rejections = prices_of(f"Date;Close\n{rows}".encode(), ticker, **form)
    assert rejections == ()
    assert bars.closes.tolist() == [30.5 + place for place in range(len(texts))]
    return bars.dates.astype(str).tolist()


@pytest.mark.parametrize(
    "text",
    [
        *("2024-03-13", "2024/3/13", "2024.03.13", "20240313", "13/03/2024", "3/13/24", "13.3.24"),
        *("Mar 13, 2024", "March 13th, 2024", "Wed, 13 Mar 2024", "Wednesday, March 13, 2024"),
        *("13-Mar-2024", "13-MAR-24", "13/mar/24", "13 de março de 2024", "13 de mar. de 2024"),
        *("quarta-feira, 13 de março de 2024", "miércoles 13 de marzo de 2024", "2024-Mar-13"),
        *("2024-03-13 16:56:00", "13/03/2024 16:56:00", "3/13/2024 4:00 PM", "202403131656"),
        *("2024-03-13T13:00:00Z", "2024-03-13 00:00:00-03:00", "2024-03-13T16:56:00.000-0300"),
        *("1710288000", "1710288000000", "1710288000000000", "1710288000000000000"),
        *("Wed Mar 13 2024 00:00:00 GMT-0300 (Brasilia Standard Time)", "'2024-03-13"),
    ],
)
def test_one_day_as_many_write_it(text):
    assert days(text) == MARCH_13


@pytest.mark.parametrize(
    ("month", "names"),
    list(
        enumerate(
            [
                "jan january janeiro ene enero",
                "feb february fev fevereiro febrero",
                "mar march março marzo",
                "apr april abr abril",
                "may mai maio mayo",
                "jun june junho junio",
                "jul july julho julio",
                "aug august ago agosto",
                "sep sept september set setembro septiembre",
                "oct october out outubro octubre",
                "nov november novembro noviembre",
                "dec december dez dezembro dic diciembre",
            ],
            start=1,
        )
    ),
)
def test_months_in_three_languages(month, names):
    for name in names.split():
        for written in (name, name.upper(), f"{name}."):
            assert days(f"15 {written} 2023") == [f"2023-{month:02}-15"]


@given(st.dates(date(1970, 1, 2), date(2069, 1, 1)))
def test_any_day_with_the_name_of_its_month(day):
    assert days(day.strftime("%d-%b-%Y")) == [str(day)]
    assert days(day.strftime("%B %d, %Y")) == [str(day)]


# Rows 2 and 9 of a sheet that Excel turned round as far as it could: 3 to 12 March.
HALF = ["03/11/2024", "03/12/2024", "13/03/2024", "14/03/2024", "15/03/2024"]


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        (["03/12/2024", "13-03-2024"], ("03/12/2024", "13-03-2024")),
        (["2024-03-12", "13/03/2024"], ("2024-03-12", "13/03/2024")),
        (["13/03/2024", "13/03/24"], ("13/03/2024", "13/03/24")),
        (["13/03/2024", "03/14/2024"], ("13/03/2024", "03/14/2024")),
        (["13/03/2024", "14-Mar-2024"], ("13/03/2024", "14-Mar-2024")),
        (["20240312", "1710288000"], ("20240312", "1710288000")),
        (["2024-03-12", "2024-13-03"], ("2024-03-12", "2024-13-03")),
        (HALF, ("03/11/2024", "13/03/2024")),
        (HALF[::-1], ("03/12/2024", "15/03/2024")),
        (["3/12/2024", "13/03/2024"], ("3/12/2024", "13/03/2024")),
    ],
)
def test_two_kinds_of_dates_are_shown(texts, shown):
    with pytest.raises(RejectedDataError) as caught:
        days(*texts)
    assert all(text in caught.value.message for text in shown)
    assert "line 2" in caught.value.message
    assert "yyyy-mm-dd" in caught.value.hint


# Real sessions around the turn of a month, of which a sheet has turned some round.
MIXES = [
    "23/11/2020 24/11/2020 25/11/2020 27/11/2020 30/11/2020 01/12/2020 12/02/2020 12/03/2020",
    "27/08/2015 28/08/2015 31/08/2015 01/09/2015 02/09/2015 09/03/2015 09/04/2015 09/08/2015",
    "05/08/2020 11/05/2020 05/12/2020 13/05/2020 14/05/2020",
    "31/10/2014 11/03/2014 04/11/2014 05/11/2014 11/06/2014",
    "01/26/2012 01/27/2012 01/30/2012 01/31/2012 02/01/2012 02/02/2012 03/02/2012",
    "28/12/2012 31/12/2012 01/01/2013 02/01/2013 01/03/2013 01/04/2013 01/07/2013 01/08/2013",
]


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("order", [1, -1])
def test_a_column_in_two_orders_is_refused_with_two_rows(mix, order):
    texts = mix.split()[::order]
    with pytest.raises(RejectedDataError, match="break the order of the file") as caught:
        days(*texts)
    assert sum(text in caught.value.message for text in texts) == 2
    pattern = "%m/%d/%Y" if mix.startswith("01/26") else "%d/%m/%Y"
    with pytest.raises(RejectedDataError, match="break the order of the file"):
        days(*texts, date_format=pattern)


def test_a_pattern_is_refused_where_all_dates_are_understood_without_it():
    texts = [f"2024-{month:02}-{day:02}" for month in (1, 2) for day in (2, 3, 4, 15, 16)]
    with pytest.raises(RejectedDataError, match="leaves 4 dates unread") as caught:
        days(*texts, date_format="%Y-%d-%m")
    assert caught.value.hint.startswith("leave --date-format out")


def test_a_shuffled_file_is_not_taken_for_half_converted():
    ordered = [date(2024, month, day) for month in (2, 3) for day in range(1, 29)]
    weekdays = [day for day in ordered if day.weekday() < 5]
    shuffled = weekdays[::3] + weekdays[1::3] + weekdays[2::3]
    texts = [day.strftime("%d/%m/%Y") for day in shuffled]
    assert days(*texts) == [str(day) for day in shuffled]


def test_a_shuffled_half_converted_sheet_falls_on_weekends():
    weekdays = [day for day in range(1, 29) if date(2024, 3, day).weekday() < 5]
    texts = [f"03/{day:02}/2024" if day <= 12 else f"{day:02}/03/2024" for day in weekdays]
    with pytest.raises(RejectedDataError, match="converted half"):
        days(*texts[::2], *texts[1::2])


@pytest.mark.parametrize(
    ("texts", "patterns"),
    [
        (["01/02/2024", "02/02/2024"], {"%d/%m/%Y": "2024-02-01", "%m/%d/%Y": "2024-01-02"}),
        (["24/03/12", "24/03/13"], {"%y/%m/%d": "2024-03-12"}),
        (["2024-13-03", "2024-14-03", "2024-15-03"], {"%Y-%d-%m": "2024-03-13"}),
        (["240313", "240314"], {"%y%m%d": "2024-03-13"}),
        (["13 03 2024", "14 03 2024"], {"%d %m %Y": "2024-03-13"}),
        (["2024073", "2024074"], {"%Y%j": "2024-03-13"}),
    ],
)
def test_the_hint_names_a_pattern_that_reads_the_dates(texts, patterns):
    with pytest.raises(StockLstmError) as caught:
        days(*texts)
    for pattern, first in patterns.items():
        assert pattern in caught.value.hint
        assert days(*texts, date_format=pattern)[0] == first


def test_a_pattern_of_days_reads_days_with_a_time_behind_them():
    texts = ["04/03/2024 16:56:00", "05/03/2024 16:56:00"]
    with pytest.raises(ConfigError) as caught:
        days(*texts)
    assert "--date-format %d/%m/%Y or --date-format %m/%d/%Y" in caught.value.hint
    assert days(*texts, date_format="%d/%m/%Y") == ["2024-03-04", "2024-03-05"]
    assert days(*texts, date_format="%m/%d/%Y") == ["2024-04-03", "2024-05-03"]


@pytest.mark.parametrize("text", ["45364", "13 мар 2024", "someday", "2024-03-13 25:00", "0"])
def test_what_is_no_date_gets_no_pattern_that_reads_nothing(text):
    with pytest.raises(RejectedDataError, match="is not a date") as caught:
        days(text)
    assert "%" not in caught.value.hint


@pytest.mark.parametrize("text", ["202403", "2024-03", "03/2024", "Mar 2024", "mar/24"])
def test_months_are_no_days(text):
    with pytest.raises(RejectedDataError, match="holds monthly prices") as caught:
        days(text)
    assert "daily" in caught.value.hint


def test_ambiguity_is_asked_about():
    with pytest.raises(ConfigError, match="which is the day and which is the month"):
        days("01/02/2024", "02/02/2024")


@pytest.mark.parametrize(
    ("ticker", "texts", "expected"),
    [
        # Tokyo's midnights in UTC: the day before, at 15:00.
        ("7203.T", ["2024-03-10T15:00:00Z", "2024-03-11T15:00:00Z"], ["2024-03-11", "2024-03-12"]),
        # Sessions written as midnights in UTC stay what they name.
        (
            "PETR4.SA",
            ["2024-03-12T00:00:00Z", "2024-03-13T00:00:00Z"],
            ["2024-03-12", "2024-03-13"],
        ),
        # So do Unix times of that kind; New York's own midnights are at 04:00.
        ("AAPL", ["1709856000", "1710115200"], ["2024-03-08", "2024-03-11"]),
        ("AAPL", ["1710216000", "1710302400"], ["2024-03-12", "2024-03-13"]),
        # The evening in New York is tomorrow in UTC.
        ("AAPL", ["2024-03-13T01:00:00Z", "2024-03-14T01:00:00Z"], ["2024-03-12", "2024-03-13"]),
        # 21:00 in São Paulo is midnight in UTC: Friday's would be a Saturday.
        (
            "PETR4.SA",
            ["2024-03-15T00:00:00Z", "2024-03-16T00:00:00Z"],
            ["2024-03-14", "2024-03-15"],
        ),
        # London's midnights in UTC, before and after the clocks were changed on 31 March.
        ("VOD.L", ["2024-03-28T00:00:00Z", "2024-04-02T23:00:00Z"], ["2024-03-28", "2024-04-03"]),
    ],
)
def test_an_instant_becomes_the_day_of_the_exchange(tmp_path, ticker, texts, expected):
    path = tmp_path / "prices.csv"
    path.write_text("time,close\n" + "".join(f"{text},10\n" for text in texts))
    answer = CsvSource().fetch(FetchRequest(ticker, path))
    assert answer.bars.dates.astype(str).tolist() == expected


def test_coins_are_traded_on_sundays():
    # 11 June 2017 was one, and 13/06 is no date; read the other way they would be weekdays.
    texts = [f"06/{day}/2017 {hour:02}:00" for day in (11, 12, 13) for hour in range(24)]
    rows = "".join(f"{text},{place}.5\n" for place, text in enumerate(texts))
    file = PriceFile(f"time,close\n{rows}".encode(), "coins.csv", FileForm())
    found = file.read("BTC-USD", "24/7", ZoneInfo("UTC"))
    assert found.bars.dates.astype(str).tolist() == ["2017-06-11", "2017-06-12", "2017-06-13"]
    assert found.bars.closes.tolist() == [23.5, 47.5, 71.5]
