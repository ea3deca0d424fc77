"""Forecasts of several sessions are scored by horizon: every figure is made again by hand."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels import api as sm
from statsmodels.stats.multitest import multipletests

from stocklstm import evaluate, evaluate_horizons, load, predict, train
from stocklstm.cli.evaluate.horizons import VIEW
from stocklstm.cli.output import Mode, show
from stocklstm.core.batch import Batch
from stocklstm.core.prices.series import Bars
from stocklstm.core.reference import ModelReference
from stocklstm.core.settings.config import LEVELS, TrainingConfig
from stocklstm.store.store import open_store
from stocklstm.workflows.evaluate.horizons import _interval_verdicts
from stocklstm.workflows.loading.pooled_model import load_pool
from stocklstm.workflows.predict.predict import Forecast, Wanted
from stocklstm.workflows.scoring import score_unseen
from tests.conftest import TICKER, Cli
from tests.support.pooled_store import EVENING, NAMES, POOL

HORIZONS = (1, 2, 5, 20)


def stored(home: Path, ticker: str = TICKER) -> Bars:
    with open_store(home) as store:
        return store.prices.bars(ticker)


def crps(outcome: float, grid: np.ndarray) -> float:
    """Twice the integral of the pinball loss, each level standing for what is nearest to it."""
    levels = np.array(LEVELS)
    edges = [0, *((levels[1:] + levels[:-1]) / 2), 1]
    total = 0.0
    for place, level in enumerate(levels):
        error = outcome - grid[place]
        loss = level * error if error > 0 else (level - 1) * error
        total += 2 * loss * (edges[place + 1] - edges[place])
    return total


def ewma(bars: Bars, taught: int) -> tuple[np.ndarray, np.ndarray]:
    """Give RiskMetrics' volatility after each close, and the quantiles of what came over it."""
    returns = np.diff(np.log(bars.adj_closes), prepend=np.nan)
    variances = np.full(len(bars), np.nan)
    variances[20] = np.mean(returns[1:21] ** 2)
    for row in range(21, len(bars)):
        variances[row] = 0.94 * variances[row - 1] + 0.06 * returns[row] ** 2
    sigmas = np.sqrt(variances)
    ratios = returns[21:taught] / sigmas[20 : taught - 1]
    return sigmas, np.quantile(ratios, LEVELS)


def chance(losses: np.ndarray, reference: np.ndarray, horizon: int) -> float:
    """Diebold and Mariano's test by a regression on a constant with Newey and West's errors."""
    differences, count = losses - reference, len(losses)
    lags = 2 * horizon if horizon > 1 else 0
    fitted = sm.OLS(differences, np.ones(count)).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False}
    )
    small = math.sqrt((count + 1 - 2 * horizon + horizon * (horizon - 1) / count) / count)
    return float(2 * stats.t.sf(abs(fitted.tvalues[0]) * small, count / horizon - 1))


def test_every_figure_is_that_of_the_forecasts(model_home: Path) -> None:
    (scores,) = evaluate_horizons([TICKER], HORIZONS, home=model_home).results

    bars, model = stored(model_home), load(TICKER, home=model_home)
    splits = model.manifest.splits
    # Forecasts are made at the close before each day of the test part, and at none before it.
    first = int(np.searchsorted(bars.dates, np.datetime64(splits.test_start))) - 1
    made = model.forecaster.forecast(bars, np.arange(first, len(bars) - 1))
    sigmas, spread = ewma(bars, int(np.sum(bars.dates <= np.datetime64(splits.train_end))))
    points, spreads = [], []
    for row, horizon in zip(scores.rows, HORIZONS, strict=True):
        squares, naive, model_crps, ewma_crps, held = [], [], [], [], {"0.8": [], "0.95": []}
        for place, origin in enumerate(range(first, len(bars) - horizon)):
            last = bars.closes[origin]
            outcome = last * bars.adj_closes[origin + horizon] / bars.adj_closes[origin]
            median = made.points[place]
            wide = median + math.sqrt(horizon) * (made.quantiles[place] - median)
            grid = last * np.exp(wide)
            squares.append((outcome - last * math.exp(median)) ** 2)
            naive.append((outcome - last) ** 2)
            model_crps.append(crps(outcome, grid))
            reference = last * np.exp(sigmas[origin] * math.sqrt(horizon) * spread)
            ewma_crps.append(crps(outcome, reference))
            for level, low, high in (("0.8", 3, -4), ("0.95", 1, -2)):
                held[level].append(grid[low] <= outcome <= grid[high])
        found = row.evaluation
        assert (found.horizon, found.n) == (horizon, len(squares))
        assert (found.start, found.end) == (
            str(bars.dates[first + horizon]),
            str(bars.dates[-1]),
        )
        assert found.point.rmse_ratio == pytest.approx(math.sqrt(np.sum(squares) / np.sum(naive)))
        assert found.distribution.crps == pytest.approx(np.mean(model_crps))
        assert found.distribution.crps_ratio == pytest.approx(
            np.sum(model_crps) / np.sum(ewma_crps), rel=1e-6
        )
        points.append(chance(np.array(squares), np.array(naive), horizon))
        spreads.append(chance(np.array(model_crps), np.array(ewma_crps), horizon))
        assert found.point.dm_p == pytest.approx(points[-1])
        assert found.distribution.dm_p == pytest.approx(spreads[-1], rel=1e-3)
        # One day in so many is news.
        apart = len(squares) // horizon
        assert row.spans == apart
        for each, (level, hits) in zip(found.distribution.coverage, held.items(), strict=True):
            assert each.share == np.mean(hits)
            low, high = stats.binom.ppf([0.005, 0.995], apart, float(level)) / apart
            assert (each.low, each.high) == pytest.approx((low, high))
    for place in (0, 1):
        chances = [row.evaluation.distribution.coverage[place].kupiec_p for row in scores.rows]
        holm = multipletests(chances, method="holm")[1]
        for row, chance_of_all in zip(scores.rows, holm, strict=True):
            promised = row.intervals[place]
            assert promised.holm_p == pytest.approx(chance_of_all)
            share = row.evaluation.distribution.coverage[place].share
            off = "too_narrow" if share < promised.level else "too_wide"
            assert promised.verdict == (off if chance_of_all < 0.05 else "holds")
    for name, chances in (("dm_holm_p", points), ("crps_holm_p", spreads)):
        holm = [getattr(row.corrected, name) for row in scores.rows]
        assert holm == pytest.approx(multipletests(chances, method="holm")[1], rel=1e-3)


def test_the_horizon_that_was_learned_has_the_scores_of_evaluate(
    model_home: Path, tiny: TrainingConfig
) -> None:
    assert not train([TICKER], replace(tiny, horizon=3), home=model_home, promote="never").failures
    for name, learned in ((f"{TICKER}@v1", 1), (f"{TICKER}@v2", 3)):
        (alone,) = evaluate([name], plot=False, home=model_home).results
        (scores,) = evaluate_horizons([name], [6, learned], home=model_home).results

        assert (scores.learned, scores.model) == (learned, name)
        assert [row.evaluation.horizon for row in scores.rows] == [learned, 6]
        distribution = replace(alone.evaluation.distribution, rivals=())
        assert scores.rows[0].evaluation == replace(alone.evaluation, distribution=distribution)

    # Nearer than that it forecasts nothing; the other model is scored all the same.
    result = evaluate_horizons([f"{TICKER}@v2", TICKER], [1, 2, 3], home=model_home)
    assert [scores.version for scores in result.results] == [1]
    (failure,) = result.failures
    assert failure.error.message == f"{TICKER}@v2 forecasts 3 sessions ahead and no fewer, not 1-2"


def test_the_command_that_predict_names_tests_what_was_asked_for(
    cli: Cli, model_home: Path
) -> None:
    made = predict([TICKER], Wanted(horizon=(1, 3, 4)), home=model_home).forecasts

    assert {command(each) for each in made[1:]} == {f"evaluate {TICKER}@v1 --horizons 1,3-4"}
    outcome = cli(*command(made[1]).split(), "--quiet")
    assert outcome.code == 0
    assert [line.split()[1] for line in outcome.out.splitlines()] == ["1", "3", "4"]


def command(made: Forecast) -> str:
    (said,) = (check.detail for check in made.checks if check.name == "horizon")
    return said.partition("stocklstm ")[2]


def test_a_pooled_model_has_horizons_too(cli: Cli, pool_home: Path) -> None:
    result = evaluate_horizons([], [1, 5], pool="b3", home=pool_home)

    assert [(each.ticker, each.model) for each in result.results] == [
        (name, f"{POOL}@v1") for name in NAMES
    ]
    with open_store(pool_home) as store:
        bars = store.prices.bars(NAMES[0])
        pooled = load_pool(store, ModelReference(POOL)).scored(NAMES[0], bars)
        _, expected = score_unseen(pooled, bars)
    assert result.results[0].rows[0].evaluation == expected
    assert result.results[0].rows[1].evaluation.n == expected.n - 4
    wanted = Wanted(horizon=(1, 5))
    made = predict([NAMES[0]], wanted, pool="b3", home=pool_home, now=EVENING).forecasts[1]
    outcome = cli(*command(made).split())
    assert outcome.code == 0
    assert f"{NAMES[0]} by {POOL}@v1" in outcome.out


@pytest.mark.usefixtures("model_home")
def test_the_table_fits_eighty_columns_and_says_what_is_too_little(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    outcome = cli("evaluate", TICKER, "--horizons", "1-5,60")

    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines if line[:1].isdigit()]
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "5", "60"]
    assert [row[-2:] for row in rows] == [*([["no", "better"]] * 5), ["too", "few"]]
    assert "Too few to judge 60 sessions ahead: 10 spans without overlap, of 20" in outcome.out
    (scores,) = json.loads(cli("evaluate", "--horizons", "60", "--json").out)["horizons"]
    assert (scores["rows"][0]["spans"], scores["rows"][0]["verdict"]) == (10, None)
    bare = cli("evaluate", TICKER, "--horizons", "1,60", "--quiet").out
    assert bare == f"{TICKER}@v1 1 no_better\n{TICKER}@v1 60 too_few\n"


@pytest.mark.parametrize(("drift", "said"), [(0.99, True), (1.01, False)])
def test_a_lead_that_drift_has_as_well_is_said_to_be_that(
    model_home: Path, capsys: pytest.CaptureFixture[str], drift: float, said: bool
) -> None:
    (scores,) = evaluate_horizons([TICKER], [1, 2, 3], home=model_home).results
    rows = []
    for row in scores.rows:
        rmse = row.evaluation.point.rmse
        rival = replace(row.evaluation.rivals[0], name="drift", rmse=rmse * drift)
        better = replace(row.corrected, verdict="better")
        rows.append(
            replace(row, corrected=better, evaluation=replace(row.evaluation, rivals=(rival,)))
        )

    show(VIEW, Batch((replace(scores, rows=tuple(rows)),)), Mode.HUMAN)

    out = capsys.readouterr().out
    assert ("is as good 1-3 sessions ahead." in out) is said


def test_intervals_that_are_off_are_named_with_their_horizons(
    model_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (scores,) = evaluate_horizons([TICKER], [1, 2, 5, 40], home=model_home).results
    # Of 80 and of 95 %: share and p of Kupiec's test at each horizon.
    seen = [
        ((0.70, 0.001), (0.97, 0.02)),
        ((0.72, 0.012), (0.97, 0.5)),
        ((0.74, 0.04), (0.99, 0.012)),
        ((0.50, 0.0001), (0.97, 0.5)),
    ]
    evaluations = []
    for row, levels in zip(scores.rows, seen, strict=True):
        spread = row.evaluation.distribution
        coverage = [
            replace(each, share=share, kupiec_p=p)
            for each, (share, p) in zip(spread.coverage, levels, strict=True)
        ]
        spread = replace(spread, coverage=tuple(coverage))
        evaluations.append(replace(row.evaluation, distribution=spread))

    found = _interval_verdicts(evaluations)

    # Holm (1979) by hand: 4 · 0.0001, 3 · 0.001, 2 · 0.012, 0.04; of forty sessions are 16 spans.
    assert [each[0].holm_p for each in found] == pytest.approx([0.003, 0.024, 0.04, 0.0004])
    assert [each[0].verdict for each in found] == ["too_narrow"] * 3 + [None]
    assert [each[1].holm_p for each in found] == pytest.approx([0.06, 1, 0.048, 1])
    assert [each[1].verdict for each in found] == ["holds", "holds", "too_wide", None]

    rows = tuple(replace(row, intervals=each) for row, each in zip(scores.rows, found, strict=True))
    show(VIEW, Batch((replace(scores, rows=rows),)), Mode.HUMAN)
    out = capsys.readouterr().out
    assert "Intervals: 80 % too narrow 1-2,5 sessions ahead." in out
    assert "Intervals: 95 % too wide 5 sessions ahead." in out
    assert "none holds" not in out

    # Of a price that never changed all intervals are that price, and hold it always.
    single = []
    for row in scores.rows:
        spread = row.evaluation.distribution
        coverage = tuple(replace(c, share=1, width=0, kupiec_p=1e-9) for c in spread.coverage)
        single.append(replace(row.evaluation, distribution=replace(spread, coverage=coverage)))
    found = _interval_verdicts(single)
    assert {interval.verdict for each in found for interval in each} == {None}
    rows = tuple(replace(row, intervals=each) for row, each in zip(scores.rows, found, strict=True))
    show(VIEW, Batch((replace(scores, rows=rows),)), Mode.HUMAN)
    assert "Intervals: each a single price." in capsys.readouterr().out


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--horizons", "0"), "--horizons must be from 1 to 250"),
        (("--horizons", "5-1"), "goes backwards"),
        (("--horizons", "1-5", "--plot"), "draws no pictures"),
        (("--horizons", "1-5", "--live"), "evaluations of different kinds"),
        (("--horizons", "1-5", "--all"), "evaluations of different kinds"),
        (("--horizons", "1-5", "--jobs", "2"), "--jobs says"),
    ],
)
def test_what_means_nothing_is_refused(cli: Cli, options: tuple[str, ...], words: str) -> None:
    outcome = cli("evaluate", *options)

    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.err
