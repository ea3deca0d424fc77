"""The language in which people are spoken to: which one it is, its texts, figures and days.

English is what the code is written in, what is stored, and what JSON, CSV and bare values hold. The
other languages are tables of texts by their English, imported only where they are spoken.

`say` is for texts that only people read. A text that is also stored or goes into JSON is made by
`english`, and `retold` tells it in the language once a person reads it.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from typing import TYPE_CHECKING

from stocklstm.core.operating_system import system
from stocklstm.errors import ConfigError

if TYPE_CHECKING:
    from stocklstm.core.translation import Translation

ENGLISH, PORTUGUESE = "en", "pt-BR"

LANGUAGES = (ENGLISH, PORTUGUESE)
"""Languages that the program speaks, as BCP 47 names them."""

VARIABLE = "STOCKLSTM_LANG"
"""Environment variable that names the language."""

_SYMBOLS = {"BRL": "R$", "USD": "$", "EUR": "€", "GBP": "£", "GBp": "p", "JPY": "¥"}


class _Process:
    """What this process speaks where nothing else is said, in all of its threads."""

    language: str | None = ENGLISH
    find: Callable[[], str] | None = None


_REQUEST: "ContextVar[str | None]" = ContextVar("language", default=None)


def current() -> str:
    """Name the language that is spoken now."""
    if (language := _REQUEST.get()) is not None:
        return language
    if _Process.language is None:
        # Only here: where nothing is said nobody looks into a file for the language.
        _Process.language = ENGLISH if _Process.find is None else _Process.find()
    return _Process.language


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak a language in this context, such as one request of a server."""
    token = _REQUEST.set(language)
    try:
        yield
    finally:
        _REQUEST.reset(token)


@contextmanager
def program_speaks(find: Callable[[], str]) -> Iterator[None]:
    """Speak a language in all threads until the end, or until `choose` takes another one.

    Args:
        find: Tells which, once something is said.
    """
    before = _Process.language, _Process.find
    _Process.language, _Process.find = None, find
    try:
        yield
    finally:
        _Process.language, _Process.find = before


def choose(language: str) -> None:
    """Speak another language in all threads, as long as `program_speaks` holds."""
    # A command line may be looked at without being run.
    if _Process.find is not None:
        _Process.language = language


# Which language is wanted.


def chosen_language(variables: Mapping[str, str] = os.environ) -> str | None:
    """Tell which language `STOCKLSTM_LANG` asks for; None if it is not set.

    Raises:
        ConfigError: `STOCKLSTM_LANG` names none that is spoken here.
    """
    named = variables.get(VARIABLE)
    if not named:
        return None
    language = language_of(named)
    if language is None:
        raise ConfigError(
            f"{VARIABLE} is {named[:50]!a}, and the languages are {' and '.join(LANGUAGES)}",
            hint=system().set_variable(VARIABLE, PORTUGUESE),
        )
    return language


def language_of(tag: str) -> str | None:
    """Tell which language a locale or a tag of HTTP means; None for one that is not spoken here."""
    word = re.split("[.@;]", tag.strip(), maxsplit=1)[0].replace("_", "-").casefold()
    if word in {"pt", "pt-br"}:
        return PORTUGUESE
    return ENGLISH if word.partition("-")[0] == "en" else None


def language_of_locale(variables: Mapping[str, str] = os.environ) -> str:
    """Tell which language the user's locale asks for, as POSIX and gettext read it.

    Args:
        variables: Of the environment. Of LC_ALL, LC_MESSAGES and LANG the first one that is set
            counts; where it is not C, the languages of LANGUAGE come before it.
    """
    names = (variables.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    locale = next(filter(None, names), None)
    if locale is None:
        locale = system().user_locale()
    elif re.split("[.@]", locale, maxsplit=1)[0] not in {"C", "POSIX"}:
        for tag in variables.get("LANGUAGE", "").split(":"):
            if (language := language_of(tag)) is not None:
                return language
    return language_of(locale) or ENGLISH


# Texts.


def say(text: str, /, **values: object) -> str:
    """Give a text that only people read in the language that is spoken.

    Args:
        text: In English, with {fields}.
        values: Of the fields. Figures, days and sentences of `english` among them are shown in the
            language too.
    """
    if current() == ENGLISH:
        return text.format(**values) if values else text
    return _translation().said(text, values)


def say_counted(count: int, one: str, many: str, /, **values: object) -> str:
    """Give the text for one thing, or that for none or several, with their {count}."""
    return say(one if count == 1 else many, count=f"{count:,}", **values)


def english(text: str, /, **values: object) -> str:
    """Give a text in English, whatever is spoken: it is stored, or part of a JSON document."""
    return text.format(**values) if values else text


def retold(text: str) -> str:
    """Tell what `english` or an English figure or day says in the language that is spoken.

    What is none of these stays as it is.
    """
    return text if current() == ENGLISH else _translation().retold(text)


def _translation() -> "Translation":
    # Only here: nobody who is spoken to in English waits for the tables.
    from stocklstm.core.portuguese import PORTUGUESE_TEXTS

    return PORTUGUESE_TEXTS


# Figures and days, as they are shown to people.


def figure(text: str) -> str:
    """Write a figure in English letters, such as R$ 1,234.50, as the language does."""
    return text if current() == ENGLISH else _translation().figure(text)


def number(value: float, digits: int = 0) -> str:
    """Write a number with so many decimal places: 1,234.5 or 1.234,5."""
    return figure(f"{value:,.{digits}f}")


def money(amount: float, currency: str, digits: int = 2) -> str:
    """Write an amount, such as R$ 38.42 or R$ 38,42.

    Args:
        currency: ISO 4217 code.
        digits: Decimal places.
    """
    return figure(english_money(amount, currency, digits))


def english_money(amount: float, currency: str, digits: int = 2) -> str:
    """Write an amount in English, whatever is spoken; see `money`."""
    return f"{currency_symbol(currency)} {amount:,.{digits}f}".strip()


def currency_symbol(currency: str) -> str:
    """Give the sign of an ISO 4217 code; the code itself if it has none here."""
    return _SYMBOLS.get(currency, currency)


def day(when: date | str) -> str:
    """Write a day, such as 2024-03-14 or 14/03/2024.

    Args:
        when: The day, or its ISO 8601 form, also with a time; other words stay as they are.
    """
    return retold(str(when))
