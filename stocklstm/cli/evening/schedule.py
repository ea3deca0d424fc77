"""stocklstm schedule."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stocklstm.cli.evening.evening import (
    LOG_BYTES,
    Csv,
    Home,
    Log,
    Out,
    Report,
    RetrainAfter,
    evening_files,
)
from stocklstm.cli.options import (
    Json,
    NamedTickers,
    Pool,
    Quiet,
    Tickers,
    TickersFile,
    all_tickers,
    in_any_case,
)
from stocklstm.cli.output import View, conclude
from stocklstm.cli.predict.spreadsheet import Append, CsvStyleName
from stocklstm.client import Client
from stocklstm.core.batch import Batch
from stocklstm.core.language import ENGLISH, VARIABLE, current, english, retold
from stocklstm.core.operating_system import system
from stocklstm.core.scheduling import (
    Command,
    clock_time,
    cron_lines,
    systemd_service,
    systemd_timer,
    weekly_cron_line,
    windows_task,
)
from stocklstm.errors import ConfigError
from stocklstm.workflows.evening.renewal import require_own_models

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.evening.timetable import Timetable

CRON, SYSTEMD, WINDOWS = "cron", "systemd", "windows"

_KINDS = (CRON, SYSTEMD, WINDOWS)

_WAIT_S = 21_600
"""Seconds that a later run waits for one that is still training."""

_UNIT = "stocklstm-evening"

_QUESTION = ("evaluate", "--live", "--fail-on", "drift", "--quiet")
"""What is asked once a week: have the forecasts got worse?"""

_PROXIES = (
    *("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "NO_PROXY"),
    "no_proxy",
)

_PATHS = (
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "PYTHONPATH"),
    *("XDG_CACHE_HOME", "XDG_CONFIG_HOME"),
)
"""Variables that name files or directories, besides those of stocklstm."""

_ABSOLUTE = (*_PATHS, "STOCKLSTM_CACHE", "STOCKLSTM_CONFIG")
"""Those whose paths are made absolute: a scheduler starts it in another directory."""

CARRIED = (*_PROXIES, *_PATHS)
"""Variables besides those of stocklstm without which it may not run as it does here."""

_SECRETS = ("STOCKLSTM_SIGNING_KEY", "STOCKLSTM_API_TOKEN")

_NOT_CARRIED = {*_SECRETS, "STOCKLSTM_HOME", "STOCKLSTM_VERBOSE"}


@dataclass(frozen=True)
class Schedule:
    """What to give to a scheduler.

    Attributes:
        kind: "cron", "systemd" or "windows".
        exchanges: Calendars of the tickers.
        time_zone: Zone of the exchange whose prices are final last.
        at: First run there.
        earliest: First time of day there at which all prices are final.
        local_times: First run by the clock of this machine, over a year.
        files: Lines by the file that they go into; "" for those of a crontab or a PowerShell.
        words: What to know of it, one line each.
    """

    kind: str
    exchanges: tuple[str, ...]
    time_zone: str
    at: str
    earliest: str
    local_times: tuple[str, ...]
    files: dict[str, tuple[str, ...]]
    words: tuple[str, ...]


def schedule(
    named: NamedTickers = None,
    ticker: Tickers = None,
    tickers_file: TickersFile = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="First run, such as 19:00, in the time zone of the exchange; the first minute at "
            "which its prices are final if not given.",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--for",
            parser=in_any_case,
            metavar="cron|systemd|windows",
            help="The scheduler; cron if not given, and windows on Windows.",
            show_default=False,
        ),
    ] = None,
    model: Pool = None,
    retrain_after: RetrainAfter = None,
    csv: Csv = None,
    append: Append = False,
    csv_style: CsvStyleName = None,
    out: Out = None,
    report: Report = None,
    home: Home = None,
    log: Log = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Print the line of cron, the systemd timer or the Windows task that runs evening.

    It installs nothing. Tickers and all other options are those of stocklstm evening. It runs once
    the prices of the exchange are final, and twice more, an hour apart, for what could not be done.
    """

    def call() -> "Batch[Schedule]":
        chosen = _chosen_kind(kind)
        evening_files(csv, out, csv_style, report, log, append=append)
        if retrain_after is not None:
            require_own_models(model)
        names = all_tickers(named, ticker, _readable(tickers_file))
        with Client(home) as client:
            timetable = client.plan_evenings(names, pool=model, at=at)
        place = _home(home)
        if log is None and chosen != SYSTEMD:
            logged: Path | None = place / "evening.log"
        else:
            logged = log
        options = {
            "--home": place,
            "--tickers-file": tickers_file,
            "--model": model,
            "--retrain-after": retrain_after,
            "--csv": None if csv is None else Path(csv),
            "--append": append,
            "--csv-style": csv_style,
            "--out": out,
            "--report": report,
            "--log": logged,
            "--lock-timeout": _WAIT_S,
        }
        tickers = [*(named or ()), *(ticker or ())]
        command = Command([*_program(), "evening", *tickers, *_as_typed(options)], _environment())
        asked = {"--tickers-file": tickers_file, "--model": model}
        question = Command(
            [*_program(), *_QUESTION, *tickers, *_as_typed(asked)],
            {"STOCKLSTM_HOME": str(place.absolute()), **command.environment},
        )
        return Batch((_schedule(chosen, timetable, command, question, logged),))

    conclude(VIEW, call, as_json=as_json, quiet=quiet)


def _chosen_kind(kind: str | None) -> str:
    chosen = system().scheduler if kind is None else kind
    if chosen not in _KINDS:
        raise ConfigError(
            f"--for is one of {', '.join(_KINDS)}, not {chosen[:20]!a}",
            hint="stocklstm schedule --for systemd",
        )
    return chosen


def _readable(tickers_file: Path | None) -> Path | None:
    if tickers_file is not None and str(tickers_file) == "-":
        raise ConfigError(
            "--tickers-file - is standard input, and nobody types there in the evening",
            hint="write the tickers into a file: stocklstm schedule --tickers-file tickers.txt",
        )
    return tickers_file


def _home(home: Path | None) -> Path:
    from stocklstm.store.paths import data_home, expanded

    return data_home() if home is None else expanded(home).absolute()


def _program() -> list[str]:
    """Give the words that start this very program."""
    called = Path(sys.argv[0])
    if called.stem == "stocklstm" and called.is_file():
        return [str(called.absolute())]
    # -P: not what happens to lie in the directory in which it is started.
    return [sys.executable, "-P", "-m", "stocklstm"]


def _environment() -> dict[str, str]:
    """Read the environment variables that the scheduled program needs as well."""
    variables = dict(os.environ)
    # Cron has no locale: what is spoken here, whatever says so, is to be spoken there.
    if VARIABLE in variables or current() != ENGLISH:
        variables[VARIABLE] = current()
    own = sorted(name for name in variables if name.startswith("STOCKLSTM_"))
    return {
        name: _absolute(variables[name]) if name in _ABSOLUTE else variables[name]
        for name in (*own, *CARRIED)
        if name in variables and name not in _NOT_CARRIED
    }


def _absolute(paths: str) -> str:
    """Make a path absolute, or several in the form of PYTHONPATH."""
    each = [part and str(Path(part).absolute()) for part in paths.split(os.pathsep)]
    return os.pathsep.join(each)


def _as_typed(options: dict[str, Any]) -> Iterator[str]:
    """Write options as they are typed, with absolute paths; those not given are left out."""
    for name, value in options.items():
        if value is None or value is False:
            continue
        yield name
        if value is not True:
            yield str(value.absolute() if isinstance(value, Path) else value)


def _schedule(
    kind: str, table: "Timetable", command: Command, question: Command, log: Path | None
) -> Schedule:
    from stocklstm.workflows.evening.timetable import RUNS

    files: dict[str, tuple[str, ...]]
    if kind == CRON:
        files = {"": tuple(cron_lines(table.local, command))}
    elif kind == WINDOWS:
        files = {"": tuple(windows_task(table.local, command))}
    else:
        folder = "~/.config/systemd/user"
        first = table.times._replace(minutes=table.times.minutes[:1])
        files = {
            f"{folder}/{_UNIT}.service": tuple(systemd_service(command, attempts=RUNS, pause="1h")),
            f"{folder}/{_UNIT}.timer": tuple(systemd_timer(first, table.time_zone)),
        }
    return Schedule(
        kind=kind,
        exchanges=table.exchanges,
        time_zone=table.time_zone,
        at=table.at,
        earliest=table.earliest,
        local_times=table.local_times,
        files=files,
        words=tuple(_words(kind, table, command, question, log)),
    )


def _words(
    kind: str, table: "Timetable", command: Command, question: Command, log: Path | None
) -> Iterator[str]:
    yield _session_words(table)
    yield from _run_words(kind, table)
    yield _log_words(kind, log)
    yield from _variable_words(kind, command)
    yield from _install_words(kind, question)


def _session_words(table: "Timetable") -> str:
    from stocklstm.workflows.evening.timetable import weekday_words

    days, time_zone = weekday_words(table.times), table.time_zone
    if table.exchanges:
        return english(
            "stocklstm evening, {days} at {at} in {time_zone}; prices of {exchanges} are final at "
            "{earliest}.",
            days=days,
            at=table.at,
            time_zone=time_zone,
            exchanges=" and ".join(table.exchanges),
            earliest=table.earliest,
        )
    return english(
        "stocklstm evening, {days} at {at} in {time_zone}; no calendar of their exchange is "
        "known: a day counts as over at midnight.",
        days=days,
        at=table.at,
        time_zone=time_zone,
    )


def _run_words(kind: str, table: "Timetable") -> Iterator[str]:
    from stocklstm.workflows.evening.timetable import RUNS

    if kind != SYSTEMD:
        first = clock_time(table.local.minutes[0])
        if len(table.local_times) == 1:
            yield english("By the clock of this machine that is {first}.", first=first)
        else:
            yield english(
                "By the clock of this machine that is {times}, as clocks are changed; {first} is "
                "late enough all year.",
                times=" or ".join(table.local_times),
                first=first,
            )
        yield english(
            "It runs {runs} times, an hour apart: what is done stays as it is, and what could not "
            "be done is tried again.",
            runs=RUNS,
        )
    else:
        yield english(
            "Where it fails it runs again, {runs} times in all; a run that was missed is made.",
            runs=RUNS,
        )


def _log_words(kind: str, log: Path | None) -> str:
    if log is None:
        return english("The table goes to the journal: journalctl --user -u {unit}", unit=_UNIT)
    size = LOG_BYTES // 1_000_000
    if kind == CRON:
        return english(
            "The table goes to {file}, which loses its oldest lines beyond {size} MB; only what "
            "is wrong is printed, and mailed.",
            file=log,
            size=size,
        )
    return english(
        "The table goes to {file}, which loses its oldest lines beyond {size} MB; only what is "
        "wrong is printed.",
        file=log,
        size=size,
    )


def _variable_words(kind: str, command: Command) -> Iterator[str]:
    if kind != WINDOWS and VARIABLE in command.environment:
        yield english(
            "It speaks the language {language}, as this command does.",
            language=command.environment[VARIABLE],
        )
    if kind == WINDOWS and command.environment:
        yield english(
            "Set for your user, if they are not: {names}.", names=", ".join(command.environment)
        )
    if secrets := [name for name in _SECRETS[:1] if name in os.environ]:
        yield english(
            "{variable} is set here; a secret is not printed: give it to the task yourself.",
            variable=secrets[0],
        )


def _install_words(kind: str, question: Command) -> Iterator[str]:
    if kind == CRON:
        yield english(
            "A second line, once the # before it is taken away, asks every Saturday whether the "
            "forecasts got worse, and mails only if they did or the question failed:"
        )
        yield weekly_cron_line(question)
        yield english("Install it: crontab -e, and paste.")
    elif kind == WINDOWS:
        yield english("Install it: paste into PowerShell.")
    else:
        yield english(
            "Install it: write the two files; systemctl --user daemon-reload; "
            "systemctl --user enable --now {unit}.timer; loginctl enable-linger",
            unit=_UNIT,
        )


def _bare(item: Schedule) -> Iterable[str]:
    for name, lines in item.files.items():
        if name:
            yield f"# {name}"
        yield from lines


def _tables(console: "Console", items: Sequence[Schedule]) -> None:
    for item in items:
        for line in (*(f"# {retold(words)}" for words in item.words), *_bare(item)):
            console.print(line, soft_wrap=True)


def _document(item: Schedule) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "exchanges": list(item.exchanges),
        "time_zone": item.time_zone,
        "at": item.at,
        "earliest": item.earliest,
        "local_times": list(item.local_times),
        "files": [
            {"name": name or None, "lines": list(lines)} for name, lines in item.files.items()
        ],
        "words": list(item.words),
    }


VIEW: "View[Schedule]" = View(
    command="schedule",
    key="schedules",
    document=_document,
    tables=_tables,
    bare=_bare,
)
