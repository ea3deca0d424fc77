"""The language that is spoken: which one, and how it writes figures and days."""

import os
from datetime import date
from threading import Thread
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core import language, operating_system
from stocklstm.core.language import (
    ENGLISH,
    PORTUGUESE,
    choose,
    chosen_language,
    current,
    day,
    language_of,
    language_of_locale,
    money,
    number,
    program_speaks,
    retold,
    say,
    say_counted,
    speaking,
)
from stocklstm.core.operating_system import Windows
from stocklstm.core.translation import Translation
from stocklstm.errors import ConfigError
from tests.support.limited_system import Limited, limited

DISCLAIMER = "A forecast is not investment advice."


@pytest.mark.parametrize(
    ("tag", "meant"),
    [
        ("pt-BR", PORTUGUESE),
        ("pt_BR.UTF-8", PORTUGUESE),
        ("pt_br@euro", PORTUGUESE),
        (" PT ", PORTUGUESE),
        ("pt_PT.UTF-8", None),
        ("ptarmigan", None),
        ("en_GB.UTF-8", ENGLISH),
        ("en", ENGLISH),
        ("C.UTF-8", None),
        ("", None),
    ],
)
def test_a_language_has_many_spellings(tag: str, meant: str | None) -> None:
    assert language_of(tag) == meant


@pytest.mark.parametrize(
    ("variables", "spoken"),
    [
        ({}, ENGLISH),
        ({"LANG": "pt_BR.UTF-8"}, PORTUGUESE),
        ({"LANG": "pt_BR.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, ENGLISH),
        ({"LANG": "pt_BR.UTF-8", "LC_MESSAGES": ""}, PORTUGUESE),
        ({"LANG": "en_US", "LC_MESSAGES": "en_US", "LC_ALL": "pt_BR"}, PORTUGUESE),
        ({"LANG": "pt_BR.UTF-8", "LC_ALL": "C"}, ENGLISH),
        ({"LANG": "de_DE.UTF-8"}, ENGLISH),
        # What a number looks like is not what language a text is in.
        ({"LC_NUMERIC": "pt_BR.UTF-8"}, ENGLISH),
        ({"LANG": "de_DE.UTF-8", "LANGUAGE": "de:pt_BR:en"}, PORTUGUESE),
        ({"LANG": "pt_BR.UTF-8", "LANGUAGE": "en:pt_BR"}, ENGLISH),
        ({"LANG": "C", "LANGUAGE": "pt_BR"}, ENGLISH),
        ({"LANG": "pt_BR.UTF-8", "STOCKLSTM_LANG": "en"}, ENGLISH),
        ({"LC_ALL": "C", "STOCKLSTM_LANG": "pt_br"}, PORTUGUESE),
        ({"LANG": "pt_BR", "STOCKLSTM_LANG": ""}, PORTUGUESE),
    ],
)
def test_the_environment_chooses_as_posix_orders_it(variables: dict[str, str], spoken: str) -> None:
    assert (chosen_language(variables) or language_of_locale(variables)) == spoken


def test_a_variable_of_ours_that_names_no_language_is_an_error() -> None:
    with pytest.raises(ConfigError, match="STOCKLSTM_LANG is 'klingon'"):
        chosen_language({"STOCKLSTM_LANG": "klingon"})


def test_windows_is_asked_where_no_variable_says_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(name: SimpleNamespace, size: int) -> int:
        name.value = "pt-BR"
        return len(name.value) if size == 85 else 0

    ctypes = SimpleNamespace(
        create_unicode_buffer=lambda _: SimpleNamespace(value=""),
        windll=SimpleNamespace(kernel32=SimpleNamespace(GetUserDefaultLocaleName=ask)),
    )
    windows = Windows(Limited(os), limited("signal"), lambda _: ctypes)
    monkeypatch.setattr(operating_system._This, "system", windows)

    assert language_of_locale({}) == PORTUGUESE
    assert language_of_locale({"LANG": "en_US"}) == ENGLISH


def test_every_thread_of_the_program_speaks_its_language_and_a_request_its_own() -> None:
    heard = []
    with program_speaks(lambda: PORTUGUESE):
        thread = Thread(target=lambda: heard.append(current()))
        thread.start()
        thread.join()
        with speaking(ENGLISH):
            heard.append(current())
        heard.append(current())
    heard.append(current())

    assert heard == [PORTUGUESE, ENGLISH, PORTUGUESE, ENGLISH]


def test_another_language_is_chosen_for_as_long_as_the_program_runs() -> None:
    choose(PORTUGUESE)
    assert current() == ENGLISH
    with program_speaks(lambda: ENGLISH):
        choose(PORTUGUESE)
        assert current() == PORTUGUESE
    assert current() == ENGLISH


def test_english_is_what_the_code_says() -> None:
    assert say(DISCLAIMER) == DISCLAIMER
    assert say("{n} of {all:,}", n=1, all=1200) == "1 of 1,200"
    assert say_counted(1, "{count} day", "{count} days") == "1 day"
    assert say_counted(1200, "{count} day", "{count} days") == "1,200 days"
    assert money(1234.5, "BRL") == "R$ 1,234.50"
    assert number(1234.5, 1) == "1,234.5"
    assert day(date(2024, 3, 14)) == "2024-03-14"


def test_portuguese_writes_figures_and_days_in_its_own_way() -> None:
    with speaking(PORTUGUESE):
        assert say(DISCLAIMER) == "Uma previsão não é recomendação de investimento."
        assert say("not in the table: {n:,}", n=1200) == "not in the table: 1.200"
        assert money(1234.5, "BRL") == "R$ 1.234,50"
        assert number(-1234.5, 1) == "-1.234,5"
        assert day(date(2024, 3, 14)) == "14/03/2024"
        assert day("2024-03-14T18:30:00Z") == "14/03/2024 18:30 UTC"


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ("+0.26 %", "+0,26 %"),
        ("R$ 36.44", "R$ 36,44"),
        ("1,234,567", "1.234.567"),
        ("<0.001", "<0,001"),
        ("> 100", "> 100"),
        ("12.5 KiB", "12,5 KiB"),
        ("0.8 ms", "0,8 ms"),
        ("2024-03-14", "14/03/2024"),
        # Names, commands and versions are none.
        ("1.26.4", "1.26.4"),
        ("v1.5", "v1.5"),
        ("PETR4.SA@v1", "PETR4.SA@v1"),
        ("--learning-rate 0.001", "--learning-rate 0.001"),
        ("/home/ana/2024-03-14.csv", "/home/ana/2024-03-14.csv"),
        ("", ""),
    ],
)
def test_whole_figures_and_days_are_told_and_nothing_else_is(shown: str, told: str) -> None:
    assert retold(shown) == shown
    with speaking(PORTUGUESE):
        assert retold(shown) == told


TEXTS = Translation(
    {"{who} has {n:,} of {value}.": "{who} tem {n:,} de {value}."},
    {
        "up": "para cima",
        "{size} up": "{size} acima",
        "It went {way} ({p}).": "Foi {way} ({p}).",
    },
    {"; ": "; ", " and ": " e "},
)


def test_a_finished_sentence_is_told_with_its_parts() -> None:
    assert TEXTS.retold("It went up (0.05).") == "Foi para cima (0,05)."
    assert TEXTS.retold("It went 1,200.5 up (0.05).") == "Foi 1.200,5 acima (0,05)."
    assert TEXTS.retold("up; 2.5 up and 3.5 up") == "para cima; 2,5 acima e 3,5 acima"
    assert TEXTS.retold("It went up (1.5). It went up (2.5).") == (
        "Foi para cima (1,5). Foi para cima (2,5)."
    )
    # Where a part is unknown the whole stays in one language.
    assert TEXTS.retold("up; sideways") == "up; sideways"


def test_values_of_a_text_are_told_too() -> None:
    said = TEXTS.said("{who} has {n:,} of {value}.", {"who": "Ana", "n": 1200, "value": "0.5"})
    assert said == "Ana tem 1.200 de 0,5."


@pytest.mark.parametrize("name", ["1.500", "2024-03-14", "good", "{x}"])
def test_a_name_that_looks_like_something_else_stays(name: str) -> None:
    with speaking(PORTUGUESE):
        assert say("Forecast of {ticker}", ticker=name) == f"Previsão de {name}"
        # Stored in English, and told anew.
        assert retold(f"{name} prices") == f"preços de {name}"


@given(st.text())
def test_no_text_cannot_be_told(text: str) -> None:
    with speaking(PORTUGUESE):
        assert isinstance(retold(text), str)


@given(st.floats(-1e12, 1e12), st.integers(0, 6))
def test_a_figure_means_the_same_in_both_languages(value: float, digits: int) -> None:
    with speaking(PORTUGUESE):
        told = number(value, digits)
        assert retold(f"{value:,.{digits}f}") == told
    assert told.translate(str.maketrans(",.", ".,")) == number(value, digits)


def test_every_language_has_a_name() -> None:
    assert [language_of(name) for name in language.LANGUAGES] == list(language.LANGUAGES)
