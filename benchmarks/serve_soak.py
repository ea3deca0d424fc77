"""A long day of `stocklstm serve` in four minutes: does it stay up, quick and small?

Run: python benchmarks/serve_soak.py [--requests N] [--seconds N]

A server with three tickers of two versions each answers 50,000 requests of 16 connections:
forecasts, pages, lists, records, its health, and forecasts from given prices. Meanwhile another
process swaps champions 200 times, fetches a new day from a file 20 times, and once holds the lock
of a writer for 10 seconds. Exit code 1 if an answer was not 200, if the memory of the server at the
end is not within 10 % of that after the first tenth of the requests, or if the 99th percentile of
what it remembered (`Cache-Status: hit`) took more than 20 ms. The machine is shared with the client
and that process: what a bare FastAPI endpoint takes meanwhile is printed beside it.
"""

import argparse
import asyncio
import itertools
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from serve import BARE, SERVE, request, started

from stocklstm import fetch, train
from stocklstm.core.batch import Batch
from stocklstm.core.clock import utc_now
from stocklstm.core.settings.config import configure
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.prices.plan import FetchOptions

TICKER = "PETR4.SA"
TICKERS = (TICKER, *(f"T{number:04}.SA" for number in range(2)))
CONNECTIONS = 16
WRITER_S = 10.0

MOST_GROWTH = 0.10
MOST_P99_MS = 20.0


@dataclass
class Day:
    """What the clients saw: milliseconds by kind of answer, and what failed."""

    hits: list[float] = field(default_factory=list)
    made: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    rss: list[int] = field(default_factory=list)


def prepare(home: Path, file: Path) -> None:
    """Store prices from a file, and two versions of every ticker."""
    sample_home = home.with_name("sample")
    fetch([TICKER], FetchOptions(source="sample"), home=sample_home)
    with open_store(sample_home) as store:
        bars = store.prices.bars(TICKER)
    columns = (bars.dates.astype(str), bars.opens, bars.highs, bars.lows, bars.closes, bars.volumes)
    rows = (",".join(map(str, row)) for row in zip(*columns, strict=True))
    file.write_text("\n".join(["Date,Open,High,Low,Close,Volume", *rows, ""]))
    require(fetch([TICKER], FetchOptions(source="csv", files=(file,)), home=home))
    with open_store(home) as store:
        bars = store.prices.bars(TICKER)
    for seed in (1, 2):
        require(train([TICKER], configure("calibrated", epochs=1, seed=seed), home=home))
    with open_store(home) as store:
        for ticker in TICKERS[1:]:
            instrument = replace(store.prices.instrument(TICKER), ticker=ticker)
            store.prices.merge(instrument, bars, (), source="sample", at=utc_now())
            for version in (1, 2):
                _publish(store, ticker, version)


def require(result: Batch[Any]) -> None:
    """Go on only if nothing failed."""
    for failure in result.failures:
        raise failure.error


def _publish(store: Store, ticker: str, version: int) -> None:
    registry = store.registry
    manifest = registry.manifest(TICKER, version)
    with registry.draft(ticker) as draft:
        for name in manifest.files:
            draft.write(name, registry.read_file(manifest, name))
        made = replace(manifest, ticker=ticker, version=version)
        registry.publish(draft, ticker, lambda _: made, at=manifest.created, promotion="soak")


def disturb(home: Path, file: Path, seconds: float, swaps: int, fetches: int) -> int:
    """Swap, fetch and hold the lock, spread over the time; in a process of its own."""
    begun = time.monotonic()
    events = sorted(
        [((number + 0.5) * seconds / swaps, "swap", number) for number in range(swaps)]
        + [((number + 0.5) * seconds / fetches, "fetch", number) for number in range(fetches)]
        + [(seconds / 3, "hold", 0)]
    )
    days = itertools.count()
    for at, kind, number in events:
        time.sleep(max(0.0, begun + at - time.monotonic()))
        if kind == "swap":
            ticker, version = TICKERS[number % len(TICKERS)], 1 + number // len(TICKERS) % 2
            with open_store(home, lock_timeout_s=60) as store:
                store.registry.aliases.promote(ticker, version, reason="soak", at=utc_now())
        elif kind == "fetch":
            _append_day(file, next(days))
            options = FetchOptions(source="csv", files=(file,))
            require(fetch([TICKER], options, home=home, lock_timeout_s=60))
        else:
            _hold(home)
    print("disturbed", flush=True)
    return 0


def _append_day(file: Path, number: int) -> None:
    day = np.busday_offset("2024-03-14", number, roll="forward")
    last = file.read_text().splitlines()[-1].partition(",")[2]
    with file.open("a") as rows:
        rows.write(f"{day},{last}\n")


def _hold(home: Path) -> None:
    connection = sqlite3.connect(home / "stocklstm.db", isolation_level=None, timeout=60)
    connection.execute("BEGIN IMMEDIATE")
    time.sleep(WRITER_S)
    connection.execute("COMMIT")
    connection.close()


def wires() -> list[bytes]:
    """List the requests: of a hundred, two are computed every time."""
    closes = [30 + 0.1 * (day % 7) for day in range(120)]
    given = request("POST", "/predict", json.dumps({"ticker": TICKER, "closes": closes}).encode())
    paths = [
        *(f"/predict?ticker={ticker}" for ticker in TICKERS),
        *(f"/tickers/{ticker}" for ticker in TICKERS),
        *(f"/forecasts/{ticker}" for ticker in TICKERS),
        *("/", "/predict", "/models", "/health", f"/models/{TICKER}"),
    ]
    remembered = list(itertools.islice(itertools.cycle(request("GET", path) for path in paths), 98))
    return [*remembered[:49], given, *remembered[49:], given]


async def client(
    port: int, day: Day, numbers: "itertools.count[int]", total: int, rate: float, begun: float
) -> None:
    """Send requests over one connection, each when its time has come."""
    every = wires()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
    while (number := next(numbers)) < total:
        await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        wire = every[number % len(every)]
        sent = time.perf_counter()
        try:
            writer.write(wire)
            head = await reader.readuntil(b"\r\n\r\n")
            lines = [line.partition(b":") for line in head.lower().split(b"\r\n")]
            headers = {name: value.strip() for name, _, value in lines}
            body = await reader.readexactly(int(headers[b"content-length"]))
        except (OSError, asyncio.IncompleteReadError) as error:
            day.failures.append(f"{wire[:40]!r}: {error!r}")
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
            continue
        took = 1000 * (time.perf_counter() - sent)
        if not head.startswith(b"HTTP/1.1 200 "):
            day.failures.append(f"{wire[:40]!r}: {head[:30]!r} {body[:300]!r}")
        (day.hits if b"hit" in headers.get(b"cache-status", b"") else day.made).append(took)
    writer.close()


async def ask_bare(port: int, day: Day) -> None:
    """Ask the bare endpoint twenty times a second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while True:
        sent = time.perf_counter()
        writer.write(request("GET", "/"))
        await reader.readuntil(b'{"ok":true}')
        day.bare.append(1000 * (time.perf_counter() - sent))
        await asyncio.sleep(0.05)


async def sample(pid: int, day: Day) -> None:
    """Note the memory of the server ten times a second."""
    while True:
        day.rss.append(rss(pid))
        await asyncio.sleep(0.1)


def rss(pid: int) -> int:
    """Read the resident memory of a process, in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def soak(port: int, bare_port: int, pid: int, total: int, seconds: float) -> Day:
    """Send all requests."""
    day, numbers, begun = Day(), itertools.count(), time.perf_counter()
    beside = [
        asyncio.create_task(sample(pid, day)),
        asyncio.create_task(ask_bare(bare_port, day)),
    ]
    rate = total / seconds
    await asyncio.gather(
        *(client(port, day, numbers, total, rate, begun) for _ in range(CONNECTIONS))
    )
    for task in beside:
        task.cancel()
    return day


def main() -> int:
    """Print the figures; return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=240.0)
    parser.add_argument("--swaps", type=int, default=200)
    parser.add_argument("--fetches", type=int, default=20)
    parser.add_argument("--disturb", nargs=2, metavar=("HOME", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.disturb:
        home, file = map(Path, options.disturb)
        return disturb(home, file, options.seconds, options.swaps, options.fetches)
    with tempfile.TemporaryDirectory() as directory:
        home, file = Path(directory, "home"), Path(directory, "prices.csv")
        prepare(home, file)
        os.environ["STOCKLSTM_HOME"] = str(home)
        server, port = started(SERVE)
        bare, bare_port = started([sys.executable, "-c", BARE])
        words = [f"--{name}={getattr(options, name)}" for name in ("seconds", "swaps", "fetches")]
        other = subprocess.Popen([sys.executable, __file__, *words, "--disturb", home, file])
        try:
            day = asyncio.run(soak(port, bare_port, server.pid, options.requests, options.seconds))
            disturbed = other.wait()
        finally:
            other.kill()
            for process in (server, bare):
                process.terminate()
                process.wait()
    return report(day, disturbed)


def report(day: Day, disturbed: int) -> int:
    """Print the figures beside their goals."""
    tenth = len(day.rss) // 10
    # Of a second each, as one look may meet a moment.
    warm, end = (statistics.median(part) for part in (day.rss[tenth : tenth + 10], day.rss[-10:]))
    growth = end / warm - 1
    p99 = statistics.quantiles(day.hits, n=100)[98]
    print(f"{len(day.hits) + len(day.made):,} answers, {len(day.hits):,} of them remembered")
    for name, each in (("remembered", day.hits), ("computed", day.made), ("bare", day.bare)):
        cuts = statistics.quantiles(each, n=1000)
        shown = ", ".join(f"p{p / 10:g} {cuts[p - 1]:.1f} ms" for p in (500, 990, 999))
        print(f"  {name:10} {shown}, longest {max(each):.0f} ms")
    print(f"  memory after a tenth {warm / 2**20:.1f} MiB, at the end {end / 2**20:.1f} MiB")
    for failure in day.failures[:5]:
        print(f"  failed: {failure}")
    goals = [
        ("failed answers", len(day.failures), 0),
        ("failures of the other process", disturbed, 0),
        ("growth of the memory", growth, MOST_GROWTH),
        ("p99 of remembered answers, ms", p99, MOST_P99_MS),
    ]
    for name, value, goal in goals:
        print(f"  {name:32} {value:.3g}  goal <= {goal:g}  {'ok' if value <= goal else 'MISSED'}")
    return int(any(value > goal for _, value, goal in goals))


if __name__ == "__main__":
    sys.exit(main())
