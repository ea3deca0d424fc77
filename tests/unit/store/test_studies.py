"""Searches are kept to the last bit, one process at a time, and damage is called so."""

import json
import math
import sqlite3
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stocklstm.core.settings.config import AXES, PRESETS, TrainingConfig, configure
from stocklstm.core.training.search import COMPLETE, DIVERGED, PRUNED, Trial
from stocklstm.errors import NotFoundError, SchemaError, StoreLockedError
from stocklstm.store import database
from stocklstm.store.store import Store, open_store
from stocklstm.store.studies import StudyRecord
from tests.support.property_tests import PROPERTY

RECORD = StudyRecord(
    id="PETR4.SA-20261121T213000Z-3f2a",
    ticker="PETR4.SA",
    created="2026-11-21T21:30:00Z",
    sampler="coordinate",
    most_trials=None,
    config=PRESETS["calibrated"],
    last="2024-03-13",
    sha256="0" * 64,
)

LOSS = st.floats(0, 1e300)
TRIALS = st.builds(
    Trial,
    number=st.integers(0, 2**40),
    settings=st.fixed_dictionaries(
        {
            "learning_rate": st.floats(1e-300, 1e300),
            "hidden_size": st.integers(1, 2048),
            "num_layers": st.integers(1, 16),
            "dropout": st.floats(0, 1, exclude_max=True),
            "batch_size": st.integers(1, 10**6),
        }
    ),
    status=st.sampled_from([COMPLETE, PRUNED, DIVERGED]),
    loss=LOSS | st.just(math.inf),
    curve=st.lists(LOSS | st.sampled_from([math.inf, math.nan]), max_size=5).map(tuple),
    kept_epoch=st.integers(0, 10**6),
    losses=st.lists(LOSS | st.sampled_from([-0.0, 5e-324, math.inf, math.nan]), max_size=20).map(
        lambda values: np.array(values, np.float64)
    ),
    seconds=st.floats(0, 1e9),
)

TRIAL = Trial(
    number=0,
    settings={axis: values[0] for axis, values in AXES.items()},
    status=COMPLETE,
    loss=0.25,
    curve=(0.3, 0.25),
    kept_epoch=2,
    losses=np.array([0.2, 0.3]),
    seconds=1.5,
)


def plain(trial: Trial) -> str:
    """Write every figure out, and not-a-number too."""
    values = {**asdict(trial), "losses": trial.losses.tolist()}
    return repr(values)


@pytest.mark.parametrize(
    "config",
    [*PRESETS.values(), configure("paper", learning_rate=0.1 + 0.2, clip_norm=1e-9, seed=2**62)],
)
@pytest.mark.parametrize("most", [None, 1, 10**6])
def test_a_study_comes_back_as_it_was(
    store: Store, config: TrainingConfig, most: int | None
) -> None:
    record = replace(RECORD, config=config, most_trials=most, sampler="tpe")

    store.studies.create(record)

    assert store.studies.open(record.id) == record
    assert store.studies.trials(record.id) == ()


@settings(PROPERTY, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(trials=st.lists(TRIALS, max_size=4, unique_by=lambda trial: trial.number), run=st.uuids())
def test_trials_come_back_to_the_last_bit_by_number(store: Store, trials, run) -> None:
    name = str(run)
    store.studies.create(replace(RECORD, id=name))
    for trial in trials:
        store.studies.add(name, trial)

    read = store.studies.trials(name)

    expected = sorted(trials, key=lambda trial: trial.number)
    assert list(map(plain, read)) == list(map(plain, expected))
    assert all(trial.losses.dtype == np.float64 for trial in read)
    store.studies.connection.execute("DELETE FROM trials")
    store.studies.connection.execute("DELETE FROM studies")


def test_what_is_not_a_number_is_no_loss(store: Store) -> None:
    store.studies.create(RECORD)
    for number, loss in enumerate([math.nan, math.inf, -math.inf]):
        store.studies.add(RECORD.id, replace(TRIAL, number=number, loss=loss, status=DIVERGED))

    assert [trial.loss for trial in store.studies.trials(RECORD.id)] == [math.inf] * 3


def test_a_number_is_given_once(store: Store) -> None:
    store.studies.create(RECORD)
    store.studies.add(RECORD.id, TRIAL)

    with pytest.raises(sqlite3.IntegrityError):
        store.studies.add(RECORD.id, TRIAL)
    with pytest.raises(sqlite3.IntegrityError):
        store.studies.add("of no study", TRIAL)
    assert len(store.studies.trials(RECORD.id)) == 1


def test_an_unknown_study_is_not_there_and_the_unfinished_are_named(store: Store) -> None:
    with pytest.raises(NotFoundError, match=r"(?m)no study 'nonsense'$") as caught:
        store.studies.open("nonsense")
    assert "stocklstm tune" in caught.value.hint

    store.studies.create(RECORD)
    with pytest.raises(NotFoundError, match=f"the unfinished studies are {RECORD.id}"):
        store.studies.open("../../etc/passwd")
    with pytest.raises(NotFoundError) as caught:
        store.studies.open("x" * 1_000_000)
    assert len(str(caught.value)) < 300


def test_unfinished_studies_are_listed_by_age_until_they_are_finished(store: Store) -> None:
    # Two of one second are told apart by which was written down first, not by their names.
    names = ["PETR4.SA-b", "PETR4.SA-a", "PETR4.SA-c"]
    for name in names:
        store.studies.create(replace(RECORD, id=name))
    store.studies.create(replace(RECORD, id="VALE3.SA-a", ticker="VALE3.SA"))
    store.studies.create(replace(RECORD, id="PETR4.SA-0", created="2026-11-20T00:00:00Z"))

    assert store.studies.unfinished("PETR4.SA") == ["PETR4.SA-0", *names]
    assert store.studies.unfinished("VALE3.SA") == ["VALE3.SA-a"]
    assert store.studies.unfinished("ABEV3.SA") == []
    store.studies.finish("PETR4.SA-a", RECORD.created)
    assert store.studies.unfinished() == ["PETR4.SA-0", "PETR4.SA-b", "PETR4.SA-c", "VALE3.SA-a"]
    assert store.studies.open("PETR4.SA-a").id == "PETR4.SA-a"


def test_one_process_at_a_time_is_at_work_on_a_study(store: Store) -> None:
    with store.studies.locked(RECORD.id):
        with pytest.raises(StoreLockedError), store.studies.locked(RECORD.id):
            pass
        with store.studies.locked("another"):
            pass
    with store.studies.locked(RECORD.id):
        pass
    assert list((store.paths.home / "locks").iterdir()) == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"preset": "calibrated"}', "\x00", '{"epochs": -1}']
)
def test_damaged_settings_of_a_study(store: Store, text: str) -> None:
    store.studies.create(RECORD)
    store.studies.connection.execute("UPDATE studies SET config = ?", (text,))

    with pytest.raises(SchemaError, match=r"cannot be read") as caught:
        store.studies.open(RECORD.id)
    assert "stocklstm tune --ticker PETR4.SA" in caught.value.hint


def test_settings_of_a_study_outside_their_limits(store: Store) -> None:
    store.studies.create(RECORD)
    config = {**asdict(RECORD.config), "hidden_size": -1}
    store.studies.connection.execute("UPDATE studies SET config = ?", (json.dumps(config),))

    with pytest.raises(SchemaError, match="hidden_size"):
        store.studies.open(RECORD.id)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("settings", "{"),
        ("settings", "null"),
        ("settings", "[]"),
        ("settings", '{"learning_rate": 0.1}'),
        ("settings", json.dumps(dict.fromkeys(AXES, "1"))),
        ("settings", json.dumps(dict.fromkeys(AXES, math.nan))),
        ("curve", "7"),
        ("curve", "[0.1"),
        ("losses", '["a"]'),
        ("losses", '{"a": 1}'),
    ],
)
def test_a_damaged_trial(store: Store, column: str, text: str) -> None:
    store.studies.create(RECORD)
    store.studies.add(RECORD.id, TRIAL)
    store.studies.connection.execute(f"UPDATE trials SET {column} = ?", (text,))  # noqa: S608

    with pytest.raises(SchemaError, match="is damaged"):
        store.studies.trials(RECORD.id)


def test_text_that_is_no_text(store: Store) -> None:
    store.studies.create(RECORD)
    store.studies.connection.execute("UPDATE studies SET config = CAST(x'ff41' AS TEXT)")

    with pytest.raises(SchemaError):
        store.studies.open(RECORD.id)


def test_a_store_of_before_there_were_studies_gets_their_tables(
    home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_MIGRATIONS", database._MIGRATIONS[:2])
    monkeypatch.setattr(database, "SCHEMA_VERSION", 2)
    with open_store(home, create=True) as store:
        store.studies.connection.execute("INSERT INTO sessions VALUES ('BVMF', 'day', 'noon')")
        with pytest.raises(SchemaError, match="no such table"):
            store.studies.unfinished()
    monkeypatch.undo()

    with open_store(home) as store:
        assert store.studies.unfinished() == []
        store.studies.create(RECORD)
        store.studies.add(RECORD.id, TRIAL)
        (read,) = store.studies.trials(RECORD.id)
        assert plain(read) == plain(TRIAL)
        assert store.studies.connection.execute("SELECT * FROM sessions").fetchall() == [
            ("BVMF", "day", "noon")
        ]
