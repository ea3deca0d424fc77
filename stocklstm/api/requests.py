"""The body of `POST /predict`."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

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
        bool, Field(description="Intervals that learn from past ones; only from the store.")
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
        return Wanted(None, horizon, levels, self.adaptive)

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
