"""A bundle carries a version to another store, whole, once, and under the promotion rule."""

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from stocklstm import export_model, import_model, load, predict, quantize, train, validate
from stocklstm.core.settings.compression import Compression
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import ConfigError, NotFoundError
from stocklstm.store.store import open_store
from stocklstm.workflows.models.imports import ImportedVersion
from tests.conftest import TICKER, Cli
from tests.support.tampering import flip_bit


def bundle_of(home: Path, directory: Path, reference: str = TICKER) -> Path:
    (made,) = export_model(reference, directory, home=home).results
    return Path(made.path)


def take(bundle: Path, home: Path, **options: str) -> ImportedVersion:
    (taken,) = import_model(bundle, file_format="bundle", home=home, **options).results
    return taken


@pytest.fixture
def other(_priced: Path, tmp_path: Path) -> Path:
    """Give another store, with prices and without a model."""
    home = tmp_path / "other"
    shutil.copytree(_priced, home)
    return home


@pytest.fixture
def bundle(model_home: Path, tmp_path: Path) -> Path:
    return bundle_of(model_home, tmp_path)


def test_it_holds_the_manifest_and_what_that_lists(bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        listed = json.loads(archive.read("manifest.json"))["files"]
        assert archive.namelist() == ["manifest.json", *sorted(listed)]
        assert bundle.name == f"{TICKER}-v1.zip"
        assert all(archive.getinfo(n).file_size == record["size"] for n, record in listed.items())


def test_the_same_version_gives_the_same_bytes(
    bundle: Path, model_home: Path, tmp_path: Path
) -> None:
    again = bundle_of(model_home, tmp_path / "again.zip")

    assert again.read_bytes() == bundle.read_bytes()


def test_it_forecasts_the_same_in_another_store(
    bundle: Path, model_home: Path, other: Path
) -> None:
    taken = take(bundle, other)

    (here,) = predict([TICKER], home=model_home).forecasts
    (there,) = predict([TICKER], home=other).forecasts
    assert there.quantiles == here.quantiles
    assert (taken.version, taken.promoted, taken.unchanged) == (1, True, False)
    assert validate([TICKER], deep=True, home=other).results[0].status == "ok"


def test_its_manifest_says_where_it_came_from_and_when_it_was_made(
    bundle: Path, model_home: Path, other: Path
) -> None:
    train_again = take(bundle, other, promote="never")

    with open_store(model_home) as store:
        original = store.registry.manifest(TICKER, 1)
    with open_store(other) as store:
        manifest = store.registry.manifest(TICKER, train_again.version)
        assert store.registry.aliases.of(TICKER) == {}
    assert manifest.imported_from is not None
    assert (manifest.imported_from.kind, manifest.imported_from.model) == ("bundle", f"{TICKER}@v1")
    assert manifest.created == original.created
    assert manifest.files == original.files
    assert original.imported_from is None


def test_a_second_time_changes_nothing(bundle: Path, model_home: Path, other: Path) -> None:
    take(bundle, other)

    assert take(bundle, other).unchanged
    assert take(bundle, model_home).unchanged
    for home in (other, model_home):
        with open_store(home) as store:
            assert store.registry.versions(TICKER) == [1]
    assert not list((other / "models").rglob(".draft*"))


def test_a_damaged_copy_does_not_stand_in_its_way(bundle: Path, model_home: Path) -> None:
    flip_bit(model_home / "models" / TICKER / "v1" / "model.onnx", 0.5)

    taken = take(bundle, model_home)

    assert (taken.version, taken.unchanged, taken.promoted) == (2, False, True)
    assert predict([TICKER], home=model_home).forecasts[0].version == 2


def test_it_becomes_champion_by_the_rule_and_the_log_says_why(
    bundle: Path, other: Path, tiny: TrainingConfig
) -> None:
    train([TICKER], tiny, home=other)

    taken = take(bundle, other)

    # The same settings and prices: nothing can be significantly worse.
    assert taken.promoted
    with open_store(other) as store:
        assert store.registry.aliases.of(TICKER) == {"champion": 2, "previous": 1}
        reason = store.registry.aliases.log(TICKER)[-1].reason
    assert reason.startswith(f"imported from {TICKER}@v1 of another store: not significantly worse")
    assert "shared test days" in reason


def test_another_seed_is_an_experiment_wherever_it_was_made(
    bundle: Path, other: Path, tiny: TrainingConfig
) -> None:
    train([TICKER], replace(tiny, seed=3), home=other)
    mine = load(TICKER, home=other).manifest.evaluation.distribution.crps

    taken = take(bundle, other)

    theirs = load(f"{TICKER}@v2", home=other).manifest.evaluation.distribution.crps
    assert taken.promoted == (theirs < mine)
    assert "other settings (seed), and " in taken.promotion


def test_without_prices_there_is_nothing_to_hold_it_against(bundle: Path, tmp_path: Path) -> None:
    taken = take(bundle, tmp_path / "new")

    assert taken.promoted
    assert "there was no champion" in taken.promotion


def test_a_smaller_version_finds_its_parent_under_any_number(
    model_home: Path, other: Path, tmp_path: Path, tiny: TrainingConfig
) -> None:
    quantize([TICKER], home=model_home)
    large, small = (bundle_of(model_home, tmp_path, f"{TICKER}@v{v}") for v in (1, 2))
    train([TICKER], tiny, home=other)

    alone = take(small, tmp_path / "alone")
    take(large, other)
    together = take(small, other)

    assert alone.parent is None
    assert "is not in this one" in alone.warnings[0]
    assert together.parent == f"{TICKER}@v2"
    assert not together.warnings
    for home in (other, tmp_path / "alone"):
        results = validate([TICKER], every_version=True, deep=True, home=home).results
        assert {result.status for result in results} == {"ok"}
    (failure,) = quantize([TICKER], home=tmp_path / "alone").failures
    assert "is dynamic-int8 already" in failure.error.message


def test_a_version_that_was_trained_on_needs_no_parent(model_home: Path, tmp_path: Path) -> None:
    quantize([TICKER], Compression("prune", structured=True, epochs=1), home=model_home)
    quantize([f"{TICKER}@v2"], Compression("static"), home=model_home)
    medium, small = (bundle_of(model_home, tmp_path, f"{TICKER}@v{v}") for v in (2, 3))

    alone = take(medium, tmp_path / "alone")
    smaller = take(small, tmp_path / "alone")

    assert not alone.warnings
    assert smaller.parent == f"{TICKER}@v1"
    results = validate([TICKER], every_version=True, deep=True, home=tmp_path / "alone").results
    assert [result.status for result in results] == ["ok", "ok", "ok"]


def test_what_cannot_be_done_is_said(bundle: Path, other: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is of PETR4.SA, not of VALE3.SA"):
        take(bundle, other, ticker="VALE3.SA")
    with pytest.raises(ConfigError, match="--promote"):
        take(bundle, other, promote="perhaps")
    with pytest.raises(NotFoundError, match="no file"):
        take(tmp_path / "none.zip", other)


@pytest.mark.usefixtures("model_home")
def test_the_command_line_says_what_it_did(cli: Cli, bundle: Path) -> None:
    outcome = cli("models", "import", str(bundle))

    assert outcome.code == 0
    assert f"{TICKER}@v1, unchanged" in outcome.out
    assert cli("models", "import", str(bundle), "--quiet").out == f"{TICKER}@v1\n"
    assert cli("models", "import", str(bundle), "--format", "rar").code == 2
    assert cli("models", "export", TICKER, "--format", "rar").code == 2
    assert cli("models", "export", TICKER, "--out", str(bundle / "x")).code == 2
    assert cli("models", "export", f"{TICKER}@v9").code == 4
