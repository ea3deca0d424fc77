"""Files of other programs, recognized by how they begin, so that they are refused by name."""

import io
import zipfile
from typing import NamedTuple

from stocklstm.core.zips import ZIP_ERRORS, open_archive

# The number that PyTorch began its files with before 1.6, as pickled.
_OLD_TORCH = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."


class Foreign(NamedTuple):
    """A file that is not read.

    Attributes:
        what: What it is, with an article.
        remedy: The line of Python that makes of it what is read; empty where there is none.
    """

    what: str
    remedy: str = ""


def foreign_file(content: bytes, name: str) -> Foreign | None:
    """Recognize a file that is no PyTorch file of weights; None if it may be one."""
    if content.startswith(b"PK\x03\x04"):
        return _archive(content, name)
    known = {
        "a Keras model (HDF5)": content.startswith(b"\x89HDF\r\n\x1a\n"),
        "an ONNX graph": name.lower().endswith(".onnx"),
        "a TensorFlow Lite model": content[4:8] == b"TFL3",
    }
    for what, found in known.items():
        if found:
            return Foreign(what)
    if _OLD_TORCH in content[:64]:
        line = f'torch.save(torch.load("{name}", weights_only=True), "model_lstm.pth")'
        return Foreign("of PyTorch before 1.6, or written so", line)
    if content[8:10] == b'{"':
        line = f'torch.save(safetensors.torch.load_file("{name}"), "model_lstm.pth")'
        return Foreign("a safetensors file", line)
    pickled = content.startswith(tuple(bytes([0x80, protocol]) for protocol in range(2, 6)))
    return Foreign("a pickle, and no file of PyTorch's") if pickled else None


def _archive(content: bytes, name: str) -> Foreign | None:
    try:
        with open_archive(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except (ValueError, zipfile.BadZipFile, *ZIP_ERRORS):
        return None
    if "config.json" in names and any(each.endswith(".h5") for each in names):
        return Foreign("a Keras model")
    if any(each.endswith("/constants.pkl") for each in names):
        line = f'torch.save(torch.jit.load("{name}").state_dict(), "model_lstm.pth")'
        return Foreign("a TorchScript program", line)
    return None
