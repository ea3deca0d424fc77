"""Prices made by formula: of given closes, of a share that looks real, and with another future."""

from dataclasses import replace

import numpy as np

from stocklstm.core.prices.series import Bars, DayVariances


def bars_of(closes, **columns) -> Bars:
    """Make bars of closes; columns that are not given follow from them (opens … are missing)."""
    closes = np.asarray(closes, np.float64)
    nothing = np.full(len(closes), np.nan)
    given = {name: np.asarray(values, np.float64) for name, values in columns.items()}
    return Bars(
        dates=np.datetime64("2020-01-01") + np.arange(len(closes)),
        opens=given.get("opens", nothing),
        highs=given.get("highs", nothing),
        lows=given.get("lows", nothing),
        closes=closes,
        adj_closes=given.get("adj_closes", closes),
        volumes=given.get("volumes", nothing),
    )


def made_bars(rows: int, seed: int = 0, *, ranges: bool = True) -> Bars:
    """Make a share that opens away from yesterday's close, moves within the day and pays out."""
    rng = np.random.default_rng(seed)
    volatility = 0.02 * np.exp(0.5 * np.sin(np.arange(rows) / 40))
    overnight = rng.standard_normal(rows) * volatility * 0.5
    intraday = rng.standard_t(5, rows) * volatility * 0.6
    closes = 30 * np.exp(np.cumsum(overnight + intraday))
    opens = closes / np.exp(intraday)
    stretch = np.exp(np.abs(rng.standard_normal((2, rows))) * volatility * 0.3)
    # Every sixtieth session a dividend of 2 % lowers all adjusted closes before it.
    payouts = np.where(np.arange(rows) % 60 == 59, 0.98, 1.0)
    adjustment = np.append(np.cumprod(payouts[::-1])[::-1][1:], 1.0)
    if not ranges:
        return bars_of(closes, adj_closes=closes * adjustment)
    return bars_of(
        closes,
        opens=opens,
        highs=np.maximum(opens, closes) * stretch[0],
        lows=np.minimum(opens, closes) / stretch[1],
        adj_closes=closes * adjustment,
        volumes=np.full(rows, 1e6),
    )


def with_realised(bars: Bars, seed: int = 0, *, since: int = 0) -> Bars:
    """Add what bars within sessions say of the days from a row on, of all kinds and with holes."""
    rng = np.random.default_rng(seed)
    minutes = rng.choice([0, 5, 60], len(bars))
    minutes[:since] = 0
    known = np.log(bars.highs / bars.lows) ** 2 * np.exp(0.3 * rng.standard_normal(len(bars))) / 2
    return replace(bars, realised=DayVariances(minutes, np.where(minutes > 0, known, np.nan)))


def other_future(bars: Bars, row: int) -> Bars:
    """Replace everything after a row by what nobody could have expected."""
    later = np.arange(len(bars)) > row
    wild = np.random.default_rng(99).uniform(0.2, 5, len(bars))

    def changed(values, factor=1.0):
        return np.where(later, values * wild * factor, values)

    return replace(
        bars,
        opens=np.where(later, np.nan, bars.opens),
        highs=changed(bars.highs, 3),
        lows=changed(bars.lows, 0.1),
        closes=changed(bars.closes),
        adj_closes=changed(bars.adj_closes),
        volumes=changed(bars.volumes),
        realised=None
        if bars.realised is None
        else DayVariances(
            np.where(later, 60 - bars.realised.minutes, bars.realised.minutes),
            np.where(later, wild, bars.realised.variances),
        ),
    )


def thinned(bars: Bars, share: float, rows: int, seed: int = 0) -> Bars:
    """Repeat the close before on a share of the leading rows, as if nobody had traded then."""
    still = np.arange(len(bars)) < rows
    still &= np.random.default_rng(seed).random(len(bars)) < share
    still[0] = False
    last = np.maximum.accumulate(np.where(still, 0, np.arange(len(bars))))
    closes = bars.closes[last]
    opens, highs, lows = (
        np.where(still, closes, values) for values in (bars.opens, bars.highs, bars.lows)
    )
    return replace(
        bars,
        opens=opens,
        highs=highs,
        lows=lows,
        closes=closes,
        adj_closes=bars.adj_closes[last],
        volumes=np.where(still, 0.0, bars.volumes),
    )
