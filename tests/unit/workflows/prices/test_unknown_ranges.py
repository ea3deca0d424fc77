"""A zero or missing open, high or low costs no close, and a model is trained on such prices."""

import json
from pathlib import Path

import numpy as np

from stocklstm import evaluate, fetch, predict, train, validate
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.store.store import open_store
from stocklstm.workflows.prices.plan import FetchOptions
from tests.conftest import TICKER, TINY, Cli
from tests.support.places import SAMPLE

# What a source may write for what it does not know.
UNKNOWN = ("0.0", "", "0", "-1")


def rows_of_the_sample() -> list[list[str]]:
    return [line.split(",") for line in SAMPLE.read_text().splitlines()]


def write(file: Path, rows: list[list[str]]) -> Path:
    file.write_text("\n".join(",".join(row) for row in rows) + "\n")
    return file


def with_holes(share: float) -> tuple[list[list[str]], set[str]]:
    """Take opens, highs and lows away on some days, always the first and the last among them."""
    header, *rows = rows_of_the_sample()
    chosen = np.random.default_rng(0).random(len(rows)) < share
    chosen[[0, -1]] = True
    for number, row in enumerate(rows):
        if chosen[number]:
            row[1:4] = [UNKNOWN[number % 4]] * 3
    return [header, *rows], {row[0] for row, hole in zip(rows, chosen, strict=True) if hole}


def test_no_close_is_lost(home: Path, tmp_path: Path) -> None:
    """As of an index whose opens are 0 for decades."""
    header, *rows = rows_of_the_sample()
    for row in rows[:1500]:
        row[1] = "0.0"

    options = FetchOptions("csv", (write(tmp_path / "prices.csv", [header, *rows]),))
    (result,) = fetch(["INDEX.ZZ"], options, home=home).results

    with open_store(home) as store:
        bars = store.prices.bars("INDEX.ZZ")
    assert result.rows_rejected == ()
    assert bars.closes.tolist() == [float(row[4]) for row in rows]
    assert bars.highs.tolist() == [float(row[2]) for row in rows]
    assert np.isnan(bars.opens[:1500]).all()
    assert bars.opens[1500:].tolist() == [float(row[1]) for row in rows[1500:]]
    assert len(result.rows_incomplete) == 1500
    assert {row.reason for row in result.rows_incomplete} == {"open unknown (0 is no price)"}


def test_it_is_said(cli: Cli, tmp_path: Path) -> None:
    rows = rows_of_the_sample()[:5]
    rows[2][1:4] = ["0.0"] * 3
    file = write(tmp_path / "prices.csv", rows)

    told = cli("fetch", "-t", TICKER, "--file", f"{file}")
    (result,) = json.loads(cli("fetch", "-t", TICKER, "--file", f"{file}", "--json").out)["results"]

    day, words = rows[2][0], "open, high and low unknown (0 is no price)"
    assert told.code == 0
    assert f"{TICKER}: kept, {words}: {day}" in " ".join(told.out.split())
    assert result["rows_incomplete"] == [{"date": day, "reason": words}]
    assert result["rows_rejected"] == []


def test_a_value_that_is_known_already_stays(home: Path, tmp_path: Path) -> None:
    rows = rows_of_the_sample()[:5]
    whole = FetchOptions("csv", (write(tmp_path / "whole.csv", rows),))
    fetch([TICKER], whole, home=home)
    (opened,) = [float(row[1]) for row in rows[2:3]]
    rows[2][1:4] = ["0.0"] * 3

    options = FetchOptions("csv", (write(tmp_path / "holes.csv", rows),))
    (result,) = fetch([TICKER], options, home=home).results

    assert result.unchanged
    with open_store(home) as store:
        assert store.prices.bars(TICKER).opens[1] == opened


def test_such_prices_train_forecast_and_pass_the_audit(home: Path, tmp_path: Path) -> None:
    rows, holes = with_holes(0.04)
    fetch([TICKER], FetchOptions("csv", (write(tmp_path / "prices.csv", rows),)), home=home)
    with open_store(home) as store:
        bars = store.prices.bars(TICKER)
    days = bars.dates.astype(str)
    assert set(days[np.isnan(bars.opens)]) == holes & set(days)
    assert np.isnan(bars.opens[-1])

    config: TrainingConfig = configure(
        "calibrated", **TINY, features=("return", "volatility", "volume", "range", "gap")
    )
    (trained,) = train([TICKER], config, home=home).results
    (forecast,) = predict([TICKER], home=home).results
    (scored,) = evaluate([TICKER], home=home).results
    (checked,) = validate([TICKER], leakage=True, home=home).results[:1]

    assert trained.version
    assert np.isfinite(forecast.point)
    assert all(np.isfinite(interval.lower) for interval in forecast.intervals)
    assert scored.evaluation.n > 100
    assert checked.status == "ok", checked.checks
