"""Models that are trained in the course of an evening; free of PyTorch where none is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stocklstm.core.batch import Batch, Failure, unexpected
from stocklstm.errors import ConfigError, StockLstmError

if TYPE_CHECKING:
    from stocklstm.workflows.retraining import RetrainResult
    from stocklstm.workflows.train.train import TrainedVersion, TrainResult


@dataclass(frozen=True)
class NewModel:
    """A version that was trained this evening.

    Attributes:
        ticker: Whose.
        version: Its number.
        promoted: True if it is the champion now.
        promotion: Why or why not, in words.
        reason: Why it was trained, in words.
    """

    ticker: str
    version: int
    promoted: bool
    promotion: str
    reason: str


Renew = Callable[[Sequence[str]], Batch[NewModel]]
"""Trains those of some tickers that are due."""


def require_own_models(pool: str | None) -> None:
    """Refuse to retrain a pooled model.

    Raises:
        ConfigError: One is named.
    """
    if pool is not None:
        name = pool.removeprefix("+").partition("@")[0]
        raise ConfigError(
            "--retrain-after is of the tickers' own models, and --model names a pooled one",
            hint=f"stocklstm train --pooled --name {name} --like +{name}@champion",
        )


def newer_models(result: "RetrainResult") -> Batch[NewModel]:
    """Describe the new versions of champions that were due."""
    made = tuple(
        _new_model(each.trained, each.retraining.reason)
        for each in result.results
        if each.trained is not None
    )
    return Batch(made, result.failures)


def first_models(result: "TrainResult") -> Batch[NewModel]:
    """Describe the first models of tickers."""
    made = tuple(_new_model(each, "it had no model") for each in result.results)
    return Batch(made, result.failures)


def _new_model(trained: "TrainedVersion", reason: str) -> NewModel:
    return NewModel(trained.ticker, trained.version, trained.promoted, trained.promotion, reason)


def renewed(tickers: Sequence[str], renew: Renew | None) -> Batch[NewModel]:
    """Train what is due; whatever goes wrong with that, the models of before can forecast."""
    if renew is None or not tickers:
        return Batch(())
    try:
        return renew(tickers)
    except StockLstmError as error:
        return Batch((), tuple(Failure(ticker, error) for ticker in tickers))
    except Exception as error:  # noqa: BLE001 - a bug in a training keeps nobody from a forecast
        return Batch((), (Failure(None, unexpected(error)),))
