"""The three files of the tutorials: model_lstm.pth, scaler.pkl and config.pkl.

They are written with PyTorch, scikit-learn and joblib, as a tutorial would, and read back without
unpickling any of them.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from stocklstm.core.inputs.features import FeatureScale
from stocklstm.core.inputs.scaling import PriceScaling
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.core.wording import quoted
from stocklstm.errors import ArtifactCorruptError, ConfigError, StockLstmError
from stocklstm.learn.checkpoints import load_tensors, rebuild_network
from stocklstm.learn.classic_scaler import close_scale
from stocklstm.learn.classic_settings import ClassicSettings, read_settings
from stocklstm.learn.classic_weights import Checkpoint, checkpoint_of, lstm_weights
from stocklstm.learn.foreign_files import Foreign, foreign_file
from stocklstm.learn.network import architecture_of
from stocklstm.learn.pickles import SCALERS, ForeignNameError, read_plain
from stocklstm.learn.safety import check_checkpoint

WEIGHTS_FILE = "model_lstm.pth"
SCALER_FILE = "scaler.pkl"
CONFIG_FILE = "config.pkl"

_EXAMPLE = "PETR4.SA"
_READ = "this program reads a state_dict of PyTorch"


class ClassicFile(NamedTuple):
    """One of the files, whatever its name is."""

    name: str
    content: bytes


@dataclass(frozen=True, eq=False)
class ClassicModel:
    """A model as the three files describe it.

    Attributes:
        config: Settings of such a network; those that the files do not say are the preset's.
        scaling: The scaler's numbers.
        weights: Named as in `StockLSTM`.
        ticker: If they say so.
        test_start: First ISO day that it never saw, if they say so.
        notes: What a person should know of the files, in words.
    """

    config: TrainingConfig
    scaling: PriceScaling
    weights: dict[str, torch.Tensor]
    ticker: str | None
    test_start: str | None
    notes: tuple[str, ...] = ()


def encode_classic(
    weights: Mapping[str, torch.Tensor],
    config: TrainingConfig,
    scaling: PriceScaling,
    facts: Mapping[str, object],
) -> dict[str, bytes]:
    """Write the three files of a `StockLSTM`; `facts` are more plain values for config.pkl."""
    import joblib
    from sklearn.preprocessing import MinMaxScaler

    scaler = MinMaxScaler(feature_range=(scaling.low, scaling.high))
    scaler.fit(np.array([[scaling.data_min], [scaling.data_max]]))
    settings = {
        "input_size": config.input_size,
        "hidden_size": config.hidden_size,
        "num_layers": config.num_layers,
        "output_size": config.outputs,
        "dropout": config.dropout,
        "seq_length": config.seq_length,
        "horizon": config.horizon,
        "feature": "Close",
        **facts,
    }
    named = {name.replace("head.", "fc.", 1): value for name, value in weights.items()}
    files = {}
    buffer = io.BytesIO()
    torch.save(named, buffer)
    files[WEIGHTS_FILE] = buffer.getvalue()
    for name, value in ((SCALER_FILE, scaler), (CONFIG_FILE, settings)):
        buffer = io.BytesIO()
        joblib.dump(value, buffer)
        files[name] = buffer.getvalue()
    return files


def decode_classic(
    weights: ClassicFile,
    scaler: ClassicFile,
    config: ClassicFile | None,
    *,
    seq_length: int | None = None,
    ticker: str | None = None,
    origin: str = ".",
) -> ClassicModel:
    """Read the three files; nothing in them is ever executed.

    Args:
        weights: A PyTorch file of weights, alone or with other things of a training.
        scaler: Of scikit-learn.
        config: Settings as a pickle or as JSON; None if there are none.
        seq_length: Sessions of a window; None for what the settings say.
        ticker: Whose model, for the next command of an error.
        origin: Where the files lie, likewise.

    Raises:
        ArtifactCorruptError: A file is damaged, or asks for more than plain values.
        ConfigError: They describe a network that cannot be taken over.
    """
    train_here = f"train one here: stocklstm train --ticker {ticker or _EXAMPLE} --preset paper"
    checkpoint = _checkpoint(weights, train_here)
    named = lstm_weights(checkpoint.weights, weights.name, train_here)
    settings = read_settings(config and config.name, config and config.content, checkpoint.settings)
    settings.require_shape(named, weights.name)
    scale = close_scale(_plain(scaler), scaler.name)
    retry = f"{_retry(settings, ticker, origin)} --seq-length 60, if it is 60"
    try:
        made = configure(
            "paper",
            hidden_size=named["lstm.weight_hh_l0"].shape[1],
            num_layers=sum("weight_ih" in name for name in named),
            dropout=settings.dropout(),
            seq_length=settings.window(seq_length, retry),
            horizon=settings.horizon(),
            scale_low=scale.low,
            scale_high=scale.high,
        )
    except ConfigError as error:
        # As of every setting its hint is to leave it out, for the preset's; here there is none.
        of_window = error.message.startswith("seq_length")
        raise ConfigError(error.message, hint=retry if of_window else error.hint) from error
    _require_fit(made, named, weights.name)
    spread = ((scale.end - scale.start) or 1.0) / (scale.high - scale.low)
    feature = FeatureScale("close", scale.start, spread, scale.low)
    return ClassicModel(
        config=made,
        scaling=PriceScaling(
            scale.start, scale.end, scale.low, scale.high, (feature,), horizon=made.horizon
        ),
        weights=named,
        ticker=settings.word("ticker"),
        test_start=settings.word("test_start"),
        notes=(*scale.notes, *settings.notes()),
    )


def _retry(settings: ClassicSettings, ticker: str | None, origin: str) -> str:
    """Write the command once more; of an unknown ticker with one to be replaced."""
    known = ticker is None and settings.word("ticker") is not None
    owner = "" if known else f" --ticker {ticker or _EXAMPLE}"
    return f"stocklstm models import {quoted(origin)}{owner}"


def _checkpoint(file: ClassicFile, train_here: str) -> Checkpoint:
    foreign = foreign_file(file.content, file.name)
    if foreign is not None:
        raise _not_weights(file, foreign, train_here)
    try:
        check_checkpoint(file.content)
    except ForeignNameError as error:
        inside = f'torch.load("{file.name}", weights_only=False)'
        raise ArtifactCorruptError(
            f"{file.name} is more than weights: it asks for {error.name}, and nothing of other "
            "people's programs is run",
            hint="write the weights alone, where you trust it and have its program: torch.save("
            f'{inside}.state_dict(), "{WEIGHTS_FILE}"), or of a checkpoint '
            f'torch.save({inside}["model_state_dict"], "{WEIGHTS_FILE}")',
        ) from error
    except ValueError:
        # What is wrong with it is said below, as of every checkpoint.
        pass
    try:
        return checkpoint_of(load_tensors(file.content, file.name), file.name)
    except ArtifactCorruptError as error:
        if error.hint is not None:
            raise
        raise ArtifactCorruptError(
            error.message, hint=f'write it with torch.save(model.state_dict(), "{WEIGHTS_FILE}")'
        ) from error


def _not_weights(file: ClassicFile, foreign: Foreign, train_here: str) -> StockLstmError:
    what = foreign.what
    if what.startswith("a pickle"):
        try:
            read_plain(file.content)
        except ForeignNameError as error:
            what = f"a pickle of {error.name}"
        except ValueError:
            pass
        # It may be anything, and is not looked into any further.
        return ArtifactCorruptError(f"{file.name} is {what}; {_READ}", hint=train_here)
    return ConfigError(f"{file.name} is {what}; {_READ}", hint=foreign.remedy or train_here)


def _plain(file: ClassicFile) -> object:
    try:
        return read_plain(file.content)
    except ForeignNameError as error:
        raise ArtifactCorruptError(
            f"{file.name} holds more than a scaler: it asks for {error.name}, and nothing of other "
            "people's programs is run",
            hint="write a scaler that was fitted on the closes alone, with joblib.dump: "
            f"{', '.join(SCALERS)}",
        ) from error
    except ValueError as error:
        raise ArtifactCorruptError(
            f"{file.name} cannot be read: {error}",
            hint=f'joblib.dump(joblib.load("{file.name}"), "{SCALER_FILE}") writes it uncompressed',
        ) from error


def _require_fit(config: TrainingConfig, weights: Mapping[str, torch.Tensor], name: str) -> None:
    """Raise `ConfigError` if the weights are no network from one close a day to one price."""
    try:
        rebuild_network({"architecture": architecture_of(config), "weights": weights})
    except ArtifactCorruptError as error:
        raise ConfigError(
            f"{name} is no network from one close a day to one price: {error.message}",
            hint=f'write it with torch.save(model.state_dict(), "{WEIGHTS_FILE}")',
        ) from error
