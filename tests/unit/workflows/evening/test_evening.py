"""An evening: what is fetched, forecast and scored, and what is said where something fails."""

from pathlib import Path

import numpy as np
import pytest

from stocklstm import fetch, predict
from stocklstm.core.exits import exit_code
from stocklstm.core.language import speaking
from stocklstm.errors import (
    ConfigError,
    NetworkError,
    NoModelError,
    NotFoundError,
    RateLimitedError,
    SchemaError,
    StaleDataError,
    StoreLockedError,
    TryAgainError,
    UnknownTickerError,
)
from stocklstm.store.store import open_store
from stocklstm.workflows.evening.evening import EveningResult
from stocklstm.workflows.evening.summary import summarize
from stocklstm.workflows.prices.plan import FetchOptions
from tests.conftest import TICKER
from tests.support.made_prices import made_bars
from tests.support.nights import BUNDLED, Nights, let_live
from tests.support.pooled_store import NAMES, YOUNG, dated, put, trained_home


def closes() -> dict[str, float]:
    return dict(zip(BUNDLED.bars.dates.astype(str), BUNDLED.bars.closes, strict=True))


def codes(result: EveningResult) -> list[int]:
    return [int(exit_code(failure.error)) for failure in result.failures]


def messages(result: EveningResult) -> list[str]:
    return [failure.error.message for failure in result.failures]


def test_sessions_that_were_not_forecast_are_named(nights: Nights) -> None:
    (first,) = nights.on("2024-03-07").results
    (after,) = nights.on("2024-03-12").results
    (again,) = nights.on("2024-03-12").results
    (usual,) = nights.on("2024-03-13").results

    # That of the 8th was made on the 7th.
    missed = ("2024-03-11", "2024-03-12")
    assert [each.missed_sessions for each in (first, after, again, usual)] == [
        *((), missed, missed, ())
    ]
    (row,) = summarize([after]).rows
    assert row[-1] == "no forecast was made for 2024-03-11, 2024-03-12"
    with speaking("pt-BR"):
        (row,) = summarize([after]).rows
    assert row[-1] == "nenhuma previsão foi feita para 11/03/2024, 12/03/2024"


def test_a_good_evening_fetches_forecasts_and_scores(nights: Nights) -> None:
    (first,) = nights.on("2024-03-07").results
    (second,) = nights.on("2024-03-08").results

    assert first.fetched is not None
    # 2024-03-06 and 2024-03-07 were missing.
    assert (first.fetched.rows_added, first.fetched.last) == (2, "2024-03-07")
    assert (first.forecast.as_of, first.forecast.target_session) == ("2024-03-07", "2024-03-08")
    assert (first.closed, first.unchanged, first.warnings) == (None, False, ())
    past = second.closed
    assert past is not None
    assert (past.target_session, past.model) == ("2024-03-08", f"{TICKER}@v1")
    assert past.point == first.forecast.point
    assert past.outcome == pytest.approx(closes()["2024-03-08"])
    # It fell 10.6 % on that day, below the lower bound of 95 %.
    assert closes()["2024-03-08"] < first.forecast.quantiles["0.025"]
    assert past.held == {"0.8": False, "0.95": False}
    assert second.forecast.live is not None
    assert second.forecast.live.n == 1


@pytest.mark.parametrize(
    "moment", ["2024-03-08T23:00:00Z", "2024-03-09T21:30:00Z", "2024-03-11T20:59:00Z"]
)
def test_a_second_run_and_a_weekend_change_nothing_and_ask_nobody(
    nights: Nights, moment: str
) -> None:
    (first,) = nights.on("2024-03-08").results
    nights.asked.clear()
    nights.fails = lambda ticker: NetworkError(f"{ticker}: no answer", hint="later")

    result = nights.evening(at=moment)

    (again,) = result.results
    assert (again.unchanged, again.fetched, result.failures) == (True, None, ())
    assert again.forecast.point == first.forecast.point
    assert nights.asked == []


def test_a_holiday_is_no_session(nights: Nights) -> None:
    """On 2024-03-29, Good Friday, B3 was closed; the bundled prices end before."""
    nights.on("2024-03-13")
    nights.asked.clear()
    with open_store(nights.home) as store:
        sessions = store.sessions.between("BVMF", "2024-03-28", "2024-04-01").astype(str)
    assert sessions.tolist() == ["2024-03-28", "2024-04-01"]

    result = nights.evening(at="2024-02-12T21:30:00Z")

    # On carnival Monday, before anything that is stored, nothing had ended.
    assert result.failures == ()
    assert nights.asked == []


def test_without_a_network_the_stored_prices_are_taken(nights: Nights) -> None:
    nights.on("2024-03-07")
    nights.fails = lambda ticker: NetworkError(f"{ticker}: no answer from Yahoo", hint="look")

    result = nights.on("2024-03-11")

    (row,) = result.results
    assert (row.forecast.as_of, row.stale_sessions, row.unchanged) == ("2024-03-07", 2, True)
    # What the error says is not said again.
    assert row.warnings == ()
    assert codes(result) == [75]
    assert messages(result) == [
        "no answer from Yahoo; the forecast is made from the close of 2024-03-07, 2 sessions behind"
    ]
    assert result.failures[0].error.hint == "look"
    # The source's own error is the cause still, whatever it was.
    assert isinstance(result.failures[0].error, NetworkError)


def test_what_stops_all_is_said_once(others: Nights) -> None:
    others.fails = lambda _: RateLimitedError("too many", hint="in an hour")

    result = others.on("2024-03-08", TICKER, "AAAA3.SA", "BBBB3.SA")

    assert codes(result) == [75, 75, 75]
    limited = [f for f in result.failures if isinstance(f.error, RateLimitedError)]
    assert [f.ticker for f in limited] == [TICKER, "AAAA3.SA", "BBBB3.SA"]
    # Two have no model, and so nothing is made from any close.
    assert limited[1].error is limited[2].error
    assert limited[1].error.message.startswith("AAAA3.SA, BBBB3.SA: too many")


@pytest.mark.parametrize(
    ("known_to", "moment", "error", "words"),
    [
        ("2024-03-07", "2024-03-08T21:29:59Z", TryAgainError, "not final yet"),
        ("2024-03-07", "2024-03-08T21:30:00Z", TryAgainError, "no prices of 2024-03-08 yet"),
        ("2024-03-07", "2024-03-11T21:30:00Z", StaleDataError, "no prices for 2 sessions"),
    ],
)
def test_prices_that_are_missing_though_the_source_answers_are_said_to_be(
    nights: Nights, known_to: str, moment: str, error: type, words: str
) -> None:
    nights.known_to = known_to

    result = nights.evening(at=moment)

    (row,), (failure,) = result.results, result.failures
    assert row.forecast.as_of == "2024-03-07"
    assert type(failure.error) is error
    assert words in failure.error.message
    assert "the close of 2024-03-07" in failure.error.message
    assert row.warnings == ()
    # It comes half an hour later, and then all is well.
    later = nights.on("2024-03-11")
    assert (later.failures, later.results[0].forecast.as_of) == ((), "2024-03-11")


def test_without_a_calendar_a_day_without_prices_is_no_error(nights: Nights) -> None:
    from stocklstm.workflows.prices.plan import FetchOptions

    nights.known_to = "2024-03-07"
    fetch([TICKER], FetchOptions(calendar="weekdays"), home=nights.home)

    result = nights.evening(at="2024-03-11T21:30:00Z")

    assert result.failures == ()
    (warning,) = result.results[0].warnings
    assert "prices are" in warning
    assert "behind" in warning


def test_one_ticker_that_fails_stops_no_other(others: Nights) -> None:
    def fails(ticker: str) -> UnknownTickerError | None:
        unknown = UnknownTickerError(f"{ticker}: unknown or delisted", hint="look")
        return unknown if ticker == "NONE3.SA" else None

    others.fails = fails

    result = others.on("2024-03-08", "NONE3.SA", TICKER, "AAAA3.SA", "a b", TICKER.lower())

    assert [row.ticker for row in result.results] == [TICKER]
    # What has no prices is not said to have no model besides.
    kinds = {failure.ticker: type(failure.error) for failure in result.failures}
    assert kinds == {None: ConfigError, "NONE3.SA": UnknownTickerError, "AAAA3.SA": NoModelError}
    hints = [f.error.hint for f in result.failures if f.ticker == "AAAA3.SA"]
    assert hints == ["stocklstm train --ticker AAAA3.SA"]


def test_names_that_mean_nothing_are_not_all_tickers(nights: Nights) -> None:
    result = nights.evening("a b", "PETR4")

    assert (result.results, codes(result)) == ((), [2, 2])
    assert nights.asked == []


def test_what_is_damaged_of_one_ticker_stops_no_other(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its forecast is on record all the same: only what to say of it cannot be told."""

    def damaged(*_: object) -> None:
        raise SchemaError("the record is damaged", hint="stocklstm validate")

    monkeypatch.setattr("stocklstm.workflows.evening.evening._closed", damaged)
    result = nights.on("2024-03-08")

    assert (result.results, codes(result)) == ((), [5])
    assert nights.asked == [TICKER]


def test_what_is_worth_knowing_is_said_once(nights: Nights) -> None:
    """A close of half the last one is stored with a warning, and beyond what training saw."""
    nights.changed = {"2024-03-08": 0.62}
    (row,) = nights.on("2024-03-08").results
    (again,) = nights.evening(at="2024-03-08T22:30:00Z").results

    assert row.fetched is not None
    assert len(row.fetched.warnings) == len(row.forecast.warnings) == 1
    assert row.warnings == (*row.fetched.warnings, *row.forecast.warnings)
    assert again.forecast.warnings == row.forecast.warnings
    assert again.warnings == ()


def test_two_evenings_do_not_interleave(nights: Nights) -> None:
    with (
        open_store(nights.home) as store,
        store.writing("evening"),
        pytest.raises(StoreLockedError, match="another evening") as refused,
    ):
        nights.evening(lock_timeout_s=0.05)

    assert exit_code(refused.value) == 75
    assert nights.asked == []


def test_files_are_written_while_no_other_evening_can_be(nights: Nights) -> None:
    held = []

    def finish(result: EveningResult) -> EveningResult:
        with open_store(nights.home, lock_timeout_s=0.01) as store:
            try:
                with store.writing("evening"):
                    held.append("free")
            except StoreLockedError:
                held.append("held")
        return result

    nights.on("2024-03-08", finish=finish)

    assert held == ["held"]


def test_without_a_store_there_is_nothing_to_do(nights: Nights, tmp_path: Path) -> None:
    nights.home = tmp_path / "none"
    with pytest.raises(NotFoundError, match="no store"):
        nights.evening()
    assert not nights.home.exists()


def test_a_ticker_by_its_old_name_is_not_fetched(nights: Nights) -> None:
    from stocklstm import rename_prices

    nights.on("2024-03-07")
    rename_prices(TICKER, "NEWW3.SA", home=nights.home)
    nights.asked.clear()

    result = nights.on("2024-03-08", TICKER)

    assert nights.asked == []
    assert codes(result) == [4]


def test_the_summary_says_what_came_and_what_is_to_come(nights: Nights) -> None:
    nights.on("2024-03-07")
    result = nights.on("2024-03-08")

    summary = summarize(result.results)
    ((*cells,),) = summary.rows
    row = dict(zip(summary.columns, cells, strict=True))
    made, past = result.results[0].forecast, result.results[0].closed

    assert (row["Ticker"], row["Closed"], row["Next"]) == (TICKER, "2024-03-08", "2024-03-11")
    assert row["Close"] == f"R$ {closes()['2024-03-08']:.2f}"
    assert row["Was forecast"] == f"{past.point:.2f}"
    assert row["Within"] == "neither"
    assert row["Live"] == "0/0 % of 1"
    assert row["Forecast"] == f"R$ {made.point:.2f}"
    assert row["95 %"] == f"{made.intervals[1].lower:.2f} to {made.intervals[1].upper:.2f}"
    assert (row["Model"], row["Note"]) == ("v1", "")


def test_a_forecast_of_predict_is_the_same_one(nights: Nights) -> None:
    (row,) = nights.on("2024-03-08").results

    (made,) = predict([TICKER], home=nights.home, now="2024-03-08T22:00:00Z").forecasts

    assert (made.point, made.unchanged) == (row.forecast.point, True)


def test_a_pooled_model_forecasts_for_all_that_it_knows(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its prices end on Friday 2026-11-20; of Monday there are none to be had."""
    nights = Nights(trained_home(home))
    let_live(nights, monkeypatch)
    # Nobody has fetched, so that the sessions of B3 are not stored: weekdays stand in for them.
    nights.fails = lambda ticker: NetworkError(f"{ticker}: no answer", hint="look")
    friday = nights.evening(at="2026-11-20T21:30:00Z", pool="b3")
    monday = nights.evening(at="2026-11-24T21:30:00Z", pool="b3")

    assert friday.failures == ()
    assert [row.forecast.model for row in friday.results] == ["+b3@v1"] * 3
    assert [row.ticker for row in monday.results] == list(NAMES)
    assert all(row.unchanged and row.stale_sessions == 1 for row in monday.results)
    (error,) = {failure.error for failure in monday.failures}
    assert error.message == (
        "AAA3.SA, BBB4.SA, CCC11.SA: no answer; the forecast is made from the close of "
        "2026-11-20, 1 session behind"
    )


def test_that_a_pooled_model_does_not_know_a_ticker_is_said_on_the_first_evening(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights = Nights(trained_home(home))
    let_live(nights, monkeypatch)
    young = dated(made_bars(122, 9), np.datetime64("2026-11-24"))
    first = nights.evening(YOUNG, at="2026-11-20T21:30:00Z", pool="b3")
    put(home, YOUNG, young.select(slice(None, 121)))
    second = nights.evening(YOUNG, at="2026-11-23T21:30:00Z", pool="b3")

    words = "+b3@v1 was neither trained nor tested on this ticker"
    (before,), (after,) = first.results, second.results
    assert words in before.warnings
    assert words not in after.warnings
    assert (after.closed is not None, after.unchanged) == (True, False)
    # Whoever reads the forecast itself is told all the same.
    assert words in after.forecast.warnings


def test_the_way_out_of_refused_prices_is_a_command(nights: Nights) -> None:
    """The closes of all days are others, and nothing explains it: evening has no such option."""
    nights.on("2024-03-07")
    nights.changed = dict.fromkeys(BUNDLED.bars.dates.astype(str).tolist(), 1.17)

    (failure,) = nights.on("2024-03-08").failures

    assert codes(nights.on("2024-03-08")) == [6]
    assert str(failure.error.hint).endswith(f"stocklstm fetch --ticker {TICKER} --accept-revision")
    assert fetch([TICKER], FetchOptions(accept_revision=True), home=nights.home).failures == ()
