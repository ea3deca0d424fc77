"""Every public name is explained with an example, and every example is run."""

import doctest
import inspect
import re
import shutil
from pathlib import Path

import pytest

import stocklstm
from tests.conftest import TICKER, TINY
from tests.support.evenings import cut_off, live_through
from tests.support.stored_rows import execute

OTHER = "VALE3.SA"

NAMES = [*stocklstm._FUNCTIONS, *stocklstm._PLACES]


@pytest.fixture
def furnished(model_home: Path) -> Path:
    """Give a store what the examples speak of: two tickers, two versions, a pool and a record."""
    with stocklstm.open(model_home) as client:
        store = client.store(create=True)
        bars = store.prices.bars(TICKER)
        instrument = stocklstm.guess_instrument(OTHER)
        at = "2024-03-13T23:00:00Z"
        store.prices.merge(instrument, bars, (), source="sample", at=at)
        config = stocklstm.configure("calibrated", **{**TINY, "epochs": 1})
        client.train(TICKER, config, promote="never", plot=False)
        client.train_pooled("b3", [TICKER, OTHER], config, plot=False)
    cut_off(model_home, 3)
    live_through(model_home, bars, range(len(bars) - 3, len(bars)))
    # No session has ended since, so that nobody is asked for prices.
    never = "9999-12-31T00:00:00Z"
    execute(model_home, "UPDATE sessions SET closes_at = ? WHERE date > '2024-03-13'", never)
    return model_home


def test_the_examples_are_true(
    furnished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOCKLSTM_SIGNING_KEY", "a key that is long enough to be one")
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    for name in NAMES:
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        shutil.copytree(furnished, "home")
        monkeypatch.setenv("STOCKLSTM_HOME", str(tmp_path / name / "home"))
        globs = {"stocklstm": stocklstm, "Path": Path}
        (example,) = finder.find(getattr(stocklstm, name), name, globs=globs)
        assert any(each.want for each in example.examples), name
        runner.run(example)
    assert runner.failures == 0


def test_help_names_every_function() -> None:
    named = set(re.findall(r"\w+", stocklstm.__doc__.partition("    prices      fetch")[2]))

    assert set(stocklstm._FUNCTIONS) <= named | {"prices", "fetch"}
    for name in NAMES:
        assert inspect.getdoc(getattr(stocklstm, name)).partition("\n")[0].endswith("."), name


def test_public_names_and_no_others_are_listed() -> None:
    listed = [name for name in dir(stocklstm) if not name.startswith("__")]

    assert set(listed) == {*stocklstm.__all__, "errors", "open"} - {"__version__"}
    assert stocklstm.errors.NoPricesError.__module__ == "stocklstm.errors"
