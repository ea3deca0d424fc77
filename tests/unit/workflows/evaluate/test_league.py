"""Comparisons on shared days, and the table of everything."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stocklstm import compare_versions, evaluate, fetch, score_league, train
from stocklstm.core.forecasts.quantiles import crps
from stocklstm.core.reference import ModelReference
from stocklstm.core.scores.comparison import AdjustedTest, ComparedScores
from stocklstm.core.scores.significance import diebold_mariano, holm
from stocklstm.core.settings.config import configure
from stocklstm.errors import (
    ArtifactCorruptError,
    ConfigError,
    NoModelError,
    SeriesTooShortError,
)
from stocklstm.store.store import open_store
from stocklstm.workflows.evaluate.compare import _words
from stocklstm.workflows.loading.model import load_model
from stocklstm.workflows.prices.plan import FetchOptions
from stocklstm.workflows.scoring import score_unseen
from tests.conftest import TICKER, TINY
from tests.support.stored_rows import execute
from tests.support.tampering import flip_bit

SMALLEST = {**TINY, "epochs": 1, "hidden_size": 8, "batch_size": 256}
OTHER = "OTHR3.SA"


@pytest.fixture(scope="session")
def _several(_priced: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make v1, v2 with a longer test part, v3 that learns prices, and another ticker."""
    root = tmp_path_factory.mktemp("several")
    home = root / "home"
    shutil.copytree(_priced, home)
    execute(
        home,
        "DELETE FROM prices WHERE date NOT IN"
        " (SELECT date FROM prices ORDER BY date DESC LIMIT 700)",
    )
    lines = root / "other.csv"
    rng = np.random.default_rng(3)
    days = np.arange(np.datetime64("2021-01-01"), np.datetime64("2023-06-01"))
    days = days[np.is_busday(days)]
    closes = 20 * np.exp(np.cumsum(0.02 * rng.standard_normal(len(days))))
    rows = [f"{day},{close:.2f}" for day, close in zip(days, closes, strict=True)]
    lines.write_text("\n".join(["Date,Close", *rows]) + "\n")
    assert not fetch([OTHER], FetchOptions("csv", (lines,)), home=home).failures
    for ticker, preset, more in (
        (TICKER, "calibrated", {}),
        (TICKER, "calibrated", {"test_fraction": 0.3, "seed": 1}),
        (TICKER, "paper-short", {}),
        (OTHER, "calibrated", {}),
    ):
        config = configure(preset, **{**SMALLEST, **more})
        assert not train([ticker], config, home=home).failures
    return home


@pytest.fixture
def several(_several: Path, home: Path) -> Path:
    shutil.copytree(_several, home)
    return home


def names(*numbers: int) -> list[str]:
    return [f"{TICKER}@v{number}" for number in numbers]


# --compare


def test_versions_are_compared_on_the_days_that_none_of_them_saw(several: Path) -> None:
    results = compare_versions(names(1, 2, 3), home=several).results

    with open_store(several) as store:
        starts = [store.registry.manifest(TICKER, v).splits.test_start for v in (1, 2, 3)]
        bars = store.prices.bars(TICKER)
    assert len(set(starts)) > 1
    assert {row.start for row in results} == {max(starts)}
    assert {row.n for row in results} == {int((bars.dates >= np.datetime64(max(starts))).sum())}
    assert [row.version for row in results] == [1, 2, 3]
    assert [row.against for row in results] == [None, f"{TICKER}@v1", f"{TICKER}@v1"]


def test_the_figures_are_those_of_the_days_themselves(several: Path) -> None:
    results = compare_versions(names(2, 1, 3), home=several).results

    with open_store(several) as store:
        bars, start = store.prices.bars(TICKER), np.datetime64(results[0].start)
        days = []
        for row in results:
            scored, _ = score_unseen(load_model(store, ModelReference(TICKER, row.version)), bars)
            days.append(scored.select(scored.dates >= start))
    losses = [crps(d.actuals, d.forecasts.quantiles) for d in days]
    squares = [(d.actuals - d.forecasts.points) ** 2 for d in days]
    for each, test in ((losses, "distribution"), (squares, "squared")):
        chances = [diebold_mariano(other, each[0]).p for other in each[1:]]
        found = [getattr(row.scores, test) for row in results[1:]]
        assert [one.p for one in found] == chances
        assert [one.holm_p for one in found] == holm(chances)
    assert [row.scores.crps for row in results] == [float(loss.mean()) for loss in losses]


def test_the_words_follow_the_corrected_p(several: Path) -> None:
    first, second, third = compare_versions(names(1, 2, 3), home=several).results

    assert first.result == "first"
    assert (second.result, third.result) == ("no_difference", "worse")
    assert f"{TICKER}@v2 and {TICKER}@v1 cannot be told apart" in second.result_text
    assert f"{TICKER}@v3 is worse than {TICKER}@v1: CRPS" in third.result_text
    assert "higher" in third.result_text
    _, back = compare_versions(names(3, 1), home=several).results
    assert back.result == "better"
    assert "lower" in back.result_text


@pytest.mark.parametrize(
    ("crps", "words"),
    [
        (5.14, "CRPS 1,274 % higher"),
        (0.4, "CRPS 7 % higher"),
        (0.37399, "CRPS 0.0027 % lower"),
        (0.374 * (1 + 1.2e-7), "CRPS less than 0.0001 % higher"),
        (0.374, "cannot be told apart: the same CRPS (p = 0.5)"),
    ],
)
def test_a_change_is_written_without_powers_of_ten(crps: float, words: str) -> None:
    test = AdjustedTest(stat=1.0, p=0.5, holm_p=0.5, judged="no_difference")
    scores = ComparedScores(1.0, 1.0, crps, 1.0, test, test)

    assert words in _words("A@v2", "A@v1", scores, 0.374)


@pytest.mark.parametrize(
    ("references", "words"),
    [
        ([], "at least two"),
        (names(1), "at least two"),
        (names(1, 1), "different versions"),
        # v1 is the champion.
        ([TICKER, *names(2, 2)], "different versions"),
        ([TICKER, OTHER], "versions of one ticker"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    several: Path, references: list[str], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        compare_versions(references, home=several)


def test_forecasts_of_different_days_ahead_are_not_compared(several: Path) -> None:
    config = configure("calibrated", **SMALLEST, horizon=5)
    assert not train([TICKER], config, home=several).failures

    with pytest.raises(ConfigError, match="1 and 5 sessions ahead"):
        compare_versions(names(1, 4), home=several)


def test_without_a_shared_day_there_is_nothing_to_compare(several: Path) -> None:
    execute(several, "DELETE FROM prices WHERE date > '2023-01-01' AND ticker = ?", TICKER)

    with pytest.raises(SeriesTooShortError, match="in the test part of all of"):
        compare_versions(names(1, 2), home=several)


# --all


def test_every_version_of_every_ticker_has_its_row_in_order(several: Path) -> None:
    result = score_league(home=several)

    assert result.failures == ()
    assert {(row.ticker, row.version) for row in result.results} == {
        *((TICKER, version) for version in (1, 2, 3)),
        (OTHER, 1),
    }
    ratios = [row.evaluation.distribution.crps_ratio for row in result.results]
    assert ratios == sorted(ratios)
    assert {row.rows for row in result.results} == {4}


def test_a_row_is_what_evaluate_says_of_that_version_corrected(several: Path) -> None:
    rows = score_league(home=several).results

    for row in rows:
        name = f"{row.ticker}@v{row.version}"
        (alone,) = evaluate([name], plot=False, home=several).results
        # Only `evaluate` fits GARCH: a league would take minutes.
        distribution = replace(alone.evaluation.distribution, rivals=())
        assert row.evaluation == replace(alone.evaluation, distribution=distribution)
    for of_row, corrected in (
        (lambda r: r.evaluation.point.dm_p, "dm_holm_p"),
        (lambda r: r.evaluation.distribution.dm_p, "crps_holm_p"),
    ):
        chances = [getattr(row.corrected, corrected) for row in rows]
        assert chances == holm([of_row(row) for row in rows])


@pytest.mark.parametrize(
    ("references", "found"),
    [
        ([TICKER], {1, 2, 3}),
        (names(2), {2}),
        ([f"{TICKER}@v3", TICKER, f"{TICKER}@champion"], {1, 2, 3}),
    ],
)
def test_some_tickers_or_versions_are_chosen_and_none_counts_twice(
    several: Path, references: list[str], found: set[int]
) -> None:
    rows = score_league(references, home=several).results

    assert sorted(row.version for row in rows) == sorted(found)
    assert {row.ticker for row in rows} == {TICKER}
    assert {row.rows for row in rows} == {len(found)}


def test_a_broken_version_stops_no_other_and_is_not_counted(several: Path) -> None:
    flip_bit(several / "models" / TICKER / "v2" / "model.onnx", 0.5)

    result = score_league([TICKER, "NOPE3.SA"], home=several)

    assert sorted(row.version for row in result.results) == [1, 3]
    assert {row.rows for row in result.results} == {2}
    kinds = {failure.ticker: type(failure.error) for failure in result.failures}
    assert kinds == {TICKER: ArtifactCorruptError, "NOPE3.SA": NoModelError}


def test_without_a_model_there_is_no_league(priced_home: Path) -> None:
    with pytest.raises(NoModelError):
        score_league(home=priced_home)
