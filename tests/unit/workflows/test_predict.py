"""A forecast is right, recorded once, and says what to know about it."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from stocklstm.core.config import TrainingConfig, configure
from stocklstm.errors import ConfigError, NoModelError, NotFoundError, StockLstmError, StorageError
from stocklstm.store.ledger import Ledger
from stocklstm.store.store import open_store
from stocklstm.workflows.predict import Forecast, predict
from stocklstm.workflows.serving import load
from stocklstm.workflows.train import train
from tests.conftest import TICKER, TINY

EVENING = "2024-03-13T23:00:00Z"


def forecast(home: Path, reference: str = TICKER, now: str = EVENING) -> Forecast:
    result = predict([reference], home=home, now=now)
    assert not result.failures
    return result.forecasts[0]


def test_it_is_the_models_forecast_from_the_last_close(model_home: Path) -> None:
    made = forecast(model_home)

    with open_store(model_home) as store:
        bars = store.prices.bars(TICKER)
    expected = load(TICKER, home=model_home).forecast(bars).closes(bars.closes[-1:])
    assert made.point == expected.points[0]
    assert list(made.quantiles.values()) == expected.quantiles[0].tolist()
    assert made.last_close == bars.closes[-1]
    assert made.change_pct == pytest.approx(100 * (made.point / made.last_close - 1))
    by_level = {interval.level: interval for interval in made.intervals}
    assert by_level[0.95].lower == made.quantiles["0.025"]
    assert by_level[0.8].upper == made.quantiles["0.9"]


def test_it_names_the_days(model_home: Path) -> None:
    made = forecast(model_home)

    assert (made.as_of, made.target_session, made.stale_sessions) == ("2024-03-13", "2024-03-14", 0)
    assert made.warnings == ()


def test_the_target_skips_weekends_and_holidays(model_home: Path) -> None:
    with open_store(model_home) as store:
        # 29 March 2024 was Good Friday.
        assert store.sessions.next_after("BVMF", "2024-03-28") == "2024-04-01"


def test_stale_prices_are_counted_in_sessions_that_have_ended(model_home: Path) -> None:
    before_close = forecast(model_home, now="2024-03-14T19:00:00Z")
    after_close = forecast(model_home, now="2024-03-18T23:00:00Z")

    assert before_close.stale_sessions == 0
    assert after_close.stale_sessions == 3
    assert "3 sessions behind" in after_close.warnings[0]


def test_the_same_forecast_is_recorded_once(model_home: Path) -> None:
    first, second = forecast(model_home), forecast(model_home, now="2024-03-14T01:00:00Z")

    assert not first.unchanged
    assert second.unchanged
    with open_store(model_home) as store:
        (entry,) = store.ledger.entries(TICKER)
    assert entry.made_at == EVENING
    assert entry.point == first.point
    assert list(entry.quantiles) == list(first.quantiles.values())


def test_another_version_makes_a_forecast_of_its_own(
    model_home: Path, tiny: TrainingConfig
) -> None:
    train([TICKER], tiny, home=model_home, promote="always")

    made = [forecast(model_home, f"{TICKER}@{name}") for name in ("v1", "v2", "previous")]

    assert [m.version for m in made] == [1, 2, 1]
    assert [m.unchanged for m in made] == [False, False, True]


def test_it_carries_the_verdict_of_the_evaluation(model_home: Path) -> None:
    made = forecast(model_home)

    evaluation = load(TICKER, home=model_home).manifest.evaluation
    assert (made.verdict, made.verdict_text) == (evaluation.verdict, evaluation.verdict_text)


def test_a_price_model_forecasts_too(model_home: Path) -> None:
    config = configure("paper-short", **{**TINY, "epochs": 10})
    train([TICKER], config, home=model_home, promote="always")

    made = forecast(model_home)

    assert made.version == 2
    assert made.point == pytest.approx(made.last_close, rel=0.5)
    assert list(made.quantiles.values()) == sorted(made.quantiles.values())


@pytest.mark.parametrize("error", [ConfigError("not yours"), StorageError("disk full")])
def test_a_ledger_that_cannot_be_written_costs_no_forecast(
    model_home: Path, monkeypatch: pytest.MonkeyPatch, error: StockLstmError
) -> None:
    # As root no permission binds; this is what SQLite's refusal becomes.
    def refuse(_self: Ledger, _entry: object) -> None:
        raise error

    monkeypatch.setattr(Ledger, "record", refuse)

    made = forecast(model_home)

    assert np.isfinite(made.point)
    assert "not in the ledger" in made.warnings[0]
    assert not made.unchanged


def test_a_revised_price_is_told_apart_from_the_same_forecast(model_home: Path) -> None:
    first = forecast(model_home)
    with closing(sqlite3.connect(model_home / "stocklstm.db", isolation_level=None)) as connection:
        connection.execute(
            "UPDATE prices SET close = close * 1.01, adj_close = adj_close * 1.01"
            " WHERE date = '2024-03-13'"
        )

    second = forecast(model_home)

    assert second.point != first.point
    assert not second.unchanged
    assert f"stays {first.point:.2f}" in second.warnings[0]
    with open_store(model_home) as store:
        (entry,) = store.ledger.entries(TICKER)
    assert entry.point == first.point


def test_a_forecast_is_the_one_that_is_scored_to_the_last_digit(model_home: Path) -> None:
    model = load(TICKER, home=model_home)
    with open_store(model_home) as store:
        bars = store.prices.bars(TICKER)
    origins = np.arange(2800, 2860)

    scored = model.forecaster.forecast(bars, origins)

    for row, origin in enumerate(origins):
        alone = model.forecast(bars.select(slice(0, origin + 1)))
        assert alone.quantiles[0].tolist() == scored.quantiles[row].tolist()


def test_no_ticker_means_every_model(model_home: Path) -> None:
    assert [made.ticker for made in predict(home=model_home).forecasts] == [TICKER]


def test_one_failing_ticker_does_not_stop_the_others(model_home: Path) -> None:
    result = predict(["NOPE3.SA", TICKER, f"{TICKER}@v9"], home=model_home)

    assert [made.ticker for made in result.forecasts] == [TICKER]
    assert [failure.ticker for failure in result.failures] == ["NOPE3.SA", TICKER]
    assert all(isinstance(failure.error, NoModelError) for failure in result.failures)


def test_no_store_and_no_model_are_told_apart(home: Path, priced_home: Path) -> None:
    with pytest.raises(NoModelError, match="no model"):
        predict(home=priced_home)
    shutil.rmtree(priced_home)
    with pytest.raises(NotFoundError, match="no store"):
        predict(home=home)
