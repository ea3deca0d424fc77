"""The seven real series and the options that the benchmarks of models share; not run by itself."""

import argparse
import gzip
import tempfile
from pathlib import Path

from stocklstm import fetch
from stocklstm.core.prices.series import Bars
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.core.settings.layers import SETTINGS
from stocklstm.store.store import open_store
from stocklstm.workflows.prices.plan import FetchOptions

DATA = Path(__file__).parent / "data"


def packed_series() -> dict[str, Path | None]:
    """List the tickers in order, each with its file; None for the one of the program itself."""
    files: dict[str, Path | None] = {
        path.name.removesuffix(".csv.gz"): path for path in DATA.glob("*.csv.gz")
    }
    return dict(sorted({**files, "PETR4.SA": None}.items()))


def prices(ticker: str, packed: Path | None) -> Bars:
    """Fetch a series into a store of its own, as a user would, and read it back.

    Args:
        packed: CSV file, perhaps compressed; None for the prices that come with the program.
    """
    with tempfile.TemporaryDirectory() as scratch:
        options = FetchOptions(source="sample")
        if packed is not None:
            content = packed.read_bytes()
            file = Path(scratch) / "prices.csv"
            file.write_bytes(gzip.decompress(content) if packed.suffix == ".gz" else content)
            options = FetchOptions(source="csv", files=(file,))
        home = Path(scratch) / "home"
        result = fetch([ticker], options, home=home)
        if result.failures:
            raise result.failures[0].error
        with open_store(home) as store:
            return store.prices.bars(ticker)


def model_options(description: str) -> argparse.ArgumentParser:
    """Make a parser of the options that choose the settings of models."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--preset", default="calibrated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    return parser


def chosen_settings(options: argparse.Namespace) -> TrainingConfig:
    """Return a preset's settings, changed as the options say."""
    changes = {
        name: SETTINGS[name].parse(value, "--set")
        for name, _, value in (word.partition("=") for word in options.set)
    }
    return configure(options.preset, seed=options.seed, **changes)
