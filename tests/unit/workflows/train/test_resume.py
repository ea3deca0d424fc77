"""Runs that were stopped are found again, checked, and finished; nothing of them is left."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stocklstm import dry_run, train
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.errors import (
    ArtifactCorruptError,
    ConfigError,
    NotFoundError,
    RejectedDataError,
    StoreLockedError,
    TrainingDivergedError,
)
from stocklstm.store.store import open_store
from stocklstm.workflows.parallel import Backend
from stocklstm.workflows.train.beginning import StartFrom
from stocklstm.workflows.train.runs import TrainingStoppedError
from stocklstm.workflows.train.train import TrainedVersion
from tests.conftest import TICKER, TINY, TINY_OPTIONS, Cli
from tests.support.many_tickers import give_names


def after(steps: int) -> Callable[[], bool]:
    """Say stop after so many steps."""
    left = [steps]

    def should_stop() -> bool:
        left[0] -= 1
        return left[0] <= 0

    return should_stop


def stopped(home: Path, config: TrainingConfig, steps: int = 3) -> str:
    with pytest.raises(TrainingStoppedError) as caught:
        train([TICKER], config, home=home, should_stop=after(steps))
    return caught.value.run


def resumed(home: Path, config: TrainingConfig, name: str, *tickers: str) -> TrainedVersion:
    result = train(list(tickers), config, home=home, beginning=StartFrom(resume=name))
    assert not result.failures
    return result.results[0]


def runs(home: Path) -> list[str]:
    with open_store(home) as store:
        return store.runs.names()


def test_a_stopped_run_is_named_and_can_be_finished(
    priced_home: Path, tiny: TrainingConfig
) -> None:
    name = stopped(priced_home, tiny)
    assert runs(priced_home) == [name]

    # Settings of the call do not matter: the run has its own.
    version = resumed(priced_home, configure("paper"), name)

    assert version.resumed_from == name
    assert version.preset == "calibrated"
    assert runs(priced_home) == []


def test_auto_takes_the_latest_run_and_else_begins(priced_home: Path, tiny: TrainingConfig) -> None:
    first = resumed(priced_home, tiny, "auto", TICKER)
    name = stopped(priced_home, tiny)
    second = resumed(priced_home, tiny, "auto")

    assert first.resumed_from is None
    assert second.resumed_from == name


def test_a_run_that_is_named_and_stopped_again_elsewhere_keeps_its_name(
    priced_home: Path, tiny: TrainingConfig
) -> None:
    first, latest = stopped(priced_home, tiny), stopped(priced_home, tiny)
    assert first != latest

    with pytest.raises(TrainingStoppedError) as caught:
        train(
            [],
            tiny,
            home=priced_home,
            beginning=StartFrom(resume=first),
            backend=Backend(jobs=2),
            should_stop=lambda: True,
        )

    assert str(caught.value).endswith(f": stocklstm train --resume {first} --jobs 2")


def test_nothing_to_resume_is_said(priced_home: Path, tiny: TrainingConfig) -> None:
    for name in ("PETR4.SA-20260101T000000Z-0000", "../../etc", ""):
        with pytest.raises(NotFoundError, match="no unfinished run"):
            train([], tiny, home=priced_home, beginning=StartFrom(resume=name))
    with pytest.raises(ConfigError, match="needs a ticker"):
        train([], tiny, home=priced_home, beginning=StartFrom(resume="auto"))


def test_a_run_is_of_one_ticker(priced_home: Path, tiny: TrainingConfig) -> None:
    name = stopped(priced_home, tiny)

    with pytest.raises(ConfigError, match="of no other ticker"):
        resumed(priced_home, tiny, name, "VALE3.SA")


def test_prices_that_came_later_do_not_disturb_a_run(
    priced_home: Path, tiny: TrainingConfig
) -> None:
    name = stopped(priced_home, tiny)
    add_rows(priced_home, "2024-03-14", 36.5)

    resumed(priced_home, tiny, name)

    with open_store(priced_home) as store:
        assert store.registry.manifest(TICKER, 1).data.last == "2024-03-13"


def test_prices_that_were_revised_end_a_run(priced_home: Path, tiny: TrainingConfig) -> None:
    name = stopped(priced_home, tiny)
    add_rows(priced_home, "2024-03-13", 36.9)

    (failure,) = train([], tiny, home=priced_home, beginning=StartFrom(resume=name)).failures

    assert isinstance(failure.error, RejectedDataError)
    assert runs(priced_home) == [name]


def add_rows(home: Path, day: str, close: float) -> None:
    from stocklstm import fetch
    from stocklstm.workflows.prices.plan import FetchOptions

    file = home.parent / "more.csv"
    file.write_text(f"Date,Close\n{day},{close}\n")
    assert not fetch([TICKER], FetchOptions("csv", (file,)), home=home).failures


def test_a_run_that_diverged_is_not_kept(priced_home: Path) -> None:
    wild = configure("paper-short", **{**TINY, "learning_rate": 1e30, "optimizer": "sgd"})

    (failure,) = train([TICKER], wild, home=priced_home).failures

    assert isinstance(failure.error, TrainingDivergedError)
    assert runs(priced_home) == []
    with open_store(priced_home) as store:
        assert store.registry.versions(TICKER) == []


@pytest.mark.parametrize("name", ["run.json", "state.pth"])
def test_a_damaged_run_is_called_so(priced_home: Path, tiny: TrainingConfig, name: str) -> None:
    run = stopped(priced_home, tiny)
    (priced_home / "runs" / run / name).write_bytes(b"{}")

    try:
        result = train([], tiny, home=priced_home, beginning=StartFrom(resume=run))
        error = result.failures[0].error
    except ArtifactCorruptError as raised:
        error = raised

    assert isinstance(error, ArtifactCorruptError)
    assert error.hint


def test_a_run_of_another_training_loop_is_refused_and_kept(
    priced_home: Path, tiny: TrainingConfig
) -> None:
    run = stopped(priced_home, tiny)
    path = priced_home / "runs" / run / "state.pth"
    # As 0.1 saved it.
    state = {name: value for name, value in torch.load(path).items() if name != "loop"}
    torch.save(state, path)

    (failure,) = train([], tiny, home=priced_home, beginning=StartFrom(resume=run)).failures

    assert isinstance(failure.error, ConfigError)
    assert "was begun by another version of stocklstm" in failure.error.message
    assert failure.error.hint == f"stocklstm train --ticker {TICKER} starts a new one"
    assert runs(priced_home) == [run]


def test_a_run_is_resumed_once_at_a_time(priced_home: Path, tiny: TrainingConfig) -> None:
    name = stopped(priced_home, tiny)

    with open_store(priced_home) as store, store.runs.locked(name):
        (failure,) = train([], tiny, home=priced_home, beginning=StartFrom(resume=name)).failures

    assert isinstance(failure.error, StoreLockedError)
    assert runs(priced_home) == [name]


def notes(home: Path, config: TrainingConfig, **options: StartFrom) -> list[str]:
    said: list[str] = []
    assert not train([TICKER], config, home=home, on_note=said.append, **options).failures
    return said


def test_a_new_run_names_the_unfinished_one(priced_home: Path, tiny: TrainingConfig) -> None:
    name = stopped(priced_home, tiny)

    assert notes(priced_home, tiny) == [
        f"{TICKER} has an unfinished run; to go on with it instead: stocklstm train --resume {name}"
    ]
    assert runs(priced_home) == [name]
    assert notes(priced_home, tiny, beginning=StartFrom(resume="auto")) == []
    assert notes(priced_home, tiny) == []


def test_of_several_unfinished_runs_the_latest_is_named(
    priced_home: Path, tiny: TrainingConfig
) -> None:
    for _ in range(2):
        stopped(priced_home, tiny)

    latest = runs(priced_home)[-1]
    (note,) = notes(priced_home, tiny)
    assert note == (
        f"{TICKER} has 2 unfinished runs; to go on with the latest instead: "
        f"stocklstm train --resume {latest}"
    )


def test_a_run_that_another_process_is_at_work_on_is_not_named(
    priced_home: Path, tiny: TrainingConfig
) -> None:
    name = stopped(priced_home, tiny)

    with open_store(priced_home) as store, store.runs.locked(name):
        assert store.runs.idle(TICKER) == []
        assert notes(priced_home, tiny) == []


@pytest.mark.parametrize("missing", ["run.json", "state.pth"])
def test_a_run_that_nobody_could_go_on_with_is_not_named(
    priced_home: Path, tiny: TrainingConfig, missing: str
) -> None:
    name = stopped(priced_home, tiny)
    (priced_home / "runs" / name / missing).unlink()

    assert notes(priced_home, tiny) == []


def test_a_run_of_another_ticker_is_not_named(priced_home: Path, tiny: TrainingConfig) -> None:
    stopped(priced_home, tiny)

    with open_store(priced_home) as store:
        assert store.runs.idle("PETR3.SA") == []


def test_the_note_goes_to_stderr(cli: Cli, priced_home: Path, tiny: TrainingConfig) -> None:
    name = stopped(priced_home, tiny)

    outcome = cli("train", "-t", TICKER, *TINY_OPTIONS)

    assert outcome.code == 0
    assert "unfinished" not in outcome.out
    assert outcome.err.splitlines()[0] == (
        f"note: {TICKER} has an unfinished run; to go on with it instead: "
        f"stocklstm train --resume {name}"
    )


def test_checkpoints_are_published_beside_the_model(
    priced_home: Path, tiny: TrainingConfig
) -> None:
    config = replace(tiny, epochs=3, patience=None, top_k=1, checkpoint_every=2)

    train([TICKER], config, home=priced_home)

    with open_store(priced_home) as store:
        manifest = store.registry.manifest(TICKER, 1)
    assert "checkpoint-epoch-0002.pth" in manifest.files


def test_a_new_version_can_begin_with_the_weights_of_another(
    model_home: Path, tiny: TrainingConfig
) -> None:
    result = train([TICKER], tiny, home=model_home, beginning=StartFrom(weights=f"{TICKER}@v1"))

    assert not result.failures
    with pytest.raises(ConfigError, match="has its weights already") as caught:
        train([TICKER], tiny, home=model_home, beginning=StartFrom("auto", f"{TICKER}@v1"))
    assert caught.value.hint
    assert "--from" in caught.value.hint


def test_weights_that_saw_the_days_of_the_test_part_are_no_beginning(
    model_home: Path, tiny: TrainingConfig
) -> None:
    beginning = StartFrom(weights=f"{TICKER}@v1")
    more, fewer = (replace(tiny, test_fraction=share) for share in (tiny.test_fraction + 0.1, 0.1))

    (failure,) = train([TICKER], more, home=model_home, beginning=beginning).failures
    (planned,) = dry_run([TICKER], more, home=model_home, weights=f"{TICKER}@v1").failures

    assert isinstance(failure.error, ConfigError)
    assert "judged on days that it has seen" in failure.error.message
    assert planned.error.message == failure.error.message
    assert not list((model_home / "runs").iterdir())
    # Those that saw less than it may are welcome.
    assert not train([TICKER], fewer, home=model_home, beginning=beginning).failures


def test_no_detour_leads_weights_to_days_that_they_have_seen(
    model_home: Path, tiny: TrainingConfig
) -> None:
    other = "VALE3.SA"
    give_names(model_home, [other])
    more, fewer = (replace(tiny, test_fraction=share) for share in (tiny.test_fraction + 0.1, 0.1))
    with open_store(model_home) as store:
        learned = store.registry.manifest(TICKER, 1).splits.test_start

    # What was learned of one ticker may serve another, but not come back to itself.
    first = train([other], more, home=model_home, beginning=StartFrom(weights=f"{TICKER}@v1"))
    back = StartFrom(weights=f"{other}@v1")
    (failure,) = train([TICKER], more, home=model_home, beginning=back).failures
    (planned,) = dry_run([TICKER], more, home=model_home, weights=f"{other}@v1").failures
    again = train([TICKER], fewer, home=model_home, beginning=back)

    assert not first.failures
    assert not again.failures
    said = f"{other}@v1 may have learned any day before {learned}, and the test part"
    assert failure.error.message.startswith(said)
    assert planned.error.message == failure.error.message
    # The settings of VALE3.SA@v1 would lead to the same test part.
    assert failure.error.hint == "leave out --from"
    with open_store(model_home) as store:
        assert store.registry.manifest(TICKER, 1).learned_before == {}
        theirs = store.registry.manifest(other, 1)
        assert theirs.learned_before == {TICKER: learned}
        mine = store.registry.manifest(TICKER, 2)
        assert mine.learned_before == {TICKER: learned, other: theirs.splits.test_start}


def test_a_full_disk_keeps_the_state_before(
    priced_home: Path, tiny: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from stocklstm.errors import StorageError
    from stocklstm.store import runs as module

    name = stopped(priced_home, tiny)
    path = priced_home / "runs" / name / "state.pth"
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with open_store(priced_home) as store:
        run = store.runs.open(name)
        monkeypatch.setattr(module, "write_durably", fail)
        with pytest.raises(StorageError):
            run.save_state(b"new")

    assert path.read_bytes() == before
    monkeypatch.undo()
    assert resumed(priced_home, tiny, name).resumed_from == name


def test_a_run_that_was_killed_as_it_began_stands_in_nobodys_way(
    priced_home: Path, tiny: TrainingConfig
) -> None:
    """What there is of it holds nothing to go on with; a cleaning takes it away."""
    torn = priced_home / "runs" / f"{TICKER}-20240101T000000Z-0000"
    torn.mkdir(parents=True)
    (torn / ".run.json.new").write_text('{"id": "PETR')

    assert resumed(priced_home, tiny, "auto", TICKER).resumed_from is None
    with pytest.raises(ConfigError, match="needs a ticker"):
        train([], tiny, home=priced_home, beginning=StartFrom(resume="auto"))
    assert runs(priced_home) == [torn.name]
