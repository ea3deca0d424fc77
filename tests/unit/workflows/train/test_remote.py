"""A version from elsewhere is published only if it is what was ordered and does what it says."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import ArtifactCorruptError, TrainingDivergedError
from stocklstm.learn.stopping import StoppedError, never
from stocklstm.store.pool_members import MEMBERS_FILE
from stocklstm.store.runs import RunRecord
from stocklstm.store.store import open_store
from stocklstm.workflows.train.fit import Prepared
from stocklstm.workflows.train.order import Dataset, RunInMemory, TrainingOrder, train_order
from stocklstm.workflows.train.remote import remote_order, train_packed, unpack
from stocklstm.workflows.train.runs import Runs, read_pool
from tests.conftest import TICKER
from tests.support.pooled_store import NAMES, POOL, pool_config, priced
from tests.support.same_values import require_same

Parcel = dict[str, Any]


@pytest.fixture(scope="module")
def order(_priced: Path) -> TrainingOrder:
    from stocklstm.core.settings.config import configure
    from tests.conftest import TINY

    config: TrainingConfig = configure("calibrated", **{**TINY, "epochs": 2, "top_k": 1})
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
def prepared(order: TrainingOrder) -> Prepared[Any]:
    return order.dataset.prepare(order.record.config)


def packed(order: TrainingOrder, prepared: Prepared[Any]) -> Parcel:
    found: Parcel = msgspec.msgpack.decode(
        train_packed(remote_order(order, prepared), never), strict=False
    )
    return found


@pytest.fixture(scope="module")
def parcel(order: TrainingOrder, prepared: Prepared[Any]) -> Parcel:
    return packed(order, prepared)


def test_what_comes_back_is_what_is_made_here(
    order: TrainingOrder, prepared: Prepared[Any], parcel: Parcel
) -> None:
    made = train_order(replace(order, files=RunInMemory()), never)

    found = unpack(msgspec.msgpack.encode(parcel), order, prepared)

    assert found.files.keys() == made.files.keys()
    assert any(name.startswith("checkpoint-epoch-") for name in made.files)
    assert found.files["model.onnx"] == made.files["model.onnx"]
    for name in made.files:
        if name.endswith(".pth"):
            require_same(*(torch.load(io.BytesIO(each.files[name])) for each in (found, made)))
    untimed = [
        replace(
            each.manifest, created="", files={}, training=replace(each.manifest.training, seconds=0)
        )
        for each in (found, made)
    ]
    assert untimed[0] == untimed[1]
    assert found.diagnosis == made.diagnosis
    mine, theirs = (each.days[TICKER].forecasts.quantiles for each in (found, made))
    assert (mine == theirs).all()


def test_a_worker_is_shown_no_row_of_the_test_part(
    order: TrainingOrder, prepared: Prepared[Any]
) -> None:
    first = prepared.series[0].split.test[0]

    sent = remote_order(order, prepared)

    assert len(sent.data.inputs) == len(sent.data.targets) <= first + order.record.config.horizon


def test_nothing_is_trained_that_was_called_off(
    order: TrainingOrder, prepared: Prepared[Any]
) -> None:
    with pytest.raises(StoppedError):
        train_packed(remote_order(order, prepared), lambda: True)


# What a worker may say otherwise than it is: every field of what it sends back.


def with_state(parcel: Parcel, change: Callable[[dict[str, Any]], Any]) -> Parcel:
    """Change what is in the checkpoint of the kept epoch."""
    state = torch.load(io.BytesIO(parcel["kept"]))
    change(state)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return {**parcel, "kept": buffer.getvalue()}


def with_weight(parcel: Parcel, value: float) -> Parcel:
    def change(state: dict[str, Any]) -> None:
        state["weights"]["head.bias"][0] = value

    return with_state(parcel, change)


def with_epochs(parcel: Parcel, change: Callable[[list[Any]], Any]) -> Parcel:
    epochs = [dict(each) for each in parcel["epochs"]]
    change(epochs)
    return {**parcel, "epochs": epochs}


def of_every_weight(state: dict[str, Any]) -> None:
    state["weights"] = {name: value.flatten()[:1] for name, value in state["weights"].items()}


NAN, INF = float("nan"), float("inf")

FORGERIES: dict[str, Callable[[Parcel], Any]] = {
    "nothing": lambda _: None,
    "a number": lambda _: 7,
    "a word": lambda _: "x",
    "no weights": lambda p: {**p, "kept": b""},
    "a graph for weights": lambda p: {**p, "kept": b"\x08\x01"},
    "a pickle for weights": lambda p: {**p, "kept": b"\x80\x04N."},
    "weights that are no numbers": lambda p: with_weight(p, NAN),
    "weights that are infinite": lambda p: with_weight(p, -INF),
    "other weights": lambda p: with_weight(p, 7.0),
    "weights of another network": lambda p: with_state(p, of_every_weight),
    "a weight less": lambda p: with_state(p, lambda s: s["weights"].popitem()),
    "a weight more": lambda p: with_state(p, lambda s: s["weights"].update(x=torch.zeros(1))),
    "no optimizer": lambda p: with_state(p, lambda s: s.pop("optimizer")),
    "a number for an optimizer": lambda p: with_state(p, lambda s: s.update(optimizer=1)),
    "no random numbers": lambda p: with_state(p, lambda s: s.update(rng={})),
    "no checkpoints": lambda p: {**p, "checkpoints": {}},
    "a checkpoint more": lambda p: {
        **p,
        "checkpoints": dict.fromkeys((1, 2), next(iter(p["checkpoints"].values()))),
    },
    "a file": lambda p: {**p, "checkpoints": {"../../x": b""}},
    "a checkpoint that is none": lambda p: {
        **p,
        "checkpoints": dict.fromkeys(p["checkpoints"], b""),
    },
    "no epochs": lambda p: {**p, "epochs": []},
    "an epoch less": lambda p: with_epochs(p, lambda e: e.pop()),
    "an epoch more": lambda p: with_epochs(p, lambda e: e.append(e[-1])),
    "a better loss": lambda p: with_epochs(p, lambda e: e[-1].update(val_loss=1e-9)),
    "a loss that is none": lambda p: with_epochs(p, lambda e: e[-1].update(val_loss=NAN)),
    "an infinite loss": lambda p: with_epochs(p, lambda e: e[0].update(val_loss=INF)),
    "no training loss": lambda p: with_epochs(p, lambda e: e[-1].update(train_loss=None)),
    "a training loss that is none": lambda p: with_epochs(
        p, lambda e: e[-1].update(train_loss=NAN)
    ),
    "more time than there was": lambda p: with_epochs(p, lambda e: e[0].update(seconds=1e9)),
    "less time than none": lambda p: with_epochs(p, lambda e: e[0].update(seconds=-1.0)),
    "a time that is none": lambda p: with_epochs(p, lambda e: e[0].update(seconds=NAN)),
    "a device that moves the cursor": lambda p: {**p, "device": "cpu\x1b[2J"},
    "a device that fills the screen": lambda p: {**p, "device": "x" * 101},
    "no device": lambda p: {**p, "device": ""},
}


@pytest.mark.parametrize("forged", FORGERIES)
def test_a_forgery_is_refused(
    order: TrainingOrder, prepared: Prepared[Any], parcel: Parcel, forged: str
) -> None:
    content = msgspec.msgpack.encode(FORGERIES[forged](parcel))

    with pytest.raises(ArtifactCorruptError, match=f"version of {TICKER} that a worker made"):
        unpack(content, order, prepared, 60.0)


@pytest.mark.parametrize("other", [None, 7, "x", [b""], bytearray(b"x"), {"manifest": b""}])
def test_what_is_not_bytes_is_refused(
    order: TrainingOrder, prepared: Prepared[Any], other: object
) -> None:
    with pytest.raises(ArtifactCorruptError, match="and not bytes"):
        unpack(other, order, prepared)


def test_losses_that_diverge_are_said_to(
    order: TrainingOrder, prepared: Prepared[Any], parcel: Parcel
) -> None:
    lost = with_epochs(parcel, lambda e: [each.update(train_loss=1e6) for each in e[1:]])

    with pytest.raises(TrainingDivergedError):
        unpack(msgspec.msgpack.encode(lost), order, prepared)


def test_what_else_a_checkpoint_holds_is_dropped(
    order: TrainingOrder, prepared: Prepared[Any], parcel: Parcel
) -> None:
    told = with_state(
        parcel,
        lambda s: s.update(
            config={"preset": "x"},
            architecture={},
            epoch=7,
            best_epoch=99,
            losses={},
            words="\x1b[2J" * 1000,
        ),
    )

    found = unpack(msgspec.msgpack.encode(told), order, prepared)

    known = unpack(msgspec.msgpack.encode(parcel), order, prepared)
    require_same(*(torch.load(io.BytesIO(e.files["model.pth"])) for e in (found, known)))


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


def test_a_pooled_model_comes_back_as_it_is_made_here(pooled_order: TrainingOrder) -> None:
    made = train_order(replace(pooled_order, files=RunInMemory()), never)
    prepared = pooled_order.dataset.prepare(pooled_order.record.config)
    sent = remote_order(pooled_order, prepared)

    found = unpack(train_packed(sent, never), pooled_order, prepared)

    assert found.files.keys() == made.files.keys()
    for name in ("model.onnx", MEMBERS_FILE):
        assert found.files[name] == made.files[name]
    assert found.manifest.evaluation == made.manifest.evaluation
    assert found.manifest.pool == made.manifest.pool
    assert found.days.keys() == made.days.keys() == set(NAMES)
    for name in NAMES:
        mine, theirs = (each.days[name].forecasts.quantiles for each in (found, made))
        assert (mine == theirs).all()
    rows = sum(
        int(np.sum(each.bars.dates < np.datetime64(prepared.days.test_from)))
        for each in prepared.series
    )
    assert len(sent.data.inputs) == rows


def test_the_weights_of_another_pool_are_refused(
    pooled_order: TrainingOrder, parcel: Parcel
) -> None:
    prepared = pooled_order.dataset.prepare(pooled_order.record.config)

    with pytest.raises(ArtifactCorruptError, match=rf"version of \{POOL} that a worker made"):
        unpack(msgspec.msgpack.encode(parcel), pooled_order, prepared)
