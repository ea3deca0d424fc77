"""Latency of a forecast, and of loading a model."""

import statistics
import time
from collections.abc import Sequence

import numpy as np

from stocklstm.infer.session import ServingGraph

ROUNDS = 200
_LOADS = 15


def latencies_ms(
    graphs: Sequence[ServingGraph], batch: int = 1, rounds: int = ROUNDS
) -> list[float]:
    """Time graphs in turn, so that a busy machine slows all of them alike.

    Args:
        batch: Windows in a run.

    Returns:
        Median milliseconds of a run, for each graph.
    """
    windows = np.zeros((batch, *graphs[0].window_shape), np.float32)
    taken: list[list[float]] = [[] for _ in graphs]
    for _ in range(rounds):
        for graph, times in zip(graphs, taken, strict=True):
            started = time.perf_counter()
            graph.run(windows)
            times.append(1e3 * (time.perf_counter() - started))
    return [statistics.median(times) for times in taken]


def load_times_ms(contents: Sequence[bytes]) -> list[float]:
    """Time in turn how long graphs take from bytes to being ready.

    Returns:
        Median milliseconds, for each.
    """
    taken: list[list[float]] = [[] for _ in contents]
    for _ in range(_LOADS):
        for content, times in zip(contents, taken, strict=True):
            started = time.perf_counter()
            ServingGraph(content)
            times.append(1e3 * (time.perf_counter() - started))
    return [statistics.median(times) for times in taken]
