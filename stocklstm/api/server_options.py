"""What the server is told when it starts, and how much it takes from anybody."""

import hmac
import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from stocklstm.core.keys import MAKE_ONE, given_key
from stocklstm.core.settings.config import LOCK_TIMEOUT_S
from stocklstm.errors import ConfigError

VARIABLE = "STOCKLSTM_API_TOKEN"


@dataclass(frozen=True)
class ApiToken:
    """What a client must know.

    Attributes:
        secret: Never shown, logged or stored.
    """

    secret: bytes = field(repr=False)

    def matches(self, given: bytes) -> bool:
        """Tell if this is the token, in the same time however much of it is right."""
        return hmac.compare_digest(self.secret, given)


def api_token() -> ApiToken | None:
    """Take the token from `STOCKLSTM_API_TOKEN`; None if that is not set or empty.

    Raises:
        ConfigError: It is so short that it could be guessed, or could not be sent in a header.
    """
    text = given_key(VARIABLE)
    if text is None:
        return None
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigError(
            f"{VARIABLE} holds a character that cannot be sent in a header", hint=MAKE_ONE
        )
    return ApiToken(text.encode())


@dataclass(frozen=True)
class Limits:
    """How much is taken from clients.

    Attributes:
        head_bytes: Largest head of a request.
        body_bytes: Largest body.
        passed_over_bytes: Of a body that turns out to be larger, read before the answer says so.
        header_s: Seconds to send the head of a request, and that a connection may idle.
        body_s: Seconds to send its body.
        answer_s: Seconds to work on an answer and to send it.
        in_flight: Requests at a time; the next one is told to come again.
        connections: Connections at a time, waiting ones among them; so for the next one.
        threads: Forecasts made at a time.
        drain_s: Seconds that requests under way have to end in after a stop was asked for.
    """

    head_bytes: int = 16 << 10
    body_bytes: int = 2 << 20
    passed_over_bytes: int = 8 << 20
    header_s: float = 10.0
    body_s: float = 10.0
    answer_s: float = 30.0
    in_flight: int = 128
    connections: int = 512
    threads: int = 4
    drain_s: float = 20.0


@dataclass(frozen=True)
class ServerOptions:
    """What the server is told when it starts.

    Attributes:
        host: Address or name to listen on.
        port: 0 for one that is free.
        token: None lets everybody in.
        names: Further names that the server is called by, as in the Host header.
        home: The store; None for where the command line has it.
        lock_timeout_s: Seconds to wait for another writer.
        limits: Of what is taken from clients.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: ApiToken | None = None
    names: tuple[str, ...] = ()
    home: Path | None = None
    lock_timeout_s: float = LOCK_TIMEOUT_S
    limits: Limits = Limits()

    @property
    def loopback(self) -> bool:
        """True if only this machine can reach it."""
        return is_loopback(self.host)

    @property
    def host_names(self) -> frozenset[str] | None:
        """Names that a Host header may give, lower case; None for any.

        A page of somebody else's, open in a browser of this machine, can have its own name lead
        to 127.0.0.1 (DNS rebinding); its requests still carry that name.
        """
        if not self.loopback and not self.names:
            return None
        names = {"localhost", "127.0.0.1", "[::1]", self.host, f"[{self.host}]", *self.names}
        return frozenset(name.lower() for name in names)


def is_loopback(host: str) -> bool:
    """Tell if an address or name can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_safe(options: ServerOptions, *, without_token: bool) -> None:
    """Refuse to let a whole network in without a token, unless that is meant.

    Args:
        options: What the server is told.
        without_token: True if it is meant.

    Raises:
        ConfigError: It is not, or a token is set all the same.
    """
    if without_token and options.token is not None:
        raise ConfigError(
            f"--no-token and {VARIABLE} contradict each other",
            hint=f"unset {VARIABLE}, or leave out --no-token",
        )
    if options.loopback or options.token is not None or without_token:
        return
    raise ConfigError(
        f"on {options.host} whoever reaches this machine could use the server: it wants a token",
        hint=f"export {VARIABLE}=$(openssl rand -hex 32), or --no-token if that is meant",
    )
