"""Models that measure days by the bars within sessions, from training to a forecast."""

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from stocklstm import (
    Compression,
    Demands,
    RetrainingRule,
    StartFrom,
    WalkForward,
    Wanted,
    compare_versions,
    export_model,
    find_due,
    import_model,
    predict,
    quantize,
    train,
    validate,
    walk_forward,
)
from stocklstm.core.inputs.volatility import VolatilityAnchor
from stocklstm.core.prices.realised import RealisedSessions
from stocklstm.core.prices.series import Bars, DayVariances
from stocklstm.core.reference import ModelReference
from stocklstm.core.settings.config import configure
from stocklstm.core.wording import significant
from stocklstm.errors import StaleDataError
from stocklstm.store.manifest import Manifest, decode_manifest
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.evaluate.pool_scores import _own
from stocklstm.workflows.loading.bars import FEWEST_SESSIONS, bars_of_model, bars_to_learn
from stocklstm.workflows.loading.model import load_model
from stocklstm.workflows.predict.from_prices import GivenPrices, forecast_given
from stocklstm.workflows.train.runs import TrainingStoppedError
from tests.conftest import TICKER, TINY, Cli
from tests.support.stored_rows import execute

CONFIG = configure(
    "calibrated",
    **{**TINY, "features": ("return", "volatility", "variance1", "variance5", "intraday")},
)


def sessions_of(bars: Bars, minutes: int, *, since: int, seed: int = 0) -> RealisedSessions:
    """Make what bars of some length would say of the sessions from a row on."""
    days = bars.dates[since:]
    random = np.random.default_rng(seed)
    variances = 2e-4 * np.exp(0.5 * random.standard_normal(len(days)))
    count = 480 // minutes
    some = np.full(len(days), count)
    return RealisedSessions(
        days,
        np.full(len(days), minutes),
        variances,
        variances * 0.9,
        variances * 0.8,
        some,
        np.full(len(days), 600),
        np.full(len(days), 600 + minutes * (count - 1)),
        np.full(len(days), True),  # noqa: FBT003 - an array of them
    )


EARLIER, LATER = "2024-03-14T00:00:00Z", "2999-03-14T00:00:00Z"


def keep(store: Store, sessions: RealisedSessions, at: str = EARLIER) -> None:
    store.prices.keep_realised(TICKER, sessions, source="test", at=at)


def measured_to(home: Path, *, hours: int, minutes: int) -> None:
    """Store so many sessions of hourly bars, and so many of five-minute ones, up to the last."""
    with open_store(home) as store:
        bars = store.prices.bars(TICKER)
        keep(store, sessions_of(bars, 60, since=len(bars) - hours))
        keep(store, sessions_of(bars, 5, since=len(bars) - minutes, seed=1))


def manifest_of(home: Path, version: int) -> Manifest:
    with open_store(home) as store:
        return store.registry.manifest(TICKER, version)


@pytest.fixture(scope="session")
def _measured_home(_modelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("measured") / "home"
    shutil.copytree(_modelled, home)
    measured_to(home, hours=1500, minutes=60)
    assert not train([TICKER], CONFIG, home=home, promote="always", plot=False).failures
    return home


@pytest.fixture
def measured_home(_measured_home: Path, home: Path) -> Path:
    """Give this test's store a second version, which is champion and measured by bars."""
    shutil.copytree(_measured_home, home)
    return home


def test_the_manifest_says_how_many_sessions_were_measured_how(measured_home: Path) -> None:
    first, second = (manifest_of(measured_home, version) for version in (1, 2))

    assert first.data.measured == {}
    # The last session but one of each length: of a day the shortest bars count.
    assert second.data.measured == {
        "5-minute": 60,
        "60-minute": 1440,
        "daily": second.data.rows - 1500,
    }
    assert second.anchor is not None
    assert second.anchor.anchor.estimator == "realised"
    hourly = second.anchor.anchor.measures[1]
    assert hourly.longest == 90
    assert hourly.ratio != 1


def test_a_manifest_of_before_is_read(measured_home: Path) -> None:
    document = msgspec.json.decode(manifest_of(measured_home, 1).encode())
    del document["data"]["measured"], document["config"]["intraday"]
    del document["anchor"]["anchor"]["measures"], document["anchor"]["anchor"]["resume"]["ratios"]

    read = decode_manifest(msgspec.json.encode(document), TICKER, 1)

    assert read == manifest_of(measured_home, 1)


def test_tonights_forecast_is_that_of_the_whole_history(measured_home: Path) -> None:
    """It reads the latest prices alone, and goes on from where the anchor stood."""
    with open_store(measured_home) as store:
        day = store.prices.bars(TICKER).last_day
    (tonight,) = predict([TICKER], home=measured_home).forecasts
    (whole,) = predict([TICKER], Wanted(at=day), home=measured_home).forecasts

    assert tonight.version == 2
    assert tonight.quantiles == whole.quantiles


def test_a_forecast_follows_what_the_bars_of_the_last_session_say(measured_home: Path) -> None:
    (before,) = predict([TICKER], home=measured_home).forecasts
    with open_store(measured_home) as store:
        bars = store.prices.bars(TICKER)
        wild = sessions_of(bars, 1, since=len(bars) - 1)
        keep(store, replace(wild, realised=wild.realised * 100))
    execute(measured_home, "DELETE FROM forecasts")
    (after,) = predict([TICKER], home=measured_home).forecasts

    widths = [each.intervals[-1].upper - each.intervals[-1].lower for each in (before, after)]
    assert widths[1] > 2 * widths[0]


def test_what_is_scored_is_what_is_forecast(measured_home: Path) -> None:
    (second, first) = compare_versions([f"{TICKER}@v2", f"{TICKER}@v1"], home=measured_home).results

    assert second.scores.crps == manifest_of(measured_home, 2).evaluation.distribution.crps
    assert first.scores.crps == manifest_of(measured_home, 1).evaluation.distribution.crps


def test_nothing_of_the_future_reaches_it(measured_home: Path) -> None:
    (item,) = validate([TICKER], deep=True, leakage=True, home=measured_home).results

    assert item.status == "ok", item.checks


def test_an_anchor_that_knows_tomorrows_bars_is_found_out(
    measured_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = VolatilityAnchor._measured

    def peeking(self: VolatilityAnchor, bars: Bars, *others: Any) -> Any:
        assert bars.realised is not None
        tomorrow = DayVariances(
            np.append(bars.realised.minutes[1:], 0), np.append(bars.realised.variances[1:], np.nan)
        )
        return honest(self, replace(bars, realised=tomorrow), *others)

    monkeypatch.setattr(VolatilityAnchor, "_measured", peeking)
    (item,) = validate([TICKER], leakage=True, home=measured_home).results
    failed = {check.name: check.detail for check in item.checks if check.status == "failed"}

    assert {"leakage: inputs", "leakage: forecasts"} <= failed.keys()
    assert "the inputs of 1 earlier sessions change" in failed["leakage: inputs"]


def test_realised_values_that_change_later_are_revised_prices(measured_home: Path) -> None:
    with open_store(measured_home) as store:
        bars = store.prices.bars(TICKER)
        other = sessions_of(bars, 60, since=len(bars) - 400, seed=5)
        keep(store, other.select(slice(0, 1)), at=LATER)
    (item,) = validate([TICKER], leakage=True, home=measured_home).results

    assert any("revised since training" in check.detail for check in item.checks)


def test_shorter_bars_that_come_later_revise_nothing(measured_home: Path) -> None:
    """Hourly ones of two years come first, and those of five minutes on the next evening."""
    manifest = manifest_of(measured_home, 2)
    with open_store(measured_home) as store:
        bars = store.prices.bars(TICKER)
        shorter = sessions_of(bars, 5, since=len(bars) - 100).select(slice(0, 40))
        keep(store, shorter, at=LATER)
        given = store.prices.pinned(
            TICKER,
            manifest.data.last,
            manifest.data.sha256,
            name="it",
            command="train",
            created=manifest.created,
        )
        current = bars_of_model(store, manifest, TICKER)
    (item,) = validate([TICKER], leakage=True, home=measured_home).results

    assert given.fingerprint() == manifest.data.sha256 != current.fingerprint()
    assert item.status == "ok"
    assert not any("revised" in check.detail for check in item.checks)


# Which trainings make use of them


def test_without_enough_sessions_a_training_is_what_it_was(model_home: Path) -> None:
    """To the bit: as if none had ever been stored."""
    measured_to(model_home, hours=FEWEST_SESSIONS - 1, minutes=0)
    (result,) = train(
        [TICKER], configure("calibrated", **TINY), home=model_home, plot=False
    ).results
    before, after = (manifest_of(model_home, version) for version in (1, result.version))

    assert result.measured == {}
    assert (before.files["model.onnx"], before.anchor) == (after.files["model.onnx"], after.anchor)
    assert before.data == after.data


def test_a_training_can_do_without_them_and_looks_at_none_before_its_start(
    measured_home: Path,
) -> None:
    with open_store(measured_home) as store:
        for settings in ({"intraday": False}, {"start": "2023-06-01"}):
            config = configure("calibrated", **settings)
            assert bars_to_learn(store, TICKER, config).realised is None
        assert bars_to_learn(store, TICKER, configure("calibrated")).realised is not None


def test_from_250_sessions_on_a_training_makes_use_of_them(model_home: Path, cli: Cli) -> None:
    measured_to(model_home, hours=FEWEST_SESSIONS, minutes=0)
    (due,) = find_due([TICKER], RetrainingRule(), home=model_home).results
    assert due.due
    assert due.reason.startswith("more sessions measured by their bars, no session after")

    made = cli("train", "--all", "--no-plot")

    assert made.code == 0, made.err
    assert "daily, 250 by 60-minute bars" in " ".join(made.out.split())
    assert manifest_of(model_home, 2).data.measured["60-minute"] == FEWEST_SESSIONS
    (due,) = find_due([TICKER], RetrainingRule(), home=model_home).results
    assert not due.due
    measured_to(model_home, hours=FEWEST_SESSIONS + 1, minutes=0)
    (due,) = find_due([TICKER], RetrainingRule(), home=model_home).results
    assert due.due


def test_sessions_with_too_few_bars_do_not_count(priced_home: Path) -> None:
    with open_store(priced_home) as store:
        bars = store.prices.bars(TICKER)
        sessions = sessions_of(bars, 60, since=len(bars) - FEWEST_SESSIONS)
        usable = sessions.usable.copy()
        usable[3] = False
        keep(store, replace(sessions, usable=usable))
        assert bars_to_learn(store, TICKER, CONFIG).realised is None


def test_prices_are_learned_without(measured_home: Path) -> None:
    with open_store(measured_home) as store:
        assert bars_to_learn(store, TICKER, configure("paper")).realised is None


# What else is done with such a model


def test_a_stopped_training_goes_on_with_the_same_sessions(measured_home: Path) -> None:
    steps = iter(range(10**6))
    with pytest.raises(TrainingStoppedError):
        train([TICKER], CONFIG, home=measured_home, should_stop=lambda: next(steps) > 25)
    (result,) = train(
        [TICKER], CONFIG, home=measured_home, beginning=StartFrom(resume="auto"), plot=False
    ).results

    assert result.resumed_from is not None
    whole, resumed = (manifest_of(measured_home, version) for version in (2, result.version))
    assert resumed.files["model.onnx"] == whole.files["model.onnx"]
    assert (resumed.data, resumed.anchor) == (whole.data, whole.anchor)


def test_what_is_trained_on_travels_to_another_process(measured_home: Path) -> None:
    with open_store(measured_home) as store:
        bars = bars_to_learn(store, TICKER, CONFIG)

    assert pickle.loads(pickle.dumps(bars)).fingerprint() == bars.fingerprint()  # noqa: S301


def test_a_smaller_version_is_measured_alike(measured_home: Path) -> None:
    (made,) = quantize(
        [TICKER], Compression("dynamic"), home=measured_home, tolerance_pct=100
    ).results
    smaller, parent = (manifest_of(measured_home, version) for version in (made.version, 2))

    assert (smaller.data, smaller.anchor) == (parent.data, parent.anchor)
    assert predict([TICKER], home=measured_home).forecasts[0].version == made.version


def test_it_travels_to_another_store_and_forecasts_there(
    measured_home: Path, tmp_path: Path
) -> None:
    """With the prices of that one: where it has no intraday sessions, the ranges serve."""
    bundle = tmp_path / "model.bundle"
    export_model(f"{TICKER}@v2", bundle, home=measured_home)
    (here,) = predict([TICKER], home=measured_home).forecasts
    other = tmp_path / "other"
    for known in (True, False):
        shutil.copytree(measured_home, other)
        execute(other, "DELETE FROM forecasts")
        if not known:
            execute(other, "DELETE FROM realised")
        with open_store(other) as store:
            assert store.prices.realised(TICKER).dates.size > 0 or not known
        (imported,) = import_model(bundle, home=other, promote="always").results
        (there,) = predict([f"{TICKER}@v{imported.version}"], home=other).forecasts
        assert (there.quantiles == here.quantiles) == known
        shutil.rmtree(other)


def test_walking_forward_trains_on_them(measured_home: Path) -> None:
    walk = WalkForward(sessions=20, refit_every=20)
    (walked,) = walk_forward([f"{TICKER}@v2"], walk, home=measured_home).results
    with open_store(measured_home) as store:
        bars = bars_to_learn(store, TICKER, CONFIG)

    assert walked.report is not None
    report = json.loads(Path(walked.report).read_bytes())
    assert report["prices"]["sha256"] == bars.fingerprint()


def test_prices_that_a_client_sends_are_measured_by_their_range(measured_home: Path) -> None:
    with open_store(measured_home) as store:
        bars, model = store.prices.bars(TICKER), load_model(store, ModelReference(TICKER))
        latest = bars.select(slice(-200, None))
        given = GivenPrices(
            closes=latest.closes.tolist(),
            dates=[str(day) for day in latest.dates],
            opens=latest.opens.tolist(),
            highs=latest.highs.tolist(),
            lows=latest.lows.tolist(),
        )
        (made,) = forecast_given(store, model, given)

    assert any("by the bars within sessions" in warning for warning in made.warnings)


def test_a_champion_without_them_is_compared_as_it_is_given_out(measured_home: Path) -> None:
    """And one with them, by a challenger that does without."""
    plain = replace(CONFIG, intraday=False)
    (made,) = train([TICKER], plain, home=measured_home, plot=False).results
    champion = manifest_of(measured_home, 2).evaluation.distribution.crps

    assert significant(champion, 4) in made.promotion


def test_beside_a_pooled_model_a_champion_is_scored_as_it_is_given_out(measured_home: Path) -> None:
    with open_store(measured_home) as store:
        other = load_model(store, ModelReference(TICKER, 1))
        own = _own(store, other, store.prices.bars(TICKER))
    first, second = (
        manifest_of(measured_home, version).evaluation.distribution.crps for version in (1, 2)
    )

    assert own is not None
    assert own.crps_ratio == pytest.approx(first / second, rel=1e-12)


def test_a_session_without_bars_within_it_is_warned_of(measured_home: Path) -> None:
    (before,) = predict([TICKER], home=measured_home).forecasts
    execute(measured_home, "DELETE FROM realised WHERE date = '2024-03-13'")
    execute(measured_home, "DELETE FROM forecasts")
    (after,) = predict([TICKER], home=measured_home).forecasts

    assert not any("within" in warning for warning in before.warnings)
    assert [check.status for check in after.checks if check.name == "intraday"] == ["warning"]
    with pytest.raises(StaleDataError, match="2024-03-13"):
        raise predict([TICKER], demands=Demands(strict=True), home=measured_home).failures[0].error
