"""Size, speed and accuracy of networks, measured side by side."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from stocklstm.core.prices.series import Bars
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.core.scores.scores import Evaluation
from stocklstm.infer.latency import latencies_ms, load_times_ms
from stocklstm.learn.compress.sparsity import sparsity_by_matrix, weight_sparsity
from stocklstm.workflows.quantize.methods import Candidate
from stocklstm.workflows.scoring import score_unseen

LARGE_BATCH = 256
_LARGE_ROUNDS = 20


@dataclass(frozen=True)
class VersionFigures:
    """Size, speed and accuracy of one version.

    Attributes:
        bytes: Size of the serving file.
        compressed_bytes: The same, compressed (zlib, level 9).
        latency_ms: Median time of one forecast of one window.
        latency_256_ms: Median time of one run with 256 windows.
        load_ms: Median time from bytes to a graph that is ready.
        rmse: On the test part, in currency.
        crps: On the test part, in currency.
        coverage: Share of outcomes within each interval, by its level.
        parameters: Weights of the network.
        sparsity: Share of weights that are zero.
        sparsity_by_matrix: The same of each matrix, by its name in the graph.
    """

    bytes: int
    compressed_bytes: int
    latency_ms: float
    latency_256_ms: float
    load_ms: float
    rmse: float
    crps: float
    coverage: dict[str, float]
    parameters: int
    sparsity: float
    sparsity_by_matrix: dict[str, float]


@dataclass(frozen=True, eq=False)
class Measured:
    """A network with its figures.

    Attributes:
        candidate: The network.
        days: Test part, scored day by day.
        evaluation: Scores over it.
        figures: All in one place.
    """

    candidate: Candidate
    days: ScoredDays
    evaluation: Evaluation
    figures: VersionFigures


def measure(candidates: Sequence[Candidate], bars: Bars) -> tuple[Measured, ...]:
    """Measure networks with the same window on the same days and in the same minute, in turns.

    Raises:
        SeriesTooShortError: No bar lies in the test part.
        RejectedDataError: The model learned prices that have been rescaled since.
    """
    graphs = [candidate.graph for candidate in candidates]
    times = zip(
        latencies_ms(graphs),
        latencies_ms(graphs, LARGE_BATCH, _LARGE_ROUNDS),
        load_times_ms([candidate.content for candidate in candidates]),
        strict=True,
    )
    return tuple(
        _measured(candidate, bars, *taken)
        for candidate, taken in zip(candidates, times, strict=True)
    )


def _measured(
    candidate: Candidate, bars: Bars, alone_ms: float, together_ms: float, load_ms: float
) -> Measured:
    days, scores = score_unseen(candidate.model, bars)
    content = candidate.content
    figures = VersionFigures(
        bytes=len(content),
        compressed_bytes=len(zlib.compress(content, 9)),
        latency_ms=alone_ms,
        latency_256_ms=together_ms,
        load_ms=load_ms,
        rmse=scores.point.rmse,
        crps=scores.distribution.crps,
        coverage={f"{one.level:g}": one.share for one in scores.distribution.coverage},
        parameters=candidate.model.manifest.training.parameters,
        sparsity=weight_sparsity(content),
        sparsity_by_matrix=sparsity_by_matrix(content),
    )
    return Measured(candidate, days, scores, figures)
