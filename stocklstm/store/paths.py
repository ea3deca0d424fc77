"""Paths of everything in the store."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from stocklstm.errors import ConfigError

_VERSION = re.compile(r"v([1-9][0-9]{0,8})")

# What Windows takes for a device, whatever stands behind the first dot: CON.DE is Continental.
_DEVICE = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9]) *(\..*)?", re.IGNORECASE | re.DOTALL)

# No ticker, pool or run begins so.
_MARK = "_"


def file_name(key: str) -> str:
    """Make a name for a file, on any system, of what is named after a ticker."""
    return f"{_MARK}{key}" if _DEVICE.fullmatch(key) else key


def key_of(name: str) -> str:
    """Give back what `file_name` has made a name of."""
    key = name.removeprefix(_MARK)
    return key if file_name(key) == name else name


def data_home() -> Path:
    """Find the store: `STOCKLSTM_HOME`, else the user data directory of this system."""
    chosen = os.environ.get("STOCKLSTM_HOME")
    if chosen:
        try:
            return expanded(chosen).absolute()
        except ConfigError as error:
            raise ConfigError(
                f"STOCKLSTM_HOME is {chosen!a}, but there is no such home directory",
                hint="set STOCKLSTM_HOME to a directory that you may write",
            ) from error
    import platformdirs

    try:
        return platformdirs.user_data_path("stocklstm", appauthor=False)
    except RuntimeError as error:
        raise ConfigError(
            "this user has no home directory, in which the store would be",
            hint="set STOCKLSTM_HOME to a directory that you may write",
        ) from error


def config_file() -> Path:
    """Say where the user's own settings lie: `STOCKLSTM_CONFIG`, or the user's configuration."""
    chosen = os.environ.get("STOCKLSTM_CONFIG")
    if chosen:
        return Path(chosen)
    from platformdirs import user_config_path

    return user_config_path("stocklstm", appauthor=False) / "config.toml"


def expanded(path: Path | str) -> Path:
    """Put the home directory of a user in the place of a tilde.

    Raises:
        ConfigError: There is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"there is no home directory for {str(path)[:60]!a}",
            hint="name the directory by its whole path",
        ) from error


class StorePaths:
    """The layout below one home directory."""

    def __init__(self, home: Path) -> None:
        self.home = home

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.home / "stocklstm.db"

    @property
    def models(self) -> Path:
        """Published versions, one directory a ticker or pooled model."""
        return self.home / "models"

    def ticker(self, ticker: str) -> Path:
        """All versions of one ticker."""
        return _place(self.models, ticker)

    def version(self, ticker: str, version: int) -> Path:
        """One published version."""
        if file_name(ticker) != ticker:
            return self.ticker(ticker) / f"v{version}"
        return Path(self.home, "models", ticker, f"v{version}")  # half the time of three joins

    def reports_of(self, ticker: str) -> Path:
        """Pictures drawn of a ticker's versions and searches; may be deleted at any time."""
        return _place(self.home / "reports", ticker)

    def reports(self, ticker: str, version: int) -> Path:
        """Pictures and measurements of a published version; may be deleted."""
        return self.reports_of(ticker) / f"v{version}"

    def walk_forward(self, ticker: str, version: int) -> Path:
        """The latest walk-forward evaluation of a version; may be deleted at any time."""
        return self.reports(ticker, version) / "walk_forward.json"

    def tuning_report(self, ticker: str, study: str) -> Path:
        """The picture of a search; may be deleted at any time."""
        return self.reports_of(ticker) / f"tune-{study}.png"

    @property
    def runs(self) -> Path:
        """Unfinished training, one directory a run."""
        return self.home / "runs"

    def run(self, name: str) -> Path:
        """One unfinished run."""
        return _place(self.runs, name)

    @property
    def locks(self) -> Path:
        """The lock files of writers."""
        return self.home / "locks"

    def lock(self, name: str) -> Path:
        """The lock file of one ticker's writers."""
        return _place(self.locks, f"{name}.lock")


def _place(directory: Path, key: str) -> Path:
    """Find what is named after a key, also where a program before 0.2 has made it."""
    name = file_name(key)
    if name != key:
        # Asked for by its name, Windows would give the device.
        with suppress(OSError), os.scandir(directory) as entries:
            if any(entry.name == key for entry in entries):
                name = key
    return directory / name


def version_number(name: str) -> int | None:
    """Read the number of a version's directory; None if the name is that of something else."""
    match = _VERSION.fullmatch(name)
    return int(match[1]) if match else None


def versions_on_disk(paths: StorePaths, owner: str) -> list[int]:
    """List the numbers that a ticker's or pooled model's directory holds, whatever lies there."""
    found = (version_number(path.name) for path in _entries(paths.ticker(owner)))
    return sorted(number for number in found if number)


def owners_on_disk(paths: StorePaths) -> Iterator[str]:
    """Name the directories in which a version lies; not each need be that of a ticker."""
    for owner in _entries(paths.models):
        if any(version_number(path.name) and _is_own(path) for path in _entries(owner)):
            yield key_of(owner.name)


def _entries(directory: Path) -> Iterator[Path]:
    return directory.iterdir() if _is_own(directory) else iter(())


def _is_own(directory: Path) -> bool:
    """Tell whether there is a directory, and not a symbolic link, which may lead elsewhere."""
    return directory.is_dir() and not directory.is_symlink()
