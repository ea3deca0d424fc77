"""Models in memory: each loaded once, the next one as soon as a name means it."""

from collections import OrderedDict
from threading import Lock

from stocklstm.core.reference import ModelReference
from stocklstm.errors import NoModelError
from stocklstm.store.store import Store
from stocklstm.workflows.loading.model import LoadedModel, load_version

MOST = 64
"""Models that are kept; the one that was not asked for longest goes first."""


class ModelShelf:
    """Loaded models by ticker and version, for many threads.

    A version never changes, so what was checked and loaded once holds; what a name means is read
    from the store for every request. A model that leaves the shelf lives on in the requests that
    have it.
    """

    def __init__(self, most: int = MOST) -> None:
        """Begin with none.

        Args:
            most: Models to keep.
        """
        self._most = most
        self._models: OrderedDict[tuple[str, int], LoadedModel] = OrderedDict()
        self._reading = Lock()
        self._loading = Lock()
        self.loads = 0
        """Models loaded since the start."""

    def __len__(self) -> int:
        """Count the models."""
        return len(self._models)

    def load(self, store: Store, reference: ModelReference) -> LoadedModel:
        """Give the model that a reference means now.

        Args:
            store: Open, of the calling thread.
            reference: As typed.

        Raises:
            NoModelError: There is none.
            ArtifactCorruptError: Its files are not those that were published.
        """
        while True:
            version = store.registry.resolve(reference)
            try:
                return self._get(store, reference.ticker, version)
            except NoModelError:
                # What a name meant may be replaced and removed by now.
                if store.registry.resolve(reference) == version:
                    raise

    def _get(self, store: Store, ticker: str, version: int) -> LoadedModel:
        key = (ticker, version)
        if (model := self._found(key)) is not None:
            return model
        # Who waited for somebody else's loading of the same model finds it afterwards.
        with self._loading:
            if (model := self._found(key)) is not None:
                return model
            model = load_version(store, store.registry.manifest(ticker, version))
            with self._reading:
                self._models[key] = model
                while len(self._models) > self._most:
                    self._models.popitem(last=False)
                self.loads += 1
            return model

    def _found(self, key: tuple[str, int]) -> LoadedModel | None:
        with self._reading:
            if key not in self._models:
                return None
            self._models.move_to_end(key)
            return self._models[key]
