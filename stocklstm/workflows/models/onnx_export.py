"""models export --format onnx: a version for any program that runs ONNX."""

from dataclasses import asdict
from pathlib import Path

import msgspec

from stocklstm.core.inputs.volatility import WARM_UP
from stocklstm.core.reference import parse_reference
from stocklstm.core.settings.config import LEVELS
from stocklstm.store.manifest import SERVING_FILE, Manifest
from stocklstm.store.store import open_store
from stocklstm.workflows.models.exports import ModelExportResult, write_directory

SIDECAR_FILE = "model.json"
SIDECAR_FORMAT = 1


def export_graph(
    reference: str, output: Path | None = None, *, home: Path | None = None
) -> ModelExportResult:
    """Write the serving graph, and beside it the numbers that turn prices into its inputs.

    Args:
        reference: TICKER, TICKER@v3 or TICKER@alias.
        output: The directory; by default TICKER-v3-onnx where the program runs.
        home: The store; by default where the command line has it.

    Raises:
        NotFoundError: There is no such version.
        IntegrityError: Its files are not those that were published.
        ConfigError: The place may not be written.
    """
    wanted = parse_reference(reference)
    with open_store(home) as store:
        manifest = store.registry.manifest(wanted.ticker, store.registry.resolve(wanted))
        graph = store.registry.read_file(manifest, SERVING_FILE)
    text = msgspec.json.format(msgspec.json.encode(sidecar(manifest)), indent=2) + b"\n"
    return write_directory(manifest, "onnx", output, {SERVING_FILE: graph, SIDECAR_FILE: text})


def sidecar(manifest: Manifest) -> dict[str, object]:
    """Describe inputs and outputs of a serving graph; `docs/bundles.md` says how to use it.

    Args:
        manifest: Of the version.
    """
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
