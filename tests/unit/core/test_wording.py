import pytest

from stocklstm.core.wording import currency_symbol, money


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (38.42, "BRL", "R$ 38.42"),
        (212.1, "USD", "$ 212.10"),
        (1234567.891, "EUR", "€ 1,234,567.89"),
        (0.005, "GBP", "£ 0.01"),
        (-3.2, "JPY", "¥ -3.20"),
        (71.5, "GBp", "p 71.50"),
        (12.0, "CHF", "CHF 12.00"),
    ],
)
def test_an_amount_as_the_exchange_quotes_it(amount, currency, shown):
    assert money(amount, currency) == shown


def test_digits_are_a_matter_of_choice():
    assert money(0.12345, "BRL", digits=4) == "R$ 0.1235"
    assert money(38.6, "BRL", digits=0) == "R$ 39"


def test_a_currency_without_a_sign_keeps_its_code():
    assert currency_symbol("XAU") == "XAU"
    assert currency_symbol("") == ""
