"""A store with several made-up tickers, and a pooled model of some of them."""

from pathlib import Path

import numpy as np

from stocklstm import train_pooled
from stocklstm.core.prices.series import Bars, Instrument
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.store.store import open_store
from stocklstm.workflows.train.train import PooledVersion
from tests.conftest import TINY
from tests.support.made_prices import made_bars

NAMES = ("AAA3.SA", "BBB4.SA", "CCC11.SA")
YOUNG = "NEW3.SA"
POOL = "+b3"
EVENING = "2026-11-20T23:00:00Z"
LAST = np.datetime64("2026-11-20")


def pool_config(**changes: object) -> TrainingConfig:
    """Take settings that train in a moment."""
    return configure("calibrated", **{**TINY, "hidden_size": 4, "batch_size": 64, **changes})


def dated(bars: Bars, last: np.datetime64 = LAST) -> Bars:
    """Let bars end on a day, on weekdays."""
    days = np.busday_offset(last, np.arange(1 - len(bars), 1), roll="backward")
    return Bars(days, bars.opens, bars.highs, bars.lows, bars.closes, bars.adj_closes, bars.volumes)


def put(home: Path, ticker: str, bars: Bars, currency: str = "BRL") -> None:
    """Store the prices of a ticker."""
    instrument = Instrument(ticker, currency, "BVMF", "America/Sao_Paulo")
    with open_store(home, create=True) as store:
        store.prices.merge(instrument, bars, (), source="csv", at="2026-11-20T22:00:00Z")


def priced(home: Path, rows: int = 420) -> None:
    """Store three tickers, one of them in another currency, and a fourth that is 120 days old."""
    for seed, name in enumerate(NAMES):
        put(home, name, dated(made_bars(rows, seed)), "USD" if seed == 2 else "BRL")
    put(home, YOUNG, dated(made_bars(120, 9)))


def trained_home(home: Path) -> Path:
    """Make that store and train the pooled model on the three."""
    priced(home)
    result = train_pooled("b3", NAMES, pool_config(), home=home)
    assert len(result.results) == 1
    return home


def train_pool(home: Path, *tickers: str, **changes: object) -> PooledVersion:
    """Train one more version of that model, by default on the three."""
    (version,) = train_pooled("b3", tickers or NAMES, pool_config(**changes), home=home).results
    return version
