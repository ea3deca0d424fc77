"""Requests per second of `stocklstm serve` beside a bare FastAPI endpoint that returns a constant.

Both run in processes of their own with the same Uvicorn protocol; 16 connections ask one after the
other, and the servers are measured in turn, so that whatever else the machine does meets all alike.

- bare: `GET /` of a FastAPI application, {"ok": true};
- repeated: `GET /predict?ticker=PETR4.SA`, which is answered again while nothing has changed;
- made: `POST /predict` with 120 closes, which is computed every time.
"""

import argparse
import asyncio
import json
import os
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

SERVE = [sys.executable, "-m", "stocklstm", "serve", "--port", "0", "--quiet"]


@dataclass(frozen=True)
class Load:
    """Figures of one round: requests per second, and latencies in milliseconds."""

    rate: float
    p50_ms: float
    p99_ms: float


def request(method: str, path: str, body: bytes = b"") -> bytes:
    """Encode a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
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
        serve, port = started(SERVE)
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
    return int(ratio < 0.6)


if __name__ == "__main__":
    sys.exit(main())
