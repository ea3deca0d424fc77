"""The three files of the tutorials: model_lstm.pth, scaler.pkl and config.pkl.

They are written with PyTorch, scikit-learn and joblib, as a tutorial would, and read back without
unpickling any of them.
"""

import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from stocklstm.core.inputs.features import FeatureScale
from stocklstm.core.inputs.scaling import PriceScaling
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.errors import ArtifactCorruptError, ConfigError
from stocklstm.learn.checkpoints import load_tensors, rebuild_network
from stocklstm.learn.network import architecture_of
from stocklstm.learn.pickles import read_plain

WEIGHTS_FILE = "model_lstm.pth"
SCALER_FILE = "scaler.pkl"
CONFIG_FILE = "config.pkl"

_LSTM_WEIGHT = re.compile(r"(\w+)\.(weight_ih|weight_hh|bias_ih|bias_hh)_l([0-9]{1,2})", re.ASCII)
_HEAD_WEIGHT = re.compile(r"(\w+)\.(weight|bias)", re.ASCII)

# What tutorials call the number of sessions in a window.
_WINDOW_NAMES = (
    *("seq_length", "seq_len", "sequence_length", "lookback", "look_back", "window_size"),
    *("window", "time_step", "time_steps", "timesteps", "n_steps"),
)


@dataclass(frozen=True, eq=False)
class ClassicModel:
    """A model as the three files describe it.

    Attributes:
        config: Settings of such a network; those that the files do not say are the preset's.
        scaling: The scaler's numbers.
        weights: Named as in `StockLSTM`.
        ticker: If they say so.
        test_start: First ISO day that it never saw, if they say so.
    """

    config: TrainingConfig
    scaling: PriceScaling
    weights: dict[str, torch.Tensor]
    ticker: str | None
    test_start: str | None


def encode_classic(
    weights: Mapping[str, torch.Tensor],
    config: TrainingConfig,
    scaling: PriceScaling,
    facts: Mapping[str, object],
) -> dict[str, bytes]:
    """Write the three files of a `StockLSTM`; `facts` are more plain values for config.pkl."""
    import joblib
    from sklearn.preprocessing import MinMaxScaler

    scaler = MinMaxScaler(feature_range=(scaling.low, scaling.high))
    scaler.fit(np.array([[scaling.data_min], [scaling.data_max]]))
    settings = {
        "input_size": config.input_size,
        "hidden_size": config.hidden_size,
        "num_layers": config.num_layers,
        "output_size": config.outputs,
        "dropout": config.dropout,
        "seq_length": config.seq_length,
        "horizon": config.horizon,
        "feature": "Close",
        **facts,
    }
    named = {name.replace("head.", "fc.", 1): value for name, value in weights.items()}
    files = {}
    buffer = io.BytesIO()
    torch.save(named, buffer)
    files[WEIGHTS_FILE] = buffer.getvalue()
    for name, value in ((SCALER_FILE, scaler), (CONFIG_FILE, settings)):
        buffer = io.BytesIO()
        joblib.dump(value, buffer)
        files[name] = buffer.getvalue()
    return files


def decode_classic(files: Mapping[str, bytes]) -> ClassicModel:
    """Read the three files, by name; nothing in them is ever executed.

    Raises:
        ArtifactCorruptError: A file is damaged, or asks for more than plain values.
        ConfigError: They describe a network that cannot be taken over.
    """
    settings = _plain_dict(files, CONFIG_FILE)
    low, high, data_min, data_max = _scale(_plain_dict(files, SCALER_FILE))
    weights = _weights(load_tensors(files[WEIGHTS_FILE], WEIGHTS_FILE))
    window = next((settings[name] for name in _WINDOW_NAMES if name in settings), None)
    if window is None:
        raise ConfigError(
            f"{CONFIG_FILE} does not say how many sessions a window has",
            hint='put "seq_length" into it, such as joblib.dump({"seq_length": 60}, "config.pkl")',
        )
    config = configure(
        "paper",
        hidden_size=weights["lstm.weight_hh_l0"].shape[1],
        num_layers=sum("weight_ih" in name for name in weights),
        dropout=_number(settings, "dropout", 0.0),
        seq_length=_whole(window, "the sessions of a window"),
        horizon=_whole(settings.get("horizon", 1), "the horizon"),
        scale_low=low,
        scale_high=high,
    )
    _require_fit(config, weights)
    spread = ((data_max - data_min) or 1.0) / (high - low)
    scale = FeatureScale("close", data_min, spread, low)
    scaling = PriceScaling(data_min, data_max, low, high, (scale,), horizon=config.horizon)
    return ClassicModel(
        config=config,
        scaling=scaling,
        weights=weights,
        ticker=_word(settings, "ticker"),
        test_start=_word(settings, "test_start"),
    )


def _plain_dict(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    try:
        found = read_plain(files[name])
    except ValueError as error:
        raise ArtifactCorruptError(
            f"{name} holds more than plain values and is not read: {error}",
            hint="write it with joblib.dump, uncompressed, from a MinMaxScaler or a plain dict",
        ) from error
    if not isinstance(found, dict):
        raise ArtifactCorruptError(f"{name} holds no {_EXPECTED[name]}")
    return found


_EXPECTED = {SCALER_FILE: "MinMaxScaler", CONFIG_FILE: "dictionary"}


def _scale(scaler: Mapping[str, Any]) -> tuple[float, float, float, float]:
    try:
        low, high = (float(end) for end in scaler["feature_range"])
        (data_min,), (data_max,) = scaler["data_min_"].tolist(), scaler["data_max_"].tolist()
        numbers = (low, high, float(data_min), float(data_max))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactCorruptError(
            f"{SCALER_FILE} is no MinMaxScaler that was fitted on one column, the close"
        ) from error
    if not (all(map(math.isfinite, numbers)) and low < high and 0 < data_min <= data_max):
        raise ArtifactCorruptError(f"{SCALER_FILE} holds the range {numbers}, which no price has")
    return numbers


def _weights(found: object) -> dict[str, torch.Tensor]:
    """Give the weights of one LSTM and one linear layer the names that `StockLSTM` has for them."""
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in found.items()
    ):
        raise ArtifactCorruptError(
            f"{WEIGHTS_FILE} holds no state_dict",
            hint='write it with torch.save(model.state_dict(), "model_lstm.pth")',
        )
    named, layers = {}, set()
    for name, value in found.items():
        part = _LSTM_WEIGHT.fullmatch(name)
        head = _HEAD_WEIGHT.fullmatch(name)
        if part:
            layers.add(part[1])
            named[f"lstm.{part[2]}_l{part[3]}"] = value.float()
        elif head:
            layers.add(head[1])
            named[f"head.{head[2]}"] = value.float()
    hidden = named.get("lstm.weight_hh_l0")
    if len(layers) != 2 or len(named) != len(found) or hidden is None or hidden.ndim != 2:
        raise ConfigError(
            f"{WEIGHTS_FILE} is not one LSTM and one linear layer: {', '.join(found)[:200]}",
            hint="only a network of nn.LSTM and nn.Linear can be taken over",
        )
    if not all(bool(torch.isfinite(value).all()) for value in named.values()):
        raise ArtifactCorruptError(f"{WEIGHTS_FILE} holds weights that are no numbers")
    return named


def _require_fit(config: TrainingConfig, weights: Mapping[str, torch.Tensor]) -> None:
    """Raise `ConfigError` if the weights are no network from one close a day to one price."""
    try:
        rebuild_network({"architecture": architecture_of(config), "weights": weights})
    except ArtifactCorruptError as error:
        raise ConfigError(
            f"{WEIGHTS_FILE} is no network from one close a day to one price: {error.message}"
        ) from error


def _number(settings: Mapping[str, Any], name: str, default: float) -> float:
    value = settings.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{CONFIG_FILE} has {name} {value!r:.40}, which is no number")
    return float(value)


def _whole(value: object, words: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{words} in {CONFIG_FILE} must be a whole number, not {value!r:.40}")
    return value


def _word(settings: Mapping[str, Any], name: str) -> str | None:
    value = settings.get(name)
    return value if isinstance(value, str) else None
