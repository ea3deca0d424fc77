"""What runs every evening loads no heavy library: checked in fresh interpreters.

The import contract sees every import that is written down; only a running process shows that a
deferred one stays deferred.
"""

import os
import signal
import subprocess
import sys
from dataclasses import is_dataclass
from importlib import import_module
from pathlib import Path

import pytest

from stocklstm import __main__
from tests.conftest import TINY_OPTIONS
from tests.support.evenings import cut_off, live_through
from tests.support.loaded_modules import HEAVY, libraries_of_each, loaded, loaded_of_package
from tests.support.places import ROOT
from tests.support.signal_handlers import handled
from tests.support.stored_rows import execute
from tests.support.yahoo_server import TOO_MANY, YahooServer

LIGHT = [
    "predict",
    "predict --json",
    "predict --quiet --ticker PETR4.SA",
    "predict --csv - --max-age 90",
    "predict --csv forecasts.csv --append --csv-style excel-br",
    "predict --out forecasts.json",
    "predict --horizon 1-5",
    "predict --adaptive",
    "evaluate --live",
    "train --all --if-older-than 60 --if-drift",
    "train --all --dry-run --json",
    "evaluate --all",
    "evaluate --horizons 1-5",
    "evaluate --all --json --ticker PETR4.SA",
    "validate",
    "validate --leakage",
    "validate --all --json",
    "models list",
    "models show PETR4.SA --json",
    "models show PETR4.SA --card",
    "models promote PETR4.SA@v1 --as live",
    "models diff PETR4.SA PETR4.SA@v1",
    "models gc --keep 3",
    "prices show",
    "prices show -t PETR4.SA --json",
    "prices export -t PETR4.SA",
    "prices verify --quiet",
    "validate --prices",
    "config show --origin",
    "config show --like PETR4.SA@v1 --json",
    "config path",
    "--help",
    "train --help",
    "--version",
    # Last, as nothing has the old name after it.
    "prices rename PETR4.SA BHIA3.SA",
]


def test_no_heavy_library_is_loaded(
    model_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert libraries_of_each(model_home, LIGHT) == [(line, 0, set()) for line in LIGHT]


def test_the_record_needs_no_heavy_library(model_home: Path) -> None:
    bars = cut_off(model_home, 3)
    live_through(model_home, bars, range(len(bars) - 3, len(bars)))
    lines = ["forecasts", "forecasts --json --since 2024-03-13", "forecasts --quiet"]
    lines.append("forecasts --csv -")

    # Nothing is forecast, so that not even what forecasts is needed.
    found = libraries_of_each(model_home, lines, frozenset(HEAVY | {"onnxruntime"}))

    assert found == [(line, 0, set()) for line in lines]


def test_an_evening_loads_what_asks_for_prices_and_no_more(
    model_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The bundled prices are years old: Yahoo is asked, and limits the rate."""
    growing = ("--csv", str(tmp_path / "all.csv"), "--append")
    with YahooServer(tmp_path, lambda _: TOO_MANY) as yahoo:
        for name, value in yahoo.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("STOCKLSTM_CACHE", str(tmp_path / "cache"))

        found = loaded(model_home, "evening", *growing, "--retrain-after", "60", code=75)

    assert "yfinance" in found
    assert found & HEAVY <= {"yfinance", "pandas", "pyarrow", "scipy"}


def test_an_evening_on_which_nothing_closed_loads_nothing_heavy(model_home: Path) -> None:
    never = "9999-12-31T00:00:00Z"
    execute(model_home, "UPDATE sessions SET closes_at = ? WHERE date > '2024-03-13'", never)

    assert not loaded(model_home, "evening", "--retrain-after", "60", "--json") & HEAVY


FORECAST = {
    *("__main__", "client", "errors"),
    *("cli.app", "cli.commands", "cli.interrupts", "cli.options", "cli.output", "cli.streams"),
    *("cli.predict.files", "cli.predict.forecasts", "cli.predict.predict"),
    "cli.predict.spreadsheet",
    *("workflows.documents", "workflows.ledger"),
    *("workflows.loading.model", "workflows.loading.sources"),
    *("workflows.predict.preconditions", "workflows.predict.predict"),
    *("infer.forecaster", "infer.session", "infer.structure"),
    *(
        "store.aliases",
        "store.checksums",
        "store.database",
        "store.disk",
        "store.drafts",
        "store.ledger",
        "store.lock_files",
        "store.locks",
    ),
    *("store.manifest", "store.manifest_migrations", "store.opening", "store.paths"),
    "store.prices",
    *("store.registry", "store.sessions", "store.signing", "store.store"),
    *(
        "core.arguments",
        "core.batch",
        "core.checks",
        "core.clock",
        "core.digest",
        "core.exits",
        "core.keys",
    ),
    "core.language",
    *(
        "core.operating_system",
        "core.records",
        "core.reference",
        "core.stored_words",
        "core.symbols",
        "core.system_errors",
        "core.wording",
    ),
    *("core.forecasts.intervals", "core.forecasts.live", "core.forecasts.quantiles"),
    *("core.inputs.features", "core.inputs.scaling"),
    *("core.inputs.volatility", "core.inputs.windows"),
    *("core.prices.pool_splits", "core.prices.series", "core.prices.spacing", "core.prices.splits"),
    # What was scored is shown; how it is computed is not needed.
    *("core.scores.baselines", "core.scores.scores"),
    *("core.settings.compression", "core.settings.config"),
}
"""All that a forecast of one ticker loads of the package."""


@pytest.mark.parametrize("options", [(), ("--adaptive",)])
def test_a_forecast_loads_what_it_needs_and_no_more(
    model_home: Path, options: tuple[str, ...]
) -> None:
    bars = cut_off(model_home, 3)
    live_through(model_home, bars, range(len(bars) - 3, len(bars)))

    assert loaded_of_package(model_home, "predict", "--json", *options) == FORECAST


def test_the_dataclasses_of_a_forecast_are_made_fast() -> None:
    """Fifty of the standard library's took a fifth of the time of a forecast."""
    modules = [import_module(f"stocklstm.{name}") for name in FORECAST - {"__main__"}]
    kinds = [
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == module.__name__
    ]

    assert len(kinds) > 30
    # That one leaves both to the library's fast functions.
    slow = [kind for kind in kinds if (params := kind.__dataclass_params__).repr or params.eq]
    assert slow == []


NOT_TRAINED = [
    (2, "train"),
    (2, "train PETR4"),
    (2, "train --all --epochs 3"),
    (2, "train PETR4.SA --epochs 0"),
    (2, "train PETR4.SA --promote perhaps"),
    (2, "train PETR4.SA --jobs 0"),
    (2, "train --resume auto"),
    (2, "train PETR4.SA --resume auto --from PETR4.SA@v1"),
    (2, "train --pooled --name b3 PETR4.SA"),
    (2, "train --pooled --name b3 PETR4.SA VALE3.SA --preset paper"),
    (2, "train --dry-run"),
    (2, "tune"),
    (2, "tune PETR4.SA --trials 0"),
    (4, "train NONE3.SA --no-fetch"),
    (4, "train NONE3.SA OTHR3.SA --no-fetch --jobs 2"),
    (4, "train NONE3.SA --dry-run"),
    (4, "train --resume PETR4.SA-20240101T000000Z-0000"),
    (6, "train --pooled --name b3 PETR4.SA VALE3.SA --no-fetch"),
    (6, "train --pooled --name b3 PETR4.SA VALE3.SA --dry-run"),
    (2, "train PETR4.SA --scheduler nowhere"),
    (2, "train PETR4.SA --preset none"),
    (4, "train PETR4.SA --like NONE3.SA"),
    (4, "train PETR4.SA --from NONE3.SA"),
    (4, "train PETR4.SA --from PETR4.SA@v9 --dry-run"),
    (4, "train VALE3.SA --from PETR4.SA"),
    (4, "train --pooled --name b3 PETR4.SA VALE3.SA --from +b3"),
    (2, "tune PETR4.SA --sampler none"),
    (4, "tune NONE3.SA --no-fetch"),
    (4, "tune --resume PETR4.SA-20240101T000000Z-0000"),
]
WITHOUT_A_MODEL = [
    (4, "evaluate PETR4.SA"),
    (4, "evaluate PETR4.SA --walk-forward 20"),
    (4, "evaluate PETR4.SA --jobs 2"),
    (4, "evaluate --model b3"),
    (2, "quantize"),
    (2, "quantize PETR4.SA --method none"),
    (4, "quantize PETR4.SA --method qat"),
    (4, "quantize PETR4.SA --jobs 2"),
]


def test_what_cannot_be_trained_is_said_before_pytorch_is_loaded(priced_home: Path) -> None:
    found = libraries_of_each(priced_home, [line for _, line in NOT_TRAINED])

    assert found == [(line, code, set()) for code, line in NOT_TRAINED]


def test_so_is_that_there_is_no_model(priced_home: Path) -> None:
    found = libraries_of_each(
        priced_home, [line for _, line in WITHOUT_A_MODEL], frozenset({"torch"})
    )

    assert found == [(line, code, set()) for code, line in WITHOUT_A_MODEL]


def test_nor_is_it_loaded_where_there_is_no_store(home: Path) -> None:
    lines = ["train PETR4.SA --no-fetch", "train PETR4.SA --dry-run"]

    assert libraries_of_each(home, lines) == [(line, 4, set()) for line in lines]
    assert not home.exists()


def test_scoring_what_ships_needs_no_torch(model_home: Path) -> None:
    assert not loaded(model_home, "evaluate", "--no-plot") & {"torch", "sklearn", "joblib", "loky"}


def test_training_does_not_load_the_compiler(model_home: Path) -> None:
    """PyTorch imports it with sympy if it is let: 1.3 s and 65 MiB for every process."""
    options = " ".join(TINY_OPTIONS)
    lines = [
        f"train -t PETR4.SA {options} --optimizer sgd --schedule cosine",
        "quantize -t PETR4.SA --method qat --epochs 1",
    ]

    found = libraries_of_each(model_home, lines, frozenset({"torch", "sympy"}))

    assert [code for _, code, _ in found] == [0, 0]
    assert set().union(*(libraries for _, _, libraries in found)) == {"torch"}


def test_bundles_need_no_heavy_library(model_home: Path, tmp_path: Path) -> None:
    bundle = str(tmp_path / "petr4.zip")

    assert not loaded(model_home, "models", "export", "PETR4.SA", "--output", bundle) & HEAVY
    assert not loaded(tmp_path / "other", "models", "import", bundle) & HEAVY
    arguments = ("models", "export", "PETR4.SA", "--format", "onnx", "--out", str(tmp_path / "x"))
    assert not loaded(model_home, *arguments) & HEAVY


def test_json_needs_no_table_library(model_home: Path) -> None:
    assert "rich" not in loaded(model_home, "predict", "--json")


@pytest.mark.parametrize("arguments", [("predict", "--json"), ("--help",), ("serve", "--help")])
def test_only_a_server_needs_its_libraries(model_home: Path, arguments: tuple[str, ...]) -> None:
    libraries = {"fastapi", "starlette", "pydantic", "uvicorn", "jinja2", "prometheus_client"}

    assert not loaded(model_home, *arguments) & libraries


def test_help_needs_no_numpy(model_home: Path) -> None:
    assert not loaded(model_home, "--help") & {"numpy", "onnxruntime", "sqlite3", "rich"}


def test_importing_the_package_loads_nothing_of_it() -> None:
    code = "import stocklstm, sys; print([m for m in sys.modules if m.startswith('stocklstm.')])"

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.strip() == "[]"


SPY = """
import os, sys

class Spy:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            print(os.environ.get("ORT_DISABLE_TELEMETRY"))

sys.meta_path.insert(0, Spy())
"""


@pytest.mark.parametrize("module", ["stocklstm.infer.session", "stocklstm.learn.compress.dynamic"])
def test_forecasts_are_reported_to_nobody(module: str) -> None:
    clean = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name}

    done = subprocess.run(
        [sys.executable, "-c", f"{SPY}\nimport {module}, onnxruntime"],
        env=clean,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.split() == ["1"]


def test_every_public_name_exists() -> None:
    import stocklstm

    for name in stocklstm.__all__:
        assert getattr(stocklstm, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = stocklstm.nothing


def test_nothing_is_loaded_before_ctrl_c_is_heeded() -> None:
    code = (
        "import os, sys; before = {*sys.modules}; import stocklstm.__main__; "
        "print(*sorted({*sys.modules} - before))"
    )

    new = subprocess.check_output([sys.executable, "-S", "-c", code], cwd=ROOT, text=True).split()

    assert new == ["stocklstm", "stocklstm.__main__"]


@pytest.mark.parametrize("step", ["_prepare_streams", "_prepare_home"])
def test_ctrl_c_is_heeded_from_the_first_step_on(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], step: str
) -> None:
    monkeypatch.setattr(__main__, "_prepare_streams", lambda: None)
    monkeypatch.setattr(__main__, step, lambda: signal.raise_signal(signal.SIGINT))

    # In the background it may be ignored.
    with handled({signal.SIGINT: signal.default_int_handler}), pytest.raises(SystemExit) as caught:
        __main__.main()

    assert caught.value.code == 130
    assert capfd.readouterr() == ("", "")
