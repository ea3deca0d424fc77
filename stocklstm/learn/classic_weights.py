"""The weights of a tutorial's network, and what it is if it is none that can be taken over."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch

from stocklstm.errors import ArtifactCorruptError, ConfigError

Weights = dict[str, torch.Tensor]

# What programs call the weights within a checkpoint, the likeliest first.
_STATE_NAMES = (
    *("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights"),
    *("module", "params", "parameters"),
)

# What programs call the settings within a checkpoint.
_SETTINGS_NAMES = ("config", "hyper_parameters", "hparams", "params", "args", "settings")

_RECURRENT = re.compile(
    r"(?:([\w.]+)\.)?((?:weight|bias)_(?:ih|hh|hr))(_l[0-9]{1,2})?(_reverse)?", re.ASCII
)
_OTHER = re.compile(r"(?:([\w.]+)\.)?([a-zA-Z]\w*)", re.ASCII)

_BY_GATES = {1: "a plain RNN", 3: "a GRU"}


class Checkpoint(NamedTuple):
    """What a PyTorch file of strangers holds.

    Attributes:
        weights: By the names they have there, but for what all names begin with.
        settings: Plain values beside them.
    """

    weights: Weights
    settings: dict[str, Any]


def checkpoint_of(found: object, name: str) -> Checkpoint:
    """Find the weights in what a PyTorch file holds: alone, or with other things of a training.

    Args:
        found: As `checkpoints.load_tensors` gives it.
        name: Of the file.

    Raises:
        ArtifactCorruptError: There are none.
        ConfigError: There are several, and none has a usual name.
    """
    if not isinstance(found, dict):
        raise _no_weights(name, f"but {type(found).__name__}")
    if _is_state(found):
        return Checkpoint(_without_common_prefix(found), {})
    states = {str(key): value for key, value in found.items() if _is_state(value)}
    usual = [key for key in _STATE_NAMES if key in states]
    if not states:
        keys = ascii(", ".join(map(str, found))[:120])[1:-1]
        raise _no_weights(name, f"but {keys}" if keys else "but nothing")
    if not usual and len(states) > 1:
        listed = ascii(", ".join(states)[:120])[1:-1]
        raise ConfigError(
            f"{name} holds several sets of weights: {listed}",
            hint='write the right one alone: torch.save(checkpoint["…"], "model_lstm.pth")',
        )
    chosen = usual[0] if usual else next(iter(states))
    nested = [found[key] for key in _SETTINGS_NAMES if isinstance(found.get(key), dict)]
    plain = {str(k): v for k, v in found.items() if isinstance(v, bool | int | float | str)}
    settings = {str(k): v for part in nested if not _is_state(part) for k, v in part.items()}
    return Checkpoint(_without_common_prefix(states[chosen]), plain | settings)


def _no_weights(name: str, what: str) -> ArtifactCorruptError:
    return ArtifactCorruptError(
        f"{name} holds no state_dict, {what}",
        hint='write it with torch.save(model.state_dict(), "model_lstm.pth")',
    )


def _is_state(value: object) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in value.items())
    )


def _without_common_prefix(state: Mapping[str, torch.Tensor]) -> Weights:
    """Take off what DataParallel, torch.compile, Lightning and others put before every name."""
    # How often weights were averaged, by swa_utils, is none of them.
    names = {name: name for name in state if name != "n_averaged"}
    while True:
        first = {short.partition(".")[0] for short in names.values()}
        # A network has several parts; what is one for all of them is around them.
        if len(first) != 1 or any(short.count(".") < 2 for short in names.values()):
            return {short: state[name] for name, short in names.items()}
        names = {name: short.partition(".")[2] for name, short in names.items()}


def lstm_weights(found: Mapping[str, torch.Tensor], name: str, hint: str) -> Weights:
    """Give the weights of one LSTM and one linear layer the names that `StockLSTM` has for them.

    Args:
        found: From `checkpoint_of`.
        name: Of the file.
        hint: What to do about a network that is something else.

    Raises:
        ArtifactCorruptError: Some are no numbers.
        ConfigError: They are of another kind of network.
    """
    recurrent: dict[str, dict[tuple[str, str], torch.Tensor]] = {}
    others: dict[str, Weights] = {}
    reverse = False
    for key, value in found.items():
        if part := _RECURRENT.fullmatch(key):
            recurrent.setdefault(part[1] or "", {})[part[2], part[3] or ""] = value
            reverse = reverse or part[4] is not None
        elif part := _OTHER.fullmatch(key):
            others.setdefault(part[1] or "", {})[part[2]] = value
        else:
            raise ConfigError(f"{name} has weights of the name {key[:60]!a}", hint=hint)
    if problem := next(_obstacles(recurrent, others, reverse=reverse), None):
        raise ConfigError(
            f"{name} is {problem}; only one LSTM and one linear layer, from one close a day to one "
            "price, can be taken over",
            hint=hint,
        )
    (layers,), (head,) = recurrent.values(), others.values()
    named = {f"lstm.{kind}{layer}": value.float() for (kind, layer), value in layers.items()}
    named |= {f"head.{kind}": value.float() for kind, value in head.items()}
    if not all(bool(torch.isfinite(value).all()) for value in named.values()):
        raise ArtifactCorruptError(f"{name} holds weights that are no numbers", hint=hint)
    return _with_biases(named)


def _with_biases(named: Weights) -> Weights:
    """Add the biases of layers that were made without: zeros do the same."""
    for key, value in list(named.items()):
        if "weight" in key and value.ndim == 2:
            named.setdefault(key.replace("weight", "bias"), torch.zeros(value.shape[0]))
    return named


def _obstacles(
    recurrent: Mapping[str, Mapping[tuple[str, str], torch.Tensor]],
    others: Mapping[str, Weights],
    *,
    reverse: bool,
) -> Iterator[str]:
    """Say what stands in the way, the plainest first."""
    modules = ", ".join(filter(None, others))[:100]
    if not recurrent:
        yield f"a network without an LSTM ({modules or 'it has no layers'})"
    if reverse:
        yield "a bidirectional network, which reads each window forwards and backwards"
    for layers in recurrent.values():
        yield from _of_layers(layers)
    if len(recurrent) > 1:
        yield f"a network of {len(recurrent)} LSTMs of their own ({', '.join(recurrent)})"
    kinds = {prefix: _kind(prefix, parts) for prefix, parts in others.items()}
    if foreign := {prefix: kind for prefix, kind in kinds.items() if kind != "linear"}:
        listed = ", ".join(f"{kind} ({prefix})" for prefix, kind in foreign.items())[:120]
        yield f"an LSTM with more than a linear layer: {listed}"
    if not others:
        yield "an LSTM without a linear layer"
    if len(others) > 1:
        yield f"an LSTM with {len(others)} linear layers ({modules})"
    (layers,), (head,) = recurrent.values(), others.values()
    yield from _of_sizes(layers["weight_ih", "_l0"], layers["weight_hh", "_l0"], head["weight"])


def _of_layers(layers: Mapping[tuple[str, str], torch.Tensor]) -> Iterator[str]:
    if any(not layer for _, layer in layers):
        yield "a network of LSTMCells, or of others, that go from day to day in its own code"
    if any(kind == "weight_hr" for kind, _ in layers):
        yield "an LSTM with projections (proj_size)"
    hidden = layers.get(("weight_hh", "_l0"))
    if hidden is None or hidden.ndim != 2 or ("weight_ih", "_l0") not in layers:
        yield "an LSTM without its first layer"
    elif hidden.shape[0] != 4 * hidden.shape[1]:
        gates = hidden.shape[0] / (hidden.shape[1] or 1)
        yield _BY_GATES.get(int(gates) if gates.is_integer() else 0, "no LSTM")


def _kind(prefix: str, parts: Mapping[str, torch.Tensor]) -> str:
    weight = parts.get("weight")
    if "running_mean" in parts:
        return "batch normalization"
    if "in_proj_weight" in parts or "att" in prefix.lower():
        return "attention"
    if weight is None or parts.keys() - {"weight", "bias"}:
        return f"a module with {', '.join(parts)[:60]}"
    if weight.ndim == 1:
        return "normalization"
    return "linear" if weight.ndim == 2 else "a convolution"


def _of_sizes(inputs: torch.Tensor, hidden: torch.Tensor, head: torch.Tensor) -> Iterator[str]:
    if inputs.ndim != 2 or inputs.shape[1] != 1:
        yield f"a network that sees {inputs.shape[-1]} numbers a day"
    units, seen = hidden.shape[1], head.shape[1]
    if seen != units:
        days = seen / units
        words = f"those of {days:g} days together" if math.floor(days) == days > 1 else f"{seen}"
        yield f"an LSTM of {units} units whose linear layer takes {words}, not the last day's"
    if head.shape[0] != 1:
        yield f"a network that forecasts {head.shape[0]} numbers"
