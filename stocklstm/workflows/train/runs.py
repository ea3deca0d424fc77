"""How a training run begins, is resumed, and ends."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from stocklstm.core.clock import utc_now
from stocklstm.core.digest import sha256_hex
from stocklstm.core.inputs.scaling import warm_up_rows
from stocklstm.core.prices.pool_splits import LEAST_ROWS
from stocklstm.core.prices.series import Bars
from stocklstm.core.reference import is_pool
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.core.training.epochs import EpochRecord
from stocklstm.errors import (
    InterruptedWorkError,
    NoPricesError,
    TrainingDivergedError,
)
from stocklstm.learn.checkpoints import RunFiles
from stocklstm.store.runs import PinnedSeries, Run, RunRecord, run_id
from stocklstm.store.store import Store
from stocklstm.workflows.loading.bars import bars_to_learn
from stocklstm.workflows.train.beginning import check_pool, require_free, require_several
from stocklstm.workflows.train.order import Dataset, LeftOutTicker, RunInMemory, TrainingOrder
from stocklstm.workflows.train.warm_start import (
    days_learned,
    read_checkpoint,
    require_unseen_test_part,
    weights_identity,
)


@dataclass(frozen=True)
class EpochEnded:
    """Sent after every epoch.

    Attributes:
        ticker: Whose model is training.
        epochs: Most epochs the run may take.
        record: The epoch.
    """

    ticker: str
    epochs: int
    record: EpochRecord


class TrainingStoppedError(InterruptedWorkError):
    """Somebody asked training to stop; nothing of it is lost.

    Attributes:
        run: Identity of the run, to be resumed; "auto" where there are several.
    """

    def __init__(self, run: str, options: str = "") -> None:
        """Keep the identity.

        Args:
            run: Of the run, or "auto".
            options: Of the command that resumes it, each with a space before it.
        """
        super().__init__(f"stocklstm train --resume {run}{options}")
        self.run = run


# What is trained on


def read_ticker(store: Store, ticker: str, config: TrainingConfig) -> Dataset:
    """Read the prices of one ticker as these settings take them.

    Raises:
        NoPricesError: There are none.
    """
    return _dataset(store, ticker, {ticker: bars_to_learn(store, ticker, config)})


def read_pool(
    store: Store,
    name: str | None,
    tickers: Sequence[str],
    config: TrainingConfig,
    on_note: Callable[[str], None],
) -> Dataset:
    """Read the prices of several tickers; leave out those that have none, or too few.

    Args:
        name: Of the pooled model, as typed.
        tickers: As typed.
        config: All settings.
        on_note: Called with which ticker is left out and why, in words.

    Raises:
        ConfigError: There is no name, or it is that of a ticker; there are not two tickers, or
            prices are to be learned.
        NotEnoughDataError: Fewer than two tickers have enough prices.
    """
    owner, chosen = check_pool(name, tickers, config)
    require_free(store, owner, chosen)
    least = max(LEAST_ROWS, warm_up_rows(config) + config.seq_length) + config.horizon
    bars, left_out = {}, []
    for ticker in chosen:
        try:
            found = store.prices.bars(ticker)
        except NoPricesError as error:
            left_out.append(LeftOutTicker(ticker, error.message))
            continue
        if (rows := len(found.since(config.start))) < least:
            since = "" if config.start is None else f" from {config.start} on"
            reason = f"{rows} rows{since} are too few: {least} are needed"
            left_out.append(LeftOutTicker(ticker, reason))
            continue
        bars[ticker] = found
    for each in left_out:
        on_note(f"{each.ticker} is left out: {each.reason}")
    # Who has prices at all has been asked before.
    require_several(len(bars), chosen, config.start)
    return _dataset(store, owner, bars, tuple(left_out))


def _read_again(store: Store, record: RunRecord) -> Dataset:
    """Read the prices that a run was given; what came later stays out.

    Raises:
        RejectedDataError: They have been revised since.
    """
    name = f"the run {record.id}"
    bars = {
        each.ticker: store.prices.pinned(
            each.ticker,
            each.last,
            each.sha256,
            name=name,
            command="train",
            created=record.created,
        )
        for each in record.series
    }
    return _dataset(store, record.ticker, bars)


def _dataset(
    store: Store, owner: str, bars: dict[str, Bars], left_out: tuple[LeftOutTicker, ...] = ()
) -> Dataset:
    sources = {ticker: tuple(store.prices.sources(ticker)) for ticker in bars}
    return Dataset(owner, bars, sources, left_out)


# The runs


@dataclass(frozen=True)
class BegunRun:
    """A run that is about to be trained, and whose lock is held.

    Attributes:
        order: What is to be done.
        resumed: True if part of it has been done before.
        learned_before: What its first weights know; see `Manifest`.
    """

    order: TrainingOrder
    resumed: bool
    learned_before: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Runs:
    """Begins runs and resumes them.

    Attributes:
        store: Where they lie.
        remote: True if they are trained where there is no store.
        on_note: Called with what a person may want to know before a training, in words.
    """

    store: Store
    remote: bool
    on_note: Callable[[str], None]

    @contextmanager
    def new(
        self, dataset: Dataset, config: TrainingConfig, weights: str | None
    ) -> Iterator[BegunRun]:
        """Begin a run.

        Args:
            dataset: What is trained on.
            config: All settings.
            weights: Reference to the version whose weights are to be the first ones.
        """
        start = None if weights is None else weights_identity(self.store, weights)
        # What cannot be trained at all is said before a directory is made for it.
        series = dataset.split(config)
        record = _record(dataset, config, start)
        if start is not None:
            require_unseen_test_part(
                self.store, start, dataset.owner, list(series.values()), config.horizon
            )
        self._note_unfinished(dataset.owner)
        if self.remote:
            yield self._begun(None, record, dataset, resumed=False)
            return
        run = self.store.runs.create(record)
        with self.store.runs.locked(record.id), _removed_when_done(run):
            yield self._begun(run, record, dataset, resumed=False)

    @contextmanager
    def resumed(self, run: Run) -> Iterator[BegunRun]:
        """Resume a run, on the prices that it was given."""
        with self.store.runs.locked(run.record.id):
            # Another process may have finished it meanwhile.
            run = self.store.runs.open(run.record.id)
            dataset = _read_again(self.store, run.record)
            with _removed_when_done(run):
                yield self._begun(run, run.record, dataset, resumed=True)

    def _begun(
        self, run: Run | None, record: RunRecord, dataset: Dataset, *, resumed: bool
    ) -> BegunRun:
        files: RunFiles
        if run is None:
            files = RunInMemory()
        else:
            files = RunInMemory(run.state(), run.checkpoints()) if self.remote else run
        if record.start is None:
            return BegunRun(TrainingOrder(record, dataset, files), resumed)
        start = read_checkpoint(self.store, record.start)
        learned = days_learned(self.store, record.start)
        return BegunRun(TrainingOrder(record, dataset, files, start), resumed, learned)

    def _note_unfinished(self, owner: str) -> None:
        runs = self.store.runs.idle(owner)
        if not runs:
            return
        several = len(runs) > 1
        found = f"{len(runs)} unfinished runs" if several else "an unfinished run"
        self.on_note(
            f"{owner} has {found}; to go on with {'the latest' if several else 'it'} instead: "
            f"stocklstm train --resume {runs[-1].record.id}"
        )


def _record(dataset: Dataset, config: TrainingConfig, start: str | None) -> RunRecord:
    now = utc_now()
    pinned = tuple(
        PinnedSeries(ticker, str(bars.dates[-1]), bars.fingerprint())
        for ticker, bars in sorted(dataset.bars.items())
    )
    pooled = is_pool(dataset.owner)
    together = sha256_hex(*(each.sha256.encode() for each in pinned))
    return RunRecord(
        id=run_id(dataset.owner, now),
        ticker=dataset.owner,
        created=now,
        config=config,
        rows=sum(len(bars) for bars in dataset.bars.values()),
        last=max(each.last for each in pinned),
        sha256=together if pooled else pinned[0].sha256,
        start=start,
        pool=pinned if pooled else (),
    )


@contextmanager
def _removed_when_done(run: Run) -> Iterator[None]:
    """Save a run for `--resume`; delete it once it is published, or can never be."""
    try:
        yield
    except TrainingDivergedError:
        # It would diverge again.
        run.remove()
        raise
    except BaseException:
        if run.state() is None:
            run.remove()
        raise
    run.remove()
