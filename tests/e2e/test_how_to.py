"""README and how-tos do what they say: their commands, one after the other, as they are typed."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Warm
from tests.support.documents import blocks, commands
from tests.support.forks import Ended
from tests.support.places import DOCS, ROOT
from tests.support.recent_prices import recent_rows
from tests.support.yahoo_server import YahooServer, history

# A network that trains in no time; else the settings that a reader has.
SMALL = {"STOCKLSTM_EPOCHS": "1", "STOCKLSTM_BATCH_SIZE": "512"}

IN_TURN = ("cron", "retraining", "quantizing", "another-machine", "renamed-ticker")
"""How-tos that one reader follows after README, each on what the one before has left."""

# What comes before a line: a share that has yet to change its name.
BEFORE = {"stocklstm prices rename VIIA3.SA BHIA3.SA": "stocklstm train VIIA3.SA"}

ELSEWHERE = {
    "bundles": "tests/unit/workflows/models/test_exports.py and test_classic.py",
    "cluster": "tests/e2e/test_cluster.py",
    "deploy": "tests/contract/test_deploy.py",
    "pooled": "tests/e2e/test_first_minute.py",
    "price-files": "tests/e2e/test_price_files.py",
    "price-source": "tests/e2e/test_plug_in.py",
    "serving": "tests/api/test_life.py",
    "tuning": "tests/e2e/test_tune.py",
}
"""Where the commands of the other pages are run; that they can be typed is tested of all."""


@pytest.fixture
def yahoo(tmp_path: Path) -> Iterator[YahooServer]:
    with YahooServer(tmp_path, history(recent_rows())) as server:
        yield server


def typed(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    shown = [lines for lines in blocks(text) if not lines[0].startswith("$ ")]
    return [line for lines in shown for line in commands(lines)]


def test_every_how_to_is_run_somewhere() -> None:
    pages = {page.stem for page in (DOCS / "how-to").glob("*.md")}

    assert pages == {*IN_TURN, *ELSEWHERE}


def test_the_commands_of_the_how_tos_work(warm: Warm, yahoo: YahooServer, tmp_path: Path) -> None:
    there = dict(SMALL)

    def run(line: str) -> Ended:
        words = shlex.split(line)[1:]
        # Each of these begins on another machine.
        if words[0] == "restore" or words[:2] == ["models", "import"]:
            there["STOCKLSTM_HOME"] = str(tmp_path / f"machine of {words[0]}")
        # A line for cron carries what is set, and the test's own network would make it too long.
        network = {} if words[0] == "schedule" else yahoo.environment
        # Processes of before the test do not lie in its directory.
        files = {word: str(tmp_path / word) for word in words if word.endswith((".zip", ".csv"))}
        return warm(*(files.get(word, word) for word in words), **network, **there)

    for page in (ROOT / "README.md", *(DOCS / "how-to" / f"{name}.md" for name in IN_TURN)):
        for line in typed(page):
            if line in BEFORE:
                assert run(BEFORE[line]).code == 0
            done = run(line)

            # 75: a session has ended, and its prices are not final yet.
            code = 0 if done.code == 75 and "evening" in line else done.code
            assert (page.name, line, code, done.err * (code > 0)) == (page.name, line, 0, "")
