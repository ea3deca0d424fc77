"""The body of `POST /predict`."""

import json
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, NoReturn, Self
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response

from stocklstm.core.forecasts.horizons import FARTHEST, parse_horizons
from stocklstm.core.settings.config import INTERVAL_LEVELS
from stocklstm.workflows.predict.from_prices import GivenPrices
from stocklstm.workflows.predict.predict import Wanted

MOST_ROWS = 10_000
"""Prices in a body: forty years of sessions."""

HORIZON = "Sessions ahead, such as 5, 1-5 or 1,5,20: a forecast for each."


Price = Annotated[float, Field(ge=1e-6, le=1e12, allow_inf_nan=False)]
Volume = Annotated[float, Field(ge=0, le=1e18, allow_inf_nan=False)]
Prices = Annotated[list[Price], Field(min_length=1, max_length=MOST_ROWS)]


class PredictRequest(BaseModel):
    """A forecast from the store (`tickers`), or from prices that are given (`ticker`, `closes`)."""

    model_config = ConfigDict(
        extra="forbid",
        # Neither true nor "36.5" is a price.
        strict=True,
        json_schema_extra={
            "examples": [
                {"tickers": ["PETR4.SA"], "horizon": 1, "levels": [0.8, 0.95]},
                {
                    "ticker": "PETR4.SA",
                    "closes": [35.55, 35.91, 35.12, 35.65, 36.82, 36.38],
                    "dates": [
                        "2024-03-06",
                        "2024-03-07",
                        "2024-03-08",
                        "2024-03-11",
                        "2024-03-12",
                        "2024-03-13",
                    ],
                },
            ]
        },
    )

    tickers: Annotated[
        list[str] | None,
        Field(max_length=50, description="TICKER[@VERSION] each; empty means every champion."),
    ] = None
    ticker: Annotated[
        str | None, Field(max_length=60, description="Whose model forecasts from `closes`.")
    ] = None
    closes: Annotated[
        Prices | None,
        Field(
            description="Closes of consecutive sessions as quoted, adjusted for splits, in "
            "currency, oldest first. As many as the model's window and some to warm up: with "
            "fewer, the answer says how many."
        ),
    ] = None
    dates: Annotated[
        list[str] | None,
        Field(max_length=MOST_ROWS, description="Their days, such as 2024-03-13, increasing."),
    ] = None
    opens: Annotated[Prices | None, Field(description="In currency; with highs and lows.")] = None
    highs: Annotated[Prices | None, Field(description="In currency; with opens and lows.")] = None
    lows: Annotated[Prices | None, Field(description="In currency; with opens and highs.")] = None
    adj_closes: Annotated[
        Prices | None,
        Field(description="Closes adjusted for dividends too, in currency; else those above."),
    ] = None
    volumes: Annotated[list[Volume] | None, Field(max_length=MOST_ROWS, description="Shares.")] = (
        None
    )
    horizon: Annotated[
        Annotated[int, Field(ge=1, le=FARTHEST)] | Annotated[str, Field(max_length=200)] | None,
        Field(description=HORIZON, examples=[1, "1-5"]),
    ] = None
    levels: Annotated[
        list[float] | None,
        Field(
            min_length=1,
            max_length=7,
            description="Probabilities of the intervals, from 0.2 to 0.99.",
        ),
    ] = None
    adaptive: Annotated[
        bool,
        Field(
            description="All intervals learn from past ones, not only those that the test part "
            "found wrong; only from the store."
        ),
    ] = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        """Refuse a mixture of tickers and prices."""
        columns = (self.dates, self.opens, self.highs, self.lows, self.adj_closes, self.volumes)
        if self.closes is None:
            if self.ticker is not None or any(column is not None for column in columns):
                raise ValueError(
                    "ticker and prices need closes; to forecast from the store, give tickers"
                )
            return self
        if self.ticker is None or self.tickers is not None:
            raise ValueError("closes need one model: give ticker, and leave out tickers")
        if self.adaptive:
            raise ValueError("adaptive intervals learn from the store, not from given closes")
        return self

    @property
    def references(self) -> tuple[str, ...]:
        """TICKER[@VERSION] each; none means every champion."""
        return (self.ticker,) if self.ticker is not None else tuple(self.tickers or ())

    def wanted(self) -> Wanted:
        """Build what the workflow takes.

        Raises:
            ConfigError: It cannot be forecast.
        """
        levels = INTERVAL_LEVELS if self.levels is None else tuple(self.levels)
        horizon = parse_horizons(self.horizon) if isinstance(self.horizon, str) else self.horizon
        return Wanted(None, horizon, levels, self.adaptive or None)

    def given(self) -> GivenPrices | None:
        """Return the prices of the body; None to forecast from the store."""
        if self.closes is None:
            return None
        return GivenPrices(
            closes=self.closes,
            dates=self.dates,
            opens=self.opens,
            highs=self.highs,
            lows=self.lows,
            adj_closes=self.adj_closes,
            volumes=self.volumes,
        )


_LISTS = frozenset({"ticker", "level"})


async def require_single_parameters(request: Request) -> None:
    """Refuse a parameter that is given twice, of which the last would count.

    Raises:
        RequestValidationError: One is, and may not be.
    """
    query = request.scope["query_string"].decode("latin-1")
    names = Counter(name for name, _ in parse_qsl(query, keep_blank_values=True))
    twice = [name for name, count in names.items() if count > 1 and name not in _LISTS]
    if twice:
        raise RequestValidationError(
            [{"type": "twice", "loc": ("query", name), "msg": "given twice"} for name in twice]
        )


class StrictJsonRoute(APIRoute):
    """A route that takes a body for what it says, and only if it says it once."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Hand on a request whose body is read strictly."""
        answer = super().get_route_handler()

        async def handler(request: Request) -> Response:
            return await answer(_StrictRequest(request.scope, request.receive))

        return handler


class _StrictRequest(Request):
    async def json(self) -> Any:  # noqa: ANN401 - whatever a body holds
        return decode_json(await self.body())


def decode_json(content: bytes) -> Any:  # noqa: ANN401 - whatever it holds
    """Read JSON as RFC 8259 has it: no name twice in an object, no NaN, no depth without end.

    Raises:
        UnicodeDecodeError: It is no text.
        JSONDecodeError: It is no such JSON.
    """
    text = content.decode(json.detect_encoding(content))

    def refuse(words: str) -> NoReturn:
        raise json.JSONDecodeError(words, text, 0)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            refuse("a name is there twice")
        return found

    try:
        return json.loads(
            text,
            object_pairs_hook=once,
            parse_constant=lambda name: refuse(f"{name} is no number"),
        )
    except RecursionError:
        refuse("it is nested too deeply")
    except json.JSONDecodeError:
        raise
    except ValueError:
        # Python reads no integer of more than 4,300 digits.
        refuse("a number has too many digits")
