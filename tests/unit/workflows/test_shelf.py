"""models promote, rollback, unalias, diff, rm and gc, as a person uses them."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stocklstm import collect_garbage
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.errors import ConfigError
from stocklstm.store.locks import work_lock
from stocklstm.store.manifest import CHECKPOINT_FILE, Manifest
from stocklstm.store.runs import RunRecord
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.models.remove import Rule
from tests.conftest import TICKER, Cli
from tests.support.tampering import flip_bit, os_refuses_to_write

DAY_S = 86_400
NOW = "2026-11-21T12:00:00Z"


@pytest.fixture
def versions(model_home: Path) -> Iterator[Store]:
    """PETR4.SA@v1 to v4, published ten days apart; v4 champion, v3 previous, v2 made from v1."""
    with open_store(model_home) as store:
        first = store.registry.manifest(TICKER, 1)
        for at, parent in (("10-22", 1), ("11-01", None), ("11-11", None)):
            copy(store, first, f"2026-{at}T12:00:00Z", parent)
        for version in (3, 4):
            store.registry.aliases.promote(TICKER, version, reason="newer", at=NOW)
        connection = store.registry.connection
        connection.execute(
            "UPDATE versions SET published_at = '2026-10-12T12:00:00Z' WHERE version = 1"
        )
        yield store


def copy(store: Store, manifest: Manifest, at: str, parent: int | None) -> None:
    with store.registry.draft(TICKER) as draft:
        for name in manifest.files:
            # A version made from another has its weights there.
            if parent is None or name != CHECKPOINT_FILE:
                draft.write(name, store.registry.read_file(manifest, name))
        store.registry.publish(
            draft,
            TICKER,
            lambda version: replace(
                manifest,
                version=version,
                method="dynamic-int8" if parent else manifest.method,
                parent=parent and f"{TICKER}@v{parent}",
                created=at,
                files=dict(draft.files),
            ),
            at=at,
        )


def only(outcome_text: str, key: str = "results") -> dict:
    (found,) = json.loads(outcome_text)[key]
    return found


# Aliases


def test_promoting_moves_champion_and_previous(cli: Cli, versions: Store) -> None:
    done = only(cli("models", "promote", f"{TICKER}@v1", "--reason", "calmer", "--json").out)
    assert (done["alias"], done["replaced"], done["version"], done["previous"]) == (
        *("champion", 4, 1),
        4,
    )
    assert done["unchanged"] is False
    assert [line.reason for line in versions.registry.aliases.log(TICKER)[-2:]] == ["calmer"] * 2
    again = only(cli("models", "promote", f"{TICKER}@v1", "--json").out)
    assert again["unchanged"] is True
    assert again["previous"] == 4
    assert len(versions.registry.aliases.log(TICKER)) == 7


def test_rolling_back_twice_is_back_where_one_was(cli: Cli, versions: Store) -> None:
    before = versions.registry.aliases.of(TICKER)
    assert before == {"champion": 4, "previous": 3}
    assert cli("models", "rollback", TICKER, "--quiet").out == f"{TICKER}@v3\n"
    assert versions.registry.aliases.of(TICKER) == {"champion": 3, "previous": 4}
    assert only(cli("predict", "-t", TICKER, "--json").out, "forecasts")["version"] == 3
    shown = cli("models", "rollback", TICKER).out
    assert "v4 (was v3)" in shown
    assert versions.registry.aliases.of(TICKER) == before


@pytest.mark.usefixtures("model_home")
def test_a_first_champion_has_nothing_to_go_back_to(cli: Cli) -> None:
    outcome = cli("models", "rollback", TICKER)
    assert outcome.code == 4
    assert "has had no champion before this one" in outcome.err
    assert cli("models", "rollback", "VALE3.SA").code == 4


def test_an_alias_of_ones_own(cli: Cli, versions: Store) -> None:
    assert cli("models", "promote", f"{TICKER}@v2", "--as", "live").code == 0
    assert only(cli("predict", "-t", f"{TICKER}@live", "--json").out, "forecasts")["version"] == 2
    assert versions.registry.aliases.of(TICKER)["champion"] == 4
    assert cli("models", "unalias", f"{TICKER}@live", "--quiet").out == ""
    last = versions.registry.aliases.log(TICKER)[-1]
    assert (last.name, last.version, last.replaced) == ("live", None, 2)
    assert cli("models", "unalias", f"{TICKER}@live").code == 4
    assert "live removed (was v2)" in cli("models", "show", TICKER).out


@pytest.mark.parametrize("name", ["previous", "v3", "v0", "Live", "", "../x", "x" * 33])
def test_names_that_cannot_be_set(cli: Cli, versions: Store, name: str) -> None:
    before = versions.registry.aliases.log(TICKER)
    assert cli("models", "promote", f"{TICKER}@v2", "--as", name).code == 2
    assert versions.registry.aliases.log(TICKER) == before


@pytest.mark.parametrize("reason", ["two\nlines", "\x1b[2Jgone", "x" * 301])
def test_a_reason_is_one_line(cli: Cli, versions: Store, reason: str) -> None:
    before = versions.registry.aliases.log(TICKER)
    for command in (("promote", f"{TICKER}@v2"), ("rollback", TICKER), ("unalias", f"{TICKER}@x")):
        assert cli("models", *command, "--reason", reason).code == 2
    assert versions.registry.aliases.log(TICKER) == before


@pytest.mark.parametrize("reference", ["champion", "previous", "v1"])
def test_what_is_no_alias_of_ones_own_stays(cli: Cli, versions: Store, reference: str) -> None:
    before = versions.registry.aliases.of(TICKER)
    assert cli("models", "unalias", f"{TICKER}@{reference}").code == 2
    assert cli("models", "unalias", TICKER).code == 2
    assert versions.registry.aliases.of(TICKER) == before


@pytest.mark.parametrize("command", [("promote", f"{TICKER}@v3"), ("rollback", TICKER)])
@pytest.mark.parametrize("file", ["model.onnx", "manifest.json"])
def test_a_damaged_version_is_put_into_use_by_nobody(
    cli: Cli, versions: Store, command: tuple[str, str], file: str
) -> None:
    flip_bit(versions.paths.version(TICKER, 3) / file, 0.5)
    outcome = cli("models", *command)
    assert outcome.code == 5
    assert versions.registry.aliases.of(TICKER)["champion"] == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ("promote", f"{TICKER}@v1"),
        ("rollback", TICKER),
        ("unalias", f"{TICKER}@live"),
        ("rm", f"{TICKER}@v2"),
        ("gc", "--keep", "0"),
    ],
)
def test_a_store_that_cannot_be_written(
    cli: Cli, versions: Store, arguments: tuple[str, ...]
) -> None:
    before = versions.registry.aliases.of(TICKER), versions.registry.versions(TICKER)
    with os_refuses_to_write():
        assert cli("models", *arguments).code == 2
    assert (versions.registry.aliases.of(TICKER), versions.registry.versions(TICKER)) == before


# The four forms of a reference


@pytest.mark.parametrize(
    ("reference", "version"),
    [(TICKER, 4), (f"{TICKER}@v2", 2), (f"{TICKER}@champion", 4), (f"{TICKER}@previous", 3)],
)
def test_every_command_understands_every_form(
    cli: Cli, versions: Store, reference: str, version: int
) -> None:
    assert versions.writable

    def said(*arguments: str, key: str = "results") -> int:
        return int(only(cli(*arguments, "--json").out, key)["version"])

    assert said("predict", "-t", reference, key="forecasts") == version
    assert said("evaluate", "-t", reference) == version
    assert said("validate", "-t", reference) == version
    assert only(cli("models", "show", reference, "--json").out, "models")["path"].endswith(
        f"v{version}"
    )
    assert only(cli("models", "diff", reference, f"{TICKER}@v1", "--json").out, "diffs")[
        "left"
    ] == (f"{TICKER}@v{version}")
    assert said("models", "promote", reference, "--as", "live") == version
    assert cli("config", "show", "--like", reference, "--json").code == 0
    plan = ("train", "-t", TICKER, "--dry-run", "--json")
    begun = only(cli(*plan, "--like", reference, "--from", reference).out, "plans")["start"]
    assert begun == f"{TICKER}@v{1 if version == 2 else version}"
    outcome = cli("quantize", "-t", reference, "--json")
    if version == 2:
        assert f"quantize --ticker {TICKER}@v1" in outcome.err
    else:
        assert only(outcome.out)["parent"] == version


# Diff


def test_what_two_versions_differ_in(cli: Cli, model_home: Path, tiny: TrainingConfig) -> None:
    with open_store(model_home) as store:
        first = store.registry.manifest(TICKER, 1)
        other = replace(
            first,
            config=configure("calibrated", **{**settings(tiny), "hidden_size": 32}),
            environment=first.environment | {"torch": "9.9"},
        )
        copy(store, other, NOW, None)
    outcome = cli("models", "diff", TICKER, f"{TICKER}@v2", "--json")
    found = only(outcome.out, "diffs")
    assert (found["left"], found["right"]) == (f"{TICKER}@v1", f"{TICKER}@v2")
    assert found["settings"] == [{"name": "hidden_size", "left": 16, "right": 32}]
    (library,) = found["environment"]
    assert (library["name"], library["right"]) == ("torch", "9.9")
    assert found["comparable"] is True
    scores = {pair["name"]: pair for pair in found["scores"]}
    assert scores["rmse"]["left"] == scores["rmse"]["right"] == first.evaluation.point.rmse
    prices = {pair["name"]: pair["left"] for pair in found["prices"]}
    assert prices["rows"] == first.data.rows
    assert prices["sha256"] == first.data.sha256
    sizes = {pair["name"]: pair["left"] for pair in found["files"]}
    assert sizes == {name: record.size for name, record in first.files.items()}
    assert cli("models", "diff", TICKER, f"{TICKER}@v2", "--quiet").out == "hidden_size\t16\t32\n"
    same = cli("models", "diff", TICKER, TICKER).out
    assert "Settings that differ: none" in same
    assert "cannot be compared" not in same


def settings(config: TrainingConfig) -> dict:
    names = ("epochs", "hidden_size", "num_layers", "dropout", "seq_length")
    return {name: getattr(config, name) for name in names}


def test_versions_tested_on_other_days_are_not_called_comparable(
    cli: Cli, model_home: Path
) -> None:
    with open_store(model_home) as store:
        first = store.registry.manifest(TICKER, 1)
        copy(store, replace(first, evaluation=replace(first.evaluation, n=7)), NOW, None)
    assert "the scores cannot be compared" in cli("models", "diff", TICKER, f"{TICKER}@v2").out


# Removing


def test_only_exact_versions_are_removed(cli: Cli, versions: Store) -> None:
    for reference in (TICKER, f"{TICKER}@champion", f"{TICKER}@previous", f"{TICKER}@live"):
        outcome = cli("models", "rm", reference)
        assert outcome.code == 2
        assert "name one by its number" in outcome.err
    refused = cli("models", "rm", f"{TICKER}@v4", f"{TICKER}@v2", f"{TICKER}@v9", "--json")
    assert refused.code == 3
    document = json.loads(refused.out)
    assert [done["version"] for done in document["results"]] == [2]
    assert document["results"][0]["bytes"] > 10_000
    assert [error["code"] for error in document["errors"]] == [3, 4]
    assert versions.registry.versions(TICKER) == [1, 3, 4]
    assert cli("models", "list", "--quiet").out.split() == [f"{TICKER}@v{v}" for v in (1, 3, 4)]


def test_a_parent_can_be_removed_and_one_is_told_what_that_means(cli: Cli, versions: Store) -> None:
    outcome = cli("models", "rm", f"{TICKER}@v1")
    assert outcome.code == 0
    assert "v2 was made from v1" in outcome.err
    assert cli("predict", "-t", f"{TICKER}@v2").code == 0
    assert versions.registry.versions(TICKER) == [2, 3, 4]


# Cleaning up


def stored(home: Path) -> list[Path]:
    """List all that lies in the store but the locks, which come and go."""
    return sorted(path for path in home.rglob("*") if home / "locks" not in [path, *path.parents])


def gone(versions: Store, *, keep: int | None = None, days: float | None = None) -> list[str]:
    """Tell what a rule lets go; a dry run and a real one agree."""
    rule = Rule(keep, days)
    home = versions.paths.home
    before = stored(home)
    dry = collect_garbage(rule=rule, dry_run=True, home=home, now=NOW).results[0]
    assert stored(home) == before
    real = collect_garbage(rule=rule, home=home, now=NOW).results[0]
    assert dry.removed == real.removed
    assert (dry.bytes, dry.dry_run, real.dry_run) == (real.bytes, True, False)
    assert not any(Path(item.path).exists() for item in real.removed)
    return [item.name.partition("@")[2] for item in real.removed]


@pytest.mark.parametrize(
    ("keep", "days", "expected"),
    [
        (None, None, []),
        (0, None, ["v1", "v2"]),
        (2, None, ["v1", "v2"]),
        (3, None, []),  # v2 is among the newest three, and v1 is its parent
        (None, 35, []),  # v1 alone is as old, and v2 was made from it
        (None, 30, ["v1", "v2"]),
        (None, 0, ["v1", "v2"]),
        (2, 35, []),
        (3, 0, []),
        (0, 30, ["v1", "v2"]),
    ],
)
def test_versions_beyond_both_limits_go_unless_needed(
    versions: Store, keep: int | None, days: float | None, expected: list[str]
) -> None:
    assert gone(versions, keep=keep, days=days) == expected
    assert versions.registry.aliases.of(TICKER) == {"champion": 4, "previous": 3}


def test_what_an_unfinished_run_began_with_stays(versions: Store, tiny: TrainingConfig) -> None:
    run = RunRecord(f"{TICKER}-x-y", TICKER, NOW, tiny, 1, "2024-03-13", "0", f"{TICKER}@v1")
    path = versions.runs.create(run).path
    os.utime(path, (2e9, 2e9))
    assert gone(versions, keep=0) == ["v2"]


def test_runs_that_nobody_went_on_with_go_and_those_at_work_stay(
    versions: Store, tiny: TrainingConfig
) -> None:
    home = versions.paths.home
    names = [f"{TICKER}-2026{day}T120000Z-ab12" for day in ("0101", "0102", "1120")]
    for name, age in zip(names, (31, 31, 1), strict=True):
        run = versions.runs.create(RunRecord(name, TICKER, NOW, tiny, 1, "2024-03-13", "0"))
        moment = 1_795_262_400 - age * DAY_S  # NOW is 1795262400
        os.utime(run.path, (moment, moment))
    with versions.runs.locked(names[0]):
        (done,) = collect_garbage(home=home, now=NOW).results
    assert [(item.kind, item.name) for item in done.removed] == [("unfinished run", names[1])]
    assert [(item.name, item.reason) for item in done.skipped] == [
        (names[0], "a training is using it")
    ]
    assert versions.runs.names() == [names[0], names[2]]
    collect_garbage(home=home, rule=Rule(older_than_days=0.5, keep=9), now=NOW)
    assert versions.runs.names() == []
    assert versions.registry.versions(TICKER) == [1, 2, 3, 4]


def test_leftovers_go_and_what_is_not_ours_stays(cli: Cli, versions: Store, tmp_path: Path) -> None:
    paths = versions.paths
    models, reports = paths.ticker(TICKER), paths.reports(TICKER, 4)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    for name in (".draft-00", ".trash-00", "v9"):
        (models / name).mkdir()
        (models / name / "model.onnx").write_bytes(b"0123456789")
        (models / name / "link").symlink_to(outside)
    (models / "v8").symlink_to(outside)
    (models / ".trash-11").symlink_to(outside)
    (paths.reports(TICKER, 9)).mkdir(parents=True)
    reports.mkdir()
    dead, alive = reports / ".a.png.999999999", reports / f".a.png.{os.getpid()}"
    ours = [models / "notes.txt", reports / "a.png", paths.tuning_report(TICKER, "x"), alive]
    for path in (*ours, dead):
        path.write_text("kept")
    foreign = paths.models / "not a ticker" / "v1"
    foreign.mkdir(parents=True)
    (paths.models / "VALE3.SA").symlink_to(outside)
    (paths.models / "README").write_text("kept")

    assert cli("models", "list").code == 0
    dry = only(cli("models", "gc", "--dry-run", "--json").out)
    done = only(cli("models", "gc", "--json").out)

    assert dry == done | {"dry_run": True}
    assert [(item["kind"], item["name"]) for item in done["removed"]] == [
        ("draft", ".draft-00"),
        ("removed version", ".trash-00"),
        ("removed version", ".trash-11"),
        ("unlisted version", "v8"),
        ("unlisted version", "v9"),
        ("temporary file", ".a.png.999999999"),
        ("pictures", "v9"),
    ]
    assert [item["name"] for item in done["skipped"]] == [alive.name]
    assert done["bytes"] == sum(item["bytes"] for item in done["removed"]) >= 30
    assert all(path.read_text() == "kept" for path in [*ours, outside / "precious"])
    assert foreign.is_dir()
    assert sorted(path.name for path in models.iterdir()) == ["notes.txt", "v1", "v2", "v3", "v4"]
    assert only(cli("models", "gc", "--json").out)["removed"] == []


def test_a_ticker_that_the_store_knows_nothing_of(cli: Cli, versions: Store) -> None:
    outcome = cli("models", "gc", "-t", "VALE3.SA", "-t", TICKER, "--json")
    assert outcome.code == 4
    assert only(outcome.out)["removed"] == []
    (versions.paths.models / "VALE3.SA" / ".draft-1").mkdir(parents=True)
    assert (
        only(cli("models", "gc", "-t", "vale3.sa", "--json").out)["removed"][0]["kind"] == "draft"
    )


def test_limits_that_are_none() -> None:
    for rule in ({"keep": -1}, {"older_than_days": -1.0}, {"older_than_days": float("nan")}):
        with pytest.raises(ConfigError):
            Rule(**rule)


# A list of a store that is not all well


def test_one_bad_version_hides_no_other(cli: Cli, versions: Store) -> None:
    (versions.paths.version(TICKER, 1) / "manifest.json").write_text("{}")
    shutil.rmtree(versions.paths.version(TICKER, 2))
    outcome = cli("models", "list", "--json")
    assert outcome.code == 5
    document = json.loads(outcome.out)
    assert [model["version"] for model in document["models"]] == [3, 4]
    assert [model["aliases"] for model in document["models"]] == [["previous"], ["champion"]]
    assert [error["code"] for error in document["errors"]] == [5, 5]


def test_garbage_is_told_with_its_path_in_quiet_mode(cli: Cli, versions: Store) -> None:
    (versions.paths.ticker(TICKER) / "v9").mkdir()
    assert cli("models", "gc", "--quiet").out == f"{versions.paths.version(TICKER, 9)}\n"
    assert cli("models", "gc").out == "Removed: nothing\n"


def test_locks_of_runs_that_are_gone_go_unless_they_are_held(home: Path, versions: Store) -> None:
    names = [f"{TICKER}-20240101T000000Z-000{number}" for number in range(3)]
    free, held, needed = (versions.paths.lock(f"run-{name}") for name in names)
    free.touch()
    needed.touch()
    versions.paths.run(names[2]).mkdir(parents=True)

    with work_lock(versions.paths, "run", names[1]):
        dry = collect_garbage(home=home, dry_run=True).results[0]
        assert free.exists()
        done = collect_garbage(home=home).results[0]

    assert dry.removed == done.removed
    assert [(item.kind, item.path) for item in done.removed] == [("lock", str(free))]
    assert [(item.name, item.reason) for item in done.skipped] == [
        (held.name, "a training is about to end")
    ]
    assert (free.exists(), held.exists(), needed.exists()) == (False, True, True)
