"""How a person names a model version: PETR4.SA, PETR4.SA@v3, PETR4.SA@previous."""

import re
from dataclasses import dataclass

from stocklstm.core.series import parse_ticker
from stocklstm.errors import ConfigError

CHAMPION = "champion"
PREVIOUS = "previous"

# What looks like a number but is none, such as v0 or v01, is no alias either.
_ALIAS = re.compile(r"(?!v[0-9]+\Z)[a-z][a-z0-9_-]{0,31}")
_VERSION = re.compile(r"v([1-9][0-9]{0,8})")


@dataclass(frozen=True)
class ModelReference:
    """A ticker with a version number or an alias.

    Attributes:
        ticker: Checked, upper case.
        version: Number, if one was given.
        alias: Name, if no number was given; "champion" if nothing was.
    """

    ticker: str
    version: int | None = None
    alias: str = CHAMPION

    def __str__(self) -> str:
        """Write it as it is typed."""
        return f"{self.ticker}@{f'v{self.version}' if self.version else self.alias}"


def parse_reference(text: str) -> ModelReference:
    """Read TICKER, TICKER@vN or TICKER@alias.

    Raises:
        ConfigError: The ticker, number or alias has a form that none has.
    """
    ticker, marked, name = text.partition("@")
    if not marked:
        return ModelReference(parse_ticker(ticker))
    if number := _VERSION.fullmatch(name):
        return ModelReference(parse_ticker(ticker), version=int(number[1]))
    if _ALIAS.fullmatch(name):
        return ModelReference(parse_ticker(ticker), alias=name)
    raise ConfigError(
        f"{name[:40]!a} is neither a version nor an alias",
        hint="write TICKER@v3, TICKER@champion or TICKER@previous",
    )


def version_id(ticker: str, version: int) -> str:
    """Write the identity of a version, such as PETR4.SA@v3."""
    return f"{ticker}@v{version}"
