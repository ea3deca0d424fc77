"""Forecasts of a pooled model: of many tickers at once, of new ones, and from the latest prices."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm import evaluate_pool, predict, train, train_pooled
from stocklstm.core.arguments import ALL
from stocklstm.core.inputs.volatility import WARM_UP, VolatilityAnchor
from stocklstm.core.reference import ModelReference
from stocklstm.errors import NoModelError, NoPricesError, SeriesTooShortError
from stocklstm.store import prices as price_store
from stocklstm.store.ledger import Ledger
from stocklstm.store.registry import Registry
from stocklstm.store.store import open_store
from stocklstm.workflows.loading.pooled_model import load_pool
from stocklstm.workflows.predict import predict as predicting
from stocklstm.workflows.predict.predict import PredictResult, Wanted
from tests.conftest import Cli
from tests.support.loaded_modules import HEAVY, loaded
from tests.support.made_prices import made_bars
from tests.support.pooled_store import (
    EVENING,
    NAMES,
    POOL,
    YOUNG,
    dated,
    pool_config,
    put,
)
from tests.support.property_tests import PROPERTY


def forecasts(home: Path, *tickers: str, **options: object) -> PredictResult:
    return predict(tickers or ALL, pool="b3", home=home, now=EVENING, **options)  # type: ignore[arg-type]


def test_it_forecasts_all_that_it_knows(pool_home: Path) -> None:
    result = forecasts(pool_home)

    assert not result.failures
    assert [made.ticker for made in result.forecasts] == sorted(NAMES)
    assert {made.model for made in result.forecasts} == {"+b3@v1"}
    assert [made.currency for made in result.forecasts] == ["BRL", "BRL", "USD"]
    with open_store(pool_home) as store:
        model = load_pool(store, ModelReference(POOL))
        for made in result.forecasts:
            bars = store.prices.bars(made.ticker)
            expected = model.of(made.ticker, bars).forecast(bars).closes(bars.closes[-1:])
            # The program read the latest prices alone; to the last bit that is no difference.
            assert made.point == expected.points[0]
            assert list(made.quantiles.values()) == expected.quantiles[0].tolist()
            member = model.members[made.ticker]
            assert member.scores is not None
            assert made.verdict_text == member.scores.verdict_text


def test_many_at_once_are_the_very_ones_made_one_by_one(
    pool_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [*NAMES, YOUNG]
    alone = [forecasts(pool_home, name, wanted=Wanted()).forecasts[0] for name in names]
    monkeypatch.setattr(predicting, "_TOGETHER", 3)

    together = forecasts(pool_home, *names).forecasts

    assert [replace(made, unchanged=False) for made in together] == alone
    assert all(made.unchanged for made in together)


def test_only_the_latest_prices_are_read(pool_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    since = price_store.PriceStore.bars_since

    def counted(store: price_store.PriceStore, ticker: str, start: str) -> object:
        bars = since(store, ticker, start)
        rows.append(len(bars))
        return bars

    monkeypatch.setattr(price_store.PriceStore, "bars_since", counted)
    forecasts(pool_home, NAMES[0])
    assert rows == [31]  # 21 to warm up, windows of 10
    rows.clear()
    forecasts(pool_home, NAMES[0], wanted=Wanted(at="2026-11-20"))
    assert rows == [420]


def test_the_files_of_the_model_are_checked_once_for_all(
    pool_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    honest, record = Registry.read_file, Ledger.record_all
    transactions: list[int] = []

    def noted(registry: Registry, manifest: object, name: str) -> bytes:
        read.append(name)
        return honest(registry, manifest, name)  # type: ignore[arg-type]

    def counted(ledger: Ledger, entries: list[object]) -> object:
        transactions.append(len(entries))
        return record(ledger, entries)  # type: ignore[arg-type]

    monkeypatch.setattr(Registry, "read_file", noted)
    monkeypatch.setattr(Ledger, "record_all", counted)
    forecasts(pool_home)
    assert read == ["model.onnx", "pool.json"]
    assert transactions == [3]


def test_a_new_ticker_of_120_rows_is_forecast_and_of_119_is_not(pool_home: Path) -> None:
    put(pool_home, "YNG3.SA", dated(made_bars(119, 4)))

    result = forecasts(pool_home, YOUNG, "YNG3.SA")

    (made,) = result.forecasts
    assert "+b3@v1 was neither trained nor tested on this ticker" in made.warnings
    assert "Over the 3 tickers of +b3@v1" in made.verdict_text
    (failure,) = result.failures
    assert isinstance(failure.error, SeriesTooShortError)
    assert (failure.error.needed, failure.error.found) == (120, 119)


def test_later_rows_never_change_an_earlier_forecast_of_a_new_ticker(pool_home: Path) -> None:
    bars = dated(made_bars(420, 8))
    with open_store(pool_home) as store:
        model = load_pool(store, ModelReference(POOL))
    for rows in (130, 250, 419):
        seen = bars.select(slice(0, rows))
        alone = model.of("OLD3.SA", seen).forecaster.forecast(seen, np.array([rows - 1]))
        later = model.of("OLD3.SA", bars).forecaster.forecast(bars, np.array([rows - 1]))
        assert np.array_equal(alone.quantiles, later.quantiles)


@PROPERTY
@given(st.integers(60, 300), st.integers(0, 6), st.booleans(), st.data())
def test_an_anchor_goes_on_to_the_very_same_bits(
    rows: int, seed: int, ranges: bool, data: st.DataObject
) -> None:
    bars = made_bars(rows, seed, ranges=ranges)
    anchor = VolatilityAnchor.fit(bars, rows // 2, 0.92)
    row = data.draw(st.integers(WARM_UP, rows - 1))

    resumed = replace(anchor, resume=anchor.state(bars, row))

    tail = bars.select(slice(row, None))
    assert np.array_equal(resumed.sigmas(tail), anchor.sigmas(bars)[row:])
    # Bars that begin on any other day are none of its business.
    assert np.array_equal(resumed.sigmas(bars), anchor.sigmas(bars), equal_nan=True)


def test_the_ledger_keeps_who_made_it(pool_home: Path) -> None:
    train([NAMES[0]], pool_config(), home=pool_home)
    own = predict([NAMES[0]], home=pool_home, now=EVENING).forecasts[0]
    pooled = forecasts(pool_home, NAMES[0]).forecasts[0]

    assert (own.version, pooled.version) == (1, 1)
    assert (own.unchanged, pooled.unchanged) == (False, False)
    with open_store(pool_home) as store:
        (first,) = store.ledger.entries(NAMES[0])
        (second,) = store.ledger.entries(NAMES[0], POOL)
    assert (first.pool, first.point) == ("", own.point)
    assert (second.pool, second.point) == (POOL, pooled.point)


def _entry(store: object, home: Path) -> list[object]:
    forecasts(home, NAMES[0])
    return store.ledger.entries(NAMES[0], POOL)  # type: ignore[attr-defined, no-any-return]


def test_one_ticker_without_prices_stops_no_other(pool_home: Path) -> None:
    result = forecasts(pool_home, NAMES[0], "NONE3.SA", NAMES[1])

    assert [made.ticker for made in result.forecasts] == [NAMES[0], NAMES[1]]
    (failure,) = result.failures
    assert isinstance(failure.error, NoPricesError)
    assert failure.ticker == "NONE3.SA"


def test_a_pool_that_is_not_there(cli: Cli, pool_home: Path) -> None:
    with pytest.raises(NoModelError, match=r"no model of \+us"):
        predict(pool="us", home=pool_home)
    with pytest.raises(NoModelError, match=r"no \+b3@v9"):
        predict(pool="b3@v9", home=pool_home)
    assert cli("predict", "--model", "us").code == 4
    # Never in silence: who names no pooled model gets none.
    assert cli("predict").code == 4
    assert cli("predict", "-t", NAMES[0]).code == 4


def test_a_ticker_named_twice_is_forecast_once(pool_home: Path) -> None:
    result = forecasts(pool_home, NAMES[0], NAMES[0].lower())
    assert len(result.forecasts) == 1


@pytest.mark.usefixtures("painted")
def test_tickers_from_a_file_and_a_picture_of_one(
    cli: Cli, pool_home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "tickers.txt"
    file.write_text("AAA3.SA  # first\nbbb4.sa\n")

    outcome = cli("predict", "--model", "b3", "--tickers-file", str(file), "--plot", "--json")

    made = json.loads(outcome.out)["forecasts"]
    assert [each["ticker"] for each in made] == ["AAA3.SA", "BBB4.SA"]
    assert made[0]["plot"] == str(pool_home / "reports/+b3/v1/forecast-AAA3.SA.png")
    assert len({Path(each["plot"]).read_bytes() for each in made}) == 2
    picture = str(tmp_path / "x.png")
    assert cli("predict", "--model", "b3", "--plot-file", picture).code == 2


def test_a_version_of_a_pool_forecasts_and_is_scored_by_number(pool_home: Path) -> None:
    train_pooled("b3", NAMES[:2], pool_config(epochs=1), promote="always", home=pool_home)

    assert [m.ticker for m in forecasts(pool_home).forecasts] == sorted(NAMES[:2])
    first = predict(pool="b3@v1", home=pool_home, now=EVENING)
    assert {made.model for made in first.forecasts} == {"+b3@v1"}
    assert len(evaluate_pool("+b3@previous", home=pool_home).results[0].rows) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "--model", "b3", "--json"),
        ("predict", "--model", "b3", "-t", YOUNG),
        ("evaluate", "--model", "b3"),
        ("validate", "-t", "+b3", "--leakage"),
    ],
    ids=" ".join,
)
def test_no_heavy_library_is_loaded(pool_home: Path, arguments: tuple[str, ...]) -> None:
    assert not loaded(pool_home, *arguments) & HEAVY


def test_its_record_is_that_of_its_own_forecasts(pool_home: Path) -> None:
    train([NAMES[0]], pool_config(), home=pool_home)
    with open_store(pool_home) as store:
        days = store.prices.bars(NAMES[0]).dates.astype(str)
        (entry,) = _entry(store, pool_home)
        # As if they had been given on the evenings of a year.
        past = [
            entry._replace(target_session=days[row + 1], as_of=days[row], made_at=f"{days[row]}T23")
            for row in range(200, 418)
        ]
        store.ledger.record_all(past)
        store.ledger.record_all([each._replace(pool="", point=1.0) for each in past[-30:]])

    made = forecasts(pool_home, NAMES[0]).forecasts[0]
    own = predict([NAMES[0]], home=pool_home, now=EVENING).forecasts[0]

    assert made.live is not None
    assert made.live.n == 60
    assert own.live is not None
    assert own.live.n == 30


def test_days_that_it_learned_from_prove_nothing(pool_home: Path) -> None:
    with open_store(pool_home) as store:
        splits = load_pool(store, ModelReference(POOL)).manifest.splits
    made = forecasts(pool_home, NAMES[0], wanted=Wanted(at=splits.train_end)).forecasts[0]
    assert any("with" in w and "in sight" in w for w in made.warnings)
    late = forecasts(pool_home, NAMES[0], wanted=Wanted(at=splits.test_end)).forecasts[0]
    assert not any("in sight" in w for w in late.warnings)
