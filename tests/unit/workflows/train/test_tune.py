"""A search never sees a test day, goes on where it was, and ends with a command that works."""

import shlex
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from stocklstm import fetch, tune
from stocklstm.core.inputs.scaling import warm_up_rows
from stocklstm.core.prices.splits import split_origins
from stocklstm.core.settings.config import AXES, TrainingConfig, configure
from stocklstm.core.training.search import Trial
from stocklstm.errors import (
    ConfigError,
    NoPricesError,
    NotFoundError,
    RejectedDataError,
    SeriesTooShortError,
    StoreLockedError,
    TrainingDivergedError,
)
from stocklstm.learn.trials import Trials
from stocklstm.store.store import open_store
from stocklstm.workflows.prices.plan import FetchOptions
from stocklstm.workflows.train import train as training
from stocklstm.workflows.train.beginning import Search
from stocklstm.workflows.train.tune import (
    TrialEnded,
    TunedTicker,
    TuneResult,
    TuningStoppedError,
)
from tests.conftest import TICKER, TINY, Cli
from tests.support.stored_rows import execute

SMALLEST = {**TINY, "epochs": 1, "hidden_size": 8, "seq_length": 5, "batch_size": 256}
ROWS = 500
START = {
    "learning_rate": 0.002,
    "hidden_size": 8,
    "num_layers": 1,
    "dropout": 0.0,
    "batch_size": 256,
}


@pytest.fixture(scope="session")
def _few_prices(_priced: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("few") / "home"
    shutil.copytree(_priced, home)
    statement = (
        "DELETE FROM prices WHERE date NOT IN (SELECT date FROM prices ORDER BY date DESC LIMIT ?)"
    )
    change(home, statement, ROWS)
    return home


@pytest.fixture
def few_home(_few_prices: Path, home: Path) -> Path:
    """Give this test's store the last 500 prices, on which a search takes half a second."""
    shutil.copytree(_few_prices, home)
    return home


@pytest.fixture
def smallest() -> TrainingConfig:
    return configure("calibrated", **SMALLEST)


def change(home: Path, statement: str, *values: object) -> None:
    execute(home, statement, *values)


def add_price(home: Path, day: str, close: float) -> None:
    file = home.parent / "more.csv"
    file.write_text(f"Date,Close\n{day},{close}\n")
    assert not fetch([TICKER], FetchOptions("csv", (file,)), home=home).failures


def after(steps: int) -> Callable[[], bool]:
    left = [steps]

    def should_stop() -> bool:
        left[0] -= 1
        return left[0] <= 0

    return should_stop


def found(result: TuneResult) -> TunedTicker:
    assert not result.failures
    return result.results[0]


def stored(home: Path, study: str) -> list[Trial]:
    with open_store(home) as store:
        return list(store.studies.trials(study))


def outcomes(home: Path, study: str) -> list[tuple[object, ...]]:
    """Give all that must not differ: everything but the time it took."""
    return [
        (t.number, t.settings, t.status, t.loss, t.curve, t.kept_epoch, t.losses.tolist())
        for t in stored(home, study)
    ]


def unfinished(home: Path) -> list[str]:
    with open_store(home) as store:
        return store.studies.unfinished()


def stopped(home: Path, config: TrainingConfig, search: Search, steps: int) -> str:
    with pytest.raises(TuningStoppedError) as caught:
        tune([TICKER], config, search, home=home, should_stop=after(steps))
    (name,) = unfinished(home)
    assert caught.value.command == f"stocklstm tune --resume {name}"
    return name


def without_time(tuned: TunedTicker) -> TunedTicker:
    def timeless(trial):
        return replace(trial, seconds=0.0)

    return replace(
        tuned,
        study="",
        plot="",
        resumed=False,
        trials=tuple(map(timeless, tuned.trials)),
        start=timeless(tuned.start),
        best=timeless(tuned.best),
    )


def test_a_search_tries_one_axis_after_the_other(few_home: Path, smallest: TrainingConfig) -> None:
    events: list[TrialEnded] = []

    tuned = found(tune([TICKER], smallest, Search(), home=few_home, on_trial=events.append))

    assert [trial.number for trial in tuned.trials] == list(range(len(tuned.trials)))
    assert tuned.start == tuned.trials[0]
    assert tuned.start.settings == START
    assert tuned.best == min(tuned.trials, key=lambda trial: (trial.val_loss, trial.number))
    assert asdict(tuned.config) == {**asdict(smallest), **tuned.best.settings}
    assert [event.done for event in events] == list(range(1, len(tuned.trials) + 1))
    assert all(event.most >= len(tuned.trials) for event in events)
    assert events[-1].most == len(tuned.trials)
    assert not tuned.resumed
    assert Path(tuned.plot).read_bytes().startswith(b"\x89PNG")
    assert unfinished(few_home) == []
    gain = 1 - tuned.best.val_loss / tuned.start.val_loss
    assert tuned.improvement_pct == pytest.approx(100 * gain)
    assert tuned.p is not None
    assert ("may well be chance" in tuned.conclusion) == (tuned.p >= 0.05)


@pytest.mark.parametrize("preset", ["calibrated", "paper-short"])
def test_the_test_part_cannot_matter(few_home: Path, tmp_path: Path, preset: str) -> None:
    config = configure(preset, **SMALLEST)
    with open_store(few_home) as store:
        bars = store.prices.bars(TICKER)
    split = split_origins(len(bars), warm_up_rows(config), config)
    last = str(bars.dates[split.validation[-1] + config.horizon])
    assert last < str(bars.dates[split.test[0] + config.horizon])
    other = tmp_path / "other"
    shutil.copytree(few_home, other)
    noise = (
        "UPDATE prices SET open = NULL, high = NULL, low = NULL, volume = 1,"
        " close = close * (1 + abs(random() % 100)), adj_close = 1 + abs(random() % 100)"
        " WHERE date > ?"
    )
    change(other, noise, last)

    one, two = (
        found(tune([TICKER], config, Search(most_trials=8), home=home))
        for home in (few_home, other)
    )

    assert outcomes(few_home, one.study) == outcomes(other, two.study)
    assert without_time(one) == without_time(two)
    # The last day that counts does count.
    change(other, "UPDATE prices SET close = close * 1.1, adj_close = 99 WHERE date = ?", last)
    three = found(tune([TICKER], config, Search(most_trials=8), home=other))
    assert without_time(three) != without_time(one)


@pytest.mark.parametrize(
    ("sampler", "steps"), [("coordinate", 1), ("coordinate", 9), ("grid", 5), ("tpe", 7)]
)
def test_a_search_that_was_stopped_ends_as_if_it_had_not_been(
    few_home: Path, smallest: TrainingConfig, sampler: str, steps: int
) -> None:
    search = Search(sampler, 7)
    whole = found(tune([TICKER], smallest, search, home=few_home))
    # Not of the same prices any more by the time that it goes on, unless it keeps its own.
    name = stopped(few_home, smallest, search, steps)
    add_price(few_home, "2024-03-14", 36.5)

    # Neither settings nor the way to search matter: the study has its own.
    other = Search("grid", 2, resume="auto")
    again = found(tune([TICKER], configure("paper"), other, home=few_home))

    assert again.study == name
    assert again.resumed
    assert again.sampler == sampler
    assert again.config.preset == "calibrated"
    assert outcomes(few_home, name) == outcomes(few_home, whole.study)
    assert without_time(again) == without_time(whole)
    assert unfinished(few_home) == []
    assert len(again.trials) == 7


def test_a_trial_that_was_lost_among_others_has_its_number_back(
    few_home: Path, smallest: TrainingConfig
) -> None:
    whole = found(tune([TICKER], smallest, Search(), home=few_home))
    expected = outcomes(few_home, whole.study)
    # As two processes leave it that were killed: a later trial was done, an earlier one was not.
    change(few_home, "DELETE FROM trials WHERE number IN (1, 4, 5, 8)")
    change(few_home, "UPDATE studies SET finished_at = NULL")

    again = found(tune([TICKER], smallest, Search(resume=whole.study), home=few_home))

    assert outcomes(few_home, whole.study) == expected
    assert without_time(again) == without_time(whole)


def test_two_processes_find_the_same(few_home: Path, smallest: TrainingConfig) -> None:
    alone = found(tune([TICKER], smallest, Search(), home=few_home))
    together = found(tune([TICKER], smallest, Search(jobs=2), home=few_home))

    assert outcomes(few_home, together.study) == outcomes(few_home, alone.study)
    assert without_time(together) == without_time(alone)


def test_prices_that_were_revised_end_a_study(few_home: Path, smallest: TrainingConfig) -> None:
    name = stopped(few_home, smallest, Search(), 4)
    add_price(few_home, "2024-03-13", 36.9)

    for resume in (name, "auto"):
        (failure,) = tune([TICKER], smallest, Search(resume=resume), home=few_home).failures
        assert isinstance(failure.error, RejectedDataError)
        assert name in failure.error.message
        assert failure.error.hint == f"stocklstm tune --ticker {TICKER} starts a new one"
    assert unfinished(few_home) == [name]
    assert found(tune([TICKER], smallest, Search(most_trials=1), home=few_home)).study != name


@pytest.mark.usefixtures("painted")
def test_a_finished_study_is_printed_again_without_training(
    few_home: Path, smallest: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = found(tune([TICKER], smallest, Search(most_trials=5), home=few_home))
    picture = Path(first.plot).read_bytes()
    Path(first.plot).unlink()

    def refuse(*_: object) -> None:
        pytest.fail("it trained")

    monkeypatch.setattr(Trials, "run", refuse)
    again = found(tune([], configure("paper"), Search(resume=first.study), home=few_home))

    assert again == replace(first, resumed=True)
    assert Path(again.plot).read_bytes() == picture


def test_auto_takes_the_latest_and_else_begins(few_home: Path, smallest: TrainingConfig) -> None:
    few = Search(most_trials=2, resume="auto")
    first = found(tune([TICKER], smallest, few, home=few_home))
    assert not first.resumed
    older = stopped(few_home, smallest, Search(most_trials=3), 2)
    with pytest.raises(TuningStoppedError):
        tune([TICKER], smallest, Search(most_trials=4), home=few_home, should_stop=after(2))
    (_, newer) = unfinished(few_home)

    tuned = found(tune([TICKER], smallest, few, home=few_home))

    assert (tuned.study, len(tuned.trials)) == (newer, 4)
    assert unfinished(few_home) == [older]


def test_one_ticker_that_is_too_short_stops_no_other(
    few_home: Path, smallest: TrainingConfig
) -> None:
    file = few_home.parent / "short.csv"
    file.write_text("Date,Close\n2024-03-11,10\n2024-03-12,10.1\n2024-03-13,10.2\n")
    assert not fetch(["VALE3.SA"], FetchOptions("csv", (file,)), home=few_home).failures
    tickers = ["VALE3.SA", "NOPE3.SA", TICKER, "petr4.sa"]

    result = tune(tickers, smallest, Search(most_trials=2), home=few_home)

    assert [tuned.ticker for tuned in result.results] == [TICKER]
    assert [(f.ticker, type(f.error)) for f in result.failures] == [
        ("VALE3.SA", SeriesTooShortError),
        ("NOPE3.SA", NoPricesError),
    ]
    with open_store(few_home) as store:
        assert store.studies.unfinished() == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sampler": "magic"}, "--sampler is one of coordinate, grid, random, tpe, not 'magic'"),
        ({"sampler": ""}, "--sampler"),
        ({"most_trials": 0}, "--trials must be at least 1, not 0"),
        ({"most_trials": -3}, "--trials"),
        ({"jobs": 0}, "--jobs must be from 1 to 256, not 0"),
        ({"jobs": 257}, "--jobs"),
    ],
)
def test_what_cannot_be_done_is_refused(options: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Search(**options)


def test_a_study_is_of_one_ticker(few_home: Path, smallest: TrainingConfig) -> None:
    name = stopped(few_home, smallest, Search(most_trials=2), 2)

    with pytest.raises(ConfigError, match=f"of {TICKER}, and of no other"):
        tune([TICKER, "VALE3.SA"], smallest, Search(resume=name), home=few_home)
    assert found(tune(["petr4.sa"], smallest, Search(resume=name), home=few_home)).study == name


def test_nothing_to_search_is_said(few_home: Path, smallest: TrainingConfig) -> None:
    for search in (Search(), Search(resume="auto")):
        with pytest.raises(ConfigError, match="needs a ticker"):
            tune([], smallest, search, home=few_home)
    for name in ("PETR4.SA-20260101T000000Z-0000", "../../etc", ""):
        with pytest.raises(NotFoundError, match="no study"):
            tune([], smallest, Search(resume=name), home=few_home)


def test_a_study_is_searched_by_one_process_at_a_time(
    few_home: Path, smallest: TrainingConfig
) -> None:
    name = stopped(few_home, smallest, Search(), 3)

    with open_store(few_home) as store, store.studies.locked(name):
        (failure,) = tune([], smallest, Search(resume=name), home=few_home).failures

    assert isinstance(failure.error, StoreLockedError)
    assert unfinished(few_home) == [name]


def test_a_search_in_which_every_trial_diverges_has_no_winner(few_home: Path) -> None:
    wild = configure(
        "paper-short", **{**SMALLEST, "optimizer": "sgd", "scale_low": -1e30, "scale_high": 1e30}
    )

    (failure,) = tune([TICKER], wild, Search(most_trials=3), home=few_home).failures

    assert isinstance(failure.error, TrainingDivergedError)
    assert "none of 3 trials" in failure.error.message
    assert unfinished(few_home) == []


def test_a_start_that_diverges_is_no_start_to_compare_with(few_home: Path) -> None:
    wild = configure("paper-short", **{**SMALLEST, "optimizer": "sgd", "learning_rate": 1e30})

    tuned = found(tune([TICKER], wild, Search(most_trials=3), home=few_home))

    assert (tuned.start.status, tuned.start.val_loss) == ("diverged", None)
    assert (tuned.improvement_pct, tuned.p) == (0.0, None)
    assert "did not come to their end" in tuned.conclusion
    assert tuned.best.status == "complete"


def test_settings_that_a_value_of_the_search_does_not_fit_are_refused_at_once(
    few_home: Path,
) -> None:
    config = configure("calibrated", **SMALLEST, schedule="cosine", min_lr=5e-4)

    (failure,) = tune([TICKER], config, Search(), home=few_home).failures

    assert isinstance(failure.error, ConfigError)
    assert "learning_rate 0.0001" in failure.error.message
    assert "min_lr" in failure.error.message
    assert unfinished(few_home) == []


def test_samplers_that_never_end_have_a_limit_that_is_shown(
    few_home: Path, smallest: TrainingConfig
) -> None:
    shown: list[int] = []
    for most in (None, 500):
        search = Search("random", most)
        with pytest.raises(TuningStoppedError):
            tune(
                [TICKER],
                smallest,
                search,
                home=few_home,
                should_stop=after(3),
                on_trial=lambda event: shown.append(event.most),
            )

    assert set(shown) == {30, 500}


def test_random_search_lies_between_the_ends(few_home: Path) -> None:
    huge = configure("calibrated", **SMALLEST, seed=2**63 - 1)

    tuned = found(tune([TICKER], huge, Search("random", 4), home=few_home))

    assert tuned.trials[0].settings == START
    for trial in tuned.trials[1:]:
        for axis, values in AXES.items():
            assert min(values) <= trial.settings[axis] <= max(values)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"preset": "paper", "patience": None, "restore_best": True, "clip_norm": 0.5},
        {"preset": "paper-short", "scale_low": -0.25, "loss": "huber", "min_delta": 1e-9},
        {"patience": None, "clip_norm": None, "ema_decay": None, "checkpoint_every": 3},
        {"schedule": "warmup-cosine", "epochs": 2, "warmup_epochs": 1, "min_lr": 1e-7},
        {"seed": 2**63 - 1, "restore_best": False, "optimizer": "adamw", "weight_decay": 0.1},
    ],
)
def test_the_command_trains_with_exactly_these_settings(
    few_home: Path,
    cli: Cli,
    settings: dict,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = {"preset": "calibrated", **SMALLEST, **settings}
    config = replace(configure(given.pop("preset")), **given)
    tuned = found(tune([TICKER], config, Search(most_trials=2), home=few_home))
    # What was found beats what the user's own file and variables say of the same setting.
    (few_home.parent / "config.toml").write_text("learning_rate = 0.5\nhidden_size = 99\n")
    monkeypatch.setenv("STOCKLSTM_DROPOUT", "0.77")
    monkeypatch.setenv("STOCKLSTM_BATCH_SIZE", "7")
    trained: list[tuple[list[str], TrainingConfig]] = []

    def keep(_store, tickers, config_of, **_: object):
        trained.append((list(tickers), config_of(TICKER)))
        return training.TrainResult((), ())

    monkeypatch.setattr(training, "train", keep)
    program, *arguments = shlex.split(tuned.command)

    assert program == "stocklstm"
    assert cli(*arguments).code == 0
    assert trained == [([TICKER], tuned.config)]


def test_losses_of_a_study_are_those_of_its_validation_days(
    few_home: Path, smallest: TrainingConfig
) -> None:
    tuned = found(tune([TICKER], smallest, Search(most_trials=3), home=few_home))

    for trial in stored(few_home, tuned.study):
        assert len(trial.losses) == tuned.validation_days
        assert np.mean(trial.losses) == pytest.approx(trial.loss, rel=1e-5)
