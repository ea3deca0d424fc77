"""B3's yearly files, written by their layout and read back."""

import io
import re
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm.core.exits import ExitCode, exit_code
from stocklstm.core.prices.answers import Basis, SourceAnswer
from stocklstm.errors import (
    ConfigError,
    NotFoundError,
    RejectedDataError,
    StockLstmError,
    UnknownTickerError,
)
from stocklstm.market.b3 import B3Source
from stocklstm.market.calendar import sessions
from stocklstm.market.clean import clean
from stocklstm.market.source import FetchRequest, load_source
from tests.support.cotahist import Quote, cotahist, zipped

PETR4, VALE3 = "PETR4.SA", "VALE3.SA"
WEEK = [
    Quote("2024-03-11", "PETR4", 36.05, 37.1, 35.9, 36.5, 44_000_100),
    Quote("2024-03-11", "VALE3", 62, 63, 61, 62.5, 20_000_000),
    Quote("2024-03-11", "PETR4F", 36.1, 37, 36, 36.4, market="020"),
    Quote("2024-03-11", "PETRC362", 1, 2, 1, 1.5, market="070"),
    Quote("2024-03-12", "PETR4", 36.5, 37, 36, 36.19, 50_000_000),
    Quote("2024-03-13", "PETR4", 36.2, 37.33, 36.1, 36.38, 45_140_600),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "COTAHIST_A2024.ZIP"


def write(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


def fetch(file: Path, ticker: str = PETR4, **options: str) -> SourceAnswer:
    return B3Source().fetch(FetchRequest(ticker, file, **options))


# What is in a file


@pytest.mark.parametrize("pack", [bytes, zipped], ids=["TXT", "ZIP"])
def test_prices_of_the_cash_market_in_reais_as_traded(file, pack):
    answer = fetch(write(file, pack(cotahist(WEEK))))
    bars = answer.bars
    assert bars.dates.astype(str).tolist() == ["2024-03-11", "2024-03-12", "2024-03-13"]
    assert bars.opens.tolist() == [36.05, 36.5, 36.2]
    assert bars.highs.tolist() == [37.1, 37.0, 37.33]
    assert bars.lows.tolist() == [35.9, 36.0, 36.1]
    assert bars.closes.tolist() == [36.5, 36.19, 36.38]
    assert bars.volumes.tolist() == [44_000_100, 50_000_000, 45_140_600]
    assert np.isnan(bars.adj_closes).all()
    assert (answer.source, answer.basis) == ("b3", Basis.AS_TRADED)
    assert (answer.instrument.currency, answer.instrument.exchange) == ("BRL", "BVMF")


def test_the_shares_of_the_cash_market_are_listed(file):
    assert list(B3Source().read(write(file, cotahist(WEEK)))) == [PETR4, VALE3]


def test_prices_of_a_thousand_shares_become_prices_of_one(file):
    content = cotahist([Quote("1999-03-11", "PETR4", 250, 260, 240, 255.5, factor=1000)])
    assert fetch(write(file, content)).bars.closes.tolist() == [0.2555]


def test_of_a_day_the_standard_lot_counts_wherever_it_stands(file):
    odd = Quote("2024-03-11", "PETR4", 1, 1, 1, 1, bdi="10")
    for quotes in ([odd, *WEEK], [*WEEK, odd]):
        assert fetch(write(file, cotahist(quotes))).bars.closes[0] == 36.5


def test_of_equal_records_the_last_counts(file):
    again = Quote("2024-03-11", "PETR4", 36, 37, 36, 36.6)
    assert fetch(write(file, cotahist([*WEEK, again]))).bars.closes.tolist() == [
        36.6,
        36.19,
        36.38,
    ]


def test_line_ends_and_blanks_do_not_matter(file):
    content = cotahist(WEEK).replace(b"\r\n", b"\n\n") + b"\x1a"
    assert len(fetch(write(file, content)).bars) == 3


def test_start_is_honoured(file):
    answer = fetch(write(file, cotahist(WEEK)), start="2024-03-12")
    assert len(answer.bars) == 2


def test_only_those_that_are_wanted_are_read(file):
    write(file, cotahist(WEEK))
    every = B3Source().read(file)
    assert list(B3Source().read(file, {VALE3, "ABEV3.SA", "PETR4"})) == [VALE3]
    assert B3Source().read(file, {PETR4})[PETR4].bars.closes.tolist() == [36.5, 36.19, 36.38]
    assert len(every[VALE3].bars) == 1


# Currencies


def test_days_in_another_currency_are_refused_by_name(file):
    """1994 began in cruzeiros reais; a real was 2750 of them."""
    quotes = [
        Quote("1994-06-29", "PETR4", 230, 232.3, 227.7, 230, currency="CR$", factor=1000),
        Quote("1994-06-30", "PETR4", 240, 242.4, 237.6, 240, currency="CR$", factor=1000),
        Quote("1994-07-01", "PETR4", 88, 88.88, 87.12, 88, factor=1000),
        Quote("1994-07-04", "PETR4", 89, 89.5, 88, 89, currency="US$"),
        Quote("1994-07-05", "PETR4", 90, 91, 89, 90, currency="", factor=1000),
    ]
    answer = fetch(write(file, cotahist(quotes)))
    assert answer.bars.dates.astype(str).tolist() == ["1994-07-01", "1994-07-05"]
    assert answer.bars.closes.tolist() == [0.088, 0.09]
    assert [(row.date, row.reason) for row in answer.rejections] == [
        ("1994-06-29", "its prices are in CR$, not in R$"),
        ("1994-06-30", "its prices are in CR$, not in R$"),
        ("1994-07-04", "its prices are in US$, not in R$"),
    ]


@pytest.mark.parametrize(
    ("day", "currency"),
    [("1986-03-03", "CZ$"), ("1989-02-01", "NCZ$"), ("1992-01-02", "CR$"), ("1993-09-01", "CR$")],
)
def test_no_older_currency_is_taken_for_reais(file, day, currency):
    for given_currency in (currency, "R$", ""):
        content = cotahist([Quote(day, "PETR4", 1, 1, 1, 1, currency=given_currency)])
        answer = fetch(write(file, content))
        assert len(answer.bars) == 0
        assert "R$" in answer.rejections[0].reason


# What is no share


VALE_ISIN = "BRVALEACNOR0"
MARKETS = [
    Quote("2024-03-11", "PETRC380", 0.3, 0.5, 0.2, 0.25, market="070", bdi="78"),
    Quote("2024-03-11", "VALEO600", 0.3, 0.5, 0.2, 0.25, market="080", bdi="82", isin=VALE_ISIN),
    Quote("2024-03-11", "PETR4", 36.05, 37.1, 35.9, 36.5),
    Quote("2024-03-11", "PETR4F", 36.1, 37, 36, 36.4, market="020", bdi="96"),
    Quote("2024-03-11", "PETR4T", 36.1, 37, 36, 36.4, market="030", bdi="62"),
    Quote("2024-03-11", "VALE3", 62, 63, 61, 62.5, isin=VALE_ISIN),
    Quote("2024-03-11", "HGLG11F", 165, 166, 164, 165, market="020", bdi="96", isin="BRHGLGCTF004"),
    Quote("2024-03-11", "ABCDA1", 1, 1, 1, 1, market="070", bdi="78", isin="BRABCDACNOR0"),
]


@pytest.mark.parametrize(
    ("code", "what", "share"),
    [
        ("PETRC380", "a call option", "PETR4.SA"),
        ("VALEO600", "a put option", "VALE3.SA"),
        ("PETR4F", "an odd lot", "PETR4.SA"),
        ("PETR4T", "a forward contract", "PETR4.SA"),
        ("HGLG11F", "an odd lot", "HGLG11.SA"),
    ],
)
def test_an_option_or_the_like_is_named_and_so_is_its_share(file, code, what, share):
    write(file, cotahist(MARKETS))
    with pytest.raises(UnknownTickerError) as caught:
        fetch(file, f"{code}.SA")
    assert caught.value.message == (
        f"{code}.SA: {code} is {what}, not a share; the share itself is {share}"
    )
    assert caught.value.hint == f"stocklstm fetch --source b3 --file {file} --ticker {share}"


def test_an_option_whose_share_is_not_there(file):
    with pytest.raises(UnknownTickerError, match="ABCDA1 is a call option, not a share") as caught:
        fetch(write(file, cotahist(MARKETS)), "ABCDA1.SA")
    assert "PETR4.SA" in str(caught.value.hint)


def test_of_the_whole_market_no_option_is_listed(file):
    assert list(B3Source().read(write(file, cotahist(MARKETS)))) == ["PETR4.SA", "VALE3.SA"]


def test_it_is_a_plug_in_like_any_other():
    assert isinstance(load_source("b3"), B3Source)


# What is wrong with a record


@pytest.mark.parametrize(
    ("place", "text", "reason"),
    [
        (slice(2, 10), b"20241399", "its date is not valid"),
        (slice(2, 10), b"2024 3 1", "its date is not valid"),
        (slice(108, 121), b"0000000036,19", "close: '0000000036,19' is not a number"),
        (slice(56, 69), b"             ", "open: '             ' is not a number"),
        (slice(152, 170), b"-00000000000000001", "quantity: .* is not a number"),
        (slice(210, 217), b"0000000", "its quotation factor is zero"),
    ],
)
def test_a_record_that_cannot_be_read_is_named_and_the_others_are_kept(file, place, text, reason):
    lines = cotahist(WEEK).split(b"\r\n")
    record = bytearray(lines[1])
    record[place] = text
    lines[1] = bytes(record)
    answer = fetch(write(file, b"\r\n".join(lines)))
    assert len(answer.bars) == 2
    (rejection,) = answer.rejections
    assert re.fullmatch(reason, rejection.reason)


def test_a_record_that_is_cut_short_is_named(file):
    lines = cotahist(WEEK).split(b"\r\n")
    lines[1] = lines[1][:215]
    assert fetch(write(file, b"\r\n".join(lines))).rejections[0].reason == "the record is cut short"


# What is wrong with a file


def member(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, cotahist(WEEK))
    return packed.getvalue()


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


BROKEN = {
    "empty": (b"", "is empty"),
    "text": (b"Date,Close\n2024-03-11,36\n", "is not a COTAHIST file"),
    "endless line": (b"00COTAHIST" + b" " * 10_000, "is not a COTAHIST file"),
    "no trailer": (b"\r\n".join(cotahist(WEEK).split(b"\r\n")[:-2]), "it has no trailer"),
    "cut": (cotahist(WEEK)[:1500], "is cut short"),
    "lines lost": (cotahist(WEEK, records=9), "8 records, and its trailer counts 9"),
    "more behind the trailer": (cotahist(WEEK) + WEEK[0].record(), "is cut short"),
    "two files": (member("A.TXT", "B.TXT"), "it holds 2 files"),
    "no file": (member(), "it holds 0 files"),
    "damaged inside": (flipped(zipped(cotahist(WEEK)), 80), "is damaged"),
    "another text inside": (zipped(b"hello\n"), "is not a COTAHIST file"),
}


@pytest.mark.parametrize(("content", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_as_a_whole(file, content, words):
    with pytest.raises(RejectedDataError, match=words) as caught:
        fetch(write(file, content))
    assert caught.value.hint


def test_an_encrypted_file_is_refused(file):
    content = bytearray(zipped(cotahist(WEEK)))
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):
        place = content.index(mark) + (6 if mark == b"PK\x03\x04" else 8)
        content[place] |= 1
    with pytest.raises(RejectedDataError, match="encrypted"):
        fetch(write(file, bytes(content)))


@pytest.mark.parametrize("ticker", ["PETR3.SA", "PETR4", "PETRC363.SA", "VALE3F.SA"])
def test_a_share_that_is_not_there(file, ticker):
    with pytest.raises(UnknownTickerError, match="does not have it") as caught:
        fetch(write(file, cotahist(WEEK)), ticker)
    assert ".SA" in str(caught.value.hint)


def test_a_file_is_needed_and_may_be_missing(tmp_path):
    with pytest.raises(ConfigError, match="needs a file"):
        B3Source().fetch(FetchRequest(PETR4))
    with pytest.raises(NotFoundError, match="there is no file"):
        fetch(tmp_path / "COTAHIST_A2024.ZIP")
    with pytest.raises(NotFoundError, match="cannot be read"):
        fetch(tmp_path)
    with pytest.raises(NotFoundError):
        fetch(Path("\0"))


def test_a_date_format_is_refused(file):
    with pytest.raises(ConfigError, match="have a fixed format"):
        fetch(write(file, cotahist(WEEK)), date_format="%d/%m/%Y")


# Any file at all


def test_what_is_not_kept_takes_no_room(file):
    option = Quote("2024-03-11", "PETRC362", 1, 2, 1, 1.5, market="070").record()
    many = 100_000
    lines = cotahist(WEEK, records=many + 8).split(b"\r\n")
    with file.open("wb") as stream:
        stream.write(b"\r\n".join(lines[:-2]) + b"\r\n")
        for _ in range(many):
            stream.write(option + b"\r\n")
        stream.write(lines[-2] + b"\r\n")
    tracemalloc.start()
    try:
        assert len(fetch(file).bars) == 3
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert file.stat().st_size > 20_000_000
    assert peak < 1_000_000


HUNDREDTHS = st.integers(1, 10**9).map(lambda cents: cents / 100)
QUOTES = st.lists(
    st.builds(
        Quote,
        day=st.dates(min_value=np.datetime64("1994-07-01").item()).map(str),
        code=st.sampled_from(["PETR4", "VALE3", "ABEV3"]),
        open=HUNDREDTHS,
        high=HUNDREDTHS,
        low=HUNDREDTHS,
        close=HUNDREDTHS,
        quantity=st.integers(0, 10**15),
        factor=st.sampled_from([1, 1000]),
    ),
    max_size=20,
    unique_by=lambda quote: (quote.code, quote.day),
)


@settings(deadline=None)
@given(quotes=QUOTES)
def test_what_is_written_is_read(quotes, tmp_path_factory):
    file = write(tmp_path_factory.mktemp("b3") / "file", cotahist(quotes))
    found = B3Source().read(file)
    assert list(found) == sorted({f"{quote.code}.SA" for quote in quotes})
    for ticker, answer in found.items():
        mine = [quote for quote in quotes if f"{quote.code}.SA" == ticker]
        mine.sort(key=lambda quote: quote.day)
        bars = answer.bars
        assert bars.dates.astype(str).tolist() == [quote.day for quote in mine]
        assert bars.closes == pytest.approx([q.close / q.factor for q in mine], rel=1e-12)
        assert bars.volumes.tolist() == [quote.quantity for quote in mine]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    content = bytearray(draw(st.sampled_from([cotahist(WEEK), zipped(cotahist(WEEK))])))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        length = draw(st.integers(0, 300))
        kind = draw(st.sampled_from(["flip", "delete", "insert", "repeat"]))
        if kind == "flip" and content:
            content[place] = draw(st.integers(0, 255))
        elif kind == "delete":
            del content[place : place + length]
        elif kind == "insert":
            content[place:place] = draw(st.binary(max_size=20))
        else:
            content[place:place] = content[place : place + length]
    return bytes(content)


@settings(deadline=None, max_examples=300)
@given(content=st.one_of(mutated(), st.binary(max_size=600)))
def test_any_bytes_give_sound_rows_or_an_error_with_its_code(content, tmp_path_factory):
    file = write(tmp_path_factory.mktemp("b3") / "file", content)
    calendar = sessions("BVMF", np.datetime64("2024-01-01"), np.datetime64("2024-12-31"))
    found, failure = {}, None
    try:
        found = B3Source().read(file)
    except StockLstmError as error:
        failure = error
    assert failure is None or (failure.hint and exit_code(failure) is ExitCode.NOT_ENOUGH_DATA)
    for answer in found.values():
        assert answer.basis is Basis.AS_TRADED
        try:
            bars = clean(answer, calendar, last_final=np.datetime64("2024-12-30")).bars
        except RejectedDataError:
            continue
        assert np.all(np.diff(bars.dates) > np.timedelta64(0, "D"))
        assert np.all(np.isfinite(bars.closes) & (bars.closes > 0))
        assert np.all(bars.highs >= bars.lows)
        assert np.all(bars.volumes >= 0)
