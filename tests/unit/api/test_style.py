"""Whatever is to be read or seen stands out from what lies behind it, in the light and the dark."""

import re
from itertools import product

import pytest

from tests.support.places import ROOT

STYLE = (ROOT / "stocklstm" / "api" / "templates" / "style.css").read_text(encoding="utf-8")

LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    for block in re.findall(r":root \{([^}]*--paper[^}]*)\}", STYLE)
)

TEXT = [
    *product(("ink", "quiet", "blue", "good", "bad"), ("paper", "card")),
    *(("good", "good-back"), ("even", "even-back"), ("bad", "bad-back"), ("warn", "warn-back")),
    ("paper", "blue"),
]
"""Colours of text, and of what is behind it: 4.5 is level AA of WCAG 2."""

MARKS = [("edge", "card"), ("blue", "card"), ("blue", "fan80"), ("ink", "fan80"), ("bad", "card")]
"""Lines and marks of the chart, and the border of a field: 3."""


def brightness(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((brightness(one), brightness(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_computed_as_wcag_does() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_marks_stand_out(colours: dict[str, str]) -> None:
    found = {
        (pair, least): contrast(*(colours[name] for name in pair))
        for pairs, least in ((TEXT, 4.5), (MARKS, 3))
        for pair in pairs
    }

    assert {pair: ratio for (pair, least), ratio in found.items() if ratio < least} == {}


def test_both_schemes_name_the_same_colours_and_no_rule_names_another() -> None:
    assert LIGHT.keys() == DARK.keys()
    used = set(re.findall(r"var\(--([\w-]+)\)", STYLE))
    assert used == LIGHT.keys()
    assert "#" not in re.sub(r":root \{[^}]*\}", "", STYLE)
