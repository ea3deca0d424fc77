"""Champions that are due are trained anew with their own settings, and no others."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stocklstm import (
    RetrainingRule,
    effective_settings,
    find_due,
    load,
    promote,
    quantize,
    retrain,
    train,
)
from stocklstm.core.settings.compression import Compression
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.errors import ConfigError, NoModelError, NoPricesError
from stocklstm.store.store import open_store
from stocklstm.workflows.retraining import Retraining
from tests.conftest import TICKER, TINY, Cli
from tests.support.evenings import DAYS, cut_off, live_through
from tests.support.made_prices import made_bars
from tests.support.pooled_store import dated, put
from tests.support.stored_rows import execute
from tests.support.tampering import replace_manifest

OTHER = "AAA3.SA"


def judged(home: Path, rule: RetrainingRule | None = None, ticker: str = TICKER) -> Retraining:
    found = find_due([ticker], rule, home=home)
    assert not found.failures
    (only,) = found.results
    return only


# --- Age -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "due"), [(0, True), (DAYS - 1, True), (DAYS, False)])
def test_age_is_counted_in_sessions_since_the_last_one_it_saw(
    journal: Path, most: int, due: bool
) -> None:
    found = judged(journal, RetrainingRule(older_than=most))

    assert (found.due, found.sessions, found.champion) == (due, DAYS, 1)
    assert f"{DAYS} sessions after {load(TICKER, home=journal).manifest.data.last}" in found.reason
    assert f"{most} at most are allowed" in found.reason
    assert found.drift is None


def test_an_old_champion_is_trained_anew_once(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = RetrainingRule(older_than=60)
    # Its own settings are meant, whatever else is said.
    monkeypatch.setenv("STOCKLSTM_HIDDEN_SIZE", "3")

    (first,) = retrain(rule=rule, home=journal).results
    (again,) = retrain(rule=rule, home=journal).results

    assert first.trained is not None
    assert (first.trained.version, first.trained.promoted) == (2, True)
    manifests = [load(f"{TICKER}@v{number}", home=journal).manifest for number in (1, 2)]
    assert manifests[0].config == manifests[1].config
    with open_store(journal) as store:
        assert manifests[1].data.last == str(store.prices.bars(TICKER).dates[-1])
    assert again.trained is None
    assert (again.retraining.champion, again.retraining.sessions) == (2, 0)


def test_what_did_not_become_champion_is_not_trained_every_evening(journal: Path) -> None:
    rule = RetrainingRule(older_than=60)
    retrain(rule=rule, promote="never", home=journal)

    found = judged(journal, rule)

    assert (found.due, found.champion, found.sessions) == (False, 1, 0)
    assert f"that {TICKER}@v2 has seen, which is not the champion" in found.reason
    assert not judged(journal).due


def test_an_experiment_does_not_make_a_champion_young(journal: Path, tiny: TrainingConfig) -> None:
    train([TICKER], replace(tiny, seed=3), promote="never", home=journal)

    assert judged(journal, RetrainingRule(older_than=60)).sessions == DAYS


def test_without_a_reason_it_is_due_if_its_prices_are_others(model_home: Path) -> None:
    before = judged(model_home)
    execute(model_home, "UPDATE prices SET volume = volume + 1 WHERE date = '2020-03-12'")

    after = judged(model_home)

    assert not before.due
    assert (after.due, after.sessions) == (True, 0)
    assert after.reason.startswith("revised prices")


def test_a_model_of_prices_is_due_after_a_split(model_home: Path) -> None:
    train([TICKER], configure("paper-short", **TINY), promote="always", home=model_home)
    rule = RetrainingRule(older_than=60)
    before = judged(model_home, rule)
    execute(model_home, "UPDATE prices SET close = close / 2, adj_close = adj_close / 2")

    after = judged(model_home, rule)

    assert not before.due
    assert after.due
    assert "rescaled by 0.5 since, as by a split" in after.reason


# --- Drift ---------------------------------------------------------------------------------------


def test_without_an_alarm_nothing_is_due(journal: Path) -> None:
    found = judged(journal, RetrainingRule(drift=True))

    assert (found.due, found.drift) == (False, "steady")
    assert found.reason == "its forecasts raise no alarm"
    # Either is reason enough, and only what is one is said.
    both = judged(journal, RetrainingRule(older_than=60, drift=True))
    assert (both.due, both.drift) == (True, "steady")
    assert "alarm" not in both.reason


def test_an_alarm_is_answered_once(model_home: Path) -> None:
    bars = cut_off(model_home, 40)
    first = len(bars) - 41
    # From now on 3 % more each day than the model has ever seen on average.
    growth = np.ones(len(bars))
    growth[first + 1 :] = 1.03 ** np.arange(1, 41)
    columns = {
        name: getattr(bars, name) * growth
        for name in ("opens", "highs", "lows", "closes", "adj_closes")
    }
    shifted = replace(bars, **columns)
    # The version saw the days after, and so there is nothing new to learn.
    live_through(model_home, shifted, range(first, len(bars)))
    rule = RetrainingRule(drift=True)
    nothing_new = judged(model_home, rule)
    _forget(model_home, str(bars.dates[first]))

    due = judged(model_home, rule)
    retrain([TICKER], rule, promote="never", home=model_home)
    answered = judged(model_home, rule)

    assert (nothing_new.due, nothing_new.drift) == (False, "drift")
    assert (due.due, due.drift, due.sessions) == (True, "drift", 40)
    assert due.reason == "its forecasts raise an alarm (calibration)"
    assert (answered.due, answered.drift, answered.sessions) == (False, "drift", 0)
    assert "there is little new to learn" in answered.reason


def _forget(home: Path, last: str) -> None:
    """Let the champion have seen prices to an earlier day."""
    version = home / "models" / TICKER / "v1"
    document = json.loads((version / "manifest.json").read_text())
    document["data"]["last"] = last
    replace_manifest(version, json.dumps(document))


# --- Whose settings ------------------------------------------------------------------------------


def test_a_smaller_version_is_retrained_as_what_it_descends_from(journal: Path) -> None:
    compression = Compression("prune", structured=True, epochs=1)
    (pruned,) = quantize([TICKER], compression, tolerance_pct=1e6, home=journal).results
    (small,) = quantize([f"{TICKER}@v2"], tolerance_pct=1e6, home=journal).results
    assert (pruned.promoted, small.parent, small.version) == (True, 2, 3)
    promote(f"{TICKER}@v3", home=journal)
    first = load(f"{TICKER}@v1", home=journal).manifest.config
    assert load(TICKER, home=journal).manifest.config.hidden_size < first.hidden_size
    assert effective_settings({}, like=TICKER, home=journal).config == first

    (made,) = retrain([TICKER], home=journal).results

    assert made.retraining.settings == f"{TICKER}@v1"
    assert made.trained is not None
    manifest = load(f"{TICKER}@v{made.trained.version}", home=journal).manifest
    assert manifest.config == first
    assert (manifest.method, manifest.parent) == ("float32", None)


# --- Many tickers --------------------------------------------------------------------------------


@pytest.fixture
def two_champions(journal: Path) -> Path:
    """Add a ticker whose champion is damaged and comes first."""
    put(journal, OTHER, dated(made_bars(420, 1)))
    assert train([OTHER], configure("calibrated", **TINY), home=journal).results
    manifest = journal / "models" / OTHER / "v1" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("float32", "float16"))
    return journal


def test_one_whose_training_fails_stops_no_other(journal: Path) -> None:
    put(journal, OTHER, dated(made_bars(420, 1)))
    assert train([OTHER], configure("calibrated", **TINY), home=journal).results
    execute(journal, "DELETE FROM prices WHERE ticker = ? AND date < '2026-10-01'", OTHER)

    result = retrain(home=journal)

    assert [failure.ticker for failure in result.failures] == [OTHER]
    assert [each.retraining.ticker for each in result.results] == [TICKER]


def test_what_has_no_champion_or_no_prices(model_home: Path, priced_other: str) -> None:
    found = find_due([priced_other, TICKER], home=model_home)
    execute(model_home, "DELETE FROM prices WHERE ticker = ?", TICKER)
    without_prices = find_due(home=model_home)

    assert [each.ticker for each in found.results] == [TICKER]
    assert isinstance(found.failures[0].error, NoModelError)
    assert isinstance(without_prices.failures[0].error, NoPricesError)
    with pytest.raises(ConfigError, match="--if-older-than"):
        RetrainingRule(older_than=-1)


@pytest.fixture
def priced_other(model_home: Path) -> str:
    put(model_home, OTHER, dated(made_bars(420, 1)))
    return OTHER


def test_a_store_without_champions(model_home: Path) -> None:
    execute(model_home, "DELETE FROM aliases")

    with pytest.raises(NoModelError, match="no ticker has a champion"):
        find_due(home=model_home)


# --- The command ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("model_home")
def test_nothing_due_is_success_and_said_in_one_line(cli: Cli) -> None:
    table = cli("train", "--all", "--if-older-than", "60", "--if-drift")
    bare = cli("train", "--all", "--quiet")
    document = json.loads(cli("train", TICKER, "--if-drift", "--json").out)

    assert (table.code, bare.code, bare.out, bare.err) == (0, 0, "", "")
    assert table.out.splitlines()[0] == "Nothing is due for retraining"
    assert f"{TICKER}@v1  no session after 2024-03-13" in table.out
    (entry,) = document["results"]
    assert entry.keys() == {"ticker", "retraining"}
    assert entry["retraining"].keys() == {
        *("ticker", "champion", "due", "reason", "sessions", "drift", "settings")
    }
    assert (entry["retraining"]["due"], entry["retraining"]["drift"]) == (False, "too_few")


@pytest.mark.usefixtures("two_champions")
def test_what_is_due_is_trained_and_said_why_and_a_failure_stops_no_other(cli: Cli) -> None:
    planned = cli("train", "--all", "--if-older-than", "60", "--dry-run", "--json")
    table = cli("train", "--all", "--if-older-than", "60")
    document = cli("train", "--all", "--jobs", "2", "--promote", "never", "--json")

    (plan,) = json.loads(planned.out)["plans"]
    assert (plan["ticker"], plan["retraining"]["sessions"], plan["epochs"]) == (TICKER, DAYS, 2)
    assert f"error: {OTHER}@v1 is damaged" in table.err
    assert f"Trained {TICKER}@v2" in table.out
    assert f"{TICKER}@v1  {DAYS} sessions after" in table.out
    # The damaged champion of the other one.
    assert document.code == planned.code == table.code == 5
    assert [entry["retraining"]["due"] for entry in json.loads(document.out)["results"]] == [False]
    assert [each["ticker"] for each in json.loads(document.out)["errors"]] == [OTHER]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (f"--all {TICKER}", "tickers are named besides"),
        ("--all --tickers-file {file}", "tickers are named besides"),
        ("--if-drift", "train needs a ticker"),
        ("--all --epochs 3", "with the champion's own settings"),
        (f"{TICKER} --if-drift --preset paper", "with the champion's own settings"),
        (f"--all --like {TICKER}", "with the champion's own settings"),
        (f"--all --from {TICKER}", "--from is no option of --all"),
        ("--all --resume auto", "--resume is no option of --all"),
        ("--pooled --name b3 --if-older-than 5", "pooled models are retrained by name"),
        ("--all --pooled --name b3", "pooled models are retrained by name"),
        ("--all --promote perhaps", "--promote is one of"),
        ("--all --jobs 0", "--jobs must be from 1"),
        ("--all --if-older-than -1", "--if-older-than is a number of sessions from 0"),
    ],
)
def test_what_contradicts_it_is_refused(
    cli: Cli, home: Path, tmp_path: Path, words: str, said: str
) -> None:
    file = tmp_path / "b3.txt"
    file.write_text(TICKER)

    outcome = cli("train", *words.replace("{file}", str(file)).split())

    assert outcome.code == 2
    assert said in outcome.err
    assert "  next: " in outcome.err
    assert not home.exists()
