"""What functions of Python take: names, days and numbers in whatever form a notebook has them."""

import copy
import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stocklstm
from stocklstm.core.arguments import (
    read_day,
    read_moment,
    read_names,
    read_numbers,
    read_paths,
    read_whole_numbers,
)
from stocklstm.core.batch import Batch
from stocklstm.errors import ConfigError
from stocklstm.workflows.prices.plan import FetchOptions
from tests.conftest import TICKER

NAMES = st.lists(st.sampled_from(["PETR4.SA", "VALE3.SA", "AAPL@v1"]), max_size=4)
CONTAINERS = st.sampled_from([list, tuple, np.array, pd.Series, pd.Index, iter])
DAYS = st.dates(date(1980, 1, 1), date(2100, 1, 1))
FORMS = st.sampled_from(
    [
        *(str, date.isoformat, pd.Timestamp, np.datetime64, lambda day: str(pd.Timestamp(day))),
        *(lambda day: datetime(day.year, day.month, day.day), lambda day: day),  # noqa: DTZ001
        lambda day: pd.Timestamp(day, tz="America/Sao_Paulo"),
        lambda day: pd.DatetimeIndex([day]).to_numpy()[0],
    ]
)
JUNK = (
    *(5, True, 0.5, float("nan"), b"PETR4.SA", {"PETR4.SA": 1}, object(), [None], [5, "PETR4.SA"]),
    *(
        pd.DataFrame({"close": [1.0]}),
        pd.NaT,
        np.datetime64("NaT", "D"),
        np.float64(1),
        pd.Series([1]),
    ),
)


@settings(deadline=None, max_examples=40)
@given(NAMES, CONTAINERS)
def test_names_are_taken_from_whatever_holds_them(names: list[str], container: type) -> None:
    assert read_names(container(names), "tickers") == tuple(names)


@settings(deadline=None, max_examples=40)
@given(DAYS, FORMS)
def test_a_day_is_taken_in_every_form(day: date, form: type) -> None:
    assert read_day(form(day), "at") == day.isoformat()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 250), max_size=4), CONTAINERS)
def test_whole_numbers_are_taken_from_whatever_holds_them(
    numbers: list[int], container: type
) -> None:
    assert read_whole_numbers(container(numbers), "horizon") == tuple(numbers)
    assert read_numbers(container(numbers), "levels") == tuple(map(float, numbers))


def test_one_number_is_taken_as_it_is() -> None:
    for five in (5, 5.0, np.int64(5), np.float32(5), np.array(5)):
        assert read_whole_numbers(five, "horizon") == (5,)
    assert read_numbers(0.9, "levels") == (0.9,)
    assert read_whole_numbers(range(1, 3), "horizon") == (1, 2)


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: type(junk).__name__)
def test_what_is_nothing_of_the_kind_is_refused_in_words(junk: object) -> None:
    for read in (read_names, read_paths):
        with pytest.raises(ConfigError) as refused:
            read(junk, "it")
        assert len(refused.value.message) < 150
    with pytest.raises(ConfigError):
        read_day(junk, "at")


@pytest.mark.parametrize("wrong", ["5", True, np.True_, 5.5, float("nan"), [1, "2"], None])
def test_no_whole_number(wrong: object) -> None:
    with pytest.raises(ConfigError, match="horizon is a whole number"):
        read_whole_numbers(wrong, "horizon")


def test_a_moment_has_its_zone() -> None:
    moment = datetime(2024, 3, 14, 18, 5, tzinfo=timezone(timedelta(hours=-3)))
    for form in (moment, pd.Timestamp(moment), "2024-03-14T21:05:00Z", moment.astimezone(UTC)):
        assert read_moment(form, "now") == "2024-03-14T21:05:00Z"
    for wrong in ("yesterday", 5, date(2024, 3, 14), datetime(2024, 3, 14)):  # noqa: DTZ001
        with pytest.raises(ConfigError, match="with its zone"):
            read_moment(wrong, "now")


def test_one_file_or_several_and_their_source() -> None:
    for files in ("x.csv", Path("x.csv"), ["x.csv"], (Path("x.csv"),)):
        options = FetchOptions(files=files)  # type: ignore[arg-type]
        assert (options.source, options.files) == ("csv", (Path("x.csv"),))
    assert FetchOptions().source == "yahoo"
    assert FetchOptions(source="b3", files=("a.zip", "b.zip")).source == "b3"  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"files are paths .* a DataFrame") as refused:
        FetchOptions(files=pd.DataFrame({"close": [1.0]}))  # type: ignore[arg-type]
    assert "to_csv" in f"{refused.value.hint}"


@pytest.mark.parametrize("empty", [[], (), np.array([]), pd.Series([], dtype=object), set()])
def test_an_empty_list_is_not_all(empty: object, model_home: Path) -> None:
    with stocklstm.open(model_home) as client:
        with pytest.raises(ConfigError, match="an empty list of names was given to predict"):
            client.predict(empty)
        with pytest.raises(ConfigError, match="an empty list"):
            client.prices(empty)
        assert client.predict().forecasts
        for name in ("fetch", "evening", "validate", "list_models", "find_due", "collect_garbage"):
            with pytest.raises(ConfigError, match=f"an empty list of names was given to {name}"):
                getattr(client, name)(empty)


def test_forms_of_a_notebook_forecast_the_same(model_home: Path) -> None:
    with stocklstm.open(model_home) as client:
        plain = client.predict(TICKER, at="2024-03-12", horizon=[1, 2], levels=[0.9])
        forms = client.predict(
            pd.Series([TICKER]),
            at=pd.Timestamp("2024-03-12"),
            horizon=np.array([1, 2]),
            levels=0.9,
        )
        assert forms.forecasts == plain.forecasts
        assert client.prices(TICKER, since=date(2024, 3, 12)).index[0] == pd.Timestamp("2024-03-12")
        assert len(client.evaluate_horizons(TICKER, np.int64(2)).results) == 1
        for wrong in ({"horizon": "5"}, {"horizon": True}, {"levels": "0.9"}, {"at": 5}):
            with pytest.raises(ConfigError):
                client.predict(TICKER, **wrong)


def test_an_option_of_another_class_is_no_bug(model_home: Path) -> None:
    with stocklstm.open(model_home) as client:
        with pytest.raises(ConfigError, match="config of train is a TrainingConfig, not 'cal"):
            client.train(TICKER, "calibrated")  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="walk of walk_forward is a WalkForward, not 40"):
            client.walk_forward(TICKER, 40)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match=r"options of fetch is a FetchOptions, not a DataFr"):
            client.fetch(TICKER, pd.DataFrame({"close": [1.0] * 99}))  # type: ignore[arg-type]
    assert stocklstm.configure(epochs=8) == stocklstm.configure("calibrated", epochs=8)


def test_warnings_are_seen_wherever_a_forecast_is(model_home: Path) -> None:
    with stocklstm.open(model_home) as client:
        made = client.predict(TICKER, at="2018-01-10")
        clean = client.predict(TICKER, now="2024-03-13T23:00:00Z")
    (warning,) = made.forecasts[0].warnings
    assert "in sight" in warning

    assert f"WARNING: {warning}" in repr(made)
    assert f"<p>WARNING: {warning}</p>" in made._repr_html_()
    assert made.to_frame().warnings.tolist() == [warning]
    assert "WARNING" not in repr(clean)
    assert clean.to_frame().warnings.isna().all()


def test_a_result_is_a_container_and_equal_to_its_copy(model_home: Path) -> None:
    with stocklstm.open(model_home) as client:
        made = client.predict([TICKER, "VALE3.SA"], horizon=[1, 2])
    assert (len(made), list(made)) == (2, list(made.results))
    assert (made[0], made[-1], made[:1]) == (made.results[0], made.results[1], made.results[:1])
    assert made[1] in made
    assert made.failures
    assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == made  # noqa: S301 - our own
    # Nothing went well, and yet it is there: it says what failed.
    assert Batch(())
    assert hash(made.failures[0]) == hash(copy.deepcopy(made.failures[0]))


def test_a_column_has_one_dtype_whatever_is_missing(model_home: Path) -> None:
    with stocklstm.open(model_home) as client:
        client.predict(TICKER)
        open_ones = client.forecasts(TICKER)
        versions = client.list_models().to_frame()
        live = client.evaluate_live().to_frame()
    assert open_ones.outcome.isna().all()
    assert (open_ones.held_80.dtype, open_ones.held_95.dtype) == ("boolean", "boolean")
    assert versions.parent.dtype == object
    assert live.version.dtype == "Int64"
