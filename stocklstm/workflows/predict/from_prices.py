"""Forecasts from prices that somebody gives: nothing of them is stored, nothing recorded."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stocklstm.core.checks import Check
from stocklstm.core.clock import is_day
from stocklstm.core.forecasts.intervals import Interval, plain_intervals
from stocklstm.core.prices.series import Bars, Dates, Floats
from stocklstm.core.settings.config import INTERVAL_LEVELS, LEVELS
from stocklstm.errors import ConfigError, NoPricesError
from stocklstm.store.manifest import Manifest
from stocklstm.store.store import Store
from stocklstm.workflows.loading.model import LoadedModel, learns_prices, unsigned
from stocklstm.workflows.predict.preconditions import NO_DEMANDS, examine
from stocklstm.workflows.predict.predict import closes_ahead, horizons_ahead, untested

# Days for prices without days: long before any that a model was trained on.
_NO_DAY = np.datetime64("1600-01-01", "D")


@dataclass(frozen=True)
class GivenPrices:
    """Prices of consecutive sessions, oldest first; N of them, in currency.

    Attributes:
        closes: As quoted, adjusted for splits.
        dates: ISO days; None if they are not told.
        opens: None where only closes are known; so for the highs and the lows.
        highs: With `opens` and `lows` or not at all.
        lows: With `opens` and `highs` or not at all.
        adj_closes: Adjusted for dividends as well; None if there were none.
        volumes: Shares; None if not known.
    """

    closes: Sequence[float]
    dates: Sequence[str] | None = None
    opens: Sequence[float] | None = None
    highs: Sequence[float] | None = None
    lows: Sequence[float] | None = None
    adj_closes: Sequence[float] | None = None
    volumes: Sequence[float] | None = None

    def bars(self) -> Bars:
        """Make bars of them.

        Raises:
            ConfigError: Lengths differ, a price is not above zero, a high is below a low, or the
                days are none or do not increase.
        """
        count = len(self.closes)
        closes = _prices("closes", self.closes, count)
        ranges = (self.opens, self.highs, self.lows)
        if len({values is None for values in ranges}) > 1:
            raise ConfigError("opens, highs and lows go together: give all three or none")
        opens, highs, lows = (
            _column(name, values, count)
            for name, values in zip(("opens", "highs", "lows"), ranges, strict=True)
        )
        if (highs < lows).any():
            row = int(np.flatnonzero(highs < lows)[0])
            raise ConfigError(f"highs[{row}] is below lows[{row}]")
        volumes = np.full(count, np.nan)
        if self.volumes is not None:
            volumes = _numbers("volumes", self.volumes, count)
            if (volumes < 0).any():
                raise ConfigError(f"volumes[{int(np.flatnonzero(volumes < 0)[0])}] is below zero")
        adj_closes = closes
        if self.adj_closes is not None:
            adj_closes = _prices("adj_closes", self.adj_closes, count)
        return Bars(self._days(count), opens, highs, lows, closes, adj_closes, volumes)

    def _days(self, count: int) -> Dates:
        if self.dates is None:
            return _NO_DAY + np.arange(count).astype("timedelta64[D]")
        if len(self.dates) != count:
            raise ConfigError(f"there are {len(self.dates)} dates and {count} closes")
        for row, day in enumerate(self.dates):
            if not is_day(day):
                raise ConfigError(f"dates[{row}] is a day such as 2024-03-13, not {day[:30]!a}")
        days = np.array(self.dates, "datetime64[D]")
        backwards = np.flatnonzero(np.diff(days) <= np.timedelta64(0, "D"))
        if len(backwards):
            row = int(backwards[0])
            raise ConfigError(f"dates[{row + 1}] is not after dates[{row}]: give the oldest first")
        return days


def _column(name: str, values: Sequence[float] | None, count: int) -> Floats:
    return np.full(count, np.nan) if values is None else _prices(name, values, count)


def _prices(name: str, values: Sequence[float], count: int) -> Floats:
    numbers = _numbers(name, values, count)
    if (numbers <= 0).any():
        row = int(np.flatnonzero(numbers <= 0)[0])
        raise ConfigError(f"{name}[{row}] is no price: it must be above zero")
    return numbers


def _numbers(name: str, values: Sequence[float], count: int) -> Floats:
    if len(values) != count:
        raise ConfigError(f"there are {len(values)} {name} and {count} closes")
    numbers = np.array(values, np.float64)
    if not np.isfinite(numbers).all():
        row = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise ConfigError(f"{name}[{row}] is not a finite number")
    return numbers


@dataclass(frozen=True)
class GivenForecast:
    """A forecast from given prices: the keys of `predict`, null where only the store could tell.

    Attributes:
        ticker: Whose model.
        version: Model version.
        model: The same with its ticker.
        as_of: ISO day of the last close; None without dates.
        last_close: That close, in currency.
        currency: ISO 4217 code of the ticker; None if the store does not know it.
        target_session: ISO day that is forecast; None without dates.
        horizon: Sessions ahead.
        point: Forecast close, in currency.
        change_pct: Change from the last close, in per cent.
        intervals: One for each level asked for.
        quantiles: The whole grid, by probability.
        verdict: How the model compared with yesterday's close on its test part.
        verdict_text: The same in words.
        stale_sessions: None: the prices are taken as they are given.
        live: None: nothing is recorded.
        outcome: None.
        unchanged: False.
        warnings: What to know before relying on it, one line each.
        checks: Age of the model and its inputs.
        plot: None.
    """

    ticker: str
    version: int
    model: str
    as_of: str | None
    last_close: float
    currency: str | None
    target_session: str | None
    horizon: int
    point: float
    change_pct: float
    intervals: tuple[Interval, ...]
    quantiles: dict[str, float]
    verdict: str
    verdict_text: str
    stale_sessions: None
    live: None
    outcome: None
    unchanged: bool
    warnings: tuple[str, ...]
    checks: tuple[Check, ...]
    plot: None = None


def forecast_given(
    store: Store,
    model: LoadedModel,
    given: GivenPrices,
    *,
    horizons: Sequence[int] = (),
    levels: tuple[float, ...] = INTERVAL_LEVELS,
) -> list[GivenForecast]:
    """Forecast from prices that are not those of the store.

    The store tells the currency and the next sessions, if it knows the ticker.

    Args:
        horizons: Sessions ahead, nearest first; none for what the model learned.

    Returns:
        A forecast for each horizon.

    Raises:
        ConfigError: The prices are none, or a horizon is nearer than what the model learned.
        SeriesTooShortError: They are too few.
        RejectedDataError: The model learned prices in another scale, a window is not usable, or
            moves are so large that the forecast is no number.
    """
    bars, manifest = given.bars(), model.manifest
    if given.dates is not None:
        bars = bars.since(manifest.config.start)
    ahead = horizons_ahead(manifest, horizons)
    closes = list(closes_ahead(model, bars, ahead))
    dated = given.dates is not None
    as_of = str(bars.dates[-1]) if dated else None
    last = float(bars.closes[-1])
    common = _checks(store, model, bars, dated=dated)
    remarks = (*_untold(manifest, given), *unsigned(store, manifest))
    made = []
    for horizon, each in zip(ahead, closes, strict=True):
        currency, target = _known(store, manifest.ticker, as_of, horizon)
        checks = (*common, *untested(model, horizon, ahead))
        warnings = [check.detail for check in checks if check.status == "warning"]
        grid, point = each.quantiles[0], float(each.points[0])
        made.append(
            GivenForecast(
                ticker=manifest.ticker,
                version=manifest.version,
                model=manifest.id,
                as_of=as_of,
                last_close=last,
                currency=currency,
                target_session=target,
                horizon=horizon,
                point=point,
                change_pct=100 * (point / last - 1),
                intervals=plain_intervals(grid, levels),
                quantiles={f"{p:g}": q for p, q in zip(LEVELS, grid.tolist(), strict=True)},
                verdict=manifest.evaluation.verdict,
                verdict_text=manifest.evaluation.verdict_text,
                stale_sessions=None,
                live=None,
                outcome=None,
                unchanged=False,
                warnings=(*warnings, *remarks),
                checks=checks,
            )
        )
    return made


def _untold(manifest: Manifest, given: GivenPrices) -> list[str]:
    """Warn of what the model would have made use of, had it been given."""
    anchor = manifest.scaling.anchor
    untold = []
    if manifest.data.measured:
        untold.append(
            f"{manifest.id} measures volatility by the bars within sessions where it has them: "
            "here the daily bars stand for them"
        )
    if given.opens is None and anchor is not None and anchor.estimator != "returns":
        untold.append(
            f"{manifest.id} measures volatility by opens, highs and lows as well: without them "
            "its intervals are a rougher guess"
        )
    if given.dates is None and learns_prices(manifest.config):
        untold.append(
            f"{manifest.id} learned prices as prices: without dates it cannot be told whether "
            "these are in the same scale"
        )
    return untold


def _known(
    store: Store, ticker: str, as_of: str | None, horizon: int
) -> tuple[str | None, str | None]:
    """Look up currency and target session, as far as the store knows them."""
    try:
        instrument = store.prices.instrument(ticker)
    except NoPricesError:
        return None, None
    if as_of is None:
        return instrument.currency, None
    target = store.sessions.next_after(instrument.exchange, as_of, horizon)
    if not is_day(target):
        raise ConfigError(f"{horizon} sessions after {as_of} there is no calendar any more")
    return instrument.currency, target


def _checks(store: Store, model: LoadedModel, bars: Bars, *, dated: bool) -> tuple[Check, ...]:
    # Without days there is no age, and how old given prices are is the giver's business.
    wanted = {"age", "inputs"} if dated else {"inputs"}
    findings = examine(store, model, bars, None, NO_DEMANDS)
    return tuple(finding.check for finding in findings if finding.name in wanted)
