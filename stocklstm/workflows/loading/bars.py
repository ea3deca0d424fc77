"""Prices as a model reads them: with what bars within sessions say, where it makes use of that."""

from dataclasses import replace

import numpy as np

from stocklstm.core.inputs.features import needs_anchor
from stocklstm.core.prices.series import Bars
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.store.manifest import Manifest
from stocklstm.store.store import Store

FEWEST_SESSIONS = 250
"""Sessions with enough bars from which on a training makes use of them."""


def bars_to_learn(store: Store, ticker: str, config: TrainingConfig) -> Bars:
    """Read all prices of a ticker as a training with these settings takes them.

    Raises:
        NoPricesError: There are none.
    """
    bars = store.prices.bars(ticker)
    if not config.intraday or not (config.target == "return" or needs_anchor(config.features)):
        return bars
    realised = store.prices.day_variances(ticker, bars.dates)
    used = realised.minutes[bars.dates >= np.datetime64(config.start or bars.dates[0], "D")]
    return replace(bars, realised=realised) if (used > 0).sum() >= FEWEST_SESSIONS else bars


def bars_of_model(store: Store, manifest: Manifest, ticker: str) -> Bars:
    """Read all prices of a ticker as a version takes them.

    Raises:
        NoPricesError: There are none.
    """
    return as_read_by(store, manifest, ticker, store.prices.bars(ticker))


def as_read_by(store: Store, manifest: Manifest, ticker: str, bars: Bars) -> Bars:
    """Add what a version makes use of to stored prices of a ticker."""
    if bars.realised is not None or not manifest.data.measured:
        return bars
    return replace(bars, realised=store.prices.day_variances(ticker, bars.dates))
