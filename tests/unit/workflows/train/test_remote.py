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
from stocklstm.store.pool_members import MEMBERS_FILE
from stocklstm.store.runs import RunRecord
from stocklstm.store.store import open_store
from stocklstm.workflows.train.order import Dataset, RunInMemory, TrainingOrder, train_order
from stocklstm.workflows.train.remote import train_packed, unpack
from stocklstm.workflows.train.runs import Runs, read_pool
from tests.conftest import TICKER
from tests.support.pooled_store import NAMES, POOL, pool_config, priced


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
    dataset = Dataset(TICKER, {TICKER: bars}, {TICKER: ("sample",)}, "BRL")
    return TrainingOrder(record, dataset, RunInMemory())


@pytest.fixture(scope="module")
def parcel(order: TrainingOrder) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.msgpack.decode(train_packed(order, never))
    return found


def test_what_comes_back_is_what_was_made(order: TrainingOrder, parcel: dict[str, Any]) -> None:
    made = train_order(replace(order, files=RunInMemory()), never)

    found = unpack(msgspec.msgpack.encode(parcel), order)

    assert found.files.keys() == made.files.keys()
    for name in ("model.onnx", "predictions_vs_actual.png"):
        assert found.files[name] == made.files[name]
    assert "checkpoint-epoch-0001.pth" in found.files
    assert found.manifest.evaluation == made.manifest.evaluation
    assert found.days.keys() == made.days.keys() == {TICKER}
    mine, theirs = (each.days[TICKER].forecasts.quantiles for each in (found, made))
    assert (mine == theirs).all()


def test_nothing_is_trained_that_was_called_off(order: TrainingOrder) -> None:
    with pytest.raises(StoppedError):
        train_packed(order, lambda: True)


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
        unpack(content, order)


def test_other_prices_are_refused(order: TrainingOrder, parcel: dict[str, Any]) -> None:
    other = replace(order, record=replace(order.record, sha256="0" * 64))

    with pytest.raises(ArtifactCorruptError, match="other prices"):
        unpack(msgspec.msgpack.encode(parcel), other)


# Pooled models


@pytest.fixture(scope="module")
def pooled_order(tmp_path_factory: pytest.TempPathFactory) -> TrainingOrder:
    home = tmp_path_factory.mktemp("remote") / "home"
    priced(home)
    config = pool_config(epochs=1, top_k=1)
    with open_store(home) as store:
        dataset = read_pool(store, "b3", NAMES, config, lambda _: None)
        runs = Runs(store, remote=True, on_note=lambda _: None)
        with runs.new(dataset, config, None) as begun:
            return begun.order


@pytest.fixture(scope="module")
def pooled_parcel(pooled_order: TrainingOrder) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.msgpack.decode(train_packed(pooled_order, never))
    return found


def test_a_pooled_model_comes_back_as_it_was_made(
    pooled_order: TrainingOrder, pooled_parcel: dict[str, Any]
) -> None:
    made = train_order(replace(pooled_order, files=RunInMemory()), never)

    found = unpack(msgspec.msgpack.encode(pooled_parcel), pooled_order)

    assert found.files.keys() == made.files.keys()
    for name in ("model.onnx", MEMBERS_FILE):
        assert found.files[name] == made.files[name]
    assert found.manifest.evaluation == made.manifest.evaluation
    assert found.days.keys() == made.days.keys() == set(NAMES)
    for name in NAMES:
        mine, theirs = (each.days[name].forecasts.quantiles for each in (found, made))
        assert (mine == theirs).all()


def with_members(
    parcel: dict[str, Any], change: Callable[[list[dict[str, Any]]], Any]
) -> dict[str, Any]:
    members = msgspec.json.decode(parcel["files"][MEMBERS_FILE])
    change(members)
    return {**parcel, "files": {**parcel["files"], MEMBERS_FILE: msgspec.json.encode(members)}}


def alone(parcel: dict[str, Any]) -> dict[str, Any]:
    """Make it look like the model of one ticker."""
    manifest = msgspec.json.decode(parcel["manifest"])
    anchor = msgspec.json.decode(parcel["files"][MEMBERS_FILE])[0]["anchor"]
    manifest["anchor"] = {"anchor": anchor, **manifest.pop("pool")["scaling"]}
    return {**parcel, "manifest": msgspec.json.encode(manifest)}


def moved_days(parcel: dict[str, Any]) -> dict[str, Any]:
    manifest = msgspec.json.decode(parcel["manifest"])
    manifest["pool"]["days"]["validation_from"] = manifest["pool"]["days"]["test_from"]
    return {**parcel, "manifest": msgspec.json.encode(manifest)}


POOLED_FORGERIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "the model of one ticker": alone,
    "other settings": lambda p: replaced(p, b'"hidden_size": 4', b'"hidden_size": 5'),
    "better scores than its graph has": flattered,
    "no members": lambda p: without(p, MEMBERS_FILE),
    "a ticker less": lambda p: with_members(p, lambda each: each.pop()),
    "another ticker": lambda p: with_members(p, lambda each: each[0].update(ticker="ZZZ3.SA")),
    "other prices": lambda p: with_members(p, lambda each: each[0]["data"].update(sha256="0" * 64)),
    "better scores of a ticker": lambda p: with_members(
        p, lambda each: each[1]["scores"].update(crps_ratio=0.5)
    ),
    "no scores of a ticker": lambda p: with_members(p, lambda each: each[1].update(scores=None)),
    "other days of a ticker": lambda p: with_members(p, lambda each: each[1]["scores"].update(n=1)),
    "more to learn from": lambda p: with_members(p, lambda each: each[2].update(windows=10_000)),
    "another volatility": lambda p: with_members(
        p, lambda each: each[0]["state"].update(average=each[0]["state"]["average"] * 1.1)
    ),
    "an unknown volatility": lambda p: with_members(p, lambda each: each[0].update(state=None)),
    "other parts": moved_days,
}


@pytest.mark.parametrize("forged", POOLED_FORGERIES)
def test_a_forged_pooled_model_is_refused(
    pooled_order: TrainingOrder, pooled_parcel: dict[str, Any], forged: str
) -> None:
    content = msgspec.msgpack.encode(POOLED_FORGERIES[forged](pooled_parcel))

    with pytest.raises(ArtifactCorruptError, match=rf"version of \{POOL} that a worker made"):
        unpack(content, pooled_order)
