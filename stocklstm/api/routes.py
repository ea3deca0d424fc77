"""The application: its addresses, and the function that answers each."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from stocklstm import __version__
from stocklstm.api import responses
from stocklstm.api.health import HealthWatch, health_response
from stocklstm.api.metrics import Metrics
from stocklstm.api.middleware import HEALTH, Guard
from stocklstm.api.pages import PAGES, add_pages, answer_problem, page_variant
from stocklstm.api.problems import bug_problem, http_problem, problem_of
from stocklstm.api.rate_limit import RateLimit
from stocklstm.api.requests import (
    HORIZON,
    PredictRequest,
    StrictJsonRoute,
    require_single_parameters,
)
from stocklstm.api.response_cache import ResponseCache, caching
from stocklstm.api.schema import DESCRIPTION, describe, documented
from stocklstm.api.server_options import ServerOptions
from stocklstm.api.service import Service
from stocklstm.core.forecasts.horizons import FARTHEST, parse_horizons
from stocklstm.core.language import current
from stocklstm.core.settings.config import INTERVAL_LEVELS
from stocklstm.errors import StockLstmError
from stocklstm.workflows.predict.preconditions import NO_DEMANDS, Demands
from stocklstm.workflows.predict.predict import Wanted

_MEDIA_TYPES = {"json": "application/json", "csv": "text/csv", "excel-br": "text/csv"}

MOST_TICKERS = 50
MOST_FORECASTS = 1000
MOST_FAULTS = 20

Reference = Annotated[
    str,
    Path(
        max_length=60,
        description="A ticker as Yahoo writes it, or one of its versions.",
        examples=["PETR4.SA", "PETR4.SA@v1", "PETR4.SA@previous"],
    ),
]

Ticker = Annotated[
    str,
    Path(max_length=60, description="A ticker as Yahoo writes it.", examples=["PETR4.SA"]),
]


Format = Annotated[
    Literal["json", "csv", "excel-br"],
    Query(
        alias="format",
        description="As JSON; or as comma-separated values, with the columns of `--csv`, and with "
        "semicolons and decimal commas as Brazilian spreadsheets want them.",
    ),
]


def create_app(options: ServerOptions) -> Guard:
    """Build the ASGI application."""
    # Where a file names none that is spoken here it is said now, not to the first reader.
    current()
    service = Service(options)

    watch = HealthWatch(service)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await watch.start()
        yield
        await watch.stop()
        service.close()

    app = FastAPI(
        title="stocklstm",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        # Their pages would load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(require_single_parameters)],
    )
    app.router.route_class = StrictJsonRoute
    _answer_errors(app)
    _add_models(app, service)
    _add_forecasts(app, service)
    add_pages(app, service)
    limited = RateLimit(
        app, options.limits, token=options.token is not None, answer_problem=answer_problem
    )
    cache = ResponseCache(
        limited, service.state, _CACHED, options.limits.response_bytes, page_variant
    )
    metrics = Metrics(service, cache)
    _add_state(app, watch, metrics)
    describe(app)
    return Guard(cache, options, metrics, watch.for_strangers, answer_problem)


# Their responses depend on the store and the minute alone, and pages on the language.
_CACHED = ("/models", "/models/{ticker}", "/predict", "/forecasts/{ticker}", *PAGES)


def _answer_errors(app: FastAPI) -> None:
    """Turn every error into problem details."""

    @app.exception_handler(StockLstmError)
    async def program(request: Request, error: Exception) -> Response:
        assert isinstance(error, StockLstmError)  # noqa: S101 - registered for these alone
        return answer_problem(problem_of(error), request.scope)

    @app.exception_handler(RequestValidationError)
    async def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - likewise
        errors = [
            {"where": _where(one["loc"]), "what": _what(one)}
            for one in error.errors()[:MOST_FAULTS]
        ]
        words = f"{errors[0]['where']}: {errors[0]['what']}" if errors else "it cannot be read"
        problem = http_problem(422, words, errors=errors, hint="GET /openapi.json")
        return answer_problem(problem, request.scope)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - likewise
        words = {404: "no such address", 405: "this address takes another method"}
        problem = http_problem(
            error.status_code,
            words.get(error.status_code, str(error.detail)),
            hint="GET /openapi.json lists what there is" if error.status_code < 500 else None,
            headers=_allowed(app, request) if error.status_code == 405 else error.headers,
        )
        return answer_problem(problem, request.scope)

    @app.exception_handler(Exception)
    async def bug(request: Request, _: Exception) -> Response:
        # Starlette raises it again after this answer, and the guard logs it.
        return answer_problem(bug_problem(), request.scope)


def _where(place: Sequence[object]) -> str:
    """Name a part of a request; the names in its body are whatever a client made up."""
    return ".".join(
        ascii(part)[1:-1][:60] if isinstance(part, str) else str(part) for part in place
    )


def _what(fault: Mapping[str, Any]) -> str:
    # What is wrong with JSON is said by its parser.
    said = fault["ctx"]["error"] if fault["type"] == "json_invalid" else fault["msg"]
    return str(said)


def _allowed(app: FastAPI, request: Request) -> Mapping[str, str]:
    """List the methods of an address."""
    methods = {
        method
        for route in app.routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in getattr(route, "methods", None) or ()
    }
    if "GET" in methods:
        methods.add("HEAD")
    return {"allow": ", ".join(sorted(methods))}


def _add_state(app: FastAPI, watch: HealthWatch, metrics: Metrics) -> None:
    @app.get(HEALTH, summary="Is it alive, and can it forecast?", **documented("health", {422}))
    async def health() -> Response:
        """Any answer means that the server is alive.

        200 means that at least one ticker can be forecast, 503 that none can, and why. Without
        the token it says no more than `status` and `ready`.
        """
        found = await watch.current()
        return health_response(watch.document(found), ready=found.ready)

    @app.get(
        "/metrics",
        summary="Figures for Prometheus",
        response_class=Response,
        **documented("metrics", {401, 422, 429}),
    )
    async def figures() -> Response:
        """Requests, latencies, models in memory, sessions that each ticker is behind."""
        found = await watch.current()
        text = await asyncio.get_running_loop().run_in_executor(None, metrics.text, found)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_models(app: FastAPI, service: Service) -> None:
    @app.get("/models", summary="Every version", **documented("models", {401, 404, 422, 429, 503}))
    async def models() -> Response:
        """Answer as `stocklstm models list --json` does."""
        content = await service.answer("models", lambda store, _: responses.models_json(store))
        return _document(content)

    @app.get(
        "/models/{ticker}",
        summary="Everything about one version",
        **documented("model", {401, 404, 422, 429, 503}),
    )
    async def model(ticker: Reference) -> Response:
        """Answer as `stocklstm models show --json` does; a ticker alone means its champion."""
        content = await service.answer(
            ("model", ticker), lambda store, _: responses.model_json(store, ticker)
        )
        return _document(content)


def _add_forecasts(app: FastAPI, service: Service) -> None:
    @app.get(
        "/predict",
        summary="Forecast from the stored prices",
        **documented("predict", {401, 404, 409, 422, 429, 503}),
    )
    async def predict(
        ticker: Annotated[
            list[str] | None,
            Query(
                max_length=MOST_TICKERS,
                description="TICKER[@VERSION]; may be repeated. None means every champion.",
                examples=[["PETR4.SA"]],
            ),
        ] = None,
        at: Annotated[
            str | None,
            Query(
                pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
                description="Forecast as if it were the evening of that day; not recorded.",
                examples=["2024-03-13"],
            ),
        ] = None,
        horizon: Annotated[
            str | None, Query(max_length=200, description=HORIZON, examples=["1-5"])
        ] = None,
        level: Annotated[
            list[float] | None,
            Query(
                max_length=4,
                description="Probability of an interval, from 0.2 to 0.99; may be repeated.",
                examples=[[0.8, 0.95]],
            ),
        ] = None,
        adaptive: Annotated[
            bool,
            Query(
                description="All intervals learn from how often past ones held, not only those "
                "that the test part found wrong."
            ),
        ] = False,
        strict: Annotated[
            bool, Query(description="No forecast where a check warns, but 409 or 422.")
        ] = False,
        max_age: Annotated[
            int | None,
            Query(
                ge=0, le=100_000, description="Warn if the model is more days old.", examples=[120]
            ),
        ] = None,
        form: Format = "json",
    ) -> Response:
        """Answer as `stocklstm predict --json` does, and keep the forecast in the ledger likewise.

        Where one of several tickers fails, the others are answered with 200 and `errors` says
        why; where none is left, the answer is a problem.
        """
        references = tuple(ticker or ())
        levels = INTERVAL_LEVELS if level is None else tuple(level)
        ahead = None if horizon is None else parse_horizons(horizon)
        wanted = Wanted(at, ahead, levels, adaptive or None)
        demands = Demands(max_age, strict)
        content = await service.answer(
            ("predict", references, wanted, strict, max_age, form),
            lambda store, models: responses.predicted(
                store, models, references, wanted, demands, form
            ),
        )
        return _document(content, form, "-".join(["forecast", *references[:1]]))

    @app.post(
        "/predict",
        summary="Forecast from the stored prices, or from prices in the body",
        **documented("predict_given", {400, 401, 404, 408, 413, 415, 422, 429, 503}),
    )
    async def predict_posted(asked: PredictRequest) -> Response:
        """Forecast with `closes` from them, storing and recording nothing; else as GET does."""
        references, wanted, given = asked.references, asked.wanted(), asked.given()
        content = await service.work(
            lambda store, models: (
                responses.predicted(store, models, references, wanted, NO_DEMANDS)
                if given is None
                else responses.predict_given_json(store, models, references[0], given, wanted)
            )
        )
        return _document(content)

    @app.get(
        "/forecasts/{ticker}",
        summary="The forecasts on record",
        **documented("forecasts", {401, 404, 422, 429, 503}),
    )
    async def forecasts(
        ticker: Ticker,
        limit: Annotated[
            int, Query(ge=1, le=MOST_FORECASTS, description="Forecasts at most.")
        ] = 60,
        offset: Annotated[
            int, Query(ge=0, le=1_000_000, description="Later forecasts to pass over.")
        ] = 0,
        horizon: Annotated[
            int | None,
            Query(ge=1, le=FARTHEST, description="Only forecasts so many sessions ahead."),
        ] = None,
        form: Format = "json",
    ) -> Response:
        """List what `predict` has forecast, the latest session first, beside what came."""
        content = await service.answer(
            ("forecasts", ticker, limit, offset, horizon, form),
            lambda store, _: responses.forecasts_on_record(
                store, ticker, limit, offset, horizon, form
            ),
        )
        return _document(content, form, f"forecasts-{ticker}")


def _document(content: bytes, form: str = responses.JSON, name: str = "") -> Response:
    """Answer with JSON, or with comma-separated values that a browser saves under a name."""
    headers = caching(content)
    if form != responses.JSON:
        file = re.sub(r"[^A-Za-z0-9._-]+", "_", name)
        headers["content-disposition"] = f'attachment; filename="{file}.csv"'
    return Response(content, 200, headers, _MEDIA_TYPES[form])
