"""Requests per second of `stocklstm serve` beside a bare FastAPI endpoint that returns a constant.

Both run in processes of their own with the same Uvicorn protocol; 16 connections ask one after the
other, and the servers are measured in turn, so that whatever else the machine does meets all alike.

- bare: `GET /` of a FastAPI application, {"ok": true};
- repeated: `GET /predict?ticker=PETR4.SA`, which is answered again while nothing has changed;
- made: `POST /predict` with 120 closes, which is computed every time.

Then one client with the token of a third server asks it in the same two ways, in turn alone and
among 16 strangers without a token, who ask for its health and for forecasts as fast as they can.
"""

import argparse
import asyncio
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

BARE = """
import sys
import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def constant() -> dict[str, bool]:
    return {"ok": True}


class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print(f"http://127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}", flush=True)


options = {"http": "h11", "loop": "asyncio", "access_log": False, "log_level": "warning"}
Server(uvicorn.Config(app, port=0, **options)).run()
"""

TOKEN = secrets.token_urlsafe()

MOST_SLOWER = 2.0
"""Most times as long as alone that an answer may take among strangers."""

# As `stocklstm serve`, without a limit on what one client may have computed.
UNLIMITED = """
from stocklstm.api.server import serve
from stocklstm.api.server_options import Limits, ServerOptions, api_token
options = ServerOptions(port=0, token=api_token(), limits=Limits(made_at_once=1_000_000))
serve(options, lambda started: print(started.url, flush=True))
"""

SERVE = [sys.executable, "-m", "stocklstm", "serve", "--port", "0", "--quiet"]


@dataclass(frozen=True)
class Load:
    """Figures of one round: requests per second, and latencies in milliseconds."""

    rate: float
    p50_ms: float
    p99_ms: float


def request(method: str, path: str, body: bytes = b"", token: str = "") -> bytes:
    """Encode a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def ask(port: int, wire: bytes, until: float, latencies: list[float]) -> None:
    """Send requests over one connection until the time is up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (started := time.perf_counter()) < until:
        writer.write(wire)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(head.decode())
        length = next(
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        )
        await reader.readexactly(length)
        latencies.append(time.perf_counter() - started)
    writer.close()
    await writer.wait_closed()


async def load(port: int, wire: bytes, seconds: float, connections: int) -> Load:
    """Send requests over many connections at once."""
    latencies: list[float] = []
    started = time.perf_counter()
    until = started + seconds
    await asyncio.gather(*(ask(port, wire, until, latencies) for _ in range(connections)))
    took = time.perf_counter() - started
    cuts = statistics.quantiles(latencies, n=100)
    return Load(len(latencies) / took, 1000 * cuts[49], 1000 * cuts[98])


def prepare(home: str) -> list[float]:
    """Train a model of the default size; one epoch is enough for its speed."""
    os.environ["STOCKLSTM_HOME"] = home
    cli = [sys.executable, "-m", "stocklstm"]
    quiet = ["--quiet", "--ticker", "PETR4.SA"]
    silent: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*cli, "fetch", "--source", "sample", *quiet], check=True, **silent)
    subprocess.run([*cli, "train", "--epochs", "1", *quiet], check=True, **silent)
    rows = ["prices", "show", "--ticker", "PETR4.SA", "--last", "120", "--json"]
    shown = subprocess.run([*cli, *rows], check=True, capture_output=True)
    return [row["close"] for row in json.loads(shown.stdout)["prices"][0]["last_rows"]]


def started(command: list[str]) -> tuple[subprocess.Popen[str], int]:
    """Start a server, and wait for the address that it prints."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    url = process.stdout.readline() if process.stdout else ""
    return process, int(url.rpartition(":")[2])


async def among_strangers(
    port: int, wire: bytes, seconds: float, strangers: int
) -> tuple[float, int]:
    """Ask with the token over one connection; give the median in ms, and the answers to others."""
    latencies: list[float] = []
    refused = [0]
    until = time.perf_counter() + seconds
    others = [asyncio.create_task(intrude(port, until, refused)) for _ in range(strangers)]
    await ask(port, wire, until, latencies)
    await asyncio.gather(*others)
    return 1000 * statistics.median(latencies), refused[0]


async def intrude(port: int, until: float, refused: list[int]) -> None:
    """Ask without a token, over new connections wherever the server ends one."""
    paths = ("/health", "/predict", "/health", "/models")
    while time.perf_counter() < until:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for path in paths:
            writer.write(request("GET", path))
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (OSError, asyncio.IncompleteReadError):
                break
            refused[0] += 1
            if b"connection: close" in head.lower():
                break
            length = head.lower().partition(b"content-length:")[2].partition(b"\r")[0]
            await reader.readexactly(int(length))
        writer.close()


def measure_strangers(posted: bytes, rounds: int, seconds: float) -> dict[str, float]:
    """Compare the client with the token alone and among strangers; give the median ratios."""
    os.environ["STOCKLSTM_API_TOKEN"] = TOKEN
    process, port = started([sys.executable, "-c", UNLIMITED])
    asked = {
        "repeated": request("GET", "/predict?ticker=PETR4.SA", token=TOKEN),
        "made": request("POST", "/predict", posted, token=TOKEN),
    }
    ratios: dict[str, list[float]] = {name: [] for name in asked}
    try:
        for number in range(rounds + 1):
            for name, wire in asked.items():
                alone, _ = asyncio.run(among_strangers(port, wire, seconds, 0))
                among, refused = asyncio.run(among_strangers(port, wire, seconds, 16))
                if number:
                    ratios[name].append(among / alone)
                    print(f"  {name:9} alone {alone:.2f} ms, among {refused} others {among:.2f} ms")
    finally:
        process.terminate()
        process.wait()
    return {name: statistics.median(each) for name, each in ratios.items()}


def medians(rounds: list[Load]) -> Load:
    """Take the median of each figure."""
    return Load(
        *(
            statistics.median(getattr(one, name) for one in rounds)
            for name in ("rate", "p50_ms", "p99_ms")
        )
    )


def main() -> int:
    """Print rates and ratios; return 1 if the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        closes = prepare(home)
        bare, bare_port = started([sys.executable, "-c", BARE])
        serve, port = started([sys.executable, "-c", UNLIMITED])
        posted = json.dumps({"ticker": "PETR4.SA", "closes": closes}).encode()
        targets = {
            "bare": (bare_port, request("GET", "/")),
            "repeated": (port, request("GET", "/predict?ticker=PETR4.SA")),
            "made": (port, request("POST", "/predict", posted)),
        }
        measured: dict[str, list[Load]] = {name: [] for name in targets}
        try:
            for number in range(options.rounds + 1):
                for name, (where, wire) in targets.items():
                    one = asyncio.run(load(where, wire, options.seconds, options.connections))
                    # The first round only warms up.
                    if number:
                        measured[name].append(one)
        finally:
            for process in (bare, serve):
                process.terminate()
                process.wait()
        strangers = measure_strangers(posted, options.rounds, options.seconds)
    found = {name: medians(rounds) for name, rounds in measured.items()}
    print(f"medians of {options.rounds} alternating rounds, {options.connections} connections")
    for name, one in found.items():
        ratio = statistics.median(
            mine.rate / theirs.rate
            for mine, theirs in zip(measured[name], measured["bare"], strict=True)
        )
        print(
            f"  {name:9} {one.rate:7.0f} requests/s  p50 {one.p50_ms:6.2f} ms  "
            f"p99 {one.p99_ms:6.2f} ms  ratio {ratio:.2f}"
        )
    ratio = statistics.median(
        mine.rate / theirs.rate
        for mine, theirs in zip(measured["repeated"], measured["bare"], strict=True)
    )
    print(f"  repeated / bare {ratio:.3f}  goal >= 0.6  {'ok' if ratio >= 0.6 else 'MISSED'}")
    for name, slower in strangers.items():
        print(f"  {name} among 16 strangers / alone {slower:.2f}  goal <= {MOST_SLOWER:g}")
    return int(ratio < 0.6 or max(strangers.values()) > MOST_SLOWER)


if __name__ == "__main__":
    sys.exit(main())
