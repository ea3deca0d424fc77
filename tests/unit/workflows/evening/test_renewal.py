"""An evening trains what is due before it forecasts, and forecasts whatever becomes of that."""

from pathlib import Path

import pytest

from stocklstm import train
from stocklstm.core.exits import exit_code
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import ConfigError, NetworkError, StockLstmError
from stocklstm.store.store import open_store
from stocklstm.workflows.evening.summary import summarize
from tests.conftest import TICKER, TINY
from tests.support.nights import Nights
from tests.support.tampering import flip_bit


@pytest.fixture
def aged(nights: Nights, tiny: TrainingConfig) -> Nights:
    """Make a champion that has seen prices to 2024-03-05."""
    (version,) = train([TICKER], tiny, promote="always", home=nights.home).results
    assert version.version == 2
    return nights


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**TINY, "epochs": 1, "batch_size": 256}.items():
        monkeypatch.setenv(f"STOCKLSTM_{name.upper()}", f"{value}")


def champion(home: Path) -> int:
    with open_store(home) as store:
        return store.registry.aliases.of(TICKER)["champion"]


def test_a_champion_is_trained_anew_once_it_is_due(aged: Nights) -> None:
    """Of 2024-03-06, 07 and 08 it has seen none: with two allowed it is due on the third."""
    (before,) = aged.on("2024-03-07", retrain_after=2).results
    (due,) = aged.on("2024-03-08", retrain_after=2).results
    (again,) = aged.evening(at="2024-03-08T22:30:00Z", retrain_after=2).results

    assert (before.trained, before.model_sessions) == (None, 2)
    assert due.trained is not None
    assert due.trained.version == 3
    assert due.trained.promoted == (champion(aged.home) == 3)
    assert "3 sessions after 2024-03-05" in due.trained.reason
    # It forecasts with whichever is champion then.
    assert due.forecast.version == champion(aged.home)
    (again_row, due_row) = (summarize([row]).rows[0][-1] for row in (again, due))
    assert due_row.startswith("trained v3, ")
    assert (again.trained, again.unchanged, again_row) == (None, True, "unchanged")
    with open_store(aged.home) as store:
        config = store.registry.manifest(TICKER, 3).config
        assert config == store.registry.manifest(TICKER, 2).config


def test_a_training_that_fails_leaves_the_champion_to_forecast(aged: Nights) -> None:
    # Where runs are kept there is a file.
    runs = aged.home / "runs"
    for path in runs.iterdir():
        path.unlink()
    runs.rmdir()
    runs.write_text("")

    result = aged.on("2024-03-08", retrain_after=0)

    (row,), (failure,) = result.results, result.failures
    assert (row.forecast.version, row.forecast.as_of, row.trained) == (2, "2024-03-08", None)
    assert failure.ticker == TICKER
    assert exit_code(failure.error) in {2, 75}
    runs.unlink()
    (healed,) = aged.evening(retrain_after=0).results
    assert healed.trained is not None


@pytest.mark.usefixtures("small")
def test_a_ticker_without_a_model_is_trained_for_the_first_time(others: Nights) -> None:
    named = (TICKER, "AAAA3.SA", "NONE3.SA")
    others.fails = lambda ticker: (
        NetworkError("no answer", hint="look") if ticker == "NONE3.SA" else None
    )
    untrained = others.on("2024-03-08", *named)
    result = others.evening(*named, retrain_after=60)

    assert [row.ticker for row in untrained.results] == [TICKER]
    known, new = result.results
    assert (known.ticker, known.trained) == (TICKER, None)
    assert new.trained is not None
    assert (new.trained.version, new.trained.promoted) == (1, True)
    assert new.trained.reason == "it had no model"
    assert new.forecast.as_of == "2024-03-08"
    # What has no prices cannot be trained; why it has none is said, and nothing else.
    assert [(f.ticker, type(f.error)) for f in result.failures] == [("NONE3.SA", NetworkError)]


@pytest.mark.usefixtures("small")
def test_one_line_is_enough_for_an_empty_machine(nights: Nights, tmp_path: Path) -> None:
    nights.home, nights.known_to = tmp_path / "new", "2024-03-08"
    nights.moment = "2024-03-08T21:30:00Z"
    nights.fails = lambda _: NetworkError("no answer", hint="look")

    nothing = nights.evening(TICKER, "PETR4", retrain_after=60)

    assert (nothing.results, len(nothing.failures)) == ((), 2)
    assert not nights.home.exists()
    nights.fails = lambda _: None
    (row,) = nights.evening(TICKER, retrain_after=60).results

    assert (row.forecast.model, row.forecast.target_session) == (f"{TICKER}@v1", "2024-03-11")
    assert row.trained is not None


def test_a_damaged_champion_is_said_once(aged: Nights) -> None:
    flip_bit(aged.home / "models" / TICKER / "v2" / "manifest.json", 0.5)

    result = aged.on("2024-03-08", retrain_after=0)

    (failure,) = result.failures
    assert (result.results, exit_code(failure.error)) == ((), 5)
    assert "PETR4.SA@v2 is damaged" in failure.error.message


def test_a_bug_in_a_training_keeps_nobody_from_a_forecast(
    aged: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("stocklstm.workflows.retraining.find_due", fail)

    result = aged.on("2024-03-08", retrain_after=0)

    assert len(result.results) == 1
    assert [int(exit_code(failure.error)) for failure in result.failures] == [1]


def test_a_pooled_model_is_not_retrained(nights: Nights) -> None:
    with pytest.raises(ConfigError, match="a pooled one") as refused:
        nights.evening(pool="b3", retrain_after=60)

    error: StockLstmError = refused.value
    assert error.hint == "stocklstm train --pooled --name b3 --like +b3@champion"
