"""Reading a manifest from another store, which anybody may have written."""

import re
from datetime import date

import msgspec

from stocklstm.core.reference import is_pool, parse_owner_key
from stocklstm.errors import ArtifactCorruptError, ConfigError
from stocklstm.store.manifest import Manifest, decode_manifest

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST_WORDS = 2_000


class _Identity(msgspec.Struct):
    ticker: str
    version: int


def decode_untrusted_manifest(content: bytes) -> Manifest:
    """Read a manifest of another store, checking also its names, texts and days.

    Raises:
        ArtifactVersionError: It has another format number.
        ArtifactCorruptError: It is no manifest, or holds what no program would have written.
    """
    try:
        identity = msgspec.json.decode(content, type=_Identity)
        _check_identity(identity)
        manifest = decode_manifest(content, identity.ticker, identity.version)
        _check_kind(manifest)
        check_words(msgspec.to_builtins(manifest))
        _check_days(manifest)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, ConfigError) as error:
        raise ArtifactCorruptError(f"its manifest cannot be read: {error}") from error
    return manifest


def _check_identity(identity: _Identity) -> None:
    """Refuse a ticker or version that cannot be a directory's name."""
    if parse_owner_key(identity.ticker) != identity.ticker or not 0 < identity.version < 10**9:
        raise ConfigError("its ticker or version is not valid")


def _check_kind(manifest: Manifest) -> None:
    """Refuse a single model with the name of a pooled one, and the reverse."""
    if is_pool(manifest.ticker) != (manifest.pool is not None):
        named = "a pooled model" if is_pool(manifest.ticker) else "a single ticker"
        raise ConfigError(f"its name is that of {named}, its content is not")


def check_words(value: object) -> None:
    """Refuse text that would move the cursor of a terminal or fill the screen."""
    if isinstance(value, str) and not (value.isprintable() and len(value) <= _LONGEST_WORDS):
        raise ConfigError(f"it holds text that is too long or not printable: {value[:40]!a}")
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple):
        for part in value:
            check_words(part)


def _check_days(manifest: Manifest) -> None:
    """Refuse days that are not dates or out of order: later decisions rely on them."""
    splits, data, scores = manifest.splits, manifest.data, manifest.evaluation
    days = [
        *(splits.train_start, splits.train_end, splits.validation_start),
        *(splits.test_start, splits.test_end),
    ]
    learned = manifest.learned_before.values()
    for day in (
        *days,
        *learned,
        data.first,
        data.last,
        scores.start,
        scores.end,
        manifest.created[:10],
    ):
        if not _DAY.fullmatch(day):
            raise ConfigError(f"{day[:40]!a} is not a date")
        try:
            date.fromisoformat(day)
        except ValueError as error:
            raise ConfigError(f"{day!a} is not a date") from error
    if days != sorted(days):
        raise ConfigError("its training, validation and test dates are out of order")
