"""The entry point of the console script and of `python -m stocklstm`."""

# Before `main` nothing is imported but what Python loads as it starts: Ctrl-C would still end in a
# traceback then.
import codecs
import io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PLAINLY = "stocklstm.plainly"
_PLAIN = {
    "…": "...",
    **dict.fromkeys("–−·─", "-"),
    **dict(zip("×²↑↓", "x2^v", strict=True)),
    "σ": "sigma",
    "€": "EUR",
    "£": "GBP",
    "¥": "JPY",
    "₹": "INR",
}


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        # OpenBLAS starts a thread per core as NumPy is imported, which costs more time than any
        # product of matrices here would gain. A user's own setting stands.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        _prepare_streams()
        _prepare_home()
        from stocklstm.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        # Before the command line is at work, which answers this itself.
        code = 130
    sys.exit(code)


def _prepare_streams() -> None:
    """Make stdout and stderr take whatever is written, wherever they lead."""
    # A file that is opened later must not get the number of a stream that the shell closed: what
    # libraries write to that stream would be written into the file.
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Closed by the shell: words for nobody.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif isinstance(stream, io.TextIOWrapper):
            # What a terminal or a pipe cannot show becomes plain letters, not a traceback. Lines
            # end as they were made to: Windows would add to those of a table for Excel.
            stream.reconfigure(errors=_PLAINLY, newline="\n")
            if name == "stderr":
                words = io.BufferedWriter(_Words(stream))
                sys.stderr = io.TextIOWrapper(words, stream.encoding, _PLAINLY, line_buffering=True)


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding has no character for with those that every one has."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wanted = error.object[error.start : error.end]
    return "".join(_PLAIN.get(char) or _without_accent(char) for char in wanted), error.end


def _without_accent(char: str) -> str:
    # Only here: few terminals have no letter with an accent.
    from unicodedata import normalize

    letter = normalize("NFKD", char)[:1]
    return letter if " " < letter <= "~" else "?"


codecs.register_error(_PLAINLY, _plain)


class _Words(io.RawIOBase):
    """stderr, where nobody may listen any more: that is no reason to end, nor to end otherwise.

    Typer, Rich and Python itself write there, and each would end with an exit code of its own.
    """

    def __init__(self, stream: io.TextIOWrapper) -> None:
        # Held, since it would close its descriptor at its end.
        self._stream = stream
        self._raw: Any = getattr(stream.buffer, "raw", stream.buffer)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, words: "Any") -> int:  # noqa: ANN401 - whatever has bytes
        try:
            # Nothing is written where it would have to wait.
            return int(self._raw.write(words) or len(words))
        except OSError:
            return len(words)


def _prepare_home() -> None:
    """Name a home directory that does not exist where the user has none, as Debian does.

    In a container whose user has only a number, libraries fail as they look for their caches. What
    the program itself writes has an option or a variable for its place.
    """
    if os.path.expanduser("~") == "~":  # noqa: PTH111 - pathlib's raises
        os.environ["HOME"] = "/nonexistent"


if __name__ == "__main__":
    main()
