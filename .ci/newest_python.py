"""Print the path of the newest Python of this machine that stocklstm promises to run on."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

MINORS = (14, 13, 12, 11)


def candidates(minor: int) -> list[str]:
    """List where a Python may lie: on the PATH, or among those of pyenv."""
    kept = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3"))
    return [*filter(None, [shutil.which(f"python3.{minor}")]), *map(str, reversed(kept))]


def runs(path: str, minor: int) -> bool:
    """Tell whether it is one, with what an environment needs."""
    code = "import sys, ensurepip, sqlite3, ssl, venv; print(sys.version_info.minor)"
    found = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
    return bool(re.fullmatch(rf"{minor}\s*", found.stdout)) and found.returncode == 0


if __name__ == "__main__":
    found = (path for minor in MINORS for path in candidates(minor) if runs(path, minor))
    print(next(found, sys.executable))
