import shlex

import pytest

from stocklstm.core.wording import (
    currency_symbol,
    horizon_suffix,
    level_percent,
    money,
    naive_words,
    p_cell,
    p_exact,
    p_words,
    percent,
    percent_change,
    quoted,
    sessions_ahead,
    target_words,
)


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


@pytest.mark.parametrize(
    ("p", "sentence", "exact", "cell"),
    [
        (0.3149, "p = 0.31", "p = 0.31", "0.315"),
        (0.0496, "p = 0.0496", "p = 0.05", "0.050"),
        (0.0504, "p = 0.0504", "p = 0.05", "0.050"),
        (0.0432, "p = 0.043", "p = 0.043", "0.043"),
        (0.0000123, "p < 0.001", "p = 1.2e-05", "<0.001"),
        (1.0, "p = 1", "p = 1", "1.000"),
    ],
)
def test_a_p_value_in_a_sentence_in_a_reason_and_in_a_table(p, sentence, exact, cell):
    assert (p_words(p), p_exact(p), p_cell(p)) == (sentence, exact, cell)


def test_shares_and_changes_in_per_cent():
    assert (percent(0.81256), percent(None), p_cell(None)) == ("81.3 %", "-", "-")
    assert (level_percent(0.8), level_percent(0.975)) == ("80 %", "97.5 %")
    assert [percent_change(change) for change in (0.174, -0.001, -1.5)] == [
        *("+0.17 %", "+0.00 %", "-1.50 %")
    ]


def test_how_far_ahead_a_forecast_is():
    assert [target_words(horizon) for horizon in (1, 5)] == ["the next session", "5 sessions ahead"]
    assert [horizon_suffix(horizon) for horizon in (1, 5)] == ["", ", 5 sessions ahead"]
    assert sessions_ahead(1) == "1 session ahead"
    assert naive_words(1) == "yesterday's close"
    assert naive_words(5) == "the close 5 sessions before"


@pytest.mark.parametrize(
    "name", ["prices.csv", "my prices.csv", "a$b;c.csv", 'say "x".csv', "it's.csv", "~#a.csv"]
)
def test_an_argument_that_a_shell_takes_as_it_is(name):
    assert shlex.split(quoted(name)) == [name]
