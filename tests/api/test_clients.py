"""Clients that are wrong, greedy or slow: each has its answer, and nobody else waits for them."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import TICKER
from tests.support.api_server import Server, problem, serving

# The limits of the command are seconds; these are the same code with less patience.
IMPATIENT = """
from stocklstm.api.server_options import Limits, ServerOptions
from stocklstm.api.server import serve
limits = Limits(header_s=1, body_s=1, in_flight=4, connections=12)
serve(ServerOptions(port=0, limits=limits), lambda started: print(started.url, flush=True))
"""


@pytest.fixture(scope="module")
def impatient(shared_home: Path) -> Iterator[Server]:
    with serving(shared_home, code=IMPATIENT) as running:
        yield running


def talk(server: Server, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """Send some bytes and read until the server ends the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause_s)
        received = b""
        while more := connection.recv(65_536):
            received += more
    return received


HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"\xff\xfe\x00", 400),
        (b"null", 422),
        (b"[]", 422),
        (b'"PETR4.SA"', 422),
        (b"{" * 100_000, 422),
        (b'{"closes": [' + b"1," * 10_000 + b"1]}", 422),
        (b'{"ticker": "PETR4.SA", "closes": [1e999]}', 422),
        (b'{"ticker": "PETR4.SA", "closes": [NaN, Infinity]}', 422),
        (b" " * (2 << 20) + b" ", 413),
    ],
)
def test_bodies_that_say_nothing(impatient: Server, content: bytes, status: int) -> None:
    answer = impatient.post(
        "/predict", content=content, headers={"Content-Type": "application/json"}
    )

    problem(answer, status)


def test_a_body_of_another_kind(impatient: Server) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = impatient.post("/predict", content=b"{}", headers={"Content-Type": kind})
        problem(answer, 415)


def test_a_body_that_says_it_is_too_large_is_not_waited_for(impatient: Server) -> None:
    received = talk(impatient, HEAD + b"Content-Length: 10000000000\r\n\r\n")

    assert received.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in received.lower()


def test_a_body_that_does_not_say_how_large_it_is(impatient: Server) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"

    received = talk(
        impatient, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 33, b"0\r\n\r\n"
    )

    assert received.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "wire",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /predict HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_not_http(impatient: Server, wire: bytes) -> None:
    received = talk(impatient, wire)

    assert received.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 ")) or received == b""
    assert impatient.get("/health").status_code == 200


def test_a_head_that_trickles_in_is_given_up(impatient: Server) -> None:
    started = time.monotonic()

    received = b"?"
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        received = talk(impatient, *[b"GET / HTTP/1.1\r\n", *[b"X: y\r\n"] * 200], pause_s=0.1)

    assert received == b"?"
    assert time.monotonic() - started < 15


def test_a_connection_that_says_nothing_is_closed(impatient: Server) -> None:
    assert talk(impatient) == b""
    # Neither after an answer.
    assert talk(impatient, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").count(b"HTTP/") == 1
    # Nor with the first byte of the next head.
    both = talk(impatient, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nG")
    assert both.count(b"HTTP/") == 1


def test_a_body_that_trickles_in_is_given_up(impatient: Server) -> None:
    received = talk(impatient, HEAD + b"Content-Length: 100\r\n\r\n{")

    assert received.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive within 1 s" in received


def test_slow_clients_keep_nobody_out_for_long(impatient: Server) -> None:
    with ExitStack() as slow:
        for _ in range(12):
            connection = slow.enter_context(
                socket.create_connection(("127.0.0.1", impatient.port), timeout=30)
            )
            connection.sendall(b"GET /")
        # All places are taken: the next one is told so at once, and not left waiting.
        assert impatient.get("/health").status_code == 503
        # They keep their places for a second and no longer.
        while impatient.get("/health").status_code != 200:
            pass


def test_more_requests_than_it_takes_at_a_time(impatient: Server) -> None:
    with ExitStack() as held:
        for _ in range(4):
            connection = held.enter_context(
                socket.create_connection(("127.0.0.1", impatient.port), timeout=30)
            )
            connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        answer = impatient.get(f"/predict?ticker={TICKER}")
        while answer.status_code == 200:
            # The heads of the others were not through yet.
            answer = impatient.get(f"/predict?ticker={TICKER}")

        assert problem(answer, 503)["detail"] == "4 requests are under way"
        assert answer.headers["retry-after"] == "5"
