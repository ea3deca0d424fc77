"""Files in every vendor's form, cut and shuffled: read to the last bit, or refused."""

import itertools
import math
import random
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from stocklstm.core.prices.answers import SourceAnswer
from stocklstm.errors import ConfigError, RejectedDataError, StockLstmError
from stocklstm.market.csv import CsvSource
from stocklstm.market.source import FetchRequest
from tests.support.property_tests import PROPERTY
from tests.support.vendor_files import BY_NAME, FORMS, Form
from tests.support.vendor_rows import ADJUSTED, ANY, B3, US, Market, Row, real_rows, with_decimals

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
    last_line_ends: bool = True

    @property
    def data(self) -> bytes:
        text = self.form.write(self.market, self.rows)
        if not self.last_line_ends:
            text = text.removesuffix("\n")
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
def cuts(draw: st.DrawFn, *, early: bool | None = None) -> Case:
    """Draw a file; half of them are too short to tell much about how they are written.

    Args:
        draw: Of Hypothesis.
        early: Of days up to the 12th alone, whose order of day and month cannot be told.
    """
    form = draw(st.sampled_from(FORMS))
    market = draw(st.sampled_from(form.markets))
    rows = real_rows(market)
    if draw(st.booleans()) if early is None else early:
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
    return Case(form, market, tuple(written), line_end, encoding, draw(st.booleans()))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    return tmp_path_factory.mktemp("vendors") / "prices.csv"


@settings(PROPERTY, max_examples=120)
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


def answers_to(question: str) -> list[dict[str, str]]:
    """Find the options that a hint names, each as what a request takes."""
    words = [word.rstrip(",") or word for word in shlex.split(question)]
    names = {"--date-format": "date_format", "--decimal": "decimal"}
    return [
        {names[option]: value} for option, value in itertools.pairwise(words) if option in names
    ]


def readings(path: Path, case: Case, options: dict[str, str]) -> list[SourceAnswer]:
    """Read a file, and where that is asked about in each way that the question names."""
    try:
        return [CsvSource().fetch(FetchRequest(case.market.ticker, file=path, **options))]
    except StockLstmError as error:
        answers = answers_to(error.hint)
    return [
        reading
        for answer in answers
        if not answer.keys() & options.keys()
        for reading in readings(path, case, {**options, **answer})
    ]


@settings(PROPERTY, max_examples=50)
@given(case=cuts(early=True))
def test_what_is_asked_is_answered_by_an_option_that_the_question_names(
    path: Path, case: Case
) -> None:
    try:
        read(path, case)
    except ConfigError:
        named = [found(answer, case.form.tells) for answer in readings(path, case, {})]
    except RejectedDataError:
        return
    else:
        return

    assert case.form.told(case.rows) in named


@st.composite
def half_converted(draw: st.DrawFn) -> str:
    """Draw a file of which a part has its days and months swapped, so that its order breaks."""
    rows = real_rows(draw(st.sampled_from([B3, US])))
    length = draw(st.integers(3, 60))
    start = draw(st.integers(0, len(rows) - length))
    some = rows[start : start + length]
    common, swapped = draw(st.permutations(["%d/%m/%Y", "%m/%d/%Y"]))
    early = [number for number, row in enumerate(some) if row.day.day <= 12]
    assume(early)
    first = draw(st.sampled_from(early))
    last = first + draw(st.integers(0, length))
    written = [
        row.day.strftime(swapped if first <= number <= last and number in early else common)
        for number, row in enumerate(some)
    ]
    days = [datetime.strptime(day, common).date() for day in written]  # noqa: DTZ007 - days
    assume(days != sorted(days))
    assume(any(row.day.day > 12 for row in some))
    lines = [f"{day},{row.close}\n" for day, row in zip(written, some, strict=True)]
    if draw(st.booleans()):
        lines.reverse()
    return "Date,Close\n" + "".join(lines)


@settings(PROPERTY, max_examples=60)
@given(text=half_converted())
def test_a_sheet_whose_dates_are_half_converted_is_refused(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")

    with pytest.raises(StockLstmError) as caught:
        CsvSource().fetch(FetchRequest("PETR4.SA", file=path))

    assert caught.value.hint


@st.composite
def longer_bars(draw: st.DrawFn) -> tuple[str, Case]:
    """Draw a file of weeks or months, each dated as vendors date them."""
    form = draw(st.sampled_from(FORMS))
    market = draw(st.sampled_from(form.markets))
    rows = real_rows(market)
    start = draw(st.integers(0, len(rows) - 300))
    unit = draw(st.sampled_from(["week", "month"]))
    bars: dict[date, list[Row]] = {}
    for row in rows[start : start + 300]:
        monday = row.day - timedelta(days=row.day.weekday())
        bars.setdefault(monday if unit == "week" else row.day.replace(day=1), []).append(row)
    dated = draw(st.sampled_from(["start", "first session", "last session"]))
    written = [
        some[-1]._replace(day={"start": day, "first session": some[0].day}.get(dated, some[-1].day))
        for day, some in bars.items()
    ][-draw(st.integers(8, 15)) :]
    written = with_decimals(written, 2)
    written.sort(reverse=form.newest_first)
    return unit, Case(form, market, tuple(written))


@settings(PROPERTY, max_examples=50)
@given(drawn=longer_bars())
def test_weeks_and_months_in_any_form_are_refused_as_such(
    path: Path, drawn: tuple[str, Case]
) -> None:
    unit, case = drawn

    with pytest.raises((RejectedDataError, ConfigError)) as caught:
        read(path, case)

    # The first days of some months, 03/01/2024 and 02/01/2024, are asked about before that.
    if "--date-format" not in caught.value.hint:
        assert f"{unit}ly" in caught.value.message
        assert "--accept-spacing" in caught.value.hint


HOURS: dict[str, Callable[[datetime], str]] = {
    "yfinance": lambda time: time.isoformat(" "),
    "TradingView": lambda time: time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "Unix time": lambda time: f"{int(time.timestamp())}",
    "milliseconds": lambda time: f"{int(time.timestamp())}000",
    "local": lambda time: time.strftime("%Y-%m-%d %H:%M"),
}


@st.composite
def hours(draw: st.DrawFn) -> tuple[Market, dict[str, tuple[float, ...]], str]:
    """Draw a file of parts of days, and the days that were cut into them."""
    market = draw(st.sampled_from(ANY))
    number = draw(st.integers(2, 12))
    start = draw(st.integers(2000, 2500 - number))
    minutes = draw(st.sampled_from([15, 30, 60]))
    rows, days = [], {}
    for row in with_decimals(real_rows(market)[start : start + number], 2):
        opened, closed = (datetime.combine(row.day, at) for at in (market.opens, market.closes))
        count = int((closed - opened) / timedelta(minutes=minutes)) + 1
        highest, lowest = draw(st.integers(0, count - 1)), draw(st.integers(0, count - 1))
        prices = [row.open, *[(row.open + row.close) / 2] * (count - 1), row.close]
        top, bottom = max(row.high, row.open, row.close), min(row.low, row.open, row.close)
        for part in range(count):
            first, last = prices[part], prices[part + 1]
            high = top if part == highest else max(first, last)
            low = bottom if part == lowest else min(first, last)
            when = opened + timedelta(minutes=minutes * part)
            rows.append((when.replace(tzinfo=ZoneInfo(market.zone)), first, high, low, last, 10))
        whole = (row.open, top, bottom, row.close, 10 * count)
        days[row.day.isoformat()] = tuple(map(float, whole))
    order = draw(st.sampled_from(["oldest first", "newest first", "shuffled"]))
    rows.sort(reverse=order == "newest first")
    if order == "shuffled":
        random.Random(start).shuffle(rows)
    written = HOURS[draw(st.sampled_from(list(HOURS)))]
    lines = [f"{written(time)},{','.join(map(str, prices))}\n" for time, *prices in rows]
    return market, days, "Datetime,Open,High,Low,Close,Volume\n" + "".join(lines)


@settings(PROPERTY, max_examples=25)
@given(drawn=hours())
def test_parts_of_days_come_back_as_the_days_that_they_were_cut_from(
    path: Path, drawn: tuple[Market, dict[str, tuple[float, ...]], str]
) -> None:
    market, days, text = drawn
    path.write_text(text, "utf-8")

    answer = CsvSource().fetch(FetchRequest(market.ticker, file=path))

    assert answer.rejections == ()
    fields = ("open", "high", "low", "close", "volume")
    assert {day: tuple(row.values()) for day, row in found(answer, fields).items()} == days


@pytest.mark.parametrize("name", BY_NAME)
def test_what_a_vendor_exports_is_read(path: Path, name: str) -> None:
    form = BY_NAME[name]
    for market in form.markets:
        for decimals in (2, 4):
            rows = with_decimals(real_rows(market)[-100:], decimals)
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
