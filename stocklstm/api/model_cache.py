"""Models in memory: each version is loaded once, and a moved alias takes effect at once."""

from collections import OrderedDict
from threading import Lock

from stocklstm.core.reference import ModelReference
from stocklstm.errors import NoModelError
from stocklstm.store.store import Store
from stocklstm.workflows.loading.model import LoadedModel, load_version

MOST_MODELS = 64
"""Models that are kept; the least recently used one is dropped first."""


class ModelCache:
    """Loaded models by ticker and version, for many threads.

    A version never changes, so it is checked and loaded once; which version a name means is read
    from the store for every request. A dropped model lives on in the requests that hold it.
    """

    def __init__(self, most: int = MOST_MODELS) -> None:
        self._most = most
        self._models: OrderedDict[tuple[str, int], LoadedModel] = OrderedDict()
        self._lock = Lock()
        self._loading = Lock()
        self.loads = 0
        """Models loaded since the start."""

    def __len__(self) -> int:
        """Count the models."""
        return len(self._models)

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
        if (model := self._cached(key)) is not None:
            return model
        with self._loading:
            # Another thread may have loaded it while this one waited.
            if (model := self._cached(key)) is not None:
                return model
            model = load_version(store, store.registry.manifest(ticker, version))
            with self._lock:
                self._models[key] = model
                while len(self._models) > self._most:
                    self._models.popitem(last=False)
                self.loads += 1
            return model

    def _cached(self, key: tuple[str, int]) -> LoadedModel | None:
        with self._lock:
            if key not in self._models:
                return None
            self._models.move_to_end(key)
            return self._models[key]
