"""B3's official yearly files of daily quotations (COTAHIST), as published, without a network.

A file has a record of 245 characters for every security, market and day: a header (type 00), the
quotations (01) and a trailer (99) that counts them all. A year has about two million, most of
them options; the shares of the cash market are a tenth of that, and only they are read.
"""

import zipfile
from array import array
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import IO

import numpy as np

from stocklstm.core.prices.answers import Basis, Rejection, SourceAnswer
from stocklstm.core.prices.series import Bars
from stocklstm.core.reading import open_to_read
from stocklstm.core.zips import ZIP_ERRORS
from stocklstm.errors import ConfigError, NotFoundError, RejectedDataError
from stocklstm.market.file_set import FileSet
from stocklstm.market.instrument import guess_instrument
from stocklstm.market.source import FetchRequest

_SUFFIX = ".SA"
_EPOCH = date(1970, 1, 1).toordinal()

# Places in a record, counted from 0: B3's column numbers less one.
_DATE = slice(2, 10)
_CODBDI = slice(10, 12)
_CODNEG = slice(12, 24)
_TPMERC = slice(24, 27)
_MODREF = slice(52, 56)
_PRICES = {
    "open": slice(56, 69),
    "high": slice(69, 82),
    "low": slice(82, 95),
    "close": slice(108, 121),
}
_QUATOT = slice(152, 170)
_FATCOT = slice(210, 217)
_CODISI = slice(230, 242)
_TOTAL = slice(31, 42)

_CASH_MARKET = b"010"
_STANDARD_LOT = b"02"

# Markets of what is no share; the ISIN of a record is that of the share behind it.
_OTHER_MARKETS = {
    b"012": "the exercise of a call option",
    b"013": "the exercise of a put option",
    b"017": "an auction",
    b"020": "an odd lot",
    b"030": "a forward contract",
    b"050": "a future",
    b"060": "a future",
    b"070": "a call option",
    b"080": "a put option",
}

# Of each currency before it many made one of the next: of the last, 2,750 cruzeiros reais a real.
_FIRST_DAY_OF_REAL = date(1994, 7, 1).toordinal() - _EPOCH

# What reading bytes that are not as they were written raises.
_DAMAGE = (*ZIP_ERRORS, OSError)

# Longer than any record; a file whose lines are no shorter is of another kind.
_LONGEST_LINE = 4096
_RECORD = 245

_COLUMNS = len(_PRICES) + 1


@dataclass(eq=False)
class _Share:
    """The records of one share in the order of the file, compactly."""

    days: "array[int]" = field(default_factory=lambda: array("q"))
    numbers: "array[float]" = field(default_factory=lambda: array("d"))
    standard: "array[int]" = field(default_factory=lambda: array("b"))
    rejections: list[Rejection] = field(default_factory=list)

    def bars(self) -> Bars:
        """Return one row a day, oldest first: the one of the standard lot, else the last."""
        table = np.array(self.numbers, np.float64).reshape(-1, _COLUMNS)
        days = np.array(self.days, np.int64)
        # `unique` takes the first of equals: the standard lot, and the later of two records.
        order = np.argsort(np.array(self.standard, np.int8), kind="stable")[::-1]
        _, first = np.unique(days[order], return_index=True)
        rows = order[first]
        opens, highs, lows, closes, volumes = table[rows].T.copy()
        dates = days[rows].astype("datetime64[D]")
        return Bars(dates, opens, highs, lows, closes, np.full(len(rows), np.nan), volumes)


class B3Source:
    """Reads COTAHIST files, ZIP or TXT."""

    def read(self, file: Path, tickers: Collection[str] | None = None) -> dict[str, SourceAnswer]:
        """Read the bars of many shares as they were traded, in one pass over the file.

        Args:
            file: COTAHIST, ZIP or TXT.
            tickers: Shares as Yahoo names them; None for the whole cash market.

        Returns:
            Of each that the file holds, in the order of their names, prices per share in R$ (B3
            quotes some per 1000) that allow for no split and no dividend, oldest first; volumes
            in shares; adjusted closes NaN. Days in another currency are rejected. Of those
            wanted that are options, odd lots or the like no rows, and `instead`.

        Raises:
            NotFoundError: The file does not exist or cannot be opened.
            RejectedDataError: It is no COTAHIST file, or is damaged or cut short.
        """
        codes = (
            None
            if tickers is None
            else {ticker.removesuffix(_SUFFIX) for ticker in tickers if ticker.endswith(_SUFFIX)}
        )
        with _opened(file) as stream:
            found = _read(_lines(stream, file), file, codes)
        return {
            f"{code}{_SUFFIX}": _answer(code, found.shares[code])
            if code in found.shares
            else _answer_of_other(code, found)
            for code in sorted({*found.shares, *found.others})
        }

    def fetch(self, request: FetchRequest) -> SourceAnswer:
        """Read the bars of one share.

        Args:
            request: Needs `file`; `start` is honoured.

        Raises:
            ConfigError: No file was named, or a date format, which these files do not need.
            NotFoundError: The file does not exist or cannot be opened.
            UnknownTickerError: The cash market of that file has no such share.
            RejectedDataError: It is no COTAHIST file, or is damaged or cut short.
        """
        if request.file is None:
            raise ConfigError(
                "the b3 source needs a file",
                hint="stocklstm fetch --source b3 --file COTAHIST_A2023.ZIP --ticker PETR4.SA",
            )
        found = self.read(request.file, {request.ticker})
        return FileSet([request.file], [found]).fetch(request)


def _answer(code: str, share: _Share) -> SourceAnswer:
    instrument = guess_instrument(f"{code}{_SUFFIX}")
    return SourceAnswer(
        instrument, share.bars(), (), tuple(share.rejections), "b3", Basis.AS_TRADED
    )


def _answer_of_other(code: str, found: "_Found") -> SourceAnswer:
    market, isin = found.others[code]
    # An odd lot is named after its share; of an option the file tells the share by its ISIN.
    share = found.by_isin.get(isin) or (code[:-1] if code.endswith("F") else "")
    behind = f"{share}{_SUFFIX}" if share else ""
    words = f"{code} is {_OTHER_MARKETS.get(market, 'of another market')}, not a share"
    note = f"{words}; the share itself is {behind}" if share else words
    answer = _answer(code, _Share())
    return replace(answer, notes=(note,), instead=behind)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, or the one file inside a ZIP, and translate errors of reading it."""
    try:
        file = open_to_read(path)
    except FileNotFoundError as error:
        raise NotFoundError(
            f"there is no file {path}", hint="check the path given with --file"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NotFoundError(
            f"{path} cannot be read: {reason}", hint="check the path given with --file"
        ) from error
    with file:
        try:
            if zipfile.is_zipfile(file):
                with zipfile.ZipFile(file) as archive:
                    yield archive.open(_only_member(archive))
            else:
                file.seek(0)
                yield file
        except _DAMAGE as error:
            raise RejectedDataError(
                f"{path} is damaged: {error}", hint="download it from B3 again"
            ) from error


def _only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        raise zipfile.BadZipFile(f"it holds {len(members)} files, a COTAHIST archive one")
    return members[0]


def _lines(stream: IO[bytes], path: Path) -> Iterator[bytes]:
    while line := stream.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise _not_cotahist(path)
        if line := line.rstrip(b"\r\n\x1a"):
            yield line


@dataclass(eq=False)
class _Found:
    """What a file holds.

    Attributes:
        shares: By code, those of the cash market.
        others: By code, the market and the ISIN of what was wanted and is traded elsewhere.
        by_isin: Codes of the cash market, if any were wanted.
    """

    shares: dict[str, _Share] = field(default_factory=dict)
    others: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    by_isin: dict[bytes, str] = field(default_factory=dict)


def _read(lines: Iterable[bytes], path: Path, wanted: Collection[str] | None) -> _Found:
    """Read the cash market, or some codes of it, from a whole file in one pass."""
    found, shares = _Found(), dict[str, _Share]()
    # Most records are of other markets: they are looked at as they are.
    padded = {f"{code:<12}".encode("latin-1", "replace") for code in wanted or ()}
    records, line = 0, b""
    for line in lines:
        records += 1
        if records == 1 and not line.startswith(b"00COTAHIST"):
            raise _not_cotahist(path)
        if line[_TPMERC] == _CASH_MARKET and line.startswith(b"01"):
            code = line[_CODNEG].decode("latin-1").strip()
            if wanted is None or code in wanted:
                _add(shares.setdefault(code, _Share()), line)
            if padded:
                found.by_isin.setdefault(line[_CODISI], code)
        elif line[_CODNEG] in padded and line.startswith(b"01"):
            found.others[line[_CODNEG].decode("latin-1").strip()] = line[_TPMERC], line[_CODISI]
    _require_whole(records, line, path)
    # Some codes of the cash market are no tickers; a person could not ask for them either.
    found.shares = {code: it for code, it in shares.items() if code.isascii() and code.isalnum()}
    return found


def _add(share: _Share, line: bytes) -> None:
    day = None
    try:
        day = _read_date(line)
        _require_reais(day, line[_MODREF])
        prices = [_read_number(line, place, name) for name, place in _PRICES.items()]
        volume = _read_number(line, _QUATOT, "quantity")
        factor = _read_factor(line)
    except ValueError as error:
        written = ascii(line[_DATE].decode("latin-1"))[1:-1]
        shown = written if day is None else str(date.fromordinal(day + _EPOCH))
        share.rejections.append(Rejection(shown, str(error)))
        return
    share.days.append(day)
    # Hundredths, and for some shares the price of a thousand.
    share.numbers.extend(price / (100 * factor) for price in prices)
    share.numbers.append(volume)
    share.standard.append(line[_CODBDI] == _STANDARD_LOT)


def _read_date(line: bytes) -> int:
    text = line[_DATE]
    if len(text) == 8 and text.isdigit():
        try:
            return date(int(text[:4]), int(text[4:6]), int(text[6:])).toordinal() - _EPOCH
        except ValueError:
            pass
    raise ValueError("its date is not valid")


def _require_reais(day: int, reference: bytes) -> None:
    currency = reference.decode("latin-1").strip()
    if currency not in {"R$", ""}:
        raise ValueError(f"its prices are in {ascii(currency)[1:-1]}, not in R$")
    if day < _FIRST_DAY_OF_REAL:
        raise ValueError("its prices cannot be in R$, which began on 1994-07-01")


def _read_number(line: bytes, place: slice, name: str) -> int:
    text = line[place]
    if not text.isdigit():
        raise ValueError(f"{name}: {text.decode('latin-1')!a} is not a number")
    return int(text)


def _read_factor(line: bytes) -> int:
    if len(line) < _RECORD:
        raise ValueError("the record is cut short")
    factor = _read_number(line, _FATCOT, "quotation factor")
    if not factor:
        raise ValueError("its quotation factor is zero")
    return factor


def _require_whole(records: int, last: bytes, path: Path) -> None:
    if not records:
        raise RejectedDataError(f"{path} is empty", hint="download the COTAHIST file from B3 again")
    count = last[_TOTAL] if last.startswith(b"99") else b""
    if not count.isdigit() or int(count) != records:
        promised = f"its trailer counts {int(count)}" if count.isdigit() else "it has no trailer"
        raise RejectedDataError(
            f"{path} is cut short: {records} records, and {promised}",
            hint="download it from B3 again; nothing was imported",
        )


def _not_cotahist(path: Path) -> RejectedDataError:
    return RejectedDataError(
        f"{path} is not a COTAHIST file",
        hint="give a file of daily quotations from B3, such as COTAHIST_A2023.ZIP",
    )
