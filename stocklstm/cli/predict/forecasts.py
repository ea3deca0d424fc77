"""Forecasts on the terminal: what predict and demo show."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from stocklstm.cli.output import View, as_document, warn
from stocklstm.core.language import english_money, retold, say, say_counted
from stocklstm.core.wording import (
    level_percent,
    percent,
    percent_change,
    price_digits,
    range_words,
    sessions_ahead,
    skill_percent,
)

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.cli.tables import Line
    from stocklstm.core.forecasts.intervals import Interval
    from stocklstm.core.forecasts.live import LiveRecord
    from stocklstm.workflows.predict.predict import Forecast, PredictResult


def warned(result: "PredictResult") -> "PredictResult":
    """Say on stderr what to know before relying on the forecasts, and pass them on.

    What all forecasts of a ticker have in common is said once. That those farther ahead were not
    tested is no news of an evening, and so left to the table and to `--json`.
    """
    from stocklstm.workflows.predict.predict import HORIZON_CHECK

    said: set[tuple[str, str]] = set()
    for forecast in result.forecasts:
        known = {check.detail for check in forecast.checks if check.name == HORIZON_CHECK}
        for warning in forecast.warnings:
            if warning not in known and (forecast.ticker, warning) not in said:
                said.add((forecast.ticker, warning))
                warn(forecast.ticker, [warning])
    return result


def _bare(item: "Forecast") -> Iterable[str]:
    yield f"{item.point:.{price_digits(item.last_close)}f}"


def _tables(console: "Console", items: Sequence["Forecast"]) -> None:
    from stocklstm.cli.tables import grid, lines
    from stocklstm.workflows.predict.predict import of_one_model

    intervals = [level_percent(interval.level) for interval in items[0].intervals]
    known = any(item.outcome is not None for item in items)
    several = len({item.horizon for item in items}) > 1
    # The sessions of one ticker need not say in every row which one it is.
    one = several and len({item.ticker for item in items}) == 1
    columns = [
        *([] if one else [say("Ticker")]),
        say("Session"),
        *([say("Ahead")] if several else []),
        *(say("Forecast"), say("Change"), *map(retold, intervals)),
        *([say("Outcome")] if known else []),
    ]
    rows = [
        [
            *([] if one else [item.ticker]),
            item.target_session,
            *([f"{item.horizon}"] if several else []),
            english_money(item.point, item.currency, digits),
            percent_change(item.change_pct),
            *(range_words(i.lower, i.upper, digits) for i in item.intervals),
            *([_outcome(item, digits)] if known else []),
        ]
        for item in items
        for digits in [price_digits(item.last_close)]
    ]
    if all(item.horizon == 1 and item.outcome is None for item in items):
        title = say("Next session's close")
    elif one:
        title = say("Forecast closes of {ticker}", ticker=items[0].ticker)
    else:
        title = say("Forecast closes")
    grid(console, title, columns, rows)
    lines(console, (line for group in of_one_model(items) for line in _explained(group)))
    for words in _not_on_the_grid(items[0].intervals):
        console.print(f"\n{words}")
    console.print("\n" + say("A forecast is not investment advice."))


def _explained(group: Sequence["Forecast"]) -> "Iterator[Line]":
    """Say what made the forecasts of a ticker, and how good it is."""
    from stocklstm.cli.tables import Line, path_line, verdict_line
    from stocklstm.workflows.predict.predict import HORIZON_CHECK

    first, several = group[0], len(group) > 1
    last = english_money(first.last_close, first.currency, price_digits(first.last_close))
    ahead = "" if first.horizon == 1 else sessions_ahead(first.horizon)
    if several:
        from stocklstm.core.forecasts.horizons import horizons_text

        numbers = horizons_text([item.horizon for item in group])
        ahead = say("{numbers} sessions ahead", numbers=numbers)
    ahead = f", {retold(ahead)}" if ahead else ""
    yield Line("")
    yield Line(
        say(
            "{maker}, from the close of {as_of}, {last}{ahead}.",
            maker=_maker(first),
            as_of=first.as_of,
            last=last,
            ahead=ahead,
        )
    )
    yield verdict_line(first.verdict_text, first.verdict)
    untested = (c.detail for item in group for c in item.checks if c.name == HORIZON_CHECK)
    for words in dict.fromkeys(untested):
        told = retold(words)
        yield Line(f"{told[0].upper()}{told[1:]}", whole=True)
    for item in group:
        whose = f", {retold(sessions_ahead(item.horizon))}" if several else ""
        if item.live is not None:
            yield Line(say("Live{whose}, {record}.", whose=whose, record=_live_words(item.live)))
        if any(interval.adaptive for interval in item.intervals):
            yield Line(
                say(
                    "Adaptive intervals{whose}: {levels} of the forecast distribution.",
                    whose=whose,
                    levels=_adaptive_words(item),
                )
            )
    if first.plot:
        yield path_line(say("Picture"), first.plot)


def _not_on_the_grid(intervals: "Sequence[Interval]") -> Iterable[str]:
    """Say which intervals the forecast has no quantiles of, and what was done about it."""
    between = [each.level for each in intervals if each.interpolated]
    beyond = [each.level for each in intervals if each.extended]
    if between:
        yield say_counted(
            len(between),
            "The {levels} interval lies between those of the forecast: interpolated.",
            "The {levels} intervals lie between those of the forecast: interpolated.",
            levels=_listed(between),
        )
    if beyond:
        yield say_counted(
            len(beyond),
            "The {levels} interval is wider than any of the forecast: "
            "extended as a normal tail would go on.",
            "The {levels} intervals are wider than any of the forecast: "
            "extended as a normal tail would go on.",
            levels=_listed(beyond),
        )


def _listed(levels: Sequence[float]) -> str:
    return " and ".join(
        filter(None, [", ".join(map(level_percent, levels[:-1])), level_percent(levels[-1])])
    )


def _maker(item: "Forecast") -> str:
    own = item.model == f"{item.ticker}@v{item.version}"
    return item.model if own else say("{ticker} by {model}", ticker=item.ticker, model=item.model)


def _live_words(live: "LiveRecord") -> str:
    from stocklstm.core.forecasts.live import FEWEST

    parts = [
        say(
            "{level} held {share}",
            level=level_percent(float(level)),
            share=percent(share),
        )
        for level, share in live.coverage.items()
    ]
    if live.skill is not None:
        parts.append(say("skill {skill}", skill=skill_percent(live.skill, 1)))
    few = ""
    if live.n < FEWEST:
        few = " " + say("({fewest} would begin to tell something)", fewest=FEWEST)
    last = say_counted(live.n, "last session", "last {count} sessions")
    return f"{last}: {', '.join(parts)}{few}"


def _adaptive_words(item: "Forecast") -> str:
    taken = [
        say(
            "{level} as {share}",
            level=level_percent(interval.level),
            share=percent(interval.effective_level),
        )
        for interval in item.intervals
        if interval.effective_level is not None
    ]
    return ", ".join(taken)


def _outcome(item: "Forecast", digits: int) -> str:
    return "" if item.outcome is None else english_money(item.outcome, item.currency, digits)


VIEW: "View[Forecast]" = View(
    command="predict",
    key="forecasts",
    document=as_document,
    tables=_tables,
    bare=_bare,
    picture=lambda item: item.plot,
)
