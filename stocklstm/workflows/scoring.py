"""Scoring a loaded version on days that it never saw."""

import numpy as np

from stocklstm.core.evaluation import ScoredDays, score_days
from stocklstm.core.series import Bars, Indices
from stocklstm.store.manifest import Manifest
from stocklstm.workflows.serving import LoadedModel


def scored_origins(bars: Bars, manifest: Manifest) -> Indices:
    """Find the rows at whose close the test part's days were forecast.

    The test part begins where training left off looking and goes on to the latest bar, so it
    grows as new prices come in.

    Args:
        bars: N sessions.
        manifest: Tells the first day of the test part.
    """
    targets = np.flatnonzero(bars.dates >= np.datetime64(manifest.splits.test_start, "D"))
    return targets[targets > 0] - manifest.config.horizon


def score_model(model: LoadedModel, bars: Bars, origins: Indices) -> ScoredDays:
    """Forecast from each origin and put what happened beside it.

    Args:
        model: Any version.
        bars: N sessions.
        origins: (n,) rows, each with a session after it.

    Raises:
        SeriesTooShortError: An origin has too few bars before it.
    """
    forecasts = model.forecaster.forecast(bars, origins)
    return score_days(bars, origins, forecasts, model.manifest.baseline)
