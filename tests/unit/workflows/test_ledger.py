"""Forecasts on record: what came of them, and who was champion when they were made."""

from dataclasses import dataclass, fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm import predict
from stocklstm.core.prices.series import Bars, Instrument
from stocklstm.core.settings.config import LEVELS
from stocklstm.errors import NoPricesError
from stocklstm.store.aliases import AliasChange
from stocklstm.store.ledger import LedgerColumns, LedgerEntry
from stocklstm.store.prices import PriceStore
from stocklstm.store.store import open_store
from stocklstm.workflows.ledger import Lookups, _Champions, closed_forecasts, grids
from stocklstm.workflows.predict.history import list_forecasts, ticker_history
from tests.conftest import TICKER
from tests.support.evenings import cut_off, live_through
from tests.support.property_tests import PROPERTY
from tests.support.stored_rows import execute

SESSIONS = 6

MOMENTS = st.integers(0, 9).map(lambda hour: f"2024-03-13T0{hour}:00:00Z")


def test_what_came_stands_beside_what_was_forecast(model_home: Path) -> None:
    bars = cut_off(model_home, SESSIONS)
    made = live_through(model_home, bars, range(len(bars) - SESSIONS, len(bars)))

    with open_store(model_home) as store:
        history = ticker_history(store, TICKER, count=10, sessions=4)
        second = ticker_history(store, TICKER, count=1, offset=1)

    assert history.closes.tolist() == bars.closes[-4:].tolist()
    assert [past.target_session for past in history.forecasts] == [
        forecast.target_session for forecast in made[::-1]
    ]
    assert second.forecasts == history.forecasts[1:2]
    newest, *closed = history.forecasts
    assert (newest.outcome, newest.held, newest.late) == (None, None, False)
    # By hand: no dividend fell due in these days, so the outcome is the close itself.
    for back, past in enumerate(closed, 1):
        assert past.outcome == pytest.approx(bars.closes[-back])
        assert past.point == made[-1 - back].point
        for interval in past.intervals:
            inside = interval.lower <= bars.closes[-back] <= interval.upper
            assert past.held[f"{interval.level:g}"] is bool(inside)
        assert past.scale == 1


def test_what_came_long_ago_is_compared_without_reading_the_whole_history(
    model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network of few days is shown fewer prices than the last sixty forecasts go back."""
    count = 45
    bars = cut_off(model_home, count)
    live_through(model_home, bars, range(len(bars) - count, len(bars)))

    def whole_history(*_: object) -> Bars:
        raise AssertionError("all prices were read")

    monkeypatch.setattr(PriceStore, "bars", whole_history)
    (made,) = predict([TICKER], home=model_home).forecasts

    assert made.live is not None
    assert made.live.n == count - 1


@pytest.mark.parametrize(("count", "offset", "sessions"), [(5, 0, 60), (5, 60, 3), (9, 0, 9_999)])
def test_a_part_of_the_record_is_the_same_whatever_is_read_of_the_prices(
    journal: Path, monkeypatch: pytest.MonkeyPatch, count: int, offset: int, sessions: int
) -> None:
    whole_histories: list[str] = []
    read = PriceStore.bars

    def watched(prices: PriceStore, ticker: str) -> Bars:
        whole_histories.append(ticker)
        return read(prices, ticker)

    with open_store(journal) as store:
        whole = store.prices.bars(TICKER)
        record = list_forecasts(store, [TICKER], None).results[::-1]
        monkeypatch.setattr(PriceStore, "bars", watched)

        found = ticker_history(store, TICKER, count=count, offset=offset, sessions=sessions)

    assert found.forecasts == record[offset : offset + count]
    assert found.closes.tolist()[-sessions:] == whole.closes.tolist()[-sessions:]
    assert str(found.dates[-1]) == whole.last_day
    assert (whole_histories == [TICKER]) == (sessions > 60)


def test_quantiles_of_one_forecast_are_never_those_of_another(model_home: Path) -> None:
    bars = cut_off(model_home, 3)
    live_through(model_home, bars, range(len(bars) - 3, len(bars)))
    with open_store(model_home) as store:
        one, other = store.ledger.latest(TICKER, 1, str(bars.dates[-1]), 2, "").quantiles
    assert grids([one, other]).tolist() == [[*one], [*other]]

    # As many in all as two grids have.
    with pytest.raises(ValueError, match="another number of quantiles"):
        grids([(*one, other[0]), other[1:]])


def test_a_split_since_rescales_but_changes_no_record(model_home: Path) -> None:
    bars = cut_off(model_home, 2)
    live_through(model_home, bars, range(len(bars) - 2, len(bars)))
    with open_store(model_home) as store:
        before = ticker_history(store, TICKER, count=2).forecasts[1]
    for column in ("open", "high", "low", "close", "adj_close"):
        execute(model_home, f"UPDATE prices SET {column} = {column} / 2")  # noqa: S608 - names

    with open_store(model_home) as store:
        after = ticker_history(store, TICKER, count=2).forecasts[1]

    assert after.scale == pytest.approx(0.5)
    assert (after.point, after.last_close, after.held) == (
        before.point,
        before.last_close,
        before.held,
    )
    assert after.outcome == pytest.approx(before.outcome)


def test_all_that_is_on_record_whoever_made_it(model_home: Path) -> None:
    """By ticker and session: of a pooled model, of other horizons, of days that are not stored."""
    bars = cut_off(model_home, 2)
    live_through(model_home, bars, range(len(bars) - 2, len(bars)))
    with open_store(model_home) as store:
        (*_, last) = store.ledger.entries(TICKER)
        store.ledger.record_all(
            [
                last._replace(pool="+b3", version=7),
                last._replace(horizon=5, target_session="2024-03-20"),
                last._replace(as_of="1999-01-04", target_session="1999-01-05"),
            ]
        )

        every = list_forecasts(store, [], None).results
        latest = list_forecasts(store, [TICKER], "2024-03-14").results

    assert [(past.target_session, past.model, past.horizon) for past in every] == [
        ("1999-01-05", f"{TICKER}@v1", 1),
        ("2024-03-13", f"{TICKER}@v1", 1),
        ("2024-03-14", f"{TICKER}@v1", 1),
        ("2024-03-14", "+b3@v7", 1),
        ("2024-03-20", f"{TICKER}@v1", 5),
    ]
    assert latest == every[2:]
    # By hand, as above: the day itself is all there is, and 1999 is not stored.
    assert [past.outcome for past in every] == [
        None,
        pytest.approx(bars.closes[-1]),
        *(None, None, None),
    ]
    assert every[1].error == pytest.approx(every[1].point - bars.closes[-1])


def test_made_after_its_session_had_closed(model_home: Path) -> None:
    predict([TICKER], home=model_home, now="2024-03-20T12:00:00Z")

    with open_store(model_home) as store:
        (past,) = ticker_history(store, TICKER, count=5).forecasts

    assert past.target_session == "2024-03-14"
    assert past.late


def test_a_ticker_without_prices(model_home: Path) -> None:
    with open_store(model_home) as store, pytest.raises(NoPricesError):
        ticker_history(store, "NOPE3.SA", count=1)


@dataclass(frozen=True)
class Log:
    """A store that knows of nothing but one log."""

    changes: list[AliasChange]

    @property
    def registry(self) -> SimpleNamespace:
        return SimpleNamespace(aliases=SimpleNamespace(log=lambda _: self.changes))


CHANGES = st.lists(
    st.builds(
        AliasChange,
        at=MOMENTS,
        name=st.sampled_from(["champion", "previous", "live"]),
        version=st.one_of(st.none(), st.integers(1, 5)),
        replaced=st.none(),
        reason=st.just("for a test"),
    ),
    max_size=8,
)


@given(changes=CHANGES, moment=MOMENTS)
def test_the_last_one_named_by_then_and_else_the_first(
    changes: list[AliasChange], moment: str
) -> None:
    """Clocks may have been put back between two changes."""
    named = [each for each in changes if each.name == "champion" and each.version is not None]
    by_then = [each.version for each in named if each.at <= moment]
    expected = by_then[-1] if by_then else next((each.version for each in named), None)

    champions = _Champions(Log(changes), "PETR4.SA")
    assert champions.at(moment) == expected
    others = ["2024-03-13T00:00:00Z", moment, "2024-03-14T00:00:00Z"]
    assert list(champions.at_each(others)) == [champions.at(each) for each in others]


DAYS = np.arange(np.datetime64("2024-03-04"), np.datetime64("2024-03-16")).tolist()

ENTRIES = st.builds(
    LedgerEntry,
    ticker=st.sampled_from(["AAA3.SA", "BBB4.SA", "CCC5"]),
    target_session=st.sampled_from(DAYS[4:]).map(str),
    version=st.integers(1, 2),
    horizon=st.integers(1, 2),
    as_of=st.sampled_from(DAYS[:8]).map(str),
    last_close=st.just(10.0),
    point=st.floats(9, 11),
    quantiles=st.just((10.0,) * len(LEVELS)),
    made_at=st.sampled_from(DAYS).map(lambda day: f"{day}T20:00:00Z"),
).filter(lambda entry: entry.as_of < entry.target_session)


@dataclass(frozen=True)
class Traits:
    """A store that knows exchanges, ends of sessions and champions, of each ticker its own."""

    changes: dict[str, list[AliasChange]]

    @property
    def prices(self) -> SimpleNamespace:
        return SimpleNamespace(
            instrument=lambda name: Instrument(name, "BRL", name[-3:], "America/Sao_Paulo")
        )

    @property
    def sessions(self) -> SimpleNamespace:
        return SimpleNamespace(
            ends=lambda exchange, *_: {
                str(day): f"{day}T{'21' if exchange == '.SA' else '19'}:00:00Z" for day in DAYS[1:]
            }
        )

    @property
    def registry(self) -> SimpleNamespace:
        return SimpleNamespace(aliases=SimpleNamespace(log=self.changes.__getitem__))


@PROPERTY
@given(
    entries=st.lists(ENTRIES, max_size=24),
    changes=st.fixed_dictionaries(dict.fromkeys(("AAA3.SA", "BBB4.SA", "CCC5"), CHANGES)),
    asked=st.lists(
        st.tuples(
            st.sampled_from(["AAA3.SA", "BBB4.SA", "CCC5"]),
            st.integers(1, 2),
            st.sampled_from([None, 1, 2]),
            st.integers(0, 6),
        ),
        min_size=2,
        max_size=8,
    ),
)
def test_what_was_found_out_for_one_ticker_changes_nothing_for_another(
    entries: list[LedgerEntry],
    changes: dict[str, list[AliasChange]],
    asked: list[tuple[str, int, int | None, int]],
) -> None:
    """Tickers that were forecast on the same evenings share the search for what is scored."""
    store, values = Traits(changes), np.linspace(9.5, 10.5, len(DAYS))
    bars = Bars(np.array(DAYS, "datetime64[D]"), *[values] * 6)
    shared = Lookups(store)
    entries.sort(key=lambda entry: entry.target_session)
    for ticker, horizon, version, first in asked:
        # The same forecasts for all tickers, so that they have much to share.
        given_ = LedgerColumns.of(ticker, entries)
        some = bars.select(slice(first, None))
        found, left_out = closed_forecasts(shared, some, given_, horizon, version)
        alone, expected = closed_forecasts(Lookups(store), some, given_, horizon, version)
        assert left_out == expected
        assert all(
            np.array_equal(getattr(found, field.name), getattr(alone, field.name))
            for field in fields(found)
        )
        # By hand: the first one made for each session, of those that count.
        ends, champions = store.sessions.ends(ticker[-3:]), _Champions(store, ticker)
        days = {str(day) for day in some.dates}
        counted = [
            entry
            for entry in sorted(entries, key=lambda each: (each.made_at, each.version))
            if version in {None, entry.version}
            and entry.horizon == horizon
            and (version is not None or entry.version == champions.at(entry.made_at))
            and entry.made_at < ends.get(entry.target_session, f"{entry.target_session}T99")
            and {entry.target_session, entry.as_of} <= days
        ]
        kept = {entry.target_session: entry for entry in reversed(counted)}
        assert found.dates.astype(str).tolist() == sorted(kept)
        assert found.versions.tolist() == [kept[day].version for day in sorted(kept)]
        closes = [some.closes[some.dates == np.datetime64(kept[day].as_of)][0] for day in kept]
        assert sorted(found.last_closes.tolist()) == sorted(closes)
