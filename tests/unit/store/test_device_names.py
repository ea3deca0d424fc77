"""Tickers such as CON.DE, which Windows takes for a device, and what is named after them."""

import ntpath
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm import adopt_versions, backup, collect_garbage, restore
from stocklstm.core.reference import ModelReference, is_owner_key, parse_pool, parse_ticker
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.store.database import LostDatabaseError
from stocklstm.store.names import unfinished_runs
from stocklstm.store.paths import StorePaths, file_name, key_of, owners_on_disk
from stocklstm.store.runs import RunRecord, run_id
from stocklstm.store.store import open_store
from tests.support.property_tests import PROPERTY
from tests.support.store_samples import NOON, publish

TICKER = "CON.DE"  # Continental

# As Windows reads a name: what stands before the first dot, without blanks at its end.
_WINDOWS = re.compile(
    r"(CON|PRN|AUX|NUL|CLOCK\$|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³])", re.IGNORECASE
)

devices = st.sampled_from(["CON", "PRN", "AUX", "NUL", "COM1", "COM9", "LPT1", "LPT9"])
tickers = st.one_of(
    st.builds(
        "{}{}".format, devices, st.sampled_from(["", ".DE", ".L", "-USD", "X", "=X", ".A.B"])
    ),
    st.from_regex(r"\^?[A-Z0-9][A-Z0-9.=&_-]{0,18}[A-Z0-9]|\^?[A-Z0-9]", fullmatch=True),
    st.from_regex(r"\+[a-z][a-z0-9_-]{0,19}", fullmatch=True),
)


def is_device(name: str) -> bool:
    return bool(_WINDOWS.fullmatch(name.partition(".")[0].rstrip(" ")))


@settings(PROPERTY, max_examples=40)
@given(tickers, tickers)
def test_no_name_is_a_device_and_no_two_are_one(one: str, other: str) -> None:
    keys = [key for key in (one, other) if is_owner_key(key)]
    for key in keys:
        runs = run_id(key, NOON)
        for name in (key, runs, f"{key}.lock", f"{key}.csv", f"{key}-v1.zip"):
            assert not is_device(file_name(name))
            assert key_of(file_name(name)) == name
            assert ntpath.basename(file_name(name)) == file_name(name)
            assert not file_name(name).endswith((".", " "))
    if len(set(keys)) == 2:
        # Nor on a disk that takes two letter cases of a name for one.
        assert file_name(one).casefold() != file_name(other).casefold()


@pytest.mark.parametrize("name", ["con", "Con.de", "nul.tar.gz", "LPT1", "aux .txt", "com1."])
def test_in_any_case_and_with_anything_behind_it(name: str) -> None:
    assert file_name(name) == f"_{name}"


@pytest.mark.parametrize("name", ["CONE", "CON-USD", "^CON", "+con", "COM", "COM10", "_CON.DE", ""])
def test_what_only_looks_like_one_keeps_its_name(name: str) -> None:
    assert file_name(name) == name


def test_who_types_a_name_in_small_letters_means_the_same() -> None:
    assert (parse_ticker("con.de"), parse_pool("+All")) == (TICKER, "+all")


@pytest.fixture
def shelf(home: Path) -> Path:
    with open_store(home, create=True) as store, store.writing(TICKER):
        publish(store.registry, TICKER, promotion="first")
    return home


def parts_of(home: Path) -> set[str]:
    return {part for path in home.rglob("*") for part in path.relative_to(home).parts}


def as_of_old(home: Path) -> None:
    """Name all as programs before 0.2 do."""
    for path in [path for path in home.rglob("_*") if key_of(path.name) != path.name]:
        path.rename(path.with_name(key_of(path.name)))


def test_nothing_of_a_store_has_the_name_of_a_device(shelf: Path, tiny: TrainingConfig) -> None:
    with open_store(shelf) as store:
        run = store.runs.create(
            RunRecord(run_id(TICKER, NOON), TICKER, NOON, tiny, 1, "2024-03-13", "0")
        )
        with store.runs.locked(run.record.id):
            pass
        assert store.runs.names(TICKER) == unfinished_runs(store.paths) == [run.record.id]
        assert store.runs.open(run.record.id).record.ticker == TICKER
        assert list(owners_on_disk(store.paths)) == [TICKER]

    assert not any(map(is_device, parts_of(shelf)))
    assert {"_CON.DE", "_CON.DE.lock"} <= parts_of(shelf)


def test_a_store_of_old_is_read_and_written_on(shelf: Path) -> None:
    as_of_old(shelf)
    assert {TICKER, f"{TICKER}.lock"} <= parts_of(shelf)
    with open_store(shelf) as store, store.writing(TICKER):
        assert store.registry.find(ModelReference(TICKER)).version == 1
        assert publish(store.registry, TICKER).version == 2
    assert not collect_garbage(home=shelf).failures

    # One lock and one directory: a program of before may still be running.
    assert "_CON.DE" not in parts_of(shelf)
    assert "_CON.DE.lock" not in parts_of(shelf)
    assert (shelf / "models" / TICKER / "v2").is_dir()


@pytest.mark.parametrize("old", [False, True])
def test_a_backup_of_either_becomes_one_without_devices(
    shelf: Path, tmp_path: Path, *, old: bool
) -> None:
    if old:
        as_of_old(shelf)
    backup(tmp_path / "store.zip", home=shelf)
    assert not restore(tmp_path / "store.zip", home=tmp_path / "new").failures

    assert not any(map(is_device, parts_of(tmp_path / "new")))
    with open_store(tmp_path / "new") as store:
        assert store.registry.find(ModelReference(TICKER)).version == 1


def test_what_a_lost_database_listed_is_found_under_its_own_name(shelf: Path) -> None:
    for file in shelf.glob("stocklstm.db*"):
        file.unlink()
    with pytest.raises(LostDatabaseError, match=r"such as 'CON\.DE'"), open_store(shelf):
        pass
    assert [item.ticker for item in adopt_versions(home=shelf).results] == [TICKER]


def test_what_lies_there_under_both_names_is_the_older_one(home: Path) -> None:
    paths = StorePaths(home)
    assert paths.ticker(TICKER).name == "_CON.DE"
    for name in ("_CON.DE", TICKER):
        (paths.models / name).mkdir(parents=True)
    assert paths.ticker(TICKER).name == TICKER
    shutil.rmtree(paths.models / TICKER)
    assert paths.version(TICKER, 3) == paths.models / "_CON.DE" / "v3"
