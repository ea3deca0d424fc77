"""The responses: the documents of `--json`, as bytes."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from stocklstm import __version__
from stocklstm.api.model_cache import ModelCache
from stocklstm.api.response_cache import Passing
from stocklstm.core.batch import Failure
from stocklstm.core.csv_rows import STYLES, csv_text
from stocklstm.core.exits import exit_code, worst
from stocklstm.core.reference import parse_key, parse_reference
from stocklstm.errors import StockLstmError, UnexpectedError
from stocklstm.store.store import Store
from stocklstm.workflows.documents import details_document, envelope
from stocklstm.workflows.ledger import UNRECORDED
from stocklstm.workflows.models.listing import list_models, show_model
from stocklstm.workflows.predict import predict as workflow
from stocklstm.workflows.predict.from_prices import GivenPrices, forecast_given
from stocklstm.workflows.predict.history import ticker_history
from stocklstm.workflows.predict.preconditions import NO_DEMANDS, Demands
from stocklstm.workflows.predict.predict import LATEST, PredictResult, Wanted
from stocklstm.workflows.predict.rows import forecast_table, record_table

JSON = "json"

CSV_STYLES = {"csv": STYLES["plain"], "excel-br": STYLES["excel-br"]}
"""Forms of an answer beside JSON, each a style of `--csv-style`."""

_log = logging.getLogger("stocklstm.api")


@dataclass(frozen=True)
class ChampionHealth:
    """A ticker that has a model.

    Attributes:
        ticker: Ticker of the champion.
        version: Its champion; None if there is none.
        as_of: ISO day of the last stored close; None if there is none.
        stale_sessions: Sessions that have ended since; None with it.
        error: Why it cannot forecast; None if it can.
    """

    ticker: str
    version: int | None
    as_of: str | None
    stale_sessions: int | None
    error: str | None


@dataclass(frozen=True)
class Health:
    """How the server is.

    Attributes:
        status: "ok", or "unready" where it is alive and cannot forecast.
        ready: True if at least one ticker can be forecast.
        version: Of stocklstm; None for a caller without the token.
        reason: Why it is not ready; None if it is, or for a caller without the token.
        writable: True if forecasts can be recorded; None for a caller without the token.
        models_loaded: Models in memory; None for a caller without the token.
        tickers: Every ticker that has a model; none for a caller without the token.
    """

    status: str
    ready: bool
    version: str | None
    reason: str | None = None
    writable: bool | None = None
    models_loaded: int | None = None
    tickers: tuple[ChampionHealth, ...] = ()


def unready(reason: str | None) -> Health:
    """Describe a server that cannot forecast."""
    return Health("unready", ready=False, version=__version__, reason=reason)


def predicted(
    store: Store,
    models: ModelCache,
    references: Sequence[str],
    wanted: Wanted,
    demands: Demands,
    form: str = JSON,
) -> bytes:
    """Forecast as `predict --json` or `--csv` does, and record it likewise.

    Raises:
        StockLstmError: There is no forecast at all: the worst of what stood in the way.
    """
    result = predict(store, models, references, wanted, demands)
    if result.failures and not result.forecasts:
        raise worst_failure(result.failures)
    if form != JSON:
        table = forecast_table(result.forecasts, wanted.levels)
        return remarked(store, result, csv_text(table, CSV_STYLES[form]).encode())
    entries = [asdict(made) for made in result.forecasts]
    document = encode(envelope("predict", "forecasts", entries, result.failures))
    return remarked(store, result, document)


def remarked(store: Store, result: PredictResult, response: bytes) -> bytes:
    """Mark a response that holds a forecast which another writer kept from being recorded."""
    lost = any(words.startswith(UNRECORDED) for made in result.forecasts for words in made.warnings)
    return Passing(response) if lost and store.writable else response


def predict(
    store: Store,
    models: ModelCache,
    references: Sequence[str] = (),
    wanted: Wanted = LATEST,
    demands: Demands = NO_DEMANDS,
) -> PredictResult:
    """Forecast with the models in memory; a bug is logged."""
    result = workflow.predict(
        store,
        references,
        wanted,
        demands=demands,
        ledger_wait_s=store.lock_timeout_s,
        load=models.load,
    )
    for failure in result.failures:
        if isinstance(failure.error, UnexpectedError):
            _log.error("a bug in stocklstm, with %a", failure.ticker, exc_info=failure.error)
    return result


def predict_given_json(
    store: Store, models: ModelCache, reference: str, given: GivenPrices, wanted: Wanted
) -> bytes:
    """Forecast from prices in the request."""
    model = models.load(store, parse_reference(reference))
    made = forecast_given(store, model, given, horizons=wanted.horizons, levels=wanted.levels)
    return encode(envelope("predict", "forecasts", [asdict(each) for each in made], ()))


def models_json(store: Store) -> bytes:
    """List the versions as `models list --json` does."""
    result = list_models(store)
    entries = [asdict(model) for model in result.models]
    return encode(envelope("models list", "models", entries, result.failures))


def model_json(store: Store, reference: str) -> bytes:
    """Show a version as `models show --json` does."""
    details = show_model(store, parse_reference(reference))
    return encode(envelope("models show", "models", [details_document(details)], ()))


def forecasts_on_record(
    store: Store, ticker: str, count: int, offset: int, horizon: int | None, form: str
) -> bytes:
    """List the forecasts on record, the latest first."""
    found = ticker_history(store, parse_key(ticker), count=count, offset=offset, horizon=horizon)
    if form != JSON:
        return csv_text(record_table(found.forecasts), CSV_STYLES[form]).encode()
    return encode(envelope("forecasts", "forecasts", [asdict(f) for f in found.forecasts], ()))


def worst_failure(failures: Sequence[Failure]) -> StockLstmError:
    """Choose the error that decides, as for the exit code of the command line."""
    codes = [exit_code(failure.error) for failure in failures]
    return failures[codes.index(worst(codes))].error


def encode(document: Mapping[str, Any] | Health) -> bytes:
    """Encode a document; a number that is not finite becomes null."""
    return msgspec.json.encode(document)
