"""The tutorials' files: written for plain torch and joblib, read without unpickling."""

import gzip
import io
import pickle
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestRegressor

from stocklstm import export_model, import_model, predict, promote, quantize, train, validate
from stocklstm.core.settings.config import configure
from stocklstm.errors import (
    ArtifactCorruptError,
    ConfigError,
    NoPricesError,
    NotFoundError,
)
from stocklstm.store.store import open_store
from stocklstm.workflows.models.imports import ImportedVersion
from tests.conftest import TICKER, Cli
from tests.support.places import DOCS
from tests.support.tampering import Bomb

Readers = dict[str, Any]


@pytest.fixture(scope="session")
def _paper(_priced: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("paper") / "home"
    shutil.copytree(_priced, home)
    config = configure("paper", epochs=2, hidden_size=8, seq_length=10, batch_size=256)
    assert not train([TICKER], config, home=home).failures
    export_model(TICKER, home / "classic", file_format="classic", home=home)
    return home


@pytest.fixture
def paper_home(_paper: Path, home: Path) -> Path:
    shutil.copytree(_paper, home)
    return home


@pytest.fixture
def files(paper_home: Path) -> Path:
    return paper_home / "classic"


@pytest.fixture
def documented() -> Readers:
    """Run the code of docs/how-to/bundles.md, as a reader would paste it."""
    (code,) = re.findall(
        r"```python\n(.*?)```", (DOCS / "how-to" / "bundles.md").read_text(), re.DOTALL
    )
    names: Readers = {}
    exec(code, names)  # noqa: S102 - our own document
    return names


def closes_of(home: Path) -> np.ndarray:
    with open_store(home) as store:
        return store.prices.bars(TICKER).closes


def take(files: Path, home: Path, **options: str) -> ImportedVersion:
    (taken,) = import_model(files, file_format="classic", home=home, **options).results
    return taken


def test_plain_torch_and_joblib_predict_the_same_price(
    files: Path, paper_home: Path, documented: Readers
) -> None:
    (expected,) = predict([TICKER], home=paper_home).forecasts

    found = documented["predict"](files, closes_of(paper_home))

    assert found == pytest.approx(expected.point, rel=1e-6)
    assert {path.name for path in files.iterdir()} == {
        *("model_lstm.pth", "scaler.pkl", "config.pkl"),
        *("training_history.png", "predictions_vs_actual.png"),
    }


def test_a_network_of_ones_own_predicts_the_same_price_in_the_store(
    paper_home: Path, tmp_path: Path, documented: Readers
) -> None:
    from sklearn.preprocessing import MinMaxScaler

    closes = closes_of(paper_home)
    torch.manual_seed(3)
    network = documented["LSTMModel"](1, 12, 2, 1, 0.3)
    state = {k.replace("fc.", "linear."): v for k, v in network.state_dict().items()}
    torch.save(state, tmp_path / "model_lstm.pth")
    scaler = MinMaxScaler((-1, 1)).fit(closes[:2500].reshape(-1, 1))
    joblib.dump(scaler, tmp_path / "scaler.pkl")
    joblib.dump({"look_back": 30, "lr": 1e-3, "loss": [0.1, 0.2]}, tmp_path / "config.pkl")

    taken = take(tmp_path, paper_home, ticker=TICKER)

    # On days that it may have learned it is held against nobody.
    assert not taken.promoted
    assert "which days it learned from is not known" in taken.promotion
    assert taken.by_hand == f"stocklstm models promote {TICKER}@v2"
    promote(f"{TICKER}@v2", home=paper_home)
    (found,) = predict([TICKER], home=paper_home).forecasts
    network.eval()
    window = torch.tensor(scaler.transform(closes[-30:].reshape(-1, 1)), dtype=torch.float32)
    with torch.no_grad():
        expected = scaler.inverse_transform(network(window[None]).numpy())[0, 0]
    assert found.version == taken.version == 2
    assert found.point == pytest.approx(expected, rel=1e-6)
    assert [i.level for i in found.intervals] == [0.8, 0.95]
    assert "which days it learned from is not known" in taken.warnings[0]
    (checked,) = validate([TICKER], deep=True, home=paper_home).results
    assert checked.status == "ok"


def test_what_was_exported_comes_back_and_only_once(files: Path, paper_home: Path) -> None:
    taken = take(files, paper_home, promote="always")

    drawn = paper_home / "reports" / TICKER / "v2"
    assert [path.name for path in drawn.iterdir()] == ["predictions_vs_actual.png"]
    one, two = predict([f"{TICKER}@v1", f"{TICKER}@v2"], home=paper_home).forecasts
    assert two.point == pytest.approx(one.point, rel=1e-6)
    assert (taken.version, taken.promoted, taken.warnings) == (2, True, ())
    assert take(files, paper_home).unchanged
    with open_store(paper_home) as store:
        manifest = store.registry.manifest(TICKER, 2)
        assert store.registry.versions(TICKER) == [1, 2]
        original = store.registry.manifest(TICKER, 1)
    assert manifest.imported_from is not None
    assert manifest.imported_from.kind == "classic"
    # The same weights on the same days.
    assert manifest.evaluation.point.rmse == pytest.approx(original.evaluation.point.rmse, rel=1e-6)


def test_only_a_price_model_is_classic(model_home: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="MinMaxScaler") as caught:
        export_model(TICKER, tmp_path / "x", file_format="classic", home=model_home)

    assert caught.value.hint is not None
    assert "--format bundle" in caught.value.hint
    assert not (tmp_path / "x").exists()


def test_an_int8_version_has_no_weights_for_torch(paper_home: Path, tmp_path: Path) -> None:
    quantize([TICKER], home=paper_home)

    with pytest.raises(ConfigError, match="no weights for PyTorch"):
        export_model(f"{TICKER}@v2", tmp_path / "x", file_format="classic", home=paper_home)


def test_what_is_missing_is_said(files: Path, paper_home: Path, tmp_path: Path) -> None:
    with pytest.raises(NoPricesError):
        take(files, paper_home, ticker="VALE3.SA")
    with pytest.raises(NotFoundError, match="no store"):
        take(files, tmp_path / "none")
    joblib.dump({"seq_length": 10}, files / "config.pkl")
    with pytest.raises(ConfigError, match="whose model"):
        take(files, paper_home)
    joblib.dump({"ticker": TICKER}, files / "config.pkl")
    with pytest.raises(ConfigError, match="how many sessions"):
        take(files, paper_home)
    (files / "scaler.pkl").unlink()
    with pytest.raises(NotFoundError, match=r"no scaler.pkl"):
        take(files, paper_home)


def torch_bytes(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def joblib_bytes(value: object, **options: object) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(value, buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model_lstm.pth", lambda mark: torch_bytes({"x": Bomb(mark)})),
        ("model_lstm.pth", lambda mark: joblib_bytes(Bomb(mark))),
        ("model_lstm.pth", lambda _: torch_bytes(torch.nn.Linear(1, 1))),
        ("model_lstm.pth", lambda _: torch_bytes([1, 2])),
        ("model_lstm.pth", lambda _: b""),
        ("scaler.pkl", lambda mark: joblib_bytes(Bomb(mark))),
        ("scaler.pkl", lambda mark: joblib_bytes({"feature_range": (0, 1), "x": Bomb(mark)})),
        ("scaler.pkl", lambda _: joblib_bytes({"feature_range": (0, 1)}, compress=3)),
        ("scaler.pkl", lambda mark: joblib_bytes(Bomb(mark), compress=("zlib", 3))),
        ("scaler.pkl", lambda mark: joblib_bytes(np.array([Bomb(mark)], dtype=object))),
        ("scaler.pkl", lambda mark: pickle.dumps(np.array([Bomb(mark)], dtype=object))),
        ("scaler.pkl", lambda mark: joblib_bytes({"a": np.array([[Bomb(mark)]], dtype=object)})),
        ("scaler.pkl", lambda mark: gzip.compress(pickle.dumps([Bomb(mark)]))),
        ("scaler.pkl", lambda _: joblib_bytes({})),
        ("config.pkl", lambda mark: joblib_bytes({"seq_length": Bomb(mark)})),
        ("config.pkl", lambda _: joblib_bytes([1])),
        ("config.pkl", lambda _: b"cos\nsystem\n(S'true'\ntR."),
        ("config.pkl", lambda _: b"\x80\x04\x8a"),
    ],
)
def test_more_than_plain_values_is_refused_and_never_executed(
    files: Path,
    paper_home: Path,
    tmp_path: Path,
    name: str,
    content: Callable[[Path], bytes],
) -> None:
    mark = tmp_path / "executed"
    (files / name).write_bytes(content(mark))

    with pytest.raises(ArtifactCorruptError):
        take(files, paper_home, ticker=TICKER)

    assert not mark.exists()
    with open_store(paper_home) as store:
        assert store.registry.versions(TICKER) == [1]


def test_a_link_is_not_followed(files: Path, paper_home: Path, tmp_path: Path) -> None:
    (files / "config.pkl").rename(tmp_path / "elsewhere.pkl")
    (files / "config.pkl").symlink_to(tmp_path / "elsewhere.pkl")

    with pytest.raises(ArtifactCorruptError, match="link"):
        take(files, paper_home)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state | {"conv.weight": torch.zeros(2)},
        lambda state: {k: v for k, v in state.items() if "fc" not in k},
        lambda state: state | {"lstm.weight_ih_l0_reverse": torch.zeros(2)},
        lambda state: state | {"fc.weight": torch.zeros(3, 8), "fc.bias": torch.zeros(3)},
        lambda state: state | {"lstm.weight_ih_l0": torch.zeros(32, 2)},
        lambda state: state | {"fc.bias": torch.tensor([float("nan")])},
    ],
)
def test_another_network_is_refused(
    files: Path, paper_home: Path, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    path = files / "model_lstm.pth"
    path.write_bytes(torch_bytes(change(torch.load(path, weights_only=True))))

    with pytest.raises((ConfigError, ArtifactCorruptError)):
        take(files, paper_home)


# Files as people have them


@pytest.fixture
def folder(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a directory cl with the three files, where the program runs."""
    made = tmp_path / "work" / "cl"
    made.mkdir(parents=True)
    for name in ("model_lstm.pth", "scaler.pkl", "config.pkl"):
        shutil.copy(files / name, made)
    monkeypatch.chdir(made.parent)
    return made


def rename(folder: Path, **names: str) -> None:
    for old, new in names.items():
        (folder / {"weights": "model_lstm.pth"}.get(old, f"{old}.pkl")).rename(folder / new)


@pytest.mark.parametrize(
    ("path", "names", "told"),
    [
        ("cl", {}, []),
        ("cl/model_lstm.pth", {}, []),
        ("cl/best_model.pth", {"weights": "best_model.pth"}, []),
        ("cl", {"weights": "lstm_model.pt"}, ["lstm_model.pt is taken for model_lstm.pth"]),
        ("cl", {"weights": "model_best.pth.tar"}, ["model_best.pth.tar is taken for"]),
        ("cl", {"scaler": "scaler.joblib"}, ["scaler.joblib is taken for scaler.pkl"]),
        ("cl", {"scaler": "minmax_scaler.save"}, ["minmax_scaler.save is taken for scaler.pkl"]),
        ("cl", {"config": "model_config.pkl"}, ["model_config.pkl is taken for config.pkl"]),
        (
            "cl/best.ckpt",
            {"weights": "best.ckpt", "scaler": "Scaler.pkl.gz", "config": "hparams.pickle"},
            ["Scaler.pkl.gz is taken for scaler.pkl", "hparams.pickle is taken for config.pkl"],
        ),
    ],
)
def test_files_of_other_names_are_found_and_told(
    cli: Cli, paper_home: Path, folder: Path, path: str, names: dict[str, str], told: list[str]
) -> None:
    rename(folder, **names)

    outcome = cli("models", "import", path, "--promote", "never", "--quiet")

    assert (outcome.code, outcome.out) == (0, f"{TICKER}@v2\n"), outcome.err
    lines = outcome.err.splitlines()
    assert len(lines) == len(told)
    for line, words in zip(lines, told, strict=True):
        assert line.startswith(f"warning: {TICKER}@v2: {words}")
    one, two = predict([f"{TICKER}@v1", f"{TICKER}@v2"], home=paper_home).forecasts
    assert two.point == pytest.approx(one.point, rel=1e-6)


def test_settings_as_json_or_as_an_option(cli: Cli, paper_home: Path, folder: Path) -> None:
    (folder / "config.pkl").unlink()
    (folder / "config.json").write_text('{"seq_length": 10, "ticker": "PETR4.SA"}')
    from_json = cli("models", "import", "cl", "--quiet", "--promote", "never")
    (folder / "config.json").unlink()
    as_option = cli("models", "import", "cl", "-t", TICKER, "--seq-length", "10", "--quiet")
    another = cli("models", "import", "cl", "-t", TICKER, "--seq-length", "11", "--quiet")
    again = cli("models", "import", "cl", "-t", TICKER, "--seq-length", "10", "--quiet")

    made = [outcome.out for outcome in (from_json, as_option, another, again)]
    assert made == [f"{TICKER}@v{version}\n" for version in (2, 3, 4, 3)]
    one, *others = predict([f"{TICKER}@v{v}" for v in (1, 2, 3, 4)], home=paper_home).forecasts
    assert others[0].point == others[1].point == pytest.approx(one.point, rel=1e-6)
    assert others[2].point != pytest.approx(one.point, rel=1e-9)


def weights_twice(folder: Path) -> None:
    shutil.copy(folder / "model_lstm.pth", folder / "last.pth")
    (folder / "model_lstm.pth").rename(folder / "best.pth")


def scaler_twice(folder: Path) -> None:
    shutil.copy(folder / "scaler.pkl", folder / "x_scaler.pkl")
    (folder / "scaler.pkl").rename(folder / "y_scaler.pkl")


def unchanged(folder: Path) -> None:
    assert (folder / "model_lstm.pth").exists()


def forest(folder: Path) -> None:
    closes = np.arange(9.0)
    joblib.dump(RandomForestRegressor(2).fit(closes[:, None], closes), folder / "forest.pkl")


def no_scaler(folder: Path) -> None:
    (folder / "scaler.pkl").unlink()


def no_weights(folder: Path) -> None:
    (folder / "model_lstm.pth").unlink()


def no_config(folder: Path) -> None:
    (folder / "config.pkl").unlink()


def link(folder: Path) -> None:
    (folder / "scaler.pkl").rename(folder.parent / "elsewhere.pkl")
    (folder / "scaler.pkl").symlink_to(folder.parent / "elsewhere.pkl")


def keras(name: str) -> Callable[[Path], None]:
    def put(folder: Path) -> None:
        (folder / "model_lstm.pth").unlink()
        if name == "saved_model.pb":
            (folder / name).write_bytes(b"\x08\x01")
        elif name.endswith(".keras"):
            with zipfile.ZipFile(folder / name, "w") as archive:
                archive.writestr("metadata.json", "{}")
                archive.writestr("config.json", "{}")
                archive.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n")
        else:
            (folder / name).write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))

    return put


def onnx(folder: Path) -> None:
    (folder / "model_lstm.pth").unlink()
    (folder / "model.onnx").write_bytes(b"\x08\x07\x12\x07pytorch")


@pytest.mark.parametrize(
    ("change", "path", "code", "said", "next_step"),
    [
        (
            weights_twice,
            "cl",
            2,
            "cl holds 2 files of weights: best.pth, last.pth",
            "models import cl/best.pth --ticker",
        ),
        (
            scaler_twice,
            "cl",
            2,
            "cl holds x_scaler.pkl, y_scaler.pkl",
            "cp cl/x_scaler.pkl cl/scaler.pkl",
        ),
        (
            no_scaler,
            "cl",
            4,
            "there is no scaler.pkl in cl; it holds config.pkl",
            "joblib.dump(scaler, 'cl/scaler.pkl')",
        ),
        (
            no_weights,
            "cl",
            4,
            "there is no model_lstm.pth in cl",
            "torch.save(model.state_dict(), 'cl/model_lstm.pth')",
        ),
        (
            no_config,
            "cl",
            2,
            "does not say how many sessions",
            "stocklstm models import cl --ticker PETR4.SA --seq-length 60",
        ),
        (
            link,
            "cl",
            5,
            "scaler.pkl is a link",
            "&& mv cl/scaler.pkl.copy cl/scaler.pkl",
        ),
        (
            keras("model.h5"),
            "cl",
            2,
            "model.h5 is a Keras model",
            "stocklstm train --ticker PETR4.SA --preset paper",
        ),
        (keras("model.h5"), "cl/model.h5", 2, "model.h5 is a Keras model", "stocklstm train"),
        (keras("lstm.keras"), "cl/lstm.keras", 2, "lstm.keras is a Keras model", "stocklstm train"),
        (keras("lstm.keras"), "cl", 2, "lstm.keras is a Keras model", "stocklstm train"),
        (keras("saved_model.pb"), "cl", 2, "cl is a SavedModel of TensorFlow", "stocklstm train"),
        (onnx, "cl/model.onnx", 2, "model.onnx is an ONNX graph", "stocklstm train"),
        (unchanged, "cl/scaler.pkl", 2, "scaler.pkl is what lies beside", "models import cl --t"),
        (unchanged, "cl/config.pkl", 2, "config.pkl is what lies beside", "models import cl --t"),
        (forest, "cl/forest.pkl", 5, "sklearn.ensemble._forest.Random", "stocklstm train"),
        (unchanged, "cl --seq-length 0", 2, "from 2 to 10000, not 0", "cl --seq-length 60"),
        (unchanged, "cl --format x", 2, "--format is one of bundle, classic", "--format bundle"),
        (unchanged, "cl --promote x", 2, "--promote is one of", "--promote auto"),
        (
            no_weights,
            "cl/model_lstm.pth",
            4,
            "there is nothing at cl/model_lstm.pth",
            "a classic model is",
        ),
        (no_weights, "nowhere/", 4, "nowhere", ""),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_files_that_cannot_be_taken_are_refused_with_the_next_step(
    cli: Cli,
    paper_home: Path,
    folder: Path,
    change: Callable[[Path], None],
    path: str,
    code: int,
    said: str,
    next_step: str,
) -> None:
    change(folder)

    outcome = cli("models", "import", *path.split())

    error, hint = outcome.err.splitlines()
    assert outcome.code == code
    assert said in error
    assert hint.startswith("  next: ")
    assert next_step in hint
    with open_store(paper_home) as store:
        assert store.registry.versions(TICKER) == [1]


class Own(torch.nn.Module):
    """A class that only a program of one's own has."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(1, 8, 2)
        self.fc = torch.nn.Linear(8, 1)


def whole_module(folder: Path) -> None:
    torch.save(Own(), folder / "model_lstm.pth")


def numbers_of_numpy(folder: Path) -> None:
    checkpoint = {"model_state_dict": Own().state_dict(), "loss": np.float64(0.25)}
    torch.save(checkpoint, folder / "model_lstm.pth")


def of_old(folder: Path) -> None:
    state = Own().state_dict()
    torch.save(state, folder / "model_lstm.pth", _use_new_zipfile_serialization=False)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (whole_module, r"torch\.save\(.*?\.state_dict\(\), \"model_lstm\.pth\"\)"),
        (numbers_of_numpy, r"torch\.save\(torch\.load\([^()]*\)\[.*?\], \"model_lstm\.pth\"\)"),
        (of_old, r"torch\.save\(.*?\"model_lstm\.pth\"\)"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_line_that_is_named_mends_the_file(
    cli: Cli,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    line: str,
) -> None:
    change(folder)
    refused = cli("models", "import", "cl")
    monkeypatch.chdir(folder)

    exec(re.findall(line, refused.err)[0], {"torch": torch, "joblib": joblib})  # noqa: S102 - our own hint

    monkeypatch.chdir(folder.parent)
    assert refused.code in {2, 5}
    taken = cli("models", "import", "cl", "--quiet", "--promote", "never")
    assert (taken.code, taken.out) == (0, f"{TICKER}@v2\n"), taken.err


def test_the_commands_that_are_named_work(cli: Cli, folder: Path) -> None:
    weights_twice(folder)
    (folder / "config.pkl").unlink()

    first = cli("models", "import", "cl")
    second = cli(*first.err.partition("meant: stocklstm ")[2].split())
    command = second.err.partition("next: stocklstm ")[2].partition(",")[0].split()
    taken = cli(*command, "--quiet", "--promote", "never")

    assert (first.code, second.code, taken.code) == (2, 2, 0)
    assert taken.out == f"{TICKER}@v2\n"


def test_an_import_does_without_what_draws(
    files: Path, paper_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    taken = take(files, paper_home, promote="always")

    assert (taken.version, taken.promoted) == (2, True)
    assert "no picture was drawn: a picture needs matplotlib" in taken.warnings[-1]
