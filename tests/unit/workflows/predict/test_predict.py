"""A forecast is right, recorded once, and says what to know about it."""

import json
import math
import shutil
import sqlite3
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stocklstm import load, predict, train
from stocklstm.core.prices.series import Bars
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.errors import (
    ConfigError,
    NoModelError,
    NotFoundError,
    StockLstmError,
    StorageError,
    StoreLockedError,
)
from stocklstm.infer.session import ServingGraph
from stocklstm.store.ledger import Ledger
from stocklstm.store.prices import PriceStore
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.predict.preconditions import Demands
from stocklstm.workflows.predict.predict import LATEST, Forecast, Wanted, of_one_model
from stocklstm.workflows.predict.predict import predict as predict_in
from stocklstm.workflows.scoring import score_model
from tests.conftest import TICKER, TINY, Cli
from tests.support.stored_rows import execute
from tests.support.tampering import replace_file, scaled_graph

EVENING = "2024-03-13T23:00:00Z"


def forecast(
    home: Path, reference: str = TICKER, now: str = EVENING, wanted: Wanted = LATEST
) -> Forecast:
    result = predict([reference], wanted, home=home, now=now)
    assert not result.failures
    return result.forecasts[0]


def test_it_is_the_models_forecast_from_the_last_close(model_home: Path) -> None:
    made = forecast(model_home, wanted=Wanted(adaptive=False))

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


def test_only_the_latest_prices_are_read(model_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    since = PriceStore.bars_since

    def counted(store: PriceStore, ticker: str, start: str) -> Bars:
        bars = since(store, ticker, start)
        rows.append(len(bars))
        return bars

    monkeypatch.setattr(PriceStore, "bars_since", counted)
    made = forecast(model_home)
    assert rows == [31]  # 21 to warm up, windows of 10
    # The very same as from the whole history, to the last digit.
    whole = predict([TICKER], Wanted(at=made.as_of), home=model_home, now=EVENING).forecasts[0]
    assert rows[1] > 3000
    assert (whole.point, whole.quantiles) == (made.point, made.quantiles)


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

    monkeypatch.setattr(Ledger, "record_all", refuse)

    made = forecast(model_home)

    assert np.isfinite(made.point)
    assert "not in the ledger" in made.warnings[0]
    assert not made.unchanged


def test_a_writer_that_takes_long_costs_no_forecast(model_home: Path) -> None:
    with closing(sqlite3.connect(model_home / "stocklstm.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        (made,) = predict([TICKER], home=model_home, now=EVENING, ledger_wait_s=0.01).forecasts
        brief = predict([TICKER], home=model_home, now=EVENING, lock_timeout_s=0.01)

    assert "not in the ledger: another stocklstm is writing" in made.warnings[0]
    assert brief.forecasts == (made,)
    assert forecast(model_home).warnings == ()


def test_a_writer_is_waited_for_once_however_many_forecasts_there_are(
    model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float | None] = []
    patient = Store.patient

    def noted(store: Store, wait_s: float | None) -> AbstractContextManager[None]:
        waits.append(wait_s)
        return patient(store, wait_s)

    monkeypatch.setattr(Store, "patient", noted)
    monkeypatch.setattr("stocklstm.workflows.predict.predict._TOGETHER", 1)
    with closing(sqlite3.connect(model_home / "stocklstm.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        made = predict([TICKER, f"{TICKER}@v1"], home=model_home, ledger_wait_s=0.01)

    assert len(made.forecasts) == 2
    assert waits == [0.01, 0.0]


def test_an_evening_that_cannot_be_recorded_is_no_evening(model_home: Path) -> None:
    with (
        closing(sqlite3.connect(model_home / "stocklstm.db", isolation_level=None)) as writer,
        open_store(model_home, lock_timeout_s=0.01) as store,
    ):
        writer.execute("BEGIN IMMEDIATE")
        result = predict_in(store, [TICKER], now=EVENING)

    assert [type(failure.error) for failure in result.failures] == [StoreLockedError]


def test_a_revised_price_is_told_apart_from_the_same_forecast(model_home: Path) -> None:
    first = forecast(model_home)
    execute(
        model_home,
        "UPDATE prices SET close = close * 1.01, adj_close = adj_close * 1.01"
        " WHERE date = '2024-03-13'",
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


# Other days, farther days, other intervals


@pytest.mark.parametrize("preset", ["calibrated", "paper"])
def test_what_would_have_been_forecast_is_what_is_scored(model_home: Path, preset: str) -> None:
    train([TICKER], configure(preset, **TINY), promote="always", home=model_home)
    model = load(TICKER, home=model_home)
    with open_store(model_home) as store:
        bars = store.prices.bars(TICKER)
        before = Ledger(store.ledger.connection).entries(TICKER)
    origins = np.array([len(bars) - 500, len(bars) - 7, len(bars) - 2])
    days = score_model(model, bars, origins)

    for place, origin in enumerate(origins):
        day = str(bars.dates[origin])
        (made,) = predict([TICKER], Wanted(at=day), home=model_home).forecasts
        assert made.point == days.forecasts.points[place]
        assert list(made.quantiles.values()) == days.forecasts.quantiles[place].tolist()
        assert (made.as_of, made.target_session) == (day, str(days.dates[place]))
        assert made.outcome == days.actuals[place]
        # Closes have risen beyond all that a model of prices learned.
        assert all("has a close of" in warning for warning in made.warnings)
        assert preset == "paper" or not made.warnings
    with open_store(model_home) as store:
        # It was not made then, so it is not on record.
        assert store.ledger.entries(TICKER) == before


def test_a_day_without_a_session_means_the_last_one_before_it(model_home: Path) -> None:
    sunday = predict([TICKER], Wanted(at="2024-03-10"), home=model_home).forecasts[0]
    friday = predict([TICKER], Wanted(at="2024-03-08"), home=model_home).forecasts[0]

    assert sunday == friday
    assert (sunday.as_of, sunday.target_session) == ("2024-03-08", "2024-03-11")


def test_the_last_day_asked_for_by_name_is_the_latest_forecast(model_home: Path) -> None:
    named = predict([TICKER], Wanted(at="2024-03-13"), home=model_home).forecasts[0]
    latest = forecast(model_home)

    assert named.quantiles == latest.quantiles
    assert named.target_session == latest.target_session
    assert named.outcome is None


def test_a_forecast_of_a_day_that_was_learned_says_so(model_home: Path) -> None:
    (made,) = predict([TICKER], Wanted(at="2015-06-01"), home=model_home).forecasts

    assert "was trained with 2015-06-02 in sight" in made.warnings[0]


@pytest.mark.parametrize("horizon", [1, 2, 5, 60])
def test_the_spread_grows_with_the_root_of_the_horizon(model_home: Path, horizon: int) -> None:
    near = forecast(model_home)
    (far,) = predict([TICKER], Wanted(horizon=horizon), home=model_home, now=EVENING).forecasts

    assert far.horizon == horizon
    assert far.point == pytest.approx(near.point)
    for level, close in far.quantiles.items():
        expected = math.sqrt(horizon) * math.log(near.quantiles[level] / near.point)
        assert math.log(close / far.point) == pytest.approx(expected, abs=1e-12)
    with open_store(model_home) as store:
        assert len(store.ledger.entries(TICKER)) == (1 if horizon == 1 else 2)


def test_a_verdict_of_nearer_forecasts_is_named_as_such(model_home: Path) -> None:
    def told(*horizons: int) -> list[list[str]]:
        made = predict([TICKER], Wanted(horizon=horizons), home=model_home, now=EVENING).forecasts
        return [list(each.warnings) for each in made]

    first = f"the verdict on {TICKER}@v1 is of forecasts of the next session, and those"
    command = f"stocklstm evaluate {TICKER}@v1 --horizons"
    assert told(1) == [[]]
    assert told(20) == [[f"{first} 20 sessions ahead were not tested: {command} 20"]]
    far = [f"{first} 2-3,20 sessions ahead were not tested: {command} 1-3,20"]
    assert told(1, 2, 3, 20) == [[], far, far, far]
    # It is no reason to refuse a forecast.
    strict = Demands(strict=True)
    assert not predict(
        [TICKER], Wanted(horizon=20), demands=strict, home=model_home, now=EVENING
    ).failures


@pytest.mark.parametrize("at", [None, "2024-03-06"])
def test_several_sessions_are_forecast_as_each_would_be_alone(
    model_home: Path, monkeypatch: pytest.MonkeyPatch, at: str | None
) -> None:
    horizons = (20, 1, 3)
    alone = [
        predict([TICKER], Wanted(at, horizon), home=model_home, now=EVENING).forecasts[0]
        for horizon in sorted(horizons)
    ]
    with open_store(model_home) as store:
        on_record = store.ledger.entries(TICKER)
    execute(model_home, "DELETE FROM forecasts")
    runs: list[object] = []
    plain = ServingGraph.run
    monkeypatch.setattr(
        ServingGraph, "run", lambda graph, window: runs.append(window) or plain(graph, window)
    )

    made = predict([TICKER], Wanted(at, horizons), home=model_home, now=EVENING).forecasts
    again = predict([TICKER], Wanted(at, horizons), home=model_home, now=EVENING).forecasts

    # What is said of the untested names all that were asked for.
    bare = {"warnings": (), "checks": ()}
    assert [replace(each, **bare) for each in made] == [replace(each, **bare) for each in alone]
    assert [each.horizon for each in made] == [1, 3, 20]
    with open_store(model_home) as store:
        assert store.ledger.entries(TICKER) == on_record
    assert len(on_record) == (3 if at is None else 0)
    assert [each.unchanged for each in again] == [at is None] * 3
    # The network is run once, and not for every session.
    assert len(runs) == 2


def test_several_sessions_are_recorded_together_or_not_at_all(model_home: Path) -> None:
    statements: list[str] = []
    with open_store(model_home) as store:
        store.ledger.connection.set_trace_callback(statements.append)
        made = predict_in(store, [TICKER], Wanted(horizon=(1, 2, 3)), now=EVENING)

    assert len(made.forecasts) == 3
    # What begins without more is read at one moment, and writes nothing.
    writing = [word for word in statements if word.startswith(("BEGIN IMMEDIATE", "COMMIT"))]
    assert writing == ["BEGIN IMMEDIATE", "COMMIT"]
    assert sum("INSERT INTO forecasts" in word for word in statements) == 3


def test_every_ticker_has_all_its_sessions_before_the_next_one(model_home: Path) -> None:
    names = [TICKER, "NOPE3.SA", f"{TICKER}@v1"]

    result = predict(names, Wanted(horizon=(5, 1)), home=model_home, now=EVENING)

    assert [made.horizon for made in result.forecasts] == [1, 5, 1, 5]
    assert [[made.horizon for made in group] for group in of_one_model(result.forecasts)] == [
        [1, 5],
        [1, 5],
    ]
    # One that has no model fails once.
    assert [failure.ticker for failure in result.failures] == ["NOPE3.SA"]


def test_a_far_session_skips_what_is_no_session(model_home: Path) -> None:
    (made,) = predict([TICKER], Wanted(horizon=12), home=model_home, now=EVENING).forecasts

    # 29 March 2024 was Good Friday.
    assert made.target_session == "2024-04-01"


def test_other_intervals(model_home: Path) -> None:
    wanted = Wanted(levels=(0.2, 0.9, 0.98))

    (made,) = predict([TICKER], wanted, home=model_home).forecasts

    assert [interval.level for interval in made.intervals] == [0.2, 0.9, 0.98]
    assert made.intervals[1].lower == made.quantiles["0.05"]
    assert made.intervals[2].upper == made.quantiles["0.99"]


def test_intervals_that_the_forecast_has_no_quantiles_of(
    cli: Cli, model_home: Path, tmp_path: Path
) -> None:
    levels = ("--levels", "0.5,0.8,0.605,0.99")
    table, quiet = cli("predict", *levels), cli("predict", *levels, "--quiet")
    made = json.loads(cli("predict", *levels, "--json").out)["forecasts"][0]

    words = " ".join(table.out.split())
    assert (
        "The 50 % and 60.5 % intervals lie between those of the forecast: interpolated. "
        "The 99 % interval is wider than any of the forecast: extended as a normal tail would go "
        "on."
    ) in words
    # Nothing is wrong, so nothing is said where only what is wrong is.
    assert "interval" not in quiet.err
    assert [(each["interpolated"], each["extended"]) for each in made["intervals"]] == [
        *((True, False), (False, False), (True, False), (False, True))
    ]
    quantiles = made["quantiles"]
    middle = (quantiles["0.2"] + quantiles["0.3"]) / 2
    assert made["intervals"][0]["lower"] == pytest.approx(middle, rel=1e-12)
    assert made["intervals"][3]["lower"] < quantiles["0.01"]
    assert "between" not in cli("predict", "--levels", "0.8,0.9").out

    file = tmp_path / "all.csv"
    assert cli("predict", *levels, "--csv", str(file), "--append").code == 0
    header = file.read_text().partition("\n")[0]
    assert "lower_50,upper_50,lower_80,upper_80,lower_60.5,upper_60.5,lower_99,upper_99" in header
    # A file has the intervals that it began with, and the answer says which.
    other = cli("predict", "--csv", str(file), "--append")
    assert other.code == 2
    assert "--levels 0.5,0.8,0.605,0.99 as in the file" in other.err
    assert file.read_text().partition("\n")[0] == header
    assert cli("predict", *levels, "--plot-file", str(tmp_path / "fan.png")).code == 0
    assert model_home.exists()


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--at", "yesterday"), 2, "--at is a day such as"),
        (("--at", "2024-02-30"), 2, "--at is a day such as"),
        (("--at", "20240301"), 2, "--at is a day such as"),
        (("--at", "2024-W10-1"), 2, "--at is a day such as"),
        (("--at", "2009-12-31"), 6, "begin on 2010-01-04"),
        (("--at", "2010-01-20"), 6, "too few for a forecast"),
        (("--horizon", "0"), 2, "--horizon must be from 1"),
        (("--horizon", "251"), 2, "--horizon must be from 1"),
        (("--horizon", "1-5,a"), 2, "--horizon is a number of sessions, or several"),
        (("--horizon", "5-1"), 2, "--horizon 5-1 goes backwards"),
        (("--levels", "0.8,0.995"), 2, "no interval of 0.995"),
        (("--levels", "0.1"), 2, "no interval of 0.1"),
        (("--levels", "0.5,0.50"), 2, "a level was given twice"),
        (("--levels", "many"), 2, "--levels are numbers"),
        (("--levels", ""), 2, "--levels are numbers"),
        (("--levels", "nan"), 2, "no interval of nan"),
    ],
)
def test_what_cannot_be_forecast(
    cli: Cli, arguments: tuple[str, str], code: int, words: str
) -> None:
    outcome = cli("predict", "-t", TICKER, *arguments)

    assert (outcome.code, outcome.out) == (code, "")
    assert words in outcome.err
    assert "Traceback" not in outcome.err


def test_a_model_of_far_days_forecasts_no_nearer_ones(
    model_home: Path, tiny: TrainingConfig
) -> None:
    train([TICKER], replace(tiny, horizon=5), home=model_home)
    far = f"{TICKER}@v2"

    (failure,) = predict([far], Wanted(horizon=2), home=model_home).failures
    (longer,) = predict([far], Wanted(horizon=20), home=model_home).forecasts
    (own,) = predict([far], home=model_home).forecasts

    assert "forecasts 5 sessions ahead and no fewer" in failure.error.message
    assert failure.error.hint == f"stocklstm train --ticker {TICKER} --horizon 2"
    # One that is too near is reason enough: the ticker has all its sessions or none.
    several = predict([far], Wanted(horizon=(2, 3, 4, 5, 20)), home=model_home)
    assert several.forecasts == ()
    (failure,) = several.failures
    assert failure.error.message.endswith("forecasts 5 sessions ahead and no fewer, not 2-4")
    assert failure.error.hint == f"stocklstm train --ticker {TICKER} --horizon 2"
    both = predict([far], Wanted(horizon=(5, 20)), home=model_home).forecasts
    assert [made.quantiles for made in both] == [own.quantiles, longer.quantiles]
    widths = [made.intervals[0].upper - made.intervals[0].lower for made in (own, longer)]
    assert 1.9 < widths[1] / widths[0] < 2.1


@pytest.mark.usefixtures("model_home")
def test_the_table_shows_what_was_asked_for(cli: Cli) -> None:
    outcome = cli("predict", "-t", TICKER, "--at", "2024-03-01", "--levels", "0.9")

    assert outcome.code == 0
    assert "Outcome" in outcome.out
    assert "90 %" in outcome.out
    assert "R$ 40.08" in outcome.out


@pytest.mark.parametrize(
    ("factor", "code", "words"),
    [(1e30, 6, "what it gives are no prices"), (math.nan, 5, "are not finite")],
    ids=["beyond all numbers", "no number"],
)
def test_what_is_no_price_is_no_forecast(
    cli: Cli, model_home: Path, factor: float, code: int, words: str
) -> None:
    version = model_home / "models" / TICKER / "v1"
    graph = scaled_graph((version / "model.onnx").read_bytes(), factor)
    replace_file(version, "model.onnx", graph)

    outcome = cli("predict", "--json")

    assert outcome.code == code
    assert words in outcome.err
    with open_store(model_home) as store:
        assert store.ledger.entries(TICKER) == []
