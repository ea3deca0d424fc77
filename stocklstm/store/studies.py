"""Searches for settings, and every trial of them."""

import json
import math
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import msgspec
import numpy as np

from stocklstm.core.settings.config import AXES, AxisValues, TrainingConfig
from stocklstm.core.training.search import Trial
from stocklstm.errors import NotFoundError, SchemaError, StockLstmError
from stocklstm.store.database import require_words, stored_values, transaction
from stocklstm.store.lock_files import drop_lock_file
from stocklstm.store.locks import work_lock
from stocklstm.store.paths import StorePaths

_TRIAL = ("number", "settings", "status", "loss", "curve", "kept_epoch", "losses", "seconds")


@dataclass(frozen=True)
class StudyRecord:
    """Task of a search: settings to start from, prices and limits.

    Attributes:
        id: Its name, such as PETR4.SA-20261121T213000Z-3f2a.
        ticker: Whose settings.
        created: UTC timestamp.
        sampler: One of `core.settings.axes.SAMPLERS`.
        most_trials: Where it ends at the latest; None for no such limit.
        config: Settings that it starts from.
        last: Last ISO day of the prices.
        sha256: `Bars.fingerprint` of them.
    """

    id: str
    ticker: str
    created: str
    sampler: str
    most_trials: int | None
    config: TrainingConfig
    last: str
    sha256: str


@dataclass(frozen=True)
class StudyStore:
    """The tables of studies and trials."""

    paths: StorePaths
    connection: sqlite3.Connection

    def create(self, record: StudyRecord) -> None:
        """Store a new study."""
        with transaction(self.connection):
            self.connection.execute(
                "INSERT INTO studies VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                (
                    record.id,
                    record.ticker,
                    record.created,
                    record.sampler,
                    record.most_trials,
                    msgspec.json.encode(record.config).decode(),
                    record.last,
                    record.sha256,
                ),
            )

    def open(self, name: str) -> StudyRecord:
        """Find a study by its identity.

        Raises:
            NotFoundError: There is no such study.
            SchemaError: It is damaged.
        """
        with stored_values():
            row = self.connection.execute(
                "SELECT id, ticker, created, sampler, most_trials, config, last, sha256"
                " FROM studies WHERE id = ?",
                (name,),
            ).fetchone()
        if row is None:
            unfinished = self.unfinished()
            shown = f"the unfinished studies are {', '.join(unfinished[-5:])}" if unfinished else ""
            raise NotFoundError(
                f"there is no study {name[:60]!a}" + (f"; {shown}" if shown else ""),
                hint="stocklstm tune --ticker PETR4.SA starts a new one",
            )
        ticker, created, sampler, most_trials, settings, last, sha256 = row[1:]
        require_words(
            "studies",
            ("ticker", "created", "sampler", "most_trials", "last", "sha256"),
            [(ticker, created, sampler, most_trials, last, sha256)],
        )
        try:
            config = msgspec.json.decode(settings, type=TrainingConfig)
        except (msgspec.MsgspecError, UnicodeDecodeError, StockLstmError) as error:
            raise SchemaError(
                f"the settings of the study {name} cannot be read: {error}",
                hint=f"stocklstm tune --ticker {ticker} starts a new one",
            ) from error
        return StudyRecord(name, ticker, created, sampler, most_trials, config, last, sha256)

    def unfinished(self, ticker: str | None = None) -> list[str]:
        """List the studies that can be resumed, of one ticker or all, oldest first."""
        with stored_values():
            rows = self.connection.execute(
                "SELECT id FROM studies WHERE finished_at IS NULL AND ticker = coalesce(?, ticker)"
                # Of those of one second, by the order in which they were written down.
                " ORDER BY created, rowid",
                (ticker,),
            )
            return [name for (name,) in rows]

    def finish(self, name: str, at: str) -> None:
        """Mark a study as finished."""
        with transaction(self.connection):
            self.connection.execute("UPDATE studies SET finished_at = ? WHERE id = ?", (at, name))

    def add(self, name: str, trial: Trial) -> None:
        """Store a trial that is done."""
        with transaction(self.connection):
            self.connection.execute(
                "INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    name,
                    trial.number,
                    json.dumps(trial.settings),
                    trial.status,
                    trial.loss if math.isfinite(trial.loss) else None,
                    json.dumps(trial.curve),
                    trial.kept_epoch,
                    json.dumps(trial.losses.tolist()),
                    trial.seconds,
                ),
            )

    def trials(self, name: str) -> tuple[Trial, ...]:
        """Read the trials of a study, by number."""
        with stored_values():
            rows = self.connection.execute(
                f"SELECT {', '.join(_TRIAL)}"  # noqa: S608 - fixed names
                " FROM trials WHERE study = ? ORDER BY number",
                (name,),
            ).fetchall()
            require_words("trials", _TRIAL, rows)
            return tuple(
                Trial(
                    number=number,
                    settings=_settings(settings),
                    status=status,
                    loss=math.inf if loss is None else loss,
                    curve=tuple(json.loads(curve)),
                    kept_epoch=kept,
                    losses=np.array(json.loads(losses), np.float64),
                    seconds=seconds,
                )
                for number, settings, status, loss, curve, kept, losses, seconds in rows
            )

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Keep other processes from resuming the same study.

        Raises:
            StoreLockedError: One does.
        """
        with work_lock(self.paths, "study", name):
            try:
                yield
            finally:
                with suppress(OSError):  # what was done is done
                    drop_lock_file(self.paths.lock(f"study-{name}"))


def _settings(text: str) -> AxisValues:
    settings: AxisValues = json.loads(text)
    if set(settings) != set(AXES) or not all(math.isfinite(settings[axis]) for axis in AXES):
        raise ValueError(f"{text[:100]!a} are not the settings of a trial")
    return settings
