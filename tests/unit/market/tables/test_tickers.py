import pytest

from stocklstm.errors import RejectedDataError
from stocklstm.market.tables.tickers import is_named, yahoo_name
from tests.support.price_rows import prices_of


@pytest.mark.parametrize(
    ("written", "ticker"),
    [
        *[("PETR4", "PETR4.SA"), ("petr4.sa", "PETR4.SA"), ("PETR4 BZ Equity", "PETR4.SA")],
        *[("BMFBOVESPA:PETR4", "PETR4.SA"), ("PETR4.SAO", "PETR4.SA"), ("IBOV", "^BVSP")],
        *[("B3SA3", "B3SA3.SA"), ("A1MD34", "A1MD34.SA"), ("5GTK11", "5GTK11.SA")],
        *[("BRK.B", "BRK-B"), ("RCI.B.TO", "RCI-B.TO"), ("BRK/B US Equity", "BRK-B")],
        *[("AAPL US Equity", "AAPL"), ("NASDAQ:AAPL", "AAPL"), ("AAPL.US", "AAPL")],
        *[("7203 JT Equity", "7203.T"), ("VOD LN Equity", "VOD.L"), ("BTC/USD", "BTC-USD")],
        *[("700 HK Equity", "0700.HK"), ("9988 HK Equity", "9988.HK")],
    ],
)
def test_what_others_call_an_instrument(written, ticker):
    assert yahoo_name(written) == ticker
    assert is_named(written, ticker)


@pytest.mark.parametrize(
    ("written", "ticker", "same"),
    [
        *[("BRK.B", "BRK-B", True), ("7203", "7203.T", True), ("EURUSD", "EURUSD=X", True)],
        *[("GSPC", "^GSPC", True), ("VOD", "VOD.L", True), ("BTCUSD", "BTC-USD", True)],
        *[("PETR3", "PETR4.SA", False), ("PETR4F", "PETR4.SA", False), ("AA", "A", False)],
        *[("AAPL.SA", "AAPL", False), ("BTCUSDT", "BTC-USD", False), ("AAPL.MX", "AAPL", False)],
        *[("VOD.L", "VOD", False), ("PETR4.SA", "PETR4.L", False)],
    ],
)
def test_which_names_mean_a_ticker(written, ticker, same):
    assert is_named(written, ticker) is same


LONG = "Date,Name,Close\n2024-03-12,VALE3,61.1\n2024-03-12,PETR4,36.82\n2024-03-13,PETR4,36.38\n"
FORMS = {
    "long": LONG,
    "wide": "Date,VALE3.SA,PETR4.SA\n2024-03-12,61.1,36.82\n2024-03-13,61.5,36.38\n",
    "flat": "Date,Close_VALE3.SA,Close_PETR4.SA\n2024-03-12,61.1,36.82\n2024-03-13,61.5,36.38\n",
    "behind": "Date,VALE3.SA Close,PETR4.SA Close\n2024-03-12,61.1,36.82\n2024-03-13,61.5,36.38\n",
    "tuples": "Date,\"('Close', 'VALE3.SA')\",\"('Close', 'PETR4.SA')\"\n"
    "2024-03-12,61.1,36.82\n2024-03-13,61.5,36.38\n",
    "two lines": "Price,Close,Close\nTicker,VALE3.SA,PETR4.SA\nDate,,\n"
    "2024-03-12,61.1,36.82\n2024-03-13,61.5,36.38\n",
    "by ticker": "Ticker,VALE3.SA,PETR4.SA\nPrice,Close,Close\nDate,,\n"
    "2024-03-12,61.1,36.82\n2024-03-13,61.5,36.38\n",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_only_the_rows_of_the_ticker_that_was_asked_for(form):
    bars, rejections = prices_of(form.encode(), "PETR4.SA")
    assert rejections == ()
    assert bars.dates.astype(str).tolist() == ["2024-03-12", "2024-03-13"]
    assert bars.closes.tolist() == [36.82, 36.38]
    with pytest.raises(RejectedDataError, match=r"has no prices of ITUB4.SA, but of .*VALE3") as no:
        prices_of(form.encode(), "ITUB4.SA")
    assert "--ticker VALE3.SA" in no.value.hint


@pytest.mark.parametrize(
    "title", ["Security,VALE3 BZ Equity", "Ticker: VALE3", "VALE3 - Vale ON", "Símbolo;VALE3.SA"]
)
def test_a_line_above_the_header_names_the_instrument(title):
    content = f"{title}\n\nDate,Close\n2024-03-12,61.1\n".encode()
    assert prices_of(content, "VALE3.SA")[0].closes.tolist() == [61.1]
    with pytest.raises(RejectedDataError, match="but of VALE3"):
        prices_of(content, "PETR4.SA")


def test_a_vendors_number_or_a_company_is_no_ticker():
    for name in ("2781", "Petrobras PN"):
        content = f"Date,Name,Close\n2024-03-12,{name},36.82\n".encode()
        assert prices_of(content, "PETR4.SA")[0].closes.tolist() == [36.82]


def test_one_ticker_under_two_names_is_not_half_taken():
    content = b"Date,Name,Close\n2024-03-12,PETR4,36.82\n2024-03-13,PETR4.SA,36.38\n"
    with pytest.raises(RejectedDataError, match=r"under 2 names: PETR4, PETR4\.SA") as caught:
        prices_of(content, "PETR4.SA")
    assert "one name" in caught.value.hint


def test_closes_in_two_currencies_are_two_columns():
    content = b"Date,Close USD,Close BRL\n2024-03-12,7.4,36.82\n"
    with pytest.raises(RejectedDataError, match="has no close column") as caught:
        prices_of(content, "PETR4.SA")
    assert "close=NAME" in caught.value.hint
    assert prices_of(content, columns=(("close", "Close BRL"),))[0].closes.tolist() == [36.82]


@pytest.mark.parametrize(
    ("header", "volume"),
    [
        ("Volume$,Quantidade", 200),
        ("Volume Financeiro,Q Títs", 200),
        ("Volume USDT,Volume BTC", 200),
        ("Turnover,Shares Traded", 200),
        ("Volume,Quantidade", 200),
        ("Vol. MA,Volume", 200),
    ],
)
def test_the_volume_is_the_quantity(header, volume):
    content = f"Date,Close,{header}\n2024-03-12,36.82,100,200\n".encode()
    assert prices_of(content)[0].volumes.tolist() == [volume]


@pytest.mark.parametrize("header", ["Volume$", "Volume Financeiro", "Turnover", "Volume USDT"])
def test_a_turnover_alone_is_no_volume(header):
    content = f"Date,Close,{header}\n2024-03-12,36.82,100\n".encode()
    assert str(prices_of(content)[0].volumes.tolist()) == "[nan]"


@pytest.mark.parametrize(
    "header",
    [
        "Date,Close_PETR4.SA,Close_VALE3.SA,Close",
        "Date,PETR4,Close,X",
        "Date,Close,Close_VALE3.SA,X",
    ],
)
def test_a_close_of_nobody_beside_one_with_a_name(header):
    content = f"{header}\n2024-03-12,1,2,3\n".encode()
    with pytest.raises(RejectedDataError, match="more than one close column") as caught:
        prices_of(content)
    assert "--columns close=" in caught.value.hint


def test_rows_that_name_no_ticker_among_rows_that_do():
    content = b"Date,Name,Close\n2024-03-12,PETR4,36.82\n2024-03-13,,36.38\nSource: B3,,\n"
    with pytest.raises(RejectedDataError, match="1 rows without a ticker, the first in line 3"):
        prices_of(content)
