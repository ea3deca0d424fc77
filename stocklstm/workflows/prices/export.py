"""prices export: stored prices as files for other programs."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from stocklstm.core.batch import Batch, Result, for_each
from stocklstm.core.prices.series import Bars
from stocklstm.core.reference import StoredTicker, parse_ticker
from stocklstm.errors import ConfigError, MissingPackageError
from stocklstm.store.paths import file_name
from stocklstm.store.store import Store
from stocklstm.store.user_files import is_directory, write_file

FORMATS = ("csv", "parquet")

Encoder = Callable[[Store, str], bytes]
"""Turns the prices of a ticker into the content of a file."""

# The columns that fetch knows, then those it passes over.
_CSV_HEADER = (
    *("Date", "Open", "High", "Low", "Close", "Adj Close", "Volume"),
    *("Dividends", "Stock Splits", "Source", "Fetched At"),
)


@dataclass(frozen=True, repr=False)
class Export(Result):
    """One exported ticker.

    Attributes:
        ticker: Ticker whose prices were written.
        path: The file; None if `content` is to be written to standard output.
        format: "csv" or "parquet".
        rows: Sessions.
        content: The CSV text where there is no file.
    """

    SHOWN = ("ticker", "format", "rows", "path")

    ticker: str
    path: str | None
    format: str
    rows: int
    content: str = ""


class ExportResult(Batch[Export]):
    """The exported tickers."""

    @property
    def exports(self) -> tuple[Export, ...]:
        """The same as `results`."""
        return self.results


@dataclass(frozen=True)
class ExportPlan:
    """An export whose options have been checked, before any store is opened.

    Attributes:
        tickers: As typed, each once.
        format: "csv" or "parquet".
        out: A file, or a directory that gets one for each ticker; None for the text alone.
        into_directory: Which of the two.
        encode: Turns the prices of a ticker into the content of a file.
    """

    tickers: tuple[str, ...]
    format: str
    out: Path | None
    into_directory: bool
    encode: Encoder


def plan_export(tickers: Sequence[str], out: Path | None, file_format: str | None) -> ExportPlan:
    """Check what is asked for; see `Client.export_prices`."""
    names = tuple(dict.fromkeys(name.strip().upper() for name in tickers))
    if not names:
        raise ConfigError("no ticker was given", hint="stocklstm prices export --ticker PETR4.SA")
    into_directory = out is not None and is_directory(out)
    chosen = _format(None if into_directory else out, file_format)
    if chosen == "parquet" and out is None:
        raise ConfigError(
            "Parquet is not text: it needs a file", hint="name it: --out PETR4.SA.parquet"
        )
    if len(names) > 1 and not into_directory:
        raise ConfigError(
            "several tickers need a directory to be written to",
            hint="name one that exists: --out DIRECTORY",
        )
    return ExportPlan(names, chosen, out, into_directory, _encoder(chosen))


def export_prices(store: Store, plan: ExportPlan) -> ExportResult:
    """Write stored prices to files that other programs read; see `Client.export_prices`."""

    def task(ticker: str) -> Export:
        content, rows = plan.encode(store, ticker), len(store.prices.dates(ticker))
        if plan.out is None:
            return Export(ticker, None, plan.format, rows, content.decode())
        name = file_name(f"{ticker}.{plan.format}")
        path = plan.out / name if plan.into_directory else plan.out
        write_file(path, content)
        return Export(ticker, str(path), plan.format, rows)

    return ExportResult(*for_each(plan.tickers, partial(_named, store), task))


def _named(store: Store, text: str) -> str:
    """Read a ticker; one that is stored can be taken away, whatever it would be called today."""
    name = text.strip().upper()
    return parse_ticker(StoredTicker(name) if store.prices.has(name) else text)


def _format(file: Path | None, wanted: str | None) -> str:
    suffix = "" if file is None else file.suffix.lstrip(".").lower()
    chosen = wanted or (suffix if suffix in FORMATS else "csv")
    if chosen not in FORMATS:
        raise ConfigError(f"there is no format {chosen!a}", hint=f"take {' or '.join(FORMATS)}")
    return chosen


def _encoder(file_format: str) -> Encoder:
    return _parquet_encoder() if file_format == "parquet" else _csv


def rows_of(bars: Bars) -> list[tuple[str, float, float, float, float, float, float]]:
    """Turn bars into rows: the ISO day, open, high, low, close, adjusted close, volume."""
    numbers = (bars.opens, bars.highs, bars.lows, bars.closes, bars.adj_closes, bars.volumes)
    columns = [values.tolist() for values in numbers]
    return list(zip(bars.dates.astype(str).tolist(), *columns, strict=True))


def _events(store: Store, ticker: str, bars: Bars) -> tuple[list[float], list[float]]:
    """Give the dividend (0 for none) and the split (0 for none) of each row's day."""
    values = {(action.date, action.kind): action.value for action in store.prices.actions(ticker)}
    days = bars.dates.astype(str).tolist()
    dividends = [values.get((day, "dividend"), 0.0) for day in days]
    return dividends, [values.get((day, "split"), 0.0) for day in days]


def _csv(store: Store, ticker: str) -> bytes:
    bars, origins = store.prices.bars(ticker), store.prices.provenance(ticker)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV_HEADER)
    events = zip(*_events(store, ticker, bars), strict=True)
    for row, event, source, at in zip(
        rows_of(bars), events, origins.sources, origins.fetched_at, strict=True
    ):
        # Python writes a float in the fewest digits that give it back to the last bit.
        numbers = ["" if np.isnan(value) else repr(value) for value in row[1:]]
        writer.writerow([row[0], *numbers, *map(repr, event), source, at])
    return text.getvalue().encode()


def _parquet_encoder() -> Callable[[Store, str], bytes]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingPackageError(
            "Parquet files need the package pyarrow, which is not installed",
            hint="pip install 'stocklstm[parquet]', or take --format csv",
        ) from error

    def encode(store: Store, ticker: str) -> bytes:
        bars, origins = store.prices.bars(ticker), store.prices.provenance(ticker)
        instrument = store.prices.instrument(ticker)
        dividends, splits = _events(store, ticker, bars)
        columns = {
            "date": pa.array(bars.dates),
            "open": pa.array(bars.opens, from_pandas=True),
            "high": pa.array(bars.highs, from_pandas=True),
            "low": pa.array(bars.lows, from_pandas=True),
            "close": pa.array(bars.closes),
            "adj_close": pa.array(bars.adj_closes),
            "volume": pa.array(bars.volumes, from_pandas=True),
            "dividend": pa.array(dividends),
            "split": pa.array(splits),
            "source": pa.array(origins.sources),
            "fetched_at": pa.array(origins.fetched_at),
        }
        traits = {
            "ticker": ticker,
            "currency": instrument.currency,
            "exchange": instrument.exchange,
            "time_zone": instrument.time_zone,
        }
        table = pa.table(columns).replace_schema_metadata(traits)
        sink = pa.BufferOutputStream()
        parquet.write_table(table, sink)
        return bytes(sink.getvalue())

    return encode
