"""The bundled prices under other names: as many tickers as a test wants, and no two alike."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import TICKER

ROWS = 600


def give_names(home: Path, tickers: Sequence[str]) -> None:
    """Store the last prices once more for each name, each time without some more of the last."""
    connection = sqlite3.connect(home / "stocklstm.db")
    with connection:
        for place, ticker in enumerate(tickers):
            connection.execute(
                "CREATE TEMP TABLE days AS SELECT * FROM prices WHERE ticker = ?"
                " ORDER BY date DESC LIMIT ? OFFSET ?",
                (TICKER, ROWS, 10 * place),
            )
            connection.execute(
                "CREATE TEMP TABLE names AS SELECT * FROM instruments WHERE ticker = ?", (TICKER,)
            )
            connection.execute("UPDATE days SET ticker = ?", (ticker,))
            connection.execute("UPDATE names SET ticker = ?", (ticker,))
            connection.execute("INSERT INTO instruments SELECT * FROM names")
            connection.execute("INSERT INTO prices SELECT * FROM days")
            connection.execute("DROP TABLE days")
            connection.execute("DROP TABLE names")
    connection.close()
