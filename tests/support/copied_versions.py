"""Copies of a version under other numbers, and the one result that a command says."""

import json
from dataclasses import replace

from stocklstm.store.manifest import CHECKPOINT_FILE, Manifest
from stocklstm.store.store import Store
from tests.conftest import TICKER

NOW = "2026-11-21T12:00:00Z"


def publish_copy(store: Store, manifest: Manifest, at: str, parent: int | None) -> None:
    """Publish the files of a version once more, as made from `parent` if one is given."""
    with store.registry.draft(TICKER) as draft:
        for name in manifest.files:
            # A version made from another has its weights there.
            if parent is None or name != CHECKPOINT_FILE:
                draft.write(name, store.registry.read_file(manifest, name))
        store.registry.publish(
            draft,
            TICKER,
            lambda version: replace(
                manifest,
                version=version,
                method="dynamic-int8" if parent else manifest.method,
                parent=parent and f"{TICKER}@v{parent}",
                created=at,
                files=dict(draft.files),
            ),
            at=at,
        )


def only(outcome_text: str, key: str = "results") -> dict:
    """Read the one result of a JSON document."""
    (found,) = json.loads(outcome_text)[key]
    return found
