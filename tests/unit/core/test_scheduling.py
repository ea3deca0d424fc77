"""What schedulers are told comes out as it went in, however it is read."""

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.scheduling import (
    Command,
    Times,
    cron_lines,
    systemd_service,
    systemd_timer,
    weekly_cron_line,
    windows_task,
)
from stocklstm.errors import ConfigError
from tests.support.property_tests import PROPERTY

WEEK = (0, 1, 2, 3, 4)
EVENING = Times((18 * 60 + 30, 19 * 60 + 30, 20 * 60 + 30), WEEK)

TEXTS = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\n\r"), max_size=20
)
NASTY = ["a b", "100%", "$HOME", "`id`", "it's", '"', "\\", "a;b", "", "ação", "*", "%h", "# x"]


def as_cron_hands_it_on(line: str) -> str:
    """Take the five fields off, and what `%` was escaped with, as crontab(5) says."""
    command = line.split(" ", 5)[5]
    assert "%" not in command.replace(r"\%", "")
    return command.replace(r"\%", "%")


@PROPERTY
@given(st.lists(TEXTS, min_size=1, max_size=4), TEXTS)
def test_a_shell_takes_the_line_apart_into_what_was_meant(words: list[str], value: str) -> None:
    (line,) = cron_lines(EVENING, Command(words, {"PLACE": value}))

    assert shlex.split(as_cron_hands_it_on(line)) == [f"PLACE={value}", *words]


def test_so_does_a_real_one() -> None:
    words = ["/usr/bin/env", "printf", "%s|", *NASTY]
    (line,) = cron_lines(EVENING, Command(words, {"PLACE": "x y"}))

    done = subprocess.run(
        ["/bin/sh", "-c", as_cron_hands_it_on(line)],
        env={},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "".join(f"{word}|" for word in NASTY)


@pytest.mark.parametrize(("code", "printed"), [(0, ""), (3, "as 100% it's )\n")])
def test_what_runs_each_week_is_heard_only_if_it_fails(code: int, printed: str) -> None:
    script = 'echo "$1"; exit "$CODE"'
    command = Command(["/bin/sh", "-c", script, "x", "as 100% it's )"], {"CODE": f"{code}"})

    done = subprocess.run(
        ["/bin/sh", "-c", as_cron_hands_it_on(weekly_cron_line(command))],
        env={},
        capture_output=True,
        text=True,
        check=True,
    )

    assert (done.stdout, done.stderr) == (printed, "")


def unquoted(text: str) -> list[str]:
    """Take a line of a unit file apart as systemd.service(5) says."""
    words: list[str] = []
    open_quote, begun, place, word = "", False, 0, ""
    while place < len(text):
        character = text[place]
        if character == "\\":
            place += 1
            word += text[place]
        elif open_quote:
            closes = character == open_quote
            word, open_quote = (word, "") if closes else (word + character, open_quote)
        elif character in "'\"":
            open_quote, begun = character, True
        elif character in " \t":
            words, word, begun = [*words, *([word] if begun or word else [])], "", False
        else:
            word += character
        place += 1
    return [*words, *([word] if begun or word else [])]


@PROPERTY
@given(st.lists(TEXTS, max_size=4), TEXTS)
def test_systemd_does_as_well(words: list[str], value: str) -> None:
    lines = systemd_service(Command(["/p", *words], {"PLACE": value}), attempts=3, pause="1h")
    (command,) = (line.partition("=")[2] for line in lines if line.startswith("ExecStart="))
    (variable,) = (line.partition("=")[2] for line in lines if line.startswith("Environment="))

    assert [word.replace("%%", "%").replace("$$", "$") for word in unquoted(command)] == [
        "/p",
        *words,
    ]
    assert [word.replace("%%", "%") for word in unquoted(variable)] == [f"PLACE={value}"]
    # Nothing is left that would be a variable or a specifier to it.
    assert "$" not in command.replace("$$", "")
    assert "%" not in (command + variable).replace("%%", "")


def test_windows_is_given_one_string_without_its_end_in_it() -> None:
    action, _, _, register = windows_task(
        EVENING, Command(["C:\\it's\\py.exe", "-m", "x", "C:\\a b\\", "d\u2019or"], {})
    )

    assert action == (
        "$action = New-ScheduledTaskAction -Execute 'C:\\it''s\\py.exe' "
        "-Argument '-m x \"C:\\a b\\\\\" d\u2019\u2019or'"
    )
    assert register.startswith("Register-ScheduledTask -TaskName 'stocklstm evening' ")


@pytest.mark.parametrize(
    ("minutes", "fields"),
    [
        ((1110, 1170, 1230), ["30 18,19,20 * * 1-5"]),
        # What is after midnight is on the days after, and before it on those before.
        ((1410, 1470, 1530), ["30 23 * * 1-5", "30 0,1 * * 2-6"]),
        ((-90, -30, 30), ["30 22,23 * * 0-4", "30 0 * * 1-5"]),
    ],
)
def test_runs_are_on_the_right_days(minutes: tuple[int, ...], fields: list[str]) -> None:
    lines = cron_lines(Times(minutes, WEEK), Command(["x"], {}))

    assert lines == [f"{field} x" for field in fields]


def test_every_day_is_a_star_and_odd_ones_are_listed() -> None:
    daily, odd = (cron_lines(Times((0,), days), Command(["x"], {})) for days in (range(7), (0, 6)))

    assert (daily, odd) == (["0 0 * * * x"], ["0 0 * * 0,1 x"])


def test_systemd_and_windows_have_the_same_days() -> None:
    late = Times((1410, 1470), WEEK)

    timer = systemd_timer(late, "America/Sao_Paulo")
    _, triggers, *_ = windows_task(late, Command(["x"], {}))

    assert "OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 23:30:00 America/Sao_Paulo" in timer
    assert "OnCalendar=Tue,Wed,Thu,Fri,Sat *-*-* 00:30:00 America/Sao_Paulo" in timer
    assert "Persistent=true" in timer
    assert triggers.count("New-ScheduledTaskTrigger -Weekly") == 2
    assert "-DaysOfWeek Tuesday,Wednesday,Thursday,Friday,Saturday -At 00:30" in triggers


@pytest.mark.parametrize("word", ["a\nb", "a\rb", "a\0b"])
def test_a_line_break_is_refused(word: str) -> None:
    command = Command(["x", word], {})
    for write in (
        lambda: cron_lines(EVENING, command),
        lambda: systemd_service(command, attempts=3, pause="1h"),
        lambda: windows_task(EVENING, command),
    ):
        with pytest.raises(ConfigError, match="line break"):
            write()


def test_cron_cuts_no_line() -> None:
    """Debian's takes 998 characters of a command, and drops the crontab that has more."""
    assert cron_lines(EVENING, Command(["x" * 998], {}))
    with pytest.raises(ConfigError, match="998 characters") as refused:
        cron_lines(EVENING, Command(["x" * 999], {}))
    assert "--tickers-file" in str(refused.value.hint)
