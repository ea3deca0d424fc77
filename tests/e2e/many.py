"""What the tests of many tickers share: a store with several, and how to compare versions."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from stocklstm.learn.checkpoints import decode_checkpoint
from stocklstm.store.manifest import CHECKPOINT_FILE, SERVING_FILE
from stocklstm.store.store import open_store
from tests.conftest import TINY_OPTIONS
from tests.e2e.test_resume import require_same

TICKERS = ("AAAA3.SA", "BBBB3.SA", "CCCC3.SA", "DDDD3.SA")
SMALL = [*TINY_OPTIONS, "--epochs", "1", "--hidden-size", "8", "--batch-size", "256"]


def options(tickers: Iterable[str]) -> list[str]:
    return [word for ticker in tickers for word in ("--ticker", ticker)]


def published(home: Path) -> dict[str, list[int]]:
    with open_store(home) as store:
        return {ticker: store.registry.versions(ticker) for ticker in store.registry.tickers()}


def require_same_versions(home: Path, first: int, second: int) -> None:
    """Two versions of every ticker are one and the same, but for their time and wall time."""
    with open_store(home) as store:
        for ticker in TICKERS:
            one, other = (store.registry.manifest(ticker, v) for v in (first, second))
            graphs = [store.registry.read_file(m, SERVING_FILE) for m in (one, other)]
            assert graphs[0] == graphs[1]
            require_same(
                *(
                    decode_checkpoint(store.registry.read_file(m, CHECKPOINT_FILE))
                    for m in (one, other)
                )
            )
            assert one.files.keys() == other.files.keys()
            seconds = one.training.seconds
            assert (
                replace(
                    other,
                    version=first,
                    created=one.created,
                    training=replace(other.training, seconds=seconds),
                    files=one.files,
                )
                == one
            )
