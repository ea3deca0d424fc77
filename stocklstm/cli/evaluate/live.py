"""stocklstm evaluate --live."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stocklstm.cli.evaluate.scores import evaluation_document, ratio, skill_words
from stocklstm.cli.options import in_any_case
from stocklstm.cli.output import View, warn
from stocklstm.client import Client
from stocklstm.core.exits import ExitCode
from stocklstm.core.wording import (
    error_digits,
    horizon_suffix,
    level_percent,
    money,
    naive_words,
    p_cell,
    percent,
)
from stocklstm.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.core.scores.drift import Drift
    from stocklstm.core.scores.scores import Evaluation
    from stocklstm.workflows.evaluate.live import LiveResult, LiveScores

_REASONS = {
    "open": "waiting for a close",
    "too_late": "made too late",
    "other_horizon": "of another horizon",
    "not_champion": "of a version that was not champion",
    "repeated": "of a session that has one already",
    "not_stored": "without stored prices",
    "version_removed": "of a version that is gone",
    "earlier": "before the latest asked for",
}


PANEL = "Live"

Live = Annotated[
    bool,
    typer.Option(
        "--live",
        help="Score the forecasts that predict kept instead, once their sessions have closed.",
        rich_help_panel=PANEL,
    ),
]

Last = Annotated[
    int | None,
    typer.Option(
        metavar="FORECASTS",
        help="Only so many, the latest.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]

FailOn = Annotated[
    str | None,
    typer.Option(
        metavar="drift",
        parser=in_any_case,
        help="End with exit code 3 where an alarm is raised.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]


@dataclass(frozen=True)
class LiveOptions:
    """The options of live scoring, as they were given.

    Attributes:
        live: Of `--live`.
        last: Of `--last`.
        fail_on: Of `--fail-on`.
    """

    live: bool
    last: int | None
    fail_on: str | None

    def check(self) -> None:
        """Refuse what means nothing.

        Raises:
            ConfigError: `--last` or `--fail-on` without `--live`, or of an unknown kind.
        """
        if not self.live and (self.last is not None or self.fail_on is not None):
            raise ConfigError(
                "--last and --fail-on are of live scores",
                hint="stocklstm evaluate --live, with either of them",
            )
        if self.fail_on not in {None, "drift"}:
            raise ConfigError(
                f"--fail-on knows nothing of {str(self.fail_on)[:30]!a}", hint="--fail-on drift"
            )

    @property
    def view(self) -> "View[LiveScores]":
        """How to show the scores, and with which exit code to end."""
        return VIEW._replace(code=_code) if self.fail_on else VIEW


def score(client: Client, references: Sequence[str], options: LiveOptions) -> "LiveResult":
    """Score the forecasts that were given."""
    result = client.evaluate_live(references, last=options.last)
    for scores in result.results:
        warn(scores.ticker, scores.warnings)
    return result


def _code(item: "LiveScores") -> ExitCode:
    return ExitCode.CHECK_FAILED if item.drift.status == "drift" else ExitCode.OK


def _document(item: "LiveScores") -> Mapping[str, Any]:
    scores: dict[str, Any] = dict.fromkeys(
        ["test", "point", "rivals", "direction", "distribution"], None
    )
    if item.evaluation is not None:
        scores = evaluation_document(item.evaluation)
    return {
        "ticker": item.ticker,
        "version": item.version,
        "versions": item.versions,
        "horizon": item.horizon,
        "currency": item.currency,
        "live": True,
        "n": item.n,
        **scores,
        "verdict": item.verdict,
        "verdict_text": item.verdict_text,
        "drift": asdict(item.drift),
        "left_out": asdict(item.left_out),
        "warnings": item.warnings,
    }


def _bare(item: "LiveScores") -> Iterable[str]:
    name = item.ticker if item.version is None else f"{item.ticker}@v{item.version}"
    yield f"{name} {item.n} {item.drift.status}"


def _tables(console: "Console", items: Sequence["LiveScores"]) -> None:
    for number, item in enumerate(items):
        if number:
            console.print()
        _table(console, item)


def _table(console: "Console", item: "LiveScores") -> None:
    from rich.text import Text

    from stocklstm.cli.tables import STYLES, facts

    pairs: list[tuple[str, str | Text]] = []
    if item.evaluation is not None:
        pairs += _scores(item, item.evaluation)
    pairs += [(name, Text(words, style)) for name, words, style in _alarms(item.drift)]
    if words := _left_out(item):
        pairs.append(("Not scored", words))
    facts(console, _title(item), pairs)
    console.print()
    console.print(Text(item.verdict_text, STYLES.get(item.verdict or "", "")))


def _title(item: "LiveScores") -> str:
    who = ", ".join(f"v{version}" for version in item.versions)
    name = f"{item.ticker}{f' ({who})' if who else ''}"
    if item.evaluation is None:
        return f"{name}, live: no forecast has closed"
    forecasts = "1 forecast" if item.n == 1 else f"{item.n} forecasts"
    return (
        f"{name}, live: {forecasts}, {item.evaluation.start} to {item.evaluation.end}"
        + horizon_suffix(item.horizon)
    )


def _scores(item: "LiveScores", scores: "Evaluation") -> list[tuple[str, str]]:
    point, spread = scores.point, scores.distribution
    rmse, naive, crps = (
        money(value, item.currency, error_digits(point.rmse_naive or point.rmse))
        for value in (point.rmse, point.rmse_naive, spread.crps)
    )
    rows = [("RMSE", f"{rmse}, of {naive_words(item.horizon)} {naive}")]
    if point.skill is not None:
        rows.append(("Skill", skill_words(point)))
    if spread.crps_ratio is not None:
        against = f"{ratio(spread.crps_ratio)} of EWMA's (p {p_cell(spread.dm_p)})"
        rows.append(("CRPS", f"{crps}, {against}"))
    for c in spread.coverage:
        fits = f"a right one {100 * c.low:.0f} to {100 * c.high:.0f} %"
        rows.append((f"{level_percent(c.level)} interval", f"held {percent(c.share)} ({fits})"))
    return rows


def _alarms(found: "Drift") -> list[tuple[str, str, str]]:
    """Give the name of each alarm, what it says and in which style."""
    if found.status == "too_few":
        return [("Drift", f"{found.n} forecasts are too few to tell", "yellow")]
    said = {
        "calibration": f"chi-squared {found.pit_stat:.1f}, p {p_cell(found.pit_p)}",
        "skill": "unknown: no test part to compare with",
    }
    if found.cusum is not None:
        since = f" since {found.since}" if found.since else ""
        said["skill"] = f"CUSUM at {100 * found.cusum:.0f} % of its control limit{since}"
    return [
        (name, f"DRIFT: {said[alarm]}", "bold red")
        if alarm in found.alarms
        else (name, said[alarm], "")
        for alarm, name in (("calibration", "Calibration"), ("skill", "Skill over time"))
    ]


def _left_out(item: "LiveScores") -> str:
    counts = asdict(item.left_out)
    return ", ".join(f"{counts[key]} {words}" for key, words in _REASONS.items() if counts[key])


VIEW: "View[LiveScores]" = View(
    command="evaluate",
    key="results",
    document=_document,
    tables=_tables,
    bare=_bare,
)
