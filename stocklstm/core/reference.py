"""How models and tickers are named: PETR4.SA, PETR4.SA@v3, PETR4.SA@previous, +b3@v1.

Free of NumPy: the command line reads names before it needs it.
"""

import re

from stocklstm.core.records import dataclass
from stocklstm.core.symbols import doubt, several
from stocklstm.errors import ConfigError

CHAMPION = "champion"
PREVIOUS = "previous"

AUTO = "auto"
"""Leaves a choice to the program: the latest unfinished run or study, the usual calendar."""

POOL_MARK = "+"
"""Begins the name of a pooled model wherever a ticker could stand; no ticker begins so."""

# Yahoo's alphabet: PETR4.SA, ^BVSP, BRK-B, EURUSD=X, 0700.HK, M&M.NS. No path separator, no
# leading dot.
_TICKER = re.compile(r"\^?[A-Z0-9][A-Z0-9.=&_-]{0,18}[A-Z0-9]|\^?[A-Z0-9]")
_POOL_NAME = re.compile(r"[a-z][a-z0-9_-]{0,19}")
# What looks like a number but is none, such as v0 or v01, is no alias either.
_ALIAS = re.compile(r"(?!v[0-9]+\Z)[a-z][a-z0-9_-]{0,31}")
_VERSION = re.compile(r"v([1-9][0-9]{0,8})")

# Beyond this it is no list that somebody typed.
_LONGEST_LIST = 10_000


@dataclass(frozen=True)
class ModelReference:
    """A ticker with a version number or an alias.

    Attributes:
        ticker: Checked, upper case; or the name of a pooled model, with its mark.
        version: Number, if one was given.
        alias: Name, if no number was given; "champion" if nothing was.
    """

    ticker: str
    version: int | None = None
    alias: str = CHAMPION

    def __str__(self) -> str:
        """Write it as it is typed."""
        return f"{self.ticker}@{f'v{self.version}' if self.version else self.alias}"


class StoredTicker(str):
    """A ticker, or the name of a pooled model, that the store knows already.

    Nobody typed it, so it is not questioned: stores of old may hold prices under names that are
    refused by now.
    """

    __slots__ = ()


def parse_ticker(text: str) -> str:
    """Check a ticker before it becomes a key or a directory name; return it in upper case.

    Letter case and surrounding blanks do not matter.

    Raises:
        ConfigError: It holds characters that no exchange uses, or is too long; or Yahoo certainly
            writes what is meant in another way, as PETR4.SA for PETR4.
    """
    ticker = parse_key(text)
    if not isinstance(text, StoredTicker) and (doubtful := doubt(ticker)):
        raise ConfigError(doubtful.what, hint=doubtful.instead)
    return ticker


def parse_key(text: str) -> str:
    """Check the form of a ticker alone, as for what is stored already; return it in upper case.

    Raises:
        ConfigError: It holds characters that no exchange uses, or is too long.
    """
    typed = text.strip()
    if _is_ticker(typed):
        return typed.upper()
    _require_one(text)
    shown = ascii(text if len(text) <= 40 else text[:37] + "...")
    raise ConfigError(
        f"{shown} is not a ticker: up to 21 letters, digits, . - = & or _, perhaps after a ^",
        hint="write it as Yahoo does, such as PETR4.SA, AAPL, BRK-B, ^BVSP, BTC-USD or EURUSD=X",
    )


def _is_ticker(typed: str) -> bool:
    # Upper case turns some foreign letters, such as the long s, into ASCII ones.
    return typed.isascii() and bool(_TICKER.fullmatch(typed.upper())) and ".." not in typed


def _require_one(text: str) -> None:
    """Refuse several names in the place of one."""
    names = several(text) if len(text) <= _LONGEST_LIST else []
    if names and all(_is_ticker(name.partition("@")[0]) for name in names):
        listed = " ".join(f"--ticker {_as_yahoo(name)}" for name in names[:3])
        more = " …" if len(names) > 3 else ""
        raise ConfigError(
            f"{text.strip()[:60]!a} is not a ticker but {len(names)} of them: give each by itself",
            hint=f"{listed}{more}",
        )


def _as_yahoo(name: str) -> str:
    doubtful = doubt(name.upper())
    return doubtful.right if doubtful and doubtful.right else name


def is_pool(name: str) -> bool:
    """Tell a pooled model's name from a ticker."""
    return name.startswith(POOL_MARK)


def parse_pool(text: str) -> str:
    """Check the name of a pooled model before it becomes a key or a directory name.

    Letter case and whether the mark is typed do not matter; it is returned in lower case with
    the mark.

    Raises:
        ConfigError: It has a form that none has.
    """
    typed = text.strip()
    name = typed.removeprefix(POOL_MARK).lower()
    # Lower case turns some foreign letters, such as the Kelvin sign, into ASCII ones.
    if not typed.isascii() or not _POOL_NAME.fullmatch(name):
        raise ConfigError(
            f"{text[:40]!a} cannot be the name of a pooled model",
            hint="up to 20 of a to z, 0 to 9, - and _, beginning with a letter, such as b3",
        )
    return POOL_MARK + name


def parse_owner(text: str) -> str:
    """Read a ticker, or the name of a pooled model with its mark.

    Raises:
        ConfigError: It has a form that none has.
    """
    return parse_pool(text) if is_pool(text.strip()) else parse_ticker(text)


def parse_owner_key(text: str) -> str:
    """Read what `parse_owner` reads, and check its form alone, as for what is stored already.

    Raises:
        ConfigError: It has a form that none has.
    """
    return parse_pool(text) if is_pool(text.strip()) else parse_key(text)


def is_owner_key(name: str) -> bool:
    """Tell whether a name, as of a directory, is that of a ticker or pooled model as stored."""
    try:
        return parse_owner_key(name) == name
    except ConfigError:
        return False


def parse_reference(text: str) -> ModelReference:
    """Read TICKER, TICKER@vN or TICKER@alias; in the place of TICKER also +NAME.

    Who names a version means one that exists, so its ticker is not questioned.

    Raises:
        ConfigError: The ticker, number or alias has a form that none has.
    """
    ticker, marked, name = text.partition("@")
    if not marked:
        return ModelReference(parse_owner(text))
    if number := _VERSION.fullmatch(name):
        return ModelReference(parse_owner_key(ticker), version=int(number[1]))
    if _ALIAS.fullmatch(name):
        return ModelReference(parse_owner_key(ticker), alias=name)
    _require_one(text)
    raise ConfigError(
        f"{name[:40]!a} is neither a version nor an alias",
        hint="write TICKER@v3, TICKER@champion or TICKER@previous",
    )


def parse_exact(text: str) -> ModelReference:
    """Read TICKER@vN and nothing else, for what cannot be undone.

    Raises:
        ConfigError: It names no version number.
    """
    reference = parse_reference(text)
    if reference.version is None:
        raise ConfigError(
            f"{text.strip()[:60]!a} may mean another version tomorrow; name one by its number",
            hint=f"stocklstm models list --ticker {reference.ticker}, then TICKER@v3",
        )
    return reference


def parse_alias(name: str) -> str:
    """Read the name of an alias that a person may set.

    Raises:
        ConfigError: It is "previous", which only follows the champion, or no name at all.
    """
    if name == PREVIOUS:
        raise ConfigError(
            f"{PREVIOUS} is what {CHAMPION} meant before, and cannot be set by hand",
            hint="stocklstm models rollback TICKER swaps the two",
        )
    if not _ALIAS.fullmatch(name):
        raise ConfigError(
            f"{name[:40]!a} cannot be the name of an alias",
            hint="up to 32 of a to z, 0 to 9, - and _, beginning with a letter, such as live",
        )
    return name


def parse_pool_reference(text: str) -> ModelReference:
    """Read NAME, NAME@vN or NAME@alias of a pooled model, with or without its mark.

    Raises:
        ConfigError: The name, number or alias has a form that none has.
    """
    name, marked, rest = text.partition("@")
    return parse_reference(f"{parse_pool(name)}{marked}{rest}")


def version_id(ticker: str, version: int) -> str:
    """Write the identity of a version, such as PETR4.SA@v3."""
    return f"{ticker}@v{version}"
