"""Scoring a loaded version on days that it never saw."""

from collections.abc import Sequence

import numpy as np

from stocklstm.core.forecasts.quantiles import ReturnForecasts
from stocklstm.core.inputs.scaling import warm_up_rows
from stocklstm.core.prices.pool_splits import known_rows, pool_split
from stocklstm.core.prices.series import Bars, Indices
from stocklstm.core.scores.baselines import DistributionBaseline, naive_error
from stocklstm.core.scores.evaluation import ScoredDays, evaluate, score_days
from stocklstm.core.scores.scores import Evaluation
from stocklstm.errors import SeriesTooShortError
from stocklstm.store.manifest import Manifest
from stocklstm.workflows.loading.model import (
    LoadedModel,
    require_training_scale,
    scale_since_training,
)


def score_unseen(
    model: LoadedModel, bars: Bars, others: Sequence[DistributionBaseline] = ()
) -> tuple[ScoredDays, Evaluation]:
    """Score a model on its test part.

    The test part begins where training left off looking and goes on to the latest bar, so it
    grows as new prices come in.

    Args:
        others: Baselines of the distribution to put beside it, besides EWMA.

    Raises:
        SeriesTooShortError: No bar lies in the test part.
        RejectedDataError: The model learned prices that have been rescaled since.
    """
    manifest = model.manifest
    days = score_model(model, bars, unseen_origins(manifest, bars, model.ticker), others)
    return days, evaluate(days, manifest.mase_scale * scale_since_training(manifest, bars))


def score_horizons(model: LoadedModel, bars: Bars, horizons: Sequence[int]) -> list[Evaluation]:
    """Score a model on its test part several numbers of sessions ahead.

    All horizons are forecast from the same closes: those from which `score_unseen` forecasts, but
    for the latest ones, whose sessions farther ahead have not closed yet. So no session of the test
    part is forecast from a close before it, and none before it is forecast.

    Args:
        horizons: None below the one that the model learned.

    Raises:
        SeriesTooShortError: No bar lies in the test part, or not one so far ahead.
        RejectedDataError: The model learned prices that have been rescaled since.
    """
    manifest = model.manifest
    _require_as_read(manifest, bars)
    require_training_scale(manifest, bars)
    bars = bars.since(manifest.config.start)
    every = unseen_origins(manifest, bars, model.ticker)
    # The network is run once; what is farther ahead is its forecast, widened.
    forecasts = model.forecaster.forecast(bars, every)
    learned, taught = manifest.config.horizon, _training_rows(manifest, bars)
    scored = []
    for horizon in horizons:
        closed = every + horizon < len(bars)
        origins = every[closed]
        if not len(origins):
            raise SeriesTooShortError(
                f"the test part of {manifest.id} has {len(every)} forecasts, and none of them "
                f"{horizon} sessions ahead",
                needed=horizon,
                found=len(every),
                hint=f"stocklstm fetch --ticker {model.ticker}",
            )
        made = ReturnForecasts(forecasts.points[closed], forecasts.quantiles[closed])
        farther = made.at_horizon(horizon, learned)
        days = score_days(bars, origins, farther, manifest.baselines, horizon)
        scored.append(evaluate(days, naive_error(bars, taught, horizon)))
    return scored


def _training_rows(manifest: Manifest, bars: Bars) -> int:
    """Count the leading rows that the baselines were fitted on."""
    if manifest.pool is not None:
        return known_rows(bars.dates, manifest.pool.days)
    return int((bars.dates <= np.datetime64(manifest.splits.train_end, "D")).sum())


def unseen_origins(manifest: Manifest, bars: Bars, ticker: str | None = None) -> Indices:
    """List the rows from which the days of a model's test part are forecast, at least one.

    Args:
        ticker: By default that of the manifest, which a pooled model has none of.

    Raises:
        SeriesTooShortError: No bar lies in the test part.
    """
    origins = test_origins(manifest, bars)
    if len(origins) == 0:
        name = ticker or manifest.ticker
        raise SeriesTooShortError(
            f"no stored price of {name} lies in the test part of {manifest.id}",
            needed=1,
            found=0,
            hint=f"stocklstm fetch --ticker {name}",
        )
    return origins


def test_origins(manifest: Manifest, bars: Bars) -> Indices:
    """List the rows from which the days of a model's test part are forecast; perhaps none."""
    config = manifest.config
    if manifest.pool is not None:
        return pool_split(bars.dates, manifest.pool.days, warm_up_rows(config), config).test
    targets = np.flatnonzero(bars.dates >= np.datetime64(manifest.splits.test_start, "D"))
    origins: Indices = targets[targets >= config.horizon] - config.horizon
    return origins


def score_model(
    model: LoadedModel,
    bars: Bars,
    origins: Indices,
    others: Sequence[DistributionBaseline] = (),
    *,
    together: bool = False,
) -> ScoredDays:
    """Forecast from each origin and put the outcome beside it.

    Args:
        origins: (n,) rows, each with the session that is forecast from it.
        others: Baselines of the distribution to put beside it, besides EWMA.
        together: Make several forecasts at once, which may round otherwise than one alone.

    Raises:
        SeriesTooShortError: An origin has too few bars before it.
        RejectedDataError: The model learned prices that have been rescaled since.
    """
    _require_as_read(model.manifest, bars)
    require_training_scale(model.manifest, bars)
    manifest, stored = model.manifest, len(bars)
    bars = bars.since(manifest.config.start)
    origins = origins - (stored - len(bars))
    forecasts = model.forecaster.forecast(bars, origins, together=together)
    horizon = manifest.config.horizon
    return score_days(bars, origins, forecasts, manifest.baselines, horizon, others)


def _require_as_read(manifest: Manifest, bars: Bars) -> None:
    """Refuse to score a version on less than its forecasts are made from: that would be a bug."""
    if manifest.data.measured and bars.realised is None:
        raise ValueError(f"{manifest.id} is scored without what bars within sessions say")
