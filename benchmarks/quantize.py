"""Measure every method of quantize, with its controls, on the bundled PETR4.SA series.

    python benchmarks/quantize.py [--model calibrated-50 --model paper …] [--home DIRECTORY]

Trains each model in a store of its own (or takes its latest float32 version from `--home`), makes
every smaller version there is, and prints one Markdown table a model: all ratios to the float32
model in the same process, errors on the test part. Compare differences of errors with the controls
beside them: a model that was trained longer may be better for that alone. Two models are
worked on at a time, each in a process with one thread.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch

from stocklstm import fetch, quantize, train
from stocklstm.core.reference import parse_reference
from stocklstm.core.settings.compression import Compression
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.core.wording import percent_change
from stocklstm.learn.checkpoints import decode_checkpoint, rebuild_network
from stocklstm.learn.network import network_outputs
from stocklstm.store.manifest import CHECKPOINT_FILE
from stocklstm.store.store import open_store
from stocklstm.workflows.loading.model import load_version
from stocklstm.workflows.prices.plan import FetchOptions
from stocklstm.workflows.quantize.measure import VersionFigures
from stocklstm.workflows.quantize.quantize import QuantizedVersion

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
    "pipeline, accuracy": Compression("pipeline", budget="accuracy"),
}
MODELS = {
    "calibrated-50": configure("calibrated-50"),
    "calibrated-50, hidden 100": configure("calibrated-50", hidden_size=100),
    "paper": configure("paper"),
    "paper-short": configure("paper-short"),
}
_HEADER = (
    "| method | file | compressed | 1 window | 256 windows | RMSE | CRPS | 95 % covers "
    "| largest difference | gate |\n|---|---|---|---|---|---|---|---|---|---|"
)
_ROUNDS = 100


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", choices=MODELS)
    parser.add_argument("--home", type=Path)
    arguments = parser.parse_args()
    names = arguments.model or list(MODELS)
    with tempfile.TemporaryDirectory() as scratch, ProcessPoolExecutor(2) as processes:
        home = arguments.home or Path(scratch)
        if not (home / "stocklstm.db").exists():
            fetch([TICKER], FetchOptions(source="sample"), home=home)
        for report in processes.map(partial(_report, home), names):
            print("\n".join(report), flush=True)
    return 0


def _report(home: Path, name: str) -> list[str]:
    reference = _trained(home, MODELS[name]) or _train(home, MODELS[name])
    lines = [f"\n### {name} ({reference})\n\n{_HEADER}"]
    for method, compression in METHODS.items():
        result = quantize([reference], compression, home=home)
        lines += [
            f"| {method} | {failure.error.message} |" + " |" * 8 for failure in result.failures
        ]
        for made in result.results:
            if len(lines) == 1:
                lines.append(_parent(made))
            lines += _rows(method, made)
    lines.append(f"\nPyTorch takes {_torch_ratio(home, reference):.1f} × the time of float32 ONNX.")
    return lines


def _trained(home: Path, config: TrainingConfig) -> str | None:
    with open_store(home) as store:
        for version in reversed(store.registry.versions(TICKER)):
            manifest = store.registry.manifest(TICKER, version)
            if manifest.config == config and manifest.method == "float32":
                return manifest.id
    return None


def _train(home: Path, config: TrainingConfig) -> str:
    (made,) = train([TICKER], config, home=home, promote="never").results
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
        percent_change(100 * (after.rmse / before.rmse - 1)),
        percent_change(100 * (after.crps / before.crps - 1)),
        f"{100 * after.coverage['0.95']:.1f} %",
        *rest,
    ]
    return f"| {' | '.join(cells)} |"


def _torch_ratio(home: Path, reference: str) -> float:
    """Time PyTorch and ONNX Runtime in turn, one window at a time; return the ratio of medians."""
    with open_store(home) as store:
        model = parse_reference(reference)
        manifest = store.registry.find(model)
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
