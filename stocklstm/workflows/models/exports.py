"""models export: what every format shares, and the format "onnx", for any ONNX program."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from stocklstm.core.batch import Batch, Result
from stocklstm.core.inputs.volatility import WARM_UP
from stocklstm.core.reference import ModelReference
from stocklstm.core.settings.config import LEVELS
from stocklstm.errors import ConfigError
from stocklstm.store.manifest import SERVING_FILE, Manifest
from stocklstm.store.paths import file_name
from stocklstm.store.store import Store
from stocklstm.store.user_files import is_directory, write_file

SIDECAR_FILE = "model.json"
SIDECAR_FORMAT = 1


@dataclass(frozen=True, repr=False)
class ExportedModel(Result):
    """What was written.

    Attributes:
        ticker: Whose model.
        version: Its number.
        format: "bundle", "onnx" or "classic".
        path: The file, or the directory of the files.
        files: Names of the files.
        bytes: Size of all of them.
    """

    ticker: str
    version: int
    format: str
    path: str
    files: tuple[str, ...]
    bytes: int


ModelExportResult = Batch[ExportedModel]


# What no bundle is called.
_OF_OTHERS = {
    *(".pth", ".pt", ".ckpt", ".bin", ".h5", ".hdf5", ".keras", ".onnx", ".tflite", ".pb"),
    *(".safetensors", ".pkl", ".pickle", ".joblib", ".sav"),
}


def check_format(file_format: str, formats: Sequence[str]) -> None:
    """Refuse a format that is not among these.

    Raises:
        ConfigError: It is not.
    """
    if file_format not in formats:
        raise ConfigError(
            f"--format is one of {', '.join(formats)}, not {file_format[:40]!a}",
            hint=f"--format {formats[0]}",
        )


def import_format(path: Path, named: str | None) -> str:
    """Say what a path holds, where it was not named: a file is a bundle unless its name says more.

    Raises:
        ConfigError: No such format.
    """
    if named is None:
        of_others = bool(_OF_OTHERS & {suffix.lower() for suffix in path.suffixes})
        return "classic" if path.is_dir() or of_others else "bundle"
    check_format(named, ("bundle", "classic"))
    return named


def write_directory(
    manifest: Manifest, file_format: str, output: Path | None, files: dict[str, bytes]
) -> ModelExportResult:
    """Write files side by side; files of the same names are replaced, others stay.

    Args:
        file_format: "onnx" or "classic".
        output: The directory; by default TICKER-v3-onnx or -classic where the program runs.
        files: Contents by name.

    Raises:
        ConfigError: The place may not be written.
        StorageError: The disk is full or failing.
    """
    default = Path(file_name(f"{manifest.ticker}-v{manifest.version}-{file_format}"))
    path = default if output is None else output
    if path.exists() and not is_directory(path):
        raise ConfigError(f"{path} is a file", hint="name a directory with --output")
    for name, content in files.items():
        write_file(path / name, content)
    made = ExportedModel(
        ticker=manifest.ticker,
        version=manifest.version,
        format=file_format,
        path=str(path),
        files=tuple(files),
        bytes=sum(map(len, files.values())),
    )
    return Batch((made,))


def export_graph(store: Store, reference: ModelReference, output: Path | None) -> ModelExportResult:
    """Write the serving graph, and beside it the numbers that turn prices into its inputs.

    Args:
        output: The directory; by default TICKER-v3-onnx where the program runs.
    """
    manifest = store.registry.find(reference)
    graph = store.registry.read_file(manifest, SERVING_FILE)
    text = msgspec.json.format(msgspec.json.encode(sidecar(manifest)), indent=2) + b"\n"
    return write_directory(manifest, "onnx", output, {SERVING_FILE: graph, SIDECAR_FILE: text})


def sidecar(manifest: Manifest) -> dict[str, object]:
    """Describe inputs and outputs of a serving graph, whose use is in docs/how-to/bundles.md."""
    config, scaling = manifest.config, manifest.scaling
    anchor = scaling.anchor
    return {
        "format": SIDECAR_FORMAT,
        "model": manifest.id,
        "created": manifest.created,
        "method": manifest.method,
        "target": config.target,
        "horizon": config.horizon,
        "input": {
            "name": "windows",
            "dtype": "float32",
            "shape": ["batch", config.seq_length, config.input_size],
            "features": [asdict(feature) for feature in scaling.features],
        },
        "output": {
            "name": "outputs",
            "dtype": "float32",
            "shape": ["batch", config.outputs],
            "levels": LEVELS,
        },
        "volatility": None if anchor is None else asdict(anchor) | {"warm_up": WARM_UP},
        "price": None
        if manifest.prices is None
        else {
            "data_min": manifest.prices.data_min,
            "data_max": manifest.prices.data_max,
            "low": manifest.prices.low,
            "high": manifest.prices.high,
            "residuals": manifest.prices.residuals,
        },
    }
