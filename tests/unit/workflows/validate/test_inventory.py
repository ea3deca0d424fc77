"""validate looks at the store as a whole: what its parts say of each other."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stocklstm.store.database import SCHEMA_VERSION
from stocklstm.store.store import open_store
from stocklstm.workflows.environment import differences, environment
from stocklstm.workflows.validate.inventory import CheckedStore, check_store
from tests.conftest import TICKER, Cli
from tests.support.stored_rows import execute
from tests.support.tampering import replace_manifest

NAMES = ["database", "checksums", "versions", "aliases", "ledger", "leftovers"]
NAMES += ["unlisted versions"]


def checked(home: Path) -> CheckedStore:
    with open_store(home) as store:
        return check_store(store)


def changed(home: Path, *statements: str) -> None:
    for statement in statements:
        execute(home, statement)


def test_all_is_well(model_home: Path) -> None:
    found = checked(model_home)

    assert [check.name for check in found.checks] == NAMES
    assert {check.status for check in found.checks} == {"ok"}
    assert f"schema {SCHEMA_VERSION}" in found.checks[0].detail
    assert (found.status, found.corrupt) == ("ok", False)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "UPDATE aliases SET version = 7",
            "PETR4.SA@champion means v7, which is not listed",
        ),
        (
            "DELETE FROM aliases",
            "PETR4.SA@champion means nothing, but its log says v1",
        ),
        (
            "INSERT INTO aliases VALUES ('PETR4.SA', 'mine', 1)",
            "PETR4.SA@mine means v1, but its log says nothing",
        ),
        (
            (
                "INSERT INTO alias_log VALUES"
                " (9, '2026-11-21T12:00:00Z', 'PETR4.SA', 'champion', 2, 1, 'why')"
            ),
            "PETR4.SA@champion means v1, but its log says v2",
        ),
    ],
    ids=["lost", "gone", "unlogged", "stale"],
)
def test_aliases_that_do_not_agree(cli: Cli, model_home: Path, statement: str, words: str) -> None:
    changed(model_home, statement)

    check = checked(model_home).checks[3]

    assert check.status == "failed"
    assert words in check.detail.split("; ")
    assert cli("validate", "--all").code == 3


def test_an_alias_that_was_removed_is_no_fault(cli: Cli, model_home: Path) -> None:
    assert cli("models", "promote", f"{TICKER}@v1", "--as", "mine").code == 0
    assert cli("models", "unalias", f"{TICKER}@mine").code == 0

    assert checked(model_home).status == "ok"


def test_a_version_whose_directory_is_gone(cli: Cli, model_home: Path) -> None:
    shutil.rmtree(model_home / "models" / TICKER / "v1")

    found = checked(model_home)

    assert found.checks[2].detail == "PETR4.SA@v1 is listed, but its directory is gone"
    assert (found.status, found.corrupt) == ("failed", True)
    assert cli("validate").code == 5


def test_forecasts_of_an_unknown_ticker(cli: Cli, model_home: Path) -> None:
    assert cli("predict").code == 0
    assert checked(model_home).status == "ok"
    changed(model_home, "UPDATE forecasts SET ticker = 'NOPE3.SA'")

    check = checked(model_home).checks[4]

    assert check.status == "failed"
    assert "forecasts of NOPE3.SA" in check.detail
    assert cli("validate").code == 3


def test_a_damaged_index_is_found(cli: Cli, model_home: Path) -> None:
    with closing(sqlite3.connect(model_home / "stocklstm.db")) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'alias_log_by_ticker'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = model_home / "stocklstm.db"
    content = bytearray(path.read_bytes())
    end = page * size
    content[end - 12 : end] = bytes(byte ^ 1 for byte in content[end - 12 : end])
    path.write_bytes(content)

    assert checked(model_home).corrupt
    assert cli("validate").code == 5


def test_a_name_that_is_no_text_is_damage_and_the_other_checks_go_on(model_home: Path) -> None:
    changed(model_home, "UPDATE alias_log SET name = CAST(x'ff' AS TEXT)")

    found = checked(model_home)

    assert [check.name for check in found.checks if check.status == "failed"] == [
        *("database", "aliases")
    ]
    assert "is damaged" in found.checks[3].detail
    assert found.corrupt


@pytest.mark.parametrize("name", ["v7", ".draft-0", ".trash-0"])
def test_what_nobody_needs_is_a_warning_that_says_what_removes_it(
    cli: Cli, model_home: Path, name: str
) -> None:
    (model_home / "models" / TICKER / name).mkdir()

    outcome = cli("validate", "--json")

    (_, store) = json.loads(outcome.out)["results"]
    assert outcome.code == 0
    assert store["checks"][5]["status"] == "warning"
    assert f"{TICKER}/{name}" in store["checks"][5]["detail"]
    assert "stocklstm models gc" in store["checks"][5]["detail"]
    assert cli("models", "gc").code == 0
    assert checked(model_home).checks[5].status == "ok"


def test_a_sound_version_that_is_not_listed_is_no_leftover(cli: Cli, model_home: Path) -> None:
    changed(model_home, "DELETE FROM versions", "DELETE FROM aliases", "DELETE FROM alias_log")

    found = checked(model_home)

    assert found.status == "ok"
    assert found.checks[5].detail == "none"
    assert found.checks[6].status == "warning"
    assert found.checks[6].detail == (
        f"{TICKER}@v1 is not listed: stocklstm models adopt lists them again"
    )
    assert cli("validate").code == 4
    for command in (("predict",), ("validate",), ("evaluate", "-t", TICKER)):
        assert "  next: stocklstm models adopt" in cli(*command).err


def test_what_is_just_being_made_is_no_leftover(model_home: Path) -> None:
    with open_store(model_home) as store, store.registry.draft(TICKER):
        assert check_store(store).checks[5].status == "ok"


def test_many_faults_are_counted(model_home: Path) -> None:
    for number in range(5, 10):
        (model_home / "models" / TICKER / f"v{number}").mkdir()

    assert "; and 2 more: stocklstm models gc" in checked(model_home).checks[5].detail


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize(
    ("arguments", "last"),
    [((), None), (("--all",), None), (("-t", TICKER, "--all"), None), (("-t", TICKER), TICKER)],
    ids=str,
)
def test_when_the_store_is_looked_at(
    cli: Cli, arguments: tuple[str, ...], last: str | None
) -> None:
    results = json.loads(cli("validate", *arguments, "--json").out)["results"]

    assert results[0]["ticker"] == TICKER
    assert results[-1]["ticker"] == last
    assert results[-1].keys() == {"ticker", "version", "status", "corrupt", "checks"}


@pytest.mark.usefixtures("model_home")
def test_it_has_a_table_and_a_line(cli: Cli) -> None:
    assert "the store: ok" in cli("validate").out
    assert cli("validate", "--quiet").out == f"{TICKER}@v1 ok\nthe store ok\n"


# The libraries that made a version


def libraries(**changes: str) -> dict[str, str]:
    return environment() | changes


def minor(of: str, change: Callable[[int], int]) -> str:
    major, number, *_ = environment()[of].split(".")
    return f"{major}.{change(int(number))}.0"


def test_the_same_libraries_and_their_repairs_are_no_difference() -> None:
    assert differences(environment()) == ((), ())
    assert differences({}) == ((), ())
    assert differences(libraries(numpy=minor("numpy", lambda n: n) + "99")) == ((), ())
    assert differences(libraries(onnx="0.1", python="2.7", stocklstm="9.9")) == ((), ())


@pytest.mark.parametrize("name", ["onnxruntime", "numpy"])
def test_another_release_of_what_forecasts_is_a_difference(name: str) -> None:
    then = minor(name, lambda number: number + 1)

    found = differences(libraries(**{name: then}))

    assert found == ((f"{name} {then} (here {environment()[name]})",), ())


def test_so_is_a_processor_of_another_kind() -> None:
    found = differences(libraries(machine="s390x"))

    assert found == ((f"processor s390x (here {environment()['machine']})",), ())


@pytest.mark.parametrize("names", [("x86_64", "AMD64"), ("aarch64", "arm64")])
def test_other_systems_call_the_same_processor_otherwise(
    names: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for then, here in (names, names[::-1]):
        monkeypatch.setattr("platform.machine", lambda here=here: here)

        assert differences(libraries(machine=then)) == ((), ())


def test_what_only_trains_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    then = environment()
    other = minor("torch", lambda number: number + 1)

    assert differences(libraries(torch=other)) == (
        (),
        (f"torch {other} (here {then['torch']})",),
    )
    # As in a slim install.
    monkeypatch.setattr(
        "stocklstm.workflows.environment._installed",
        lambda name: None if name in {"torch", "onnx"} else then[name],
    )
    assert differences(then) == ((), (f"torch {then['torch']} (here none)",))


def environment_check(cli: Cli, home: Path, library: str, other: str) -> dict[str, Any]:
    """Validate a version that was made with another release of a library."""
    version = home / "models" / TICKER / "v1"
    text = (version / "manifest.json").read_text()
    here = environment()[library]
    replace_manifest(version, text.replace(f'"{library}": "{here}"', f'"{library}": "{other}"'))

    outcome = cli("validate", "-t", TICKER, "--json")

    assert outcome.code == 0
    (result,) = json.loads(outcome.out)["results"]
    (check,) = [check for check in result["checks"] if check["name"] == "environment"]
    return check


def test_a_difference_is_a_warning(cli: Cli, model_home: Path) -> None:
    check = environment_check(cli, model_home, "onnxruntime", "0.9.1")

    assert check["status"] == "warning"
    assert check["detail"] == (
        f"made with onnxruntime 0.9.1 (here {environment()['onnxruntime']}): forecasts may differ "
        f"in their last digits; stocklstm evaluate {TICKER}@v1 scores them here"
    )


def test_a_difference_that_no_forecast_sees_is_no_warning(cli: Cli, model_home: Path) -> None:
    check = environment_check(cli, model_home, "torch", "1.9.1")

    assert check["status"] == "ok"
    assert check["detail"] == (
        f"made with torch 1.9.1 (here {environment()['torch']}), which no forecast needs"
    )
