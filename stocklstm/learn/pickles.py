"""Reading pickles of unknown origin without executing them.

A pickle is a program. This reader runs the part of its language that builds plain values, looks
up no name in any module, and calls nothing but the functions below, which make arrays out of
bytes. Of scikit-learn it knows the names of its scalers, which become dictionaries of numbers. It
is Python's own interpreter of pickles written in Python: the one in C can be told to allocate any
amount of memory.
"""

import bz2
import io
import lzma
import math
import pickle
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

MOST_PICKLE_BYTES = 4 << 20

# Settings, scalers and weights go by names, optimizers by small numbers. Of larger numbers one can
# choose so many with one hash that a small file takes minutes.
_MOST_KEY = 1 << 16

# What joblib may compress with, and how each begins.
_COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ": "xz",
    b"\x5d\x00": "lzma",
    b"\x04\x22\x4d\x18": "lz4",
    b"x": "zlib",
}
# What the strongest compression of joblib needs to be read, and a little more.
_MOST_LZMA_BYTES = 80 << 20

# Plain values, tuples, lists and dictionaries, and the four that make objects. What is missing
# refers to a table of the process (EXT) or is of protocols long gone (INST, OBJ).
_OPCODES = (
    *(b"\x80", b"\x95", b".", b"(", b"0", b"1", b"2"),
    *(b"N", b"\x88", b"\x89", b"I", b"J", b"K", b"M", b"\x8a", b"G"),
    *(b"C", b"B", b"U", b"T", b"X", b"\x8c", b"\x8d", b"\x8e"),
    *(b")", b"\x85", b"\x86", b"\x87", b"t", b"]", b"a", b"e", b"l", b"}", b"s", b"u", b"d"),
    *(b"\x94", b"q", b"r", b"p", b"h", b"j", b"g"),
    *(b"c", b"\x93", b"R", b"\x81", b"b", b"Q"),
)

PICKLE_ERRORS = (
    *(pickle.UnpicklingError, AttributeError, EOFError, ImportError, IndexError, KeyError),
    *(OverflowError, RecursionError, TypeError, UnicodeDecodeError, ValueError, struct.error),
)
"""Raised by reading a pickle that is damaged or hostile."""


class ForeignNameError(pickle.UnpicklingError, ValueError):
    """A pickle asks for a name that is not read.

    Attributes:
        name: Module and name, in ASCII and not too long.
    """

    def __init__(self, module: str, name: str) -> None:
        self.name = ascii(f"{module}.{name}"[:80])[1:-1]
        super().__init__(f"it asks for '{self.name}', which is not read from anybody's file")


@dataclass
class Inert:
    """Stands for an object: the module and name of its class, and its state as pickled."""

    name: str
    state: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Array:
    """An array under construction: of numbers, or a list where it was of texts."""

    values: np.ndarray[Any, Any] | list[Any] | None = None


@dataclass
class _DType:
    """The type of an array's numbers; byte order is told afterwards."""

    kind: str
    order: str = "<"

    def numpy(self) -> np.dtype[Any]:
        if self.kind not in {"f8", "f4", "i8", "i4", "b1"} or self.order not in {"<", "|"}:
            raise pickle.UnpicklingError(f"an array of {self.kind[:20]!a}")
        return np.dtype(self.order + self.kind if self.kind != "b1" else "?")


@dataclass(frozen=True)
class _Name:
    """A name that may be mentioned but not called."""

    name: str


class RestrictedUnpickler(pickle._Unpickler):  # noqa: SLF001 - see above
    """Builds plain values, arrays of numbers and stand-ins."""

    # What each of the interpreter's steps does, as in the standard library.
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        code[0]: pickle._Unpickler.dispatch[code[0]]  # noqa: SLF001 - see above
        for code in _OPCODES
    }
    stack: list[Any]
    memo: dict[int, Any]
    read: Callable[[int], bytes]
    readline: Callable[[], bytes]

    def __init__(self, file: io.BytesIO) -> None:
        """Take a file that begins with a pickle."""
        self._file = file
        self._made = 0
        super().__init__(file)

    def find_class(self, module: str, name: str) -> object:
        """Look up a stand-in for a name; nothing is imported."""
        allowed = _ALLOWED.get((module, name))
        if allowed is None:
            raise ForeignNameError(module, name)
        return allowed

    def persistent_load(self, pid: object) -> object:  # noqa: ARG002 - the interpreter calls it so
        """Refuse: only PyTorch's archives have such references."""
        raise pickle.UnpicklingError("it refers to something outside of it")

    def load_reduce(self) -> None:
        """Call one of the constructors below."""
        arguments = self.stack.pop()
        function = self.stack[-1]
        if not isinstance(function, _Constructor) or not isinstance(arguments, tuple):
            raise pickle.UnpicklingError("it calls what is no function")
        made = function.make(*arguments)
        if isinstance(made, bytes):
            # The same text may be made into bytes again and again.
            self._made += len(made)
            if self._made > MOST_PICKLE_BYTES:
                raise pickle.UnpicklingError("it makes more bytes than it may have")
        self.stack[-1] = made

    def load_setitem(self) -> None:
        """Set an item of a dictionary."""
        _require_keys(self.stack[-2:-1])
        _step(self, b"s")

    def load_setitems(self) -> None:
        """Set items of a dictionary."""
        _require_keys(self.stack[::2])
        _step(self, b"u")

    def load_dict(self) -> None:
        """Make a dictionary of what follows the mark."""
        _require_keys(self.stack[::2])
        _step(self, b"d")

    def load_put(self) -> None:
        """Remember the last value under a number in decimal digits."""
        if len(self.memo) >= _MOST_KEY:
            raise pickle.UnpicklingError("it remembers too much")
        number = int(self.readline()[:-1])
        if not 0 <= number < _MOST_KEY:
            raise pickle.UnpicklingError("it remembers under too large a number")
        self.memo[number] = self.stack[-1]

    def load_newobj(self) -> None:
        """Make a stand-in."""
        self.stack.pop()
        kind = self.stack[-1]
        if not isinstance(kind, _Name):
            raise pickle.UnpicklingError("it makes an object of what is no class")
        self.stack[-1] = Inert(kind.name)

    def load_build(self) -> None:
        """Set the state of a stand-in; read an array that joblib put beside the pickle."""
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, _DType) and isinstance(state, tuple):
            target.order = str(state[1])
        elif isinstance(target, _Array) and isinstance(state, tuple):
            _, shape, kind, fortran, content = state
            if _of_objects(kind):
                target.values = _texts(content)
            else:
                target.values = _array(content, kind, shape, "F" if fortran else "C")
        elif isinstance(target, Inert) and isinstance(state, dict):
            target.state = state
            if target.name == _WRAPPER:
                self.stack[-1] = self._beside(state)
        elif not isinstance(target, dict) or state:
            raise pickle.UnpicklingError("it gives a state to what has none")

    def load_bytearray8(self) -> None:
        """Read the bytes that are there, instead of allocating all that are declared."""
        (size,) = struct.unpack("<Q", self.read(8))
        self.stack.append(self.read(size))

    def _beside(self, wrapper: dict[str, Any]) -> object:
        if _of_objects(wrapper["dtype"]):
            # joblib puts another pickle there.
            return RestrictedUnpickler(self._file).load()
        if wrapper.get("numpy_array_alignment_bytes") is not None:
            (padding,) = self._file.read(1)
            self._file.read(padding)
        size = math.prod(wrapper["shape"]) * wrapper["dtype"].numpy().itemsize
        content = self._file.read(max(0, size))
        return _Array(_array(content, wrapper["dtype"], wrapper["shape"], wrapper["order"]))

    dispatch[b"s"[0]] = load_setitem
    dispatch[b"u"[0]] = load_setitems
    dispatch[b"d"[0]] = load_dict
    dispatch[b"p"[0]] = load_put
    dispatch[b"\x96"[0]] = load_bytearray8
    dispatch[b"R"[0]] = load_reduce
    dispatch[b"\x81"[0]] = load_newobj
    dispatch[b"b"[0]] = load_build


def _step(unpickler: Any, code: bytes) -> None:  # noqa: ANN401 - its base has no public type
    """Do what the standard library does at an opcode."""
    pickle._Unpickler.dispatch[code[0]](unpickler)  # noqa: SLF001 - see above


def _require_keys(keys: Sequence[object]) -> None:
    for key in keys:
        if not (isinstance(key, str) or (isinstance(key, int) and 0 <= key < _MOST_KEY)):
            raise pickle.UnpicklingError("a dictionary goes by something else than names")


class WordsUnpickler(RestrictedUnpickler):
    """Builds plain values; whatever has a name becomes an `Inert` that knows no more than that."""

    dispatch: ClassVar = RestrictedUnpickler.dispatch.copy()

    def find_class(self, module: str, name: str) -> object:
        """Make a stand-in."""
        return Inert(f"{module}.{name}")

    def load_reduce(self) -> None:
        """Make a stand-in for what a call would return."""
        arguments = self.stack.pop()
        made = self.stack[-1]
        if not isinstance(made, Inert):
            raise pickle.UnpicklingError("it calls what is no function")
        self.stack[-1] = Inert(made.name, {"arguments": arguments})

    def load_build(self) -> None:
        """Drop a state."""
        self.stack.pop()

    dispatch[b"R"[0]] = load_reduce
    dispatch[b"\x81"[0]] = load_reduce
    dispatch[b"b"[0]] = load_build


@dataclass(frozen=True)
class _Constructor:
    """A constructor that a pickle may call."""

    make: Callable[..., object]


def _array(content: object, kind: object, shape: object, order: object) -> np.ndarray[Any, Any]:
    if not (isinstance(content, bytes) and isinstance(kind, _DType) and isinstance(shape, tuple)):
        raise pickle.UnpicklingError("it holds an array of something else than numbers")
    # NumPy refuses a shape that the bytes do not fill.
    values = np.frombuffer(content, kind.numpy())
    return values.reshape(shape, order="F" if order == "F" else "C")


def _of_objects(kind: object) -> bool:
    return isinstance(kind, _DType) and kind.kind in {"O8", "O"}


def _texts(content: object) -> list[Any]:
    """Read an array of objects, which is only read where they are texts: names of columns."""
    if not isinstance(content, list) or not all(isinstance(text, str) for text in content):
        raise pickle.UnpicklingError("it holds an array of something else than numbers and texts")
    return content


def _scalar(kind: object, content: object) -> object:
    return _array(content, kind, (1,), "C")[0].item()


def _from_buffer(content: object, kind: object, shape: object, order: object) -> _Array:
    return _Array(_array(content, kind, shape, order))


SCALERS = ("MinMaxScaler", "StandardScaler", "RobustScaler", "MaxAbsScaler")
"""Classes of scikit-learn whose numbers are read; each becomes a dictionary with its class."""

CLASS = "__class__"
"""Key of a scaler's class in its dictionary."""

_WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"

_ALLOWED: dict[tuple[str, str], _Constructor | _Name] = {
    **{
        (f"sklearn.preprocessing.{module}", name): _Name(name)
        # Before scikit-learn 0.22 the module was called data.
        for module in ("_data", "data")
        for name in SCALERS
    },
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _Name(_WRAPPER),
    ("numpy", "ndarray"): _Name("numpy.ndarray"),
    ("numpy", "dtype"): _Constructor(lambda kind, *_: _DType(str(kind))),
    ("collections", "OrderedDict"): _Constructor(dict),
    # How bytes were written before there was a way to.
    ("_codecs", "encode"): _Constructor(lambda text, _: text.encode("latin-1")),
    **{
        (f"numpy.{core}.multiarray", name): maker
        for core in ("core", "_core")
        for name, maker in (
            ("_reconstruct", _Constructor(lambda *_: _Array())),
            ("scalar", _Constructor(_scalar)),
        )
    },
    **{
        (f"numpy.{core}.numeric", "_frombuffer"): _Constructor(_from_buffer)
        for core in ("core", "_core")
    },
}


def read_plain(content: bytes) -> object:
    """Read a pickle of plain values, arrays of numbers and scalers, compressed by joblib or not.

    Returns:
        Plain values; arrays as NumPy arrays; a scaler as the dictionary of its attributes, and its
        class under `CLASS`.

    Raises:
        ForeignNameError: It asks for anything else, by name.
        ValueError: It is too large, damaged, or compressed in a way that is not read.
    """
    plain = _unpacked(content)
    if len(plain) > MOST_PICKLE_BYTES:
        raise ValueError(f"it has more than {MOST_PICKLE_BYTES} bytes")
    try:
        return _plain(RestrictedUnpickler(io.BytesIO(plain)).load(), {})
    except ForeignNameError:
        raise
    except (pickle.UnpicklingError, ValueError) as error:
        raise ValueError(str(error) or type(error).__name__) from error
    except PICKLE_ERRORS as error:
        raise ValueError(f"it is damaged ({type(error).__name__}: {error})") from error


def _unpacked(content: bytes) -> bytes:
    """Undo joblib's compression, never to more than a byte too many."""
    kind = next((name for magic, name in _COMPRESSIONS.items() if content.startswith(magic)), None)
    most = MOST_PICKLE_BYTES + 1
    try:
        match kind:
            case None:
                return content
            case "zlib" | "gzip":
                # Which of the two it is the header tells.
                return zlib.decompressobj(wbits=47).decompress(content, most)
            case "bz2":
                return bz2.BZ2Decompressor().decompress(content, most)
            case "xz" | "lzma":
                return lzma.LZMADecompressor(memlimit=_MOST_LZMA_BYTES).decompress(content, most)
            case _:
                raise ValueError(f"it is compressed by {kind}, which is not read")
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise ValueError(f"it is compressed by {kind} and damaged: {error}") from error


def _plain(value: object, known: dict[int, object], depth: int = 0) -> object:
    """Replace stand-ins by their values; an object that is referred to twice is made once."""
    # Deeper than any settings are.
    if depth > 8:
        raise ValueError("it is nested too deeply")
    if id(value) in known:
        return known[id(value)]
    made = value
    if isinstance(value, _Array):
        made = value.values
    elif isinstance(value, Inert):
        state = _plain(value.state, known, depth + 1)
        made = {**state, CLASS: value.name} if isinstance(state, dict) else state
    elif isinstance(value, dict):
        made = {name: _plain(part, known, depth + 1) for name, part in value.items()}
    elif isinstance(value, list | tuple):
        made = [_plain(part, known, depth + 1) for part in value]
    known[id(value)] = made
    return made
