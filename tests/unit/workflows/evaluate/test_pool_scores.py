"""A pooled model is scored ticker by ticker, on days that it never saw."""

import json
from pathlib import Path

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from stocklstm import evaluate_pool, train
from stocklstm.core.reference import ModelReference
from stocklstm.store.store import open_store
from stocklstm.workflows.loading.pooled_model import load_pool
from stocklstm.workflows.scoring import score_unseen
from tests.conftest import Cli
from tests.support.made_prices import made_bars
from tests.support.pooled_store import (
    NAMES,
    POOL,
    YOUNG,
    dated,
    pool_config,
    put,
)


def test_it_is_scored_ticker_by_ticker_beside_their_own(pool_home: Path) -> None:
    train([NAMES[0]], pool_config(), home=pool_home)

    result = evaluate_pool("b3", [*NAMES, YOUNG], home=pool_home)

    (scores,) = result.results
    assert [failure.ticker for failure in result.failures] == [YOUNG]
    with open_store(pool_home) as store:
        model = load_pool(store, ModelReference(POOL))
        bars = store.prices.bars(NAMES[1])
        _, expected = score_unseen(model.of(NAMES[1], bars), bars)
    assert scores.rows[1].evaluation == expected
    member = model.members[NAMES[1]].scores
    assert member is not None
    assert (member.n, member.crps_ratio) == (expected.n, expected.distribution.crps_ratio)
    own = scores.rows[0].own
    assert own is not None
    assert own.model == f"{NAMES[0]}@v1"
    assert own.crps_ratio == pytest.approx(1, abs=0.1)
    assert [row.own for row in scores.rows[1:]] == [None, None]
    ratios = [row.evaluation.distribution.crps_ratio or 1 for row in scores.rows]
    assert scores.means.crps_ratio == pytest.approx(float(np.prod(ratios)) ** (1 / 3))
    assert scores.means.owned == 1
    spreads = [row.evaluation.distribution for row in scores.rows]
    found, *_ = multipletests([each.dm_p for each in spreads], 0.05, "holm")
    lower = np.array([each.crps < each.crps_ewma for each in spreads])
    assert scores.means.crps_better == int((found & lower).sum())
    assert scores.means.crps_worse == int((found & ~lower).sum())
    # Of prices that are made at random a handful of epochs learns nothing significant.
    assert min(row.evaluation.point.dm_p for row in scores.rows) * 3 >= 0.05
    assert (scores.means.better, scores.means.worse) == (0, 0)
    assert " Ticker by ticker: better for 0 of 3 after Holm, worse for 0. Intervals: " in (
        model.manifest.evaluation.verdict_text
    )


def test_tables_fit_eighty_columns(
    cli: Cli, pool_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train([NAMES[0]], pool_config(), home=pool_home)
    monkeypatch.setenv("COLUMNS", "80")

    lines = cli("evaluate", "--model", "b3").out.splitlines()

    assert max(map(len, lines)) <= 80
    (first, second) = [line.split() for line in lines if line.startswith(NAMES[0])]
    assert len(first) == 10
    assert second[:2] == [NAMES[0], f"{NAMES[0]}@v1"]
    counted = "Against yesterday's close: better for 0 of 3 after Holm, worse for 0."
    assert counted in " ".join(lines)


def test_a_ticker_that_it_never_saw_is_scored_too(cli: Cli, pool_home: Path) -> None:
    put(pool_home, "OLD3.SA", dated(made_bars(420, 8)))

    outcome = cli("evaluate", "--model", "b3", "-t", "OLD3.SA", "-t", NAMES[0])

    assert outcome.code == 0, outcome.err
    assert "OLD3.SA *" in outcome.out
    assert "Pooled / own" not in outcome.out
    assert cli("evaluate", "--model", "b3", "--quiet").out.splitlines()[0].startswith("+b3@v1 AAA3")
    (pool,) = json.loads(cli("evaluate", "--model", "b3@v1", "--json").out)["pools"]
    assert [row["ticker"] for row in pool["rows"]] == sorted(NAMES)


def test_its_loss_curves_are_drawn_if_asked(cli: Cli, pool_home: Path) -> None:
    picture = pool_home / "reports" / POOL / "v1" / "training_history.png"
    picture.unlink(missing_ok=True)
    (plain,) = json.loads(cli("evaluate", "--model", "b3", "--json").out)["pools"]
    assert (plain["plots"], picture.exists()) == ([], False)

    (drawn,) = json.loads(cli("evaluate", "--model", "b3", "--plot", "--json").out)["pools"]

    assert (drawn["plots"], drawn["warnings"]) == ([str(picture)], [])
    assert picture.exists()
