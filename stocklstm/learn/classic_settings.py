"""The settings of a tutorial: a dictionary that every program fills with names of its own."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from stocklstm.errors import ArtifactCorruptError, ConfigError
from stocklstm.learn.pickles import CLASS, MOST_PICKLE_BYTES, ForeignNameError, read_plain

# What tutorials call the sessions of a window, and other things, in any letter case.
_WINDOW = (
    *("seq_length", "seq_len", "sequence_length", "sequence_len", "sequence_size", "lookback"),
    *("look_back", "lookback_window", "window_size", "window_length", "window", "time_step"),
    *("time_steps", "timestep", "timesteps", "n_steps", "num_steps", "n_timesteps", "n_past"),
    *("past_days", "n_lags", "lags", "prediction_days", "input_window", "input_length"),
    *("context_length", "history_length", "train_window"),
)
_HORIZON = (
    *("horizon", "forecast_horizon", "prediction_horizon", "pred_len", "steps_ahead", "n_ahead"),
    *("future_steps", "n_future", "forecast_steps", "output_window"),
)
_HIDDEN = (
    *("hidden_size", "hidden_dim", "hidden_units", "n_hidden", "num_hidden", "lstm_hidden_size"),
    *("hidden_layer_size", "lstm_units"),
)
_LAYERS = ("num_layers", "n_layers", "num_lstm_layers", "lstm_layers", "layer_dim")
_INPUTS = ("input_size", "input_dim", "n_features", "num_features", "feature_size")
_OUTPUTS = ("output_size", "output_dim", "n_outputs", "num_outputs", "num_classes")
_COLUMN = ("feature", "column", "target", "target_column", "target_col", "price_column")

# What the close is called.
_CLOSE = {"close", "closes", "close price", "closing price", "close/last", "price", "fechamento"}

_REWRITE = 'joblib.dump({"seq_length": 60}, "config.pkl")'


class ClassicSettings:
    """Settings by name, wherever they stand in the dictionary."""

    def __init__(
        self, name: str, values: Mapping[str, Any], beside: Mapping[str, Any] | None = None
    ) -> None:
        """Take what a file of this name says, and where it says nothing what lies beside it."""
        self._name = name
        self._values = values
        self._beside = beside or {}

    def window(self, given: int | None, hint: str) -> int:
        """Say how many sessions a window has.

        Args:
            given: What a person says instead.
            hint: Command that says it.
        """
        if given is not None:
            return given
        found = self._whole(_WINDOW, hint)
        if found is None:
            raise ConfigError(
                f"{self._name} does not say how many sessions a window has", hint=hint
            )
        if found < 1:
            raise ConfigError(
                f"a window of {found} sessions, as {self._name} has it, is none", hint=hint
            )
        return found

    def horizon(self) -> int:
        """Say how many sessions ahead is forecast: one, unless it is said."""
        found = self._whole(_HORIZON, 'say it once, as "horizon": 1')
        return 1 if found is None else found

    def dropout(self) -> float:
        """Say which share was dropped in training; it changes no forecast."""
        found = [value for _, value in self._found(("dropout", "dropout_rate", "dropout_prob"))]
        value = found[0] if found else 0.0
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(
                f"{self._name} has dropout {value!a:.40}, which is no number",
                hint="leave it out: it changes no forecast",
            )
        return float(value)

    def word(self, name: str) -> str | None:
        """Look up a text."""
        value = self._values.get(name, self._beside.get(name))
        return value if isinstance(value, str) else None

    def notes(self) -> Iterator[str]:
        """Say what may not be meant as it is taken."""
        for name, value in self._found(_COLUMN):
            if isinstance(value, str) and value.strip().lower() not in _CLOSE:
                yield f"{self._name} has {name} {value[:40]!a}; the network is given the close"

    def require_shape(self, weights: Mapping[str, torch.Tensor], file: str) -> None:
        """Refuse settings that are of another network than the weights.

        Args:
            weights: Named as in `StockLSTM`.
            file: Name of their file.
        """
        for names, right in (
            (_HIDDEN, weights["lstm.weight_hh_l0"].shape[1]),
            (_LAYERS, sum("weight_ih" in name for name in weights)),
            (_INPUTS, weights["lstm.weight_ih_l0"].shape[1]),
            (_OUTPUTS, weights["head.weight"].shape[0]),
        ):
            for name, value in self._found(names):
                if isinstance(value, int | float) and value != right:
                    raise ConfigError(
                        f"{self._name} says {name} {value:g} and {file} has {right}: they are of "
                        "two models",
                        hint=f'take those of one training, or write "{name}": {right} there',
                    )

    def _whole(self, names: Sequence[str], hint: str) -> int | None:
        """Look up a whole number that must be the same under all its names; None without any."""
        found = self._found(names)
        if not found:
            return None
        name, value = found[0]
        if any(other != value for _, other in found):
            both = " and ".join(f"{each} {other!a:.20}" for each, other in found[:2])
            raise ConfigError(f"{self._name} says both {both}", hint=hint)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigError(
                f"{name} in {self._name} must be a whole number, not {value!a:.40}", hint=hint
            )
        return value

    def _found(self, names: Sequence[str]) -> list[tuple[str, Any]]:
        """List what stands under some names, here or in a dictionary within."""
        return _within(self._values, names) or _within(self._beside, names)


def _within(values: Mapping[str, Any], names: Sequence[str]) -> list[tuple[str, Any]]:
    inner = [part for part in values.values() if isinstance(part, dict)]
    return [
        (str(name), value)
        for part in (values, *inner)
        for name, value in part.items()
        if str(name).lower() in names
    ]


def read_settings(
    name: str | None, content: bytes | None, beside: Mapping[str, Any]
) -> ClassicSettings:
    """Read a file of settings.

    Args:
        name: Of the file; None if there is none.
        content: Of the file.
        beside: Settings that lie beside the weights in a checkpoint.

    Raises:
        ArtifactCorruptError: It is damaged, or asks for more than plain values.
    """
    if name is None or content is None:
        where = "what lies beside the weights" if beside else "what was given"
        return ClassicSettings(where, beside)
    found = _json(name, content) if name.lower().endswith(".json") else _pickle(name, content)
    if not isinstance(found, dict) or CLASS in found:
        kind = "a scaler" if isinstance(found, dict) else type(found).__name__
        raise ArtifactCorruptError(
            f"{name} holds no dictionary of settings, but {kind}",
            hint=f"write one: {_REWRITE}",
        )
    return ClassicSettings(name, found, beside)


def _json(name: str, content: bytes) -> object:
    try:
        # Of more than so many bytes the end is missing.
        return json.loads(content[:MOST_PICKLE_BYTES])
    except (ValueError, RecursionError) as error:
        raise ArtifactCorruptError(
            f"{name} is no JSON: {error}", hint=f"write {_REWRITE}"
        ) from error


def _pickle(name: str, content: bytes) -> object:
    try:
        return read_plain(content)
    except ForeignNameError as error:
        raise ArtifactCorruptError(
            f"{name} holds more than plain values: it asks for {error.name}, and nothing of other "
            "people's programs is run",
            hint=f'write a dictionary: joblib.dump(vars(config), "config.pkl"), or just {_REWRITE}',
        ) from error
    except ValueError as error:
        raise ArtifactCorruptError(
            f"{name} cannot be read: {error}", hint=f"write {_REWRITE}"
        ) from error
