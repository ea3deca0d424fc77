"""Files that predict writes beside its output: rows for spreadsheets, and the whole result."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stocklstm.cli.output import document, json_text
from stocklstm.cli.predict.forecasts import VIEW
from stocklstm.cli.predict.spreadsheet import STDOUT, append_table, chosen_style, write_table
from stocklstm.core.batch import Failure
from stocklstm.errors import ConfigError, StockLstmError

if TYPE_CHECKING:
    from stocklstm.core.csv_rows import Table
    from stocklstm.workflows.predict.predict import Forecast, PredictResult


class ForecastFiles(NamedTuple):
    """Which files are to be written.

    Attributes:
        csv: Of --csv; None if there is none.
        append: Add to it.
        out: Of --out; None if there is none.
        style: Of comma-separated values.
    """

    csv: str | None
    append: bool
    out: Path | None
    style: str

    def written(
        self, result: "PredictResult", levels: Sequence[float], lock_timeout_s: float
    ) -> "PredictResult":
        """Write them; that one cannot be written takes nothing from the forecasts.

        Where nothing could be forecast the files stay as they were.
        """
        csv, out, made = self.csv, self.out, result.forecasts
        if csv is not None and self.append and made:
            table = _table(made, levels)
            result = _attempted(
                result, lambda: append_table(csv, table, self.style, lock_timeout_s)
            )
        elif csv is not None and (made or csv == STDOUT):
            table = _table(made, levels)
            result = _attempted(result, lambda: write_table(csv, table, self.style))
        if out is not None and made:
            result = _attempted(result, lambda: self._write_out(out, result, levels))
        return result

    def _write_out(self, file: Path, result: "PredictResult", levels: Sequence[float]) -> None:
        if file.suffix.lower() == ".csv":
            table = _table(result.forecasts, levels)
            write_table(str(file), table, self.style, "--out")
            return
        from stocklstm.store.user_files import write_file

        write_file(file, json_text(document(VIEW, result)).encode())


def forecast_files(
    csv: str | None,
    out: Path | None,
    style: str | None,
    *,
    append: bool,
    command: str = "predict",
) -> ForecastFiles:
    """Read the options that name files, before anything is forecast.

    Args:
        csv: Of --csv.
        out: Of --out.
        style: Of --csv-style.
        append: True with --append.
        command: Whose options they are.

    Raises:
        ConfigError: They mean nothing, or exclude each other.
    """
    if append and csv in {None, STDOUT}:
        raise ConfigError(
            "--append adds to the file of --csv, and none was named",
            hint=f"stocklstm {command} --csv forecasts.csv --append",
        )
    if out is not None and out.suffix.lower() not in {".json", ".csv"}:
        raise ConfigError(
            f"--out is a file that ends in .json or .csv, not {str(out)[:60]!a}",
            hint=f"stocklstm {command} --out forecasts.json",
        )
    require_different_files({"--csv": None if csv in {None, STDOUT} else Path(csv), "--out": out})
    separated = csv is not None or (out is not None and out.suffix.lower() == ".csv")
    return ForecastFiles(csv, append, out, chosen_style(style, used=separated))


def require_different_files(files: Mapping[str, Path | None]) -> None:
    """Refuse two options that write to the same place, since one would destroy the other's file.

    Args:
        files: By the option that names them; None for those that were not given.

    Raises:
        ConfigError: Two of them are the same.
    """
    taken: dict[str, str] = {}
    for option, file in files.items():
        if file is None:
            continue
        first = taken.setdefault(os.path.realpath(file), option)
        if first != option:
            raise ConfigError(
                f"{first} and {option} name the same file", hint="leave one of them out"
            )


def _table(items: Sequence["Forecast"], levels: Sequence[float]) -> "Table":
    # Few forecasts go this way: the others need not wait for it.
    from stocklstm.workflows.predict.rows import forecast_table

    return forecast_table(items, levels)


def with_failures(result: "PredictResult", failures: Sequence[Failure]) -> "PredictResult":
    """Add what failed beside the forecasts."""
    return replace(result, failures=(*result.failures, *failures))


def _attempted(result: "PredictResult", write: Callable[[], None]) -> "PredictResult":
    try:
        write()
    except StockLstmError as error:
        return with_failures(result, [Failure(None, error)])
    return result
