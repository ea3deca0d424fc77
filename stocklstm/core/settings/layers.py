"""Settings in layers: a preset, a file, the environment, the command line; the last one counts.

What a setting is stands in its row in `config`; here is how it is named, typed and merged.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import Field, asdict, dataclass, field, fields, replace
from datetime import date, datetime
from difflib import get_close_matches
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from stocklstm.core.settings.config import PRESETS, Limits, TrainingConfig
from stocklstm.errors import ConfigError

OFF = "none"
"""Switches a setting off that can be off."""

PREFIX = "STOCKLSTM_"
"""Begins the name of every environment variable of the program."""


def option_name(name: str) -> str:
    """Name a setting on the command line, such as --learning-rate."""
    return f"--{name.replace('_', '-')}"


def variable_name(name: str) -> str:
    """Name a setting in the environment, such as STOCKLSTM_LEARNING_RATE."""
    return f"{PREFIX}{name.upper()}"


@dataclass(frozen=True)
class Setting:
    """The row of a setting, with its type as it is read from text.

    Attributes:
        name: As in a file, such as learning_rate.
        kind: int, float, str, bool, or tuple for several words.
        optional: True if it can be switched off.
        limits: None if all values of its type are allowed.
        words: What it is.
        note: More about it, in whole sentences; may be empty.
        group: Heading above it in `--help`.
        number: What stands for its value there, unless that is made of words.
    """

    name: str
    kind: type
    optional: bool
    limits: Limits | None
    words: str
    note: str
    group: str
    number: str

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that its value may be made of; none for a number."""
        if self.kind is bool:
            return ("true", "false")
        return () if self.limits is None else self.limits.choices

    @property
    def metavar(self) -> str:
        """What stands for its value in `--help`."""
        if self.kind is bool:
            return "|".join(self.choices)
        word = self.number or self.name.upper()
        return f"{word.removesuffix('S')},..." if self.kind is tuple else word

    @property
    def help_text(self) -> str:
        """The words as `--help` shows them, without the defaults."""
        return f"{self.words[0].upper()}{self.words[1:]}."

    @property
    def defaults(self) -> str:
        """The value of the first preset, and those of the others that have another one."""
        first, *others = PRESETS.values()
        value = getattr(first, self.name)
        different = [
            f"{preset.preset} {format_value(another)}"
            for preset in others
            if (another := getattr(preset, self.name)) != value
        ]
        return "; ".join([format_value(value), *different])

    @property
    def description(self) -> str:
        """Words and note, as the API's OpenAPI has them."""
        return f"{self.help_text} {self.note}".rstrip()

    @property
    def option(self) -> str:
        """Its name on the command line."""
        return option_name(self.name)

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return variable_name(self.name)

    def parse(self, text: str, origin: str) -> Any:  # noqa: ANN401 - of the setting's kind
        """Read a value that was typed, such as "0.001", "none" or "true".

        Raises:
            ConfigError: It is no value of this kind; the message names its origin.
        """
        word = text.strip().casefold()
        if self.optional and word == OFF:
            return None
        try:
            if self.kind is bool:
                return {"true": True, "1": True, "false": False, "0": False}[word]
            if self.kind is tuple:
                return tuple(part.strip() for part in word.split(",") if part.strip())
            return word if word in self.choices else self.kind(text.strip())
        except (ValueError, KeyError) as error:
            raise self._wrong_kind(text, origin) from error

    def check(self, value: object, origin: str) -> Any:  # noqa: ANN401 - of the setting's kind
        """Read a value that has a type already, as in a TOML file.

        Raises:
            ConfigError: It is of another type; the message names its origin.
        """
        if self.optional and value == OFF:
            return None
        if self.kind is float and type(value) is int:
            return float(value)
        if self.kind is str and type(value) in {int, date, datetime}:
            # precision = 32 and start = 2018-01-01 are words that look like something else.
            return str(value)
        if isinstance(value, str) and self.kind in {str, tuple}:
            return self.parse(value, origin)
        if self.kind is tuple and isinstance(value, list) and all(type(v) is str for v in value):
            return self.parse(",".join(value), origin)
        if type(value) is not self.kind:
            raise self._wrong_kind(value, origin)
        return value

    def _wrong_kind(self, value: object, origin: str) -> ConfigError:
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


def format_value(value: object) -> str:
    """Write the value of a setting as it may be typed again."""
    if isinstance(value, tuple):
        return ",".join(value)
    return OFF if value is None else str(value).lower()


def training_options(config: TrainingConfig, always: Collection[str] = ()) -> str:
    """Write the options of `train` that give these settings: the preset, and what differs from it.

    Args:
        always: Settings that are written even if the preset has the same.
    """
    preset = config.preset if config.preset in PRESETS else next(iter(PRESETS))
    usual = asdict(PRESETS[preset])
    options = [
        f"{SETTINGS[name].option} {format_value(value)}"
        for name, value in asdict(config).items()
        if name in SETTINGS and (name in always or value != usual[name])
    ]
    return " ".join([f"--preset {preset}", *options])


def _setting(row: Field[Any], hint: Any) -> Setting:  # noqa: ANN401 - a type or a union of types
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
    kind = tuple if get_origin(hint) is tuple else kinds[0]
    limits, words, note, group, number = row.metadata.values()
    return Setting(row.name, kind, NoneType in get_args(hint), limits, words, note, group, number)


_HINTS = get_type_hints(TrainingConfig)
SETTINGS: Mapping[str, Setting] = {
    row.name: _setting(row, _HINTS[row.name])
    for row in fields(TrainingConfig)
    if row.name != "preset"
}
"""Every setting but the preset, in the order of `TrainingConfig`."""


@dataclass(frozen=True)
class Layer:
    """Settings from one place, such as a file.

    Attributes:
        values: By name; a preset may be among them.
        origins: Where each stands, in words.
    """

    values: Mapping[str, Any]
    origins: Mapping[str, str]


@dataclass(frozen=True)
class EffectiveSettings:
    """Settings after all layers are merged.

    Attributes:
        config: All settings.
        origins: Where each came from, by name, the preset's too.
    """

    config: TrainingConfig
    origins: Mapping[str, str] = field(repr=False)


def check_name(name: str, origin: str) -> None:
    """Refuse a name that no setting has, and suggest the nearest one.

    Raises:
        ConfigError: There is no such setting.
    """
    if name != "preset" and name not in SETTINGS:
        near = get_close_matches(name, [*SETTINGS, "preset"], 1)
        raise ConfigError(
            f"there is no setting {name!a} ({origin})",
            hint=f"did you mean {near[0]}?" if near else "stocklstm config show lists them all",
        )


def merge(
    layers: Sequence[Layer], base: TrainingConfig | None = None, named: str = ""
) -> EffectiveSettings:
    """Merge layers; of two that give a setting the later one counts.

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
    preset = values.pop("preset", "calibrated").strip().casefold()
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
    return EffectiveSettings(config, {name: origins.get(name, named) for name in asdict(config)})
