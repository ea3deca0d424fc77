"""A version that a program of the past published does all that one of today does."""

import json
from pathlib import Path

import pytest

from stocklstm import predict
from stocklstm.store.bundles import encode_bundle
from stocklstm.store.manifest import FILE_NAME
from stocklstm.store.manifest_migrations import FORMAT
from tests.conftest import TICKER, Cli
from tests.support.past_versions import FORMATS, adopt, forecast_of
from tests.support.tampering import flip_bit


@pytest.fixture(params=FORMATS)
def number(request: pytest.FixtureRequest, priced_home: Path) -> int:
    adopt(priced_home, request.param)
    return request.param


def test_it_forecasts_what_it_forecast_then(number: int, home: Path) -> None:
    (found,) = predict(home=home).forecasts

    then = forecast_of(number)
    # Another processor may round differently; another meaning of a field moves it by far more.
    assert found.point == pytest.approx(then["point"], rel=1e-6)
    assert found.quantiles == pytest.approx(then["quantiles"], rel=1e-6)
    assert (found.as_of, found.target_session) == (then["as_of"], then["target_session"])
    assert found.verdict_text == then["verdict_text"]


def test_it_is_whole_and_its_bytes_stay(cli: Cli, number: int, home: Path) -> None:
    manifest = home / "models" / TICKER / "v2" / "manifest.json"
    before = manifest.read_bytes()

    outcome = cli("validate", "--deep", "--json")

    model, store = json.loads(outcome.out)["results"]
    assert outcome.code == 0
    assert (model["status"], store["status"]) == ("ok", "ok")
    assert model["checks"][0]["detail"].startswith(f"format {number}, read as {FORMAT}")
    assert manifest.read_bytes() == before


@pytest.mark.usefixtures("number")
def test_damage_is_found_before_it_is_read(cli: Cli, home: Path) -> None:
    flip_bit(home / "models" / TICKER / "v2" / "manifest.json", 0.5)

    assert cli("predict").code == 5
    assert cli("validate").code == 5


@pytest.mark.usefixtures("number")
def test_it_is_listed_shown_and_carried_to_another_store(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("models", "list", "--quiet").out == f"{TICKER}@v2\n"
    (shown,) = json.loads(cli("models", "show", TICKER, "--json").out)["models"]
    bundle = tmp_path / "v2.zip"
    assert cli("models", "export", TICKER, "--output", str(bundle)).code == 0
    monkeypatch.setenv("STOCKLSTM_HOME", str(tmp_path / "other"))

    outcome = cli("models", "import", str(bundle), "--json")

    assert outcome.code == 0, outcome.err
    taken = json.loads((tmp_path / "other/models/PETR4.SA/v1/manifest.json").read_bytes())
    assert (taken["format"], taken["imported_from"]["model"]) == (FORMAT, f"{TICKER}@v2")
    assert taken["anchor"] == shown["manifest"]["anchor"]
    assert shown["manifest"]["format"] == FORMAT


@pytest.mark.usefixtures("number")
def test_a_bundle_of_its_time_is_taken(
    cli: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = home / "models" / TICKER / "v2"
    files = {path.name: path.read_bytes() for path in version.iterdir()}
    bundle = tmp_path / "v2.zip"
    bundle.write_bytes(encode_bundle(files.pop(FILE_NAME), files))
    monkeypatch.setenv("STOCKLSTM_HOME", str(tmp_path / "other"))

    outcome = cli("models", "import", str(bundle), "--quiet")

    assert (outcome.code, outcome.out) == (0, f"{TICKER}@v1\n"), outcome.err
    assert cli("validate", "--quiet").code == 0


def test_it_is_scored_made_smaller_and_compared(cli: Cli, number: int) -> None:
    then = forecast_of(number)

    (scored,) = json.loads(cli("evaluate", "--json").out)["results"]
    assert scored["verdict"] == then["verdict"]
    assert cli("quantize", "-t", TICKER, "--quiet").code in {0, 3}
    assert cli("models", "diff", f"{TICKER}@v2", f"{TICKER}@v3").code == 0
    assert cli("evaluate", "--walk-forward", "20", "-t", f"{TICKER}@v2", "--quiet").code == 0
    assert cli("validate", "--all", "--deep", "--quiet").code == 0
