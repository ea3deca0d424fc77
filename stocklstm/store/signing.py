"""Signatures: without the key, nobody can change a manifest unnoticed.

The hash in the database reveals a failing disk. Whoever may write to the store can write a new hash
as well; a signature, HMAC-SHA256 (RFC 2104) over the manifest's bytes, needs a key that is not in
it. The manifest holds the hash of every other file, so all of the version is signed.
"""

from dataclasses import field

from stocklstm.core.keys import given_key
from stocklstm.core.records import dataclass

VARIABLE = "STOCKLSTM_SIGNING_KEY"


@dataclass(frozen=True)
class SigningKey:
    """The key that makes and checks signatures.

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
        """Tell whether a signature is of these bytes and this key, in constant time."""
        import hmac

        return hmac.compare_digest(self.sign(content).encode(), signature.encode())


def signing_key() -> SigningKey | None:
    """Read the key from `STOCKLSTM_SIGNING_KEY`; None if that is not set or empty."""
    text = given_key(VARIABLE)
    return None if text is None else SigningKey(text.encode("utf-8", "surrogateescape"))
