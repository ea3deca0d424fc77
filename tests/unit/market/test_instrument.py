import warnings

import pytest

from stocklstm.core.prices.series import Instrument
from stocklstm.market.instrument import _CALENDARS, _INDICES, _SUFFIXES, calendar_name
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
        ("X.QQ", "", "", "UTC"),
        ("^XYZ", "", "", "UTC"),
        ("GC=F", "", "", "UTC"),
    ],
)
def test_guess(ticker, currency, exchange, time_zone):
    assert guess(ticker) == Instrument(ticker, currency, exchange, time_zone)


@pytest.mark.parametrize(
    ("code", "name"), [("SAO", "BVMF"), ("NMS", "XNYS"), ("NYQ", "XNYS"), ("LSE", "XLON"), ("", "")]
)
def test_calendar_name(code, name):
    assert calendar_name(code) == name


def test_every_calendar_in_the_tables_exists():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import exchange_calendars
    traits = [*_SUFFIXES.values(), *_INDICES.values()]
    named = {exchange for _, exchange, _ in traits} | set(_CALENDARS.values())
    assert named <= set(exchange_calendars.get_calendar_names(include_aliases=False))


def test_every_time_zone_in_the_tables_exists():
    from zoneinfo import available_timezones

    traits = [*_SUFFIXES.values(), *_INDICES.values()]
    assert {time_zone for _, _, time_zone in traits} <= available_timezones()
