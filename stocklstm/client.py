"""An open store and all that can be done with it; the functions of `stocklstm` are its methods."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from functools import cache, partial, wraps
from inspect import Parameter, signature
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from stocklstm.core.arguments import (
    ALL,
    read_moment,
    read_names,
    read_whole_numbers,
    require_any,
    require_class,
)
from stocklstm.core.batch import Batch, Failure
from stocklstm.core.clock import Stopwatch
from stocklstm.core.reference import (
    AUTO,
    CHAMPION,
    StoredTicker,
    parse_alias,
    parse_owner,
    parse_reference,
)
from stocklstm.core.settings.compression import TOLERANCE_PCT
from stocklstm.core.settings.config import LOCK_TIMEOUT_S, PRESETS, TrainingConfig

if TYPE_CHECKING:
    from datetime import date, datetime

    from matplotlib.figure import Figure
    from pandas import DataFrame

    from stocklstm.core.prices.folds import WalkForward
    from stocklstm.core.settings.compression import Compression
    from stocklstm.core.settings.layers import EffectiveSettings
    from stocklstm.store.store import Store
    from stocklstm.workflows.backup import BackupResult, RestoreResult
    from stocklstm.workflows.evaluate.compare import ComparisonResult
    from stocklstm.workflows.evaluate.evaluate import EvaluateResult
    from stocklstm.workflows.evaluate.horizons import HorizonResult
    from stocklstm.workflows.evaluate.league import LeagueResult
    from stocklstm.workflows.evaluate.live import LiveResult
    from stocklstm.workflows.evaluate.pool_scores import PoolScoresResult
    from stocklstm.workflows.evaluate.walk_forward import FoldEnded, WalkForwardResult, WalkPlanned
    from stocklstm.workflows.evening.evening import EveningResult
    from stocklstm.workflows.evening.renewal import NewModel, Renew
    from stocklstm.workflows.evening.timetable import Timetable
    from stocklstm.workflows.loading.model import LoadedModel
    from stocklstm.workflows.models.adopt import AdoptResult
    from stocklstm.workflows.models.aliases import AliasMove
    from stocklstm.workflows.models.diff import Difference
    from stocklstm.workflows.models.exports import ModelExportResult
    from stocklstm.workflows.models.imports import ImportResult
    from stocklstm.workflows.models.listing import ModelDetails, ModelsResult
    from stocklstm.workflows.models.remove import CollectResult, RemovalRule, RemoveResult
    from stocklstm.workflows.models.sign import SignResult
    from stocklstm.workflows.parallel import Backend, TickersDone
    from stocklstm.workflows.predict.history import RecordResult
    from stocklstm.workflows.predict.preconditions import Demands
    from stocklstm.workflows.predict.predict import PredictResult, Wanted
    from stocklstm.workflows.prices.coverage import CoverageResult
    from stocklstm.workflows.prices.export import ExportResult
    from stocklstm.workflows.prices.fetch import FetchResult, TickerDone
    from stocklstm.workflows.prices.file_set import FileRead
    from stocklstm.workflows.prices.missing import Stocked
    from stocklstm.workflows.prices.plan import FetchOptions
    from stocklstm.workflows.prices.rename import RenamedPrices
    from stocklstm.workflows.prices.show import PricesResult
    from stocklstm.workflows.prices.verify import VerifyResult
    from stocklstm.workflows.quantize.methods import EpochTrained
    from stocklstm.workflows.quantize.quantize import QuantizeResult
    from stocklstm.workflows.retraining import DueResult, RetrainingRule, RetrainResult
    from stocklstm.workflows.train.beginning import Search, StartFrom
    from stocklstm.workflows.train.dry_run import PlanResult
    from stocklstm.workflows.train.runs import EpochEnded
    from stocklstm.workflows.train.train import PooledResult, TrainedVersion, TrainResult
    from stocklstm.workflows.train.tune import TrialEnded, TuneResult
    from stocklstm.workflows.validate.validate import ValidateResult

T = TypeVar("T")
P = ParamSpec("P")
V = TypeVar("V", bound="TrainedVersion")

_OPTIONS = frozenset(
    {
        *("Compression", "Demands", "FetchOptions", "RemovalRule", "RetrainingRule", "Search"),
        *("StartFrom", "TrainingConfig", "WalkForward", "Wanted"),
    }
)
"""Classes of options; what is given in their place must be of them."""

_WORD = re.compile(r"\b[A-Z]\w+")


def _ignore(_: object) -> None:
    """Take progress that nobody asked for."""


def _as_it_is(result: T) -> T:
    """Change nothing."""
    return result


def _never() -> bool:
    """Let it run to its end."""
    return False


def _one_or_many(method: Callable[P, T]) -> Callable[P, T]:
    """Let a method that takes many names take one as it is, whose failure it then raises.

    An empty list is refused where no list means all, and so is an option of another class than the
    one that the method takes.
    """
    # Read off the code, since `signature` would cost each start of the program a millisecond.
    parameters = method.__code__.co_varnames[: method.__code__.co_argcount]
    name = next((name for name in parameters if name in {"tickers", "references"}), None)
    place = None if name is None else parameters.index(name)
    all_by_default = any(default is ALL for default in method.__defaults__ or ())

    @wraps(method)
    def call(*arguments: Any, **options: Any) -> T:  # noqa: ANN401 - of whatever the method takes
        for option, kinds in _classes_of(method).items():
            at = parameters.index(option) if option in parameters else len(arguments)
            given = options.get(option, arguments[at] if len(arguments) > at else None)
            if given is not None:
                require_class(given, kinds, option, method.__name__)
        if name is None or place is None or not (name in options or len(arguments) > place):
            return method(*arguments, **options)
        given = options[name] if name in options else arguments[place]
        names = read_names(given, name)
        if all_by_default:
            require_any(names, method.__name__)
        if name in options:
            options[name] = names
        else:
            arguments = (*arguments[:place], names, *arguments[place + 1 :])
        result = method(*arguments, **options)
        is_one = isinstance(given, str)
        if is_one and isinstance(result, Batch) and result.failures and not result.results:
            raise result.failures[0].error
        return result

    return call


@cache
def _classes_of(method: Callable[..., object]) -> dict[str, tuple[str, ...]]:
    """Name the classes of the options that a method takes, by parameter."""
    written = {name: str(kind) for name, kind in method.__annotations__.items()}
    return {
        name: tuple(kinds)
        for name, kind in written.items()
        if name != "return"
        and "Callable" not in kind
        and (kinds := [word for word in _WORD.findall(kind) if word in _OPTIONS])
    }


def _draws(plot: bool | None, backend: "Backend | None") -> bool:
    """Tell whether a training draws its pictures: unless told otherwise, where somebody waits."""
    return plot if plot is not None else backend is None or backend.is_this_process


def _timed(result: "Batch[V]", watch: Stopwatch) -> "Batch[V]":
    """Add to the times of the first version what came before all of them."""
    if not result.results:
        return result
    first, *others = result.results
    first = replace(first, times=watch.seconds | first.times)
    return replace(result, results=(first, *others))


def _require_training(command: str, *more: str) -> None:
    """Refuse what a slim install cannot do, before prices are fetched or PyTorch is loaded for it.

    Args:
        command: As it is typed.
        more: Modules that it needs besides those of a training.

    Raises:
        MissingPackageError: Something that trainings need is not installed.
    """
    from stocklstm.core.packages import TRAINING, require_packages

    require_packages(command, (*TRAINING, *more))


class Client:
    """An open store, and all that can be done with it.

    The store is opened at the first call that needs it, and once. Use it in one thread:

        with stocklstm.open() as client:
            client.fetch("PETR4.SA")
            client.train("PETR4.SA")
            print(client.predict("PETR4.SA"))

    What takes names of tickers or versions takes a single one as it is, too. The failure of one of
    several is an entry of the result; that of a single one is raised.

    Example:
        >>> with stocklstm.Client() as client:
        ...     print(client.predict("PETR4.SA").forecasts[0].target_session)
        2024-03-14

    Attributes:
        home: Directory of the store; None for where the command line has it.
        lock_timeout_s: Seconds to wait for another writer.
    """

    def __init__(
        self, home: Path | str | None = None, *, lock_timeout_s: float = LOCK_TIMEOUT_S
    ) -> None:
        """Say which store; see the attributes."""
        self.home = None
        if home is not None:
            from stocklstm.store.paths import expanded

            self.home = expanded(home)
        self.lock_timeout_s = lock_timeout_s
        self._resources = ExitStack()
        self._store: Store | None = None

    def __repr__(self) -> str:
        """Say which store it is of."""
        from stocklstm.store.paths import data_home

        return f"Client({str(self.home or data_home())!r})"

    def __enter__(self) -> Self:
        """Give the client; leaving closes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the store."""
        self.close()

    def close(self) -> None:
        """Close the store; it is opened again if it is needed again."""
        self._store = None
        self._resources.close()

    def store(self, *, create: bool = False, anew: bool = False) -> "Store":
        """Open the store, unless it is open.

        Args:
            create: Make it if there is none, and refuse one that can only be read.
            anew: Begin a new database where one was lost and its models are there.

        Raises:
            NotFoundError: There is no store, and none is to be made.
            SchemaError: The database is damaged or of a newer program.
            ConfigError: It is to be written and may not be.
        """
        if self._store is None:
            from stocklstm.store.store import open_store

            opened = open_store(
                self.home, create=create, anew=anew, lock_timeout_s=self.lock_timeout_s
            )
            self._store = self._resources.enter_context(opened)
        elif create:
            self._store.require_writable()
        return self._store

    def _is_missing(self) -> bool:
        """Tell whether there is no store yet, and one could be made."""
        with self._stand_in() as empty:
            return empty is not None

    def _stand_in(self) -> "AbstractContextManager[Store | None]":
        """Open an empty store in memory in the place of one that is not there yet."""
        if self._store is not None:
            return nullcontext()
        from stocklstm.store.store import stand_in

        return stand_in(self.home)

    # Prices.

    @_one_or_many
    def fetch(
        self,
        tickers: str | Sequence[str] = ALL,
        options: "FetchOptions | None" = None,
        *,
        on_ticker: "Callable[[TickerDone], None]" = _ignore,
        on_file: "Callable[[FileRead], None]" = _ignore,
    ) -> "FetchResult":
        """Get prices from a source and merge them into the store.

        If there is no store it is made, once there is something to be stored. Each ticker is stored
        in one transaction; if it fails, what is stored of it stays as it was.

        Example:
            >>> options = stocklstm.FetchOptions(source="sample")
            >>> stocklstm.fetch("PETR4.SA", options).results[0].last
            '2024-03-13'

        Args:
            tickers: As typed; none means all that are stored, or all that are in the files.
            options: Source and its details; by default the new prices from Yahoo.
            on_ticker: Called after each ticker.
            on_file: Called after each file that was read, before anything is stored.

        Raises:
            ConfigError: No such source, calendar or currency, nothing to fetch, or files or
                processes that the source has no use for.
            NotFoundError: There is no such file, of those that hold many tickers.
            RejectedDataError: One of them is damaged; nothing of the others was stored.
            StoreLockedError: Another fetch took too long.
        """
        from stocklstm.workflows.prices.fetch import fetch
        from stocklstm.workflows.prices.plan import FetchOptions, plan_fetch

        plan = plan_fetch(tickers, options or FetchOptions(), on_file)
        # What cannot be fetched is no reason to make a store.
        with self._stand_in() as empty:
            if empty is not None:
                return fetch(empty, plan, on_ticker, lambda: self.store(create=True))
        return fetch(self.store(create=True), plan, on_ticker)

    @_one_or_many
    def require_prices(
        self,
        tickers: str | Sequence[str],
        fetch: "Callable[[Sequence[str]], FetchResult] | None" = None,
    ) -> "Stocked":
        """Sort tickers by whether prices of them are stored, and get those that are not.

        Example:
            >>> stocklstm.require_prices(["PETR4.SA", "VALE3.SA"]).tickers
            ('PETR4.SA', 'VALE3.SA')

        Args:
            tickers: As typed.
            fetch: Called with those that have none, if there are any, and gets their prices; None
                gets none.

        Raises:
            NotFoundError: There is no store, and none could be made.
        """
        from stocklstm.workflows.prices.missing import require_prices

        with self._stand_in() as empty:
            return require_prices(empty or self.store(), tickers, fetch)

    @_one_or_many
    def show_prices(self, tickers: str | Sequence[str] = ALL, *, last: int = 10) -> "PricesResult":
        """Show what is stored of some tickers, its gaps and where each row came from.

        Example:
            >>> stocklstm.show_prices("PETR4.SA").prices[0].last_close
            36.380001

        Args:
            tickers: As typed; none means all that are stored.
            last: How many of the last rows to give.

        Raises:
            NotFoundError: There is no store, or nothing in it.
        """
        from stocklstm.workflows.prices.show import show_prices

        return show_prices(self.store(), tickers, last=last)

    def prices(
        self, ticker: str | Sequence[str] = ALL, *, since: "str | date | None" = None
    ) -> "DataFrame":
        """Give stored prices as a data frame of pandas.

        Example:
            >>> prices = stocklstm.prices("PETR4.SA", since="2024-03-01")
            >>> prices.loc["2024-03-13", "close"].item()
            36.380001

        Args:
            ticker: As typed; several give the rows of each, and none those of all that are stored.
            since: ISO day or date: only sessions from that day on; None for all.

        Returns:
            A row for each session, by its date, or, unless one ticker was given as it is, by ticker
            and date: open, high, low, close, adj_close and volume. All but the last but one are
            adjusted for splits, that one for dividends, too. NaN where the source gave no value.

        Raises:
            ConfigError: An empty list, or `since` is no day, or a name is no ticker.
            NotFoundError: There is no store, or a ticker has no prices.
            MissingPackageError: pandas is not installed.
        """
        from stocklstm.core.frames import data_frame
        from stocklstm.workflows.predict.history import check_since
        from stocklstm.workflows.prices.show import price_table

        since = check_since(since)
        one = isinstance(ticker, str)
        names = read_names(ticker, "tickers")
        require_any(names, "prices")
        table = price_table(self.store(), names, since)
        frame = data_frame(table, ("ticker", "date"))
        return frame.droplevel("ticker") if one else frame

    @_one_or_many
    def show_intraday(self, tickers: str | Sequence[str] = ALL) -> "CoverageResult":
        """Count the sessions that were measured by bars within them, by the length of the bars.

        Example:
            >>> stocklstm.show_intraday("PETR4.SA").results[0].sessions
            0

        Args:
            tickers: As typed; none means all that have some.

        Raises:
            NotFoundError: There is no store, or nothing in it.
        """
        from stocklstm.workflows.prices.coverage import show_intraday

        return show_intraday(self.store(), tickers)

    @_one_or_many
    def export_prices(
        self,
        tickers: str | Sequence[str],
        *,
        out: Path | None = None,
        file_format: str | None = None,
    ) -> "ExportResult":
        """Write stored prices to files that other programs read; a CSV file can be fetched back.

        Example:
            >>> written = stocklstm.export_prices("PETR4.SA", out=Path("petr4.csv"))
            >>> written.exports[0].rows
            3514

        Args:
            tickers: As typed.
            out: A file, replaced as a whole, or an existing directory that gets a file for each
                ticker; None to give the text of one ticker.
            file_format: "csv" or "parquet"; None to go by the name of the file.

        Raises:
            ConfigError: No ticker, several for one file, no such format, or Parquet without
                pyarrow.
            NotFoundError: There is no store.
        """
        from stocklstm.workflows.prices.export import export_prices, plan_export

        plan = plan_export(tickers, out, file_format)
        return export_prices(self.store(), plan)

    def rename_prices(self, old: str, new: str) -> "RenamedPrices":
        """Store prices, events, log and forecasts on record of a ticker under another name.

        All of it in one transaction. Models are immutable and stay under the old name; the new
        one begins with their weights by `train` with `StartFrom`. Currency and calendar are those
        of the new name where those of the old one were only guessed from it.

        Example:
            >>> stocklstm.rename_prices("PETR4.SA", "PETR9.SA").models
            ('PETR4.SA@v1', 'PETR4.SA@v2')

        Args:
            old: A ticker that has prices, as typed.
            new: One that has none.

        Raises:
            ConfigError: The new name is no ticker, or the old one; or the store may not be written.
            NoPricesError: There are no prices of the old name.
            RejectedDataError: The new name has prices of its own.
            StoreLockedError: A fetch took too long.
        """
        from stocklstm.workflows.prices.rename import read_names, rename_prices

        names = read_names(old, new)
        return rename_prices(self.store(), names)

    @_one_or_many
    def verify_prices(self, tickers: str | Sequence[str] = ALL) -> "VerifyResult":
        """Check that stored prices can be what an exchange quoted.

        Example:
            >>> stocklstm.verify_prices("PETR4.SA").results[0].status
            'ok'

        Args:
            tickers: As typed; none means all that are stored.

        Raises:
            NotFoundError: There is no store, or nothing in it.
        """
        from stocklstm.workflows.prices.verify import verify_prices

        return verify_prices(self.store(), tickers)

    # Forecasts.

    def load(self, reference: str) -> "LoadedModel":
        """Load a model, to forecast with it.

        Example:
            >>> model = stocklstm.load("PETR4.SA")
            >>> model.manifest.id, model.manifest.evaluation.verdict
            ('PETR4.SA@v1', 'no_better')

        Args:
            reference: TICKER, TICKER@v3, TICKER@champion or TICKER@previous.

        Raises:
            NotFoundError: There is no such model.
            ArtifactCorruptError: Its files are not those that were published.
        """
        from stocklstm.workflows.loading.model import load_model

        return load_model(self.store(), parse_reference(reference))

    @_one_or_many
    def predict(  # noqa: PLR0913 - each has a default
        self,
        references: str | Sequence[str] = ALL,
        wanted: "Wanted | None" = None,
        *,
        at: "str | date | None" = None,
        horizon: int | Sequence[int] | None = None,
        levels: float | Sequence[float] | None = None,
        adaptive: bool | None = None,
        pool: str | None = None,
        demands: "Demands | None" = None,
        now: "str | datetime | None" = None,
        ledger_wait_s: float | None = None,
    ) -> "PredictResult":
        """Forecast sessions to come of each ticker and keep the forecasts in the ledger.

        A forecast that cannot be recorded, as while another process writes, is given with a warning
        that it is not in the ledger.

        What would have been forecast on an earlier day is computed from the prices up to that
        day, in today's scale, and is not kept: it was not made then.

        Example:
            >>> made = stocklstm.predict("PETR4.SA", at="2024-03-12", levels=[0.9])
            >>> made.forecasts[0].target_session, made.forecasts[0].outcome
            ('2024-03-13', 36.380001)

        Args:
            references: TICKER or TICKER@version; none means the champion of every ticker. With a
                pooled model tickers alone, and none means all that it knows.
            wanted: Which sessions, from which day, with which intervals; by default the one after
                the last close. Of several there is a forecast each, nearest first, ticker by
                ticker.
            at: Takes the place of the same in `wanted`, as do the three that follow: an ISO day or
                a date, whose evening it is. A day without a session, such as a Saturday, is the
                last session before it, and a day to come is the last stored close.
            horizon: Sessions ahead, or several such numbers.
            levels: Probability of the interval, or several of them.
            adaptive: Whether intervals learn from past misses.
            pool: Name of the pooled model that is to make the forecasts, perhaps with a version;
                None for each ticker's own model.
            demands: What prices and model must be like; what they are not is warned of, or
                refused. By default nothing is demanded.
            now: UTC timestamp, or a moment with its zone; by default the current time.
            ledger_wait_s: Seconds to wait for another writer of the ledger; by default 2, or
                `lock_timeout_s` if that is less.

        Raises:
            NotFoundError: There is no store, no such pooled model, or no model at all.
        """
        from stocklstm.workflows.ledger import LEDGER_WAIT_S
        from stocklstm.workflows.predict.predict import LATEST, predict

        if ledger_wait_s is None:
            ledger_wait_s = min(LEDGER_WAIT_S, self.lock_timeout_s)
        given = {
            "at": at,
            "horizon": horizon,
            "levels": levels,
            "adaptive": adaptive,
        }
        chosen: dict[str, Any] = {name: it for name, it in given.items() if it is not None}
        return predict(
            self.store(),
            references,
            replace(wanted or LATEST, **chosen),
            pool=pool,
            demands=demands,
            now=read_moment(now, "now"),
            ledger_wait_s=ledger_wait_s,
        )

    @_one_or_many
    def list_forecasts(
        self, tickers: str | Sequence[str] = ALL, *, since: "str | date | None" = None
    ) -> "RecordResult":
        """List the forecasts on record, each beside what came.

        All of them: those of every version and horizon, and late ones, which `evaluate_live` does
        not score.

        Example:
            >>> for past in stocklstm.list_forecasts("PETR4.SA").results:
            ...     print(past.target_session, past.outcome)
            2024-03-12 36.82
            2024-03-13 36.380001
            2024-03-14 None

        Args:
            tickers: As typed; none means all that have forecasts.
            since: ISO day or date: only forecasts of sessions from that day on; None for all.

        Returns:
            Ticker by ticker, the oldest session first.

        Raises:
            ConfigError: An empty list, or `since` is no day.
            NotFoundError: There is no store, or no forecast in it.
        """
        from stocklstm.workflows.predict.history import check_since, list_forecasts

        since = check_since(since)
        return list_forecasts(self.store(), tickers, since)

    @_one_or_many
    def forecasts(
        self, tickers: str | Sequence[str] = ALL, *, since: "str | date | None" = None
    ) -> "DataFrame":
        """Give the forecasts on record as a data frame of pandas, each beside what came.

        The columns are those of `stocklstm forecasts --csv`. What has not come yet is NaN.

        Example:
            >>> record = stocklstm.forecasts("PETR4.SA")
            >>> int(record["outcome"].notna().sum())
            2

        Args:
            tickers: As for `list_forecasts`.
            since: As for `list_forecasts`.

        Raises:
            ConfigError: An empty list, or `since` is no day.
            NotFoundError: There is no store, or no forecast of one of the tickers.
            MissingPackageError: pandas is not installed.
        """
        result = self.list_forecasts(tickers, since=since)
        # A frame has no place for failures.
        for failure in result.failures:
            raise failure.error
        return result.to_frame()

    @_one_or_many
    def evening(
        self,
        tickers: str | Sequence[str] = ALL,
        *,
        pool: str | None = None,
        retrain_after: int | None = None,
        on_ticker: "Callable[[TickerDone], None]" = _ignore,
        on_epoch: "Callable[[EpochEnded], None]" = _ignore,
        finish: "Callable[[EveningResult], EveningResult] | None" = None,
    ) -> "EveningResult":
        """Do what is to be done every evening: new prices, a forecast, and how the last one did.

        It may run as often as you like: where no session has ended since the last stored close
        nobody is asked for prices, and a forecast that is on record stays as it is. Where prices
        cannot be had the forecasts are made of what is stored, and the reason is a failure.

        Example:
            >>> for done in stocklstm.evening("PETR4.SA").results:
            ...     print(done.ticker, done.forecast.target_session)
            PETR4.SA 2024-03-14

        Args:
            tickers: As typed; none means all that have a champion of their own.
            pool: Name of the pooled model that is to make the forecasts, perhaps with a version;
                None for each ticker's own. With it, none means all that it knows.
            retrain_after: Train before the forecast whichever champion has not seen more than so
                many of the latest sessions, as `retrain` does, and for the first time whichever
                ticker is named and has no model, with the settings of `effective_settings`. Where
                a training fails the champion of before forecasts. None trains nothing.
            on_ticker: Called after each ticker that is fetched.
            on_epoch: Called after every epoch of a training.
            finish: Given the result while no other evening can be under way, to write files of it;
                what it returns is the result.

        Returns:
            Of each ticker that has a forecast all about it; failures, also of those.

        Raises:
            ConfigError: The store may not be written, or a pooled model is to be retrained.
            NotFoundError: There is no store, no such pooled model, or no model at all; where
                tickers are named that may be trained, it is made once prices have come.
            StoreLockedError: Another evening took too long.
        """
        from stocklstm.workflows.evening.evening import evening

        renew: Renew | None = None
        if retrain_after is not None:
            from stocklstm.workflows.evening.renewal import require_own_models
            from stocklstm.workflows.retraining import RetrainingRule

            require_own_models(pool)
            renew = partial(self._renewed, RetrainingRule(older_than=retrain_after), on_epoch)
        if renew is not None and tickers and self._is_missing():
            # What cannot be fetched is no reason to make a store.
            stocked = self.require_prices(tickers, self.fetch)
            if not stocked.tickers:
                return Batch((), stocked.failures)
        return evening(
            self.store(),
            tickers,
            pool=pool,
            renew=renew,
            on_ticker=on_ticker,
            finish=finish or _as_it_is,
        )

    def _renewed(
        self,
        rule: "RetrainingRule",
        on_epoch: "Callable[[EpochEnded], None]",
        tickers: Sequence[str],
    ) -> "Batch[NewModel]":
        """Train the champions that are due, and for the first time what has prices and no model."""
        from stocklstm.workflows.evening.renewal import first_models, newer_models, renewed

        store = self.store()
        old = [
            StoredTicker(name) for name in tickers if CHAMPION in store.registry.aliases.of(name)
        ]
        new = [
            StoredTicker(name)
            for name in tickers
            if store.prices.has(name) and not store.registry.versions(name)
        ]

        def first(names: Sequence[str]) -> "Batch[NewModel]":
            config = self.effective_settings({}).config
            return first_models(self.train(names, config, plot=False, on_epoch=on_epoch))

        newer: Batch[NewModel] = Batch(())
        if old:
            newer = newer_models(self.retrain(old, rule, plot=False, on_epoch=on_epoch))
        # What keeps them from being trained is no failure of the others.
        begun = renewed(new, first)
        return Batch((*newer.results, *begun.results), newer.failures + begun.failures)

    @_one_or_many
    def plan_evenings(
        self, tickers: str | Sequence[str] = ALL, *, pool: str | None = None, at: str | None = None
    ) -> "Timetable":
        """Find out when `evening` can run: once the prices of every exchange are final.

        Example:
            >>> stocklstm.plan_evenings("PETR4.SA").at
            '18:30'

        Args:
            tickers: As for `evening`; named, they need no store.
            pool: As for `evening`.
            at: Time of day of the first run in the zone of the exchange whose prices are final
                last, such as 18:30; None for the first one at which they are.

        Raises:
            ConfigError: That is no time of day, or too early, or no ticker was meant.
            NotFoundError: No ticker is named, and there is no store or no model; or no such pool.
        """
        from stocklstm.workflows.evening.timetable import plan_evenings

        if tickers and pool is None:
            with self._stand_in() as empty:
                return plan_evenings(empty or self.store(), tickers, pool=None, at=at)
        return plan_evenings(self.store(), tickers, pool=pool, at=at)

    def write_report(self, result: "EveningResult", directory: Path) -> Path:
        """Write a page of an evening: its table, and the picture of every forecast.

        Example:
            >>> done = stocklstm.evening("PETR4.SA")
            >>> stocklstm.write_report(done, Path("evening")).name
            'index.html'

        Args:
            result: Of `evening`.
            directory: Gets the page as `index.html`, the pictures inside it, whole or not at all.

        Returns:
            Path of the page.

        Raises:
            ConfigError: It may not be written.
            StorageError: The disk is full or failing.
        """
        from stocklstm.workflows.evening.report import write_report

        return write_report(self.store(), result.results, directory)

    def draw_forecasts(self, result: "PredictResult", file: Path | None = None) -> "PredictResult":
        """Draw a fan chart for each ticker, with all sessions that were forecast of it.

        A forecast is worth more than its picture: once the store is open, what stands in the way
        becomes a warning.

        Example:
            >>> made = stocklstm.predict("PETR4.SA")
            >>> drawn = stocklstm.draw_forecasts(made, Path("fan.png")).forecasts[0]
            >>> Path(drawn.plot).name
            'fan.png'

        Args:
            result: What `predict` returned.
            file: Where the one picture goes; by default below `reports` in the store.

        Returns:
            The same with the paths of the pictures.
        """
        from stocklstm.workflows.pictures import draw_forecasts

        return draw_forecasts(self.store(), result, file)

    def plot(self, what: object, kind: str | None = None, *, dark: bool = False) -> "Figure":
        """Draw a result, or a version, as a figure of Matplotlib; nothing is written.

        A notebook shows the figure; `figure.savefig("fan.png")` makes a file of it. Of forecasts it
        is the fan chart. pyplot is not used, so no display is needed and nothing is to be closed.

        Example:
            >>> figure = stocklstm.plot(stocklstm.predict("PETR4.SA", horizon=[1, 2, 3]))
            >>> len(figure.axes)
            2

        Args:
            what: What `predict`, `evaluate` or `train` returned, of one model; one of its results;
                or TICKER, TICKER@v3 or TICKER@alias.
            kind: Of a version, "history" (its loss curves), "predictions" (forecasts beside
                outcomes on its test part), "errors" (over time) or "calibration"; by default the
                second of what `evaluate` returned, and the first of everything else.
            dark: On dark paper.

        Raises:
            ConfigError: It is of several models, has no picture, or there is no such kind.
            NotFoundError: There is no store, no such version, or no loss curves.
            IntegrityError: Its files are not those that were published.
            MissingPackageError: Matplotlib is not installed.
        """
        from stocklstm.workflows.pictures import plot

        return plot(self.store(), what, kind, dark=dark)

    # Scores.

    @_one_or_many
    def evaluate(
        self,
        references: str | Sequence[str] = ALL,
        *,
        plot: bool = True,
        jobs: int = 1,
        on_ticker: "Callable[[TickersDone], None]" = _ignore,
    ) -> "EvaluateResult":
        """Score models on the test part of the stored prices, through the serving graph.

        Example:
            >>> scored = stocklstm.evaluate("PETR4.SA", plot=False).results[0]
            >>> scored.evaluation.verdict, scored.evaluation.end
            ('no_better', '2024-03-13')

        Args:
            references: TICKER or TICKER@version; none means the champion of every ticker.
            plot: Draw forecasts beside outcomes, errors over time and calibration, and the loss
                curves, if the training did not.
            jobs: Processes, each of which scores a model at a time.
            on_ticker: Called after every model that another process scores.

        Raises:
            ConfigError: The number of processes is outside its limits.
            NotFoundError: There is no store, or no model at all.
        """
        from stocklstm.workflows.evaluate.evaluate import evaluate

        return evaluate(self.store(), references, plot=plot, jobs=jobs, on_ticker=on_ticker)

    @_one_or_many
    def evaluate_live(
        self, references: str | Sequence[str] = ALL, *, last: int | None = None
    ) -> "LiveResult":
        """Score the forecasts of the ledger whose sessions have closed, and look for drift.

        Example:
            >>> live = stocklstm.evaluate_live("PETR4.SA").results[0]
            >>> live.n, live.drift.status
            (2, 'too_few')

        Args:
            references: TICKER for what its users were given, whichever version was champion, or
                TICKER@version for the forecasts of that one; none means every ticker with a model.
            last: Only so many of the latest ones; None for all.

        Raises:
            ConfigError: `last` is below 1.
            NotFoundError: There is no store, or no model at all.
        """
        from stocklstm.workflows.evaluate.live import check_last, evaluate_live

        check_last(last)
        return evaluate_live(self.store(), references, last=last)

    @_one_or_many
    def evaluate_horizons(
        self,
        references: str | Sequence[str],
        horizons: int | Sequence[int],
        *,
        pool: str | None = None,
    ) -> "HorizonResult":
        """Score models on the test part of the stored prices, several sessions ahead.

        What a model says of sessions farther than it learned is its forecast, widened by the
        square root of time; each horizon is compared with the last close and with EWMA so many
        sessions ahead. Verdicts are corrected for the number of horizons, by Holm's method.

        Example:
            >>> (scores,) = stocklstm.evaluate_horizons("PETR4.SA", range(1, 4)).results
            >>> [row.corrected.verdict for row in scores.rows]
            ['no_better', 'no_better', 'no_better']

        Args:
            references: TICKER or TICKER@version; none means the champion of every ticker. With a
                pooled model tickers alone, and none means all that it knows.
            horizons: Sessions ahead, from 1 to 250, not fewer than each model learned.
            pool: Name of a pooled model, perhaps with a version, to score in the place of the
                tickers' own.

        Raises:
            ConfigError: A horizon is out of range or there twice, or there are none.
            NotFoundError: There is no store, no such pooled model, or no model at all.
        """
        from stocklstm.core.forecasts.horizons import require_horizons
        from stocklstm.workflows.evaluate.horizons import evaluate_horizons

        horizons = read_whole_numbers(horizons, "horizons")
        require_horizons(horizons, "stocklstm evaluate --horizons")
        return evaluate_horizons(self.store(), references, horizons, pool)

    @_one_or_many
    def evaluate_pool(
        self, reference: str, tickers: str | Sequence[str] = ALL, *, plot: bool = False
    ) -> "PoolScoresResult":
        """Score a pooled model on the test days of each ticker, beside the ticker's own model.

        Example:
            >>> (scores,) = stocklstm.evaluate_pool("b3", "VALE3.SA").results
            >>> scores.rows[0].ticker, scores.rows[0].known
            ('VALE3.SA', True)

        Args:
            reference: Name of the model, perhaps with a version.
            tickers: As typed; none means all that the model knows. Others may be named as well.
            plot: Draw its loss curves, if its training did not.

        Raises:
            NotFoundError: There is no store, or no such model.
        """
        from stocklstm.workflows.evaluate.pool_scores import evaluate_pool

        return evaluate_pool(self.store(), reference, tickers, plot=plot)

    @_one_or_many
    def compare_versions(self, references: str | Sequence[str]) -> "ComparisonResult":
        """Compare versions of one ticker with the first that is named.

        Example:
            >>> both = stocklstm.compare_versions(["PETR4.SA@v1", "PETR4.SA@v2"])
            >>> both.results[1].against
            'PETR4.SA@v1'

        Args:
            references: TICKER or TICKER@version, at least two.

        Raises:
            ConfigError: They are not at least two versions of one ticker, or of several horizons.
            NotFoundError: There is no store, or no such version.
            IntegrityError: A version is damaged.
            SeriesTooShortError: No stored day is in the test part of all of them.
            RejectedDataError: A version learned prices that have been rescaled since.
        """
        from stocklstm.workflows.evaluate.compare import compare_versions

        return compare_versions(self.store(), references)

    @_one_or_many
    def score_league(self, references: str | Sequence[str] = ALL) -> "LeagueResult":
        """Score every version on its own test part, and correct for how many there are.

        A version that cannot be scored is no row, and so not counted by the correction.

        Example:
            >>> [(row.ticker, row.version) for row in stocklstm.score_league("PETR4.SA").results]
            [('PETR4.SA', 1), ('PETR4.SA', 2)]

        Args:
            references: TICKER for all its versions, TICKER@version for one; none means everything.

        Raises:
            NotFoundError: There is no store, or no model at all.
        """
        from stocklstm.workflows.evaluate.league import score_league

        return score_league(self.store(), references)

    @_one_or_many
    def walk_forward(
        self,
        references: str | Sequence[str],
        walk: "WalkForward",
        *,
        jobs: int = 1,
        on_plan: "Callable[[WalkPlanned], None]" = _ignore,
        on_fold: "Callable[[FoldEnded], None]" = _ignore,
    ) -> "WalkForwardResult":
        """Train with the settings of each version again and again, each time on all that was known.

        Example:
            >>> walk = stocklstm.WalkForward(sessions=40, refit_every=20)
            >>> (walked,) = stocklstm.walk_forward("PETR4.SA", walk).results
            >>> [fold.n for fold in walked.folds]
            [20, 20]

        Args:
            references: TICKER or TICKER@version; none means the champion of every ticker.
            walk: How to walk.
            jobs: Processes that train at the same time; the outcome is the same for any number.
            on_plan: Called before the trainings of a version.
            on_fold: Called after every training.

        Raises:
            ConfigError: The number of processes is outside its limits.
            NotFoundError: There is no store, or no model at all.
            MissingPackageError: PyTorch or onnx is not installed.
        """
        _require_training("evaluate --walk-forward")
        from stocklstm.workflows.evaluate.walk_forward import walk_forward
        from stocklstm.workflows.parallel import check_jobs

        check_jobs(jobs)
        return walk_forward(
            self.store(), references, walk, jobs=jobs, on_plan=on_plan, on_fold=on_fold
        )

    # Smaller models.

    @_one_or_many
    def quantize(
        self,
        references: str | Sequence[str],
        compression: "Compression | None" = None,
        *,
        tolerance_pct: float = TOLERANCE_PCT,
        jobs: int = 1,
        on_note: Callable[[str], None] = _ignore,
        on_epoch: "Callable[[EpochTrained], None]" = _ignore,
        on_ticker: "Callable[[TickersDone], None]" = _ignore,
    ) -> "QuantizeResult":
        """Make a smaller version of each model, and promote it if its errors hardly grow.

        Example:
            >>> smaller = stocklstm.quantize("PETR4.SA@v1").results[0]
            >>> smaller.method, smaller.before.bytes > 0
            ('dynamic-int8', True)

        Args:
            references: TICKER or TICKER@version; at least one.
            compression: Method and options; dynamic int8 if None.
            tolerance_pct: Most growth of RMSE and CRPS, in per cent, for it to be accepted.
            jobs: Processes, each of which makes a model smaller at a time.
            on_note: Called with what is being done, in words, where that takes long.
            on_epoch: Called after every epoch of a training in this process.
            on_ticker: Called after every model that another process makes smaller.

        Raises:
            ConfigError: No ticker, a tolerance below 0, a number of processes outside its limits,
                or the store may not be written.
            NotFoundError: There is no store.
            MissingPackageError: PyTorch, onnx or Matplotlib is not installed.
        """
        from stocklstm.core.settings.compression import Compression

        _require_training("quantize", "matplotlib")
        from stocklstm.workflows.quantize.quantize import check_quantize, quantize

        check_quantize(references, tolerance_pct)
        return quantize(
            self.store(),
            references,
            compression or Compression(),
            tolerance_pct=tolerance_pct,
            jobs=jobs,
            on_note=on_note,
            on_epoch=on_epoch,
            on_ticker=on_ticker,
        )

    # Stored versions.

    @_one_or_many
    def validate(
        self,
        references: str | Sequence[str] = ALL,
        *,
        every_version: bool = False,
        deep: bool = False,
        leakage: bool = False,
        prices: bool = False,
    ) -> "ValidateResult":
        """Check stored versions byte for byte and make a dummy forecast with each.

        Where no ticker is named, or every version is wanted, the store as a whole is checked, too.

        Example:
            >>> checked = stocklstm.validate("PETR4.SA").results[0]
            >>> checked.status, checked.checks[0].name
            ('ok', 'manifest')

        Args:
            references: TICKER or TICKER@version; none means the champion of every ticker.
            every_version: Check all versions of these tickers, not only the one that is meant.
            deep: Also load the checkpoint, rebuild the network and compare it with the serving
                graph; this needs PyTorch.
            leakage: Also replace the prices after the split by noise, and look for anything
                earlier that changes with it.
            prices: Check the stored prices of these tickers, or of all; models as well only with
                one of the three options above, which are about models alone.

        Raises:
            NotFoundError: There is no store, or nothing in it of what is to be checked.
            SchemaError: The database is damaged.
            MissingPackageError: `deep` without PyTorch.
        """
        from stocklstm.workflows.validate.validate import validate

        if deep:
            from stocklstm.core.packages import require_packages

            require_packages("validate --deep", ("torch",))
        return validate(
            self.store(),
            references,
            every_version=every_version,
            deep=deep,
            leakage=leakage,
            prices=prices,
        )

    @_one_or_many
    def list_models(self, tickers: str | Sequence[str] = ALL) -> "ModelsResult":
        """List the versions in the store.

        Example:
            >>> [(each.version, each.aliases) for each in stocklstm.list_models("PETR4.SA").models]
            [(1, ('champion',)), (2, ())]

        Args:
            tickers: As typed; none means all.

        Raises:
            NotFoundError: There is no store.
        """
        from stocklstm.workflows.models.listing import list_models

        return list_models(self.store(), tickers)

    def show_model(self, reference: str) -> "ModelDetails":
        """Read everything about one version; `card()` of it is a model card in Markdown.

        Example:
            >>> stocklstm.show_model("PETR4.SA").manifest.config.preset
            'calibrated'

        Args:
            reference: TICKER, TICKER@v3 or TICKER@alias.

        Raises:
            NotFoundError: There is no such version.
            IntegrityError: Its manifest is damaged.
        """
        from stocklstm.workflows.models.listing import show_model

        wanted = parse_reference(reference)
        return show_model(self.store(), wanted)

    def history(self, reference: str) -> "DataFrame":
        """Give the loss curves of a version's training as a data frame of pandas.

        Example:
            >>> losses = stocklstm.history("PETR4.SA@v1")
            >>> losses.index.tolist()
            [0, 1, 2]

        Args:
            reference: TICKER, TICKER@v3 or TICKER@alias.

        Returns:
            A row for each epoch, 0 being the network before its first step: train_loss with
            dropout active, val_loss without, learning_rate, seconds, and best_epoch, the one with
            the lowest validation loss so far.

        Raises:
            NotFoundError: There is no such version, or it was not trained here.
            IntegrityError: Its files are not those that were published.
            MissingPackageError: pandas is not installed.
        """
        from stocklstm.core.frames import data_frame
        from stocklstm.workflows.models.listing import version_history

        return data_frame(version_history(self.store(), parse_reference(reference)), ("epoch",))

    def diff_models(self, left: str, right: str) -> "Difference":
        """Put two versions side by side, as they were published.

        Example:
            >>> found = stocklstm.diff_models("PETR4.SA@v1", "PETR4.SA@v2")
            >>> [pair.name for pair in found.settings]
            ['epochs']

        Args:
            left: TICKER, TICKER@v3 or TICKER@alias.
            right: The other one, of this or another ticker.

        Raises:
            NotFoundError: There is no such version.
            IntegrityError: A manifest is damaged.
        """
        from stocklstm.workflows.models.diff import diff_models

        return diff_models(self.store(), parse_reference(left), parse_reference(right))

    def promote(self, reference: str, *, alias: str = CHAMPION, reason: str = "") -> "AliasMove":
        """Point "champion", or an alias of one's own, at a version.

        Example:
            >>> moved = stocklstm.promote("PETR4.SA@v2", reason="a trial")
            >>> moved.version, moved.previous
            (2, 1)

        Args:
            reference: TICKER@v3 or TICKER@alias.
            alias: "champion" or a name of one's own; "previous" only follows the champion.
            reason: Kept in the log.

        Raises:
            ConfigError: Such an alias cannot be set, the reason is not one line, or the store may
                not be written.
            NotFoundError: There is no such version.
            ArtifactCorruptError: Its manifest or serving file is not the one that was published.
        """
        from stocklstm.workflows.models.aliases import checked_reason, promote

        name, words, wanted = parse_alias(alias), checked_reason(reason), parse_reference(reference)
        return promote(self.store(), wanted, name, words)

    def rollback(self, ticker: str, *, reason: str = "") -> "AliasMove":
        """Make the previous champion the champion again, and the present one the previous.

        Example:
            >>> moved = stocklstm.promote("PETR4.SA@v2")
            >>> stocklstm.rollback("PETR4.SA").version
            1

        Args:
            ticker: Such as PETR4.SA, or the name of a pooled model with its mark.
            reason: Kept in the log.

        Raises:
            ConfigError: The reason is not one line, or the store may not be written.
            NotFoundError: There is no previous champion.
            ArtifactCorruptError: Its manifest or serving file is not the one that was published.
        """
        from stocklstm.workflows.models.aliases import checked_reason, rollback

        owner, words = parse_owner(ticker), checked_reason(reason)
        return rollback(self.store(), owner, words)

    def unalias(self, reference: str, *, reason: str = "") -> "AliasMove":
        """Remove an alias of one's own; the version it points at stays.

        Example:
            >>> moved = stocklstm.promote("PETR4.SA@v1", alias="live")
            >>> stocklstm.unalias("PETR4.SA@live").replaced
            1

        Args:
            reference: TICKER@alias.
            reason: Kept in the log.

        Raises:
            ConfigError: It is no alias of one's own, the reason is not one line, or the store may
                not be written.
            NotFoundError: There is no such alias.
        """
        from stocklstm.workflows.models.aliases import checked_reason, own_alias, unalias

        wanted, words = own_alias(reference), checked_reason(reason)
        return unalias(self.store(), wanted, words)

    @_one_or_many
    def sign_versions(
        self,
        references: str | Sequence[str] = ALL,
        *,
        every_version: bool = False,
        replace: bool = False,
    ) -> "SignResult":
        """Sign versions whose every byte is what was published.

        Example:
            >>> stocklstm.sign_versions("PETR4.SA@v1").results[0].replaced
            False

        Args:
            references: TICKER@vN; with `every_version` tickers, and none means all of them.
            every_version: Sign all versions of these tickers.
            replace: Sign also what has a signature that does not fit, as after a change of the key.

        Raises:
            ConfigError: There is no key, nothing is named, or the store may not be written.
            NotFoundError: There is no store, or no model at all.
        """
        from stocklstm.workflows.models.sign import check_sign, sign_versions

        check_sign(references, every_version=every_version)
        return sign_versions(self.store(), references, every_version=every_version, replace=replace)

    @_one_or_many
    def adopt_versions(
        self, references: str | Sequence[str] = ALL, *, dry_run: bool = False
    ) -> "AdoptResult":
        """List again the versions that lie whole on the disk and that the database does not list.

        For a store whose database was lost, of which a new one is begun, or replaced by an older
        one. Prices, forecasts, signatures and names that the database alone had are not brought
        back; a name that it has is not changed. Of a ticker of which it lists nothing the champion
        is what the manifests alone tell; docs/reference/models.md has the rule.

        Example:
            >>> [each.versions for each in stocklstm.adopt_versions(dry_run=True).results]
            []

        Args:
            references: TICKER for all its versions, or TICKER@v3, also where that one was removed
                on purpose; none means all that lies in the store.
            dry_run: Only tell what would be listed.

        Raises:
            NotFoundError: There is no store, and no model either.
            ConfigError: It may not be written.
        """
        from stocklstm.errors import LostDatabaseError
        from stocklstm.workflows.models.adopt import adopt_versions

        try:
            store = self.store()
        except LostDatabaseError:
            if dry_run:
                from stocklstm.store.store import stand_in_for_lost

                with stand_in_for_lost(self.home) as empty:
                    return adopt_versions(empty, references, dry_run=True)
            store = self.store(create=True, anew=True)
        return adopt_versions(store, references, dry_run=dry_run)

    @_one_or_many
    def remove_versions(self, references: str | Sequence[str]) -> "RemoveResult":
        """Remove versions that no alias names; forecasts that they made stay in the ledger.

        Example:
            >>> stocklstm.remove_versions("PETR4.SA@v2").results[0].version
            2

        Args:
            references: TICKER@v3 each.

        Raises:
            NotFoundError: There is no store.
            ConfigError: It may not be written.
        """
        from stocklstm.workflows.models.remove import remove_versions

        return remove_versions(self.store(), references)

    @_one_or_many
    def collect_garbage(
        self,
        tickers: str | Sequence[str] = ALL,
        rule: "RemovalRule | None" = None,
        *,
        dry_run: bool = False,
        now: "str | datetime | None" = None,
    ) -> "CollectResult":
        """Remove old versions that nothing needs, and what killed processes left behind.

        Never removed: what an alias names, what a version that stays was made from, what an
        unfinished run began with, and what a living process works on.

        Example:
            >>> rule = stocklstm.RemovalRule(keep=0)
            >>> (found,) = stocklstm.collect_garbage("PETR4.SA", rule, dry_run=True).results
            >>> [each.name for each in found.removed]
            ['PETR4.SA@v2']

        Args:
            tickers: As typed; none means all.
            rule: Which versions; by default none, only leftovers.
            dry_run: Only tell what would be removed.
            now: UTC timestamp from which ages count; by default the present.

        Raises:
            NotFoundError: There is no store.
            ConfigError: It may not be written.
        """
        from stocklstm.workflows.models.remove import RemovalRule, collect_garbage

        return collect_garbage(
            self.store(),
            tickers,
            rule or RemovalRule(),
            dry_run=dry_run,
            now=read_moment(now, "now"),
        )

    def backup(self, path: Path, *, replace: bool = False) -> "BackupResult":
        """Write the whole store to one file, while it is in use.

        What is in it is one moment: the database, and every version that it lists, each compared
        with its hash. Unfinished trainings and pictures are not.

        Example:
            >>> stocklstm.backup(Path("store.zip")).results[0].versions
            3

        Args:
            path: The file.
            replace: Also where there is one already.

        Raises:
            NotFoundError: There is no store.
            ConfigError: The file is there already, or cannot be written.
            IntegrityError: Something in the store is damaged; no file was replaced.
        """
        from stocklstm.store.user_files import require_new_file
        from stocklstm.workflows.backup import back_up

        require_new_file(path, replace=replace)
        return back_up(self.store(), path)

    def restore(self, path: Path, *, replace: bool = False) -> "RestoreResult":
        """Make a store of a backup, after every byte of it was checked.

        Whatever stops this, the store is what it was or what it was to be.

        Example:
            >>> kept = stocklstm.backup(Path("store.zip"))
            >>> stocklstm.restore(Path("store.zip"), replace=True).results[0].versions
            3

        Args:
            path: What `backup` made; it may come from anybody.
            replace: Also where there is a store, which is moved aside.

        Raises:
            NotFoundError: There is no such file.
            ConfigError: There is a store.
            IntegrityError: The file is no sound backup; nothing was changed.
            StoreLockedError: Another process writes to the store.
        """
        from stocklstm.store.paths import StorePaths, data_home
        from stocklstm.workflows.backup import restore

        self.close()
        paths = StorePaths(self.home or data_home())
        return restore(paths, path, replace=replace, lock_timeout_s=self.lock_timeout_s)

    def export_model(
        self, reference: str, output: Path | None = None, *, file_format: str = "bundle"
    ) -> "ModelExportResult":
        """Write a version to files, for another store or another program.

        Example:
            >>> stocklstm.export_model("PETR4.SA", Path("petr4.zip")).results[0].version
            1

        Args:
            reference: TICKER, TICKER@v3 or TICKER@alias.
            output: The file of a bundle, or a directory for it; the directory of other formats. By
                default a name made of ticker and version, where the program runs.
            file_format: "bundle": one file that `import_model` reads; "onnx": the serving graph
                and the numbers that turn prices into its inputs; "classic": weights, scaler and
                settings as tutorials have them.

        Raises:
            NotFoundError: There is no such version.
            IntegrityError: Its files are not those that were published.
            ConfigError: No such format, the version does not fit it, or the place may not be
                written.
            MissingPackageError: "classic" without what trains, scikit-learn or joblib.
        """
        from stocklstm.workflows.models.exports import check_format, export_graph

        check_format(file_format, ("bundle", "onnx", "classic"))
        wanted = parse_reference(reference)
        if file_format == "onnx":
            return export_graph(self.store(), wanted, output)
        if file_format == "classic":
            _require_training("models export --format classic", "sklearn", "joblib")
            from stocklstm.workflows.models.classic import export_classic

            return export_classic(self.store(), wanted, output)
        from stocklstm.workflows.models.bundle import export_bundle

        return export_bundle(self.store(), wanted, output)

    def import_model(
        self,
        path: Path,
        *,
        file_format: str | None = None,
        ticker: str | None = None,
        seq_length: int | None = None,
        promote: str = "auto",
    ) -> "ImportResult":
        """Make the version in some files the next version of its ticker in this store.

        Nothing of the files is believed or executed: names, sizes, hashes and the graph of a bundle
        are checked, and a forecast is made with it, before anything is published. For a bundle the
        store is made if there is none; the classic files are scored on the stored prices.

        Example:
            >>> written = stocklstm.export_model("PETR4.SA", Path("petr4.zip"))
            >>> stocklstm.import_model(Path("petr4.zip")).results[0].unchanged
            True

        Args:
            path: A bundle, or a directory of model_lstm.pth, scaler.pkl and config.pkl, or the file
                of weights beside which the others lie.
            file_format: "bundle" or "classic"; None to go by the path.
            ticker: Whose model it must be; None for whose the files say.
            seq_length: Sessions of a window of classic files; None for as many as they say.
            promote: "auto" makes it champion where there is none, or if it is, on the same test
                days, not significantly worse with the champion's settings, or better with others;
                "always"; "never".

        Raises:
            NotFoundError: There is no such file; of classic files also no store, or no prices.
            IntegrityError: A file is damaged, or asks for more than plain values.
            ConfigError: No such format or promotion rule, a bundle is of another ticker, or
                classic files describe a network that cannot be taken over.
            NotEnoughDataError: There are too few prices to test classic files on.
        """
        from stocklstm.workflows.models.exports import import_format
        from stocklstm.workflows.train.beginning import check_promotion

        chosen = import_format(path, file_format)
        check_promotion(promote)
        if chosen == "classic":
            _require_training("models import of classic files")
            from stocklstm.workflows.models.classic import import_classic, read_classic

            files = read_classic(path, ticker, seq_length)
            return import_classic(self.store(), files, promote)
        from stocklstm.workflows.models.bundle import checked_bundle, import_bundle

        # What cannot work is refused before a store is made for it.
        with checked_bundle(path, ticker) as checked:
            return import_bundle(self.store(create=True), checked, promote)

    # Training.

    @_one_or_many
    def train(  # noqa: PLR0913 - all but one have a default
        self,
        tickers: str | Sequence[str],
        config: TrainingConfig | None = None,
        *,
        fetch: bool = False,
        promote: str = "auto",
        beginning: "StartFrom | None" = None,
        backend: "Backend | None" = None,
        plot: bool | None = None,
        should_stop: Callable[[], bool] = _never,
        on_epoch: "Callable[[EpochEnded], None]" = _ignore,
        on_ticker: "Callable[[TickersDone], None]" = _ignore,
        on_note: Callable[[str], None] = _ignore,
    ) -> "TrainResult":
        """Train a network on the stored prices of each ticker and publish it as a new version.

        Example:
            >>> config = stocklstm.configure("calibrated", epochs=1)
            >>> trained = stocklstm.train("PETR4.SA", config).results[0]
            >>> trained.version, trained.epochs
            (3, 1)

        Args:
            tickers: As typed; at least one, unless a run is resumed.
            config: All settings, by default those of the preset calibrated; a run that is resumed
                keeps its own.
            fetch: Get the prices of tickers that have none from Yahoo first, as the command does;
                otherwise nothing is asked for on a network, and such tickers fail.
            promote: "auto" makes it champion where there is none, or if it is, on the same test
                days, not significantly worse with the champion's settings, or better with others;
                "always"; "never".
            beginning: A run to resume, or weights to start from; by default a new run with random
                weights.
            backend: Which processes train, by default this one; the versions are the same for all.
            plot: Draw loss curves, and forecasts beside outcomes, once all is published; by default
                where this process trains.
            should_stop: Asked after every step; once it says yes the state is saved and training
                ends.
            on_epoch: Called after every epoch that this process trains.
            on_ticker: Told how many tickers are through, where other processes train.
            on_note: Called with what a person may want to know before a training, in words: that an
                unfinished run is there, when a new one begins.

        Raises:
            ConfigError: No ticker, no such promotion rule, too many processes, or options that
                exclude each other.
            NotFoundError: There is no store, no such run, or no such weights to start from.
            TrainingStoppedError: `should_stop` said so.
            MissingPackageError: PyTorch or onnx is not installed.
        """
        from stocklstm.workflows.parallel import THIS_PROCESS
        from stocklstm.workflows.train.beginning import (
            NEW_RUN,
            check_beginning,
            check_promotion,
            require_tickers,
        )
        from stocklstm.workflows.train.warm_start import check_weights

        beginning = beginning or NEW_RUN
        check_promotion(promote)
        if beginning.resume is None:
            require_tickers(tickers, "train")
        _require_training("train")
        failures: tuple[Failure, ...] = ()
        if fetch and tickers and beginning.resume in {None, AUTO}:
            tickers, failures = self._stocked(tickers, on_note)
            if not tickers:
                return Batch((), failures)
        # What can be refused is refused before PyTorch is loaded.
        check_beginning(self.store(), tickers, beginning)
        check_weights(self.store(), beginning.weights)
        watch = Stopwatch()
        with watch.of("imports"):
            from stocklstm.workflows.train.train import train

        chosen = config or PRESETS["calibrated"]
        result = train(
            self.store(),
            tickers,
            lambda _: chosen,
            promote=promote,
            beginning=beginning,
            backend=backend or THIS_PROCESS,
            plot=_draws(plot, backend),
            should_stop=should_stop,
            on_epoch=on_epoch,
            on_ticker=on_ticker,
            on_note=on_note,
        )
        return _timed(result.after(failures), watch)

    def _stocked(
        self, tickers: Sequence[str], on_note: Callable[[str], None]
    ) -> tuple[Sequence[str], tuple[Failure, ...]]:
        """Get the prices of the tickers that have none; give those that have, and what failed."""
        from stocklstm.workflows.prices.missing import announcement

        def get(missing: Sequence[str]) -> "FetchResult":
            on_note(announcement(missing))
            return self.fetch(missing)

        stocked = self.require_prices(tickers, get)
        return stocked.tickers, stocked.failures

    @_one_or_many
    def train_pooled(  # noqa: PLR0913 - all but two have a default
        self,
        name: str | None,
        tickers: str | Sequence[str],
        config: TrainingConfig | None = None,
        *,
        fetch: bool = False,
        promote: str = "auto",
        beginning: "StartFrom | None" = None,
        backend: "Backend | None" = None,
        plot: bool | None = None,
        should_stop: Callable[[], bool] = _never,
        on_epoch: "Callable[[EpochEnded], None]" = _ignore,
        on_ticker: "Callable[[TickersDone], None]" = _ignore,
        on_note: Callable[[str], None] = _ignore,
    ) -> "PooledResult":
        """Train one network on the stored prices of several tickers and publish it.

        Example:
            >>> config = stocklstm.configure("calibrated", epochs=1)
            >>> (trained,) = stocklstm.train_pooled("b3", ["PETR4.SA", "VALE3.SA"], config).results
            >>> trained.ticker, trained.tickers
            ('+b3', ('PETR4.SA', 'VALE3.SA'))

        Args:
            name: Of the pooled model, as typed; None only where a run is resumed by its identity.
            tickers: As typed; at least two, unless a run is resumed.
            config: As for `train`; it must learn returns.
            fetch: As for `train`; what could not be fetched is among the failures, and the model is
                trained without it if there are two others.
            promote: As for `train`, by the champion of its name.
            beginning: As for `train`; "auto" resumes the latest run of that name.
            backend: As for `train`; a cluster may train it, several processes of this machine not.
            plot: As for `train`; a pooled model has loss curves alone.
            should_stop: As for `train`.
            on_epoch: As for `train`.
            on_ticker: Told when it is through, where a cluster trains it.
            on_note: Called with what a person may want to know, in words: which tickers are left
                out, too.

        Raises:
            ConfigError: The name is that of a ticker, there are not two tickers, prices are to be
                learned, several processes are to train it, or no such promotion rule.
            NotFoundError: There is no store, or no such run.
            NotEnoughDataError: Fewer than two tickers have enough prices.
            TrainingStoppedError: `should_stop` said so.
            MissingPackageError: PyTorch or onnx is not installed.
        """
        from stocklstm.workflows.parallel import THIS_PROCESS
        from stocklstm.workflows.train.beginning import (
            NEW_RUN,
            check_pool,
            check_pool_in,
            check_pooled,
            check_promotion,
            pooled_run,
        )
        from stocklstm.workflows.train.warm_start import check_weights

        beginning, config = beginning or NEW_RUN, config or PRESETS["calibrated"]
        check_promotion(promote)
        check_pooled(backend or THIS_PROCESS)
        _require_training("train")
        failures: tuple[Failure, ...] = ()
        if beginning.resume is None:
            owner, tickers = check_pool(name, tickers, config)
            if fetch:
                tickers, failures = self._stocked(tickers, on_note)
                if failures and len(tickers) < 2:
                    return Batch((), failures)
        # What can be refused is refused before PyTorch is loaded.
        store = self.store()
        if beginning.resume is None:
            check_pool_in(store, owner, tickers)
            check_weights(store, beginning.weights)
        else:
            pooled_run(store, name, beginning.resume)
        watch = Stopwatch()
        with watch.of("imports"):
            from stocklstm.workflows.train.train import train_pooled

        result = train_pooled(
            store,
            name,
            tickers,
            config,
            promote=promote,
            beginning=beginning,
            backend=backend or THIS_PROCESS,
            plot=_draws(plot, backend),
            should_stop=should_stop,
            on_epoch=on_epoch,
            on_ticker=on_ticker,
            on_note=on_note,
        )
        return _timed(result.after(failures), watch)

    @_one_or_many
    def find_due(
        self, tickers: str | Sequence[str] = ALL, rule: "RetrainingRule | None" = None
    ) -> "DueResult":
        """Say of each champion whether it is due for training anew, and why; train nothing.

        Age counts the stored closes after the last one that it has seen in training or test. Where
        a later training with its settings did not make a champion, it counts from there, and an
        alarm is answered again only after 20 sessions. A model that learned prices before a
        split is always due.

        Example:
            >>> rule = stocklstm.RetrainingRule(older_than=60)
            >>> stocklstm.find_due("PETR4.SA", rule).results[0].due
            False

        Args:
            tickers: As typed; none means all that have a champion. Pooled models are no tickers.
            rule: Which are due; by default those whose prices are not those that they were
                trained on.

        Raises:
            NotFoundError: There is no store, or no champion in it.
        """
        from stocklstm.workflows.retraining import NEW_PRICES, find_due

        return find_due(self.store(), tickers, rule or NEW_PRICES)

    @_one_or_many
    def retrain(  # noqa: PLR0913 - each has a default
        self,
        tickers: str | Sequence[str] = ALL,
        rule: "RetrainingRule | None" = None,
        *,
        promote: str = "auto",
        backend: "Backend | None" = None,
        plot: bool | None = None,
        should_stop: Callable[[], bool] = _never,
        on_epoch: "Callable[[EpochEnded], None]" = _ignore,
        on_ticker: "Callable[[TickersDone], None]" = _ignore,
        on_note: Callable[[str], None] = _ignore,
    ) -> "RetrainResult":
        """Train the champions that are due anew, each with its own settings on the stored prices.

        Those are the settings of the version itself, whatever files and environment say; of a
        smaller version those of the training that it descends from. Where nothing is due PyTorch
        is not loaded.

        Example:
            >>> rule = stocklstm.RetrainingRule(older_than=60)
            >>> stocklstm.retrain("PETR4.SA", rule).results[0].trained is None
            True

        Args:
            tickers: As for `find_due`.
            rule: As for `find_due`.
            promote: As for `train`.
            backend: As for `train`.
            plot: As for `train`.
            should_stop: As for `train`.
            on_epoch: As for `train`.
            on_ticker: As for `train`.
            on_note: As for `train`.

        Returns:
            Of each ticker whether it was due and what was trained; what could not be judged, or
            not be trained, is among the failures.

        Raises:
            ConfigError: No such promotion rule, or the store may not be written.
            NotFoundError: There is no store, or no champion in it.
            TrainingStoppedError: `should_stop` said so.
        """
        from stocklstm.workflows.parallel import THIS_PROCESS
        from stocklstm.workflows.retraining import NEW_PRICES, retrain
        from stocklstm.workflows.train.beginning import check_promotion

        check_promotion(promote)
        return retrain(
            self.store(),
            tickers,
            rule or NEW_PRICES,
            promote=promote,
            backend=backend or THIS_PROCESS,
            plot=_draws(plot, backend),
            should_stop=should_stop,
            on_epoch=on_epoch,
            on_ticker=on_ticker,
            on_note=on_note,
        )

    @_one_or_many
    def dry_run(
        self,
        tickers: str | Sequence[str],
        config: TrainingConfig | None = None,
        *,
        weights: str | None = None,
    ) -> "PlanResult":
        """Say what training on the stored prices of each ticker would do, and store nothing.

        The network is built and takes its first steps, which are timed: what would end a training
        right at its beginning is found here as well.

        Example:
            >>> plan = stocklstm.dry_run("PETR4.SA").plans[0]
            >>> plan.parameters, plan.rows
            (1535, 3514)

        Args:
            tickers: As typed; at least one.
            config: All settings; by default those of the preset calibrated.
            weights: TICKER@version whose weights are to be the first ones; None for random ones.

        Raises:
            ConfigError: No ticker.
            NotFoundError: There is no store, which may be read-only, or no such weights.
            MissingPackageError: PyTorch or onnx is not installed.
        """
        from stocklstm.workflows.train.beginning import require_tickers
        from stocklstm.workflows.train.warm_start import check_weights

        require_tickers(tickers, "train --dry-run")
        _require_training("train --dry-run")
        store = self.store()
        check_weights(store, weights)
        from stocklstm.workflows.train.dry_run import dry_run

        return dry_run(store, tickers, config or PRESETS["calibrated"], weights=weights)

    @_one_or_many
    def dry_run_pooled(
        self,
        name: str | None,
        tickers: str | Sequence[str],
        config: TrainingConfig | None = None,
        *,
        weights: str | None = None,
        on_note: Callable[[str], None] = _ignore,
    ) -> "PlanResult":
        """Say what training one network on several tickers would do, and store nothing.

        Example:
            >>> plan = stocklstm.dry_run_pooled("b3", ["PETR4.SA", "VALE3.SA"]).plans[0]
            >>> plan.parameters
            1535

        Args:
            name: Of the pooled model, as typed.
            tickers: As typed; at least two.
            config: As for `dry_run`; it must learn returns.
            weights: As for `dry_run`.
            on_note: Called with which tickers are left out, in words.

        Raises:
            ConfigError: As of `train_pooled`.
            NotFoundError: There is no store; it may be read-only.
            NotEnoughDataError: Fewer than two tickers have enough prices.
            TrainingDivergedError: It would diverge at its first steps.
            MissingPackageError: PyTorch or onnx is not installed.
        """
        from stocklstm.workflows.train.beginning import check_pool, check_pool_in
        from stocklstm.workflows.train.warm_start import check_weights

        config = config or PRESETS["calibrated"]
        owner, tickers = check_pool(name, tickers, config)
        _require_training("train --dry-run")
        store = self.store()
        check_pool_in(store, owner, tickers)
        check_weights(store, weights)
        from stocklstm.workflows.train.dry_run import dry_run_pooled

        return dry_run_pooled(
            store,
            name,
            tickers,
            config,
            weights=weights,
            on_note=on_note,
        )

    @_one_or_many
    def tune(
        self,
        tickers: str | Sequence[str],
        config: TrainingConfig,
        search: "Search",
        *,
        fetch: bool = False,
        should_stop: Callable[[], bool] = _never,
        on_trial: "Callable[[TrialEnded], None]" = _ignore,
        on_ticker: "Callable[[TickersDone], None]" = _ignore,
        on_note: Callable[[str], None] = _ignore,
    ) -> "TuneResult":
        """Search for settings with a low validation loss; the test part is cut off beforehand.

        Example:
            >>> config = stocklstm.configure("calibrated", epochs=1)
            >>> search = stocklstm.Search(sampler="coordinate", most_trials=2)
            >>> (tuned,) = stocklstm.tune("PETR4.SA", config, search).results
            >>> len(tuned.trials)
            2

        Args:
            tickers: As typed; at least one, unless a study is resumed by its identity.
            config: Settings to start from; those that are not searched stay. A study that is
                resumed keeps its own.
            search: How to search.
            fetch: As for `train`.
            should_stop: Asked after every step, with several processes after every trial; once it
                says yes the search ends. The trials under way are lost, the others are kept.
            on_trial: Called after every trial, where not every ticker has a process of its own.
            on_ticker: Told how many tickers are through, where it has.
            on_note: Called with what a person may want to know of a search that was stopped.

        Raises:
            ConfigError: No ticker, or a sampler that is not installed.
            NotFoundError: There is no store, or no such study.
            TuningStoppedError: `should_stop` said so, or Ctrl-C was pressed.
            MissingPackageError: PyTorch, onnx or Matplotlib is not installed.
        """
        from stocklstm.workflows.train.beginning import require_tickers, study_of

        _require_training("tune", "matplotlib")
        known = search.resume not in {None, AUTO}
        failures: tuple[Failure, ...] = ()
        if not known:
            require_tickers(tickers, "tune")
            if fetch:
                tickers, failures = self._stocked(tickers, on_note)
                if not tickers:
                    return Batch((), failures)
        store = self.store()
        if known:
            study_of(store, str(search.resume), tickers)
        from stocklstm.workflows.train.tune import tune

        result = tune(
            store,
            tickers,
            config,
            search,
            should_stop=should_stop,
            on_trial=on_trial,
            on_ticker=on_ticker,
            on_note=on_note,
        )
        return result.after(failures)

    # Settings.

    def effective_settings(
        self,
        flags: Mapping[str, Any],
        *,
        file: Path | None = None,
        like: str | None = None,
    ) -> "EffectiveSettings":
        """Find out which settings hold: command line > environment > file > preset or version.

        Example:
            >>> found = stocklstm.effective_settings({"epochs": 5})
            >>> found.config.epochs, found.origins["epochs"]
            (5, '--epochs')

        Args:
            flags: Given on the command line, by name; a preset may be among them.
            file: A TOML file; None for the user's own, if there is one.
            like: TICKER@version whose settings take the place of a preset and of the user's own
                file; without it no store is needed.

        Raises:
            ConfigError: A name, a value or a combination is wrong.
            NotFoundError: There is no such file, or no such version.
        """
        from stocklstm.workflows.settings import effective_settings

        return effective_settings(self.store, flags, file=file, like=like)


def open(  # noqa: A001 - called as `stocklstm.open`, like `gzip.open`
    home: Path | str | None = None, *, lock_timeout_s: float = LOCK_TIMEOUT_S
) -> Client:
    """Open a store, for use from Python; see `Client`.

    Example:
        >>> with stocklstm.open() as client:
        ...     print(client.predict("PETR4.SA").forecasts[0].target_session)
        2024-03-14

    Args:
        home: Its directory; None for where the command line has it.
        lock_timeout_s: Seconds to wait for another writer.
    """
    return Client(home, lock_timeout_s=lock_timeout_s)


def function_of(name: str) -> Callable[..., Any]:
    """Make a function of a method: it opens a store, calls the method once, and closes the store.

    Args:
        name: Of a method of `Client`.
    """
    method = getattr(Client, name)

    @wraps(method)
    def call(
        *arguments: Any,  # noqa: ANN401 - of whatever the method takes
        home: Path | str | None = None,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        **options: Any,  # noqa: ANN401 - likewise
    ) -> Any:  # noqa: ANN401 - whatever the method returns
        with Client(home, lock_timeout_s=lock_timeout_s) as client:
            return method(client, *arguments, **options)

    own = signature(method)
    kind = Parameter.KEYWORD_ONLY
    further = [
        Parameter("home", kind, default=None, annotation=Path | str | None),
        Parameter("lock_timeout_s", kind, default=LOCK_TIMEOUT_S, annotation=float),
    ]
    parameters = [*list(own.parameters.values())[1:], *further]
    call.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    # Found by this name, so that other processes can be sent it.
    call.__module__, call.__qualname__ = "stocklstm", name
    return call
