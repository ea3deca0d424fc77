"""The manifest: everything about a model version, in one JSON file beside it."""

import re
from collections.abc import Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

import msgspec

from stocklstm.core.batch import Result
from stocklstm.core.digest import sha256_hex
from stocklstm.core.inputs.features import InputRange
from stocklstm.core.inputs.scaling import (
    AnchorScaling,
    PooledScaling,
    PriceScaling,
    Scaling,
)
from stocklstm.core.prices.pool_splits import PoolDays
from stocklstm.core.records import dataclass
from stocklstm.core.reference import is_pool, version_id
from stocklstm.core.scores.baselines import Baselines
from stocklstm.core.scores.scores import Evaluation
from stocklstm.core.settings.compression import Method
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import (
    ArtifactCorruptError,
    ArtifactVersionError,
    ConfigError,
    StockLstmError,
)
from stocklstm.store.disk import OversizedError, SymbolicLinkError, disk_errors, read_regular
from stocklstm.store.manifest_migrations import FORMAT, migrate
from stocklstm.store.paths import StorePaths

if TYPE_CHECKING:
    from stocklstm.core.inputs.parts import SplitSeries

FILE_NAME = "manifest.json"
SERVING_FILE = "model.onnx"
CHECKPOINT_FILE = "model.pth"
HISTORY_FILE = "history.csv"

MOST_MANIFEST_BYTES = 1 << 20
"""Far more than any settings and scores take."""

# What a manifest lists lies beside it, never elsewhere on the disk.
_FILE = re.compile(r"\w[\w.-]{0,99}", re.ASCII)


@dataclass(frozen=True)
class FileRecord:
    """What a file of the version was when it was published.

    Attributes:
        sha256: Hex digest.
        size: Bytes.
    """

    sha256: str
    size: int

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Describe the content of a file."""
        return cls(sha256_hex(content), len(content))


@dataclass(frozen=True)
class DataRecord:
    """Which prices the version saw.

    Attributes:
        rows: Sessions.
        first: First ISO day.
        last: Last ISO day.
        last_close: Close of that day, in currency: what a later split would change.
        sha256: `Bars.fingerprint` of them.
        sources: Where they came from.
        measured: How many sessions were measured how, such as "daily", "60-minute" and "5-minute"
            bars; empty if bars within sessions were not looked at.
    """

    rows: int
    first: str
    last: str
    last_close: float
    sha256: str
    sources: tuple[str, ...]
    measured: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class SplitRecord:
    """Where the parts of the data lie, as ISO days that were forecast.

    Attributes:
        train_start: First label of the training part.
        train_end: Last such label: nothing after it shaped weights, scaler or anchor.
        validation_start: First label that compared epochs.
        test_start: First label of the test part.
        test_end: Last label of the test part.
    """

    train_start: str
    train_end: str
    validation_start: str
    test_start: str
    test_end: str


def split_record(series: "Sequence[SplitSeries]", horizon: int) -> SplitRecord:
    """Find where the parts of one ticker lie, or those of the tickers of a pool together."""
    from stocklstm.core.inputs.parts import forecast_days

    train, validation, test = (
        forecast_days(series, part, horizon) for part in ("train", "validation", "test")
    )
    return SplitRecord(
        train_start=train[0],
        train_end=train[-1],
        validation_start=validation[0],
        test_start=test[0],
        test_end=test[-1],
    )


@dataclass(frozen=True)
class TrainingRecord:
    """How training went.

    Attributes:
        epochs: Passes made.
        best_epoch: The epoch with the lowest validation loss; 0 is before the first step.
        best_val_loss: Validation loss at that epoch.
        kept_epoch: The epoch whose weights these are.
        seconds: Wall time.
        parameters: Weights of the network.
        device: Where it was trained, in words.
        diagnosis: Kind of diagnosis; empty if the version is older than these.
        constant_train_loss: Training loss of the best forecast that ignores the window; None if the
            version is older than these.
        constant_val_loss: Its validation loss; None likewise.
    """

    epochs: int
    best_epoch: int
    best_val_loss: float
    kept_epoch: int
    seconds: float
    parameters: int
    device: str = "cpu"
    diagnosis: str = ""
    constant_train_loss: float | None = None
    constant_val_loss: float | None = None


@dataclass(frozen=True)
class ImportRecord:
    """Where a version came from that was not made in this store.

    Attributes:
        kind: "bundle" or "classic".
        model: Identity it had there; empty if it had none.
        parent: Identity there of the version it was made from, if any.
        sha256: Of the bundle's manifest, or of all files of the classic kind.
        at: UTC timestamp of the import; `created` is when it was made.
    """

    kind: Literal["bundle", "classic"]
    model: str
    parent: str | None
    sha256: str
    at: str


@dataclass(frozen=True)
class PoolRecord:
    """What a pooled model is besides; what it holds of each ticker lies in a file of its own.

    Attributes:
        tickers: How many it was trained, validated or tested on.
        scaling: What they share of their scaling.
        days: Where the parts of all of them begin.
    """

    tickers: int
    scaling: PooledScaling
    days: PoolDays


@dataclass(frozen=True, kw_only=True, repr=False)
class Manifest(Result):
    """Everything about a version but its weights.

    Of a pooled model all that is given in currency is in shares of the last close, and what a
    ticker alone can have (rows, days, baselines) is that of all tickers together.

    Attributes:
        format: Number of this layout; of a version that is older, that of what it is read as.
        ticker: Whose model; of a pooled one its name, with the mark.
        version: Its number.
        created: UTC timestamp.
        method: "float32", or how it was made smaller, such as "dynamic-int8".
        parent: Identity of the version it was made from, if any.
        config: Settings.
        anchor: Scaling of a "return" model.
        prices: Scaling of a "price" model.
        input_ranges: What the training part held of each feature; empty if the version is older
            than these.
        baselines: What costs nothing, on the same training part.
        mase_scale: Naive error of the training part, in currency.
        splits: Where the parts lie.
        data: Which prices it saw.
        training: How training went.
        evaluation: Scores on the test part when it was published.
        environment: Versions of the libraries that made it.
        files: Every other file of the version.
        imported_from: Where it came from; None if it was made in this store.
        pool: What a pooled model is besides; None for the model of one ticker.
        learned_before: Of the versions that its first weights come from, by ticker or name of a
            pool: the first day that none of them may have learned.
    """

    SHOWN = ("ticker", "version", "created", "method", "config_preset", "verdict")

    format: int = FORMAT
    ticker: str
    version: int
    created: str
    method: Method = "float32"
    parent: str | None = None
    config: TrainingConfig
    anchor: AnchorScaling | None = None
    prices: PriceScaling | None = None
    input_ranges: tuple[InputRange, ...] = ()
    baselines: Baselines
    mase_scale: float
    splits: SplitRecord
    data: DataRecord
    training: TrainingRecord
    evaluation: Evaluation
    environment: dict[str, str] = field(default_factory=dict)
    files: dict[str, FileRecord] = field(default_factory=dict)
    imported_from: ImportRecord | None = None
    pool: PoolRecord | None = None
    learned_before: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Identity, such as PETR4.SA@v3."""
        return version_id(self.ticker, self.version)

    @property
    def scaling(self) -> Scaling:
        """The scaling that the target calls for.

        Raises:
            ArtifactCorruptError: There is none, or not the one that the target calls for.
            ConfigError: It is that of a pooled model, which has one for each ticker.
        """
        if self.pool is not None and self.anchor is None:
            raise ConfigError(
                f"{self.id} is a pooled model of {self.pool.tickers} tickers; the model of a "
                "single ticker is needed",
                hint=f"stocklstm predict --model {self.ticker[1:]}, or evaluate --model "
                f"{self.ticker[1:]}",
            )
        scaling = self.anchor if self.config.target == "return" else self.prices
        if scaling is None:
            raise ArtifactCorruptError(f"the manifest of {self.id} has no scaling numbers")
        return scaling

    def encode(self) -> bytes:
        """Encode as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


class _Header(msgspec.Struct):
    format: int


_BEGINNING = b'{\n  "format": %d,\n' % FORMAT
"""How `Manifest.encode` begins."""


class _Preset(msgspec.Struct):
    preset: str


class _Verdict(msgspec.Struct):
    verdict: str


class Outline(msgspec.Struct, frozen=True):
    """The part of a manifest that a list of versions shows."""

    ticker: str
    version: int
    created: str
    method: str
    parent: str | None
    config: _Preset
    evaluation: _Verdict
    files: dict[str, FileRecord]


D = TypeVar("D", Manifest, Outline)


def decode_manifest(content: bytes, ticker: str, version: int) -> Manifest:
    """Read a manifest and check every field's type and limits.

    Args:
        ticker: Whose version it should be.
        version: Number it should have.

    Raises:
        ArtifactVersionError: It has another format number.
        ArtifactCorruptError: It is no manifest, or that of another version.
    """
    manifest = _decode(content, Manifest, ticker, version)
    name = manifest.id
    for file in manifest.files:
        if not _FILE.fullmatch(file):
            raise corrupt(name, f"its manifest lists {file[:40]!a}, which is not a file name")
    return manifest


def decode_outline(content: bytes, ticker: str, version: int) -> Outline:
    """Read what a list shows of a manifest that is known to be the published one.

    Raises:
        ArtifactVersionError: It has another format number.
        ArtifactCorruptError: It is no manifest, or that of another version.
    """
    return _decode(content, Outline, ticker, version)


def stored_format(content: bytes) -> int:
    """Read only the format number of a manifest."""
    try:
        return msgspec.json.decode(content, type=_Header).format
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ArtifactCorruptError(f"the manifest cannot be read: {error}") from error


def _decode(content: bytes, kind: type[D], ticker: str, version: int) -> D:
    name = version_id(ticker, version)
    try:
        # Nearly all begin like this, and the others are read twice.
        current = content.startswith(_BEGINNING)
        found = FORMAT if current else msgspec.json.decode(content, type=_Header).format
        if found == FORMAT:
            manifest = msgspec.json.decode(content, type=kind)
        elif 1 <= found < FORMAT:
            document = msgspec.json.decode(content, type=dict[str, Any])
            manifest = msgspec.convert(migrate(document, found), kind)
    except ArtifactVersionError as error:
        raise ArtifactVersionError(
            f"{name} has manifest format {found}; {error.message}", hint=_train_anew(ticker)
        ) from error
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, StockLstmError) as error:
        raise corrupt(name, f"its manifest cannot be read: {error}") from error
    if not 1 <= found <= FORMAT:
        newer = "upgrade with: pip install --upgrade stocklstm"
        raise ArtifactVersionError(
            f"{name} has manifest format {found}; this stocklstm reads 1 to {FORMAT}",
            hint=newer if found > FORMAT else _train_anew(ticker),
        )
    if (manifest.ticker, manifest.version) != (ticker, version):
        said = version_id(manifest.ticker, manifest.version)
        raise corrupt(name, f"its manifest belongs to {said!a}")
    return manifest


def _train_anew(ticker: str) -> str:
    return f"{training_command(ticker)} makes a new one"


def training_command(owner: str, *, like: str | None = None) -> str:
    """Return the command that trains a model of this ticker or pool (with its mark).

    Args:
        like: Identity of the version whose settings it takes; of a pooled one its tickers, too.
    """
    further = "" if like is None else f" --like {like}"
    if is_pool(owner):
        tickers = " --tickers-file FILE" if like is None else ""
        return f"stocklstm train --pooled --name {owner[1:]}{tickers}{further}"
    return f"stocklstm train --ticker {owner}{further}"


def drawing_command(owner: str, version: int) -> str:
    """Return the command that draws what `train` has not drawn of a version."""
    if is_pool(owner):
        return f"stocklstm evaluate --model {version_id(owner, version)[1:]} --plot"
    return f"stocklstm evaluate {version_id(owner, version)}"


def read_version_file(paths: StorePaths, owner: str, version: int, name: str, most: int) -> bytes:
    """Read a file of a version, listed or not, of at most so many bytes.

    Raises:
        ArtifactCorruptError: It is missing or larger, or a link leads to it.
    """
    directory, own = paths.version(owner, version), version_id(owner, version)
    # What is published are files, never ways to somewhere else.
    if directory.is_symlink() or directory.parent.is_symlink():
        raise corrupt(own, "its directory is a symbolic link")
    with disk_errors(f"read {name}"):
        try:
            return read_regular(directory / name, most)
        except SymbolicLinkError as error:
            raise corrupt(own, f"{name} is a symbolic link") from error
        except OversizedError as error:
            raise corrupt(own, f"{name} has {error.size} bytes, more than {most}") from error
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise corrupt(own, f"{name} is missing") from error


def corrupt(name: str, reason: str) -> ArtifactCorruptError:
    """Make the error of a damaged version.

    Args:
        reason: What is wrong, without a full stop.
    """
    ticker = name.partition("@")[0]
    return ArtifactCorruptError(
        f"{name} is damaged: {reason}",
        hint=f"stocklstm validate --ticker {ticker} --all shows what still holds; "
        f"{training_command(ticker)} makes a new version",
    )
