"""Forecasts on the terminal: what predict and demo show."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from stocklstm.cli.output import View, as_document, warn
from stocklstm.core.language import say
from stocklstm.core.wording import (
    horizon_suffix,
    level_percent,
    money,
    percent,
    percent_change,
    price_digits,
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
        *(["Session", "Ahead"] if one else ["Ticker", "Session", *["Ahead"][: int(several)]]),
        *("Forecast", "Change", *intervals, *["Outcome"][: int(known)]),
    ]
    rows = [
        [
            *([] if one else [item.ticker]),
            item.target_session,
            *([f"{item.horizon}"] if several else []),
            money(item.point, item.currency, digits),
            percent_change(item.change_pct),
            *(f"{i.lower:,.{digits}f} to {i.upper:,.{digits}f}" for i in item.intervals),
            *([_outcome(item, digits)] if known else []),
        ]
        for item in items
        for digits in [price_digits(item.last_close)]
    ]
    near = all(item.horizon == 1 and item.outcome is None for item in items)
    title = f"Forecast closes{f' of {items[0].ticker}' if one else ''}"
    grid(console, "Next session's close" if near else title, columns, rows)
    lines(console, (line for group in of_one_model(items) for line in _explained(group)))
    for words in _not_on_the_grid(items[0].intervals):
        console.print(f"\n{words}")
    console.print("\n" + say("A forecast is not investment advice."))


def _explained(group: Sequence["Forecast"]) -> "Iterator[Line]":
    """Say what made the forecasts of a ticker, and how good it is."""
    from stocklstm.cli.tables import Line, verdict_line
    from stocklstm.workflows.predict.predict import HORIZON_CHECK

    first, several = group[0], len(group) > 1
    last = money(first.last_close, first.currency, price_digits(first.last_close))
    ahead = horizon_suffix(first.horizon)
    if several:
        from stocklstm.core.forecasts.horizons import horizons_text

        ahead = f", {horizons_text([item.horizon for item in group])} sessions ahead"
    yield Line("")
    yield Line(f"{_maker(first)}, from the close of {first.as_of}, {last}{ahead}.")
    yield verdict_line(first.verdict_text, first.verdict)
    untested = (c.detail for item in group for c in item.checks if c.name == HORIZON_CHECK)
    for words in dict.fromkeys(untested):
        yield Line(f"{words[0].upper()}{words[1:]}", whole=True)
    for item in group:
        whose = f", {sessions_ahead(item.horizon)}" if several else ""
        if item.live is not None:
            yield Line(f"Live{whose}, {_live_words(item.live)}")
        if any(interval.adaptive for interval in item.intervals):
            yield Line(f"Adaptive intervals{whose}: {_adaptive_words(item)}")
    if first.plot:
        yield Line(f"Picture: {first.plot}", whole=True)


def _not_on_the_grid(intervals: "Sequence[Interval]") -> Iterable[str]:
    """Say which intervals the forecast has no quantiles of, and what was done about it."""
    between = [each.level for each in intervals if each.interpolated]
    beyond = [each.level for each in intervals if each.extended]
    if between:
        words = "lies" if len(between) == 1 else "lie"
        yield f"{_named(between)} {words} between those of the forecast: interpolated."
    if beyond:
        words = "is wider than any" if len(beyond) == 1 else "are wider than any"
        yield f"{_named(beyond)} {words} of the forecast: extended as a normal tail would go on."


def _named(levels: Sequence[float]) -> str:
    listed = " and ".join(
        filter(None, [", ".join(map(level_percent, levels[:-1])), level_percent(levels[-1])])
    )
    return f"The {listed} interval{'' if len(levels) == 1 else 's'}"


def _maker(item: "Forecast") -> str:
    own = item.model == f"{item.ticker}@v{item.version}"
    return item.model if own else f"{item.ticker} by {item.model}"


def _live_words(live: "LiveRecord") -> str:
    from stocklstm.core.forecasts.live import FEWEST

    held = [
        f"{level_percent(float(level))} held {percent(share)}"
        for level, share in live.coverage.items()
    ]
    skill = "" if live.skill is None else f", skill {skill_percent(live.skill, 1)}"
    sessions = "session" if live.n == 1 else f"{live.n} sessions"
    few = "" if live.n >= FEWEST else f" ({FEWEST} would begin to tell something)"
    return f"last {sessions}: {', '.join(held)}{skill}{few}."


def _adaptive_words(item: "Forecast") -> str:
    taken = [
        f"{level_percent(interval.level)} as {percent(interval.effective_level)}"
        for interval in item.intervals
        if interval.effective_level is not None
    ]
    return f"{', '.join(taken)} of the forecast distribution."


def _outcome(item: "Forecast", digits: int) -> str:
    return "" if item.outcome is None else money(item.outcome, item.currency, digits)


VIEW: "View[Forecast]" = View(
    command="predict",
    key="forecasts",
    document=as_document,
    tables=_tables,
    bare=_bare,
    picture=lambda item: item.plot,
)
