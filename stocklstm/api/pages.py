"""HTML pages: the tickers, one of them with its chart, its record, and why there is no page."""

import logging
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import quote, urlencode

from fastapi import FastAPI, Path, Query, Request
from markupsafe import Markup
from starlette.responses import Response
from starlette.types import Scope

from stocklstm import __version__
from stocklstm.api.chart import NARROW, WIDE, draw
from stocklstm.api.model_cache import ModelCache
from stocklstm.api.negotiation import Language, language_asked, wants_page
from stocklstm.api.page_texts import city as city_of
from stocklstm.api.page_texts import clock, forecast_row, past_row, problem_words, time_of_day
from stocklstm.api.problems import Problem, problem_of
from stocklstm.api.response_cache import caching
from stocklstm.api.responses import predict, remarked, worst_failure
from stocklstm.api.service import Service
from stocklstm.core.clock import utc_now
from stocklstm.core.forecasts.horizons import parse_horizons
from stocklstm.core.language import LANGUAGES, PORTUGUESE, day, say, speaking
from stocklstm.core.reference import ModelReference, StoredTicker, parse_key
from stocklstm.errors import IntegrityError, NotEnoughDataError, StockLstmError
from stocklstm.store.store import Store
from stocklstm.workflows.loading.model import chosen_references
from stocklstm.workflows.predict.history import TickerHistory, ticker_history
from stocklstm.workflows.predict.predict import LATEST, Wanted

if TYPE_CHECKING:
    from jinja2 import Template

HTML = "text/html"

PAGES = ("/", "/tickers/{ticker}", "/tickers/{ticker}/record")

_log = logging.getLogger("stocklstm.api")

PER_PAGE = 20
"""Tickers of a page, and forecasts of a page of the record: a phone's page is three screens."""

_RECENT = 8
"""Forecasts on record that the page of a ticker shows."""

_CHARTED = 60
"""Sessions in the chart, and forecasts on record among them."""

# Sessions that the page of a ticker offers to forecast: a week.
_NEXT = 5

_MOST_PAGES = 10_000

_LANGUAGE_NAMES = {"en": "English", PORTUGUESE: "Português"}

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """Where a page is.

    Attributes:
        path: Its own.
        query: What else was asked for, but for the language.
        language: Its own.
    """

    path: str
    query: tuple[tuple[str, str], ...]
    language: Language

    # Positions only: a reader may ask for anything, as for path=.
    def link(self, path: str, /, **query: object) -> str:
        """Write the address of a page in the same language."""
        given = {name: str(value) for name, value in query.items() if value not in {None, ""}}
        if self.language.chosen:
            given["lang"] = self.language.name
        # Two slashes at the beginning would lead to another server.
        return f"/{quote(path.lstrip('/'))}{'?' if given else ''}{urlencode(given)}"

    def own(self, /, **changed: object) -> str:
        """Write the address of this page with something else asked for."""
        return self.link(self.path, **{**dict(self.query), **changed})

    def languages(self) -> list[tuple[str, str, str]]:
        """Give the other languages of this page: their tags, names and addresses."""
        return [
            (
                tag,
                _LANGUAGE_NAMES[tag],
                replace(self, language=Language(tag, chosen=True)).own(),
            )
            for tag in LANGUAGES
            if tag != self.language.name
        ]


def page_variant(scope: Scope) -> Hashable:
    """Tell apart the answers of one address: pages by their language, others not at all."""
    path = scope["path"]
    return language_asked(scope) if path == "/" or path.startswith("/tickers/") else None


def add_pages(app: FastAPI, service: Service) -> None:
    """Add the pages to an application."""

    async def page(
        request: Request, key: object, make: Callable[[Store, ModelCache, Place], bytes]
    ) -> Response:
        place = _place(request.scope)

        def spoken(store: Store, models: ModelCache) -> bytes:
            # In the thread that makes it.
            with speaking(place.language.name):
                return make(store, models, place)

        try:
            return _html(await service.answer(("page", key, place), spoken))
        except StockLstmError as error:
            # What a reader mistyped is nothing to be repaired.
            if isinstance(error, (IntegrityError, NotEnoughDataError)):
                _tell_operator(request.url.path, error)
            return page_of_problem(problem_of(error), request.scope)

    @app.get("/", include_in_schema=False)
    async def overview(
        request: Request,
        q: Annotated[str, Query(max_length=60)] = "",
        number: Annotated[int, Query(alias="page", ge=1, le=_MOST_PAGES)] = 1,
    ) -> Response:
        return await page(
            request,
            (q, number),
            lambda store, models, place: _overview_page(store, models, place, q, number),
        )

    @app.get("/tickers/{ticker}", include_in_schema=False)
    async def ticker_page(
        request: Request,
        ticker: Annotated[str, Path(max_length=60)],
        horizon: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Response:
        return await page(
            request,
            (ticker, horizon),
            lambda store, models, place: _ticker_page(store, models, place, ticker, horizon),
        )

    @app.get("/tickers/{ticker}/record", include_in_schema=False)
    async def record_page(
        request: Request,
        ticker: Annotated[str, Path(max_length=60)],
        horizon: Annotated[int | None, Query(ge=1, le=250)] = None,
        number: Annotated[int, Query(alias="page", ge=1, le=_MOST_PAGES)] = 1,
    ) -> Response:
        return await page(
            request,
            (ticker, horizon, number),
            lambda store, _, place: _record_page(store, place, ticker, horizon, number),
        )

    @app.get("/style.css", include_in_schema=False)
    async def style() -> Response:
        return Response(_style(), 200, {"cache-control": "max-age=3600"}, "text/css")


def page_of_problem(problem: Problem, scope: Scope) -> Response:
    """Tell a reader why there is no page."""
    place = _place(scope)
    with speaking(place.language.name):
        heading, words = problem_words(problem)
        content = _render(
            "problem.html",
            place,
            "UTC",
            heading=heading,
            words=words,
            # Forecasts of the past are on record though none can be made.
            ticker=scope.get("path_params", {}).get("ticker") if problem.code in {5, 6} else None,
        )
    return _html(content, problem.status, problem.headers)


def answer_problem(problem: Problem, scope: Scope) -> Response:
    """Answer with a problem: to a browser with a page."""
    return page_of_problem(problem, scope) if wants_page(scope) else problem.response(scope["path"])


def _place(scope: Scope) -> Place:
    query = tuple(
        (name, value) for name, value in Request(scope).query_params.multi_items() if name != "lang"
    )
    return Place(scope["path"], query, language_asked(scope))


def _tell_operator(what: str | None, error: StockLstmError) -> None:
    """Log what somebody has to do, which readers are not told."""
    _log.warning("nothing to show of %a: %a; next: %a", what, error.message, error.hint)


def _html(
    content: bytes,
    status: int = 200,
    headers: Any = None,  # noqa: ANN401 - as Starlette takes it
) -> Response:
    language = {"vary": "Accept, Accept-Language"}
    return Response(content, status, {**(headers or {}), **language, **caching(content)}, HTML)


def _overview_page(store: Store, models: ModelCache, place: Place, q: str, number: int) -> bytes:
    wanted = q.strip().upper()
    every = chosen_references(store, ())
    names = [name for name in every if wanted in name]
    pages = max(1, -(-len(names) // PER_PAGE))
    number = min(number, pages)
    shown = names[(number - 1) * PER_PAGE : number * PER_PAGE]
    # Without a name it would be every ticker.
    result = predict(store, models, shown) if shown else None
    forecasts = result.forecasts if result else ()
    failures = result.failures if result else ()
    for failure in failures:
        _tell_operator(failure.ticker, failure.error)
    zones = {store.prices.instrument(made.ticker).time_zone for made in forecasts}
    page = _render(
        "overview.html",
        place,
        zones.pop() if len(zones) == 1 else "UTC",
        rows=[forecast_row(made) for made in forecasts],
        failures=[failure.ticker for failure in failures],
        q=q.strip(),
        first=(number - 1) * PER_PAGE + 1,
        last=(number - 1) * PER_PAGE + len(shown),
        found=len(names),
        number=number,
        pages=pages,
        data=_data("/predict", ticker=[] if len(shown) == len(every) else shown),
    )
    return page if result is None else remarked(store, result, page)


def _ticker_page(
    store: Store, models: ModelCache, place: Place, ticker: str, horizon: str | None
) -> bytes:
    wanted = LATEST if horizon is None else Wanted(horizon=parse_horizons(horizon))
    result = predict(store, models, [StoredTicker(ticker)], wanted)
    if result.failures:
        raise worst_failure(result.failures)
    nearest = result.forecasts[0]
    # Of several horizons one: else a session would have as many forecasts.
    history = ticker_history(
        store, nearest.ticker, count=_CHARTED, sessions=_CHARTED, horizon=nearest.horizon
    )
    reference = ModelReference(nearest.ticker, nearest.version)
    learned = models.load(store, reference).manifest.config.horizon
    instrument = store.prices.instrument(nearest.ticker)
    ends = store.sessions.ends(instrument.exchange, nearest.target_session, nearest.target_session)
    end = ends.get(nearest.target_session)
    rows = [forecast_row(made) for made in result.forecasts]
    adapted = any(each.adaptive for made in result.forecasts for each in made.intervals)
    past = [past_row(each, instrument.time_zone) for each in history.forecasts[:_RECENT]]
    page = _render(
        "ticker.html",
        place,
        instrument.time_zone,
        row=rows[0],
        rows=rows,
        end=None if end is None else time_of_day(end, instrument.time_zone),
        warnings=list(dict.fromkeys(words for row in rows for words in row.warnings)),
        learned=learned,
        adapted=adapted,
        farthest=learned + _NEXT - 1,
        wide=draw(result.forecasts, history, learned, WIDE),
        narrow=draw(result.forecasts, _latest(history, NARROW.sessions), learned, NARROW),
        past=past,
        more=len(history.forecasts) > _RECENT,
        city=city_of(instrument.time_zone),
        made=_data("/predict", ticker=nearest.ticker, horizon=horizon),
        record=_data(f"/forecasts/{quote(nearest.ticker)}", horizon=nearest.horizon, limit=_RECENT),
    )
    return remarked(store, result, page)


def _latest(history: TickerHistory, sessions: int) -> TickerHistory:
    return replace(history, dates=history.dates[-sessions:], closes=history.closes[-sessions:])


def _record_page(
    store: Store, place: Place, ticker: str, horizon: int | None, number: int
) -> bytes:
    name, offset = parse_key(ticker), (number - 1) * PER_PAGE
    # One more tells whether there is another page.
    history = ticker_history(store, name, count=PER_PAGE + 1, offset=offset, horizon=horizon)
    zone = store.prices.instrument(name).time_zone
    return _render(
        "record.html",
        place,
        zone,
        ticker=name,
        past=[past_row(each, zone) for each in history.forecasts[:PER_PAGE]],
        number=number,
        older=len(history.forecasts) > PER_PAGE,
        city=city_of(zone),
        record=_data(
            f"/forecasts/{quote(name)}", horizon=horizon, limit=PER_PAGE, offset=offset or None
        ),
    )


def _data(path: str, **query: object) -> Callable[[str], str]:
    """Give what writes the address of the same as JSON or comma-separated values."""
    given = {name: value for name, value in query.items() if value is not None}

    def address(form: str) -> str:
        asked = given if form == "json" else {**given, "format": form}
        return f"{path}?{urlencode(asked, doseq=True)}" if asked else path

    return address


def _render(name: str, place: Place, time_zone: str, **values: Any) -> bytes:  # noqa: ANN401 - whatever the template shows
    now = utc_now()
    text = _template(name).render(
        stocklstm_version=__version__,
        place=place,
        link=place.link,
        portuguese=place.language.name == PORTUGUESE,
        style=_style_version(),
        now=now,
        here=f"{clock(now, time_zone)} {city_of(time_zone)}",
        **values,
    )
    return text.encode()


def _date(iso: str) -> Markup:
    """Write a day that no line breaks."""
    return Markup('<time datetime="{}">{}</time>').format(iso, day(iso))


# Between a figure and its unit, or a sign and its figure.
_JOINED = re.compile(r"(?<=\d) (?=%)|(?<=R\$) (?=\d)|(?<=\bp) (?=[=<])|(?<=[=<]) (?=\d)")


def _unbroken(value: object) -> object:
    """Let no line end within a figure and its unit; markup stays as it is."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _JOINED.sub("\N{NO-BREAK SPACE}", value)
    return value


@cache
def _template(name: str) -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("stocklstm.api"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_unbroken,
    )
    environment.globals.update(say=say, date=_date)
    return environment.get_template(name)


@cache
def _style() -> bytes:
    from importlib.resources import files

    return (files("stocklstm.api") / "templates" / "style.css").read_bytes()


@cache
def _style_version() -> str:
    """Tell one style sheet from another, so that a browser takes none that it has kept."""
    return sha256(_style()).hexdigest()[:8]
