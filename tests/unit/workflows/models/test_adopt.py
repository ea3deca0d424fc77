"""models adopt: what a lost database listed is listed again."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from stocklstm import adopt_versions, predict
from stocklstm.errors import NotFoundError
from stocklstm.store.manifest import Manifest
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.models.adopt import _succession
from tests.conftest import TICKER, Cli
from tests.support.copied_versions import only
from tests.support.store_samples import FILES, NOON, manifest_of, publish
from tests.support.tampering import flip_bit


@pytest.fixture
def shelf(home: Path) -> Path:
    """PETR4.SA@v1 to v3, v3 champion, and +b3@v1, after the database was lost."""
    with open_store(home, create=True) as store:
        for promotion in ("first", None, "newer"):
            publish(store.registry, promotion=promotion)
        publish(store.registry, "+b3", promotion="first")
    (home / "stocklstm.db").unlink()
    return home


def versions_of(home: Path, owner: str = TICKER) -> list[int]:
    with open_store(home) as store:
        return store.registry.versions(owner)


def test_a_lost_database_is_begun_anew_with_what_lies_there(cli: Cli, model_home: Path) -> None:
    before = predict([TICKER], home=model_home).forecasts
    with open_store(model_home) as store:
        bars, published = store.prices.bars(TICKER), store.registry.published(TICKER)
    (model_home / "stocklstm.db").write_bytes(b"")
    assert cli("models", "gc").code == 5

    dry = only(cli("models", "adopt", "--dry-run", "--json").out)
    assert (model_home / "stocklstm.db").read_bytes() == b""
    assert not (model_home / "locks" / f"{TICKER}.lock").exists() or dry["dry_run"]
    done = only(cli("models", "adopt", "--json").out)

    assert dry == done | {"dry_run": True}
    assert done == {
        "ticker": TICKER,
        "dry_run": False,
        "versions": [1],
        "left_out": [],
        "champion": 1,
        "reason": "the first one that is whole",
        "by_hand": None,
    }
    with open_store(model_home) as store:
        assert store.registry.published(TICKER) == published
        assert store.registry.aliases.log(TICKER)[0].reason == (
            "adopted: the first one that is whole"
        )
    assert cli("fetch", "-t", TICKER, "--source", "sample").code == 0
    with open_store(model_home) as store:
        assert store.prices.bars(TICKER).fingerprint() == bars.fingerprint()
    assert predict([TICKER], home=model_home).forecasts[0].quantiles == before[0].quantiles
    assert cli("validate", "--all", "--deep").code == 0


def test_what_is_said(cli: Cli, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    shutil.rmtree(shelf / "models" / "+b3")

    said = cli("models", "adopt")

    assert said.code == 0
    assert "PETR4.SA, listed again" in said.out
    assert "models sign --all" in said.err
    assert versions_of(shelf) == [1, 2, 3]
    again = cli("models", "adopt")
    assert (again.out, again.err) == ("", "nothing lies in the store that is not listed\n")
    assert cli("models", "adopt", "--quiet").out == ""


def test_what_is_not_whole_stays_and_is_named(cli: Cli, shelf: Path) -> None:
    flip_bit(shelf / "models" / TICKER / "v2" / "model.pth", 0.5)
    (shelf / "models" / TICKER / "v3" / "empty.csv").unlink()
    (shelf / "models" / TICKER / "v8").mkdir()
    shutil.copytree(shelf / "models" / TICKER / "v1", shelf / "models" / TICKER / "v9")

    said = cli("models", "adopt", TICKER, "--json")

    document = json.loads(said.out)
    assert said.code == 5
    assert [error["code"] for error in document["errors"]] == [5, 5, 5, 5]
    reasons = [error["message"] for error in document["errors"]]
    assert "v2 is damaged: model.pth is not the file that its manifest lists" in reasons[0]
    assert "v3 is damaged: empty.csv is missing" in reasons[1]
    assert "v8 is damaged: manifest.json is missing" in reasons[2]
    assert "v9 is damaged: its manifest belongs to" in reasons[3]
    assert all("from a backup" in error["hint"] for error in document["errors"])
    assert document["results"][0]["versions"] == [1]
    assert (shelf / "models" / TICKER / "v8").is_dir()


def test_an_older_database_keeps_its_names(cli: Cli, home: Path) -> None:
    with open_store(home, create=True) as store:
        publish(store.registry, promotion="first")
    old = (home / "stocklstm.db").read_bytes()
    with open_store(home) as store:
        publish(store.registry, promotion="newer")
        publish(store.registry)
    (home / "stocklstm.db").write_bytes(old)

    done = only(cli("models", "adopt", f"{TICKER}@v2", "--json").out)

    assert (done["versions"], done["champion"], done["reason"]) == ([2], 1, "")
    assert done["by_hand"] == f"stocklstm models promote {TICKER}@v2"
    assert versions_of(home) == [1, 2]
    with open_store(home) as store:
        assert store.registry.aliases.of(TICKER) == {"champion": 1}
        assert publish(store.registry).version == 4


def test_what_was_removed_on_purpose_is_taken_back_only_by_its_name(cli: Cli, home: Path) -> None:
    with open_store(home, create=True) as store:
        publish(store.registry, promotion="first")
        publish(store.registry)
        directory = store.paths.version(TICKER, 2)
    kept = directory.with_name("kept")
    shutil.copytree(directory, kept)
    assert cli("models", "rm", f"{TICKER}@v2").code == 0
    kept.rename(directory)

    all_of_it = only(cli("models", "adopt", "--json").out)
    said = cli("models", "adopt")
    by_name = only(cli("models", "adopt", f"{TICKER}@v2", "--json").out)

    assert all_of_it["versions"] == []
    assert all_of_it["left_out"][0]["version"] == 2
    assert f"left out: {TICKER}@v2: removed on purpose" in said.err
    assert by_name["versions"] == [2]
    assert only(cli("models", "gc", "--json").out)["removed"] == []


@pytest.mark.usefixtures("shelf")
def test_what_is_not_there(cli: Cli, tmp_path: Path) -> None:
    assert cli("models", "adopt", "VALE3.SA").code == 4
    assert cli("models", "adopt", f"{TICKER}@v7").code == 4
    assert cli("models", "adopt", f"{TICKER}@live").code == 2
    assert cli("models", "adopt", "../x").code == 2
    with pytest.raises(NotFoundError):
        adopt_versions(home=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_words_that_no_program_writes_are_refused(cli: Cli, home: Path) -> None:
    with open_store(home, create=True) as store:
        for words in ({"python": "\x1b[2J"}, {"python": "3"}):
            _publish(store, environment=words)
        for moment in ("yesterday", "2026-11-20T12:00:00+00:00", "2026-11-20T12:00:00.5Z"):
            _publish(store, created=moment)
    (home / "stocklstm.db").unlink()

    said = cli("models", "adopt", "--json")

    assert said.code == 5
    assert "\x1b" not in said.err
    assert versions_of(home) == [2]
    # What was listed can be read again.
    assert cli("models", "list").code == 0


def _publish(store: Store, **changes: object) -> None:
    with store.registry.draft(TICKER) as draft:
        for name, content in FILES.items():
            draft.write(name, content)
        store.registry.publish(
            draft,
            TICKER,
            lambda version: manifest_of(version, files=dict(draft.files), **changes),
            at=NOON,
        )


# Who is champion, as far as manifests tell


def with_crps(manifest: Manifest, crps: float, **changes: object) -> Manifest:
    scores = replace(manifest.evaluation.distribution, crps=crps, dm_stat=-1.0, dm_p=0.5)
    return replace(
        manifest, evaluation=replace(manifest.evaluation, distribution=scores), **changes
    )


FIRST = with_crps(manifest_of(1), 0.5)
OTHER = replace(FIRST.config, hidden_size=7)
NEWER = replace(FIRST.data, last="2024-01-01", sha256="0")


@pytest.mark.parametrize(
    ("manifests", "expected"),
    [
        ([], []),
        ([FIRST], [1]),
        ([FIRST, with_crps(FIRST, 9.0, version=2, data=NEWER)], [1, 2]),
        ([replace(FIRST, data=NEWER), replace(FIRST, version=2)], [1]),
        ([FIRST, with_crps(FIRST, 0.4, version=2, config=OTHER)], [1, 2]),
        ([FIRST, with_crps(FIRST, 0.6, version=2, config=OTHER)], [1]),
        ([FIRST, with_crps(FIRST, 0.4, version=2, config=OTHER, data=NEWER)], [1]),
        ([FIRST, with_crps(FIRST, float("nan"), version=2, config=OTHER)], [1]),
        ([FIRST, replace(FIRST, version=2, config=replace(FIRST.config, horizon=5))], [1]),
        ([FIRST, replace(FIRST, version=2, parent=FIRST.id, method="dynamic-int8")], [1]),
        ([replace(FIRST, version=2, parent=FIRST.id, method="dynamic-int8")], [2]),
        ([FIRST, replace(FIRST, version=2, learned_before={TICKER: "2020-01-01"})], [1]),
    ],
)
def test_the_rule_of_publishing_as_far_as_manifests_tell(
    manifests: list[Manifest], expected: list[int]
) -> None:
    assert [manifest.version for manifest, _ in _succession(manifests)] == expected
