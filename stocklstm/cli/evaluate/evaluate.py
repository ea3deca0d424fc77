"""stocklstm evaluate."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from stocklstm.cli.evaluate import compare as comparison
from stocklstm.cli.evaluate import horizons as by_horizon
from stocklstm.cli.evaluate import league, live, pool_scores, walk_forward
from stocklstm.cli.evaluate.scores import evaluation_document, scores_tables
from stocklstm.cli.options import (
    Json,
    LockTimeout,
    Models,
    NamedModels,
    OpenPicture,
    PictureFormat,
    Quiet,
    TickersFile,
    all_tickers,
    require_something_to_open,
)
from stocklstm.cli.output import (
    View,
    conclude,
    warn,
)
from stocklstm.cli.progress import tickers_progress
from stocklstm.client import Client
from stocklstm.core.batch import Batch
from stocklstm.core.language import say
from stocklstm.core.settings.config import LOCK_TIMEOUT_S
from stocklstm.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.evaluate.evaluate import EvaluatedVersion, EvaluateResult
    from stocklstm.workflows.evaluate.pool_scores import PoolScoresResult

T = TypeVar("T")


def evaluate(
    named: NamedModels = None,
    ticker: Models = None,
    tickers_file: TickersFile = None,
    pool: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME[@VERSION]",
            help="Score this pooled model, such as b3, for each ticker, beside the ticker's own.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        bool | None,
        typer.Option(
            "--plot/--no-plot",
            help="Draw forecasts, errors over time, calibration and loss curves; drawn unless told "
            "otherwise, but for --model, which has the last alone.",
            show_default=False,
        ),
    ] = None,
    open_picture: OpenPicture = False,
    picture_format: PictureFormat = None,  # noqa: ARG001 - heeded as it is read
    compare: Annotated[
        bool,
        typer.Option(
            "--compare",
            help="Compare versions of one ticker with the first, on days that none of them saw.",
        ),
    ] = False,
    every: Annotated[
        bool,
        typer.Option("--all", help="One table of all versions, or of those of the tickers given."),
    ] = False,
    horizons: by_horizon.Horizons = None,
    given: live.Live = False,
    last: live.Last = None,
    fail_on: live.FailOn = None,
    sessions: walk_forward.Sessions = None,
    refit_every: walk_forward.RefitEvery = None,
    embargo: walk_forward.Embargo = None,
    jobs: walk_forward.Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Score models on days they never saw, beside yesterday's close and EWMA."""
    live_options = live.LiveOptions(given, last, fail_on)
    walk_options = walk_forward.WalkOptions(sessions, refit_every, embargo, jobs)
    walks = sessions is not None

    def show(view: View[T], work: Callable[[Client], Batch[T]]) -> NoReturn:
        def call() -> Batch[T]:
            kinds = {
                "--live": given,
                "--walk-forward": walks,
                "--compare": compare,
                "--all": every,
                "--horizons": horizons is not None,
                # A pooled model has horizons like any other.
                "--model": pool is not None and horizons is None,
            }
            chosen = [option for option, wanted in kinds.items() if wanted]
            _require_one(chosen, plot=plot, open_picture=open_picture)
            live_options.check()
            walk_options.check(alone=not (given or compare or every or horizons is not None))
            with Client(lock_timeout_s=lock_timeout) as client:
                return work(client)

        conclude(view, call, as_json=as_json, quiet=quiet, open_picture=open_picture)

    def tickers() -> Sequence[str]:
        return all_tickers(named, ticker, tickers_file)

    if walks:
        with walk_forward.stoppable():
            show(
                walk_forward.VIEW, lambda client: walk_forward.walk(client, tickers(), walk_options)
            )
    if given:
        show(live_options.view, lambda client: live.score(client, tickers(), live_options))
    if compare:
        show(comparison.VIEW, lambda client: client.compare_versions(tickers()))
    if every:
        show(league.VIEW, lambda client: client.score_league(tickers()))
    if horizons is not None:
        show(
            by_horizon.VIEW,
            lambda client: by_horizon.score(client, tickers(), horizons, pool),
        )
    if pool is not None:
        show(
            pool_scores.VIEW,
            lambda client: _score_pool(client, pool, tickers(), plot is True or open_picture),
        )
    show(
        VIEW,
        lambda client: _score(client, tickers(), plot is not False, 1 if jobs is None else jobs),
    )


def _require_one(kinds: Sequence[str], *, plot: bool | None, open_picture: bool) -> None:
    if len(kinds) > 1:
        raise ConfigError(
            f"{' and '.join(kinds)} are evaluations of different kinds",
            hint="give one of them, and run it again with the other",
        )
    # Of a pooled model there are loss curves.
    if kinds and kinds != ["--model"] and (plot or open_picture):
        drawing = "--plot" if plot else "--open"
        raise ConfigError(
            f"evaluate {kinds[0]} draws no pictures",
            hint=f"leave {drawing} out, or leave that out: each model alone is drawn",
        )
    require_something_to_open(plot, open_picture=open_picture)


def _score(client: Client, references: Sequence[str], plot: bool, jobs: int) -> "EvaluateResult":
    with tickers_progress(say("Scoring"), shown=jobs > 1) as on_ticker:
        result = client.evaluate(references, plot=plot, jobs=jobs, on_ticker=on_ticker)
    for scored in result.results:
        warn(scored.ticker, scored.warnings)
    return result


def _score_pool(
    client: Client, pool: str, tickers: Sequence[str], plot: bool
) -> "PoolScoresResult":
    result = client.evaluate_pool(pool, tickers, plot=plot)
    for scored in result.results:
        warn(scored.ticker, scored.warnings)
    return result


def _document(item: "EvaluatedVersion") -> Mapping[str, Any]:
    return {
        "ticker": item.ticker,
        "version": item.version,
        "preset": item.preset,
        "currency": item.currency,
        **evaluation_document(item.evaluation),
        "plot": item.plot,
        "plots": item.plots,
        "warnings": item.warnings,
    }


def _bare(item: "EvaluatedVersion") -> Iterable[str]:
    yield f"{item.ticker}@v{item.version} {item.evaluation.verdict}"


def _tables(console: "Console", items: Sequence["EvaluatedVersion"]) -> None:
    for item in items:
        _table(console, item)


def _table(console: "Console", item: "EvaluatedVersion") -> None:
    from stocklstm.cli.tables import paths

    scores = item.evaluation
    console.print(
        say(
            "{ticker}@v{version} ({preset}) on {n} unseen days, {start} to {end}",
            ticker=item.ticker,
            version=item.version,
            preset=item.preset,
            n=scores.n,
            start=scores.start,
            end=scores.end,
        )
    )
    console.print()
    scores_tables(console, item)
    paths(console, say("Picture"), item.plots)


VIEW: "View[EvaluatedVersion]" = View(
    command="evaluate",
    key="results",
    document=_document,
    tables=_tables,
    bare=_bare,
    picture=lambda item: item.plot,
)
