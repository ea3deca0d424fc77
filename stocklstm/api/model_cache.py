"""Models in memory: each version is loaded once, and a moved alias takes effect at once."""

import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from copy import copy
from threading import Lock

from stocklstm.core.reference import ModelReference
from stocklstm.errors import IntegrityError, NoModelError
from stocklstm.store.manifest import SERVING_FILE, Manifest
from stocklstm.store.store import Store
from stocklstm.workflows.loading.model import LoadedModel, load_version

# Measured with graphs of 10 KB to 10 MB: the manifest and what ONNX Runtime makes of the graph.
_BYTES_EACH, _COPIES = 64 << 10, 3

_MOST_FAILURES = 4096

FAILURE_S = 10.0
"""Seconds that a damaged version is not read again."""

_Key = tuple[str, int]


class ModelCache:
    """Loaded models by ticker and version, for many threads.

    A version never changes, so it is checked and loaded once; which version a name means is read
    from the store for every request. A dropped model lives on in the requests that hold it.
    """

    def __init__(self, most_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with none.

        Args:
            most_bytes: Of the models that are kept; the least recently used one is dropped first.
            clock: Seconds.
        """
        self._most_bytes = most_bytes
        self._clock = clock
        self._models: OrderedDict[_Key, LoadedModel] = OrderedDict()
        self._loading: dict[_Key, Future[LoadedModel]] = {}
        self._failures: OrderedDict[_Key, tuple[float, IntegrityError]] = OrderedDict()
        self._lock = Lock()
        self.bytes = 0
        """About as many bytes as the models take."""
        self.loads = 0
        """Models loaded since the start."""
        self.changes = 0
        """Times that a version turned out to be damaged, or sound again."""

    def __len__(self) -> int:
        """Count the models."""
        return len(self._models)

    def __contains__(self, key: object) -> bool:
        """Tell whether a version is in memory."""
        return key in self._models

    def failure(self, ticker: str, version: int) -> IntegrityError | None:
        """Tell why a version could not be loaded the last time; None if it could, or nobody tried.

        A damaged version is read again after `FAILURE_S` at the earliest.
        """
        with self._lock:
            found = self._failures.get((ticker, version))
        return None if found is None else found[1]

    def load(self, store: Store, reference: ModelReference) -> LoadedModel:
        """Return the model that a reference means now.

        Raises:
            NoModelError: There is none.
            ArtifactCorruptError: Its files are not those that were published.
        """
        while True:
            version = store.registry.resolve(reference)
            try:
                return self._get(store, reference.ticker, version)
            except NoModelError:
                # The version may have been replaced and removed since the name was resolved.
                if store.registry.resolve(reference) == version:
                    raise

    def _get(self, store: Store, ticker: str, version: int) -> LoadedModel:
        key = (ticker, version)
        with self._lock:
            if key in self._models:
                self._models.move_to_end(key)
                return self._models[key]
            failed_at, error = self._failures.get(key, (0.0, None))
            if error is not None and self._clock() - failed_at < FAILURE_S:
                # Each thread gets its own: a traceback is written into it.
                raise copy(error)
            loading = self._loading.get(key)
            if loading is None:
                own = self._loading[key] = Future[LoadedModel]()
        if loading is not None:
            if (raised := loading.exception()) is not None:
                raise copy(raised)
            return loading.result()
        try:
            model = load_version(store, store.registry.manifest(ticker, version))
        except BaseException as raised:
            self._failed(key, raised)
            own.set_exception(raised)
            raise
        self._loaded(key, model)
        own.set_result(model)
        return model

    def _failed(self, key: _Key, error: BaseException) -> None:
        with self._lock:
            del self._loading[key]
            # Of all else another try may come to a better end.
            if isinstance(error, IntegrityError):
                self.changes += key not in self._failures
                self._failures[key] = (self._clock(), copy(error))
                self._failures.move_to_end(key)
                while len(self._failures) > _MOST_FAILURES:
                    self._failures.popitem(last=False)

    def _loaded(self, key: _Key, model: LoadedModel) -> None:
        with self._lock:
            del self._loading[key]
            self.changes += self._failures.pop(key, None) is not None
            self._models[key] = model
            self.bytes += _bytes_of(model.manifest)
            self.loads += 1
            while self.bytes > self._most_bytes and len(self._models) > 1:
                _, dropped = self._models.popitem(last=False)
                self.bytes -= _bytes_of(dropped.manifest)


def _bytes_of(manifest: Manifest) -> int:
    return _BYTES_EACH + _COPIES * manifest.files[SERVING_FILE].size
