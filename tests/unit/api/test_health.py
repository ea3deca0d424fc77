"""What /health tells, to whom, and what asking costs."""

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from stocklstm.api import model_cache
from stocklstm.api.server_options import ApiToken, Limits
from stocklstm.store.registry import Registry
from stocklstm.store.store import Store, open_store
from tests.conftest import TICKER
from tests.support.api_server import InProcess, in_process, problem
from tests.support.many_tickers import give_names
from tests.support.tampering import flip_bit

SECRET = b"a-token-that-nobody-can-guess"
MINE = {"Authorization": f"Bearer {SECRET.decode()}"}


@pytest.fixture
def guarded(model_home: Path) -> Iterator[InProcess]:
    with in_process(model_home, token=ApiToken(SECRET)) as client:
        yield client


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note every time that the store is looked through."""
    found: list[str] = []
    right = Registry.tickers

    def tickers(registry: Registry) -> list[str]:
        found.append("looked")
        return right(registry)

    monkeypatch.setattr(Registry, "tickers", tickers)
    return found


def give_model(store: Store, ticker: str) -> None:
    """Publish the model of the one ticker as that of another."""
    registry = store.registry
    manifest = registry.manifest(TICKER, 1)
    with registry.draft(ticker) as draft:
        for name in manifest.files:
            draft.write(name, registry.read_file(manifest, name))
        made = replace(manifest, ticker=ticker)
        registry.publish(draft, ticker, lambda _: made, at=manifest.created, promotion="a test")


def until_the_minute_is_young() -> None:
    """What is remembered is remembered for a minute of the clock."""
    while time.time() % 60 > 55:
        time.sleep(0.5)


def test_strangers_are_told_up_or_down_and_no_more(guarded: InProcess) -> None:
    told = guarded.get("/health").json()

    assert {name for name, value in told.items() if value} == {"status", "ready"}
    assert guarded.get("/health", headers=MINE).json()["tickers"][0]["ticker"] == TICKER


def test_strangers_cause_no_work(guarded: InProcess, looks: list[str]) -> None:
    until_the_minute_is_young()
    guarded.get("/health", headers=MINE)
    before = len(looks)

    for _ in range(30):
        assert guarded.get("/health").status_code == 200
        problem(guarded.get("/predict"), 401)
        problem(guarded.get("/models?a=1&a=2"), 401)
    assert len(looks) == before


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_strangers_have_one_address_and_one_way_to_ask(guarded: InProcess, method: str) -> None:
    problem(guarded.request(method, "/health", content=b"{}"), 401)
    # A body would be waited for, in the place of somebody who may ask.
    problem(guarded.request("GET", "/health", content=b"{}"), 401)


def test_it_is_remembered_until_the_store_changes(model_home: Path, looks: list[str]) -> None:
    until_the_minute_is_young()
    with in_process(model_home) as client:
        first = client.get("/health").json()
        before = len(looks)
        again = [client.get("/health").json() for _ in range(20)]

        assert again == [first] * 20
        assert len(looks) == before
        with closing(sqlite3.connect(model_home / "stocklstm.db")) as database, database:
            database.execute("DELETE FROM prices WHERE date = '2024-03-13'")
        assert client.get("/health").json()["tickers"][0]["as_of"] == "2024-03-12"


def test_one_sound_model_is_loaded_before_the_first_request_and_the_others_after(
    model_home: Path,
) -> None:
    give_names(model_home, ["AAAA3.SA", "BBBB3.SA"])
    with open_store(model_home) as store:
        for ticker in ("AAAA3.SA", "BBBB3.SA"):
            give_model(store, ticker)
    flip_bit(model_home / "models" / "BBBB3.SA" / "v1" / "model.onnx", 0.5)

    with in_process(model_home) as client:
        assert client.get("/health").json()["models_loaded"] >= 1
        while (found := client.get("/health").json())["models_loaded"] < 2:
            pass
        while not any(each["error"] for each in found["tickers"]):
            found = client.get("/health").json()

    assert found["ready"]
    errors = {each["ticker"]: each["error"] for each in found["tickers"]}
    assert "sha256" in errors.pop("BBBB3.SA")
    assert set(errors.values()) == {None}


def test_a_damaged_model_that_was_mended_is_sound(
    model_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_cache, "FAILURE_S", 0.0)
    file = model_home / "models" / TICKER / "v1" / "model.onnx"
    shutil.copy(file, tmp_path / "kept")
    flip_bit(file, 0.5)

    with in_process(model_home) as client:
        damaged = client.get("/health")
        shutil.copy(tmp_path / "kept", file)
        assert client.get("/predict").status_code == 200
        mended = client.get("/health")

    assert (damaged.status_code, mended.status_code) == (503, 200)
    assert "no model can forecast" in damaged.json()["reason"]
    assert mended.json()["tickers"][0]["error"] is None


def test_the_figures_are_those_of_the_same_look(model_home: Path, looks: list[str]) -> None:
    until_the_minute_is_young()
    with in_process(model_home, limits=Limits(made_at_once=5)) as client:
        client.get("/health")
        before = len(looks)
        figures = client.get("/metrics").text

    assert len(looks) == before
    assert f'stocklstm_stale_sessions{{ticker="{TICKER}"}}' in figures
    assert "stocklstm_ready 1.0" in figures
