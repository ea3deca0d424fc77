"""Who becomes champion: the newer of two alike, the better of two that differ, never a guess."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stocklstm import StartFrom, load, train
from stocklstm.core.forecasts.quantiles import ReturnForecasts, crps
from stocklstm.core.prices.series import Bars
from stocklstm.core.reference import ModelReference
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.core.scores.significance import diebold_mariano
from stocklstm.core.settings.config import TrainingConfig, configure, differing_settings
from stocklstm.store.store import open_store
from stocklstm.workflows.loading.model import load_model
from stocklstm.workflows.publishing import Challenger, Promotion, judge
from stocklstm.workflows.scoring import score_model
from stocklstm.workflows.train.train import TrainedVersion
from tests.conftest import TICKER, TINY, Cli
from tests.support.pooled_store import NAMES, POOL, pool_config, train_pool
from tests.support.stored_rows import execute
from tests.support.tampering import replace_manifest

SAME = configure("calibrated", **TINY)
OTHER = replace(SAME, seed=1)
CHAMPION = f"{TICKER}@v1"


class Scored:
    """The champion's own forecasts of 300 learned days and of its test part, and how to bend them.

    A challenger that forecasts like that is exactly as good as the champion; moving every quantile
    towards the outcome makes it better, away from it worse.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        with open_store(home) as store:
            model = load_model(store, ModelReference(TICKER))
            self.bars: Bars = store.prices.bars(TICKER)
            self.test_start = np.datetime64(model.manifest.splits.test_start, "D")
            first = int(np.searchsorted(self.bars.dates, self.test_start))
            origins = np.arange(first - 300, len(self.bars)) - 1
            self.days = score_model(model, self.bars, origins)
        self.unseen = self.days.dates >= self.test_start

    def moved(self, share: float | np.ndarray, days: ScoredDays | None = None) -> ScoredDays:
        """Move the forecasts so much of the way to the outcome."""
        days = days or self.days
        shares = np.broadcast_to(np.asarray(share, float), days.actuals.shape)
        gap = days.actuals[:, None] - days.forecasts.quantiles
        quantiles = days.forecasts.quantiles + shares[:, None] * gap
        return replace(days, forecasts=ReturnForecasts(days.forecasts.points, quantiles))

    def judged(self, days: ScoredDays, config: TrainingConfig, **others: Any) -> Promotion:
        """Judge a challenger with these test days."""
        challenger = Challenger(TICKER, config, {TICKER: days}, (TICKER,), **others)
        with open_store(self.home) as store:
            return judge(store, challenger, {TICKER: self.bars})


@pytest.fixture(scope="module")
def shared(_modelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    home = tmp_path_factory.mktemp("judged") / "home"
    shutil.copytree(_modelled, home)
    return Scored(home)


def mean_crps(days: ScoredDays) -> float:
    return float(crps(days.actuals, days.forecasts.quantiles).mean())


def figures(reason: str) -> tuple[float, float, int]:
    """Read the mean CRPS of both, and on how many days."""
    pattern = r"mean CRPS ([\d.]+) against ([\d.]+) on (\d+) shared test days, p [<=] [\d.]+"
    ((mine, theirs, count),) = re.findall(pattern, reason)
    return float(mine), float(theirs), int(count)


# --- Which days ----------------------------------------------------------------------------------


def test_the_champion_is_not_judged_on_days_that_it_learned(shared: Scored) -> None:
    """A challenger whose test part begins earlier: what counts is the champion's test part."""
    # Hopeless on the days that the champion learned, better on those that neither did.
    days = shared.moved(np.where(shared.unseen, 0.3, -9.0))

    promotion = shared.judged(days, OTHER)

    mine, theirs, count = figures(promotion.reason)
    assert promotion.promoted
    assert count == shared.unseen.sum() == (shared.bars.dates >= shared.test_start).sum()
    assert mine == pytest.approx(mean_crps(days.select(shared.unseen)), rel=1e-3)
    assert theirs == pytest.approx(mean_crps(shared.days.select(shared.unseen)), rel=1e-3)
    # And the other way round.
    flattered = shared.moved(np.where(shared.unseen, -0.3, 0.9))
    assert not shared.judged(flattered, OTHER).promoted
    assert not shared.judged(flattered, SAME).promoted


@pytest.mark.parametrize("fraction", [0.4, 0.1])
def test_both_are_judged_on_the_days_of_both_test_parts(model_home: Path, fraction: float) -> None:
    """0.4 begins earlier than the champion's 0.2, and 0.1 later."""
    made = train_one(model_home, replace(SAME, test_fraction=fraction))

    manifests = [load(f"{TICKER}@v{number}", home=model_home).manifest for number in (1, 2)]
    starts = [manifest.splits.test_start for manifest in manifests]
    assert (starts[1] < starts[0]) == (fraction == 0.4)
    with open_store(model_home) as store:
        dates = store.prices.bars(TICKER).dates
    mine, theirs, count = figures(made.promotion)
    assert count == (dates >= np.datetime64(max(starts), "D")).sum()
    # Whose test part this is was published with the very same figure.
    later = starts.index(max(starts))
    published = manifests[later].evaluation.distribution.crps
    assert (theirs, mine)[later] == pytest.approx(published, rel=1e-3)


# --- The champion's settings on other prices -----------------------------------------------------


@pytest.mark.parametrize(
    ("share", "promoted", "words"),
    [
        (0.3, True, "significantly better than"),
        (0.0, True, "not significantly worse than"),
        (-0.3, False, "significantly worse than"),
    ],
)
def test_the_same_settings_unless_significantly_worse(
    shared: Scored, share: float, promoted: bool, words: str
) -> None:
    promotion = shared.judged(shared.moved(share), SAME)

    assert promotion.promoted == promoted
    assert promotion.reason.startswith(f"{words} {CHAMPION}: mean CRPS ")


def test_what_does_not_shape_the_model_is_no_other_setting(shared: Scored) -> None:
    elsewhere = replace(SAME, preset="paper", device="auto", threads=2, top_k=3, checkpoint_every=5)

    assert differing_settings(SAME, elsewhere) == ()
    assert shared.judged(shared.days, elsewhere).promoted
    assert differing_settings(SAME, OTHER) == ("seed",)
    bf16 = replace(SAME, precision="bf16-mixed", learning_rate=0.01)
    assert set(differing_settings(bf16, SAME)) == {"precision", "learning_rate"}


# --- Other settings ------------------------------------------------------------------------------


def slightly(shared: Scored, sign: int) -> ScoredDays:
    """Make forecasts that are better or worse by no more than chance."""
    shares = np.random.default_rng(5).normal(0, 0.05, len(shared.days.dates))
    days = shared.moved(shares)
    losses = [
        crps(each.actuals, each.forecasts.quantiles)[shared.unseen] for each in (days, shared.days)
    ]
    shift = sign * 2e-4 * losses[1].mean() - (losses[0] - losses[1]).mean()
    days = shared.moved(shares - shift / losses[1].mean())
    bent = crps(days.actuals, days.forecasts.quantiles)[shared.unseen]
    assert np.sign(bent.mean() - losses[1].mean()) == sign
    assert diebold_mariano(bent, losses[1]).p > 0.05
    return days


def test_other_settings_have_to_be_better(shared: Scored) -> None:
    for days, promoted, words in (
        (shared.moved(0.3), True, "significantly better"),
        (slightly(shared, -1), True, "better, perhaps by chance,"),
        (shared.days, False, "no better"),
        (slightly(shared, 1), False, "no better"),
        (shared.moved(-0.3), False, "significantly worse"),
    ):
        promotion = shared.judged(days, OTHER)

        assert promotion.promoted == promoted
        assert promotion.reason.startswith(f"other settings (seed), and {words} than {CHAMPION}: ")
        mine, theirs, _ = figures(promotion.reason)
        assert (mine < theirs) == promoted
        # The very same forecasts with the champion's settings take over unless clearly worse.
        assert shared.judged(days, SAME).promoted == (words != "significantly worse")


def test_other_first_weights_are_an_experiment(shared: Scored, model_home: Path) -> None:
    assert not shared.judged(shared.days, SAME, warm=True).promoted

    made = train_one(model_home, SAME, beginning=StartFrom(weights=CHAMPION))

    assert made.promotion.startswith("other first weights, and ")


def test_better_is_not_enough_if_it_became_worse_than_ewma(shared: Scored) -> None:
    # Whoever is better than the champion, and yet clearly worse than its own EWMA.
    better = shared.moved(0.05)
    sharp = shared.moved(0.3).forecasts.quantiles
    days = replace(better, ewma=sharp)

    promotion = shared.judged(days, OTHER)

    assert not promotion.promoted
    assert "but significantly worse than EWMA (p " in promotion.reason
    assert promotion.reason.endswith("which the champion is not")
    assert shared.judged(better, OTHER).promoted
    assert shared.judged(days, SAME).promoted


@pytest.fixture(scope="module")
def hopeless(shared: Scored, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """Let the champion be a network of prices that has learned next to nothing."""
    home = tmp_path_factory.mktemp("hopeless") / "home"
    shutil.copytree(shared.home, home)
    config = configure("paper-short", **{**TINY, "epochs": 1})
    assert train_one(home, config, promote="always").promoted
    return Scored(home)


def test_where_the_champion_is_worse_than_ewma_too_better_is_enough(hopeless: Scored) -> None:
    days = hopeless.moved(0.05)

    promotion = hopeless.judged(replace(days, ewma=days.actuals[:, None] + 0 * days.ewma), OTHER)

    assert promotion.promoted
    assert "EWMA" not in promotion.reason


@pytest.mark.parametrize(("count", "promoted"), [(19, False), (20, True)])
def test_a_few_days_prove_no_other_settings(shared: Scored, count: int, promoted: bool) -> None:
    latest = np.arange(len(shared.days.dates)) >= len(shared.days.dates) - count

    promotion = shared.judged(shared.moved(0.3).select(latest), OTHER)

    assert promotion.promoted == promoted
    assert ("too few days (20 are needed)" in promotion.reason) != promoted


# --- What cannot be compared ---------------------------------------------------------------------


def test_without_a_shared_day_only_the_same_settings_take_over(shared: Scored) -> None:
    learned = shared.moved(0.9).select(~shared.unseen)

    same, other = (shared.judged(learned, config) for config in (SAME, OTHER))

    assert (same.promoted, other.promoted) == (True, False)
    for promotion in (same, other):
        assert promotion.reason.endswith(f"{CHAMPION} has no test day in common with it")


def test_another_horizon_is_never_promoted(shared: Scored) -> None:
    promotion = shared.judged(shared.moved(0.9), replace(SAME, horizon=5))

    assert not promotion.promoted
    assert "it forecasts 5 sessions ahead" in promotion.reason


@pytest.mark.parametrize("config", [SAME, OTHER])
def test_forecasts_that_are_no_numbers_are_never_promoted(
    shared: Scored, config: TrainingConfig
) -> None:
    promotion = shared.judged(shared.moved(np.nan), config)

    assert promotion == Promotion(promoted=False, reason="its forecasts are not finite")


def test_what_may_have_learned_its_test_days_is_never_promoted(shared: Scored) -> None:
    promotion = shared.judged(shared.moved(0.9), SAME, flattered="nobody knows")

    assert promotion == Promotion(promoted=False, reason="nobody knows")


def test_a_damaged_champion_is_replaced_by_other_settings_too(shared: Scored, home: Path) -> None:
    shutil.copytree(shared.home, home)
    damaged = Scored(home)
    (home / "models" / TICKER / "v1" / "model.onnx").write_bytes(b"junk")

    promotion = damaged.judged(damaged.moved(-0.9), OTHER, flattered="nobody knows")

    assert promotion.promoted
    assert promotion.reason.startswith("the champion cannot be used: ")


def test_a_champion_that_a_split_made_useless_is_replaced(hopeless: Scored, home: Path) -> None:
    shutil.copytree(hopeless.home, home)
    scored = Scored(home)
    execute(home, "UPDATE prices SET close = close / 2, adj_close = adj_close / 2")
    with open_store(home) as store:
        scored.bars = store.prices.bars(TICKER)

    # Also where no day is there to see it on.
    promotion = scored.judged(scored.days.select(~scored.unseen), OTHER)

    assert promotion.promoted
    assert "rescaled by 0.5 since, as by a split" in promotion.reason


def test_days_that_nobody_knows_to_be_unseen_do_not_count(shared: Scored, home: Path) -> None:
    """Classic files do not say what they learned from: only days after their import count."""
    shutil.copytree(shared.home, home)
    version = home / "models" / TICKER / "v1"
    document = json.loads((version / "manifest.json").read_text())
    moment = str(shared.days.dates[-30])
    document["imported_from"] = {
        "kind": "classic",
        "model": "",
        "parent": None,
        "sha256": "",
        "at": f"{moment}T12:00:00Z",
    }
    replace_manifest(version, json.dumps(document))

    promotion = Scored(home).judged(shared.moved(0.3), OTHER)

    assert figures(promotion.reason)[2] == 29


# --- Pools ---------------------------------------------------------------------------------------


def test_a_pool_without_some_of_its_tickers_is_an_experiment(pool_home: Path) -> None:
    again = train_pool(pool_home)
    fewer = train_pool(pool_home, *NAMES[:2])

    assert again.promoted
    assert again.promotion.startswith(f"not significantly worse than {POOL}@v1: ")
    assert fewer.promotion.startswith(f"without {NAMES[2]}, and ")
    assert not differing_settings(pool_config(), pool_config(threads=2))


# --- By hand -------------------------------------------------------------------------------------


def train_one(home: Path, config: TrainingConfig, **others: Any) -> TrainedVersion:
    result = train([TICKER], config, home=home, **others)
    assert not result.failures
    return result.results[0]


def test_the_decision_and_its_opposite_are_shown(model_home: Path, cli: Cli) -> None:
    worse = ("train", TICKER, "--like", CHAMPION, "--learning-rate", "1e-9")
    table = cli(*worse).out
    (kept,) = json.loads(cli(*worse, "--json").out)["results"]
    (taken,) = json.loads(cli("train", TICKER, "--like", CHAMPION, "--json").out)["results"]

    assert (kept["promoted"], kept["by_hand"]) == (False, f"stocklstm models promote {TICKER}@v3")
    assert (taken["promoted"], taken["by_hand"]) == (True, f"stocklstm models rollback {TICKER}")
    assert "no: other settings (learning_rate), and " in table
    assert f"by hand     stocklstm models promote {TICKER}@v2" in table
    assert champion(model_home) == 4
    assert cli(*taken["by_hand"].split()[1:]).code == 0
    assert champion(model_home) == 1
    assert cli(*kept["by_hand"].split()[1:]).code == 0
    assert champion(model_home) == 3


def champion(home: Path) -> int:
    with open_store(home) as store:
        return store.registry.resolve(ModelReference(TICKER))
