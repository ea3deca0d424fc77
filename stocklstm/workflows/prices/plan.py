"""What is asked of a fetch, checked before any store is opened."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from stocklstm.core.arguments import read_paths
from stocklstm.core.reference import AUTO
from stocklstm.core.wording import quoted
from stocklstm.errors import ConfigError
from stocklstm.market.calendar import require_calendar
from stocklstm.market.instrument import require_currency
from stocklstm.market.source import (
    ArchiveSource,
    FetchRequest,
    IntradaySource,
    PriceSource,
    TableSource,
    load_source,
)
from stocklstm.market.tables.columns import COLUMNS
from stocklstm.market.tables.numbers import MARKS
from stocklstm.workflows.prices.file_set import FileRead, read_files
from stocklstm.workflows.prices.retry import Patience


@dataclass(frozen=True)
class FetchOptions:
    """How to fetch.

    Example:
        >>> options = stocklstm.FetchOptions(source="sample", full=True)
        >>> stocklstm.fetch("PETR4.SA", options).results[0].rows
        3514

    Attributes:
        source: Entry-point name of the source; by default csv where there are files, else yahoo.
        files: For sources that read them: one, as a path or a text, or several of a source whose
            files hold many tickers each.
        date_format: strptime pattern of its dates; None to find it out.
        decimal: What precedes the decimals in it, "." or ","; None to find it out.
        columns: By what a column of it holds (date, time, ticker, currency, open, high, low,
            close, adj_close, volume), its name there, where that is not understood.
        accept_spacing: Take weekly or monthly prices from it.
        all_tickers: Store all tickers that it names, each under its own name.
        jobs: Processes that read several files at once; 1 reads them in this one.
        accept_revision: Believe moves that look like a split that is not recorded, or like an
            error of units, and changes of the stored history that no recorded event explains.
        full: Ask for the whole history, not only for what may be new.
        calendar: Name of the calendar to use from now on, "weekdays", or "auto" for that of the
            exchange; None leaves it as it is.
        currency: Code of the currency of the prices from now on, or "auto" for that of the source;
            None leaves it as it is.
        patience: How long to keep asking.
        intraday: Get bars within sessions, too, and keep what they measure; None for those tickers
            that have some from this source.
        keep_bars: Keep these bars as well; of a ticker of which some are kept they always are.
    """

    source: str = AUTO
    files: tuple[Path, ...] = ()
    date_format: str | None = None
    decimal: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    accept_spacing: bool = False
    all_tickers: bool = False
    jobs: int = 1
    accept_revision: bool = False
    full: bool = False
    calendar: str | None = None
    currency: str | None = None
    patience: Patience = field(default_factory=Patience)
    intraday: bool | None = None
    keep_bars: bool = False

    def __post_init__(self) -> None:
        """Read one file or several, and go by them where no source is named.

        Raises:
            ConfigError: The files are something else, such as a data frame.
        """
        set_field = partial(object.__setattr__, self)
        set_field("files", read_paths(self.files, "files"))
        if self.source == AUTO:
            set_field("source", "csv" if self.files else "yahoo")


@dataclass(frozen=True)
class FetchPlan:
    """A fetch whose options have been checked, before any store is opened.

    Attributes:
        tickers: As typed; none means all that are stored, or all that are in the files.
        source: Whom to ask; files of many tickers have been read.
        options: With the calendar's proper name.
    """

    tickers: tuple[str, ...]
    source: PriceSource
    options: FetchOptions


def plan_fetch(
    tickers: Sequence[str], options: FetchOptions, on_file: Callable[[FileRead], None]
) -> FetchPlan:
    """Check what is asked for, load the source, and read its files where they hold many tickers."""
    source = load_source(options.source)
    if options.calendar not in {None, AUTO}:
        options = replace(options, calendar=require_calendar(str(options.calendar)))
    if options.currency not in {None, AUTO}:
        options = replace(options, currency=require_currency(str(options.currency)))
    _check_file_options(options, tickers)
    options = _checked_intraday(source, options)
    if options.files and isinstance(source, ArchiveSource):
        source = read_files(options.source, options.files, tickers, options.jobs, on_file)
    else:
        _require_one_file(options)
        tickers = _tickers_of_file(source, options, tickers)
    return FetchPlan(tuple(tickers), source, options)


def _check_file_options(options: FetchOptions, tickers: Sequence[str]) -> None:
    """Check what is said of the form of a file."""
    said = {
        "--date-format": options.date_format is not None,
        "--decimal": options.decimal is not None,
        "--columns": bool(options.columns),
        "--accept-spacing": options.accept_spacing,
        "--all-tickers": options.all_tickers,
    }
    given = [name for name, is_given in said.items() if is_given]
    if given and not options.files:
        raise ConfigError(
            f"{given[0]} speaks of a file, and none is given",
            hint="name it with --file prices.csv, or leave that option out",
        )
    if options.decimal is not None and options.decimal not in MARKS:
        raise ConfigError(
            f"{options.decimal!a} precedes no decimals", hint="write --decimal , or --decimal ."
        )
    for column in options.columns:
        if column not in COLUMNS:
            raise ConfigError(
                f"{column!a} is nothing that a column of prices holds",
                hint=f"write --columns close=PX_LAST with one of {', '.join(COLUMNS)}",
            )
    if options.all_tickers and tickers:
        raise ConfigError(
            "--all-tickers means every ticker of the file, and one is named besides",
            hint="leave --all-tickers out, or name no ticker",
        )


def _checked_intraday(source: PriceSource, options: FetchOptions) -> FetchOptions:
    """Check what is said of bars within sessions: who wants to keep them wants them."""
    if options.keep_bars and options.intraday is False:
        raise ConfigError(
            "--keep-bars keeps the bars that --no-intraday does not get",
            hint="leave one of them out",
        )
    wish = "--keep-bars" if options.keep_bars else "--intraday"
    if options.keep_bars:
        options = replace(options, intraday=True)
    if options.intraday and not options.files and not isinstance(source, IntradaySource):
        raise ConfigError(
            f"the source {options.source} has no bars within sessions",
            hint=f"leave {wish} out, or take --source yahoo",
        )
    return options


def _require_one_file(options: FetchOptions) -> None:
    if len(options.files) > 1:
        raise ConfigError(
            f"the source {options.source} reads one file at a time, not {len(options.files)}",
            hint="give the command once for each file and its ticker",
        )
    if options.jobs != 1:
        raise ConfigError(
            "--jobs reads several files of many tickers at once, as those of B3",
            hint="leave it out: every other source is asked for one ticker after the other",
        )


def _tickers_of_file(
    source: PriceSource, options: FetchOptions, tickers: Sequence[str]
) -> Sequence[str]:
    """Find out which tickers to read from the file, if there is one."""
    if not options.files or (len(set(tickers)) == 1 and not options.all_tickers):
        return tickers
    file = quoted(str(options.files[0]))
    command = f"stocklstm fetch --source {options.source} --file {file}"
    if not isinstance(source, TableSource):
        raise ConfigError(
            "--file holds the prices of one ticker: name it, and no other",
            hint=f"{command} --ticker PETR4.SA",
        )
    named = source.tickers(request_for("", options))
    if not tickers and not options.all_tickers:
        some = f"{named[0]}, or --all-tickers for all that it names" if named else "TICKER"
        raise ConfigError(
            "--file holds the prices of one ticker, or names them: say which to store",
            hint=f"{command} --ticker {some}",
        )
    if not named:
        raise ConfigError(
            f"{options.files[0]} names no tickers, so that its prices are of one ticker",
            hint=f"{command} --ticker {tickers[0] if tickers else 'TICKER'}",
        )
    return named if options.all_tickers else tickers


def request_for(ticker: str, options: FetchOptions) -> FetchRequest:
    """Say to a source what is wanted of a ticker, and how its file is written."""
    return FetchRequest(
        ticker,
        options.files[0] if options.files else None,
        options.date_format,
        decimal=options.decimal,
        columns=tuple(options.columns.items()),
        accept_spacing=options.accept_spacing,
    )
