"""Every boundary of a writing system call in this process, and a fault at one of them.

Python's calls are wrapped where they are looked up; SQLite's own, which Python never sees, are
replaced through the table that its file system layer keeps for tests. A call that only reads is
no boundary.
"""

import builtins
import ctypes
import errno
import io
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

_NAMES = ("mkdir", "rename", "replace", "unlink", "remove", "rmdir", "link", "symlink", "truncate")
_HANDLES = ("write", "fsync", "fdatasync", "ftruncate", "fchmod")
_FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

# What a full disk, missing rights and a failing disk refuse: an answer is all that is simulated.
_REFUSED = {
    errno.ENOSPC: {"open", "mkdir", "write", "ftruncate", "fallocate", "link", "symlink", "fsync"},
    errno.EACCES: {"open", *_NAMES},
    errno.EIO: {"write", "fsync", "ftruncate", "rename", "replace", "unlink", "rmdir", "mkdir"},
}


@dataclass(frozen=True)
class Fault:
    """What happens where.

    Attributes:
        at: Number of the boundary, from 0; nothing happens if there are fewer.
        how: "before", "half" (of what was to be written; otherwise as "before") or "after" is
            when this process is killed; "error" is a call that is refused.
        errno: Of that error.
        lasting: True if every later call of its kind is refused as well.
    """

    at: int
    how: str
    errno: int = 0
    lasting: bool = False


@dataclass
class Boundaries:
    """Counts them.

    Attributes:
        fault: What is to happen; None to count only.
        crossed: The name of each, in order; SQLite's begin with "sqlite".
        struck: Names of the calls that were refused.
    """

    fault: Fault | None
    crossed: list[str] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)

    def cross(
        self, name: str, whole: Callable[[], Any], half: Callable[[], object] | None = None
    ) -> Any:
        """Make a call, unless the fault comes first.

        Args:
            name: The call's.
            whole: Makes it.
            half: Writes the first half of what it would.

        Returns:
            What the call returns.

        Raises:
            OSError: It is refused.
        """
        number = len(self.crossed)
        self.crossed.append(name)
        if self.fault is None or number < self.fault.at:
            return whole()
        if self.fault.how == "error":
            if self._refuses(name, number):
                self.struck.append(name)
                # A full disk takes what it has room for.
                if half is not None and self.fault.errno == errno.ENOSPC:
                    half()
                raise OSError(self.fault.errno, os.strerror(self.fault.errno))
            return whole()
        if number == self.fault.at:
            if self.fault.how == "after":
                whole()
            elif self.fault.how == "half" and half is not None:
                half()
            _die()
        return whole()

    def _refuses(self, name: str, number: int) -> bool:
        kind = name.rpartition(" ")[2]
        if kind not in _REFUSED[self.fault.errno]:
            return False
        return self.fault.lasting or number == self.fault.at or not self.struck


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def install(boundaries: Boundaries) -> None:
    """Count from now on, until this process ends."""
    _wrap_python(boundaries)
    _wrap_open(boundaries)
    _wrap_sqlite(boundaries)


def _wrap_python(boundaries: Boundaries) -> None:
    for name in (*_NAMES, *_HANDLES):
        real = getattr(os, name)

        def call(*args: object, _name: str = name, _real: Any = real, **options: object) -> Any:
            return boundaries.cross(_name, lambda: _real(*args, **options))

        setattr(os, name, call)
    real_open = os.open

    def opened(path: Any, flags: int, *args: Any, **options: Any) -> int:
        if not flags & _FOR_WRITING:
            return real_open(path, flags, *args, **options)
        return boundaries.cross("open", lambda: real_open(path, flags, *args, **options))

    os.open = opened


def _wrap_open(boundaries: Boundaries) -> None:
    """Let every file that Python opens for writing cross a boundary with each write."""
    real = builtins.open

    class Counted(io.FileIO):
        def write(self, content: Any) -> int:
            view = memoryview(content).cast("B")
            return boundaries.cross(
                "write",
                lambda: io.FileIO.write(self, view),
                lambda: io.FileIO.write(self, view[: len(view) // 2]),
            )

    def opened(
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        if not set("wax+") & set(mode):
            return real(file, mode, buffering, encoding, errors, newline, closefd, opener)
        plain = mode.replace("b", "").replace("t", "")
        raw = Counted(file, plain, closefd, opener or _as_python_does)
        kind = io.BufferedRandom if "+" in mode else io.BufferedWriter
        buffered = kind(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

    builtins.open = io.open = opened


def _as_python_does(path: str, flags: int) -> int:
    return os.open(path, flags, 0o666)


class _Vfs(ctypes.Structure):
    """sqlite3_vfs, version 3."""

    _fields_ = [
        ("iVersion", ctypes.c_int),
        ("szOsFile", ctypes.c_int),
        ("mxPathname", ctypes.c_int),
        ("pNext", ctypes.c_void_p),
        ("zName", ctypes.c_char_p),
        ("pAppData", ctypes.c_void_p),
        *((f"method{number}", ctypes.c_void_p) for number in range(13)),
        ("xSetSystemCall", ctypes.c_void_p),
        ("xGetSystemCall", ctypes.c_void_p),
    ]


_INT, _POINTER, _SIZE, _OFFSET = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64

# Result and arguments of the calls that change a file or a name; which of the writing ones there
# are is decided where SQLite is built.
_CALLS = {
    "open": (_INT, ctypes.c_char_p, _INT, _INT),
    "write": (ctypes.c_ssize_t, _INT, _POINTER, _SIZE),
    "pwrite": (ctypes.c_ssize_t, _INT, _POINTER, _SIZE, _OFFSET),
    "pwrite64": (ctypes.c_ssize_t, _INT, _POINTER, _SIZE, _OFFSET),
    "ftruncate": (_INT, _INT, _OFFSET),
    "fallocate": (_INT, _INT, _OFFSET, _OFFSET),
    "unlink": (_INT, ctypes.c_char_p),
}

# The table holds addresses only: what they lead to must not be collected.
_kept: list[object] = []


def sees_sqlite() -> bool:
    """Tell whether SQLite's own calls can be counted here: not if it is linked statically."""
    return _find_vfs() is not None


def _find_vfs() -> int | None:
    import _sqlite3

    try:
        find = ctypes.CDLL(_sqlite3.__file__).sqlite3_vfs_find
    except (AttributeError, OSError):
        return None
    find.restype, find.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    address: int | None = find(None)
    if address is None or _Vfs.from_address(address).iVersion < 3:
        return None
    return address


def _wrap_sqlite(boundaries: Boundaries) -> None:
    address = _find_vfs()
    if address is None:
        return
    vfs = _Vfs.from_address(address)
    name_and = (ctypes.c_void_p, ctypes.c_char_p)
    get = ctypes.CFUNCTYPE(ctypes.c_void_p, *name_and)(vfs.xGetSystemCall)
    put = ctypes.CFUNCTYPE(_INT, *name_and, ctypes.c_void_p)(vfs.xSetSystemCall)
    for name, signature in _CALLS.items():
        found = get(address, name.encode())
        if not found:
            continue
        kind = ctypes.CFUNCTYPE(*signature, use_errno=True)
        ours = kind(_counted(boundaries, name, kind(found)))
        _kept.append(ours)
        assert put(address, name.encode(), ctypes.cast(ours, ctypes.c_void_p)) == 0


def _counted(boundaries: Boundaries, name: str, real: Any) -> Callable[..., int]:
    plain = "write" if "write" in name else name

    def call(*args: Any) -> int:
        if name == "open" and not args[1] & _FOR_WRITING:
            return int(real(*args))
        half = (lambda: real(*args[:2], args[2] // 2, *args[3:])) if plain == "write" else None
        try:
            return int(boundaries.cross(f"sqlite {plain}", lambda: real(*args), half))
        except OSError as error:
            ctypes.set_errno(error.errno or 0)
            return -1
        except BaseException as error:  # noqa: BLE001 - there is no way out through SQLite
            sys.__stderr__.write(f"{error!r}\n")
            _die()

    return call
