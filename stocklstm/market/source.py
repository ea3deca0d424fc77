"""What a source of prices is, and how one is found by name.

A source is any class without constructor arguments that has the `fetch` of `PriceSource`,
registered under the entry-point group `stocklstm.sources`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from stocklstm.core.prices.answers import SourceAnswer
from stocklstm.core.prices.realised import IntradayBars
from stocklstm.errors import ConfigError

GROUP = "stocklstm.sources"


@dataclass(frozen=True)
class FetchRequest:
    """What is asked of a source.

    Example:
        >>> stocklstm.FetchRequest("PETR4.SA", start="2024-01-01").start
        '2024-01-01'

    Attributes:
        ticker: Checked and in upper case.
        file: For sources that read one.
        date_format: strptime pattern of the dates in the file; None to find it out.
        start: First ISO day wanted; None for all there is.
        exchange: Calendar that somebody chose for the ticker, "" for plain weekdays, or that is
            known of it where its name says otherwise; None if the source's own holds.
        decimal: What precedes the decimals in the file, "." or ","; None to find it out.
        columns: Pairs of what a column of the file holds, such as close, and its name there.
        accept_spacing: Take rows that lie weeks or months apart.
    """

    ticker: str
    file: Path | None = None
    date_format: str | None = None
    start: str | None = None
    exchange: str | None = None
    decimal: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    accept_spacing: bool = False

    def require_no_file(self, source: str) -> None:
        """Refuse a file that a source would ignore.

        Args:
            source: Name of the source.

        Raises:
            ConfigError: A file was given.
        """
        if self.file is not None:
            raise ConfigError(
                f"the source {source} reads no file, but --file was given",
                hint=f"stocklstm fetch --ticker {self.ticker} --source csv --file {self.file}",
            )


class PriceSource(Protocol):
    """Somewhere that daily bars come from.

    A source on a network may have a `pause_s`: seconds to leave between two tickers.
    """

    def fetch(self, request: FetchRequest) -> SourceAnswer:
        """Get what the source holds of a ticker, unjudged.

        Raises:
            UnknownTickerError: The source does not know the ticker.
            RejectedDataError: The answer cannot be read.
            NetworkError: There was no usable answer; RateLimitedError if the source says stop.
            ConfigError: The request lacks something this source needs.
        """


@dataclass(frozen=True)
class IntradayRequest:
    """What is asked of a source that has bars within sessions.

    Attributes:
        ticker: Checked and in upper case.
        minutes: Length of the bars.
        start: First ISO day wanted.
    """

    ticker: str
    minutes: int
    start: str


@runtime_checkable
class IntradaySource(Protocol):
    """A source that also has bars within sessions, and is asked for them by a request more.

    Attributes:
        reaches: How many days back it has bars, by their length in minutes.
    """

    reaches: Mapping[int, int]

    def fetch_intraday(self, request: IntradayRequest) -> IntradayBars:
        """Get the bars there are, unjudged: also those of sessions that go on.

        Raises:
            RejectedDataError: The source has no bars of this length, or not so far back.
            StockLstmError: As `PriceSource.fetch`.
        """


@runtime_checkable
class ArchiveSource(Protocol):
    """A source whose files hold many tickers each: `fetch` is not asked where files are named."""

    def read(
        self, file: Path, tickers: Collection[str] | None = None
    ) -> Mapping[str, SourceAnswer]:
        """Read a whole file once for all tickers, perhaps in a process of its own.

        Args:
            file: Of the kind.
            tickers: Those wanted, as Yahoo names them; None for all that it holds.

        Returns:
            By ticker what the file holds; it may have to be pickled.

        Raises:
            NotFoundError: There is no such file; RejectedDataError if it is not of the kind.
        """


@runtime_checkable
class TableSource(Protocol):
    """A source whose file may name several tickers; it is read once for all of them."""

    def tickers(self, request: FetchRequest) -> Sequence[str]:
        """List the tickers that the file of a request names, whichever was asked for, or none.

        Raises:
            StockLstmError: As `PriceSource.fetch`.
        """


def source_names() -> list[str]:
    """List the sources by name, without importing any."""
    return sorted(entry_points(group=GROUP).names)


def load_source(name: str) -> PriceSource:
    """Import one source by its entry-point name and make it.

    Raises:
        ConfigError: There is no such source, or it cannot be loaded.
    """
    known = entry_points(group=GROUP)
    found = [entry for entry in known if entry.name.casefold() == name.casefold()]
    if not found:
        raise ConfigError(
            f"there is no price source {name!r}",
            hint=f"the sources are {', '.join(source_names())}",
        )
    entry = next((entry for entry in found if entry.name == name), found[0])
    try:
        return cast("Callable[[], PriceSource]", entry.load())()
    except Exception as error:
        # A plug-in may fail in any way at all, and that is no bug of this program.
        raise ConfigError(
            f"the price source {name!r} ({entry.value}) cannot be loaded: {error}",
            hint="repair or remove the package that brings it, or take another --source",
        ) from error
