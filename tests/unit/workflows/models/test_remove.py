"""models rm and gc, as a person uses them."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from stocklstm import RemovalRule, collect_garbage
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import ConfigError
from stocklstm.store.disk import read_regular
from stocklstm.store.locks import work_lock
from stocklstm.store.runs import RunRecord
from stocklstm.store.store import Store, open_store
from tests.conftest import TICKER, Cli
from tests.support.copied_versions import NOW, only, publish_copy

DAY_S = 86_400


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
    rule = RemovalRule(keep, days)
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
    collect_garbage(home=home, rule=RemovalRule(older_than_days=0.5, keep=9), now=NOW)
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
    os.utime(dead, (0, 0))
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


def test_an_older_database_costs_no_version(cli: Cli, model_home: Path) -> None:
    old = (model_home / "stocklstm.db").read_bytes()
    with open_store(model_home) as store:
        first = store.registry.manifest(TICKER, 1)
        for _ in range(2):
            publish_copy(store, first, NOW, None)
        store.registry.aliases.promote(TICKER, 3, reason="newer", at=NOW)
        pictures = [store.paths.reports(TICKER, version) for version in (2, 3, 4)]
    (model_home / "stocklstm.db").write_bytes(old)
    for path in pictures:
        path.mkdir(parents=True)
    (model_home / "models" / TICKER / "v2" / "history.csv").write_text("another one")

    dry, done = (only(cli("models", "gc", *d, "--json").out) for d in (["--dry-run"], []))

    assert dry == done | {"dry_run": True}
    assert [(item["kind"], item["name"]) for item in done["removed"]] == [
        ("unlisted version", "v2"),
        ("pictures", "v2"),
        ("pictures", "v4"),
    ]
    assert done["skipped"] == [
        {
            "ticker": TICKER,
            "name": "v3",
            "reason": f"sound, but not listed: stocklstm models adopt {TICKER}@v3",
        }
    ]
    assert cli("models", "gc").err == f"kept: {TICKER}: v3: {done['skipped'][0]['reason']}\n"
    assert pictures[1].is_dir()
    with open_store(model_home) as store:
        publish_copy(store, first, NOW, None)
        assert store.registry.versions(TICKER) == [1, 4]


def test_a_version_that_was_removed_is_cleaned_up_and_another_of_its_number_is_not(
    cli: Cli, versions: Store
) -> None:
    directory = versions.paths.version(TICKER, 2)
    kept = directory.with_name("kept")
    shutil.copytree(directory, kept)
    assert cli("models", "rm", f"{TICKER}@v2").code == 0
    # As a process leaves it that is killed between the two.
    kept.rename(directory)
    manifest = (directory / "manifest.json").read_text()
    (directory / "manifest.json").write_text(manifest + "\n")
    assert only(cli("models", "gc", "--json").out)["removed"] == []
    (directory / "manifest.json").write_text(manifest)

    removed = only(cli("models", "gc", "--json").out)["removed"]

    assert [item["name"] for item in removed] == ["v2"]


def test_what_cannot_be_read_now_is_not_taken_for_damaged(
    cli: Cli, versions: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(versions.paths.version(TICKER, 4), versions.paths.version(TICKER, 9))

    def fail(path: Path, most: int) -> bytes:
        if path.parent.name == "v9":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read_regular(path, most)

    monkeypatch.setattr("stocklstm.store.manifest.read_regular", fail)
    done = only(cli("models", "gc", "--json").out)

    assert done["removed"] == []
    assert [item["name"] for item in done["skipped"]] == ["v9"]
    assert "Input/output error" in done["skipped"][0]["reason"]


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
            RemovalRule(**rule)


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
