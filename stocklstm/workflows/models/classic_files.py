"""Finding the files of a tutorial's model, whatever their maker called them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stocklstm.core.operating_system import system
from stocklstm.core.wording import quoted
from stocklstm.errors import ArtifactCorruptError, ConfigError, NotFoundError
from stocklstm.learn.classic import CONFIG_FILE, SCALER_FILE, WEIGHTS_FILE, ClassicFile
from stocklstm.learn.foreign_files import foreign_file
from stocklstm.learn.safety import MOST_CHECKPOINT_BYTES
from stocklstm.store.disk import OversizedError, SymbolicLinkError, read_regular

_WEIGHTS = {".pth", ".pt", ".ckpt", ".bin"}
_PICKLED = {".pkl", ".pickle", ".joblib", ".save", ".sav", ".gz", ".z", ".bz2", ".xz", ".lzma"}
_MODELS = {".h5", ".hdf5", ".keras", ".onnx", ".tflite", ".pb", ".safetensors"}

# A directory with more is no model.
_MOST_FILES = 1_000


@dataclass(frozen=True, eq=False)
class FoundFiles:
    """The files of a model.

    Attributes:
        weights: The PyTorch file.
        scaler: The scaler.
        config: The settings; None if there are none.
        notes: Which were taken for what, where their names are others.
    """

    weights: ClassicFile
    scaler: ClassicFile
    config: ClassicFile | None
    notes: tuple[str, ...]


def find_files(path: Path, retry: str) -> FoundFiles:
    """Find the files in a directory, or beside a file of weights, and read them.

    Args:
        path: The directory or the file.
        retry: Command to give once something was put right; a path takes the place of PATH.

    Raises:
        NotFoundError: One is missing.
        ConfigError: There are several that it could be, or it is of another program.
        ArtifactCorruptError: One is a link, or too large.
    """
    if not path.exists() and not path.is_symlink():
        raise NotFoundError(
            f"there is nothing at {path}",
            hint=f"a classic model is {WEIGHTS_FILE}, {SCALER_FILE} and {CONFIG_FILE}",
        )
    directory = path if path.is_dir() else path.parent
    names = _names(directory)
    _require_no_saved_model(directory, names)
    weights = path.name if not path.is_dir() else _weights(directory, names, retry)
    if _is_scaler(weights.lower()) or _is_config(weights.lower()):
        raise ConfigError(
            f"{weights} is what lies beside the weights, and not the weights",
            hint=f"name their directory: {retry.replace('PATH', quoted(str(directory)))}",
        )
    # What the file is, is said before what it lacks beside it.
    first = _read(directory, weights)
    foreign = foreign_file(first.content, first.name)
    beside = [name for name in names if name != weights]
    scaler = None if foreign else _scaler(directory, beside)
    config = None if foreign else _only(directory, beside, CONFIG_FILE, _is_config)
    notes = tuple(
        f"{found} is taken for {usual}"
        for found, usual in ((weights, WEIGHTS_FILE), (scaler, SCALER_FILE), (config, CONFIG_FILE))
        if found not in {None, usual} and not (usual == WEIGHTS_FILE and path.name == found)
    )
    return FoundFiles(
        first,
        ClassicFile(SCALER_FILE, b"") if scaler is None else _read(directory, scaler),
        None if config is None else _read(directory, config),
        notes,
    )


def _names(directory: Path) -> list[str]:
    try:
        names = sorted(entry.name for entry in directory.iterdir())
    except OSError as error:
        raise NotFoundError(
            f"{directory} cannot be read: {error.strerror or error}",
            hint=f"a classic model is {WEIGHTS_FILE}, {SCALER_FILE} and {CONFIG_FILE}",
        ) from error
    return names[:_MOST_FILES]


def _require_no_saved_model(directory: Path, names: Sequence[str]) -> None:
    if "saved_model.pb" in names or "keras_metadata.pb" in names:
        raise ConfigError(
            f"{directory} is a SavedModel of TensorFlow; this program reads a state_dict of "
            "PyTorch",
            hint="train one here: stocklstm train --ticker PETR4.SA --preset paper",
        )


def _weights(directory: Path, names: Sequence[str], retry: str) -> str:
    if WEIGHTS_FILE in names:
        return WEIGHTS_FILE
    found = [name for name in names if _WEIGHTS & set(Path(name.lower()).suffixes)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(
            f"{directory} holds {len(found)} files of weights: {', '.join(found)[:120]}",
            hint="name the one that is meant: "
            + retry.replace("PATH", quoted(str(directory / found[0]))),
        )
    others = [name for name in names if Path(name).suffix.lower() in _MODELS]
    if len(others) == 1:
        return others[0]
    raise _missing(directory, WEIGHTS_FILE, names, "torch.save(model.state_dict(), {path!r})")


def _scaler(directory: Path, names: Sequence[str]) -> str:
    found = _only(directory, names, SCALER_FILE, _is_scaler)
    if found is None:
        raise _missing(directory, SCALER_FILE, names, "joblib.dump(scaler, {path!r})")
    return found


def _only(
    directory: Path, names: Sequence[str], usual: str, fits: Callable[[str], bool]
) -> str | None:
    """Take the file with the usual name, or the only one that it can be; None if none is there."""
    if usual in names:
        return usual
    found = [name for name in names if fits(name.lower())]
    if len(found) > 1:
        raise ConfigError(
            f"{directory} holds {', '.join(found)[:120]}, and which of them is {usual} is not said",
            hint=f"cp {quoted(str(directory / found[0]))} {quoted(str(directory / usual))}, "
            "if it is that one",
        )
    return found[0] if found else None


def _is_scaler(name: str) -> bool:
    return "scal" in name and bool(_PICKLED & set(Path(name).suffixes))


def _is_config(name: str) -> bool:
    words = ("config", "params", "settings", "hparams", "args")
    kinds = _PICKLED | {".json"}
    return any(word in name for word in words) and bool(kinds & set(Path(name).suffixes))


def _missing(directory: Path, name: str, names: Sequence[str], line: str) -> NotFoundError:
    there = f"; it holds {', '.join(names)[:120]}" if names else ""
    return NotFoundError(
        f"there is no {name} in {directory}{there}",
        hint=f"write it in Python: {line.format(path=str(directory / name))}",
    )


def _read(directory: Path, name: str) -> ClassicFile:
    """Read a file of a bounded size that is itself there, not a link to one.

    Raises:
        NotFoundError: It cannot be read.
        ArtifactCorruptError: It is no plain file, or too large.
    """
    try:
        return ClassicFile(name, read_regular(directory / name, MOST_CHECKPOINT_BYTES))
    except SymbolicLinkError as error:
        raise ArtifactCorruptError(
            f"{name} is a link and is not followed",
            hint=f"put the file itself there: {system().replace_link(str(directory / name))}",
        ) from error
    except (OversizedError, IsADirectoryError) as error:
        raise ArtifactCorruptError(
            f"{name} is not a plain file, or has more than {MOST_CHECKPOINT_BYTES} bytes",
            hint=f"a classic model is {WEIGHTS_FILE}, {SCALER_FILE} and {CONFIG_FILE}",
        ) from error
    except (OSError, ValueError) as error:
        raise NotFoundError(
            f"{directory / name} cannot be read",
            hint=f"a classic model is {WEIGHTS_FILE}, {SCALER_FILE} and {CONFIG_FILE}",
        ) from error
