"""How figures, lists and arguments are written: money, per cent, p-values. Free of NumPy."""

import math
from collections.abc import Mapping, Sequence

from stocklstm.core.language import english
from stocklstm.core.operating_system import system
from stocklstm.core.settings.config import SIGNIFICANT

MOST_TIMES = 100
"""Where the figures of a ratio end: beyond that only this is said."""


def error_digits(rmse: float) -> int:
    """Choose the decimal places of errors: four for those of shares, two for those of an index.

    The errors of what costs less than a cent get more, so that four digits are seen of them, too.

    Args:
        rmse: How large they usually are, in currency.
    """
    if rmse >= 10:
        return 2
    return max(4, _four_digits(rmse)) if rmse > 0 else 4


def price_digits(price: float) -> int:
    """Choose the decimal places of a price: two, and more for what costs less than one."""
    return 2 if price >= 1 else _four_digits(price)


def _four_digits(amount: float) -> int:
    """Count the decimals that four significant digits take; 15 at most."""
    return 3 - math.floor(math.log10(max(amount, 1e-12)))


def price_words(price: float) -> str:
    """Write a price without its currency, such as 1,234.50 or 0.02750."""
    return f"{price:,.{price_digits(price)}f}"


def range_words(low: float, high: float, digits: int) -> str:
    """Write an interval, such as 35.20 to 37.10."""
    return english("{low} to {high}", low=f"{low:,.{digits}f}", high=f"{high:,.{digits}f}")


def significant(number: float, digits: int) -> str:
    """Write a number with so many significant digits, and never as a power of ten: 100, 0.000012.

    Args:
        number: One that is not finite is written as such.
        digits: At most; zeros at the end are left out.
    """
    if not math.isfinite(number):
        return f"{number}"
    rounded, _, exponent = f"{number:.{digits - 1}e}".partition("e")
    text = f"{float(f'{rounded}e{exponent}'):,.{max(0, digits - 1 - int(exponent))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: float | None) -> str:
    """Write a share, such as 81.3 %; a dash where there is none."""
    return "-" if share is None else f"{100 * share:.1f} %"


def level_percent(level: float) -> str:
    """Write the probability of an interval with as many digits as it has: 80 %, 97.5 %."""
    return f"{100 * level:g} %"


def percent_change(change: float) -> str:
    """Write a change that is in per cent already with its sign, and no change as +0.00 %.

    Beyond a hundredfold the digits say nothing any more.
    """
    if change > 100 * MOST_TIMES:
        return english("beyond {most:+,} %", most=100 * MOST_TIMES)
    return f"{round(change, 2) + 0.0:+,.2f} %"


def size_words(share: float) -> str:
    """Write by how much something is larger, smaller, better or worse: 2.5 %, 418 %.

    Args:
        share: Of the other's, from 0; above a hundred times the digits say nothing any more.
    """
    if share > MOST_TIMES:
        return too_many_times()
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:,.0f} %"


def judged_words(judged: str) -> str:
    """Write how a model was judged, such as no_better, in words."""
    return {
        "better": english("better"),
        "worse": english("worse"),
        "no_better": english("no better"),
        "no_difference": english("no difference"),
        "too_few": english("too few"),
    }.get(judged, judged.replace("_", " "))


def too_many_times() -> str:
    """Say of a ratio that its digits say nothing any more."""
    return english("more than {most} times", most=MOST_TIMES)


def two_digits(figure: float) -> str:
    """Write a figure from 0 with two digits and never as a power of ten: 0.031, 5.2, 100."""
    if 0 < figure < 0.0001:
        return english("less than 0.0001")
    return f"{figure:.2g}" if figure < 99.5 else f"{figure:,.0f}"


def skill_percent(skill: float, digits: int = 2) -> str:
    """Write the skill of a forecast in per cent with its sign, such as +0.16 %."""
    if skill < -MOST_TIMES:
        return english("below {most:,} %", most=-100 * MOST_TIMES)
    return f"{100 * skill:+,.{digits}f} %"


def p_words(p: float) -> str:
    """Write a p-value in a sentence: two digits, and never so few that it reads as the limit."""
    if p < 0.001:
        return english("p < 0.001")
    # Neither 0.0496 nor 0.04998 is 0.05.
    digits = 3 if abs(p - SIGNIFICANT) < 0.005 else 2
    while digits < 9 and float(f"{p:.{digits}g}") == SIGNIFICANT != p:
        digits += 1
    return english("p = {p}", p=f"{p:.{digits}g}")


def p_cell(p: float | None) -> str:
    """Write a p-value in a table, three decimals; a dash where there is none."""
    if p is None:
        return "-"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def counted(count: int, thing: str) -> str:
    """Write how many there are of a thing, such as 1 session or 1,200 sessions."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def measured_words(measured: Mapping[str, int]) -> str:
    """Say how many sessions were measured how, such as 440 by 60-minute bars, 3,014 daily."""
    return ", ".join(
        english("{count:,} daily", count=count)
        if kind == "daily"
        else english("{count:,} by {kind} bars", count=count, kind=kind)
        for kind, count in measured.items()
    )


def first_few(names: Sequence[str], most: int = 3) -> str:
    """Name the first few of many, such as A, B, C and 4 more."""
    more = len(names) - most
    listed = ", ".join(names[:most])
    return english("{listed} and {more} more", listed=listed, more=more) if more > 0 else listed


def sessions_ahead(horizon: int) -> str:
    """Write how far ahead a forecast is, such as 5 sessions ahead."""
    return (
        english("1 session ahead")
        if horizon == 1
        else english("{horizon:,} sessions ahead", horizon=horizon)
    )


def target_words(horizon: int) -> str:
    """Name what is forecast: the next session, or one further ahead."""
    return english("the next session") if horizon == 1 else sessions_ahead(horizon)


def naive_words(horizon: int) -> str:
    """Name the naive forecast, which is the last close."""
    if horizon == 1:
        return english("yesterday's close")
    return english("the close {horizon} sessions before", horizon=horizon)


def quoted(text: str) -> str:
    """Put an argument in quotation marks if a shell would take it apart."""
    return system().quoted(text)
