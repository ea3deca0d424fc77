"""Which bars within sessions are asked for, and what is left where they do not come."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from stocklstm import fetch, show_prices
from stocklstm.core.prices.answers import SourceAnswer
from stocklstm.core.prices.realised import IntradayBars
from stocklstm.core.prices.series import Action, Instrument
from stocklstm.errors import (
    ConfigError,
    NetworkError,
    RateLimitedError,
    RejectedDataError,
    SchemaError,
    StockLstmError,
)
from stocklstm.market.calendar import sessions as calendar
from stocklstm.market.source import FetchRequest, IntradayRequest
from stocklstm.store.store import open_store
from stocklstm.workflows.evening.evening import _may_have_news
from stocklstm.workflows.prices import retry
from stocklstm.workflows.prices.fetch import FetchResult
from stocklstm.workflows.prices.plan import FetchOptions
from stocklstm.workflows.prices.retry import Patience
from tests.conftest import Cli
from tests.support.intraday_exchange import SHARE, SPLIT, TICKER, opening, sessions
from tests.support.intraday_sessions import sessions_on
from tests.support.moving_clock import set_clock
from tests.support.price_rows import bars_of_rows
from tests.support.property_tests import PROPERTY
from tests.support.store_samples import NOON, publish
from tests.support.stored_rows import damage, execute

DAYS = sessions()
TRADED = Instrument(TICKER, "USD", "XNYS", "America/New_York")
ONCE = Patience(retries=0)


@dataclass
class Quotes:
    """A source that knows what Yahoo knows on a day, and can refuse.

    Attributes:
        today: ISO day on whose evening it is.
        fails: What it raises for bars of so many minutes, if anything.
        asked: What it was asked for: "days", or minutes and the first day.
        lacks: Days of which it has no bars.
        refuses: A ticker whose daily prices it does not give, since it limits the rate.
    """

    today: str = DAYS[60]
    fails: Callable[[int], StockLstmError | None] = lambda _: None
    asked: list[object] = field(default_factory=list)
    lacks: set[str] = field(default_factory=set)
    refuses: str = ""
    pause_s = 0.0
    reaches = {5: 58, 15: 58, 60: 728}  # noqa: RUF012 - as a source has it

    def fetch(self, request: FetchRequest) -> SourceAnswer:
        self.asked.append("days")
        if request.ticker == self.refuses:
            raise RateLimitedError("stop")
        rows = [row for row in SHARE.daily(self.today) if row[0] >= (request.start or "")]
        instrument = replace(TRADED, ticker=request.ticker)
        splits = (Action(SPLIT, "split", 2.0),) if self.today >= SPLIT else ()
        stated = ("calendar",)
        return SourceAnswer(instrument, bars_of_rows(rows), splits, (), "yahoo", stated=stated)

    def fetch_intraday(self, request: IntradayRequest) -> IntradayBars:
        self.asked.append((request.minutes, request.start))
        if (error := self.fails(request.minutes)) is not None:
            raise error
        told = [
            bar
            for day in DAYS
            if request.start <= day <= self.today and day not in self.lacks
            for bar in SHARE.told(day, request.minutes, self.today)
        ]
        starts, *prices = np.array(told).reshape(-1, 5).T
        return IntradayBars(starts.astype(np.int64), request.minutes, *prices)


@pytest.fixture
def quotes(monkeypatch: pytest.MonkeyPatch) -> Quotes:
    return prepared(monkeypatch)


def prepared(monkeypatch: pytest.MonkeyPatch) -> Quotes:
    """Let the program ask a source of our own, whose days its clock shows."""
    # Else it would be built anew on every day that the clock shows.
    calendar("XNYS", np.datetime64("2020-01-01", "D"), np.datetime64("2030-01-01", "D"))
    source = Quotes()
    set_clock(monkeypatch, lambda: f"{source.today}T22:30:00Z")
    monkeypatch.setattr("stocklstm.workflows.prices.plan.load_source", lambda _: source)
    monkeypatch.setattr(retry.Asker, "_sleep", lambda *_: None)
    return source


def on(quotes: Quotes, home: Path, day: str, *tickers: str, **options: object) -> FetchResult:
    quotes.today = day
    quotes.asked.clear()
    wish = FetchOptions(patience=ONCE, **options)  # type: ignore[arg-type]
    return fetch(list(tickers) or [TICKER], wish, home=home)


def rows_of(home: Path) -> list[tuple[str, int]]:
    with open_store(home) as store:
        found = store.prices.realised(TICKER)
    return list(zip(found.dates.astype(str).tolist(), found.minutes.tolist(), strict=True))


def test_nobody_is_asked_who_did_not_ask(quotes: Quotes, home: Path) -> None:
    (done,) = on(quotes, home, DAYS[60]).results
    assert (quotes.asked, done.intraday) == (["days"], None)
    on(quotes, home, DAYS[61])
    assert quotes.asked == ["days"]


def test_hours_come_first_and_five_minutes_from_then_on(quotes: Quotes, home: Path) -> None:
    (first,) = on(quotes, home, DAYS[60], intraday=True).results
    assert quotes.asked == ["days", (60, "2022-09-28")]
    assert first.intraday is not None
    assert (first.intraday.sessions_added, first.intraday.minutes) == (61, (60,))
    assert (first.intraday.first, first.intraday.last) == (DAYS[0], DAYS[60])

    (same,) = on(quotes, home, DAYS[60]).results
    assert (quotes.asked, same.intraday, same.unchanged) == (["days"], None, True)

    (second,) = on(quotes, home, DAYS[61]).results
    reach = str(np.datetime64(DAYS[61]) - 58)
    assert quotes.asked == ["days", (5, reach)]
    assert second.intraday is not None
    assert second.intraday.first == next(day for day in DAYS if day >= reach)
    assert not second.unchanged

    on(quotes, home, DAYS[62])
    assert quotes.asked == ["days", (5, str(np.datetime64(DAYS[61]) + 1))]
    assert rows_of(home)[-3:] == [(DAYS[60], 60), (DAYS[61], 5), (DAYS[62], 5)]
    on(quotes, home, DAYS[63], intraday=False)
    assert quotes.asked == ["days"]


def test_after_a_long_gap_hours_come_where_minutes_end(quotes: Quotes, home: Path) -> None:
    on(quotes, home, DAYS[10], intraday=True)
    on(quotes, home, DAYS[11])

    on(quotes, home, DAYS[90])

    reach = str(np.datetime64(DAYS[90]) - 58)
    assert quotes.asked == ["days", (5, reach), (60, DAYS[12])]
    fine = [day for day in DAYS[12:91] if day >= reach]
    assert [row for row in rows_of(home) if row[1] == 5 and row[0] > DAYS[11]] == [
        (day, 5) for day in fine
    ]
    assert {day for day, _ in rows_of(home)} == set(DAYS[:91])


def test_what_is_refused_is_asked_for_in_longer_bars(quotes: Quotes, home: Path) -> None:
    on(quotes, home, DAYS[60], intraday=True)
    quotes.fails = lambda minutes: RejectedDataError("no") if minutes == 5 else None
    on(quotes, home, DAYS[61])
    assert [asked[0] for asked in quotes.asked[1:]] == [5, 15]  # type: ignore[index]
    quotes.fails = lambda minutes: RejectedDataError("no") if minutes < 60 else None
    on(quotes, home, DAYS[62])
    assert quotes.asked[-1] == (60, DAYS[62])
    assert rows_of(home)[-2:] == [(DAYS[61], 15), (DAYS[62], 60)]


def test_a_share_without_bars_keeps_its_daily_prices(quotes: Quotes, home: Path) -> None:
    quotes.fails = lambda minutes: RejectedDataError(f"no bars of {minutes} minutes", hint="x")
    result = on(quotes, home, DAYS[60], intraday=True)
    assert (result.results[0].rows, result.results[0].intraday) == (61, None)
    assert [failure.error.message for failure in result.failures] == ["no bars of 60 minutes"]


@pytest.mark.parametrize("error", [RateLimitedError("stop"), NetworkError("no answer")])
def test_daily_prices_of_all_tickers_come_before_any_bars(
    quotes: Quotes, home: Path, error: StockLstmError
) -> None:
    on(quotes, home, DAYS[60], TICKER, "OTHER", intraday=True)
    quotes.fails = lambda _: error
    done: list[tuple[str, int, int]] = []
    result = fetch(
        [TICKER, "OTHER"],
        FetchOptions(patience=ONCE),
        home=home,
        on_ticker=lambda each: done.append((each.ticker, each.done, each.total)),
    )
    assert result.failures == ()  # nothing is missing

    quotes.today = DAYS[61]
    quotes.asked.clear()
    result = fetch([TICKER, "OTHER"], FetchOptions(patience=ONCE), home=home)

    assert quotes.asked[:2] == ["days", "days"]
    assert len(quotes.asked) == (3 if isinstance(error, RateLimitedError) else 4)
    assert [each.rows_added for each in result.results] == [1, 1]
    assert [failure.ticker for failure in result.failures] == [TICKER, "OTHER"]
    assert {type(failure.error) for failure in result.failures} == {type(error)}
    if isinstance(error, RateLimitedError):
        assert "stopped after 0 of 2" in result.failures[0].error.message
    assert done == [(TICKER, 1, 2), ("OTHER", 2, 2)]

    quotes.fails = lambda _: None
    again = on(quotes, home, DAYS[61], TICKER, "OTHER")
    assert again.failures == ()
    assert [each.intraday is not None for each in again.results] == [True, True]


def test_how_far_it_came_is_said_of_daily_prices_too(quotes: Quotes, home: Path) -> None:
    on(quotes, home, DAYS[60], TICKER, "OTHER", intraday=True)
    quotes.refuses = "OTHER"
    done: list[tuple[str, int, int]] = []
    result = fetch(
        [TICKER, "OTHER"],
        FetchOptions(patience=ONCE, full=True),
        home=home,
        on_ticker=lambda each: done.append((each.ticker, each.done, each.failed)),
    )
    assert [failure.ticker for failure in result.failures] == ["OTHER", TICKER]
    # The daily prices of one are stored; then nobody is asked any more.
    assert "stopped after 1 of 2" in result.failures[0].error.message
    assert done == [("OTHER", 1, 1), (TICKER, 2, 2)]


def test_a_bug_in_one_ticker_drops_no_other(quotes: Quotes, home: Path) -> None:
    quotes.fails = lambda _: ZeroDivisionError("a bug")  # type: ignore[assignment,return-value]
    result = on(quotes, home, DAYS[60], TICKER, "OTHER", intraday=True)
    assert [each.rows for each in result.results] == [61, 61]
    assert ["a bug in stocklstm" in each.error.message for each in result.failures] == [True] * 2


def test_an_evening_asks_again_for_what_did_not_come(quotes: Quotes, home: Path) -> None:
    on(quotes, home, DAYS[60], intraday=True)
    on(quotes, home, DAYS[61])
    with open_store(home) as store:
        assert not _may_have_news(store, TICKER)
    quotes.fails = lambda _: NetworkError("no answer")
    on(quotes, home, DAYS[62])
    with open_store(home) as store:
        assert _may_have_news(store, TICKER)
    quotes.fails = lambda _: None
    on(quotes, home, DAYS[62])
    with open_store(home) as store:
        assert not _may_have_news(store, TICKER)


def test_a_session_of_which_nothing_comes_is_asked_for_while_it_is_the_last(
    quotes: Quotes, home: Path
) -> None:
    on(quotes, home, DAYS[60], intraday=True)
    on(quotes, home, DAYS[61])
    quotes.lacks = {DAYS[62]}
    (done,) = on(quotes, home, DAYS[62]).results
    assert done.intraday is not None
    assert (done.intraday.minutes, done.intraday.first, done.intraday.sessions_added) == ((), "", 0)
    on(quotes, home, DAYS[63])
    assert quotes.asked[1:] == [(5, str(np.datetime64(DAYS[61]) + 1)), (60, DAYS[62])]
    on(quotes, home, DAYS[64])
    assert quotes.asked[1:] == [(5, str(np.datetime64(DAYS[63]) + 1))]


def test_everything_is_asked_for_anew_with_full_which_mends_damage(
    quotes: Quotes, home: Path
) -> None:
    on(quotes, home, DAYS[10], intraday=True, keep_bars=True)
    on(quotes, home, DAYS[11])
    on(quotes, home, DAYS[90])
    before = rows_of(home)
    damage(home, "UPDATE realised SET realised = 1 WHERE date = ?", DAYS[12])
    damage(home, "UPDATE intraday_bars SET bars = zeroblob(40) WHERE date = ?", DAYS[80])
    damage(home, "UPDATE realised SET date = '2024-08-xx' WHERE date = ?", DAYS[30])
    with open_store(home) as store, pytest.raises(SchemaError):
        store.prices.realised(TICKER)

    (done,) = on(quotes, home, DAYS[90], full=True).results

    reach = str(np.datetime64(DAYS[90]) - 58)
    assert quotes.asked == ["days", (60, str(np.datetime64(DAYS[90]) - 728)), (5, reach)]
    assert done.intraday is not None
    assert done.intraday.sessions_dropped > 0
    with open_store(home) as store:
        assert store.prices.checksums.all_faults() == []
        kept = store.prices.intraday_bars(TICKER)
    # Of the months that were damaged, bars of five minutes are gone where Yahoo has none any more.
    gone = set(before) - set(rows_of(home))
    assert {day[:7] for day, _ in gone} <= {DAYS[12][:7], "2024-08"}
    assert len(kept) == len(rows_of(home))


def test_bars_are_kept_from_when_they_are_asked_for(quotes: Quotes, home: Path) -> None:
    on(quotes, home, DAYS[60], intraday=True)
    on(quotes, home, DAYS[61], keep_bars=True)
    on(quotes, home, DAYS[62])
    with open_store(home) as store:
        days = [day for day, _ in store.prices.intraday_bars(TICKER)]
        ((_, bars),) = [each for each in store.prices.intraday_bars(TICKER) if each[0] == DAYS[62]]
    assert DAYS[60] in days  # the first evening's five-minute bars reach back
    assert days[-1] == DAYS[62]
    assert bars.closes.tolist() == [bar[4] for bar in SHARE.told(DAYS[62], 5, DAYS[62])]
    assert bars.starts[0] == opening(DAYS[62])


@pytest.mark.parametrize("measured", [{}, {"daily": 20, "5-minute": 300}])
def test_a_champion_that_was_trained_on_bars_of_a_file_gets_new_ones(
    quotes: Quotes, home: Path, measured: dict[str, int]
) -> None:
    on(quotes, home, DAYS[60])
    with open_store(home) as store:
        given = sessions_on(DAYS[:61], minutes=15, bars=26)
        store.prices.keep_realised(TICKER, given, source="csv", at=NOON)
        publish(store.registry, TICKER, promotion="the first", measured=measured)
    (done,) = on(quotes, home, DAYS[61]).results
    assert (done.intraday is not None) == bool(measured)
    with open_store(home) as store:
        assert not _may_have_news(store, TICKER)
    # What is damaged is said by whoever forecasts with it.
    damage(home, "UPDATE versions SET manifest_sha256 = ?", "ab" * 32)
    assert on(quotes, home, DAYS[62]).failures == ()


def test_options_that_contradict_are_refused(home: Path) -> None:
    for options, words in (
        (FetchOptions(intraday=False, keep_bars=True), "--no-intraday"),
        (FetchOptions("sample", intraday=True), "has no bars within sessions"),
        (FetchOptions("sample", keep_bars=True), "has no bars within sessions"),
    ):
        with pytest.raises(ConfigError, match=words):
            fetch([TICKER], options, home=home)


@pytest.mark.parametrize("option", ["--intraday", "--keep-bars"])
def test_what_has_no_parts_of_days_says_so(cli: Cli, tmp_path: Path, option: str) -> None:
    refused = cli("fetch", "--source", "sample", option)
    assert f"leave {option} out" in refused.err
    file = tmp_path / "days.csv"
    file.write_text("Date,Close\n" + "".join(f"2024-07-{day:02},36.5\n" for day in range(1, 6)))
    told = cli("fetch", "PETR4.SA", "--file", f"{file}", option)
    assert (told.code, "has no bars within sessions" in told.err) == (0, True)


def _minutes(count: int) -> str:
    """Write a file of one-minute bars of a session of B3, and of a part of the next one."""
    lines = ["Datetime,Open,High,Low,Close,Volume"]
    for day, last in (("2024-07-01", 420), ("2024-07-02", 420), ("2024-07-03", count)):
        for minute in range(last):
            price = 36 + 0.01 * (minute % 7) + 0.001 * minute
            clock = f"{10 + minute // 60:02}:{minute % 60:02}"
            lines.append(
                f"{day} {clock}:00-03:00,{price:.3f},{price + 0.02:.3f},{price - 0.02:.3f},"
                f"{price + 0.01:.3f},100"
            )
    return "\n".join(lines) + "\n"


def test_a_file_of_parts_of_days_feeds_the_table(cli: Cli, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "minutes.csv"
    file.write_text(_minutes(200))
    outcome = cli("fetch", "PETR4.SA", "--file", f"{file}", "--json", "--keep-bars")
    assert outcome.code == 0, outcome.err
    (item,) = json.loads(outcome.out)["results"]
    assert item["intraday"]["minutes"] == [5]
    # The day that the file ends in is no day yet.
    assert (item["last"], item["intraday"]["last"]) == ("2024-07-02", "2024-07-02")
    assert (item["intraday"]["sessions_added"], item["intraday"]["not_usable"]) == (2, [])
    with open_store(home) as store:
        found = store.prices.realised("PETR4.SA")
        assert (found.bars.tolist(), found.firsts.tolist()) == ([84, 84], [600, 600])
        assert len(store.prices.intraday_bars("PETR4.SA")) == 2
    again = cli("fetch", "PETR4.SA", "--file", f"{file}", "--no-intraday", "--json")
    assert json.loads(again.out)["results"][0]["intraday"] is None
    assert show_prices(["PETR4.SA"], home=home).prices[0].rows == 2


@pytest.mark.usefixtures("home")
def test_a_share_traded_now_and_then_is_measured_once(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "minutes.csv"
    header, *lines = _minutes(200).splitlines()
    traded = [line for place, line in enumerate(lines) if place // 5 % 5 < 3]
    file.write_text("\n".join([header, *traded]) + "\n")
    fetch_it = ("fetch", "PETR4.SA", "--file", f"{file}", "--json", "--keep-bars")
    (item,) = json.loads(cli(*fetch_it).out)["results"]
    assert item["intraday"]["minutes"] == [5, 15]
    # Too few bars of five minutes, enough of fifteen.
    assert (item["intraday"]["sessions_added"], item["intraday"]["not_usable"]) == (4, [])

    (again,) = json.loads(cli(*fetch_it).out)["results"]

    assert (again["intraday"]["sessions_revised"], again["unchanged"]) == (0, True)


def test_another_calendar_makes_no_stored_session_wrong(
    quotes: Quotes, home: Path, cli: Cli
) -> None:
    on(quotes, home, DAYS[60], intraday=True, keep_bars=True)
    execute(home, "UPDATE instruments SET exchange = 'BVMF', time_zone = 'America/Sao_Paulo'")

    outcome = cli("prices", "verify", TICKER, "--json")

    (item,) = json.loads(outcome.out)["results"]
    (check,) = [each for each in item["checks"] if each["name"] == "intraday"]
    assert check["status"] == "ok"


def test_a_damaged_ticker_hides_no_other(cli: Cli, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "minutes.csv"
    file.write_text(_minutes(200))
    for ticker in ("AAAA3.SA", "PETR4.SA"):
        cli("fetch", ticker, "--file", f"{file}", "--intraday")
    damage(home, "UPDATE realised SET realised = realised * 2 WHERE ticker = 'AAAA3.SA'")

    outcome = cli("prices", "show", "--intraday", "--json")

    document = json.loads(outcome.out)
    assert (outcome.code, len(document["errors"])) == (5, 1)
    assert [item["ticker"] for item in document["intraday"]] == ["PETR4.SA"]


def test_coverage_is_counted_by_length_of_bars(quotes: Quotes, home: Path, cli: Cli) -> None:
    on(quotes, home, DAYS[60])
    nothing = cli("prices", "show", "--intraday")
    assert nothing.code == 4
    assert f"stocklstm fetch --ticker {TICKER} --intraday" in nothing.err
    assert f"{TICKER}: none;" in cli("prices", "show", TICKER, "--intraday").out
    on(quotes, home, DAYS[60], intraday=True)
    on(quotes, home, DAYS[61], keep_bars=True)
    execute(home, "UPDATE realised SET usable = 0 WHERE date = ?", DAYS[3])

    (item,) = json.loads(cli("prices", "show", TICKER, "--intraday", "--json").out)["intraday"]

    fine, hours = item["lengths"]
    assert (fine["minutes"], hours["minutes"]) == (5, 60)
    assert (hours["sessions"], hours["not_usable"], hours["bars_kept"]) == (61, 1, 0)
    assert fine["sessions"] == fine["bars_kept"] > 30
    assert (hours["first"], hours["last"], fine["last"]) == (DAYS[0], DAYS[60], DAYS[61])
    assert (fine["share_pct"], hours["share_pct"]) == (100, pytest.approx(100 * 60 / 61))
    assert (item["sessions"], item["rows"], item["not_usable"]) == (61, 62, [DAYS[3]])
    shown = cli("prices", "show", "--intraday").out
    assert f"61 of 62 days can be used, 98 %; not used: {DAYS[3]}" in shown
    assert cli("prices", "show", "--intraday", "--quiet").out == f"{TICKER} 61\n"


def test_verify_holds_sessions_against_the_daily_rows(quotes: Quotes, home: Path, cli: Cli) -> None:
    on(quotes, home, DAYS[60], intraday=True, keep_bars=True)
    sound = cli("prices", "verify", TICKER)
    assert sound.code == 0
    assert "61 sessions, 61 with their bars" in sound.out

    # A daily row that was corrected since: its range is smaller than that of the bars.
    changed = "UPDATE prices SET high = close * 1.0001, low = close * 0.9999 WHERE date = ?"
    execute(home, changed, DAYS[5])
    outcome = cli("prices", "verify", TICKER)
    assert outcome.code == 3, outcome.out
    assert f"{DAYS[5]}, 60 minutes: their range is" in " ".join(outcome.out.split())

    execute(home, "UPDATE realised SET bipower = bipower * 2 WHERE date = ?", DAYS[7])
    outcome = cli("prices", "verify", TICKER)
    assert outcome.code == 5
    assert f"{DAYS[7]}: not what its bars of 60 minutes say" in " ".join(outcome.out.split())

    damage(home, "UPDATE realised SET realised = realised * 2 WHERE date = ?", DAYS[9])
    outcome = cli("prices", "verify", TICKER)
    assert outcome.code == 5
    assert "the intraday sessions of ACME in 2024-07 are not" in " ".join(outcome.out.split())


steps = st.tuples(
    st.integers(1, 70),
    st.sampled_from(["well", "well", "well", "no 5", "no 5 and 15", "limited", "no days"]),
)


@settings(PROPERTY, max_examples=5, phases=[Phase.generate])
@given(lived=st.lists(steps, min_size=1, max_size=5))
def test_whatever_happens_each_session_comes_once_and_none_too_early(
    lived: list[tuple[int, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    home, place = tmp_path_factory.mktemp("lived") / "home", 2
    with pytest.MonkeyPatch.context() as patch:
        quotes = prepared(patch)
        on(quotes, home, DAYS[place], intraday=True)
        for days, event in [*lived, (1, "well")]:
            place = min(place + days, len(DAYS) - 1)
            refused = {"no 5": (5,), "no 5 and 15": (5, 15)}.get(event, ())
            limits = event == "limited"
            quotes.fails = lambda minutes, limits=limits, refused=refused: (  # type: ignore[misc]
                RateLimitedError("stop")
                if limits
                else (RejectedDataError("no") if minutes in refused else None)
            )
            quotes.refuses = TICKER if event == "no days" else ""

            result = on(quotes, home, DAYS[place])

            # A split makes the daily prices be asked for twice.
            bars_asked = [each for each in quotes.asked if each != "days"]
            assert len(bars_asked) <= 2 + len(refused)
            failed = event == "no days" or (limits and bool(bars_asked))
            assert len(result.failures) == failed
            rows = rows_of(home)
            assert len(rows) == len(set(rows))
            assert {day for day, _ in rows} <= set(DAYS[: place + 1])
    # What is missing comes with the last evening, as long as there are hours of it.
    assert {day for day, _ in rows_of(home)} == set(DAYS[: place + 1])
