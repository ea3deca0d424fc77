"""Stored prices as files for other programs."""

import csv
import io
from collections.abc import Callable

import numpy as np

from stocklstm.core.prices.series import Bars
from stocklstm.errors import ConfigError
from stocklstm.store.store import Store

FORMATS = ("csv", "parquet")

Encoder = Callable[[Store, str], bytes]
"""Turns the prices of a ticker into the content of a file."""

# The columns that fetch knows, then those it passes over.
_CSV_HEADER = (
    *("Date", "Open", "High", "Low", "Close", "Adj Close", "Volume"),
    *("Dividends", "Stock Splits", "Source", "Fetched At"),
)


def encoder(file_format: str) -> Encoder:
    """Find what writes a format.

    Args:
        file_format: One of `FORMATS`.

    Raises:
        ConfigError: It is Parquet, and pyarrow is not installed.
    """
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
        raise ConfigError(
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
