"""A language by its tables: texts filled, finished English told anew, figures and days written."""

import re
from collections.abc import Mapping
from functools import cached_property
from string import Formatter
from typing import Any

_FIGURE_PATTERN = (
    r"(?:[<>~±] ?)?[-+−]?(?:(?:R\$|[$€£¥p]|[A-Z]{3}) ?)?[-+−]?"
    r"(?:[1-9]\d{0,2}(?:,\d{3})+|\d+)(?:\.\d+)?"
    r"(?: ?[%x×]| [KMG]?i?B| [mµn]?s| min| h)?"
)
_FIGURE = re.compile(_FIGURE_PATTERN)
_DAY_PATTERN = r"\d{4}-\d{2}-\d{2}"
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}:\d{2})(?::\d{2})?( ?UTC|Z)?)?")
# What fields of some names hold: figures, single words, or whole sentences.
_VALUES = {
    **dict.fromkeys(
        ("events", "faults", "figures", "found", "levels", "reason", "since", "why", "words"), ".+?"
    ),
    **dict.fromkeys(("count", "high", "low", "more", "most"), f"{_FIGURE_PATTERN}|{_DAY_PATTERN}"),
    **dict.fromkeys(("champion", "exchange", "model", "name", "ticker", "variable"), r"\S+"),
    **dict.fromkeys(("chance", "p"), r"[^()]+"),
    "command": "stocklstm .+",
}
# What fields of these names hold is typed again, though it may look like a figure or a day.
_TYPED = {"command", "home", "model", "path", "report", "ticker", "variable"}
# The others end where another sentence begins.
_VALUE = "(?:(?!; ).)+?"

_SWAPPED = str.maketrans(",.", ".,")

# Texts that are told anew again and again, such as the headings of thousands of rows.
_MOST_REMEMBERED = 10_000


class Told(str):
    """A text in its language: told again, the separators of a figure would be turned back."""

    __slots__ = ()


class Translation(Formatter):
    """Texts of a language that writes 1.234,5 and 14/03/2024.

    Args:
        said: Texts that only people read, by their English; both with the same {fields}.
        told: Likewise, of texts that are stored in English.
        joints: What stands between the parts of a list, by its English; tried in this order.
    """

    def __init__(
        self, said: Mapping[str, str], told: Mapping[str, str], joints: Mapping[str, str]
    ) -> None:
        self._said, self._told, self._joints = said, told, joints
        self._remembered: dict[str, Told] = {}

    def said(self, text: str, values: Mapping[str, object]) -> Told:
        """Give a text with its fields filled; the English one where there is no translation."""
        return Told(self.vformat(self._said.get(text, text), (), values))

    def retold(self, text: str) -> Told:
        """Tell a finished English text, figure or day; others stay as they are."""
        if isinstance(text, Told):
            return text
        if (known := self._remembered.get(text)) is None:
            if len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.clear()
            known = self._remembered[text] = Told(self._found(text))
        return known

    def figure(self, text: str) -> Told:
        """Write a figure as the language does."""
        return Told(text.translate(_SWAPPED))

    def get_value(
        self,
        key: int | str,
        args: Any,  # noqa: ANN401 - as Formatter has it
        kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 - whatever a field holds
        """Take the value of a field, told anew if it is a text and no name."""
        value = super().get_value(key, args, kwargs)
        return self.retold(value) if isinstance(value, str) and key not in _TYPED else value

    def format_field(self, value: object, format_spec: str) -> str:
        """Write the value of a field; one of a finished text has its form already."""
        if isinstance(value, str):
            return value
        shown = format(value, format_spec)
        return self.figure(shown) if isinstance(value, int | float) else shown

    def _found(self, text: str) -> str:
        if (whole := self._told.get(text)) is not None:
            return whole
        if _FIGURE.fullmatch(text):
            return self.figure(text)
        if day := _DAY.fullmatch(text):
            return _day(*day.groups())
        return self._sentence(text) if " " in text else text

    def _sentence(self, text: str) -> str:
        # A field would take in whole sentences.
        if (told := self._joined(text.replace(". ", ".\0").split("\0"), " ")) is not None:
            return told
        for pattern, translation in self._patterns:
            if found := pattern.fullmatch(text):
                return self.vformat(translation, (), found.groupdict())
        for joint, translated in self._joints.items():
            if (told := self._joined(text.split(joint), translated)) is not None:
                return told
        return text

    def _joined(self, parts: list[str], joint: str) -> str | None:
        """Tell each of several parts; None if one of them cannot be told."""
        if len(parts) == 1:
            return None
        told = [self.retold(part) for part in parts]
        # A figure without a separator is the same in every language.
        known = all(
            new != part or _FIGURE.fullmatch(part) for part, new in zip(parts, told, strict=True)
        )
        return joint.join(told) if known else None

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        """Make of each text with fields what finds it again, those with the most letters first."""
        texts = [(text, new) for text, new in self._told.items() if "{" in text]
        texts.sort(key=lambda pair: len(re.sub(r"\{.*?\}", "", pair[0])), reverse=True)
        return [(re.compile(_pattern(text)), new) for text, new in texts]


def _pattern(text: str) -> str:
    pattern, seen = "", set()
    for literal, name, _, _ in Formatter().parse(text):
        pattern += re.escape(literal)
        if name is not None:
            value = _VALUES.get(name, _VALUE)
            pattern += f"(?P={name})" if name in seen else f"(?P<{name}>{value})"
            seen.add(name)
    return pattern


def _day(year: str, month: str, number: str, time: str | None, utc: str | None) -> str:
    return f"{number}/{month}/{year}" + (f" {time}" if time else "") + (" UTC" if utc else "")
