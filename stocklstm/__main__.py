"""The entry point of the console script and of `python -m stocklstm`."""

import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # OpenBLAS starts a thread per core as NumPy is imported, which costs more time than any
    # product of matrices here would gain. A user's own setting stands.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from stocklstm.cli.app import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
