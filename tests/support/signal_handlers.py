"""Handlers of signals for a while."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def handled(handlers: Mapping[signal.Signals, object]) -> Iterator[None]:
    """Handle signals so; whoever runs the tests may have had them ignored."""
    before = {kind: signal.signal(kind, handler) for kind, handler in handlers.items()}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
