"""What a command does for each ticker is the same however many there are: counted, not timed."""

import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from stocklstm.core.prices.series import Instrument
from stocklstm.store.manifest import SERVING_FILE
from stocklstm.store.runs import RunRecord, run_id
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.evaluate.live import evaluate_live
from stocklstm.workflows.models.listing import list_models
from stocklstm.workflows.models.remove import RemovalRule, collect_garbage
from stocklstm.workflows.predict.history import list_forecasts
from stocklstm.workflows.predict.predict import predict
from stocklstm.workflows.prices.show import show_prices
from tests.conftest import TICKER

EVENING = "2024-03-13T23:00:00Z"

SIZES = (4, 8, 16)
"""Tickers beside the one that was there: three sizes tell a line from a curve."""

COMMANDS: dict[str, Callable[[Store], object]] = {
    "predict": lambda store: predict(store, now=EVENING),
    "prices show": lambda store: show_prices(store, [], last=0),
    "prices show --json": lambda store: show_prices(store, [], last=10),
    "models list": list_models,
    "models gc": lambda store: collect_garbage(store, [], RemovalRule(), dry_run=False, now=None),
    "models gc --keep 0": lambda store: collect_garbage(
        store, [], RemovalRule(keep=0), dry_run=True, now=EVENING
    ),
    "evaluate --live": lambda store: evaluate_live(store, [], last=None),
    "forecasts": lambda store: list_forecasts(store, [], None),
}

_counts: Counter[str] = Counter()
_watching = [False]


def _note(event: str, _: object) -> None:
    if _watching[0] and event in {"open", "os.listdir", "os.scandir", "os.mkdir"}:
        _counts["files"] += 1


@contextmanager
def counted(connection: sqlite3.Connection) -> Iterator[None]:
    """Count statements of SQL, and files and directories that are opened, in `_counts`."""
    _counts.clear()
    connection.set_trace_callback(lambda _: _counts.update(["statements"]))
    _watching[0] = True
    try:
        yield
    finally:
        _watching[0] = False
        connection.set_trace_callback(None)


def add(store: Store, names: Sequence[str]) -> None:
    """Give each the last prices and the model of the ticker that is there, and a broken-off run."""
    bars = store.prices.bars(TICKER).select(slice(-120, None))
    first = store.registry.manifest(TICKER, 1)
    content = store.registry.read_file(first, SERVING_FILE)
    for name in names:
        instrument = Instrument(name, "BRL", "BVMF", "America/Sao_Paulo")
        store.prices.merge(instrument, bars, (), source="csv", at=EVENING)
        with store.registry.draft(name) as draft:
            draft.write(SERVING_FILE, content)
            store.registry.publish(
                draft,
                name,
                lambda version, name=name, files=draft.files: replace(
                    first, ticker=name, version=version, files=dict(files)
                ),
                at=EVENING,
                promotion="for the test",
            )
        identity = run_id(name, EVENING)
        store.runs.create(
            RunRecord(identity, name, EVENING, first.config, 120, "2024-03-13", "0" * 64)
        )
        with store.runs.locked(identity):
            pass


def test_each_ticker_costs_the_same_however_many_there_are(model_home: Path) -> None:
    sys.addaudithook(_note)
    found: dict[str, list[Counter[str]]] = {name: [] for name in COMMANDS}
    with open_store(model_home) as store:
        known = 0
        for size in SIZES:
            add(store, [f"T{number:02}.SA" for number in range(known, size)])
            known = size
            for name, command in COMMANDS.items():
                # The first time forecasts are put on record, and locks are made.
                command(store)
                with counted(store.prices.connection):
                    command(store)
                found[name].append(Counter(_counts))
    for name, (few, some, many) in found.items():
        for kind in ("statements", "files"):
            first, second = some[kind] - few[kind], many[kind] - some[kind]
            # Twice as many more tickers cost twice as much more.
            assert second <= 2 * first, (name, kind, few[kind], some[kind], many[kind])
    # What is the same for all is asked once.
    each = SIZES[2] - SIZES[1]
    more = {name: many - some for name, (_, some, many) in found.items()}
    assert more["models gc"]["files"] <= 2 * each
    # The last prices and their checksums, and where they came from with theirs.
    assert more["prices show"]["statements"] <= 2 * each
    assert more["prices show --json"]["statements"] <= 4 * each
    # What the database says of versions is one table, and another one of their names.
    assert more["models list"]["statements"] == 0
    assert more["models list"]["files"] <= 2 * each
