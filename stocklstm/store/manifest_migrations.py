"""What manifests of past formats mean in the present one.

The number rises when an older program would misread what a newer one wrote: a field that changes
the forecast and that it would pass over. A field that says more, and may be missing, needs no new
number. Stored bytes are never rewritten: they are checked, and then read as the present format.
"""

from collections.abc import Callable, Mapping
from typing import Any

from stocklstm.errors import ArtifactVersionError

FORMAT = 4

Document = Mapping[str, Any]


def migrate(document: Document, found: int) -> Document:
    """Bring the values of a manifest up to the present format, one format after the other.

    Args:
        document: Values of the JSON; left as it is.
        found: Its format, from 1 to the present one.

    Raises:
        ArtifactVersionError: It means something that can no longer be expressed.
    """
    for number in range(found, FORMAT):
        document = {**_MIGRATIONS[number](document), "format": number + 1}
    return document


def _from_1(document: Document) -> Document:
    """Refuse what format 2 no longer allows; all else means the same.

    Volumes that are not known are taken for usual ones since format 2. A version of format 1 was
    only ever trained on series that had them all, on which both readings are one.

    Raises:
        ArtifactVersionError: It cannot be read as format 2.
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
    """Nothing to fill in: an anchor without `level_decay` follows no level, then as now.

    A program that knows only format 2 would pass over that field and forecast something else.
    """
    return document


def _from_3(document: Document) -> Document:
    """Nothing to fill in: a version without `pool` is of one ticker, as all were.

    A program that knows only format 3 would look for the scaling of a pooled model in vain, and
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
