"""config: which settings hold, and where each of them stands."""

import os
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stocklstm.core.language import LANGUAGES, language_of
from stocklstm.core.reference import StoredTicker, parse_reference
from stocklstm.core.settings.layers import (
    PREFIX,
    SETTINGS,
    EffectiveSettings,
    Layer,
    check_name,
    merge,
    option_name,
    variable_name,
)
from stocklstm.errors import ConfigError, NotFoundError
from stocklstm.store.paths import config_file, data_home
from stocklstm.store.store import Store
from stocklstm.store.user_files import read_small_file

# Of a file of settings, and of each of its lines.
_MOST_CHARACTERS, _MOST_DOTS = 1 << 20, 100

LANGUAGE = "lang"
"""Names the language in a file of settings; it is no setting of a training."""

# Variables that are no settings.
OTHER_VARIABLES = {
    "HOME",
    "CACHE",
    "CONFIG",
    "LANG",
    "VERBOSE",
    "SIGNING_KEY",
    "API_TOKEN",
    "PICTURE_FORMAT",
}


@dataclass(frozen=True)
class ShownSetting:
    """One setting as it holds.

    Attributes:
        name: Its name.
        value: Its value; None if it is off.
        origin: Where it came from.
        option: Its name on the command line.
        variable: Its name in the environment.
    """

    name: str
    value: Any
    origin: str
    option: str
    variable: str


@dataclass(frozen=True)
class ShownPath:
    """One place on the disk.

    Attributes:
        name: What lies there.
        path: Where.
        exists: Whether it does.
    """

    name: str
    path: str
    exists: bool


def effective_settings(
    store: Callable[[], Store], flags: Mapping[str, Any], *, file: Path | None, like: str | None
) -> EffectiveSettings:
    """Find out which settings hold; see `Client.effective_settings`.

    Args:
        store: Opens it, which nothing but `like` needs.
    """
    given = Layer(flags, {name: option_name(name) for name in flags})
    layers = [_environment(os.environ), given]
    if file is not None:
        layers.insert(0, _file(file))
    elif like is None and _is_there(config_file()):
        layers.insert(0, _file(config_file()))
    if like is None:
        return merge(layers)
    if "preset" in flags:
        raise ConfigError(
            "--like and --preset exclude each other", hint="a version has its preset already"
        )
    # Whose models stay under an old name, such as PETR4, begins the new one with them.
    reference = parse_reference(StoredTicker(like))
    registry = store().registry
    manifest = registry.trained_from(registry.find(reference))
    layers = [Layer(_without_preset(each.values), each.origins) for each in layers]
    return merge(layers, manifest.config, manifest.id)


def show_settings(effective: EffectiveSettings) -> tuple[ShownSetting, ...]:
    """List settings with their origins."""
    return tuple(
        ShownSetting(name, value, effective.origins[name], option_name(name), variable_name(name))
        for name, value in asdict(effective.config).items()
    )


def show_paths() -> tuple[ShownPath, ...]:
    """List where the program reads and writes."""
    from platformdirs import user_cache_path

    cache = Path(os.environ.get("STOCKLSTM_CACHE") or user_cache_path("stocklstm"))
    places = {"config": config_file(), "store": data_home(), "cache": cache}
    return tuple(ShownPath(name, str(path), _is_there(path)) for name, path in places.items())


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise ConfigError(
            f"cannot check {path}: {error.strerror}",
            hint="set STOCKLSTM_CONFIG, STOCKLSTM_HOME and STOCKLSTM_CACHE to places of your own",
        ) from error


def configured_language() -> str | None:
    """Tell which language the user's own file names; None where it names none, or cannot be read.

    What is wrong with the file the commands say that read settings.
    """
    with suppress(OSError, ValueError, RecursionError):
        named = _decoded(read_small_file(config_file()).decode("utf-8-sig")).get(LANGUAGE)
        return language_of(named) if isinstance(named, str) else None
    return None


def unknown_variables() -> list[str]:
    """Name variables of the environment that look like settings and are none."""
    known = {variable_name(name) for name in [*SETTINGS, "preset"]}
    known |= {f"{PREFIX}{name}" for name in OTHER_VARIABLES}
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)


def _without_preset(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "preset"}


def _environment(variables: Mapping[str, str]) -> Layer:
    values: dict[str, Any] = {}
    for name in ("preset", *SETTINGS):
        variable = variable_name(name)
        text = variables.get(variable)
        if text:
            values[name] = text if name == "preset" else SETTINGS[name].parse(text, variable)
    return Layer(values, {name: variable_name(name) for name in values})


def _decoded(text: str) -> dict[str, Any]:
    """Read TOML, whose parser needs time as the square of the number of parts of a name.

    Raises:
        ValueError: It is none, or names something so deep.
    """
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"it is larger than {_MOST_CHARACTERS:,} characters")
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _MOST_DOTS and not line.lstrip().startswith("#"):
            raise ValueError(f"line {number} has more than {_MOST_DOTS} dots")
    return tomllib.loads(text)


def _file(path: Path) -> Layer:
    try:
        content = _decoded(read_small_file(path).decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise NotFoundError(
            f"there is no file {path}", hint="check the path given with --config"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", hint="check the path given with --config"
        ) from error
    except (ValueError, RecursionError) as error:
        # Not only what TOML has names for: Python refuses an integer of thousands of digits.
        raise ConfigError(
            f"{path} is not TOML: {error}", hint="write it like: learning_rate = 0.001"
        ) from error
    values: dict[str, Any] = {}
    _check_language(content.pop(LANGUAGE, None), path)
    for name, value in content.items():
        check_name(name, str(path))
        if name != "preset":
            values[name] = SETTINGS[name].check(value, str(path))
        elif isinstance(value, str):
            values[name] = value
        else:
            raise ConfigError(
                f"preset must be a word, not {value!r} ({path})", hint='such as: preset = "paper"'
            )
    return Layer(values, {name: str(path) for name in values})


def _check_language(named: object, path: Path) -> None:
    """Refuse a language that is not spoken here: what the user's own file says holds for all."""
    if named is not None and (not isinstance(named, str) or language_of(named) is None):
        raise ConfigError(
            f"{LANGUAGE} must be {' or '.join(LANGUAGES)}, not {named!r} ({path})",
            hint=f'such as: {LANGUAGE} = "{LANGUAGES[-1]}"',
        )
