"""What somebody who means harm, a failing disk or missing rights do to a store."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnx
from onnx import numpy_helper


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def replace_file(version: Path, name: str, content: bytes) -> None:
    """Change a file of a published version, and the manifest with it."""
    (version / name).write_bytes(content)
    manifest = json.loads((version / "manifest.json").read_text())
    manifest["files"][name] = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
    }
    replace_manifest(version, json.dumps(manifest))


def replace_manifest(version: Path, text: str) -> None:
    """Change the manifest of a published version, and its record in the database with it."""
    (version / "manifest.json").write_text(text)
    home, ticker, number = version.parents[2], version.parent.name, version.name[1:]
    with closing(sqlite3.connect(home / "stocklstm.db", isolation_level=None)) as connection:
        connection.execute(
            "UPDATE versions SET manifest_sha256 = ? WHERE ticker = ? AND version = ?",
            (hashlib.sha256(text.encode()).hexdigest(), ticker, int(number)),
        )


def flip_bit(path: Path, place: float) -> None:
    """Change one bit of a file.

    Args:
        path: The file.
        place: Where, from 0 (first byte) to below 1.
    """
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)


def noisy_graph(content: bytes) -> bytes:
    """Add noise to every weight of a serving graph."""
    model = onnx.load_model_from_string(content)
    random = np.random.default_rng(0)
    for tensor in model.graph.initializer:
        if tensor.name.startswith(("lstm", "head.w")):
            values = numpy_helper.to_array(tensor)
            noisy = (values + random.normal(0, 0.5, values.shape)).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(noisy, tensor.name))
    return bytes(model.SerializeToString())


def scaled_graph(content: bytes, factor: float) -> bytes:
    """Multiply the last weights of a serving graph."""
    model = onnx.load_model_from_string(content)
    for tensor in model.graph.initializer:
        if tensor.name.startswith("head.w"):
            values = numpy_helper.to_array(tensor) * np.float32(factor)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return bytes(model.SerializeToString())


@contextmanager
def os_refuses_to_write() -> Iterator[None]:
    """Pretend to be a user who may only read: permissions mean nothing to root."""
    may = os.access
    with patch("os.access", lambda path, mode: mode != os.W_OK and may(path, mode)):
        yield
