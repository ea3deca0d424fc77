"""predict for spreadsheets, and after a fetch that goes wrong in this very process."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from stocklstm import predict
from stocklstm.cli.output import Mode, show
from stocklstm.cli.predict.forecasts import VIEW
from stocklstm.core.batch import Batch
from stocklstm.store.locks import writer_lock
from stocklstm.store.store import open_store
from stocklstm.workflows.prices import fetch as fetching
from tests.conftest import TICKER, Cli

COLUMNS = [
    *("ticker", "version", "as_of", "last_close", "currency", "target_session", "horizon"),
    *("point", "change_pct", "lower_80", "upper_80", "lower_95", "upper_95", "adaptive", "verdict"),
    "model",
]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_bare_value_has_the_digits_of_the_table(
    model_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (made,) = predict([TICKER], home=model_home).forecasts
    # A share that cost less than one, and is to cost more.
    made = replace(made, last_close=0.9984, point=1.0013)

    show(VIEW, Batch((made,)), Mode.HUMAN)

    assert "R$ 1.0013" in capsys.readouterr().out
    assert list(VIEW.bare(made)) == ["1.0013"]


@pytest.mark.usefixtures("model_home")
def test_standard_output_holds_the_rows_and_nothing_else(cli: Cli) -> None:
    (made,) = json.loads(cli("predict", "--json").out)["forecasts"]

    outcome = cli("predict", "--csv", "-")

    assert outcome.code == 0
    assert outcome.out.splitlines()[0] == ",".join(COLUMNS)
    (row,) = rows(outcome.out)
    assert (row["ticker"], row["version"], row["verdict"]) == (TICKER, "1", made["verdict"])
    assert row["model"] == made["model"]
    for name in ("last_close", "point", "change_pct", "horizon"):
        assert float(row[name]) == made[name]
    for interval in made["intervals"]:
        level = f"{100 * interval['level']:g}"
        assert float(row[f"lower_{level}"]) == interval["lower"]
        assert float(row[f"upper_{level}"]) == interval["upper"]
    assert "sessions behind" in outcome.err


@pytest.mark.usefixtures("model_home")
def test_a_file_is_written_beside_the_table(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "forecasts.csv"
    file.write_text("yesterday's")
    arguments = ("predict", "--levels", "0.9,0.98", "--horizon", "3")

    outcome = cli(*arguments, "--csv", str(file))

    assert outcome.code == 0
    assert outcome.out == cli(*arguments).out
    assert "Forecast" in outcome.out
    assert file.read_text() == cli(*arguments, "--csv", "-").out
    (row,) = rows(file.read_bytes().decode("utf-8"))
    assert [name for name in row if "_9" in name] == [
        *("lower_90", "upper_90", "lower_98", "upper_98")
    ]
    assert row["horizon"] == "3"


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize("mode", ["--json", "--quiet"])
def test_a_file_goes_with_every_other_output(cli: Cli, tmp_path: Path, mode: str) -> None:
    file = tmp_path / "forecasts.csv"

    cli("predict")
    outcome = cli("predict", mode, "--csv", str(file))

    assert (outcome.code, outcome.out) == (0, cli("predict", mode).out)
    assert len(rows(file.read_text())) == 1


@pytest.mark.usefixtures("model_home")
def test_what_fails_is_no_row(cli: Cli) -> None:
    outcome = cli("predict", "--csv", "-", "-t", TICKER, "-t", "NOPE3.SA")

    assert outcome.code == 4
    assert [row["ticker"] for row in rows(outcome.out)] == [TICKER]
    assert "NOPE3.SA" in outcome.err


@pytest.mark.usefixtures("model_home")
def test_without_any_forecast_there_are_headings(cli: Cli) -> None:
    outcome = cli("predict", "--csv", "-", "--strict")

    assert outcome.code == 6
    assert outcome.out == ",".join(COLUMNS) + "\n"


@pytest.mark.usefixtures("model_home")
def test_a_file_that_cannot_be_written_costs_no_forecast(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    outcome = cli("predict", "--csv", f"{tmp_path}/file/forecasts.csv")

    assert outcome.code == 2
    assert "Forecast" in outcome.out
    assert "name another place with --csv" in outcome.err


def test_a_fetch_that_another_one_keeps_waiting_costs_a_warning(cli: Cli, model_home: Path) -> None:
    arguments = ("predict", "--fetch", "--lock-timeout", "0.05", "--quiet")
    with open_store(model_home) as store, writer_lock(store.paths, "prices", 1):
        outcome, strict = cli(*arguments), cli(*arguments, "--strict")

    assert outcome.code == 0
    assert float(outcome.out) > 0
    assert "prices could not be refreshed" in outcome.err
    assert (strict.code, strict.out) == (75, "")


@pytest.mark.usefixtures("model_home")
def test_a_bug_in_the_fetch_is_said_beside_the_forecast(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(_run: object, _ticker: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(fetching, "_fetch_one", break_down)

    outcome = cli("predict", "--fetch", "--quiet")

    assert outcome.code == 1
    assert float(outcome.out) > 0
    assert "Traceback" in outcome.err


@pytest.mark.usefixtures("model_home")
def test_a_ticker_without_a_model_is_not_fetched(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(fetching, "_fetch_one", never)

    outcome = cli("predict", "--fetch", "--ticker", "PETR44.SA")

    assert outcome.code == 4
    assert "there is no model of PETR44.SA" in outcome.err
