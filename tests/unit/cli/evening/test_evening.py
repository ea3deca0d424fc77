"""evening on the command line: its table, files and log, and what it says to whom."""

import json
from pathlib import Path

import pytest

from stocklstm.cli.evening import evening as command
from stocklstm.errors import NetworkError
from tests.conftest import TICKER, Cli
from tests.support.nights import Nights


def test_a_good_evening_prints_its_table_and_nothing_else(cli: Cli, nights: Nights) -> None:
    done = cli("evening")
    again = cli("evening")

    assert (done.code, done.err, again.code, again.err) == (0, "", 0, "")
    title, head, _, row, *_ = done.out.splitlines()
    assert title == "Evening"
    assert head.split()[:3] == ["Ticker", "Closed", "Close"]
    assert row.split()[:2] == [TICKER, "2024-03-07"]
    # Columns in which nothing stands are left out.
    assert "Note" not in head
    assert "unchanged" in again.out
    assert "A forecast is not investment advice." in done.out
    assert nights.asked == [TICKER]


def test_without_a_network_it_says_how_old_the_prices_are(cli: Cli, nights: Nights) -> None:
    assert cli("evening").code == 0
    nights.moment = "2024-03-08T21:30:00Z"
    nights.fails = lambda ticker: NetworkError(f"{ticker}: no answer from Yahoo", hint="look")

    done = cli("evening")
    machine = cli("evening", "--json")

    assert done.code == machine.code == 75
    assert done.err == machine.err
    assert done.err == (
        f"error: {TICKER}: no answer from Yahoo; the forecast is made from the close of "
        "2024-03-07, 1 session behind\n  next: look\n"
    )
    assert "1 session behind; unchanged" in done.out
    document = json.loads(machine.out)
    assert document["results"][0]["stale_sessions"] == 1
    assert [error["code"] for error in document["errors"]] == [75]


def test_quiet_is_a_line_a_ticker(cli: Cli, nights: Nights) -> None:
    done = cli("evening", TICKER, "NONE3.SA", "--quiet")

    (made,) = json.loads(cli("predict", "--json").out)["forecasts"]
    assert done.out == f"{TICKER}\t{made['point']:.2f}\nNONE3.SA\t\n"
    assert done.code == 4
    assert nights.asked == [TICKER, "NONE3.SA"]


def test_files_are_those_of_predict(cli: Cli, nights: Nights, tmp_path: Path) -> None:
    growing, whole = tmp_path / "all.csv", tmp_path / "today.json"
    options = ("--csv", str(growing), "--append", "--out", str(whole))
    assert cli("evening", *options).code == 0
    first = growing.read_text()
    nights.known_to, nights.moment = "2024-03-08", "2024-03-08T21:30:00Z"
    assert cli("evening", *options).code == 0
    assert cli("evening", *options).code == 0

    lines = growing.read_text().splitlines()
    assert len(lines) == 3
    assert growing.read_text().startswith(first)
    assert json.loads(whole.read_text())["forecasts"][0]["as_of"] == "2024-03-08"

    # Where nothing can be forecast they stay as they were.
    before = growing.read_bytes(), whole.read_bytes()
    assert cli("evening", "NONE3.SA", *options).code == 4
    assert (growing.read_bytes(), whole.read_bytes()) == before


def test_a_file_that_cannot_be_written_takes_nothing_from_the_forecasts(
    cli: Cli, nights: Nights, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    beneath = str(tmp_path / "file" / "x")

    for option in (("--csv", beneath), ("--out", f"{beneath}.json"), ("--report", beneath)):
        done = cli("evening", *option)

        assert done.code == 2
        assert TICKER in done.out
        assert f"  next: name another place with {option[0]}" in done.err
    # That the log has no table yet is no less true where the forecast is an old one.
    done = cli("evening", "--log", beneath)
    assert (done.code, done.out.partition("\n")[0]) == (2, "Evening")
    assert nights.asked == [TICKER]


def test_what_cannot_be_logged_is_printed(cli: Cli, nights: Nights) -> None:
    done = cli("evening", "--log", "/dev/full")

    assert (done.code, nights.asked) == (2, [TICKER])
    assert done.out.startswith("Evening\n")
    assert TICKER in done.out
    assert "  next: name another place with --log" in done.err


def test_the_page_is_one_file_with_all_in_it(cli: Cli, nights: Nights, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "report"

    done = cli("evening", "--report", str(folder))

    assert (done.code, done.err) == (0, "")
    assert [path.name for path in folder.iterdir()] == ["index.html"]
    page = (folder / "index.html").read_text()
    assert page.count('src="data:image/png;base64,iVBORw0KGgo') == 1
    assert f"<td>{TICKER}</td>" in page
    # Nothing is fetched from elsewhere.
    assert "://" not in page
    assert nights.moment in page


def test_the_log_gets_what_is_new_and_nothing_else(
    cli: Cli, nights: Nights, tmp_path: Path
) -> None:
    log = tmp_path / "evening.log"
    first, again = (cli("evening", "--log", str(log)) for _ in range(2))
    nights.moment = "2024-03-08T21:30:00Z"
    nights.fails = lambda ticker: NetworkError(f"{ticker}: no answer from Yahoo", hint="look")
    failed = cli("evening", "--log", str(log))

    assert [done.out for done in (first, again, failed)] == ["", "", ""]
    assert (first.err, again.err) == ("", "")
    assert failed.err.startswith("error: ")
    entries = log.read_text().split("\n\n")
    assert [entry.splitlines()[0] for entry in entries if entry] == [
        "2024-03-07T21:30:00Z",
        "2024-03-08T21:30:00Z",
    ]
    assert f"error: {TICKER}: no answer from Yahoo" in entries[1]


def test_what_came_in_prices_of_then_is_said_to_be(cli: Cli, nights: Nights) -> None:
    nights.on("2024-03-07")
    before = cli("forecasts").out
    # The close that the forecast saw is corrected.
    nights.changed = {"2024-03-07": 1.001}
    assert not nights.on("2024-03-08").failures

    words = "what came is in the prices of then: 2024-03-08\n"
    assert (words in before, words in cli("forecasts").out) == (False, True)


@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_the_table_of_an_evening_that_was_killed_is_logged_by_the_next_run(
    cli: Cli, nights: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    log = tmp_path / "evening.log"
    line = ("evening", "--log", str(log), "--lang", language)
    assert cli(*line).code == 0
    nights.known_to, nights.moment = "2024-03-08", "2024-03-08T21:30:00Z"

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        # Its forecasts are made by then.
        patch.setattr(command, "_log", killed)
        assert cli(*line).code != 0
    nights.moment = "2024-03-08T22:30:00Z"
    again, third = cli(*line), cli(*line)

    assert [(done.code, done.out, done.err) for done in (again, third)] == [(0, "", "")] * 2
    stamps = [text for text in log.read_text().splitlines() if text.endswith(":30:00Z")]
    assert stamps == ["2024-03-07T21:30:00Z", "2024-03-08T22:30:00Z"]


def test_what_is_true_of_many_is_logged_once(cli: Cli, nights: Nights, tmp_path: Path) -> None:
    names = ("AAAA3.SA", "BBBB3.SA", "CCCC3.SA", "DDDD3.SA")
    nights.fails = lambda ticker: NetworkError(f"{ticker}: no answer from Yahoo", hint="look")
    log = tmp_path / "evening.log"

    done = cli("evening", *names, "--log", str(log))

    # As on stderr, where the next command stands besides.
    said = [line for line in done.err.splitlines() if line.startswith("error: ")]
    logged = [line for line in log.read_text().splitlines() if line.startswith("error: ")]
    assert said == logged
    assert logged == ["error: AAAA3.SA, BBBB3.SA, CCCC3.SA and 1 more: no answer from Yahoo"]


def test_the_log_does_not_grow_for_ever(
    cli: Cli, nights: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "LOG_BYTES", 2000)
    log = tmp_path / "evening.log"
    # A table for a narrow terminal has empty lines.
    table = f"{'x' * 90}\n\n{'y' * 88}\n\n"
    older = [f"2024-01-{day:02}T21:30:00Z\n{table}" for day in range(1, 11)]
    log.write_text("".join(older))

    assert cli("evening", "--log", str(log)).code == 0

    assert log.stat().st_size <= 2000
    # Whole entries, and the newest last.
    kept, _, newest = log.read_text().partition(nights.moment)
    assert kept == "".join(older[5:])
    assert newest.startswith("\nEvening\n")


def test_a_log_of_another_kind_is_cut_at_the_end_of_a_line(
    cli: Cli, nights: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "LOG_BYTES", 2000)
    log = tmp_path / "cron.log"
    log.write_text("".join(f"line {number:03}\n" for number in range(400)))

    assert cli("evening", "--log", str(log)).code == 0

    older, _, entry = log.read_text().partition(f"{nights.moment}\n")
    assert log.stat().st_size <= 2000
    assert older.endswith("line 399\n")
    assert older.splitlines()[0].startswith("line ")
    assert entry.startswith("Evening\n")


@pytest.mark.parametrize("command_line", ["evening", "schedule"])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("--csv", "f.csv"), ("--log", "./f.csv")),
        (("--out", "f.json"), ("--log", "f.json")),
        (("--log", "page/index.html"), ("--report", "page")),
    ],
)
def test_two_options_that_name_one_file(
    cli: Cli, nights: Nights, command_line: str, first: tuple[str, str], second: tuple[str, str]
) -> None:
    done = cli(command_line, *second, *first)

    assert done.code == 2
    assert done.err.startswith(f"error: {first[0]} and {second[0]} name the same file\n  next: ")
    assert nights.asked == []


@pytest.mark.parametrize(
    "words",
    [
        "--home ~no-such-user-1f3a/stocks",
        "--csv -",
        "--append",
        "--out forecasts.xlsx",
        "--log file --json",
        "--log file --quiet",
        "--json --quiet",
        "--csv-style excel-br",
        "tickers.txt",
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_fetched(
    cli: Cli, nights: Nights, words: str
) -> None:
    done = cli("evening", *words.split())

    assert done.code == 2
    assert "  next: " in done.err
    # The next command is no other one.
    assert "stocklstm predict" not in done.err
    assert nights.asked == []
