"""What is said of a file on the command line, and what of it is stored under which name."""

from pathlib import Path

import numpy as np
import pytest

from stocklstm import FetchOptions, fetch
from stocklstm.core.arguments import ALL
from stocklstm.errors import ConfigError, RejectedDataError, StockLstmError
from stocklstm.store.store import open_store
from tests.support.moving_clock import set_clock

LONG = (
    "Date,Name,Close\n2024-03-12,PETR4,36.82\n2024-03-12,VALE3,61.1\n"
    "2024-03-13,PETR4,36.38\n2024-03-13,VALE3,61.5\n"
)
WIDE = "Date,PETR4.SA,VALE3.SA\n2024-03-12,36.82,61.1\n2024-03-13,36.38,61.5\n"


def fetched(home: Path, text: str, *tickers: str, **options: object):
    path = home.parent / "prices.csv"
    path.write_text(text)
    return fetch(tickers or ALL, FetchOptions("csv", (path,), **options), home=home)


def stored(home: Path) -> dict[str, list[float]]:
    if not home.exists():
        return {}
    with open_store(home) as store:
        return {
            ticker: store.prices.bars_since(ticker, "").closes.tolist()
            for ticker in store.prices.tickers()
        }


def refusal(home: Path, text: str, *tickers: str, **options: object) -> StockLstmError:
    result = fetched(home, text, *tickers, **options)
    (failure,) = result.failures
    assert result.results == ()
    assert stored(home) == {}
    assert failure.error.hint
    return failure.error


PETR4, VALE3 = [36.82, 36.38], [61.1, 61.5]


@pytest.mark.parametrize(
    ("tickers", "options", "expected"),
    [
        (["PETR4.SA"], {}, {"PETR4.SA": PETR4}),
        (["PETR4.SA", "VALE3.SA"], {}, {"PETR4.SA": PETR4, "VALE3.SA": VALE3}),
        ([], {"all_tickers": True}, {"PETR4.SA": PETR4, "VALE3.SA": VALE3}),
    ],
)
@pytest.mark.parametrize("text", [LONG, WIDE])
def test_each_ticker_of_a_file_under_its_own_name(tmp_path, text, tickers, options, expected):
    home = tmp_path / "home"
    assert not fetched(home, text, *tickers, **options).failures
    assert stored(home) == expected


def test_one_that_is_missing_stops_no_other(tmp_path):
    result = fetched(tmp_path / "home", LONG, "ITUB4.SA", "VALE3.SA")
    assert stored(tmp_path / "home") == {"VALE3.SA": VALE3}
    (failure,) = result.failures
    assert isinstance(failure.error, RejectedDataError)
    assert "has no prices of ITUB4.SA, but of PETR4, VALE3" in failure.error.message


@pytest.mark.parametrize(
    ("tickers", "options", "message"),
    [
        ([], {}, "say which to store"),
        (["PETR4.SA", "VALE3.SA"], {}, "names no tickers"),
        ([], {"all_tickers": True}, "names no tickers"),
        (["PETR4.SA"], {"all_tickers": True}, "one is named besides"),
        (["PETR4.SA"], {"decimal": ";"}, "precedes no decimals"),
        (["PETR4.SA"], {"columns": {"last": "Close"}}, "'last' is nothing that a column"),
    ],
)
def test_what_cannot_be_meant(tmp_path, tickers, options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        fetched(tmp_path / "home", "Date,Close\n2024-03-12,36.82\n", *tickers, **options)
    assert caught.value.hint
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    "options",
    [
        *({"date_format": "%d/%m/%Y"}, {"decimal": ","}, {"columns": {"close": "x"}}),
        *({"accept_spacing": True}, {"all_tickers": True}),
    ],
)
def test_the_form_of_a_file_is_said_of_a_file_only(tmp_path, options):
    with pytest.raises(ConfigError, match="speaks of a file, and none is given"):
        fetch(["PETR4.SA"], FetchOptions("sample", **options), home=tmp_path)


def test_columns_by_name(tmp_path):
    text = "Quando;Kurs;Menge\n12/03/2024;36,82;100\n13/03/2024;36,38;200\n"
    named = {"date": "Quando", "close": "kurs", "volume": "Menge"}
    assert not fetched(tmp_path / "home", text, "PETR4.SA", columns=named).failures
    with open_store(tmp_path / "home") as store:
        bars = store.prices.bars_since("PETR4.SA", "")
    assert bars.closes.tolist() == PETR4
    assert bars.volumes.tolist() == [100, 200]


def test_the_hint_of_an_unknown_column_can_be_typed(tmp_path):
    text = "Quando;Kurs\n12/03/2024;36,82\n13/03/2024;36,38\n"
    error = refusal(tmp_path / "home", text, "PETR4.SA")
    assert error.message.endswith("its columns are Quando, Kurs")
    assert error.hint == 'say which one it is: --columns "close=Kurs,date=Quando"'
    named = {"close": "Kurs", "date": "Quando"}
    assert not fetched(tmp_path / "home", text, "PETR4.SA", columns=named).failures
    with pytest.raises(StockLstmError, match="has no column 'Preis'; its columns are"):
        raise (
            fetched(tmp_path / "home", text, "PETR4.SA", columns={"close": "Preis"})
            .failures[0]
            .error
        )


def test_a_column_of_tickers_by_name(tmp_path):
    text = LONG.replace("Name", "Wer").replace("PETR4", "P").replace("VALE3", "V")
    named = {"ticker": "Wer"}
    assert not fetched(tmp_path / "home", text, columns=named, all_tickers=True).failures
    assert stored(tmp_path / "home") == {"P": PETR4, "V": VALE3}


def test_weekly_prices_are_taken_if_somebody_insists(tmp_path):
    rows = "".join(f"2024-{month:02}-{day:02},{30 + day}\n" for month, day in WEEKS)
    error = refusal(tmp_path / "home", f"Date,Close\n{rows}", "PETR4.SA")
    assert "holds weekly prices: its rows are 7 days apart (2024-02-05, 2024-02-12" in error.message
    assert "--accept-spacing" in error.hint
    (result,) = fetched(
        tmp_path / "home", f"Date,Close\n{rows}", "PETR4.SA", accept_spacing=True
    ).results
    assert result.rows == len(WEEKS)
    assert any("weekly, 7 days apart" in warning for warning in result.warnings)


WEEKS = [(2, 5), (2, 12), (2, 19), (2, 26), (3, 4), (3, 11)]

# Apple's 4:1 split of 31 August 2020, as Alpha Vantage has it: prices as they were traded.
AS_TRADED = """timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient
2020-09-01,132.76,134.8,130.53,134.18,131.5,152470142,0.0000,1.0
2020-08-31,127.58,131.0,126.0,129.04,126.4,223505733,0.0000,4.0
2020-08-28,504.05,505.77,498.31,499.23,122.3,46907479,0.0000,1.0
2020-08-27,508.57,509.94,495.33,500.04,122.5,38888096,0.0000,1.0
"""


def test_a_split_that_the_file_names_is_taken_out_of_its_prices(tmp_path):
    (result,) = fetched(tmp_path / "home", AS_TRADED, "AAPL").results
    assert any("1 split was taken out" in warning for warning in result.warnings)
    assert result.large_moves == ()
    with open_store(tmp_path / "home") as store:
        bars = store.prices.bars_since("AAPL", "")
        (split,) = store.prices.actions("AAPL")
    assert (split.date, split.kind, split.value) == ("2020-08-31", "split", 4.0)
    assert bars.closes.tolist() == [500.04 / 4, 499.23 / 4, 129.04, 134.18]
    assert bars.opens.tolist() == [508.57 / 4, 504.05 / 4, 127.58, 132.76]
    assert bars.volumes.tolist() == [38888096 * 4, 46907479 * 4, 223505733, 152470142]
    assert bars.adj_closes.tolist() == [122.5, 122.3, 126.4, 131.5]


def test_a_split_that_is_out_already_is_left_alone(tmp_path):
    text = AS_TRADED.replace("499.23", "124.81").replace("500.04", "125.01")
    fetched(tmp_path / "home", text, "AAPL")
    assert stored(tmp_path / "home") == {"AAPL": [125.01, 124.81, 129.04, 134.18]}


@pytest.mark.parametrize(
    "text", ["Date,Close,Moeda\n2024-03-12,7.2,{}\n", "Currency,{}\n\nDate,Close\n2024-03-12,7.2\n"]
)
def test_a_currency_that_the_ticker_is_not_quoted_in(tmp_path, text):
    error = refusal(tmp_path / "home", text.format("USD"), "PETR4.SA")
    assert error.message == "PETR4.SA is quoted in BRL, and these prices are in USD"
    assert error.hint.endswith("--currency USD")
    (result,) = fetched(tmp_path / "home", text.format("USD"), "PETR4.SA", currency="USD").results
    assert result.currency == "USD"
    (other,) = fetched(tmp_path / "other", text.format("BRL"), "PETR4.SA").results
    assert other.currency == "BRL"


@pytest.mark.parametrize(
    ("text", "ticker", "currency"),
    [
        ("Date;Close\n2024-03-12;R$ 36,82\n", "PETR4.SA", "BRL"),
        ("Date,Close (R$)\n2024-03-12,36.82\n", "PETR4.SA", "BRL"),
        ("Date,Close,Currency\n2024-03-12,R$ 36.82,BRL\n", "PETR4.SA", "BRL"),
        ("Date,Close\n2024-03-12,$36.82\n", "AAPL", "USD"),
        ("Date,Close\n2024-03-12,$36.82\n", "SHOP.TO", "CAD"),
        ("Date,Close (GBX)\n2024-03-12,36.82\n", "VOD.L", "GBp"),
        ("Date,Close\n2024-03-12,¥36.82\n", "7203.T", "JPY"),
        ("Date,Close\n2024-03-12,¥36.82\n", "600519.SS", "CNY"),
        ("Date,Close\n2024-03-12,¥36.82\n", "ACME", "JPY"),
        ("Date,Close,Currency\n2024-03-12,¥36.82,CNY\n", "ACME", "CNY"),
    ],
)
def test_a_currency_that_is_written_beside_the_prices(tmp_path, text, ticker, currency):
    (result,) = fetched(tmp_path / "home", text, ticker).results
    assert result.currency == currency


@pytest.mark.parametrize(
    "text",
    [
        "Date,Close\n2024-03-12,€36.82\n",
        "Date,Close\n2024-03-12,¥36.82\n",
        "Date,Close\n2024-03-12,$36.82\n",
        "Date,Close\n2024-03-12,US$ 36.82\n",
        "Date,Close (USD)\n2024-03-12,36.82\n",
        "Date,Close USD\n2024-03-12,36.82\n",
    ],
)
def test_another_currency_written_beside_the_prices(tmp_path, text):
    assert "PETR4.SA is quoted in BRL" in refusal(tmp_path / "home", text, "PETR4.SA").message


@pytest.mark.parametrize(
    "text",
    [
        "Date,Close,Currency\n2024-03-12,36.82,BRL\n2024-03-13,7.2,USD\n",
        "Date,Close\n2024-03-12,R$ 36.82\n2024-03-13,US$ 7.2\n",
        "Date,Close (R$)\n2024-03-12,36.82\n2024-03-13,US$ 7.2\n",
        "Currency,BRL\n\nDate,Close\n2024-03-12,US$ 7.2\n2024-03-13,US$ 7.3\n",
    ],
)
def test_two_currencies_in_one_file(tmp_path, text):
    error = refusal(tmp_path / "home", text, "PETR4.SA")
    assert "has prices in 2 currencies: BRL, USD" in error.message


def test_dollar_signs_beside_a_currency_that_is_no_dollar(tmp_path):
    text = "Date,Close,Currency\n2024-03-12,$36.82,{}\n"
    error = refusal(tmp_path / "home", text.format("EUR"), "ACME")
    assert "has prices in 2 currencies: $, EUR" in error.message
    (result,) = fetched(tmp_path / "home", text.format("CAD"), "ACME").results
    assert result.currency == "CAD"


def test_closes_in_two_currencies_beside_each_other(tmp_path):
    text = "Date,Close (BRL),Close (USD)\n2024-03-12,36.82,7.2\n"
    error = refusal(tmp_path / "home", text, "PETR4.SA")
    assert "has more than one close column" in error.message
    assert "--columns close=NAME" in error.hint
    chosen = fetched(tmp_path / "home", text, "PETR4.SA", columns={"close": "Close (BRL)"})
    assert chosen.results[0].currency == "BRL"


def daily(first: str, count: int) -> list[str]:
    days = np.arange(
        np.datetime64(first, "D"), np.datetime64(first, "D") + np.timedelta64(2 * count, "D")
    )
    return days[np.is_busday(days)][:count].astype(str).tolist()


def weekly(first: str, count: int) -> list[str]:
    return (np.datetime64(first, "D") + 7 * np.arange(count)).astype(str).tolist()


@pytest.mark.parametrize(
    "days",
    [
        weekly("2023-01-02", 40) + daily("2023-10-09", 99),
        daily("2023-01-02", 60) + weekly("2023-04-03", 9),
    ],
)
def test_weekly_rows_before_or_behind_daily_ones(tmp_path, days):
    rows = "".join(f"{day},{30 + place % 7}\n" for place, day in enumerate(days))
    error = refusal(tmp_path / "home", f"Date,Close\n{rows}", "PETR4.SA")
    assert "holds weekly prices: its rows are 7 days apart (2023-0" in error.message


BERLIN = "".join(
    f"{day}T{hour}:00:00Z,{30 + place}\n"
    for place, (day, hour) in enumerate(
        [
            *(("2026-01-04", 23), ("2026-01-05", 23), ("2026-01-06", 23), ("2026-01-07", 23)),
            *(("2026-01-08", 23), ("2026-01-11", 23), ("2026-07-05", 22), ("2026-07-06", 22)),
        ]
    )
)
BERLIN_DAYS = [
    *("2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08", "2026-01-09", "2026-01-12"),
    *("2026-07-06", "2026-07-07"),
]


@pytest.mark.parametrize("ticker", ["SAP", "SAP.DE", "SAP.XX"])
def test_midnights_of_a_zone_in_utc_are_its_days(tmp_path, ticker):
    (result,) = fetched(tmp_path / "home", f"Date,Close\n{BERLIN}", ticker).results
    assert result.rows_rejected == ()
    with open_store(tmp_path / "home") as store:
        assert store.prices.dates(ticker).astype(str).tolist() == BERLIN_DAYS


def test_a_last_row_of_a_session_that_goes_on_moves_no_other(tmp_path):
    days = daily("2024-02-26", 12)
    rows = "".join(f"{day}T00:00:00Z,{170 + place}\n" for place, day in enumerate(days))
    fetched(tmp_path / "home", f"time,close\n{rows}2024-03-13T17:43:00Z,180\n", "AAPL")
    with open_store(tmp_path / "home") as store:
        assert store.prices.dates("AAPL").astype(str).tolist() == [*days, "2024-03-13"]


def test_a_closed_day_filled_with_the_close_before_is_rejected(tmp_path):
    # Tiradentes, 21 April 2023, a Friday.
    rows = "2023-04-19,25.1\n2023-04-20,25.4\n2023-04-21,25.4\n2023-04-24,25.4\n"
    (result,) = fetched(tmp_path / "home", f"Date,Close\n{rows}", "PETR4.SA").results
    assert [row.date for row in result.rows_rejected] == ["2023-04-21"]
    assert stored(tmp_path / "home") == {"PETR4.SA": [25.1, 25.4, 25.4]}


def test_what_yfinance_adjusted_is_taken_as_adjusted(tmp_path):
    columns = "Close,High,Low,Open,Volume"
    text = f"Price,{columns}\nTicker{',PETR4.SA' * 5}\nDate{',' * 5}\n2024-03-12,30,31,29,30,5\n"
    (result,) = fetched(tmp_path / "home", text, "PETR4.SA").results
    assert any("auto_adjust=False" in warning for warning in result.warnings)
    with open_store(tmp_path / "home") as store:
        bars = store.prices.bars_since("PETR4.SA", "")
    assert np.array_equal(bars.adj_closes, [30.0])


@pytest.mark.parametrize("date", ["2024-03-13", "13/03/2024"])
@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (",36.", "the file ends in the middle of this row"),
        (",abc,1\n", "close: 'abc' is not a number"),
        (",,1\n", "the close is missing"),
        (",36.9,1\n", "its session is not over yet"),
    ],
)
def test_a_newest_row_that_is_lost_is_a_warning(tmp_path, monkeypatch, date, cells, reason):
    set_clock(monkeypatch, lambda: "2024-03-13T17:00:00Z")
    days = [date.replace("13", day) for day in ("08", "11", "12")]
    rows = "".join(f"{day},36.9{number},1\n" for number, day in enumerate(days, start=1))

    result = fetched(tmp_path / "home", f"Date,Close,Volume\n{rows}{date}{cells}", "PETR4.SA")

    (one,) = result.results
    said = [words for words in one.warnings if words.startswith("not stored")]
    assert said == [
        f"not stored, and newer than the last stored row, of 2024-03-12: 2024-03-13 ({reason})"
    ]


def test_rows_that_are_lost_among_others_or_on_no_session_are_no_warning(tmp_path):
    # In the middle of the file; a Saturday and Good Friday that were filled.
    text = (
        "Date,Close,Volume\n2024-03-26,36.9,1\n2024-03-27,,1\n2024-03-28,36.8,1\n"
        "2024-03-29,36.8,0\n2024-03-30,36.8,0\n"
    )

    (one,) = fetched(tmp_path / "home", text, "PETR4.SA").results

    assert len(one.rows_rejected) == 3
    assert not [words for words in one.warnings if words.startswith("not stored")]
