"""Which column of a table holds what, by its header: in many vendors' words and languages."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from stocklstm.market.tables.tickers import is_code_of_b3, looks_like_ticker

NUMBERS = ("open", "high", "low", "close", "adj_close", "volume")
"""Columns of numbers, in the order of `Bars`."""

# What each column may be called, the best name first, letters and digits only, no accents.
_NAMES = {
    "date": (
        *("date", "data", "fecha", "dates", "datas", "datetime", "datahora", "timestamp"),
        *("opentime", "dia", "day", "pregao", "datadopregao", "datapregao", "tradedate"),
        *("tradingdate", "tradingday", "snappedat", "formatteddate", "localtime", "gmttime"),
        *("dateutc", "datetimeutc", "timeutc", "utctime", "quotedate", "unixtimestamp", "unix"),
        *("exchangedate", "pricedate", "date1", "dt", "openat", "begin", "datum", "index"),
        *("refdate", "rptdt", "dtyyyymmdd", "datpre", "datapre", "time", "hora"),
    ),
    "open": (
        *("open", "openprice", "abertura", "abert", "abrir", "apertura", "opening", "pxopen"),
        *("precodeabertura", "precoabertura", "openingprice", "priceopen", "frstpric", "preabe"),
        *("erster", "eroffnung", "o"),
    ),
    "high": (
        *("high", "highprice", "maxima", "maximo", "alta", "alto", "max", "precomaximo", "pxhigh"),
        *("dayhigh", "pricehigh", "maxpric", "premax", "hoch", "h"),
    ),
    "low": (
        *("low", "lowprice", "minima", "minimo", "baixa", "baixo", "min", "precominimo", "pxlow"),
        *("daylow", "pricelow", "minpric", "premin", "tief", "l"),
    ),
    "close": (
        *("close", "closeprice", "fechamento", "fech", "fechar", "cierre", "closelast", "pxlast"),
        *("precodefechamento", "precofechamento", "preciodecierre", "closingprice", "closing"),
        *("ultimo", "precoultimo", "ultimopreco", "last", "lastprice", "price", "preco", "precio"),
        *("cotacaodefechamento", "cotacao", "ult", "settle", "trdprc1", "cls"),
        *("closeclosepriceadjustedforsplits", "priceclose", "lastpric", "preult", "schlusskurs"),
        *("schluss", "c"),
    ),
    "adj_close": (
        *("adjclose", "adjustedclose", "closeadj", "closeadjusted", "adjustedprice"),
        *("adjcloseprice", "fechamentoajustado", "fechamentoajust", "fechamentoaj"),
        *("fechajustado", "fechaj"),
        "adjcloseadjustedclosepriceadjustedforsplitsanddividendandorcapitalgaindistributions",
        *("priceadjusted", "adjusted"),
    ),
    # A quantity comes before what may be a turnover.
    "volume": (
        *("quantidadenegociada", "quantidade", "qtdnegociada", "qtd", "qtde"),
        *("totaltradedquantity", "tradedquantity", "sharestraded", "noofshares", "quatot"),
        *("qtits", "totaltradequantity", "numberofshares", "stucke", "stuecke", "quantity"),
        *("cantidad", "volume"),
        *("volumen", "vol", "volumenegociado", "totalvolume", "tradedvolume", "pxvolume"),
        *("tickvol", "tickvolume", "v"),
    ),
    "time": (*("time", "hora", "horario"),),
    "ticker": (
        *("ticker", "symbol", "simbolo", "codneg", "codigodenegociacao", "codigo", "ativo"),
        *("papel", "acao", "tick", "tckrsymb", "stocksymbol", "tickername", "tickersymbol", "ric"),
        *("cod", "nemotecnico", "especie", "emisora", "instrumento", "instrument", "asset"),
        *("security", "code", "stock", "isin", "name", "nome", "empresa", "company"),
    ),
    "currency": (*("currency", "moeda", "moneda"),),
    "dividend": (*("dividends", "dividend", "dividendos", "dividendamount"),),
    "split": (*("stocksplits", "splitcoefficient", "desdobramentos", "split", "splits"),),
}

_EVERY_NAME = frozenset(name for names in _NAMES.values() for name in names)

COLUMNS = ("date", "time", "ticker", "currency", *NUMBERS)
"""What a user may say that a column holds."""

# One letter names a column only beside the others of its kind.
_LETTERS = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}

_LOCAL = {
    *("data", "fechamento", "fechar", "ultimo", "abertura", "abrir", "maxima", "minima", "pregao"),
    *("fecha", "cierre", "apertura", "maximo", "minimo", "preco", "precio"),
}

_CURRENCIES = {
    *("usd", "usdt", "usdc", "busd", "tusd", "dai", "eur", "brl", "gbp", "jpy", "chf", "cad"),
    *("aud", "inr", "mxn", "ars", "clp", "cny", "hkd", "krw", "try", "zar", "sek", "nok", "dkk"),
    "pln",
}
# What stands behind "Volume" where the volume is counted in money, and names no instrument.
_MONEY = {*_CURRENCIES, "currency", "quote", "from", "to", "traded"}

_UNIT = re.compile(r"\(([A-Za-z]{3}|[A-Z]*[$€£])\)$|[ _]([A-Z]{3})$")

# Capitals that stand beside "CLOSE" and are no instrument.
_NO_TICKERS = {"ADJ", "PREV", "PREVIOUS", "LAST", "DAY", "NET", "AVG", "52W", "UNADJ"}

# Words of a price that may stand before or behind the name of an instrument.
_FIELDS = {
    "open": ("open", "abertura"),
    "high": ("high", "maxima"),
    "low": ("low", "minima"),
    "close": ("close", "fechamento", "last"),
    "adj_close": ("adj close", "adj_close", "adjclose", "adjusted", "adjusted close"),
    "volume": ("volume",),
}
_JOINTS = r"[\s_.:|/-]+"
_BEFORE = {
    field: re.compile(
        rf"(?:{'|'.join(sorted(map(re.escape, words), key=len, reverse=True))}){_JOINTS}(.+)",
        re.IGNORECASE,
    )
    for field, words in _FIELDS.items()
}
_BEHIND = {
    field: re.compile(
        rf"(.+?){_JOINTS}(?:{'|'.join(sorted(map(re.escape, words), key=len, reverse=True))})",
        re.IGNORECASE,
    )
    for field, words in _FIELDS.items()
}
_PAIR = re.compile(r"\(\s*['\"]([^'\"]*)['\"]\s*,\s*['\"]([^'\"]*)['\"]\s*\)")

_PAIR_VOLUME = re.compile(r"Vol(?:ume)?[ _(]+([A-Z0-9]{2,6})\)?")
_AVERAGES = {"MA", "SMA", "EMA", "AVG"}

_PRICES = {"open", "high", "low", "close", "adj_close"}

Columns = Mapping[str, int]
"""Place of each known column."""


@dataclass(frozen=True)
class Layout:
    """What the header says.

    Attributes:
        header: The names of the columns, as written.
        shared: Columns that hold for all instruments: date, perhaps time, ticker, currency; and
            the prices, unless each instrument has its own.
        own: By instrument, as written, the columns of its prices, where the header names them.
        doubtful: True if closes of named instruments stand beside a close that names none, or
            closes in several units beside each other.
    """

    header: Sequence[str]
    shared: Columns
    own: Mapping[str, Columns]
    doubtful: bool = False

    @property
    def complete(self) -> bool:
        """Tell whether there is a date and a close."""
        closes = "close" in self.shared or any("close" in each for each in self.own.values())
        return "date" in self.shared and closes

    @property
    def local(self) -> bool:
        """Tell whether the header is Portuguese or Spanish."""
        return not _LOCAL.isdisjoint(map(plain, self.header))

    @property
    def utc(self) -> bool:
        """Tell whether the header says that times are UTC."""
        return bool(re.search("utc|gmt", plain(self.header[self.shared["date"]])))

    def doubled(self) -> str | None:
        """Name a column that is there twice, and it cannot be told which counts."""
        if self.own:
            return None
        if self.doubtful:
            return "close"
        names = [plain(text) for text in self.header]
        for column, place in self.shared.items():
            if column in {"date", *NUMBERS} and names.count(names[place]) > 1 and names[place]:
                return column
        return None


def is_name(text: str) -> bool:
    """Tell whether a cell holds the name of a column."""
    return plain(text) in _EVERY_NAME


def plain(text: str) -> str:
    """Reduce a column's name to lower-case letters and digits, without accents."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in decomposed if letter.isascii() and letter.isalnum())


def _bare(text: str) -> str:
    """Reduce a name without its number and its unit, such as "4. close" and "Close (R$)"."""
    return plain(re.sub(r"^\s*\d+\.\s*|\(.*\)\s*$", "", text))


def find_layout(header: Sequence[str], named: Mapping[str, str]) -> Layout:
    """Find out what the columns of a one-line header hold.

    Args:
        header: Its cells.
        named: Names of columns that the user chose, by what they hold.
    """
    header = [text.strip() for text in header]
    shared, own = _by_name(header), _by_instrument(header)
    closes = [name for name, columns in own.items() if "close" in columns]
    codes = closes + [text for text in header if is_code_of_b3(text)]
    rivals = bool(codes) or _closes_in_units(header, shared)
    doubtful = "close" in shared and "close" not in named and rivals
    if "close" not in shared and any("close" in columns for columns in own.values()):
        own = {name: columns for name, columns in own.items() if "close" in columns}
        for column in NUMBERS:
            shared.pop(column, None)
    else:
        own = {}
    for column, text in named.items():
        place = _place(header, text)
        if place is not None:
            shared[column] = place
    return Layout(header, shared, own, doubtful)


def _closes_in_units(header: Sequence[str], shared: Columns) -> bool:
    """Tell whether several closes differ in their units alone: "Close (BRL)", "Close (USD)"."""
    if "close" not in shared or plain(header[shared["close"]]) in _NAMES["close"]:
        return False
    name = _bare(header[shared["close"]])
    return [_bare(text) for text in header].count(name) > 1


def currency_of_name(text: str) -> str:
    """Return the currency in the name of a column, such as "Close (R$)" or "Close USD"."""
    found = _UNIT.search(text.strip())
    if found is None:
        return ""
    unit = found[1] or found[2]
    return unit if unit.lower() in {*_CURRENCIES, "gbx"} or not unit.isalpha() else ""


def find_pairs(first: Sequence[str], second: Sequence[str]) -> Layout | None:
    """Read the two lines of a pandas header of prices and tickers, in either order.

    Returns:
        None unless one line holds the names of prices and the other those of instruments.
    """
    for fields, tickers in ((first, second), (second, first)):
        own: dict[str, dict[str, int]] = {}
        date = 0  # or a column of its own, if the index was reset
        for place, (field, ticker) in enumerate(zip(fields[1:], tickers[1:], strict=False), 1):
            column = _field(field)
            if plain(field) in _NAMES["date"] and not ticker.strip():
                date = place
            if column and looks_like_ticker(ticker.strip()):
                own.setdefault(ticker.strip(), {}).setdefault(column, place)
        own = {name: columns for name, columns in own.items() if "close" in columns}
        if own:
            return Layout([text.strip() for text in first], {"date": date}, own)
    return None


def closes_of(layout: Layout) -> dict[str, Columns]:
    """Take every column whose name looks like a ticker's for the closes of that instrument."""
    return {
        text: {"close": place}
        for place, text in enumerate(layout.header)
        if place not in layout.shared.values() and looks_like_ticker(text) and "_" not in text
    }


def has_columns(header: Sequence[str], named: Collection[str]) -> bool:
    """Tell whether a line holds all names that the user gave."""
    return all(_place(header, text) is not None for text in named)


def _place(header: Sequence[str], text: str) -> int | None:
    wanted = text.strip().casefold()
    return next(
        (place for place, name in enumerate(header) if name.strip().casefold() == wanted), None
    )


def _field(text: str) -> str | None:
    name = plain(text)
    return next((column for column in NUMBERS if name in _NAMES[column]), None)


def _by_name(header: Sequence[str]) -> dict[str, int]:
    # What is counted in money is a turnover.
    names = ["" if re.search(r"(?i)vol.*[$€£]", text) else plain(text) for text in header]
    bare = ["" if text.startswith("Vol") else _bare(text) for text in header]
    if names[:1] == ["price"] and "close" in names[1:]:
        # What `yfinance.download(...).to_csv()` writes.
        names[0] = "date"
    found: dict[str, int] = {}
    for column, aliases in _NAMES.items():
        known = [alias for alias in aliases if len(alias) > 1 or set(_LETTERS) <= set(names)]
        place = next((names.index(alias) for alias in known if alias in names), None)
        if place is None:
            place = next((bare.index(alias) for alias in known if alias in bare), None)
        if place is None and column in _PRICES:
            place = _quoted_in_money(names, known)
        if place is not None:
            found[column] = place
    if "date" not in found and names and (not names[0] or names[0].startswith("unnamed")):
        found["date"] = 0  # the index of a DataFrame
    if "date" not in found and "t" in names and set(_LETTERS) <= set(names):
        found["date"] = names.index("t")
    if found.get("time") == found.get("date"):
        found.pop("time", None)
    if "volume" not in found and (place := _volume_of_a_pair(header)) is not None:
        found["volume"] = place
    return found


def _quoted_in_money(names: Sequence[str], aliases: Collection[str]) -> int | None:
    """Find a column such as "Close USD"; of two, in two currencies, neither is it."""
    places = [
        place
        for place, name in enumerate(names)
        if any(name.endswith(money) and name.removesuffix(money) in aliases for money in _MONEY)
    ]
    return places[0] if len(places) == 1 else None


def _volume_of_a_pair(header: Sequence[str]) -> int | None:
    """Choose "Volume BTC" beside "Volume USDT": the quantity, not the turnover."""
    for place, text in enumerate(header):
        found = _PAIR_VOLUME.fullmatch(text)
        if found and found[1].lower() not in _MONEY and found[1] not in _AVERAGES:
            return place
    return None


def _by_instrument(header: Sequence[str]) -> dict[str, dict[str, int]]:
    """Read names such as Close_PETR4.SA, PETR4.SA Close and ('Close', 'PETR4.SA')."""
    own: dict[str, dict[str, int]] = {}
    for place, text in enumerate(header):
        if _field(text):
            continue
        for column, ticker in _joined(text):
            known = plain(ticker) in _MONEY or ticker.strip(".") in _NO_TICKERS or is_name(ticker)
            if looks_like_ticker(ticker) and not known:
                own.setdefault(ticker, {}).setdefault(column, place)
                break
    return own


def _joined(text: str) -> list[tuple[str, str]]:
    if pair := _PAIR.fullmatch(text):
        return [
            (column, other)
            for one, other in (pair.groups(), pair.groups()[::-1])
            if (column := _field(one))
        ]
    found: list[tuple[str, str]] = []
    # The longest name first: "Adj Close" ends in "Close".
    for column in ("adj_close", "open", "high", "low", "close", "volume"):
        matches = [pattern.fullmatch(text) for pattern in (_BEFORE[column], _BEHIND[column])]
        found += [(column, match[1].strip()) for match in matches if match]
    return found
