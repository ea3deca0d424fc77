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
from stocklstm.core.language import english_money, retold, say, say_counted
from stocklstm.core.wording import (
    error_digits,
    level_percent,
    naive_words,
    p_cell,
    percent,
    sessions_ahead,
)
from stocklstm.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.core.scores.drift import Drift
    from stocklstm.core.scores.scores import Evaluation
    from stocklstm.workflows.evaluate.live import LiveResult, LiveScores

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
        pairs.append((say("Not scored"), words))
    facts(console, _title(item), pairs)
    console.print()
    console.print(Text(retold(item.verdict_text), STYLES.get(item.verdict or "", "")))


def _title(item: "LiveScores") -> str:
    who = ", ".join(f"v{version}" for version in item.versions)
    name = f"{item.ticker}{f' ({who})' if who else ''}"
    if item.evaluation is None:
        return say("{name}, live: no forecast has closed", name=name)
    forecasts = say_counted(item.n, "1 forecast", "{count} forecasts")
    title = say(
        "{name}, live: {forecasts}, {start} to {end}",
        name=name,
        forecasts=forecasts,
        start=item.evaluation.start,
        end=item.evaluation.end,
    )
    return title if item.horizon == 1 else f"{title}, {retold(sessions_ahead(item.horizon))}"


def _scores(item: "LiveScores", scores: "Evaluation") -> list[tuple[str, str]]:
    point, spread = scores.point, scores.distribution
    rmse, naive, crps = (
        english_money(value, item.currency, error_digits(point.rmse_naive or point.rmse))
        for value in (point.rmse, point.rmse_naive, spread.crps)
    )
    rows = [
        (
            "RMSE",
            say(
                "{rmse}, of {name} {naive}", rmse=rmse, name=naive_words(item.horizon), naive=naive
            ),
        )
    ]
    if point.skill is not None:
        rows.append((say("Skill"), skill_words(point)))
    if spread.crps_ratio is not None:
        words = say(
            "{crps}, {ratio} of EWMA's (p {p})",
            crps=crps,
            ratio=ratio(spread.crps_ratio),
            p=p_cell(spread.dm_p),
        )
        rows.append(("CRPS", words))
    for c in spread.coverage:
        words = say(
            "held {share} (a right one {low:.0f} to {high:.0f} %)",
            share=percent(c.share),
            low=100 * c.low,
            high=100 * c.high,
        )
        rows.append((say("{level} interval", level=level_percent(c.level)), words))
    return rows


def _alarms(found: "Drift") -> list[tuple[str, str, str]]:
    """Give the name of each alarm, what it says and in which style."""
    if found.status == "too_few":
        return [(say("Drift"), say("{n} forecasts are too few to tell", n=found.n), "yellow")]
    said = {
        "calibration": say(
            "chi-squared {stat:.1f}, p {p}", stat=found.pit_stat, p=p_cell(found.pit_p)
        ),
        "skill": say("unknown: no test part to compare with"),
    }
    if found.cusum is not None:
        share = f"{100 * found.cusum:.0f} %"
        said["skill"] = (
            say(
                "CUSUM at {share} of its control limit since {since}",
                share=share,
                since=found.since,
            )
            if found.since
            else say("CUSUM at {share} of its control limit", share=share)
        )
    names = {"calibration": say("Calibration"), "skill": say("Skill over time")}
    return [
        (name, say("DRIFT: {found}", found=said[alarm]), "bold red")
        if alarm in found.alarms
        else (name, said[alarm], "")
        for alarm, name in names.items()
    ]


def _left_out(item: "LiveScores") -> str:
    left_out = item.left_out
    reasons = (
        (left_out.open, say("waiting for a close")),
        (left_out.too_late, say("made too late")),
        (left_out.other_horizon, say("of another horizon")),
        (left_out.not_champion, say("of a version that was not champion")),
        (left_out.repeated, say("of a session that has one already")),
        (left_out.not_stored, say("without stored prices")),
        (left_out.version_removed, say("of a version that is gone")),
        (left_out.earlier, say("before the latest asked for")),
    )
    return ", ".join(f"{count} {words}" for count, words in reasons if count)


VIEW: "View[LiveScores]" = View(
    command="evaluate",
    key="results",
    document=_document,
    tables=_tables,
    bare=_bare,
)
