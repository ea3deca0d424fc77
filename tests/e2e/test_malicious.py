"""What somebody who means harm hands in: nothing is executed, followed or unpacked without end.

Each case ends with exit code 5 and words, the store as it was, nothing written or opened beside
it, and the process never half a gigabyte larger than it began.
"""

import hashlib
import io
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from stocklstm import export_model
from tests.conftest import TICKER
from tests.support.tampering import Bomb, replace_file

# PyTorch takes up to 540 of it in its builds for graphics cards; a bomb that goes off takes 640.
MOST_GROWTH_MB = 600
HUGE = 10 << 30
BOMB = 640 << 20

# Runs command lines in one process; tells how each ended, how far the process has grown, and which
# paths Python opened.
CHILD = r"""
import json, os, re, sys
opened = []
sys.addaudithook(lambda event, args: event == "open" and opened.append(str(args[0])))
from stocklstm.cli.app import run

def size():
    # The largest this process has ever been; getrusage counts what it was forked from as well.
    return int(re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1]) / 1024

start, codes = size(), []
for home, arguments in json.loads(sys.argv[1]):
    os.environ["STOCKLSTM_HOME"] = home
    codes.append([run(arguments), size() - start])
print(json.dumps({"codes": codes, "opened": opened}), file=sys.stderr)
"""

Line = tuple[Path, list[str]]


class Attack:
    """A place with a secret and a store, and what runs there."""

    def __init__(self, place: Path, home: Path) -> None:
        self.home = home
        self.mark = place / "executed"
        self.secret = place / "secret.bin"
        self.secret.write_bytes(bytes(4096))
        self.place = place

    def version(self, name: str) -> Path:
        """Give a version in a store of its own to do harm to."""
        home = self.place / f"home of {name}"
        shutil.copytree(self.home, home)
        return home / "models" / TICKER / "v1"

    def run(self, *lines: Line) -> list[int]:
        """Give the exit codes, having looked at what else happened."""
        before = self._listing()
        done = subprocess.run(
            [sys.executable, "-c", CHILD, json.dumps(lines, default=str)],
            cwd=self.place,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        report = json.loads(done.stderr.splitlines()[-1])
        assert "Traceback" not in done.stderr
        assert len(done.stderr) < 2_000_000
        assert not self.mark.exists()
        assert str(self.secret) not in report["opened"]
        assert self._listing() == before
        grown_mb = [grown for _, grown in report["codes"]]
        # A forecast alone needs libraries: a measure that does not move measures nothing.
        assert grown_mb[-1] > 5
        for line, (_, grown) in zip(lines, report["codes"], strict=True):
            assert grown < MOST_GROWTH_MB, line
        return [code for code, _ in report["codes"]]

    def _listing(self) -> set[str]:
        """List everything but what a store may write of its own accord."""
        return {
            str(path)
            for path in self.place.rglob("*")
            if not {"locks", "__pycache__"} & set(path.parts) and ".db" not in path.name
        }


@pytest.fixture
def attack(model_home: Path, tmp_path: Path) -> Attack:
    return Attack(tmp_path, model_home)


@pytest.fixture
def members(model_home: Path, tmp_path: Path) -> dict[str, bytes]:
    """Give what a sound bundle holds."""
    (made,) = export_model(TICKER, tmp_path / "sound.zip", home=model_home).results
    with zipfile.ZipFile(made.path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


Members = dict[str, bytes]


def with_file(members: Members, name: str, content: bytes) -> Members:
    """Replace a file, and its record in the manifest."""
    manifest = json.loads(members["manifest.json"])
    digest = hashlib.sha256(content).hexdigest()
    manifest["files"][name] = {"sha256": digest, "size": len(content)}
    return members | {"manifest.json": json.dumps(manifest).encode(), name: content}


def with_manifest(members: Members, change: Callable[[dict], object]) -> Members:
    manifest = json.loads(members["manifest.json"])
    change(manifest)
    return members | {"manifest.json": json.dumps(manifest).encode()}


def packed(members: Members, compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def renamed(members: Members, old: str, new: str) -> Members:
    """Call a file otherwise, in the manifest as well."""
    manifest = json.loads(members["manifest.json"])
    manifest["files"][new] = manifest["files"].pop(old)
    others = {n: c for n, c in members.items() if n not in {old, "manifest.json"}}
    return {"manifest.json": json.dumps(manifest).encode(), **others, new: members[old]}


def linked(members: Members, target: Path) -> bytes:
    """Make one of the members a symbolic link."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name)
            is_link = name == "history.csv"
            member.external_attr = (0o120777 if is_link else 0o100644) << 16
            archive.writestr(member, str(target) if is_link else content)
    return buffer.getvalue()


def twice(members: Members) -> bytes:
    buffer = io.BytesIO(packed(members))
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("history.csv", b"another")
    return buffer.getvalue()


def crowded() -> bytes:
    """Make an archive whose directory alone would fill the memory."""
    entry = b"PK\x01\x02" + bytes(42)
    directory = entry * 2_000_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(directory), 0, 0)
    return directory + end


def encrypted(content: bytes) -> bytes:
    """Set the flag of encryption in every header."""
    changed = bytearray(content)
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = changed.find(mark)
        while place >= 0:
            changed[place + flags] |= 1
            place = changed.find(mark, place + 4)
    return bytes(changed)


# Graphs


def graph_of(content: bytes, change: Callable[[onnx.GraphProto], object]) -> bytes:
    model = onnx.load_model_from_string(content)
    change(model.graph)
    return bytes(model.SerializeToString())


def huge_tensor(graph: onnx.GraphProto) -> None:
    graph.initializer[-1].dims[0] = HUGE // 4


def external(path: Path) -> Callable[[onnx.GraphProto], None]:
    def change(graph: onnx.GraphProto) -> None:
        tensor = graph.initializer[-1]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", str(path)), ("offset", "0"), ("length", "60")):
            tensor.external_data.add(key=key, value=value)

    return change


def allocating(graph: onnx.GraphProto) -> None:
    """Let the head's bias come with ten gigabytes that nobody uses."""
    shape = numpy_helper.from_array(np.array([HUGE // 4], np.int64), "shape")
    graph.initializer.append(shape)
    graph.node.insert(0, helper.make_node("ConstantOfShape", ["shape"], ["zeros"]))
    graph.node.append(helper.make_node("ReduceMax", ["zeros"], ["largest"]))


def multiplied(graph: onnx.GraphProto) -> None:
    """Replace the head by products of products."""
    graph.node[-1].CopyFrom(helper.make_node("Mul", ["last", "tall"], ["outputs"]))
    graph.initializer.append(numpy_helper.from_array(np.zeros((100_000, 1, 1), np.float32), "tall"))


def subgraph(graph: onnx.GraphProto) -> None:
    body = helper.make_graph([], "body", [], [])
    graph.node[-1].attribute.append(helper.make_attribute("body", body))


# Checkpoints


def huge_checkpoint(content: bytes) -> bytes:
    """Declare a tensor of ten gigabytes on a storage of a few bytes."""
    small = torch.zeros(4)
    state = torch.load(io.BytesIO(content), weights_only=True)
    state["weights"]["head.bias"] = small.as_strided((HUGE // 4,), (0,))
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def huge_architecture(content: bytes) -> bytes:
    state = torch.load(io.BytesIO(content), weights_only=True)
    state["architecture"] |= {"hidden_size": 8_000}
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


@cache
def compressed_checkpoint() -> bytes:
    """Pack more zeros than the process may grow by."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}))
        with archive.open("a/data/0", "w", force_zip64=True) as record:
            for _ in range(BOMB >> 20):
                record.write(bytes(1 << 20))
    return buffer.getvalue()


def zipped_bomb(mark: Path) -> bytes:
    buffer = io.BytesIO()
    torch.save({"x": Bomb(mark)}, buffer)
    return buffer.getvalue()


def bundles(members: Members, attack: Attack) -> dict[str, bytes]:
    """Make every kind of bad bundle."""
    onnx_file, bomb = members["model.onnx"], pickle.dumps(Bomb(attack.mark))
    files = {
        **{
            f"a pickle for {name}": packed(with_file(members, name, bomb))
            for name in ("model.onnx", "model.pth")
        },
        "a pickle for manifest.json": packed(members | {"manifest.json": bomb}),
        "a pickle for all": bomb,
        "a zipped pickle": packed(with_file(members, "model.pth", zipped_bomb(attack.mark))),
        "another hash": packed(members | {"history.csv": members["history.csv"] + b" "}),
        "same size": packed(members | {"history.csv": b"x" * len(members["history.csv"])}),
        "a name too many": packed(members | {"extra.txt": b"x"}),
        "a file too few": packed({n: c for n, c in members.items() if n != "history.csv"}),
        "a name twice": twice(members),
        "a link": linked(members, attack.secret),
        "an empty file": b"",
        "cut off": packed(members)[:-100],
        "something behind it": packed(members) + b"x",
        "encrypted": encrypted(packed(members)),
        "a crowd": crowded(),
        "a bomb for a manifest": packed(
            members | {"manifest.json": b" " * (BOMB)}, zipfile.ZIP_DEFLATED
        ),
        "a bomb for a file": packed(members | {"history.csv": bytes(BOMB)}, zipfile.ZIP_DEFLATED),
        "a bomb of its own size": packed(
            with_file(members, "history.csv", bytes(BOMB)), zipfile.ZIP_DEFLATED
        ),
        "a compressed checkpoint": packed(with_file(members, "model.pth", compressed_checkpoint())),
        "a huge tensor in PyTorch": packed(
            with_file(members, "model.pth", huge_checkpoint(members["model.pth"]))
        ),
    }
    for place in (
        *("../../../evil", "/tmp/evil", "a/b", "..", "a\\b", "C:evil", ".hidden"),  # noqa: S108
        str(attack.place / "evil"),
    ):
        files[f"the path {place}"] = packed(renamed(members, "history.csv", place))
    for kind, change in (
        ("huge", huge_tensor),
        ("external", external(attack.secret)),
        ("external beside", external(Path("../secret.bin"))),
        ("allocating", allocating),
        ("multiplied", multiplied),
        ("with a subgraph", subgraph),
    ):
        graph = graph_of(onnx_file, change)
        files[f"a graph that is {kind}"] = packed(with_file(members, "model.onnx", graph))
    for words, manifest in {
        "a ticker of a megabyte": lambda m: m.update(ticker="A" * 1_000_000),
        "a ticker that is a path": lambda m: m.update(ticker="../../evil"),
        "a version of 0": lambda m: m.update(version=0),
        "a declared size of 10 GB": lambda m: m["files"]["history.csv"].update(size=HUGE),
        "a negative size": lambda m: m["files"]["history.csv"].update(size=-1),
        "colours": lambda m: m["config"].update(preset="\x1b[31mred"),
        "no day": lambda m: m["splits"].update(test_start="soon"),
        "no day that was learned": lambda m: m.update(learned_before={"VALE3.SA": "soon"}),
        "parts out of order": lambda m: m["splits"].update(test_start="1999-01-04"),
        "no scaling": lambda m: m.update(anchor=None),
        "a spread of 0": lambda m: m["anchor"]["features"][0].update(spread=0.0),
        "half a baseline": lambda m: m["baselines"]["ewma"].update(quantiles=[0.0]),
        "a network that it is not": lambda m: m["config"].update(hidden_size=2048, seq_length=11),
        "a price of nothing": lambda m: m["data"].update(last_close=0.0),
        "another format": lambda m: m.update(format=99),
    }.items():
        files[words] = packed(with_manifest(members, manifest))
    return files


def test_bad_bundles_leave_no_trace(attack: Attack, members: Members) -> None:
    kinds = bundles(members, attack)
    folder = attack.place / "bundles"
    folder.mkdir()
    lines = []
    for number, content in enumerate(kinds.values()):
        (folder / f"{number}.zip").write_bytes(content)
        path = str(folder / f"{number}.zip")
        lines.append((attack.home, ["models", "import", path, "--format", "bundle"]))

    codes = dict(zip(kinds, attack.run(*lines), strict=True))

    assert {kind: code for kind, code in codes.items() if code != 5} == {}


def test_a_sound_one_is_taken_whatever_packed_it(attack: Attack, members: Members) -> None:
    """Show that the cases above are refused for what they are, and not for how they are made."""
    path = attack.place / "packed.zip"
    path.write_bytes(packed(members, zipfile.ZIP_DEFLATED))

    assert attack.run((attack.home, ["models", "import", str(path)])) == [0]


def test_replaced_files_of_a_store_are_refused(attack: Attack) -> None:
    version = attack.home / "models" / TICKER / "v1"
    graph, checkpoint = ((version / name).read_bytes() for name in ("model.onnx", "model.pth"))
    bomb = pickle.dumps(Bomb(attack.mark))
    expected: list[tuple[Line, int]] = []
    for number, content in enumerate(
        (
            bomb,
            graph_of(graph, huge_tensor),
            graph_of(graph, external(attack.secret)),
            graph_of(graph, allocating),
        )
    ):
        # The hashes become those of the new file: whoever can write files can write these, too.
        replaced = attack.version(f"graph {number}")
        replace_file(replaced, "model.onnx", content)
        home = replaced.parents[2]
        expected += [((home, ["predict"]), 5), ((home, ["validate"]), 5)]
    for number, content in enumerate(
        (
            bomb,
            zipped_bomb(attack.mark),
            huge_checkpoint(checkpoint),
            huge_architecture(checkpoint),
            compressed_checkpoint(),
        )
    ):
        replaced = attack.version(f"checkpoint {number}")
        replace_file(replaced, "model.pth", content)
        home = replaced.parents[2]
        expected += [((home, ["validate", "--deep"]), 5), ((home, ["predict"]), 0)]

    assert attack.run(*(line for line, _ in expected)) == [code for _, code in expected]


def test_replaced_files_without_their_hashes(attack: Attack) -> None:
    grown, pickled, padded = (attack.version(name) for name in ("grown", "pickled", "padded"))
    os.truncate(grown / "model.onnx", HUGE)
    (pickled / "manifest.json").write_bytes(pickle.dumps(Bomb(attack.mark)))
    os.truncate(padded / "manifest.json", HUGE)

    lines = [
        (version.parents[2], [command])
        for version in (grown, pickled, padded)
        for command in ("predict", "validate")
    ]
    lines += [(version.parents[2], ["models", "list"]) for version in (pickled, padded)]

    assert attack.run(*lines) == [5] * len(lines)


@pytest.mark.usefixtures("model_home")
def test_bad_classic_files(attack: Attack) -> None:
    import joblib

    sound = io.BytesIO()
    torch.save({"x": torch.zeros(4).as_strided((HUGE // 4,), (0,))}, sound)
    plain = pickle.dumps({"seq_length": 10})
    cases: dict[str, dict[str, bytes]] = {
        "a huge tensor": {"model_lstm.pth": sound.getvalue()},
        "compressed": {"model_lstm.pth": compressed_checkpoint()},
        "a memo without end": {"config.pkl": b"\x80\x04Nr\xff\xff\xff\x7f."},
        "declared bytes": {"config.pkl": b"\x80\x05\x96" + struct.pack("<Q", HUGE) + b"."},
        "a frame without end": {"config.pkl": b"\x80\x04\x95" + struct.pack("<Q", HUGE) + b"N."},
        "a name": {"config.pkl": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x01x\x85R."},
        "a method of a stand-in": {
            "config.pkl": b"\x80\x04\x8c\x05numpy\x8c\x0dndarray.dumps\x93)R."
        },
        "laughter": {"config.pkl": b"\x80\x04]" + b"]" * 200_000 + b"."},
    }
    buffer = io.BytesIO()
    joblib.dump({"a": np.zeros(3), "b": Bomb(attack.mark)}, buffer)
    cases["beside an array"] = {"scaler.pkl": buffer.getvalue()}
    lines = []
    for number, files in enumerate(cases.values()):
        folder = attack.place / f"classic{number}"
        folder.mkdir()
        for name in ("model_lstm.pth", "scaler.pkl", "config.pkl"):
            (folder / name).write_bytes(files.get(name, plain))
        if "model_lstm.pth" in files:
            from sklearn.preprocessing import MinMaxScaler

            scaler = MinMaxScaler().fit(np.array([[1.0], [2.0]]))
            (folder / "scaler.pkl").write_bytes(pickle.dumps(scaler))
        lines.append((attack.home, ["models", "import", str(folder), "-t", TICKER]))

    codes = dict(zip(cases, attack.run(*lines), strict=True))

    assert {kind: code for kind, code in codes.items() if code != 5} == {}
