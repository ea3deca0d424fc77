"""Prices before a training: those of tickers that have none are fetched, or asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stocklstm.core.batch import Failure, each_once
from stocklstm.core.language import english
from stocklstm.core.reference import parse_ticker
from stocklstm.core.wording import first_few
from stocklstm.errors import StockLstmError
from stocklstm.store.store import Store

if TYPE_CHECKING:
    # What nobody wants fetched does not wait for it.
    from stocklstm.workflows.prices.fetch import FetchResult


@dataclass(frozen=True)
class Stocked:
    """Tickers that have prices, and those that have none.

    Attributes:
        tickers: Those that have, in the order that was asked for, each once.
        failures: The others, and what was typed and is no ticker.
    """

    tickers: tuple[str, ...]
    failures: tuple[Failure, ...]


def announcement(missing: Sequence[str]) -> str:
    """Say that prices of some tickers are about to be fetched."""
    return english(
        "no prices of {tickers} are stored: fetching them from Yahoo", tickers=first_few(missing, 5)
    )


def require_prices(
    store: Store,
    tickers: Sequence[str],
    fetch: "Callable[[Sequence[str]], FetchResult] | None",
) -> Stocked:
    """Sort tickers by whether there are prices of them; see `Client.require_prices`.

    Args:
        store: Where they are; an empty one where there is no store.
        tickers: As typed.
        fetch: Gets the prices of tickers that have none; None forbids it.
    """
    failures: dict[str, Failure] = {}
    missing = []
    named = list(each_once(tickers, parse_ticker))
    renamed = store.prices.renamed()
    for each in named:
        if isinstance(each.key, StockLstmError):
            failures[each.name] = Failure(each.ticker, each.key)
        elif store.prices.has(each.key):
            continue
        # New prices of an old name would be a second history.
        elif fetch is None or each.key in renamed:
            failures[each.key] = Failure(each.key, store.prices.no_prices(each.key))
        else:
            missing.append(each.key)
    if missing and fetch is not None:
        failures |= {f"{failure.ticker}": failure for failure in fetch(missing).failures}
    keys = [each.name if isinstance(each.key, StockLstmError) else each.key for each in named]
    return Stocked(
        tuple(key for key in keys if key not in failures),
        tuple(failures[key] for key in keys if key in failures),
    )
