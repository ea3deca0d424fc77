"""A manifest of another store is believed in nothing that has a bound."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stocklstm.errors import IntegrityError
from stocklstm.store.manifest import decode_manifest
from stocklstm.store.untrusted_manifest import decode_untrusted_manifest
from tests.conftest import TICKER

Document = dict[str, Any]
Path_ = tuple[str | int, ...]


@pytest.fixture(scope="module")
def document(_modelled: Path) -> Document:
    found: Document = json.loads((_modelled / "models" / TICKER / "v1/manifest.json").read_text())
    return found


def leaves(value: object, path: Path_ = ()) -> Iterator[tuple[Path_, object]]:
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, (*path, key))
    else:
        yield path, value


def replaced(document: Document, path: Path_, value: object) -> bytes:
    copy = json.loads(json.dumps(document))
    part = copy
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return json.dumps(copy).encode()


def test_a_sound_one_is_taken(document: Document) -> None:
    content = json.dumps(document).encode()

    assert decode_untrusted_manifest(content) == decode_manifest(content, TICKER, 1)


@pytest.mark.parametrize("wild", [1e300, -1e300, 10**30, float("nan"), float("inf")])
def test_no_number_is_wild(document: Document, wild: float) -> None:
    numbers = [p for p, v in leaves(document) if isinstance(v, int | float) and v is not True]
    assert len(numbers) > 100

    for path in numbers:
        with pytest.raises(IntegrityError):
            decode_untrusted_manifest(replaced(document, path, wild))


def test_no_text_moves_the_cursor_or_fills_the_screen(document: Document) -> None:
    for path in [path for path, value in leaves(document) if isinstance(value, str)]:
        for wild in ("\x1b[2J", "x" * 2001):
            with pytest.raises(IntegrityError):
                decode_untrusted_manifest(replaced(document, path, wild))


def at(*path: str | int, to: object) -> Callable[[Document], bytes]:
    return lambda document: replaced(document, path, to)


FORGED: dict[str, Callable[[Document], bytes]] = {
    "no last close": at("data", "last_close", to=0.0),
    "a last close below zero": at("data", "last_close", to=-36.38),
    "a last close beyond all prices": at("data", "last_close", to=1e13),
    "no rows": at("data", "rows", to=0),
    "no such day": at("data", "last", to="2024-02-30"),
    "a first day after the last": at("data", "first", to="2099-01-01"),
    "bars of no length": lambda document: at(
        "data", "measured", to={"as you like": document["data"]["rows"]}
    )(document),
    "no hash": at("data", "sha256", to="0" * 63),
    "training to the validation": lambda d: replaced(
        d, ("splits", "train_end"), d["splits"]["validation_start"]
    ),
    "validation to the test": lambda d: replaced(
        d, ("splits", "validation_start"), d["splits"]["test_start"]
    ),
    "a test after the prices": at("splits", "test_end", to="2099-01-01"),
    "scores of other days": at("evaluation", "start", to="2000-01-03"),
    "a MASE scale below zero": at("mase_scale", to=-1.0),
    "a verdict of its own": at("evaluation", "verdict", to="splendid"),
    "a probability above one": at("evaluation", "point", "dm_p", to=1.5),
    "an error below zero": at("evaluation", "point", "rmse", to=-0.1),
    "a level of one": at("evaluation", "distribution", "coverage", 0, "level", to=1.0),
    "no test days": at("evaluation", "n", to=0),
    "another horizon": at("evaluation", "horizon", to=5),
    "a decay of one": at("anchor", "anchor", "decay", to=1.0),
    "a floor below zero": at("anchor", "anchor", "floor", to=-1.0),
    "a feature without spread": at("anchor", "features", 0, "spread", to=0.0),
    "no scaling": at("anchor", to=None),
    "baselines out of order": at("baselines", "ewma", "quantiles", 0, to=9.0),
    "a range upside down": at("input_ranges", 0, "low", to=1e9),
    "an epoch after the last": at("training", "kept_epoch", to=10_000),
    "less time than none": at("training", "seconds", to=-1.0),
    "no weights": at("training", "parameters", to=0),
    "a file below zero": at("files", "model.onnx", "size", to=-1),
    "a method that is none": at("method", to="magic"),
    "version zero": at("version", to=0),
    "days learned that are none": at("learned_before", to={TICKER: "soon"}),
}


@pytest.mark.parametrize("forged", FORGED)
def test_a_forgery_is_refused(document: Document, forged: str) -> None:
    with pytest.raises((IntegrityError, msgspec.MsgspecError)):
        decode_untrusted_manifest(FORGED[forged](document))
