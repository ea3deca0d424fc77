"""A week of prices, manifests and ledger entries, small but of the shape of real ones."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from stocklstm.core.forecasts.quantiles import ReturnForecasts
from stocklstm.core.inputs.features import FeatureScale
from stocklstm.core.inputs.scaling import AnchorScaling, PriceScaling
from stocklstm.core.prices.series import Action, Bars
from stocklstm.core.reference import parse_reference
from stocklstm.core.scores.baselines import Baselines, naive_error
from stocklstm.core.scores.evaluation import evaluate, score_days
from stocklstm.core.settings.config import PRESETS, configure
from stocklstm.store.ledger import LedgerEntry
from stocklstm.store.manifest import DataRecord, Manifest, SplitRecord, TrainingRecord
from stocklstm.store.registry import Registry
from tests.support.price_rows import bars_of_rows

TICKER = "PETR4.SA"
NOON = "2024-03-14T12:00:00Z"
LATER = "2024-03-15T12:00:00Z"
DIVIDEND = Action("2024-03-12", "dividend", 0.55)
SPLIT = Action("2024-03-13", "split", 2.0)
FILES = {"model.onnx": bytes(range(256)) * 4, "model.pth": b"weights" * 40, "empty.csv": b""}


WEEK = bars_of_rows(
    [
        ("2024-03-11", 36.0, 36.9, 35.8, 36.5, 33.1, 5e7),
        ("2024-03-12", 36.5, 37.2, 36.1, 37.0, 33.6, 6e7),
        ("2024-03-13", 37.0, 37.1, 36.0, 36.2, 32.9, 0),
    ]
)


@cache
def _template() -> Manifest:
    random = np.random.default_rng(0)
    closes = 30 * np.exp(np.cumsum(0.02 * random.standard_normal(300)))
    dates = np.datetime64("2023-01-02", "D") + np.arange(300)
    bars = Bars(dates, closes, closes * 1.01, closes * 0.99, closes, closes, closes * 0 + 1e6)
    baseline = Baselines.fit(bars, 200)
    origins = np.arange(200, 299)
    quantiles = baseline.ewma.returns(bars, origins)
    forecasts = ReturnForecasts(quantiles.mean(axis=1), quantiles)
    scale = naive_error(bars, 200)
    return Manifest(
        ticker=TICKER,
        version=1,
        created=NOON,
        config=configure("calibrated"),
        anchor=AnchorScaling.fit(bars, 200, PRESETS["calibrated"]),
        baselines=baseline,
        mase_scale=scale,
        splits=SplitRecord("2023-02-01", "2023-06-01", "2023-06-02", "2023-07-21", "2023-10-28"),
        data=DataRecord(
            rows=300,
            first="2023-01-02",
            last="2023-10-28",
            last_close=float(closes[-1]),
            sha256=bars.fingerprint(),
            sources=("csv", "yahoo"),
        ),
        training=TrainingRecord(12, 6, 0.2345678901234567, 6, 3.25, 31_051),
        evaluation=evaluate(score_days(bars, origins, forecasts, baseline), scale),
        environment={"python": "3.11", "numpy": "2.0"},
    )


def manifest_of(version: int = 1, **changes) -> Manifest:
    """Make a manifest of a "return" model."""
    return replace(_template(), version=version, **changes)


def price_manifest(version: int = 1, **changes) -> Manifest:
    """Make a manifest of a "price" model."""
    scaling = PriceScaling(
        10.5,
        42.25,
        0.0,
        1.0,
        (FeatureScale("close", 10.5, 31.75),),
        residuals=tuple(np.linspace(-0.05, 0.06, 15).tolist()),
    )
    return manifest_of(version, config=configure("paper"), anchor=None, prices=scaling, **changes)


def publish(
    registry: Registry,
    ticker: str = TICKER,
    files: dict[str, bytes] = FILES,
    promotion: str | None = None,
    measured: dict[str, int] | None = None,
) -> Manifest:
    """Publish a version; the caller holds the lock where there is anyone else."""
    data = replace(_template().data, measured=measured or {})
    with registry.draft(ticker) as draft:
        for name, content in files.items():
            draft.write(name, content)
        return registry.publish(
            draft,
            ticker,
            lambda version: manifest_of(version, ticker=ticker, files=dict(draft.files), data=data),
            at=NOON,
            promotion=promotion,
        )


def entry_of(**changes) -> LedgerEntry:
    """Make a ledger entry."""
    entry = LedgerEntry(
        ticker=TICKER,
        target_session="2024-03-15",
        version=1,
        horizon=1,
        as_of="2024-03-14",
        last_close=36.2,
        point=36.25,
        quantiles=(35.0, 36.25, 37.5),
        made_at=NOON,
    )
    return entry._replace(**changes)


def directory_of(registry: Registry, version: int | None = None, ticker: str = TICKER) -> Path:
    paths = registry.paths
    return paths.ticker(ticker) if version is None else paths.version(ticker, version)


def names_in(path: Path) -> list[str]:
    return sorted(found.name for found in path.iterdir()) if path.exists() else []


def promote(registry: Registry, version: int, reason: str = "better", at: str = NOON) -> None:
    registry.aliases.promote(TICKER, version, reason=reason, at=at)


def resolve(registry: Registry, text: str) -> int:
    return registry.resolve(parse_reference(text))
