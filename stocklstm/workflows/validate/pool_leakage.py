"""The audit of `validate --leakage` for a pooled model: of each ticker, and across them.

Shares move together, so that for a pool it is not enough that no ticker saw its own future: none
may have seen the days on which another is judged.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from stocklstm.core.checks import Check
from stocklstm.core.inputs.parts import fit_shared, part_series
from stocklstm.core.inputs.scaling import warm_up_rows
from stocklstm.core.prices.pool_splits import pool_days
from stocklstm.core.prices.series import Bars
from stocklstm.errors import StockLstmError
from stocklstm.store.manifest import split_record
from stocklstm.store.store import Store
from stocklstm.workflows.loading.pooled_model import PooledModel
from stocklstm.workflows.validate.leakage import (
    Audited,
    LeakError,
    check_forecasts,
    check_inputs,
    check_scaling,
    checked,
)

# Forecasts that are made again, over all tickers and of each at least.
_SAMPLE = 200
_LEAST_SAMPLE = 5


def audit_pool(store: Store, model: PooledModel) -> tuple[Check, ...]:
    """Replace the future of each ticker by noise and look for what changes; compare the parts.

    Args:
        store: Holds the prices that it was made from.
        model: Any pooled version.

    Returns:
        One check each of the prices, the parts, the scaling, the inputs and the forecasts; the
        first alone, as a warning, where the prices to audit with are not there.
    """
    try:
        bars = {ticker: _seen(store, model, ticker) for ticker in sorted(model.members)}
        revised = {t: b.fingerprint() != model.members[t].data.sha256 for t, b in bars.items()}
        audit = _Audit(model, bars, revised)
        subjects = audit.subjects()
    except StockLstmError as error:
        return (Check("leakage: prices", "warning", f"not audited: {error.message}"),)
    return (
        _prices(revised, bars),
        checked("parts", audit.parts),
        *(
            checked(name, partial(_of_each, check, subjects))
            for name, check in (
                ("scaling", check_scaling),
                ("inputs", check_inputs),
                ("forecasts", check_forecasts),
            )
        ),
    )


def _seen(store: Store, model: PooledModel, ticker: str) -> Bars:
    bars = store.prices.bars(ticker)
    return bars.select(bars.dates <= np.datetime64(model.members[ticker].data.last, "D"))


def _prices(revised: Mapping[str, bool], bars: Mapping[str, Bars]) -> Check:
    changed = [ticker for ticker, is_so in revised.items() if is_so]
    rows = sum(map(len, bars.values()))
    if changed:
        named = ", ".join(changed[:3]) + (", …" if len(changed) > 3 else "")
        detail = f"those of {named} were revised since training: the record is not compared"
        return Check("leakage: prices", "warning", detail)
    return Check("leakage: prices", "ok", f"{rows:,} rows of {len(bars)} tickers, as in training")


def _of_each(check: Callable[[Audited], str], subjects: Mapping[str, Audited]) -> str:
    """Check every ticker; say of one how it went, and of the others that it was no different."""
    details = []
    for ticker, subject in subjects.items():
        try:
            details.append(f"{ticker}: {check(subject)}")
        except LeakError as leak:
            raise LeakError(f"{ticker}: {leak}") from leak
    return f"{details[0]}; and so {len(details) - 1} more"


class _Audit:
    """All that was made of the prices, made again."""

    def __init__(
        self, model: PooledModel, bars: Mapping[str, Bars], revised: Mapping[str, bool]
    ) -> None:
        self.model = model
        self.config = model.manifest.config
        self.revised = any(revised.values())
        warm_up = warm_up_rows(self.config)
        series = [each.dates for each in bars.values()]
        # On other prices other days would be chosen: then those of the record are taken.
        recorded = model.record.days
        self.days = recorded if self.revised else pool_days(series, warm_up, self.config)
        self.series = [
            part_series(ticker, each, self.days, self.config) for ticker, each in bars.items()
        ]

    def subjects(self) -> dict[str, Audited]:
        """Make each ticker something that can be audited."""
        shared = fit_shared(self.series, self.config)
        end = np.datetime64(self.days.test_from, "D")
        sample = max(_LEAST_SAMPLE, _SAMPLE // len(self.series))
        return {
            each.ticker: Audited(
                self.model.of(each.ticker, each.bars),
                each.bars,
                each.split,
                self.revised,
                seen=max(int(np.searchsorted(each.bars.dates, end)), each.split.train_rows) - 1,
                shared=shared,
                sample=sample,
            )
            for each in self.series
        }

    def parts(self) -> str:
        """Look whether the parts are those of the record, and apart for all tickers at once."""
        recorded, record = self.model.manifest.splits, self.model.record.days
        found = split_record(self.series, self.config.horizon)
        if not self.revised and (found, self.days) != (recorded, record):
            raise LeakError(f"they are recorded as {recorded} from {record}, but were {found}")
        for earlier, later in (("train", "validation"), ("validation", "test")):
            taught, taught_by = self._last_label(earlier)
            begun, begun_by = self._first_origin(later)
            if taught >= begun:
                raise LeakError(
                    f"the {earlier} part of {taught_by} goes to {taught}, though forecasts of the "
                    f"{later} part of {begun_by} are made from {begun} on"
                )
        return (
            f"training to {found.train_end}, validation from {found.validation_start}, test from "
            f"{found.test_start}, on the same days for all tickers"
        )

    def _last_label(self, part: str) -> tuple[str, str]:
        horizon = self.config.horizon
        return max(
            (str(each.bars.dates[rows[-1] + horizon]), each.ticker)
            for each in self.series
            for rows in [getattr(each.split, part)]
            if len(rows)
        )

    def _first_origin(self, part: str) -> tuple[str, str]:
        return min(
            (str(each.bars.dates[rows[0]]), each.ticker)
            for each in self.series
            for rows in [getattr(each.split, part)]
            if len(rows)
        )
