"""Command lines, environments and files that nobody would think of, and what holds of all of them.

`python -m tests.support.arbitrary_input 5000 [SEED]` tries as many at random.
"""

import json
import os
import random
import re
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from stocklstm.core.exits import ExitCode
from stocklstm.core.settings.layers import PREFIX, SETTINGS, variable_name
from tests.conftest import TICKER, TINY
from tests.support.forks import TRAINING, Ended, Forks, forks_of
from tests.support.places import SAMPLE
from tests.support.store_contents import contents
from tests.support.streams import run_with

TASK = "tests.support.arbitrary_input:attempt"

LIGHT = (
    *("stocklstm.cli.app", "stocklstm.cli.tables", "stocklstm.client", "onnxruntime"),
    *("exchange_calendars", "stocklstm.market.csv", "stocklstm.workflows.predict.predict"),
)
"""What most commands import."""

HEAVY = {"train", "tune", "quantize"}
"""Commands that need PyTorch, whose processes take several times as long to make."""

LONG_S = 60.0
"""What takes longer is said to have hung; a server is ended after it."""

_SERVE_S = 4.0

CODES = {int(code) for code in ExitCode} - {ExitCode.BUG}

# Each begins with a letter of its own and is written where the test has its files.
_JUNK = b"\xff\xfe\x00PK\x03\x04" + bytes(range(256))


@dataclass(frozen=True)
class Parameter:
    """What a command takes: an option, or an argument where it has no name."""

    option: str | None
    is_flag: bool


@dataclass(frozen=True)
class CommandLine:
    """A command and all that it takes."""

    words: tuple[str, ...]
    parameters: tuple[Parameter, ...]


def command_lines() -> list[CommandLine]:
    """List the commands, of which none can be forgotten."""
    import typer

    from stocklstm.cli.app import build_app

    return list(_below((), typer.main.get_command(build_app(["every"]))))


def _below(words: tuple[str, ...], command: Any) -> Iterator[CommandLine]:
    for name, each in sorted(getattr(command, "commands", {}).items()):
        yield from _below((*words, name), each)
    if not hasattr(command, "commands"):
        found = [
            Parameter(
                max(each.opts, key=len) if each.param_type_name == "option" else None,
                bool(getattr(each, "is_flag", False)),
            )
            for each in command.params
        ]
        yield CommandLine(words, tuple(found))


# Values

_PLAUSIBLE = [
    *(TICKER, f"{TICKER}@v1", f"{TICKER}@champion", "VALE3.SA", "b3", "b3@v1", "ALL"),
    *("", " ", "-", "--", "0", "1", "2", "-1", "1e309", "nan", "inf", "0.5", "9" * 5000, "1_0"),
    *("auto", "always", "never", "champion", "previous", "paper", "calibrated", "sample", "csv"),
    *("b3", "yahoo", "json", "onnx", "bundle", "classic", "int8-dynamic", "prune", "random"),
    *("2024-01-01", "2024-02-30", "0001-01-01", "9999-12-31", "1-5", "1,5", "80,95"),
    *("tcp://127.0.0.1:9", "127.0.0.1", "cron", "systemd", "windows", "close=Fechamento"),
    *("a\nb", "\x1b[2J", "\u202e", "x" * 300, "é", "\udcff", "PETR4\udcff.SA", "../..", "~", "~x"),
]

# What each command is given as a rule; one that is not here is given nothing.
_USUAL: dict[tuple[str, ...], list[list[str]]] = {
    ("evaluate",): [[TICKER], ["--live"], ["--compare", TICKER], ["--horizons", "1-3"]],
    ("evening",): [[TICKER, "--csv", "x.csv", "--append"], [TICKER, "--out", "x.json"]],
    ("fetch",): [
        [TICKER, "--source", "sample"],
        ["--source", "sample", "--tickers-file", "tickers.txt"],
        [TICKER, "--file", "prices.csv"],
        ["--all-tickers", "--file", "content"],
        ["NEW3.SA", "--source", "csv", "--file", "content"],
        ["--source", "b3", "--file", "content"],
    ],
    ("forecasts",): [[TICKER], [TICKER, "--csv", "x.csv"]],
    ("models", "adopt"): [[], [TICKER]],
    ("models", "diff"): [[f"{TICKER}@v1", TICKER]],
    ("models", "export"): [[TICKER, "--output", "x.zip"], [TICKER, "--format", "classic"]],
    ("models", "import"): [
        ["bundle.zip"],
        ["content"],
        ["junk.onnx", "--format", "classic", "--ticker", TICKER],
    ],
    ("models", "promote"): [[f"{TICKER}@v1", "--as", "good", "--reason", "why"]],
    ("models", "rollback"): [[TICKER, "--reason", "why"]],
    ("models", "show"): [[TICKER]],
    ("models", "sign"): [[TICKER]],
    ("models", "unalias"): [[f"{TICKER}@good"]],
    ("predict",): [[TICKER], [TICKER, "--csv", "x.csv"], [TICKER, "--plot-file", "x.png"]],
    ("prices", "export"): [[TICKER, "--out", "x.csv"]],
    ("prices", "rename"): [[TICKER, "NEW3.SA"]],
    ("quantize",): [[TICKER, "--tolerance", "1000"]],
    ("schedule",): [[TICKER, "--log", "log.txt"], [TICKER, "--for", "systemd", "--home", "h"]],
    ("train",): [
        [TICKER],
        [TICKER, "--dry-run"],
        [TICKER, "--config", "good.toml"],
        ["--all", "--if-older-than", "5"],
    ],
    ("tune",): [[TICKER, "--trials", "1"]],
    ("validate",): [[TICKER], ["--all", "--deep"]],
}

_CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])

junk: st.SearchStrategy[str] = st.binary(max_size=12).map(
    lambda content: os.fsdecode(content.replace(b"\0", b"\1"))
) | st.text(_CHARACTERS, max_size=8)


@dataclass
class Places:
    """Files of every kind, in a folder of their own.

    Attributes:
        names: Paths.
        content: A file of which every example has bytes of its own.
    """

    folder: Path
    names: list[str] = field(default_factory=list)

    @property
    def content(self) -> str:
        return f"{self.folder}/content"


def make_places(folder: Path, bundle: Path) -> Places:
    """Make them, or as many as the system allows."""
    folder.mkdir()
    places = Places(folder)

    def add(name: str | bytes, content: bytes) -> None:
        path = folder / os.fsdecode(name)
        with suppress(OSError):
            path.write_bytes(content)
            places.names.append(str(path))

    prices = SAMPLE.read_bytes()
    add("prices.csv", prices)
    add(b"pre\xe7os \xff.csv", prices)
    add("two\nlines \x1b[31m.csv", prices)
    add("tickers.txt", f"{TICKER}\n".encode())
    add("bad.txt", b"PETR4.SA\n\xff\xfe\n")
    add("good.toml", b"epochs = 1\n")
    add("bad.toml", b"epochs = " + b"9" * 5000)
    add(b"\xff.toml", b"nope = 1\n")
    add("deep.toml", b"a = " + b"[" * 100_000)
    add("bundle.zip", bundle.read_bytes())
    add("cut.zip", bundle.read_bytes()[:-40])
    for suffix in ("csv", "zip", "xlsx", "gz", "onnx", "pth", "pkl", "json", "parquet", "html"):
        add(f"junk.{suffix}", _JUNK)
    add("empty", b"")
    add("closed", b"")
    (folder / "closed").chmod(0)
    (folder / "directory").mkdir()
    os.mkfifo(folder / "fifo")
    (folder / "loop").symlink_to("loop")
    (folder / "nowhere").symlink_to("gone/gone")
    with suppress(OSError), socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/socket")
    places.names += [
        f"{folder}/{name}"
        for name in ("directory", "fifo", "loop", "nowhere", "socket", "none/none", "x" * 300)
    ]
    places.names += [f"{folder}/empty/below", f"{folder}/new.csv", f"{folder}/new\udcff.json"]
    places.names += [
        "/dev/null",
        "/dev/full",
        "/dev/zero",
        "/dev/stdin",
        "/proc/self/mem",
        "/",
        ".",
    ]
    return places


@dataclass(frozen=True)
class Example:
    """A command line, what it finds around it, and the bytes of a file."""

    words: tuple[str, ...]
    environment: Mapping[str, str]
    content: bytes
    streams: tuple[str, str, str]


_STREAMS = {
    "stdin": ["closed", "/dev/null", "content"],
    "stdout": ["file", "file", "file", "closed", "/dev/full", "reader gone"],
    "stderr": ["file", "file", "file", "closed", "/dev/full", "reader gone"],
}


def _environments(places: Places) -> st.SearchStrategy[dict[str, str]]:
    own = [variable_name(name) for name in SETTINGS]
    own += [f"{PREFIX}{name}" for name in ("VERBOSE", "SIGNING_KEY", "API_TOKEN", "NOPE")]
    words = ["COLUMNS", "LINES", "TERM", "LANG", "LC_ALL", "NO_COLOR", "FORCE_COLOR", "TZ"]
    words += ["DISPLAY", "BROWSER", "SHELL"]
    paths = ["HOME", "STOCKLSTM_HOME", "STOCKLSTM_CONFIG", "STOCKLSTM_CACHE"]
    paths += ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "TMPDIR", "MPLCONFIGDIR"]
    values = junk | st.sampled_from([*_PLAUSIBLE, "80", "1", "dumb", "C", "pt_BR.ISO-8859-1"])
    return st.dictionaries(st.sampled_from(own + words), values, max_size=2).flatmap(
        lambda first: st.dictionaries(
            st.sampled_from(paths), junk | st.sampled_from(places.names), max_size=1
        ).map(lambda second: {**first, **second})
    )


def examples(places: Places) -> st.SearchStrategy[Example]:
    """Draw one."""
    path = st.sampled_from([*places.names, places.content, places.content])
    value = st.one_of(st.sampled_from(_PLAUSIBLE), path, junk)

    lines = [line for line in command_lines() if line.words != ("demo",)]

    @st.composite
    def drawn(draw: st.DrawFn) -> Example:
        line = draw(st.sampled_from(lines))
        words = [*line.words, *draw(st.sampled_from(_USUAL.get(line.words, [[]])))]
        further = range(len(line.words), len(words))
        if further and draw(st.booleans()):
            words[draw(st.sampled_from(further))] = draw(value)
        for each in draw(st.lists(st.sampled_from(line.parameters), max_size=2)):
            if each.option is None:
                words.append(draw(value))
            elif each.is_flag:
                words.append(each.option)
            else:
                words.append(f"{each.option}={draw(value)}")
        if draw(st.booleans()):
            words.append("--json")
        content = draw(st.sampled_from([b"", SAMPLE.read_bytes()[:2000]]) | st.binary(max_size=40))
        environment = draw(st.just({}) | _environments(places))
        if draw(st.integers(0, 3)):
            streams = ("closed", "file", "file")
        else:
            streams = tuple(draw(st.sampled_from(kinds)) for kinds in _STREAMS.values())
        return Example(tuple(words), environment, content, streams)

    return drawn()


# A run


def attempt(arguments: Sequence[str], streams: Sequence[str], content: str) -> int:
    """Run a command line in this process, which is a fork, as `python -m stocklstm` would."""
    from stocklstm.workflows.prices import retry

    retry.Asker._sleep = lambda *_: None
    os.chdir(Path(content).parent)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    signal.setitimer(signal.ITIMER_REAL, _SERVE_S if arguments[0] == "serve" else LONG_S, LONG_S)
    return run_with(arguments, [content if kind == "content" else kind for kind in streams])


@dataclass
class Machine:
    """Runs examples, each on the same store."""

    light: Forks
    heavy: Forks
    places: Places
    sound: Path
    home: Path

    def __post_init__(self) -> None:
        self._before = self._renewed()

    def _renewed(self) -> dict[str, Any]:
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.sound, self.home)
        return contents(self.home)

    def require_good_end(self, example: Example) -> Ended:
        """Run one and see that all holds that is to hold."""
        Path(self.places.content).write_bytes(example.content)
        environment = {**_usual(self.places.folder), "STOCKLSTM_HOME": str(self.home)}
        began = time.monotonic()
        forks = self.heavy if example.words[0] in HEAVY else self.light
        ended = forks.run(
            TASK,
            example.words,
            example.streams,
            self.places.content,
            environment={**environment, **example.environment},
        )
        self.seconds = time.monotonic() - began
        after = contents(self.home)
        before, self._before = self._before, after
        if after != before:
            self._before = self._renewed()
        require_good_end(example, ended, before, after)
        return ended


def _usual(folder: Path) -> dict[str, str]:
    usual = {variable_name(name): f"{value}" for name, value in TINY.items()}
    usual[variable_name("epochs")] = "1"
    usual["STOCKLSTM_CONFIG"] = f"{folder}/no.toml"
    usual["STOCKLSTM_CACHE"] = f"{folder}/cache"
    # Nothing is asked of a network.
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        usual[name] = usual[name.lower()] = "http://127.0.0.1:9"
    return usual


def require_good_end(
    example: Example, ended: Ended, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """A documented code, no traceback, whole JSON, and nothing is lost of a store."""
    said = (example.words, ended.code, ended.out[-1500:], ended.err[-3000:])
    assert ended.code in CODES, said
    assert "Traceback" not in ended.err, said
    assert "a bug in stocklstm" not in ended.out + ended.err, said
    results = None
    if "--json" in example.words and ended.out.startswith("{"):
        document = json.loads(ended.out)
        json.dumps(document, ensure_ascii=False).encode()
        results = [v for k, v in document.items() if isinstance(v, list) and k != "errors"]
        if ended.code not in {0, 3, 5, 6} and not any(results or []):
            assert document["errors"] or "errors" not in document, said
    # What is done is done where only its result could not be written.
    if (
        ended.code
        and example.streams[1] == "file"
        and (not any(results) if results is not None else ended.out == "")
    ):
        assert after == before, (said, _differences(before, after))
    if not re.search(r"^(models|prices)\b.*", example.words[0]):
        lost = {key for key in before if key not in after}
        assert not lost, (said, lost)


def _differences(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


@contextmanager
def machine(folder: Path, sound: Path, bundle: Path, heavy: Forks) -> Iterator[Machine]:
    """Start what forks; `heavy` has PyTorch."""
    places = make_places(folder / "places", bundle)
    (folder / "light").mkdir()
    with forks_of(folder / "light", *LIGHT) as light:
        yield Machine(light, heavy, places, sound, folder / "home")


def main(count: int, seed: int) -> None:
    """Try many, and print what does not hold."""
    import tempfile
    import warnings

    from stocklstm import export_model, fetch, train
    from stocklstm.core.settings.config import configure
    from stocklstm.workflows.prices.plan import FetchOptions

    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sound = folder / "sound"
        fetch([TICKER], FetchOptions(source="sample"), home=sound)
        train([TICKER], configure("calibrated", **TINY), home=sound)
        export_model(f"{TICKER}@v1", folder / "bundle.zip", home=sound)
        chance = random.Random(seed)
        (folder / "heavy").mkdir()
        with (
            forks_of(folder / "heavy", *LIGHT, *TRAINING) as heavy,
            machine(folder, sound, folder / "bundle.zip", heavy) as runs,
        ):
            _try(runs, count, chance)


def _try(runs: Machine, count: int, chance: random.Random) -> None:
    import collections

    from hypothesis import HealthCheck, given, settings
    from hypothesis import seed as seeded

    codes: dict[Any, int] = collections.Counter()
    seen: set[str] = set()

    @seeded(chance.randrange(1 << 30))
    @settings(
        max_examples=count, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(examples(runs.places))
    def each(example: Example) -> None:
        try:
            codes[example.words[0], runs.require_good_end(example).code] += 1
        except (AssertionError, ValueError) as error:
            words = str(error)
            kind = re.sub(r"\d+", "", words[-300:])
            if kind not in seen:
                seen.add(kind)
                print("-----", repr(replace(example, content=example.content[:20]))[:1500])
                print(
                    words.encode("unicode_escape", "replace").decode().replace("\\n", "\n")[-3500:],
                    flush=True,
                )

    each()
    print(len(seen), "kinds;", sorted(codes.items()))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
