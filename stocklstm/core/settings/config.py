"""What a training run is told to do: settings, their limits and the presets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from stocklstm.errors import ConfigError

FEATURES = ("return", "volatility", "close", "volume", "range", "gap")
"""What a network can be shown; `core.inputs.features` says how each is made."""

LOCK_TIMEOUT_S = 10.0
"""Seconds to wait for another writer, unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Every setting that shapes a model; kept in its manifest.

    Attributes:
        preset: Name of the preset the settings started from.
        target: What the network learns: "return" (log return over the volatility anchor, as
            quantiles) or "price" (the close, scaled to `scale_low` … `scale_high`).
        features: What the network is shown of each session, in this order, out of `FEATURES`.
        scale_low: Lower end of the price scale.
        scale_high: Upper end of the price scale.
        seq_length: Sessions in a window.
        horizon: Sessions from the window's end to the day that is forecast.
        hidden_size: Units of each LSTM layer.
        num_layers: LSTM layers.
        dropout: Share of activations dropped between layers and before the head.
        loss: "pinball" for quantiles; "mse", "mae" or "huber" for a price.
        optimizer: "adam", "adamw", "sgd" or "rmsprop".
        weight_decay: Strength of the pull of the weights towards zero.
        momentum: Of "sgd" and "rmsprop"; the others have their own.
        schedule: How the step size changes from epoch to epoch: "constant", "plateau" (times
            `lr_factor` after `lr_patience` epochs without improvement), "cosine" (down to
            `min_lr` at the last epoch), "exponential" (times `lr_gamma` each epoch) or
            "warmup-cosine" (up in a line over `warmup_epochs`, then "cosine").
        learning_rate: Step size; the largest one of the schedule.
        lr_factor: Of "plateau".
        lr_patience: Of "plateau".
        lr_gamma: Of "exponential".
        min_lr: Smallest step size of "plateau", "cosine" and "warmup-cosine".
        warmup_epochs: Of "warmup-cosine".
        batch_size: Windows in a step.
        clip_norm: Largest gradient norm, None for no clipping.
        ema_decay: Weight of the past in a moving average of the weights, which is what is
            validated and kept (Polyak & Juditsky 1992); None keeps the weights themselves.
        epochs: Most passes over the training windows.
        patience: Epochs without improvement before stopping; None trains all epochs.
        min_delta: An epoch improves on the best one if its validation loss is lower by more
            than this, in the unit of the loss.
        restore_best: True to keep the weights of the best epoch, False those of the last.
        checkpoint_every: Epochs between checkpoints that are published beside the model; None
            for none.
        top_k: Checkpoints of the best epochs that are published likewise.
        validation_fraction: Share of the rows before the test part that is held back to
            compare epochs.
        calibration_fraction: Share of the same rows that is held back to measure residuals.
        test_fraction: Share of all rows, the latest, that no choice may look at.
        seed: Seed of weights, dropout and data order.
        threads: Threads that PyTorch may use.
        device: "cpu", "cuda", "mps" or "auto" for the first GPU there is.
        precision: "32", or "bf16-mixed" or "16-mixed" to run forward passes in half precision.
    """

    preset: str
    target: str
    features: tuple[str, ...]
    scale_low: float = 0.0
    scale_high: float = 1.0
    seq_length: int = 60
    horizon: int = 1
    hidden_size: int = 50
    num_layers: int = 2
    dropout: float = 0.2
    loss: str
    optimizer: str = "adam"
    weight_decay: float = 0.0
    momentum: float = 0.0
    schedule: str = "constant"
    learning_rate: float = 1e-3
    lr_factor: float = 0.5
    lr_patience: int = 3
    lr_gamma: float = 0.95
    min_lr: float = 1e-6
    warmup_epochs: int = 3
    batch_size: int = 32
    clip_norm: float | None = None
    ema_decay: float | None = None
    epochs: int
    patience: int | None = None
    min_delta: float = 0.0
    restore_best: bool = True
    checkpoint_every: int | None = None
    top_k: int = 0
    validation_fraction: float = 0.15
    calibration_fraction: float = 0.0
    test_fraction: float = 0.2
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    precision: str = "32"

    def __post_init__(self) -> None:
        """Refuse settings that cannot work.

        Raises:
            ConfigError: A value is outside its limits.
        """
        for name, (holds, limits) in _LIMITS.items():
            value = getattr(self, name)
            if not holds(value):
                shown = ",".join(value) if isinstance(value, tuple) else repr(value)
                raise ConfigError(
                    f"{name} must be {limits}, not {shown}",
                    hint=f"leave {name} out to use the preset's value",
                )
        if (self.loss == "pinball") != (self.target == "return"):
            raise ConfigError(
                f"loss {self.loss!r} does not fit target {self.target!r}",
                hint="pinball goes with returns; for prices: --loss mse --features close "
                "--calibration-fraction 0.1, or --preset paper",
            )
        falls = self.schedule in {"plateau", "cosine", "warmup-cosine"}
        if falls and self.min_lr > self.learning_rate:
            raise ConfigError(
                f"min_lr, {self.min_lr:g}, is above learning_rate, {self.learning_rate:g}"
            )
        if self.schedule == "warmup-cosine" and self.warmup_epochs >= self.epochs:
            raise ConfigError(
                f"warmup_epochs, {self.warmup_epochs}, leave nothing of {self.epochs} epochs"
            )
        if not float("-inf") < self.scale_low < self.scale_high < float("inf"):
            raise ConfigError("scale_low must be below scale_high, and both finite")
        if self.target == "price" and not self.calibration_fraction:
            raise ConfigError(
                "a price's intervals need a calibration_fraction above 0",
                hint="--calibration-fraction 0.1 holds back a tenth of the rows",
            )
        if self.target == "price" and "close" not in self.features:
            raise ConfigError(
                f"a price cannot be told from {', '.join(self.features)} alone",
                hint=f"--features {','.join(('close', *self.features))}",
            )

    @property
    def input_size(self) -> int:
        """Features F of each session in a window."""
        return len(self.features)

    @property
    def outputs(self) -> int:
        """Numbers the network gives per window."""
        return len(LEVELS) if self.target == "return" else 1


def _one_of(*choices: object) -> tuple[Callable[[Any], bool], str]:
    return (lambda value: value in choices), " or ".join(map(str, choices))


def _between(least: int, most: int) -> tuple[Callable[[Any], bool], str]:
    return (lambda value: least <= value <= most), f"from {least} to {most}"


def _share(most: float, *, zero: bool) -> tuple[Callable[[Any], bool], str]:
    bounds = f"{'from 0' if zero else 'above 0'} to below {most:g}"
    return (lambda value: 0 <= value < most and (zero or value > 0)), bounds


_LIMITS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "target": _one_of("return", "price"),
    "features": (
        lambda value: 0 < len(set(value)) == len(value) and set(value) <= set(FEATURES),
        f"some of {', '.join(FEATURES)}, each once",
    ),
    "loss": _one_of("pinball", "mse", "mae", "huber"),
    "optimizer": _one_of("adam", "adamw", "sgd", "rmsprop"),
    "weight_decay": _share(float("inf"), zero=True),
    "momentum": _share(1, zero=True),
    "schedule": _one_of("constant", "plateau", "cosine", "exponential", "warmup-cosine"),
    "lr_factor": _share(1, zero=False),
    "lr_patience": _between(0, 1_000_000),
    "lr_gamma": (lambda value: 0 < value <= 1, "above 0 to 1"),
    "min_lr": _share(float("inf"), zero=True),
    "warmup_epochs": _between(1, 1_000_000),
    "seq_length": _between(2, 10_000),
    "horizon": _between(1, 250),
    "hidden_size": _between(1, 2_048),
    "num_layers": _between(1, 16),
    "dropout": _share(1, zero=True),
    "learning_rate": _share(float("inf"), zero=False),
    "batch_size": _between(1, 1_000_000),
    "clip_norm": (lambda value: value is None or value > 0, "above 0 or none"),
    "ema_decay": (lambda value: value is None or 0 < value < 1, "between 0 and 1 or none"),
    "epochs": _between(1, 1_000_000),
    "patience": (lambda value: value is None or value >= 1, "at least 1 or none"),
    "min_delta": _share(float("inf"), zero=True),
    "checkpoint_every": (lambda value: value is None or value >= 1, "at least 1 or none"),
    "top_k": _between(0, 100),
    "validation_fraction": _share(0.5, zero=False),
    "calibration_fraction": _share(0.5, zero=True),
    "test_fraction": _share(0.9, zero=False),
    "seed": (lambda value: 0 <= value < 2**63, "from 0 to below 2^63"),
    "threads": _between(1, 256),
    "device": _one_of("auto", "cpu", "cuda", "mps"),
    "precision": _one_of("32", "bf16-mixed", "16-mixed"),
}

PRESETS: Mapping[str, TrainingConfig] = {
    "calibrated": TrainingConfig(
        preset="calibrated",
        target="return",
        features=("return", "volatility"),
        loss="pinball",
        clip_norm=1.0,
        ema_decay=0.999,
        epochs=60,
        patience=10,
    ),
    "paper": TrainingConfig(
        preset="paper",
        target="price",
        features=("close",),
        loss="mse",
        hidden_size=100,
        epochs=100,
        restore_best=False,
        calibration_fraction=0.1,
    ),
    "paper-short": TrainingConfig(
        preset="paper-short",
        target="price",
        features=("close",),
        loss="mse",
        scale_low=-1.0,
        hidden_size=32,
        num_layers=1,
        dropout=0.0,
        seq_length=10,
        epochs=20,
        restore_best=False,
        calibration_fraction=0.1,
    ),
}


def configure(preset: str, **overrides: object) -> TrainingConfig:
    """Start from a preset and change what is given.

    Args:
        preset: Name of a preset.
        overrides: Settings by name; None means "as the preset has it".

    Raises:
        ConfigError: No such preset or setting, or a value outside its limits.
    """
    if preset not in PRESETS:
        raise ConfigError(
            f"there is no preset {preset!r}", hint=f"the presets are {', '.join(PRESETS)}"
        )
    unknown = overrides.keys() - {field.name for field in fields(TrainingConfig)}
    if unknown:
        raise ConfigError(f"there is no setting {min(unknown)!r}")
    given: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
    return replace(PRESETS[preset], **given)


LEVELS: tuple[float, ...] = (
    0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99,
)  # fmt: skip
"""Probabilities of the grid; symmetric, with the bounds of the 80, 90, 95 and 98 % intervals."""


INTERVAL_LEVELS = (0.8, 0.95)
"""Probabilities of the central intervals that are shown and tested."""


AXES: Mapping[str, tuple[float, ...]] = {
    "learning_rate": (0.01, 0.001, 0.0001),
    "hidden_size": (32, 50, 100, 128),
    "num_layers": (1, 2, 3),
    "dropout": (0.1, 0.2, 0.3, 0.5),
    "batch_size": (16, 32, 64),
}
"""What is searched, in the order of what matters most, and the values that are tried."""


SAMPLERS = ("coordinate", "grid", "random", "tpe")


Settings = dict[str, Any]
"""A value for each axis."""
