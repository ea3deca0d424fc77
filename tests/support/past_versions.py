"""Versions that programs of the past published, to be put into a store of today."""

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.conftest import TICKER
from tests.support.places import ROOT

PAST = ROOT / "tests" / "data" / "manifests"
FORMATS = (1, 2, 3)
VERSION = 2


def adopt(home: Path, number: int) -> Path:
    """Put the version of a past format into a store, and make it the champion.

    Args:
        home: A store with the bundled prices and no such version.
        number: The format.

    Returns:
        Its directory.
    """
    target = home / "models" / TICKER / f"v{VERSION}"
    shutil.copytree(PAST / f"format-{number}" / target.name, target)
    sha256 = hashlib.sha256((target / "manifest.json").read_bytes()).hexdigest()
    created = "2026-11-21T10:35:12Z"
    with closing(sqlite3.connect(home / "stocklstm.db")) as connection, connection:
        connection.execute(
            "INSERT INTO versions (ticker, version, manifest_sha256, published_at)"
            " VALUES (?, ?, ?, ?)",
            (TICKER, VERSION, sha256, created),
        )
        connection.execute(
            "INSERT INTO alias_log (at, ticker, name, version, reason) VALUES (?, ?, ?, ?, ?)",
            (created, TICKER, "champion", VERSION, "without pictures"),
        )
        connection.execute(
            "INSERT OR REPLACE INTO aliases VALUES (?, ?, ?)", (TICKER, "champion", VERSION)
        )
    return target


def forecast_of(number: int) -> dict[str, Any]:
    """Read what the program of the time forecast with it."""
    document = json.loads((PAST / f"format-{number}" / "forecast.json").read_bytes())
    forecast: dict[str, Any] = document["forecasts"][0]
    return forecast
