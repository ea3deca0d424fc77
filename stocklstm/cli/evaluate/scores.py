"""Scores as a table and as JSON: what all kinds of evaluation show alike."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stocklstm.core.language import english, english_money, say
from stocklstm.core.settings.config import LEVELS
from stocklstm.core.wording import (
    MOST_TIMES,
    error_digits,
    level_percent,
    naive_words,
    p_cell,
    percent,
    range_words,
    skill_percent,
)

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.core.scores.scores import DirectionScores, Evaluation, PointScores
    from stocklstm.workflows.evaluate.evaluate import EvaluatedVersion
    from stocklstm.workflows.evaluate.walk_forward import WalkedVersion

    Scored = EvaluatedVersion | WalkedVersion


def evaluation_document(evaluation: "Evaluation") -> dict[str, Any]:
    """Build the JSON of an evaluation, intervals keyed by their level."""
    distribution = asdict(evaluation.distribution)
    coverage: Sequence[Mapping[str, Any]] = distribution.pop("coverage")
    shares = distribution.pop("reliability")

    def keyed(name: str) -> dict[str, float | None]:
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
            "adaptive_coverage": keyed("adaptive_share"),
            "adaptive_level": keyed("adaptive_level"),
            "reliability": {
                f"{level:g}": share for level, share in zip(LEVELS, shares, strict=True)
            },
        },
        "verdict": evaluation.verdict,
        "verdict_text": evaluation.verdict_text,
    }


def scores_tables(console: "Console", item: "Scored") -> None:
    """Print all scores and the verdict."""
    from stocklstm.cli.tables import grid, verdict_text

    scores = item.evaluation
    columns = ["", "RMSE", "MAE", say("RMSE ratio"), "p"]
    grid(console, say("Point"), columns, _point_rows(item))
    console.print(_point_words(scores.point, scores.horizon))
    console.print()
    columns = ["", say("Right"), "95 %", say("Pesaran-Timmermann p")]
    grid(console, say("Direction"), columns, _direction_rows(scores.direction))
    console.print()
    columns = ["", say("Model"), say("Reference"), say("Ratio"), "p"]
    grid(console, say("Distribution"), columns, _spread_rows(item))
    console.print()
    columns = ["", say("Held"), say("Fits"), say("Width")]
    columns += [say("Kupiec p"), say("Christoffersen p")]
    grid(console, say("Intervals"), columns, _interval_rows(item))
    for each in scores.distribution.coverage:
        if each.adaptive_share is not None:
            console.print(
                say(
                    "The {level} interval would have held {share}, had it followed "
                    "the hits before it.",
                    level=level_percent(each.level),
                    share=percent(each.adaptive_share),
                )
            )
    console.print()
    console.print(verdict_text(scores.verdict_text, scores.verdict))


def _amount(item: "Scored", value: float) -> str:
    point = item.evaluation.point
    return english_money(value, item.currency, error_digits(point.rmse_naive or point.rmse))


def _point_rows(item: "Scored") -> list[list[str]]:
    point, horizon = item.evaluation.point, item.evaluation.horizon
    rows = [
        (say("model"), point.rmse, point.mae, point.rmse_ratio, p_cell(point.dm_p)),
        (naive_words(horizon), point.rmse_naive, point.mae_naive, 1.0, ""),
    ]
    rows += [(r.name, r.rmse, r.mae, r.rmse_ratio, "") for r in item.evaluation.rivals]
    return [
        [name, _amount(item, rmse), _amount(item, mae), ratio(relative), p]
        for name, rmse, mae, relative, p in rows
    ]


def _point_words(point: "PointScores", horizon: int) -> str:
    if point.skill is None:
        return say("Skill: none can be measured; the price never changed.")
    words = say(
        "Skill {skill}, Clark-West p {p}, MASE {ratio}, MAPE {mape}.",
        skill=skill_words(point),
        p=p_cell(point.cw_p),
        ratio=ratio(point.mase),
        mape=_mape(point.mape),
    )
    if point.r2 is None or point.r2_naive is None:
        return words
    r2 = say(
        "R² {own}; {naive} has {other}.",
        own=_r2(point.r2),
        naive=naive_words(horizon),
        other=_r2(point.r2_naive),
    )
    return f"{words} {r2}"


def _mape(percent_of_price: float) -> str:
    most = 100 * MOST_TIMES
    return f"> {most:,} %" if percent_of_price > most else f"{percent_of_price:,.2f} %"


def _r2(value: float) -> str:
    return f"< {-MOST_TIMES}" if value < -MOST_TIMES else f"{value:.4f}"


def _direction_rows(direction: "DirectionScores") -> list[list[str]]:
    likely = english("{low} to {high}", low=percent(direction.low), high=percent(direction.high))
    foreseen = p_cell(direction.pt_p)
    return [
        [say("model, {n} days", n=direction.n), percent(direction.accuracy), likely, foreseen],
        [say("always up"), percent(direction.always_up), "", ""],
        [say("always down"), percent(direction.always_down), "", ""],
    ]


def _spread_rows(item: "Scored") -> list[list[str]]:
    spread = item.evaluation.distribution
    rows = [("EWMA", spread.crps_ewma, spread.crps_ratio, spread.dm_p)]
    rows += [(r.name, r.crps, r.crps_ratio, r.dm_p) for r in spread.rivals]
    return [
        [
            say("CRPS, against {name}", name=name),
            _amount(item, spread.crps),
            _amount(item, reference),
            ratio(relative),
            p_cell(p),
        ]
        for name, reference, relative, p in rows
    ]


def _interval_rows(item: "Scored") -> list[list[str]]:
    return [
        [
            f"{c.level * 100:.0f} %",
            percent(c.share),
            range_words(100 * c.low, 100 * c.high, 1),
            _amount(item, c.width),
            p_cell(c.kupiec_p),
            p_cell(c.christoffersen_p),
        ]
        for c in item.evaluation.distribution.coverage
    ]


def skill_words(point: "PointScores") -> str:
    """Write the skill with its bounds, where there are days enough for them."""
    skill, low, high = (
        None if share is None else skill_percent(share)
        for share in (point.skill, point.skill_low, point.skill_high)
    )
    if low is None:
        return say("{skill} (too few days for bounds)", skill=skill)
    return say("{skill} (95 %: {low} to {high})", skill=skill, low=_bare(low), high=_bare(high))


def _bare(share: str | None) -> str:
    return "" if share is None else share.removesuffix(" %")


def ratio(value: float | None) -> str:
    """Write a ratio with the four digits that such small gains need; none where it is absurd."""
    if value is None:
        return "-"
    return f"> {MOST_TIMES}" if value > MOST_TIMES else f"{value:.4f}"
