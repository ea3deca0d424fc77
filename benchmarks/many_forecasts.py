"""Cost of a forecast among very many: with own models, and with one pooled model.

Run: python benchmarks/many_forecasts.py [--tickers N] [--rows N]

Makes a store of random prices, N sessions of each ticker, and gives every ticker a model of the
default size; weights do not matter here, so the first model is published again for all others. Then
`predict` runs for one ticker and for all of them, in this process; the difference, per ticker, is
the cost after start-up. It includes reading prices, hashes of files, the forecast and its row in
the ledger. Exit code 1 if a goal is missed, in processor time.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stocklstm import predict, train
from stocklstm.core.inputs.scaling import warm_up_rows
from stocklstm.core.inputs.volatility import VolatilityAnchor
from stocklstm.core.prices.series import Bars, Instrument
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.store.manifest import SERVING_FILE, Manifest
from stocklstm.store.pool_members import MEMBERS_FILE, Member, encode_members
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.train.fit import fit
from stocklstm.workflows.train.pool_fit import prepare_pool

NOON = "2026-11-20T12:00:00Z"
EVENING = "2026-11-20T23:00:00Z"
POOL = "+all"

EVENINGS = 90
"""Evenings on record where a ledger has filled up."""

OWN_MS = 10.0
"""Most milliseconds a ticker with a model of its own."""

POOLED_MS = 1.0
"""Most milliseconds a ticker on one pooled model."""


@dataclass(frozen=True)
class Cost:
    """Milliseconds a ticker after start-up: wall time, and processor time without other work."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Costs:
    """The measured costs.

    Attributes:
        tickers: How many.
        rows: Sessions of each.
        own: With a model of its own each.
        pooled: On one pooled model.
        own_again: The same evening once more: every forecast is on record already.
        pooled_again: Likewise.
        pooled_later: Likewise, with the forecasts of the last evenings on record, too.
    """

    tickers: int
    rows: int
    own: Cost
    pooled: Cost
    own_again: Cost
    pooled_again: Cost
    pooled_later: Cost


def made_up(rows: int, seed: int) -> Bars:
    """Make a random walk of prices, with opens, highs and lows around it."""
    random = np.random.default_rng(seed)
    closes = 30 * np.exp(np.cumsum(0.015 * random.standard_normal(rows)))
    opens = closes * np.exp(0.005 * random.standard_normal(rows))
    dates = np.busday_offset(np.datetime64("2026-11-20"), np.arange(1 - rows, 1), roll="backward")
    highs, lows = np.maximum(opens, closes) * 1.004, np.minimum(opens, closes) * 0.996
    return Bars(dates, opens, highs, lows, closes, closes, np.full(rows, 1e6))


def store_prices(store: Store, names: Sequence[str], rows: int) -> None:
    """Store the prices of all tickers."""
    with store.transaction():
        for seed, name in enumerate(names):
            instrument = Instrument(name, "BRL", "BVMF", "America/Sao_Paulo")
            store.prices.merge(instrument, made_up(rows, seed), (), source="csv", at=NOON)


def give_models(home: Path, names: Sequence[str], config: TrainingConfig) -> None:
    """Train a model of the first ticker, and publish it for every other one as well."""
    result = train(names[:1], config, home=home)
    if result.failures:
        raise result.failures[0].error
    with open_store(home) as store:
        registry = store.registry
        first = registry.manifest(names[0], 1)
        files = {SERVING_FILE: registry.read_file(first, SERVING_FILE)}
        with store.transaction():
            for name in names[1:]:
                publish(store, replace(first, ticker=name), files)


def give_pool(home: Path, names: Sequence[str], config: TrainingConfig) -> None:
    """Train a pooled model of the first ten tickers, and add every other one as a member."""
    with open_store(home) as store:
        series = {name: store.prices.bars(name) for name in names[:10]}
        fitted = fit(prepare_pool(series, config), lambda _: None)
        known = fitted.members[0]
        first = warm_up_rows(config) + config.seq_length - 1
        members = [_member(known, name, store.prices.bars(name), first) for name in names]
        manifest = fitted.manifest(POOL, dict.fromkeys(series, ()), {})
        if manifest.pool is None:
            raise AssertionError("a pooled model without its pool")
        pool = replace(manifest.pool, tickers=len(members))
        files = {SERVING_FILE: fitted.onnx, MEMBERS_FILE: encode_members(members)}
        publish(store, replace(manifest, pool=pool), files)


def _member(known: Member, name: str, bars: Bars, first_origin: int) -> Member:
    anchor = VolatilityAnchor.fit(bars, len(bars) // 2, 0.92)
    state = anchor.resumable(bars, first_origin)
    return replace(known, ticker=name, anchor=anchor, state=state)


def publish(store: Store, manifest: Manifest, files: dict[str, bytes]) -> None:
    """Publish a version of these files, and make it champion."""
    with store.registry.draft(manifest.ticker) as draft:
        for name, content in files.items():
            draft.write(name, content)
        store.registry.publish(
            draft,
            manifest.ticker,
            lambda version: replace(manifest, version=version, files=dict(draft.files)),
            at=NOON,
            promotion="for the benchmark",
        )


def after_start_up(home: Path, names: Sequence[str], pool: str | None) -> Cost:
    """Measure what all of them take beyond what one alone takes."""

    def taken(chosen: Sequence[str]) -> Cost:
        wall, cpu = time.perf_counter(), time.process_time()
        result = predict(chosen, pool=pool, home=home, now=EVENING)
        if len(result.forecasts) != len(chosen):
            raise result.failures[0].error
        return Cost(time.perf_counter() - wall, time.process_time() - cpu)

    # Twice: the first time libraries are loaded.
    alone = [taken(names[:1]) for _ in range(2)][-1]
    every, each = taken(names), 1000 / (len(names) - 1)
    return Cost(each * (every.wall - alone.wall), each * (every.cpu - alone.cpu))


def fill_ledger(home: Path, names: Sequence[str]) -> None:
    """Record forecasts of the last evenings: as many as a new one is shown beside."""
    with open_store(home) as store:
        for name in names:
            bars = store.prices.bars(name)
            made = store.ledger.entries(name, POOL)[-1]
            days = bars.dates.astype(str).tolist()
            store.ledger.record_all(
                [
                    made._replace(
                        as_of=days[row - 1],
                        target_session=days[row],
                        last_close=float(bars.closes[row - 1]),
                        made_at=f"{days[row - 1]}T23:00:00Z",
                    )
                    for row in range(len(bars) - EVENINGS, len(bars))
                ]
            )


def measure(tickers: int = 1000, rows: int = 500) -> Costs:
    """Make a store of at least ten tickers and measure it."""
    config = configure("calibrated-50", epochs=1, batch_size=1024)
    names = [f"T{number:05d}" for number in range(tickers)]
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        with open_store(home, create=True) as store:
            store_prices(store, names, rows)
        give_models(home, names, config)
        give_pool(home, names, config)
        own, pooled = (after_start_up(home, names, pool) for pool in (None, POOL))
        own_again, pooled_again = (after_start_up(home, names, pool) for pool in (None, POOL))
        fill_ledger(home, names)
        later = after_start_up(home, names, POOL)
    return Costs(tickers, rows, own, pooled, own_again, pooled_again, later)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print.

    Args:
        arguments: In the place of those of the command line.
    """
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tickers", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=500)
    chosen = parser.parse_args(arguments)
    costs = measure(chosen.tickers, chosen.rows)
    print(f"{costs.tickers} tickers of {costs.rows} sessions, milliseconds each after start-up\n")
    print("| models | by the clock | of the processor | once more | its processor | goal |")
    print("|---|---|---|---|---|---|")
    rows = (
        ("own", costs.own, costs.own_again, OWN_MS),
        ("one pooled", costs.pooled, costs.pooled_again, POOLED_MS),
    )
    for name, first, again, most in rows:
        print(
            f"| {name} | {first.wall:.2f} | {first.cpu:.2f} | {again.wall:.2f} | {again.cpu:.2f} "
            f"| <= {most:g} |"
        )
    later = costs.pooled_later
    print(
        f"\nOne pooled once more, with {EVENINGS} evenings on record: {later.wall:.2f} by the "
        f"clock, {later.cpu:.2f} of the processor"
    )
    return int(costs.own.cpu > OWN_MS or costs.pooled.cpu > POOLED_MS)


if __name__ == "__main__":
    raise SystemExit(main())
