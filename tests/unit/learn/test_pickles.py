"""Pickles of numbers are read as pickle reads them, and nothing else is done."""

import contextlib
import io
import pickle
import pickletools

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler

from stocklstm.learn.pickles import read_plain

FLOATS = st.floats(allow_nan=False)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | FLOATS | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=9,
)
PROTOCOLS = st.integers(2, 5)


@settings(deadline=None)
@given(value=PLAIN, protocol=PROTOCOLS)
def test_plain_values_come_back(value, protocol) -> None:
    try:
        assert read_plain(pickle.dumps(value, protocol)) == value
    except ValueError as error:
        assert "nested" in str(error)  # noqa: PT017 - the one thing that is refused


@settings(deadline=None)
@given(values=st.lists(FLOATS, min_size=1, max_size=6), protocol=PROTOCOLS)
def test_arrays_and_scalars_come_back(values, protocol) -> None:
    array = np.array([values, values])
    for content in (pickle.dumps([array, array[0, 0]], protocol), dumped([array, array[0, 0]])):
        found, scalar = read_plain(content)
        assert np.array_equal(found, array)
        assert scalar == array[0, 0]
    assert np.array_equal(read_plain(dumped(np.asfortranarray(array))), array)


def dumped(value: object) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(value, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5, None])
def test_a_scaler_is_its_numbers(protocol: int | None) -> None:
    scaler = MinMaxScaler((-1, 1)).fit(np.array([[4.5], [49.25]]))
    content = dumped(scaler) if protocol is None else pickle.dumps(scaler, protocol)

    found = read_plain(content)

    assert found["feature_range"] == [-1, 1]
    assert found["data_min_"].tolist() == [4.5]
    assert found["data_max_"].tolist() == [49.25]


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_damaged_bytes_give_a_value_or_a_refusal(data) -> None:
    content = bytearray(dumped(MinMaxScaler().fit(np.array([[1.0], [2.0]]))))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        read_plain(bytes(content))


@pytest.mark.parametrize(
    "name",
    [
        *("os.system", "builtins.eval", "builtins.getattr", "numpy.load", "numpy.ndarray.tofile"),
        *("sklearn.preprocessing._data.PowerTransformer", "joblib.numpy_pickle.load"),
        *("torch.load", "copyreg._reconstructor", "functools.partial"),
    ],
)
def test_other_names_are_refused(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    for content in (
        f"c{module}\n{attribute}\n.".encode(),
        b"\x80\x04" + short(module) + short(attribute) + b"\x93.",
    ):
        pickletools.dis(content, out=io.StringIO())
        with pytest.raises(ValueError, match="asks for"):
            read_plain(content)


def short(text: str) -> bytes:
    return b"\x8c" + bytes([len(text)]) + text.encode()


def test_what_is_mentioned_often_is_made_once() -> None:
    value: list = [0.0]
    for _ in range(7):
        value = [value] * 1000

    found = read_plain(pickle.dumps(value))

    assert found[0] is found[999]


def test_a_circle_is_no_value() -> None:
    circle: list = []
    circle.append(circle)

    with pytest.raises(ValueError, match="nested"):
        read_plain(pickle.dumps(circle))


# Small files that would take minutes, if they were read.


def numbered(key: int) -> bytes:
    raw = key.to_bytes(key.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


COLLIDING = [k * ((1 << 61) - 1) for k in range(1, 5000)]


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04}(" + b"".join(numbered(key) + b"N" for key in COLLIDING) + b"u.",
        b"\x80\x04(" + b"".join(numbered(key) + b"N" for key in COLLIDING) + b"d.",
        b"\x80\x04}" + b"".join(numbered(key) + b"Ns" for key in COLLIDING) + b".",
        b"\x80\x04}(" + b"".join(numbered(-key) + b"N" for key in range(1, 9)) + b"u.",
        b"\x80\x04}(G" + bytes(8) + b"Nu.",
        b"\x80\x04}()Nu.",
        b"\x80\x04N" + b"".join(b"p%d\n" % key for key in COLLIDING) + b".",
        b"\x80\x04c_codecs\nencode\nq\x00X\x00\x00\x10\x00"
        + bytes(1 << 20)
        + b"q\x01]("
        + b"h\x00h\x01X\x06\x00\x00\x00latin1\x86R" * 5
        + b"e.",
    ],
    ids=["set", "mark", "one by one", "negative", "float", "tuple", "memo", "encode"],
)
def test_what_takes_the_square_of_its_size_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"dictionary|remembers|more bytes"):
        read_plain(content)


def test_names_and_small_numbers_are_keys() -> None:
    settings = {"state": {0: {"step": 1.0}, 1: {}, 65535: "x"}, "name": True}

    assert read_plain(pickle.dumps(settings)) == settings
    assert read_plain(pickle.dumps(settings, protocol=2)) == settings
