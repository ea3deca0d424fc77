"""Evenings of March 2024 with the real prices of then, from a source that can fail."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from stocklstm import evening
from stocklstm.core.arguments import ALL
from stocklstm.core.prices.answers import SourceAnswer
from stocklstm.core.prices.series import Instrument
from stocklstm.errors import StockLstmError
from stocklstm.market.source import FetchRequest
from stocklstm.workflows.evening.evening import EveningResult
from stocklstm.workflows.prices import retry
from tests.support.bundled_prices import bundled
from tests.support.evenings import cut_off
from tests.support.moving_clock import set_clock

BUNDLED = bundled()


@dataclass
class Nights:
    """A machine with a champion of PETR4.SA, its clock, and what its source answers.

    Attributes:
        known_to: Last ISO day that the source has prices of.
        fails: What it raises for a ticker, if anything.
        changed: What prices of an ISO day are multiplied by.
        asked: Tickers that it was asked for.
    """

    home: Path
    known_to: str = "2024-03-07"
    moment: str = "2024-03-07T21:30:00Z"
    fails: Callable[[str], StockLstmError | None] = lambda _: None
    exchange: str = "BVMF"
    changed: dict[str, float] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def fetch(self, request: FetchRequest) -> SourceAnswer:
        self.asked.append(request.ticker)
        if (error := self.fails(request.ticker)) is not None:
            raise error
        dates = BUNDLED.bars.dates
        wanted = (dates <= np.datetime64(self.known_to)) & (
            dates >= np.datetime64(request.start or "1900-01-01")
        )
        instrument = Instrument(request.ticker, "BRL", self.exchange, "America/Sao_Paulo")
        bars = BUNDLED.bars.select(wanted)
        factors = np.array([self.changed.get(str(day), 1.0) for day in bars.dates])
        prices = {
            name: getattr(bars, name) * factors
            for name in ("opens", "highs", "lows", "closes", "adj_closes")
        }
        return replace(BUNDLED, instrument=instrument, bars=replace(bars, **prices))

    def evening(self, *tickers: str, at: str | None = None, **options: object) -> EveningResult:
        """Live through one."""
        self.moment = at or self.moment
        return evening(tickers or ALL, home=self.home, **options)

    def on(self, day: str, *tickers: str, **options: object) -> EveningResult:
        """Live through that of a day, of which the source has prices."""
        self.known_to = day
        return self.evening(*tickers, at=f"{day}T21:30:00Z", **options)


def living(home: Path, monkeypatch: pytest.MonkeyPatch) -> Nights:
    """Let it be March 2024 in a store with a champion, whose last six days are still to come."""
    cut_off(home, 6)
    nights = Nights(home)
    let_live(nights, monkeypatch)
    return nights


def let_live(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let its clock be that of the program, and itself the source of prices."""
    set_clock(monkeypatch, lambda: nights.moment)
    monkeypatch.setattr("stocklstm.workflows.prices.plan.load_source", lambda _: nights)
    # Nobody waits for a network that is not there.
    monkeypatch.setattr(retry.Asker, "_sleep", lambda *_: None)
