"""Methods of quantize that need no training; `trained_methods` has the others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from stocklstm.core.prices.series import Bars, Indices
from stocklstm.core.settings.compression import CALIBRATION_WINDOWS, Compression, Method
from stocklstm.errors import SeriesTooShortError
from stocklstm.infer.forecaster import Forecaster
from stocklstm.infer.session import ServingGraph
from stocklstm.learn.compress.dynamic import quantize_dynamic_int8
from stocklstm.learn.compress.weights import fit_correction, store_half, store_integers
from stocklstm.store.manifest import Manifest
from stocklstm.workflows.loading.model import LoadedModel


@dataclass(frozen=True, eq=False)
class Candidate:
    """A network that could become a version.

    Attributes:
        name: What it is, in a word or two.
        content: Its serving graph.
        model: Ready to forecast; its manifest still has the number and the files of the parent.
        checkpoint: Its weights for PyTorch, where they are not the parent's.
    """

    name: str
    content: bytes
    model: LoadedModel
    checkpoint: bytes | None = None

    @property
    def graph(self) -> ServingGraph:
        """The serving graph, loaded."""
        return self.model.forecaster.graph


@dataclass(frozen=True)
class EpochTrained:
    """Sent after every epoch of a training on the way to a smaller model.

    Attributes:
        model: Identity of the parent.
        epochs: Of this training; a method may need several trainings.
        epoch: The one that ended.
    """

    model: str
    epochs: int
    epoch: int


@dataclass(frozen=True, eq=False)
class Parent:
    """The version that is made smaller, with what the methods need of it.

    Attributes:
        candidate: The version as it is.
        bars: All stored sessions.
        training_bars: Reads the sessions that it was trained and tested on.
        checkpoint: Reads the file with its weights.
        on_note: Called with what is being done, in words.
        on_epoch: Called after every epoch of a training.
    """

    candidate: Candidate
    bars: Bars
    training_bars: Callable[[], Bars]
    checkpoint: Callable[[], bytes]
    on_note: Callable[[str], None]
    on_epoch: Callable[[EpochTrained], None]

    @property
    def manifest(self) -> Manifest:
        """Manifest of the version."""
        return self.candidate.model.manifest


def with_graph(model: Candidate, name: str, method: Method, content: bytes) -> Candidate:
    """Give a model another serving graph, and leave all else as it is."""
    manifest = replace(model.model.manifest, method=method)
    forecaster = Forecaster(ServingGraph(content), manifest.config, manifest.scaling)
    return replace(model, name=name, content=content, model=LoadedModel(manifest, forecaster))


def dynamic(
    model: Candidate, method: Method = "dynamic-int8", *, per_tensor: bool = False
) -> Candidate:
    """Store weights as int8 and multiply in int8.

    Args:
        model: In float32.
        method: For the manifest.
        per_tensor: Use one scale for a whole matrix instead of one for each row.
    """
    content = quantize_dynamic_int8(model.content, per_channel=not per_tensor)
    return with_graph(model, "dynamic int8", method, content)


def weight_only(
    model: Candidate,
    bars: Bars,
    bits: int,
    name: str,
    method: Method,
    count: int = CALIBRATION_WINDOWS,
) -> Candidate:
    """Store weights as integers, and bring the outputs back to what they were.

    Args:
        model: In float32.
        bars: All stored sessions.
        bits: 8 or 4.
        name: What it becomes.
        method: For the manifest.
        count: Training windows to fit the correction on.

    Raises:
        SeriesTooShortError: There are fewer.
    """
    origins = calibration_origins(model.model.manifest, bars, count)
    rough = with_graph(model, name, method, store_integers(model.content, bits))
    found, expected = (each.model.forecaster.outputs(bars, origins) for each in (rough, model))
    correction = fit_correction(found, expected)
    content = store_integers(model.content, bits, correction=correction)
    return with_graph(model, name, method, content)


def training_origins(manifest: Manifest, bars: Bars) -> Indices:
    """List the rows from which the days of a model's training part are forecast."""
    first, last = (
        np.datetime64(day, "D") for day in (manifest.splits.train_start, manifest.splits.train_end)
    )
    targets = np.flatnonzero((bars.dates >= first) & (bars.dates <= last))
    origins: Indices = targets - manifest.config.horizon
    return origins[origins >= manifest.scaling.warm_up + manifest.config.seq_length - 1]


def calibration_origins(manifest: Manifest, bars: Bars, count: int) -> Indices:
    """Choose `count` training windows at even distances.

    Raises:
        SeriesTooShortError: There are fewer.
    """
    origins = training_origins(manifest, bars)
    if len(origins) < count:
        raise SeriesTooShortError(
            f"{manifest.id} has {len(origins):,} training windows, fewer than the {count:,} that "
            "are to be used",
            needed=count,
            found=len(origins),
            hint=f"stocklstm quantize --ticker {manifest.id} --calibration-windows "
            f"{len(origins) or CALIBRATION_WINDOWS}",
        )
    chosen: Indices = origins[np.linspace(0, len(origins) - 1, count).astype(int)]
    return chosen


def _dynamic(model: Candidate, _: Bars, compression: Compression) -> Candidate:
    return dynamic(model, per_tensor=bool(compression.per_tensor))


def _static(model: Candidate, bars: Bars, compression: Compression) -> Candidate:
    count = compression.calibration_windows or CALIBRATION_WINDOWS
    return weight_only(model, bars, 8, "static int8", "static-int8", count)


def _half(model: Candidate, _: Bars, __: Compression) -> Candidate:
    return with_graph(model, "fp16", "float16", store_half(model.content))


def _int4(model: Candidate, bars: Bars, compression: Compression) -> Candidate:
    count = compression.calibration_windows or CALIBRATION_WINDOWS
    return weight_only(model, bars, 4, "int4", "int4", count)


AFTER_TRAINING: Mapping[str, Callable[[Candidate, Bars, Compression], Candidate]] = {
    "dynamic": _dynamic,
    "static": _static,
    "fp16": _half,
    "int4": _int4,
}
"""What carries out each method, by its row in `core.settings.compression`."""
