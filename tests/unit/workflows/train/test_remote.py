"""A version from elsewhere is published only if it is what was ordered and does what it says."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import ArtifactCorruptError
from stocklstm.learn.stopping import StoppedError, never
from stocklstm.store.runs import RunRecord
from stocklstm.store.store import open_store
from stocklstm.workflows.train.order import RunInMemory, TrainingOrder, carry_out
from stocklstm.workflows.train.remote import carry_out_far, unpacked
from tests.conftest import TICKER


@pytest.fixture(scope="module")
def order(_priced: Path) -> TrainingOrder:
    from stocklstm.core.settings.config import configure
    from tests.conftest import TINY

    config: TrainingConfig = configure("calibrated", **{**TINY, "epochs": 1, "top_k": 1})
    with open_store(_priced) as store:
        bars = store.prices.bars(TICKER).select(slice(-500, None))
    record = RunRecord(
        id=f"{TICKER}-20261121T213000Z-3f2a",
        ticker=TICKER,
        created="2026-11-21T21:30:00Z",
        config=config,
        rows=len(bars),
        last=str(bars.dates[-1]),
        sha256=bars.fingerprint(),
    )
    return TrainingOrder(record, bars, ("sample",), "BRL", RunInMemory())


@pytest.fixture(scope="module")
def parcel(order: TrainingOrder) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.msgpack.decode(carry_out_far(order, never))
    return found


def test_what_comes_back_is_what_was_made(order: TrainingOrder, parcel: dict[str, Any]) -> None:
    made = carry_out(replace(order, files=RunInMemory()), never)

    found = unpacked(msgspec.msgpack.encode(parcel), order)

    assert found.files.keys() == made.files.keys()
    for name in ("model.onnx", "predictions_vs_actual.png"):
        assert found.files[name] == made.files[name]
    assert "checkpoint-epoch-0001.pth" in found.files
    assert found.manifest.evaluation == made.manifest.evaluation
    assert (found.days.forecasts.quantiles == made.days.forecasts.quantiles).all()


def test_nothing_is_trained_that_was_called_off(order: TrainingOrder) -> None:
    with pytest.raises(StoppedError):
        carry_out_far(order, lambda: True)


def replaced(parcel: dict[str, Any], words: bytes, others: bytes) -> dict[str, Any]:
    assert words in parcel["manifest"]
    return {**parcel, "manifest": parcel["manifest"].replace(words, others)}


def flattered(parcel: dict[str, Any]) -> dict[str, Any]:
    manifest = msgspec.json.decode(parcel["manifest"])
    manifest["evaluation"]["distribution"]["crps"] *= 0.99
    return {**parcel, "manifest": msgspec.json.encode(manifest)}


def without(parcel: dict[str, Any], name: str) -> dict[str, Any]:
    return {**parcel, "files": {k: v for k, v in parcel["files"].items() if k != name}}


FORGERIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no parcel": lambda _: 7,
    "another ticker": lambda p: replaced(p, TICKER.encode(), b"VALE3.SA"),
    "other settings": lambda p: replaced(p, b'"hidden_size": 16', b'"hidden_size": 17'),
    "better scores than its graph has": flattered,
    "a file less": lambda p: without(p, "history.csv"),
    "no graph": lambda p: without(p, "model.onnx"),
    "a way out of the directory": lambda p: {**p, "files": {**p["files"], "../x": b""}},
    "a graph that is none": lambda p: {**p, "files": {**p["files"], "model.onnx": b"\x08\x01"}},
    "a pickle": lambda p: {**p, "files": {**p["files"], "model.pth": b"\x80\x04N."}},
}


@pytest.mark.parametrize("forged", FORGERIES)
def test_a_forgery_is_refused(order: TrainingOrder, parcel: dict[str, Any], forged: str) -> None:
    content = msgspec.msgpack.encode(FORGERIES[forged](parcel))

    with pytest.raises(ArtifactCorruptError, match=f"version of {TICKER} that a worker made"):
        unpacked(content, order)


def test_other_prices_are_refused(order: TrainingOrder, parcel: dict[str, Any]) -> None:
    other = replace(order, record=replace(order.record, sha256="0" * 64))

    with pytest.raises(ArtifactCorruptError, match="other prices"):
        unpacked(msgspec.msgpack.encode(parcel), other)
