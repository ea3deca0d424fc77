"""What every kind of export shares: its outcome, and a directory of files."""

from dataclasses import dataclass
from pathlib import Path

from stocklstm.core.batch import Failure
from stocklstm.errors import ConfigError
from stocklstm.store.manifest import Manifest
from stocklstm.workflows.prices.export import is_directory, write_file


@dataclass(frozen=True)
class ExportedModel:
    """What was written.

    Attributes:
        ticker: Whose model.
        version: Its number.
        format: "bundle", "onnx" or "classic".
        path: The file, or the directory of the files.
        files: Names of the files.
        bytes: Size of all of them.
    """

    ticker: str
    version: int
    format: str
    path: str
    files: tuple[str, ...]
    bytes: int


@dataclass(frozen=True)
class ModelExportResult:
    """Outcome of one export."""

    exports: tuple[ExportedModel, ...]
    failures: tuple[Failure, ...] = ()


def write_directory(
    manifest: Manifest, file_format: str, output: Path | None, files: dict[str, bytes]
) -> ModelExportResult:
    """Write files side by side; files of the same names are replaced, others stay.

    Args:
        manifest: Of the version that is exported.
        file_format: "onnx" or "classic".
        output: The directory; by default TICKER-v3-onnx or -classic where the program runs.
        files: Contents by name.

    Raises:
        ConfigError: The place may not be written.
        StorageError: The disk is full or failing.
    """
    default = Path(f"{manifest.ticker}-v{manifest.version}-{file_format}")
    path = default if output is None else output
    if path.exists() and not is_directory(path):
        raise ConfigError(f"{path} is a file", hint="name a directory with --output")
    for name, content in files.items():
        write_file(path / name, content)
    made = ExportedModel(
        ticker=manifest.ticker,
        version=manifest.version,
        format=file_format,
        path=str(path),
        files=tuple(files),
        bytes=sum(map(len, files.values())),
    )
    return ModelExportResult((made,))
