"""A command line opens its store once, whatever it does with it."""

from pathlib import Path

import pytest

from stocklstm.market.sample import SampleSource
from stocklstm.store import store as store_module
from tests.conftest import TICKER, TINY_OPTIONS, Cli


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """List the database of each store that is opened."""
    found: list[Path] = []
    for name in ("open_database", "open_readonly"):
        right = getattr(store_module, name)

        def spy(path: Path, *, lock_timeout_s: float, right=right) -> object:
            found.append(path)
            return right(path, lock_timeout_s=lock_timeout_s)

        monkeypatch.setattr(store_module, name, spy)
    # No network: what Yahoo would be asked, the bundled prices answer.
    monkeypatch.setattr("stocklstm.workflows.prices.plan.load_source", lambda _: SampleSource())
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        ("fetch", "-t", TICKER),
        ("predict", "--json"),
        ("predict", "--fetch", "--plot"),
        ("predict", "--fetch", "--plot-file", "fan.png", "--csv", "forecasts.csv"),
        ("predict", "--csv", "all.csv", "--append", "--out", "today.json"),
        ("evaluate",),
        ("evaluate", "--no-plot", "--json"),
        ("evaluate", "--live"),
        ("evaluate", "--all"),
        ("evaluate", "--horizons", "1,5"),
        ("evaluate", "--walk-forward", "2", "--refit-every", "2"),
        ("prices", "show"),
        ("prices", "export", "-t", TICKER),
        ("prices", "verify"),
        ("prices", "rename", TICKER, "BHIA3.SA"),
        ("config", "show", "--like", TICKER),
        ("schedule",),
        ("models", "list"),
        ("models", "show", TICKER),
        ("models", "promote", f"{TICKER}@v1", "--as", "live"),
        ("models", "export", TICKER, "--output", "model.zip"),
        ("models", "gc"),
        ("validate", "--all", "--leakage"),
        ("validate", "--prices"),
        ("quantize", "-t", TICKER),
        ("train", "-t", TICKER, *TINY_OPTIONS),
        ("train", "-t", TICKER, "--like", f"{TICKER}@v1", "--from", f"{TICKER}@v1"),
        ("train", "-t", TICKER, "--like", TICKER, "--dry-run"),
        ("train", "--all", "--if-older-than", "60", "--if-drift"),
        ("tune", "-t", TICKER, "--trials", "1", *TINY_OPTIONS),
    ],
    ids=" ".join,
)
def test_a_command_opens_its_store_once(
    cli: Cli,
    model_home: Path,
    tmp_path: Path,
    openings: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)

    outcome = cli(*arguments)

    assert outcome.code == 0, outcome.err
    assert openings == [model_home / "stocklstm.db"]


def test_an_evening_opens_it_once(
    cli: Cli, model_home: Path, tmp_path: Path, openings: list[Path]
) -> None:
    log, page = str(tmp_path / "log"), str(tmp_path)
    outcome = cli("evening", "--csv", str(tmp_path / "all.csv"), "--log", log, "--report", page)

    # The bundled prices are years old.
    assert outcome.code == 6
    assert openings == [model_home / "stocklstm.db"]


def test_the_record_opens_it_once(cli: Cli, model_home: Path, openings: list[Path]) -> None:
    assert cli("predict").code == 0
    openings.clear()

    assert cli("forecasts", "--csv", "-").code == 0
    assert openings == [model_home / "stocklstm.db"]


@pytest.mark.usefixtures("model_home")
def test_settings_without_a_version_open_none(cli: Cli, openings: list[Path]) -> None:
    assert cli("config", "show").code == 0
    assert cli("config", "path").code == 0
    assert openings == []


def test_a_store_that_is_made_is_opened_once(cli: Cli, home: Path, openings: list[Path]) -> None:
    outcome = cli("train", TICKER, *TINY_OPTIONS)

    assert outcome.code == 0, outcome.err
    assert openings == [home / "stocklstm.db"]


def test_a_store_is_not_made_for_nothing(cli: Cli, home: Path, openings: list[Path]) -> None:
    assert cli("fetch", "VALE3.SA").code == 4
    assert cli("train", "VALE3.SA").code == 4
    assert openings == []
    assert not home.exists()
