"""A server on this machine, in a process of its own, and what it answers when it refuses."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx


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
        # Whoever runs the tests may have told this process to ignore the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
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
