"""Old prices, an old model, inputs beyond training: warned of, or refused, and never else."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stocklstm import load, predict, quantize, train
from stocklstm.core.batch import Failure
from stocklstm.core.inputs.features import input_ranges
from stocklstm.core.reference import ModelReference
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.errors import (
    ConfigError,
    NetworkError,
    RejectedDataError,
    StaleDataError,
    StockLstmError,
)
from stocklstm.store.store import open_store
from stocklstm.workflows.loading.model import tickers_with_models
from stocklstm.workflows.loading.pooled_model import load_pool
from stocklstm.workflows.predict.preconditions import Demands
from stocklstm.workflows.predict.predict import Forecast, PredictResult, Wanted
from tests.conftest import TICKER, TINY, Cli
from tests.support.made_prices import made_bars
from tests.support.pooled_store import LAST, NAMES, POOL, dated, put
from tests.support.stored_rows import connect, execute, vouch_for
from tests.support.tampering import replace_manifest

EVENING, LATER = "2024-03-13T23:00:00Z", "2024-03-18T23:00:00Z"
STRICT = Demands(strict=True)


def made(home: Path, demands: Demands, now: str = EVENING, **others: Any) -> PredictResult:
    return predict([TICKER], demands=demands, home=home, now=now, **others)


def forecast(home: Path, demands: Demands, now: str = EVENING, **others: Any) -> Forecast:
    (only,) = made(home, demands, now, **others).forecasts
    return only


def refusal(home: Path, demands: Demands, now: str = EVENING, **others: Any) -> StockLstmError:
    result = made(home, demands, now, **others)
    assert not result.forecasts
    (failure,) = result.failures
    assert isinstance(failure, Failure)
    return failure.error


def details(item: Forecast) -> dict[str, tuple[str, str]]:
    return {check.name: (check.status, check.detail) for check in item.checks}


def recorded(home: Path) -> int:
    with open_store(home) as store:
        return len(store.ledger.entries(TICKER))


def change(home: Path, statement: str) -> None:
    execute(home, statement)


def rise(home: Path) -> None:
    """Let the last close be 40 % higher than it was: further than it ever rose in a day."""
    change(
        home,
        "UPDATE prices SET close = close * 1.4, adj_close = adj_close * 1.4, high = high * 1.4"
        " WHERE date = '2024-03-13'",
    )


def age(home: Path, last: str) -> None:
    """Let the model have been trained on prices to another day."""
    version = home / "models" / TICKER / "v1"
    document = json.loads((version / "manifest.json").read_text())
    document["data"]["last"] = last
    replace_manifest(version, json.dumps(document))


def test_all_is_well_on_the_evening_of_the_last_close(model_home: Path) -> None:
    item = forecast(model_home, Demands(max_age_days=0, strict=True))

    assert item.warnings == ()
    assert [(check.name, check.status) for check in item.checks] == [
        ("prices", "ok"),
        ("age", "ok"),
        ("inputs", "ok"),
    ]
    assert recorded(model_home) == 1


def test_prices_that_are_behind(model_home: Path) -> None:
    item = forecast(model_home, Demands(), LATER)

    words = f"prices are 3 sessions behind: stocklstm fetch --ticker {TICKER}"
    assert item.warnings == (words,)
    assert details(item)["prices"] == ("warning", words)


def spread(home: Path, days: int) -> None:
    """Let the same rows be of days that far apart, the last one unchanged."""
    with closing(connect(home)) as connection:
        dates = [row[0] for row in connection.execute("SELECT date FROM prices ORDER BY date")]
        last = np.datetime64(dates[-1], "D")
        for back, date in enumerate(reversed(dates)):
            other = str(last - np.timedelta64(days * back, "D"))
            connection.execute("UPDATE prices SET date = ? WHERE date = ?", (f"x{other}", date))
        connection.execute("UPDATE prices SET date = substr(date, 2)")
        vouch_for(connection)


@pytest.mark.parametrize(("days", "name"), [(7, "weekly"), (30, "monthly")])
def test_a_forecast_of_rows_that_are_not_daily_says_so(
    model_home: Path, days: int, name: str
) -> None:
    spread(model_home, days)

    item = forecast(model_home, Demands())

    words = f"its prices are {name}, {days} days apart, and so is the forecast: the close {days}"
    assert item.warnings[0].startswith(words)
    assert item.warnings[0].endswith(f": stocklstm prices show --ticker {TICKER}")
    assert [check.name for check in item.checks] == ["prices", "spacing", "age", "inputs"]
    assert f"its prices are {name}" in str(refusal(model_home, STRICT))


@pytest.mark.parametrize(
    ("at", "behind"),
    [("2024-03-01", 0), ("2024-03-13", 0), ("2024-03-17", 2), ("2024-03-18", 3), ("2999-01-01", 3)],
)
def test_a_day_that_the_prices_do_not_reach_is_not_what_was_asked_for(
    model_home: Path, at: str, behind: int
) -> None:
    demands = Demands(strict=True)
    item = predict([TICKER], Wanted(at), now=LATER, home=model_home).forecasts[0]
    refused = predict([TICKER], Wanted(at), demands=demands, now=LATER, home=model_home).failures

    assert item.stale_sessions == behind
    assert details(item)["prices"][0] == ("warning" if behind else "ok")
    assert bool(refused) == bool(behind)
    assert recorded(model_home) == 0


@pytest.mark.parametrize(("most", "status"), [(None, "ok"), (72, "ok"), (71, "warning")])
def test_the_age_is_counted_from_the_last_day_that_the_model_saw(
    model_home: Path, most: int | None, status: str
) -> None:
    age(model_home, "2024-01-01")

    item = forecast(model_home, Demands(max_age_days=most))

    # 30 more days of January, 29 of February, 13 of March.
    found, words = details(item)["age"]
    assert found == status
    assert f"{TICKER}@v1 has seen prices to 2024-01-01, 72 days before the last close" in words
    assert item.warnings == ((words,) if status == "warning" else ())


def test_a_day_before_the_model_is_not_old(model_home: Path) -> None:
    item = forecast(model_home, Demands(0, strict=True), wanted=Wanted(at="2024-03-01"))

    assert details(item)["age"] == (
        "ok",
        f"{TICKER}@v1 has seen prices to 2024-03-13, after this close",
    )
    assert details(item)["prices"] == ("ok", "those to 2024-03-01, as was asked for")


def test_a_rise_beyond_all_that_training_saw(model_home: Path) -> None:
    rise(model_home)

    item = forecast(model_home, Demands())

    (warning,) = item.warnings
    assert warning.startswith("beyond training: a return of ")
    assert "σ on 2024-03-13, above the limit of " in warning
    assert "(training saw -" in warning
    assert warning.endswith(f": stocklstm prices show --ticker {TICKER}")
    assert details(item)["inputs"] == ("warning", warning)


def test_a_close_beyond_all_that_a_price_model_learned(model_home: Path) -> None:
    train([TICKER], configure("paper-short", **TINY), promote="always", home=model_home)

    item = forecast(model_home, Demands(), wanted=Wanted(at="2024-02-16"))

    (warning,) = item.warnings
    assert warning.startswith("beyond training: a close of")
    assert warning.endswith(f": stocklstm train --ticker {TICKER} --preset calibrated")


def test_the_ranges_are_those_of_the_training_part_alone(model_home: Path) -> None:
    manifest = load(TICKER, home=model_home).manifest
    with open_store(model_home) as store:
        bars = store.prices.bars(TICKER)
    end = int(np.flatnonzero(bars.dates == np.datetime64(manifest.splits.train_end))[0]) - 1
    seen = bars.select(slice(0, end + 1))

    rows = np.arange(manifest.scaling.warm_up, end + 1)
    expected = input_ranges(manifest.config.features, seen, rows, manifest.scaling.anchor)

    assert manifest.input_ranges == expected


def test_a_quantized_version_keeps_the_ranges(model_home: Path) -> None:
    quantize([TICKER], home=model_home)

    parent, child = (load(f"{TICKER}@v{n}", home=model_home).manifest for n in (1, 2))

    assert child.input_ranges == parent.input_ranges != ()


def test_a_version_without_ranges_cannot_tell(model_home: Path) -> None:
    version = model_home / "models" / TICKER / "v1"
    document = json.loads((version / "manifest.json").read_text())
    del document["input_ranges"]
    replace_manifest(version, json.dumps(document))
    rise(model_home)

    item = forecast(model_home, STRICT)

    assert item.warnings == ()
    status, words = details(item)["inputs"]
    assert (status, words[:14]) == ("ok", "cannot be told")


# Strict


def test_strict_refuses_prices_that_are_behind_and_records_nothing(model_home: Path) -> None:
    error = refusal(model_home, STRICT, LATER)

    assert isinstance(error, StaleDataError)
    assert error.message.endswith("under --strict: prices are 3 sessions behind")
    assert error.hint == f"stocklstm fetch --ticker {TICKER}"
    assert recorded(model_home) == 0


def test_strict_names_all_reasons_and_each_next_command_once(model_home: Path) -> None:
    age(model_home, "2024-01-01")
    rise(model_home)

    error = refusal(model_home, replace(STRICT, max_age_days=30), LATER)

    assert isinstance(error, StaleDataError)
    for words in ("3 sessions behind", "72 days before", "a return of"):
        assert words in error.message
    assert str(error.hint).split(" && ") == [
        f"stocklstm fetch --ticker {TICKER}",
        f"stocklstm train --ticker {TICKER} --like {TICKER}@v1",
        f"stocklstm prices show --ticker {TICKER}",
    ]


def test_strict_refuses_inputs_beyond_training(model_home: Path) -> None:
    rise(model_home)

    assert isinstance(refusal(model_home, STRICT), RejectedDataError)
    assert recorded(model_home) == 0


def typed(cli: Cli, command: str) -> None:
    """Type a hint."""
    for each in command.split(" && "):
        outcome = cli(*each.split()[1:])
        assert outcome.code == 0, outcome.err


OLD = Demands(max_age_days=60, strict=True)


def test_the_command_that_is_named_mends_an_old_model(journal: Path, cli: Cli) -> None:
    command = str(refusal(journal, OLD).hint)

    typed(cli, command)

    assert command == f"stocklstm train --ticker {TICKER} --like {TICKER}@v1"
    assert forecast(journal, OLD).version == 2


def test_a_younger_version_that_is_not_champion_is_the_remedy(
    journal: Path, cli: Cli, tiny: TrainingConfig
) -> None:
    # Other settings are no remedy.
    for config in (tiny, replace(tiny, seed=3)):
        train([TICKER], config, promote="never", home=journal)
    command = str(refusal(journal, OLD).hint)

    typed(cli, command)

    assert command == f"stocklstm models promote {TICKER}@v2"
    assert forecast(journal, OLD).version == 2


def test_of_an_old_version_that_was_asked_for_the_champion_is_the_remedy(
    journal: Path, cli: Cli, tiny: TrainingConfig
) -> None:
    train([TICKER], replace(tiny, seed=3), promote="always", home=journal)
    (without,) = predict([f"{TICKER}@v1"], demands=OLD, home=journal, now=EVENING).failures
    train([TICKER], tiny, promote="always", home=journal)
    (error,) = predict([f"{TICKER}@v1"], demands=OLD, home=journal, now=EVENING).failures

    typed(cli, str(error.error.hint))

    assert error.error.hint == f"stocklstm predict --ticker {TICKER}"
    assert without.error.hint == (
        f"stocklstm train --ticker {TICKER} --like {TICKER}@v1"
        f" && stocklstm predict --ticker {TICKER}"
    )


def test_the_command_that_is_named_mends_an_old_pooled_model(pool_home: Path, cli: Cli) -> None:
    later = dated(made_bars(440, 0), LAST + np.timedelta64(28, "D"))
    put(pool_home, NAMES[0], later.select(slice(-20, None)))
    demands = Demands(max_age_days=20, strict=True)

    def attempt() -> PredictResult:
        now = f"{later.dates[-1]}T23:00:00Z"
        return predict([NAMES[0]], pool="b3", demands=demands, home=pool_home, now=now)

    command = str(attempt().failures[0].error.hint)
    typed(cli, command)

    assert command == "stocklstm train --pooled --name b3 --like +b3@v1"
    assert [each.version for each in attempt().forecasts] == [2]
    with open_store(pool_home) as store:
        members = load_pool(store, ModelReference(POOL)).members
    assert sorted(members) == sorted(NAMES)


# Prices that could not be refreshed


def test_prices_that_could_not_be_refreshed_are_warned_of(model_home: Path) -> None:
    error = NetworkError("Yahoo did not answer", hint="try again")
    unrefreshed = {TICKER: error, "VALE3.SA": NetworkError("another")}

    item = forecast(model_home, Demands(unrefreshed=unrefreshed), LATER)

    (warning,) = item.warnings
    assert warning.startswith(
        "prices could not be refreshed (Yahoo did not answer), and prices are 3 sessions behind"
    )
    assert refusal(model_home, Demands(strict=True, unrefreshed=unrefreshed)) is error
    assert recorded(model_home) == 1


def test_an_age_below_zero_is_none() -> None:
    with pytest.raises(ConfigError, match="--max-age"):
        Demands(max_age_days=-1)


def test_the_tickers_of_references(model_home: Path) -> None:
    with open_store(model_home) as store:
        assert tickers_with_models(store, []) == [TICKER]
        assert tickers_with_models(store, ["petr4.sa@v1", TICKER]) == [TICKER]
        # What has no model is not fetched for a forecast: it may be a slip of the finger.
        assert tickers_with_models(store, ["AAPL", TICKER]) == [TICKER]
