"""fetch merges what can be believed and refuses the rest, losing nothing."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stocklstm import fetch, verify_prices
from stocklstm.core.arguments import ALL
from stocklstm.core.prices.answers import Basis, SourceAnswer
from stocklstm.core.prices.series import Action, Bars, Instrument
from stocklstm.errors import (
    ConfigError,
    NetworkError,
    RateLimitedError,
    RejectedDataError,
    SchemaError,
    StockLstmError,
    UnknownTickerError,
)
from stocklstm.market.source import FetchRequest
from stocklstm.store.store import open_store
from stocklstm.workflows.prices.fetch import FetchedTicker, TickerDone
from stocklstm.workflows.prices.plan import FetchOptions
from stocklstm.workflows.prices.retry import Patience
from tests.conftest import TICKER
from tests.support.bundled_prices import bundled
from tests.support.moving_clock import set_clock
from tests.support.price_rows import answer_of
from tests.support.scripted_source import Reply, ScriptedSource
from tests.support.stored_rows import damage

SAMPLE = FetchOptions(source="sample")


def fetch_csv(home: Path, file: Path, text: str, ticker: str = TICKER) -> object:
    file.write_text(text)
    return fetch([ticker], FetchOptions("csv", (file,)), home=home)


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

    assert [result.ticker for result in fetch(options=SAMPLE, home=home).results] == [TICKER]


def test_nothing_to_fetch_is_said(home: Path) -> None:
    with pytest.raises(ConfigError, match="store is empty"):
        fetch(home=home)
    assert not home.exists()


def test_the_sample_is_of_one_ticker_which_need_not_be_named(home: Path) -> None:
    (result,) = fetch(options=SAMPLE, home=home).results

    assert (result.ticker, result.last) == (TICKER, "2024-03-13")


def test_one_bad_ticker_stops_no_other(home: Path) -> None:
    result = fetch(["no ticker!", "VALE3.SA", TICKER], SAMPLE, home=home)

    assert [done.ticker for done in result.results] == [TICKER]
    assert [failure.ticker for failure in result.failures] == [None, "VALE3.SA"]
    assert isinstance(result.failures[0].error, ConfigError)
    assert isinstance(result.failures[1].error, UnknownTickerError)


@pytest.mark.parametrize("tickers", [ALL, (TICKER, "VALE3.SA")])
def test_a_file_is_never_taken_for_several_tickers(
    home: Path, file: Path, tickers: tuple[str, ...]
) -> None:
    fetch_sample(home)
    file.write_text("Date,Close\n2024-03-11,10\n2024-03-12,10.1\n")

    with pytest.raises(ConfigError, match="one ticker"):
        fetch(tickers, FetchOptions("csv", (file,)), home=home)

    with open_store(home) as store:
        assert len(store.prices.bars(TICKER)) == 3514


@pytest.mark.parametrize("source", ["yahoo", "sample"])
def test_a_source_that_reads_no_file_refuses_one(home: Path, file: Path, source: str) -> None:
    (failure,) = fetch([TICKER], FetchOptions(source, (file,)), home=home).failures

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


def test_no_scale_makes_of_a_price_what_is_none(home: Path, file: Path) -> None:
    options = FetchOptions("csv", (file,), accept_revision=True)
    head, days = "Date,Open,High,Low,Close,Adj Close,Volume\n", range(11, 16)
    file.write_text(head + "".join(f"2024-03-{n},1,1e12,1e-6,1e-6,1e-6,9\n" for n in days[:4]))
    fetch([TICKER], options, home=home)
    file.write_text(head + "".join(f"2024-03-{n},1e6,1e6,1e6,1e6,1e6,9\n" for n in days[1:]))

    again = fetch([TICKER], options, home=home)

    assert [type(each.error) for each in again.failures] == [RejectedDataError]
    with open_store(home) as store:
        assert store.prices.bars(TICKER).highs.tolist() == [1e12] * 4


def test_prices_of_hardly_anything_are_refused_before_others_are_scaled_by_them(
    home: Path, file: Path
) -> None:
    options = FetchOptions("csv", (file,), accept_revision=True)
    for close in (36, 5e-324):
        file.write_text("Date,Close\n" + "".join(f"2024-03-1{n},{close}\n" for n in range(1, 5)))
        done = fetch([TICKER], options, home=home)
    assert [type(each.error) for each in done.failures] == [RejectedDataError]
    assert [item.status for item in verify_prices(home=home).results] == ["ok"]


def test_a_file_without_ranges_leaves_the_stored_ones(home: Path, file: Path) -> None:
    fetch_sample(home)

    fetch_csv(home, file, "Date,Close,Adj Close\n2024-03-13,36.38,36.38\n2024-03-14,36.5,36.5\n")

    with open_store(home) as store:
        bars = store.prices.bars(TICKER)
    assert len(bars) == 3515
    assert (bars.highs[-2], bars.volumes[-2]) == (37.330002, 45140600)


def test_a_session_on_a_saturday_is_one_of_that_share(home: Path, file: Path) -> None:
    """NSE tried its reserve site on 2024-03-02."""
    name = "RELIANCE.NS"
    rows = ["2024-02-29,2950,2960,2910,2920,900", "2024-03-01,2930,2990,2925,2980,800"]
    rows += ["2024-03-02,2985,2995,2980,2990,40"]
    header = "Date,Open,High,Low,Close,Volume\n"

    (result,) = fetch_csv(home, file, header + "\n".join(rows), name).results

    assert (result.last, result.rows, result.rows_rejected) == ("2024-03-02", 3, ())
    with open_store(home) as store:
        assert store.sessions.next_after("XBOM", "2024-03-02") == "2024-03-04"
    (verified,) = verify_prices([name], home=home).results
    assert verified.status == "ok", verified.checks
    rows += ["2024-03-04,2992,3020,2990,3014,700"]
    (again,) = fetch_csv(home, file, header + "\n".join(rows), name).results
    assert (again.rows_added, again.rows_rejected, again.missing_sessions) == (1, (), ())


def test_closes_of_a_file_with_both_mend_adjusted_ones(home: Path, file: Path) -> None:
    days = [f"2024-03-{day:02}" for day in (5, 6, 7, 8, 11, 12, 13, 14, 15)]
    closes = [36, 37, 36.5, 38, 37.6, 37, 36.8, 35, 35.5]
    # Of 36.80 on the last day before, 0.92 were paid on the 14th.
    adjusted = [round(close * 0.975, 4) for close in closes[:-2]] + closes[-2:]
    lines = [f"{day},{close}" for day, close in zip(days, adjusted, strict=True)]
    fetch_csv(home, file, "Date,Close\n" + "\n".join(lines))
    both = [f"{d},{c},{a}" for d, c, a in zip(days, closes, adjusted, strict=True)]

    (failure,) = fetch_csv(home, file, "Date,Close,Adj Close\n" + "\n".join(both)).failures

    assert "the stored closes allow for dividends" in failure.error.message
    command = f"stocklstm fetch --ticker {TICKER} --source csv --file {file} --full"
    assert str(failure.error.hint).startswith(f"{command} --accept-revision, ")
    options = FetchOptions("csv", (file,), full=True, accept_revision=True)
    assert not fetch([TICKER], options, home=home).failures
    bars, _ = stored(home)
    assert (bars.closes.tolist(), bars.adj_closes.tolist()) == (closes, adjusted)


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


def test_a_whole_answer_replaces_a_damaged_currency(home: Path) -> None:
    fetch_sample(home)
    with open_store(home) as store:
        sound = store.prices.instrument(TICKER)
    damage(home, "UPDATE instruments SET currency = 'USD', calendar = 'XNYS'")

    (refused,) = fetch([TICKER], SAMPLE, home=home).failures

    assert isinstance(refused.error, SchemaError)
    assert str(refused.error.hint).startswith(f"stocklstm fetch --ticker {TICKER} --full ")
    (result,) = fetch([TICKER], replace(SAMPLE, full=True), home=home).results
    assert (result.rows_added, result.currency, result.warnings) == (0, "BRL", ())
    with open_store(home) as store:
        assert store.prices.instrument(TICKER) == sound
        assert store.prices.faults(TICKER) == []


def test_rows_that_a_whole_answer_lacks_stay_damaged_and_are_named(home: Path, file: Path) -> None:
    header = "Date,Close\n"
    rows = [f"2024-03-{day:02},{close}" for day, close in ((11, 36), (12, 37), (13, 36.5))]
    fetch_csv(home, file, header + "\n".join(rows))
    damage(home, "UPDATE prices SET close = 39 WHERE date = '2024-03-12'")
    file.write_text(header + "\n".join([rows[0], rows[2]]))

    (result,) = fetch([TICKER], FetchOptions("csv", (file,), full=True), home=home).results

    (told,) = [words for words in result.warnings if "2024-03" in words]
    assert told.startswith(f"the prices of {TICKER} in 2024-03 are not what was stored, and this ")


def test_todays_unfinished_session_is_not_stored(
    home: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "Date,Close\n2024-03-12,36\n2024-03-13,36.4\n2024-03-14,36.9\n"

    def stored_at(time: str) -> FetchedTicker:
        set_clock(monkeypatch, lambda: f"2024-03-14T{time}:00Z")
        (result,) = fetch_csv(home, file, rows).results
        return result

    during, just_after, later = map(stored_at, ("15:00", "21:10", "22:00"))

    assert [result.last for result in (during, just_after, later)] == [
        "2024-03-13",
        "2024-03-13",
        "2024-03-14",
    ]
    assert during.rows_rejected[0].reason == "its session is not over yet"
    assert later.rows_added == 1


# Asking for what may be new


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ScriptedSource]:
    """Let a source answer with one answer after another, the last one from then on."""

    def script(*replies: Reply) -> ScriptedSource:
        remaining = list(replies)
        source = ScriptedSource(lambda _: remaining.pop(0) if remaining[1:] else remaining[0])
        monkeypatch.setattr("stocklstm.workflows.prices.plan.load_source", lambda _: source)
        return source

    return script


def sample_answer(first: int, last: int | None = None) -> SourceAnswer:
    """Cut some rows out of the bundled prices."""
    answer = bundled()
    return replace(answer, bars=answer.bars.select(slice(first, last)))


def changed(answer: SourceAnswer, **columns: object) -> SourceAnswer:
    return replace(answer, bars=replace(answer.bars, **columns))


def fetch_again(home: Path, **options: object) -> FetchedTicker:
    (result,) = fetch([TICKER], FetchOptions(**options), home=home).results
    return result


def stored(home: Path) -> tuple[Bars, tuple[Action, ...]]:
    with open_store(home) as store:
        return store.prices.bars(TICKER), store.prices.actions(TICKER)


def dump(home: Path) -> list[list[tuple]]:
    with open_store(home) as store:
        return [
            store.prices.connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - fixed names
            for table in ("instruments", "prices", "actions", "price_log", "sessions")
        ]


def test_a_second_fetch_asks_for_the_last_days_alone(
    home: Path, scripted: Callable[..., ScriptedSource]
) -> None:
    source = scripted(sample_answer(0, -5), sample_answer(-20))
    fetch_again(home)

    again = fetch_again(home)

    assert [request.start for request in source.requests] == [None, "2024-02-20"]
    assert (again.rows_added, again.rows_revised) == (5, 0)


def test_everything_can_be_asked_for(home: Path, scripted: Callable[..., ScriptedSource]) -> None:
    source = scripted(sample_answer(0))
    fetch_again(home)

    fetch_again(home, full=True)

    assert source.requests[1].start is None


def test_a_dividend_revises_all_in_one_go(
    home: Path, scripted: Callable[..., ScriptedSource]
) -> None:
    before, after = sample_answer(0, -5), sample_answer(0)
    after = changed(after, adj_closes=np.append(after.bars.adj_closes[:-5] * 0.97, [36.0] * 5))
    after = replace(after, actions=(Action("2024-03-07", "dividend", 1.2),))
    source = scripted(before, replace(after, bars=after.bars.select(slice(-20, None))), after)
    fetch_again(home)
    first, _ = stored(home)

    again = fetch_again(home)

    assert [request.start for request in source.requests] == [None, "2024-02-20", None]
    bars, actions = stored(home)
    assert np.array_equal(bars.adj_closes[:-5], first.adj_closes * 0.97)
    assert actions == after.actions
    assert "dividend of 1.2" in again.revision
    assert again.rows_revised == len(bars) - 5


@pytest.mark.parametrize(
    "reply",
    [
        changed(sample_answer(-20), closes=sample_answer(-20).bars.closes * 100),
        NetworkError("no answer"),
        UnknownTickerError("unknown"),
        RateLimitedError("stop"),
        replace(
            sample_answer(-20), instrument=Instrument(TICKER, "USD", "BVMF", "America/Sao_Paulo")
        ),
        ValueError("a bug in the source"),
    ],
    ids=["hundredfold", "network", "unknown", "limit", "currency", "bug"],
)
def test_a_failure_leaves_every_byte(
    home: Path, scripted: Callable[..., ScriptedSource], reply: Reply
) -> None:
    scripted(sample_answer(0, -5), reply)
    fetch_again(home)
    before = dump(home)

    result = fetch([TICKER], FetchOptions(patience=Patience(retries=1, backoff_s=0)), home=home)

    assert len(result.failures) == 1
    assert dump(home) == before


def test_a_failure_while_storing_leaves_every_byte(
    home: Path, scripted: Callable[..., ScriptedSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(sample_answer(0, -5), sample_answer(-20))
    fetch_again(home)
    before = dump(home)

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("stocklstm.workflows.prices.fetch.gaps", fail)
    result = fetch([TICKER], home=home)

    assert len(result.failures) == 1
    assert dump(home) == before


def test_no_new_session_is_up_to_date(home: Path, scripted: Callable[..., ScriptedSource]) -> None:
    scripted(sample_answer(0), sample_answer(0, 0))
    fetch_again(home)

    again = fetch_again(home)

    assert again.unchanged
    assert again.rows == 3514


def test_a_ticker_without_a_finished_session_is_not_stored(
    home: Path, scripted: Callable[..., ScriptedSource]
) -> None:
    scripted(sample_answer(0, 0))

    (failure,) = fetch([TICKER], home=home).failures

    assert isinstance(failure.error, RejectedDataError)
    # Nothing was stored, so there is no store.
    assert not home.exists()


def test_a_store_is_made_with_the_first_prices(
    home: Path, scripted: Callable[..., ScriptedSource]
) -> None:
    source = scripted(UnknownTickerError("unknown"), sample_answer(0), sample_answer(0, 0))

    result = fetch(["NONE3.SA", TICKER, "VALE3.SA"], home=home)

    # Each was asked for once, and what failed is of its own ticker.
    assert [request.ticker for request in source.requests] == ["NONE3.SA", TICKER, "VALE3.SA"]
    assert [done.ticker for done in result.results] == [TICKER]
    assert [failure.ticker for failure in result.failures] == ["NONE3.SA", "VALE3.SA"]
    with open_store(home) as store:
        assert store.prices.tickers() == [TICKER]
        assert store.sessions.next_after("BVMF", "2024-03-13") == "2024-03-14"


def test_prices_that_another_process_stored_meanwhile_stay(
    priced_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    latest, home = sample_answer(3400), tmp_path / "other"

    def script(_: FetchRequest) -> SourceAnswer:
        if not home.exists():
            shutil.copytree(priced_home, home)
        return latest

    source = ScriptedSource(script)
    monkeypatch.setattr("stocklstm.workflows.prices.plan.load_source", lambda _: source)

    (result,) = fetch([TICKER], home=home).results

    # It was asked again, as of a ticker that has prices.
    assert [request.start for request in source.requests] == [None, "2024-02-27"]
    assert (result.rows, result.rows_added, result.rows_revised) == (3514, 0, 0)


def test_a_store_that_cannot_be_made_is_said_once_and_nobody_is_asked(
    home: Path, scripted: Callable[..., ScriptedSource]
) -> None:
    source = scripted(sample_answer(0))
    home.write_text("a file where the store would be")

    with pytest.raises(StockLstmError):
        fetch([TICKER, "VALE3.SA"], home=home)

    assert source.requests == []


def test_the_run_stops_where_the_source_says_so(
    home: Path, scripted: Callable[..., ScriptedSource]
) -> None:
    source = scripted(sample_answer(0), RateLimitedError("slow down"))

    result = fetch([TICKER, "VALE3.SA", "ITUB4.SA"], home=home)

    assert [done.ticker for done in result.results] == [TICKER]
    assert [failure.ticker for failure in result.failures] == ["VALE3.SA", "ITUB4.SA"]
    assert "slow down; stopped after 1 of 3" in result.failures[1].error.message
    assert len(source.requests) == 2


def test_progress_counts_failures_too(home: Path, scripted: Callable[..., ScriptedSource]) -> None:
    scripted(UnknownTickerError("unknown"), sample_answer(0))
    events: list[TickerDone] = []

    fetch(["VALE3.SA", TICKER], home=home, on_ticker=events.append)

    assert events == [TickerDone("VALE3.SA", 1, 2, 1), TickerDone(TICKER, 2, 2, 1)]


def test_a_source_on_the_network_that_lags_is_noticed(
    home: Path, scripted: Callable[..., ScriptedSource]
) -> None:
    scripted(sample_answer(0)).pause_s = 0.0

    result = fetch_again(home)

    assert result.last == "2024-03-13" < result.last_final_session
    assert "the last finished session is" in result.warnings[0]


# Calendars


def test_a_chosen_calendar_stays_until_it_is_let_go(
    home: Path, scripted: Callable[..., ScriptedSource]
) -> None:
    scripted(sample_answer(0))
    assert fetch_again(home).exchange == "BVMF"

    chosen = fetch_again(home, calendar="xnys")
    kept, let_go = fetch_again(home), fetch_again(home, calendar="auto")

    assert (chosen.exchange, chosen.unchanged) == ("XNYS", False)
    assert (kept.exchange, kept.unchanged) == ("XNYS", True)
    assert "2024-02-12" in kept.missing_sessions  # carnival in Sao Paulo, none in New York
    assert let_go.exchange == "BVMF"


def test_a_source_is_told_which_calendar_somebody_chose(
    home: Path, scripted: Callable[..., ScriptedSource]
) -> None:
    source = scripted(sample_answer(0))

    for calendar in (None, "xnys", None, "weekdays", None, "auto", None):
        fetch_again(home, calendar=calendar)

    asked = [request.exchange for request in source.requests]
    assert asked == [None, "XNYS", "XNYS", "", "", None, None]


def test_weekdays_can_be_chosen(home: Path, scripted: Callable[..., ScriptedSource]) -> None:
    scripted(sample_answer(0))

    result = fetch_again(home, calendar="weekdays")

    assert (result.exchange, result.missing_sessions) == ("", ())
    # Who chose them need not hear of it every evening.
    assert result.warnings == ()


def test_a_calendar_that_does_not_exist_is_refused(home: Path) -> None:
    with pytest.raises(ConfigError, match="no calendar 'NOWHERE'"):
        fetch([TICKER], FetchOptions(calendar="NOWHERE"), home=home)


# Sources that leave the adjusting to us


def test_closes_alone_do_not_disturb_stored_adjusted_closes(home: Path, file: Path) -> None:
    fetch_sample(home)
    bars, _ = stored(home)
    rows = "".join(
        f"{day},{close!r}\n"
        for day, close in zip(bars.dates.astype(str)[:100], bars.closes.tolist(), strict=False)
    )

    (result,) = fetch_csv(home, file, f"Date,Close\n{rows}2024-03-14,36.5\n").results

    assert (result.rows_added, result.rows_revised) == (1, 0)
    after, _ = stored(home)
    assert np.array_equal(after.adj_closes[:-1], bars.adj_closes)
    assert after.adj_closes[-1] == pytest.approx(36.5 * bars.adj_closes[-1] / bars.closes[-1])


def test_a_file_of_closes_without_dividends_says_so(home: Path, file: Path) -> None:
    (result,) = fetch_csv(home, file, "Date,Close\n2024-03-12,36.1\n2024-03-13,36.4\n").results

    assert result.warnings == ("no dividends are known: its adjusted closes are its closes",)


def as_traded(rows: list[tuple[str, float]]) -> SourceAnswer:
    answer = answer_of(rows)
    unknown = np.full(len(rows), np.nan)
    bars = replace(answer.bars, adj_closes=unknown)
    return replace(answer, bars=bars, source="b3", basis=Basis.AS_TRADED)


HALVED = [("2024-03-11", 36.0), ("2024-03-12", 36.4), ("2024-03-13", 18.1)]


def test_a_split_nobody_recorded_is_refused(
    home: Path, scripted: Callable[..., ScriptedSource]
) -> None:
    scripted(as_traded(HALVED))

    (failure,) = fetch([TICKER], home=home).failures

    assert isinstance(failure.error, RejectedDataError)
    assert "2024-03-13, 36.40 to 18.10 (about 2:1)" in failure.error.message
    assert "gets the splits from Yahoo" in str(failure.error.hint)


def test_recorded_events_adjust_what_was_traded(
    home: Path, scripted: Callable[..., ScriptedSource]
) -> None:
    split = Action("2024-03-13", "split", 2.0)
    recorded = replace(answer_of([("2024-03-13", 18.1)]), actions=(split,))
    scripted(recorded, as_traded(HALVED))
    fetch_again(home)

    result = fetch_again(home, full=True)

    bars, _ = stored(home)
    assert bars.closes.tolist() == [18.0, 18.2, 18.1]
    assert result.rows_added == 2


# Instruments


def test_what_a_file_makes_of_a_name_never_replaces_what_is_known(
    home: Path, file: Path, scripted: Callable[..., ScriptedSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    london = Instrument(TICKER, "GBP", "XLON", "Europe/London")
    scripted(replace(sample_answer(0), instrument=london))
    fetch_again(home)
    monkeypatch.undo()

    (result,) = fetch_csv(home, file, "Date,Close\n2024-03-14,36.5\n").results

    assert (result.currency, result.exchange) == ("GBP", "XLON")
    with open_store(home) as store:
        assert store.prices.instrument(TICKER) == london
