"""A pooled model is listed, renamed, removed and carried about as any other."""

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stocklstm.core.digest import sha256_hex
from stocklstm.store.bundles import encode_bundle
from stocklstm.store.pool_members import MEMBERS_FILE
from tests.conftest import Cli
from tests.support.pooled_store import POOL, train_pool
from tests.support.tampering import flip_bit


def test_it_is_listed_shown_diffed_renamed_and_removed(cli: Cli, pool_home: Path) -> None:
    train_pool(pool_home)

    assert cli("models", "list", "--quiet").out.split() == ["+b3@v1", "+b3@v2"]
    assert cli("models", "list", "-t", "+b3", "--quiet").out.split() == ["+b3@v1", "+b3@v2"]
    (shown,) = json.loads(cli("models", "show", "+b3@v1", "--json").out)["models"]
    assert shown["manifest"]["pool"]["tickers"] == 3
    assert cli("models", "diff", "+b3@v1", "+b3@v2").code == 0
    assert cli("models", "promote", "+b3@v1").code == 0
    assert cli("models", "rollback", "+b3").code == 0
    assert cli("models", "promote", "+b3@v1", "--as", "live").code == 0
    assert cli("models", "rm", "+b3@v1").code == 3
    assert cli("models", "unalias", "+b3@live").code == 0
    assert cli("models", "promote", "+b3@v1").code == 0
    third = train_pool(pool_home)
    assert third.version == 3
    names = json.loads(cli("models", "list", "--json").out)["models"]
    spare = next(f"+b3@v{m['version']}" for m in names if not m["aliases"])
    assert cli("models", "rm", spare).code == 0
    assert cli("models", "gc", "-t", "+b3").code == 0
    assert cli("validate", "--all", "--quiet").code == 0


def test_it_is_listed_again_after_its_database_was_lost(cli: Cli, pool_home: Path) -> None:
    (pool_home / "stocklstm.db").write_bytes(b"")
    assert cli("predict", "--model", "b3").code == 5

    (done,) = json.loads(cli("models", "adopt", "+b3", "--json").out)["results"]

    assert (done["ticker"], done["versions"], done["champion"]) == ("+b3", [1], 1)
    assert cli("validate", "--all", "--deep").code == 0


@pytest.mark.usefixtures("pool_home")
def test_it_is_carried_to_another_store(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "b3.zip"
    assert cli("models", "export", "+b3", "--output", str(bundle)).code == 0
    assert "is in this store" in cli("models", "import", str(bundle)).out
    monkeypatch.setenv("STOCKLSTM_HOME", str(tmp_path / "other"))

    assert cli("models", "import", str(bundle), "--quiet").out == "+b3@v1\n"

    assert cli("validate", "--deep", "--quiet").code == 0
    # There the model knows tickers of which no price is stored.
    assert cli("predict", "--model", "b3").code == 4


def test_a_byte_that_is_not_what_was_published(cli: Cli, pool_home: Path) -> None:
    flip_bit(pool_home / "models" / POOL / "v1" / MEMBERS_FILE, 0.5)

    assert cli("predict", "--model", "b3").code == 5
    assert cli("validate").code == 5


@pytest.mark.usefixtures("pool_home")
@pytest.mark.parametrize(
    "command",
    [
        ("predict", "-t", "+b3"),
        ("evaluate", "-t", "+b3"),
        ("evaluate", "--live", "-t", "+b3"),
        ("evaluate", "--all", "-t", "+b3@v1"),
        ("evaluate", "--walk-forward", "20", "-t", "+b3"),
        ("quantize", "-t", "+b3"),
        ("models", "export", "+b3", "--format", "onnx"),
        ("models", "export", "+b3", "--format", "classic"),
        ("train", "-t", "+b3"),
        ("train", "-t", "AAA3.SA", "--name", "b3"),
        ("train", "--pooled", "--name", "b3", "-t", "AAA3.SA", "-t", "BBB4.SA", "--jobs", "2"),
        ("predict", "--model", "AAA3.SA"),
        ("evaluate", "--model", "b3", "--all"),
    ],
    ids=" ".join,
)
def test_where_a_pooled_model_has_no_place(cli: Cli, command: tuple[str, ...]) -> None:
    outcome = cli(*command)

    assert outcome.code == 2, outcome.err
    assert "next: " in outcome.err


def rebuilt(bundle: Path, change: Callable[[list[dict[str, Any]]], Any]) -> None:
    """Change what a bundle holds of its tickers, with hashes that fit."""
    with zipfile.ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files.pop("manifest.json"))
    members = json.loads(files[MEMBERS_FILE])
    change(members)
    files[MEMBERS_FILE] = json.dumps(members).encode()
    record = {"sha256": sha256_hex(files[MEMBERS_FILE]), "size": len(files[MEMBERS_FILE])}
    manifest["files"][MEMBERS_FILE] = record
    bundle.write_bytes(encode_bundle(json.dumps(manifest).encode(), files))


@pytest.mark.usefixtures("pool_home")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda members: members[1]["anchor"].update(decay=1e300), "pool.json cannot be read"),
        (
            lambda members: members[2]["baselines"]["ewma"].update(quantiles=[1.0]),
            "a baseline is outside of its bounds",
        ),
        (lambda members: members[0].update(ticker="../../etc"), "pool.json cannot be read"),
        (lambda members: members[0]["data"].update(first="\u001b[2J"), "pool.json cannot be read"),
        (lambda members: members.pop(), "holds 2 tickers, the manifest 3"),
        (lambda members: members.append(members[0]), "holds 3 tickers, the manifest 3"),
        (lambda members: members[0].pop("anchor"), "pool.json cannot be read"),
    ],
    ids=["decay", "quantiles", "path", "escape", "fewer", "twice", "no-anchor"],
)
def test_a_bundle_that_no_program_made_is_refused(
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[list[dict[str, Any]]], Any],
    words: str,
) -> None:
    bundle = tmp_path / "b3.zip"
    assert cli("models", "export", "+b3", "--output", str(bundle)).code == 0
    monkeypatch.setenv("STOCKLSTM_HOME", str(tmp_path / "other"))
    rebuilt(bundle, change)

    outcome = cli("models", "import", str(bundle))

    assert outcome.code == 5, outcome.err
    assert re.search(words, outcome.err), outcome.err
    assert not (tmp_path / "other").exists()


@pytest.mark.usefixtures("pool_home")
def test_a_bundle_under_the_name_of_a_ticker_is_refused(cli: Cli, tmp_path: Path) -> None:
    bundle = tmp_path / "b3.zip"
    assert cli("models", "export", "+b3", "--output", str(bundle)).code == 0
    with zipfile.ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files.pop("manifest.json"))
    changed = json.dumps({**manifest, "ticker": "PETR4.SA"}).encode()
    bundle.write_bytes(encode_bundle(changed, files))

    outcome = cli("models", "import", str(bundle))

    assert outcome.code == 5
    assert "its name is that of a single ticker, its content is not" in outcome.err
