"""Every past format is read, and what cannot be read is said."""

import copy
import json
from dataclasses import MISSING, fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm.core.scores.scores import (
    Coverage,
    DirectionScores,
    DistributionRivalScores,
    DistributionScores,
    Evaluation,
    PointScores,
    RivalScores,
)
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import ArtifactVersionError
from stocklstm.store.manifest import decode_manifest, decode_outline, stored_format
from stocklstm.store.manifest_migrations import FORMAT, migrate
from tests.conftest import TICKER
from tests.support.past_versions import FORMATS, PAST, VERSION


def content_of(number: int) -> bytes:
    return (PAST / f"format-{number}" / f"v{VERSION}" / "manifest.json").read_bytes()


def document_of(number: int) -> dict:
    return json.loads(content_of(number))


def test_there_is_an_artifact_of_every_past_format():
    assert tuple(range(1, FORMAT)) == FORMATS
    assert [stored_format(content_of(number)) for number in FORMATS] == list(FORMATS)


@pytest.mark.parametrize("number", FORMATS)
def test_a_past_manifest_says_all_that_it_said(number):
    said = document_of(number)

    manifest = decode_manifest(content_of(number), TICKER, VERSION)

    assert manifest.format == FORMAT
    read = json.loads(manifest.encode())
    assert decode_manifest(manifest.encode(), TICKER, VERSION) == manifest
    assert_within(said | {"format": FORMAT}, read)


def assert_within(said: dict, read: dict) -> None:
    """Nothing that was said is missing or different, however much was added."""
    for key, value in said.items():
        if isinstance(value, dict):
            assert_within(value, read[key])
        else:
            assert read[key] == value, key


@pytest.mark.parametrize("number", FORMATS)
def test_a_version_from_before_pools_is_of_one_ticker(number):
    assert decode_manifest(content_of(number), TICKER, VERSION).pool is None


@pytest.mark.parametrize("number", [1, 2])
def test_what_came_later_means_what_it_meant_before(number):
    manifest = decode_manifest(content_of(number), TICKER, VERSION)

    assert manifest.anchor is not None
    assert manifest.anchor.anchor.level_decay is None
    assert manifest.baselines.ewma.anchor.level_decay is None
    assert manifest.input_ranges == ()
    assert manifest.imported_from is None


@pytest.mark.parametrize("number", FORMATS)
def test_the_outline_is_that_of_the_manifest(number):
    outline = decode_outline(content_of(number), TICKER, VERSION)
    manifest = decode_manifest(content_of(number), TICKER, VERSION)

    assert (outline.created, outline.files) == (manifest.created, manifest.files)
    assert outline.evaluation.verdict == manifest.evaluation.verdict


@pytest.mark.parametrize("number", FORMATS)
def test_migrating_changes_only_the_number_and_not_what_it_is_given(number):
    document = document_of(number)
    before = copy.deepcopy(document)

    migrated = migrate(document, number)

    assert document == before
    assert migrated == {**before, "format": FORMAT}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["config", "anchor", "format"]), VALUES))
def test_whatever_a_document_holds_it_is_brought_up_to_date(document):
    assert migrate(document, 1)["format"] == FORMAT


def test_a_price_without_the_close_is_no_longer_read():
    document = document_of(1)
    document["config"] |= {"target": "price", "features": ["return"]}

    with pytest.raises(ArtifactVersionError, match="without seeing the close") as caught:
        decode_manifest(json.dumps(document).encode(), TICKER, VERSION)

    assert caught.value.message.startswith(f"{TICKER}@v{VERSION} has manifest format 1")
    assert caught.value.hint == f"stocklstm train --ticker {TICKER} makes a new one"


def test_what_never_measured_drift_is_not_made_up():
    document = document_of(1)
    document["baseline"] = document.pop("baselines")["ewma"]

    with pytest.raises(ArtifactVersionError, match=r"before drift and AR\(1\) were measured"):
        decode_manifest(json.dumps(document).encode(), TICKER, VERSION)


def required(kind: type) -> set[str]:
    return {
        row.name
        for row in fields(kind)
        if row.default is MISSING and row.default_factory is MISSING
    }


def test_a_score_that_is_added_has_a_default():
    """Without one, every version that is stored already would read as damaged."""
    said = document_of(FORMATS[-1])["evaluation"]
    point, spread = said["point"], said["distribution"]

    assert required(Evaluation) <= said.keys()
    assert required(PointScores) <= point.keys()
    assert required(RivalScores) <= said["rivals"][0].keys()
    assert required(DirectionScores) <= said["direction"].keys()
    assert required(DistributionScores) <= spread.keys()
    assert required(Coverage) <= spread["coverage"][0].keys()
    # No stored sample has GARCH beside it.
    assert required(DistributionRivalScores) <= {"name", "crps", "crps_ratio", "dm_stat", "dm_p"}


def test_a_setting_that_is_added_has_a_default():
    assert required(TrainingConfig) <= document_of(1)["config"].keys()
