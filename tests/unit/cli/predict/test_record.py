"""forecasts: what was forecast and what came, as a table, rows and bare values."""

import csv
import io
import json
from pathlib import Path

import pytest

from stocklstm import predict
from tests.conftest import TICKER, Cli, Program
from tests.support.evenings import cut_off, live_through

EVENINGS = 4


@pytest.fixture
def lived(model_home: Path) -> list[float]:
    """Forecast on some evenings, and give the closes from the first one's on."""
    bars = cut_off(model_home, EVENINGS)
    live_through(model_home, bars, range(len(bars) - EVENINGS, len(bars)))
    return bars.closes[-EVENINGS:].tolist()


def test_what_came_stands_beside_what_was_forecast(cli: Cli, lived: list[float]) -> None:
    record = json.loads(cli("forecasts", "--json").out)["forecasts"]

    assert [past["as_of"] for past in record] == [
        *("2024-03-08", "2024-03-11", "2024-03-12", "2024-03-13")
    ]
    assert [past["last_close"] for past in record] == pytest.approx(lived)
    # No dividend fell due in these days: what came is the close of the next evening.
    for past, came in zip(record, lived[1:], strict=False):
        assert past["outcome"] == pytest.approx(came)
        assert past["error"] == pytest.approx(past["point"] - came)
        for interval in past["intervals"]:
            inside = interval["lower"] <= came <= interval["upper"]
            assert past["held"][f"{interval['level']:g}"] is inside
    assert (record[-1]["outcome"], record[-1]["error"], record[-1]["held"]) == (None, None, None)
    assert {past["model"] for past in record} == {f"{TICKER}@v1"}


@pytest.mark.usefixtures("lived")
def test_rows_hold_what_json_holds(cli: Cli, tmp_path: Path) -> None:
    record = json.loads(cli("forecasts", "--json").out)["forecasts"]
    file = tmp_path / "record.csv"

    shown, table = cli("forecasts", "--csv", "-").out, cli("forecasts").out
    beside = cli("forecasts", "--csv", str(file))

    assert beside.out == table
    assert file.read_text() == shown
    rows = list(csv.DictReader(io.StringIO(shown)))
    assert [row["held_80"] for row in rows[:-1]] == [
        str(past["held"]["0.8"]).lower() for past in record[:-1]
    ]
    for row, past in zip(rows, record, strict=True):
        for name in ("ticker", "model", "made_at", "as_of", "target_session", "currency"):
            assert row[name] == past[name]
        for name in ("last_close", "point", "change_pct", "outcome", "error", "scale"):
            assert row[name] == ("" if past[name] is None else repr(past[name]))
        for interval in past["intervals"]:
            assert float(row[f"upper_{100 * interval['level']:g}"]) == interval["upper"]
    assert (rows[-1]["held_80"], rows[-1]["late"]) == ("", "false")
    excel = cli("forecasts", "--csv", "-", "--csv-style", "excel-br").out
    swapped = shown.translate(str.maketrans({",": ";", ".": ",", "\n": "\r\n"}))
    assert excel == "\ufeff" + swapped.replace("PETR4,SA", TICKER)


def test_the_mark_of_utf8_is_not_for_other_encodings(program: Program, model_home: Path) -> None:
    predict([TICKER], home=model_home)
    arguments = ("forecasts", "--csv", "-", "--csv-style", "excel-br")

    shown = program(*arguments, PYTHONIOENCODING="latin-1")

    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("ticker;model;")
    assert program(*arguments, PYTHONIOENCODING="utf-8").stdout.startswith("\ufeffticker;model;")


@pytest.mark.usefixtures("lived")
def test_bare_values_have_a_cell_for_what_has_not_come(cli: Cli) -> None:
    record = json.loads(cli("forecasts", "--json").out)["forecasts"]

    lines = [line.split("\t") for line in cli("forecasts", "--quiet").out.splitlines()]

    assert [line[:2] for line in lines] == [[TICKER, p["target_session"]] for p in record]
    assert [float(line[2]) for line in lines] == [past["point"] for past in record]
    assert [line[3] for line in lines[-2:]] == [repr(record[-2]["outcome"]), ""]


@pytest.mark.usefixtures("lived")
@pytest.mark.parametrize("columns", [40, 80, 130])
def test_nothing_is_cut_off(cli: Cli, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    record = json.loads(cli("forecasts", "--json").out)["forecasts"]
    monkeypatch.setenv("COLUMNS", str(columns))

    shown = cli("forecasts").out

    assert max(map(len, shown.splitlines())) <= columns
    assert "…" not in shown
    for past in record:
        assert past["target_session"] in shown
        assert past["as_of"] in shown
        assert f"{past['point']:.2f}" in shown
        for interval in past["intervals"]:
            assert f"{interval['lower']:.2f} to {interval['upper']:.2f}" in shown
        if past["error"] is not None:
            assert f"{past['error']:+.2f}" in shown
    held = [sum(past["held"][level] for past in record[:-1]) for level in ("0.8", "0.95")]
    assert " ".join(shown.split()).endswith(
        f"Of 3 that closed and were made in time: 80 % held {held[0]}, 95 % held {held[1]}."
    )


@pytest.mark.usefixtures("lived")
def test_two_lines_a_forecast_where_one_is_too_wide(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    lines = cli("forecasts", "--since", "2024-03-14").out.splitlines()

    assert lines[0] == "PETR4.SA, forecasts on record in R$"
    assert lines[1].split() == ["Session", "Made", "(UTC)", "Forecast", "80", "%", "Came"]
    assert lines[2].split() == ["From", "Model", "Ahead", "95", "%", "Error", "Inside"]
    assert lines[4].split()[:3] == ["2024-03-14", "2024-03-13", "23:00"]
    assert lines[5].split()[:3] == ["2024-03-13", "PETR4.SA@v1", "1"]
    assert lines[6:] == ["Intervals: as the model gave them, not adapted."]


@pytest.mark.usefixtures("lived")
def test_days_and_tickers_that_were_asked_for(cli: Cli) -> None:
    def sessions(*words: str) -> list[str]:
        found = json.loads(cli("forecasts", "--json", *words).out)["forecasts"]
        return [past["target_session"] for past in found]

    assert sessions("petr4.sa", "--since", "2024-03-13") == ["2024-03-13", "2024-03-14"]
    assert sessions("-t", TICKER, TICKER) == sessions()

    none = cli("forecasts", "--since", "2024-03-15")
    assert (none.code, none.out) == (0, "")
    assert none.err == "no forecast on record is of a session from 2024-03-15 on\n"
    assert cli("forecasts", "--since", "2024-03-15", "-q").err == ""
    other = cli("forecasts", TICKER, "NOPE3.SA", "-q")
    assert (other.code, len(other.out.splitlines())) == (4, EVENINGS)
    assert "next: stocklstm fetch --ticker NOPE3.SA" in other.err


def test_one_that_was_made_too_late_is_marked_and_not_counted(cli: Cli, model_home: Path) -> None:
    cut_off(model_home, 1)
    predict([TICKER], home=model_home, now="2024-03-20T12:00:00Z")

    outcome = cli("forecasts")

    assert "2024-03-20 12:00 late" in outcome.out
    assert "held" not in outcome.out


@pytest.mark.usefixtures("lived")
def test_a_file_is_not_emptied_by_what_is_not_there(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "record.csv"
    assert cli("forecasts", "--csv", str(file), "-q").code == 0
    before = file.read_bytes()

    assert cli("forecasts", "NOPE3.SA", "--csv", str(file)).code == 4
    assert file.read_bytes() == before

    # That there are none of these sessions is an answer.
    assert cli("forecasts", "--since", "2024-03-15", "--csv", str(file)).code == 0
    assert file.read_bytes() == before.splitlines(keepends=True)[0]
    (tmp_path / "taken").write_text("")
    outcome = cli("forecasts", "-q", "--csv", f"{tmp_path}/taken/record.csv")
    assert (outcome.code, len(outcome.out.splitlines())) == (2, EVENINGS)
    assert "next: name another place with --csv" in outcome.err


@pytest.mark.usefixtures("model_home")
def test_without_any_forecast(cli: Cli) -> None:
    every, one = cli("forecasts"), cli("forecasts", TICKER)

    assert (every.code, one.code) == (4, 4)
    assert every.err == "error: no forecast is on record\n  next: stocklstm predict\n"
    assert one.err == (
        f"error: {TICKER}: no forecast of {TICKER} is on record\n"
        f"  next: stocklstm predict --ticker {TICKER}\n"
    )


def test_a_ticker_that_was_renamed_keeps_its_forecasts(cli: Cli, lived: list[float]) -> None:
    assert cli("prices", "rename", TICKER, "BHIA3.SA").code == 0

    record = json.loads(cli("forecasts", "--json").out)["forecasts"]
    old = cli("forecasts", TICKER)

    assert {(past["ticker"], past["model"]) for past in record} == {("BHIA3.SA", f"{TICKER}@v1")}
    assert len(record) == len(lived)
    assert old.code == 4
    assert "was renamed to BHIA3.SA" in old.err


@pytest.mark.usefixtures("model_home")
def test_a_version_is_no_ticker(cli: Cli) -> None:
    outcome = cli("forecasts", f"{TICKER}@v1")

    assert outcome.code == 2
    assert outcome.err == (
        "error: forecasts are listed by ticker, whichever version made them, not by "
        f"'{TICKER}@v1'\n  next: stocklstm forecasts {TICKER}\n"
    )


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--since", "13/03/2024"], "stocklstm forecasts --since 2024-03-13"),
        (["--csv", "-", "--json"], "stocklstm forecasts --json --csv record.csv"),
        (["--csv-style", "excel-br"], "--csv forecasts.csv --csv-style excel-br"),
    ],
)
def test_options_that_mean_nothing(cli: Cli, home: Path, words: list[str], hint: str) -> None:
    outcome = cli("forecasts", *words)

    assert outcome.code == 2
    assert hint in outcome.err
    assert not home.exists()
