"""What Linux, macOS and Windows do differently: nobody else uses a name that one of them has not.

`system()` is the one that the program runs on. Each takes the modules of the standard library that
it needs, so that all three can be tried anywhere.
"""

import errno
import importlib
import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

# An indexer or a virus scanner has a file open for a moment after it was written.
_PATIENCE_S = 2.0
_PAUSE_S = 0.02

# What Windows calls a file that another program has open, or has locked a part of.
_IN_USE = {32, 33}
_ACCESS_DENIED = 5

# LOCALE_NAME_MAX_LENGTH.
_LOCALE_NAME = 85

# Of glibc's <malloc.h>: M_MMAP_THRESHOLD at the most it takes, so that large blocks come from the
# heap; M_TRIM_THRESHOLD, how much of its end may be free; M_TOP_PAD, how much is asked for at once.
_KEPT = {-3: 32 << 20, -1: 512 << 20, -2: 16 << 20}


class OpenDirectory:
    """A directory that is open, as far as the system can open one."""

    def lock(self) -> bool | None:
        """Lock it; False if another process has it locked, None if it cannot be locked."""
        return None


class _LockableDirectory(OpenDirectory):
    def __init__(self, descriptor: int, fcntl: Any) -> None:  # noqa: ANN401 - a module
        self._descriptor, self._fcntl = descriptor, fcntl

    def lock(self) -> bool | None:
        try:
            self._fcntl.flock(self._descriptor, self._fcntl.LOCK_EX | self._fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            # NFS, among others, locks no directories.
            return None
        return True


class OperatingSystem:
    """What POSIX has, where it has it; a name that is missing is done without.

    Attributes:
        name: As `sys.platform` has it.
        scheduler: What runs programs in the evening, as `schedule --for` calls it.
        viewer: Program that opens a picture; "" if the system does so itself.
        moves_open_files: Whether a file that somebody has open can be renamed and removed.
        more_files: What helps a process that may open no more files.
        larger_files: What helps one that may make no larger files.
        random: The command of a shell that prints a new secret.
        then: What stands between two commands, of which the second follows the first.
    """

    name = "linux"
    scheduler = "cron"
    viewer = "xdg-open"
    moves_open_files = True
    more_files = "allow more with: ulimit -n 4096"
    larger_files = "allow larger files with: ulimit -f unlimited"
    random = "openssl rand -hex 32"
    then = " && "
    _put = "mv"

    def __init__(
        self,
        os: Any = os,  # noqa: ANN401 - modules
        signal: Any = signal,  # noqa: ANN401
        module: Callable[[str], Any] = importlib.import_module,
    ) -> None:
        """Take the standard library as this system has it.

        Args:
            os: The module, or one like it.
            signal: Likewise.
            module: Imports others, such as `fcntl`.
        """
        self._os, self._signal, self._module = os, signal, module

    # Files.

    def open(self, path: Path | str, flags: int, mode: int = 0o600) -> int:
        """Open a file as it is, byte by byte; give its descriptor."""
        return int(self._os.open(path, flags | self._flag("O_BINARY"), mode))

    def open_regular(self, path: Path) -> int:
        """Open a file for reading that is no symbolic link; never wait for a pipe.

        Raises:
            OSError: It cannot be opened; with `ELOOP` for a symbolic link.
        """
        nofollow = self._flag("O_NOFOLLOW")
        if not nofollow and path.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        return self.open(path, os.O_RDONLY | nofollow | self._flag("O_NONBLOCK"))

    def open_pipe(self, path: Path, patience_s: float) -> int:
        """Open a pipe for reading, if somebody has it open to write, or opens it before long.

        Raises:
            OSError: It cannot be opened; with `ETIMEDOUT` and words of our own if nobody does.
        """
        select = self._module("select")
        if not hasattr(select, "poll"):
            return self.open(path, os.O_RDONLY)
        descriptor = self.open(path, os.O_RDONLY | self._flag("O_NONBLOCK"))
        try:
            _await_writer(descriptor, select, patience_s)
            self._os.set_blocking(descriptor, True)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def sync_file(self, descriptor: int) -> None:
        """Wait until what was written to a file is on the disk."""
        self._os.fsync(descriptor)

    def sync_directory(self, path: Path) -> None:
        """Wait until the entries of a directory are on the disk, where one can."""
        handle = self.open(path, os.O_RDONLY)
        try:
            self.sync_file(handle)
        finally:
            os.close(handle)

    def sync_all(self) -> None:
        """Wait until everything is on the disk, where one can."""
        if hasattr(self._os, "sync"):
            self._os.sync()

    def rename(self, old: Path, new: Path) -> None:
        """Give a file or directory a name that nothing has yet."""
        self._os.rename(old, new)

    def replace(self, old: Path, new: Path) -> None:
        """Put a file in the place of another."""
        self._os.replace(old, new)

    def remove_tree(self, path: Path) -> None:
        """Delete a directory with all that is in it."""
        import shutil

        shutil.rmtree(path)

    def make_like(self, path: Path, other: os.stat_result) -> None:
        """Give a file the owner and the rights of another, as far as we may."""
        if hasattr(self._os, "chown"):
            with suppress(PermissionError):
                self._os.chown(path, other.st_uid, other.st_gid)
        self._os.chmod(path, stat.S_IMODE(other.st_mode))

    @contextmanager
    def directory(self, path: Path) -> Iterator[OpenDirectory]:
        """Open a directory, so that it can be locked where the system locks directories.

        Raises:
            OSError: There is none of that name, or it may not be read.
        """
        if path.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        try:
            fcntl = self._module("fcntl")
        except ImportError:
            self._os.listdir(path)
            yield OpenDirectory()
            return
        flags = self._flag("O_DIRECTORY") | self._flag("O_NOFOLLOW")
        descriptor = self.open(path, os.O_RDONLY | flags)
        try:
            yield _LockableDirectory(descriptor, fcntl)
        finally:
            os.close(descriptor)

    def is_in_use(self, error: OSError) -> bool:
        """Tell whether an error says that another program has the file open."""
        number = getattr(error, "winerror", None)
        # A directory in which a file is open is not renamed either, in other words.
        return number in _IN_USE or (number == _ACCESS_DENIED and error.filename2 is not None)

    def show(self, path: str) -> None:
        """Open a file as if somebody had clicked on it; only where there is no `viewer`."""
        self._os.startfile(path)

    # Signals and processes.

    @property
    def stop_signals(self) -> tuple[int, ...]:
        """Signals that ask a program to stop."""
        names = ("SIGINT", "SIGTERM", "SIGHUP")
        return tuple(getattr(self._signal, name) for name in names if hasattr(self._signal, name))

    @property
    def hang_up(self) -> int | None:
        """The signal of a terminal that is closed; None where there is none."""
        return getattr(self._signal, "SIGHUP", None)

    @contextmanager
    def signals_blocked(self, kinds: tuple[int, ...]) -> Iterator[None]:
        """Hold signals back in this thread, and in processes that it starts, where one can."""
        block = getattr(self._signal, "pthread_sigmask", None)
        if block is None:
            yield
            return
        before = block(self._signal.SIG_BLOCK, kinds)
        try:
            yield
        finally:
            block(self._signal.SIG_SETMASK, before)

    def interrupt_after(self, seconds: float) -> None:
        """Interrupt the main thread, as Ctrl-C does, a moment later."""
        alarm = getattr(self._signal, "SIGALRM", None)
        if alarm is not None and hasattr(self._signal, "setitimer"):
            self._signal.signal(alarm, signal.default_int_handler)
            self._signal.setitimer(self._signal.ITIMER_REAL, seconds)
            return
        import _thread
        from threading import Timer

        # As an alarm, of a kind that is not heeded otherwise, where there is one.
        kind = getattr(self._signal, "SIGBREAK", self._signal.SIGINT)
        self._signal.signal(kind, signal.default_int_handler)
        timer = Timer(seconds, _thread.interrupt_main, (kind,))
        timer.daemon = True
        timer.start()

    def keep_freed_memory(self) -> None:
        """Keep memory that was freed for what is needed next, where it would be given back."""

    def is_parent(self, process: int) -> bool:
        """Tell whether a process that has started this one still lives."""
        return bool(self._os.getppid() == process)

    # Words.

    def user_locale(self) -> str:
        """Name the locale that the user chose in the system's own settings; "" if it cannot say."""
        return ""

    def quoted(self, text: str) -> str:
        """Put an argument in quotation marks if a shell would take it apart."""
        if set(text) & set('$`"\\!'):
            return "'" + text.replace("'", "'\\''") + "'"
        return f'"{text}"' if set(text) & set(" '&();<>|*?#") else text

    def set_variable(self, name: str, value: str) -> str:
        """Write the command of a shell that sets a variable for the programs it starts."""
        import shlex

        return f"export {name}={shlex.quote(value)}"

    def set_secret(self, name: str) -> str:
        """Write the command that sets a variable to a new secret."""
        return f"export {name}=$({self.random})"

    def unset_variable(self, name: str) -> str:
        """Write the command that takes a variable away again."""
        return f"unset {name}"

    def replace_link(self, path: str) -> str:
        """Write the command that puts a copy in the place of a symbolic link."""
        link, copy = self.quoted(path), self.quoted(f"{path}.copy")
        return f"cp {link} {copy}{self.then}{self._put} {copy} {link}"

    def _flag(self, name: str) -> int:
        return getattr(self._os, name, 0)


class Linux(OperatingSystem):
    """Linux, and whatever is like it."""

    def keep_freed_memory(self) -> None:
        """See `OperatingSystem.keep_freed_memory`; only glibc can be told so."""
        try:
            tell = self._module("ctypes").CDLL(None).mallopt
        except (AttributeError, ImportError, OSError):
            return
        for option, size in _KEPT.items():
            tell(option, size)


class MacOs(OperatingSystem):
    """macOS: what fsync has written may still be in the memory of the disk itself."""

    name = "darwin"
    viewer = "open"

    def sync_file(self, descriptor: int) -> None:
        """Wait until the disk itself has written it, if it can say so."""
        fcntl = self._module("fcntl")
        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        except (AttributeError, OSError):
            super().sync_file(descriptor)


class Windows(OperatingSystem):
    """Windows: what is open is neither renamed nor removed, and a directory cannot be opened."""

    name = "win32"
    scheduler = "windows"
    viewer = ""
    moves_open_files = False
    # Neither has a limit that a shell could raise.
    more_files = "name fewer tickers at a time"
    larger_files = "take a disk with NTFS, since FAT ends at 4 GiB"
    random = 'python -c "import secrets; print(secrets.token_hex())"'
    # The PowerShell that Windows comes with has no other.
    then = "; "
    _put = "mv -Force"

    def __init__(self, *modules: Any, patience_s: float = _PATIENCE_S) -> None:  # noqa: ANN401 - modules
        """See `OperatingSystem`.

        Args:
            modules: What that takes.
            patience_s: Seconds for which a file that another program has open is waited for.
        """
        super().__init__(*modules)
        self._patience_s = patience_s
        self._parents: dict[int, Any] = {}

    def sync_directory(self, path: Path) -> None:
        """Do nothing: NTFS keeps a journal of its directories."""

    def rename(self, old: Path, new: Path) -> None:
        """See `OperatingSystem.rename`; a scanner that has it open is waited for."""
        self._patiently(lambda: self._os.rename(old, new))

    def replace(self, old: Path, new: Path) -> None:
        """See `OperatingSystem.replace`; a scanner that has it open is waited for."""
        self._patiently(lambda: self._os.replace(old, new))

    def remove_tree(self, path: Path) -> None:
        """See `OperatingSystem.remove_tree`; a scanner that has a file open is waited for."""
        self._patiently(lambda: super(Windows, self).remove_tree(path))

    def make_like(self, path: Path, other: os.stat_result) -> None:
        """Do nothing: rights come from the directory."""

    def is_parent(self, process: int) -> bool:
        """See `OperatingSystem.is_parent`: the number of the parent stays when it has ended."""
        if process not in self._parents:
            self._parents[process] = self._process(process)
        found = self._parents[process]
        return found is not None and bool(found.is_running())

    def user_locale(self) -> str:
        """See `OperatingSystem.user_locale`; such as pt-BR."""
        try:
            ctypes = self._module("ctypes")
            name = ctypes.create_unicode_buffer(_LOCALE_NAME)
            found = ctypes.windll.kernel32.GetUserDefaultLocaleName(name, _LOCALE_NAME)
        except (AttributeError, ImportError, OSError):
            return ""
        return str(name.value) if found else ""

    def quoted(self, text: str) -> str:
        """Put an argument in quotation marks that both cmd and PowerShell know.

        Neither has any that keep the other from putting in a variable.
        """
        return f'"{text}"' if set(text) & set(" '&();<>|*?#^=,@{}`$!%") else text

    def set_variable(self, name: str, value: str) -> str:
        """Write it for PowerShell."""
        text = value.replace("'", "''")
        return f"$env:{name} = '{text}'"

    def set_secret(self, name: str) -> str:
        """Write it for PowerShell."""
        return f"$env:{name} = {self.random}"

    def unset_variable(self, name: str) -> str:
        """Write it for PowerShell."""
        return f"Remove-Item Env:{name}"

    def _process(self, number: int) -> Any:  # noqa: ANN401 - psutil has no types
        psutil = self._module("psutil")
        try:
            return psutil.Process(number)
        except psutil.NoSuchProcess:
            return None

    def _patiently(self, act: Callable[[], None]) -> None:
        until = time.monotonic() + self._patience_s
        while True:
            try:
                act()
            except PermissionError:
                if time.monotonic() >= until:
                    raise
                time.sleep(_PAUSE_S)
            else:
                return


def _await_writer(descriptor: int, select: Any, patience_s: float) -> None:  # noqa: ANN401 - a module
    polled = select.poll()
    polled.register(descriptor, select.POLLIN)
    # Somebody has written, or has come and gone.
    if polled.poll(1000 * patience_s):
        return
    try:
        # Nothing to read is the end of the file where nobody has it open to write.
        alone = os.read(descriptor, 1) == b""
    except BlockingIOError:
        alone = False
    if alone:
        raise OSError(errno.ETIMEDOUT, "it is a pipe, and nobody writes to it")


class _This:
    system: OperatingSystem = {"win32": Windows, "darwin": MacOs}.get(sys.platform, Linux)()


def system() -> OperatingSystem:
    """Return the system that the program runs on."""
    return _This.system
