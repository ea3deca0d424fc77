"""Record all that the program prints and stores for short trainings, and compare two records.

Run: python -m tests.support.behaviour record FILE [--only WORD]
     python -m tests.support.behaviour compare BEFORE AFTER

For whoever moves code without meaning to change what it does. Records of one machine can be
compared: another processor adds up in another order. Times and paths are masked.
"""

import argparse
import difflib
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

TICKER = "PETR4.SA"

SHORT = [
    *("--epochs", "2", "--hidden-size", "12", "--num-layers", "1"),
    *("--dropout", "0.1", "--seq-length", "10"),
]

# A second ticker from the same prices: a pool needs more than one, and the sample has one.
COPY = "VALE3.SA"

METHODS = {
    "dynamic": [],
    "dynamic-per-tensor": ["--method", "dynamic", "--per-tensor"],
    "static": ["--method", "static"],
    "fp16": ["--method", "fp16"],
    "int4": ["--method", "int4", "--calibration-windows", "32"],
    "qat": ["--method", "qat", "--epochs", "1"],
    "qat-4": ["--method", "qat", "--epochs", "1", "--bits", "4"],
    "prune": ["--method", "prune", "--epochs", "1"],
    "prune-structured": ["--method", "prune", "--epochs", "1", "--structured"],
    "distill": ["--method", "distill", "--student-hidden", "6"],
    "pipeline": ["--method", "pipeline", "--epochs", "1"],
}


def commands(scratch: Path) -> dict[str, list[str]]:
    """Give the command lines by name, in the order in which they run.

    Args:
        scratch: For files that they read and write.
    """
    one = ["-t", TICKER]
    classic = str(scratch / "classic")
    cut = str(scratch / "cut.csv")
    steps: dict[str, list[str]] = {
        "predict empty": ["predict"],
        "train empty": ["train", *one, "--no-fetch"],
        "fetch": ["fetch", "--source", "sample", *one],
        "fetch again": ["fetch", "--source", "sample", *one],
        "fetch csv": ["fetch", "--source", "csv", "--file", cut, "-t", COPY],
        "fetch without a file": ["fetch", "--source", "csv", "-t", COPY],
        "train dry run": ["train", *one, *SHORT, "--dry-run"],
        "train calibrated": ["train", *one, *SHORT],
        "train paper": ["train", *one, "--preset", "paper", *SHORT, "--promote", "never"],
        "train short": ["train", *one, "--preset", "paper-short", *SHORT, "--promote", "never"],
        "train features": [
            *("train", *one, *SHORT, "--features", "return,volatility,range"),
            *("--horizon", "2", "--promote", "never"),
        ],
        "train warm": ["train", *one, *SHORT, "--from", f"{TICKER}@v1", "--promote", "never"],
        "train unknown": ["train", *one, "--features", "nothing"],
        "train other": ["train", "-t", COPY, *SHORT, "--batch-size", "64"],
        "train jobs": ["train", *one, "-t", COPY, *SHORT, "--jobs", "2"],
        "train pooled": ["train", "--pooled", "--name", "b3", *one, "-t", COPY, *SHORT],
        "evaluate": ["evaluate", *one],
        "evaluate versions": [
            "evaluate",
            *(w for v in (2, 3, 4) for w in ("-t", f"{TICKER}@v{v}")),
        ],
        "evaluate compare": ["evaluate", "--compare", f"{TICKER}@v1", f"{TICKER}@v2"],
        "evaluate all": ["evaluate", "--all"],
        "evaluate model": ["evaluate", "--model", "b3"],
        "evaluate walk": ["evaluate", *one, "--walk-forward", "250"],
        "predict": ["predict"],
        "predict again": ["predict", *one],
        "predict horizon": ["predict", *one, "--horizon", "5", "--levels", "0.5,0.9"],
        "predict paper": ["predict", "-t", f"{TICKER}@v2"],
        "predict pooled": ["predict", "--model", "b3"],
        "predict strict": ["predict", "--strict", "--max-age", "10"],
        "predict csv": ["predict", *one, "--csv", "-"],
        "predict plot": ["predict", *one, "--plot"],
        "predict missing": ["predict", *one, "-t", "NOPE3.SA"],
        **{f"predict at {n}": ["predict", "--at", f"2023-09-{n:02}"] for n in range(1, 30, 4)},
        "predict adaptive": ["predict", *one, "--adaptive"],
        "evaluate live": ["evaluate", "--live"],
        "validate": ["validate"],
        "validate deep": ["validate", *one, "--deep"],
        "validate leakage": ["validate", *one, "--leakage"],
        "validate pool leakage": ["validate", "-t", "+b3", "--leakage"],
        "validate all": ["validate", "--all"],
        "validate prices": ["validate", "--prices"],
        **{
            f"quantize {name}": ["quantize", "-t", f"{TICKER}@v1", *options]
            for name, options in METHODS.items()
        },
        "quantize pool": ["quantize", "-t", "+b3"],
        "quantize wrong": ["quantize", *one, "--method", "fp16", "--bits", "4"],
        "tune": ["tune", *one, *SHORT, "--trials", "2", "--jobs", "1"],
        "models list": ["models", "list"],
        "models show": ["models", "show", f"{TICKER}@v1"],
        "models show pool": ["models", "show", "+b3"],
        "models diff": ["models", "diff", f"{TICKER}@v1", f"{TICKER}@v2"],
        "models promote": ["models", "promote", f"{TICKER}@v2"],
        "models rollback": ["models", "rollback", TICKER],
        "models alias": ["models", "promote", f"{TICKER}@v2", "--as", "live"],
        "models unalias": ["models", "unalias", f"{TICKER}@live"],
        "models sign": ["models", "sign", f"{TICKER}@v1"],
        "models export": ["models", "export", TICKER, "--out", str(scratch / "b.zip")],
        "models export onnx": [
            *("models", "export", TICKER, "--format", "onnx", "--out", str(scratch / "graph")),
        ],
        "models export classic": [
            *("models", "export", f"{TICKER}@v2", "--format", "classic", "--out", classic),
        ],
        "models import": ["models", "import", str(scratch / "b.zip")],
        "models import classic": ["models", "import", classic, *one],
        "models rm": ["models", "rm", f"{TICKER}@v4"],
        "models gc": ["models", "gc", "--keep", "3"],
        "prices show": ["prices", "show"],
        "prices show one": ["prices", "show", *one],
        "prices export": ["prices", "export", *one],
        "prices verify": ["prices", "verify"],
        "config show": ["config", "show", "--origin"],
        "config like": ["config", "show", "--like", f"{TICKER}@v2"],
        "config path": ["config", "path"],
    }
    return steps


HELP = [
    "fetch",
    "train",
    "evaluate",
    "predict",
    "validate",
    "quantize",
    "tune",
    "serve",
    "demo",
    "models",
    "prices",
    "config",
]

# Changes the store, so that the second form of the command would find another one.
ONCE = re.compile(
    r"^(train (?!empty|dry|unknown)|quantize (?!wrong)|tune|fetch$|fetch csv"
    r"|models (promote|rollback|alias|unalias|import|rm|gc))"
)

_MASKS = [
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)"), "<time>"),
    (re.compile(r"\b\d{8}T?-?\d{6}Z?-[0-9a-f]{4}\b"), "<id>"),
    # Pictures hold times in words, and so have no fixed size.
    (re.compile(r"(?<=version )   *[\d,]+$|(?<=in all )  *[\d,]+$|(?<=size    )[\d,]+"), "<size>"),
    (re.compile(r"^(seconds +)[\d. ]+$"), "seconds <durations>"),
    (re.compile(r"[\d.]+ × (faster|slower)"), "<ratio>"),
    (re.compile(r"20[23]\d-\d\d-\d\d \d\d:\d\d(:\d\d)?"), "<time>"),
    (re.compile(r"\b\d[\d,]*(\.\d+)?(e-?\d+)? ?(ms|s|min|seconds|minutes|µs)\b"), "<duration>"),
]

# The bundled prices end in March 2024, and next sessions follow soon.
_TODAY = re.compile(r"\b20(2[6-9]|[3-9]\d)-\d\d-\d\d\b")

_TIMES = re.compile(
    r"(^|_)(seconds?|ms|s|created|at|time|elapsed|eta|fetched)$|seconds_per|_ms$|speed|latency"
    r"|last_fetch|load_ms|kernel|platform"
)


def masked_text(text: str, scratch: Path) -> list[str]:
    """Replace what differs from run to run; columns beside it may be of other widths."""
    text = text.replace(str(scratch), "<scratch>")
    lines = []
    for line in text.splitlines():
        new = line
        for pattern, word in _MASKS:
            new = pattern.sub(word, new)
        today = _TODAY.sub("<today>", new)
        lines.append(" ".join(today.split()) if new != line or "×" in line else today.rstrip())
    return lines


def masked(value: Any, scratch: Path, name: str = "") -> Any:
    """Replace times in a JSON value by their kind."""
    if name.endswith((".png", ".csv", ".pth", "times")) and isinstance(value, dict):
        # Their bytes hold times.
        return "<times>" if name == "times" else "<file>"
    if isinstance(value, dict):
        return {key: masked(each, scratch, key) for key, each in value.items()}
    if isinstance(value, list):
        return [masked(each, scratch, name) for each in value]
    if _TIMES.search(name) and value is not None and not isinstance(value, bool):
        return f"<{type(value).__name__}>"
    if isinstance(value, str):
        return " / ".join(masked_text(value, scratch)) if value else value
    return value


def run(home: Path, scratch: Path, arguments: list[str]) -> dict[str, Any]:
    """Run a command line in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "stocklstm", *arguments],
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("STOCKLSTM_")},
            "STOCKLSTM_HOME": str(home),
            "STOCKLSTM_CONFIG": str(scratch / "config.toml"),
            "STOCKLSTM_SIGNING_KEY": "a key that nobody can guess",
            "COLUMNS": "80",
            "PYTHONIOENCODING": "utf-8",
        },
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    try:
        out: Any = masked(json.loads(done.stdout), scratch)
    except ValueError:
        out = masked_text(done.stdout, scratch)
    return {"code": done.returncode, "out": out, "err": masked_text(done.stderr, scratch)}


def versions(home: Path, scratch: Path) -> dict[str, Any]:
    """Read what every version holds: the digests of its graphs and its manifest."""
    found = {}
    for manifest in sorted(home.glob("models/*/v*/manifest.json")):
        content = masked(json.loads(manifest.read_text()), scratch)
        digest = hashlib.sha256(manifest.with_name("model.onnx").read_bytes()).hexdigest()
        found[str(manifest.parent.relative_to(home))] = {"onnx": digest, "manifest": content}
    return found


def prepare(scratch: Path) -> None:
    """Write the files that commands read."""
    sample = ROOT / "stocklstm" / "data" / f"{TICKER}.csv"
    header, *rows = sample.read_text().splitlines(keepends=True)
    (scratch / "cut.csv").write_text("".join([header, *rows[600:]]))


def record(only: str) -> dict[str, Any]:
    """Run everything in a new store, and all that changes it once more with --json in another."""
    said: dict[str, Any] = {}
    stored: dict[str, Any] = {}
    for as_json in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder).resolve()
            home = scratch / "home"
            prepare(scratch)
            for name, arguments in commands(scratch).items():
                changes = ONCE.match(name)
                if not changes and (as_json or only not in name):
                    continue
                if name == "models rm":
                    # All versions are there still.
                    stored |= versions(home, scratch)
                forms = [""] if changes else ["", "--quiet", "--json"]
                for form in ["--json"] if as_json else forms:
                    if form == "--json" and "-" in arguments:
                        continue
                    key = f"{name} {form}".rstrip()
                    said[key] = run(home, scratch, [*arguments, *([form] if form else [])])
                    print(f"{said[key]['code']:3} {key}", flush=True)
    for name in HELP:
        said[f"{name} --help"] = run(ROOT, ROOT, [name, "--help"])
    return {"said": said, "stored": stored}


def compare(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Give the differences as lines; none if all is equal."""
    lines = []
    for part in ("said", "stored"):
        for name in sorted({*before[part], *after[part]}):
            old, new = (
                json.dumps(record[part].get(name), indent=1, ensure_ascii=False).splitlines()
                for record in (before, after)
            )
            if old != new:
                lines += [f"{part}: {name}", *difflib.unified_diff(old, new, lineterm="", n=1)]
    return lines


def main() -> int:
    """Record, or compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("action", choices=["record", "compare"])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument(
        "--only",
        default="",
        help="of the commands that change nothing, run those with this word in their name",
    )
    options = parser.parse_args()
    if options.action == "record":
        text = json.dumps(record(options.only), indent=1, ensure_ascii=False)
        options.files[0].write_text(text)
        return 0
    before, after = (json.loads(file.read_text()) for file in options.files)
    lines = compare(before, after)
    print("\n".join(lines))
    counts = [len(before[part]) for part in ("said", "stored")]
    print(f"{counts[0]} outputs and {counts[1]} versions: {'differ' if lines else 'equal'}")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
