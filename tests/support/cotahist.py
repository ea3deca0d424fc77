"""Writes B3's COTAHIST files by their layout: fixed columns, 245 characters a record."""

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass

END = b"\r\n"


@dataclass(frozen=True)
class Quote:
    """One record of type 01; prices as quoted, for `factor` shares."""

    day: str
    code: str
    open: float
    high: float
    low: float
    close: float
    quantity: int = 1000
    factor: int = 1
    market: str = "010"
    bdi: str = "02"
    currency: str = "R$"
    isin: str = "BRPETRACNPR6"

    def record(self) -> bytes:
        def price(value: float) -> str:
            return f"{round(value * 100):013d}"

        record = (
            f"01{self.day.replace('-', '')}{self.bdi}{self.code:<12}{self.market}"
            f"{'EMPRESA':<12}{'ON':<10}{'':3}{self.currency:<4}"
            + "".join(map(price, (self.open, self.high, self.low, self.close, self.close)))
            + f"{price(self.close)}{price(self.close)}{7:05d}{self.quantity:018d}{0:018d}"
            # Strike, indicator, maturity, factor, strike in points, ISIN, distribution number.
            + f"{0:013d}099991231{self.factor:07d}{0:013d}{self.isin:<12}{123:03d}"
        )
        return record.encode("latin-1")


def cotahist(quotes: Iterable[Quote], *, records: int | None = None) -> bytes:
    """Write a whole file; `records` is what its trailer says, by default the truth."""
    lines = [f"00{'COTAHIST.2024':<13}{'BOVESPA':<8}20241230{'':214}".encode()]
    lines += [quote.record() for quote in quotes]
    total = len(lines) + 1 if records is None else records
    lines.append(f"99{'COTAHIST.2024':<13}{'BOVESPA':<8}20241230{total:011d}{'':203}".encode())
    if {len(line) for line in lines} != {245}:
        raise ValueError("a record of another length")
    return END.join(lines) + END


def zipped(content: bytes, name: str = "COTAHIST_A2024.TXT") -> bytes:
    """Put a file into a ZIP, as B3 publishes it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
