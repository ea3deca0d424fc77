"""A forecast shows how the last ones did, and adapts its intervals to them."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stocklstm import load, predict, train
from stocklstm.core.prices.series import Bars
from stocklstm.core.settings.config import LEVELS, TrainingConfig
from stocklstm.store.ledger import LedgerEntry
from stocklstm.store.prices import PriceStore
from stocklstm.store.store import open_store
from stocklstm.workflows.predict.history import ticker_history
from stocklstm.workflows.predict.predict import Wanted
from tests.conftest import TICKER, Cli
from tests.support.bundled_prices import bundled
from tests.support.evenings import cut_off, evening, live_through, scores_of
from tests.support.made_prices import thinned
from tests.support.stored_rows import execute

PLAIN = Wanted(adaptive=False)

# --- What predict shows --------------------------------------------------------------------------


def test_predict_shows_the_last_sixty(journal: Path, cli: Cli) -> None:
    (made,) = predict([TICKER], home=journal, now="2024-03-13T23:30:00Z").forecasts
    outcome = cli("predict", "-t", TICKER)

    sixty = scores_of(journal, last=60).evaluation
    assert sixty is not None
    assert made.live is not None
    assert made.live.n == 60
    assert made.live.skill == sixty.point.skill
    assert made.live.coverage == {f"{c.level:g}": c.share for c in sixty.distribution.coverage}
    assert made.unchanged
    assert f"Live, last 60 sessions: 80 % held {100 * made.live.coverage['0.8']:.1f} %" in (
        outcome.out
    )


def test_prices_are_read_once_for_it_too(model_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(model_home) as store:
        bars = store.prices.bars(TICKER)
        days, closes = bars.dates.astype(str).tolist(), bars.closes.tolist()
        given = [
            (days[row], days[row - 1], closes[row - 1]) for row in range(len(days) - 80, len(days))
        ]
        grid = [0.9 + 0.2 * level for level in LEVELS]
        store.ledger.record_all(
            [
                LedgerEntry(
                    TICKER, day, 1, 1, before, close, close, tuple(close * each for each in grid),
                    f"{before}T23:00:00Z",
                )
                for day, before, close in given
            ]
        )  # fmt: skip
    read: list[str] = []
    since = PriceStore.bars_since

    def noted(store: PriceStore, ticker: str, start: str) -> Bars:
        read.append(start)
        return since(store, ticker, start)

    monkeypatch.setattr(PriceStore, "bars_since", noted)
    (made,) = predict([TICKER], PLAIN, home=model_home, now="2024-03-13T23:30:00Z").forecasts
    assert len(read) == 1
    # Where prices have not come for long, more of them are read, and the same is said.
    (late,) = predict([TICKER], PLAIN, home=model_home, now="2024-05-31T23:30:00Z").forecasts
    assert len(read) == 3
    assert made.live is not None
    assert made.live.n == 60
    assert late.live == made.live
    assert (late.point, late.quantiles) == (made.point, made.quantiles)


@pytest.mark.parametrize("versions", [(2,), (2, 3), (2, 3, 4)])
def test_forecasts_of_others_than_the_champion_take_no_place(
    journal: Path, versions: tuple[int, ...]
) -> None:
    (alone,) = predict([TICKER], home=journal, now="2024-03-13T23:30:00Z").forecasts
    with open_store(journal) as store:
        for entry in store.ledger.entries(TICKER):
            others = [entry._replace(version=version, point=1.0) for version in versions]
            store.ledger.record_all(others)

    (among,) = predict([TICKER], home=journal, now="2024-03-13T23:30:00Z").forecasts

    assert alone.live is not None
    assert alone.live.n == 60
    assert among.live == alone.live


def test_it_shows_those_of_the_version_and_horizon_that_are_asked_for(
    journal: Path, tiny: TrainingConfig
) -> None:
    train([TICKER], replace(tiny, hidden_size=8), home=journal, promote="always")

    by_name = {
        name: predict([name], home=journal).forecasts[0].live
        for name in (TICKER, f"{TICKER}@v1", f"{TICKER}@v2")
    }
    (far,) = predict([TICKER], Wanted(horizon=5), home=journal).forecasts
    (past,) = predict([TICKER], Wanted(at="2024-03-01"), home=journal).forecasts

    assert by_name[f"{TICKER}@v2"] is None
    assert by_name[TICKER] == by_name[f"{TICKER}@v1"]
    assert by_name[TICKER] is not None
    assert (far.live, past.live) == (None, None)


def test_each_horizon_has_a_record_of_its_own(model_home: Path, tmp_path: Path) -> None:
    bars = cut_off(model_home, 24)
    alone = shutil.copytree(model_home, tmp_path / "alone")
    rows, last = range(len(bars) - 24, len(bars)), len(bars) - 1
    wanted = Wanted(horizon=(1, 2, 5))

    made = live_through(model_home, bars, rows, wanted=wanted)
    live_through(alone, bars, rows)

    latest = {each.horizon: each.live for each in made[-3:]}
    for horizon, live in latest.items():
        # What was given so many sessions before each close, by hand.
        held = [
            each.intervals[0].lower <= outcome <= each.intervals[0].upper
            for each in made
            if each.horizon == horizon
            for origin in [int(np.flatnonzero(bars.dates == np.datetime64(each.as_of))[0])]
            if origin + horizon <= last
            for growth in [bars.adj_closes[origin + horizon] / bars.adj_closes[origin]]
            for outcome in [each.last_close * growth]
        ]
        assert live is not None
        assert (live.n, live.coverage["0.8"]) == (len(held), np.mean(held))
        assert live.n == 24 - horizon
    # What is scored is the horizon that the model learned, as if nobody had asked for others.
    scored, as_before = scores_of(model_home), scores_of(alone)
    assert scored.left_out.other_horizon == 2 * 24
    assert replace(scored, left_out=as_before.left_out) == as_before
    with open_store(model_home) as store:
        past = ticker_history(store, TICKER, count=60, horizon=5).forecasts
        assert [(each.horizon, each.as_of) for each in past] == [
            (5, each.as_of) for each in made[::-1] if each.horizon == 5
        ]
        assert len(ticker_history(store, TICKER, count=60).forecasts) == 60
    near, *far = predict(
        [TICKER], replace(wanted, adaptive=True), home=model_home, now=evening(bars, last)
    ).forecasts
    assert near.intervals[0].adaptive
    assert (
        near.intervals
        == predict([TICKER], Wanted(adaptive=True), home=alone, now=evening(bars, last))
        .forecasts[0]
        .intervals
    )
    # 22 have closed of two sessions ahead, 19 of five: one fewer than it takes.
    assert [each.intervals[0].adaptive for each in far] == [True, False]


# --- Adaptive intervals --------------------------------------------------------------------------


def narrowed(home: Path, factor: float) -> None:
    """Make the forecasts on record narrower than they were."""
    with open_store(home) as store:
        entries = store.ledger.entries(TICKER)
    execute(home, "DELETE FROM forecasts")
    with open_store(home) as store:
        for entry in entries:
            store.ledger.record(narrower(entry, factor))


def narrower(entry: LedgerEntry, factor: float) -> LedgerEntry:
    quantiles = tuple(entry.point + factor * (q - entry.point) for q in entry.quantiles)
    return entry._replace(quantiles=quantiles)


def test_intervals_that_were_too_narrow_are_widened(journal: Path) -> None:
    (plain,) = predict([TICKER], home=journal).forecasts
    narrowed(journal, 0.6)
    before = kept(journal)

    (made,) = predict([TICKER], Wanted(adaptive=True), home=journal).forecasts

    for adapted, given in zip(made.intervals, plain.intervals, strict=True):
        assert adapted.adaptive
        assert not given.adaptive
        assert (given.effective_level, adapted.level) == (None, given.level)
        assert adapted.effective_level is not None
        assert adapted.effective_level > adapted.level
        assert adapted.lower < given.lower < given.upper < adapted.upper
    # What is shown adapts; what is kept, and what the grid says, does not.
    assert made.quantiles == plain.quantiles
    assert kept(journal) == before


def kept(home: Path) -> list[LedgerEntry]:
    with open_store(home) as store:
        return store.ledger.entries(TICKER)


def test_intervals_that_promise_more_are_never_narrower(journal: Path) -> None:
    narrowed(journal, 0.5)
    wanted = Wanted(levels=(0.98, 0.8, 0.2, 0.95, 0.9), adaptive=True)

    (made,) = predict([TICKER], wanted, home=journal).forecasts

    assert [i.level for i in made.intervals] == [0.98, 0.8, 0.2, 0.95, 0.9]
    widths = [i.upper - i.lower for i in sorted(made.intervals, key=lambda i: i.level)]
    assert widths == sorted(widths)


def test_what_the_grid_cannot_give_is_said(journal: Path) -> None:
    narrowed(journal, 0.01)

    (made,) = predict([TICKER], Wanted(adaptive=True), home=journal).forecasts

    assert made.intervals[1].effective_level == pytest.approx(0.98)
    assert made.intervals[1].upper == pytest.approx(made.quantiles["0.99"])
    assert any("the widest of the forecast" in warning for warning in made.warnings)


def test_too_few_forecasts_adapt_nothing(model_home: Path, cli: Cli) -> None:
    bars = cut_off(model_home, 5)
    live_through(model_home, bars, range(len(bars) - 6, len(bars)))

    given = Wanted(adaptive=False)
    (plain,) = predict([TICKER], given, home=model_home, now=evening(bars, -1)).forecasts
    wanted = Wanted(adaptive=True)
    (made,) = predict([TICKER], wanted, home=model_home, now=evening(bars, -1)).forecasts

    assert made.intervals == plain.intervals
    assert made.warnings == (
        "the intervals are not adapted: 5 forecasts have closed, of 20 needed",
    )
    assert "5 forecasts have closed" in cli("predict", "--adaptive").err


@pytest.mark.usefixtures("model_home")
def test_the_past_does_not_adapt_to_what_came_later(cli: Cli) -> None:
    outcome = cli("predict", "--adaptive", "--at", "2024-03-01")

    assert (outcome.code, outcome.out) == (2, "")
    assert "leave out --at" in outcome.err


def test_what_the_test_part_found_wrong_follows_the_hits_from_there(
    home: Path, tiny: TrainingConfig, cli: Cli
) -> None:
    """Train on a share that was traded on one session in five, and on all of them later."""
    answer = bundled()
    bars = thinned(answer.bars, 0.8, len(answer.bars) * 4 // 5)
    with open_store(home, create=True) as store:
        store.prices.merge(answer.instrument, bars, (), source="csv", at="2024-03-14T00:00:00Z")
    assert not train([TICKER], tiny, home=home).failures
    coverage = load(TICKER, home=home).manifest.evaluation.distribution.coverage

    (made,) = predict([TICKER], home=home).forecasts
    (plain,) = predict([TICKER], Wanted(adaptive=False), home=home).forecasts
    (past,) = predict([TICKER], Wanted(at="2024-03-01"), home=home).forecasts

    found = {each.level: each for each in coverage if each.adaptive_level is not None}
    assert coverage[0].share < 0.7
    assert abs(coverage[0].adaptive_share - 0.8) < 0.04
    assert 0.8 in found
    for interval in made.intervals:
        assert interval.adaptive == (interval.level in found)
        if interval.adaptive:
            assert interval.effective_level == found[interval.level].adaptive_level
    assert made.intervals[0].upper > plain.intervals[0].upper
    assert made.quantiles == plain.quantiles
    assert made.warnings == plain.warnings
    assert not any(each.adaptive for each in (*plain.intervals, *past.intervals))
    assert "Adaptive intervals: 80 % as" in cli("predict").out
    assert "The 80 % interval would have held" in cli("evaluate").out
