"""Prices as they were traded, adjusted for splits and dividends."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from stocklstm.core.prices.answers import Basis
from stocklstm.core.prices.series import (
    Action,
    Bars,
    Dates,
    Floats,
)


def adjust(bars: Bars, basis: Basis, actions: Iterable[Action], stored: Bars) -> Bars:
    """Adjust for splits, and compute adjusted closes, where the source has not done so.

    The adjusted close is CRSP's total-return adjustment as Yahoo computes it: every close before
    an ex-date is multiplied by 1 - dividend / last close before that date. Where there are stored
    rows its scale is theirs, so that a day which is stored keeps its adjusted close.

    Args:
        bars: Clean rows, oldest first.
        basis: What they allow for already.
        actions: Known splits and dividends, the latter per share of today.
        stored: Adjusted rows of the same ticker, oldest first; may be none.
    """
    if basis is Basis.ADJUSTED or not len(bars):
        return bars
    known = list(actions)
    if basis is Basis.AS_TRADED:
        bars = without_splits(bars, known)
    # In order, each day once, the given close where both have one.
    dates, first = np.unique(np.concatenate([bars.dates, stored.dates]), return_index=True)
    closes = np.concatenate([bars.closes, stored.closes])[first]
    factors = _dividend_factors(dates, closes, known)
    given = factors[np.searchsorted(dates, bars.dates)]
    if len(stored):
        # Of the stored rows the next one: between it and a given day lie the dividends that
        # its own factor lacks. After the last one there is only that one to go by.
        anchors = np.minimum(np.searchsorted(stored.dates, bars.dates), len(stored) - 1)
        scale = stored.adj_closes / stored.closes / factors[np.searchsorted(dates, stored.dates)]
        given = given * scale[anchors]
    return replace(bars, adj_closes=bars.closes * given)


def leaves_splits_in(bars: Bars, splits: Iterable[Action]) -> bool:
    """Tell whether closes move as those do that were traded on both sides of a split.

    Args:
        bars: N rows, oldest first, the closes above zero.
        splits: Their days and values.

    Returns:
        True if the closes beside the splits, taken together, lie closer to each other once the
        splits are taken out.
    """
    kept = taken_out = 0.0
    for split in splits:
        row = int(np.searchsorted(bars.dates, np.datetime64(split.date, "D")))
        if 0 < row < len(bars):
            move = np.log(bars.closes[row] / bars.closes[row - 1])
            kept += abs(move)
            taken_out += abs(move + np.log(split.value))
    return taken_out < kept


def without_splits(bars: Bars, actions: Iterable[Action]) -> Bars:
    """Convert prices and volumes as they were traded to shares of today."""
    shares = np.ones(len(bars))
    for action in actions:
        if action.kind == "split":
            shares[bars.dates < np.datetime64(action.date, "D")] *= action.value
    prices = {name: getattr(bars, name) / shares for name in ("opens", "highs", "lows", "closes")}
    return replace(bars, **prices, volumes=bars.volumes * shares)


def _dividend_factors(dates: Dates, closes: Floats, actions: Iterable[Action]) -> Floats:
    """Multiply for each day the factors of all later dividends, (N,), 1 at the end."""
    factors = np.ones(len(dates))
    for action in actions:
        if action.kind != "dividend":
            continue
        before = int(np.searchsorted(dates, np.datetime64(action.date, "D")))
        # Nothing is known of the price of a dividend before the first row, and one as large as
        # the price itself is no dividend.
        if before and action.value < closes[before - 1]:
            factors[:before] *= 1 - action.value / closes[before - 1]
    return factors
