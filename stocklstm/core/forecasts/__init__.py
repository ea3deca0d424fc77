"""Forecast distributions, their intervals, and how forecasts on record did."""
