from pathlib import Path

import platformdirs
import pytest

from stocklstm.errors import ConfigError
from stocklstm.store.paths import StorePaths, data_home


def test_the_environment_chooses(monkeypatch, tmp_path):
    monkeypatch.setenv("STOCKLSTM_HOME", str(tmp_path / "prices of mine"))
    assert data_home() == tmp_path / "prices of mine"


def test_a_tilde_is_the_home_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("STOCKLSTM_HOME", "~/stocks")
    assert data_home() == tmp_path / "stocks"


def test_the_home_directory_of_nobody(monkeypatch):
    monkeypatch.setenv("STOCKLSTM_HOME", "~no-such-user-1f3a/stocks")
    with pytest.raises(ConfigError, match="no such home directory") as caught:
        data_home()
    assert "STOCKLSTM_HOME" in caught.value.hint


def test_who_has_no_home_directory_has_to_say_where(monkeypatch):
    def nobody(*_: object, **__: object) -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.delenv("STOCKLSTM_HOME")
    monkeypatch.setattr(platformdirs, "user_data_path", nobody)
    with pytest.raises(ConfigError, match="no home directory") as caught:
        data_home()
    assert "STOCKLSTM_HOME" in caught.value.hint


def test_a_relative_path_is_made_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STOCKLSTM_HOME", "stocks")
    assert data_home() == tmp_path / "stocks"


@pytest.mark.parametrize("value", [None, ""])
def test_otherwise_it_is_the_user_data_directory(monkeypatch, value):
    monkeypatch.delenv("STOCKLSTM_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("STOCKLSTM_HOME", value)
    assert data_home() == Path(platformdirs.user_data_dir("stocklstm", appauthor=False))


def test_the_layout():
    paths = StorePaths(Path("/s"))
    assert [
        paths.database,
        paths.models,
        paths.ticker("^BVSP"),
        paths.version("PETR4.SA", 3),
        paths.reports("PETR4.SA", 3),
        paths.lock("PETR4.SA"),
    ] == [
        Path("/s/stocklstm.db"),
        Path("/s/models"),
        Path("/s/models/^BVSP"),
        Path("/s/models/PETR4.SA/v3"),
        Path("/s/reports/PETR4.SA/v3"),
        Path("/s/locks/PETR4.SA.lock"),
    ]
