"""What price sources answer: prices of all sorts, before they are judged and adjusted."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from stocklstm.core.prices.series import Action, Bars, Instrument

if TYPE_CHECKING:
    from stocklstm.core.prices.realised import IntradayBars


CUT_OFF = "the file ends in the middle of this row"
"""Why a row is rejected of a file that has not come as a whole."""


@dataclass(frozen=True)
class Rejection:
    """A row that a source gave and that was not stored.

    Example:
        >>> stocklstm.Rejection("2017-06-15", "filler").reason
        'filler'

    Attributes:
        date: As far as it can be told: an ISO day, or what stood in its place.
        reason: Why, in words.
    """

    date: str
    reason: str


class Basis(Enum):
    """What a source has already worked into its prices.

    A source of history as it was traded leaves splits and dividends to us; one that gives a
    close and no adjusted close has taken care of splits only.

    Example:
        >>> stocklstm.Basis.AS_TRADED.value
        'as traded'
    """

    ADJUSTED = "adjusted"
    SPLIT_ADJUSTED = "split adjusted"
    AS_TRADED = "as traded"


@dataclass(frozen=True, eq=False)
class SourceAnswer:
    """What a price source answered, before it is judged row by row.

    Example:
        >>> from stocklstm.market.sample import SampleSource
        >>> answer = SampleSource().fetch(stocklstm.FetchRequest("PETR4.SA"))
        >>> answer.source, len(answer.bars)
        ('sample', 3523)

    Attributes:
        instrument: The ticker and its exchange.
        bars: Rows in whatever order and state the source gave them.
        actions: Dividends and splits.
        rejections: Rows the source could not even read as numbers.
        source: Name of the source, such as "yahoo".
        basis: What its prices allow for. Unless it is `ADJUSTED` the adjusted closes are NaN.
        notes: What a person should know of them, in words.
        stated: Which of "calendar" and "currency" the source itself knows; others that are those
            of `guess_instrument` are taken for assumptions.
        instead: None of a share. Of an option or the like, which has no rows here: the ticker of
            its share, "" if that is not known; the first note says what it is.
        intraday: The parts that days were put together of, where the source had these.
    """

    instrument: Instrument
    bars: Bars
    actions: tuple[Action, ...]
    rejections: tuple[Rejection, ...]
    source: str
    basis: Basis = Basis.ADJUSTED
    notes: tuple[str, ...] = ()
    stated: tuple[str, ...] = ()
    instead: str | None = None
    intraday: "IntradayBars | None" = None
