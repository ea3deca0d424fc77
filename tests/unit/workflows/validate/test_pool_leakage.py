"""The audit of a pooled model finds what saw the future."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stocklstm import validate
from stocklstm.core.inputs import parts
from tests.support.made_prices import made_bars
from tests.support.pooled_store import NAMES, POOL, dated, put, train_pool


def audit(home: Path) -> dict[str, str]:
    (result,) = validate([POOL], leakage=True, home=home).results
    return {c.name: c.status for c in result.checks if c.name.startswith("leakage")}


def test_an_honest_pool_passes_the_audit(pool_home: Path) -> None:
    names = ["prices", "parts", "scaling", "inputs", "forecasts"]
    assert audit(pool_home) == {f"leakage: {name}": "ok" for name in names}


def test_prices_that_were_revised_are_said(pool_home: Path) -> None:
    put(pool_home, NAMES[1], dated(made_bars(420, 78)))
    found = audit(pool_home)
    assert found.pop("leakage: prices") == "warning"
    assert set(found.values()) == {"ok"}


def test_an_anchor_that_saw_the_future_is_caught(
    prices_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = parts.part_series

    def looking_ahead(*arguments: object) -> parts.PoolSeries:
        each = honest(*arguments)  # type: ignore[arg-type]
        seen = replace(each.anchor, floor=each.anchor.floor * 1.01)
        return replace(each, anchor=seen)

    with monkeypatch.context() as patch:
        patch.setattr(parts, "part_series", looking_ahead)
        train_pool(prices_home)

    assert audit(prices_home)["leakage: scaling"] == "failed"


def test_parts_that_are_not_those_of_the_record_are_caught(
    prices_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = parts.pool_days

    def later(*arguments: object) -> parts.PoolDays:
        days = honest(*arguments)  # type: ignore[arg-type]
        moved = np.datetime64(days.test_from) + np.timedelta64(7, "D")
        return replace(days, test_from=str(moved))

    with monkeypatch.context() as patch:
        patch.setattr(parts, "pool_days", later)
        train_pool(prices_home)

    assert audit(prices_home)["leakage: parts"] == "failed"
