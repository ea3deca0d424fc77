"""A store that others write to: whoever asks meanwhile is answered."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.conftest import TICKER
from tests.support.api_server import in_process

NOT_RECORDED = "this forecast is not in the ledger: another stocklstm is writing to the store"


def test_a_writer_that_holds_its_lock_costs_nobody_an_answer(model_home: Path) -> None:
    paths = (
        "/predict",
        f"/predict?ticker={TICKER}&horizon=2",
        f"/tickers/{TICKER}",
        "/",
        "/health",
    )
    with in_process(model_home, lock_timeout_s=0.01) as client:
        with closing(sqlite3.connect(model_home / "stocklstm.db", isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            meanwhile = [client.get(path) for path in paths]
            posted = client.post("/predict", json={"tickers": [TICKER]})
        after = client.get("/predict").json()["forecasts"][0]
        page = client.get(f"/tickers/{TICKER}").text

    assert [answer.status_code for answer in (*meanwhile, posted)] == [200] * 6
    for answer in (*meanwhile[:2], posted):
        assert NOT_RECORDED in answer.json()["forecasts"][0]["warnings"]
    # As soon as the writer is done forecasts are recorded again, though it has written nothing.
    assert NOT_RECORDED not in after["warnings"]
    assert "This forecast is not on record." in meanwhile[2].text
    assert "This forecast is not on record." not in page


def test_what_nothing_has_changed_is_answered_again(model_home: Path) -> None:
    paths = ("/predict", f"/predict?ticker={TICKER}", f"/tickers/{TICKER}", "/", "/models")
    with in_process(model_home) as client:
        # The first one is put on record, which is a change.
        client.get("/predict")
        for path in paths:
            # The minute may end in between.
            answers = [client.get(path) for _ in range(3)]
            assert answers[-1].headers.get("cache-status") == "stocklstm; hit", path
