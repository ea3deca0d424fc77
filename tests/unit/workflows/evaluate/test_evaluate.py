"""evaluate scores what is stored now, and draws it."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stocklstm import evaluate, predict, train
from stocklstm.core.forecasts.quantiles import crps
from stocklstm.core.prices.series import Instrument
from stocklstm.core.settings.config import configure
from stocklstm.errors import NoModelError, RejectedDataError, SeriesTooShortError
from stocklstm.learn.garch import fit_garch
from stocklstm.store.store import open_store
from tests.conftest import TICKER, TINY, Cli
from tests.support.stored_rows import execute


def test_on_the_same_prices_it_repeats_what_was_published(model_home: Path) -> None:
    (result,) = evaluate([TICKER], home=model_home).results

    with open_store(model_home) as store:
        published = store.registry.manifest(TICKER, 1).evaluation
    # GARCH is fitted here alone: training must not wait for it.
    distribution = replace(result.evaluation.distribution, rivals=())
    assert replace(result.evaluation, distribution=distribution) == published


def test_garch_stands_beside_the_model_where_it_can_be_fitted(model_home: Path) -> None:
    (result,) = evaluate([TICKER], home=model_home, plot=False).results

    (garch,) = result.evaluation.distribution.rivals
    with open_store(model_home) as store:
        bars = store.prices.bars(TICKER)
        splits = store.registry.manifest(TICKER, 1).splits
    fitted = fit_garch(bars, int(np.searchsorted(bars.dates, np.datetime64(splits.train_end)) + 1))
    assert fitted is not None
    targets = np.flatnonzero(bars.dates >= np.datetime64(splits.test_start))
    quantiles = bars.closes[targets - 1, None] * np.exp(fitted.returns(bars, targets - 1))
    outcome = bars.closes[targets - 1] * np.exp(bars.log_returns[targets])
    assert garch.name == "GARCH(1,1)-t"
    assert garch.crps == pytest.approx(crps(outcome, quantiles).mean())
    assert garch.crps_ratio == pytest.approx(result.evaluation.distribution.crps / garch.crps)


def test_without_arch_garch_is_left_out(model_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "arch", None)
    (result,) = evaluate([TICKER], home=model_home, plot=False).results

    assert result.evaluation.distribution.rivals == ()


def test_new_prices_lengthen_the_test_part(model_home: Path) -> None:
    (before,) = evaluate([TICKER], home=model_home, plot=False).results
    with open_store(model_home) as store:
        bars = store.prices.bars(TICKER).select(slice(-1, None))
        later = bars.dates.copy() + np.timedelta64(1, "D")
        instrument = Instrument(TICKER, "BRL", "BVMF", "America/Sao_Paulo")
        moved = replace(bars, dates=later)
        store.prices.merge(instrument, moved, (), source="test", at="2024-03-14T23:00:00Z")

    (after,) = evaluate([TICKER], home=model_home, plot=False).results

    assert after.evaluation.n == before.evaluation.n + 1
    assert after.evaluation.end == "2024-03-14"
    assert after.evaluation.start == before.evaluation.start


def test_the_picture_lies_outside_the_published_version(model_home: Path) -> None:
    (result,) = evaluate([TICKER], home=model_home).results

    assert result.plot is not None
    picture = Path(result.plot)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.is_relative_to(model_home / "reports")


def test_without_plot_nothing_is_drawn(model_home: Path) -> None:
    (result,) = evaluate([TICKER], home=model_home, plot=False).results

    assert result.plot is None
    assert not (model_home / "reports").exists()


def test_prices_that_end_before_the_test_part_are_too_few(model_home: Path) -> None:
    execute(model_home, "DELETE FROM prices WHERE date > '2015-01-01'")

    (failure,) = evaluate([TICKER], home=model_home).failures

    assert isinstance(failure.error, SeriesTooShortError)


def test_a_picture_that_cannot_be_drawn_costs_no_score(model_home: Path) -> None:
    (model_home / "reports").write_text("in the way")

    (result,) = evaluate([TICKER], home=model_home).results

    assert result.plot is None
    assert "no picture was drawn" in result.warnings[0]


def test_prices_rescaled_by_a_split_do_not_change_what_a_return_model_is_worth(
    model_home: Path,
) -> None:
    (before,) = evaluate([TICKER], home=model_home, plot=False).results
    halve_all_prices(model_home)

    (after,) = evaluate([TICKER], home=model_home, plot=False).results

    assert after.evaluation.point.rmse == pytest.approx(before.evaluation.point.rmse / 2)
    assert after.evaluation.point.mase == pytest.approx(before.evaluation.point.mase)
    ratio = before.evaluation.distribution.crps_ratio
    assert after.evaluation.distribution.crps_ratio == pytest.approx(ratio)


def test_a_price_model_is_refused_after_a_split(model_home: Path) -> None:
    train([TICKER], configure("paper-short", **TINY), home=model_home, promote="always")
    halve_all_prices(model_home)

    (scored,) = evaluate([TICKER], home=model_home).failures
    (forecast,) = predict([TICKER], home=model_home).failures

    for failure in (scored, forecast):
        assert isinstance(failure.error, RejectedDataError)
        assert "rescaled by 0.5" in failure.error.message
        assert "stocklstm train" in failure.error.hint


def halve_all_prices(home: Path) -> None:
    execute(
        home,
        "UPDATE prices SET open = open / 2, high = high / 2, low = low / 2,"
        " close = close / 2, adj_close = adj_close / 2",
    )


def test_no_model_is_an_error(priced_home: Path) -> None:
    with pytest.raises(NoModelError):
        evaluate(home=priced_home)


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize("kind", [("--all",), ("--compare",), ("--live",), ("--walk-forward", "9")])
def test_what_draws_nothing_says_so(cli: Cli, kind: tuple[str, ...]) -> None:
    outcome = cli("evaluate", *kind, "--plot", "--json")

    assert outcome.code == 2
    (error,) = json.loads(outcome.out)["errors"]
    assert error["message"] == f"evaluate {kind[0]} draws no pictures"
    assert cli("evaluate", "--all", "--no-plot").code == 0
