"""Settings in layers: a preset, a file, the environment, the command line; the last one counts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from stocklstm.core.settings.config import PRESETS, TrainingConfig
from stocklstm.errors import ConfigError

OFF = "none"
"""How a setting that can be switched off is switched off."""

PREFIX = "STOCKLSTM_"
"""What the name of every variable of the program begins with."""

_WORDS = {
    "target": "what is learnt: return or price",
    "features": "what is seen of each session: return, volatility, close, volume, range, gap",
    "scale_low": "lower end of the price scale",
    "scale_high": "upper end of the price scale",
    "seq_length": "sessions in a window",
    "horizon": "sessions ahead",
    "hidden_size": "units of each LSTM layer",
    "num_layers": "LSTM layers",
    "dropout": "share of activations dropped",
    "loss": "pinball (returns), mse, mae or huber (prices)",
    "optimizer": "adam, adamw, sgd or rmsprop",
    "weight_decay": "pull of the weights towards zero",
    "momentum": "of sgd and rmsprop",
    "schedule": "of the step size: constant, plateau, cosine, exponential or warmup-cosine",
    "learning_rate": "step size",
    "lr_factor": "plateau: what the step size is multiplied by",
    "lr_patience": "plateau: epochs without improvement before that",
    "lr_gamma": "exponential: what it is multiplied by each epoch",
    "min_lr": "smallest step size of plateau, cosine and warmup-cosine",
    "warmup_epochs": "warmup-cosine: epochs until the whole step size",
    "batch_size": "windows in a step",
    "clip_norm": "largest norm of the gradient, or none",
    "ema_decay": "weight of the past in the average of the weights, or none",
    "epochs": "most passes over the training windows",
    "patience": "epochs without improvement before stopping early, or none",
    "min_delta": "what counts as an improvement, in the unit of the loss",
    "restore_best": "keep the weights of the best epoch, not of the last",
    "checkpoint_every": "epochs between published checkpoints, or none",
    "top_k": "published checkpoints of the best epochs",
    "validation_fraction": "share of rows to compare epochs on",
    "calibration_fraction": "share of rows to measure residuals on",
    "test_fraction": "share of rows, the latest, that no choice may look at",
    "seed": "of weights, dropout and data order",
    "threads": "threads that PyTorch may use",
    "device": "where to train: cpu, cuda, mps or auto",
    "precision": "32, bf16-mixed or 16-mixed (GPU only)",
}


def option_name(name: str) -> str:
    """Say what a setting, or the preset, is called on the command line.

    Args:
        name: As in a file, such as learning_rate.
    """
    return f"--{name.replace('_', '-')}"


def variable_name(name: str) -> str:
    """Say what a setting, or the preset, is called in the environment.

    Args:
        name: As in a file, such as learning_rate.
    """
    return f"{PREFIX}{name.upper()}"


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: As in a file, such as learning_rate.
        kind: int, float, str, bool, or tuple for several words.
        optional: True if it can be switched off.
        words: What it is.
    """

    name: str
    kind: type
    optional: bool
    words: str

    @property
    def option(self) -> str:
        """Its name on the command line."""
        return option_name(self.name)

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return variable_name(self.name)

    def parse(self, text: str, origin: str) -> Any:  # noqa: ANN401 - of the setting's kind
        """Read a value that was typed.

        Args:
            text: Such as "0.001", "none" or "true".
            origin: Where it was typed, for messages.

        Raises:
            ConfigError: It is no value of this kind.
        """
        word = text.strip().casefold()
        if self.optional and word == OFF:
            return None
        try:
            if self.kind is bool:
                return {"true": True, "1": True, "false": False, "0": False}[word]
            if self.kind is tuple:
                return tuple(part.strip() for part in word.split(",") if part.strip())
            return self.kind(text.strip())
        except (ValueError, KeyError) as error:
            raise self._unfit(text, origin) from error

    def check(self, value: object, origin: str) -> Any:  # noqa: ANN401 - of the setting's kind
        """Take a value that has a type already, as in a TOML file.

        Args:
            value: The value; the word "none" switches off.
            origin: Where it stands, for messages.

        Raises:
            ConfigError: It is of another type.
        """
        if self.optional and value == OFF:
            return None
        if self.kind is float and type(value) is int:
            return float(value)
        if self.kind is str and type(value) is int:
            # precision = 32 is a word that looks like a number.
            return str(value)
        if self.kind is tuple and isinstance(value, str):
            return self.parse(value, origin)
        if self.kind is tuple and isinstance(value, list) and all(type(v) is str for v in value):
            return self.parse(",".join(value), origin)
        if type(value) is not self.kind:
            raise self._unfit(value, origin)
        return value

    def _unfit(self, value: object, origin: str) -> ConfigError:
        kinds = {
            int: "a whole number",
            float: "a number",
            str: "a word",
            bool: "true or false",
            tuple: "a list of words",
        }
        off = f" or {OFF}" if self.optional else ""
        return ConfigError(
            f"{self.name} must be {kinds[self.kind]}{off}, not {value!r} ({origin})",
            hint=f"correct it, or leave {self.name} out",
        )


def written(value: object) -> str:
    """Write a value as it may be typed again.

    Args:
        value: Of a setting.
    """
    if isinstance(value, tuple):
        return ",".join(value)
    return OFF if value is None else str(value).lower()


def _setting(name: str, hint: Any) -> Setting:  # noqa: ANN401 - a type or a union of types
    if get_origin(hint) is tuple:
        return Setting(name, tuple, optional=False, words=_WORDS[name])
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
    return Setting(name, kinds[0], NoneType in get_args(hint), _WORDS[name])


_HINTS = get_type_hints(TrainingConfig)
SETTINGS: Mapping[str, Setting] = {
    field.name: _setting(field.name, _HINTS[field.name])
    for field in fields(TrainingConfig)
    if field.name != "preset"
}
"""Every setting but the preset, in the order of `TrainingConfig`."""


@dataclass(frozen=True)
class Layer:
    """Settings from one place.

    Attributes:
        values: By name; a preset may be among them.
        origins: Where each stands, in words.
    """

    values: Mapping[str, Any]
    origins: Mapping[str, str]


@dataclass(frozen=True)
class Effective:
    """What holds in the end.

    Attributes:
        config: All settings.
        origins: Where each came from, by name, the preset's too.
    """

    config: TrainingConfig
    origins: Mapping[str, str]


def known_name(name: str, origin: str) -> str:
    """Check the name of a setting.

    Args:
        name: As it stands somewhere.
        origin: Where, for messages.

    Raises:
        ConfigError: There is no such setting.
    """
    if name != "preset" and name not in SETTINGS:
        near = get_close_matches(name, [*SETTINGS, "preset"], 1)
        raise ConfigError(
            f"there is no setting {name!a} ({origin})",
            hint=f"did you mean {near[0]}?" if near else "stocklstm config show lists them all",
        )
    return name


def lay(layers: Sequence[Layer], base: TrainingConfig | None = None, named: str = "") -> Effective:
    """Put layers over each other.

    Args:
        layers: The weakest first.
        base: Settings below all layers; None to start from the preset that the layers name.
        named: What to call the base.

    Raises:
        ConfigError: No such preset, or settings that do not fit each other.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for layer in layers:
        values.update(layer.values)
        origins.update(layer.origins)
    preset = values.pop("preset", "calibrated")
    if base is None:
        if preset not in PRESETS:
            raise ConfigError(
                f"there is no preset {preset!r}", hint=f"the presets are {', '.join(PRESETS)}"
            )
        base, named = PRESETS[preset], f"preset {preset}"
        origins.setdefault("preset", "default")
    else:
        origins["preset"] = named
    config = replace(base, **values)
    return Effective(config, {name: origins.get(name, named) for name in asdict(config)})
