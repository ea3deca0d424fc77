"""stocklstm evaluate."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stocklstm.cli import comparison, league, walk_forward
from stocklstm.cli.options import Json, LockTimeout, Models, Quiet
from stocklstm.cli.output import View, conclude, warn
from stocklstm.core.config import LOCK_TIMEOUT_S
from stocklstm.core.levels import LEVELS
from stocklstm.core.money import money
from stocklstm.core.scores import naive_words
from stocklstm.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.core.scores import DirectionScores, Evaluation, PointScores
    from stocklstm.workflows.comparison import ComparisonResult
    from stocklstm.workflows.evaluate import EvaluatedVersion, EvaluateResult
    from stocklstm.workflows.league import LeagueResult
    from stocklstm.workflows.walk_forward import WalkedVersion, WalkForwardResult

    Scored = EvaluatedVersion | WalkedVersion


def evaluate(
    model: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TICKER@VERSION]...", help="What --compare compares."),
    ] = None,
    ticker: Models = None,
    plot: Annotated[bool, typer.Option(help="Draw predictions_vs_actual.png.")] = True,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare",
            help="Compare versions of one ticker with the first, on days that none of them saw.",
        ),
    ] = False,
    every: Annotated[
        bool,
        typer.Option("--all", help="One table of all versions, or of those of --ticker."),
    ] = False,
    sessions: walk_forward.Sessions = None,
    refit_every: walk_forward.RefitEvery = None,
    embargo: walk_forward.Embargo = None,
    jobs: walk_forward.Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Score models on days they never saw, beside yesterday's close and EWMA."""
    walking = walk_forward.Walking(sessions, refit_every, embargo, jobs)

    def walk() -> "WalkForwardResult":
        check()
        return walk_forward.walk(ticker or (), walking, lock_timeout)

    def compare_versions() -> "ComparisonResult":
        check()
        from stocklstm.workflows.comparison import compare_versions

        return compare_versions([*(model or ()), *(ticker or ())], lock_timeout_s=lock_timeout)

    def score_league() -> "LeagueResult":
        check()
        from stocklstm.workflows.league import score_league

        return score_league(ticker or (), lock_timeout_s=lock_timeout)

    def check() -> None:
        _require_one({"--walk-forward": sessions is not None, "--compare": compare, "--all": every})
        walking.require_none()
        _require_place(model or (), compared=compare)

    def call() -> "EvaluateResult":
        check()
        from stocklstm.workflows.evaluate import evaluate

        result = evaluate(ticker or (), plot=plot, lock_timeout_s=lock_timeout)
        for scored in result.results:
            warn(scored.ticker, scored.warnings)
        return result

    if sessions is not None:
        with walk_forward.stoppable():
            conclude(walk_forward.VIEW, walk, as_json=as_json, quiet=quiet)
    if compare:
        conclude(comparison.VIEW, compare_versions, as_json=as_json, quiet=quiet)
    if every:
        conclude(league.VIEW, score_league, as_json=as_json, quiet=quiet)
    conclude(VIEW, call, as_json=as_json, quiet=quiet)


def _require_one(kinds: Mapping[str, bool]) -> None:
    given = [option for option, wanted in kinds.items() if wanted]
    if len(given) > 1:
        raise ConfigError(
            f"{' and '.join(given)} are evaluations of different kinds",
            hint="give one of them, and run it again with the other",
        )


def _require_place(models: Sequence[str], *, compared: bool) -> None:
    if models and not compared:
        named = " ".join(f"--ticker {name}" for name in models)
        raise ConfigError(
            "models without an option before them are for --compare",
            hint=f"stocklstm evaluate {named}",
        )


def evaluation_document(evaluation: "Evaluation") -> dict[str, Any]:
    """Build the JSON of an evaluation, intervals keyed by their level."""
    from dataclasses import asdict

    distribution = asdict(evaluation.distribution)
    coverage: Sequence[Mapping[str, Any]] = distribution.pop("coverage")
    shares = distribution.pop("reliability")

    def keyed(name: str) -> dict[str, float]:
        return {f"{interval['level']:g}": interval[name] for interval in coverage}

    return {
        "test": {
            "start": evaluation.start,
            "end": evaluation.end,
            "n": evaluation.n,
            "horizon": evaluation.horizon,
        },
        "point": asdict(evaluation.point),
        "rivals": [asdict(rival) for rival in evaluation.rivals],
        "direction": asdict(evaluation.direction),
        "distribution": distribution
        | {
            "coverage": keyed("share"),
            "coverage_low": keyed("low"),
            "coverage_high": keyed("high"),
            "winkler": keyed("winkler"),
            "width": keyed("width"),
            "kupiec_p": keyed("kupiec_p"),
            "christoffersen_p": keyed("christoffersen_p"),
            "reliability": {
                f"{level:g}": share for level, share in zip(LEVELS, shares, strict=True)
            },
        },
        "verdict": evaluation.verdict,
        "verdict_text": evaluation.verdict_text,
    }


def _document(item: "EvaluatedVersion") -> Mapping[str, Any]:
    return {
        "ticker": item.ticker,
        "version": item.version,
        "preset": item.preset,
        "currency": item.currency,
        **evaluation_document(item.evaluation),
        "plot": item.plot,
        "warnings": item.warnings,
    }


def _bare(item: "EvaluatedVersion") -> Iterable[str]:
    yield f"{item.ticker}@v{item.version} {item.evaluation.verdict}"


def _tables(console: "Console", items: Sequence["EvaluatedVersion"]) -> None:
    for item in items:
        _table(console, item)


def _table(console: "Console", item: "EvaluatedVersion") -> None:
    scores = item.evaluation
    console.print(
        f"{item.ticker}@v{item.version} ({item.preset}) on {scores.n} unseen days, "
        f"{scores.start} to {scores.end}\n"
    )
    scores_tables(console, item)
    if item.plot:
        console.print(f"Picture: {item.plot}", soft_wrap=True)


def scores_tables(console: "Console", item: "Scored") -> None:
    """Print all scores and the verdict."""
    from stocklstm.cli.tables import grid, verdict_text

    scores = item.evaluation
    grid(console, "Point", ["", "RMSE", "MAE", "RMSE ratio", "p"], _point_rows(item))
    console.print(_point_words(scores.point, scores.horizon))
    console.print()
    columns = ["", "Right", "95 %", "Pesaran-Timmermann p"]
    grid(console, "Direction", columns, _direction_rows(scores.direction))
    console.print()
    grid(console, "Distribution", ["", "Model", "Reference", "Ratio", "p"], _spread_rows(item))
    console.print()
    columns = ["", "Held", "Fits", "Width", "Kupiec p", "Christoffersen p"]
    grid(console, "Intervals", columns, _interval_rows(item))
    console.print()
    console.print(verdict_text(scores.verdict_text, scores.verdict))


def _amount(item: "Scored", value: float) -> str:
    # Four digits for shares, two for an index in the thousands.
    return money(value, item.currency, 4 if item.evaluation.point.rmse_naive < 10 else 2)


def _point_rows(item: "Scored") -> list[list[str]]:
    point, horizon = item.evaluation.point, item.evaluation.horizon
    rows = [
        ("model", point.rmse, point.mae, point.rmse_ratio, _chance(point.dm_p)),
        (naive_words(horizon), point.rmse_naive, point.mae_naive, 1.0, ""),
    ]
    rows += [(r.name, r.rmse, r.mae, r.rmse_ratio, "") for r in item.evaluation.rivals]
    return [
        [name, _amount(item, rmse), _amount(item, mae), _number(ratio), p]
        for name, rmse, mae, ratio, p in rows
    ]


def _point_words(point: "PointScores", horizon: int) -> str:
    if point.skill is None or point.skill_low is None or point.skill_high is None:
        return "Skill: none can be measured; the price never changed."
    skill, low, high = (100 * s for s in (point.skill, point.skill_low, point.skill_high))
    words = (
        f"Skill {skill:+.2f} % (95 %: {low:+.2f} to {high:+.2f}), Clark-West p "
        f"{_chance(point.cw_p)}, MASE {_number(point.mase)}, MAPE {point.mape:.2f} %."
    )
    if point.r2 is None or point.r2_naive is None:
        return words
    return f"{words} R² {point.r2:.4f}; {naive_words(horizon)} has {point.r2_naive:.4f}."


def _direction_rows(direction: "DirectionScores") -> list[list[str]]:
    likely = f"{_percent(direction.low)} to {_percent(direction.high)}"
    chance = _chance(direction.pt_p)
    return [
        [f"model, {direction.n} days", _percent(direction.accuracy), likely, chance],
        ["always up", _percent(direction.always_up), "", ""],
        ["always down", _percent(direction.always_down), "", ""],
    ]


def _spread_rows(item: "Scored") -> list[list[str]]:
    spread = item.evaluation.distribution
    return [
        [
            "CRPS, against EWMA",
            _amount(item, spread.crps),
            _amount(item, spread.crps_ewma),
            _number(spread.crps_ratio),
            _chance(spread.dm_p),
        ]
    ]


def _interval_rows(item: "Scored") -> list[list[str]]:
    return [
        [
            f"{c.level * 100:.0f} %",
            _percent(c.share),
            f"{100 * c.low:.1f} to {100 * c.high:.1f}",
            _amount(item, c.width),
            _chance(c.kupiec_p),
            _chance(c.christoffersen_p),
        ]
        for c in item.evaluation.distribution.coverage
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _chance(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


VIEW: "View[EvaluateResult, EvaluatedVersion]" = View(
    command="evaluate",
    key="results",
    items=lambda result: result.results,
    document=_document,
    tables=_tables,
    bare=_bare,
)
