"""Signatures: who does not know the key can change a manifest, but not unnoticed.

A hash in the database finds what a disk did. Who may write to the store can write a new hash as
well; a signature, HMAC-SHA256 (RFC 2104) over the manifest's bytes, takes a key that is not in it.
The manifest holds the hash of every other file, so that all of the version is signed.
"""

from dataclasses import dataclass, field

from stocklstm.core.keys import given_key

VARIABLE = "STOCKLSTM_SIGNING_KEY"


@dataclass(frozen=True)
class SigningKey:
    """What signatures are made and checked with.

    Attributes:
        secret: Never shown, logged or stored.
    """

    secret: bytes = field(repr=False)

    def sign(self, content: bytes) -> str:
        """Make the signature of some bytes, as hex digits."""
        # Imported where it is needed: few who forecast every evening have a key.
        import hmac

        return hmac.digest(self.secret, content, "sha256").hex()

    def signed(self, content: bytes, signature: str) -> bool:
        """Tell if a signature is of these bytes and this key, in the same time either way."""
        import hmac

        return hmac.compare_digest(self.sign(content).encode(), signature.encode())


def signing_key() -> SigningKey | None:
    """Take the key from `STOCKLSTM_SIGNING_KEY`; None if that is not set or empty.

    Raises:
        ConfigError: It is so short that it could be guessed.
    """
    text = given_key(VARIABLE)
    return None if text is None else SigningKey(text.encode("utf-8", "surrogateescape"))
