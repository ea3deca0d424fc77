"""SHA-256 without loading OpenSSL, unless there is much to hash.

`hashlib` loads OpenSSL on import: as much memory as a twentieth of a whole forecast, for a file
of a hundred kilobytes. Python carries its own SHA-256, which the standard library's `random`
imports in the same way and for the same reason. OpenSSL's takes a fifth of its time, which pays
where thousands of such files are read.
"""

from collections.abc import Callable
from typing import Any

try:
    from _sha2 import sha256 as _own  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    try:
        from _sha256 import sha256 as _own  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        from hashlib import sha256 as _own

_MUCH = 1 << 22
"""Bytes after which OpenSSL is loaded."""


class _Sha256:
    """The SHA-256 of this process."""

    def __init__(self) -> None:
        self.new: Callable[[], Any] = _own
        self.left = _MUCH

    def count(self, size: int) -> None:
        """Change over once there was much to hash."""
        self.left -= size
        if self.left < 0 and self.new is _own:
            from hashlib import sha256

            self.new = sha256


_sha256 = _Sha256()


def sha256_hex(*parts: bytes) -> str:
    """Hash some bytes, one part after the other; 64 hexadecimal digits."""
    _sha256.count(sum(map(len, parts)))
    digest = _sha256.new()
    for part in parts:
        digest.update(part)
    return str(digest.hexdigest())


def sha256_hasher() -> Any:  # noqa: ANN401 - whichever of the three there is
    """Begin a hash of much that comes one part after the other: `update` takes them."""
    _sha256.count(_MUCH)
    return _sha256.new()
