"""The store that everything happens to, the commands, and what is true of it whatever happens."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stocklstm import adopt_versions, collect_garbage, predict, validate
from stocklstm.core.prices.series import Action
from stocklstm.core.reference import CHAMPION
from stocklstm.store.aliases import AliasChange
from stocklstm.store.database import integrity_faults
from stocklstm.store.ledger import LedgerEntry
from stocklstm.store.store import open_store
from stocklstm.workflows.models.remove import RemovalRule
from tests.conftest import TICKER
from tests.support.faults.disturbed_program import Ended, Forks

# Every leftover, however young, and no version.
EVERY_LEFTOVER = RemovalRule(keep=10_000, older_than_days=0)

TRAINING = [
    *("--epochs", "2", "--hidden-size", "32", "--num-layers", "1", "--dropout", "0"),
    *("--seq-length", "5", "--batch-size", "256", "--checkpoint-every", "1", "--promote", "always"),
]

SEEDED = [*TRAINING, "--seed", "5"]

COMMANDS = {
    "fetch": ["fetch", "-q", "-t", TICKER, "--source", "csv", "--file", "{folder}/later.csv"],
    "train": ["train", "-q", "--plot", "-t", TICKER, *SEEDED],
    "quantize": ["quantize", "-q", "-t", f"{TICKER}@v2", "--tolerance", "1000"],
    "promote": ["models", "promote", "-q", f"{TICKER}@v3"],
    "rollback": ["models", "promote", "-q", f"{TICKER}@previous"],
    "rm": ["models", "rm", "-q", f"{TICKER}@v3"],
    "gc": ["models", "gc", "-q", "--keep", "0", "--older-than", "0"],
    "import": ["models", "import", "-q", "{folder}/bundle.zip", "--promote", "always"],
    "predict": ["predict", "-q", "-t", f"{TICKER}@v1"],
}

_FILES = {"stocklstm.db", "stocklstm.db-wal", "stocklstm.db-shm"}
# A lock's file stays: whoever waits for it has it open.
_LOCKS = {"prices.lock", f"{TICKER}.lock"}
_DIRECTORIES = {"models", "reports", "runs", "locks"}


@dataclass(frozen=True)
class Known:
    """All that a store holds and lists.

    Attributes:
        prices: Fingerprint of the bars, and the dividends and splits.
        rows: Days that have a price.
        ledger: Forecasts made.
        log: Changes of aliases.
        versions: That are listed.
        champion: One of them.
        point: Its forecast of the next close.
    """

    prices: tuple[str, tuple[Action, ...]]
    rows: frozenset[str]
    ledger: tuple[LedgerEntry, ...]
    log: tuple[AliasChange, ...]
    versions: tuple[int, ...]
    champion: int
    point: float

    @property
    def forecast(self) -> tuple[int, float]:
        return self.champion, self.point


def known(home: Path) -> Known:
    """Read all of it, as the next evening would."""
    with open_store(home) as store:
        assert store.obstacle is None
        assert integrity_faults(store.registry.connection) == []
        bars = store.prices.bars(TICKER)
        prices = bars.fingerprint(), tuple(store.prices.actions(TICKER))
        ledger = tuple(store.ledger.entries(TICKER))
        log = tuple(store.registry.aliases.log(TICKER))
        versions = tuple(store.registry.versions(TICKER))
        champion = store.registry.aliases.of(TICKER)[CHAMPION]
    made = predict([TICKER], home=home)
    assert not made.failures, made.failures
    (forecast,) = made.forecasts
    assert forecast.version == champion
    rows = frozenset(bars.dates.astype(str).tolist())
    return Known(prices, rows, ledger, log, versions, champion, forecast.point)


@dataclass(frozen=True)
class Scene:
    """A store before a command, and what it is after it.

    Attributes:
        home: The store; copied for every case.
        arguments: The command.
        before: What is known before it.
        after: What is known after it went through.
        boundaries: Those that it came to.
    """

    home: Path
    arguments: tuple[str, ...]
    before: Known
    after: Known
    boundaries: tuple[str, ...]


def assert_whole(home: Path, scene: Scene) -> Known:
    """Whatever stopped the command: all is as it was, or as it was to be.

    Returns:
        What is known now.
    """
    now, before, after = known(home), scene.before, scene.after
    assert now.prices in {before.prices, after.prices}
    assert now.rows >= before.rows
    assert set(now.ledger) >= set(before.ledger)
    assert now.log[: len(before.log)] == before.log
    assert now.versions in {before.versions, after.versions}
    assert now.forecast in {before.forecast, after.forecast}
    checked = validate(every_version=True, prices=True, home=home)
    assert not checked.failures
    assert [item for item in checked.results if item.status != "ok"] == []
    assert leftovers(home, now) == offered(home)
    return now


def offered(home: Path) -> set[str]:
    """Name what a cleaning would remove, and the whole version that it would leave.

    A process that is killed between the two steps of publishing leaves one.
    """
    found = collect_garbage(rule=EVERY_LEFTOVER, dry_run=True, home=home, now=_later())
    assert not found.failures
    whole = [item for item in found.results[0].skipped if "sound, but not listed" in item.reason]
    assert list(found.results[0].skipped) == whole
    assert len(whole) <= 1
    kept = {str(home / "models" / item.ticker / item.name) for item in whole}
    return {item.path for item in found.results[0].removed} | kept


def leftovers(home: Path, now: Known) -> set[str]:
    """Walk through the store and name what is neither listed nor needed."""
    names = {path.name for path in home.iterdir()}
    assert names <= _FILES | _DIRECTORIES
    listed = {f"v{version}" for version in now.versions}
    found = [path for path in _inside(home / "models" / TICKER) if path.name not in listed]
    found += _inside(home / "runs")
    for path in _inside(home / "reports" / TICKER):
        if path.name not in listed:
            found.append(path)
        else:
            found += [file for file in _inside(path) if file.name.startswith(".")]
    runs = {f"run-{path.name}.lock" for path in _inside(home / "runs")}
    locks = {path.name for path in _inside(home / "locks")}
    found += [home / "locks" / name for name in locks - runs - _LOCKS]
    # The lock of a draft goes with it.
    return {str(p) for p in found if p.suffix != ".lock" or p.with_suffix("") not in found}


def _inside(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else []


def _later() -> str:
    """What was written in this second is to be older than that."""
    return (datetime.now(UTC) + timedelta(minutes=1)).isoformat()


def assert_goes_on(home: Path, scene: Scene, forks: Forks, now: Known) -> None:
    """The same command goes through at once, and a cleaning leaves nothing behind."""
    again = forks.run(home, *scene.arguments, "--lock-timeout", "0")
    gone = scene.arguments[:2] == ("models", "rm") and now.versions == scene.after.versions
    assert again.code == (4 if gone else 0), again.err
    assert not adopt_versions(home=home).failures
    done = collect_garbage(rule=EVERY_LEFTOVER, home=home, now=_later())
    assert not done.failures
    then = known(home)
    assert leftovers(home, then) == set()
    assert then.prices == scene.after.prices
    assert set(then.ledger) >= set(now.ledger)
    assert then.log[: len(now.log)] == now.log


def assert_said(ended: Ended) -> None:
    """A fault is said in one line and one that tells the next step, with a documented code."""
    assert ended.code in {2, 75}, (ended.code, ended.err)
    assert "Traceback" not in ended.err
    lines = ended.err.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1, ended.err
    assert lines.index(errors[0]) == len(lines) - 2
    assert re.fullmatch(r"  next: .+", lines[-1])


def assert_done(ended: Ended, scene: Scene, now: Known) -> None:
    """All of a command was done, though something that it could do without was refused."""
    if "is not in the ledger" in ended.err:
        assert ended.out == f"{scene.after.ledger[-1].point:.2f}\n"
        return
    assert (now.prices, now.versions) == (scene.after.prices, scene.after.versions)
    assert now.forecast == scene.after.forecast


def copied(home: Path, place: Path) -> Path:
    shutil.copytree(home, place)
    return place


SceneOf = Callable[[str], Scene]
