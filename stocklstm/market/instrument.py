"""Currency, calendar and time zone of a ticker, from its name or Yahoo's exchange code."""

from stocklstm.core.prices.series import Instrument

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
}

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
        "24/7": "CCC",
        "24/5": "CCY",
    }.items()
    for code in codes.split()
}


def guess_instrument(ticker: str) -> Instrument:
    """Derive currency, exchange and time zone from a ticker's name, for sources of prices only.

    Returns:
        The instrument. A name that says nothing has currency "", exchange "" (the calendar
        then takes weekdays for sessions) and time zone "UTC".
    """
    currency, exchange, time_zone = _traits(ticker)
    return Instrument(ticker, currency, exchange, time_zone)


def _traits(ticker: str) -> tuple[str, str, str]:
    if ticker.startswith("^"):
        return _INDICES.get(ticker, _UNKNOWN)
    if "." in ticker:
        return _SUFFIXES.get(ticker.rpartition(".")[2], _UNKNOWN)
    if ticker.endswith("=X"):
        return (ticker[-5:-2], "24/5", "Europe/London")
    if ticker.endswith(("-USD", "-EUR", "-BRL")):
        return (ticker[-3:], "24/7", "UTC")
    return _UNKNOWN if "=" in ticker else _AMERICAN


def calendar_name(exchange_code: str) -> str:
    """Translate Yahoo's code of an exchange, such as SAO, into the name of its calendar.

    Returns "" if the code is not in the table.
    """
    return _CALENDARS.get(exchange_code, "")
