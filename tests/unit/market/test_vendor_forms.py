"""Files in every vendor's form, cut and shuffled: read to the last bit, or refused."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from stocklstm.core.prices.answers import SourceAnswer
from stocklstm.errors import RejectedDataError, StockLstmError
from stocklstm.market.csv import CsvSource
from stocklstm.market.source import FetchRequest
from tests.support.property_tests import PROPERTY
from tests.support.vendor_files import BY_NAME, FORMS, Form
from tests.support.vendor_rows import ADJUSTED, Market, Row, real_rows, with_decimals

DECIMALS = (0, 2, 3, 4, 5, 6, None)
LEVELS = (1, 37, 3000)


@dataclass(frozen=True)
class Case:
    """A file to read."""

    form: Form
    market: Market
    rows: tuple[Row, ...]
    line_end: str = "\n"
    encoding: str = "utf-8"

    @property
    def data(self) -> bytes:
        text = self.form.write(self.market, self.rows)
        return text.replace("\n", self.line_end).encode(self.encoding)


def read(path: Path, case: Case) -> SourceAnswer:
    path.write_bytes(case.data)
    return CsvSource().fetch(FetchRequest(case.market.ticker, file=path))


def found(answer: SourceAnswer, fields: tuple[str, ...]) -> dict[str, dict[str, float]]:
    columns = {
        "open": answer.bars.opens,
        "high": answer.bars.highs,
        "low": answer.bars.lows,
        "close": answer.bars.closes,
        "adj_close": answer.bars.adj_closes,
        "volume": answer.bars.volumes,
    }
    days = answer.bars.dates.astype("datetime64[D]").astype(str).tolist()
    assert len(set(days)) == len(days)
    untold = set(ADJUSTED) - set(fields) - {"volume"}
    for field in untold:
        for value, close in zip(columns[field].tolist(), columns["close"].tolist(), strict=True):
            # yfinance adjusts what it calls a close, unless it is told otherwise.
            assert math.isnan(value) or (field == "adj_close" and value == close)
    return {
        day: {field: float(columns[field][at]) for field in fields} for at, day in enumerate(days)
    }


def require_told(answer: SourceAnswer, case: Case) -> None:
    assert answer.rejections == ()
    assert found(answer, case.form.tells) == case.form.told(case.rows)


@st.composite
def cuts(draw: st.DrawFn) -> Case:
    """Draw a file; half of them are too short to tell much about how they are written."""
    form = draw(st.sampled_from(FORMS))
    market = draw(st.sampled_from(form.markets))
    rows = real_rows(market)
    if draw(st.booleans()):
        # Of such days the order of day and month cannot be told.
        rows = tuple(row for row in rows if row.day.day <= 12)
    length = draw(st.integers(1, 5) | st.integers(1, 60))
    start = draw(st.integers(0, len(rows) - length))
    rows = rows[start : start + length]
    written = with_decimals(rows, draw(st.sampled_from(DECIMALS)), draw(st.sampled_from(LEVELS)))
    order = draw(st.sampled_from(["vendor", "ascending", "descending", "shuffled"]))
    newest_first = form.newest_first if order == "vendor" else order == "descending"
    written.sort(reverse=newest_first)
    if order == "shuffled":
        random.Random(start).shuffle(written)
    line_end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]))
    return Case(form, market, tuple(written), line_end, encoding)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    return tmp_path_factory.mktemp("vendors") / "prices.csv"


@settings(PROPERTY, max_examples=600)
@given(case=cuts())
def test_a_file_in_any_form_is_read_to_the_last_bit_or_refused(path: Path, case: Case) -> None:
    try:
        answer = read(path, case)
    except StockLstmError as error:
        refusal = error
    else:
        event("read")
        require_told(answer, case)
        return
    event("refused")
    assert refusal.hint


@pytest.mark.parametrize("name", BY_NAME)
def test_what_a_vendor_exports_is_read(path: Path, name: str) -> None:
    form = BY_NAME[name]
    for market in form.markets:
        for decimals in (2, 4):
            rows = with_decimals(real_rows(market)[-250:], decimals)
            rows.sort(reverse=form.newest_first)
            case = Case(form, market, tuple(rows))
            require_told(read(path, case), case)


def names_its_ticker(form: Form) -> bool:
    market = form.markets[0]
    return market.bare in form.export(market, real_rows(market)[:1])


@pytest.mark.parametrize("name", [form.name for form in FORMS if names_its_ticker(form)])
def test_a_file_of_other_tickers_is_refused_and_says_whose_it_is(path: Path, name: str) -> None:
    form = BY_NAME[name]
    market = form.markets[0]
    path.write_text(form.export(market, real_rows(market)[-40:]), "utf-8")

    with pytest.raises(RejectedDataError) as caught:
        CsvSource().fetch(FetchRequest("ABEV3.SA", file=path))

    assert market.bare in caught.value.message
    assert caught.value.hint
