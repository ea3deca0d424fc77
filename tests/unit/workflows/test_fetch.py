"""fetch merges what can be believed and refuses the rest, losing nothing."""

from pathlib import Path

import pytest

from stocklstm.errors import ConfigError, RejectedDataError, UnknownTickerError
from stocklstm.store.store import open_store
from stocklstm.workflows.fetch import FetchedTicker, FetchOptions, fetch
from tests.conftest import TICKER

SAMPLE = FetchOptions(source="sample")


def fetch_csv(home: Path, file: Path, text: str, ticker: str = TICKER) -> object:
    file.write_text(text)
    return fetch([ticker], FetchOptions("csv", file), home=home)


def fetch_sample(home: Path) -> FetchedTicker:
    (result,) = fetch([TICKER], SAMPLE, home=home).results
    return result


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prices.csv"


def test_the_sample_is_stored_with_all_that_a_forecast_needs(home: Path) -> None:
    result = fetch_sample(home)

    assert (result.rows, result.rows_added, result.rows_revised) == (3514, 3514, 0)
    assert (result.first, result.last) == ("2010-01-04", "2024-03-13")
    assert result.missing_sessions == ("2012-02-22", "2020-11-20")
    assert {rejection.reason for rejection in result.rows_rejected} == {
        "filler: BVMF was closed, nothing was traded"
    }
    with open_store(home) as store:
        instrument = store.prices.instrument(TICKER)
        assert (instrument.currency, instrument.time_zone) == ("BRL", "America/Sao_Paulo")
        bars = store.prices.bars(TICKER)
        assert (bars.closes != bars.adj_closes).any()
        # A year ahead: carnival of 2027, and a plain Thursday.
        assert store.sessions.next_after("BVMF", "2027-02-05") == "2027-02-10"


def test_fetching_again_changes_nothing(home: Path) -> None:
    fetch_sample(home)

    again = fetch_sample(home)

    assert again.unchanged
    assert (again.rows_added, again.rows_revised) == (0, 0)


def test_no_ticker_refreshes_what_is_stored(home: Path) -> None:
    fetch_sample(home)

    assert [result.ticker for result in fetch([], SAMPLE, home=home).results] == [TICKER]


def test_nothing_to_fetch_is_said(home: Path) -> None:
    with pytest.raises(ConfigError, match="store is empty"):
        fetch([], SAMPLE, home=home)


def test_one_bad_ticker_stops_no_other(home: Path) -> None:
    result = fetch(["no ticker!", "VALE3.SA", TICKER], SAMPLE, home=home)

    assert [done.ticker for done in result.results] == [TICKER]
    assert [failure.ticker for failure in result.failures] == [None, "VALE3.SA"]
    assert isinstance(result.failures[0].error, ConfigError)
    assert isinstance(result.failures[1].error, UnknownTickerError)


@pytest.mark.parametrize("tickers", [[], [TICKER, "VALE3.SA"]])
def test_a_file_is_never_taken_for_several_tickers(
    home: Path, file: Path, tickers: list[str]
) -> None:
    fetch_sample(home)
    file.write_text("Date,Close\n2024-03-11,10\n2024-03-12,10.1\n")

    with pytest.raises(ConfigError, match="one ticker"):
        fetch(tickers, FetchOptions("csv", file), home=home)

    with open_store(home) as store:
        assert len(store.prices.bars(TICKER)) == 3514


@pytest.mark.parametrize("source", ["yahoo", "sample"])
def test_a_source_that_reads_no_file_refuses_one(home: Path, file: Path, source: str) -> None:
    (failure,) = fetch([TICKER], FetchOptions(source, file), home=home).failures

    assert isinstance(failure.error, ConfigError)
    assert "--source csv" in failure.error.hint


def test_rows_that_do_not_fit_the_stored_ones_are_refused(home: Path, file: Path) -> None:
    fetch_sample(home)
    half = "Date,Close\n2024-03-13,18.19\n2024-03-14,18.30\n"

    result = fetch_csv(home, file, half)

    (failure,) = result.failures
    assert isinstance(failure.error, RejectedDataError)
    assert "--accept-revision" in failure.error.hint
    with open_store(home) as store:
        bars = store.prices.bars(TICKER)
    assert (str(bars.dates[-1]), bars.closes[-1]) == ("2024-03-13", 36.380001)


def test_a_file_without_ranges_leaves_the_stored_ones(home: Path, file: Path) -> None:
    fetch_sample(home)

    fetch_csv(home, file, "Date,Close,Adj Close\n2024-03-13,36.38,36.38\n2024-03-14,36.5,36.5\n")

    with open_store(home) as store:
        bars = store.prices.bars(TICKER)
    assert len(bars) == 3515
    assert (bars.highs[-2], bars.volumes[-2]) == (37.330002, 45140600)


def test_another_currency_is_refused(home: Path) -> None:
    fetch_sample(home)
    with open_store(home) as store:
        instrument = store.prices.instrument(TICKER)
        dollars = type(instrument)(TICKER, "USD", instrument.exchange, instrument.time_zone)
        store.prices.merge(
            dollars, store.prices.bars(TICKER), (), source="test", at="2024-03-14T00:00:00Z"
        )

    result = fetch([TICKER], SAMPLE, home=home)

    assert "USD" in result.failures[0].error.message


def test_todays_unfinished_session_is_not_stored(
    home: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime

    import stocklstm.workflows.fetch as module

    rows = "Date,Close\n2024-03-12,36\n2024-03-13,36.4\n2024-03-14,36.9\n"

    def stored_at(hour: int, minute: int) -> FetchedTicker:
        class Clock(datetime):
            @classmethod
            def now(cls, tz: object = None) -> datetime:
                return datetime(2024, 3, 14, hour, minute, tzinfo=tz or UTC)

        monkeypatch.setattr(module, "datetime", Clock)
        (result,) = fetch_csv(home, file, rows).results
        return result

    during, just_after, later = stored_at(15, 0), stored_at(21, 10), stored_at(22, 0)

    assert [result.last for result in (during, just_after, later)] == [
        "2024-03-13",
        "2024-03-13",
        "2024-03-14",
    ]
    assert during.rows_rejected[0].reason == "its session is not over yet"
    assert later.rows_added == 1
