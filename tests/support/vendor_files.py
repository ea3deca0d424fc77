"""Files of daily prices as vendors, libraries and spreadsheets write them.

Each form is one function from rows to text. None uses anything of stocklstm: what a file is to be
read as follows from the rows that were written into it.
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, time
from decimal import Decimal

from tests.support.vendor_cells import (
    ADJ,
    ENGLISH_MONTHS,
    PORTUGUESE_MONTHS,
    SPANISH_MONTHS,
    VOLUME,
    Columns,
    abbreviated,
    american,
    at,
    change,
    comma,
    constant,
    dotted,
    english,
    fixed,
    floating,
    indian,
    iso,
    latin,
    latin_day,
    lines,
    month_day,
    ohlc,
    pattern,
    reordered,
    short,
    shown,
    table,
    turnover,
    unit_of,
    unix,
    volume,
)
from tests.support.vendor_rows import (
    ADJUSTED,
    ANY,
    B3,
    CLOSE,
    CRYPTO,
    INDIA,
    OHLC,
    OHLCV,
    SHARES,
    US,
    Market,
    Row,
    Rows,
    others,
)

Write = Callable[[Market, Rows], str]


@dataclass(frozen=True)
class Form:
    """One way in which prices are written.

    Attributes:
        name: Vendor and kind.
        markets: Of which it has files.
        tells: Fields of a row that can be read from it.
        newest_first: How the vendor orders the days.
        volume: What is left of a volume once it is written.
        write: Rows, in the given order, to text.
    """

    name: str
    markets: tuple[Market, ...]
    tells: tuple[str, ...]
    newest_first: bool
    volume: Callable[[int], int]
    write: Write

    def export(self, market: Market, rows: Rows) -> str:
        """Write in the vendor's own order."""
        return self.write(market, sorted(rows, reverse=self.newest_first))

    def told(self, rows: Rows) -> dict[str, dict[str, float]]:
        """What a reader has to find: by ISO day each field that is told."""
        return {
            row.day.isoformat(): {
                field: float(self.volume(row.volume) if field == "volume" else getattr(row, field))
                for field in self.tells
            }
            for row in rows
        }


FORMS: list[Form] = []


def as_it_is(volume: int) -> int:
    return volume


def four_figures(volume: int) -> int:
    """Round as `abbreviated` does."""
    unit = unit_of(volume)[0]
    return int(round(Decimal(volume) / unit, 2) * unit)


def form(
    name: str,
    *markets: Market,
    tells: tuple[str, ...] = OHLCV,
    newest_first: bool = False,
    volume: Callable[[int], int] = as_it_is,
) -> Callable[[Write], Write]:
    def add(write: Write) -> Write:
        FORMS.append(Form(name, markets or SHARES, tells, newest_first, volume, write))
        return write

    return add


# Yahoo Finance.


@form("Yahoo download", *ANY, tells=ADJUSTED)
def yahoo(_market: Market, rows: Rows) -> str:
    return table({"Date": iso, **ohlc("Open High Low Close"), **ADJ, **VOLUME}, rows)


@form("Yahoo page, copied", US, tells=ADJUSTED, newest_first=True)
def yahoo_page(_market: Market, rows: Rows) -> str:
    day = {"Date": lambda row: f"{ENGLISH_MONTHS[row.day.month - 1]} {row.day.day}, {row.day.year}"}
    columns = {
        **day,
        **ohlc("Open High Low Close", english),
        "Adj Close": shown("adj_close", english),
        "Volume": lambda row: english(row.volume),
    }
    return table(columns, rows, "\t")


@form("Yahoo page in a CSV", US, tells=ADJUSTED, newest_first=True)
def yahoo_page_csv(market: Market, rows: Rows) -> str:
    return lines(list(csv.reader(io.StringIO(yahoo_page(market, rows)), delimiter="\t")))


@form("Yahoo page with footnotes", US, tells=ADJUSTED, newest_first=True)
def yahoo_page_footnotes(market: Market, rows: Rows) -> str:
    text = yahoo_page(market, rows)
    return text.replace("\tAdj Close\t", "\tAdj Close**\t", 1).replace("\tClose\t", "\tClose*\t", 1)


@form("Yahoo page in Portuguese", B3, tells=ADJUSTED, newest_first=True)
def yahoo_page_portuguese(_market: Market, rows: Rows) -> str:
    def day(row: Row) -> str:
        return f"{row.day.day} de {PORTUGUESE_MONTHS[row.day.month - 1]}. de {row.day.year}"

    columns = {
        "Data": day,
        **ohlc("Abrir Alto Baixo Fechamento", latin),
        "Fechamento ajustado": shown("adj_close", latin),
        "Volume": lambda row: latin(row.volume),
    }
    return table(columns, rows, "\t")


# yfinance, and pandas behind it.

_ADJUSTED_BY_DEFAULT = {
    name: shown(name.lower(), floating) for name in ("Close", "High", "Low", "Open", "Volume")
}
_UNADJUSTED = {"Adj Close": shown("adj_close", floating), **_ADJUSTED_BY_DEFAULT}


def _header_lines(market: Market, rows: Rows, columns: Columns) -> str:
    cells = [
        ["Price", *columns],
        ["Ticker", *[market.ticker] * len(columns)],
        ["Date", *[""] * len(columns)],
    ]
    return lines([*cells, *([iso(row), *(cell(row) for cell in columns.values())] for row in rows)])


@form("yfinance download", *ANY)
def yfinance_download(market: Market, rows: Rows) -> str:
    return _header_lines(market, rows, _ADJUSTED_BY_DEFAULT)


@form("yfinance download, unadjusted", *ANY, tells=ADJUSTED)
def yfinance_unadjusted(market: Market, rows: Rows) -> str:
    return _header_lines(market, rows, _UNADJUSTED)


@form("yfinance download, index reset", *ANY)
def yfinance_reset(market: Market, rows: Rows) -> str:
    columns = _ADJUSTED_BY_DEFAULT
    cells = [["Price", "Date", *columns], ["Ticker", "", *[market.ticker] * len(columns)]]
    for number, row in enumerate(rows):
        cells.append([f"{number}", iso(row), *(cell(row) for cell in columns.values())])
    return lines(cells)


def _flattened(
    name: str, tells: tuple[str, ...], day: str, join: Callable[[str, str], str]
) -> None:
    @form(name, *ANY, tells=tells)
    def flattened(market: Market, rows: Rows) -> str:
        columns = _UNADJUSTED if "adj_close" in tells else _ADJUSTED_BY_DEFAULT
        named = {join(column, market.ticker): cell for column, cell in columns.items()}
        return table({day: iso, **named}, rows)


_flattened("yfinance flat, Close_T", OHLCV, "Date", lambda name, ticker: f"{name}_{ticker}")
_flattened("yfinance flat, unadjusted", ADJUSTED, "Date", lambda name, ticker: f"{name}_{ticker}")
_flattened("yfinance flat, Date_", OHLCV, "Date_", lambda name, ticker: f"{name}_{ticker}")
_flattened("yfinance flat, T_Close", ADJUSTED, "Date", lambda name, ticker: f"{ticker}_{name}")
_flattened("yfinance flat, Close T", OHLCV, "Date", lambda name, ticker: f"{name} {ticker}")
_flattened("yfinance flat, tuples", ADJUSTED, "Date", lambda name, ticker: f"{(name, ticker)}")


@form("yfinance, two tickers", *ANY, tells=ADJUSTED)
def yfinance_two(market: Market, rows: Rows) -> str:
    names = [name for name in _UNADJUSTED for _ in range(2)]
    cells = [
        ["Price", *names],
        ["Ticker", *[market.ticker, market.other] * len(_UNADJUSTED)],
        ["Date", *[""] * len(names)],
    ]
    for row, other in zip(rows, others(rows), strict=True):
        pairs = [cell(one) for cell in _UNADJUSTED.values() for one in (row, other)]
        cells.append([iso(row), *pairs])
    return lines(cells)


@form("yfinance, two tickers, grouped by ticker", *ANY, tells=ADJUSTED)
def yfinance_grouped(market: Market, rows: Rows) -> str:
    width = len(_UNADJUSTED)
    cells = [
        ["Ticker", *[market.other] * width, *[market.ticker] * width],
        ["Price", *_UNADJUSTED, *_UNADJUSTED],
        ["Date", *[""] * (2 * width)],
    ]
    for row, other in zip(rows, others(rows), strict=True):
        values = [cell(one) for one in (other, row) for cell in _UNADJUSTED.values()]
        cells.append([iso(row), *values])
    return lines(cells)


@form("yfinance, two tickers, flattened", *ANY)
def yfinance_two_flattened(market: Market, rows: Rows) -> str:
    cells = [
        [
            "Date",
            *(f"{n}_{t}" for n in _ADJUSTED_BY_DEFAULT for t in (market.other, market.ticker)),
        ]
    ]
    for row, other in zip(rows, others(rows), strict=True):
        pairs = [cell(one) for cell in _ADJUSTED_BY_DEFAULT.values() for one in (other, row)]
        cells.append([iso(row), *pairs])
    return lines(cells)


@form("yfinance, closes by ticker", *ANY, tells=CLOSE)
def yfinance_closes(market: Market, rows: Rows) -> str:
    cells = [["Date", market.other, market.ticker]]
    for row, other in zip(rows, others(rows), strict=True):
        cells.append([iso(row), floating(other.close), floating(row.close)])
    return lines(cells)


@form("pandas-datareader, two tickers", *ANY, tells=ADJUSTED)
def datareader_two(market: Market, rows: Rows) -> str:
    first, second, _, *body = yfinance_two(market, rows).split("\n")
    names = len(_UNADJUSTED) * 2
    first, second = first.replace("Price", "Attributes"), second.replace("Ticker", "Symbols")
    return "\n".join([first, second, "Date" + "," * names, *body])


@form("yfinance, stacked", *ANY)
def yfinance_stacked(market: Market, rows: Rows) -> str:
    cells = [["Date", "Ticker", *_ADJUSTED_BY_DEFAULT]]
    for row, other in zip(rows, others(rows), strict=True):
        for ticker, one in ((market.ticker, row), (market.other, other)):
            values = [cell(one) for cell in _ADJUSTED_BY_DEFAULT.values()]
            cells.append([iso(row), ticker, *values])
    return lines(cells)


@form("yfinance history", *ANY)
def yfinance_history(market: Market, rows: Rows) -> str:
    def midnight(row: Row) -> str:
        return at(row, time(0), market.zone).isoformat(" ")

    columns = reordered(_ADJUSTED_BY_DEFAULT, "Open High Low Close")
    events = {"Dividends": constant("0.0"), "Stock Splits": constant("0.0")}
    return table({"Date": midnight, **columns, **VOLUME, **events}, rows)


@form("yfinance history, resaved by Excel", B3)
def yfinance_excel(market: Market, rows: Rows) -> str:
    def midnight(row: Row) -> str:
        return at(row, time(0), market.zone).isoformat(" ")

    columns = {"Date": midnight, **ohlc("Open High Low Close", comma), **VOLUME}
    return table(columns, rows, ";")


@form("pandas, unnamed index", *ANY, tells=ADJUSTED)
def pandas_unnamed(_market: Market, rows: Rows) -> str:
    columns = {**ohlc("Open High Low Close", floating), **ADJ, **VOLUME}
    return table({"": iso, **columns}, rows)


@form("pandas, numbered rows", *ANY, tells=ADJUSTED)
def pandas_numbered(_market: Market, rows: Rows) -> str:
    names = ["", "Date", "Open", "High", "Low", "Close", "Adj Close", "Volume"]
    cells = [[f"{n}", iso(row), *map(floating, row[1:])] for n, row in enumerate(rows)]
    return lines([names, *cells])


# R.


@form("quantmod", *SHARES, tells=ADJUSTED)
def quantmod(market: Market, rows: Rows) -> str:
    columns = {
        "": iso,
        **ohlc("Open High Low Close", short),
        "Volume": volume,
        "Adjusted": shown("adj_close", short),
    }
    named = {f"{market.ticker}.{name}" if name else "": cell for name, cell in columns.items()}
    return table(named, rows)


@form("tidyquant", *SHARES, tells=ADJUSTED)
def tidyquant(market: Market, rows: Rows) -> str:
    columns = {
        "symbol": constant(market.ticker),
        "date": iso,
        **ohlc("open high low close", short),
        "volume": volume,
        "adjusted": shown("adj_close", short),
    }
    return table(columns, rows)


def _of_r(name: str, mark: str, day: str) -> None:
    @form(name, *SHARES, tells=ADJUSTED)
    def package(market: Market, rows: Rows) -> str:
        columns = {
            "ticker": constant(market.ticker),
            f"{day[:3]}{mark}{day[3:]}": iso,
            **ohlc(
                " ".join(f"price{mark}{part}" for part in ("open", "high", "low", "close")), short
            ),
            "volume": volume,
            f"price{mark}adjusted": shown("adj_close", short),
            f"ret{mark}adjusted{mark}prices": constant("NA"),
            f"ret{mark}closing{mark}prices": constant("0.0123"),
        }
        return table(columns, rows)


_of_r("yfR", "_", "refdate")
_of_r("BatchGetSymbols", ".", "refdate")


# investing.com: quoted, newest first.


def _investing(name: str, market: Market, header: str, day: str, write: Callable[..., str]) -> None:
    @form(name, market, newest_first=True, volume=four_figures)
    def investing(_market: Market, rows: Rows) -> str:
        def mark(text: str) -> str:
            return text.replace(".", ",") if write is latin else text

        names = header.split("|")
        cells = [pattern(day), *(shown(f, write) for f in ("close", "open", "high", "low"))]
        cells += [lambda row: mark(abbreviated(row.volume)), lambda row: mark(change(row))]
        return table(dict(zip(names, cells, strict=True)), rows, quoting=csv.QUOTE_ALL)


_investing("investing.com", US, "Date|Price|Open|High|Low|Vol.|Change %", "%m/%d/%Y", english)
_investing(
    "investing.com in Portuguese",
    B3,
    "Data|Último|Abertura|Máxima|Mínima|Vol.|Var%",
    "%d.%m.%Y",
    latin,
)
_investing(
    "investing.com in Spanish",
    US,
    "Fecha|Último|Apertura|Máximo|Mínimo|Vol.|% var.",
    "%d.%m.%Y",
    latin,
)


# Trading platforms and brokers.


@form("Stooq", US)
def stooq(_market: Market, rows: Rows) -> str:
    return table({"Date": iso, **ohlc("Open High Low Close", short), **VOLUME}, rows)


@form("Stooq bulk", US)
def stooq_bulk(market: Market, rows: Rows) -> str:
    columns = {
        "<TICKER>": constant(f"{market.bare}.US"),
        "<PER>": constant("D"),
        "<DATE>": pattern("%Y%m%d"),
        "<TIME>": constant("000000"),
        **ohlc("<OPEN> <HIGH> <LOW> <CLOSE>", short),
        "<VOL>": volume,
        "<OPENINT>": constant("0"),
    }
    return table(columns, rows)


_METATRADER = {
    **ohlc("<OPEN> <HIGH> <LOW> <CLOSE>"),
    "<TICKVOL>": lambda row: f"{row.volume // 977}",
    "<VOL>": volume,
    "<SPREAD>": constant("1"),
}


@form("MetaTrader 5", B3, US)
def metatrader(_market: Market, rows: Rows) -> str:
    return table({"<DATE>": pattern("%Y.%m.%d"), **_METATRADER}, rows, "\t")


@form("MetaTrader 5 with times", B3, US)
def metatrader_times(_market: Market, rows: Rows) -> str:
    days = {"<DATE>": pattern("%Y.%m.%d"), "<TIME>": constant("00:00:00")}
    return table({**days, **_METATRADER}, rows, "\t")


_TRADINGVIEW = {**ohlc("open high low close", short), "Volume": volume}
_AVERAGE = {"Volume MA": lambda row: f"{row.volume // 2}"}


@form("TradingView", *SHARES)
def tradingview(_market: Market, rows: Rows) -> str:
    return table({"time": iso, **_TRADINGVIEW, **_AVERAGE}, rows)


@form("TradingView, session open in UTC", *SHARES)
def tradingview_utc(market: Market, rows: Rows) -> str:
    def opened(row: Row) -> str:
        return at(row, market.opens, market.zone).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    return table({"time": opened, **_TRADINGVIEW}, rows)


@form("TradingView, local offset", *SHARES)
def tradingview_local(market: Market, rows: Rows) -> str:
    return table(
        {"time": lambda row: at(row, market.opens, market.zone).isoformat(), **_TRADINGVIEW}, rows
    )


@form("TradingView, Unix seconds", *SHARES)
def tradingview_unix(market: Market, rows: Rows) -> str:
    return table(
        {"time": lambda row: f"{unix(row, market.opens, market.zone)}", **_TRADINGVIEW}, rows
    )


@form("Profit", B3, newest_first=True)
def profit(market: Market, rows: Rows) -> str:
    columns = {
        "Ativo": constant(market.bare),
        "Data": latin_day,
        **ohlc("Abertura Máximo Mínimo Fechamento", latin),
        "Volume": lambda row: latin(turnover(row)),
        "Quantidade": lambda row: latin(row.volume),
    }
    return table(columns, rows, ";")


# Data services.


@form("Alpha Vantage", US, newest_first=True)
def alpha_vantage(_market: Market, rows: Rows) -> str:
    return table({"timestamp": iso, **ohlc("open high low close"), "volume": volume}, rows)


@form("Alpha Vantage, adjusted", US, newest_first=True, tells=ADJUSTED)
def alpha_vantage_adjusted(_market: Market, rows: Rows) -> str:
    columns = {
        "timestamp": iso,
        **ohlc("open high low close"),
        "adjusted_close": fixed("adj_close"),
        "volume": volume,
        "dividend_amount": constant("0.0000"),
        "split_coefficient": constant("1.0"),
    }
    return table(columns, rows)


@form("Nasdaq", US, newest_first=True)
def nasdaq(_market: Market, rows: Rows) -> str:
    def dollars(price: Decimal) -> str:
        return f"${price:f}"

    columns = {
        "Date": american,
        "Close/Last": shown("close", dollars),
        "Volume": volume,
        "Open": shown("open", dollars),
        "High": shown("high", dollars),
        "Low": shown("low", dollars),
    }
    return table(columns, rows)


@form("Nasdaq, blanks in the header", US, newest_first=True)
def nasdaq_blanks(market: Market, rows: Rows) -> str:
    header, body = nasdaq(market, rows).split("\n", 1)
    return header.replace(",", ", ") + "\n" + body.replace(",", ", ")


@form("Wall Street Journal", US, newest_first=True)
def wall_street_journal(_market: Market, rows: Rows) -> str:
    columns = {"Date": pattern("%m/%d/%y"), **ohlc("Open High Low Close"), **VOLUME}
    return table(columns, rows).replace(",", ", ")


@form("MarketWatch", US, newest_first=True)
def marketwatch(_market: Market, rows: Rows) -> str:
    def dollars(price: Decimal) -> str:
        return f"${english(price)}"

    columns = {
        "Date": american,
        **ohlc("Open High Low Close", dollars),
        "Volume": lambda row: english(row.volume),
    }
    return table(columns, rows)


@form("MetaStock", US, B3)
def metastock(market: Market, rows: Rows) -> str:
    columns = {
        "<TICKER>": constant(market.bare),
        "<PER>": constant("D"),
        "<DTYYYYMMDD>": pattern("%Y%m%d"),
        "<TIME>": constant("000000"),
        **ohlc("<OPEN> <HIGH> <LOW> <CLOSE>", short),
        "<VOL>": volume,
    }
    return table(columns, rows)


@form("Finam", US, B3)
def finam(market: Market, rows: Rows) -> str:
    columns = {
        "<TICKER>": constant(market.bare),
        "<PER>": constant("D"),
        "<DATE>": pattern("%d/%m/%y"),
        "<TIME>": constant("00:00:00"),
        **ohlc("<OPEN> <HIGH> <LOW> <CLOSE>"),
        "<VOL>": volume,
    }
    return table(columns, rows, ";")


@form("Euronext", US, newest_first=True)
def euronext(_market: Market, rows: Rows) -> str:
    above = '"Historical Data"\n"From 2010-01-01 to 2024-03-13"\nFR0000121014\n'
    columns = {
        "Date": latin_day,
        **reordered(ohlc("Open High Low Last"), "Open High Low Last"),
        "Close": fixed("close"),
        "Number of Shares": volume,
        "Number of Trades": lambda row: f"{row.volume // 90}",
        "Turnover": lambda row: f"{turnover(row)}",
        "VWAP": lambda row: f"{(row.high + row.low) / 2:.4f}",
    }
    return table(columns, rows, ";", above=above)


@form("Bloomberg", B3, US)
def bloomberg(market: Market, rows: Rows) -> str:
    above = (
        f"Security,{market.bare} {'BZ' if market is B3 else 'US'} Equity\n"
        f"Start Date,{min(rows).day}\nEnd Date,{max(rows).day}\nPeriod,D\n"
        f"Currency,{'BRL' if market is B3 else 'USD'}\n\n"
    )
    prices = reordered(ohlc("PX_OPEN PX_HIGH PX_LOW PX_LAST"), "PX_LAST PX_OPEN PX_HIGH PX_LOW")
    return table({"Date": iso, **prices, "PX_VOLUME": volume}, rows, above=above)


@form("Bloomberg, Dates and PX_LAST", B3, US, tells=CLOSE)
def bloomberg_dates(_market: Market, rows: Rows) -> str:
    return table({"Dates": iso, "PX_LAST": fixed("close")}, rows)


@form("EOD Historical Data", US, tells=ADJUSTED)
def eodhd(_market: Market, rows: Rows) -> str:
    columns = {**ohlc("Open High Low Close", short), "Adjusted_close": fixed("adj_close")}
    return table({"Date": iso, **columns, **VOLUME}, rows)


@form("Tiingo", US, tells=ADJUSTED)
def tiingo(_market: Market, rows: Rows) -> str:
    adjusted = {
        f"adj{name}": shown(name.lower(), lambda price: short(round(price * Decimal("0.9371"), 6)))
        for name in ("High", "Low", "Open")
    }
    columns = {
        "date": pattern("%Y-%m-%dT00:00:00.000Z"),
        **reordered(ohlc("open high low close"), "close high low open"),
        "volume": volume,
        "adjClose": fixed("adj_close"),
        **adjusted,
        "adjVolume": lambda row: f"{row.volume * 2}",
        "divCash": constant("0.0"),
        "splitFactor": constant("1.0"),
    }
    return table(columns, rows)


@form("Polygon", US)
def polygon(market: Market, rows: Rows) -> str:
    columns = {
        **ohlc("open high low close", short),
        "volume": shown("volume", floating),
        "vwap": lambda row: f"{(row.high + row.low) / 2:.4f}",
        "timestamp": lambda row: f"{unix(row, time(0), market.zone)}000",
        "transactions": lambda row: f"{row.volume // 90}",
    }
    return table(columns, rows)


@form("Alpaca", US)
def alpaca(market: Market, rows: Rows) -> str:
    def midnight(row: Row) -> str:
        return at(row, time(0), market.zone).astimezone(UTC).isoformat(" ")

    columns = {
        "symbol": constant(market.bare),
        "timestamp": midnight,
        **ohlc("open high low close", short),
        "volume": shown("volume", floating),
        "trade_count": lambda row: f"{row.volume // 90}.0",
        "vwap": lambda row: f"{(row.high + row.low) / 2:.4f}",
    }
    return table(columns, rows)


@form("UTC instants of local midnight", *SHARES)
def local_midnights_in_utc(market: Market, rows: Rows) -> str:
    def midnight(row: Row) -> str:
        return at(row, time(0), market.zone).astimezone(UTC).isoformat(" ")

    return table({"Date": midnight, **ohlc("Open High Low Close"), **VOLUME}, rows)


# Google Sheets, Excel, and sheets made by hand.


def _evening(market: Market) -> str:
    return f"{market.closes.hour}:{market.closes.minute:02}:00"


@form("Google Sheets", US)
def google(market: Market, rows: Rows) -> str:
    day = {"Date": lambda row: f"{month_day(row)} {_evening(market)}"}
    return table({**day, **ohlc("Open High Low Close", short), **VOLUME}, rows)


@form("Google Sheets in Portuguese", B3)
def google_portuguese(market: Market, rows: Rows) -> str:
    columns = {
        "Data": lambda row: f"{latin_day(row)} {_evening(market)}",
        **ohlc("Abrir Alta Baixa Fechar", comma),
        **VOLUME,
    }
    return table(columns, rows)


@form("Google Sheets in Portuguese, closes with ;", B3, tells=CLOSE)
def google_semicolon(market: Market, rows: Rows) -> str:
    columns = {
        "Date": lambda row: f"{latin_day(row)} {_evening(market)}",
        "Close": shown("close", comma),
    }
    return table(columns, rows, ";")


def _named(months: Sequence[str], row: Row, year: str) -> str:
    return f"{row.day.day:02}/{months[row.day.month - 1]}/{row.day.strftime(year)}"


@form("Excel in Portuguese, month names", B3)
def excel_months(_market: Market, rows: Rows) -> str:
    columns = {
        "Data": lambda row: _named(PORTUGUESE_MONTHS, row, "%y"),
        **ohlc("Abertura Máxima Mínima Fechamento", comma),
        **VOLUME,
    }
    return table(columns, rows, ";")


@form("Excel in Spanish, month names", US)
def excel_spanish(_market: Market, rows: Rows) -> str:
    columns = {
        "Fecha": lambda row: _named(SPANISH_MONTHS, row, "%Y"),
        **ohlc("Apertura Máximo Mínimo Cierre", latin),
        "Volumen": lambda row: latin(row.volume),
    }
    return table(columns, rows, ";")


@form("Excel in Portuguese", B3, tells=ADJUSTED)
def excel_portuguese(_market: Market, rows: Rows) -> str:
    columns = {
        "Data": latin_day,
        **ohlc("Abertura Máxima Mínima Fechamento", latin),
        "Fechamento Ajustado": shown("adj_close", latin),
        "Volume": lambda row: latin(row.volume),
    }
    return table(columns, rows, ";")


@form("Excel in English", US, tells=ADJUSTED)
def excel_english(_market: Market, rows: Rows) -> str:
    columns = {
        "Date": month_day,
        **ohlc("Open High Low Close", short),
        "Adj Close": shown("adj_close", short),
        **VOLUME,
    }
    return table(columns, rows)


@form("Excel in Switzerland", US)
def excel_swiss(_market: Market, rows: Rows) -> str:
    def apostrophes(number: Decimal | int) -> str:
        return english(number).replace(",", "\N{RIGHT SINGLE QUOTATION MARK}")

    columns = {
        "Date": dotted,
        **ohlc("Open High Low Close", apostrophes),
        "Volume": lambda row: apostrophes(row.volume),
    }
    return table(columns, rows, ";")


# Exchanges and sites.


@form("B3 sheet", B3)
def b3_sheet(market: Market, rows: Rows) -> str:
    columns = {
        "Código": constant(market.bare),
        "Data do Pregão": latin_day,
        "Abertura": shown("open", latin),
        "Máximo": shown("high", latin),
        "Mínimo": shown("low", latin),
        "Médio": lambda row: latin(round((row.high + row.low) / 2, 2)),
        "Fechamento": shown("close", latin),
        "Negócios": lambda row: latin(row.volume // 500),
        "Quantidade": lambda row: latin(row.volume),
        "Volume": lambda row: latin(turnover(row)),
    }
    return table(columns, rows, ";")


@form("NSE", INDIA, newest_first=True)
def nse(_market: Market, rows: Rows) -> str:
    columns = {
        "Date ": lambda row: f"{row.day.day:02}-{ENGLISH_MONTHS[row.day.month - 1]}-{row.day.year}",
        "series ": constant("EQ"),
        "OPEN ": shown("open", indian),
        "HIGH ": shown("high", indian),
        "LOW ": shown("low", indian),
        "PREV. CLOSE ": lambda row: indian(row.open + row.low),
        "ltp ": lambda row: indian(row.close + Decimal("0.05")),
        "close ": shown("close", indian),
        "vwap ": lambda row: indian(round((row.high + row.low) / 2, 2)),
        "52W H ": lambda row: indian(row.high * 2),
        "52W L ": lambda row: indian(round(row.low / 2, 2)),
        "VOLUME ": lambda row: indian(row.volume),
        "VALUE ": lambda row: indian(turnover(row)),
        "No of trades ": lambda row: indian(row.volume // 50),
    }
    return table(columns, rows, quoting=csv.QUOTE_ALL)


@form("Economatica", B3)
def economatica(_market: Market, rows: Rows) -> str:
    columns = {
        "Data": latin_day,
        "Q Negs": lambda row: f"{row.volume // 500}",
        "Q Títs": volume,
        "Volume$": lambda row: f"{int(turnover(row))}",
        "Fechamento": shown("close", comma),
        "Abertura": shown("open", comma),
        "Mínimo": shown("low", comma),
        "Máximo": shown("high", comma),
        "Médio": lambda row: comma(round((row.high + row.low) / 2, 2)),
    }
    return table(columns, rows, ";")


@form("InfoMoney", B3, tells=OHLC, newest_first=True)
def infomoney(_market: Market, rows: Rows) -> str:
    columns = {
        "DATA": latin_day,
        "ABERTURA": shown("open", comma),
        "FECHAMENTO": shown("close", comma),
        "VARIAÇÃO": lambda row: change(row).replace(".", ",").rstrip("%"),
        "MÍNIMO": shown("low", comma),
        "MÁXIMO": shown("high", comma),
        "VOLUME": lambda row: abbreviated(int(turnover(row))).replace(".", ","),
    }
    return table(columns, rows, quoting=csv.QUOTE_ALL)


@form("Status Invest", B3, tells=CLOSE, newest_first=True)
def status_invest(_market: Market, rows: Rows) -> str:
    return table({"DATA": latin_day, "PREÇO": shown("close", latin)}, rows, ";")


@form("Kaggle, Name column", US)
def kaggle(market: Market, rows: Rows) -> str:
    cells = [["date", "open", "high", "low", "close", "volume", "Name"]]
    for name, some in ((market.ticker, rows), (market.other, others(rows))):
        cells += [[iso(row), *map(short, row[1:5]), volume(row), name] for row in some]
    return lines(cells)


@form("Kaggle, Symbol column", US, tells=ADJUSTED)
def kaggle_symbols(market: Market, rows: Rows) -> str:
    cells = [["Date", "Symbol", "Adj Close", "Close", "High", "Low", "Open", "Volume"]]
    for name, some in ((market.other, others(rows)), (market.ticker, rows)):
        for row in some:
            prices = [row.adj_close, row.close, row.high, row.low, row.open]
            cells.append([iso(row), name, *map(floating, prices), floating(row.volume)])
    return lines(cells)


# Crypto.


def _binance(name: str, header: str, per_second: int) -> None:
    @form(name, CRYPTO)
    def binance(_market: Market, rows: Rows) -> str:
        opened, ended, *rest = header.split("|")
        columns = {
            opened: lambda row: f"{unix(row, time(0), 'UTC') * per_second}",
            **ohlc("open high low close" if opened.islower() else "Open High Low Close"),
            "volume" if opened.islower() else "Volume": lambda row: f"{row.volume}.00000000",
            ended: lambda row: f"{(unix(row, time(0), 'UTC') + 86_400) * per_second - 1}",
            rest[0]: lambda row: f"{turnover(row)}",
            rest[1]: lambda row: f"{row.volume // 3}",
            rest[2]: lambda row: f"{row.volume // 2}.00000000",
            rest[3]: lambda row: f"{round(turnover(row) / 2, 2)}",
            rest[4]: constant("0"),
        }
        return table(columns, rows)


_PUBLISHED = (
    "open_time|close_time|quote_volume|count|taker_buy_volume|taker_buy_quote_volume|ignore"
)
_PYTHON = (
    "Open time|Close time|Quote asset volume|Number of trades|Taker buy base asset volume|"
    "Taker buy quote asset volume|Ignore"
)
_binance("Binance, milliseconds", _PUBLISHED, 1000)
_binance("Binance, microseconds", _PUBLISHED, 1_000_000)
_binance("Binance by python-binance", _PYTHON, 1000)


@form("CryptoDataDownload", CRYPTO, newest_first=True)
def crypto_data_download(_market: Market, rows: Rows) -> str:
    columns = {
        "unix": lambda row: f"{unix(row, time(0), 'UTC')}",
        "date": pattern("%Y-%m-%d 00:00:00"),
        "symbol": constant("BTC/USD"),
        **ohlc("open high low close"),
        "Volume BTC": volume,
        "Volume USD": lambda row: f"{turnover(row)}",
    }
    return table(columns, rows, above="https://www.CryptoDataDownload.com\n")


@form("CoinGecko", CRYPTO, tells=CLOSE)
def coingecko(_market: Market, rows: Rows) -> str:
    columns = {
        "snapped_at": pattern("%Y-%m-%d 00:00:00 UTC"),
        "price": shown("close", floating),
        "market_cap": lambda row: floating(turnover(row) * 20),
        "total_volume": lambda row: floating(turnover(row)),
    }
    return table(columns, rows)


@form("CoinMarketCap", CRYPTO, tells=OHLC, newest_first=True)
def coinmarketcap(_market: Market, rows: Rows) -> str:
    def cells(row: Row) -> list[str]:
        opened = f"{row.day}T00:00:00.000Z"
        ended = f"{row.day}T23:59:59.999Z"
        prices = [f"{price:f}" for price in row[1:5]]
        extra = [floating(turnover(row)), floating(turnover(row) * 20)]
        return [opened, ended, opened, ended, "2781", *prices, *extra, ended]

    header = (
        "timeOpen;timeClose;timeHigh;timeLow;name;open;high;low;close;volume;marketCap;timestamp"
    )
    return lines([header.split(";"), *map(cells, rows)], ";")


BY_NAME = {form.name: form for form in FORMS}
