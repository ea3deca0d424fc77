"""Checks that a PyTorch file asks for no more memory than it has bytes, before PyTorch loads it.

`torch.load(weights_only=True)` executes nothing, but believes sizes: a compressed record may
unpack to any size, and a tensor may be declared far larger than what is stored of it. Weights that
are not finite numbers are refused here, too, wherever a file comes from.
"""

import io
import math
import pickle
import zipfile
from typing import Any, ClassVar

import numpy as np

from stocklstm.core.zips import open_archive, read_member
from stocklstm.learn.pickles import (
    MOST_PICKLE_BYTES,
    PICKLE_ERRORS,
    ForeignNameError,
    Inert,
    RestrictedUnpickler,
)

MOST_CHECKPOINT_BYTES = 128 << 20

_KINDS_BY_BYTES = {
    8: ("DoubleStorage", "LongStorage"),
    4: ("FloatStorage", "IntStorage"),
    2: ("HalfStorage", "BFloat16Storage", "ShortStorage"),
    1: ("CharStorage", "ByteStorage", "BoolStorage", "UntypedStorage"),
}
# bfloat16 is the upper half of a float32: it is not finite if all bits of the exponent are set.
_FLOATS = {"DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2"}
_BFLOAT16_EXPONENT = 0x7F80
_ITEM_BYTES = {kind: size for size, kinds in _KINDS_BY_BYTES.items() for kind in kinds}


def check_checkpoint(content: bytes) -> None:
    """Refuse a PyTorch file that is compressed, or declares more than it holds.

    Raises:
        ForeignNameError: It asks for something else than tensors and plain values, by name.
        ValueError: It is such a file, or none of PyTorch's since 1.6.
    """
    if len(content) > MOST_CHECKPOINT_BYTES:
        raise ValueError(f"it has {len(content)} bytes, more than {MOST_CHECKPOINT_BYTES}")
    with open_archive(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("it is compressed, as PyTorch never does")
        if sum(member.file_size for member in members) > len(content):
            raise ValueError("its records are larger than the file")
        pickles = [member for member in members if member.filename.endswith("/data.pkl")]
        if len(pickles) != 1 or pickles[0].file_size > MOST_PICKLE_BYTES:
            raise ValueError("it holds no data.pkl, or one that is too large")
        described = read_member(archive, pickles[0], pickles[0].file_size)
        root = pickles[0].filename.removesuffix("data.pkl")
        records = {member.filename: member for member in members}
        check = _SizeCheck(described, root, records)
        try:
            check.load()
        except ForeignNameError:
            raise
        except PICKLE_ERRORS as error:
            raise ValueError(str(error) or type(error).__name__) from error
        for record, kind in check.used.items():
            _require_finite(read_member(archive, records[record], records[record].file_size), kind)


def _require_finite(content: bytes, kind: str) -> None:
    if kind == "BFloat16Storage":
        bits = np.frombuffer(content, "<u2") & _BFLOAT16_EXPONENT
        finite = bool((bits != _BFLOAT16_EXPONENT).all())
    else:
        finite = kind not in _FLOATS or bool(
            np.isfinite(np.frombuffer(content, _FLOATS[kind])).all()
        )
    if not finite:
        raise ValueError("it holds weights that are not finite numbers")


class _SizeCheck(RestrictedUnpickler):
    """Builds no tensor, but compares the declared size of each with the bytes that are stored.

    All names of PyTorch are allowed, but for those of its modules, and stand for nothing:
    `torch.load` refuses them afterwards.
    """

    dispatch: ClassVar = RestrictedUnpickler.dispatch.copy()

    def __init__(self, content: bytes, root: str, records: dict[str, zipfile.ZipInfo]) -> None:
        super().__init__(io.BytesIO(content))
        self._root = root
        self._records = records
        self.used: dict[str, str] = {}
        """Records that tensors lie in, and what kind of numbers they hold."""

    def find_class(self, module: str, name: str) -> object:
        if module.partition(".")[0] not in {"torch", "collections"}:
            raise ForeignNameError(module, name)
        if module.startswith("torch.nn.modules"):
            # `torch.load` would refuse it as well, in words of its own.
            raise ForeignNameError(module, name)
        return Inert(f"{module}.{name}")

    def persistent_load(self, pid: object) -> object:
        if not isinstance(pid, tuple):
            raise pickle.UnpicklingError("it refers to something outside of it")
        _, kind, key, _, count = pid
        name, record = kind.name.rpartition(".")[2], f"{self._root}data/{key}"
        item_bytes, stored = _ITEM_BYTES[name], self._records[record].file_size
        if self.used.setdefault(record, name) != name:
            raise pickle.UnpicklingError("it reads the same numbers in two ways")
        if not 0 <= count * item_bytes <= stored:
            raise pickle.UnpicklingError(f"it declares {count} numbers in {stored} bytes")
        return Inert("storage", {"count": count})

    def load_reduce(self) -> None:
        arguments: tuple[Any, ...] = self.stack.pop()
        function = self.stack[-1]
        if function.name == "torch._utils._rebuild_tensor_v2":
            storage, _, shape = arguments[:3]
            declared = math.prod(shape)
            if declared > storage.state["count"]:
                raise pickle.UnpicklingError(
                    f"it declares a tensor of {declared} numbers and holds {storage.state['count']}"
                )
        # An ordered dictionary is filled after it was made.
        self.stack[-1] = {} if function.name == "collections.OrderedDict" else Inert("value")

    def load_newobj(self) -> None:
        self.stack.pop()
        self.stack[-1] = Inert("value")

    def load_build(self) -> None:
        self.stack.pop()

    dispatch[b"R"[0]] = load_reduce
    dispatch[b"\x81"[0]] = load_newobj
    dispatch[b"b"[0]] = load_build
