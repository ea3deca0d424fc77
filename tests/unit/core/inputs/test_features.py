"""What the network sees: by hand, of no later day, of about unit size."""

import math
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.inputs import features
from stocklstm.core.inputs.features import (
    ROWS,
    FeatureScale,
    beyond_training,
    feature_inputs,
    feature_values,
    features_warm_up,
    fit_features,
    input_ranges,
    needs_anchor,
)
from stocklstm.core.inputs.volatility import (
    WARM_UP,
    VolatilityAnchor,
    range_variances,
    valid_ranges,
)
from stocklstm.core.prices.series import Bars
from stocklstm.core.settings.config import FEATURES, PRESETS, TrainingConfig
from stocklstm.errors import RejectedDataError
from tests.support.made_prices import bars_of, made_bars, other_future, with_realised
from tests.support.property_tests import PROPERTY

ALL = replace(PRESETS["calibrated"], features=FEATURES)


def anchor_of(bars: Bars, rows: int = 200) -> VolatilityAnchor:
    return VolatilityAnchor.fit(bars, rows, 0.92)


def raw(bars: Bars, name: str) -> np.ndarray:
    """Give a feature as it is, unscaled."""
    return feature_inputs([FeatureScale(name, 0.0, 1.0)], bars, anchor_of(bars))[:, 0]


def config_of(*features: str) -> TrainingConfig:
    return replace(PRESETS["calibrated"], features=features)


def test_every_name_has_a_row_and_every_row_a_name() -> None:
    assert tuple(ROWS) == FEATURES


def test_what_a_row_needs_is_asked_of_every_row(
    petr4: Bars, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of one that was just added: its name is in no list of needs."""
    turnover = features._Need("a turnover", lambda bars: np.zeros(len(bars), bool))
    monkeypatch.setitem(ROWS, "gap", ROWS["gap"]._replace(needs=turnover))

    with pytest.raises(RejectedDataError, match="have a turnover"):
        fit_features(petr4, 200, config_of("return", "gap"), anchor_of(petr4))


def test_each_feature_by_hand(petr4: Bars) -> None:
    sigmas = anchor_of(petr4).sigmas(petr4)
    ranged = valid_ranges(petr4)
    variances = np.where(ranged, range_variances(petr4), petr4.log_returns**2)
    variances = np.maximum(variances, anchor_of(petr4).floor ** 2)
    for row in (100, 2000, len(petr4) - 1):
        move = math.log(petr4.adj_closes[row] / petr4.adj_closes[row - 1])
        inside = math.log(petr4.closes[row] / petr4.opens[row])
        usual = petr4.volumes[row - 19 : row + 1].mean()
        expected = {
            "return": move / sigmas[row - 1],
            "volatility": math.log(sigmas[row]),
            "close": petr4.closes[row],
            "volume": math.log(petr4.volumes[row] / usual),
            "range": math.log(petr4.highs[row] / petr4.lows[row]),
            "gap": move - inside,
            "variance1": math.log(variances[row]),
            "variance5": math.log(variances[row - 4 : row + 1].mean()),
            "variance22": math.log(variances[row - 21 : row + 1].mean()),
            "intraday": 0.0,
        }
        assert set(expected) == set(FEATURES)
        for name, value in expected.items():
            assert raw(petr4, name)[row] == pytest.approx(value, rel=1e-5, abs=1e-7), name


@pytest.mark.parametrize("name", FEATURES)
def test_the_warm_up_is_exactly_what_is_lost(name: str) -> None:
    known = np.isfinite(raw(made_bars(300), name))

    assert not known[: features_warm_up([name])].any()
    assert known[features_warm_up([name]) :].all()


def test_the_kind_of_each_day_is_shown_and_its_own_variance() -> None:
    bars = with_realised(made_bars(300))
    assert bars.realised is not None
    kinds = raw(bars, "intraday")

    for minutes, kind in ((0, 0), (60, 1), (5, 2)):
        assert set(kinds[1:][bars.realised.minutes[1:] == minutes]) == {kind}
    own = raw(bars, "variance1")[1:]
    ranged = raw(replace(bars, realised=None), "variance1")[1:]
    assert ((own != ranged) == (kinds[1:] > 0)).all()


def test_a_flag_that_training_never_saw_raised_says_nothing() -> None:
    bars = with_realised(made_bars(300), since=250)
    anchor = anchor_of(bars)
    scales = fit_features(bars, 200, config_of("intraday"), anchor)

    assert np.abs(feature_inputs(scales, bars, anchor)).max() < 1e-8
    seen = input_ranges(["intraday"], bars, np.arange(20, 200), anchor)
    raised = bars.select(slice(0, 251 + int(np.argmax(anchor.kinds(bars)[250:] > 0))))
    assert anchor.kinds(raised)[-1] > 0
    assert beyond_training(seen, raised, anchor) == ()


def test_they_are_made_once_of_the_same_bars() -> None:
    bars, names = made_bars(300), FEATURES
    anchor = anchor_of(bars)
    first = feature_values(names, bars, anchor)

    assert feature_values(list(names), bars, anchor) is first
    assert not first.flags.writeable
    assert feature_values(names, bars, anchor_of(bars, 100)) is not first
    assert feature_values(names, bars.select(slice(1, None)), anchor) is not first


@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize("row", [60, 250])
@pytest.mark.parametrize("realised", [False, True])
def test_no_feature_knows_a_later_day(name: str, row: int, realised: bool) -> None:
    bars = with_realised(made_bars(300)) if realised else made_bars(300)
    changed = other_future(bars, row)
    anchor = anchor_of(bars, 50)
    scales = fit_features(bars, 50, config_of(name), anchor)

    before, after = (feature_inputs(scales, each, anchor)[: row + 1] for each in (bars, changed))

    assert np.array_equal(before, after, equal_nan=True)
    assert scales == fit_features(changed, 50, config_of(name), anchor)


@pytest.mark.parametrize("name", FEATURES)
def test_the_latest_rows_alone_give_the_same(name: str) -> None:
    """As a forecast reads them: an anchor goes on from where it stood."""
    bars = with_realised(made_bars(300))
    anchor = anchor_of(bars)
    whole = feature_inputs([FeatureScale(name, 0.0, 1.0)], bars, anchor)
    resumed = replace(anchor, resume=anchor.state(bars, 250))

    latest = feature_inputs([FeatureScale(name, 0.0, 1.0)], bars.select(slice(250, None)), resumed)

    start = max(WARM_UP, features_warm_up([name]))
    assert np.array_equal(latest[start:], whole[250 + start :])


def test_training_rows_alone_set_the_scale_and_give_it_unit_size(petr4: Bars) -> None:
    anchor = VolatilityAnchor.fit(petr4, 2000, 0.92)
    inputs = feature_inputs(fit_features(petr4, 2000, ALL, anchor), petr4, anchor)
    start = features_warm_up(FEATURES)
    columns = dict(zip(FEATURES, inputs.T, strict=True))

    for name in set(FEATURES) - {"return", "close", "intraday"}:
        own = columns[name][features_warm_up([name]) : 2000].astype(np.float64)
        assert (own.mean(), own.std()) == pytest.approx((0, 1), abs=1e-4), name
    assert (columns["close"][:2000].min(), columns["close"][:2000].max()) == (0, 1)
    assert 0.5 < columns["return"][start:2000].std() < 2


@pytest.mark.parametrize("names", list(permutations(("return", "volume", "close"), 2)))
def test_the_order_of_the_columns_is_that_of_the_names(names: tuple[str, str]) -> None:
    bars = made_bars(300)
    anchor = anchor_of(bars)

    both = feature_inputs(fit_features(bars, 200, config_of(*names), anchor), bars, anchor)
    alone = [
        feature_inputs(fit_features(bars, 200, config_of(name), anchor), bars, anchor)[:, 0]
        for name in names
    ]

    assert np.array_equal(both, np.column_stack(alone), equal_nan=True)


def test_only_some_are_measured_in_volatility() -> None:
    measured = {"return", "volatility", "variance1", "variance5", "variance22", "intraday"}
    assert {name for name in FEATURES if needs_anchor([name])} == measured


# Prices that lack something


def test_volumes_that_are_not_there_are_said() -> None:
    bars = replace(made_bars(300), volumes=np.full(300, np.nan))

    with pytest.raises(
        RejectedDataError, match="only 0 of 200 training days have a volume"
    ) as caught:
        fit_features(bars, 200, config_of("volume"), None)

    assert "--features" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "need"), [("range", "a high and low"), ("gap", "an open, high and low")]
)
def test_ranges_that_are_not_there_are_said(name: str, need: str) -> None:
    with pytest.raises(RejectedDataError, match=f"only 0 of 199 training days have {need}"):
        fit_features(made_bars(300, ranges=False), 200, config_of(name), None)


def test_a_few_days_without_range_are_bridged() -> None:
    bars = made_bars(300)
    bars.highs[[50, 60]] = np.nan

    assert np.isfinite(raw(bars, "range")[1:]).all()
    assert raw(bars, "range")[50] == pytest.approx(abs(bars.log_returns[50]), rel=1e-6)
    assert raw(bars, "gap")[60] == 0


def test_a_range_needs_no_open_and_a_gap_does() -> None:
    """As of an index whose opens of its first decades nobody knows."""
    bars = made_bars(300)
    ranges = np.log(bars.highs / bars.lows)
    bars.opens[:100] = np.nan

    assert raw(bars, "range")[1:] == pytest.approx(ranges[1:], rel=1e-5)
    assert (raw(bars, "gap")[1:100] == 0).all()
    assert fit_features(bars, 200, config_of("range"), None)
    with pytest.raises(RejectedDataError, match="only 100 of 199") as caught:
        fit_features(bars, 200, config_of("range", "gap"), None)
    assert "leave gap out" in str(caught.value.hint)


@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize("lacking", [("opens",), ("highs",), ("lows",), ("opens", "highs", "lows")])
def test_inputs_are_finite_whatever_is_unknown(name: str, lacking: tuple[str, ...]) -> None:
    bars = made_bars(300)
    for column in lacking:
        getattr(bars, column)[[0, 1, 20, 21, 150, *range(200, 230), 299]] = np.nan

    assert np.isfinite(raw(bars, name)[features_warm_up([name]) :]).all()


def test_a_volume_that_is_not_known_is_usual() -> None:
    bars = made_bars(300)
    bars.volumes[[100, 250]] = np.nan
    bars.volumes[110] *= 3

    volumes = raw(bars, "volume")

    assert np.isfinite(volumes[19:]).all()
    assert volumes[100] == volumes[250] == 0
    known = np.delete(bars.volumes[91:111], 9)
    assert volumes[110] == pytest.approx(math.log(bars.volumes[110] / known.mean()), rel=1e-5)
    assert fit_features(bars, 200, config_of("volume"), None)


def test_days_without_trades_stay_finite() -> None:
    bars = made_bars(300)
    bars.volumes[100] = 0
    bars.volumes[150:200] = 0

    volumes = raw(bars, "volume")

    assert np.isfinite(volumes[19:]).all()
    assert volumes[100] == pytest.approx(math.log(0.01))
    # Nothing for so long is what is usual.
    assert volumes[199] == 0


def test_a_share_that_never_moves_has_finite_inputs() -> None:
    still = np.full(300, 7.0)
    bars = bars_of(still, opens=still, highs=still, lows=still, volumes=still)
    names = ("return", "volatility", "close", "volume")
    anchor = anchor_of(bars)

    inputs = feature_inputs(fit_features(bars, 200, config_of(*names), anchor), bars, anchor)

    assert np.isfinite(inputs[features_warm_up(names) :]).all()


@PROPERTY
@given(seed=st.integers(0, 10_000), factor=st.floats(0.01, 100))
def test_a_split_changes_nothing_but_the_close(seed: int, factor: float) -> None:
    bars = made_bars(120, seed)
    split = replace(
        bars,
        opens=bars.opens * factor,
        highs=bars.highs * factor,
        lows=bars.lows * factor,
        closes=bars.closes * factor,
        adj_closes=bars.adj_closes * factor,
        volumes=bars.volumes / factor,
    )

    for name in set(FEATURES) - {"close"}:
        assert np.allclose(raw(bars, name), raw(split, name), atol=1e-4, equal_nan=True), name
