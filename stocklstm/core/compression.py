"""How a model is to be made smaller."""

from collections.abc import Callable
from dataclasses import dataclass, fields

from stocklstm.errors import ConfigError

METHODS: dict[str, tuple[str, ...]] = {
    "dynamic": ("per_tensor",),
    "static": ("calibration_windows",),
    "fp16": (),
    "int4": ("calibration_windows",),
}
"""Methods, each with the options that belong to it."""

CALIBRATION_WINDOWS = 256
LEAST_CALIBRATION_WINDOWS = 32
"""With fewer, the two numbers that are fitted to each output would follow chance."""

_LIMITS: dict[str, tuple[Callable[[int], bool], str]] = {
    "calibration_windows": (
        lambda count: count >= LEAST_CALIBRATION_WINDOWS,
        f"at least {LEAST_CALIBRATION_WINDOWS}",
    ),
}


@dataclass(frozen=True)
class Compression:
    """A method and its options; what is None is as the method has it.

    Attributes:
        method: One of `METHODS`.
        per_tensor: One scale for a whole matrix instead of one for each of its rows.
        calibration_windows: Training windows on which the outputs are brought back to what they
            were; 256 if None.
    """

    method: str = "dynamic"
    per_tensor: bool | None = None
    calibration_windows: int | None = None

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
