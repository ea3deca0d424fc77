"""Several files of many tickers each, once they are read, as one source."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from stocklstm.core.prices.answers import SourceAnswer
from stocklstm.core.wording import quoted
from stocklstm.errors import ConfigError, UnknownTickerError
from stocklstm.market.revisions import joined
from stocklstm.market.source import FetchRequest


class FileSet:
    """The prices of some files, merged by ticker."""

    def __init__(
        self, files: Sequence[Path], answers: Sequence[Mapping[str, SourceAnswer]]
    ) -> None:
        """Keep what was read.

        Args:
            files: In the order in which they were named: of a day that several hold, the last
                one's row counts.
        """
        self._files = files
        self._answers = answers

    def tickers(self) -> list[str]:
        """List the tickers of all files, in order."""
        return sorted(set().union(*self._answers))

    def fetch(self, request: FetchRequest) -> SourceAnswer:
        """Merge the rows that the files have of one ticker.

        Args:
            request: `start` is honoured; `file` is not looked at.

        Raises:
            ConfigError: The form of the file was described, which such files do not need.
            UnknownTickerError: None of them holds it, or not as a share.
        """
        if request.date_format or request.decimal or request.columns or request.accept_spacing:
            raise ConfigError(
                "the dates and numbers of these files have a fixed format",
                hint="leave --date-format, --decimal, --columns and --accept-spacing out",
            )
        found = [each[request.ticker] for each in self._answers if request.ticker in each]
        if not found:
            count = len(self._files)
            place = (
                f"none of the {count} files has it"
                if count > 1
                else f"{self._files[0]} does not have it"
            )
            raise UnknownTickerError(
                f"{request.ticker}: {place}",
                hint="check the spelling (B3 tickers end in .SA) and the years of the files",
            )
        self._require_share(request, found)
        bars = joined(*(answer.bars for answer in found))
        if request.start is not None:
            bars = bars.select(bars.dates >= np.datetime64(request.start, "D"))
        return replace(
            found[-1],
            bars=bars,
            actions=tuple(action for answer in found for action in answer.actions),
            rejections=tuple(row for answer in found for row in answer.rejections),
        )

    def _require_share(self, request: FetchRequest, found: Sequence[SourceAnswer]) -> None:
        """Refuse what these files have as an option or the like alone."""
        answer = found[-1]
        if any(each.instead is None for each in found):
            return
        files = " ".join(f"--file {quoted(str(file))}" for file in self._files)
        raise UnknownTickerError(
            f"{request.ticker}: {answer.notes[0]}",
            hint=f"stocklstm fetch --source {answer.source} {files} --ticker {answer.instead}"
            if answer.instead
            else "name a share of the cash market, such as PETR4.SA",
        )
