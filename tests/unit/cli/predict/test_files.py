"""What predict writes into files: rows that are added evening by evening, and the whole result."""

import csv
import json
from pathlib import Path

import pytest

from tests.conftest import TICKER, Cli
from tests.support.evenings import cut_off, live_through
from tests.support.stored_rows import execute


def read(file: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines, delimiter=delimiter))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "forecasts.csv"


def test_a_file_grows_by_one_row_an_evening(cli: Cli, model_home: Path, file: Path) -> None:
    """Each of them with the figures that are on record, and twice an evening as well as once."""
    bars = cut_off(model_home, 3)
    for row in range(len(bars) - 3, len(bars)):
        live_through(model_home, bars, [row])
        for _ in range(2):
            assert cli("predict", "--csv", str(file), "--append", "--quiet").code == 0

    record = json.loads(cli("forecasts", "--json").out)["forecasts"]
    rows = read(file)
    assert [row["as_of"] for row in rows] == bars.dates[-3:].astype(str).tolist()
    assert [(row["target_session"], float(row["point"]), row["model"]) for row in rows] == [
        (past["target_session"], past["point"], past["model"]) for past in record
    ]


def test_prices_that_were_revised_change_no_row(cli: Cli, model_home: Path, file: Path) -> None:
    arguments = ("predict", "--csv", str(file), "--append")
    cli(*arguments)
    before = file.read_bytes()
    execute(model_home, "UPDATE prices SET close = close * 1.01, adj_close = adj_close * 1.01")

    outcome = cli(*arguments, "--json")

    assert outcome.code == 0
    assert "the forecast on record" in outcome.err
    assert file.read_bytes() == before
    (forecast,) = json.loads(outcome.out)["forecasts"]
    assert forecast["point"] != float(read(file)[0]["point"])


@pytest.mark.usefixtures("model_home")
def test_the_same_forecast_by_two_names_is_one_row(cli: Cli, file: Path) -> None:
    names = [TICKER, f"{TICKER}@v1", f"{TICKER}@champion"]

    assert cli("predict", *names, "--csv", str(file), "--append").code == 0

    assert len(read(file)) == 1


@pytest.mark.usefixtures("model_home")
def test_horizons_are_rows_of_their_own_and_strangers_rows_stay(cli: Cli, file: Path) -> None:
    arguments = ("predict", "--csv", str(file), "--append", "-q")
    cli(*arguments)
    other = file.read_text().splitlines()[1].replace(TICKER, "VALE3.SA")
    file.write_text(f"{file.read_text()}{other}\n")
    cli(*arguments, "--horizon", "5")
    cli(*arguments)

    assert [(row["ticker"], row["horizon"]) for row in read(file)] == [
        (TICKER, "1"),
        ("VALE3.SA", "1"),
        (TICKER, "5"),
    ]
    assert other in file.read_text()


@pytest.mark.usefixtures("model_home")
def test_a_file_of_another_kind_costs_no_forecast(cli: Cli, file: Path) -> None:
    file.write_text("day;price\n")

    outcome = cli("predict", "--csv", str(file), "--append", "--quiet")

    assert outcome.code == 2
    assert float(outcome.out) > 0
    assert outcome.err.endswith(
        f"error: {file} holds something else, so nothing was added to it: it begins with "
        "'day;price'\n  next: name another file with --csv\n"
    )
    assert file.read_text() == "day;price\n"


@pytest.mark.usefixtures("model_home")
def test_a_style_goes_through_every_evening(cli: Cli, file: Path) -> None:
    arguments = ("predict", "-q", "--csv", str(file), "--append")
    cli(*arguments, "--csv-style", "EXCEL-BR")
    (made,) = json.loads(cli("predict", "--json").out)["forecasts"]
    before = file.read_bytes()

    plain = cli(*arguments)
    cli(*arguments, "--csv-style", "excel-br", "--horizon", "2")

    assert before.startswith(b"\xef\xbb\xbfticker;version;as_of;last_close;")
    assert plain.code == 2
    assert "next: add --csv-style excel-br, or name another file" in plain.err
    first, second = read(file, ";")
    assert first["point"] == repr(made["point"]).replace(".", ",")
    assert second["horizon"] == "2"


@pytest.mark.usefixtures("model_home")
def test_a_result_is_written_whole_beside_the_output(cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "forecast.JSON"
    arguments = ("predict", "-t", TICKER, "-t", "NOPE3.SA")
    cli(*arguments)

    outcome = cli(*arguments, "--out", str(out))

    assert outcome.code == 4
    assert "Next session's close" in outcome.out
    assert out.read_text() == cli(*arguments, "--json").out
    document = json.loads(out.read_text())
    assert [error["ticker"] for error in document["errors"]] == ["NOPE3.SA"]


@pytest.mark.usefixtures("model_home")
def test_the_name_of_the_file_says_what_is_in_it(cli: Cli, tmp_path: Path) -> None:
    out, grows = tmp_path / "today.csv", tmp_path / "all.csv"

    cli("predict", "--out", str(out), "--csv", str(grows), "--append", "--csv-style", "excel-br")

    assert out.read_bytes() == grows.read_bytes()
    assert len(read(out, ";")) == 1


@pytest.mark.usefixtures("model_home")
def test_yesterdays_files_survive_an_evening_without_a_forecast(cli: Cli, tmp_path: Path) -> None:
    names = {"--out": "all.json", "--csv": "today.csv"}
    arguments = [word for option, name in names.items() for word in (option, f"{tmp_path / name}")]
    assert cli("predict", *arguments, "-q").code == 0
    before = {name: (tmp_path / name).read_bytes() for name in names.values()}

    # The bundled prices are months old.
    assert cli("predict", *arguments, "--strict", "-q").code == 6
    assert cli("predict", *arguments, "--append", "--strict", "-q").code == 6
    assert cli("predict", *arguments, "-t", "NOPE3.SA").code == 4

    assert {name: (tmp_path / name).read_bytes() for name in names.values()} == before


@pytest.mark.usefixtures("model_home")
def test_a_file_that_cannot_be_written_leaves_the_others(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "forecast.json"

    outcome = cli("predict", "-q", "--csv", f"{tmp_path}/file/x.csv", "--append", "--out", str(out))
    nowhere = cli("predict", "-q", "--out", f"{tmp_path}/file/x.json")

    assert (outcome.code, nowhere.code) == (2, 2)
    assert "name another place with --csv" in outcome.err
    assert "name another place with --out" in nowhere.err
    document = json.loads(out.read_text())
    assert len(document["forecasts"]) == len(document["errors"]) == 1


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--append"], "stocklstm predict --csv forecasts.csv --append"),
        (["--append", "--csv", "-"], "stocklstm predict --csv forecasts.csv --append"),
        (["--append", "--csv", "x.csv", "--at", "2024-03-01"], "leave out --append, or --at"),
        (["--csv-style", "excel-br"], "--csv forecasts.csv --csv-style excel-br"),
        (["--csv-style", "excel-br", "--out", "x.json"], "--csv forecasts.csv --csv-style"),
        (["--csv", "x.csv", "--csv-style", "tsv"], "take plain or excel-br"),
        (["--out", "forecast.txt"], "stocklstm predict --out forecasts.json"),
        (["--out", "-"], "stocklstm predict --out forecasts.json"),
        (["--csv", "x.csv", "--out", "./x.csv"], "leave one of them out"),
    ],
)
def test_options_that_mean_nothing(
    cli: Cli,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    hint: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    outcome = cli("predict", *words)

    assert outcome.code == 2
    assert hint in outcome.err
    assert not home.exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("model_home")
def test_bare_values_of_several_tickers_have_their_names(cli: Cli) -> None:
    value = cli("predict", "-q").out.strip()
    assert float(value) > 0

    # One ticker, whatever it is called.
    assert cli("predict", "-q", TICKER, "petr4.sa", f"{TICKER}@champion").out == f"{value}\n"

    names = ["NOPE3.SA", TICKER, "../x", "VALE3.SA", f"{TICKER}@v9", f"{TICKER}@v1"]
    outcome = cli("predict", "-q", *names[:2], "-t", "../x", *(f"-t{name}" for name in names[3:]))

    assert outcome.code == 4
    assert [line.split("\t") for line in outcome.out.splitlines()] == [
        ["NOPE3.SA", ""],
        [TICKER, value],
        ["../X", ""],
        ["VALE3.SA", ""],
        [TICKER, ""],
        [TICKER, value],
    ]


@pytest.mark.usefixtures("model_home")
def test_several_sessions_are_as_many_lines_whether_they_fail_or_not(cli: Cli) -> None:
    values = cli("predict", "-q", "--horizon", "1,3").out.split()
    assert len(values) == 2

    outcome = cli("predict", "-q", "--horizon", "3,1", "NOPE3.SA", TICKER, f"{TICKER}@v1")

    assert outcome.code == 4
    assert [line.split("\t") for line in outcome.out.splitlines()] == [
        *(["NOPE3.SA", ""], ["NOPE3.SA", ""]),
        *([TICKER, value] for value in values * 2),
    ]


@pytest.mark.usefixtures("model_home")
def test_several_sessions_are_several_rows_of_a_file_that_grows(cli: Cli, file: Path) -> None:
    arguments = ("predict", "--csv", str(file), "--append", "--horizon")

    assert [cli(*arguments, text).code for text in ("1,2", "1-3", "1-3")] == [0, 0, 0]

    found = read(file)
    assert [row["horizon"] for row in found] == ["1", "2", "3"]
    assert [row["target_session"] for row in found] == ["2024-03-14", "2024-03-15", "2024-03-18"]


@pytest.mark.usefixtures("model_home")
def test_what_is_common_to_all_sessions_is_said_once(cli: Cli) -> None:
    outcome = cli("predict", "--horizon", "1-3")

    assert outcome.err.count("\n") == 1
    assert "sessions behind" in outcome.err
    # That they were not tested stands beside the verdict, and is no news of any evening.
    assert "and those 2-3 sessions ahead were not tested: stocklstm evaluate" in outcome.out
    assert "not tested" not in cli("predict", "--horizon", "1-3", "--quiet").err


@pytest.mark.usefixtures("model_home")
def test_the_sessions_of_a_ticker_are_rows_of_eighty_columns(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    table = cli("predict", TICKER, "--horizon", "1-3,20", "--at", "2024-03-06").out

    lines = table.splitlines()
    assert lines[0] == f"Forecast closes of {TICKER}"
    assert lines[1].split()[:3] == ["Session", "Ahead", "Forecast"]
    assert [line.split()[:2] for line in lines[3:7]] == [
        ["2024-03-07", "1"],
        ["2024-03-08", "2"],
        ["2024-03-11", "3"],
        ["2024-04-04", "20"],
    ]
    # What came is known of those up to the last stored close.
    assert [line.count("R$") for line in lines[3:7]] == [2, 2, 2, 1]
    assert max(map(len, lines[:7])) <= 80
    assert f"{TICKER}@v1, from the close of 2024-03-06, R$ 40.84, 1-3,20 sessions ahead." in table
