"""predict: the close of a session to come, with intervals."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stocklstm.core.arguments import read_day, read_numbers, read_whole_numbers
from stocklstm.core.batch import Batch, Failure, Named, Result, attempt_each, each_once
from stocklstm.core.checks import Check
from stocklstm.core.clock import is_day, utc_now
from stocklstm.core.forecasts.intervals import (
    Interval,
    adapted_intervals,
    followed_intervals,
    plain_intervals,
)
from stocklstm.core.forecasts.live import FEWEST, ClosedForecasts, LiveRecord, live_record
from stocklstm.core.forecasts.quantiles import NARROWEST, WIDEST, ReturnForecasts
from stocklstm.core.language import english
from stocklstm.core.prices.series import Bars, outcomes
from stocklstm.core.records import dataclass
from stocklstm.core.reference import ModelReference
from stocklstm.core.settings.config import INTERVAL_LEVELS, LEVELS
from stocklstm.core.wording import target_words
from stocklstm.errors import (
    ConfigError,
    NotEnoughDataError,
    RejectedDataError,
    StockLstmError,
    StoreLockedError,
)
from stocklstm.store.checksums import snapshot
from stocklstm.store.ledger import LedgerEntry
from stocklstm.store.manifest import Manifest, training_command
from stocklstm.store.store import Store
from stocklstm.workflows.ledger import SHOWN, Lookups, closed_before, record_forecasts, unrecorded
from stocklstm.workflows.loading.model import LoadedModel, load_model, unsigned
from stocklstm.workflows.loading.sources import ModelSource, own_models, pooled_model
from stocklstm.workflows.predict.preconditions import NO_DEMANDS, Demands, examine, require_all_well

if TYPE_CHECKING:
    from pandas import DataFrame

    from stocklstm.core.csv_rows import Table
    from stocklstm.core.display import Shown

_TOGETHER = 64
"""Forecasts that are written in one transaction: so many prices are held at once."""


_SHOWN_DAYS = np.timedelta64(SHOWN * 7 // 5 + 11, "D")
"""In so many days are as many sessions as forecasts are shown, and holidays."""

_LEVEL_NAMES = tuple(f"{level:g}" for level in LEVELS)

HORIZON_CHECK = "horizon"
"""Name of the check that warns of every forecast farther ahead than the model learned."""


@dataclass(frozen=True)
class Wanted:
    """What is to be forecast.

    Example:
        >>> wanted = stocklstm.Wanted(at="2024-03-12", levels=(0.5,))
        >>> stocklstm.predict("PETR4.SA", wanted).forecasts[0].intervals[0].level
        0.5

    Attributes:
        at: ISO day, or a date of Python, NumPy or pandas: forecast as if it were the evening of
            that day; None for the last close.
        horizon: Sessions ahead, not fewer than the model learned, or several such numbers, each of
            which is a forecast of its own; None for as many as it learned.
        levels: Probabilities of the intervals.
        adaptive: Take the intervals where past ones would have held what they promised; None for
            those alone that held significantly less or more on the test part; False for none.
    """

    at: str | None = None
    horizon: int | tuple[int, ...] | None = None
    levels: tuple[float, ...] = INTERVAL_LEVELS
    adaptive: bool | None = None

    @property
    def horizons(self) -> tuple[int, ...]:
        """All that are asked for, nearest first; none for what the model learned."""
        if self.horizon is None:
            return ()
        return (self.horizon,) if isinstance(self.horizon, int) else tuple(sorted(self.horizon))

    def __post_init__(self) -> None:
        """Refuse what cannot be forecast.

        Raises:
            ConfigError: No such day, a horizon out of range or named twice, an interval that is
                too narrow or too wide or was named twice, or intervals of the past that adapt to
                what came later.
        """
        set_field = partial(object.__setattr__, self)
        set_field("at", read_day(self.at, "at"))
        if self.horizon is not None:
            numbers = read_whole_numbers(self.horizon, "horizon")
            is_one = len(numbers) == 1 and not isinstance(self.horizon, Iterable)
            set_field("horizon", numbers[0] if is_one else numbers)
        set_field("levels", read_numbers(self.levels, "levels"))
        if self.adaptive and self.at is not None:
            raise ConfigError(
                "--adaptive learns from forecasts up to now, and --at is of a day before",
                hint="leave out --at, or --adaptive",
            )
        if self.at is not None and not is_day(self.at):
            raise ConfigError(
                f"--at is a day such as 2024-03-13, not {self.at[:30]!a}",
                hint="stocklstm predict --at 2024-03-13",
            )
        if self.horizon is not None:
            # Most forecasts are of the next session, and need not wait for this.
            from stocklstm.core.forecasts.horizons import require_horizons

            require_horizons(self.horizons)
        # As they are written: a file has a column for each.
        if len({f"{level:g}" for level in self.levels}) < len(self.levels):
            raise ConfigError("a level was given twice", hint="--levels 0.8,0.95")
        missing = [level for level in self.levels if not NARROWEST <= level <= WIDEST]
        if missing or not self.levels:
            raise ConfigError(
                f"there is no interval of {missing[0]:g}" if missing else "no level was given",
                hint=f"--levels are from {NARROWEST:g} to {WIDEST:g}, such as 0.5,0.8,0.95",
            )


LATEST = Wanted()


@dataclass(frozen=True, repr=False)
class Forecast(Result):
    """One forecast.

    Attributes:
        ticker: Ticker that is forecast.
        version: Model version.
        model: Identity of what made it, such as PETR4.SA@v3, or +b3@v1 of a pooled model.
        as_of: ISO day of the last stored close.
        last_close: That close, in currency.
        currency: ISO 4217 code.
        target_session: ISO day that is forecast.
        horizon: Sessions ahead.
        point: Forecast close.
        change_pct: Change from the last close, in per cent.
        intervals: One for each level asked for.
        quantiles: The whole grid, by probability.
        verdict: How the model compared with yesterday's close on its test part.
        verdict_text: The same in words.
        stale_sessions: Sessions that have ended since the last stored close; of a day of the past,
            up to it.
        live: What the last 60 forecasts were worth whose session has closed; None until there
            are any, and for a forecast of the past.
        outcome: Close of the target session, dividends added back; None if it is not known.
        unchanged: True if the same forecast was on record already.
        warnings: What to know before relying on it, one line each.
        checks: What was looked at for that: prices, age of the model and its inputs; those that
            warn are among the warnings.
        plot: Where its picture lies; None if none was drawn.
    """

    ticker: str
    version: int
    model: str
    as_of: str
    last_close: float
    currency: str
    target_session: str
    horizon: int
    point: float
    change_pct: float
    intervals: tuple[Interval, ...]
    quantiles: dict[str, float]
    verdict: str
    verdict_text: str
    stale_sessions: int
    live: LiveRecord | None
    outcome: float | None
    unchanged: bool
    warnings: tuple[str, ...]
    checks: tuple[Check, ...]
    plot: str | None = None

    def __repr__(self) -> str:
        """Show it in a line."""
        from stocklstm.workflows.predict.in_short import forecast_in_a_line

        return forecast_in_a_line(self)

    def to_frame(self) -> "DataFrame":
        """Give it as a data frame of pandas with one row; see `PredictResult`."""
        return PredictResult((self,)).to_frame()


class PredictResult(Batch[Forecast]):
    """The forecasts of all tickers: of each those of all horizons, nearest first.

    The columns of its table are those of `predict --csv`, what came, if that is known, and what to
    know before relying on it.
    """

    @property
    def forecasts(self) -> tuple[Forecast, ...]:
        """The same as `results`."""
        return self.results

    def table(self) -> "Table":
        """Put the forecasts into rows."""
        from stocklstm.workflows.predict.rows import forecast_table

        intervals = self.results[0].intervals if self.results else ()
        levels = [each.level for each in intervals] or INTERVAL_LEVELS
        table = forecast_table(self.results, levels)
        rows = [
            [*row, item.outcome, "; ".join(item.warnings) or None]
            for row, item in zip(table.rows, self.results, strict=True)
        ]
        return table._replace(
            columns=(*table.columns, "outcome", "warnings"), rows=rows, kinds={"warnings": str}
        )

    def shown(self) -> "Shown":
        """Choose what a person sees of them."""
        from stocklstm.workflows.predict.in_short import shown_forecasts

        return shown_forecasts(self.results, self.failures, self.table())


def predict(
    store: Store,
    references: Sequence[str] = (),
    wanted: Wanted | None = None,
    *,
    pool: str | None = None,
    demands: Demands | None = None,
    now: str | None = None,
    ledger_wait_s: float | None = None,
    load: Callable[[Store, ModelReference], LoadedModel] = load_model,
) -> PredictResult:
    """Forecast one or more sessions to come of each ticker; see `Client.predict`.

    Args:
        ledger_wait_s: Seconds to wait for another writer before forecasts are given without being
            recorded; None to wait as long as the store does, and to fail then.
        load: Gives the own model of a ticker; by default from the disk.
    """
    source = own_models(store, load) if pool is None else pooled_model(store, pool)
    named = list(each_once(source.names(references), source.parse))
    chosen = [each for each in named if not isinstance(each.key, StockLstmError)]
    unknown = [
        Failure(each.ticker, each.key) for each in named if isinstance(each.key, StockLstmError)
    ]
    run = _Run(store, source, wanted or LATEST, demands or NO_DEMANDS, now or utc_now())
    run.ledger_wait_s = ledger_wait_s
    parts = [
        run.forecasts(chosen[first : first + _TOGETHER])
        for first in range(0, len(chosen), _TOGETHER)
    ]
    return PredictResult(
        tuple(forecast for made, _ in parts for forecast in made),
        (*unknown, *(failure for _, failed in parts for failure in failed)),
    )


def of_one_model(forecasts: Iterable[Forecast]) -> list[list[Forecast]]:
    """Group the forecasts that one model made of one ticker at once: one for each horizon."""
    groups: list[list[Forecast]] = []
    for made in forecasts:
        last = groups[-1][-1] if groups else None
        # A ticker may have been named twice, as itself and by its version.
        if (
            last
            and (last.ticker, last.model) == (made.ticker, made.model)
            and (last.horizon < made.horizon)
        ):
            groups[-1].append(made)
        else:
            groups.append([made])
    return groups


_Recorded = tuple[bool, list[str]]
"""Whether a forecast was on record already, and what to warn of."""


class _Draft(NamedTuple):
    """The forecasts of one ticker before they are recorded.

    Attributes:
        entries: Their records in the ledger, one for each horizon, nearest first.
        outcomes: Close of each target session, where it is known.
        stale: Sessions that the prices lack; None for a day of the past.
    """

    reference: ModelReference
    model: LoadedModel
    bars: Bars
    entries: tuple[LedgerEntry, ...]
    currency: str
    outcomes: tuple[float | None, ...]
    stale: int | None
    checks: tuple[Check, ...]


class _Run:
    """The forecasts of one call."""

    def __init__(
        self, store: Store, models: ModelSource, wanted: Wanted, demands: Demands, made_at: str
    ) -> None:
        self.store = store
        self.models = models
        self.wanted = wanted
        self.demands = demands
        self.made_at = made_at
        self.shown_since = str(np.datetime64(made_at[:10], "D") - _SHOWN_DAYS)
        self.ledger_wait_s: float | None = None
        self.forecast_before: AbstractSet[str] = frozenset()
        # Most tickers ask the very same of the calendar.
        self.lookups = Lookups(store)
        self.next_session = cache(store.sessions.next_after)
        self.sessions_ended = cache(store.sessions.ended_since)

    def forecasts(
        self, chosen: Sequence[Named[ModelReference]]
    ) -> tuple[tuple[Forecast, ...], tuple[Failure, ...]]:
        """Make some forecasts, record them in one transaction, and add what is known of them."""
        tickers = [each.key.ticker for each in chosen if isinstance(each.key, ModelReference)]
        self.lookups.read_instruments(tickers)
        # Where that cannot be read, each ticker will say so.
        with suppress(StockLstmError):
            self.forecast_before = self.store.ledger.with_any(tickers)
        drafts, failed = attempt_each(chosen, self._draft)
        try:
            records = self._recorded(drafts)
        except StockLstmError as error:
            return (), (*failed, *(Failure(each.reference.ticker, error) for each in drafts))
        recorded = (
            Named(str(each.reference), each.reference.ticker, (each, record))
            for each, record in zip(drafts, records, strict=True)
        )
        with snapshot(self.store.prices.connection):
            completed, incomplete = attempt_each(recorded, lambda each: self._completed(*each))
        return tuple(made for each in completed for made in each), failed + incomplete

    def _draft(self, reference: ModelReference) -> _Draft:
        store, wanted = self.store, self.wanted
        # Whether there is a model at all is said before anything of its prices.
        model_of = self.models.load(reference)
        instrument = self.lookups.instrument(reference.ticker)
        bars, first = self._bars(reference)
        seen = _seen(
            bars.select(slice(first, None)) if first else bars, reference.ticker, wanted.at
        )
        model = model_of(seen)
        horizons = horizons_ahead(model.manifest, wanted.horizons)
        origin = first + len(seen) - 1
        targets = [self._target(instrument.exchange, bars, origin, horizon) for horizon in horizons]
        seen = seen.since(model.manifest.config.start)
        if model.manifest.data.measured:
            # Few models make use of more than daily bars.
            from stocklstm.workflows.loading.bars import as_read_by

            seen = as_read_by(store, model.manifest, reference.ticker, seen)
        entries = tuple(
            _entry(model, seen, target, horizon, closes, self.made_at)
            for (target, _), horizon, closes in zip(
                targets, horizons, closes_ahead(model, seen, horizons), strict=True
            )
        )
        known = tuple(outcome for _, outcome in targets)
        stale = self._sessions_behind(instrument.exchange, bars)
        findings = examine(store, model, seen, stale, self.demands)
        require_all_well(model, findings, self.demands)
        checks = tuple(finding.check for finding in findings)
        return _Draft(reference, model, bars, entries, instrument.currency, known, stale, checks)

    def _bars(self, reference: ModelReference) -> tuple[Bars, int]:
        """Read as many prices as the forecast and those before it need; all if that is not known.

        Returns:
            The prices, and the first row that the model is to see.
        """
        prices, ticker = self.store.prices, reference.ticker
        latest = self.wanted.at is None and not self.wanted.adaptive
        start, fewest = self.models.since(reference) if latest else ("", 0)
        if not start:
            return prices.bars(ticker), 0
        # At once what the last forecasts are to be compared with.
        shown = self.shown_since if ticker in self.forecast_before else start
        bars = prices.bars_since(ticker, min(start, shown))
        first = int(np.searchsorted(bars.dates, np.datetime64(start, "D")))
        # Stored days are never removed, but this may be another store than the model's.
        whole = len(bars) - first >= fewest and str(bars.dates[first]) == start
        return (bars, first) if whole else (prices.bars(ticker), 0)

    def _target(
        self, exchange: str, bars: Bars, origin: int, horizon: int
    ) -> tuple[str, float | None]:
        """Find the session that is forecast, and its close if that is known by now."""
        if origin + horizon < len(bars):
            known = outcomes(bars, np.array([origin]), horizon)
            return str(bars.dates[origin + horizon]), float(known[0])
        missing = origin + horizon - (len(bars) - 1)
        return self.next_session(exchange, bars.last_day, missing), None

    def _sessions_behind(self, exchange: str, bars: Bars) -> int | None:
        """Count the sessions that the prices lack; None if they hold the day that was asked for."""
        at, last = self.wanted.at, bars.last_day
        if at is None:
            return self.sessions_ended(exchange, last, self.made_at)
        # The evening of a day to come has not been: by then as little is known as now.
        evening = min(self.made_at, f"{at}T23:59:59Z")
        return self.sessions_ended(exchange, last, evening) or None

    def _recorded(self, drafts: Sequence[_Draft]) -> list[list[_Recorded]]:
        """Record them all at once; tell of each what came of it."""
        if self.wanted.at is not None:
            return [
                [(False, _hindsight(each.model, entry.target_session)) for entry in each.entries]
                for each in drafts
            ]
        entries = [entry for each in drafts for entry in each.entries]
        try:
            with self.store.patient(self.ledger_wait_s):
                told = iter(record_forecasts(self.store, entries))
        except StoreLockedError as error:
            if self.ledger_wait_s is None:
                raise
            told = iter([unrecorded(error) for _ in entries])
            # The forecasts after these have waited, too.
            self.ledger_wait_s = 0.0
        return [[next(told) for _ in each.entries] for each in drafts]

    def _completed(self, made: _Draft, records: Sequence[_Recorded]) -> tuple[Forecast, ...]:
        """Add the intervals, and how the latest forecasts of the ticker did."""
        horizons = [entry.horizon for entry in made.entries]
        return tuple(
            self._forecast(
                made, entry, outcome, record, untested(made.model, entry.horizon, horizons)
            )
            for entry, outcome, record in zip(made.entries, made.outcomes, records, strict=True)
        )

    def _forecast(
        self,
        made: _Draft,
        entry: LedgerEntry,
        outcome: float | None,
        record: _Recorded,
        untested: Sequence[Check],
    ) -> Forecast:
        store, wanted, model = self.store, self.wanted, made.model
        unchanged, warnings = record
        closed, begun = None, _begun(model.manifest, entry, wanted)
        if wanted.at is None:
            version = self.models.version(made.reference)
            learns = bool(wanted.adaptive or begun)
            closed = closed_before(store, self.lookups, made.bars, version, entry, adaptive=learns)
        intervals, remarks = _intervals(entry, wanted, closed, begun, model.manifest)
        checks = (*made.checks, *untested)
        return Forecast(
            ticker=entry.ticker,
            version=entry.version,
            model=model.manifest.id,
            as_of=entry.as_of,
            last_close=entry.last_close,
            currency=made.currency,
            target_session=entry.target_session,
            horizon=entry.horizon,
            point=entry.point,
            change_pct=100 * (entry.point / entry.last_close - 1),
            intervals=intervals,
            quantiles=dict(zip(_LEVEL_NAMES, entry.quantiles, strict=True)),
            verdict=model.verdict,
            verdict_text=model.verdict_text,
            stale_sessions=made.stale or 0,
            live=None if closed is None else live_record(closed.select(slice(-SHOWN, None))),
            outcome=outcome,
            unchanged=unchanged,
            warnings=(
                *warnings,
                *(check.detail for check in checks if check.status == "warning"),
                *_unknown(model),
                *remarks,
                *unsigned(store, model.manifest),
            ),
            checks=checks,
        )


def _begun(manifest: Manifest, entry: LedgerEntry, wanted: Wanted) -> dict[float, float]:
    """Give the levels at which the test part left the intervals that it found wrong."""
    scores = manifest.evaluation
    # Of a day of the past the test part may know what came after it.
    if wanted.adaptive is not None or wanted.at is not None or entry.horizon != scores.horizon:
        return {}
    return {
        each.level: each.adaptive_level
        for each in scores.distribution.coverage
        if each.adaptive_level is not None
    }


def _intervals(
    entry: LedgerEntry,
    wanted: Wanted,
    closed: ClosedForecasts | None,
    begun: Mapping[float, float],
    manifest: Manifest,
) -> tuple[tuple[Interval, ...], list[str]]:
    """Take the intervals out of the grid, with what to warn of."""
    grid = np.array(entry.quantiles)
    if begun and closed is not None:
        untested = closed.select(closed.dates > np.datetime64(manifest.evaluation.end, "D"))
        return followed_intervals(grid, wanted.levels, begun, untested), []
    if not wanted.adaptive or closed is None:
        return plain_intervals(grid, wanted.levels), []
    if len(closed) < FEWEST:
        count = f"{len(closed)} forecasts have closed, of {FEWEST} needed"
        remark = f"the intervals are not adapted: {count}"
        return plain_intervals(grid, wanted.levels), [remark]
    return adapted_intervals(grid, wanted.levels, closed)


def _seen(bars: Bars, ticker: str, at: str | None) -> Bars:
    """Leave out what came after a day."""
    if at is None:
        return bars
    seen = bars.select(bars.dates <= np.datetime64(at, "D"))
    if not len(seen):
        raise NotEnoughDataError(
            f"the stored prices of {ticker} begin on {bars.dates[0]}, after {at}",
            hint=f"stocklstm fetch --ticker {ticker} --full",
        )
    return seen


def horizons_ahead(manifest: Manifest, wanted: Sequence[int]) -> Sequence[int]:
    """Take the horizons that are wanted, or the one that the model learned.

    Raises:
        ConfigError: One of them is nearer than what the model learned.
    """
    learned = manifest.config.horizon
    nearer = [horizon for horizon in wanted if horizon < learned]
    if nearer:
        from stocklstm.core.forecasts.horizons import horizons_text

        raise ConfigError(
            f"{manifest.id} forecasts {learned} sessions ahead and no fewer, not "
            f"{horizons_text(nearer)}",
            hint=f"{training_command(manifest.ticker)} --horizon {nearer[0]}",
        )
    return wanted or (learned,)


def closes_ahead(
    model: LoadedModel, bars: Bars, horizons: Sequence[int]
) -> Iterator[ReturnForecasts]:
    """Forecast the closes so many sessions after the last one, in currency: one forecast each.

    The network is run once, and its forecast widened by √h for h times its own horizon.

    Raises:
        RejectedDataError: One of them is no distribution of prices.
    """
    learned = model.manifest.config.horizon
    returns = model.forecast(bars)
    for horizon in horizons:
        # What is too large for a number is refused below.
        with np.errstate(over="ignore", invalid="ignore"):
            closes = returns.at_horizon(horizon, learned).closes(bars.closes[-1:])
        if not closes.are_prices():
            ticker = model.ticker
            raise RejectedDataError(
                f"{model.manifest.id} makes no forecast of {ticker}: these prices move so much "
                "that what it gives are no prices",
                hint=f"look for a price that is wrong: stocklstm prices verify --ticker {ticker}",
            )
        yield closes


def _entry(
    model: LoadedModel,
    bars: Bars,
    target: str,
    horizon: int,
    closes: ReturnForecasts,
    made_at: str,
) -> LedgerEntry:
    manifest = model.manifest
    return LedgerEntry(
        ticker=model.ticker,
        target_session=target,
        version=manifest.version,
        horizon=horizon,
        as_of=bars.last_day,
        last_close=float(bars.closes[-1]),
        point=float(closes.points[0]),
        quantiles=tuple(closes.quantiles[0].tolist()),
        made_at=made_at,
        pool=manifest.ticker if manifest.pool else "",
    )


def _hindsight(model: LoadedModel, target: str) -> list[str]:
    """Warn where a forecast of the past is of a day that the model learned from."""
    manifest = model.manifest
    if target >= manifest.splits.test_start:
        return []
    warning = (
        f"{manifest.id} was trained with {target} in sight: such a forecast proves nothing "
        f"(its test part begins on {manifest.splits.test_start})"
    )
    return [warning]


def untested(model: LoadedModel, horizon: int, asked: Sequence[int]) -> tuple[Check, ...]:
    """Say where the verdict is of nearer forecasts than this one, and what tests those asked for.

    It warns, but is not among what --strict refuses: the prices and the model are as they should
    be.
    """
    manifest = model.manifest
    learned = manifest.config.horizon
    if horizon == learned:
        return ()
    from stocklstm.core.forecasts.horizons import horizons_text

    farther = horizons_text([one for one in asked if one != learned])
    whose = manifest.id
    if manifest.pool is not None:
        whose = f"{model.ticker} --model {manifest.id[1:]}"
    words = english(
        "the verdict on {model} is of forecasts of {learned}, and those {farther} sessions ahead "
        "were not tested: {command}",
        model=manifest.id,
        learned=target_words(learned),
        farther=farther,
        command=f"stocklstm evaluate {whose} --horizons {horizons_text(asked)}",
    )
    return (Check(HORIZON_CHECK, "warning", words),)


def _unknown(model: LoadedModel) -> list[str]:
    """Warn where a pooled model never saw the ticker that it forecasts."""
    if model.subject is None or model.subject.known:
        return []
    return [unknown_words(model.manifest.id)]


def unknown_words(model: str) -> str:
    """Say that a model never saw a ticker: in the same words of all such tickers."""
    return english("{model} was neither trained nor tested on this ticker", model=model)
