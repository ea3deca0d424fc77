"""Reading files of many tickers, several at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from stocklstm.core.batch import each_once
from stocklstm.core.prices.answers import SourceAnswer
from stocklstm.core.reference import parse_ticker
from stocklstm.learn.workers import LocalWorkers, all_results
from stocklstm.market.file_set import FileSet
from stocklstm.market.source import ArchiveSource, load_source
from stocklstm.workflows.parallel import check_jobs

_Found = tuple[int, Mapping[str, SourceAnswer]]


@dataclass(frozen=True)
class FileRead:
    """Sent after every file.

    Attributes:
        file: The one that was read.
        done: Files so far, in whichever order.
        total: How many there are.
    """

    file: Path
    done: int
    total: int


def read_files(
    source: str,
    files: Sequence[Path],
    tickers: Iterable[str],
    jobs: int,
    on_file: Callable[[FileRead], None],
) -> FileSet:
    """Read the files of an `ArchiveSource`, all or none; see `Client.fetch`."""
    check_jobs(jobs)
    files = list(dict.fromkeys(files))
    wanted = _wanted(tickers)
    calls = [(source, place, file, wanted) for place, file in enumerate(files)]
    answers: dict[int, Mapping[str, SourceAnswer]] = {}
    hint = "give the same command again, with fewer --jobs"
    with (
        LocalWorkers(min(jobs, len(files))) as workers,
        closing(all_results(workers, _read, calls, hint=hint)) as outcomes,
    ):
        for place, found in outcomes:
            answers[place] = found
            on_file(FileRead(files[place], len(answers), len(files)))
    return FileSet(files, [answers[place] for place in range(len(files))])


def _wanted(tickers: Iterable[str]) -> frozenset[str] | None:
    """Read the names that can be read: the others fail one by one, later."""
    read = [named.key for named in each_once(tickers, parse_ticker)]
    return frozenset(key for key in read if isinstance(key, str)) if read else None


def _read(
    source: str, place: int, file: Path, tickers: frozenset[str] | None, _should_stop: object
) -> _Found:
    """Read one file, here or in another process."""
    return place, cast("ArchiveSource", load_source(source)).read(file, tickers)
