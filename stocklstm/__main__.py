"""The entry point of the console script and of `python -m stocklstm`."""

import io
import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # OpenBLAS starts a thread per core as NumPy is imported, which costs more time than any
    # product of matrices here would gain. A user's own setting stands.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _prepare_streams()
    _prepare_home()
    try:
        from stocklstm.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        # Before the command line is at work, which answers this itself.
        code = 130
    sys.exit(code)


def _prepare_streams() -> None:
    """Make stdout and stderr take whatever is written, wherever they lead."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Closed by the shell: words for nobody.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif isinstance(stream, io.TextIOWrapper):
            # What a terminal or a pipe cannot show becomes a question mark, not a traceback.
            stream.reconfigure(errors="replace")


def _prepare_home() -> None:
    """Name a home directory that does not exist where the user has none, as Debian does.

    In a container whose user has only a number, libraries fail as they look for their caches. What
    the program itself writes has an option or a variable for its place.
    """
    if os.path.expanduser("~") == "~":  # noqa: PTH111 - pathlib's raises
        os.environ["HOME"] = "/nonexistent"


if __name__ == "__main__":
    main()
