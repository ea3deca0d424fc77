"""An evening of a ticker that has bars within sessions: they come along, or are asked for again."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pytest

from stocklstm import fetch
from stocklstm.core.exits import exit_code
from stocklstm.core.prices.answers import SourceAnswer
from stocklstm.core.prices.realised import IntradayBars
from stocklstm.errors import RateLimitedError, StockLstmError
from stocklstm.market.source import FetchRequest, IntradayRequest
from stocklstm.store.store import open_store
from stocklstm.workflows.prices.plan import FetchOptions
from tests.conftest import TICKER
from tests.support.nights import BUNDLED, Nights, let_live


@dataclass
class HourlyNights(Nights):
    """The same, with bars: each session goes from its open by its high and low to its close.

    Attributes:
        bars_fail: What it raises when it is asked for bars, if anything.
        bars_asked: First day of each question for bars.
    """

    pause_s = 0.0
    reaches: ClassVar = {5: 58, 15: 58, 60: 728}
    bars_fail: StockLstmError | None = None
    bars_asked: list[str] = field(default_factory=list)

    def fetch(self, request: FetchRequest) -> SourceAnswer:
        return replace(super().fetch(request), source="yahoo")

    def fetch_intraday(self, request: IntradayRequest) -> IntradayBars:
        self.bars_asked.append(request.start)
        if self.bars_fail is not None:
            raise self.bars_fail
        given = BUNDLED.bars
        wanted = (given.dates >= np.datetime64(request.start)) & (
            given.dates <= np.datetime64(self.known_to)
        )
        count = 8 * 60 // request.minutes
        starts, paths = [], []
        for row in np.flatnonzero(wanted):
            way = [given.opens[row], given.highs[row], given.lows[row], given.closes[row]]
            paths.append(np.interp(np.linspace(0, 3, count + 1), range(4), way))
            opening = np.datetime64(f"{given.dates[row]}T13:00", "s").astype(np.int64)
            starts.append(opening + 60 * request.minutes * np.arange(count))
        closes = np.concatenate([path[1:] for path in paths])
        opens = np.concatenate([path[:-1] for path in paths])
        high, low = np.maximum(opens, closes), np.minimum(opens, closes)
        return IntradayBars(np.concatenate(starts), request.minutes, opens, high, low, closes)


@pytest.fixture
def hours(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> HourlyNights:
    living = HourlyNights(nights.home)
    let_live(living, monkeypatch)
    fetch([TICKER], FetchOptions(intraday=True), home=living.home)
    living.bars_asked.clear()
    return living


def last_sessions(hours: HourlyNights) -> list[tuple[str, int]]:
    with open_store(hours.home) as store:
        found = store.prices.realised(TICKER, "2024-03-07")
    return list(zip(found.dates.astype(str).tolist(), found.minutes.tolist(), strict=True))


def test_bars_come_with_the_daily_prices(hours: HourlyNights) -> None:
    (row,) = hours.on("2024-03-08").results
    assert (row.fetched is not None, row.forecast.as_of) == (True, "2024-03-08")
    assert row.fetched is not None
    assert row.fetched.intraday is not None
    assert row.fetched.intraday.last == "2024-03-08"
    assert hours.bars_asked == ["2024-01-10"]
    assert last_sessions(hours)[-1] == ("2024-03-08", 5)
    assert row.warnings == ()


def test_without_bars_there_is_a_forecast_and_the_next_run_asks_again(
    hours: HourlyNights,
) -> None:
    hours.bars_fail = RateLimitedError("Yahoo is rate-limiting this machine")

    first = hours.on("2024-03-08")

    (row,) = first.results
    assert row.forecast.as_of == "2024-03-08"
    assert row.fetched is not None
    assert (row.fetched.rows_added, row.fetched.intraday) == (1, None)
    assert [int(exit_code(failure.error)) for failure in first.failures] == [75]
    assert "behind" not in first.failures[0].error.message
    hours.bars_fail = None
    second = hours.on("2024-03-08")
    assert second.failures == ()
    assert last_sessions(hours)[-1] == ("2024-03-08", 5)
    asked = len(hours.asked)
    third = hours.on("2024-03-08")
    assert (third.results[0].unchanged, len(hours.asked)) == (True, asked)


def test_who_has_no_bars_is_asked_for_none(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    living = HourlyNights(nights.home)
    let_live(living, monkeypatch)
    living.on("2024-03-07")
    assert living.bars_asked == []
