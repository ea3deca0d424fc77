"""SHA-256 without loading OpenSSL.

`hashlib` loads OpenSSL on import: as much memory as a twentieth of a whole forecast, for a file
of a hundred kilobytes. Python carries its own SHA-256, which the standard library's `random`
imports in the same way and for the same reason.
"""

try:
    from _sha2 import sha256  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    try:
        from _sha256 import sha256  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        from hashlib import sha256


def sha256_hex(*parts: bytes) -> str:
    """Hash some bytes, one part after the other; 64 hexadecimal digits."""
    digest = sha256()
    for part in parts:
        digest.update(part)
    return str(digest.hexdigest())
