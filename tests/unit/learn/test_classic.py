"""Tutorials' files of every kind, written by the real libraries, mean what those say they mean."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)
from torch import nn

from stocklstm.errors import ArtifactCorruptError, ConfigError, StockLstmError
from stocklstm.learn.checkpoints import rebuild_network
from stocklstm.learn.classic import ClassicFile, ClassicModel, decode_classic
from stocklstm.learn.network import architecture_of, network_outputs
from stocklstm.learn.pickles import MOST_PICKLE_BYTES, read_plain
from tests.support.property_tests import PROPERTY

CLOSES = np.linspace(30, 45, 100).reshape(-1, 1) + np.sin(np.arange(100)).reshape(-1, 1)
FRAME = pd.DataFrame({"Close": CLOSES[:, 0]})
DAYS = 12
SETTINGS = {"seq_length": DAYS}


class Network(nn.Module):
    """What tutorials train: an LSTM of the close, its last state, a linear layer."""

    def __init__(self, inputs: int = 1, hidden: int = 8, layers: int = 2, **options: Any) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, layers, batch_first=True, **options)
        self.fc = nn.Linear(hidden, 1)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm(windows)
        out: torch.Tensor = self.fc(states[:, -1])
        return out


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(4)
    return Network().eval()


def torch_bytes(value: object, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def joblib_bytes(value: object, **options: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(value, buffer, **options)
    return buffer.getvalue()


def decoded(
    weights: bytes,
    scaler: bytes | None = None,
    config: object = SETTINGS,
    *,
    name: str = "config.pkl",
    **options: Any,
) -> ClassicModel:
    settings = config if isinstance(config, bytes) else joblib_bytes(config)
    return decode_classic(
        ClassicFile("model_lstm.pth", weights),
        ClassicFile(
            "scaler.pkl", joblib_bytes(MinMaxScaler().fit(CLOSES)) if scaler is None else scaler
        ),
        None if config is None else ClassicFile(name, settings),
        **options,
    )


def forecast(model: ClassicModel) -> float:
    """Forecast as the store does: scale, run, scale back."""
    built = rebuild_network(
        {"architecture": architecture_of(model.config), "weights": model.weights}
    )
    window = model.scaling.scale(CLOSES[-model.config.seq_length :]).astype(np.float32)
    return float(model.scaling.unscale(network_outputs(built, window[None]))[0, 0])


def expected(network: nn.Module, scaler: Any, days: int = DAYS) -> float:
    """Forecast as a tutorial does, with scikit-learn's own scaler."""
    window = torch.tensor(scaler.transform(CLOSES[-days:]), dtype=torch.float32)
    with torch.no_grad():
        return float(scaler.inverse_transform(network(window[None]).numpy())[0, 0])


# Scalers that are read


@pytest.mark.parametrize(
    "scaler",
    [
        MinMaxScaler(),
        MinMaxScaler((-1, 1)),
        StandardScaler(),
        StandardScaler(with_mean=False),
        StandardScaler(with_std=False),
        RobustScaler(),
        RobustScaler(with_centering=False),
        RobustScaler(with_scaling=False, quantile_range=(10, 90)),
        MaxAbsScaler(),
    ],
    ids=str,
)
def test_every_scaler_of_one_column_does_what_it_does_there(network: Network, scaler: Any) -> None:
    scaler.fit(CLOSES)

    model = decoded(torch_bytes(network.state_dict()), joblib_bytes(scaler))

    assert forecast(model) == pytest.approx(expected(network, scaler), rel=1e-6)


def _old_names(content: bytes) -> bytes:
    """Write the names that NumPy 1 and scikit-learn before 0.22 had, in an unframed pickle."""
    for new, old in (
        (b"numpy._core.multiarray", b"numpy.core.multiarray"),
        (b"sklearn.preprocessing._data", b"sklearn.preprocessing.data"),
    ):
        assert new in content
        content = content.replace(new, old)
    return content


FITTED = MinMaxScaler().fit(CLOSES)
ON_A_FRAME = MinMaxScaler().fit(FRAME)


@pytest.mark.parametrize(
    "content",
    [
        joblib_bytes(ON_A_FRAME),
        *(pickle.dumps(ON_A_FRAME, protocol) for protocol in (2, 3, 4, 5)),
        *(pickle.dumps(FITTED, protocol) for protocol in (2, 3, 4, 5)),
        _old_names(pickle.dumps(FITTED, 2)),
        *(
            joblib_bytes(ON_A_FRAME, compress=(kind, 3))
            for kind in ("zlib", "gzip", "bz2", "xz", "lzma")
        ),
        joblib_bytes(FITTED, compress=9),
        gzip.compress(pickle.dumps(FITTED)),
        joblib_bytes((FITTED, MinMaxScaler().fit(CLOSES))),
        joblib_bytes([FITTED]),
        joblib_bytes({"close": ON_A_FRAME}),
        pickle.dumps({"feature": FITTED, "target": FITTED}),
    ],
    # A name that is the same in every process: gzip writes the time into a file.
    ids=lambda content: f"{content[:2]!r} {len(content)}",
)
def test_a_scaler_is_read_however_it_was_written(network: Network, content: bytes) -> None:
    model = decoded(torch_bytes(network.state_dict()), content)

    assert forecast(model) == pytest.approx(expected(network, FITTED), rel=1e-6)
    assert model.scaling.data_min == FITTED.data_min_[0]


def test_a_constant_column_is_read_and_told(network: Network) -> None:
    scaler = MinMaxScaler().fit(np.full((10, 1), 36.0))

    model = decoded(torch_bytes(network.state_dict()), joblib_bytes(scaler))

    assert model.notes == ("its scaler was fitted on closes that were all 36",)
    assert forecast(model) == pytest.approx(expected(network, scaler), rel=1e-6)


# Scalers that are not


@pytest.mark.parametrize(
    ("scaler", "said", "next_step"),
    [
        (MinMaxScaler().fit(np.hstack([CLOSES] * 5)), "MinMaxScaler of 5 columns", '[["Close"]]'),
        (
            StandardScaler().fit(pd.DataFrame({"Open": CLOSES[:, 0], "Close": CLOSES[:, 0]})),
            "StandardScaler of 2 columns (Open, Close)",
            '[["Close"]]',
        ),
        (MinMaxScaler(), "MinMaxScaler that was not fitted", "after fit"),
        (StandardScaler(), "StandardScaler that was not fitted", "after fit"),
        ((FITTED, MinMaxScaler().fit(CLOSES * 2)), "2 scalers that differ", "that one alone"),
        (MinMaxScaler(clip=True).fit(CLOSES), "clip=True", "without clip"),
        (MinMaxScaler().fit(CLOSES - 100), "which no closes are scaled by", "days of its training"),
        (PowerTransformer().fit(CLOSES), "PowerTransformer", "MinMaxScaler, StandardScaler"),
        (make_pipeline(MinMaxScaler()).fit(CLOSES), "Pipeline", "MinMaxScaler, StandardScaler"),
        (SETTINGS, "no scaler", "read are MinMaxScaler"),
        ([1, 2], "no scaler", "read are MinMaxScaler"),
        (None, "no scaler", "read are MinMaxScaler"),
    ],
)
def test_another_scaler_is_refused_with_the_line_that_mends_it(
    network: Network, scaler: object, said: str, next_step: str
) -> None:
    with pytest.raises((ArtifactCorruptError, ConfigError)) as caught:
        decoded(torch_bytes(network.state_dict()), joblib_bytes(scaler))

    assert said in caught.value.message
    assert next_step in str(caught.value.hint)


def test_a_bomb_is_never_unpacked() -> None:
    huge = bytes(10 * MOST_PICKLE_BYTES)
    # The quickest levels: it is the size that matters.
    for bomb in (
        zlib.compress(huge, 1),
        gzip.compress(huge, 1),
        bz2.compress(huge, 1),
        lzma.compress(huge, preset=0),
    ):
        tracemalloc.start()
        with pytest.raises(ValueError, match="more than"):
            read_plain(bomb)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 5 * MOST_PICKLE_BYTES


@pytest.mark.parametrize("cut", [3, 20, 100])
def test_a_compressed_file_that_is_cut_is_damaged(cut: int) -> None:
    for kind in ("zlib", "gzip", "bz2", "xz"):
        with pytest.raises(ValueError, match=r"damaged|truncated|exhausted"):
            read_plain(joblib_bytes(FITTED, compress=(kind, 3))[:cut])


def test_a_compression_that_is_not_read_names_the_line(network: Network) -> None:
    with pytest.raises(ArtifactCorruptError, match="compressed by lz4") as caught:
        decoded(torch_bytes(network.state_dict()), b"\x04\x22\x4d\x18" + bytes(50))

    assert caught.value.hint is not None
    assert 'joblib.dump(joblib.load("scaler.pkl"), "scaler.pkl")' in caught.value.hint


# Weights that are read


def prefixed(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: value for name, value in state.items()}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda net: nn.DataParallel(net).state_dict(),
        lambda net: torch.compile(net, backend="eager").state_dict(),
        lambda net: torch.compile(nn.DataParallel(net), backend="eager").state_dict(),
        lambda net: nn.DataParallel(torch.compile(net, backend="eager")).state_dict(),
        lambda net: torch.optim.swa_utils.AveragedModel(net).state_dict(),
        lambda net: prefixed(net.state_dict(), "model."),
        lambda net: prefixed(net.state_dict(), "net.lstm_model."),
        lambda net: {k.replace("fc.", "head.2."): v for k, v in net.state_dict().items()},
        lambda net: {k.replace("lstm.", "rnn."): v.double() for k, v in net.state_dict().items()},
        lambda net: {"state_dict": prefixed(net.state_dict(), "model."), "epoch": 3},
        lambda net: {
            "epoch": 7,
            "model_state_dict": net.state_dict(),
            "optimizer_state_dict": torch.optim.Adam(net.parameters()).state_dict(),
            "loss": 0.25,
        },
        lambda net: {"model": net.state_dict(), "ema": net.state_dict(), "args": {"lr": 0.1}},
        lambda net: {"best": net.state_dict(), "val_losses": [0.5, 0.25]},
    ],
)
def test_weights_are_found_under_every_usual_name(
    network: Network, wrap: Callable[[nn.Module], dict[str, Any]]
) -> None:
    model = decoded(torch_bytes(wrap(network)))

    assert forecast(model) == pytest.approx(expected(network, FITTED), rel=1e-6)
    assert (model.config.hidden_size, model.config.num_layers) == (8, 2)


def test_layers_without_biases_are_the_same_with_zeros() -> None:
    torch.manual_seed(5)
    bare = Network(bias=False).eval()
    bare.fc = nn.Linear(8, 1, bias=False)

    assert forecast(decoded(torch_bytes(bare.state_dict()))) == pytest.approx(
        expected(bare, FITTED), rel=1e-6
    )


def test_a_checkpoint_may_hold_its_settings(network: Network) -> None:
    for checkpoint in (
        {"state_dict": network.state_dict(), "hyper_parameters": {"seq_len": 20}},
        {"model_state_dict": network.state_dict(), "seq_length": 20, "ticker": "VALE3.SA"},
    ):
        model = decoded(torch_bytes(checkpoint), config=None)
        assert model.config.seq_length == 20
        # A file beside it says more.
        assert decoded(torch_bytes(checkpoint)).config.seq_length == DAYS


# Weights that are not


class Wider(Network):
    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)


class Gru(nn.Module):
    def __init__(self, kind: type[nn.RNNBase] = nn.GRU) -> None:
        super().__init__()
        self.rnn = kind(1, 8, 2)
        self.fc = nn.Linear(8, 1)


class Cells(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(1, 8)
        self.fc = nn.Linear(8, 1)


class TwoStacks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm1, self.lstm2 = nn.LSTM(1, 8), nn.LSTM(8, 8)
        self.fc = nn.Linear(8, 1)


class Perceptron(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(60, 8), nn.Linear(8, 1)


def projected() -> Network:
    made = Network(proj_size=4)
    made.fc = nn.Linear(4, 1)
    return made


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (Network(inputs=5), "sees 5 numbers a day"),
        (Gru(), "is a GRU"),
        (Gru(nn.RNN), "is a plain RNN"),
        (Network(bidirectional=True), "is a bidirectional network"),
        (projected(), "proj_size"),
        (Cells(), "LSTMCells"),
        (TwoStacks(), "2 LSTMs of their own (lstm1, lstm2)"),
        (Perceptron(), "without an LSTM (fc1, fc2)"),
        (nn.LSTM(1, 8), "without a linear layer"),
        (Wider(bn=nn.BatchNorm1d(8)), "batch normalization (bn)"),
        (Wider(norm=nn.LayerNorm(8)), "normalization (norm)"),
        (Wider(attention=nn.Linear(8, 1)), "attention (attention)"),
        (Wider(mha=nn.MultiheadAttention(8, 2)), "attention (mha)"),
        (Wider(conv=nn.Conv1d(1, 4, 3)), "a convolution (conv)"),
        (Wider(fc2=nn.Linear(8, 1)), "2 linear layers (fc, fc2)"),
        (Wider(fc=nn.Linear(8, 3)), "forecasts 3 numbers"),
        (Wider(fc=nn.Linear(8 * 60, 1)), "those of 60 days together"),
        (Wider(fc=nn.Linear(13, 1)), "takes 13, not the last day's"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_another_network_is_refused_by_what_it_is(network: nn.Module, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decoded(torch_bytes(network.state_dict()), ticker="VALE3.SA")

    assert said in caught.value.message
    assert "stocklstm train --ticker VALE3.SA --preset paper" in str(caught.value.hint)


def _scripted(network: Network) -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(network, torch.zeros(1, DAYS, 1)), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("make", "kind", "said", "next_step"),
    [
        (torch_bytes, ArtifactCorruptError, "test_classic.Network", ".state_dict()"),
        (
            lambda net: torch_bytes(net.fc),
            ArtifactCorruptError,
            "torch.nn.modules.linear.Linear",
            ".state_dict()",
        ),
        (
            lambda net: torch_bytes(
                {"model_state_dict": net.state_dict(), "loss": np.float64(0.1)}
            ),
            ArtifactCorruptError,
            "multiarray.scalar",
            '["model_state_dict"]',
        ),
        (
            lambda net: torch_bytes({"model": net.state_dict(), "scaler": FITTED}),
            ArtifactCorruptError,
            "MinMaxScaler",
            '["model_state_dict"]',
        ),
        (
            lambda net: torch_bytes(net.state_dict(), _use_new_zipfile_serialization=False),
            ConfigError,
            "PyTorch before 1.6",
            "torch.load",
        ),
        (_scripted, ConfigError, "a TorchScript program", "torch.jit.load"),
        (
            lambda _: joblib_bytes(RandomForestRegressor(2).fit(CLOSES, CLOSES[:, 0])),
            ArtifactCorruptError,
            "sklearn.ensemble._forest.RandomForestRegressor",
            "stocklstm train",
        ),
        (lambda _: pickle.dumps({"a": 1}), ArtifactCorruptError, "a pickle", "stocklstm train"),
        (
            lambda _: b"\x89HDF\r\n\x1a\n" + bytes(500),
            ConfigError,
            "a Keras model",
            "stocklstm train",
        ),
        (
            lambda _: torch_bytes([1, 2]),
            ArtifactCorruptError,
            "no state_dict, but list",
            "state_dict()",
        ),
        (
            lambda _: torch_bytes({"epoch": 3}),
            ArtifactCorruptError,
            "no state_dict, but epoch",
            "state_dict()",
        ),
        (
            lambda _: torch_bytes({}),
            ArtifactCorruptError,
            "no state_dict, but nothing",
            "state_dict()",
        ),
        (
            lambda net: torch_bytes({"a": net.state_dict(), "b": net.state_dict()}),
            ConfigError,
            "several sets of weights: a, b",
            "the right one alone",
        ),
        (
            lambda _: (2).to_bytes(8, "little") + b'{"lstm.weight_ih_l0":{}}' + bytes(9),
            ConfigError,
            "a safetensors file",
            "safetensors.torch.load_file",
        ),
        (
            lambda _: b"\x1c\0\0\0TFL3" + bytes(99),
            ConfigError,
            "a TensorFlow Lite model",
            "stocklstm train",
        ),
        (lambda _: b"", ArtifactCorruptError, "not a safe checkpoint", "state_dict()"),
        (
            lambda _: b"<html>404</html>",
            ArtifactCorruptError,
            "not a safe checkpoint",
            "state_dict()",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_other_files_are_refused_by_what_they_are(
    network: Network,
    make: Callable[[Network], bytes],
    kind: type[StockLstmError],
    said: str,
    next_step: str,
) -> None:
    with pytest.raises(kind) as caught:
        decoded(make(network))

    assert said in caught.value.message
    assert next_step in str(caught.value.hint)


@PROPERTY
@given(data=st.data())
def test_damaged_files_are_read_or_refused(data: st.DataObject) -> None:
    torch.manual_seed(4)
    state = torch_bytes({"state_dict": Network(hidden=2).state_dict(), "epoch": 3})
    parts = [state, joblib_bytes(ON_A_FRAME), joblib_bytes(SETTINGS)]
    place = data.draw(st.integers(0, 2), label="which")
    if place and data.draw(st.booleans(), label="compressed"):
        parts[place] = zlib.compress(parts[place])
    damaged = bytearray(parts[place])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    parts[place] = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])

    try:
        model = decoded(parts[0], parts[1], parts[2])
    except StockLstmError as error:
        assert error.hint  # noqa: PT017 - either will do
    else:
        assert model.config.input_size == 1


# Settings


@pytest.mark.parametrize(
    ("config", "days"),
    [
        ({"input_size": 1, "hidden_size": 8, "num_layers": 2, "window_size": 60}, 60),
        (
            {name: np.int64(value) for name, value in {"hidden_size": 8, "seq_length": 60}.items()},
            60,
        ),
        ({"SEQ_LEN": np.int32(30)}, 30),
        ({"lookback": 20.0}, 20),
        ({"prediction_days": 60}, 60),
        ({"model": {"hidden_dim": 8}, "data": {"sequence_length": 15}}, 15),
        ({"seq_length": 25, "look_back": 25}, 25),
        (json.dumps({"seq_length": 60, "hidden_size": 8}).encode(), 60),
    ],
)
def test_a_window_is_found_under_every_usual_name(
    network: Network, config: object, days: int
) -> None:
    name = "config.json" if isinstance(config, bytes) else "config.pkl"

    model = decoded(torch_bytes(network.state_dict()), config=config, name=name)

    assert model.config.seq_length == days
    assert forecast(model) == pytest.approx(expected(network, FITTED, days), rel=1e-6)


class Settings:
    """An object of a program of one's own."""


@pytest.mark.parametrize(
    ("config", "said", "next_step"),
    [
        (
            {"hidden_size": 8},
            "does not say how many sessions",
            "stocklstm models import cl --ticker VALE3.SA --seq-length 60",
        ),
        (
            None,
            "does not say how many sessions",
            "stocklstm models import cl --ticker VALE3.SA --seq-length 60",
        ),
        ({"seq_length": 0}, "a window of 0 sessions", "--seq-length 60"),
        ({"seq_length": -5}, "a window of -5 sessions", "--seq-length 60"),
        ({"seq_length": "60"}, "must be a whole number, not '60'", "--seq-length 60"),
        ({"seq_length": None}, "must be a whole number, not None", "--seq-length 60"),
        (
            {"seq_length": 60, "look_back": 30},
            "says both seq_length 60 and look_back 30",
            "--seq-length 60",
        ),
        (
            {"seq_length": 60, "hidden_size": 64},
            "says hidden_size 64 and model_lstm.pth has 8",
            '"hidden_size": 8',
        ),
        (
            {"seq_length": 60, "n_layers": 3},
            "says n_layers 3 and model_lstm.pth has 2",
            '"n_layers": 2',
        ),
        (
            {"seq_length": 60, "model": {"input_dim": 5}},
            "says input_dim 5 and model_lstm.pth has 1",
            '"input_dim": 1',
        ),
        ({"seq_length": 60, "dropout": "no"}, "dropout 'no'", "leave it out"),
        (Settings(), "test_classic.Settings", "vars(config)"),
        ([60], "no dictionary of settings, but list", "joblib.dump"),
        (FITTED, "no dictionary of settings, but a scaler", "joblib.dump"),
        (b"{", "is no JSON", "joblib.dump"),
        (b"[" * 100_000, "is no JSON", "joblib.dump"),
    ],
)
def test_settings_that_say_too_little_are_refused(
    network: Network, config: object, said: str, next_step: str
) -> None:
    name = "config.json" if isinstance(config, bytes) else "config.pkl"

    with pytest.raises((ArtifactCorruptError, ConfigError)) as caught:
        decoded(
            torch_bytes(network.state_dict()),
            config=config,
            name=name,
            ticker="VALE3.SA",
            origin="cl",
        )

    assert said in caught.value.message
    assert next_step in str(caught.value.hint)


def test_another_column_is_told(network: Network) -> None:
    model = decoded(torch_bytes(network.state_dict()), config={**SETTINGS, "feature": "Adj Close"})

    assert model.notes == ("config.pkl has feature 'Adj Close'; the network is given the close",)
    assert (
        decoded(torch_bytes(network.state_dict()), config={**SETTINGS, "feature": "Close"}).notes
        == ()
    )
