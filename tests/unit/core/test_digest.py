import hashlib
import runpy
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core import digest
from stocklstm.core.digest import sha256_hex
from tests.support.property_tests import PROPERTY


def test_digests_of_the_standard():
    # FIPS 180-4 and its examples.
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert sha256_hex(b"abc") == sha256_hex(b"a", b"", b"bc") == abc
    assert sha256_hex() == sha256_hex(b"") == nothing


@PROPERTY
@given(st.lists(st.binary(max_size=300), max_size=5))
def test_digests_against_hashlib(parts):
    assert sha256_hex(*parts) == hashlib.sha256(b"".join(parts)).hexdigest()


@pytest.mark.parametrize("found", ["_sha2", "_sha256", None])
def test_every_python_has_one_of_them(monkeypatch, found):
    for name in ("_sha2", "_sha256"):
        module = SimpleNamespace(sha256=hashlib.sha256) if name == found else None
        monkeypatch.setitem(sys.modules, name, module)
    fresh = runpy.run_path(digest.__file__)
    assert fresh["sha256_hex"](b"abc") == sha256_hex(b"abc")
