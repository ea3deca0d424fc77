"""Forecast distributions, their intervals, and how they did."""
