"""Options of the server, and the limits on what clients send."""

import hmac
import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from stocklstm.core.keys import MAKE_ONE, given_key
from stocklstm.core.operating_system import system
from stocklstm.errors import ConfigError

VARIABLE = "STOCKLSTM_API_TOKEN"

WRITER_WAIT_S = 0.25
"""Seconds to wait for another writer, unless told otherwise: clients wait as long."""


@dataclass(frozen=True)
class ApiToken:
    """The token that a client must send.

    Attributes:
        secret: Never shown, logged or stored.
    """

    secret: bytes = field(repr=False)

    def matches(self, given: bytes) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self.secret, given)


def api_token() -> ApiToken | None:
    """Read the token from `STOCKLSTM_API_TOKEN`; None if that is not set or empty.

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
    """Limits on what clients send.

    Attributes:
        head_bytes: Largest head of a request.
        body_bytes: Largest body.
        discarded_bytes: Of a body that turns out to be larger, read before it is refused.
        header_s: Seconds to send the head of a request, and that a connection may idle.
        body_s: Seconds to send its body.
        answer_s: Seconds to work on an answer and to send it.
        in_flight: Requests at a time; further ones are answered with 503.
        connections: Connections at a time, idle ones included; further ones are answered with 503.
        threads: Forecasts made at a time.
        made_per_s: Answers that a client may have computed a second; what is remembered is free.
        made_at_once: As many at once by a client that has not asked for a while.
        strangers_per_s: Answers a second to all who have no token, refusals included.
        model_bytes: Models in memory.
        response_bytes: Answers that are remembered.
        drain_s: Seconds for requests under way to end after a stop was asked for.
    """

    head_bytes: int = 16 << 10
    body_bytes: int = 2 << 20
    discarded_bytes: int = 8 << 20
    header_s: float = 10.0
    body_s: float = 10.0
    answer_s: float = 30.0
    in_flight: int = 128
    connections: int = 512
    threads: int = 4
    made_per_s: float = 100.0
    made_at_once: int = 3000
    strangers_per_s: float = 100.0
    model_bytes: int = 256 << 20
    response_bytes: int = 32 << 20
    drain_s: float = 20.0


@dataclass(frozen=True)
class ServerOptions:
    """Options of the server.

    Attributes:
        host: Address or name to listen on.
        port: 0 for one that is free.
        token: None if no token is needed.
        names: Further host names of the server, as in the Host header.
        home: The store; None for where the command line has it.
        lock_timeout_s: Seconds to wait for another writer; then forecasts are not recorded.
        limits: On what clients send.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: ApiToken | None = None
    names: tuple[str, ...] = ()
    home: Path | None = None
    lock_timeout_s: float = WRITER_WAIT_S
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
    """Tell whether an address or name can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_safe(options: ServerOptions, *, without_token: bool) -> None:
    """Refuse to serve a network without a token, unless `--no-token` was given."""
    if without_token and options.token is not None:
        raise ConfigError(
            f"--no-token and {VARIABLE} contradict each other",
            hint=f"{system().unset_variable(VARIABLE)}, or leave out --no-token",
        )
    if options.loopback or options.token is not None or without_token:
        return
    raise ConfigError(
        f"the server needs a token: on {options.host}, anybody who reaches this machine can use it",
        hint=f"{system().set_secret(VARIABLE)}, or --no-token if that is meant",
    )
