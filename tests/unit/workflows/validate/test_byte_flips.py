"""Whatever byte of a published version changes, validate says so, and predict uses none of it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from stocklstm import predict, validate
from stocklstm.cli.validate import VIEW
from stocklstm.errors import ArtifactCorruptError
from tests.conftest import TICKER, Cli

FILES = {
    "manifest.json",
    "model.onnx",
    "model.pth",
    "history.csv",
}

# What a forecast is made of.
SERVING = {"manifest.json", "model.onnx"}

# First and last bytes are where formats have their marks; in between, chance decides.
EDGE = 12
SAMPLED = 34


@pytest.fixture
def version(model_home: Path) -> Path:
    return model_home / "models" / TICKER / "v1"


@contextmanager
def holding(path: Path, content: bytes) -> Iterator[None]:
    """Put something else in the place of a file for a while."""
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)


def places(size: int, seed: int) -> list[int]:
    random = np.random.default_rng(seed)
    ends = [*range(min(EDGE, size)), *range(max(0, size - EDGE), size)]
    return sorted({*ends, *random.integers(0, size, SAMPLED).tolist()})


def flipped(content: bytes, place: int) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 1 << place % 8
    return bytes(changed)


def damaged(content: bytes) -> list[bytes]:
    """Cut it short and make it longer, by little and by much."""
    return [b"", content[:-1], content[: len(content) // 2], content + b"\0", content * 2]


def ledger(home: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(home / "stocklstm.db")) as connection:
        return connection.execute("SELECT * FROM forecasts").fetchall()


def assert_found(home: Path, name: str, words: str) -> None:
    (result,) = validate([TICKER], home=home).results
    assert (result.status, result.corrupt) == ("failed", True), words
    assert VIEW.code is not None
    assert VIEW.code(result) == 5
    named = "manifest" if name == "manifest.json" else name
    assert named in {check.name for check in result.checks if check.status == "failed"}, words


def test_the_files_are_those_of_a_version(version: Path) -> None:
    assert {path.name for path in version.iterdir()} == FILES
    flips = [len(places((version / name).stat().st_size, 0)) for name in sorted(FILES)]
    assert min(flips) >= 40


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_flipped_bit_is_reported(version: Path, home: Path, name: str) -> None:
    path = version / name
    content = path.read_bytes()
    for place in places(len(content), seed=len(name)):
        with holding(path, flipped(content, place)):
            assert_found(home, name, f"bit {place % 8} of byte {place} of {name}")


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_other_length_is_reported(version: Path, home: Path, name: str) -> None:
    path = version / name
    for changed in damaged(path.read_bytes()):
        with holding(path, changed):
            assert_found(home, name, f"{len(changed)} bytes of {name}")


@pytest.mark.parametrize("name", sorted(SERVING))
def test_predict_refuses_what_a_forecast_would_be_made_of(
    version: Path, home: Path, name: str
) -> None:
    path = version / name
    content = path.read_bytes()
    changes = [flipped(content, place) for place in places(len(content), seed=7)]
    for changed in [*changes, *damaged(content)]:
        with holding(path, changed):
            result = predict(home=home)
            assert result.forecasts == ()
            assert isinstance(result.failures[0].error, ArtifactCorruptError)
    assert ledger(home) == []


def test_the_program_says_so(cli: Cli, version: Path, home: Path) -> None:
    for name in sorted(SERVING):
        content = (version / name).read_bytes()
        with holding(version / name, flipped(content, len(content) // 2)):
            outcome = cli("predict")
            assert (outcome.code, outcome.out) == (5, "")
            assert cli("validate").code == 5
    assert ledger(home) == []


@pytest.mark.parametrize("name", sorted(FILES - SERVING))
def test_predict_is_unaffected_by_what_it_does_not_use(
    version: Path, home: Path, name: str
) -> None:
    (before,) = predict(home=home).forecasts
    content = (version / name).read_bytes()
    for changed in (flipped(content, len(content) // 2), b""):
        with holding(version / name, changed):
            (found,) = predict(home=home).forecasts
            assert (found.point, found.quantiles) == (before.point, before.quantiles)
    assert len(ledger(home)) == 1
