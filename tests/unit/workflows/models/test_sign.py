"""What a signature finds, and what it does not stand in the way of."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import gettempdir

import pytest

from tests.conftest import TICKER, TINY_OPTIONS, Cli, Outcome
from tests.support.tampering import flip_bit, replace_manifest

KEY = "4f1c0ffee4f1c0ffee4f1c0ffee4f1c0"
OTHER = "another key that nobody can guess"
V1 = f"{TICKER}@v1"


def use_key(monkeypatch: pytest.MonkeyPatch, key: str = KEY) -> None:
    monkeypatch.setenv("STOCKLSTM_SIGNING_KEY", key)


@pytest.fixture
def signed(cli: Cli, model_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PETR4.SA@v1, published without a key and signed later; the key is set."""
    use_key(monkeypatch)
    assert cli("models", "sign", V1).code == 0
    return model_home / "models" / TICKER / "v1"


def signatures(home: Path) -> list[str | None]:
    with closing(sqlite3.connect(home / "stocklstm.db")) as connection:
        rows = connection.execute("SELECT signature FROM versions ORDER BY version").fetchall()
    return [signature for (signature,) in rows]


def check(cli: Cli) -> tuple[int, dict[str, str]]:
    outcome = cli("validate", "--ticker", TICKER, "--json")
    (result,) = json.loads(outcome.out)["results"]
    return outcome.code, {check["name"]: check["status"] for check in result["checks"]}


def tamper(version: Path) -> None:
    """Change the manifest, and what the database knows of it, as who may write to both can."""
    text = (version / "manifest.json").read_text()
    assert '"verdict": "no_better"' in text
    replace_manifest(version, text.replace('"verdict": "no_better"', '"verdict": "better"'))


def test_without_a_key_nothing_is_signed_and_nothing_is_missed(cli: Cli, model_home: Path) -> None:
    assert signatures(model_home) == [None]
    assert check(cli) == (0, check(cli)[1] | {"signature": "ok"})
    assert "signed" not in cli("predict").err


def test_a_change_that_hashes_do_not_find(
    cli: Cli, signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check(cli)[1]["signature"] == "ok"

    tamper(signed)

    assert check(cli) == (5, check(cli)[1] | {"manifest": "ok", "signature": "failed"})
    for command in (
        ["predict"],
        ["evaluate"],
        ["models", "show", TICKER],
        ["models", "list"],
        ["models", "promote", V1],
        ["models", "export", V1],
        ["models", "sign", V1],
    ):
        assert cli(*command).code == 5, command
    monkeypatch.delenv("STOCKLSTM_SIGNING_KEY")
    assert check(cli) == (0, check(cli)[1] | {"signature": "warning"})


def test_a_refused_version_forecasts_nothing(cli: Cli, signed: Path, home: Path) -> None:
    tamper(signed)

    outcome = cli("predict")

    assert (outcome.code, outcome.out) == (5, "")
    assert f"the signature of {V1} does not fit" in outcome.err
    with closing(sqlite3.connect(home / "stocklstm.db")) as connection:
        assert connection.execute("SELECT count(*) FROM forecasts").fetchone() == (0,)


@pytest.mark.usefixtures("signed")
def test_another_key_finds_every_version_wrong_until_they_are_signed_anew(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_key(monkeypatch, OTHER)

    assert cli("predict").code == 5
    assert "--replace" in cli("models", "sign", V1).err
    (done,) = json.loads(cli("models", "sign", "--all", "--replace", "--json").out)["results"]
    assert (done["replaced"], done["unchanged"]) == (True, False)
    assert cli("predict").code == 0


@pytest.mark.usefixtures("signed")
def test_a_wrong_key_removes_nothing_that_another_version_was_made_from(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("quantize", "-t", V1, "--tolerance", "100").code == 0
    assert cli("models", "promote", f"{TICKER}@v2").code == 0
    # Names keep what they mean, and so would hide what keeps the version that none means.
    with closing(sqlite3.connect(home / "stocklstm.db")) as connection, connection:
        connection.execute("DELETE FROM aliases WHERE name = 'previous'")
    use_key(monkeypatch, OTHER)

    assert cli("models", "gc", "--keep", "0").code == 0


@pytest.mark.usefixtures("model_home")
def test_a_version_without_a_signature_forecasts_with_a_warning(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_key(monkeypatch)

    outcome = cli("predict", "--json")

    (forecast,) = json.loads(outcome.out)["forecasts"]
    assert outcome.code == 0
    assert f"{V1} is not signed: stocklstm models sign {V1}" in forecast["warnings"]
    assert check(cli) == (0, check(cli)[1] | {"signature": "warning"})


@pytest.mark.usefixtures("signed")
def test_signing_twice_changes_nothing(cli: Cli, home: Path) -> None:
    before = signatures(home)

    (again,) = json.loads(cli("models", "sign", V1, "--json").out)["results"]

    assert again == {"ticker": TICKER, "version": 1, "replaced": False, "unchanged": True}
    assert signatures(home) == before


@pytest.mark.parametrize("name", ["manifest.json", "model.pth", "history.csv"])
def test_what_is_not_whole_is_not_signed(
    cli: Cli, model_home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    use_key(monkeypatch)
    flip_bit(model_home / "models" / TICKER / "v1" / name, 0.5)

    assert cli("models", "sign", V1).code == 5
    assert signatures(model_home) == [None]


def test_whatever_is_published_with_a_key_is_signed(
    cli: Cli, model_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_key(monkeypatch)
    bundle = tmp_path / "bundle.zip"
    assert cli("train", "-t", TICKER, *TINY_OPTIONS).code == 0
    assert cli("quantize", "-t", f"{TICKER}@v2").code in {0, 3}
    assert cli("models", "export", f"{TICKER}@v2", "--output", str(bundle)).code == 0
    assert cli("models", "rm", f"{TICKER}@v2").code in {0, 3}

    made = signatures(model_home)
    assert made[0] is None
    assert None not in made[1:]
    monkeypatch.setenv("STOCKLSTM_HOME", str(tmp_path / "other"))
    assert cli("models", "import", str(bundle)).code == 0
    (anew,) = signatures(tmp_path / "other")
    assert anew is not None
    assert anew not in made
    assert check(cli)[1]["signature"] == "ok"


def test_the_key_is_written_nowhere(cli: Cli, signed: Path, home: Path) -> None:
    shown = [
        cli("config", "show", "--json"),
        cli("validate", "--verbose"),
        cli("-v", "predict"),
        cli("models", "show", TICKER),
    ]
    tamper(signed)
    shown.append(cli("-v", "predict"))

    written = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert KEY.encode() not in written
    assert not any(KEY in outcome.out + outcome.err for outcome in shown)


def test_a_manifest_tells_neither_who_made_it_nor_where(model_home: Path) -> None:
    text = (model_home / "models" / TICKER / "v1" / "manifest.json").read_text()

    assert gettempdir() not in text
    assert json.loads(text)["environment"].keys() == {
        *("python", "machine", "stocklstm", "torch", "onnx", "onnxruntime", "numpy")
    }


def refused(cli: Cli, *arguments: str) -> Outcome:
    outcome = cli("models", "sign", *arguments)
    assert outcome.code == 2, outcome
    return outcome


@pytest.mark.usefixtures("model_home")
def test_signing_needs_a_key_and_exact_names(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "openssl rand -hex 32" in refused(cli, V1).err
    use_key(monkeypatch)
    assert "--all" in refused(cli).err
    assert "by its number" in refused(cli, TICKER).err
    use_key(monkeypatch, "short")
    assert "5 of at least 16 characters" in refused(cli, V1).err
    assert cli("predict").code == 2


@pytest.mark.usefixtures("model_home")
def test_the_key_is_no_unknown_setting(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    use_key(monkeypatch)

    assert "STOCKLSTM_SIGNING_KEY" not in cli("config", "show").err
