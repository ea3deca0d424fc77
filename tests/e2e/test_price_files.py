"""Price files as people have them, through the whole program: what is stored, said and refused."""

import json
import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Cli, Outcome
from tests.support.cotahist import Quote, cotahist, zipped
from tests.support.places import DOCS
from tests.support.price_file_cases import (
    CASES,
    PETR4,
    TWO_TICKERS,
    VALE3,
    Prices,
    Read,
    Refused,
    closes_of,
    last,
)
from tests.support.vendor_files import BY_NAME
from tests.support.vendor_rows import B3, real_rows, with_decimals

# What the lines in the documentation read, by the name that the file has there.
DOCUMENTED = {
    "PETR4.SA.csv": "Yahoo download",
    "page.txt": "Yahoo page in Portuguese",
    "petr4.csv": "yfinance download",
    "shares.csv": "yfinance, two tickers",
    "history.csv": "yfinance history",
    "datareader.csv": "pandas-datareader, two tickers",
    "petr4_r.csv": "yfR",
    "AAPL Historical Data.csv": "investing.com",
    "Dados Históricos - PETR4.csv": "investing.com in Portuguese",
    "Datos históricos AAPL.csv": "investing.com in Spanish",
    "aapl_us_d.csv": "Stooq",
    "PETR4_Daily.csv": "MetaTrader 5",
    "BMFBOVESPA_DLY_PETR4, 1D.csv": "TradingView, Unix seconds",
    "PETR4_B_0_Diário.csv": "Profit",
    "AAPL_metastock.txt": "MetaStock",
    "economatica.csv": "Economatica",
    "daily_adjusted_AAPL.csv": "Alpha Vantage, adjusted",
    "HistoricalData.csv": "Nasdaq",
    "HistoricalPrices.csv": "Wall Street Journal",
    "polygon.csv": "Polygon",
    "alpaca.csv": "Alpaca",
    "tiingo.csv": "Tiingo",
    "bloomberg.csv": "Bloomberg",
    "terminal.csv": "Bloomberg, Dates and PX_LAST",
    "Sheet1.csv": "Google Sheets",
    "Página1.csv": "Google Sheets in Portuguese",
    "Pasta1.csv": "Excel in Portuguese, month names",
    "pregoes.csv": "B3 sheet",
    "infomoney.csv": "InfoMoney",
    "statusinvest.csv": "Status Invest",
    "Quote-Equity-RELIANCE-EQ.csv": "NSE",
    "all_stocks_5yr.csv": "Kaggle, Name column",
    "BTCUSDT-1d.csv": "Binance, milliseconds",
    "Bitstamp_BTCUSD_d.csv": "CryptoDataDownload",
    "btc-usd-max.csv": "CoinGecko",
    "COTAHIST_A2023.ZIP": "",
}

PAGE = (DOCS / "how-to" / "price-files.md").read_text("utf-8")
LINES = [
    shlex.split(line)
    for line in re.findall(r"^\| .+ \| `(stocklstm fetch .+)` \|$", PAGE, re.MULTILINE)
]


def file_of(line: list[str]) -> str:
    return line[line.index("--file") + 1]


def named(case: Read | Refused) -> str:
    return f"{case.kind}: {case.vendor}"


def in_store(home: Path) -> dict[str, dict[str, Prices]]:
    """Read what is stored, past the program."""
    stored: dict[str, dict[str, Prices]] = {}
    if (home / "stocklstm.db").exists():
        with closing(sqlite3.connect(home / "stocklstm.db")) as database:
            for ticker, day, *prices in database.execute(
                "SELECT ticker, date, open, high, low, close, adj_close, volume FROM prices"
            ):
                stored.setdefault(ticker, {})[day] = tuple(prices)
    return stored


def fetch(cli: Cli, path: Path, arguments: str) -> Outcome:
    return cli("fetch", "--file", str(path), "--json", *shlex.split(arguments))


@pytest.mark.parametrize("case", [case for case in CASES if isinstance(case, Read)], ids=named)
def test_a_file_that_is_read(cli: Cli, home: Path, tmp_path: Path, case: Read) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(case.text.encode(case.encoding))

    outcome = fetch(cli, path, case.arguments)

    assert outcome.code == 0, outcome.err
    assert in_store(home) == case.stored
    document = json.loads(outcome.out)
    assert document["errors"] == []
    assert {item["ticker"]: item["rows"] for item in document["results"]} == {
        ticker: len(rows) for ticker, rows in case.stored.items()
    }
    assert all(item["rows_rejected"] == [] for item in document["results"])
    warnings = " ".join(w for item in document["results"] for w in item["warnings"])
    for words in case.says:
        assert words in warnings
        assert words in outcome.err


@pytest.mark.parametrize("case", [case for case in CASES if isinstance(case, Refused)], ids=named)
def test_a_file_that_is_refused(cli: Cli, home: Path, tmp_path: Path, case: Refused) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(case.text, "utf-8")

    outcome = fetch(cli, path, case.arguments)

    assert outcome.code == case.code, outcome.out
    assert in_store(home) == {}
    document = json.loads(outcome.out)
    assert document["results"] == []
    (error,) = document["errors"]
    assert error["code"] == case.code
    for words in case.says:
        assert words in error["message"], error["message"]
    assert error["hint"]
    for words in case.next:
        assert words in error["hint"], error["hint"]
    assert f"next: {error['hint']}" in outcome.err

    if error["hint"].startswith("stocklstm "):
        line, *_ = error["hint"].split("; ")
        followed = cli(*shlex.split(line)[1:])
        assert followed.code == 0, (error["hint"], followed.err)
    if case.mend:
        mended = fetch(cli, path, case.mend)
        assert mended.code == 0, mended.err
        assert in_store(home) == case.stored


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2024-12-03", "2024-13-03"),
        ("12 03 2024", "13 03 2024"),
        ("2024/072", "2024/073"),
        ("Tue 12 Mar 2024", "Wed 13 Mar 2024"),
        ("12032024", "13032024"),
    ],
)
def test_a_date_is_read_or_gets_the_format_that_reads_it(
    cli: Cli, home: Path, tmp_path: Path, first: str, second: str
) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(f"Date,Close\n{first},36.82\n{second},36.38\n", "utf-8")

    outcome = fetch(cli, path, "--ticker PETR4.SA")
    if outcome.code:
        (error,) = json.loads(outcome.out)["errors"]
        words = shlex.split(error["hint"])
        pattern = words[words.index("--date-format") + 1]
        outcome = cli(
            "fetch", "--ticker", "PETR4.SA", "--file", str(path), "--date-format", pattern
        )

    assert outcome.code == 0, outcome.err
    assert in_store(home) == {"PETR4.SA": last(closes_of(PETR4), 2)}


def test_one_missing_ticker_does_not_keep_the_others_out(
    cli: Cli, home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(TWO_TICKERS, "utf-8")

    outcome = fetch(cli, path, "--ticker PETR4.SA --ticker ITUB4.SA --ticker VALE3.SA")

    assert outcome.code == 6
    assert in_store(home) == {"PETR4.SA": PETR4, "VALE3.SA": VALE3}
    (error,) = json.loads(outcome.out)["errors"]
    assert error["ticker"] == "ITUB4.SA"
    assert "PETR4.SA" in error["message"]
    assert "VALE3.SA" in error["message"]
    assert error["hint"]


def test_every_line_of_the_documentation_is_tried() -> None:
    assert [file_of(line) for line in LINES] == list(DOCUMENTED)


@pytest.mark.parametrize(
    "line", [line for line in LINES if DOCUMENTED.get(file_of(line))], ids=file_of
)
def test_a_documented_line_reads_the_file_it_names(
    cli: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: list[str]
) -> None:
    form = BY_NAME[DOCUMENTED[file_of(line)]]
    of_b3 = "PETR4.SA" in line or "--all-tickers" in line
    market = B3 if of_b3 and B3 in form.markets else form.markets[0]
    rows = with_decimals(real_rows(market)[-60:], 2)
    (tmp_path / file_of(line)).write_text(form.export(market, rows), "utf-8")
    monkeypatch.chdir(tmp_path)

    outcome = cli(*line[1:])

    assert outcome.code == 0, outcome.err
    ticker = market.ticker if "--all-tickers" in line else line[line.index("fetch") + 1]
    names = ("open", "high", "low", "close", "adj_close", "volume")
    stored = {
        day: {name: row[names.index(name)] for name in form.tells}
        for day, row in in_store(home)[ticker].items()
    }
    assert stored == form.told(rows)


def test_the_documented_line_for_the_archive_reads_it(
    cli: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = (line for line in LINES if file_of(line).startswith("COTAHIST"))
    quotes = [Quote("2023-12-27", "PETR4", 37.0, 37.5, 36.8, 37.33)]
    (tmp_path / file_of(line)).write_bytes(zipped(cotahist(quotes)))
    monkeypatch.chdir(tmp_path)

    outcome = cli(*line[1:])

    assert outcome.code == 0, outcome.err
    assert in_store(home) == {"PETR4.SA": {"2023-12-27": (37.0, 37.5, 36.8, 37.33, 37.33, 1000)}}
