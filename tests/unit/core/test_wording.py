import math
import shlex

import pytest

from stocklstm.core.language import currency_symbol, english_money
from stocklstm.core.wording import (
    counted,
    error_digits,
    first_few,
    level_percent,
    naive_words,
    p_cell,
    p_words,
    percent,
    percent_change,
    price_words,
    quoted,
    sessions_ahead,
    significant,
    size_words,
    skill_percent,
    target_words,
    two_digits,
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
    assert english_money(amount, currency) == shown


def test_digits_are_a_matter_of_choice():
    assert english_money(0.12345, "BRL", digits=4) == "R$ 0.1235"
    assert english_money(38.6, "BRL", digits=0) == "R$ 39"


def test_a_currency_without_a_sign_keeps_its_code():
    assert currency_symbol("XAU") == "XAU"
    assert currency_symbol("") == ""


@pytest.mark.parametrize(
    ("p", "sentence", "cell"),
    [
        (0.3149, "p = 0.31", "0.315"),
        (0.0496, "p = 0.0496", "0.050"),
        (0.0504, "p = 0.0504", "0.050"),
        (0.04998, "p = 0.04998", "0.050"),
        (0.05, "p = 0.05", "0.050"),
        (0.0432, "p = 0.043", "0.043"),
        (0.0000123, "p < 0.001", "<0.001"),
        (0.0, "p < 0.001", "<0.001"),
        (1.0, "p = 1", "1.000"),
    ],
)
def test_a_p_value_in_a_sentence_and_in_a_table(p, sentence, cell):
    assert (p_words(p), p_cell(p)) == (sentence, cell)


@pytest.mark.parametrize(
    ("number", "digits", "text"),
    [
        (99.6, 2, "100"),
        (9.96, 2, "10"),
        (0.0000123, 2, "0.000012"),
        (37_431.31, 4, "37,430"),
        (37_431.31, 7, "37,431.31"),
        (3.743099e-10, 7, "0.0000000003743099"),
        (-0.00001308, 4, "-0.00001308"),
        (0.5, 4, "0.5"),
        (0.0, 4, "0"),
        (100.0, 4, "100"),
        (math.inf, 4, "inf"),
    ],
)
def test_significant_digits_without_a_power_of_ten(number, digits, text):
    assert significant(number, digits) == text


def test_shares_and_changes_in_per_cent():
    assert (percent(0.81256), percent(None), p_cell(None)) == ("81.3 %", "-", "-")
    assert (level_percent(0.8), level_percent(0.975)) == ("80 %", "97.5 %")
    assert [percent_change(change) for change in (0.174, -0.001, -1.5)] == [
        *("+0.17 %", "+0.00 %", "-1.50 %")
    ]


def test_what_is_out_of_all_proportion_has_no_digits():
    assert [
        size_words(share) for share in (0.0, 0.0012, 0.0999, 0.1, 4.18, 100.0, 100.1, 2e12)
    ] == [
        *("0.0 %", "0.1 %", "10.0 %", "10 %", "418 %", "10,000 %"),
        *("more than 100 times", "more than 100 times"),
    ]
    assert [percent_change(change) for change in (1e4, 10_000.01, math.inf, -100)] == [
        *("+10,000.00 %", "beyond +10,000 %", "beyond +10,000 %", "-100.00 %")
    ]
    assert [skill_percent(skill) for skill in (0.0016, -3.0, -100, -1e9)] == [
        *("+0.16 %", "-300.00 %", "-10,000.00 %", "below -10,000 %")
    ]
    assert skill_percent(0.0123, 1) == "+1.2 %"


@pytest.mark.parametrize(
    ("price", "words"),
    [
        (1234.5, "1,234.50"),
        (1.0, "1.00"),
        (0.95, "0.9500"),
        (0.0275, "0.02750"),
        (0.00412, "0.004120"),
        (1.5e-9, "0.000000001500"),
        (1e-15, "0.000000000000001"),
    ],
)
def test_a_price_has_four_digits_at_least(price, words):
    assert price_words(price) == words
    if price >= 1e-12:
        assert float(words.replace(",", "")) == pytest.approx(price, rel=5e-4)


@pytest.mark.parametrize(
    ("rmse", "digits"), [(0.0, 4), (12.0, 2), (0.7, 4), (0.02, 5), (3e-5, 8), (2e-9, 12)]
)
def test_errors_have_four_digits_at_least(rmse, digits):
    assert error_digits(rmse) == digits


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        *((0, "0"), (4e-6, "less than 0.0001"), (0.0312, "0.031"), (5.24, "5.2"), (18, "18")),
        *((99.4, "99"), (99.6, "100"), (100, "100"), (123_456, "123,456")),
    ],
)
def test_two_digits_are_never_a_power_of_ten(figure, words):
    assert two_digits(figure) == words


def test_one_of_a_thing_and_several():
    assert [counted(count, "session") for count in (0, 1, 2, 1200)] == [
        "0 sessions",
        "1 session",
        "2 sessions",
        "1,200 sessions",
    ]


def test_the_first_few_of_many_names():
    assert first_few(["A", "B", "C"]) == "A, B, C"
    assert first_few(["A", "B", "C", "D", "E"]) == "A, B, C and 2 more"
    assert first_few(["A", "B"], 1) == "A and 1 more"
    assert first_few([]) == ""


def test_how_far_ahead_a_forecast_is():
    assert [target_words(horizon) for horizon in (1, 5)] == ["the next session", "5 sessions ahead"]
    assert sessions_ahead(1) == "1 session ahead"
    assert naive_words(1) == "yesterday's close"
    assert naive_words(5) == "the close 5 sessions before"


@pytest.mark.parametrize(
    "name", ["prices.csv", "my prices.csv", "a$b;c.csv", 'say "x".csv', "it's.csv", "~#a.csv"]
)
def test_an_argument_that_a_shell_takes_as_it_is(name):
    assert shlex.split(quoted(name)) == [name]
