"""How a training or a search is to begin: what can be refused before PyTorch is loaded for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from stocklstm.core.reference import (
    AUTO,
    StoredTicker,
    is_pool,
    parse_key,
    parse_pool,
    parse_ticker,
)
from stocklstm.core.settings.config import SAMPLERS, TrainingConfig
from stocklstm.errors import ConfigError, NotEnoughDataError, NotFoundError
from stocklstm.store.runs import Run
from stocklstm.store.store import Store
from stocklstm.store.studies import StudyRecord
from stocklstm.workflows.parallel import Backend, check_jobs

PROMOTIONS = ("auto", "always", "never")


@dataclass(frozen=True)
class StartFrom:
    """Where training starts from.

    Example:
        >>> stocklstm.StartFrom(weights="PETR4.SA@v1").weights
        'PETR4.SA@v1'

    Attributes:
        resume: Identity of an unfinished run, or "auto" for the latest one of each ticker (of all
            tickers that have one, if none is named); a ticker that has none begins anew.
        weights: TICKER@version whose weights are to be the first ones; None for random ones.
    """

    resume: str | None = None
    weights: str | None = None

    def __post_init__(self) -> None:
        """Refuse both at once.

        Raises:
            ConfigError: They are given.
        """
        if self.resume is not None and self.weights is not None:
            raise ConfigError(
                "a run that is resumed has its weights already",
                hint="leave --from out, or --resume to begin a new run",
            )


NEW_RUN = StartFrom()
"""A new run, with random weights."""


def check_promotion(promote: str) -> None:
    """Refuse a value of `--promote` that there is not.

    Raises:
        ConfigError: It is none of `PROMOTIONS`.
    """
    if promote not in PROMOTIONS:
        raise ConfigError(
            f"--promote is one of {', '.join(PROMOTIONS)}, not {promote!r}",
            hint="--promote auto, which is the default",
        )


def require_tickers(tickers: Sequence[str], command: str) -> None:
    """Refuse work for nothing.

    Args:
        tickers: As typed.
        command: What is called, and in the hint, such as "train" or "train --dry-run".

    Raises:
        ConfigError: No ticker is named.
    """
    if not tickers:
        name, *options = command.split()
        hint = " ".join(["stocklstm", name, "--ticker PETR4.SA", *options])
        raise ConfigError(f"{name} needs a ticker", hint=hint)


def tickers_to_train(store: Store, tickers: Sequence[str], beginning: StartFrom) -> list[str]:
    """Name what is to be trained: what was typed, or all that have an unfinished run.

    Args:
        store: Where the runs lie.
        tickers: As typed.
        beginning: Does not name a run.

    Raises:
        ConfigError: It is nothing.
    """
    names = list(tickers) or (_unfinished_tickers(store) if beginning.resume else [])
    require_tickers(names, "train")
    return names


def check_beginning(store: Store, tickers: Sequence[str], beginning: StartFrom) -> None:
    """Refuse a training of nothing, and a run that is not there.

    Raises:
        ConfigError: No ticker is named and no run is unfinished, or the run is of another ticker.
        NotFoundError: There is no such run.
    """
    if beginning.resume in {None, AUTO}:
        tickers_to_train(store, tickers, beginning)
    else:
        run_of(store, str(beginning.resume), tickers)


def _unfinished_tickers(store: Store) -> list[str]:
    owners = {store.runs.open(name).record.ticker for name in store.runs.begun()}
    return sorted(StoredTicker(owner) for owner in owners if not is_pool(owner))


def run_of(store: Store, name: str, tickers: Sequence[str]) -> Run:
    """Find a run by its identity.

    Raises:
        NotFoundError: There is none.
        ConfigError: It is of another ticker than those that were typed.
    """
    run = store.runs.open(name)
    if {parse_key(ticker) for ticker in tickers} - {run.record.ticker}:
        raise ConfigError(
            f"the run {name} is of {run.record.ticker}, and of no other ticker",
            hint=f"stocklstm train --resume {name}",
        )
    return run


def pooled_run(store: Store, name: str | None, resume: str) -> Run:
    """Find the run of a pooled model that is to be resumed.

    Args:
        store: Where the runs lie.
        name: Of the model, as typed, if it was.
        resume: Identity of the run, or "auto".

    Raises:
        NotFoundError: There is none.
        ConfigError: It is of another model.
    """
    owner = None if name is None else parse_pool(name)
    if resume == AUTO:
        begun = store.runs.begun(owner)
        if owner is None or not begun:
            raise NotFoundError(
                f"there is no unfinished run of {owner or 'a pooled model without a name'}",
                hint="stocklstm train --pooled --name b3 --tickers-file b3.txt starts a new one",
            )
        resume = begun[-1]
    run = store.runs.open(resume)
    if not run.record.pool or owner not in {None, run.record.ticker}:
        raise ConfigError(
            f"the run {resume} is of {run.record.ticker}", hint=f"stocklstm train --resume {resume}"
        )
    return run


def check_pooled(backend: Backend) -> None:
    """Refuse several processes for one network.

    Raises:
        ConfigError: They are wanted.
    """
    if backend.jobs != 1:
        raise ConfigError(
            "--jobs is not for pooled models: it is one network that is trained",
            hint="leave --jobs out",
        )


def check_pool(
    name: str | None, tickers: Sequence[str], config: TrainingConfig
) -> tuple[str, list[str]]:
    """Read the name of a new pooled model and its tickers, each once.

    Raises:
        ConfigError: There is no name, or it is none; there are not two tickers, or prices are to
            be learned.
    """
    if name is None:
        raise ConfigError(
            "a pooled model needs a name",
            hint="stocklstm train --pooled --name b3 --tickers-file b3.txt",
        )
    require_scale_free(config)
    owner = parse_pool(name)
    chosen = list(dict.fromkeys(map(parse_ticker, tickers)))
    if len(chosen) < 2:
        only = chosen[0] if chosen else "PETR4.SA"
        raise ConfigError(
            f"a pooled model is of several tickers, and {len(chosen) or 'none'} was named",
            hint=f"stocklstm train --ticker {only} trains a model of one",
        )
    return owner, chosen


def check_pool_in(store: Store, owner: str, chosen: Sequence[str]) -> None:
    """Refuse a pool that cannot be one in a store.

    Args:
        store: Where its prices are.
        owner: Its name, with the mark.
        chosen: Its tickers.

    Raises:
        ConfigError: The name is that of a ticker.
        NotEnoughDataError: Less than two of the tickers have prices.
    """
    require_free(store, owner, chosen)
    require_several(sum(store.prices.has(ticker) for ticker in chosen), chosen)


def require_several(found: int, chosen: Sequence[str], start: str | None = None) -> None:
    """Refuse a pool of less than two tickers.

    Args:
        found: How many have enough prices.
        chosen: All that were named.
        start: First day of the prices that count; None where all do.

    Raises:
        NotEnoughDataError: They are too few.
    """
    if found < 2:
        raise NotEnoughDataError(
            f"{found or 'none'} of {len(chosen)} tickers has enough prices, and a "
            "pooled model is of several",
            hint="stocklstm fetch --tickers-file FILE"
            if start is None
            else f"take an earlier --start than {start}",
        )


def study_of(store: Store, name: str, tickers: Sequence[str]) -> StudyRecord:
    """Find a search by its identity.

    Raises:
        NotFoundError: There is none.
        ConfigError: It is of another ticker than those that were typed.
    """
    record = store.studies.open(name)
    if {parse_key(ticker) for ticker in tickers} - {record.ticker}:
        raise ConfigError(
            f"the study {record.id} is of {record.ticker}, and of no other ticker",
            hint=f"stocklstm tune --resume {record.id}",
        )
    return record


@dataclass(frozen=True)
class Search:
    """How to search.

    Example:
        >>> stocklstm.Search(sampler="random", most_trials=10).most_trials
        10

    Attributes:
        sampler: "coordinate" (one axis of `core.settings.axes.AXES` after the other), "grid" (every
            combination of them), "random" or "tpe" (anything between the same ends).
        most_trials: Where to end at the latest; None for 30 with "random" and "tpe", and for all
            there are with the others.
        jobs: Processes that work at the same time: each on a ticker where there are several, else
            each on a trial.
        resume: Identity of an unfinished study to go on with, or "auto" for the latest one of
            each ticker; a ticker that has none begins anew.
    """

    sampler: str = "coordinate"
    most_trials: int | None = None
    jobs: int = 1
    resume: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be done.

        Raises:
            ConfigError: No such sampler, or a number outside its limits.
        """
        if self.sampler not in SAMPLERS:
            raise ConfigError(
                f"--sampler is one of {', '.join(SAMPLERS)}, not {self.sampler!a}",
                hint=f"leave --sampler out for {next(iter(SAMPLERS))}",
            )
        if self.most_trials is not None and self.most_trials < 1:
            raise ConfigError(
                f"--trials must be at least 1, not {self.most_trials}",
                hint="leave --trials out for as many as there are, or 30 at random",
            )
        check_jobs(self.jobs)


def shares_tickers(tickers: Sequence[str], search: Search) -> bool:
    """Tell whether every ticker, as typed, is searched for in a process of its own."""
    return search.jobs > 1 and len({ticker.strip().upper() for ticker in tickers}) > 1


def require_scale_free(config: TrainingConfig) -> None:
    """Refuse settings under which prices of one ticker would mean something to another.

    Raises:
        ConfigError: A price is learned or shown, or rows are held back for residuals.
    """
    if config.target != "return" or "close" in config.features:
        raise ConfigError(
            "a pooled model learns returns: a price of one ticker says nothing of another's "
            f"(preset {config.preset}, target {config.target}, features "
            f"{', '.join(config.features)})",
            hint="leave --preset and close in --features out: calibrated is the preset for pools",
        )
    if config.calibration_fraction:
        raise ConfigError(
            "a pooled model has no use for a calibration part",
            hint="leave --calibration-fraction out",
        )


def require_free(store: Store, owner: str, tickers: Sequence[str]) -> None:
    """Refuse a name that people would take for a ticker."""
    ticker = owner[1:].upper()
    if ticker in tickers or store.prices.has(ticker) or store.registry.versions(ticker):
        raise ConfigError(
            f"{ticker} is a ticker: a pooled model needs a name of its own",
            hint=f"stocklstm train --pooled --name {owner[1:]}-pool --tickers-file FILE",
        )
