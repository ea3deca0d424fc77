"""Amounts as the exchange quotes them."""

import math

_SYMBOLS = {"BRL": "R$", "USD": "$", "EUR": "€", "GBP": "£", "GBp": "p", "JPY": "¥"}


def currency_symbol(currency: str) -> str:
    """Give the sign of an ISO 4217 code; the code itself if it has none here."""
    return _SYMBOLS.get(currency, currency)


def money(amount: float, currency: str, digits: int = 2) -> str:
    """Write an amount, such as R$ 38.42.

    Args:
        amount: In currency.
        currency: ISO 4217 code.
        digits: Decimal places.
    """
    return f"{currency_symbol(currency)} {amount:,.{digits}f}".strip()


def error_digits(rmse: float) -> int:
    """Choose the decimal places of errors: four for those of shares, two for those of an index.

    Args:
        rmse: How large they usually are, in currency.
    """
    return 4 if rmse < 10 else 2


def price_digits(price: float) -> int:
    """Choose the decimal places of a price: two, and more for what costs less than one.

    Args:
        price: In currency, above zero.
    """
    return 2 if price >= 1 else min(8, 3 - math.floor(math.log10(max(price, 1e-8))))


def naive_words(horizon: int) -> str:
    """Name the naive forecast.

    Args:
        horizon: Sessions ahead.
    """
    return "yesterday's close" if horizon == 1 else f"the close {horizon} sessions before"
