"""A new forecast beside those on record: kept among them, and shown what became of them."""

from collections.abc import Sequence

from stocklstm.core.live import ClosedForecasts
from stocklstm.core.series import Bars
from stocklstm.errors import ConfigError, StorageError
from stocklstm.store.ledger import LedgerEntry
from stocklstm.store.store import Store
from stocklstm.workflows.closed import closed_forecasts

SHOWN = 60
"""Closed forecasts that a new one is shown beside."""

_LEARNED = 500
"""Closed forecasts that adaptive intervals learn from: what lies farther back is forgotten."""

_PER_SESSION = 4
"""Forecasts of one session that are read to find the champion's."""


def keep(store: Store, entries: Sequence[LedgerEntry]) -> list[tuple[bool, list[str]]]:
    """Keep forecasts, where that is possible: they are worth more than their record.

    Args:
        store: Open, perhaps not for writing.
        entries: Kept all or none.

    Returns:
        Of each, true if the very same forecast was on record already, and what to know about it.
    """
    try:
        store.require_writable()
        earlier = store.ledger.record_all(entries)
    except (ConfigError, StorageError) as error:
        warning = f"this forecast is not in the ledger: {error.message}"
        return [(False, [warning]) for _ in entries]
    return [_compared(entry, found) for entry, found in zip(entries, earlier, strict=True)]


def _compared(entry: LedgerEntry, earlier: LedgerEntry | None) -> tuple[bool, list[str]]:
    if earlier is None:
        return False, []
    if (earlier.point, earlier.quantiles) == (entry.point, entry.quantiles):
        return True, []
    warning = (
        f"prices were revised since {earlier.made_at}: the forecast on record for "
        f"{entry.target_session} stays {earlier.point:.2f}"
    )
    return False, [warning]


def closed_before(
    store: Store, bars: Bars, version: int | None, entry: LedgerEntry, *, adaptive: bool
) -> ClosedForecasts:
    """Read the latest forecasts of the same kind that have been put to the test.

    Args:
        store: Open.
        bars: Stored sessions, perhaps only the latest; all are read where that is not enough.
        version: Whose; None for the champion's of each time.
        entry: The new one.
        adaptive: Read as many as adaptive intervals learn from, not only as many as are shown.
    """
    enough = _LEARNED if adaptive else SHOWN
    # Nearly always each session has one forecast, and the fewer rows will do.
    for count in (enough + enough // 4, _PER_SESSION * (enough + 1)):
        entries = store.ledger.latest(entry.ticker, entry.horizon, entry.as_of, count, entry.pool)
        every = len(entries) < count
        if not every:
            # The champion's may be among those of the first session that were not read.
            entries = [each for each in entries if each.target_session > entries[0].target_session]
        first = str(bars.dates[0])
        within = [each for each in entries if each.as_of >= first]
        closed, _ = closed_forecasts(store, bars, within, entry.horizon, version)
        if len(within) < len(entries) and len(closed) < enough:
            # Only the latest prices were read, and the forecasts go farther back.
            bars = store.prices.bars(entry.ticker)
            closed, _ = closed_forecasts(store, bars, entries, entry.horizon, version)
        if every or len(closed) >= enough:
            break
    return closed.select(slice(-enough, None))
