"""The device the network trains on, and its precision."""

import torch

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import ConfigError

_MIXED = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def choose_device(config: TrainingConfig) -> torch.device:
    """Choose the device by the settings `device` and `precision`.

    Raises:
        ConfigError: This machine has no such device, or it cannot train in that precision.
    """
    name = config.device
    if name == "auto":
        name = next((kind for kind in ("cuda", "mps") if _is_there(kind)), "cpu")
    elif not _is_there(name):
        raise ConfigError(
            f"there is no device {name!r} that this PyTorch, {torch.__version__}, can use",
            hint="train with --device cpu, or --device auto to take what there is",
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
            return torch.mps.is_available()
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
