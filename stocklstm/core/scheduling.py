"""Lines for cron, systemd and the Windows Task Scheduler, each argument quoted for them."""

import re
import shlex
from collections.abc import Mapping, Sequence
from subprocess import list2cmdline
from typing import NamedTuple

from stocklstm.errors import ConfigError, encodable

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_DAY_MINUTES = 24 * 60

_LONGEST = 998
"""Characters of a command that Debian's cron takes."""

_WINDOWS_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Times(NamedTuple):
    """Clock times at which something is to run, day after day.

    Attributes:
        minutes: Since the midnight with which a session's day begins; perhaps beyond its end, or
            below 0 on the day before it.
        weekdays: Days of the week of the sessions, 0 for Monday.
    """

    minutes: tuple[int, ...]
    weekdays: tuple[int, ...]

    def by_day(self) -> dict[tuple[int, ...], list[int]]:
        """List the minutes of a day at which to run, by the weekdays on which to run at them."""
        found: dict[tuple[int, ...], list[int]] = {}
        for minute in self.minutes:
            days, rest = divmod(minute, _DAY_MINUTES)
            shifted = tuple(sorted((weekday + days) % 7 for weekday in self.weekdays))
            found.setdefault(shifted, []).append(rest)
        return found


class Command(NamedTuple):
    """What is to run.

    Attributes:
        words: The program, by its whole path, and its arguments.
        environment: Variables that it needs besides.
    """

    words: Sequence[str]
    environment: Mapping[str, str]


def clock_time(minutes: int) -> str:
    """Write a time of day, such as 18:30, of minutes since some midnight."""
    hours, rest = divmod(minutes % _DAY_MINUTES, 60)
    return f"{hours:02}:{rest:02}"


def cron_lines(times: Times, command: Command) -> list[str]:
    """Write the lines of a crontab: one, or two where the later runs are after midnight.

    Raises:
        ConfigError: The command is longer than cron takes, or has a line break in it.
    """
    text = _cron_command(_typed(command))
    return [
        f"{minutes[0] % 60} {_hours(minutes)} * * {_cron_days(days)} {text}"
        for days, minutes in times.by_day().items()
    ]


def weekly_cron_line(command: Command) -> str:
    """Write the line of a crontab that runs every Saturday, and prints nothing unless it fails.

    Raises:
        ConfigError: The command is longer than cron takes, or has a line break in it.
    """
    return "0 9 * * 6 " + _cron_command(f'said=$({_typed(command)}) || echo "$said"')


def _typed(command: Command) -> str:
    """Write a command as it is typed in a shell."""
    _require_one_line(command)
    words = [f"{name}={shlex.quote(value)}" for name, value in command.environment.items()]
    return " ".join([*words, shlex.join(command.words)])


def _cron_command(text: str) -> str:
    # To cron a bare one is the end of the command.
    text = text.replace("%", r"\%")
    if len(text) > _LONGEST:
        raise ConfigError(
            f"cron takes a command of {_LONGEST} characters, and this one has {len(text)}",
            hint="name the tickers in a file, --tickers-file tickers.txt; or take --for systemd",
        )
    return text


def _hours(minutes: Sequence[int]) -> str:
    return ",".join(str(minute // 60) for minute in sorted(minutes))


def _cron_days(days: Sequence[int]) -> str:
    """Write days of the week as cron counts them, Sunday 0."""
    numbers = sorted((day + 1) % 7 for day in days)
    if len(numbers) == 7:
        return "*"
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]}-{numbers[-1]}"
    return ",".join(map(str, numbers))


def systemd_service(command: Command, *, attempts: int, pause: str) -> list[str]:
    """Write the unit that runs once, and again where it failed.

    Args:
        attempts: In all, within half a day.
        pause: Between two of them, such as 1h.

    Raises:
        ConfigError: There is a line break in the command.
    """
    _require_one_line(command)
    variables = [
        f"Environment={_systemd_quoted(f'{name}={value}', variables=False)}"
        for name, value in command.environment.items()
    ]
    words = " ".join(_systemd_quoted(word) for word in command.words)
    return [
        "[Unit]",
        "Description=stocklstm: the evening's forecasts",
        "StartLimitIntervalSec=12h",
        f"StartLimitBurst={attempts}",
        "",
        "[Service]",
        "Type=oneshot",
        *variables,
        f"ExecStart={words}",
        # Whoever stops it (SIGHUP, SIGINT, SIGTERM) does not want it to be started again.
        "SuccessExitStatus=129 130 143",
        "Restart=on-failure",
        f"RestartSec={pause}",
    ]


def systemd_timer(times: Times, time_zone: str) -> list[str]:
    """Write the unit that starts it, in the zone of an exchange; a run that was missed is made."""
    calendars = [
        f"OnCalendar={names} *-*-* {clock_time(minute)}:00 {time_zone}"
        for days, minutes in times.by_day().items()
        for names in [",".join(DAYS[day] for day in days)]
        for minute in minutes
    ]
    return [
        "[Unit]",
        "Description=stocklstm: every evening, once prices are final",
        "",
        "[Timer]",
        *calendars,
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]


def _systemd_quoted(text: str, *, variables: bool = True) -> str:
    """Quote an argument of a unit file.

    Args:
        variables: Whether `$` would name one there: on command lines, not in `Environment=`.
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    if variables:
        escaped = escaped.replace("$", "$$")
    plain = escaped == text and text and not set(text) & set(" \t';")
    return text if plain else f'"{escaped}"'


def windows_task(times: Times, command: Command) -> list[str]:
    """Write the PowerShell that registers the task, which has the variables of the user.

    Raises:
        ConfigError: There is a line break in the command.
    """
    _require_one_line(command)
    program, *arguments = command.words
    triggers = [
        "(New-ScheduledTaskTrigger -Weekly "
        f"-DaysOfWeek {','.join(_WINDOWS_DAYS[day] for day in days)} -At {clock_time(minute)})"
        for days, minutes in times.by_day().items()
        for minute in minutes
    ]
    given = f"-Execute {_powershell(program)} -Argument {_powershell(list2cmdline(arguments))}"
    parts = "-Action $action -Trigger $triggers -Settings $settings"
    return [
        f"$action = New-ScheduledTaskAction {given}",
        f"$triggers = {', '.join(triggers)}",
        "$settings = New-ScheduledTaskSettingsSet -StartWhenAvailable",
        f"Register-ScheduledTask -TaskName 'stocklstm evening' {parts} -Force",
    ]


def _powershell(text: str) -> str:
    # To PowerShell a typographic quotation mark ends a string as well.
    return "'" + re.sub("['\u2018-\u201b]", r"\g<0>\g<0>", text) + "'"


def _require_one_line(command: Command) -> None:
    texts = [*command.words, *command.environment.values()]
    if broken := [text for text in texts if "\n" in text or "\r" in text or "\0" in text]:
        raise ConfigError(
            f"{broken[0][:60]!a} has a line break in it", hint="name another place or file"
        )
    if broken := [text for text in texts if text != encodable(text)]:
        raise ConfigError(
            f"{broken[0][:60]!a} is not UTF-8, which a table of cron or a unit has to be",
            hint="name another place or file",
        )
