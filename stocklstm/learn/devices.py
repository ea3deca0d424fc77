"""The device the network trains on, and its precision."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

import torch
from torch.torch_version import TorchVersion

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import ConfigError

_MIXED = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


@dataclass(frozen=True)
class KnownFault:
    """What PyTorch computes wrongly on a kind of device, without an error that would say so.

    Attributes:
        device: Kind of device.
        fixed: First version of PyTorch without the fault; None while there is none.
        reason: What is wrong, as a clause.
        report: Issue in which it was reported.
    """

    device: str
    fixed: str | None
    reason: str
    report: str

    def is_in(self, version: str) -> bool:
        """Tell if a version of PyTorch has the fault; a nightly one is before its release."""
        return self.fixed is None or TorchVersion(version) < self.fixed

    def __str__(self) -> str:
        """Say what is wrong, where it was reported and what mends it, on one line."""
        fixed = "" if self.fixed is None else f", fixed in PyTorch {self.fixed}"
        return f"{self.reason} ({self.report}{fixed})"


# One layer, or dropout 0, is computed rightly there and refused as well: a search changes both from
# one trial to the next.
KNOWN_FAULTS = (
    KnownFault(
        device="mps",
        fixed="2.14",
        reason="the LSTM's gradients ignore the dropout between layers",
        report="pytorch#190056",
    ),
)


def choose_device(config: TrainingConfig) -> torch.device:
    """Choose the device by the settings `device` and `precision`.

    Raises:
        ConfigError: This machine has no such device, this PyTorch is known to train wrongly on it,
            or it cannot train in that precision.
    """
    name = config.device
    if name == "auto":
        name = next((kind for kind, fault in _gpus() if fault is None), "cpu")
    elif not _is_there(name):
        raise ConfigError(
            f"there is no device {name!r} that this PyTorch, {torch.__version__}, can use",
            hint="train with --device cpu, or --device auto to take what there is",
        )
    elif fault := _fault_of(name):
        raise ConfigError(
            f"PyTorch {torch.__version__} trains wrongly on {name}: {fault}",
            hint="train with --device cpu",
        )
    if config.precision == "16-mixed" and name != "cuda":
        raise ConfigError(
            f"precision 16-mixed needs a GPU (cuda); the device is {name}",
            hint="train with --precision bf16-mixed or --precision 32",
        )
    if config.precision == "bf16-mixed" and name == "mps":
        raise ConfigError(
            "precision bf16-mixed is for cpu and cuda; the device is mps",
            hint="train with --precision 32",
        )
    if config.precision == "bf16-mixed" and name == "cpu" and not _computes_bfloat16():
        raise ConfigError(
            "this processor cannot run an LSTM in bfloat16, as precision bf16-mixed does",
            hint="train with --precision 32",
        )
    return torch.device(name)


def skipped_devices(config: TrainingConfig) -> tuple[str, ...]:
    """Name what is there and `device` auto does not take, each with the reason."""
    if config.device != "auto":
        return ()
    before_choice = takewhile(lambda gpu: gpu[1] is not None, _gpus())
    return tuple(f"{kind}: {fault}" for kind, fault in before_choice)


def _gpus() -> Iterator[tuple[str, KnownFault | None]]:
    for kind in ("cuda", "mps"):
        if _is_there(kind):
            yield kind, _fault_of(kind)


def _fault_of(kind: str) -> KnownFault | None:
    version = torch.__version__
    faults = (each for each in KNOWN_FAULTS if each.device == kind and each.is_in(version))
    return next(faults, None)


def _computes_bfloat16() -> bool:
    # No flag of the processor says what PyTorch's library makes of it: only trying does.
    try:
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            torch.nn.LSTM(1, 1)(torch.zeros(1, 1, 1))
    except RuntimeError:
        return False
    return True


def _is_there(name: str) -> bool:
    # Asked one by one: looking for a GPU takes time, and training on the CPU needs none.
    match name:
        case "cuda":
            return torch.cuda.is_available()
        case "mps":
            return torch.backends.mps.is_available()
        case _:
            return True


def describe_device(device: torch.device) -> str:
    """Name a device, such as "cpu" or "cuda (NVIDIA H200)"."""
    if device.type != "cuda":
        return device.type
    return f"cuda ({torch.cuda.get_device_name(device)})"


def finish_work(device: torch.device) -> None:
    """Wait for a GPU to finish its work, which it does while Python goes on."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def autocast(config: TrainingConfig, device: torch.device) -> torch.autocast:
    """Make the context of a forward pass: mixed precision by the setting `precision`, or nothing.

    The weights stay float32 (Micikevicius et al. 2018, arXiv 1710.03740).
    """
    dtype = _MIXED.get(config.precision)
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)


def gradient_scaler(config: TrainingConfig, device: torch.device) -> torch.amp.GradScaler:
    """Make the scaler that keeps small gradients from vanishing in float16; else it is disabled."""
    return torch.amp.GradScaler(device.type, enabled=config.precision == "16-mixed")
