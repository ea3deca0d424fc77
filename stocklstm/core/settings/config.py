"""Settings of a training, one row each, and the presets. Free of NumPy: `--help` reads it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, field, fields, replace
from typing import Any, NamedTuple

from stocklstm.core.clock import is_day
from stocklstm.core.records import dataclass
from stocklstm.errors import ConfigError

FEATURES = (
    "return",
    "volatility",
    "close",
    "volume",
    "range",
    "gap",
    "variance1",
    "variance5",
    "variance22",
    "intraday",
)
"""What a network can be shown; `core.inputs.features` has a row that says how each is made."""

LEVELS: tuple[float, ...] = (
    0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99,
)  # fmt: skip
"""Probabilities of the quantile grid; symmetric, with the bounds of the 80, 90, 95 and 98 %
intervals."""

INTERVAL_LEVELS = (0.8, 0.95)
"""Probabilities of the central intervals that are shown and tested."""

SIGNIFICANT = 0.05
"""p below which a difference counts as more than chance."""

LOCK_TIMEOUT_S = 10.0
"""Seconds to wait for another writer, unless told otherwise."""

AXES: Mapping[str, tuple[float, ...]] = {
    "learning_rate": (0.01, 0.002, 0.001, 0.0001),
    "hidden_size": (16, 32, 50, 100, 128),
    "num_layers": (1, 2, 3),
    "dropout": (0.1, 0.2, 0.3, 0.5),
    "batch_size": (16, 32, 64, 128),
}
"""Settings that `tune` searches, those that matter most first, and the values that are tried."""

PICTURE_FORMS = ("png", "svg", "png-dark", "svg-dark")
"""What pictures may be written as."""

PICTURE_VARIABLE = "STOCKLSTM_PICTURE_FORMAT"

SAMPLERS = ("coordinate", "grid", "random", "tpe")
"""Ways in which `tune` chooses what to try next."""

AxisValues = dict[str, Any]
"""A value for each of `AXES`."""


class Limits(NamedTuple):
    """Which values a setting may have: a predicate, and the same in words.

    Attributes:
        choices: The words it may be made of; none for a number.
    """

    allows: Callable[[Any], bool]
    words: str
    choices: tuple[str, ...] = ()


def one_of(*choices: str) -> Limits:
    """Allow these words only."""
    return Limits(lambda value: value in choices, " or ".join(choices), choices)


def between(least: int, most: int) -> Limits:
    """Allow a range, both ends included."""
    return Limits(lambda value: least <= value <= most, f"from {least} to {most}")


def at_least(least: int) -> Limits:
    """Allow a number and all above it."""
    return Limits(lambda value: value >= least, f"at least {least}")


def below(most: float, *, zero: bool) -> Limits:
    """Allow numbers from zero on, or above zero, that are below another one."""
    bounds = "from 0" if zero else "above 0"
    if most < math.inf:
        bounds = f"{bounds} to below {most:g}"
    return Limits(lambda value: 0 <= value < most and (zero or value > 0), bounds)


DAY = Limits(lambda value: isinstance(value, str) and is_day(value), "a day such as 2018-01-01")


def or_none(limits: Limits) -> Limits:
    """Allow None as well: the setting is off."""
    return Limits(lambda value: value is None or limits.allows(value), f"{limits.words} or none")


REQUIRED: Any = MISSING
"""Default of a setting that every preset has to give."""


DATA = "Data"
NETWORK = "Network"
OPTIMIZER = "Optimizer"
SCHEDULE = "Schedule"
STOPPING = "Stopping"
MACHINE = "Machine"


def setting(
    default: object,
    limits: Limits | None,
    words: str,
    note: str = "",
    *,
    group: str,
    metavar: str = "",
) -> Any:  # noqa: ANN401 - of the setting's type
    """Make the row of a setting, out of which come its option, its help, its check and its docs.

    Args:
        default: Where a preset says nothing else.
        limits: None allows all values of its type.
        words: What it is, for `--help` and docs/reference/settings.md; no capital, no full stop.
        note: More for the API's OpenAPI, in whole sentences.
        group: Heading above it in `--help`.
        metavar: What stands for a number there; words have their setting's own name.
    """
    row = {"limits": limits, "words": words, "note": note, "group": group, "metavar": metavar}
    return field(default=default, metadata=row)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Every setting that shapes a model; kept in its manifest.

    Example:
        >>> stocklstm.configure("calibrated", epochs=5).epochs
        5

    Attributes:
        preset: Name of the preset the settings started from.
    """

    # Manifests hold this class: a setting that is added needs a default, one that means what was
    # done without it, or every version that is stored already reads as damaged.

    preset: str
    target: str = setting(
        REQUIRED,
        one_of("return", "price"),
        "what is learnt: return or price",
        note="A return is the log return over the volatility anchor, as quantiles; a price "
        "the close, scaled to scale_low … scale_high.",
        group=DATA,
    )
    features: tuple[str, ...] = setting(
        REQUIRED,
        Limits(
            lambda value: 0 < len(set(value)) == len(value) and set(value) <= set(FEATURES),
            f"some of {', '.join(FEATURES)}, each once",
            FEATURES,
        ),
        f"what is seen of each session: {', '.join(FEATURES)}",
        note="In this order.",
        group=DATA,
    )
    start: str | None = setting(
        None,
        or_none(DAY),
        "first day of the prices to learn from, or none",
        note="Those before it are not looked at: not in training, and not in forecasts.",
        group=DATA,
        metavar="DAY",
    )
    range_decay: float = setting(
        0.92,
        below(1, zero=False),
        "weight of the past in the volatility by daily ranges",
        note="Yesterday's average counts for so much, and the day's range for the rest.",
        group=DATA,
        metavar="SHARE",
    )
    intraday: bool = setting(
        default=True,
        limits=None,
        words="measure days by the bars within sessions, where 250 sessions are stored with them",
        note="`fetch --intraday` stores them. A pooled model does without.",
        group=DATA,
    )
    scale_low: float = setting(
        0.0, None, "lower end of the price scale", group=DATA, metavar="NUMBER"
    )
    scale_high: float = setting(
        1.0, None, "upper end of the price scale", group=DATA, metavar="NUMBER"
    )
    seq_length: int = setting(
        60, between(2, 10_000), "sessions in a window", group=DATA, metavar="SESSIONS"
    )
    horizon: int = setting(
        1,
        between(1, 250),
        "sessions ahead",
        note="From the window's end to the day that is forecast.",
        group=DATA,
        metavar="SESSIONS",
    )
    hidden_size: int = setting(
        50, between(1, 2_048), "units of each LSTM layer", group=NETWORK, metavar="UNITS"
    )
    num_layers: int = setting(2, between(1, 16), "LSTM layers", group=NETWORK, metavar="LAYERS")
    dropout: float = setting(
        0.2,
        below(1, zero=True),
        "share of activations dropped",
        note="Between layers and before the head.",
        group=NETWORK,
        metavar="SHARE",
    )
    loss: str = setting(
        REQUIRED,
        one_of("pinball", "mse", "mae", "huber"),
        "what training minimizes: pinball (returns), mse, mae or huber (prices)",
        group=OPTIMIZER,
    )
    optimizer: str = setting(
        "adam",
        one_of("adam", "adamw", "sgd", "rmsprop"),
        "how weights follow the gradient: adam, adamw, sgd or rmsprop",
        group=OPTIMIZER,
    )
    weight_decay: float = setting(
        0.0,
        below(math.inf, zero=True),
        "pull of the weights towards zero",
        group=OPTIMIZER,
        metavar="RATE",
    )
    momentum: float = setting(
        0.0,
        below(1, zero=True),
        "momentum of sgd and rmsprop",
        note="The other optimizers have their own.",
        group=OPTIMIZER,
        metavar="SHARE",
    )
    schedule: str = setting(
        "constant",
        one_of("constant", "plateau", "cosine", "exponential", "warmup-cosine"),
        "course of the step size: constant, plateau, cosine, exponential or warmup-cosine",
        note="How it changes from epoch to epoch: plateau multiplies it by lr_factor after "
        "lr_patience epochs without improvement; cosine lowers it to min_lr at the last "
        "epoch; exponential multiplies it by lr_gamma each epoch; warmup-cosine raises "
        "it in a line over warmup_epochs, and goes on like cosine.",
        group=SCHEDULE,
    )
    learning_rate: float = setting(
        1e-3,
        below(math.inf, zero=False),
        "step size",
        note="The largest one of the schedule.",
        group=SCHEDULE,
        metavar="RATE",
    )
    lr_factor: float = setting(
        0.5,
        below(1, zero=False),
        "factor by which plateau lowers the step size",
        group=SCHEDULE,
        metavar="FACTOR",
    )
    lr_patience: int = setting(
        3,
        between(0, 1_000_000),
        "epochs without improvement before plateau lowers the step size",
        group=SCHEDULE,
        metavar="EPOCHS",
    )
    lr_gamma: float = setting(
        0.95,
        Limits(lambda value: 0 < value <= 1, "above 0 to 1"),
        "factor by which exponential lowers the step size each epoch",
        group=SCHEDULE,
        metavar="FACTOR",
    )
    min_lr: float = setting(
        1e-6,
        below(math.inf, zero=True),
        "smallest step size of plateau, cosine and warmup-cosine",
        group=SCHEDULE,
        metavar="RATE",
    )
    warmup_epochs: int = setting(
        3,
        between(1, 1_000_000),
        "epochs over which warmup-cosine raises the step size",
        group=SCHEDULE,
        metavar="EPOCHS",
    )
    batch_size: int = setting(
        32, between(1, 1_000_000), "windows in a step", group=OPTIMIZER, metavar="WINDOWS"
    )
    clip_norm: float | None = setting(
        None,
        or_none(Limits(lambda value: value > 0, "above 0")),
        "largest norm of the gradient, or none",
        group=OPTIMIZER,
        metavar="NORM",
    )
    ema_decay: float | None = setting(
        None,
        or_none(Limits(lambda value: 0 < value < 1, "between 0 and 1")),
        "weight of the past in the average of the weights, or none",
        note="The average is what is validated and kept (Polyak & Juditsky 1992); with none "
        "the weights themselves are.",
        group=OPTIMIZER,
        metavar="SHARE",
    )
    epochs: int = setting(
        REQUIRED,
        between(1, 1_000_000),
        "most passes over the training windows",
        group=STOPPING,
        metavar="EPOCHS",
    )
    patience: int | None = setting(
        None,
        or_none(at_least(1)),
        "epochs without improvement before stopping early, or none",
        group=STOPPING,
        metavar="EPOCHS",
    )
    min_delta: float = setting(
        0.0,
        below(math.inf, zero=True),
        "what counts as an improvement, in the unit of the loss",
        note="An epoch improves on the best one if its validation loss is lower by more than this.",
        group=STOPPING,
        metavar="LOSS",
    )
    restore_best: bool = setting(
        default=True,
        limits=None,
        words="keep the weights of the best epoch, not of the last",
        group=STOPPING,
    )
    checkpoint_every: int | None = setting(
        None,
        or_none(at_least(1)),
        "epochs between published checkpoints, or none",
        group=STOPPING,
        metavar="EPOCHS",
    )
    top_k: int = setting(
        0,
        between(0, 100),
        "published checkpoints of the best epochs",
        group=STOPPING,
        metavar="COUNT",
    )
    validation_fraction: float = setting(
        0.15,
        below(0.5, zero=False),
        "share of rows to compare epochs on",
        note="Of the rows before the test part.",
        group=DATA,
        metavar="SHARE",
    )
    calibration_fraction: float = setting(
        0.0,
        below(0.5, zero=True),
        "share of rows to measure residuals on",
        note="Of the rows before the test part.",
        group=DATA,
        metavar="SHARE",
    )
    test_fraction: float = setting(
        0.2,
        below(0.9, zero=False),
        "share of rows, the latest, that no choice may look at",
        group=DATA,
        metavar="SHARE",
    )
    seed: int = setting(
        0,
        Limits(lambda value: 0 <= value < 2**63, "from 0 to below 2^63"),
        "seed of what is random: weights, dropout and data order",
        group=MACHINE,
        metavar="SEED",
    )
    threads: int = setting(
        2,
        between(1, 256),
        "most threads of a training; they change no result",
        note="A step uses two at most, and none but its own where several tickers are trained at "
        "once or OMP_NUM_THREADS is 1.",
        group=MACHINE,
        metavar="COUNT",
    )
    device: str = setting(
        "cpu",
        one_of("auto", "cpu", "cuda", "mps"),
        "where to train: cpu, cuda, mps or auto",
        note="auto takes the first GPU there is, unless PyTorch is known to train wrongly on it.",
        group=MACHINE,
    )
    precision: str = setting(
        "32",
        one_of("32", "bf16-mixed", "16-mixed"),
        "numbers to compute with: 32, bf16-mixed or 16-mixed (GPU only)",
        note="The mixed ones run forward passes in half precision.",
        group=MACHINE,
    )

    def __post_init__(self) -> None:
        """Refuse values outside their limits, and settings that do not fit each other."""
        for row in fields(self):
            limits, value = row.metadata.get("limits"), getattr(self, row.name)
            if limits is not None and not limits.allows(value):
                shown = ",".join(value) if isinstance(value, tuple) else repr(value)
                raise ConfigError(
                    f"{row.name} must be {limits.words}, not {shown}",
                    hint=f"leave {row.name} out to use the preset's value",
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
                f"min_lr, {self.min_lr:g}, is above learning_rate, {self.learning_rate:g}",
                hint="make min_lr smaller, or take --schedule constant, which has none",
            )
        if self.schedule == "warmup-cosine" and self.warmup_epochs >= self.epochs:
            raise ConfigError(
                f"warmup_epochs, {self.warmup_epochs}, leave nothing of {self.epochs} epochs",
                hint=f"take fewer than {self.epochs}: --warmup-epochs {max(0, self.epochs // 10)}",
            )
        if not -math.inf < self.scale_low < self.scale_high < math.inf:
            raise ConfigError(
                "scale_low must be below scale_high, and both finite",
                hint="leave both out for those of the preset",
            )
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


_NOT_OF_THE_MODEL = ("preset", "checkpoint_every", "top_k", "threads", "device")
"""Settings of where a training works and of what it keeps besides, and the name of the preset."""


def differing_settings(one: TrainingConfig, other: TrainingConfig) -> tuple[str, ...]:
    """Name the settings by which two trainings on the same prices make different models.

    The seed is one of them. Where a training works, and what it keeps besides the model, is none.
    """
    return tuple(
        row.name
        for row in fields(one)
        if row.name not in _NOT_OF_THE_MODEL and getattr(one, row.name) != getattr(other, row.name)
    )


_CALIBRATED_50 = TrainingConfig(
    preset="calibrated-50",
    target="return",
    features=("return", "volatility"),
    loss="pinball",
    clip_norm=1.0,
    ema_decay=0.999,
    epochs=60,
    patience=10,
)

PRESETS: Mapping[str, TrainingConfig] = {
    "calibrated": replace(
        _CALIBRATED_50,
        preset="calibrated",
        seq_length=10,
        hidden_size=16,
        num_layers=1,
        learning_rate=0.002,
        batch_size=128,
        # Over as many passes as 0.999 is in batches of 32.
        ema_decay=0.996,
    ),
    "calibrated-50": _CALIBRATED_50,
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


def configure(preset: str = "calibrated", **overrides: object) -> TrainingConfig:
    """Start from a preset and change some settings.

    Example:
        >>> stocklstm.configure("calibrated", hidden_size=8).hidden_size
        8

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
        raise ConfigError(
            f"there is no setting {min(unknown)!r}",
            hint="stocklstm config show lists the settings there are",
        )
    given: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
    return replace(PRESETS[preset], **given)
