"""Reading manifests of past formats as the present one.

The number rises when an older program would misread a newer manifest: when it would ignore a field
that changes the forecast. A field that only adds information, and may be missing, needs no new
number. Stored bytes are never rewritten: they are checked, and then read as the present format.
"""

from collections.abc import Callable, Mapping
from typing import Any

from stocklstm.errors import ArtifactVersionError

FORMAT = 4

Document = Mapping[str, Any]


def migrate(document: Document, found: int) -> Document:
    """Bring the values of a manifest to the present format, one format after the other.

    Args:
        document: Values of the JSON; left as it is.

    Raises:
        ArtifactVersionError: It means something that can no longer be expressed.
    """
    for number in range(found, FORMAT):
        document = {**_MIGRATIONS[number](document), "format": number + 1}
    return document


def _from_1(document: Document) -> Document:
    """Refuse what format 2 no longer allows; all else means the same.

    Since format 2, volumes that are missing count as usual ones. A version of format 1 was trained
    only on series that had them all, on which both readings agree.
    """
    if "baseline" in document:
        raise _unreadable("it was made before drift and AR(1) were measured on its training part")
    config = document.get("config")
    if isinstance(config, Mapping) and config.get("target") == "price":
        features = config.get("features")
        if isinstance(features, list) and "close" not in features:
            raise _unreadable("it forecasts a price without seeing the close")
    return document


def _from_2(document: Document) -> Document:
    """Change nothing: an anchor without `level_decay` follows no level, then as now.

    A program that knows only format 2 would ignore that field and forecast something else.
    """
    return document


def _from_3(document: Document) -> Document:
    """Change nothing: a version without `pool` is of one ticker, as all were.

    A program that knows only format 3 would look in vain for the scaling of a pooled model, and
    call it damaged.
    """
    return document


_MIGRATIONS: Mapping[int, Callable[[Document], Document]] = {
    1: _from_1,
    2: _from_2,
    3: _from_3,
}


def _unreadable(reason: str) -> ArtifactVersionError:
    return ArtifactVersionError(f"this stocklstm cannot read it: {reason}")
