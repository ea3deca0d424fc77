"""A store with several tickers, no two of them alike, and how to compare their versions."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from stocklstm.learn.checkpoints import decode_checkpoint
from stocklstm.store.manifest import CHECKPOINT_FILE, SERVING_FILE
from stocklstm.store.pool_members import MEMBERS_FILE
from stocklstm.store.store import open_store
from tests.conftest import TICKER, TINY_OPTIONS
from tests.support.same_values import require_same
from tests.support.stored_rows import connect, vouch_for

TICKERS = ("AAAA3.SA", "BBBB3.SA", "CCCC3.SA", "DDDD3.SA")
SMALL = [*TINY_OPTIONS, "--epochs", "1", "--hidden-size", "8", "--batch-size", "256"]

ROWS = 600


def give_names(home: Path, tickers: Sequence[str]) -> None:
    """Store the last prices once more for each name, each time without some more of the last."""
    with closing(connect(home)) as connection:
        for place, ticker in enumerate(tickers):
            connection.execute(
                "CREATE TEMP TABLE days AS SELECT * FROM prices WHERE ticker = ?"
                " ORDER BY date DESC LIMIT ? OFFSET ?",
                (TICKER, ROWS, 10 * place),
            )
            connection.execute(
                "CREATE TEMP TABLE names AS SELECT * FROM instruments WHERE ticker = ?", (TICKER,)
            )
            connection.execute("UPDATE days SET ticker = ?", (ticker,))
            connection.execute("UPDATE names SET ticker = ?", (ticker,))
            connection.execute("INSERT INTO instruments SELECT * FROM names")
            connection.execute("INSERT INTO prices SELECT * FROM days")
            connection.execute("DROP TABLE days")
            connection.execute("DROP TABLE names")
        vouch_for(connection)


def options(tickers: Iterable[str]) -> list[str]:
    return [word for ticker in tickers for word in ("--ticker", ticker)]


def published(home: Path) -> dict[str, list[int]]:
    with open_store(home) as store:
        return {ticker: store.registry.versions(ticker) for ticker in store.registry.tickers()}


def require_same_versions(
    home: Path, first: int, second: int, owners: Sequence[str] = TICKERS
) -> None:
    """Two versions of every ticker are one and the same, but for their time and wall time."""
    with open_store(home) as store:
        for ticker in owners:
            one, other = (store.registry.manifest(ticker, v) for v in (first, second))
            for name in {SERVING_FILE, MEMBERS_FILE} & one.files.keys():
                assert store.registry.read_file(one, name) == store.registry.read_file(other, name)
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
