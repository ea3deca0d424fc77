"""An answer may add to the past; it changes it only for a reason."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.prices.series import Action, Bars
from stocklstm.errors import RejectedDataError
from stocklstm.market.revisions import (
    follow_adjusted,
    joined,
    large_moves,
    reaches_further,
    reconcile,
)
from tests.support.price_rows import bars_of_rows

NOTHING = bars_of_rows([])
PRICES = ("opens", "highs", "lows", "closes", "adj_closes")


def sessions(count: int, start: str = "2024-01-01") -> list[str]:
    return (np.busday_offset(start, 0, roll="forward") + np.arange(count)).astype(str).tolist()


def series(count: int = 20) -> Bars:
    return bars_of_rows([(day, 30 + n % 7) for n, day in enumerate(sessions(count))])


def scaled(bars: Bars, factor: float, *names: str) -> Bars:
    return replace(bars, **{name: getattr(bars, name) * factor for name in names or PRICES})


def with_value(bars: Bars, row: int, name: str, value: float) -> Bars:
    values = getattr(bars, name).copy()
    values[row] = value
    return replace(bars, **{name: values})


STORED = series()


# How far a change reaches


@pytest.mark.parametrize("jitter", [0, 1e-7, -9e-6])
def test_jitter_reaches_nowhere(jitter):
    assert not reaches_further(STORED, scaled(STORED, 1 + jitter))


def test_a_change_of_the_oldest_day_reaches_further():
    assert reaches_further(STORED, scaled(STORED, 0.5))
    assert reaches_further(STORED, scaled(STORED, 0.98, "adj_closes"))
    assert reaches_further(STORED, with_value(STORED, 0, "adj_closes", 29.0))


def test_a_change_of_a_later_day_does_not():
    assert not reaches_further(STORED, with_value(STORED, 5, "closes", 29.0))


def test_an_answer_that_has_no_stored_day_says_nothing_of_the_past():
    assert reaches_further(STORED, bars_of_rows([("2025-01-02", 30.0)]))
    assert not reaches_further(STORED, NOTHING)


# Corrections


def test_jitter_revises_nothing():
    fitting = reconcile(STORED, scaled(STORED, 1 + 1e-6), (), (), accept=False)
    assert (fitting.revision, len(fitting.rescaled)) == ("", 0)


def test_a_single_day_may_be_corrected():
    given = with_value(STORED, 7, "closes", 31.5)
    fitting = reconcile(STORED, given, (), (), accept=False)
    assert fitting.bars is given
    assert fitting.revision == ""


def test_nothing_given_changes_nothing():
    fitting = reconcile(STORED, NOTHING, (), (), accept=False)
    assert (len(fitting.bars), len(fitting.rescaled), fitting.revision) == (0, 0, "")


# Revisions


def test_a_split_halves_what_is_stored_and_the_days_the_answer_lacks_follow():
    split = Action("2024-01-31", "split", 2.0)
    halves = replace(scaled(STORED, 0.5), volumes=STORED.volumes * 2)
    lacking = np.ones(len(STORED), dtype=bool)
    lacking[[0, 9, 19]] = False
    fitting = reconcile(STORED, halves.select(lacking), (), (split,), accept=False)
    assert fitting.rescaled.dates.tolist() == STORED.dates[~lacking].tolist()
    assert fitting.rescaled.closes == pytest.approx(halves.closes[~lacking])
    assert fitting.rescaled.opens == pytest.approx(halves.opens[~lacking])
    assert fitting.rescaled.volumes == pytest.approx(halves.volumes[~lacking])
    assert "split of 2 on 2024-01-31" in fitting.revision


def test_a_dividend_revises_adjusted_closes_alone():
    dividend = Action("2024-01-24", "dividend", 1.0)
    given = scaled(STORED, 0.97, "adj_closes")
    fitting = reconcile(STORED, given.select(slice(3, None)), (), (dividend,), accept=False)
    assert fitting.rescaled.closes.tolist() == STORED.closes[:3].tolist()
    assert fitting.rescaled.volumes.tolist() == STORED.volumes[:3].tolist()
    assert fitting.rescaled.adj_closes == pytest.approx(given.adj_closes[:3])
    assert "dividend of 1 on 2024-01-24" in fitting.revision


def test_days_after_a_late_dividend_keep_their_scale():
    dividend = Action("2024-01-15", "dividend", 1.0)
    factor = np.where(STORED.dates < np.datetime64("2024-01-15"), 0.97, 1.0)
    given = replace(STORED, adj_closes=STORED.adj_closes * factor)
    lacking = np.ones(len(STORED), dtype=bool)
    lacking[[2, 15]] = False
    fitting = reconcile(STORED, given.select(lacking), (), (dividend,), accept=False)
    assert fitting.rescaled.dates.tolist() == [STORED.dates[2]]
    assert fitting.rescaled.adj_closes == pytest.approx(given.adj_closes[2:3])


def test_a_day_just_before_an_ex_date_goes_with_the_days_before_it():
    dividend = Action("2024-01-15", "dividend", 1.0)
    factor = np.where(STORED.dates < np.datetime64("2024-01-15"), 0.97, 1.0)
    given_bars = replace(STORED, adj_closes=STORED.adj_closes * factor)
    lacking = STORED.dates == np.datetime64("2024-01-12")
    fitting = reconcile(STORED, given_bars.select(~lacking), (), (dividend,), accept=False)
    assert fitting.rescaled.adj_closes == pytest.approx(given_bars.adj_closes[lacking])


def test_what_the_answer_lacks_of_a_day_is_carried_to_its_scale():
    split = Action("2024-01-31", "split", 2.0)
    bare = replace(scaled(STORED, 0.5), **{n: np.full(20, np.nan) for n in ("opens", "volumes")})
    fitting = reconcile(STORED, bare, (), (split,), accept=False)
    assert fitting.bars.opens == pytest.approx(STORED.opens / 2)
    assert fitting.bars.volumes == pytest.approx(STORED.volumes * 2)


REVISIONS = {
    "half without a split": (scaled(STORED, 0.5), ()),
    "half by a split of three": (scaled(STORED, 0.5), (Action("2024-01-31", "split", 3.0),)),
    "half by a dividend": (scaled(STORED, 0.5), (Action("2024-01-31", "dividend", 1.0),)),
    "a hundred times": (scaled(STORED, 100), ()),
    "adjusted closes without a dividend": (scaled(STORED, 0.97, "adj_closes"), ()),
    "another share": (replace(STORED, closes=STORED.closes[::-1] * 1.3), ()),
    "a split that was known long ago": (
        scaled(STORED, 0.5),
        (Action("2020-01-31", "split", 2.0),),
    ),
}


@pytest.mark.parametrize(("given_bars", "actions"), REVISIONS.values(), ids=REVISIONS)
def test_a_revision_without_its_event_needs_a_person(given_bars, actions):
    known = tuple(action for action in actions if action.date < "2024")
    with pytest.raises(RejectedDataError, match="no recorded event explains it") as caught:
        reconcile(STORED, given_bars, known, actions, accept=False)
    assert "--accept-revision" in caught.value.hint
    fitting = reconcile(STORED, given_bars, known, actions, accept=True)
    assert fitting.bars.closes.tolist() == given_bars.closes.tolist()
    assert fitting.revision


def test_three_days_are_enough_to_see_one_factor():
    three = STORED.select(slice(0, 3))
    with pytest.raises(RejectedDataError):
        reconcile(three, scaled(three, 0.9), (), (), accept=False)


def test_of_several_splits_those_already_worked_in_do_not_count_again():
    """Prices stored after the first split and before the second."""
    splits = (Action("2024-01-15", "split", 4.0), Action("2024-01-31", "split", 2.0))
    fitting = reconcile(STORED, scaled(STORED, 0.5), (), splits, accept=False)
    assert fitting.revision


@given(
    ratio=st.sampled_from([0.1, 0.25, 0.5, 2.0, 10.0]),
    kept=st.lists(st.booleans(), min_size=20, max_size=20).filter(lambda k: sum(k) >= 4),
)
def test_returns_survive_a_split_whatever_the_answer_lacks(ratio, kept):
    split = Action("2024-02-15", "split", 1 / ratio)
    given_bars = scaled(STORED, ratio).select(np.array(kept))
    fitting = reconcile(STORED, given_bars, (), (split,), accept=False)
    whole = joined(STORED, fitting.rescaled, fitting.bars)
    assert len(whole) == len(STORED)
    assert whole.log_returns[1:] == pytest.approx(STORED.log_returns[1:], abs=1e-9)
    assert whole.opens / whole.closes == pytest.approx(STORED.opens / STORED.closes)


# Whose closes allow for dividends


def paying(seed: int, ex_dates: dict[int, float]) -> Bars:
    """Make a share that pays on some rows, with the adjusted closes that follow from it."""
    moves = np.random.default_rng(seed).normal(0, 0.02, 60)
    closes = 30 * np.exp(np.cumsum(moves))
    factors = np.ones(60)
    for row, share in ex_dates.items():
        closes[row:] *= 1 - share
        factors[:row] *= 1 - share
    rows = [
        (day, c, c, c, c, a, 1)
        for day, c, a in zip(sessions(60), closes, closes * factors, strict=True)
    ]
    return bars_of_rows(rows)


EX_DATES = st.dictionaries(st.integers(1, 59), st.floats(0.01, 0.2), min_size=1, max_size=4)


@given(
    seed=st.integers(0, 999),
    ex_dates=EX_DATES,
    since=st.floats(0.5, 4),
    places=st.sampled_from([2, 6]),
)
def test_closes_without_their_dividends_are_recognised(seed, ex_dates, since, places):
    """Whatever was paid, or split, since they were downloaded."""
    bars = paying(seed, ex_dates)
    downloaded = np.round(bars.adj_closes * since, places)
    taken_off = replace(bars, closes=downloaded, adj_closes=downloaded)
    assert follow_adjusted(taken_off, bars)
    plain = np.round(bars.closes * since, places)
    assert not follow_adjusted(replace(bars, closes=plain, adj_closes=plain), bars)


def test_another_share_is_none_without_its_dividends():
    bars, other = paying(1, {20: 0.05, 40: 0.05}), paying(2, {20: 0.05, 40: 0.05})
    assert not follow_adjusted(other, bars)
    assert not follow_adjusted(series(), series())
    assert not follow_adjusted(NOTHING, bars)


# Laying series over one another


def test_the_last_part_counts():
    later = bars_of_rows([("2024-01-02", 50.0), ("2025-01-02", 60.0)])
    whole = joined(STORED, later)
    assert len(whole) == 21
    assert (whole.closes[1], whole.closes[-1]) == (50.0, 60.0)
    assert np.all(np.diff(whole.dates) > np.timedelta64(0, "D"))


# Jumps


HALVED = bars_of_rows([("2024-03-11", 36.0), ("2024-03-12", 36.0), ("2024-03-13", 18.0)])


def moves_of(bars: Bars, *actions: Action, stored: Bars = NOTHING, accept: bool = False):
    return large_moves(bars, actions, stored, accept=accept)


def test_what_looks_like_a_split_is_refused_and_its_day_is_named():
    dividend = Action("2024-03-13", "dividend", 1.0)
    with pytest.raises(RejectedDataError) as caught:
        moves_of(HALVED, dividend)
    assert "2024-03-13, 36.00 to 18.00 (about 2:1)" in caught.value.message
    assert "no later close tells" in caught.value.message
    assert "--accept-revision" in caught.value.hint


def test_every_day_is_named_with_both_closes():
    bars = bars_of_rows([("2024-03-11", 1.0), ("2024-03-12", 100.0), ("2024-03-13", 1.0)])
    with pytest.raises(RejectedDataError) as caught:
        moves_of(bars)
    assert (
        "on 2 days as a split or another unit would move it, and no split is recorded: "
        "2024-03-12, 1.00 to 100.00 (about 1:100); 2024-03-13, 100.00 to 1.00 (about 100:1)"
    ) in caught.value.message


def test_what_the_market_did_is_listed():
    crashed = bars_of_rows([("2024-03-11", 12.0), ("2024-03-12", 2.72), ("2024-03-13", 3.05)])
    (move,) = moves_of(crashed)
    assert (move.date, move.before, move.after) == ("2024-03-12", 12.0, 2.72)
    assert move.change_pct == pytest.approx(100 * (2.72 / 12 - 1))


def test_a_recorded_split_or_the_user_explains_a_jump():
    assert moves_of(HALVED, Action("2024-03-13", "split", 2.0)) == ()
    assert moves_of(HALVED.select(slice(2))) == ()
    (move,) = moves_of(HALVED, accept=True)
    assert (move.date, move.change_pct) == ("2024-03-13", pytest.approx(-50))


def test_a_jump_that_was_accepted_once_is_not_asked_about_again():
    more = joined(HALVED, bars_of_rows([("2024-03-14", 18.5)]))
    assert moves_of(more, stored=HALVED) == ()
    assert moves_of(scaled(more, 0.9, "adj_closes"), stored=HALVED) == ()


def test_another_jump_of_that_day_is():
    worse = with_value(HALVED, 2, "adj_closes", 9.0)
    with pytest.raises(RejectedDataError, match=r"36.00 to 9.00 adjusted \(about 4:1\)"):
        moves_of(worse, stored=HALVED)
