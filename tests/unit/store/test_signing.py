"""Signatures are HMAC-SHA256, and the key stays where it is."""

import hmac
import logging
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.errors import ConfigError
from stocklstm.store.signing import SigningKey, signing_key

LONG = "correct horse battery staple"


def test_case_2_of_rfc_4231():
    key = SigningKey(b"Jefe")

    assert key.sign(b"what do ya want for nothing?") == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


def test_openssl_makes_the_same():
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-hmac", LONG],  # noqa: S607 - as a person would type it
        input=b"{}\n",
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("there is no openssl")
    assert SigningKey(LONG.encode()).sign(b"{}\n") == done.stdout.decode().split()[-1]


@given(content=st.binary(max_size=50), secret=st.binary(min_size=1, max_size=40))
def test_a_signature_fits_its_content_and_key_alone(content, secret):
    key = SigningKey(secret)
    signature = key.sign(content)

    assert signature == hmac.new(secret, content, "sha256").hexdigest()
    assert key.signed(content, signature)
    assert not key.signed(content + b" ", signature)
    assert not SigningKey(secret + b"1").signed(content, signature)


@pytest.mark.parametrize("signature", ["", "0", "é", "0" * 64, "A" * 64])
def test_what_is_no_signature(signature):
    assert not SigningKey(b"Jefe").signed(b"", signature)


def test_the_key_comes_from_the_environment(monkeypatch):
    assert signing_key() is None
    monkeypatch.setenv("STOCKLSTM_SIGNING_KEY", "")
    assert signing_key() is None
    monkeypatch.setenv("STOCKLSTM_SIGNING_KEY", LONG)
    assert signing_key() == SigningKey(LONG.encode())


def test_a_key_that_can_be_guessed_is_refused_and_not_repeated(monkeypatch):
    monkeypatch.setenv("STOCKLSTM_SIGNING_KEY", "hunter2hunter2x")

    with pytest.raises(ConfigError, match="15 of at least 16 characters") as caught:
        signing_key()

    assert "hunter" not in caught.value.message + (caught.value.hint or "")


def test_the_key_is_not_shown(caplog):
    key = SigningKey(LONG.encode())
    logging.getLogger().warning("%r %s", key, key)

    assert "horse" not in caplog.text + repr(key)
