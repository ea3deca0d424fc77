"""Forecasts that were given are scored as they were given, and drift is noticed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stocklstm import evaluate_live, load, predict, train
from stocklstm.core.forecasts.live import FEWEST
from stocklstm.core.scores.evaluation import evaluate as evaluate_days
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.errors import ConfigError, NoModelError
from stocklstm.store.store import open_store
from stocklstm.workflows.scoring import score_model
from tests.conftest import TICKER, TINY, Cli
from tests.support.evenings import DAYS, close, cut_off, evening, live_through, scores_of
from tests.support.places import DOCS
from tests.support.stored_rows import execute

# --- What is scored ------------------------------------------------------------------------------


def test_it_agrees_with_the_backtest_of_the_same_days_to_the_last_digit(journal: Path) -> None:
    live = scores_of(journal)

    model = load(TICKER, home=journal)
    with open_store(journal) as store:
        bars = store.prices.bars(TICKER)
    days = score_model(model, bars, np.arange(len(bars) - DAYS - 1, len(bars) - 1))
    assert live.evaluation == evaluate_days(days, model.manifest.mase_scale)
    assert (live.n, live.version, live.versions, live.horizon) == (DAYS, None, (1,), 1)
    assert live.verdict == live.evaluation.verdict
    assert live.drift.status == "steady"
    assert (live.drift.n, live.left_out.open) == (DAYS, 1)


def test_the_latest_ones(journal: Path) -> None:
    live = scores_of(journal, last=30)

    with open_store(journal) as store:
        bars = store.prices.bars(TICKER)
    assert live.evaluation is not None
    assert (live.n, live.evaluation.start) == (30, str(bars.dates[-30]))
    assert (live.left_out.earlier, live.left_out.open) == (DAYS - 30, 1)
    assert scores_of(journal, last=DAYS + 5) == scores_of(journal)
    with pytest.raises(ConfigError, match="--last must be 1 or more"):
        evaluate_live(last=0, home=journal)


def test_a_few_forecasts_have_scores_and_no_verdict(journal: Path) -> None:
    live = scores_of(journal, last=FEWEST - 1)

    assert live.evaluation is not None
    assert live.evaluation.point.rmse > 0
    assert live.verdict is None
    assert live.verdict_text == "TOO FEW TO JUDGE: 19 forecasts have closed, of 20 needed."
    assert live.drift.status == "too_few"
    assert scores_of(journal, last=FEWEST).verdict is not None
    assert scores_of(journal, last=1).n == 1


def test_a_ledger_without_a_closed_session(model_home: Path) -> None:
    empty = scores_of(model_home)
    predict([TICKER], home=model_home, now="2024-03-13T23:00:00Z")
    waiting = scores_of(model_home)

    for live in (empty, waiting):
        assert (live.n, live.evaluation, live.verdict, live.versions) == (0, None, None, ())
        assert live.drift.status == "too_few"
    assert (empty.left_out.open, waiting.left_out.open) == (0, 1)
    assert waiting.verdict_text.startswith("NOTHING TO SCORE YET: 1 forecast waits")


def test_a_forecast_made_after_the_close_does_not_count(journal: Path) -> None:
    with open_store(journal) as store:
        bars = store.prices.bars(TICKER)
    day = str(bars.dates[-3])
    # B3 closes at 18:00 in São Paulo while the United States have winter time: 21:00 UTC.
    execute(
        journal,
        "UPDATE forecasts SET made_at = ? WHERE target_session = ?",
        *(f"{bars.dates[-1]}T21:00:00Z", str(bars.dates[-1])),
    )
    execute(
        journal,
        "UPDATE forecasts SET made_at = ? WHERE target_session = ?",
        *(f"{day}T19:59:59Z", day),
    )

    live = scores_of(journal)

    assert (live.n, live.left_out.too_late) == (DAYS - 1, 1)


def test_where_the_calendar_is_not_known_the_day_decides(journal: Path) -> None:
    with open_store(journal) as store:
        day = str(store.prices.bars(TICKER).dates[-1])
    execute(journal, "DELETE FROM sessions")
    for at, counted in ((f"{day}T23:59:59Z", DAYS), (f"{day[:8]}14T00:00:00Z", DAYS - 1)):
        execute(journal, "UPDATE forecasts SET made_at = ? WHERE target_session = ?", *(at, day))

        assert scores_of(journal).n == counted


def test_a_split_since_rescales_what_was_forecast(journal: Path) -> None:
    before = scores_of(journal)
    execute(
        journal,
        "UPDATE prices SET open = open / 4, high = high / 4, low = low / 4, close = close / 4,"
        " adj_close = adj_close / 4",
    )

    after = scores_of(journal)

    assert before.evaluation is not None
    assert after.evaluation is not None
    assert after.n == before.n
    assert after.evaluation.point.rmse == pytest.approx(before.evaluation.point.rmse / 4)
    assert after.evaluation.point.skill == pytest.approx(before.evaluation.point.skill, abs=1e-9)
    assert after.evaluation.point.mase == pytest.approx(before.evaluation.point.mase)
    held = [scores.evaluation.distribution.coverage[0].share for scores in (before, after)]
    assert held[0] == held[1]
    assert after.drift.cusum == pytest.approx(before.drift.cusum, abs=1e-6)


def test_days_that_are_no_longer_stored_are_counted(journal: Path) -> None:
    with open_store(journal) as store:
        day = str(store.prices.bars(TICKER).dates[-10])
    execute(journal, "DELETE FROM prices WHERE date = ?", day)

    live = scores_of(journal)

    # One forecast was made on that day, another one was of it.
    assert (live.n, live.left_out.not_stored) == (DAYS - 2, 2)


def test_another_horizon_is_another_matter(journal: Path) -> None:
    with open_store(journal) as store:
        entry = store.ledger.entries(TICKER)[30]
        store.ledger.record(entry._replace(horizon=5, version=1))

    live = scores_of(journal)

    assert (live.n, live.left_out.other_horizon) == (DAYS, 1)


def test_forecasts_of_a_farther_day_are_scored_as_such(
    model_home: Path, tiny: TrainingConfig
) -> None:
    far = f"{TICKER}@v2"
    assert not train([TICKER], replace(tiny, horizon=5), home=model_home, promote="never").failures
    bars = cut_off(model_home, 30)
    live_through(model_home, bars, range(len(bars) - 31, len(bars)), far)

    live = scores_of(model_home, far)

    model = load(far, home=model_home)
    # The last five are of days that have not closed.
    days = score_model(model, bars, np.arange(len(bars) - 31, len(bars) - 5))
    assert live.evaluation == evaluate_days(days, model.manifest.mase_scale)
    assert (live.n, live.horizon, live.left_out.open) == (26, 5, 5)
    # Only every fifth span is news, and six of them are too few.
    assert (live.drift.status, live.drift.n) == ("too_few", 6)


# --- Whose forecasts -----------------------------------------------------------------------------


def crown(home: Path, version: int, at: str) -> None:
    """Make a version champion, as of a time; before the first such time v1 was."""
    with open_store(home) as store:
        store.registry.aliases.promote(TICKER, version, reason="a test", at=at)


def test_retraining_and_rollback_keep_the_record(model_home: Path, tiny: TrainingConfig) -> None:
    bars = cut_off(model_home, 24)
    first = len(bars) - 25
    train([TICKER], replace(tiny, hidden_size=8), home=model_home, promote="never")
    live_through(model_home, bars, range(first, first + 9))
    crown(model_home, 2, f"{bars.dates[first + 8]}T23:30:00Z")
    live_through(model_home, bars, range(first + 9, first + 17))
    # A forecast by name, of a version that is not the champion, is nobody's forecast.
    predict([f"{TICKER}@v1"], home=model_home, now=evening(bars, first + 16))
    crown(model_home, 1, f"{bars.dates[first + 16]}T23:30:00Z")
    live_through(model_home, bars, range(first + 17, first + 25))

    pooled = scores_of(model_home)
    by_version = {version: scores_of(model_home, f"{TICKER}@v{version}") for version in (1, 2)}

    assert (pooled.n, pooled.versions) == (24, (1, 2))
    assert pooled.left_out.not_champion == 1
    # The one by name is the version's own all the same.
    assert [by_version[v].n for v in (1, 2)] == [17, 8]
    assert by_version[1].versions == (1,)
    assert by_version[2].version == 2
    assert scores_of(model_home, f"{TICKER}@previous") == by_version[2]
    assert scores_of(model_home, f"{TICKER}@champion") == pooled


def test_of_two_champions_of_one_evening_the_first_one_stands(
    model_home: Path, tiny: TrainingConfig
) -> None:
    bars = cut_off(model_home, 2)
    row = len(bars) - 3
    train([TICKER], replace(tiny, hidden_size=8), home=model_home, promote="never")
    live_through(model_home, bars, [row])
    crown(model_home, 2, f"{bars.dates[row]}T23:10:00Z")
    predict([TICKER], home=model_home, now=f"{bars.dates[row]}T23:30:00Z")
    close(model_home, bars, row + 1)

    live = scores_of(model_home)

    assert (live.n, live.versions, live.left_out.repeated) == (1, (1,), 1)


def test_the_forecasts_of_a_version_that_is_gone_are_counted(
    journal: Path, tiny: TrainingConfig
) -> None:
    train([TICKER], tiny, home=journal, promote="always")
    execute(journal, "DELETE FROM versions WHERE version = 1")

    live = scores_of(journal)

    assert (live.n, live.left_out.version_removed, live.left_out.open) == (0, DAYS, 1)
    # What users were given stays what it was: this needs no model.
    (made,) = predict([TICKER], home=journal, now="2024-03-13T23:30:00Z").forecasts
    assert made.live is not None
    assert made.live.n == 60


def test_what_is_not_there(journal: Path) -> None:
    result = evaluate_live([TICKER, f"{TICKER}@v7", "NOPE3.SA"], home=journal)

    assert [scores.n for scores in result.results] == [DAYS]
    assert all(isinstance(failure.error, NoModelError) for failure in result.failures)
    assert len(result.failures) == 2


# --- Drift ---------------------------------------------------------------------------------------


def test_a_series_that_shifts_raises_the_alarm(model_home: Path, cli: Cli) -> None:
    bars = cut_off(model_home, 40)
    first = len(bars) - 41
    # From now on 3 % more each day than the model has ever seen on average.
    growth = np.ones(len(bars))
    growth[first + 1 :] = 1.03 ** np.arange(1, 41)
    columns = {
        name: getattr(bars, name) * growth
        for name in ("opens", "highs", "lows", "closes", "adj_closes")
    }
    live_through(model_home, replace(bars, **columns), range(first, len(bars)))

    live = scores_of(model_home)
    outcome = cli("evaluate", "--live", "--fail-on", "drift", "--json")

    assert live.drift.status == "drift"
    assert "calibration" in live.drift.alarms
    assert outcome.code == 3
    assert json.loads(outcome.out)["results"][0]["drift"]["status"] == "drift"
    assert cli("evaluate", "--live").code == 0
    assert "DRIFT: chi-squared" in cli("evaluate", "--live").out


def test_a_model_without_enough_of_a_test_part_says_what_it_cannot_tell(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stocklstm.core.scores.drift._FEWEST_REFERENCE", 5_000)

    live = scores_of(journal)

    assert live.drift.cusum is None
    assert "does not tell what is usual" in live.warnings[0]


def test_prices_that_a_model_learned_as_such_are_rescaled(journal: Path) -> None:
    config = configure("paper-short", **{**TINY, "epochs": 2})
    train([TICKER], config, home=journal, promote="always")
    with open_store(journal) as store:
        for entry in store.ledger.entries(TICKER):
            store.ledger.record(entry._replace(version=2))
    execute(journal, "UPDATE prices SET close = close / 2, adj_close = adj_close / 2")

    live = scores_of(journal, f"{TICKER}@v2")

    assert live.n == DAYS
    assert live.drift.cusum is None
    assert "rescaled by 0.5" in live.warnings[0]


# --- The command ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--last", "5"), "--last and --fail-on are of live scores"),
        (("--fail-on", "drift"), "--last and --fail-on are of live scores"),
        (("--live", "--last", "0"), "--last must be 1 or more"),
        (("--live", "--fail-on", "boredom"), "--fail-on knows nothing of 'boredom'"),
    ],
)
def test_options_that_make_no_sense(cli: Cli, arguments: tuple[str, ...], words: str) -> None:
    outcome = cli("evaluate", *arguments)

    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.err


@pytest.mark.usefixtures("journal")
def test_the_document(cli: Cli) -> None:
    outcome = cli("evaluate", "--live", "--fail-on", "drift", "--json")

    assert outcome.code == 0
    (entry,) = json.loads(outcome.out, parse_constant=pytest.fail)["results"]
    assert entry.keys() == {
        *("ticker", "version", "versions", "horizon", "currency", "live", "n", "test", "point"),
        *("rivals", "direction", "distribution", "verdict", "verdict_text", "drift"),
        *("left_out", "warnings"),
    }
    assert entry["drift"].keys() == {
        *("status", "alarms", "start", "n", "pit_stat", "pit_p", "cusum", "since")
    }
    assert (entry["n"], entry["test"]["n"], entry["live"]) == (DAYS, DAYS, True)
    documented = (DOCS / "reference" / "json.md").read_text()
    for key in (*entry, *entry["drift"], *entry["left_out"]):
        assert f"`{key}`" in documented


@pytest.mark.usefixtures("journal")
def test_the_keys_are_the_same_where_nothing_has_closed(
    model_home_of_its_own: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = json.loads(cli("evaluate", "--live", "--json").out)["results"][0]
    monkeypatch.setenv("STOCKLSTM_HOME", str(model_home_of_its_own))

    outcome = cli("evaluate", "--live", "--fail-on", "drift", "--json")

    empty = json.loads(outcome.out)["results"][0]
    assert outcome.code == 0
    assert empty.keys() == full.keys()
    assert (empty["n"], empty["point"], empty["verdict"]) == (0, None, None)


@pytest.fixture
def model_home_of_its_own(_modelled: Path, tmp_path: Path) -> Path:
    shutil.copytree(_modelled, tmp_path / "other")
    return tmp_path / "other"


@pytest.mark.usefixtures("journal")
def test_the_table_and_the_bare_line(cli: Cli) -> None:
    table = cli("evaluate", "--live").out
    bare = cli("evaluate", "--live", "--quiet").out
    few = cli("evaluate", "--live", "--last", "3").out

    for words in ("live: 70 forecasts", "80 % interval", "CUSUM at", "1 waiting for a close"):
        assert words in table
    assert bare == f"{TICKER} 70 steady\n"
    assert "3 forecasts are too few to tell" in few
    assert "TOO FEW TO JUDGE" in few
    assert cli("evaluate", "--live", "-t", f"{TICKER}@v1", "-q").out == f"{TICKER}@v1 70 steady\n"
