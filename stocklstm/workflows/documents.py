"""The JSON documents that command line and server share: one builder of each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stocklstm.core.batch import Failure
from stocklstm.core.exits import exit_code

if TYPE_CHECKING:
    from stocklstm.workflows.models.listing import ModelDetails

SCHEMA_VERSION = 1


def envelope(
    command: str, key: str, entries: Sequence[object], failures: Sequence[Failure]
) -> dict[str, Any]:
    """Build the JSON document of a command; `key` names the list of its results."""
    return {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        key: list(entries),
        "errors": [error_object(failure) for failure in failures],
    }


def error_object(failure: Failure) -> dict[str, Any]:
    """Build the JSON of one failure."""
    return {
        "ticker": failure.ticker,
        "code": int(exit_code(failure.error)),
        "error": type(failure.error).__name__,
        "message": failure.error.message,
        "hint": failure.error.hint,
    }


def details_document(item: "ModelDetails") -> dict[str, Any]:
    """Turn everything about one version into JSON values."""
    import msgspec

    manifest = msgspec.to_builtins(item.manifest)
    log = [msgspec.to_builtins(change) for change in item.alias_log]
    return {
        "path": item.path,
        "aliases": list(item.aliases),
        "manifest": manifest,
        "alias_log": log,
        "walk_forward": item.walk_forward,
    }
