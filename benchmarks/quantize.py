"""Measure every method of quantize, with its controls, on the bundled PETR4.SA series.

    python benchmarks/quantize.py [--preset calibrated --preset paper …] [--home DIRECTORY]

Trains a model of each preset in a store of its own (or takes the latest float32 version of it from
`--home`), makes every smaller version there is, and prints one Markdown table a preset: all ratios
to the float32 model in the same process, errors on the test part. Differences of errors are to be
read with the controls beside them: what was trained on may have become better for that alone.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from stocklstm.core.acceptance import signed
from stocklstm.core.compression import Compression
from stocklstm.core.config import configure
from stocklstm.core.reference import parse_reference
from stocklstm.learn.checkpoints import decode_checkpoint, rebuild_network
from stocklstm.learn.inference import network_outputs
from stocklstm.store.manifest import CHECKPOINT_FILE
from stocklstm.store.store import open_store
from stocklstm.workflows.fetch import FetchOptions, fetch
from stocklstm.workflows.measuring import VersionFigures
from stocklstm.workflows.quantize import QuantizedVersion, quantize
from stocklstm.workflows.serving import load_version
from stocklstm.workflows.train import train

TICKER = "PETR4.SA"
METHODS = {
    "dynamic": Compression("dynamic"),
    "dynamic, per tensor": Compression("dynamic", per_tensor=True),
    "static": Compression("static"),
    "fp16": Compression("fp16"),
    "int4": Compression("int4"),
    "qat, 8 bits": Compression("qat", bits=8),
    "qat, 4 bits": Compression("qat", bits=4),
    "qat, 2 bits": Compression("qat", bits=2),
    "prune": Compression("prune"),
    "prune, structured": Compression("prune", structured=True),
    "distill": Compression("distill"),
    "pipeline, size": Compression("pipeline", budget="size"),
    "pipeline, latency": Compression("pipeline", budget="latency"),
    "pipeline, latency, 75 % of units": Compression("pipeline", budget="latency", sparsity=0.75),
}
_HEADER = (
    "| method | file | compressed | 1 window | 256 windows | RMSE | CRPS | 95 % covers "
    "| largest difference | gate |\n|---|---|---|---|---|---|---|---|---|---|"
)
_ROUNDS = 100


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", action="append", choices=["calibrated", "paper", "paper-short"])
    parser.add_argument("--home", type=Path)
    arguments = parser.parse_args()
    presets = arguments.preset or ["calibrated", "paper", "paper-short"]
    with tempfile.TemporaryDirectory() as scratch:
        home = arguments.home or Path(scratch)
        if not (home / "stocklstm.db").exists():
            fetch([TICKER], FetchOptions(source="sample"), home=home)
        for preset in presets:
            for line in _report(home, preset):
                print(line, flush=True)
    return 0


def _report(home: Path, preset: str) -> Iterator[str]:
    reference = _trained(home, preset) or _train(home, preset)
    yield f"\n{preset} ({reference})\n\n{_HEADER}"
    shown_parent = False
    for name, compression in METHODS.items():
        result = quantize([reference], compression, home=home)
        for failure in result.failures:
            yield f"| {name} | {failure.error.message} |" + " |" * 8
        for made in result.results:
            if not shown_parent:
                yield _parent(made)
                shown_parent = True
            yield from _rows(name, made)
    yield f"\nPyTorch takes {_torch_ratio(home, reference):.1f} × the time of float32 ONNX."


def _trained(home: Path, preset: str) -> str | None:
    with open_store(home) as store:
        for version in reversed(store.registry.versions(TICKER)):
            manifest = store.registry.manifest(TICKER, version)
            if manifest.config == configure(preset) and manifest.method == "float32":
                return manifest.id
    return None


def _train(home: Path, preset: str) -> str:
    (made,) = train([TICKER], configure(preset), home=home, promote="never").results
    return f"{TICKER}@v{made.version}"


def _parent(made: QuantizedVersion) -> str:
    one = made.before
    return (
        f"| **float32** | {one.bytes:,} bytes | {one.compressed_bytes:,} bytes "
        f"| {one.latency_ms:.3f} ms | {one.latency_256_ms:.2f} ms | R$ {one.rmse:.4f} "
        f"| R$ {one.crps:.4f} | {100 * one.coverage['0.95']:.1f} % | | |"
    )


def _rows(name: str, made: QuantizedVersion) -> Iterator[str]:
    for step in made.steps:
        yield _row(f"↳ {step.name}, beside {name}", made.before, step.figures, ["", ""])
    gate = "accepted" if made.accepted else "refused"
    yield _row(f"**{name}**", made.before, made.after, [f"R$ {made.largest_difference:.4f}", gate])


def _row(name: str, before: VersionFigures, after: VersionFigures, rest: Sequence[str]) -> str:
    cells = [
        name,
        f"{before.bytes / after.bytes:.2f} ×",
        f"{before.compressed_bytes / after.compressed_bytes:.2f} ×",
        f"{before.latency_ms / after.latency_ms:.2f} ×",
        f"{before.latency_256_ms / after.latency_256_ms:.2f} ×",
        f"{signed(100 * (after.rmse / before.rmse - 1))} %",
        f"{signed(100 * (after.crps / before.crps - 1))} %",
        f"{100 * after.coverage['0.95']:.1f} %",
        *rest,
    ]
    return f"| {' | '.join(cells)} |"


def _torch_ratio(home: Path, reference: str) -> float:
    """Time PyTorch and ONNX Runtime in turn, one window at a time; give the ratio of medians."""
    with open_store(home) as store:
        model = parse_reference(reference)
        manifest = store.registry.manifest(TICKER, store.registry.resolve(model))
        network = rebuild_network(
            decode_checkpoint(store.registry.read_file(manifest, CHECKPOINT_FILE))
        )
        graph = load_version(store, manifest).forecaster.graph
    window = np.zeros((1, *graph.window_shape), np.float32)
    calls = (lambda: network_outputs(network, window), lambda: graph.run(window))
    taken: list[list[float]] = [[], []]
    torch.set_num_threads(1)
    for _ in range(_ROUNDS):
        for call, times in zip(calls, taken, strict=True):
            started = time.perf_counter()
            call()
            times.append(time.perf_counter() - started)
    slow, fast = (float(np.median(times)) for times in taken)
    return slow / fast


if __name__ == "__main__":
    sys.exit(main())
