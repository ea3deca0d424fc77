"""Prices as Yahoo has them this evening: real ones, on the latest sessions of B3."""

import datetime as dt
from typing import Any

import numpy as np

from stocklstm.market.calendar import sessions
from tests.support.places import SAMPLE


def recent_rows(count: int = 900) -> list[tuple[Any, ...]]:
    """Give the last bundled rows the dates of the latest sessions, those not yet over as well."""
    one = np.timedelta64(1, "D")
    today = np.datetime64(dt.datetime.now(dt.UTC).date(), "D")
    days = sessions("BVMF", today - 2 * count * one, today + one).dates[-count:].astype(str)
    lines = [line.split(",") for line in SAMPLE.read_text().splitlines()[-count:]]
    return [
        (day, *map(float, values[:-1]), int(values[-1]))
        for day, (_, *values) in zip(days, lines, strict=True)
    ]
