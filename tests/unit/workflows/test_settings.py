"""Where settings stand, which of them holds, and what is said of those that cannot."""

from pathlib import Path

import pytest

from stocklstm import effective_settings
from stocklstm.core.settings.config import PRESETS
from stocklstm.errors import ConfigError, NoModelError, NotFoundError
from stocklstm.store.paths import config_file
from stocklstm.workflows.settings import show_paths, show_settings, unknown_variables
from tests.conftest import TICKER, Cli


@pytest.fixture
def own() -> Path:
    """Give the user's own file, which every test has somewhere else."""
    return config_file()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.toml"


def test_the_stronger_place_counts(own: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own.write_text("epochs = 1\nseed = 1\n")
    assert effective_settings({}).config.epochs == 1
    file.write_text('epochs = 2\nhidden_size = 2\npreset = "paper"\nbatch_size = 2\n')
    monkeypatch.setenv("STOCKLSTM_EPOCHS", "3")
    monkeypatch.setenv("STOCKLSTM_HIDDEN_SIZE", "3")

    found = effective_settings({"epochs": 4}, file=file)

    config, origins = found.config, found.origins
    assert (config.epochs, config.hidden_size, config.batch_size, config.seed) == (4, 3, 2, 0)
    assert (config.preset, config.num_layers) == ("paper", 2)
    assert origins["epochs"] == "--epochs"
    assert origins["hidden_size"] == "STOCKLSTM_HIDDEN_SIZE"
    assert origins["batch_size"] == origins["preset"] == str(file)
    assert origins["num_layers"] == "preset paper"


def test_the_environment_may_choose_the_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCKLSTM_PRESET", "paper-short")
    monkeypatch.setenv("STOCKLSTM_PATIENCE", "none")

    assert effective_settings({}).config == PRESETS["paper-short"]


@pytest.mark.usefixtures("model_home")
def test_a_version_stands_in_for_the_preset_and_the_users_own_file(
    own: Path,
) -> None:
    own.write_text("hidden_size = 99\n")

    found = effective_settings({"seed": 5}, like=f"{TICKER}@v1")

    assert (found.config.hidden_size, found.config.seed) == (16, 5)
    assert found.origins["hidden_size"] == f"{TICKER}@v1"
    with pytest.raises(ConfigError, match="exclude each other"):
        effective_settings({"preset": "paper"}, like=TICKER)
    with pytest.raises(NoModelError):
        effective_settings({}, like=f"{TICKER}@v7")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("learning_rate = ", "is not TOML"),
        ("learnig_rate = 1.0", "no setting 'learnig_rate'"),
        ('epochs = "many"', "epochs must be a whole number"),
        ("preset = 1", "preset must be a word"),
        ("[train]\nepochs = 1", "no setting 'train'"),
        ("dropout = 2.0", "dropout must be"),
        ("\0", "is not TOML"),
        (f"epochs = {'9' * 5000}", "is not TOML"),
        (f"{'a.' * 20_000}a = 1", "line 1 has more than 100 dots"),
        (f"[{'a . ' * 2_000}a]\n{'b = 1' * 9_000}", "line 1 has more than 100 dots"),
        ("epochs = 1\n" + "#" * (1 << 20), "larger than 1,048,576 characters"),
    ],
)
def test_a_file_that_cannot_be_is_refused(file: Path, text: str, words: str) -> None:
    file.write_text(text)

    with pytest.raises(ConfigError, match=words):
        effective_settings({}, file=file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no file"):
        effective_settings({}, file=tmp_path / "run.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        effective_settings({}, file=tmp_path)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="reads a device of Unix")
def test_a_file_without_an_end_is_not_read_to_its_end() -> None:
    with pytest.raises(ConfigError, match="larger than 16 MB"):
        effective_settings({}, file=Path("/dev/zero"))


def test_a_variable_that_cannot_be_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCKLSTM_EPOCHS", "many")
    monkeypatch.setenv("STOCKLSTM_EPOCH", "3")

    assert unknown_variables() == ["STOCKLSTM_EPOCH"]
    with pytest.raises(ConfigError, match="STOCKLSTM_EPOCHS"):
        effective_settings({})


def test_everything_is_shown(tmp_path: Path) -> None:
    shown = {setting.name: setting for setting in show_settings(effective_settings({}))}

    assert shown["clip_norm"].value == 1.0
    assert shown["clip_norm"].option == "--clip-norm"
    assert [place.name for place in show_paths()] == ["config", "store", "cache"]
    assert show_paths()[0].path == str(tmp_path / "config.toml")


# On the command line


@pytest.mark.usefixtures("priced_home")
def test_exit_codes(cli: Cli, file: Path) -> None:
    file.write_text("epochs = 'many'")
    assert cli("train", "-t", TICKER, "--config", str(file)).code == 2
    assert cli("train", "-t", TICKER, "--config", str(file) + "x").code == 4
    assert cli("train", "-t", TICKER, "--epochs", "many").code == 2
    assert cli("config", "show", "--like", TICKER).code == 4
    assert cli("train", "--resume", "PETR4.SA-1-2").code == 4
    outcome = cli("train", "--resume", "auto", "--epochs", "3")
    assert outcome.code == 2
    assert "keeps its settings" in outcome.err


def test_an_unknown_variable_is_a_warning(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOCKLSTM_EPOCH", "3")

    outcome = cli("train", "-t", TICKER, "--no-fetch")

    assert not home.exists()
    assert outcome.code == 4
    assert "warning: STOCKLSTM_EPOCH is no setting" in outcome.err


def test_what_holds_is_shown(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCKLSTM_CLIP_NORM", "none")

    plain, origin = cli("config", "show", "--quiet"), cli("config", "show", "--origin")

    assert "clip_norm none\n" in plain.out
    (line,) = [line for line in origin.out.splitlines() if line.startswith("clip_norm")]
    assert line.split() == ["clip_norm", "none", "STOCKLSTM_CLIP_NORM"]
    assert cli("config", "path", "--quiet").out.startswith("config ")


def test_a_file_that_nobody_can_look_for_is_no_bug(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the directory may not be entered, for which root would have to be somebody else."""
    monkeypatch.setenv("STOCKLSTM_CONFIG", "/" + "x" * 300)

    for command in (("config", "show"), ("config", "path")):
        outcome = cli(*command)

        assert outcome.code == 2
        assert "cannot check " in outcome.err
        assert "STOCKLSTM_CONFIG" in outcome.err


def test_the_users_own_file_may_name_the_language(
    cli: Cli, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.write_text('lang = "pt_BR"\nepochs = 1\n')

    def title(*words: str) -> str:
        return cli("config", "path", *words).out.split("\n", 1)[0]

    assert title() == "Locais"
    assert title("--lang", "en") == "Places"
    monkeypatch.setenv("STOCKLSTM_LANG", "en")
    assert title() == "Places"
    assert title("--lang", "pt-br") == "Locais"
    # It is no setting of a training.
    assert effective_settings({}).config.epochs == 1
    assert "lang" not in cli("config", "show", "--json").out


def test_a_language_that_nobody_speaks_is_named_where_settings_are_read(
    cli: Cli, own: Path
) -> None:
    own.write_text('lang = "klingon"\n')

    assert cli("config", "path").out.startswith("Places\n")
    outcome = cli("config", "show")
    assert outcome.code == 2
    assert f"lang must be en or pt-BR, not 'klingon' ({own})" in outcome.err


@pytest.mark.parametrize("content", [b"\xff", b"lang = [", b"lang = 5", b"lang = " + b"[" * 5000])
def test_a_file_that_is_no_good_costs_no_output(cli: Cli, own: Path, content: bytes) -> None:
    own.write_bytes(content)

    outcome = cli("config", "path")

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("Places\n")
