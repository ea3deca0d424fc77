"""Every error says what to do next."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import stocklstm
from stocklstm import errors
from stocklstm.errors import StockLstmError
from tests.conftest import TICKER, Cli

PACKAGE = Path(stocklstm.__file__).parent

ERRORS = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, StockLstmError)
}

# What these raise becomes the reason within another error, which has a hint, or a line of a check;
# or it answers a request, and says itself what to send.
REASONS = {
    "infer/forecaster.py",
    "infer/session.py",
    "learn/checkpoints.py",
    "learn/loop.py",
    "store/manifest.py",
    "store/manifest_migrations.py",
    "store/untrusted_manifest.py",
    "workflows/loading/pooled_model.py",
    "workflows/models/bundle.py",
    "workflows/models/imports.py",
    "workflows/predict/from_prices.py",
    "workflows/train/remote.py",
    "workflows/validate/validate.py",
}


def _without_hint(file: Path) -> Iterator[int]:
    """Give the lines on which an error is made without a hint."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
            if name in ERRORS and not any(each.arg == "hint" for each in node.keywords):
                yield node.lineno


def test_every_error_is_made_with_a_hint() -> None:
    found = {
        name: lines
        for file in sorted(PACKAGE.rglob("*.py"))
        if (name := file.relative_to(PACKAGE).as_posix()) != "errors.py"
        and (lines := list(_without_hint(file)))
    }

    assert {name: lines for name, lines in found.items() if name not in REASONS} == {}
    # A file that no longer needs it is no exception any more.
    assert found.keys() >= REASONS


# What goes wrong with fetch, prices and models import, and what a person types.


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Make files that cannot be taken."""
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "empty.csv").write_text("")
    (folder / "words.csv").write_text("no prices here\n")
    (folder / "no-close.csv").write_text("Date,Volume\n2024-03-12,1\n")
    (folder / "zeros.csv").write_text("Date,Close\n2024-03-12,0\n2024-03-13,0\n")
    (folder / "both-ways.csv").write_text("Date,Close\n03/04/2024,36\n04/05/2024,37\n")
    (folder / "jump.csv").write_text("Date,Close\n2024-03-12,36\n2024-03-13,18\n2024-03-14,18.1\n")
    (folder / "bytes.csv").write_bytes(bytes(range(256)) * 9)
    (folder / "names.txt").write_text("# none\n")
    (folder / "bundle.stocklstm").write_bytes(b"PK\x03\x04 no archive")
    (folder / "classic").mkdir()
    for name in ("model_lstm.pth", "scaler.pkl", "config.pkl"):
        (folder / "classic" / name).write_bytes(b"\x80\x04no pickle")
    (folder / "COTAHIST_A2023.TXT").write_text("00COTAHIST.2023BOVESPA 20231228\n")
    return folder


LINES = [
    "fetch --ticker ../../etc/passwd --source sample",
    "fetch --ticker PETR4 --source sample",
    "fetch --ticker BRK.B --source sample",
    "fetch --ticker PETR4.SA,VALE3.SA --source sample",
    "fetch --ticker VALE3.SA --source sample",
    "fetch --ticker PETR4.SA --source magic",
    "fetch --ticker PETR4.SA --source csv",
    "fetch --ticker PETR4.SA --source b3",
    "fetch --ticker PETR4.SA --source sample --calendar NOWHERE",
    "fetch --ticker PETR4.SA --source sample --currency R$",
    "fetch --ticker PETR4.SA --source sample --currency USD",
    "fetch --ticker PETR4.SA --source sample --file {broken}/words.csv",
    "fetch --ticker PETR4.SA --source sample --json --quiet",
    "fetch --ticker PETR4.SA --source sample --jobs 2",
    "fetch --tickers-file {broken}/names.txt --source sample",
    "fetch --tickers-file {broken}/none.txt --source sample",
    "fetch PETR4.SA {broken}/words.csv",
    "fetch --file {broken}/words.csv",
    "fetch --file {broken}/words.csv --file {broken}/zeros.csv --ticker PETR4.SA",
    "fetch --ticker PETR4.SA --file {broken}/none.csv",
    "fetch --ticker PETR4.SA --file {broken}/empty.csv",
    "fetch --ticker PETR4.SA --file {broken}/words.csv",
    "fetch --ticker PETR4.SA --file {broken}/no-close.csv",
    "fetch --ticker PETR4.SA --file {broken}/zeros.csv",
    "fetch --ticker PETR4.SA --file {broken}/both-ways.csv",
    "fetch --ticker PETR4.SA --file {broken}/both-ways.csv --date-format magic",
    "fetch --ticker VALE3.SA --file {broken}/jump.csv",
    "fetch --ticker PETR4.SA --file {broken}/bytes.csv",
    "fetch --ticker PETR4.SA --file {broken}",
    "fetch --ticker PETR4.SA --source b3 --file {broken}/COTAHIST_A2023.TXT",
    "fetch --ticker PETR4.SA --source b3 --file {broken}/words.csv",
    "fetch --ticker PETR4.SA --source b3 --file {broken}/none.ZIP",
    "prices show --ticker PETR4",
    "prices show --ticker VALE3.SA",
    "prices verify --ticker VALE3.SA",
    "prices export",
    "prices export --ticker VALE3.SA",
    "prices export --ticker PETR4.SA --json",
    "prices export --ticker PETR4.SA --format magic",
    "prices export --ticker PETR4.SA --format parquet",
    "prices export --ticker PETR4.SA --out {broken}/none/",
    "prices export --ticker PETR4.SA --out {broken}/words.csv/file.csv",
    "prices export --ticker PETR4.SA --ticker VALE3.SA --out {broken}/two.csv",
    "prices rename VALE3.SA ITUB4.SA",
    "prices rename PETR4.SA PETR4.SA",
    "prices rename PETR4.SA PETR4",
    "models import {broken}/none",
    "models import {broken}/words.csv",
    "models import {broken}/bundle.stocklstm",
    "models import {broken}/classic",
    "models import {broken}/classic --ticker PETR4",
    "models import {broken}/classic --ticker PETR4.SA",
    "models import {broken}/classic/model_lstm.pth --ticker PETR4.SA",
    "models import {broken}/classic --format magic",
    "models import {broken}/classic --ticker PETR4.SA --promote magic",
]


@pytest.mark.usefixtures("priced_home")
@pytest.mark.parametrize("line", LINES)
def test_every_failure_names_the_next_step(cli: Cli, broken: Path, line: str) -> None:
    said = cli(*(word.replace("{broken}", str(broken)) for word in line.split()))

    assert said.code in {2, 4, 5, 6}, said
    lines = [*said.err.splitlines(), ""]
    after = [lines[place + 1] for place, text in enumerate(lines) if text.startswith("error: ")]
    assert after, said
    assert all(text.startswith("  next: ") for text in after), said
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    "line", ["fetch", "prices show", "prices verify", f"prices show -t {TICKER}"]
)
def test_an_empty_store_says_how_to_begin(cli: Cli, line: str) -> None:
    said = cli(*line.split())

    assert said.code in {2, 4}
    assert "  next: stocklstm fetch --ticker PETR4.SA" in said.err
