"""Whatever is fetched from where, in which order: in the end returns are what holders earned."""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from stocklstm import fetch
from stocklstm.core.prices.answers import Basis, SourceAnswer
from stocklstm.core.prices.series import Action, Bars
from stocklstm.market.calendar import sessions
from stocklstm.market.source import FetchRequest
from stocklstm.store.store import open_store
from stocklstm.workflows.prices import plan as module
from stocklstm.workflows.prices.plan import FetchOptions
from tests.conftest import TICKER
from tests.support.price_rows import PETR4
from tests.support.scripted_source import ScriptedSource

DAYS = sessions("BVMF", np.datetime64("2023-01-02"), np.datetime64("2023-06-30")).dates


@dataclass(frozen=True)
class Truth:
    """A share: what it was traded at, its splits, and its dividends per share of that day."""

    traded: np.ndarray
    splits: dict[int, float]
    dividends: dict[int, float]

    @property
    def returns(self) -> np.ndarray:
        """What a holder earned from one session to the next, by hand."""
        earned = np.empty(len(DAYS) - 1)
        for row in range(1, len(DAYS)):
            split, dividend = self.splits.get(row, 1.0), self.dividends.get(row, 0.0)
            before = self.traded[row - 1] / split
            earned[row - 1] = self.traded[row] / (before - dividend)
        return np.log(earned)

    def shares_since(self, last: int) -> np.ndarray:
        """How many shares of the last day a share of each day has become."""
        shares = np.ones(len(DAYS))
        for row, value in self.splits.items():
            if row <= last:
                shares[:row] *= value
        return shares

    def actions(self, last: int) -> tuple[Action, ...]:
        shares = self.shares_since(last)
        known = [
            Action(str(DAYS[row]), "split", v) for row, v in self.splits.items() if row <= last
        ]
        known += [
            Action(str(DAYS[row]), "dividend", value / shares[row])
            for row, value in self.dividends.items()
            if row <= last
        ]
        return tuple(known)

    def yahoo(self, last: int, lacks: set[int]) -> SourceAnswer:
        """Everything adjusted as of the last day, but for the days that Yahoo lacks."""
        closes = self.traded / self.shares_since(last)
        log_adjusted = np.log(closes[last]) - np.append(
            np.cumsum(self.returns[:last][::-1])[::-1], 0.0
        )
        adjusted = np.append(np.exp(log_adjusted), np.full(len(DAYS) - last - 1, np.nan))
        rows = np.setdiff1d(np.arange(last + 1), list(lacks))
        return answer(closes, adjusted, rows, Basis.ADJUSTED, self.actions(last))

    def file(self, kind: Basis, first: int, last: int) -> SourceAnswer:
        """Some days of a file that knows nothing of dividends."""
        closes = self.traded if kind is Basis.AS_TRADED else self.traded / self.shares_since(last)
        return answer(closes, np.full(len(DAYS), np.nan), np.arange(first, last + 1), kind, ())


def answer(
    closes: np.ndarray, adjusted: np.ndarray, rows: np.ndarray, basis: Basis, actions: tuple
) -> SourceAnswer:
    volumes = np.full(len(DAYS), 1000.0)
    bars = Bars(DAYS, closes, closes * 1.01, closes * 0.99, closes, adjusted, volumes)
    return SourceAnswer(PETR4, bars.select(rows), actions, (), basis.value, basis)


LAST = len(DAYS) - 1
ROWS = st.integers(1, LAST)
TRUTHS = st.builds(
    Truth,
    traded=st.integers(0, 2**32 - 1).map(
        lambda seed: 40 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, len(DAYS))))
    ),
    splits=st.dictionaries(ROWS, st.sampled_from([2.0, 4.0, 10.0, 0.1]), max_size=2),
    dividends=st.dictionaries(ROWS, st.floats(0.2, 1.5), max_size=3),
)


def with_splits(truth: Truth) -> Truth:
    """Let the traded price fall with each split."""
    traded = truth.traded.copy()
    for row, value in truth.splits.items():
        traded[row:] /= value
    scale = np.prod([max(value, 1.0) for value in truth.splits.values()])
    return replace(truth, traded=traded * scale)


LACKS = st.sets(st.integers(0, LAST - 1), max_size=8)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["yahoo", Basis.SPLIT_ADJUSTED, Basis.AS_TRADED]),
        st.integers(0, LAST),
        st.integers(0, LAST),
    ),
    max_size=5,
)


def fetched(home: Path, reply: SourceAnswer, *, full: bool = False) -> bool:
    def script(request: FetchRequest) -> SourceAnswer:
        start = request.start or ""
        bars = reply.bars.select(reply.bars.dates.astype(str) >= start)
        asked = tuple(action for action in reply.actions if action.date >= start)
        return replace(reply, bars=bars, actions=asked)

    source = ScriptedSource(script)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "load_source", lambda _: source)
        # Like a file: all that it has, whatever is stored.
        result = fetch(
            [TICKER], FetchOptions(full=full or reply.basis is not Basis.ADJUSTED), home=home
        )
    return not result.failures


# Shrinking an example takes longer than finding one; the same ones every time can be repeated.
@settings(deadline=None, max_examples=35, phases=[Phase.generate], derandomize=True)
@given(truth=TRUTHS.map(with_splits), steps=STEPS, lacks=LACKS)
def test_returns_are_what_holders_earned(truth, steps, lacks):
    if any(value >= truth.traded[row - 1] * 0.2 for row, value in truth.dividends.items()):
        return
    with TemporaryDirectory() as folder:
        home = Path(folder)
        for kind, one, other in steps:
            first, last = min(one, other), max(one, other)
            if kind == "yahoo":
                fetched(home, truth.yahoo(last, lacks))
            else:
                fetched(home, truth.file(kind, first, last))
        done = fetched(home, truth.yahoo(LAST, lacks), full=True)
        with open_store(home) as store:
            bars = store.prices.bars(TICKER)
    if not done:
        # Refused, as it must be said, rather than stored wrongly.
        return
    rows = np.searchsorted(DAYS, bars.dates)
    assert set(range(LAST + 1)) - lacks <= set(rows.tolist())
    total = np.append(0.0, np.cumsum(truth.returns))
    earned = np.diff(total[rows])
    assert bars.log_returns[1:] == pytest.approx(earned, abs=2e-3)
