"""--picture-format: what pictures are written as."""

import json
from pathlib import Path

import pytest

from tests.conftest import TICKER, Cli


def test_a_picture_has_the_form_that_is_asked_for(
    cli: Cli, model_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = model_home / "reports" / TICKER / "v1"

    assert cli("predict", "--plot", "--picture-format", "svg").code == 0
    assert cli("predict", "--plot", "--picture-format", "PNG-dark").code == 0
    assert cli("predict", "--plot-file", str(tmp_path / "fan.SVG")).code == 0
    assert cli("predict", "--plot").code == 0  # the option was of one command
    monkeypatch.setenv("STOCKLSTM_PICTURE_FORMAT", "svg-dark")
    assert cli("predict", "--plot").code == 0

    names = ["forecast-dark.png", "forecast-dark.svg", "forecast.png", "forecast.svg"]
    assert sorted(path.name for path in reports.iterdir()) == names
    for path in (*reports.iterdir(), tmp_path / "fan.SVG"):
        begins = b"<?xml" if path.suffix.lower() == ".svg" else b"\x89PNG"
        assert path.read_bytes().startswith(begins)


def test_a_form_that_there_is_not_is_refused(
    cli: Cli, model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = cli("predict", "--plot", "--picture-format", "gif")
    assert refused.code == 2
    assert "png, svg, png-dark, svg-dark" in refused.err

    monkeypatch.setenv("STOCKLSTM_PICTURE_FORMAT", "gif")
    outcome = cli("predict", "--plot")
    assert "STOCKLSTM_PICTURE_FORMAT is 'gif'" in outcome.out + outcome.err
    assert "PETR4.SA" in outcome.out
    assert not (model_home / "reports" / TICKER).exists()


@pytest.mark.usefixtures("model_home")
def test_all_that_draws_takes_the_form(cli: Cli) -> None:
    evaluated = cli("evaluate", "--picture-format", "svg-dark", "--json")

    (scored,) = json.loads(evaluated.out)["results"]
    assert [Path(plot).name for plot in scored["plots"]] == [
        "predictions_vs_actual-dark.svg",
        "errors_over_time-dark.svg",
        "calibration-dark.svg",
        "training_history-dark.svg",
    ]
