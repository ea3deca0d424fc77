"""Currency, calendar and time zone of a ticker, from its name or Yahoo's exchange code."""

import re
from typing import NamedTuple

from stocklstm.core.prices.series import Instrument
from stocklstm.errors import ConfigError

# What each suffix stands for: currency as Yahoo quotes it (GBp, ZAc and ILA are hundredths),
# calendar of exchange_calendars, IANA time zone.
_SUFFIXES = {
    "SA": ("BRL", "BVMF", "America/Sao_Paulo"),
    "L": ("GBp", "XLON", "Europe/London"),
    "DE": ("EUR", "XETR", "Europe/Berlin"),
    "F": ("EUR", "XFRA", "Europe/Berlin"),
    "PA": ("EUR", "XPAR", "Europe/Paris"),
    "AS": ("EUR", "XAMS", "Europe/Amsterdam"),
    "BR": ("EUR", "XBRU", "Europe/Brussels"),
    "LS": ("EUR", "XLIS", "Europe/Lisbon"),
    "MI": ("EUR", "XMIL", "Europe/Rome"),
    "MC": ("EUR", "XMAD", "Europe/Madrid"),
    "VI": ("EUR", "XWBO", "Europe/Vienna"),
    "HE": ("EUR", "XHEL", "Europe/Helsinki"),
    "IR": ("EUR", "XDUB", "Europe/Dublin"),
    "AT": ("EUR", "ASEX", "Europe/Athens"),
    "SW": ("CHF", "XSWX", "Europe/Zurich"),
    "ST": ("SEK", "XSTO", "Europe/Stockholm"),
    "CO": ("DKK", "XCSE", "Europe/Copenhagen"),
    "OL": ("NOK", "XOSL", "Europe/Oslo"),
    "WA": ("PLN", "XWAR", "Europe/Warsaw"),
    "IS": ("TRY", "XIST", "Europe/Istanbul"),
    "TA": ("ILA", "XTAE", "Asia/Jerusalem"),
    "JO": ("ZAc", "XJSE", "Africa/Johannesburg"),
    "TO": ("CAD", "XTSE", "America/Toronto"),
    "V": ("CAD", "XTSE", "America/Toronto"),
    "MX": ("MXN", "XMEX", "America/Mexico_City"),
    "BA": ("ARS", "XBUE", "America/Buenos_Aires"),
    "SN": ("CLP", "XSGO", "America/Santiago"),
    "HK": ("HKD", "XHKG", "Asia/Hong_Kong"),
    "T": ("JPY", "XTKS", "Asia/Tokyo"),
    "KS": ("KRW", "XKRX", "Asia/Seoul"),
    "KQ": ("KRW", "XKRX", "Asia/Seoul"),
    "TW": ("TWD", "XTAI", "Asia/Taipei"),
    "SS": ("CNY", "XSHG", "Asia/Shanghai"),
    "SZ": ("CNY", "XSHG", "Asia/Shanghai"),
    "BO": ("INR", "XBOM", "Asia/Kolkata"),
    "NS": ("INR", "XBOM", "Asia/Kolkata"),
    "SI": ("SGD", "XSES", "Asia/Singapore"),
    "BK": ("THB", "XBKK", "Asia/Bangkok"),
    "JK": ("IDR", "XIDX", "Asia/Jakarta"),
    "KL": ("MYR", "XKLS", "Asia/Kuala_Lumpur"),
    "AX": ("AUD", "XASX", "Australia/Sydney"),
    "NZ": ("NZD", "XNZE", "Pacific/Auckland"),
    "NYM": ("USD", "CMES", "America/New_York"),
    "CMX": ("USD", "CMES", "America/New_York"),
    "CME": ("USD", "CMES", "America/New_York"),
    "CBT": ("USD", "CMES", "America/New_York"),
    "NYB": ("USD", "IEPA", "America/New_York"),
}

_AMERICAN = ("USD", "XNYS", "America/New_York")
_UNKNOWN = ("", "", "UTC")

# Indices carry no suffix; each is quoted in the currency of its home exchange.
_INDICES = {
    "^BVSP": _SUFFIXES["SA"],
    "^IBX50": _SUFFIXES["SA"],
    "^GSPC": _AMERICAN,
    "^DJI": _AMERICAN,
    "^IXIC": _AMERICAN,
    "^NDX": _AMERICAN,
    "^RUT": _AMERICAN,
    "^VIX": _AMERICAN,
    "^FTSE": ("GBP", *_SUFFIXES["L"][1:]),
    "^GDAXI": _SUFFIXES["DE"],
    "^FCHI": _SUFFIXES["PA"],
    "^AEX": _SUFFIXES["AS"],
    "^IBEX": _SUFFIXES["MC"],
    "^GSPTSE": _SUFFIXES["TO"],
    "^MXX": _SUFFIXES["MX"],
    "^HSI": _SUFFIXES["HK"],
    "^N225": _SUFFIXES["T"],
    "^AXJO": _SUFFIXES["AX"],
    "^BSESN": _SUFFIXES["BO"],
    "^NSEI": _SUFFIXES["NS"],
    "^NYA": _AMERICAN,
    "^OEX": _AMERICAN,
    "^SOX": _AMERICAN,
    "^STOXX50E": _SUFFIXES["DE"],
    "^SSMI": _SUFFIXES["SW"],
    "^ATX": _SUFFIXES["VI"],
    "^BFX": _SUFFIXES["BR"],
    "^OMX": _SUFFIXES["ST"],
    "^MERV": _SUFFIXES["BA"],
    "^IPSA": _SUFFIXES["SN"],
    "^KS11": _SUFFIXES["KS"],
    "^TWII": _SUFFIXES["TW"],
    "^STI": _SUFFIXES["SI"],
    "^JKSE": _SUFFIXES["JK"],
    "^KLSE": _SUFFIXES["KL"],
    "^NZ50": _SUFFIXES["NZ"],
    "^AORD": _SUFFIXES["AX"],
}

# What pairs are quoted in, or are of.
_MONEY_WORDS = """
    AED ARS AUD BRL CAD CHF CLP CNY COP CZK DKK EUR GBP HKD HUF IDR ILS INR JPY KRW MXN MYR NOK NZD
    PEN PHP PLN RON RUB SAR SEK SGD THB TRY TWD UAH USD VND ZAR
"""
_COIN_WORDS = """
    BTC XBT ETH BNB SOL XRP ADA DOGE DOT LTC BCH LINK XLM TRX AVAX MATIC POL SHIB UNI ATOM XMR ETC
    FIL NEAR APT ARB OP ALGO VET ICP HBAR TON PEPE SUI INJ AAVE MKR EOS XTZ SAND MANA
"""
_DIGITAL_DOLLARS = ("USDT", "USDC", "FDUSD")
_STABLE_COINS = (*_DIGITAL_DOLLARS, "BUSD", "TUSD", "DAI", "EURC")
_QUOTING_COINS = ("BTC", "ETH", "BNB", *_STABLE_COINS)
_MONEY, _COINS = set(_MONEY_WORDS.split()), {*_COIN_WORDS.split(), *_STABLE_COINS}
_METALS = {"XAU", "XAG", "XPT", "XPD"}

_HYPHENED = re.compile(r"[A-Z0-9]+-(?P<quote>[A-Z]{3,5})")
_CURRENCIES = re.compile(r"(?P<base>[A-Z]{3})?(?P<quote>[A-Z]{3})=X")

# No American share has as many letters.
_SHORTEST_PAIR = 6

# In words of Yahoo and of others: pence, South African cents, agorot, American cents.
_HUNDREDTHS = {"GBp": "GBp", "GBX": "GBp", "ZAc": "ZAc", "ZAX": "ZAc", "ILA": "ILA", "USX": "USX"}
_ISO_LETTERS = 3

# Signs of one currency alone.
_SIGNS = {"R$": "BRL", "US$": "USD", "€": "EUR", "£": "GBP", "₹": "INR", "RS": "INR"}

SHARED_SIGNS = {
    "$": ("USD", "CAD", "AUD", "NZD", "HKD", "SGD", "TWD", "MXN", "ARS", "CLP", "COP"),
    "¥": ("JPY", "CNY"),
}
"""Signs of several currencies, the one first that is meant where none of them is expected."""

_BOTH = ("calendar", "currency")

# Yahoo's `exchangeName`. Venues that share their holidays share a calendar: all American ones,
# Shanghai and Shenzhen, Bombay and the National Stock Exchange of India.
_CALENDARS = {
    code: calendar
    for calendar, codes in {
        "XNYS": "NMS NGM NCM NAS NIM NYQ NYS ASE PCX BTS PNK OQB OQX OBB OEM SNP DJI CXI WCB OPR",
        "CMES": "CME CBT CMX NYM",
        "BVMF": "SAO",
        "XBUE": "BUE",
        "XSGO": "SGO",
        "XMEX": "MEX",
        "XTSE": "TOR VAN",
        "XLON": "LSE IOB FGI",
        "XDUB": "ISE",
        "XETR": "GER",
        "XFRA": "FRA",
        "XDUS": "DUS",
        "XHAM": "HAM",
        "XSTU": "STU",
        "XPAR": "PAR",
        "XAMS": "AMS",
        "XBRU": "BRU",
        "XLIS": "LIS",
        "XMIL": "MIL",
        "XMAD": "MCE",
        "XSWX": "EBS",
        "XWBO": "VIE",
        "XSTO": "STO",
        "XCSE": "CPH",
        "XHEL": "HEL",
        "XOSL": "OSL",
        "XWAR": "WSE",
        "XPRA": "PRA",
        "XBUD": "BUD",
        "ASEX": "ATH",
        "XIST": "IST",
        "XTAE": "TLV",
        "XJSE": "JNB",
        "XSAU": "SAU",
        "XHKG": "HKG",
        "XTKS": "JPX OSA",
        "XKRX": "KSC KOE",
        "XTAI": "TAI TWO",
        "XSHG": "SHH SHZ",
        "XBOM": "BSE NSI",
        "XSES": "SES",
        "XBKK": "SET",
        "XIDX": "JKT",
        "XKLS": "KLS",
        "XASX": "ASX",
        "XNZE": "NZE",
        "IEPA": "NYB",
        "24/7": "CCC",
        "24/5": "CCY",
    }.items()
    for code in codes.split()
}


class _Guess(NamedTuple):
    """What a name says of an instrument.

    Attributes:
        traits: Currency, calendar and time zone.
        assumed: Which of them the name only suggests.
    """

    traits: tuple[str, str, str]
    assumed: tuple[str, ...] = ()


def guess_instrument(ticker: str) -> Instrument:
    """Derive currency, exchange and time zone from a ticker's name, for sources of prices only.

    Example:
        >>> stocklstm.guess_instrument("PETR4.SA").exchange
        'BVMF'

    Returns:
        The instrument. A name that says nothing has currency "", exchange "" (the calendar
        then takes weekdays for sessions) and time zone "UTC".
    """
    return Instrument(ticker, *_guess(ticker).traits)


def assumptions(ticker: str) -> tuple[str, ...]:
    """Say which of "calendar" and "currency" `guess_instrument` only assumes.

    Of an American share both, since any name without a suffix could be one; of PETR4.SA and
    BTC-USD neither.
    """
    return _guess(ticker).assumed


def _guess(ticker: str) -> _Guess:
    if ticker.startswith("^"):
        found = _INDICES.get(ticker)
    elif "." in ticker:
        found = _SUFFIXES.get(ticker.rpartition(".")[2])
    else:
        return _pair(ticker) or _share(ticker)
    return _Guess(found) if found else _Guess(_UNKNOWN, _BOTH)


def _share(ticker: str) -> _Guess:
    return _Guess(_UNKNOWN if "=" in ticker else _AMERICAN, _BOTH)


def _pair(ticker: str) -> _Guess | None:
    """Read a pair of currencies or coins: EURUSD=X and BTC-USD of Yahoo, BTCUSDT of exchanges."""
    if (found := _CURRENCIES.fullmatch(ticker)) and found["quote"] in _MONEY:
        return _coins(found["quote"]) if found["base"] in _COINS else _money(found["quote"])
    if found := _HYPHENED.fullmatch(ticker):
        quote = found["quote"]
        return _coins(quote) if quote in _MONEY or quote in _QUOTING_COINS else None
    return _joined(ticker) if ticker.isalnum() and len(ticker) >= _SHORTEST_PAIR else None


def _joined(ticker: str) -> _Guess | None:
    """Read a pair without a hyphen: what it is of is known, or it is quoted in digital dollars."""
    for quote in (*_QUOTING_COINS, *sorted(_MONEY)):
        base = ticker.removesuffix(quote)
        if base in _COINS:
            return _coins(quote)
        if quote in _MONEY and (base in _MONEY or base in _METALS):
            return _money(quote)
    ending = next((quote for quote in _DIGITAL_DOLLARS if ticker.endswith(quote)), None)
    return _coins(ending) if ending else None


def _coins(quote: str) -> _Guess:
    return _Guess((quote, "24/7", "UTC"))


def _money(quote: str) -> _Guess:
    return _Guess((quote, "24/5", "Europe/London"))


def stated_currency(text: str, usual: str = "") -> str:
    """Read the currency that a file states.

    Args:
        text: A code or a sign.
        usual: The currency that is expected, for signs of several such as $.

    Returns:
        Its code; "" if the text is none that can be read.
    """
    sign = text.strip().upper()
    if sign in SHARED_SIGNS:
        return usual if usual in SHARED_SIGNS[sign] else SHARED_SIGNS[sign][0]
    try:
        return _SIGNS.get(sign) or require_currency(text)
    except ConfigError:
        return ""


def require_currency(text: str) -> str:
    """Check the currency that somebody chose.

    Returns:
        Its ISO 4217 code, or Yahoo's for hundredths (GBp, ZAc, ILA); of pairs a coin's name.

    Raises:
        ConfigError: It has the form of none.
    """
    typed = text.strip()
    if typed in _HUNDREDTHS:
        return _HUNDREDTHS[typed]
    code = typed.upper()
    if code in _QUOTING_COINS or (code.isascii() and code.isalpha() and len(code) == _ISO_LETTERS):
        return code
    raise ConfigError(
        f"{text[:20]!a} is not the code of a currency",
        hint="take one such as --currency BRL, USD, EUR or GBp for pence, or auto for the source's",
    )


def calendar_name(exchange_code: str) -> str:
    """Translate Yahoo's code of an exchange, such as SAO, into the name of its calendar.

    Returns "" if the code is not in the table.
    """
    return _CALENDARS.get(exchange_code, "")
