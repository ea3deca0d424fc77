"""Results as documents, and what is said on stderr."""

import json
import os
from collections import OrderedDict
from dataclasses import asdict, dataclass
from typing import NamedTuple

import pytest

from stocklstm.cli.output import as_document
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


@pytest.mark.usefixtures("model_home")
def test_verbose_is_of_one_command_line(cli: Cli) -> None:
    arguments = ("predict", "--levels", "x")
    verbose, plain = cli("--verbose", *arguments), cli(*arguments)

    assert " cause: ValueError" in verbose.err
    assert " cause:" not in plain.err
    assert "STOCKLSTM_VERBOSE" not in os.environ
