"""A server on this machine, in a process of its own, and what it answers when it refuses."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

from stocklstm.api.middleware import Guard
from stocklstm.api.routes import create_app
from stocklstm.api.server_options import ServerOptions


@dataclass(frozen=True)
class Server:
    """A server in a process of its own."""

    url: str
    process: "subprocess.Popen[str]"

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=30, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", timeout=30, **options)

    def stop(self, kind: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """End it; give its exit code and what it said."""
        self.process.send_signal(kind)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said


def _heed_signals() -> None:
    # Whoever runs the tests, in the background or by nohup, may have had them ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@contextmanager
def serving(
    home: Path, *options: str, code: str | None = None, **environment: str
) -> Iterator[Server]:
    """Run the command, or other code that prints an address first."""
    program = ["-m", "stocklstm", "serve", "--port", "0", "--quiet", *options]
    if code is not None:
        program = ["-c", code, *options]
    with subprocess.Popen(
        [sys.executable, *program],
        env={**os.environ, "STOCKLSTM_HOME": str(home), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_signals,  # noqa: PLW1509 - it starts no thread
    ) as process:
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise AssertionError(process.communicate(timeout=60)[1])
            yield Server(url, process)
        finally:
            process.kill()


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Check that an answer is a problem of RFC 9457, and give it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = json.loads(answer.content)
    assert document.keys() >= {"type", "title", "status", "detail", "instance", "hint", "code"}
    assert document["status"] == status
    assert "Traceback" not in answer.text
    return document


@dataclass(frozen=True)
class InProcess:
    """The application in this process, behind no network; whoever asks is at one address."""

    portal: BlockingPortal
    client: httpx.AsyncClient

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.portal.call(partial(self.client.request, method, path, **options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)


@contextmanager
def in_process(home: Path, **options: Any) -> Iterator[InProcess]:
    """Run the application from its beginning to its end.

    Args:
        options: Those of `ServerOptions`.
    """
    app = create_app(ServerOptions(home=home, **options))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(_lifespan(app)),
    ):
        client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
        yield InProcess(portal, client)


@asynccontextmanager
async def _lifespan(app: Guard) -> AsyncIterator[None]:
    events: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    said: asyncio.Queue[Any] = asyncio.Queue()
    running = asyncio.create_task(app({"type": "lifespan"}, events.get, said.put))
    await events.put({"type": "lifespan.startup"})
    assert (await said.get())["type"] == "lifespan.startup.complete"
    yield
    await events.put({"type": "lifespan.shutdown"})
    assert (await said.get())["type"] == "lifespan.shutdown.complete"
    await running
