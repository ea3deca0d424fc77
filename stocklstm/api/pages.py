"""Two HTML pages: all tickers, and one of them with its chart and past forecasts."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Path, Query
from starlette.responses import Response

from stocklstm import __version__
from stocklstm.api.chart import NARROW, WIDE, draw
from stocklstm.api.model_cache import ModelCache
from stocklstm.api.problems import Problem, problem_of
from stocklstm.api.response_cache import caching
from stocklstm.api.responses import predict, remarked, worst_failure
from stocklstm.api.service import Service
from stocklstm.core.clock import utc_now
from stocklstm.core.forecasts.horizons import parse_horizons
from stocklstm.core.forecasts.live import FEWEST, LiveRecord
from stocklstm.core.reference import ModelReference, StoredTicker
from stocklstm.core.wording import level_percent, money, percent, percent_change, price_digits
from stocklstm.errors import StockLstmError
from stocklstm.store.store import Store
from stocklstm.workflows.predict.history import PastForecast, ticker_history
from stocklstm.workflows.predict.predict import LATEST, Forecast, Wanted

if TYPE_CHECKING:
    from jinja2 import Template

HTML = "text/html"

PAGES = ("/", "/tickers/{ticker}")

# Forecasts in the table of a ticker's page.
_PAST = 60

# Sessions that the page of a ticker offers to forecast: a week.
_NEXT = 5

_VERDICTS = {"better": "better", "no_better": "no better", "worse": "worse"}


@dataclass(frozen=True)
class Bounds:
    """An interval as text.

    Attributes:
        level: Such as "80 %".
        words: Such as "34.56 to 38.26".
    """

    level: str
    words: str


@dataclass(frozen=True)
class ForecastRow:
    """One ticker as text.

    Attributes:
        ticker: Ticker that is forecast.
        version: Such as "v3".
        as_of: ISO day of the last close.
        last_close: Such as "R$ 36.38".
        session: ISO day that is forecast.
        horizon: Sessions ahead.
        point: The forecast.
        change: In per cent, with its sign.
        intervals: Of 80 and 95 %.
        verdict: "better", "no_better" or "worse": a class of the style sheet.
        verdict_short: The same in two words.
        verdict_text: The same in full.
        live: How past forecasts did.
        warnings: What to know before relying on it.
    """

    ticker: str
    version: str
    as_of: str
    last_close: str
    session: str
    horizon: int
    point: str
    change: str
    intervals: tuple[Bounds, ...]
    verdict: str
    verdict_short: str
    verdict_text: str
    live: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class PastRow:
    """One forecast on record as text.

    Attributes:
        session: ISO day that was forecast.
        horizon: Sessions ahead.
        version: Such as "v3".
        made_at: UTC, to the minute.
        point: The forecast.
        intervals: Of 80 and 95 %.
        outcome: Close that came, or what is waited for.
        held: For each interval "inside", "outside" or "".
    """

    session: str
    horizon: int
    version: str
    made_at: str
    point: str
    intervals: tuple[Bounds, ...]
    outcome: str
    held: tuple[str, ...]


def add_pages(app: FastAPI, service: Service) -> None:
    """Add the pages to an application."""

    async def page(key: object, make: Callable[[Store, ModelCache], bytes]) -> Response:
        try:
            return _html(await service.answer(("page", key), make))
        except StockLstmError as error:
            problem = problem_of(error)
            return _html(_problem_page(problem), problem.status, problem.headers)

    @app.get("/", include_in_schema=False)
    async def overview() -> Response:
        return await page("overview", _overview_page)

    @app.get("/tickers/{ticker}", include_in_schema=False)
    async def ticker_page(
        ticker: Annotated[str, Path(max_length=60)],
        horizon: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Response:
        return await page(
            (ticker, horizon), lambda store, models: _ticker_page(store, models, ticker, horizon)
        )

    @app.get("/style.css", include_in_schema=False)
    async def style() -> Response:
        return Response(_style(), 200, {"cache-control": "max-age=3600"}, "text/css")


def _html(
    content: bytes,
    status: int = 200,
    headers: Any = None,  # noqa: ANN401 - as Starlette takes it
) -> Response:
    return Response(content, status, {**(headers or {}), **caching(content)}, HTML)


def _overview_page(store: Store, models: ModelCache) -> bytes:
    result = predict(store, models)
    page = _render(
        "overview.html",
        rows=[_row(made) for made in result.forecasts],
        failures=result.failures,
    )
    return remarked(store, result, page)


def _ticker_page(store: Store, models: ModelCache, ticker: str, horizon: str | None) -> bytes:
    wanted = LATEST if horizon is None else Wanted(horizon=parse_horizons(horizon))
    result = predict(store, models, [StoredTicker(ticker)], wanted)
    if result.failures:
        raise worst_failure(result.failures)
    nearest = result.forecasts[0]
    # Of several horizons one: else a session would have as many forecasts.
    history = ticker_history(store, nearest.ticker, count=_PAST, horizon=nearest.horizon)
    reference = ModelReference(nearest.ticker, nearest.version)
    learned = models.load(store, reference).manifest.config.horizon
    charts = [draw(result.forecasts, history, learned, size) for size in (WIDE, NARROW)]
    page = _render(
        "ticker.html",
        row=_row(nearest),
        rows=[_row(made) for made in result.forecasts],
        warnings=dict.fromkeys(words for made in result.forecasts for words in made.warnings),
        next_sessions=f"{learned}-{learned + _NEXT - 1}",
        wide=charts[0],
        narrow=charts[1],
        sessions=len(history.dates),
        past=[_past_row(past) for past in history.forecasts],
    )
    return remarked(store, result, page)


def _problem_page(problem: Problem) -> bytes:
    return _render("problem.html", problem=problem)


def _row(made: Forecast) -> ForecastRow:
    digits = price_digits(made.last_close)
    return ForecastRow(
        ticker=made.ticker,
        version=f"v{made.version}",
        as_of=made.as_of,
        last_close=money(made.last_close, made.currency, digits),
        session=made.target_session,
        horizon=made.horizon,
        point=money(made.point, made.currency, digits),
        change=percent_change(made.change_pct),
        intervals=_bounds(made, digits),
        verdict=made.verdict,
        verdict_short=_VERDICTS.get(made.verdict, made.verdict),
        verdict_text=made.verdict_text,
        live=_live_words(made.live),
        warnings=made.warnings,
    )


def _bounds(made: Forecast | PastForecast, digits: int) -> tuple[Bounds, ...]:
    return tuple(
        Bounds(level_percent(i.level), f"{i.lower:,.{digits}f} to {i.upper:,.{digits}f}")
        for i in made.intervals
    )


def _live_words(live: LiveRecord | None) -> str:
    if live is None:
        return "none closed yet"
    held = ", ".join(
        f"{level_percent(float(level))} held {percent(share)}"
        for level, share in live.coverage.items()
    )
    few = "" if live.n >= FEWEST else f", of {FEWEST} that would begin to tell something"
    return f"{held} ({live.n} closed{few})"


def _past_row(past: PastForecast) -> PastRow:
    digits = price_digits(past.last_close)
    held = past.held
    return PastRow(
        session=past.target_session,
        horizon=past.horizon,
        version=f"v{past.version}",
        made_at=past.made_at[:16].replace("T", " ") + (" (late)" if past.late else ""),
        point=money(past.point, past.currency, digits),
        intervals=_bounds(past, digits),
        outcome="waiting" if past.outcome is None else money(past.outcome, past.currency, digits),
        held=tuple(
            "" if held is None else ("inside" if held[f"{i.level:g}"] else "outside")
            for i in past.intervals
        ),
    )


def _render(name: str, **values: Any) -> bytes:  # noqa: ANN401 - whatever the template shows
    text = _template(name).render(stocklstm_version=__version__, now=utc_now(), **values)
    return text.encode()


@cache
def _template(name: str) -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("stocklstm.api"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


@cache
def _style() -> bytes:
    from importlib.resources import files

    return (files("stocklstm.api") / "templates" / "style.css").read_bytes()
