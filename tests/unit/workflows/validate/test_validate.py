"""validate finds what is wrong, names it, and executes nothing."""

import pickle
import shutil
from pathlib import Path

import pytest

from stocklstm import quantize, train, validate
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import NoModelError
from stocklstm.workflows.validate.validate import ValidatedVersion
from tests.conftest import TICKER
from tests.support.tampering import Bomb, flip_bit, noisy_graph, replace_file


def check(home: Path, **options: bool) -> ValidatedVersion:
    (result,) = validate([TICKER], home=home, **options).results
    return result


def failed(result: ValidatedVersion) -> dict[str, str]:
    return {c.name: c.detail for c in result.checks if c.status == "failed"}


@pytest.fixture
def version(model_home: Path) -> Path:
    return model_home / "models" / TICKER / "v1"


def test_a_whole_version_passes_every_check(model_home: Path) -> None:
    result = check(model_home, deep=True)

    assert result.status == "ok"
    assert [c.name for c in result.checks] == [
        "manifest",
        "signature",
        "model.onnx",
        "model.pth",
        "history.csv",
        "unlisted files",
        "environment",
        "serving graph",
        "dummy forecast",
        "checkpoint",
    ]


@pytest.mark.parametrize("name", ["model.onnx", "model.pth", "history.csv"])
@pytest.mark.parametrize("place", [0.0, 0.37, 0.999])
def test_one_flipped_bit_is_found(model_home: Path, version: Path, name: str, place: float) -> None:
    flip_bit(version / name, place)

    result = check(model_home)

    assert result.status == "failed"
    assert result.corrupt
    assert "sha256" in failed(result)[name]


def test_a_missing_file_is_named(model_home: Path, version: Path) -> None:
    (version / "model.onnx").unlink()

    assert "missing" in failed(check(model_home))["model.onnx"]


def test_a_foreign_file_is_named(model_home: Path, version: Path) -> None:
    (version / "extra.bin").write_bytes(b"x")

    assert "extra.bin" in failed(check(model_home))["unlisted files"]


def test_a_damaged_manifest_ends_the_checks(model_home: Path, version: Path) -> None:
    (version / "manifest.json").write_text("{}")

    result = check(model_home)

    assert [c.name for c in result.checks] == ["manifest"]
    assert result.corrupt


def test_a_planted_pickle_is_never_executed(
    model_home: Path, version: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "executed"
    for name in ("model.pth", "model.onnx", "history.csv"):
        replace_file(version, name, pickle.dumps(Bomb(mark)))

    result = check(model_home, deep=True)

    assert "serving graph" in failed(result)
    assert not mark.exists()


def test_a_planted_checkpoint_is_refused(model_home: Path, version: Path, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    replace_file(version, "model.pth", pickle.dumps(Bomb(mark)))

    result = check(model_home, deep=True)

    assert "not a safe checkpoint" in failed(result)["checkpoint"]
    assert not mark.exists()


def test_a_graph_that_is_not_the_checkpoints_is_found(model_home: Path, version: Path) -> None:
    replace_file(version, "model.onnx", noisy_graph((version / "model.onnx").read_bytes()))

    assert check(model_home).status == "ok"
    assert "differs from the checkpoint" in failed(check(model_home, deep=True))["checkpoint"]


def test_a_quantized_version_is_held_against_its_parent(model_home: Path) -> None:
    quantize([TICKER], home=model_home)

    result = check(model_home, deep=True)

    assert (result.version, result.status) == (2, "ok")
    shutil.rmtree(model_home / "models" / TICKER / "v1")
    assert "checkpoint" in failed(check(model_home, deep=True))


def test_all_means_every_version(model_home: Path, tiny: TrainingConfig) -> None:
    train([TICKER], tiny, home=model_home)

    results = validate(home=model_home, every_version=True).results

    assert [result.version for result in results] == [1, 2, None]
    assert [result.status for result in results] == ["ok"] * 3


def test_no_model_at_all_is_an_error(priced_home: Path) -> None:
    with pytest.raises(NoModelError):
        validate(home=priced_home)
