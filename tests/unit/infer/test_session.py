"""The serving graph refuses what ONNX Runtime would answer wrongly."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from stocklstm.core.settings.config import configure
from stocklstm.errors import ArtifactCorruptError
from stocklstm.infer.latency import latencies_ms
from stocklstm.infer.session import ServingGraph
from stocklstm.learn.compress.dynamic import quantize_dynamic_int8
from stocklstm.learn.compress.weights import store_half
from stocklstm.learn.network import StockLSTM
from stocklstm.learn.onnx_graph import export_onnx

CONFIG = configure("calibrated", hidden_size=4, seq_length=10)


@pytest.fixture(scope="module")
def content() -> bytes:
    torch.manual_seed(0)
    return export_onnx(StockLSTM.from_config(CONFIG).eval(), CONFIG)


@pytest.fixture
def graph(content: bytes) -> ServingGraph:
    return ServingGraph(content)


def test_it_knows_its_shapes(graph: ServingGraph) -> None:
    assert graph.window_shape == (10, 2)
    assert graph.outputs == 15


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused(graph: ServingGraph, value: float) -> None:
    windows = np.zeros((3, 10, 2), np.float32)
    windows[1, 4, 1] = value

    with pytest.raises(ValueError, match="not finite"):
        graph.run(windows)


def test_an_empty_batch_gives_no_rows(graph: ServingGraph) -> None:
    assert graph.run(np.zeros((0, 10, 2), np.float32)).shape == (0, 15)


@pytest.mark.parametrize("shape", [(1, 9, 2), (1, 11, 2), (1, 10, 1), (10, 2)])
def test_a_window_of_another_shape_is_refused(graph: ServingGraph, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="the graph takes"):
        graph.run(np.zeros(shape, np.float32))


def test_strided_views_give_the_same_as_copies(graph: ServingGraph) -> None:
    rows = np.random.default_rng(0).standard_normal((30, 2)).astype(np.float32)
    view = np.lib.stride_tricks.sliding_window_view(rows, 10, axis=0).transpose(0, 2, 1)

    assert np.array_equal(graph.run(view), graph.run(view.copy()))


@pytest.mark.parametrize("make", [bytes, store_half, quantize_dynamic_int8])
@pytest.mark.parametrize("count", [0, 1, 130])
def test_windows_run_together_give_what_each_gives_alone(
    content: bytes, make: Callable[..., bytes], count: int
) -> None:
    options = {"per_channel": False} if make is quantize_dynamic_int8 else {}
    graph = ServingGraph(make(content, **options))
    # Of very different sizes, as those of a batch have one scale in int8.
    sizes = np.geomspace(0.1, 10, count, dtype=np.float32)[:, None, None]
    windows = sizes * np.random.default_rng(0).standard_normal((count, 10, 2), np.float32)

    alone, together = graph.run_each(windows), graph.run_each(windows, together=True)

    assert together.shape == (count, graph.outputs)
    if graph.stored == "int8":
        assert (together == alone).all()
    else:
        assert np.allclose(together, alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("junk", [b"", b"junk", b"\x80\x04N.", bytes(1000)])
def test_something_else_is_refused(junk: bytes) -> None:
    with pytest.raises(ArtifactCorruptError, match="cannot be loaded"):
        ServingGraph(junk)


def test_a_truncated_graph_is_refused(content: bytes) -> None:
    with pytest.raises(ArtifactCorruptError):
        ServingGraph(content[: len(content) // 2])


def test_latencies_are_times_of_each_graph(graph: ServingGraph) -> None:
    times = latencies_ms([graph, graph])

    assert len(times) == 2
    assert all(0 < time < 1000 for time in times)
