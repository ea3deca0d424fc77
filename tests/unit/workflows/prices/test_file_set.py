"""Several files of many tickers: read at once or one by one, stored as one history or not."""

import json
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm import fetch
from stocklstm.core.prices.series import COLUMNS, Bars
from stocklstm.errors import ConfigError, NotFoundError, RejectedDataError
from stocklstm.market.b3 import B3Source
from stocklstm.market.source import FetchRequest
from stocklstm.store.store import open_store
from stocklstm.workflows.prices.file_set import FileRead, read_files
from stocklstm.workflows.prices.plan import FetchOptions
from tests.conftest import TICKER, Cli
from tests.support.bundled_prices import bundled
from tests.support.cotahist import Quote, cotahist, zipped
from tests.support.property_tests import PROPERTY

YEARS = ("2019", "2020", "2021")
# A share that was listed later: real prices under another name.
LATER = "LATE3.SA"


@cache
def quotes(year: str) -> list[Quote]:
    bars = bundled().bars
    rows = np.flatnonzero(bars.dates.astype("datetime64[Y]").astype(str) == year)
    return [
        Quote(
            str(bars.dates[row]),
            code,
            *(round(float(values[row]), 2) for values in (bars.opens, bars.highs, bars.lows)),
            round(float(bars.closes[row]), 2),
            int(bars.volumes[row]),
        )
        for row in rows
        for code in (("PETR4",) if year == "2019" else ("PETR4", "LATE3"))
    ]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Make the yearly files of two shares."""
    folder = tmp_path_factory.mktemp("b3")
    made = []
    for year in YEARS:
        made.append(folder / f"COTAHIST_A{year}.ZIP")
        made[-1].write_bytes(zipped(cotahist(quotes(year))))
    return tuple(made)


def stored(home: Path, ticker: str) -> Bars:
    with open_store(home) as store:
        return store.prices.bars(ticker)


def test_two_processes_read_what_one_does(files: tuple[Path, ...]) -> None:
    events: list[FileRead] = []
    one = read_files("b3", files, (), 1, lambda _: None)
    two = read_files("b3", files, (), 2, events.append)

    assert one.tickers() == two.tickers() == [LATER, TICKER]
    for ticker in one.tickers():
        here, there = (each.fetch(FetchRequest(ticker)) for each in (one, two))
        assert here.bars.fingerprint() == there.bars.fingerprint()
        assert here.instrument == there.instrument
    assert sorted(event.file for event in events) == sorted(files)
    assert [(event.done, event.total) for event in events] == [(1, 3), (2, 3), (3, 3)]


def test_several_files_become_one_history(cli: Cli, home: Path, files: tuple[Path, ...]) -> None:
    named = [word for file in reversed(files) for word in ("--file", str(file))]
    done = cli("fetch", "--source", "b3", *named, "--jobs", "2", "--json")
    again = cli("fetch", "--source", "b3", *named, "--jobs", "2")

    assert done.code == 0, done.err
    later, petrobras = json.loads(done.out)["results"]
    assert (later["ticker"], later["first"][:4]) == (LATER, "2020")
    assert (petrobras["ticker"], petrobras["rows_rejected"]) == (TICKER, [])
    bars = stored(home, TICKER)
    assert len(bars) == sum(len({q.day for q in quotes(year)}) for year in YEARS)
    assert np.all(np.diff(bars.dates) > np.timedelta64(0, "D"))
    # Without a terminal, the first file; then a line a minute.
    assert len(re.findall(r"COTAHIST_A20\d\d\.ZIP: read, 1 of 3", again.err)) == 1
    assert ": read, " not in done.err


def test_a_ticker_of_later_years_alone_is_found(home: Path, files: tuple[Path, ...]) -> None:
    result = fetch([LATER, "NONE3.SA", "no ticker"], FetchOptions("b3", files), home=home)

    assert [each.ticker for each in result.results] == [LATER]
    unknown, unreadable = result.failures
    assert (unknown.ticker, unreadable.ticker) == ("NONE3.SA", None)
    assert "none of the 3 files" in unknown.error.message
    with open_store(home) as store:
        assert store.prices.tickers() == [LATER]


def test_a_year_in_cruzeiros_is_refused_and_one_of_two_currencies_begins_with_reais(
    cli: Cli, home: Path, tmp_path: Path
) -> None:
    days = ("1994-06-29", "1994-06-30", "1994-07-01", "1994-07-04")
    made = [
        Quote(day, "PETR4", *[price] * 4, currency=currency, factor=1000)
        for day, price, currency in zip(
            days, (230, 240, 88, 89), ("CR$", "CR$", "R$", "R$"), strict=True
        )
    ]
    old, new = tmp_path / "COTAHIST_A1993.TXT", tmp_path / "COTAHIST_A1994.TXT"
    old.write_bytes(cotahist(made[:2]))
    new.write_bytes(cotahist(made))

    refused = cli("fetch", "--source", "b3", "--file", f"{old}", "-t", TICKER)
    kept = cli("fetch", "--source", "b3", "--file", f"{new}", "-t", TICKER, "--json")

    assert refused.code == 6
    assert "none of 2 rows is usable" in refused.err
    assert "1994-06-29: its prices are in CR$, not in R$" in refused.err
    (result,) = json.loads(kept.out)["results"]
    assert [row["date"] for row in result["rows_rejected"]] == list(days[:2])
    bars = stored(home, TICKER)
    assert (bars.dates.astype(str).tolist(), bars.closes.tolist()) == ([*days[2:]], [0.088, 0.089])


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_damaged_file_stores_nothing_of_the_others(
    cli: Cli, home: Path, files: tuple[Path, ...], tmp_path: Path, jobs: int
) -> None:
    damaged = tmp_path / "COTAHIST_A2022.ZIP"
    damaged.write_bytes(files[0].read_bytes()[:-200])
    named = [word for file in (*files, damaged) for word in ("--file", str(file))]

    done = cli("fetch", "--source", "b3", *named, "--jobs", str(jobs), "--json")

    assert done.code == 6
    (error,) = json.loads(done.out)["errors"]
    assert damaged.name in error["message"]
    assert error["hint"]
    assert not home.exists()


def test_a_file_that_is_not_there_is_named(home: Path, files: tuple[Path, ...]) -> None:
    with pytest.raises(NotFoundError, match="COTAHIST_A1900"):
        fetch(options=FetchOptions("b3", (*files, Path("COTAHIST_A1900.ZIP")), jobs=2), home=home)


def test_files_and_processes_that_a_source_has_no_use_for_are_refused(
    home: Path, files: tuple[Path, ...]
) -> None:
    for options, words in (
        (FetchOptions("csv", files), "one file at a time, not 3"),
        (FetchOptions("csv", files[:1], jobs=2), "--jobs reads several files"),
        (FetchOptions("yahoo", jobs=2), "--jobs reads several files"),
        (FetchOptions("b3", files, jobs=0), "--jobs must be from 1"),
        (FetchOptions("b3", files, jobs=1000), "--jobs must be from 1"),
    ):
        with pytest.raises(ConfigError, match=words) as caught:
            fetch([TICKER], options, home=home)
        assert caught.value.hint
    assert not home.exists()


def test_dates_need_no_format(home: Path, files: tuple[Path, ...]) -> None:
    (failure,) = fetch([TICKER], FetchOptions("b3", files, date_format="%Y"), home=home).failures
    assert "have a fixed format" in failure.error.message


def test_a_file_named_twice_is_read_once(files: tuple[Path, ...]) -> None:
    events: list[FileRead] = []
    read_files("b3", (files[0], files[0]), (TICKER,), 2, events.append)
    assert len(events) == 1


@settings(PROPERTY)
@given(cuts=st.lists(st.integers(0, 40), min_size=1, max_size=4), order=st.randoms())
def test_however_a_year_is_cut_up_it_is_the_same(
    cuts: list[int], order: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole = [quote for quote in quotes("2019") if quote.code == "PETR4"][:40]
    bounds = [0, *sorted(cuts), 40]
    # Overlaps: every part also holds the last three days of the one before it.
    parts = [whole[max(0, a - 3) : b] for a, b in pairwise(bounds)]
    files = []
    for place, part in enumerate(parts):
        files.append(folder / f"{place}.TXT")
        files[-1].write_bytes(cotahist(part))
    order.shuffle(files)
    (folder / "whole.TXT").write_bytes(cotahist(whole))

    found = read_files("b3", files, (), 1, lambda _: None).fetch(FetchRequest(TICKER))

    expected = B3Source().read(folder / "whole.TXT")[TICKER]
    for name in ("dates", *COLUMNS):
        np.testing.assert_array_equal(getattr(found.bars, name), getattr(expected.bars, name))


def test_of_a_day_in_two_files_the_last_one_counts(tmp_path: Path) -> None:
    day = quotes("2019")[0]
    files = [tmp_path / "a", tmp_path / "b"]
    for file, close in zip(files, (10.0, 20.0), strict=True):
        one = Quote(day.day, "PETR4", close, close, close, close)
        file.write_bytes(cotahist([one]))
    for order, close in ((files, 20.0), (files[::-1], 10.0)):
        found = read_files("b3", order, (), 1, lambda _: None).fetch(FetchRequest(TICKER))
        assert found.bars.closes.tolist() == [close]


def test_a_damaged_record_of_any_file_is_named(tmp_path: Path, files: tuple[Path, ...]) -> None:
    lines = cotahist(quotes("2019")).split(b"\r\n")
    lines[1] = lines[1][:215]
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"\r\n".join(lines))
    found = read_files("b3", (damaged, files[1]), (), 1, lambda _: None).fetch(FetchRequest(TICKER))
    assert [rejection.reason for rejection in found.rejections] == ["the record is cut short"]
    with pytest.raises(RejectedDataError):
        read_files("b3", (tmp_path / "damaged", _cut(tmp_path, files[0])), (), 1, lambda _: None)


def _cut(folder: Path, file: Path) -> Path:
    short = folder / "short"
    short.write_bytes(file.read_bytes()[:1000])
    return short
