"""What to know before relying on a forecast: old prices, an old model, inputs it never met."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import date
from typing import NamedTuple

import numpy as np

from stocklstm.core.checks import Check
from stocklstm.core.inputs.features import beyond_training
from stocklstm.core.language import english
from stocklstm.core.operating_system import system
from stocklstm.core.prices.series import Bars
from stocklstm.core.prices.spacing import spacing_days, spacing_words
from stocklstm.core.records import dataclass
from stocklstm.core.reference import CHAMPION, is_pool
from stocklstm.core.settings.config import differing_settings
from stocklstm.errors import (
    ConfigError,
    IntegrityError,
    NoModelError,
    RejectedDataError,
    StaleDataError,
    StockLstmError,
)
from stocklstm.store.manifest import training_command
from stocklstm.store.store import Store
from stocklstm.workflows.loading.model import LoadedModel


@dataclass(frozen=True)
class Demands:
    """What is demanded of prices and model.

    Example:
        >>> demands = stocklstm.Demands(max_age_days=90)
        >>> stocklstm.predict("PETR4.SA", demands=demands).forecasts[0].target_session
        '2024-03-14'

    Attributes:
        max_age_days: Most days from the last one that the model was trained or tested on to the
            last close; None for any number.
        strict: Refuse to forecast where a check warns.
        unrefreshed: Why the prices of a ticker could not be refreshed just now, by ticker.
    """

    max_age_days: int | None = None
    strict: bool = False
    unrefreshed: Mapping[str, StockLstmError] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an age that nothing can have.

        Raises:
            ConfigError: It is below 0.
        """
        if self.max_age_days is not None and self.max_age_days < 0:
            raise ConfigError(
                f"--max-age is a number of days from 0, not {self.max_age_days}",
                hint="--max-age 90 warns of models that have not seen the last 90 days",
            )


NO_DEMANDS = Demands()


class Finding(NamedTuple):
    """The outcome of one check.

    Attributes:
        name: "prices", "spacing", "intraday", "age" or "inputs".
        words: The outcome in words.
        remedy: The next command, if the check warns; None if all is well.
    """

    name: str
    words: str
    remedy: str | None = None

    @property
    def check(self) -> Check:
        """The same for the result."""
        if self.remedy is None:
            return Check(self.name, "ok", self.words)
        words = english("{found}: {command}", found=self.words, command=self.remedy)
        return Check(self.name, "warning", words)


def examine(
    store: Store, model: LoadedModel, bars: Bars, stale: int | None, demands: Demands
) -> tuple[Finding, ...]:
    """Check the prices, the age of the model and its inputs, before a forecast is made.

    That prices are daily is said of those only that are not, and what bars within sessions say is
    asked of those models only that make use of it.

    Args:
        store: Holds the model, and perhaps a younger one.
        bars: N sessions, the last one with the close that the forecast starts from.
        stale: Sessions that have ended since; None if it is a day of the past on purpose.
    """
    return (
        _prices(model.ticker, bars, stale, demands.unrefreshed.get(model.ticker)),
        *_spacing(model.ticker, bars),
        *_intraday(model, bars),
        _age(store, model, bars, demands.max_age_days),
        _inputs(model, bars),
    )


def require_all_well(model: LoadedModel, findings: Sequence[Finding], demands: Demands) -> None:
    """Refuse to forecast if a check warns and strictness is demanded.

    Raises:
        StockLstmError: What kept the prices from being refreshed.
        StaleDataError: The prices or the model are too old.
        RejectedDataError: An input lies beyond what training saw, or prices are not daily.
    """
    bad = {finding.name: finding for finding in findings if finding.remedy is not None}
    if not demands.strict or not bad:
        return
    if model.ticker in demands.unrefreshed:
        # Its class says whether a later attempt may succeed.
        raise demands.unrefreshed[model.ticker]
    kind = RejectedDataError if bad.keys() <= {"inputs", "spacing"} else StaleDataError
    commands = dict.fromkeys(str(finding.remedy) for finding in bad.values())
    raise kind(
        f"{model.manifest.id} makes no forecast under --strict: "
        + "; ".join(finding.words for finding in bad.values()),
        hint=system().then.join(commands),
    )


def _prices(
    ticker: str, bars: Bars, stale: int | None, unrefreshed: StockLstmError | None
) -> Finding:
    remedy = f"stocklstm fetch --ticker {ticker}"
    behind = (
        english("prices are 1 session behind")
        if stale == 1
        else english("prices are {count:,} sessions behind", count=stale or 0)
    )
    if unrefreshed is not None:
        words = english("prices could not be refreshed ({reason})", reason=unrefreshed.message)
        if stale:
            words = f"{words}, and {behind}"
        return Finding("prices", words, remedy)
    if stale:
        return Finding("prices", behind, remedy)
    if stale is None:
        return Finding("prices", english("those to {day}, as was asked for", day=bars.last_day))
    return Finding(
        "prices", english("no session has ended since the last close, of {day}", day=bars.last_day)
    )


def _spacing(ticker: str, bars: Bars) -> Iterator[Finding]:
    days = spacing_days(bars.dates)
    if days > 1:
        words = (
            f"its prices are {spacing_words(days)}, and so is the forecast: the close {days} days "
            "on, whichever day is named"
        )
        yield Finding("spacing", words, f"stocklstm prices show --ticker {ticker}")


def _intraday(model: LoadedModel, bars: Bars) -> Iterator[Finding]:
    if not model.manifest.data.measured or bars.realised is None:
        return
    kind, day = int(bars.realised.minutes[-1]), bars.last_day
    if kind:
        yield Finding("intraday", f"{day} is measured by {kind}-minute bars")
    else:
        words = english(
            "no bars within the session of {day}: its daily range stands for them", day=day
        )
        yield Finding("intraday", words, f"stocklstm fetch --ticker {model.ticker} --intraday")


def _age(store: Store, model: LoadedModel, bars: Bars, most: int | None) -> Finding:
    manifest = model.manifest
    last = manifest.data.last
    days = (date.fromisoformat(bars.last_day) - date.fromisoformat(last)).days
    if days < 0:
        return Finding(
            "age",
            english(
                "{model} has seen prices to {last}, after this close", model=manifest.id, last=last
            ),
        )
    words = english(
        "{model} has seen prices to {last}, {days} days before the last close",
        model=manifest.id,
        last=last,
        days=days,
    )
    if most is not None and days > most:
        remedy = _younger(store, model, str(bars.dates[-1] - np.timedelta64(most, "D")))
        return Finding(
            "age", english("{found}, {most} at most are allowed", found=words, most=most), remedy
        )
    return Finding("age", words)


def _younger(store: Store, model: LoadedModel, since: str) -> str:
    """Name the command after which a younger model makes the forecast.

    Args:
        since: ISO day to which it has to have seen prices.
    """
    registry, old = store.registry, model.manifest
    owner, config = old.ticker, registry.trained_from(old).config
    champion = registry.aliases.of(owner).get(CHAMPION)
    by_champion = f"stocklstm predict --ticker {model.ticker}"
    if is_pool(owner):
        by_champion += f" --model {owner[1:]}"
    for version in reversed(registry.versions(owner)):
        if version == old.version:
            continue
        try:
            other = registry.manifest(owner, version)
        except (IntegrityError, NoModelError):
            continue
        same = not differing_settings(registry.trained_from(other).config, config)
        if same and other.data.last >= since:
            # It is not champion since it was worse on the same days, or by somebody's choice.
            return by_champion if version == champion else f"stocklstm models promote {other.id}"
    # Newer prices are stored: the age is counted to the last of them.
    train = training_command(owner, like=old.id)
    return train if old.version == champion else f"{train}{system().then}{by_champion}"


def _inputs(model: LoadedModel, bars: Bars) -> Finding:
    manifest = model.manifest
    if not manifest.input_ranges:
        return Finding(
            "inputs", f"cannot be told: {manifest.id} is older than the ranges this takes"
        )
    beyond = beyond_training(manifest.input_ranges, bars, model.forecaster.scaling.anchor)
    if beyond:
        words = english("beyond training: {inputs}", inputs=" and ".join(beyond))
        return Finding("inputs", words, _next_to_look(model))
    return Finding(
        "inputs", english("those of the last session lie within what training saw, or near it")
    )


def _next_to_look(model: LoadedModel) -> str:
    if "close" in model.manifest.config.features:
        # Training anew would move the range, but seldom as far as the last close: the newest rows
        # are held back. Returns have no such range.
        return f"stocklstm train --ticker {model.ticker} --preset calibrated"
    # A day that is out of all proportion may be a wrong price.
    return f"stocklstm prices show --ticker {model.ticker}"
