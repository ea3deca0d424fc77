"""Without a terminal stderr says what is wrong and little else; told to be quiet, nothing else."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TINY_OPTIONS, Program
from tests.e2e.conftest import Warm
from tests.support.forks import PROGRAM, Forks
from tests.support.recent_prices import recent_rows
from tests.support.yahoo_server import NOT_FOUND, YahooServer, by_ticker, history

TICKERS = ("PETR4.SA", "VALE3.SA", "ITUB4.SA")
SMALL = [*TINY_OPTIONS, "--epochs", "3", "--hidden-size", "8", "--batch-size", "256"]


@pytest.fixture(scope="module")
def yahoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[YahooServer]:
    script = by_ticker(history(recent_rows()), NONE3=lambda _: NOT_FOUND)
    with YahooServer(tmp_path_factory.mktemp("yahoo"), script) as server:
        yield server


@pytest.fixture(scope="module")
def _evening(
    yahoo: YahooServer, warm_forks: Forks, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Make a store with a champion of each ticker, its prices those of this evening."""
    home = tmp_path_factory.mktemp("evening") / "home"
    places = {**yahoo.environment, "STOCKLSTM_HOME": str(home)}
    trained = warm_forks.run(PROGRAM, "train", *TICKERS, *SMALL, environment=places)
    assert trained.code == 0, trained.err
    return home


@pytest.fixture
def evening_home(_evening: Path, home: Path) -> Path:
    shutil.copytree(_evening, home)
    return home


QUICK = (
    "fetch",
    "fetch --full",
    "evaluate",
    "evaluate --live",
    "evaluate --all",
    "predict --fetch --strict --max-age 10",
    "predict --plot",
    "validate --all",
    "forecasts",
    "prices show",
    "prices verify",
    "models list",
    "config show",
)

# What trains takes seconds, and is told to be quiet in one of the two ways.
SLOW = {
    "--quiet": (
        "train VALE3.SA",
        "train --pooled --name b3 PETR4.SA VALE3.SA",
        "predict --model b3",
        "evaluate --walk-forward 4 --refit-every 2 -t VALE3.SA",
        "quantize ITUB4.SA",
        "models gc --keep 1",
    ),
    "--json": (
        "train PETR4.SA VALE3.SA --jobs 2",
        "train PETR4.SA --dry-run",
        "tune VALE3.SA --trials 2",
        "evaluate --jobs 2 --no-plot",
        "quantize ITUB4.SA@v1 --method qat --epochs 2",
        "models gc --keep 1",
    ),
}


@pytest.mark.parametrize("mode", ["--quiet", "--json"])
def test_what_is_good_needs_no_word(
    warm: Warm, evening_home: Path, yahoo: YahooServer, mode: str
) -> None:
    said = {}
    for words in (*QUICK, *SLOW[mode]):
        settings = SMALL if words.split()[0] in {"train", "tune"} else ()
        done = warm(*words.split(), *settings, mode, **yahoo.environment)
        # How good a smaller model of so small a one is, is another matter.
        codes = {0, 3} if words.startswith("quantize") else {0}
        assert done.code in codes, (words, done.err)
        assert done.out or words.startswith("models gc"), words
        said[words] = done.err

    assert said == dict.fromkeys(said, "")
    assert evening_home.exists()


@pytest.mark.usefixtures("evening_home")
def test_a_good_evening_says_nothing_even_if_nobody_asks_for_quiet(
    program: Program, yahoo: YahooServer
) -> None:
    for words in (["fetch"], ["predict", "--fetch"], ["evaluate"], ["validate"]):
        done = program(*words, **yahoo.environment)

        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout


@pytest.mark.usefixtures("evening_home")
@pytest.mark.parametrize("mode", ["--quiet", "--json"])
def test_what_is_wrong_is_said(warm: Warm, yahoo: YahooServer, mode: str) -> None:
    fetched = warm("fetch", *TICKERS, "NONE3.SA", mode, **yahoo.environment)
    stale = warm("predict", "--at", "2020-01-02", mode, **yahoo.environment)

    assert fetched.code == 4
    error, step = fetched.err.splitlines()
    assert error == "error: NONE3.SA: unknown or delisted"
    assert step.startswith("  next: ")
    assert stale.code != 0
    assert "error: " in stale.err


@pytest.mark.usefixtures("evening_home")
def test_progress_is_a_line_a_ticker(warm: Warm) -> None:
    """Sixty epochs, say: one line; one more for every minute that they take."""
    trained = warm("train", *TICKERS[:2], *SMALL, "--epochs", "60", "--patience", "none")
    tuned = warm("tune", TICKERS[0], "--trials", "4", *SMALL)
    apart = warm("train", *TICKERS[:2], *SMALL, "--jobs", "2")
    walked = warm("evaluate", "-t", TICKERS[0], "--walk-forward", "9", "--refit-every", "3")

    for done in (trained, tuned, apart, walked):
        assert done.code == 0, done.err
    assert [line.partition(":")[0] for line in trained.err.splitlines()] == [*TICKERS[:2]]
    (trial,) = tuned.err.splitlines()
    assert trial.startswith(f"{TICKERS[0]}: trial 1 of at most 4: ")
    assert sorted(apart.err.splitlines(), key=len) == [
        line for line in apart.err.splitlines() if line.endswith((" (1 of 2)", " (2 of 2)"))
    ]
    (planned,) = walked.err.splitlines()
    assert "3 trainings on" in planned
