"""stocklstm evening."""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stocklstm.cli.options import (
    Json,
    LockTimeout,
    NamedTickers,
    Pool,
    Quiet,
    Tickers,
    TickersFile,
    all_tickers,
)
from stocklstm.cli.output import View, as_document, conclude, headline, said_once, warn_together
from stocklstm.cli.predict.files import (
    ForecastFiles,
    forecast_files,
    require_different_files,
)
from stocklstm.cli.predict.spreadsheet import STDOUT, Append, CsvStyleName
from stocklstm.cli.progress import evening_lines
from stocklstm.cli.streams import speaking, speaks_only_of_wrong, write
from stocklstm.client import Client
from stocklstm.core.batch import Failure
from stocklstm.core.language import say
from stocklstm.core.settings.config import INTERVAL_LEVELS, LOCK_TIMEOUT_S
from stocklstm.core.wording import price_digits
from stocklstm.errors import ConfigError, StockLstmError, encodable

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.evening.evening import EveningResult, EveningTicker

LOG_BYTES = 1_000_000
"""Size beyond which a log loses its oldest lines."""

# Within an entry there are empty lines, too: a table for a narrow terminal has them.
_ENTRY_END = re.compile(rb"\n\n(?=\d{4}-\d\d-\d\dT)")

RetrainAfter = Annotated[
    int | None,
    typer.Option(
        metavar="SESSIONS",
        min=0,
        help="Train anew, before the forecast, each champion that has not seen more than so many "
        "of the latest sessions, and for the first time each named ticker that has no model.",
        show_default=False,
    ),
]

Csv = Annotated[
    str | None,
    typer.Option(
        "--csv",
        metavar="FILE",
        help="Write a row of comma-separated values for each forecast.",
        show_default=False,
    ),
]

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Write what predict --out writes (FILE.json or FILE.csv); where nothing could be "
        "forecast the file stays as it was.",
        show_default=False,
    ),
]

Report = Annotated[
    Path | None,
    typer.Option(
        metavar="DIRECTORY",
        help="Write a page with the table and a picture of each forecast there, as index.html.",
        show_default=False,
    ),
]

Home = Annotated[
    Path | None,
    typer.Option(
        metavar="DIRECTORY",
        help="Directory of the store; STOCKLSTM_HOME, or your data directory, if not given.",
        show_default=False,
    ),
]

Log = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Add the table to this file, if it is not there yet, and print only what is wrong. "
        "Beyond a megabyte the file loses its older half.",
        show_default=False,
    ),
]


def evening(
    named: NamedTickers = None,
    ticker: Tickers = None,
    tickers_file: TickersFile = None,
    model: Pool = None,
    retrain_after: RetrainAfter = None,
    csv: Csv = None,
    append: Append = False,
    csv_style: CsvStyleName = None,
    out: Out = None,
    report: Report = None,
    home: Home = None,
    log: Log = None,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Fetch, retrain, forecast and score what closed: one line for cron; safe to run twice.

    Without a ticker: all that have a champion. A second run changes nothing that is done, and asks
    for no prices where no session has ended since the last stored close. Where prices cannot be
    had, forecasts are made of the stored ones, and the exit code is 75; it is 6 where a share has
    had no prices for several sessions. stocklstm schedule prints the line for cron.
    """

    def call() -> "EveningResult":
        files = evening_files(csv, out, csv_style, report, log, append=append)
        if log is not None and (as_json or quiet):
            raise ConfigError(
                "--log takes what would be printed, and --json and --quiet print something else",
                hint="leave out --log, and lead the output into a file: stocklstm evening --json",
            )
        names = all_tickers(named, ticker, tickers_file)
        with (
            # Cron mails what is written there: without a terminal that is what is wrong alone.
            speaking(only_wrong=speaks_only_of_wrong() or not sys.stderr.isatty()),
            Client(home, lock_timeout_s=lock_timeout) as client,
        ):
            kept = _Kept(client, files, report, log, lock_timeout)
            on_ticker, on_epoch = evening_lines()
            result = client.evening(
                names,
                pool=model,
                retrain_after=retrain_after,
                on_ticker=on_ticker,
                on_epoch=on_epoch,
                finish=kept.finish,
            )
        warn_together((item.ticker, item.warnings) for item in result.results)
        if quiet and not as_json:
            write("".join(_values(result)))
        # What is in the log, or was printed, is not printed again.
        return replace(result, results=()) if kept.logged or quiet else result

    conclude(VIEW, call, as_json=as_json, quiet=quiet)


def evening_files(
    csv: str | None,
    out: Path | None,
    style: str | None,
    report: Path | None,
    log: Path | None,
    *,
    append: bool,
) -> ForecastFiles:
    """Read the options that name files; standard output is none of them."""
    if csv == STDOUT:
        raise ConfigError(
            "--csv is a file here: standard output has the table",
            hint="stocklstm evening --csv forecasts.csv --append",
        )
    files = forecast_files(csv, out, style, append=append, command="evening")
    named = {"--csv": None if csv is None else Path(csv), "--out": out, "--log": log}
    if report is not None and any(named.values()):
        from stocklstm.workflows.evening.report import PAGE

        named["--report"] = report / PAGE
    require_different_files(named)
    return files


@dataclass
class _Kept:
    """What is written of an evening, while no other one is under way.

    Attributes:
        report: Directory of the page; None for none.
        log: File that the table is added to; None for none.
        logged: True once the log has all that is new.
    """

    client: Client
    files: ForecastFiles
    report: Path | None
    log: Path | None
    lock_timeout_s: float
    logged: bool = False

    def finish(self, result: "EveningResult") -> "EveningResult":
        """Write the files; that one cannot be written takes nothing from the forecasts."""
        from stocklstm.workflows.predict.predict import PredictResult

        made = PredictResult(tuple(item.forecast for item in result.results), result.failures)
        made = self.files.written(made, INTERVAL_LEVELS, self.lock_timeout_s)
        result = replace(result, failures=made.failures)
        # The log last, since it says which of the others could not be written.
        for write_file in (self._write_report, self._write_log):
            try:
                write_file(result)
            except StockLstmError as error:
                result = replace(result, failures=(*result.failures, Failure(None, error)))
        return result

    def _write_report(self, result: "EveningResult") -> None:
        if self.report is not None and result.results:
            self.client.write_report(result, self.report)

    def _write_log(self, result: "EveningResult") -> None:
        if self.log is not None:
            _log(self.log, result, self.lock_timeout_s)
            self.logged = True


def _log(file: Path, result: "EveningResult", lock_timeout_s: float) -> None:
    """Add the table and the errors to a file, unless there is nothing new and it has the table.

    It lacks that of an evening that was killed after its forecasts were made.
    """
    from stocklstm.cli.tables import printed
    from stocklstm.core.clock import utc_now
    from stocklstm.store.user_files import revise_file

    table = printed(lambda console: _tables(console, result.results)) if result.results else ""
    errors = "".join(
        f"{headline(failure.error, failure.ticker)}\n" for failure in said_once(result.failures)
    )
    entry = encodable(f"{utc_now()}\n{table}{errors}\n").encode()

    def added(found: bytes) -> bytes:
        nothing_new = not result.failures and all(item.unchanged for item in result.results)
        if nothing_new and all(_is_logged(found, item) for item in result.results):
            return found
        whole = found + entry
        surplus = len(whole) - LOG_BYTES
        if surplus <= 0:
            return whole
        # Half of it goes at once, so that the next evenings need not cut again.
        begin = max(surplus, LOG_BYTES // 2)
        # Between two entries; where a file of another kind was named, between two lines.
        end = _ENTRY_END.search(found, begin) or re.compile(b"\n").search(found, begin)
        return entry if end is None else whole[end.end() :]

    revise_file(file, added, option="--log", lock_timeout_s=lock_timeout_s)


def _is_logged(log: bytes, item: "EveningTicker") -> bool:
    """Tell whether a log has the row of a forecast, in the language that is spoken."""
    from stocklstm.workflows.evening.summary import identity

    cells = [encodable(cell).encode() for cell in identity(item)]
    return any(all(cell in entry for cell in cells) for entry in _ENTRY_END.split(log))


def _values(result: "EveningResult") -> Iterable[str]:
    """Write a line for each ticker: its forecast, or nothing where there is none."""
    values = {item.ticker: "".join(_bare(item)) for item in result.results}
    for failure in result.failures:
        if failure.ticker is not None:
            values.setdefault(failure.ticker, "")
    for ticker, value in values.items():
        yield f"{ticker}\t{value}\n"


def _bare(item: "EveningTicker") -> Iterable[str]:
    yield f"{item.forecast.point:.{price_digits(item.forecast.last_close)}f}"


def _tables(console: "Console", items: Sequence["EveningTicker"]) -> None:
    from stocklstm.cli.tables import grid
    from stocklstm.workflows.evening.summary import summarize

    summary = summarize(items)
    used = [any(row[place] for row in summary.rows) for place in range(len(summary.columns))]

    def shown(cells: Sequence[str]) -> list[str]:
        return [cell for cell, is_used in zip(cells, used, strict=True) if is_used]

    grid(
        console,
        say("Evening"),
        shown(summary.columns),
        [shown(row) for row in summary.rows],
        left=summary.text_columns,
    )
    for line in summary.lines:
        console.print(line)


VIEW: "View[EveningTicker]" = View(
    command="evening",
    key="results",
    document=as_document,
    tables=_tables,
    bare=_bare,
)
