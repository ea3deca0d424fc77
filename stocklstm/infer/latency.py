"""How long one forecast takes."""

import statistics
import time
from collections.abc import Sequence

import numpy as np

from stocklstm.infer.session import ServingGraph

ROUNDS = 200


def latencies_ms(graphs: Sequence[ServingGraph], batch: int = 1) -> list[float]:
    """Time graphs in turn, so that a busy machine slows all of them alike.

    Args:
        graphs: With the same window shape.
        batch: Windows in a run.

    Returns:
        Median milliseconds of a run, for each graph.
    """
    windows = np.zeros((batch, *graphs[0].window_shape), np.float32)
    taken: list[list[float]] = [[] for _ in graphs]
    for _ in range(ROUNDS):
        for graph, times in zip(graphs, taken, strict=True):
            started = time.perf_counter()
            graph.run(windows)
            times.append(1e3 * (time.perf_counter() - started))
    return [statistics.median(times) for times in taken]
