"""Names, tokens and statuses, as they are read from a request."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm import errors
from stocklstm.api.middleware import Turns, _given_token, _without_port
from stocklstm.api.problems import problem_of, status_of
from stocklstm.api.server_options import ApiToken, ServerOptions, is_loopback
from tests.contract.test_exit_codes import DOCUMENTED
from tests.support.property_tests import PROPERTY

FEW = settings(PROPERTY, max_examples=30)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost", "localhost"),
        ("LocalHost:8000", "localhost"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("[::1]:8000", "[::1]"),
        ("example.org.", "example.org"),
        ("example.org:evil", "example.org:evil"),
        ("", ""),
    ],
)
def test_the_name_of_a_host_header(header: str, name: str) -> None:
    assert _without_port(header) == name


@given(st.binary())
def test_any_authorization_is_read_without_an_error(header: bytes) -> None:
    assert not ApiToken(b"x" * 32).matches(_given_token(header))


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=16))
def test_a_token_is_found_in_either_scheme(secret: str) -> None:
    token = ApiToken(secret.encode())
    basic = base64.b64encode(b"anybody:" + secret.encode())

    assert token.matches(_given_token(b"Bearer " + secret.encode()))
    assert token.matches(_given_token(b"Basic " + basic))
    assert secret not in repr(token)
    assert secret not in repr(ServerOptions(token=token))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - nobody listens
        ("::", False),
        ("192.168.1.5", False),
        ("localhost.example.org", False),
    ],
)
def test_what_only_this_machine_can_reach(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


STATUSES = {1: {500}, 2: {422}, 3: {409}, 4: {404}, 5: {503}, 6: {409, 422}, 75: {503}}


@pytest.mark.parametrize("kind", DOCUMENTED)
def test_every_error_has_a_status_and_keeps_its_exit_code(
    kind: type[errors.StockLstmError],
) -> None:
    extra = {"needed": 2, "found": 1} if kind is errors.SeriesTooShortError else {}
    error = kind("what happened", hint="the next command", **extra)

    document = problem_of(error).document("/predict")

    assert status_of(error) in STATUSES[DOCUMENTED[kind]]
    assert document["code"] == DOCUMENTED[kind]
    assert ("retry-after" in problem_of(error).headers) == isinstance(error, errors.TryAgainError)
    if kind is errors.UnexpectedError:
        assert "what happened" not in str(document)
    else:
        assert (document["detail"], document["hint"]) == ("what happened", "the next command")


@FEW
@given(pauses=st.lists(st.floats(0, 0.5), min_size=1, max_size=80), per_s=st.floats(1, 50))
def test_strangers_are_answered_so_often_and_no_more(pauses: list[float], per_s: float) -> None:
    now = [0.0]
    turns = Turns(per_s, clock=lambda: now[0])
    answered: list[float] = []

    for pause in pauses:
        now[0] += pause
        answered.append(now[0] + max(0.0, turns.wait_s()))

    # A second's worth at once, and from then on one after the other.
    for first, since in enumerate(answered):
        for last in range(first, len(answered)):
            assert last - first <= per_s * (answered[last] - since + 1) + 1e-6
    # Who comes when nobody else did for a while waits for nobody.
    now[0] += 2 + len(pauses) / per_s
    assert turns.wait_s() <= 0
