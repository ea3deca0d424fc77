"""stocklstm train --all, --if-older-than and --if-drift."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stocklstm.cli.output import View
from stocklstm.cli.train import dry_run
from stocklstm.core.language import say
from stocklstm.core.reference import StoredTicker
from stocklstm.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.cli.train.setting_options import Given
    from stocklstm.client import Client
    from stocklstm.core.batch import Batch
    from stocklstm.workflows.retraining import Retrained, Retraining, RetrainingRule
    from stocklstm.workflows.train.dry_run import PlannedTraining
    from stocklstm.workflows.train.train import TrainedVersion

PANEL = "Retraining"

Every = Annotated[
    bool,
    typer.Option(
        "--all",
        help="Retrain every ticker that has a champion, with the champion's own settings. Pooled "
        "models are retrained by name.",
        rich_help_panel=PANEL,
    ),
]

IfOlderThan = Annotated[
    int | None,
    typer.Option(
        metavar="SESSIONS",
        help="Retrain only champions that have not seen more than so many of the latest sessions.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]

IfDrift = Annotated[
    bool,
    typer.Option(
        "--if-drift",
        help="Retrain only champions whose forecasts raise an alarm, as in evaluate --live; with "
        "--if-older-than either is reason enough.",
        rich_help_panel=PANEL,
    ),
]


@dataclass(frozen=True)
class RetrainOptions:
    """The options of retraining, as they were given.

    Attributes:
        every: Of `--all`.
        older_than: Of `--if-older-than`.
        drift: Of `--if-drift`.
        excluded: Options that are for a new training alone, and whether they were given.
    """

    every: bool
    older_than: int | None
    drift: bool
    excluded: Mapping[str, bool]

    @property
    def given(self) -> bool:
        """True if champions are to be retrained."""
        return self.every or self.older_than is not None or self.drift

    @property
    def words(self) -> str:
        """The options, for the next command."""
        age = "" if self.older_than is None else f" --if-older-than {self.older_than}"
        words = ("--all" if self.every else "") + age + (" --if-drift" if self.drift else "")
        return words.strip()

    def rule(self, tickers: Sequence[str], given: "Given") -> "RetrainingRule":
        """Read which champions are due, and refuse what contradicts it.

        Args:
            tickers: As typed.
            given: Settings of the command line.

        Raises:
            ConfigError: Something does.
        """
        from stocklstm.workflows.retraining import RetrainingRule

        words = self.words
        if self.every and tickers:
            raise ConfigError(
                "--all is every ticker that has a champion, and tickers are named besides",
                hint="leave --all out, or the tickers",
            )
        if not given.is_empty:
            raise ConfigError(
                f"{words} retrains with the champion's own settings, and others were given",
                hint=f"leave them out, or {words}",
            )
        for option in (name for name, is_given in self.excluded.items() if is_given):
            pooled = option in {"--pooled", "--name"}
            raise ConfigError(
                f"{option} is no option of {words}"
                + (": pooled models are retrained by name" if pooled else ""),
                hint="stocklstm train --pooled --name b3 --like +b3@champion"
                if pooled
                else f"leave {option} out, or {words}",
            )
        if not self.every and not tickers:
            raise ConfigError("train needs a ticker", hint=f"stocklstm train --all {words}")
        return RetrainingRule(self.older_than, self.drift)


@dataclass(frozen=True)
class PlannedRetraining:
    """What the retraining of one champion would do.

    Attributes:
        retraining: Whether it is due, and why.
        plan: What would be trained; None if it is not due.
    """

    retraining: "Retraining"
    plan: "PlannedTraining | None"


def plan(
    client: "Client", tickers: Sequence[str], rule: "RetrainingRule"
) -> "Batch[PlannedRetraining]":
    """Say what retraining would do."""
    from stocklstm.core.batch import Batch

    due = client.find_due(tickers, rule)
    plans, failures = [], list(due.failures)
    for each in due.results:
        if not each.due:
            plans.append(PlannedRetraining(each, None))
            continue
        config = client.show_model(each.settings).manifest.config
        made = client.dry_run([StoredTicker(each.ticker)], config)
        plans += [PlannedRetraining(each, planned) for planned in made.results]
        failures += made.failures
    return Batch(tuple(plans), tuple(failures))


def _document(made: "View[Any]", retraining: "Retraining", item: object) -> Mapping[str, Any]:
    why = {"retraining": asdict(retraining)}
    if item is None:
        return {"ticker": retraining.ticker, **why}
    return {**made.document(item), **why}


def _planned_tables(console: "Console", items: Sequence[PlannedRetraining]) -> None:
    _shown(console, dry_run.VIEW, [(item.retraining, item.plan) for item in items])


def _shown(
    console: "Console", made: "View[Any]", pairs: Sequence[tuple["Retraining", object]]
) -> None:
    from stocklstm.cli.tables import grid

    done = [(retraining, item) for retraining, item in pairs if item is not None]
    for _, item in done:
        made.tables(console, [item])
    columns = [say("Champion"), say("Why")]
    rows = [[f"{each.ticker}@v{each.champion}", each.reason] for each, _ in done]
    if rows:
        grid(console, say("Due"), columns, rows, left=columns[1:])
    rows = [
        [f"{each.ticker}@v{each.champion}", each.reason] for each, item in pairs if item is None
    ]
    if rows:
        title = say("Not due") if done else say("Nothing is due for retraining")
        grid(console, title, columns, rows, left=columns[1:])


def view_of(made: "View[TrainedVersion]") -> "View[Retrained]":
    """Show retraining as training is shown, with why it was due or not."""
    return View(
        command=made.command,
        key=made.key,
        document=lambda item: _document(made, item.retraining, item.trained),
        tables=lambda console, items: _shown(
            console, made, [(item.retraining, item.trained) for item in items]
        ),
        bare=lambda item: () if item.trained is None else made.bare(item.trained),
        picture=lambda item: None if item.trained is None else made.picture(item.trained),
    )


PLAN_VIEW: "View[PlannedRetraining]" = View(
    command=dry_run.VIEW.command,
    key=dry_run.VIEW.key,
    document=lambda item: _document(dry_run.VIEW, item.retraining, item.plan),
    tables=_planned_tables,
    bare=lambda item: () if item.plan is None else dry_run.VIEW.bare(item.plan),
)
