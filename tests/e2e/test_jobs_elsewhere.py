"""evaluate, quantize and tune over several tickers at once do what they do one after the other."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from stocklstm import train
from stocklstm.core.settings.config import configure
from stocklstm.store.store import open_store
from tests.conftest import TINY, Cli
from tests.e2e.conftest import Warm
from tests.support.many_tickers import SMALL, TICKERS, options, published

SOME = (TICKERS[0], "NONE3.SA", TICKERS[1])
# What is measured with a clock differs from run to run, and what is named by the time of day.
VARYING = {"seconds", "study", "plot", "latency_ms", "latency_256_ms", "load_ms", "speed_ratio"}


@pytest.fixture(scope="module")
def _trained(_many: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("trained") / "home"
    shutil.copytree(_many, home)
    settings = configure("calibrated", **{**TINY, "epochs": 1, "hidden_size": 8})
    assert not train(TICKERS[:2], settings, home=home).failures
    return home


@pytest.fixture
def trained_home(_trained: Path, home: Path) -> Path:
    shutil.copytree(_trained, home)
    return home


def fixed(value: Any) -> Any:
    """Leave out what varies."""
    if isinstance(value, dict):
        return {key: fixed(item) for key, item in value.items() if key not in VARYING}
    return [fixed(item) for item in value] if isinstance(value, list) else value


@pytest.mark.usefixtures("trained_home")
def test_models_are_scored_at_once(warm: Warm) -> None:
    arguments = ["evaluate", *options(SOME), "--json"]

    alone, together = warm(*arguments), warm(*arguments, "--jobs", "2")

    assert alone.code == together.code == 4
    assert alone.out == together.out
    # Nothing but what is wrong.
    assert alone.err == together.err
    assert [line[:7] for line in alone.err.splitlines()] == ["error: ", "  next:"]


@pytest.mark.usefixtures("trained_home")
def test_jobs_are_of_no_other_kind_of_evaluation(cli: Cli) -> None:
    outcome = cli("evaluate", "--all", "--jobs", "2")

    assert outcome.code == 2
    assert "--jobs" in outcome.err


def test_models_are_made_smaller_at_once(cli: Cli, trained_home: Path, tmp_path: Path) -> None:
    arguments = ["quantize", *options(SOME), "--method", "fp16", "--json"]
    again = tmp_path / "again"
    shutil.copytree(trained_home, again)

    together = cli(*arguments, "--jobs", "2")
    several = published(trained_home)
    shutil.rmtree(trained_home)
    shutil.copytree(again, trained_home)
    alone = cli(*arguments)

    assert alone.code == together.code
    assert fixed(json.loads(alone.out)) == fixed(json.loads(together.out))
    assert several == published(trained_home) == {ticker: [1, 2] for ticker in TICKERS[:2]}


def test_settings_are_searched_for_at_once(cli: Cli, trained_home: Path) -> None:
    arguments = ["tune", *options(SOME), *SMALL, "--trials", "2", "--no-fetch", "--json"]

    alone, together = cli(*arguments), cli(*arguments, "--jobs", "2")

    assert alone.code == together.code == 4
    assert fixed(json.loads(alone.out)) == fixed(json.loads(together.out))
    with open_store(trained_home) as store:
        assert store.studies.unfinished() == []
