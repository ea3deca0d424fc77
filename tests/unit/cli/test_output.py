"""Results as documents, and what is said on stderr."""

import json
import math
import os
from collections import OrderedDict
from dataclasses import asdict, dataclass
from typing import NamedTuple

import pytest

from stocklstm.cli.output import View, as_document, document, json_text
from stocklstm.core.batch import Batch
from tests.conftest import Cli


@dataclass(frozen=True)
class Inner:
    value: float | None


class Pair(NamedTuple):
    one: Inner
    other: int


@dataclass(frozen=True)
class Outer:
    pairs: tuple[Pair, ...]
    several: list[Inner]
    named: dict[str, Inner]


def test_a_document_holds_what_a_result_does_however_it_is_nested() -> None:
    pair = Pair(Inner(0.5), 2)
    result = Outer((pair, pair), [Inner(None)], OrderedDict(a=Inner(1.0)))

    assert json.loads(json.dumps(as_document(result))) == json.loads(json.dumps(asdict(result)))


@pytest.mark.parametrize("words", ["São Paulo", "not UTF-8: \udcff"])
def test_its_text_is_the_same_whether_or_not_it_was_made_of_mappings(words: str) -> None:
    result = Outer((Pair(Inner(math.nan), 2),), [Inner(0.5)], {words: Inner(1.0)})
    as_it_is = View("show", "items", as_document, lambda *_: None, lambda _: ())
    mapped = as_it_is._replace(document=lambda item: dict(as_document(item)))

    text = json_text(document(as_it_is, Batch((result,))))
    assert text == json_text(document(mapped, Batch((result,))))
    assert json.loads(text)["items"][0]["pairs"] == [[{"value": None}, 2]]


@pytest.mark.usefixtures("model_home")
def test_verbose_is_of_one_command_line(cli: Cli) -> None:
    arguments = ("predict", "--levels", "x")
    verbose, plain = cli("--verbose", *arguments), cli(*arguments)

    assert " cause: ValueError" in verbose.err
    assert " cause:" not in plain.err
    assert "STOCKLSTM_VERBOSE" not in os.environ
