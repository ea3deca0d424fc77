"""Several versions of one ticker, for the commands of `models`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stocklstm.store.store import Store, open_store
from tests.conftest import TICKER
from tests.support.copied_versions import NOW, publish_copy


@pytest.fixture
def versions(model_home: Path) -> Iterator[Store]:
    """PETR4.SA@v1 to v4, published ten days apart; v4 champion, v3 previous, v2 made from v1."""
    with open_store(model_home) as store:
        first = store.registry.manifest(TICKER, 1)
        for at, parent in (("10-22", 1), ("11-01", None), ("11-11", None)):
            publish_copy(store, first, f"2026-{at}T12:00:00Z", parent)
        for version in (3, 4):
            store.registry.aliases.promote(TICKER, version, reason="newer", at=NOW)
        connection = store.registry.connection
        connection.execute(
            "UPDATE versions SET published_at = '2026-10-12T12:00:00Z' WHERE version = 1"
        )
        yield store
