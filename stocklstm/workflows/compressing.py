"""From a stored version to networks that say nearly the same and take less."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from stocklstm.core.compression import CALIBRATION_WINDOWS, Compression
from stocklstm.core.series import Bars, Indices
from stocklstm.errors import SeriesTooShortError
from stocklstm.infer.forecaster import Forecaster
from stocklstm.infer.session import ServingGraph
from stocklstm.learn.compress.dynamic import quantize_dynamic_int8
from stocklstm.learn.compress.weights import fit_correction, store_half, store_integers
from stocklstm.store.manifest import Manifest, Method
from stocklstm.workflows.serving import LoadedModel


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


@dataclass(frozen=True, eq=False)
class Parent:
    """What is to be made smaller.

    Attributes:
        candidate: The version as it is.
        bars: All stored sessions.
    """

    candidate: Candidate
    bars: Bars

    @property
    def manifest(self) -> Manifest:
        """Of the version."""
        return self.candidate.model.manifest

    def smaller(self, name: str, method: Method, content: bytes) -> Candidate:
        """Give the same model another graph.

        Args:
            name: What it is.
            method: For the manifest.
            content: ONNX model.
        """
        manifest = replace(self.manifest, method=method)
        forecaster = Forecaster(ServingGraph(content), manifest.config, manifest.scaling)
        return Candidate(name, content, LoadedModel(manifest, forecaster))


def compress(parent: Parent, compression: Compression) -> tuple[Candidate, ...]:
    """Make a model smaller.

    Args:
        parent: In float32.
        compression: How.

    Returns:
        The smaller model, last, and before it what it has to be compared with.

    Raises:
        SeriesTooShortError: There are not as many training windows as are to be used.
    """
    return _METHODS[compression.method](parent, compression)


def training_origins(manifest: Manifest, bars: Bars) -> Indices:
    """List the rows from which the days of a model's training part are forecast.

    Args:
        manifest: Tells where that part begins and ends.
        bars: N sessions.
    """
    first, last = (
        np.datetime64(day, "D") for day in (manifest.splits.train_start, manifest.splits.train_end)
    )
    targets = np.flatnonzero((bars.dates >= first) & (bars.dates <= last))
    origins: Indices = targets - manifest.config.horizon
    return origins[origins >= manifest.scaling.warm_up + manifest.config.seq_length - 1]


def calibration_origins(manifest: Manifest, bars: Bars, count: int) -> Indices:
    """Choose training windows at even distances.

    Args:
        manifest: Of the model.
        bars: N sessions.
        count: How many.

    Raises:
        SeriesTooShortError: There are not as many.
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


def _dynamic(parent: Parent, compression: Compression) -> tuple[Candidate, ...]:
    content = quantize_dynamic_int8(
        parent.candidate.content, per_channel=not compression.per_tensor
    )
    return (parent.smaller("dynamic int8", "dynamic-int8", content),)


def _half(parent: Parent, _: Compression) -> tuple[Candidate, ...]:
    return (parent.smaller("fp16", "float16", store_half(parent.candidate.content)),)


def _integers(bits: int, name: str, method: Method) -> "_Make":
    def make(parent: Parent, compression: Compression) -> tuple[Candidate, ...]:
        content = parent.candidate.content
        count = compression.calibration_windows or CALIBRATION_WINDOWS
        origins = calibration_origins(parent.manifest, parent.bars, count)
        rough = parent.smaller(name, method, store_integers(content, bits))
        found, expected = (
            each.model.forecaster.outputs(parent.bars, origins)
            for each in (rough, parent.candidate)
        )
        correction = fit_correction(found, expected)
        return (parent.smaller(name, method, store_integers(content, bits, correction=correction)),)

    return make


_Make = Callable[[Parent, Compression], tuple[Candidate, ...]]

_METHODS: dict[str, _Make] = {
    "dynamic": _dynamic,
    "static": _integers(8, "static int8", "static-int8"),
    "fp16": _half,
    "int4": _integers(4, "int4", "int4"),
}
