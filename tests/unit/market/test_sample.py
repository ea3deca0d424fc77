import numpy as np
import pytest

from stocklstm.core.inputs.volatility import valid_ranges
from stocklstm.core.prices.answers import Basis
from stocklstm.core.prices.soundness import gaps
from stocklstm.errors import UnknownTickerError
from stocklstm.market.calendar import sessions
from stocklstm.market.clean import clean
from stocklstm.market.revisions import large_moves
from stocklstm.market.sample import SampleSource
from stocklstm.market.source import FetchRequest, load_source
from tests.support.price_rows import PETR4

TODAY = np.datetime64("2024-03-14")


@pytest.fixture(scope="module")
def answer():
    return SampleSource().fetch(FetchRequest("PETR4.SA"))


@pytest.fixture(scope="module")
def calendar():
    return sessions("BVMF", np.datetime64("2010-01-04"), np.datetime64("2025-03-14"))


def test_the_sample_is_what_its_provenance_says(answer):
    assert answer.instrument == PETR4
    assert answer.source == "sample"
    assert (answer.actions, answer.rejections) == ((), ())
    assert answer.basis is Basis.ADJUSTED
    assert len(answer.bars) == 3523
    assert str(answer.bars.dates[0]) == "2010-01-04"
    assert str(answer.bars.dates[-1]) == "2024-03-13"
    assert answer.bars.closes[0] == 37.32
    assert answer.bars.adj_closes[0] == 11.430736
    assert answer.bars.volumes[0] == 13303600


def test_cleaning_leaves_out_the_filler_and_nothing_else(answer, calendar):
    prices = clean(answer, calendar, last_final=TODAY)
    assert len(prices.bars) == 3514
    assert [rejection.date for rejection in prices.rejections] == [
        "2017-06-15",
        "2017-09-07",
        "2017-10-12",
        "2017-11-02",
        "2017-11-15",
        "2017-11-20",
        "2017-12-25",
        "2017-12-29",
        "2018-01-25",
    ]
    assert {rejection.reason for rejection in prices.rejections} == {
        "filler: BVMF was closed, nothing was traded"
    }
    nothing = prices.bars.select(slice(0))
    large_moves(prices.bars, prices.actions, nothing, accept=False)


def test_missing_sessions(answer, calendar):
    found = gaps(answer.bars.dates, calendar.dates)
    assert found.astype(str).tolist() == ["2012-02-22", "2020-11-20"]


def test_a_close_below_the_low_is_kept_without_its_range(answer, calendar):
    bars = clean(answer, calendar, last_final=TODAY).bars
    row = np.flatnonzero(bars.dates == np.datetime64("2014-04-02"))
    assert bars.closes[row] == 15.56
    assert not valid_ranges(bars)[row]


def test_start_is_honoured():
    answer = load_source("sample").fetch(FetchRequest("PETR4.SA", start="2024-03-12"))
    assert answer.bars.dates.astype(str).tolist() == ["2024-03-12", "2024-03-13"]


def test_any_other_ticker_is_unknown():
    with pytest.raises(
        UnknownTickerError, match=r"VALE3\.SA: the sample holds PETR4\.SA"
    ) as caught:
        SampleSource().fetch(FetchRequest("VALE3.SA"))
    assert "PETR4.SA" in caught.value.hint
