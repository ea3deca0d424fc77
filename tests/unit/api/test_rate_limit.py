"""Whoever asks for more than can be computed is told when to come back; others are not slowed."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm.api.rate_limit import MOST_CLIENTS, RateLimit
from stocklstm.api.server_options import ApiToken, Limits
from tests.conftest import TICKER
from tests.support.api_server import in_process, problem
from tests.support.property_tests import PROPERTY

FEW = settings(PROPERTY, max_examples=30)

SECRET = b"a-token-that-nobody-can-guess"


class Clock:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def limited(limits: Limits, clock: Clock, *, token: bool = False) -> RateLimit:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return RateLimit(app, limits, token=token, clock=clock)


def ask(limit: RateLimit, client: str, path: str = "/predict") -> tuple[int, float]:
    """Ask once; give the status and the seconds to wait."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "path": path, "client": (client, 1), "method": "GET", "headers": []}
    asked = limit(scope, receive, send)
    # Nothing in it waits for anything.
    with pytest.raises(StopIteration):
        asked.send(None)
    headers = dict(sent[0]["headers"])
    return sent[0]["status"], float(headers.get(b"retry-after", b"0"))


@FEW
@given(
    pauses=st.lists(st.floats(0, 3), min_size=1, max_size=40),
    per_s=st.floats(0.1, 20),
    at_once=st.integers(1, 10),
)
def test_no_client_gets_more_than_its_share(
    pauses: list[float], per_s: float, at_once: int
) -> None:
    clock = Clock()
    limit = limited(Limits(made_per_s=per_s, made_at_once=at_once), clock)
    granted: list[float] = []

    for pause in pauses:
        clock.now += pause
        status, wait = ask(limit, "192.0.2.1")
        if status == 200:
            granted.append(clock.now)
        else:
            assert wait >= 1
            # Another client has its own, and waiting as long as one was told to is enough.
            assert ask(limit, f"192.0.2.{2 + len(granted)}")[0] == 200
            clock.now += wait
            assert ask(limit, "192.0.2.1")[0] == 200
            granted.append(clock.now)

    for first, since in enumerate(granted):
        for last in range(first, len(granted)):
            taken = last - first + 1
            assert taken <= at_once + per_s * (granted[last] - since) + 1e-6


def test_an_army_of_addresses_takes_no_memory() -> None:
    limit = limited(Limits(), Clock())

    for number in range(MOST_CLIENTS + 100):
        limit._take(f"{number}")

    assert len(limit._buckets) == MOST_CLIENTS


def test_an_ipv6_network_is_one_client_and_so_is_a_token() -> None:
    one = Limits(made_at_once=1)
    by_address, by_token = limited(one, Clock()), limited(one, Clock(), token=True)

    assert ask(by_address, "2001:db8:0:1::1")[0] == 200
    assert ask(by_address, "2001:db8:0:1:ffff::2")[0] == 429
    assert ask(by_address, "2001:db8:0:2::1")[0] == 200
    assert ask(by_token, "192.0.2.1")[0] == 200
    assert ask(by_token, "192.0.2.2")[0] == 429
    assert ask(by_token, "192.0.2.2", "/health")[0] == 200


@pytest.mark.parametrize("token", [None, ApiToken(SECRET)])
def test_what_is_remembered_is_free(model_home: Path, token: ApiToken | None) -> None:
    limits = Limits(made_at_once=2, made_per_s=1e-6)
    headers = {"Authorization": f"Bearer {SECRET.decode()}"}
    with in_process(model_home, limits=limits, token=token) as client:
        client.client.headers.update(headers)
        # The first one is recorded, which changes the store.
        client.get("/predict")
        assert client.get("/predict").status_code == 200
        again = [client.get("/predict").status_code for _ in range(30)]
        refused = client.get(f"/predict?ticker={TICKER}")
        posted = client.post("/predict", json={})
        health = client.get("/health")

    assert set(again) == {200}
    assert health.status_code == 200
    document = problem(refused, 429)
    problem(posted, 429)
    assert int(refused.headers["retry-after"]) > 1000
    assert "a second" in document["detail"]
