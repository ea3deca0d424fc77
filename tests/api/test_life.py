"""How a server begins, whom it lets in, and how it ends."""

import base64
import http.client
import json
import shutil
import signal
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from stocklstm import train
from stocklstm.core.settings.config import configure
from stocklstm.store import database
from stocklstm.store.store import open_store
from tests.conftest import TICKER, TINY, Cli
from tests.support.api_server import Server, problem
from tests.support.loaded_modules import HEAVY
from tests.support.stored_rows import execute
from tests.support.tampering import flip_bit

Serve = Callable[..., Server]

TOKEN = "a token that nobody can guess".replace(" ", "-")


MODULES = """
import json, sys
from stocklstm.__main__ import main
sys.argv = ["stocklstm", "serve", "--port", "0", "--quiet"]
try:
    main()
except SystemExit as end:
    roots = sorted({name.partition(".")[0] for name in sys.modules})
    print(json.dumps(roots), file=sys.stderr)
    raise
"""


def test_a_server_that_has_done_its_work_has_loaded_nothing_heavy(
    serve: Serve, model_home: Path
) -> None:
    running = serve(model_home, code=MODULES)
    for path in ("/", f"/tickers/{TICKER}", "/predict", "/models", f"/models/{TICKER}", "/metrics"):
        assert running.get(path).status_code == 200
    assert running.get(f"/forecasts/{TICKER}").json()["forecasts"]

    code, said = running.stop()

    assert code == 0
    loaded = set(json.loads(said.splitlines()[-1]))
    assert "onnxruntime" in loaded
    assert not loaded & HEAVY


BUGGY = """
import sys
import stocklstm.workflows.predict.predict as module
from stocklstm.__main__ import main
from tests.support.stored_rows import execute

right = module._Run._draft

def draft(run, reference):
    if reference.version == 1:
        return 1 / 0
    return right(run, reference)

module._Run._draft = draft
sys.argv = ["stocklstm", "serve", "--port", "0", "--quiet"]
main()
"""


def test_a_bug_is_for_the_log_and_stops_nothing_else(serve: Serve, model_home: Path) -> None:
    running = serve(model_home, code=BUGGY)

    document = problem(running.get(f"/predict?ticker={TICKER}@v1"), 500)
    page = running.get(f"/tickers/{TICKER}")
    code, said = running.stop()

    assert (document["code"], document["title"]) == (1, "A bug in stocklstm")
    assert "division" not in str(document)
    assert page.status_code == 200
    assert code == 0
    assert "ZeroDivisionError: division by zero" in said


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_with_its_code(
    serve: Serve, model_home: Path, kind: signal.Signals
) -> None:
    code, said = serve(model_home).stop(kind)

    assert (code, said) == (128 + kind, "")


def test_a_request_under_way_is_answered_before_the_end(serve: Serve, model_home: Path) -> None:
    running = serve(model_home)
    body = json.dumps({"tickers": [TICKER]}).encode()
    with closing(http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)) as connection:
        connection.putrequest("POST", "/predict")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", f"{len(body)}")
        connection.endheaders(body[:5])
        # Its head is through as soon as another request has been answered.
        assert running.get("/health").status_code == 200

        running.process.send_signal(signal.SIGTERM)
        while _listens(running.port):
            pass
        connection.send(body[5:])
        answer = connection.getresponse()

        assert answer.status == 200
        assert json.loads(answer.read())["forecasts"][0]["ticker"] == TICKER
    assert running.process.wait(timeout=60) == 0


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def test_json_says_where_it_is(serve: Serve, model_home: Path) -> None:
    code = "import sys\nfrom stocklstm.__main__ import main\nsys.argv[1:] = ['serve', '--port', '0', '--json']\nmain()"  # noqa: E501
    running = serve(model_home, code=code)

    # The first line was taken for the address.
    lines = [running.url]
    while lines[-1] != "}\n":
        lines.append(running.process.stdout.readline())
    document = json.loads("".join(lines))

    (entry,) = document["servers"]
    assert entry.keys() == {"url", "host", "port", "token", "pid"}
    assert entry["url"] == f"http://127.0.0.1:{entry['port']}"
    assert (entry["token"], entry["pid"]) == (False, running.process.pid)


def test_without_a_store_it_waits_for_one(serve: Serve, model_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "later"
    running = serve(home)
    unready = running.get("/health")
    nothing = running.get("/predict")
    page = running.get("/")

    shutil.copytree(model_home, home)

    assert (unready.status_code, unready.json()["ready"]) == (503, False)
    assert "there is no store" in unready.json()["reason"]
    assert problem(nothing, 404)["hint"].startswith("stocklstm fetch")
    assert page.status_code == 404
    assert "No forecast yet" in page.text
    assert running.get("/health").status_code == 200
    assert running.get("/predict").json()["forecasts"][0]["ticker"] == TICKER


def test_a_store_of_an_older_program_is_brought_up_to_date(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "old"
    with monkeypatch.context() as old:
        old.setattr(database, "_MIGRATIONS", database._MIGRATIONS[:5])
        old.setattr(database, "SCHEMA_VERSION", 5)
        with open_store(home, create=True):
            pass

    health = serve(home).get("/health").json()

    assert health["reason"] == "the store has no model"


def test_another_store_in_its_place_is_noticed(
    serve: Serve, model_home: Path, tmp_path: Path
) -> None:
    running = serve(model_home)
    assert running.get("/predict").json()["forecasts"][0]["unchanged"] is False
    backup = tmp_path / "backup"
    shutil.copytree(model_home, backup)
    execute(backup, "UPDATE prices SET close = 20 WHERE date = '2024-03-13'")

    for file in model_home.glob("stocklstm.db*"):
        file.unlink()
    for file in backup.glob("stocklstm.db*"):
        shutil.copy(file, model_home)

    assert running.get("/predict").json()["forecasts"][0]["last_close"] == 20


def test_a_damaged_model_is_a_problem_and_the_others_go_on(serve: Serve, model_home: Path) -> None:
    train([TICKER], configure("calibrated", **TINY), home=model_home)
    flip_bit(model_home / "models" / TICKER / "v2" / "model.onnx", 0.5)
    running = serve(model_home)

    document = problem(running.get(f"/predict?ticker={TICKER}@v2"), 503)

    assert document["code"] == 5
    assert document["type"] == "urn:stocklstm:problem:ArtifactCorruptError"
    assert "sha256" in document["detail"]
    assert running.get(f"/predict?ticker={TICKER}@v1").status_code == 200


def test_the_token(serve: Serve, model_home: Path) -> None:
    running = serve(model_home, STOCKLSTM_API_TOKEN=TOKEN)
    basic = base64.b64encode(f"anybody:{TOKEN}".encode()).decode()

    for wrong in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic ?"}):
        for path in ("/", "/predict", "/metrics", "/openapi.json", "/nothing", "/style.css"):
            answer = running.get(path, headers=wrong)
            problem(answer, 401)
            assert answer.headers["www-authenticate"].startswith("Bearer")
    for right in (f"Bearer {TOKEN}", f"bearer {TOKEN}", f"Basic {basic}"):
        assert running.get("/predict", headers={"Authorization": right}).status_code == 200
        # What was answered to somebody who knew it is not for somebody who does not.
        assert running.get("/predict").status_code == 401
    open_health = running.get("/health")
    assert open_health.status_code == 200
    assert (open_health.json()["tickers"], open_health.json()["models_loaded"]) == ([], None)
    code, said = running.stop()
    assert code == 0
    assert TOKEN not in said


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "words"),
    [
        (["--host", "0.0.0.0"], {}, 2, "needs a token"),  # noqa: S104 - it is refused
        (["--host", "::"], {}, 2, "openssl rand -hex 32"),
        ([], {"STOCKLSTM_API_TOKEN": "short"}, 2, "could be guessed"),
        ([], {"STOCKLSTM_API_TOKEN": "a token with blanks in it"}, 2, "cannot be sent"),
        (["--no-token"], {"STOCKLSTM_API_TOKEN": TOKEN}, 2, "contradict"),
        (["--host", "192.0.2.1", "--no-token"], {}, 2, "cannot listen on 192.0.2.1"),
        (["--host", "no.such.name.invalid", "--no-token"], {}, 2, "cannot listen"),
        (["--port", "70000"], {}, 2, "70000"),
        (["--json", "--quiet"], {}, 2, "exclude each other"),
    ],
)
def test_what_it_refuses_to_begin_with(
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    environment: dict[str, str],
    code: int,
    words: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    outcome = cli("serve", *arguments)

    assert (outcome.code, outcome.out) == (code, "")
    assert words in outcome.err
    assert TOKEN not in outcome.err


def test_a_port_that_is_taken(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        outcome = cli("serve", "--port", f"{port}", "--json")

    assert outcome.code == 75
    (error,) = json.loads(outcome.out)["errors"]
    assert (error["code"], error["error"]) == (75, "TryAgainError")
    assert f"127.0.0.1:{port}" in error["message"]


def test_without_the_extra_it_says_what_to_install(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stocklstm.core.packages.find_spec", lambda name: name != "uvicorn" or None)

    outcome = cli("serve")

    assert outcome.code == 2
    assert outcome.err == (
        "error: serve needs uvicorn, which is not installed\n  next: pip install 'stocklstm[api]'\n"
    )


def test_names_that_are_not_its_own(serve: Serve, model_home: Path) -> None:
    running = serve(model_home, "--allow-host", "forecasts.example.org")

    for name in (
        "attacker.example",
        "127.0.0.1.attacker.example",
        "",
        "localhost.attacker.example",
    ):
        problem(running.get("/predict", headers={"Host": name}), 421)
    for name in ("localhost", f"127.0.0.1:{running.port}", "[::1]:8000", "Forecasts.Example.Org"):
        assert running.get("/predict", headers={"Host": name}).status_code == 200
