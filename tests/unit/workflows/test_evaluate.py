"""evaluate scores what is stored now, and draws it."""

from pathlib import Path

import numpy as np
import pytest

from stocklstm.core.series import Instrument
from stocklstm.errors import NoModelError, SeriesTooShortError
from stocklstm.market.sample import SampleSource
from stocklstm.market.source import FetchRequest
from stocklstm.store.store import open_store
from stocklstm.workflows.evaluate import evaluate
from tests.conftest import TICKER


def test_on_the_same_prices_it_repeats_what_was_published(model_home: Path) -> None:
    (result,) = evaluate([TICKER], home=model_home).results

    with open_store(model_home) as store:
        assert result.evaluation == store.registry.manifest(TICKER, 1).evaluation


def test_new_prices_lengthen_the_test_part(model_home: Path) -> None:
    (before,) = evaluate([TICKER], home=model_home, plot=False).results
    with open_store(model_home) as store:
        bars = store.prices.bars(TICKER).select(slice(-1, None))
        later = bars.dates.copy() + np.timedelta64(1, "D")
        instrument = Instrument(TICKER, "BRL", "BVMF", "America/Sao_Paulo")
        moved = type(bars)(later, *[getattr(bars, n) for n in list(bars.__annotations__)[1:]])
        store.prices.merge(instrument, moved, (), source="test", at="2024-03-14T23:00:00Z")

    (after,) = evaluate([TICKER], home=model_home, plot=False).results

    assert after.evaluation.n == before.evaluation.n + 1
    assert after.evaluation.end == "2024-03-14"
    assert after.evaluation.start == before.evaluation.start


def test_the_picture_lies_outside_the_published_version(model_home: Path) -> None:
    (result,) = evaluate([TICKER], home=model_home).results

    assert result.plot is not None
    picture = Path(result.plot)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.is_relative_to(model_home / "reports")


def test_without_plot_nothing_is_drawn(model_home: Path) -> None:
    (result,) = evaluate([TICKER], home=model_home, plot=False).results

    assert result.plot is None
    assert not (model_home / "reports").exists()


def test_prices_that_end_before_the_test_part_are_too_few(model_home: Path) -> None:
    answer = SampleSource().fetch(FetchRequest(TICKER))
    for file in model_home.glob("stocklstm.db*"):
        file.rename(file.with_name(f"old-{file.name}"))
    with open_store(model_home, create=True) as store:
        early = answer.bars.select(slice(0, 1000))
        store.prices.merge(answer.instrument, early, (), source="sample", at="2024-03-14T00:00:00Z")

    (failure,) = evaluate([f"{TICKER}@v1"], home=model_home).failures

    assert isinstance(failure.error, SeriesTooShortError)


def test_no_model_is_an_error(priced_home: Path) -> None:
    with pytest.raises(NoModelError):
        evaluate(home=priced_home)
