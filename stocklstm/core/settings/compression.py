"""How a model is to be made smaller."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from stocklstm.errors import ConfigError

METHODS: dict[str, tuple[str, ...]] = {
    "dynamic": ("per_tensor",),
    "static": ("calibration_windows",),
    "fp16": (),
    "int4": ("calibration_windows",),
    "qat": ("bits", "epochs"),
    "prune": ("sparsity", "schedule", "structured", "epochs"),
    "distill": ("student_hidden", "alpha"),
    "pipeline": ("budget", "sparsity", "epochs"),
}
"""Methods, each with the options that belong to it."""

_AS_FLOAT = "weights are unpacked at load, so that a forecast takes as long as in float32"
_TRAINED_ON = "it was trained on: only what it is better by than its controls is owed to the method"
_TAUGHT = "its parent taught it to say the same, and nothing that came did"

NOTES = {
    "dynamic": "activations are scaled by their range, so that a forecast depends a little on "
    "what else is in its batch; predict and evaluate make them one by one",
    "static": f"activations stay float32, as ONNX Runtime has no LSTM for others; {_AS_FLOAT}",
    "fp16": _AS_FLOAT,
    "int4": _AS_FLOAT,
    "qat": f"{_TRAINED_ON}; {_AS_FLOAT}",
    "prune": "zeros make the file compress better and no forecast faster: ONNX Runtime multiplies "
    f"them too; {_TAUGHT}",
    "structured": _TAUGHT,
    "distill": _TRAINED_ON,
    "pipeline": _TAUGHT,
}
"""What to know of a method."""

CALIBRATION_WINDOWS = 256
LEAST_CALIBRATION_WINDOWS = 32
"""With fewer, the two numbers that are fitted to each output would follow chance."""

BITS = 8
FINE_TUNING_EPOCHS = 12
SPARSITY = 0.8
STRUCTURED_SPARSITY = 0.5
PIPELINE_SPARSITY = 0.8
MATCHING_STEPS = 8_000
"""Of learning to say with fewer units what all of them said."""
FULL_SIZE_STEPS = 1_000
"""Of learning it with as many units: while weights become zero and again when all of them are, or
with weights rounded to bytes."""
MATCHING_BATCH = 128
MATCHING_RATE = 3e-3
SCHEDULES = ("polynomial", "once")
ALPHA = 0.5
BUDGETS = ("size", "latency", "accuracy")

_LIMITS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "calibration_windows": (
        lambda count: count >= LEAST_CALIBRATION_WINDOWS,
        f"at least {LEAST_CALIBRATION_WINDOWS}",
    ),
    "bits": (lambda bits: bits in {8, 4, 2}, "8, 4 or 2"),
    "epochs": (lambda epochs: 1 <= epochs <= 10_000, "from 1 to 10,000"),
    "sparsity": (lambda share: 0 < share < 1, "above 0 and below 1"),
    "schedule": (lambda name: name in SCHEDULES, "polynomial or once"),
    "student_hidden": (lambda units: units >= 1, "at least 1"),
    "alpha": (lambda weight: 0 <= weight <= 1, "from 0 to 1"),
    "budget": (lambda name: name in BUDGETS, "size, latency or accuracy"),
}


@dataclass(frozen=True)
class Compression:
    """A method and its options; what is None is as the method has it.

    Attributes:
        method: One of `METHODS`.
        per_tensor: One scale for a whole matrix instead of one for each of its rows.
        calibration_windows: Training windows on which the outputs are brought back to what they
            were; 256 if None.
        bits: Of the integers that weights are trained to be; 8 if None.
        epochs: Of fine-tuning: 12 if None; of learning from the parent: as many as make
            8,000 steps for fewer units and 1,000, twice, for zeros.
        sparsity: Share of weights that become zero (0.8 if None), or of hidden units that are
            removed, by `structured` (0.5) and by the pipeline (0.8).
        schedule: "polynomial" (if None) or "once": how the share of zeros grows in training.
        structured: Remove hidden units instead of setting weights to zero.
        student_hidden: Hidden units of the student; half of the teacher's if None.
        alpha: Weight of the teacher's outputs beside what came; 0.5 if None.
        budget: What the pipeline is to save: "size" (if None), "latency", or as much as
            "accuracy" allows, which removes no units.
    """

    method: str = "dynamic"
    per_tensor: bool | None = None
    calibration_windows: int | None = None
    bits: int | None = None
    epochs: int | None = None
    sparsity: float | None = None
    schedule: str | None = None
    structured: bool | None = None
    student_hidden: int | None = None
    alpha: float | None = None
    budget: str | None = None

    def __post_init__(self) -> None:
        """Refuse what there is not, and options of another method.

        Raises:
            ConfigError: There is no such method, an option does not belong to it, or is beyond
                its limits.
        """
        if self.method not in METHODS:
            raise ConfigError(
                f"there is no method {self.method!r}", hint=f"use {', '.join(METHODS)}"
            )
        for name in [field.name for field in fields(self) if field.name != "method"]:
            value = getattr(self, name)
            if value is None:
                continue
            option = f"--{name.replace('_', '-')}"
            if name not in METHODS[self.method]:
                owners = [method for method, options in METHODS.items() if name in options]
                raise ConfigError(
                    f"{option} does not belong to method {self.method}",
                    hint=f"it belongs to {', '.join(owners)}",
                )
            holds, limits = _LIMITS.get(name, (lambda _: True, ""))
            if not holds(value):
                raise ConfigError(f"{option} must be {limits}, not {value}")
        if self.budget == "accuracy" and self.sparsity is not None:
            raise ConfigError(
                "--sparsity does not belong to --budget accuracy: no units are removed",
                hint="leave --sparsity out, or use --budget size",
            )
        if self.structured and self.schedule is not None:
            raise ConfigError(
                "--schedule does not belong to --structured: units are removed at once",
                hint="leave --schedule out",
            )

    @property
    def note(self) -> str:
        """What to know of the method, in words."""
        words = NOTES["structured" if self.structured else self.method]
        return f"{words}; integers of 2 bits take 4 in the file" if self.bits == 2 else words
