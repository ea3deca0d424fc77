"""A Yahoo Finance of our own: a loopback proxy that speaks TLS as `*.yahoo.com`.

yfinance finds it through the proxy variables of the environment and trusts it through those
that name a certificate bundle, so the library runs as it is, sockets and all. `YahooServer`
answers cookie and crumb by itself; what it answers for charts is up to the test.
"""

import datetime as dt
import json
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = ["yahoo.com", "*.yahoo.com", "*.finance.yahoo.com"]
CRUMB = "test/crumb"


@dataclass(frozen=True)
class Answer:
    """What the server sends back; `body` None resets the connection, `stall` says nothing."""

    body: bytes | None
    status: int = 200
    content_type: str = "application/json"
    promised: int | None = None
    stall: bool = False


@dataclass(frozen=True)
class Query:
    """A request for a chart: the probe for the time zone asks for one day, the other for all."""

    ticker: str
    options: dict[str, str]

    @property
    def is_probe(self) -> bool:
        return self.options.get("range") == "1d"


def json_answer(document: object, status: int = 200) -> Answer:
    return Answer(json.dumps(document).encode(), status)


HTML = Answer(b"<html><body>Will be back soon</body></html>", 200, "text/html")
RESET = Answer(None)
STALL = Answer(b"", stall=True)
TOO_MANY = Answer(b"Edge: Too Many Requests", 429, "text/html")
UNAVAILABLE = Answer(b"<html><body>Service Unavailable</body></html>", 503, "text/html")
NOT_FOUND = json_answer(
    {
        "chart": {
            "result": None,
            "error": {
                "code": "Not Found",
                "description": "No data found, symbol may be delisted",
            },
        }
    },
    404,
)


def chart(
    ticker: str,
    rows: list[tuple[Any, ...]],
    *,
    currency: str = "BRL",
    exchange: str = "SAO",
    time_zone: str = "America/Sao_Paulo",
    opens_at_utc: int = 13,
    dividends: dict[str, float] | None = None,
    splits: dict[str, tuple[int, int]] | None = None,
) -> Answer:
    """Build a chart as Yahoo's v8 interface writes it.

    Args:
        rows: (ISO day, open, high, low, close, adjusted close, volume) each; None is null.
    """

    def moment(day: str) -> int:
        midnight = dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC)
        return int((midnight + dt.timedelta(hours=opens_at_utc)).timestamp())

    columns = list(zip(*rows, strict=True)) or [()] * 7
    names = ("open", "high", "low", "close")
    quote = {name: list(column) for name, column in zip(names, columns[1:5], strict=True)}
    quote["volume"] = list(columns[6])
    result: dict[str, Any] = {
        "meta": {
            "currency": currency,
            "symbol": ticker,
            "exchangeName": exchange,
            "fullExchangeName": exchange,
            "instrumentType": "EQUITY",
            "firstTradeDate": 946900800,
            "regularMarketTime": 1710360000,
            "hasPrePostMarketData": False,
            "gmtoffset": -10800,
            "timezone": "BRT",
            "exchangeTimezoneName": time_zone,
            "regularMarketPrice": 36.5,
            "chartPreviousClose": 36.1,
            "priceHint": 2,
            "dataGranularity": "1d",
            "range": "",
            "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
        },
        "indicators": {"quote": [quote if rows else {}], "adjclose": [{"adjclose": columns[5]}]},
    }
    if rows:
        result["timestamp"] = [moment(day) for day in columns[0]]
    events: dict[str, dict[str, Any]] = {}
    if dividends:
        events["dividends"] = {
            str(moment(day)): {"amount": amount, "date": moment(day)}
            for day, amount in dividends.items()
        }
    if splits:
        events["splits"] = {
            str(moment(day)): {
                "date": moment(day),
                "numerator": new,
                "denominator": old,
                "splitRatio": f"{new}:{old}",
            }
            for day, (new, old) in splits.items()
        }
    if events:
        result["events"] = events
    return json_answer({"chart": {"result": [result], "error": None}})


Script = Callable[[Query], Answer]


def history(rows: list[tuple[Any, ...]], **traits: Any) -> Script:
    """Answer as Yahoo does: rows and events of the days that were asked for, no others.

    Args:
        rows: As for `chart`, oldest first.
        traits: The other arguments of `chart`.
    """

    def script(query: Query) -> Answer:
        if query.is_probe:
            return chart(query.ticker, rows[-1:], **_without_events(traits))
        first = dt.datetime.fromtimestamp(int(query.options["period1"]), dt.UTC)
        opening = dt.timedelta(hours=traits.get("opens_at_utc", 13))

        def asked(day: str) -> bool:
            return dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC) + opening >= first

        events = {
            name: {day: value for day, value in (traits.get(name) or {}).items() if asked(day)}
            for name in ("dividends", "splits")
        }
        wanted = [row for row in rows if asked(row[0])]
        return chart(query.ticker, wanted, **{**traits, **events})

    return script


def _without_events(traits: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in traits.items() if name not in {"dividends", "splits"}}


def prices_only(answer: Answer, probe: Script) -> Script:
    """Answer the prices so, and the probe for the time zone as another script does."""
    return lambda query: probe(query) if query.is_probe else answer


def by_ticker(otherwise: Script, **others: Script) -> Script:
    """Let some tickers have scripts of their own, named without what follows the dot."""
    return lambda query: others.get(query.ticker.partition(".")[0], otherwise)(query)


def in_turn(*scripts: Script) -> Script:
    """Follow each script for one request for prices, the last one ever after."""
    waiting = list(scripts)

    def script(query: Query) -> Answer:
        chosen = waiting[0]
        if not query.is_probe and len(waiting) > 1:
            waiting.pop(0)
        return chosen(query)

    return script


@dataclass
class YahooServer:
    """Runs on a free loopback port between `with` and its end.

    Attributes:
        folder: Where certificates and the client's caches go.
        script: Answers each chart; may be replaced between two requests.
        crumb: Answers the request for the word that others must carry.
        hosts: Every host a client asked for, whether it exists or not.
        queries: Every chart a client asked for.
    """

    folder: Path
    script: Script
    crumb: Answer = Answer(CRUMB.encode(), 200, "text/plain")
    hosts: list[str] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._tls = _tls_context(self.folder)
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.yahoo = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def environment(self) -> dict[str, str]:
        """What a client's process must be told; nothing else reaches the network from it."""
        address = f"http://127.0.0.1:{self._server.server_port}"
        bundle = str(self.folder / "ca.pem")
        proxies = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY")
        bundles = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
        return {
            **dict.fromkeys(proxies, address),
            **dict.fromkeys(bundles, bundle),
            "NO_PROXY": "",
            "no_proxy": "",
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # joined at the end, so that no socket outlives its test
    yahoo: YahooServer

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients that give up are what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    disable_nagle_algorithm = True  # header and body are written apart, and would wait
    server: _Server

    def do_CONNECT(self) -> None:
        host = self.path.partition(":")[0]
        self.server.yahoo.hosts.append(host)
        if not host.endswith("yahoo.com"):
            self.send_error(502)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        plain, self.host = self.connection, host
        self.connection = self.server.yahoo._tls.wrap_socket(plain, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if "/v8/finance/chart/" in parts.path:
            query = Query(parts.path.rpartition("/")[2], options)
            self.server.yahoo.queries.append(query)
            self._send(self.server.yahoo.script(query))
        elif parts.path.endswith("/getcrumb"):
            self._send(self.server.yahoo.crumb)
        elif "/quoteSummary/" in parts.path:
            error = {"code": "Not Found", "description": "Quote not found for symbol"}
            self._send(json_answer({"quoteSummary": {"result": None, "error": error}}, 404))
        else:
            self._send(Answer(b"", 404, "text/html"))

    def _send(self, answer: Answer) -> None:
        self.close_connection = answer.body is None or answer.stall or answer.promised is not None
        if answer.body is None:
            # No goodbye in TLS, no FIN: a reset, as from a firewall that lost its patience.
            self.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
            )
            return
        if answer.stall:
            self.server.yahoo._closing.wait(30)
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        length = len(answer.body) if answer.promised is None else answer.promised
        self.send_header("Content-Length", str(length))
        if self.host.startswith("fc."):
            self.send_header(
                "Set-Cookie",
                "A3=d=test; Expires=Fri, 31 Dec 2100 23:59:59 GMT; Domain=.yahoo.com; Path=/",
            )
        self.end_headers()
        self.wfile.write(answer.body)

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.connection.close()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


def _tls_context(folder: Path) -> ssl.SSLContext:
    """Sign a certificate for Yahoo's names with an authority that only tests trust."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_name, name = _name("stocklstm test authority"), _name("yahoo.com")
    authority = (
        _certificate(authority_name, authority_name, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in NAMES])
    certificate = (
        _certificate(name, authority_name, key)
        .add_extension(names, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(authority.public_bytes(pem))
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(private + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
    )
