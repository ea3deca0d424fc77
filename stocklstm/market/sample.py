"""The bundled real prices of PETR4.SA, for trying the program without a network."""

from importlib.resources import files

import numpy as np

from stocklstm.core.prices.answers import SourceAnswer
from stocklstm.core.prices.local_time import zone_or_utc
from stocklstm.errors import UnknownTickerError
from stocklstm.market.instrument import guess_instrument
from stocklstm.market.source import FetchRequest
from stocklstm.market.tables.price_file import FileForm, PriceFile

SAMPLE_TICKER = "PETR4.SA"
"""The one ticker that is bundled; `data/PROVENANCE.md` says where its prices come from."""


class SampleSource:
    """Gives the bundled prices."""

    def bundled(self) -> list[str]:
        """List the tickers that are bundled."""
        return [SAMPLE_TICKER]

    def fetch(self, request: FetchRequest) -> SourceAnswer:
        """Read the bundled file from `start` on.

        Raises:
            UnknownTickerError: Another ticker was asked for.
            ConfigError: A file was given.
        """
        request.require_no_file("sample")
        if request.ticker != SAMPLE_TICKER:
            raise UnknownTickerError(
                f"{request.ticker}: the sample holds {SAMPLE_TICKER} only",
                hint=f"take --ticker {SAMPLE_TICKER}, or another --source",
            )
        resource = files("stocklstm").joinpath("data", f"{SAMPLE_TICKER}.csv")
        instrument = guess_instrument(SAMPLE_TICKER)
        file = PriceFile(resource.read_bytes(), resource.name, FileForm())
        found = file.read(SAMPLE_TICKER, instrument.exchange, zone_or_utc(instrument.time_zone))
        bars = found.bars
        if request.start is not None:
            bars = bars.select(bars.dates >= np.datetime64(request.start, "D"))
        return SourceAnswer(instrument, bars, (), found.rejections, "sample")
