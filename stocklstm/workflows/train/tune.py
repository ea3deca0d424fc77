"""tune: which settings have the lowest validation loss."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count

from stocklstm.core.batch import Batch, Failure, Result, for_each
from stocklstm.core.clock import utc_now
from stocklstm.core.language import english
from stocklstm.core.prices.series import Bars
from stocklstm.core.reference import AUTO, parse_ticker
from stocklstm.core.settings.config import (
    AXES,
    SIGNIFICANT,
    AxisValues,
    TrainingConfig,
)
from stocklstm.core.settings.layers import training_options
from stocklstm.core.training.search import (
    COMPLETE,
    Trial,
    against_start,
    applied,
    best_trial,
    combinations,
    most_coordinate,
    next_coordinate,
    settings_of,
    start_trial,
    untried,
)
from stocklstm.core.wording import first_few, p_words, two_digits
from stocklstm.errors import ConfigError, InterruptedWorkError, TrainingDivergedError
from stocklstm.learn.devices import choose_device
from stocklstm.learn.search import Pruner, propose, require_optuna
from stocklstm.learn.stopping import ShouldStop, StoppedError
from stocklstm.learn.trials import Trials
from stocklstm.learn.workers import LocalWorkers
from stocklstm.report.figure import PictureForm, rendered
from stocklstm.report.trials import trials_figure
from stocklstm.store.disk import disk_errors
from stocklstm.store.drafts import replace_file
from stocklstm.store.runs import run_id
from stocklstm.store.store import Store
from stocklstm.store.studies import StudyRecord
from stocklstm.workflows.loading.bars import bars_to_learn
from stocklstm.workflows.parallel import (
    TickersDone,
    UnfinishedError,
    for_each_in_processes,
)
from stocklstm.workflows.train.beginning import (
    Search,
    require_tickers,
    shares_tickers,
    study_of,
)
from stocklstm.workflows.train.fit import prepare

# Where the samplers that would never end on their own end.
_DEFAULT_TRIALS = 30


@dataclass(frozen=True)
class TrialEnded:
    """Sent after every trial.

    Attributes:
        ticker: Whose settings.
        done: Trials so far, those of before a resumption counted.
        most: Trials at most.
        trial: The one that ended.
        best: The best so far.
    """

    ticker: str
    done: int
    most: int
    trial: Trial
    best: Trial


@dataclass(frozen=True)
class TriedSettings:
    """One trial, as it is shown.

    Attributes:
        number: From 0.
        settings: A value for each axis.
        status: "complete", "pruned" or "diverged".
        val_loss: Validation loss of the weights that would be kept; None if it diverged.
        epochs: Passes made.
        kept_epoch: Epoch whose weights would be kept.
        seconds: Wall time.
    """

    number: int
    settings: AxisValues
    status: str
    val_loss: float | None
    epochs: int
    kept_epoch: int
    seconds: float


@dataclass(frozen=True, repr=False)
class TunedTicker(Result):
    """What a search found.

    Attributes:
        ticker: Whose settings.
        study: Identity of the search in the store.
        sampler: How it searched.
        trials: All of them, by number.
        start: The one with the settings that it started from.
        best: The one with the lowest validation loss.
        improvement_pct: By how much the best loss is below that of the start, in per cent.
        p: Chance of a difference as large if both were equally good, on the validation days,
            times the number of other settings that could have come out best (Bonferroni); None
            if the start is the best.
        validation_days: Days that it was measured on; no day of the test part is among them.
        conclusion: The same in words.
        config: All settings, with the best values.
        command: Trains with them.
        plot: The picture.
        resumed: True if it went on with earlier trials.
    """

    ROWS = "trials"
    SHOWN = ("ticker", "number", "status", "val_loss", "epochs", "seconds")
    SAID = ("conclusion",)

    ticker: str
    study: str
    sampler: str
    trials: tuple[TriedSettings, ...]
    start: TriedSettings
    best: TriedSettings
    improvement_pct: float
    p: float | None
    validation_days: int
    conclusion: str
    config: TrainingConfig
    command: str
    plot: str
    resumed: bool


TuneResult = Batch[TunedTicker]


class TuningStoppedError(InterruptedWorkError):
    """Somebody asked the search to stop; the trials that are done are kept."""


def tune(
    store: Store,
    tickers: Sequence[str],
    config: TrainingConfig,
    search: Search,
    *,
    should_stop: ShouldStop,
    on_trial: Callable[[TrialEnded], None],
    on_ticker: Callable[[TickersDone], None],
    on_note: Callable[[str], None],
) -> TuneResult:
    """Search for settings with a low validation loss; see `Client.tune`."""
    store.require_writable()
    tuning = _Tuning(store, config, search, should_stop, on_trial)
    if search.resume not in {None, AUTO}:
        record = study_of(store, str(search.resume), tickers)
        return TuneResult(*for_each([record.ticker], str, lambda _: tuning.resume(record)))
    require_tickers(tickers, "tune")
    if shares_tickers(tickers, search):
        return TuneResult(*_tune_apart(tuning, tickers, on_ticker, on_note))
    return TuneResult(*for_each(tickers, parse_ticker, tuning.tune))


def _tune_apart(
    tuning: "_Tuning",
    tickers: Sequence[str],
    on_ticker: Callable[[TickersDone], None],
    on_note: Callable[[str], None],
) -> tuple[tuple[TunedTicker, ...], tuple[Failure, ...]]:
    search, store = tuning.search, tuning.store
    given = (tuning.config, replace(search, jobs=1))
    try:
        return for_each_in_processes(
            store,
            tickers,
            parse_ticker,
            search.jobs,
            _tune_one,
            given,
            on_ticker=on_ticker,
            should_stop=tuning.should_stop,
        )
    except UnfinishedError as error:
        begun = [ticker for ticker in error.left if store.studies.unfinished(ticker)]
        if new := [ticker for ticker in error.left if ticker not in begun]:
            on_note(f"nothing is kept of {first_few(new, 5)}; the same command searches for them")
        if not begun:
            raise KeyboardInterrupt from error
        named = "".join(f" --ticker {ticker}" for ticker in begun)
        raise TuningStoppedError(
            f"stocklstm tune --resume auto --jobs {search.jobs}{named}"
        ) from error


def _tune_one(
    store: Store,
    ticker: str,
    config: TrainingConfig,
    search: Search,
    should_stop: ShouldStop,
) -> TunedTicker:
    store.require_writable()
    try:
        return _Tuning(store, config, search, should_stop, lambda _: None).tune(ticker)
    except TuningStoppedError as error:
        raise StoppedError from error


@dataclass(frozen=True)
class _Tuning:
    store: Store
    config: TrainingConfig
    search: Search
    should_stop: ShouldStop
    on_trial: Callable[[TrialEnded], None]

    def tune(self, ticker: str) -> TunedTicker:
        """Begin a new study, or resume the latest unfinished one, as is wanted."""
        names = self.store.studies.unfinished(ticker) if self.search.resume else []
        return self.resume(self.store.studies.open(names[-1])) if names else self._new(ticker)

    def _new(self, ticker: str) -> TunedTicker:
        bars = bars_to_learn(self.store, ticker, self.config)
        # What cannot be trained at all is said before a study is written down for it.
        prepare(bars, self.config)
        choose_device(self.config)
        _check_axes(self.config)
        self._require(self.search.sampler)
        now = utc_now()
        endless = self.search.sampler in {"random", "tpe"}
        record = StudyRecord(
            id=run_id(ticker, now),
            ticker=ticker,
            created=now,
            sampler=self.search.sampler,
            most_trials=self.search.most_trials or (_DEFAULT_TRIALS if endless else None),
            config=self.config,
            last=str(bars.dates[-1]),
            sha256=bars.fingerprint(),
        )
        self.store.studies.create(record)
        with self.store.studies.locked(record.id):
            return self._search(record, bars, resumed=False)

    def resume(self, record: StudyRecord) -> TunedTicker:
        """Resume a study, on the prices that it was given."""
        self._require(record.sampler)
        name = f"the study {record.id}"
        bars = self.store.prices.pinned(
            record.ticker,
            record.last,
            record.sha256,
            name=name,
            command="tune",
            created=record.created,
        )
        with self.store.studies.locked(record.id):
            return self._search(record, bars, resumed=True)

    def _require(self, sampler: str) -> None:
        if sampler != "coordinate":
            require_optuna()

    def _search(self, record: StudyRecord, bars: Bars, *, resumed: bool) -> TunedTicker:
        data = prepare(bars, record.config).data
        trials = list(self.store.studies.trials(record.id))
        try:
            with LocalWorkers(self.search.jobs) as workers:
                training = Trials(record.config, data, workers, self.should_stop)
                while wanted := self._next(record, trials):
                    self._try_out(record, training, wanted, trials)
        except (StoppedError, KeyboardInterrupt) as error:
            raise TuningStoppedError(f"stocklstm tune --resume {record.id}") from error
        self.store.studies.finish(record.id, utc_now())
        return self._found(record, trials, resumed=resumed)

    def _try_out(
        self,
        record: StudyRecord,
        training: Trials,
        wanted: Sequence[AxisValues],
        trials: list[Trial],
    ) -> None:
        """Train with each of some settings; store the trials, and add them to the others."""
        # A trial that was lost leaves a gap, which the same one fills: of equal losses the
        # first counts, so that a search must not depend on where it was stopped.
        used = {trial.number for trial in trials}
        numbers = (number for number in count() if number not in used)
        pruner = None if record.sampler == "coordinate" else Pruner(tuple(trials))
        for trial in training.run(list(zip(numbers, wanted, strict=False)), pruner):
            self.store.studies.add(record.id, trial)
            trials.append(trial)
            self._report(record, trials, trial)
        # Processes end in any order.
        trials.sort(key=lambda trial: trial.number)

    def _next(self, record: StudyRecord, trials: Sequence[Trial]) -> list[AxisValues]:
        start = settings_of(record.config)
        room = math.inf if record.most_trials is None else record.most_trials - len(trials)
        if room <= 0:
            return []
        match record.sampler:
            case "coordinate":
                wanted = next_coordinate(trials, start)
            case "grid":
                every = combinations(start, record.config.seed)
                wanted = untried(every, trials)[: 4 * self.search.jobs]
            case _:
                wanted = untried([start], trials)
                more = int(min(room, self.search.jobs)) - len(wanted)
                if more > 0:
                    wanted += propose(record.sampler, trials, more, record.config.seed)
        return wanted[: int(min(room, len(wanted)))]

    def _report(self, record: StudyRecord, trials: Sequence[Trial], trial: Trial) -> None:
        start = settings_of(record.config)
        limit = math.inf if record.most_trials is None else record.most_trials
        match record.sampler:
            case "coordinate":
                limit = min(limit, most_coordinate(trials, start))
            case "grid":
                limit = min(limit, len(combinations(start, 0)))
        most = int(limit)
        self.on_trial(TrialEnded(record.ticker, len(trials), most, trial, best_trial(trials)))

    def _found(self, record: StudyRecord, trials: Sequence[Trial], *, resumed: bool) -> TunedTicker:
        best = best_trial(trials)
        start = start_trial(trials, settings_of(record.config))
        if best.status != COMPLETE:
            raise TrainingDivergedError(
                f"none of {len(trials)} trials came to its end without diverging",
                hint=f"stocklstm train --ticker {record.ticker} --learning-rate 0.0001 shows why",
            )
        p = _chance(trials, best, start, record.config.horizon)
        improvement = 100 * (1 - best.loss / start.loss) if 0 < start.loss < math.inf else 0.0
        conclusion = _conclusion(trials, best, start, improvement, p)
        form = PictureForm.chosen()
        path = self.store.paths.tuning_report(record.ticker, record.id)
        path = path.with_name(form.named(path.stem))
        figure = trials_figure(
            trials, best, start, record.config.loss, record.ticker, conclusion, form.colours
        )
        with disk_errors("write the picture"):
            replace_file(path, rendered(figure, form.kind))
        config = applied(record.config, best.settings)
        return TunedTicker(
            ticker=record.ticker,
            study=record.id,
            sampler=record.sampler,
            trials=tuple(_shown(trial) for trial in trials),
            start=_shown(start),
            best=_shown(best),
            improvement_pct=improvement,
            p=p,
            validation_days=len(best.losses),
            conclusion=conclusion,
            config=config,
            command=_command(record.ticker, config),
            plot=str(path),
            resumed=resumed,
        )


def _check_axes(config: TrainingConfig) -> None:
    """Refuse settings that some value of an axis does not fit, before any is trained with."""
    for axis, values in AXES.items():
        for value in values:
            try:
                applied(config, {axis: value})
            except ConfigError as error:
                raise ConfigError(
                    f"the search tries {axis} {value:g}, which does not fit: {error.message}",
                    hint=error.hint or "change the setting that it does not fit",
                ) from error


def _shown(trial: Trial) -> TriedSettings:
    return TriedSettings(
        number=trial.number,
        settings=trial.settings,
        status=trial.status,
        val_loss=trial.loss if math.isfinite(trial.loss) else None,
        epochs=len(trial.curve),
        kept_epoch=trial.kept_epoch,
        seconds=trial.seconds,
    )


def _chance(trials: Sequence[Trial], best: Trial, start: Trial, horizon: int) -> float | None:
    test = None if best is start else against_start(best, start, horizon)
    return None if test is None else min(1.0, test.p * (len(trials) - 1))


def _conclusion(
    trials: Sequence[Trial], best: Trial, start: Trial, improvement: float, p: float | None
) -> str:
    if best is start:
        return english(
            "none of {count} other settings had a lower validation loss", count=len(trials) - 1
        )
    if p is None:
        return english("the settings that it started from did not come to their end")
    return english(
        "validation loss {share} % lower than at the start, as the best of {trials}: {judged} ({p} "
        "on {days} days)",
        share=two_digits(improvement),
        trials=len(trials),
        judged=english("more than chance") if p < SIGNIFICANT else english("may well be chance"),
        p=p_words(p),
        days=len(best.losses),
    )


def _command(ticker: str, config: TrainingConfig) -> str:
    # What was searched is always said: a file or a variable of the user's may say otherwise.
    return f"stocklstm train --ticker {ticker} {training_options(config, AXES)}"
