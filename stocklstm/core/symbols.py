"""Names that people give to securities, where Yahoo writes them otherwise.

Free of NumPy: the command line reads names before it needs it.
"""

import re
from typing import NamedTuple

# The first four of a code of B3: PETR, B3SA, A1MD, 5GTK; two letters at least, unlike in Asia.
_ROOT = r"(?P<root>(?!\d{3}|\d\d\w\d|\d\w\d\d|\w\d{3})[A-Z0-9]{4})"

# Rights (1, 2, 12), receipts of funds (13 to 15), shares (3 to 8), units and funds (11), BDRs.
_NUMBER = r"(?P<number>[1-8]|1[1-5]|3[1-9])"

_B3_SHARE = re.compile(f"{_ROOT}{_NUMBER}B?")
_B3_ODD_LOT = re.compile(f"(?P<share>{_ROOT}{_NUMBER})F")
_B3_FORWARD = re.compile(f"(?P<share>{_ROOT}{_NUMBER})T")
# The letter is the month: calls A to L, puts M to X; W1 to W5 are weekly ones, E European.
_B3_OPTION = re.compile(f"{_ROOT}[A-X][0-9]{{1,4}}(W[1-5])?E?")

# Yahoo has exchanges of one letter: London, Frankfurt, Tokyo, Toronto's venture exchange.
_CLASS = re.compile(r"(?P<share>[A-Z]{1,5})\.(?P<share_class>[A-EG-KMP-SUW-Z])")
_CANADIAN_CLASS = re.compile(
    r"(?P<share>[A-Z]{1,5})\.(?P<share_class>A|B|C|UN|U)\.(?P<exchange>TO|V|NE|CN)"
)
_PREFERRED = re.compile(r"(?P<share>[A-Z]{1,5})\.PR(?P<share_class>[A-Z])")
_REUTERS_AMERICAN = re.compile(r"(?P<share>[A-Z]{1,5})\.[NO]")

_SEPARATED = re.compile(r"[,;\s]+")


class Doubt(NamedTuple):
    """A name that has the form of a ticker and is not one of Yahoo.

    Attributes:
        what: What it is, one line.
        instead: What to take, one line.
        right: How Yahoo writes it; "" if it has no such thing.
    """

    what: str
    instead: str
    right: str = ""


def doubt(ticker: str) -> Doubt | None:
    """Tell what is wrong with a ticker in upper case; None if nothing is to be seen."""
    return _b3_share(ticker) or b3_market(ticker) or _american(ticker)


def as_yahoo_writes(ticker: str) -> str:
    """Give Yahoo's spelling of a ticker in upper case: another one for the same security."""
    found = _b3_share(ticker) or _american(ticker)
    return found.right if found else ticker


def b3_market(code: str) -> Doubt | None:
    """Tell what a code of B3 is, without a suffix, that is no share of the cash market."""
    for form, words in ((_B3_ODD_LOT, "in odd lots"), (_B3_FORWARD, "as a forward contract")):
        if found := form.fullmatch(code):
            share = found["share"]
            return Doubt(
                f"{code} is {share} {words} on B3: did you mean {share}.SA?",
                f"take {share}.SA, the share itself",
                f"{share}.SA",
            )
    if found := _B3_OPTION.fullmatch(code):
        root = found["root"]
        return Doubt(
            f"{code} is an option of B3, which expires before there is much to learn from",
            f"take the share it is on, such as {root}4.SA, {root}3.SA or {root}11.SA",
        )
    return None


def _b3_share(ticker: str) -> Doubt | None:
    if not _B3_SHARE.fullmatch(ticker):
        return None
    right = f"{ticker}.SA"
    return _written(ticker, right, f"{ticker} is a code of B3: did you mean {right}?")


def _american(ticker: str) -> Doubt | None:
    if found := _CLASS.fullmatch(ticker):
        # Units end in -UN there.
        ending = "UN" if found["share_class"] == "U" else found["share_class"]
        right = f"{found['share']}-{ending}"
    elif found := _CANADIAN_CLASS.fullmatch(ticker):
        right = f"{found['share']}-{found['share_class']}.{found['exchange']}"
    elif found := _PREFERRED.fullmatch(ticker):
        right = f"{found['share']}-P{found['share_class']}"
    elif found := _REUTERS_AMERICAN.fullmatch(ticker):
        right = found["share"]
    else:
        return None
    return _written(ticker, right, f"there is no {ticker}: Yahoo writes {right}")


def _written(typed: str, right: str, what: str) -> Doubt:
    stored = f"what is stored as {typed}: stocklstm prices rename {typed} {right}"
    return Doubt(what, f"take {right} ({stored})", right)


def several(text: str) -> list[str]:
    """Take apart what was typed as one name and has the separators of a list; else none."""
    names = [name for name in _SEPARATED.split(text.strip()) if name]
    return names if len(names) > 1 else []
