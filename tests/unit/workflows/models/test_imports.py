"""What every format of import shares."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

import stocklstm.workflows.models.bundle as bundle_module
import stocklstm.workflows.models.classic as classic_module
from stocklstm import export_model, import_model, train
from stocklstm.core.settings.config import configure
from stocklstm.store.store import open_store
from stocklstm.workflows.publishing import publish
from tests.conftest import TICKER


@pytest.fixture
def paper_home(_priced: Path, home: Path) -> Path:
    shutil.copytree(_priced, home)
    config = configure("paper", epochs=1, hidden_size=4, seq_length=10, batch_size=256)
    assert not train([TICKER], config, home=home).failures
    return home


@pytest.fixture
def other(_priced: Path, tmp_path: Path) -> Path:
    """Give another store, with prices and without a model."""
    home = tmp_path / "other"
    shutil.copytree(_priced, home)
    return home


@pytest.mark.parametrize("file_format", ["bundle", "classic"])
def test_two_imports_at_once_make_one_version(
    file_format: str,
    paper_home: Path,
    other: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (made,) = export_model(
        TICKER, tmp_path / "model", file_format=file_format, home=paper_home
    ).results
    both = Barrier(2)

    def after_both_have_looked(*arguments: Any, **options: Any) -> Any:
        both.wait(timeout=60)
        return publish(*arguments, **options)

    for module in (bundle_module, classic_module):
        monkeypatch.setattr(module, "publish", after_both_have_looked)

    def take(_: int) -> Any:
        return import_model(Path(made.path), file_format=file_format, home=other).results[0]

    with ThreadPoolExecutor(2) as threads:
        taken = list(threads.map(take, range(2)))

    assert sorted(one.unchanged for one in taken) == [False, True]
    assert {one.version for one in taken} == {1}
    with open_store(other) as store:
        assert store.registry.versions(TICKER) == [1]
    assert not list((other / "models").rglob(".draft*"))
