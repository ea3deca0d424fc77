"""Settings on the command line: an option for every one of them, a preset, a file or a version."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stocklstm.cli.options import in_any_case, parameter, with_parameters
from stocklstm.cli.streams import to_stderr
from stocklstm.core.settings.config import PRESETS
from stocklstm.core.settings.layers import SETTINGS, EffectiveSettings
from stocklstm.errors import ConfigError

if TYPE_CHECKING:
    from stocklstm.client import Client

Preset = Annotated[
    str | None,
    typer.Option(
        metavar="PRESET",
        help=f"Settings to start from: {', '.join(PRESETS)}; calibrated if not given.",
        show_default=False,
    ),
]

Promote = Annotated[
    str,
    typer.Option(
        metavar="auto|always|never",
        parser=in_any_case,
        help="Make it champion: auto (the champion's settings on other prices unless significantly "
        "worse, other settings only if better), always, never.",
    ),
]


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for every setting, as words: `Setting.parse` reads them.

    Args:
        command: Takes them as keyword arguments.
    """
    rows = [
        parameter(
            name,
            str | None,
            f"{setting.help_text}  [{setting.defaults}]",
            metavar=setting.metavar,
            panel=setting.group,
        )
        for name, setting in SETTINGS.items()
    ]
    return with_parameters(command, rows)


@dataclass(frozen=True)
class Given:
    """Where the settings of a command are to be found.

    Attributes:
        preset: The option `--preset`.
        settings: The options of `with_settings`.
        file: The option `--config`.
        like: The option `--like`.
    """

    preset: str | None
    settings: Mapping[str, str | None]
    file: Path | None
    like: str | None

    def effective(self, client: "Client") -> EffectiveSettings:
        """Put them together; warn of variables that are no settings.

        Raises:
            ConfigError: One is no value of its kind, or they do not fit each other.
        """
        from stocklstm.workflows.settings import unknown_variables

        for name in unknown_variables():
            to_stderr(f"warning: {name} is no setting; stocklstm config show lists them")
        return client.effective_settings(self._flags(), file=self.file, like=self.like)

    @property
    def is_empty(self) -> bool:
        """True if the command line gives no settings."""
        return not (self._flags() or self.file or self.like)

    def require_none(self, work: str, command: str) -> None:
        """Refuse settings for work that has its own.

        Args:
            work: Such as "run".
            command: Goes on with it.

        Raises:
            ConfigError: Some were given.
        """
        if not self.is_empty:
            raise ConfigError(f"a {work} that is resumed keeps its settings", hint=command)

    def _flags(self) -> dict[str, Any]:
        given = {
            name: SETTINGS[name].parse(text, SETTINGS[name].option)
            for name, text in self.settings.items()
            if text is not None
        }
        return given if self.preset is None else {"preset": self.preset, **given}
