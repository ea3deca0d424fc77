"""A champion that changes under load: no request fails, and the next one has the new model."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx

from stocklstm import train
from stocklstm.core.clock import utc_now
from stocklstm.core.settings.config import configure
from stocklstm.store.store import open_store
from tests.conftest import TICKER, TINY
from tests.support.api_server import Server

CLIENTS = 6
SWAPS = 12


def ask(server: Server, path: str, body: dict[str, object] | None, stop: Event) -> list[int]:
    """Ask over one connection until told to stop; give the versions that answered."""
    versions = []
    with httpx.Client(base_url=server.url, timeout=30) as client:
        while not stop.is_set():
            answer = client.get(path) if body is None else client.post(path, json=body)
            assert answer.status_code == 200, answer.text
            if path == "/predict":
                versions.append(answer.json()["forecasts"][0]["version"])
    return versions


def test_no_request_fails_while_the_champion_changes(
    serve: Callable[..., Server], model_home: Path
) -> None:
    train([TICKER], configure("calibrated", **TINY, seed=1), home=model_home)
    running = serve(model_home)
    closes = {"ticker": TICKER, "closes": [30 + 0.1 * (day % 7) for day in range(120)]}
    asked = [("/predict", None), ("/predict", closes), ("/", None)] * (CLIENTS // 3)
    stop = Event()
    after = []

    with ThreadPoolExecutor(CLIENTS) as pool, open_store(model_home) as store:
        asking = [pool.submit(ask, running, path, body, stop) for path, body in asked]
        try:
            for swap in range(SWAPS):
                version = 1 + swap % 2
                store.registry.aliases.promote(TICKER, version, reason="a swap", at=utc_now())
                made = running.get("/predict").json()["forecasts"][0]
                after.append((version, made["version"]))
        finally:
            stop.set()
        answered = [one.result() for one in asking]

    # Whoever asks after the change was made is answered by the new one.
    assert all(meant == got for meant, got in after)
    # And meanwhile either answered, each model loaded once.
    assert all(answered[number] for number, (path, _) in enumerate(asked) if path == "/predict")
    assert set().union(*answered) == {1, 2}
    assert "stocklstm_model_loads_total 2.0" in running.get("/metrics").text
    code, said = running.stop()
    assert (code, said) == (0, "")


def test_a_version_that_is_removed_is_no_longer_answered_with(
    serve: Callable[..., Server], model_home: Path
) -> None:
    train([TICKER], configure("calibrated", **TINY, seed=1), home=model_home, promote="never")
    running = serve(model_home)
    assert running.get(f"/predict?ticker={TICKER}@v2").status_code == 200

    with open_store(model_home) as store:
        store.registry.connection.execute("DELETE FROM versions WHERE version = 2")

    assert running.get(f"/predict?ticker={TICKER}@v2").status_code == 404
