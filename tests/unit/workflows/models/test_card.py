"""The model card of every kind of version is Markdown that says what its manifest does."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from stocklstm import Client
from stocklstm.core.settings.config import PRESETS, configure
from stocklstm.core.settings.layers import training_options
from stocklstm.store.manifest import ImportRecord, Manifest, decode_manifest
from stocklstm.workflows.models.card import model_card
from tests.conftest import TICKER, Cli
from tests.support.past_versions import FORMATS
from tests.support.places import ROOT

HEADINGS = ["What it is", "Data", "Settings", "Scores", "Intervals", "Limits"]
HEADINGS += ["How to make it again", "Licence"]

OLD = ROOT / "tests" / "data" / "manifests"


def parsed(card: str) -> list[Token]:
    return MarkdownIt().enable("table").parse(card)


def tables(tokens: list[Token]) -> list[list[list[str]]]:
    """Give the text of every cell of every row of every table."""
    found: list[list[list[str]]] = []
    for place, token in enumerate(tokens):
        match token.type:
            case "table_open":
                found.append([])
            case "tr_open":
                found[-1].append([])
            case "th_open" | "td_open":
                found[-1][-1].append(text(tokens[place + 1]))
    return found


def text(inline: Token) -> str:
    return "".join(child.content for child in inline.children or [])


def headings(tokens: list[Token]) -> list[str]:
    opened = [place for place, token in enumerate(tokens) if token.type == "heading_open"]
    return [text(tokens[place + 1]) for place in opened]


def facts_of(card: str) -> dict[str, str]:
    """Read the card, and check its form: what is in no table is no part of one."""
    tokens = parsed(card)
    first, *others = headings(tokens)
    assert first.startswith("Model card: ")
    assert others == HEADINGS
    inside = [child.type for token in tokens for child in token.children or []]
    allowed = {"text", "code_inline", "strong_open", "strong_close", "text_special"}
    assert set(inside) <= allowed
    assert not any(token.type.startswith("html") for token in tokens)
    rows = [row for table in tables(tokens) for row in table[1:]]
    # A cell too many is dropped, and one too few is filled up: neither has words of its own.
    widths = {2, 5}
    assert {len(row) for row in rows} <= widths
    return {row[0]: row[1] for row in rows}


def manifest_of(home: Path, reference: str = TICKER) -> Manifest:
    with Client(home) as client:
        return client.show_model(reference).manifest


@pytest.fixture(scope="module")
def published(_modelled: Path) -> Manifest:
    return manifest_of(_modelled)


def test_it_says_what_the_manifest_does(published: Manifest) -> None:
    facts = facts_of(model_card(published, ["champion", "previous"]))

    assert facts["Version"] == f"{TICKER}@v1"
    assert facts["Names"] == "champion, previous"
    assert facts["Prices"] == "3,514 rows, 2010-01-04 to 2024-03-13"
    assert facts["SHA-256 of the prices"] == published.data.sha256
    assert facts["hidden_size"] == "16"
    point = published.evaluation.point
    assert facts["this model"] == f"{point.rmse:.4g}"
    assert facts["yesterday's close"] == f"{point.rmse_naive:.4g}"
    assert "EWMA" in facts
    held = published.evaluation.distribution.coverage[0].share
    assert facts["80 %"] == f"{100 * held:.1f} %"


@pytest.mark.parametrize("number", FORMATS)
def test_a_version_of_a_past_format_has_one(number: int) -> None:
    (path,) = OLD.glob(f"*{number}*/**/manifest.json")
    manifest = decode_manifest(path.read_bytes(), TICKER, 2)

    assert facts_of(model_card(manifest))["Version"] == f"{TICKER}@v2"


def test_a_smaller_version_says_of_what_it_was_made(published: Manifest) -> None:
    card = model_card(replace(published, method="qat-int4", parent=f"{TICKER}@v1", version=2))

    assert facts_of(card)["Made from"] == f"{TICKER}@v1"
    assert f"stocklstm quantize {TICKER}@v1 --method qat\n" in card


def test_an_imported_version_does_not_claim_to_be_made_again(published: Manifest) -> None:
    source = ImportRecord("classic", "", None, "0" * 64, "2026-01-01T00:00:00Z")
    training = replace(published.training, epochs=0)
    card = model_card(replace(published, imported_from=source, training=training))

    assert facts_of(card)["Training"] == "elsewhere; how is not known"
    assert "stocklstm train" not in card
    assert "its training cannot be checked here" in card


def test_the_libraries_follow_what_announces_them(published: Manifest) -> None:
    card = model_card(replace(published, learned_before={TICKER: "2020-01-02"}))

    assert "Its first weights come from other models" in card
    assert "the same libraries:\n\n| Library | Version |" in card


def test_a_pooled_model_has_one(pool_home: Path) -> None:
    card = model_card(manifest_of(pool_home, "+b3"))

    assert facts_of(card)["Tickers"] == "3, in the list of +b3"
    assert "errors are in shares of the last close" in card
    assert "stocklstm train --pooled --name b3 --tickers-file FILE" in card


words = st.text(max_size=30) | st.sampled_from(
    ["a|b", "`", "```", "<script>", "[x](y)", "![i](j)", "https://x.y", "www.x.y", "\n\n# x", "**"]
)


@settings(max_examples=25)
@given(words, words, words, st.lists(words, max_size=3), words)
def test_no_word_of_a_manifest_breaks_out_of_its_place(
    published: Manifest, verdict: str, device: str, source: str, names: list[str], library: str
) -> None:
    card = model_card(
        replace(
            published,
            data=replace(published.data, sources=(source,)),
            training=replace(published.training, device=device),
            evaluation=replace(published.evaluation, verdict_text=verdict),
            environment={library: "1"},
        ),
        names,
    )

    facts = facts_of(card)

    def shown(said: str) -> str:
        return "".join(c if c.isprintable() else " " for c in said).strip()

    assert facts["Source"] == (shown(source) or "–")
    assert facts["Training"].startswith(f"2 epochs on {shown(device)}")


def test_its_commands_make_the_same_model(published: Manifest, cli: Cli, home: Path) -> None:
    (block,) = [token for token in parsed(model_card(published)) if token.type == "fence"]

    for line in block.content.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "stocklstm"
        assert cli(*arguments, "--quiet").code == 0

    again = manifest_of(home)
    assert again.data.sha256 == published.data.sha256
    assert again.files["model.onnx"] == published.files["model.onnx"]
    assert again.config == published.config


@pytest.mark.parametrize("preset", PRESETS)
def test_the_options_of_a_training_are_those_that_differ(preset: str) -> None:
    assert training_options(configure(preset)) == f"--preset {preset}"
    changed = training_options(configure(preset, seed=7, min_delta=0.5, start="2015-01-01"))
    assert changed == f"--preset {preset} --start 2015-01-01 --min-delta 0.5 --seed 7"


def test_it_is_printed_as_it_is(cli: Cli, model_home: Path) -> None:
    outcome = cli("models", "show", TICKER, "--card")

    with Client(model_home) as client:
        assert outcome.out == client.show_model(TICKER).card()
    assert (outcome.code, outcome.err) == (0, "")
    for other in ("--json", "--quiet"):
        refused = cli("models", "show", TICKER, "--card", other)
        assert refused.code == 2
