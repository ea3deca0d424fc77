"""stocklstm predict."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stocklstm.cli.options import (
    Json,
    LedgerTimeout,
    Models,
    NamedModels,
    OpenPicture,
    PictureFormat,
    Pool,
    Quiet,
    TickersFile,
    all_tickers,
)
from stocklstm.cli.output import conclude
from stocklstm.cli.predict.files import forecast_files, with_failures
from stocklstm.cli.predict.forecasts import VIEW, warned
from stocklstm.cli.predict.spreadsheet import STDOUT, Append, CsvStyleName
from stocklstm.cli.streams import write
from stocklstm.client import Client
from stocklstm.core.reference import ModelReference, StoredTicker, parse_reference
from stocklstm.core.settings.config import INTERVAL_LEVELS, LOCK_TIMEOUT_S
from stocklstm.errors import ConfigError, StockLstmError, UnexpectedError

if TYPE_CHECKING:
    from stocklstm.core.batch import Failure
    from stocklstm.workflows.predict.predict import Forecast, PredictResult


def predict(
    named: NamedModels = None,
    ticker: Models = None,
    tickers_file: TickersFile = None,
    model: Pool = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="DAY",
            help="Forecast as if it were the evening of that day, such as 2024-03-13.",
            show_default=False,
        ),
    ] = None,
    horizon: Annotated[
        str | None,
        typer.Option(
            metavar="SESSIONS",
            help="Sessions ahead: 5, 1-5 or 1,5,20, a forecast of each; intervals grow with the "
            "square root of it.",
            show_default=False,
        ),
    ] = None,
    levels: Annotated[
        str,
        typer.Option(metavar="LEVEL,...", help="Probabilities of the intervals, from 0.2 to 0.99."),
    ] = ",".join(map(str, INTERVAL_LEVELS)),
    adaptive: Annotated[
        bool | None,
        typer.Option(
            "--adaptive/--no-adaptive",
            help="Widen or narrow the intervals by how often past ones held (at least 20 must "
            "have closed). Without either option those that the test part found wrong are.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw a fan chart for each ticker.")] = False,
    plot_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where that of one model goes: a PNG or, by its name, an SVG.",
            show_default=False,
        ),
    ] = None,
    open_picture: OpenPicture = False,
    picture_format: PictureFormat = None,  # noqa: ARG001 - heeded as it is read
    refresh: Annotated[
        bool,
        typer.Option("--fetch", help="Get new prices from Yahoo first, if they can be had."),
    ] = False,
    max_age: Annotated[
        int | None,
        typer.Option(
            metavar="DAYS",
            min=0,
            help="Warn if the model last saw prices more days than that before the last close.",
            show_default=False,
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="No forecast where prices are behind, the model is older than --max-age, or an "
            "input lies beyond training.",
        ),
    ] = False,
    csv: Annotated[
        str | None,
        typer.Option(
            "--csv",
            metavar="FILE",
            help="Write a row of comma-separated values for each forecast; - is standard output, "
            "in the place of the table.",
            show_default=False,
        ),
    ] = None,
    append: Append = False,
    csv_style: CsvStyleName = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write what --json (FILE.json) or --csv (FILE.csv) says; where nothing could be "
            "forecast the file stays as it was.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LedgerTimeout = None,
) -> None:
    """Forecast the next session's close, with intervals."""

    def call() -> "PredictResult":
        from stocklstm.workflows.predict.preconditions import Demands
        from stocklstm.workflows.predict.predict import Wanted

        files = forecast_files(csv, out, csv_style, append=append)
        if csv == STDOUT and (as_json or quiet):
            raise ConfigError(
                "--csv - excludes --json and --quiet: one of them for stdout",
                hint="stocklstm predict --json --csv forecasts.csv",
            )
        if csv == STDOUT and open_picture:
            raise ConfigError(
                "--open is for whoever looks on, and --csv - is for scripts",
                hint="stocklstm predict --open --csv forecasts.csv",
            )
        if append and at is not None:
            raise ConfigError(
                "--append keeps what was forecast, and --at is of a day before: in hindsight",
                hint="leave out --append, or --at",
            )
        wanted = Wanted(at, _horizons(horizon), _parsed(levels), adaptive)
        names = all_tickers(named, ticker, tickers_file)
        patience_s = LOCK_TIMEOUT_S if lock_timeout is None else lock_timeout
        with Client(lock_timeout_s=patience_s) as client:
            draw = _drawing(client, plot or open_picture, plot_file, names, model)
            failures = _refreshed(client, names, model) if refresh else ()
            demands = Demands(max_age, strict, _by_ticker(failures))
            result = draw(
                client.predict(
                    names, wanted, pool=model, demands=demands, ledger_wait_s=lock_timeout
                )
            )
        result = with_failures(warned(result), [f for f in failures if _is_bug(f)])
        result = files.written(result, wanted.levels, patience_s)
        forecasts_each = len(wanted.horizons) or 1
        if quiet and not as_json and (lines := _labelled(names, result, forecasts_each)):
            write(lines)
            return replace(result, results=())
        # The rows on standard output stand in the place of the table.
        return replace(result, results=()) if csv == STDOUT else result

    conclude(VIEW, call, as_json=as_json, quiet=quiet, open_picture=open_picture)


def _drawing(
    client: Client, plot: bool, file: Path | None, references: Sequence[str], pool: str | None
) -> "Callable[[PredictResult], PredictResult]":
    """Give what draws the forecasts, if they are to be drawn; refuse a file for several."""
    if not plot and file is None:
        return lambda result: result
    # Only here: a forecast without a picture must not wait for matplotlib.
    from stocklstm.core.packages import PICTURES, require_packages
    from stocklstm.workflows.pictures import require_one_picture, require_picture_name

    require_packages("predict --plot", PICTURES)
    if file is not None:
        require_picture_name(file)
        require_one_picture(client.store(), references, pool)
    return lambda result: client.draw_forecasts(result, file)


def _refreshed(client: Client, references: Sequence[str], pool: str | None) -> "Sequence[Failure]":
    # The one way from here to pandas and the network.
    from stocklstm.cli.fetch import refresh
    from stocklstm.workflows.loading.model import tickers_with_models
    from stocklstm.workflows.loading.pooled_model import pool_tickers

    tickers = (
        tickers_with_models(client.store(), references)
        if pool is None
        else pool_tickers(client.store(), pool, references)
    )
    # None would mean all.
    return refresh(client, tickers) if tickers else ()


def _by_ticker(failures: "Sequence[Failure]") -> dict[str, StockLstmError]:
    return {failure.ticker: failure.error for failure in failures if failure.ticker is not None}


def _is_bug(failure: "Failure") -> bool:
    return isinstance(failure.error, UnexpectedError)


def _labelled(names: Sequence[str], result: "PredictResult", each: int) -> str:
    """Write lines for each of several tickers, whether it failed or not; nothing for a single one.

    Args:
        names: As typed; none for all that there are.
        each: Forecasts of a ticker, and so its lines.
    """
    labels: dict[ModelReference | str, str] = {}
    failed = (failure.ticker for failure in result.failures if failure.ticker is not None)
    for name in names or sorted({*(made.ticker for made in result.forecasts), *failed}):
        label = " ".join(name.partition("@")[0].upper().split())
        try:
            labels.setdefault(parse_reference(StoredTicker(name) if not names else name), label)
        except StockLstmError:
            labels.setdefault(name, label)
    if len(labels) < 2:
        return ""
    groups = [
        result.forecasts[first : first + each] for first in range(0, len(result.forecasts), each)
    ]
    values = dict.fromkeys(labels, [""] * each)
    # Those of a version that was named first: the others are in the order of the names.
    for key in sorted(labels, key=lambda key: getattr(key, "version", None) is None):
        if isinstance(key, str):
            continue
        fitting = (g for g in groups if _is_of(key, g[0]))
        if (found := next(fitting, None)) is not None:
            groups.remove(found)
            values[key] = [value for made in found for value in VIEW.bare(made)]
    return "".join(f"{labels[key]}\t{value}\n" for key in values for value in values[key])


def _is_of(key: ModelReference, made: "Forecast") -> bool:
    return made.ticker == key.ticker and key.version in {None, made.version}


def _horizons(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    from stocklstm.core.forecasts.horizons import parse_horizons

    return parse_horizons(text)


def _parsed(levels: str) -> tuple[float, ...]:
    try:
        return tuple(float(level) for level in levels.split(","))
    except ValueError as error:
        raise ConfigError(
            f"--levels are numbers, not {levels[:30]!a}", hint="stocklstm predict --levels 0.8,0.95"
        ) from error
