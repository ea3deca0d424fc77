"""Results as they are seen in a Python prompt or a notebook: a small table, words below it."""

from collections.abc import Iterator, Sequence
from html import escape
from numbers import Real
from typing import TYPE_CHECKING, NamedTuple

from stocklstm.core.csv_rows import Cell, Table
from stocklstm.core.frames import cells_of

if TYPE_CHECKING:
    from stocklstm.core.batch import Failure

_WIDTH = 100
_ROWS = 20
_CELL = 40
_FEW = 8


class Shown(NamedTuple):
    """What is shown of a result.

    Attributes:
        columns: Headings.
        rows: A text a column each.
        numbers: Which columns hold numbers.
        words: What must not be missed, a line each: verdicts and failures.
        more: Columns that the whole table has besides.
    """

    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int]
    words: tuple[str, ...]
    more: int = 0


def shown_of(table: Table, results: "Sequence[object]", failures: "Sequence[Failure]") -> Shown:
    """Choose what is shown of the results of one task for many tickers."""
    first = results[0] if results else None
    places = _places(table, getattr(first, "SHOWN", ()))
    rows = [[_text(row[place]) for place in places] for row in table.rows]
    return Shown(
        tuple(table.columns[place] for place in places),
        rows,
        frozenset(
            number
            for number, place in enumerate(places)
            if all(row[place] is None or isinstance(row[place], Real) for row in table.rows)
        ),
        (*said_of(results), *failed_words(failures)),
        len(table.columns) - len(places),
    )


def said_of(results: "Sequence[object]") -> Iterator[str]:
    """Give the sentences and warnings of some results, each once; of several with whose it is."""
    said: set[str] = set()
    several = len({getattr(result, "ticker", None) for result in results}) > 1
    for result in results:
        cells = dict(cells_of(result))
        whose = f"{cells.get('ticker') or ''}"
        sentences = [f"{cells.get(name) or ''}" for name in getattr(result, "SAID", ())]
        warnings = [f"WARNING: {words}" for words in getattr(result, "warnings", ())]
        for words in (*sentences, *warnings):
            if several and words and not words.startswith(whose):
                words = f"{whose}: {words}"  # noqa: PLW2901 - the same, with whose it is
            if words and words not in said:
                said.add(words)
                yield words


def failed_words(failures: "Sequence[Failure]") -> Iterator[str]:
    """Say what failed, a line each."""
    for failure in failures:
        whose = f"{failure.ticker}: " if failure.ticker else ""
        yield f"{whose}{type(failure.error).__name__}: {failure.error.message}"


def in_a_line(record: object) -> str:
    """Show one result in a line: its class, and what a person wants to see first of it."""
    cells = dict(cells_of(record))
    names = [name for name in getattr(record, "SHOWN", ()) if name in cells]
    names = names or [name for name, cell in cells.items() if cell not in {None, ""}][:_FEW]
    values = [f"{name}={cells[name]!r}" for name in names]
    values += ["..."] if len(names) < len(cells) else []
    return f"{type(record).__name__}({', '.join(values)})"


def _places(table: Table, wanted: Sequence[str]) -> list[int]:
    """Choose columns: those wanted, or the first that fit into a line, without empty ones."""
    chosen = [table.columns.index(name) for name in wanted if name in table.columns]
    if chosen:
        return chosen
    width = 0
    for place, name in enumerate(table.columns):
        texts = [_text(row[place]) for row in table.rows[:_ROWS]]
        if not any(texts):
            continue
        width += 2 + max(len(text) for text in (name, *texts))
        if width > _WIDTH and chosen:
            break
        chosen.append(place)
    return chosen


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1e5 else f"{cell:.5g}"
    text = str(cell)
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"


def as_text(shown: Shown) -> str:
    """Write what is shown for a Python prompt."""
    lines = []
    if shown.rows:
        rows = [shown.columns, *shown.rows[:_ROWS]]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines += [
            "  ".join(
                text.rjust(width) if place in shown.numbers else text.ljust(width)
                for place, (text, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
    return "\n".join([*lines, *_below(shown)]) or "nothing"


def as_html(shown: Shown) -> str:
    """Write what is shown for a notebook; every value is escaped, no colour is set."""
    parts = []
    if shown.rows:
        # A day is not to be broken at its dashes; numbers stand one below the other.
        places = [' align="right"' if n in shown.numbers else "" for n in range(len(shown.columns))]
        head = "".join(f"<th>{escape(name)}</th>" for name in shown.columns)
        body = "".join(
            "".join(
                ["<tr>"]
                + [
                    f"<td nowrap{place}>{escape(text)}</td>"
                    for place, text in zip(places, row, strict=True)
                ]
                + ["</tr>"]
            )
            for row in shown.rows[:_ROWS]
        )
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    parts += [f"<p>{escape(line)}</p>" for line in _below(shown)]
    return "".join(parts) or "<p>nothing</p>"


def _below(shown: Shown) -> list[str]:
    lines = list(shown.words)
    left_out = len(shown.rows) - _ROWS
    if left_out > 0:
        lines.insert(0, f"and {left_out:,} more row{'' if left_out == 1 else 's'}")
    if shown.more and shown.rows:
        lines.append(f"[{shown.more} more column{'' if shown.more == 1 else 's'}: to_frame()]")
    return lines
