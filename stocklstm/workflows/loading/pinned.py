"""Work that goes on later goes on with the prices that it began with."""

import numpy as np

from stocklstm.core.prices.series import Bars
from stocklstm.errors import RejectedDataError
from stocklstm.store.store import Store


def pinned_bars(
    store: Store, ticker: str, last: str, sha256: str, *, name: str, command: str
) -> Bars:
    """Read the prices that a run or a study was given; what came later stays out.

    Args:
        store: Open.
        ticker: Whose.
        last: Last ISO day of them.
        sha256: `Bars.fingerprint` of them.
        name: What to call the work, such as "the run PETR4.SA-…".
        command: The subcommand that starts it anew.

    Raises:
        RejectedDataError: They are no longer what they were.
    """
    bars = store.prices.bars(ticker)
    bars = bars.select(bars.dates <= np.datetime64(last, "D"))
    if bars.fingerprint() != sha256:
        raise RejectedDataError(
            f"the prices that {name} was given have been revised since",
            hint=f"stocklstm {command} --ticker {ticker} starts a new one",
        )
    return bars
