"""Consoles that know few characters: what is written arrives, in plain letters."""

import ast
import io
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm.__main__ import _prepare_streams
from stocklstm.cli.output import write_json
from stocklstm.cli.streams import to_stderr, write
from tests.support.property_tests import PROPERTY

FEW = ["cp1252", "cp850", "cp437", "ascii", "latin-1"]
"""What Windows writes to a file or a pipe, and to old consoles."""


def said(encoding: str, words: str) -> tuple[str, str]:
    """Write words to both streams as the program does, where they take an encoding."""
    before = sys.stdout, sys.stderr
    found = io.BytesIO(), io.BytesIO()
    try:
        # As Windows has them: it puts a carriage return before the end of a line.
        sys.stdout, sys.stderr = (
            io.TextIOWrapper(each, encoding, newline="\r\n", write_through=True) for each in found
        )
        _prepare_streams()
        write(words)
        to_stderr(words)
        out, err = (each.getvalue().decode(encoding) for each in found)
    finally:
        sys.stdout, sys.stderr = before
    return out, err


@pytest.mark.parametrize("encoding", FEW)
def test_what_we_print_has_plain_letters(encoding: str) -> None:
    words = "v1…v3, 0.1–0.9, 3.16 × smaller, R², EWMA σ, €1 £2 ¥3 ₹4 · ↑ better ↓ worse ───"

    out, err = said(encoding, words)

    assert "?" not in out + err
    assert said("ascii", words)[0] == (
        "v1...v3, 0.1-0.9, 3.16 x smaller, R2, EWMA sigma, EUR1 GBP2 JPY3 INR4 - ^ better v worse "
        "---"
    )
    assert said("ascii", "Não é: previsões à frente, AÇÃO")[0] == "Nao e: previsoes a frente, ACAO"


@settings(PROPERTY, max_examples=50)
@given(st.sampled_from(FEW), st.text())
def test_nothing_that_is_written_ends_the_program(encoding: str, words: str) -> None:
    out, err = said(encoding, words)

    assert err.rstrip("\r\n") or not words.strip()
    if words.isascii():
        assert out == words


def test_a_table_for_excel_keeps_the_ends_of_its_lines() -> None:
    assert said("cp1252", "a;b\r\n1;2\r\n")[0] == "a;b\r\n1;2\r\n"


@pytest.mark.parametrize("encoding", FEW)
def test_json_loses_nothing(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(found, encoding, write_through=True))
    write_json({"name": "Itaú – 年 ×", "value": 1.5})

    text = found.getvalue().decode("ascii")
    assert ast.literal_eval(text) == {"name": "Itaú – 年 ×", "value": 1.5}
