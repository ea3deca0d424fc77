"""prices verify: whether stored prices can be what an exchange quoted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stocklstm.core.batch import Batch, Result, for_each
from stocklstm.core.checks import Check
from stocklstm.core.clock import now
from stocklstm.core.language import english
from stocklstm.core.prices.jumps import find_jumps
from stocklstm.core.prices.measured_checks import check_against_days, check_kept, check_measured
from stocklstm.core.prices.realised import RealisedSessions
from stocklstm.core.prices.series import Action, Bars, Dates
from stocklstm.core.prices.soundness import (
    check_actions,
    check_bars,
    check_days,
    gaps,
)
from stocklstm.core.reference import StoredTicker, parse_ticker
from stocklstm.core.wording import first_few
from stocklstm.errors import NoPricesError
from stocklstm.store.database import integrity_faults
from stocklstm.store.store import Store

# No exchange is closed for as long as this.
MARGIN_DAYS = np.timedelta64(30, "D")


@dataclass(frozen=True, repr=False)
class CheckedPrices(Result):
    """All checks of one ticker's prices.

    Attributes:
        ticker: Ticker whose prices were checked.
        version: Always None: prices are of no model.
        status: "ok" or "failed".
        corrupt: True if rows break an invariant: they were never stored so. False if only sessions
            by their bars do not fit the daily rows.
        checks: In the order they were made.
    """

    ROWS = "checks"
    SHOWN = ("ticker", "status", "name", "detail")
    SAID = ()

    ticker: str
    version: None
    status: str
    corrupt: bool
    checks: tuple[Check, ...]


VerifyResult = Batch[CheckedPrices]


def verify_prices(store: Store, tickers: Sequence[str]) -> VerifyResult:
    """Check the database and the stored prices of some tickers; see `Client.verify_prices`."""
    database = _check_database(store)
    names = list(tickers) or stored_tickers(store)
    return VerifyResult(
        *for_each(names, parse_ticker, lambda ticker: _check_one(store, ticker, database))
    )


def stored_tickers(store: Store) -> list[str]:
    """List every ticker that has prices, in order; at least one."""
    names = store.prices.tickers()
    if not names:
        raise NoPricesError(
            "there are no prices in the store", hint="stocklstm fetch --ticker PETR4.SA"
        )
    return [StoredTicker(name) for name in names]


def sessions_of(store: Store, ticker: str, bars: Bars) -> Dates:
    """List the sessions of a ticker's exchange around its rows; none if they are not known.

    They reach beyond the rows, so that of the first and the last one, too, it can be told
    whether the exchange was open.
    """
    exchange = store.prices.instrument(ticker).exchange
    first, last = bars.dates[0] - MARGIN_DAYS, bars.dates[-1] + MARGIN_DAYS
    return store.sessions.between(exchange, str(first), str(last))


def _check_database(store: Store) -> Check:
    faults = integrity_faults(store.prices.connection)
    detail = "; ".join(faults[:3]) or english("pages, indexes and references in order")
    return Check("database", "failed" if faults else "ok", detail)


def _check_checksums(faults: Sequence[str]) -> Check:
    detail = "; ".join(faults) or english(
        "prices, sources, dividends, splits, traits and log as stored"
    )
    return Check("checksums", "failed" if faults else "ok", detail)


def _check_one(store: Store, ticker: str, database: Check) -> CheckedPrices:
    # Also what is damaged is looked at, so that the other checks say where.
    bars, actions = store.prices.damaged_bars(ticker), store.prices.damaged_actions(ticker)
    if not len(bars):
        raise store.prices.no_prices(ticker)
    faults = store.prices.faults(ticker)
    sessions = sessions_of(store, ticker, bars) if not faults else bars.dates[:0]
    # Nowhere is it later than a day after Greenwich.
    tomorrow = np.datetime64(now().date(), "D") + np.timedelta64(1, "D")
    checks = [
        database,
        _check_checksums(faults),
        check_bars(bars),
        check_actions(actions),
        check_days(bars, sessions, tomorrow),
    ]
    if not any(check.status == "failed" for check in checks[1:3]):
        checks.append(_check_jumps(bars, actions))
    checks.append(Check("gaps", "ok", _gaps(gaps(bars.dates, sessions), sessions)))
    corrupt = any(check.status == "failed" for check in checks)
    if not corrupt and len(measured := store.prices.realised(ticker)):
        broken, misfits = _check_intraday(store, ticker, bars, measured)
        corrupt = broken.status == "failed"
        checks += [broken, misfits]
    failed = any(check.status == "failed" for check in checks)
    status = "failed" if failed else "ok"
    return CheckedPrices(ticker, None, status, corrupt, tuple(checks))


def _check_intraday(
    store: Store, ticker: str, bars: Bars, measured: RealisedSessions
) -> tuple[Check, Check]:
    """Check sessions that were measured by their bars: by themselves, and by the daily rows."""
    kept = store.prices.intraday_bars(ticker)
    broken = check_measured(measured, bars.dates) + check_kept(measured, kept)
    otherwise = english(
        "{sessions:,} sessions, {bars:,} with their bars", sessions=len(measured), bars=len(kept)
    )
    sound = Check("intraday", "failed" if broken else "ok", "; ".join(broken[:3]) or otherwise)
    if broken:
        return sound, Check("daily range", "ok", english("not looked at"))
    misfits = check_against_days(measured, kept, bars)
    more = f" and {len(misfits) - 3} more" if len(misfits) > 3 else ""
    again = f"; stocklstm fetch --ticker {ticker} --intraday --full gets them anew"
    detail = (
        f"{'; '.join(misfits[:3])}{more}{again}" if misfits else english("as the daily rows say")
    )
    return sound, Check("daily range", "failed" if misfits else "ok", detail)


def _check_jumps(bars: Bars, actions: Sequence[Action]) -> Check:
    jumps = find_jumps(bars, actions)
    days = bars.dates[[jump.row for jump in jumps if not jump.ratio]]
    doubtful = bars.dates[[jump.row for jump in jumps if jump.ratio]]
    found = [_sudden(days)] if len(days) or not jumps else []
    # Somebody may have looked at them and let them pass when they were fetched.
    if len(doubtful):
        found.insert(
            0,
            english(
                "{number} like a split that is not recorded, or other units: {days}",
                number=len(doubtful),
                days=_days(doubtful),
            ),
        )
    return Check("jumps", "warning" if len(doubtful) else "ok", "; ".join(found))


def _gaps(missing: Dates, sessions: Dates) -> str:
    if not len(sessions):
        return english("not known: no calendar")
    if not len(missing):
        return english("none")
    if len(missing) == 1:
        return english("1 session without a row: {days}", days=_days(missing))
    return english(
        "{number} sessions without a row: {days}", number=len(missing), days=_days(missing)
    )


def _sudden(days: Dates) -> str:
    if not len(days):
        return english("none beyond 35 % without a split")
    return english(
        "{number} beyond 35 % without a split: {days}", number=len(days), days=_days(days)
    )


def _days(days: Dates) -> str:
    return first_few([str(day) for day in days], 5)
