"""train --pooled: one network for many tickers, as a new version under a name of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stocklstm.core.batch import Failure
from stocklstm.core.clock import utc_now
from stocklstm.core.digest import sha256_hex
from stocklstm.core.inputs.scaling import warm_up_rows
from stocklstm.core.prices.pool_splits import LEAST_ROWS
from stocklstm.core.prices.series import Bars
from stocklstm.core.reference import AUTO, parse_pool, parse_ticker
from stocklstm.core.settings.config import LOCK_TIMEOUT_S, TrainingConfig
from stocklstm.errors import (
    ConfigError,
    NoPricesError,
    NotEnoughDataError,
    NotFoundError,
)
from stocklstm.learn.stopping import StoppedError
from stocklstm.store.locks import writer_lock
from stocklstm.store.manifest import Manifest
from stocklstm.store.runs import PinnedSeries, Run, RunRecord, run_id
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.publishing import Promotion, check_rule, judge, promote_by
from stocklstm.workflows.train.fit import fit
from stocklstm.workflows.train.order import fitted_files
from stocklstm.workflows.train.pool_fit import (
    FittedPool,
    prepare_pool,
    require_scale_free,
)
from stocklstm.workflows.train.result import TrainedVersion
from stocklstm.workflows.train.runs import (
    EpochEnded,
    TrainingStoppedError,
    kept,
    state_of,
)


@dataclass(frozen=True)
class LeftOutTicker:
    """A ticker that the pool goes on without.

    Attributes:
        ticker: Its name.
        reason: Why, in words.
    """

    ticker: str
    reason: str


@dataclass(frozen=True)
class PooledVersion(TrainedVersion):
    """What one pooled run made; `evaluation` is over the test days of all tickers.

    Attributes:
        tickers: Those it was trained, validated or tested on.
        left_out: Those that were named and could not be used.
        windows: Training windows of all tickers.
    """

    tickers: tuple[str, ...]
    left_out: tuple[LeftOutTicker, ...]
    windows: int


@dataclass(frozen=True)
class PooledResult:
    """Outcome of one pooled training."""

    results: tuple[PooledVersion, ...]
    failures: tuple[Failure, ...] = ()


def train_pooled(  # noqa: PLR0913 - all but three have a default
    name: str | None,
    tickers: Sequence[str],
    config: TrainingConfig,
    *,
    promote: str = "auto",
    resume: str | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    home: Path | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    on_epoch: Callable[[EpochEnded], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> PooledResult:
    """Train one network on the stored prices of several tickers and publish it.

    Args:
        name: Of the pooled model, as typed; None only where a run is resumed by its identity.
        tickers: As typed; at least two, unless a run is resumed.
        config: All settings; a run that is resumed keeps its own.
        promote: "auto" makes it champion of its name unless it is significantly worse than the
            champion on the same test days; "always"; "never".
        resume: Identity of an unfinished run, or "auto" for the latest one of that name.
        should_stop: Asked after every step; once it says yes the state is kept and training ends.
        home: The store; by default where the command line has it.
        lock_timeout_s: Seconds to wait for another writer.
        on_epoch: Called after every epoch.
        on_note: Called with what a person may want to know, in words: which tickers are left out.

    Raises:
        ConfigError: The name is that of a ticker, there are not two tickers, prices are to be
            learned, or no such promotion rule.
        NotFoundError: There is no store, or no such run.
        NotEnoughDataError: Fewer than two tickers have enough prices.
        TrainingStoppedError: `should_stop` said so.
    """
    check_rule(promote)
    with open_store(home, lock_timeout_s=lock_timeout_s) as store:
        store.require_writable()
        work = _Pooling(store, promote, lock_timeout_s, should_stop, on_epoch, on_note)
        if resume is not None:
            return PooledResult((work.go_on(_run_named(store, name, resume)),))
        if name is None:
            raise ConfigError(
                "a pooled model needs a name",
                hint="stocklstm train --pooled --name b3 --tickers-file b3.txt",
            )
        require_scale_free(config)
        key, chosen = parse_pool(name), _several(tickers)
        _require_free(store, key, chosen)
        return PooledResult((work.start(key, chosen, config),))


def _several(tickers: Sequence[str]) -> list[str]:
    chosen = list(dict.fromkeys(map(parse_ticker, tickers)))
    if len(chosen) < 2:
        only = chosen[0] if chosen else "PETR4.SA"
        raise ConfigError(
            f"a pooled model is of several tickers, and {len(chosen) or 'none'} was named",
            hint=f"stocklstm train --ticker {only} trains a model of one",
        )
    return chosen


def _require_free(store: Store, key: str, tickers: Sequence[str]) -> None:
    """Refuse a name that people would take for a ticker."""
    ticker = key[1:].upper()
    if ticker in tickers or store.prices.has(ticker) or store.registry.versions(ticker):
        raise ConfigError(
            f"{ticker} is a ticker: a pooled model needs a name of its own",
            hint=f"stocklstm train --pooled --name {key[1:]}-pool --tickers-file FILE",
        )


def _run_named(store: Store, name: str | None, resume: str) -> Run:
    """Find the run that is to go on."""
    key = None if name is None else parse_pool(name)
    if resume == AUTO:
        begun = store.runs.begun(key)
        if key is None or not begun:
            raise NotFoundError(
                f"there is no unfinished run of {key or 'a pooled model without a name'}",
                hint="stocklstm train --pooled --name b3 --tickers-file b3.txt starts a new one",
            )
        resume = begun[-1]
    run = store.runs.open(resume)
    if not run.record.pool or key not in {None, run.record.ticker}:
        raise ConfigError(
            f"the run {resume} is of {run.record.ticker}", hint=f"stocklstm train --resume {resume}"
        )
    return run


@dataclass(frozen=True)
class _Pooling:
    store: Store
    promote: str
    lock_timeout_s: float
    should_stop: Callable[[], bool]
    on_epoch: Callable[[EpochEnded], None]
    on_note: Callable[[str], None]

    def start(self, name: str, tickers: Sequence[str], config: TrainingConfig) -> PooledVersion:
        """Begin a new run."""
        series, left_out = self._usable(tickers, config)
        # What cannot be trained at all is said before a directory is made for it.
        prepare_pool(series, config)
        pinned = tuple(
            PinnedSeries(ticker, str(bars.dates[-1]), bars.fingerprint())
            for ticker, bars in sorted(series.items())
        )
        now = utc_now()
        record = RunRecord(
            id=run_id(name, now),
            ticker=name,
            created=now,
            config=config,
            rows=sum(len(bars) for bars in series.values()),
            last=max(each.last for each in pinned),
            sha256=sha256_hex(*(each.sha256.encode() for each in pinned)),
            pool=pinned,
        )
        run = self.store.runs.create(record)
        with self.store.runs.locked(record.id):
            return self._train(run, series, left_out, resumed=False)

    def _usable(
        self, tickers: Sequence[str], config: TrainingConfig
    ) -> tuple[dict[str, Bars], tuple[LeftOutTicker, ...]]:
        """Read the prices; go on without tickers that have none, or too few."""
        least = max(LEAST_ROWS, warm_up_rows(config) + config.seq_length) + config.horizon
        series: dict[str, Bars] = {}
        left_out: list[LeftOutTicker] = []
        for ticker in tickers:
            try:
                bars = self.store.prices.bars(ticker)
            except NoPricesError as error:
                left_out.append(LeftOutTicker(ticker, error.message))
                continue
            if len(bars) < least:
                reason = f"{len(bars)} rows are too few: {least} are needed"
                left_out.append(LeftOutTicker(ticker, reason))
                continue
            series[ticker] = bars
        for each in left_out:
            self.on_note(f"{each.ticker} is left out: {each.reason}")
        if len(series) < 2:
            raise NotEnoughDataError(
                f"{len(series) or 'none'} of {len(tickers)} tickers has enough prices, and a "
                "pooled model is of several",
                hint="stocklstm fetch --tickers-file FILE",
            )
        return series, tuple(left_out)

    def go_on(self, run: Run) -> PooledVersion:
        """Go on with a run, on the prices that it was given."""
        with self.store.runs.locked(run.record.id):
            # Another process may have finished it meanwhile.
            run = self.store.runs.open(run.record.id)
            name = f"the run {run.record.id}"
            series = {
                each.ticker: self.store.prices.pinned(
                    each.ticker, each.last, each.sha256, name=name, command="train"
                )
                for each in run.record.pool
            }
            return self._train(run, series, (), resumed=True)

    def _train(
        self,
        run: Run,
        series: dict[str, Bars],
        left_out: tuple[LeftOutTicker, ...],
        *,
        resumed: bool,
    ) -> PooledVersion:
        record = run.record
        with kept(run):
            try:
                model = fit(
                    prepare_pool(series, record.config),
                    lambda epoch: self.on_epoch(
                        EpochEnded(record.ticker, record.config.epochs, epoch)
                    ),
                    should_stop=self.should_stop,
                    files=run,
                    resume=state_of(record, run),
                )
            except StoppedError as error:
                raise TrainingStoppedError(record.id) from error
            manifest, promotion = self._publish(run, model)
        return PooledVersion.published(
            self.store,
            manifest,
            promotion,
            seconds=model.seconds,
            diagnosis=model.diagnosis.words,
            resumed_from=record.id if resumed else None,
            tickers=tuple(member.ticker for member in model.members),
            left_out=left_out,
            windows=sum(member.windows for member in model.members),
        )

    def _publish(self, run: Run, model: FittedPool) -> tuple[Manifest, Promotion]:
        name, registry = run.record.ticker, self.store.registry
        sources = {
            member.ticker: tuple(self.store.prices.sources(member.ticker))
            for member in model.members
        }
        files = fitted_files(model, run, model.title(name)) | model.own_files(name, sources, "")
        with registry.draft(name) as draft:
            for file, content in files.items():
                draft.write(file, content)
            with writer_lock(self.store.paths, name, self.lock_timeout_s):
                promotion, at = self._judge(name, model), utc_now()
                manifest = registry.publish(
                    draft,
                    name,
                    lambda version: replace(
                        model.manifest(name, sources, draft.files), version=version, created=at
                    ),
                    at=at,
                    promotion=promotion.reason if promotion.promoted else None,
                )
        return manifest, promotion

    def _judge(self, name: str, model: FittedPool) -> Promotion:
        bars = {each.ticker: each.bars for each in model.prepared.series}
        return promote_by(
            self.promote,
            lambda: judge(self.store, name, model.config.horizon, bars, model.days),
        )
