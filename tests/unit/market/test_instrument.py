import warnings

import pytest

from stocklstm.core.prices.series import Instrument
from stocklstm.errors import ConfigError
from stocklstm.market.instrument import (
    _CALENDARS,
    _INDICES,
    _SUFFIXES,
    assumptions,
    calendar_name,
    require_currency,
)
from stocklstm.market.instrument import guess_instrument as guess


@pytest.mark.parametrize(
    ("ticker", "currency", "exchange", "time_zone"),
    [
        ("PETR4.SA", "BRL", "BVMF", "America/Sao_Paulo"),
        ("AAPL", "USD", "XNYS", "America/New_York"),
        ("BRK-B", "USD", "XNYS", "America/New_York"),
        ("^BVSP", "BRL", "BVMF", "America/Sao_Paulo"),
        ("^GSPC", "USD", "XNYS", "America/New_York"),
        ("^FTSE", "GBP", "XLON", "Europe/London"),
        ("VOD.L", "GBp", "XLON", "Europe/London"),
        ("0700.HK", "HKD", "XHKG", "Asia/Hong_Kong"),
        ("BTC-USD", "USD", "24/7", "UTC"),
        ("USDBRL=X", "BRL", "24/5", "Europe/London"),
        ("BRL=X", "BRL", "24/5", "Europe/London"),
        ("EURUSD=X", "USD", "24/5", "Europe/London"),
        ("X.QQ", "", "", "UTC"),
        ("^XYZ", "", "", "UTC"),
        ("X=X", "", "", "UTC"),
        ("GC=F", "", "", "UTC"),
        ("CLZ24.NYM", "USD", "CMES", "America/New_York"),
    ],
)
def test_guess(ticker, currency, exchange, time_zone):
    assert guess(ticker) == Instrument(ticker, currency, exchange, time_zone)


@pytest.mark.parametrize(
    ("ticker", "quote"),
    [
        ("BTC-USD", "USD"),
        ("BTC-GBP", "GBP"),
        ("ETH-BTC", "BTC"),
        ("BTC-BRL", "BRL"),
        ("BTC-USDT", "USDT"),
        ("UNI7083-USD", "USD"),
        ("BTCUSD=X", "USD"),
        ("BTCUSDT", "USDT"),
        ("BTCBRL", "BRL"),
        ("BTCUSD", "USD"),
        ("XBTUSD", "USD"),
        ("ETHBTC", "BTC"),
        ("ETHUSDC", "USDC"),
        ("SOLEUR", "EUR"),
        ("1INCHUSDT", "USDT"),
        ("BNBFDUSD", "FDUSD"),
    ],
)
def test_coins_are_traded_every_day_in_what_they_are_quoted_in(ticker, quote):
    found = guess(ticker)
    assert (found.currency, found.exchange, found.time_zone) == (quote, "24/7", "UTC")
    assert assumptions(ticker) == ()


@pytest.mark.parametrize("ticker", ["BRK-B", "BF-B", "PBR-A", "BAC-PL", "MOG-A", "GOOGL", "AAPL"])
def test_classes_of_shares_are_no_coins(ticker):
    found = guess(ticker)
    assert (found.currency, found.exchange) == ("USD", "XNYS")
    assert assumptions(ticker) == ("calendar", "currency")


@pytest.mark.parametrize("pair", ["EURUSD", "USDBRL", "XAUUSD"])
def test_currencies_and_metals_without_a_mark_are_pairs_too(pair):
    found = guess(pair)
    assert (found.currency, found.exchange, assumptions(pair)) == (pair[3:], "24/5", ())


@pytest.mark.parametrize("ticker", ["PETR4.SA", "VOD.L", "^BVSP", "^GSPC", "BTC-USD", "EURUSD=X"])
def test_what_a_name_says_for_certain_is_not_assumed(ticker):
    assert assumptions(ticker) == ()


@pytest.mark.parametrize("ticker", ["AAPL", "IBOV", "X.QQ", "^XYZ", "GC=F", "600519", "TSLAUSD"])
def test_what_a_name_only_suggests_is_assumed(ticker):
    assert assumptions(ticker) == ("calendar", "currency")


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("BRL", "BRL"),
        (" usd ", "USD"),
        ("GBp", "GBp"),
        ("GBX", "GBp"),
        ("gbp", "GBP"),
        ("ZAc", "ZAc"),
        ("ILA", "ILA"),
        ("USDT", "USDT"),
    ],
)
def test_currencies_are_read(typed, code):
    assert require_currency(typed) == code


@pytest.mark.parametrize("typed", ["", "R$", "EU", "EURO", "12A", "\u0391\u0392\u0393", "US D"])
def test_what_is_no_currency_is_refused(typed):
    with pytest.raises(ConfigError, match="not the code of a currency") as caught:
        require_currency(typed)
    assert "--currency BRL" in caught.value.hint


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("SAO", "BVMF"),
        ("NMS", "XNYS"),
        ("NYQ", "XNYS"),
        ("LSE", "XLON"),
        ("NYB", "IEPA"),
        ("", ""),
    ],
)
def test_calendar_name(code, name):
    assert calendar_name(code) == name


def test_every_calendar_in_the_tables_exists():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import exchange_calendars
    traits = [*_SUFFIXES.values(), *_INDICES.values()]
    named = {exchange for _, exchange, _ in traits} | set(_CALENDARS.values())
    named |= {guess(name).exchange for name in ("BTC-USD", "BRL=X")}
    assert named <= set(exchange_calendars.get_calendar_names(include_aliases=False))


def test_every_time_zone_in_the_tables_exists():
    from zoneinfo import available_timezones

    traits = [*_SUFFIXES.values(), *_INDICES.values()]
    assert {time_zone for _, _, time_zone in traits} <= available_timezones()
