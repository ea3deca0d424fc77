"""The program where Windows would have it: without what POSIX alone has.

What is hidden is hidden from stocklstm alone: the libraries, and the standard library itself, are
those of this machine. `python -m tests.support.limited_system [WORDS, …]` runs command lines, one
after the other, and prints the exit code of each.
"""

import builtins
import importlib
import json
import os
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

MISSING = {
    "os": {
        *("O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_SYNC", "chown", "fchmod"),
        *("fork", "forkpty", "getegid", "geteuid", "getgid", "getpgid", "getuid", "killpg"),
        *("lchown", "link", "mkfifo", "nice", "pread", "pwrite", "sched_getaffinity"),
        *("set_blocking", "setsid", "statvfs", "sync", "sysconf", "uname", "wait4"),
    },
    "select": {"epoll", "poll"},
    "signal": {
        *("ITIMER_REAL", "SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIG_BLOCK"),
        *("SIG_SETMASK", "alarm", "pthread_sigmask", "setitimer", "sigwait"),
    },
}
"""What Windows has not, by the module of the standard library."""

NO_MODULES = {"fcntl", "grp", "posix", "pwd", "resource", "syslog", "termios", "tty"}


class Limited(ModuleType):
    """A module without what Windows has not, and with what it has instead."""

    def __init__(self, module: ModuleType, **more: object) -> None:
        super().__init__(module.__name__)
        self.__dict__.update(more, _module=module)

    def __getattr__(self, name: str) -> Any:
        if name in MISSING[self.__name__]:
            raise AttributeError(name)
        return getattr(self._module, name)


def limited(name: str) -> Any:
    """Import a module as Windows has it."""
    if name in NO_MODULES:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    module = importlib.import_module(name)
    return Limited(module) if name in MISSING else module


def limit_ours() -> None:
    """Hide from stocklstm, which is not imported yet, what Windows has not."""
    assert not any(name.startswith("stocklstm") for name in sys.modules)
    real = builtins.__import__
    found = {each.__name__: Limited(each) for each in (os, select, signal)}

    def imported(name: str, *words: Any, **named: Any) -> Any:
        asking = words[0] if words else named.get("globals")
        if str((asking or {}).get("__name__")).startswith("stocklstm"):
            if name in NO_MODULES:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            if name in found:
                return found[name]
        return real(name, *words, **named)

    builtins.__import__ = imported


def keep_open_files(place: Path) -> None:
    """Refuse to rename or remove what is open below a place, and to open a directory, there."""
    below = f"{place.resolve()}{os.sep}"

    def look(event: str, words: tuple[Any, ...]) -> None:
        if event in {"os.rename", "os.remove"}:
            for word in words[: 2 if event == "os.rename" else 1]:
                path = str(Path(os.fsdecode(word)).absolute())
                if path.startswith(below) and _is_open(path):
                    raise PermissionError(13, "it is open", path)
        elif event == "open" and words[1] is None and isinstance(words[0], (str, os.PathLike)):
            # os.open; shutil opens directories as well, where there is no Windows.
            asking = str(sys._getframe(1).f_globals.get("__name__"))
            if asking.startswith("stocklstm") and Path(words[0]).is_dir():
                raise PermissionError(13, "it is a directory", str(words[0]))

    sys.addaudithook(look)


def rename_closed(old: Path, new: Path) -> None:
    """Rename as Windows does: neither what is open, nor a directory in which something is."""
    if _is_open(str(old)):
        error = PermissionError(13, "it is open", str(old), None, str(new))
        error.winerror = 5 if old.is_dir() else 32  # type: ignore[attr-defined]
        raise error
    os.rename(old, new)  # noqa: PTH104 - as what it stands for


def _is_open(path: str) -> bool:
    """Tell whether this process has a file, or one in a directory, open."""
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            target = descriptor.readlink()
            if f"{target}{os.sep}".startswith(f"{path}{os.sep}") and target.is_file():
                return True
    return False


def main(commands: list[list[str]], place: Path) -> None:
    """Run command lines as `stocklstm` does, and print the exit code of each."""
    limit_ours()
    from stocklstm.core import operating_system

    on = operating_system.Windows(limited("os"), limited("signal"), limited, patience_s=0.05)
    operating_system._This.system = on
    keep_open_files(place)
    from stocklstm.__main__ import main as program

    codes = []
    for words in commands:
        sys.argv = ["stocklstm", *words]
        try:
            program()
        except SystemExit as end:
            codes.append(end.code)
        sys.stdout.flush()
    sys.__stdout__.write(json.dumps(codes))
    sys.__stdout__.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), Path(sys.argv[2]))
