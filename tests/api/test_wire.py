"""Bytes that no client of good will sends: one answer, a problem, and nothing in the log."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import TICKER
from tests.support.api_server import Server, serving

TOKEN = "a token that nobody can guess".replace(" ", "-")
HEAD = (
    f"POST /predict HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    "Content-Type: application/json\r\n"
).encode()
SMUGGLED = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"2\r\n{}\r\n0\r\n\r\n"

DOCUMENTED = {200, 400, 401, 404, 405, 408, 413, 415, 421, 422, 429, 431, 503}

QUICK = """
from stocklstm.api.server_options import Limits, ServerOptions, api_token
from stocklstm.api.server import serve
limits = Limits(header_s=1, body_s=1)
serve(ServerOptions(port=0, token=api_token(), limits=limits), lambda s: print(s.url, flush=True))
"""


@pytest.fixture(scope="module")
def server(shared_home: Path) -> Iterator[Server]:
    """Serve with a token; what strangers did is not in its log."""
    with serving(shared_home, code=QUICK, STOCKLSTM_API_TOKEN=TOKEN) as running:
        yield running
        code, said = running.stop()
    assert code == 0
    assert "Traceback" not in said
    # One line of each kind, in the minute that the tests of this module may take, or two.
    assert len(said.splitlines()) <= 8, said


def talk(server: Server, wire: bytes) -> bytes:
    """Send some bytes and read until the server ends the connection."""
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        try:
            connection.sendall(wire)
            connection.shutdown(socket.SHUT_WR)
            while more := connection.recv(65_536):
                received += more
        except (BrokenPipeError, ConnectionResetError):
            # It did not wait for the rest.
            pass
    return received


def answers(received: bytes) -> list[int]:
    """Read the statuses of what a server said; every refusal is a problem."""
    found = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        match = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
        assert match, head
        found.append(int(match[1]))
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
        body, received = received[:length], received[length:]
        # Of an answer to HEAD there is none.
        if found[-1] >= 400 and body:
            assert b"content-type: application/problem+json" in head.lower()
            assert json.loads(body)["status"] == found[-1]
    return found


@pytest.mark.parametrize(
    "wire",
    [
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED,
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 13\r\n\r\n" + CHUNKED,
        HEAD + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED,
        HEAD.replace(b"/1.1", b"/1.0") + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED,
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKED,
        HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED,
        HEAD + b"Transfer-Encoding : chunked\r\n\r\n" + CHUNKED,
        HEAD + b"Content-Length: 2\r\nContent-Length: 44\r\n\r\n{}",
        HEAD + b"Content-Length: 2, 44\r\n\r\n{}",
        HEAD + b"Content-Length: +2\r\n\r\n{}",
        HEAD + b"Content-Length: 0x2\r\n\r\n{}",
        HEAD + b"Host: localhost\r\n\r\n",
        HEAD + b"X: y\r\n z: 1\r\nContent-Length: 2, 3\r\n\r\n{}",
        HEAD + b"X: \x00\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/2.0\r\nHost: localhost\r\n\r\n",
    ],
)
def test_what_could_be_two_requests_is_none(server: Server, wire: bytes) -> None:
    received = talk(server, wire + SMUGGLED)

    assert answers(received) == [400]
    assert b"connection: close" in received.lower()


def test_a_chunk_that_is_none_after_a_refusal(server: Server) -> None:
    stranger = HEAD.replace(TOKEN.encode(), b"nobody")

    for head in (stranger, HEAD):
        received = talk(server, head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + SMUGGLED)
        assert answers(received) == [400]


def test_a_head_that_never_ends(server: Server) -> None:
    wire = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000

    # It may be cut off while it still sends.
    assert answers(talk(server, wire)) in ([431], [])


@pytest.mark.parametrize(
    "path",
    [
        *("/health", "/models", f"/models/{TICKER}", "/predict", f"/predict?ticker={TICKER}"),
        *(f"/forecasts/{TICKER}", "/openapi.json", "/", f"/tickers/{TICKER}", "/style.css"),
        *("/nothing", "/predict?horizon=1&horizon=2", "/models?x=1&x=2", "/models/NOPE3.SA"),
    ],
)
def test_head_is_get_without_the_body(server: Server, path: str) -> None:
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        client.get(path)
        got, head = client.get(path), client.head(path)
        # What comes next on the connection is read as what it is.
        assert client.get("/health").status_code == 200

    ignored = {"date", "cache-status"}
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert dict(head.headers) | dict.fromkeys(ignored) == dict(got.headers) | dict.fromkeys(ignored)
    assert int(head.headers["content-length"]) == len(got.content)


def test_head_of_strangers(server: Server) -> None:
    assert httpx.head(f"{server.url}/health").status_code == 200
    assert httpx.head(f"{server.url}/predict").status_code == 401


def test_a_path_is_no_line_of_the_log(server: Server) -> None:
    for path in ("/%0aERROR:%20forged", "/%1b[2J", "/%ff%fe", "/models/%00", "/tickers/%0d%0a"):
        answer = server.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code in DOCUMENTED


def test_upgrades_are_not_taken(server: Server) -> None:
    wire = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n"

    for kind in (b"websocket", b"h2c", b"\x7f"):
        assert answers(talk(server, wire % kind))[0] in {200, 400}


PIECES = (
    *(b"GET", b"HEAD", b"POST", b"OPTIONS", b"CONNECT", b" ", b"/health", b"/predict", b"*"),
    *(b"http://localhost/health", b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\n", b"\r", b"\x00"),
    *(b"Host: localhost\r\n", b"Content-Length: 2\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"\r\n\r\n", b"{}", CHUNKED, b"\xff"),
    *(HEAD, SMUGGLED, b"Authorization: Bearer " + TOKEN.encode() + b"\r\n"),
)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=9))
def test_whatever_is_sent_each_answer_is_a_documented_one(
    server: Server, pieces: list[bytes]
) -> None:
    received = talk(server, b"".join(pieces))

    assert set(answers(received.replace(b"HTTP/1.1 100 \r\n\r\n", b""))) <= DOCUMENTED
