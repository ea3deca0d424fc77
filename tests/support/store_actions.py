"""What another process does to a store: `python -m tests.support.store_actions ACTION HOME …`.

Each action prints "ready" and waits for its standard input to close where it holds something.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from stocklstm import collect_garbage
from stocklstm.errors import StockLstmError
from stocklstm.store.database import transaction
from stocklstm.store.locks import writer_lock
from stocklstm.store.paths import StorePaths
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.models.remove import RemovalRule
from stocklstm.workflows.prices.rename import Names, rename_prices
from tests.support.price_rows import PETR4, bars_of_rows
from tests.support.store_samples import DIVIDEND, LATER, TICKER, entry_of, publish


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def ready() -> None:
    say("ready")
    sys.stdin.read()


def hold_lock(home: Path, name: str) -> None:
    with writer_lock(StorePaths(home), name, 30):
        ready()


def hold_write(home: Path) -> None:
    with open_store(home) as store, transaction(store.registry.connection):
        ready()


def hold_everything(home: Path) -> None:
    with open_store(home) as store:
        store.registry.connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        with transaction(store.registry.connection):
            ready()


def wait_for(gate: Path) -> None:
    say("ready")
    while not gate.exists():
        time.sleep(0.001)


def open_at_once(home: Path, gate: str) -> None:
    wait_for(Path(gate))
    with open_store(home, create=True, lock_timeout_s=60) as store:
        say(store.prices.tickers())


def publish_many(home: Path, gate: str, count: str) -> None:
    with open_store(home, lock_timeout_s=60) as store:
        wait_for(Path(gate))
        for _ in range(int(count)):
            with writer_lock(store.paths, TICKER, 60):
                made = publish(
                    store.registry, files={"pid": str(os.getpid()).encode()}, promotion="newest"
                )
            say(made.version)


def merge(store: Store) -> None:
    rows = [("2024-03-13", 40.0), ("2024-03-14", 41.0), ("2024-03-15", 42.0)]
    store.prices.merge(PETR4, bars_of_rows(rows), (DIVIDEND,), source="csv", at=LATER)


def release(store: Store) -> None:
    with writer_lock(store.paths, TICKER, 30):
        made = publish(store.registry, promotion="newest")
    store.ledger.record(entry_of(version=made.version))


def promote(store: Store) -> None:
    with writer_lock(store.paths, TICKER, 30):
        store.registry.aliases.promote(TICKER, 3, reason="better", at=LATER)


def remove(store: Store) -> None:
    with writer_lock(store.paths, TICKER, 30):
        store.registry.remove(TICKER, 2, at=LATER)


def collect(store: Store) -> None:
    done = collect_garbage(rule=RemovalRule(keep=0), home=store.paths.home)
    assert not done.failures, done.failures


def rename(store: Store) -> None:
    rename_prices(store, Names(TICKER, "BHIA3.SA"))


STEPWISE = {
    "merge": merge,
    "rename": rename,
    "release": release,
    "promote": promote,
    "remove": remove,
    "collect": collect,
}


def collect_many(home: Path, gate: str, count: str) -> None:
    wait_for(Path(gate))
    for _ in range(int(count)):
        done = collect_garbage(home=home, lock_timeout_s=60)
        assert not done.failures, done.failures
        (result,) = done.results
        say(*(item.name for item in result.removed))


def remove_many(home: Path, gate: str, first: str, last: str) -> None:
    with open_store(home, lock_timeout_s=60) as store:
        wait_for(Path(gate))
        for version in range(int(first), int(last) + 1):
            with writer_lock(store.paths, TICKER, 60):
                store.registry.remove(TICKER, version, at=LATER)


def hold_draft(home: Path) -> None:
    with open_store(home) as store, store.registry.draft(TICKER) as draft:
        draft.write("model.onnx", b"half")
        ready()


def die_in_draft(home: Path) -> None:
    with open_store(home) as store, store.registry.draft(TICKER) as draft:
        draft.write("model.onnx", b"half")
        os.kill(os.getpid(), signal.SIGKILL)


def die_at_step(home: Path, action: str, step: str) -> None:
    """Kill this process right before the given step that others could see or the disk keeps."""
    left = int(step)

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(function):
        def call(*args, **options):
            count()
            return function(*args, **options)

        return call

    os.fsync = counted(os.fsync)
    for name in ("open", "rename", "unlink", "rmdir"):
        setattr(os, name, counted(getattr(os, name)))
    shutil.rmtree = counted(shutil.rmtree)
    for name in ("mkdir", "open"):
        setattr(Path, name, counted(getattr(Path, name)))
    with open_store(home, create=True) as store:
        store.registry.connection.set_trace_callback(count)
        STEPWISE[action](store)
        store.registry.connection.set_trace_callback(None)
        count()


def die_at_commit(home: Path) -> None:
    """Publish, and be killed when all is in its place and nothing is said of it yet."""

    def die(statement: str) -> None:
        if statement == "COMMIT":
            os.kill(os.getpid(), signal.SIGKILL)

    with open_store(home, create=True) as store:
        store.registry.connection.set_trace_callback(die)
        release(store)


def read_without_rights(home: Path) -> None:
    """Do what anybody may do with a store that only its owner may write."""
    with tempfile.TemporaryDirectory() as other, open_store(Path(other), create=True) as store:
        release(store)  # which loads every module while it can be read
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    try:
        with open_store(home) as store:
            say(store.writable, len(store.prices.bars(TICKER)), store.registry.versions(TICKER))
            for write in (merge, release):
                try:
                    write(store)
                except StockLstmError as error:
                    say(type(error).__name__)
    except StockLstmError as error:
        say(type(error).__name__, error.message)
    try:
        with open_store(home / "new", create=True):
            pass
    except StockLstmError as error:
        say(type(error).__name__)


ACTIONS = (
    hold_lock,
    hold_write,
    hold_everything,
    open_at_once,
    publish_many,
    collect_many,
    remove_many,
    hold_draft,
    die_in_draft,
    die_at_step,
    die_at_commit,
    read_without_rights,
)


def act(action: str, home: str, *arguments: str) -> None:
    {each.__name__: each for each in ACTIONS}[action](Path(home), *arguments)


if __name__ == "__main__":
    act(*sys.argv[1:])
