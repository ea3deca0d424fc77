"""The names that files give to instruments, and how Yahoo names the same."""

import re

from stocklstm.core.symbols import as_yahoo_writes

_TICKER = re.compile(r"\^?[A-Z0-9][A-Z0-9.=&/_-]*", re.ASCII)
_LETTER = re.compile(r"[A-Z]|[0-9]{4}", re.ASCII)  # Asia's tickers are numbers
_B3 = re.compile(r"[A-Z]{4}(?:[3-8]|11|3[1-9])", re.ASCII)
_KIND = re.compile(r"\s+(?:Equity|Index|Curncy|Comdty|Corp)$", re.IGNORECASE)
_LONGEST = 21

# Bloomberg's codes of exchanges and of countries, and the suffix Yahoo has for them.
_BLOOMBERG = {
    "BZ": ".SA",
    "BS": ".SA",
    "US": "",
    "UN": "",
    "UW": "",
    "UQ": "",
    "LN": ".L",
    "JT": ".T",
    "JP": ".T",
    "GY": ".DE",
    "GR": ".DE",
    "FP": ".PA",
    "CN": ".TO",
    "CT": ".TO",
    "HK": ".HK",
    "AU": ".AX",
    "AT": ".AX",
    "IN": ".NS",
    "IS": ".NS",
    "IB": ".BO",
    "SM": ".MC",
    "IM": ".MI",
    "NA": ".AS",
    "SW": ".SW",
    "SE": ".SW",
    "SS": ".ST",
    "MM": ".MX",
    "AR": ".BA",
    "CI": ".SN",
    "PL": ".LS",
    "BB": ".BR",
    "KS": ".KS",
    "TT": ".TW",
    "SP": ".SI",
}

# Endings of other vendors; Stooq has .US, Alpha Vantage .SAO.
_ENDINGS = {".US": "", ".SAO": ".SA", ".LON": ".L", ".DEX": ".DE", ".TRT": ".TO", ".BSE": ".BO"}

# What vendors call the indices that Yahoo marks with ^.
_INDICES = {"IBOV": "^BVSP", "IBOVESPA": "^BVSP", "SPX": "^GSPC", "INX": "^GSPC", "NDX": "^NDX"}


def looks_like_ticker(text: str) -> bool:
    """Tell whether a text is written as tickers are: capitals and digits, no blanks."""
    return len(text) <= _LONGEST and bool(_TICKER.fullmatch(text)) and bool(_LETTER.search(text))


def is_code_of_b3(text: str) -> bool:
    """Tell whether a text is written as a share of B3 and nothing else is: PETR4, SANB11.SA."""
    return bool(_B3.fullmatch(text.strip().removesuffix(".SA")))


def codes_of_b3(text: str) -> set[str]:
    """Find the codes of shares of B3 in a title, such as "PETR4 - Petrobras PN"."""
    return {word for word in re.findall(r"[A-Z0-9.]+", text) if is_code_of_b3(word)}


def yahoo_name(written: str) -> str:
    """Give Yahoo's name for one that a file has, as far as that can be told.

    Such as PETR4.SA for PETR4, BMFBOVESPA:PETR4 and PETR4 BZ Equity.
    """
    name = _KIND.sub("", written.strip()).upper()
    name = name.rpartition(":")[2].strip()
    code, blank, market = name.rpartition(" ")
    if blank and market in _BLOOMBERG:
        # Yahoo's codes of Hong Kong have four digits: 0700.HK.
        code = code.zfill(4) if market == "HK" and code.isdigit() else code
        name = code.replace("/", "-") + _BLOOMBERG[market]
    for ending, suffix in _ENDINGS.items():
        if name.endswith(ending):
            name = name.removesuffix(ending) + suffix
    return _INDICES.get(name) or as_yahoo_writes(name).replace("/", "-")


def is_named(written: str, ticker: str) -> bool:
    """Tell whether a file's name for an instrument means a ticker: PETR4 means PETR4.SA."""
    if written.strip().upper() == ticker:
        return True
    name = _bare(yahoo_name(written))
    suffixed = "." in ticker and len(ticker.rpartition(".")[2]) <= 3
    # A file that holds one market may leave out what Yahoo puts behind the name.
    short = ticker.rpartition(".")[0] if suffixed else ticker
    return name == _bare(ticker) or (name == _bare(short) and "." not in yahoo_name(written))


def _bare(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", name.removesuffix("=X"))
