"""Outcomes of checks: what was looked at, and whether it holds."""

from stocklstm.core.records import dataclass


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: What was looked at, such as "hashes".
        status: "ok", "warning" for what a person should look at, or "failed".
        detail: What was found, in words.
    """

    name: str
    status: str
    detail: str
