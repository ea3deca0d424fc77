"""Methods of quantize and their options, one row each. Free of NumPy: `--help` reads it."""

from collections.abc import Mapping
from dataclasses import Field, field, fields
from typing import Any, Literal, NamedTuple

from stocklstm.core.language import english
from stocklstm.core.records import dataclass
from stocklstm.core.settings.config import Limits, at_least, between
from stocklstm.errors import ConfigError

Method = Literal[
    "float32",
    "dynamic-int8",
    "static-int8",
    "float16",
    "int4",
    "qat-int8",
    "qat-int4",
    "qat-int2",
    "pruned-int8",
    "structured",
    "distilled",
    "structured-dynamic-int8",
    "structured-static-int8",
    "structured-int4",
]
"""What a manifest says of how its weights are stored and how they came to be so."""


class Weights(NamedTuple):
    """Weights as they are stored.

    Attributes:
        parity: Largest difference of checkpoint and serving graph, relative to the largest output:
            rounding alone for float32, the coarseness of the stored weights otherwise.
        float32: True if they could still be made smaller.
        computed: True if int8 is computed with, and not unpacked at load.
    """

    parity: float
    float32: bool = False
    computed: bool = False

    @property
    def stored(self) -> str:
        """How the serving graph has them; see `infer.structure.Stored`."""
        if self.float32:
            return "float32"
        return "int8" if self.computed else "packed"


FLOAT32 = Weights(1e-5, float32=True)

# Weights that were rounded in training have a checkpoint of their own, and it holds them rounded.
_ROUNDED_IN_TRAINING = Weights(1e-4)


class MethodRow(NamedTuple):
    """One choice of `--method`.

    Attributes:
        words: What it is, for `--help`; no capital, no full stop.
        note: What to know of it, printed with the result.
        makes: Weights by what the manifest calls them.
        options: Those that belong to it.
    """

    words: str
    note: str
    makes: Mapping[Method, Weights]
    options: tuple[str, ...] = ()


_AS_FLOAT = english("weights are unpacked at load, so that a forecast takes as long as in float32")
_TRAINED_ON = english(
    "it was trained further: only its advantage over the controls is due to the method"
)
_TAUGHT = english("it learned from the outputs of its parent, not from actual prices")

METHODS: Mapping[str, MethodRow] = {
    "dynamic": MethodRow(
        "int8, activations scaled as they come",
        english(
            "activations are scaled by their range, so that a forecast depends a little on what "
            "else is in its batch; predict and evaluate make them one by one"
        ),
        {"dynamic-int8": Weights(0.1, computed=True)},
        ("per_tensor",),
    ),
    "static": MethodRow(
        "int8 weights, float activations",
        english("activations stay float32, as ONNX Runtime has no LSTM for others")
        + f"; {_AS_FLOAT}",
        {"static-int8": Weights(0.05)},
        ("calibration_windows",),
    ),
    "fp16": MethodRow("half precision weights", _AS_FLOAT, {"float16": Weights(0.01)}),
    "int4": MethodRow("4-bit weights", _AS_FLOAT, {"int4": Weights(0.5)}, ("calibration_windows",)),
    "qat": MethodRow(
        "trained with rounded weights",
        f"{_TRAINED_ON}; {_AS_FLOAT}",
        {
            "qat-int8": _ROUNDED_IN_TRAINING,
            "qat-int4": _ROUNDED_IN_TRAINING,
            "qat-int2": _ROUNDED_IN_TRAINING,
        },
        ("bits", "epochs"),
    ),
    "prune": MethodRow(
        "most weights zero, or fewer units",
        english(
            "zeros make the file compress better and no forecast faster: ONNX Runtime multiplies "
            "them too"
        )
        + f"; {_TAUGHT}",
        {"pruned-int8": Weights(0.05), "structured": FLOAT32},
        ("sparsity", "structured", "epochs"),
    ),
    "distill": MethodRow(
        "a smaller student", _TRAINED_ON, {"distilled": FLOAT32}, ("student_hidden", "alpha")
    ),
    "pipeline": MethodRow(
        "by --budget",
        _TAUGHT,
        {
            "structured-int4": Weights(0.5),
            "structured-dynamic-int8": Weights(0.1, computed=True),
            "structured-static-int8": Weights(0.05),
            "qat-int8": _ROUNDED_IN_TRAINING,
        },
        ("budget", "sparsity", "epochs"),
    ),
}
"""What `--method` can be."""

WEIGHTS: Mapping[Method, Weights] = {
    "float32": FLOAT32,
    **{made: weights for row in METHODS.values() for made, weights in row.makes.items()},
}
"""Every kind of weights that a version can have."""

TOLERANCE_PCT = 0.5
"""Most growth of RMSE and CRPS of a version that is accepted, unless told otherwise."""

CALIBRATION_WINDOWS = 256
LEAST_CALIBRATION_WINDOWS = 32
"""With fewer, the two numbers that are fitted to each output would follow chance."""

BITS = 8
FINE_TUNING_EPOCHS = 12
SPARSITY = 0.8
STRUCTURED_SPARSITY = 0.5
PIPELINE_SPARSITY = 0.8
MATCHING_STEPS = 8_000
"""Steps in which fewer units learn the outputs of all of them."""
FULL_SIZE_STEPS = 1_000
"""Steps in which as many units learn them: while weights become zero and again when all of them
are, or with weights rounded to bytes."""
MATCHING_BATCH = 128
MATCHING_RATE = 3e-3
ALPHA = 0.5
BUDGETS = ("size", "latency", "accuracy")


def option(words: str, limits: Limits | None = None, metavar: str = "COUNT") -> Any:  # noqa: ANN401 - of the option's type
    """Make the row of an option, out of which come its check and its help on the command line.

    Args:
        words: Methods it belongs to, what it is, and its default; no full stop.
        limits: None allows all values of its type.
        metavar: What stands for its value in the help.
    """
    return field(default=None, metadata={"words": words, "limits": limits, "metavar": metavar})


@dataclass(frozen=True)
class Compression:
    """A method of quantize and its options, of which None is as the method has it.

    Example:
        >>> stocklstm.Compression(method="prune", sparsity=0.5).sparsity
        0.5

    Attributes:
        method: One of `METHODS`.
    """

    method: str = "dynamic"
    per_tensor: bool | None = option("dynamic: one scale a matrix instead of one a row")
    calibration_windows: int | None = option(
        f"static, int4: training windows to correct the outputs on (default {CALIBRATION_WINDOWS})",
        at_least(LEAST_CALIBRATION_WINDOWS),
        metavar="WINDOWS",
    )
    bits: int | None = option(
        f"qat: bits of the weights (default {BITS})",
        Limits(lambda bits: bits in {8, 4, 2}, "8, 4 or 2"),
        metavar="8|4|2",
    )
    sparsity: float | None = option(
        f"prune: share of weights that become zero (default {SPARSITY}), with --structured of "
        f"units ({STRUCTURED_SPARSITY}); pipeline: of units ({PIPELINE_SPARSITY})",
        Limits(lambda share: 0 < share < 1, "above 0 and below 1"),
        metavar="SHARE",
    )
    structured: bool | None = option("prune: remove hidden units instead")
    student_hidden: int | None = option(
        "distill: units of the student (default half)", at_least(1), metavar="UNITS"
    )
    alpha: float | None = option(
        f"distill: weight of the teacher's outputs beside actual prices (default {ALPHA})",
        between(0, 1),
        metavar="WEIGHT",
    )
    epochs: int | None = option(
        f"qat: epochs of fine-tuning (default {FINE_TUNING_EPOCHS}); prune, pipeline: of learning "
        f"from the parent (default {FULL_SIZE_STEPS:,} steps twice, {MATCHING_STEPS:,} for fewer "
        "units)",
        Limits(lambda epochs: 1 <= epochs <= 10_000, "from 1 to 10,000"),
        metavar="EPOCHS",
    )
    budget: str | None = option(
        "pipeline: size (default), latency or accuracy",
        Limits(lambda name: name in BUDGETS, "size, latency or accuracy"),
        metavar="|".join(BUDGETS),
    )

    def __post_init__(self) -> None:
        """Refuse an unknown method, and options of another one.

        Raises:
            ConfigError: There is no such method, an option does not belong to it, or is beyond
                its limits.
        """
        if self.method not in METHODS:
            raise ConfigError(
                f"there is no method {self.method!r}", hint=f"use {', '.join(METHODS)}"
            )
        for row in options():
            value, name = getattr(self, row.name), f"--{row.name.replace('_', '-')}"
            if value is None:
                continue
            if row.name not in METHODS[self.method].options:
                owners = [method for method, each in METHODS.items() if row.name in each.options]
                raise ConfigError(
                    f"{name} does not belong to method {self.method}",
                    hint=f"it belongs to {', '.join(owners)}",
                )
            limits = row.metadata["limits"]
            if limits is not None and not limits.allows(value):
                raise ConfigError(
                    f"{name} must be {limits.words}, not {value}",
                    hint=f"leave {name} out for what method {self.method} does by itself",
                )
        if self.budget == "accuracy" and self.sparsity is not None:
            raise ConfigError(
                "--sparsity does not belong to --budget accuracy: no units are removed",
                hint="leave --sparsity out, or use --budget size",
            )

    @property
    def note(self) -> str:
        """What to know of the method, in words."""
        words = _TAUGHT if self.structured else METHODS[self.method].note
        if self.bits != 2:
            return words
        return f"{words}; " + english("integers of 2 bits take 4 in the file")


def options() -> list[Field[Any]]:
    """List the rows of all options, in the order of the help."""
    return [row for row in fields(Compression) if row.name != "method"]
