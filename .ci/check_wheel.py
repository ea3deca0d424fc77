"""Refuse a wheel that holds anything but the package, or misses what the package needs.

Run: python .ci/check_wheel.py WHEEL
"""

import configparser
import sys
from pathlib import Path
from zipfile import ZipFile

COMMAND = "stocklstm.__main__:main"
SOURCES = {"b3", "csv", "sample", "yahoo"}
NEEDED = {"stocklstm/py.typed", "stocklstm/data/PETR4.SA.csv"}


def faults(wheel: Path, tree: Path) -> list[str]:
    """List what is wrong with a wheel that was built of a tree."""
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        about = next(
            name.partition("/")[0] for name in names if name.endswith(".dist-info/METADATA")
        )
        entries = configparser.ConfigParser(delimiters="=")
        entries.read_string(archive.read(f"{about}/entry_points.txt").decode())
    ours = {
        f"stocklstm/{path.relative_to(tree / 'stocklstm').as_posix()}"
        for path in (tree / "stocklstm").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    held = {name for name in names if not name.startswith(f"{about}/")}
    found = [f"{name} is in the wheel and not in the package" for name in sorted(held - ours)]
    found += [f"{name} is not in the wheel" for name in sorted((ours | NEEDED) - held)]
    if dict(entries["console_scripts"]) != {"stocklstm": COMMAND}:
        found.append(f"its commands are {dict(entries['console_scripts'])}")
    if set(entries["stocklstm.sources"]) != SOURCES:
        found.append(f"its sources are {sorted(entries['stocklstm.sources'])}")
    if f"{about}/licenses/LICENSE" not in names:
        found.append("it has no licence")
    return found


if __name__ == "__main__":
    wrong = faults(Path(sys.argv[1]), Path(__file__).parent.parent)
    print("\n".join(wrong) or f"{Path(sys.argv[1]).name}: the package, its command and its sources")
    raise SystemExit(bool(wrong))
