"""Shell completion: which words could come next on a command line.

The metavar of an option says what its values are, and so what completes them. Whatever goes wrong
here, the shell gets no words and no error: somebody is in the middle of a line.
"""

import inspect
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout

import typer
from typer.models import ParameterInfo

from stocklstm.cli.streams import write
from stocklstm.core.reference import AUTO, CHAMPION, POOL_MARK, PREVIOUS
from stocklstm.core.settings.compression import METHODS
from stocklstm.core.settings.config import PICTURE_FORMS, PRESETS, SAMPLERS
from stocklstm.core.settings.layers import SETTINGS
from stocklstm.store import names
from stocklstm.store.paths import StorePaths, data_home

# What bash takes for the end of a word though it is part of a name: PETR4.SA@v1, EURUSD=X.
_BREAKS = {"@", "="}

Words = Callable[[str], Iterable[str]]
"""Gives all words that could stand where a word was begun."""


def complete(build: Callable[[list[str]], typer.Typer]) -> int:
    """Print what could come next, as Typer does for each shell.

    Args:
        build: Registers the commands of a command line.
    """
    shown = io.StringIO()
    code = 0
    try:
        typed, broken_off = _typed()
        app = build(typed)
        for parameter in _parameters(app):
            if words := words_of(parameter.metavar or ""):
                parameter.autocompletion = _completing(words)
        with redirect_stdout(shown), redirect_stderr(io.StringIO()):
            app([], prog_name="stocklstm")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except Exception:  # noqa: BLE001 - see above
        return 0
    lines = filter(None, shown.getvalue().splitlines())
    write("".join(f"{line.removeprefix(broken_off)}\n" for line in lines))
    return code


def _typed() -> tuple[list[str], str]:
    """Read the words before the one that is completed, and what bash has broken off that one.

    Words that bash has broken are put together for Typer, which reads them where they were.
    """
    if "COMP_WORDS" not in os.environ:
        return os.environ.get("_TYPER_COMPLETE_ARGS", "").split()[1:], ""
    text = os.environ["COMP_WORDS"]
    broken = text.split("\n") if "\n" in text else text.split(" ")
    at = int(os.environ["COMP_CWORD"])
    words = [""]
    for word in [*broken, ""][: at + 1]:
        end = words[-1]
        if word == "=" and end.startswith("--"):
            # --ticker=PETR4.SA is an option and its value.
            words.append("")
        elif not end or (not end.startswith("-") and (word in _BREAKS or end[-1] in _BREAKS)):
            words[-1] += word
        else:
            words.append(word)
    os.environ["COMP_WORDS"] = "\n".join(words)
    os.environ["COMP_CWORD"] = str(len(words) - 1)
    value = words[-1]
    return words[1:-1], value[: 1 + max(value.rfind(sign) for sign in _BREAKS)]


def _parameters(app: typer.Typer) -> Iterator[ParameterInfo]:
    """Find the arguments and options of all commands that are registered."""
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from _parameters(group.typer_instance)
    for command in app.registered_commands:
        for parameter in inspect.signature(command.callback or _parameters).parameters.values():
            for mark in getattr(parameter.annotation, "__metadata__", ()):
                if isinstance(mark, ParameterInfo):
                    yield mark


def words_of(metavar: str) -> Words | None:
    """Find what completes the values that a metavar stands for; None where nothing does."""
    word = metavar if metavar.endswith(",...") else metavar.removesuffix("...")
    if word.startswith("["):
        word = word[1:-1]
    if word in WORDS:
        return WORDS[word]
    if "|" in word:
        choices = [choice for choice in word.split("|") if not choice.isupper()]
        return lambda _: choices
    return (lambda _: [word]) if word.islower() else None


def _completing(words: Words) -> Callable[[str], list[str]]:
    """Make the function that Typer calls: any letter case fits, and what was typed stays."""

    def completed(incomplete: str) -> list[str]:
        begun = incomplete.casefold()
        return [
            incomplete + word[len(incomplete) :]
            for word in words(incomplete)
            if word.casefold().startswith(begun)
        ]

    return completed


def _paths() -> StorePaths:
    return StorePaths(data_home())


def _tickers(_begun: str) -> Iterable[str]:
    return names.price_tickers(_paths())


def _references(begun: str) -> Iterable[str]:
    """Tickers that have a model, and behind an @ their versions; pooled ones where a + is typed."""
    stored = names.model_names(_paths())
    ticker, marked, _ = begun.partition("@")
    if not marked:
        return [
            name for name in stored if name.startswith(POOL_MARK) <= begun.startswith(POOL_MARK)
        ]
    found = next((name for name in stored if name.casefold() == ticker.casefold()), "")
    return [f"{found}@{version}" for version in stored.get(found, ())]


def _own_aliases(begun: str) -> Iterable[str]:
    """Names that somebody gave: no versions, and none of those that the program moves."""
    for reference in _references(begun):
        _, _, name = reference.partition("@")
        if not re.fullmatch(r"v\d+", name) and name not in {CHAMPION, PREVIOUS}:
            yield reference


def _pools(begun: str) -> Iterable[str]:
    marked = begun.startswith(POOL_MARK)
    for name in _references(begun if marked else f"{POOL_MARK}{begun}"):
        if name.startswith(POOL_MARK):
            yield name if marked else name.removeprefix(POOL_MARK)


def _sources(_begun: str) -> Iterable[str]:
    from stocklstm.market.source import source_names

    return source_names()


def _any_of(choices: Iterable[str]) -> Words:
    return lambda _: choices


def _several_of(choices: Iterable[str]) -> Words:
    """Complete the last of several values in one word."""

    def words(begun: str) -> Iterable[str]:
        before, comma, _ = begun.rpartition(",")
        used = before.casefold().split(",")
        return [f"{before}{comma}{choice}" for choice in choices if choice not in used]

    return words


WORDS: Mapping[str, Words] = {
    "TICKER": _tickers,
    "OLD": _tickers,
    "TICKER[@VERSION]": _references,
    "TICKER@VERSION": _references,
    "TICKER@NAME": _own_aliases,
    "NAME[@VERSION]": _pools,
    "PRESET": _any_of(PRESETS),
    "SOURCE": _sources,
    "METHOD": _any_of(METHODS),
    "SAMPLER": _any_of(SAMPLERS),
    "PICTURE": _any_of(PICTURE_FORMS),
    "CALENDAR": _any_of((AUTO, "weekdays", "BVMF", "XNYS")),
    "CODE": _any_of((AUTO, "BRL", "USD", "EUR", "GBp")),
    "SIGN": _any_of((",", ".")),
    "RUN|auto": lambda _: [AUTO, *names.unfinished_runs(_paths())],
    "STUDY|auto": lambda _: [AUTO, *names.unfinished_studies(_paths())],
    **{
        row.metavar: (_several_of if row.kind is tuple else _any_of)(row.choices)
        for row in SETTINGS.values()
        if row.choices
    },
}
"""What completes the values of an option, by its metavar."""
