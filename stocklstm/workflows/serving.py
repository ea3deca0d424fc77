"""Loading a published version, ready to forecast."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stocklstm.core.reference import ModelReference, parse_reference
from stocklstm.core.scaling import ReturnForecasts
from stocklstm.core.series import Bars
from stocklstm.errors import ArtifactCorruptError
from stocklstm.infer.forecaster import Forecaster
from stocklstm.infer.session import ServingGraph
from stocklstm.store.manifest import Manifest, corrupt
from stocklstm.store.store import Store, open_store

SERVING_FILE = "model.onnx"
CHECKPOINT_FILE = "model.pth"


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A published version in memory.

    Attributes:
        manifest: What it is.
        forecaster: What it does.
    """

    manifest: Manifest
    forecaster: Forecaster

    def forecast(self, bars: Bars) -> ReturnForecasts:
        """Forecast the log return of the session after the last bar.

        Args:
            bars: At least `forecaster.first_origin() + 1` sessions.

        Returns:
            One forecast: points (1,), quantiles (1, Q).

        Raises:
            SeriesTooShortError: There are too few bars.
        """
        return self.forecaster.forecast(bars, np.array([len(bars) - 1]))


def load(reference: str, *, home: Path | None = None) -> LoadedModel:
    """Load a model from the store, for use from Python.

    Args:
        reference: TICKER, TICKER@v3, TICKER@champion or TICKER@previous.
        home: The store; by default where the command line has it.

    Raises:
        NotFoundError: There is no such model.
        ArtifactCorruptError: Its files are not those that were published.
    """
    with open_store(home) as store:
        return load_model(store, parse_reference(reference))


def load_model(store: Store, reference: ModelReference) -> LoadedModel:
    """Load the version that a reference means.

    Raises:
        NoModelError: There is none.
        ArtifactCorruptError: Its files are not those that were published.
    """
    version = store.registry.resolve(reference)
    return load_version(store, store.registry.manifest(reference.ticker, version))


def load_version(store: Store, manifest: Manifest) -> LoadedModel:
    """Load the version of a manifest.

    Raises:
        ArtifactCorruptError: Its serving file is not the one that was published.
    """
    content = store.registry.read_file(manifest, SERVING_FILE)
    try:
        forecaster = Forecaster(ServingGraph(content), manifest.config, manifest.scaling)
    except ArtifactCorruptError as error:
        raise corrupt(manifest.id, error.message) from error
    return LoadedModel(manifest, forecaster)
