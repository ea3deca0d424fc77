"""The fan chart as SVG: the latest closes, past forecasts among them, and those to come.

Its values can be read without a script: over each session lies a radio button as wide as that, and
what is pointed at, tapped or reached by the arrow keys shows the figures that follow it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from markupsafe import Markup, escape

from stocklstm.core.forecasts.fan import fan_out
from stocklstm.core.forecasts.quantiles import ReturnForecasts, interval, interval_positions
from stocklstm.core.language import day, money, number, retold, say
from stocklstm.core.prices.series import Floats
from stocklstm.core.settings.config import INTERVAL_LEVELS
from stocklstm.core.wording import level_percent, percent_change, price_digits
from stocklstm.workflows.predict.history import PastForecast, TickerHistory
from stocklstm.workflows.predict.predict import Forecast

# Share of the width for the sessions to come: a single one beside sixty would be a sliver.
_AHEAD = 0.16

# Pixels of a digit in the widest typeface of the style sheet: of the prices along the axis, and of
# the forecast, which is larger and bold.
_TICK_WIDTH, _POINT_WIDTH = 7.7, 9.8


@dataclass(frozen=True)
class Size:
    """A drawing surface, in pixels; text does not scale with it, so each width has its own.

    Attributes:
        name: Class of the style sheet that shows or hides it.
        width: Of the whole.
        height: Of the whole.
        sessions: Latest closes.
        days: Days named along the axis.
        top: Room for the figures of a session.
        left: Room for the prices along the axis.
        right: Room for the forecast.
    """

    name: str
    width: int
    height: int
    sessions: int
    days: int
    top: int
    left: int = 50
    right: int = 62

    bottom = 30

    def for_prices(self, highest: float, digits: int) -> "Size":
        """Make room for long prices, such as those of an index or below a cent."""
        length = len(f"{highest:,.{digits}f}")
        return replace(
            self,
            left=max(self.left, 12 + round(_TICK_WIDTH * length)),
            right=max(self.right, 12 + round(_POINT_WIDTH * length)),
        )


WIDE = Size("wide", 920, 400, 60, 4, 48)
NARROW = Size("narrow", 358, 340, 30, 1, 78)

_LINE = 18
"""Pixels from one line of figures to the next."""


_REACH = 20.0
"""Pixels beyond the first and the last session that still belong to them."""


@dataclass(frozen=True, eq=False)
class _Scale:
    """Converts sessions and prices to pixels.

    Attributes:
        past: Sessions N behind, the last of them at N - 1.
        ahead: Sessions ahead.
        low: Price at the bottom.
        high: Price at the top.
    """

    size: Size
    past: int
    ahead: int
    low: float
    high: float

    @property
    def turn(self) -> float:
        """Pixels from the left to the last close."""
        return self.size.left + (self.end - self.size.left) * (1 - _AHEAD)

    @property
    def end(self) -> float:
        """Pixels from the left to the session that is forecast."""
        return float(self.size.width - self.size.right)

    def x(self, session: float) -> float:
        """Place a session; past - 1 is the last one with a close."""
        last = self.past - 1
        if session <= last:
            return self.size.left + (self.turn - self.size.left) * session / max(last, 1)
        return self.turn + (self.end - self.turn) * (session - last) / self.ahead

    def y(self, price: float) -> float:
        """Place a price."""
        room = self.size.height - self.size.top - self.size.bottom
        return self.size.top + room * (self.high - price) / (self.high - self.low)


def draw(forecasts: Sequence[Forecast], history: TickerHistory, learned: int, size: Size) -> Markup:
    """Draw the forecasts of a ticker and the closes before them.

    Args:
        forecasts: By one model from one close, nearest first.
        history: Closes up to that one, and forecasts on record.
        learned: Horizon of the model.

    Returns:
        An `svg` element without any style of its own.
    """
    made = forecasts[-1]
    fan = _fan(made, learned)
    shown = list(_shown(history))
    prices = [*history.closes.tolist(), *fan.quantiles[:, _outer()].ravel().tolist()]
    for _, past in shown:
        prices += [past.scale * bound for i in past.intervals for bound in (i.lower, i.upper)]
    low, high = min(prices), max(prices)
    margin = 0.04 * (high - low) or 0.01 * high
    digits = price_digits(made.last_close)
    size = size.for_prices(high, digits)
    scale = _Scale(size, len(history.dates), made.horizon, low - margin, high + margin)
    marks = [
        *_grid(scale, digits),
        *_days(scale, history, made.target_session),
        *(part for place, past in shown for part in _past_marks(scale, place, past)),
        *_fan_marks(scale, fan),
        _line(scale, range(len(history.closes)), history.closes, "closes"),
        *_misses(scale, shown, history.closes),
        *_last_and_points(scale, forecasts, digits),
    ]
    readings = list(_readings(scale, forecasts, history, dict(shown), digits))
    head = (
        f'<svg class="chart {size.name}" viewBox="0 0 {size.width} {size.height}" '
        f'width="{size.width}" height="{size.height}">'
        f'<g role="img" aria-label="{escape(_described(forecasts, history))}">{"".join(marks)}</g>'
        f'<g class="readings" role="radiogroup" aria-label="{escape(say("Sessions"))}">'
    )
    places = [scale.x(each.session) for each in readings]
    # As far as halfway to its neighbours; those at the ends reach a little into the margins.
    ends = [
        max(0.0, places[0] - _REACH),
        *((one + other) / 2 for one, other in pairwise(places)),
        min(float(size.width), places[-1] + _REACH),
    ]
    drawn = (
        _reading_marks(scale, each, span, chosen=each.session == len(history.dates) - 1)
        for each, span in zip(readings, pairwise(ends), strict=True)
    )
    # Numbers and days only, but for words, which are escaped.
    return Markup(f"{head}{''.join(drawn)}</g></svg>")  # noqa: S704 - see above


def _described(forecasts: Sequence[Forecast], history: TickerHistory) -> str:
    first = forecasts[0]
    return say(
        "Chart: closes of {ticker} from {first} to {last}, and the forecast for {targets}",
        ticker=first.ticker,
        first=str(history.dates[0]),
        last=first.as_of,
        targets=", ".join(made.target_session for made in forecasts),
    )


class _Reading(NamedTuple):
    """The figures of a session.

    Attributes:
        session: Its place: past - 1 is the last one with a close.
        price: What is marked: the close, or the forecast of one to come.
        first: Its day and its close, and the forecast of it.
        second: The intervals of that forecast.
    """

    session: int
    price: float
    first: list[str]
    second: list[str]


def _readings(
    scale: _Scale,
    forecasts: Sequence[Forecast],
    history: TickerHistory,
    shown: Mapping[int, PastForecast],
    digits: int,
) -> Iterator[_Reading]:
    def ranges(made: Forecast | PastForecast, factor: float) -> list[str]:
        return [
            say(
                "{level}: {low} to {high}",
                level=level_percent(i.level),
                low=f"{factor * i.lower:,.{digits}f}",
                high=f"{factor * i.upper:,.{digits}f}",
            )
            for i in made.intervals
        ]

    currency = history.currency
    for place, (date, close) in enumerate(zip(history.dates, history.closes, strict=True)):
        price = float(close)
        first = [day(str(date)), say("close {price}", price=f"{price:,.{digits}f}")]
        past = shown.get(place)
        if past is None:
            yield _Reading(place, price, first, [])
            continue
        first.append(say("forecast {price}", price=f"{past.scale * past.point:,.{digits}f}"))
        yield _Reading(place, price, first, ranges(past, past.scale))
    for made in forecasts:
        first = [
            day(made.target_session),
            say("forecast {price}", price=money(made.point, currency, digits)),
            retold(percent_change(made.change_pct)),
        ]
        yield _Reading(scale.past - 1 + made.horizon, made.point, first, ranges(made, 1.0))


def _reading_marks(
    scale: _Scale, reading: _Reading, span: tuple[float, float], *, chosen: bool
) -> str:
    """Draw a button over a session, and the figures that it shows."""
    size = scale.size
    x, y = scale.x(reading.session), scale.y(reading.price)
    left, right = span
    words = escape(", ".join([*reading.first, *reading.second]))
    height = size.height - size.bottom - size.top
    ticked = ' checked="checked"' if chosen else ""
    lines = (
        [reading.first, reading.second]
        if size.name == WIDE.name
        else [reading.first[:2], reading.first[2:], *([each] for each in reading.second)]
    )
    texts = "".join(
        f'<text class="line{number}" x="{size.left}" y="{_LINE * number - 4}">'
        f"{_tspans(line)}</text>"
        for number, line in enumerate(filter(None, lines), 1)
    )
    return (
        f'<foreignObject class="at" x="{left:.1f}" y="{size.top}" width="{right - left:.1f}" '
        f'height="{height}"><input type="radio" name="{size.name}" aria-label="{words}"{ticked}/>'
        f'</foreignObject><g class="reading" aria-hidden="true"><line class="hair" x1="{x:.1f}" '
        f'x2="{x:.1f}" y1="{size.top}" y2="{size.top + height}"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>{texts}</g>'
    )


def _tspans(words: Sequence[str]) -> str:
    first, *others = words
    return f"<tspan>{escape(first)}</tspan>" + "".join(
        f'<tspan dx="14">{escape(each)}</tspan>' for each in others
    )


def _fan(made: Forecast, learned: int) -> ReturnForecasts:
    last = np.array([made.last_close])
    target = ReturnForecasts(
        np.log(np.array([made.point]) / last),
        np.log(np.array([list(made.quantiles.values())]) / last),
    )
    return fan_out(target, made.horizon, learned).closes(np.repeat(last, made.horizon + 1))


def _outer() -> list[int]:
    """Return the columns of the widest interval that is drawn."""
    return list(interval_positions(max(INTERVAL_LEVELS)))


def _shown(history: TickerHistory) -> Iterator[tuple[int, PastForecast]]:
    """Choose the forecasts to draw: the first one of each session that has closed."""
    places = {str(day): place for place, day in enumerate(history.dates)}
    taken: set[int] = set()
    for past in sorted(history.forecasts, key=lambda past: (past.late, past.made_at)):
        place = places.get(past.target_session)
        if place is None or past.outcome is None or past.late or place in taken:
            continue
        taken.add(place)
        yield place, past


def _past_marks(scale: _Scale, place: int, past: PastForecast) -> Iterator[str]:
    x, half = scale.x(place), 3 if scale.size.name == WIDE.name else 2
    for i in sorted(past.intervals, key=lambda one: -one.level):
        top, bottom = scale.y(past.scale * i.upper), scale.y(past.scale * i.lower)
        kind = f"past p{100 * i.level:g}"
        yield (
            f'<rect class="{kind}" x="{x - half:.1f}" y="{top:.1f}" width="{2 * half:g}" '
            f'height="{bottom - top:.1f}"/>'
        )
    y = scale.y(past.scale * past.point)
    yield (
        f'<line class="past tick" x1="{x - half:.1f}" x2="{x + half:.1f}" y1="{y:.1f}" '
        f'y2="{y:.1f}"/>'
    )


def _misses(
    scale: _Scale, shown: Sequence[tuple[int, PastForecast]], closes: Floats
) -> Iterator[str]:
    """Cross out the closes outside their widest interval."""
    for place, past in shown:
        if past.held is not None and not past.held[f"{max(INTERVAL_LEVELS):g}"]:
            x, y = scale.x(place), scale.y(float(closes[place]))
            yield (f'<path class="miss" d="M{x - 4:.1f} {y - 4:.1f}l8 8m-8 0l8 -8"/>')


def _fan_marks(scale: _Scale, fan: ReturnForecasts) -> Iterator[str]:
    sessions = range(scale.past - 1, scale.past - 1 + len(fan.points))
    for level in sorted(INTERVAL_LEVELS, reverse=True):
        lower, upper = interval(fan.quantiles, level)
        there = [f"{scale.x(s):.1f},{scale.y(p):.1f}" for s, p in zip(sessions, upper, strict=True)]
        back = [f"{scale.x(s):.1f},{scale.y(p):.1f}" for s, p in zip(sessions, lower, strict=True)]
        points = " ".join(there + back[::-1])
        yield f'<polygon class="fan p{100 * level:g}" points="{points}"/>'
    yield _line(scale, sessions, fan.points, "path")


def _line(scale: _Scale, sessions: Sequence[int], prices: Floats, kind: str) -> str:
    points = " ".join(
        f"{scale.x(s):.1f},{scale.y(p):.1f}" for s, p in zip(sessions, prices, strict=True)
    )
    return f'<polyline class="{kind}" points="{points}"/>'


def _last_and_points(scale: _Scale, forecasts: Sequence[Forecast], digits: int) -> Iterator[str]:
    made = forecasts[-1]
    y = scale.y(made.last_close)
    yield (
        f'<line class="last" x1="{scale.size.left}" x2="{scale.end:.1f}" y1="{y:.1f}" '
        f'y2="{y:.1f}"/>'
    )
    for each in forecasts:
        x, y = scale.x(scale.past - 1 + each.horizon), scale.y(each.point)
        radius = 4 if each is made else 2.5
        yield f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>'
    words = number(made.point, digits)
    yield f'<text class="point" x="{x + 8:.1f}" y="{y + 4:.1f}">{words}</text>'


def _grid(scale: _Scale, digits: int) -> Iterator[str]:
    size = scale.size
    for price in _round_prices(scale.low, scale.high):
        y = scale.y(price)
        yield (
            f'<line class="grid" x1="{size.left}" x2="{size.width - size.right}" y1="{y:.1f}" '
            f'y2="{y:.1f}"/>'
        )
        yield (
            f'<text class="tick" text-anchor="end" x="{size.left - 8}" y="{y + 4:.1f}">'
            f"{number(price, digits)}</text>"
        )


def _round_prices(low: float, high: float) -> list[float]:
    """Choose about five round prices."""
    rough = (high - low) / 6
    unit = 10.0 ** np.floor(np.log10(rough))
    step = unit * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * unit >= rough)
    first = int(np.ceil(low / step))
    return [step * count for count in range(first, int(np.floor(high / step)) + 1)]


def _days(scale: _Scale, history: TickerHistory, target: str) -> Iterator[str]:
    size, last = scale.size, len(history.dates) - 1
    y = size.height - 8
    for count in range(size.days):
        place = round(last * count / size.days)
        anchor = "start" if count == 0 else "middle"
        yield (
            f'<text class="day" text-anchor="{anchor}" x="{scale.x(place):.1f}" y="{y}">'
            f"{day(str(history.dates[place]))}</text>"
        )
    yield (
        f'<line class="turn" x1="{scale.turn:.1f}" x2="{scale.turn:.1f}" y1="{size.top}" '
        f'y2="{size.height - size.bottom}"/>'
    )
    yield f'<text class="day" text-anchor="middle" x="{scale.end:.1f}" y="{y}">{day(target)}</text>'
