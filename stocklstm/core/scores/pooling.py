"""Scored days of several tickers, or of several trainings, put together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stocklstm.core.forecasts.quantiles import ReturnForecasts
from stocklstm.core.prices.series import Floats, Indices
from stocklstm.core.scores.evaluation import ScoredDays


def join_tickers(series: Sequence[ScoredDays]) -> ScoredDays:
    """Join the scored days of several tickers, in the order of time.

    Every price becomes a share of the close it was forecast from: currencies do not add up, and a
    share that costs more is not worth more.

    Args:
        series: Of each ticker, at least one, all with the same horizon; rivals that not all have
            are left out.
    """
    dates = np.concatenate([days.dates for days in series])
    order: Indices = np.argsort(dates, kind="stable")
    last = np.concatenate([days.last_closes for days in series])[order]

    def joined(parts: Sequence[Floats]) -> Floats:
        values = np.concatenate(parts)[order]
        shares: Floats = values / (last if values.ndim == 1 else last[:, None])
        return shares

    shared = [name for name in series[0].rivals if all(name in days.rivals for days in series)]
    busiest = max(Counter(dates.astype(np.int64).tolist()).values())
    return replace(
        series[0],
        dates=dates[order],
        last_closes=np.ones(len(dates)),
        actuals=joined([days.actuals for days in series]),
        forecasts=ReturnForecasts(
            joined([days.forecasts.points for days in series]),
            joined([days.forecasts.quantiles for days in series]),
        ),
        ewma=joined([days.ewma for days in series]),
        rivals={name: joined([days.rivals[name] for days in series]) for name in shared},
        distributions={},
        together=busiest,
    )


def join_folds(parts: Sequence[ScoredDays]) -> ScoredDays:
    """Join the days of the trainings of a walk-forward evaluation, as if one had forecast all.

    Args:
        parts: At least one, oldest first, of the same horizon.
    """
    return ScoredDays(
        dates=np.concatenate([part.dates for part in parts]),
        last_closes=np.concatenate([part.last_closes for part in parts]),
        actuals=np.concatenate([part.actuals for part in parts]),
        forecasts=ReturnForecasts(
            np.concatenate([part.forecasts.points for part in parts]),
            np.concatenate([part.forecasts.quantiles for part in parts]),
        ),
        ewma=np.concatenate([part.ewma for part in parts]),
        rivals={
            name: np.concatenate([part.rivals[name] for part in parts]) for name in parts[0].rivals
        },
        horizon=parts[0].horizon,
    )
