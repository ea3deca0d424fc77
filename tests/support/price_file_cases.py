"""Price files as people have them, kind by kind, and what is to be stored or said of each.

Each file is written out as its vendor writes it, and the values beside it were copied from it by
hand: nothing here was read by the program that is tested.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Prices = tuple[float | None, ...]
"""Open, high, low, close, adjusted close, volume."""

Stored = Mapping[str, Prices]
"""By ISO day."""

PETR4: Stored = {
    "2024-03-11": (36.0, 36.9, 35.8, 36.19, 36.19, 60139100),
    "2024-03-12": (36.35, 37.23, 36.16, 36.82, 36.82, 76139100),
    "2024-03-13": (36.9, 37.33, 36.31, 36.38, 36.38, 45140600),
}
VALE3: Stored = {
    "2024-03-11": (61.7, 62.1, 60.9, 61.35, 61.35, 31000200),
    "2024-03-12": (61.4, 61.8, 60.7, 61.1, 61.1, 27000300),
    "2024-03-13": (61.2, 61.9, 60.8, 61.5, 61.5, 25000400),
}
AAPL: Stored = {
    "2024-03-11": (187.0, 188.5, 186.1, 188.1, 188.1, 1000100),
    "2024-03-12": (188.0, 189.9, 187.4, 189.0, 189.0, 1100200),
    "2024-03-13": (189.1, 191.0, 188.5, 190.2, 190.2, 1200300),
}


def closes_of(stored: Stored) -> Stored:
    return {day: (None, None, None, row[3], row[4], None) for day, row in stored.items()}


def without_volume(stored: Stored) -> Stored:
    return {day: (*row[:5], None) for day, row in stored.items()}


def last(stored: Stored, rows: int) -> Stored:
    return {day: stored[day] for day in sorted(stored)[-rows:]}


@dataclass(frozen=True)
class Read:
    """A file that is read.

    Attributes:
        kind: What is special about it.
        vendor: Who writes such files.
        text: The file.
        stored: All that is in the store afterwards, by ticker.
        arguments: Whose prices, and further options.
        says: Words of a warning.
        encoding: Of the file.
    """

    kind: str
    vendor: str
    text: str
    stored: Mapping[str, Stored]
    arguments: str = "--ticker PETR4.SA"
    says: tuple[str, ...] = ()
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Refused:
    """A file that is refused, and what reads it all the same.

    Attributes:
        kind: What is wrong with it.
        vendor: Who writes such files.
        text: The file.
        says: Words of the message.
        next: Words of the line after it.
        arguments: Whose prices, and further options.
        code: Exit code.
        mend: Options that read it, in place of the arguments; "" if only another file helps.
        stored: What is stored then, by ticker.
    """

    kind: str
    vendor: str
    text: str
    says: tuple[str, ...]
    next: tuple[str, ...] = ()
    arguments: str = "--ticker PETR4.SA"
    code: int = 6
    mend: str = ""
    stored: Mapping[str, Stored] = field(default_factory=dict)


TWO_TICKERS = """\
Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume
Ticker,PETR4.SA,VALE3.SA,PETR4.SA,VALE3.SA,PETR4.SA,VALE3.SA,PETR4.SA,VALE3.SA,PETR4.SA,VALE3.SA
Date,,,,,,,,,,
2024-03-11,36.19,61.35,36.9,62.1,35.8,60.9,36.0,61.7,60139100,31000200
2024-03-12,36.82,61.1,37.23,61.8,36.16,60.7,36.35,61.4,76139100,27000300
2024-03-13,36.38,61.5,37.33,61.9,36.31,60.8,36.9,61.2,45140600,25000400
"""
STACKED = """\
Date,Ticker,Close,High,Low,Open,Volume
2024-03-11,PETR4.SA,36.19,36.9,35.8,36.0,60139100.0
2024-03-11,VALE3.SA,61.35,62.1,60.9,61.7,31000200.0
2024-03-12,PETR4.SA,36.82,37.23,36.16,36.35,76139100.0
2024-03-12,VALE3.SA,61.1,61.8,60.7,61.4,27000300.0
2024-03-13,PETR4.SA,36.38,37.33,36.31,36.9,45140600.0
2024-03-13,VALE3.SA,61.5,61.9,60.8,61.2,25000400.0
"""
ATIVO = """\
Ativo;Data;Abertura;Máximo;Mínimo;Fechamento;Volume;Quantidade
PETR4;13/03/2024;36,90;37,33;36,31;36,38;1.652.222.333,00;45.140.600
PETR4;12/03/2024;36,35;37,23;36,16;36,82;2.803.441.662,00;76.139.100
PETR4;11/03/2024;36,00;36,90;35,80;36,19;2.176.434.029,00;60.139.100
"""
KAGGLE = """\
date,open,high,low,close,volume,Name
2024-03-11,14.89,15.01,14.26,14.46,8882000,AAL
2024-03-12,14.45,14.51,14.1,14.27,8126000,AAL
2024-03-11,187.0,188.5,186.1,188.1,1000100,AAPL
2024-03-12,188.0,189.9,187.4,189.0,1100200,AAPL
2024-03-13,189.1,191.0,188.5,190.2,1200300,AAPL
"""
AAL: Stored = {
    "2024-03-11": (14.89, 15.01, 14.26, 14.46, 14.46, 8882000),
    "2024-03-12": (14.45, 14.51, 14.1, 14.27, 14.27, 8126000),
}
BLOOMBERG = """\
Security,PETR4 BZ Equity
Start Date,2024-03-11
End Date,2024-03-13
Period,D
Currency,BRL

Date,PX_LAST,PX_OPEN,PX_HIGH,PX_LOW,PX_VOLUME
2024-03-11,36.19,36.0,36.9,35.8,60139100
2024-03-12,36.82,36.35,37.23,36.16,76139100
2024-03-13,36.38,36.9,37.33,36.31,45140600
"""
HEADER_LINES_VALE3 = """\
Price,Close
Ticker,VALE3.SA
Date,
2024-03-12,61.1
2024-03-13,61.5
"""
STOOQ_BULK = """\
<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>
AAPL.US,D,20240311,000000,187,188.5,186.1,188.1,1000100,0
AAPL.US,D,20240312,000000,188,189.9,187.4,189,1100200,0
AAPL.US,D,20240313,000000,189.1,191,188.5,190.2,1200300,0
"""
ALPACA = """\
symbol,timestamp,open,high,low,close,volume,trade_count,vwap
AAPL,2024-03-11 04:00:00+00:00,187.0,188.5,186.1,188.1,1000100.0,9000.0,187.3
AAPL,2024-03-12 04:00:00+00:00,188.0,189.9,187.4,189.0,1100200.0,9100.0,188.6
AAPL,2024-03-13 04:00:00+00:00,189.1,191.0,188.5,190.2,1200300.0,9200.0,189.8
MSFT,2024-03-11 04:00:00+00:00,403.8,405.7,401.3,404.5,2000100.0,8000.0,404.0
MSFT,2024-03-12 04:00:00+00:00,407.6,415.6,406.8,415.3,2200200.0,8100.0,412.0
"""

WHOSE: list[Read | Refused] = [
    Read("whose", "Kaggle", KAGGLE, {"AAPL": AAPL}, "--ticker AAPL"),
    Read("whose", "yfinance, two tickers", TWO_TICKERS, {"VALE3.SA": VALE3}, "--ticker VALE3.SA"),
    Read("whose", "yfinance, stacked", STACKED, {"PETR4.SA": PETR4}),
    Read("whose", "Profit", ATIVO, {"PETR4.SA": PETR4}),
    Read("whose", "Stooq", STOOQ_BULK, {"AAPL": AAPL}, "--ticker AAPL"),
    Read("whose", "Alpaca", ALPACA, {"AAPL": AAPL}, "--ticker AAPL"),
    Read("whose", "Bloomberg", BLOOMBERG, {"PETR4.SA": PETR4}),
    Read(
        "whose",
        "yfinance, closes by ticker",
        "Date,PETR4.SA,VALE3.SA\n2024-03-11,36.19,61.35\n2024-03-12,36.82,61.1\n"
        "2024-03-13,36.38,61.5\n",
        {"VALE3.SA": closes_of(VALE3)},
        "--ticker VALE3.SA",
    ),
    Refused("another's", "yfinance", HEADER_LINES_VALE3, ("PETR4.SA", "VALE3.SA")),
    Refused("another's", "Kaggle", KAGGLE, ("MSFT", "AAL", "AAPL"), arguments="--ticker MSFT"),
    Refused("another's", "Profit", ATIVO, ("VALE3.SA", "PETR4"), arguments="--ticker VALE3.SA"),
    Refused("another's", "Bloomberg", BLOOMBERG, ("VALE3.SA", "PETR4"), arguments="-t VALE3.SA"),
    Refused("another's", "Stooq", STOOQ_BULK, ("MSFT", "AAPL"), arguments="--ticker MSFT"),
    Refused(
        "another's",
        "yfinance, flattened",
        "Date,Close_VALE3.SA,Open_VALE3.SA\n2024-03-12,61.1,61.4\n2024-03-13,61.5,61.2\n",
        ("PETR4.SA", "VALE3.SA"),
    ),
    Read(
        "several",
        "yfinance, two tickers",
        TWO_TICKERS,
        {"PETR4.SA": PETR4, "VALE3.SA": VALE3},
        "--ticker PETR4.SA --ticker VALE3.SA",
    ),
    Read(
        "several",
        "yfinance, stacked",
        STACKED,
        {"PETR4.SA": PETR4, "VALE3.SA": VALE3},
        "--all-tickers",
    ),
    Read("several", "Kaggle", KAGGLE, {"AAPL": AAPL, "AAL": AAL}, "--all-tickers"),
]

HOURS_YFINANCE = """\
Datetime,Open,High,Low,Close,Volume
2024-03-12 16:00:00-03:00,36.90,36.95,36.70,36.82,4613910
2024-03-12 10:00:00-03:00,36.35,37.23,36.16,36.90,7613910
2024-03-11 16:00:00-03:00,36.40,36.90,36.10,36.19,5013910
2024-03-11 10:00:00-03:00,36.00,36.50,35.80,36.40,6013910
"""
HOURS_METATRADER = """\
<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>
2024.03.11\t10:00:00\t36.00\t36.50\t35.80\t36.40\t900\t6013910\t1
2024.03.11\t11:00:00\t36.40\t36.90\t36.10\t36.19\t800\t5013910\t1
2024.03.12\t10:00:00\t36.35\t37.23\t36.16\t36.90\t700\t7613910\t1
2024.03.12\t11:00:00\t36.90\t36.95\t36.70\t36.82\t600\t4613910\t1
"""
# 13:00, 14:00 and 20:30 of two days in Greenwich: 10:00, 11:00 and 17:30 in Sao Paulo.
HOURS_TRADINGVIEW = """\
time,open,high,low,close,Volume
1710162000,36.00,36.50,35.80,36.40,6013910
1710165600,36.40,36.90,36.10,36.20,5013000
1710189000,36.20,36.25,36.15,36.19,910
1710248400,36.35,37.23,36.16,36.90,7613910
1710252000,36.90,36.95,36.70,36.80,4613000
1710275400,36.80,36.85,36.75,36.82,910
"""
HOURS_STORED: Stored = {
    "2024-03-11": (36.0, 36.9, 35.8, 36.19, 36.19, 11027820),
    "2024-03-12": (36.35, 37.23, 36.16, 36.82, 36.82, 12227820),
}
HOURS_BINANCE = """\
open_time,open,high,low,close,volume,close_time,quote_volume,count
1710201600000,71500.5,72900.0,71000.0,72000.0,10.5,1710244799999,756000.0,100
1710244800000,72000.0,72100.0,69000.0,71450.25,20.25,1710287999999,1446000.0,200
1710288000000,71450.25,73700.0,71300.0,73000.0,30.0,1710331199999,2190000.0,300
1710331200000,73000.0,73777.0,71500.0,73100.5,1.5,1710374399999,109000.0,400
"""
HOURS_BINANCE_STORED: Stored = {
    "2024-03-12": (71500.5, 72900.0, 69000.0, 71450.25, 71450.25, 30.75),
    "2024-03-13": (71450.25, 73777.0, 71300.0, 73100.5, 73100.5, 31.5),
}

WEEKS = {
    "2023-12-18": 36.1,
    "2023-12-26": 37.24,
    "2024-01-02": 37.92,
    "2024-01-08": 37.57,
    "2024-01-15": 37.7,
    "2024-01-22": 39.96,
    "2024-01-29": 41.19,
    "2024-02-05": 41.52,
    "2024-02-12": 42.03,
    "2024-02-19": 42.9,
    "2024-02-26": 40.34,
    "2024-03-04": 36.12,
}
MONTHS = {
    "2023-05-31": 26.08,
    "2023-06-30": 29.5,
    "2023-07-31": 31.13,
    "2023-08-31": 31.92,
    "2023-09-29": 34.59,
    "2023-10-31": 34.78,
    "2023-11-30": 35.78,
    "2023-12-28": 37.24,
    "2024-01-31": 40.45,
    "2024-02-29": 40.2,
}


def latin(day: str) -> str:
    year, month, number = day.split("-")
    return f"{number}.{month}.{year}"


def comma(price: float) -> str:
    return f"{price:.2f}".replace(".", ",")


def only_closes(closes: Mapping[str, float]) -> Stored:
    return {day: (None, None, None, close, close, None) for day, close in closes.items()}


WEEKLY_YAHOO = "Date,Close\n" + "".join(f"{day},{close:.6f}\n" for day, close in WEEKS.items())
WEEKLY_INVESTING = '"Data","Último","Var%"\n' + "".join(
    f'"{latin(day)}","{comma(close)}","0,50%"\n' for day, close in reversed(WEEKS.items())
)
MONTHLY_ALPHA = "timestamp,close\n" + "".join(
    f"{day},{close:.4f}\n" for day, close in reversed(MONTHS.items())
)
MONTHLY_STOOQ = "Date,Close\n" + "".join(f"{day},{close}\n" for day, close in MONTHS.items())
YYYYMM = "Date,Close\n" + "".join(f"{day[:4]}{day[5:7]},{close}\n" for day, close in MONTHS.items())

BARS: list[Read | Refused] = [
    Refused(
        "weekly",
        "Yahoo",
        WEEKLY_YAHOO,
        ("weekly",),
        ("--accept-spacing",),
        mend="--ticker PETR4.SA --accept-spacing",
        stored={"PETR4.SA": only_closes(WEEKS)},
    ),
    Refused(
        "weekly",
        "investing.com in Portuguese",
        WEEKLY_INVESTING,
        ("weekly",),
        ("--accept-spacing",),
        mend="--ticker PETR4.SA --accept-spacing",
        stored={"PETR4.SA": only_closes(WEEKS)},
    ),
    Refused(
        "weekly",
        "TradingView",
        WEEKLY_YAHOO.replace("Date,Close", "time,close"),
        ("weekly",),
        ("--accept-spacing",),
    ),
    Refused(
        "weekly",
        "investing.com, dated on Sundays",
        '"Date","Price","Open"\n"03/10/2024","36.38","36.00"\n"03/03/2024","36.12","40.00"\n'
        '"02/25/2024","40.34","42.60"\n"02/18/2024","42.90","42.00"\n'
        '"02/11/2024","42.03","41.60"\n"02/04/2024","41.52","41.10"\n',
        ("weekly",),
    ),
    Refused(
        "monthly",
        "Alpha Vantage",
        MONTHLY_ALPHA,
        ("monthly",),
        ("--accept-spacing",),
        mend="--ticker PETR4.SA --accept-spacing",
        stored={"PETR4.SA": only_closes(MONTHS)},
    ),
    Refused("monthly", "Stooq", MONTHLY_STOOQ, ("monthly",), ("--accept-spacing",)),
    Refused("monthly", "a table by yyyymm", YYYYMM, ("month",)),
    Read(
        "intraday",
        "yfinance",
        HOURS_YFINANCE,
        {"PETR4.SA": HOURS_STORED},
        says=("America/Sao_Paulo",),
    ),
    Read(
        "intraday",
        "MetaTrader 5",
        HOURS_METATRADER,
        {"PETR4.SA": HOURS_STORED},
        says=("America/Sao_Paulo",),
    ),
    Read(
        "intraday",
        "TradingView",
        HOURS_TRADINGVIEW,
        {"PETR4.SA": HOURS_STORED},
        says=("America/Sao_Paulo",),
    ),
    Read(
        "intraday",
        "Binance",
        HOURS_BINANCE,
        {"BTC-USD": HOURS_BINANCE_STORED},
        "--ticker BTC-USD",
        says=("UTC",),
    ),
]

DATES: list[Read | Refused] = [
    Read(
        "month names",
        "Yahoo page",
        "Date,Open,High,Low,Close,Adj Close,Volume\n"
        '"Mar 13, 2024",36.9,37.33,36.31,36.38,36.38,"45,140,600"\n'
        '"Mar 12, 2024",36.35,37.23,36.16,36.82,36.82,"76,139,100"\n'
        '"Mar 11, 2024",36.00,36.9,35.8,36.19,36.19,"60,139,100"\n',
        {"PETR4.SA": PETR4},
    ),
    Read(
        "month names",
        "NSE",
        '"Date ","series ","OPEN ","HIGH ","LOW ","PREV. CLOSE ","ltp ","close ","vwap ",'
        '"VOLUME ","VALUE "\n'
        '"13-Mar-2024","EQ","2,950.00","2,970.50","2,900.10","2,950.20","2,911.00","2,910.20",'
        '"2,931.15","45,14,060","13,23,14,63,969.00"\n'
        '"12-Mar-2024","EQ","2,940.00","2,960.50","2,930.10","2,940.20","2,949.95","2,950.20",'
        '"2,944.12","35,14,060","10,34,58,13,327.00"\n',
        {
            "RELIANCE.NS": {
                "2024-03-12": (2940.0, 2960.5, 2930.1, 2950.2, 2950.2, 3514060),
                "2024-03-13": (2950.0, 2970.5, 2900.1, 2910.2, 2910.2, 4514060),
            }
        },
        "--ticker RELIANCE.NS",
    ),
    Read(
        "month names",
        "Excel in Portuguese",
        "Data;Abertura;Máxima;Mínima;Fechamento;Volume\n"
        "27/fev/24;43,02;43,26;42,56;42,93;30.276.000\n"
        "11/mar/24;36,00;36,90;35,80;36,19;60.139.100\n",
        {
            "PETR4.SA": {
                "2024-02-27": (43.02, 43.26, 42.56, 42.93, 42.93, 30276000),
                "2024-03-11": PETR4["2024-03-11"],
            }
        },
        encoding="cp1252",
    ),
    Read(
        "month names",
        "Excel in Spanish",
        "Fecha;Cierre\n29-dic-2023;192,53\n02-ene-2024;185,64\n03-ene-2024;184,25\n",
        {"AAPL": only_closes({"2023-12-29": 192.53, "2024-01-02": 185.64, "2024-01-03": 184.25})},
        "--ticker AAPL",
    ),
    Read(
        "Unix time",
        "TradingView",
        "time,open,high,low,close,Volume\n"
        "1710162000,36,36.9,35.8,36.19,60139100\n1710248400,36.35,37.23,36.16,36.82,76139100\n"
        "1710334800,36.9,37.33,36.31,36.38,45140600\n",
        {"PETR4.SA": PETR4},
    ),
    Read(
        "Unix time",
        "Polygon",
        "open,high,low,close,volume,vwap,timestamp,transactions\n"
        "187.0,188.5,186.1,188.1,1000100.0,187.3,1710129600000,9000\n"
        "188.0,189.9,187.4,189.0,1100200.0,188.6,1710216000000,9100\n"
        "189.1,191.0,188.5,190.2,1200300.0,189.8,1710302400000,9200\n",
        {"AAPL": AAPL},
        "--ticker AAPL",
    ),
    Read(
        "Unix time",
        "Binance, microseconds",
        "open_time,open,high,low,close,volume,close_time,quote_volume\n"
        "1710201600000000,71500.5,72900,69000,71450.25,30.75,1710287999999999,2202000\n"
        "1710288000000000,71450.25,73777,71300,73100.5,31.5,1710374399999999,2299000\n",
        {"BTC-USD": HOURS_BINANCE_STORED},
        "--ticker BTC-USD",
    ),
    Read(
        "instants",
        "a service in UTC, Tokyo",
        "Date,Open,High,Low,Close,Volume\n"
        "2024-03-10 15:00:00+00:00,3500,3550,3480,3520,20000000\n"
        "2024-03-11 15:00:00+00:00,3520,3570,3500,3540,21000000\n"
        "2024-03-12 15:00:00+00:00,3540,3590,3520,3560,22000000\n",
        {
            "7203.T": {
                "2024-03-11": (3500.0, 3550.0, 3480.0, 3520.0, 3520.0, 20000000),
                "2024-03-12": (3520.0, 3570.0, 3500.0, 3540.0, 3540.0, 21000000),
                "2024-03-13": (3540.0, 3590.0, 3520.0, 3560.0, 3560.0, 22000000),
            }
        },
        "--ticker 7203.T",
    ),
    Read(
        "instants",
        "Tiingo, session dates as midnights of UTC",
        "date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,"
        "splitFactor\n"
        "2024-03-11T00:00:00.000Z,188.1,188.5,186.1,187.0,1000100,187.9,188.3,185.9,186.8,"
        "1000100,0.0,1.0\n"
        "2024-03-12T00:00:00.000Z,189.0,189.9,187.4,188.0,1100200,188.8,189.7,187.2,187.8,"
        "1100200,0.0,1.0\n",
        {
            "AAPL": {
                "2024-03-11": (187.0, 188.5, 186.1, 188.1, 187.9, 1000100),
                "2024-03-12": (188.0, 189.9, 187.4, 189.0, 188.8, 1100200),
            }
        },
        "--ticker AAPL",
    ),
    Read(
        "instants",
        "yfinance history",
        "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits\n"
        "2024-03-11 00:00:00-03:00,36.0,36.9,35.8,36.19,60139100,0.0,0.0\n"
        "2024-03-12 00:00:00-03:00,36.35,37.23,36.16,36.82,76139100,0.0,0.0\n"
        "2024-03-13 00:00:00-03:00,36.9,37.33,36.31,36.38,45140600,0.0,0.0\n",
        {"PETR4.SA": PETR4},
    ),
    Read(
        "instants",
        "TradingView, session opens",
        "time,open,high,low,close,Volume\n"
        "2024-03-08T14:30:00Z,169.0,173.7,168.94,170.73,76114600\n"
        "2024-03-11T13:30:00Z,187,188.5,186.1,188.1,1000100\n",
        {
            "AAPL": {
                "2024-03-08": (169.0, 173.7, 168.94, 170.73, 170.73, 76114600),
                "2024-03-11": AAPL["2024-03-11"],
            }
        },
        "--ticker AAPL",
    ),
    Refused(
        "two kinds of dates",
        "Excel, half converted",
        "Date,Open,High,Low,Close\n"
        "03/11/2024,22517.5,22526.6,22307.25,22332.65\n"
        "03/12/2024,22334.45,22452.55,22256,22335.7\n"
        "13-03-2024,22432.2,22446.75,21905.65,21997.7\n"
        "14-03-2024,21982.55,22204.6,21917.5,22146.65\n",
        ("03/11/2024", "13-03-2024"),
        arguments="--ticker ^NSEI",
    ),
    Refused(
        "two kinds of dates",
        "Excel in Portuguese, half converted",
        "Data;Fechamento\n2024-03-11;36,19\n2024-03-12;36,82\n13/03/2024;36,38\n14/03/2024;36,50\n",
        ("2024-03-11", "13/03/2024"),
    ),
    Refused(
        "two kinds of dates",
        "investing.com, joined with another download",
        '"Date","Price"\n"03/13/2024","190.20"\n"03/12/2024","189.00"\n"14.03.2024","191.10"\n'
        '"15.03.2024","191.20"\n',
        ("03/13/2024", "14.03.2024"),
        arguments="--ticker AAPL",
    ),
    Refused(
        "two orders",
        "a sheet that Excel half converted",
        "Date,Close\n11/03/2024,36.19\n12/03/2024,36.82\n03/13/2024,36.38\n03/14/2024,36.50\n",
        ("11/03/2024", "03/13/2024"),
    ),
    Refused(
        "two orders",
        "investing.com, two languages joined",
        '"Data","Último"\n"03.15.2024","36,60"\n"03.14.2024","36,50"\n"13.03.2024","36,38"\n',
        ("03.15.2024", "13.03.2024"),
    ),
    Refused(
        "two orders",
        "two brokers' files joined",
        "Date;Close\n2024-03-11;36,19\n2024-03-12;36,82\n2024-13-03;36,38\n2024-14-03;36,50\n",
        ("2024-13-03",),
        ("--date-format",),
    ),
    Refused(
        "two readings",
        "investing.com",
        '"Date","Price","Open","High","Low","Vol.","Change %"\n'
        '"03/12/2024","36.82","36.35","37.23","36.16","76.14M","1.74%"\n',
        ("03/12/2024",),
        ("--date-format", "%m/%d/%Y"),
        mend="--ticker PETR4.SA --date-format %m/%d/%Y",
        stored={"PETR4.SA": {"2024-03-12": (36.35, 37.23, 36.16, 36.82, 36.82, 76140000)}},
        code=2,
    ),
    Refused(
        "two readings",
        "Excel in Portuguese",
        "Data;Fechamento\n04/03/2024;36,12\n05/03/2024;36,70\n",
        ("04/03/2024",),
        ("--date-format", "%d/%m/%Y"),
        mend="--ticker PETR4.SA --date-format %d/%m/%Y",
        stored={"PETR4.SA": only_closes({"2024-03-04": 36.12, "2024-03-05": 36.7})},
        code=2,
    ),
    Refused(
        "two readings",
        "Wall Street Journal",
        "Date, Open, High, Low, Close\n03/05/24, 36.1, 36.9, 36.0, 36.70\n"
        "03/04/24, 36.1, 36.9, 36.0, 36.12\n",
        ("03/05/24",),
        ("--date-format", "%m/%d/%y"),
        mend="--ticker PETR4.SA --date-format %m/%d/%y",
        stored={
            "PETR4.SA": {
                "2024-03-04": (36.1, 36.9, 36.0, 36.12, 36.12, None),
                "2024-03-05": (36.1, 36.9, 36.0, 36.7, 36.7, None),
            }
        },
        code=2,
    ),
]

HEADERS: list[Read | Refused] = [
    Read(
        "headers",
        "Alpha Vantage",
        "timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient\n"
        "2024-03-13,189.10,191.00,188.50,190.20,190.20,1200300,0.0000,1.0\n"
        "2024-03-12,188.00,189.90,187.40,189.00,189.00,1100200,0.0000,1.0\n"
        "2024-03-11,187.00,188.50,186.10,188.10,188.10,1000100,0.0000,1.0\n",
        {"AAPL": AAPL},
        "--ticker AAPL",
    ),
    Read(
        "headers",
        "pandas, unnamed index",
        ",Open,High,Low,Close,Adj Close,Volume\n"
        "2024-03-11,36.0,36.9,35.8,36.19,36.19,60139100\n"
        "2024-03-12,36.35,37.23,36.16,36.82,36.82,76139100\n"
        "2024-03-13,36.9,37.33,36.31,36.38,36.38,45140600\n",
        {"PETR4.SA": PETR4},
    ),
    Read(
        "headers",
        "pandas, numbered rows",
        ",Date,Open,High,Low,Close,Volume\n"
        "0,2024-03-11,36.0,36.9,35.8,36.19,60139100\n"
        "1,2024-03-12,36.35,37.23,36.16,36.82,76139100\n"
        "2,2024-03-13,36.9,37.33,36.31,36.38,45140600\n",
        {"PETR4.SA": PETR4},
    ),
    Read(
        "flattened",
        "yfinance, Close_T",
        "Date,Close_PETR4.SA,High_PETR4.SA,Low_PETR4.SA,Open_PETR4.SA,Volume_PETR4.SA\n"
        "2024-03-11,36.19,36.9,35.8,36.0,60139100\n2024-03-12,36.82,37.23,36.16,36.35,76139100\n"
        "2024-03-13,36.38,37.33,36.31,36.9,45140600\n",
        {"PETR4.SA": PETR4},
    ),
    Read(
        "flattened",
        "yfinance, tuples",
        "Date,\"('Close', 'PETR4.SA')\",\"('High', 'PETR4.SA')\",\"('Low', 'PETR4.SA')\","
        "\"('Open', 'PETR4.SA')\",\"('Volume', 'PETR4.SA')\"\n"
        "2024-03-11,36.19,36.9,35.8,36.0,60139100\n2024-03-12,36.82,37.23,36.16,36.35,76139100\n"
        "2024-03-13,36.38,37.33,36.31,36.9,45140600\n",
        {"PETR4.SA": PETR4},
    ),
    Read(
        "flattened",
        "yfinance, T_Close",
        "Date,PETR4.SA_Open,PETR4.SA_High,PETR4.SA_Low,PETR4.SA_Close,PETR4.SA_Adj Close,"
        "PETR4.SA_Volume\n"
        "2024-03-11,36.0,36.9,35.8,36.19,36.0,60139100\n"
        "2024-03-12,36.35,37.23,36.16,36.82,36.5,76139100\n",
        {
            "PETR4.SA": {
                "2024-03-11": (36.0, 36.9, 35.8, 36.19, 36.0, 60139100),
                "2024-03-12": (36.35, 37.23, 36.16, 36.82, 36.5, 76139100),
            }
        },
    ),
    Read("lines above", "Bloomberg", BLOOMBERG, {"PETR4.SA": PETR4}),
    Read(
        "lines above",
        "CryptoDataDownload",
        "https://www.CryptoDataDownload.com\n"
        "unix,date,symbol,open,high,low,close,Volume BTC,Volume USD\n"
        "1710288000,2024-03-13 00:00:00,BTC/USD,71450.25,73777,71300,73100.5,31.5,2299000\n"
        "1710201600,2024-03-12 00:00:00,BTC/USD,71500.5,72900,69000,71450.25,30.75,2202000\n",
        {"BTC-USD": HOURS_BINANCE_STORED},
        "--ticker BTC-USD",
    ),
    Read(
        "lines above",
        "a sheet with a title",
        "Petrobras PN;;;\nCotações diárias, em R$;;;\n;;;\nData;Abertura;Fechamento;Quantidade\n"
        "11/03/2024;36,00;36,19;60.139.100\n13/03/2024;36,90;36,38;45.140.600\n",
        {
            "PETR4.SA": {
                "2024-03-11": (36.0, None, None, 36.19, 36.19, 60139100),
                "2024-03-13": (36.9, None, None, 36.38, 36.38, 45140600),
            }
        },
    ),
    Read(
        "words",
        "Google Sheets in Portuguese",
        "Data,Fechar\n"
        '11/03/2024 16:56:00,"36,19"\n12/03/2024 16:56:00,"36,82"\n13/03/2024 16:56:00,"36,38"\n',
        {"PETR4.SA": closes_of(PETR4)},
    ),
    Read(
        "words",
        "investing.com in Spanish",
        '"Fecha","Último","Apertura","Máximo","Mínimo","Vol.","% var."\n'
        '"13.03.2024","36,38","36,90","37,33","36,31","45,14M","-1,19%"\n'
        '"12.03.2024","36,82","36,35","37,23","36,16","76,14M","1,74%"\n',
        {
            "PETR4.SA": {
                "2024-03-12": (36.35, 37.23, 36.16, 36.82, 36.82, 76140000),
                "2024-03-13": (36.9, 37.33, 36.31, 36.38, 36.38, 45140000),
            }
        },
    ),
    Read(
        "words",
        "a bank in Spanish",
        "Fecha;Cierre\n11/03/2024;36,19\n12/03/2024;36,82\n13/03/2024;36,38\n",
        {"PETR4.SA": closes_of(PETR4)},
    ),
    Read("turnover and quantity", "Profit", ATIVO, {"PETR4.SA": PETR4}),
    Read(
        "turnover and quantity",
        "B3 sheet",
        "Código;Data do Pregão;Abertura;Máximo;Mínimo;Médio;Fechamento;Negócios;Quantidade;Volume\n"
        "PETR4;12/03/2024;36,35;37,23;36,16;36,70;36,82;90.211;76.139.100;2.794.304.970,00\n"
        "PETR4;13/03/2024;36,90;37,33;36,31;36,77;36,38;60.111;45.140.600;1.659.819.862,00\n",
        {"PETR4.SA": last(PETR4, 2)},
    ),
    Read(
        "turnover and quantity",
        "Binance by python-binance",
        "Open time,Open,High,Low,Close,Volume,Close time,Quote asset volume,Number of trades,"
        "Taker buy base asset volume,Taker buy quote asset volume,Ignore\n"
        "1710201600000,71500.5,72900,69000,71450.25,30.75,1710287999999,2202000,9,11,880000,0\n"
        "1710288000000,71450.25,73777,71300,73100.5,31.5,1710374399999,2299000,9,12,880000,0\n",
        {"BTC-USD": HOURS_BINANCE_STORED},
        "--ticker BTC-USD",
    ),
    Refused(
        "unknown headers",
        "a terminal",
        "Dates,PX_LST\n2024-03-11,36.19\n2024-03-12,36.82\n2024-03-13,36.38\n",
        ("Dates", "PX_LST"),
        ("--columns",),
        mend="--ticker PETR4.SA --columns close=PX_LST,date=Dates",
        stored={"PETR4.SA": closes_of(PETR4)},
    ),
    Refused(
        "unknown headers",
        "a sheet in German",
        "Tag;Schluss\n11.03.2024;36,19\n12.03.2024;36,82\n13.03.2024;36,38\n",
        ("Tag", "Schluss"),
        ("--columns",),
        mend="--ticker PETR4.SA --columns close=Schluss,date=Tag",
        stored={"PETR4.SA": closes_of(PETR4)},
    ),
    Refused(
        "unknown headers",
        "a script of one's own",
        "when,first,max,min,final,shares\n2024-03-12,36.35,37.23,36.16,36.82,76139100\n"
        "2024-03-13,36.9,37.33,36.31,36.38,45140600\n",
        ("when", "final"),
        ("--columns",),
        mend="--ticker PETR4.SA --columns "
        "date=when,open=first,high=max,low=min,close=final,volume=shares",
        stored={"PETR4.SA": last(PETR4, 2)},
    ),
]

NUMBERS: list[Read | Refused] = [
    Read(
        "three decimals",
        "Excel in Portuguese",
        "Date;Close\n2024-03-13;36,125\n2024-03-14;36,500\n",
        {"PETR4.SA": only_closes({"2024-03-13": 36.125, "2024-03-14": 36.5})},
    ),
    Read(
        "three decimals",
        "Stooq",
        "Date,Open,High,Low,Close,Volume\n"
        "2024-03-12,36.350,37.230,36.160,36.825,76139100\n"
        "2024-03-13,36.900,37.330,36.310,36.385,45140600\n",
        {
            "PETR4.SA": {
                "2024-03-12": (36.35, 37.23, 36.16, 36.825, 36.825, 76139100),
                "2024-03-13": (36.9, 37.33, 36.31, 36.385, 36.385, 45140600),
            }
        },
    ),
    Read(
        "three decimals",
        "MetaTrader 5",
        "<DATE>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
        "2024.03.12\t149.100\t149.900\t148.500\t149.250\t900\t7613\t1\n"
        "2024.03.13\t149.250\t150.100\t149.000\t149.875\t800\t4514\t1\n",
        {
            "AAPL": {
                "2024-03-12": (149.1, 149.9, 148.5, 149.25, 149.25, 7613),
                "2024-03-13": (149.25, 150.1, 149.0, 149.875, 149.875, 4514),
            }
        },
        "--ticker AAPL",
    ),
    Read(
        "thousands",
        "investing.com",
        '"Date","Price","Open","High","Low","Vol.","Change %"\n'
        '"03/13/2024","5,165.31","5,173.49","5,179.14","5,151.88","","-0.19%"\n'
        '"03/12/2024","5,175.27","5,134.30","5,179.87","5,114.48","","1.12%"\n',
        {
            "^GSPC": {
                "2024-03-12": (5134.3, 5179.87, 5114.48, 5175.27, 5175.27, None),
                "2024-03-13": (5173.49, 5179.14, 5151.88, 5165.31, 5165.31, None),
            }
        },
        "--ticker ^GSPC",
    ),
    Read(
        "thousands",
        "investing.com in Portuguese",
        '"Data","Último","Abertura","Máxima","Mínima","Vol.","Var%"\n'
        '"13.03.2024","127.689","127.667","128.119","127.167","8,74B","0,02%"\n'
        '"12.03.2024","127.668","126.124","127.949","126.124","9,53B","1,22%"\n',
        {
            "^BVSP": {
                "2024-03-12": (126124.0, 127949.0, 126124.0, 127668.0, 127668.0, 9530000000),
                "2024-03-13": (127667.0, 128119.0, 127167.0, 127689.0, 127689.0, 8740000000),
            }
        },
        "--ticker ^BVSP",
    ),
    Read(
        "thousands",
        "a bank in Switzerland",
        "Datum;Date;Open;Close;Volume\nx;12.03.2024;11'600.50;11'650.75;1'200'300\n"
        "x;13.03.2024;11'650.75;11'700.25;1'300'400\n",
        {
            "^SSMI": {
                "2024-03-12": (11600.5, None, None, 11650.75, 11650.75, 1200300),
                "2024-03-13": (11650.75, None, None, 11700.25, 11700.25, 1300400),
            }
        },
        "--ticker ^SSMI",
    ),
    Read(
        "dollars",
        "Nasdaq",
        "Date,Close/Last,Volume,Open,High,Low\n"
        "03/13/2024,$190.20,1200300,$189.10,$191.00,$188.50\n"
        "03/12/2024,$189.00,1100200,$188.00,$189.90,$187.40\n"
        "03/11/2024,$188.10,1000100,$187.00,$188.50,$186.10\n",
        {"AAPL": AAPL},
        "--ticker AAPL",
    ),
    Refused(
        "two readings of numbers",
        "Excel, closes alone",
        "Data;Fechamento\n13/03/2024;118.532\n14/03/2024;118.000\n",
        ("118.532",),
        ("--decimal",),
        arguments="--ticker ^BVSP",
        mend="--ticker ^BVSP --decimal ,",
        stored={"^BVSP": only_closes({"2024-03-13": 118532.0, "2024-03-14": 118000.0})},
        code=2,
    ),
    Refused(
        "two readings of numbers",
        "a site, quoted",
        '"Date","Close"\n"2024-03-13","5,165"\n"2024-03-14","5,150"\n',
        ("5,165",),
        ("--decimal",),
        arguments="--ticker ^GSPC",
        mend="--ticker ^GSPC --decimal .",
        stored={"^GSPC": only_closes({"2024-03-13": 5165.0, "2024-03-14": 5150.0})},
        code=2,
    ),
]

ZEROS: list[Read | Refused] = [
    Read(
        "no open, high and low",
        "Yahoo",
        "Date,Open,High,Low,Close,Adj Close,Volume\n"
        "2023-08-04,30.700001,31.139999,29.740000,30.000000,28.5,120685800\n"
        "2023-08-08,0.000000,0.000000,0.000000,30.220000,28.709,0\n",
        {
            "PETR4.SA": {
                "2023-08-04": (30.700001, 31.139999, 29.74, 30.0, 28.5, 120685800),
                "2023-08-08": (None, None, None, 30.22, 28.709, 0),
            }
        },
    ),
    Read(
        "no open, high and low",
        "yfinance",
        "Price,Close,High,Low,Open,Volume\n"
        "Ticker,^GSPC,^GSPC,^GSPC,^GSPC,^GSPC\nDate,,,,,\n"
        "1975-03-12,83.58999633789062,84.72999572753906,82.87000274658203,0.0,19840000\n"
        "1975-03-13,83.73999786376953,84.43000030517578,82.86000061035156,0.0,18620000\n",
        {
            "^GSPC": {
                "1975-03-12": (
                    None,
                    84.72999572753906,
                    82.87000274658203,
                    83.58999633789062,
                    83.58999633789062,
                    19840000,
                ),
                "1975-03-13": (
                    None,
                    84.43000030517578,
                    82.86000061035156,
                    83.73999786376953,
                    83.73999786376953,
                    18620000,
                ),
            }
        },
        "--ticker ^GSPC",
    ),
    Read(
        "no open, high and low",
        "Excel in Portuguese",
        "Data;Abertura;Máxima;Mínima;Fechamento\n12/03/2024;0,00;0,00;0,00;36,82\n"
        "13/03/2024;;;;36,38\n",
        {
            "PETR4.SA": {
                "2024-03-12": (None, None, None, 36.82, 36.82, None),
                "2024-03-13": (None, None, None, 36.38, 36.38, None),
            }
        },
    ),
]

TWO_CLOSES = "Date,Close\n2024-03-12,36.82\n2024-03-13,36.38\n"

MARKETS: list[Read | Refused] = [
    *(
        Refused(
            "no American share",
            ticker,
            TWO_CLOSES,
            (ticker,),
            (f"{ticker}.SA",),
            arguments=f"--ticker {ticker}",
            code=2,
        )
        for ticker in ("PETR4", "HGLG11", "SANB11", "TSLA34")
    ),
    Refused("spelling", "BRK.B", TWO_CLOSES, (), ("BRK-B",), arguments="--ticker BRK.B", code=2),
    *(
        # 9 and 10 March 2024 are a weekend.
        Read(
            "every day",
            ticker,
            "Date,Close\n2024-03-08,36.5\n2024-03-09,36.6\n2024-03-10,36.7\n2024-03-11,36.8\n",
            {
                ticker: only_closes(
                    {
                        "2024-03-08": 36.5,
                        "2024-03-09": 36.6,
                        "2024-03-10": 36.7,
                        "2024-03-11": 36.8,
                    }
                )
            },
            f"--ticker {ticker}",
        )
        for ticker in ("BTC-USD", "BTC-GBP", "BTCUSDT")
    ),
]

CASES = [*ZEROS, *MARKETS, *WHOSE, *BARS, *DATES, *HEADERS, *NUMBERS]
