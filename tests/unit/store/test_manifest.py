import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm.core.inputs.features import FeatureScale
from stocklstm.core.inputs.scaling import AnchorScaling, PriceScaling
from stocklstm.core.inputs.volatility import VolatilityAnchor
from stocklstm.core.scores.baselines import Baselines, EwmaBaseline
from stocklstm.core.settings.config import FEATURES, configure
from stocklstm.errors import ArtifactCorruptError, ArtifactVersionError
from stocklstm.store.manifest import FORMAT, FileRecord, Manifest, decode_manifest
from tests.support.store_samples import TICKER, manifest_of, price_manifest

MODEL = FileRecord("0" * 64, 123)
RETURNS = manifest_of(3, files={"model.onnx": MODEL}, parent="PETR4.SA@v1", method="dynamic-int8")
PRICES = price_manifest(3)


def decoded(content: bytes, version: int = 3) -> Manifest:
    return decode_manifest(content, TICKER, version)


def changed(*path: str | int, to: object = ..., manifest: Manifest = RETURNS) -> bytes:
    """Encode with one value put in place of another, or left out."""
    document = json.loads(manifest.encode())
    place = document
    for key in path[:-1]:
        place = place[key]
    if to is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return json.dumps(document).encode()


@pytest.mark.parametrize("manifest", [RETURNS, PRICES], ids=["return", "price"])
def test_a_manifest_comes_back_as_it_was(manifest):
    content = manifest.encode()
    assert decoded(content) == manifest
    assert decoded(content).encode() == content


def test_it_is_json_that_people_can_read():
    lines = RETURNS.encode().decode().splitlines()
    assert lines[:4] == [
        "{",
        f'  "format": {FORMAT},',
        f'  "ticker": "{TICKER}",',
        '  "version": 3,',
    ]
    assert RETURNS.encode().endswith(b"}\n")


def test_identity_and_scaling():
    assert RETURNS.id == "PETR4.SA@v3"
    assert RETURNS.scaling is RETURNS.anchor
    assert PRICES.scaling is PRICES.prices


@pytest.mark.parametrize(
    "manifest",
    [replace(RETURNS, anchor=None, prices=PRICES.prices), replace(PRICES, prices=None)],
    ids=["return", "price"],
)
def test_a_manifest_without_the_scaling_that_its_target_calls_for(manifest):
    with pytest.raises(ArtifactCorruptError, match=r"PETR4.SA@v3 has no scaling numbers"):
        _ = decoded(manifest.encode()).scaling


def test_keys_of_later_programs_are_passed_over():
    content = changed("note", to={"anything": [1, None, "ü"]})
    assert decoded(content) == RETURNS


@pytest.mark.parametrize(
    "path",
    [
        *(("method",), ("parent",), ("environment",), ("input_ranges",), ("config", "seed")),
        ("learned_before",),
    ],
)
def test_what_has_a_default_may_be_left_out(path):
    assert decoded(changed(*path)).id == RETURNS.id


@pytest.mark.parametrize(
    "path",
    [
        ("format",),
        ("ticker",),
        ("version",),
        ("created",),
        ("config",),
        ("config", "target"),
        ("anchor", "anchor", "decay"),
        ("anchor", "features", 1, "spread"),
        ("baselines",),
        ("mase_scale",),
        ("splits", "test_start"),
        ("data", "sha256"),
        ("training", "best_epoch"),
        ("evaluation", "point", "dm_p"),
        ("evaluation", "distribution", "coverage", 0, "level"),
        ("files", "model.onnx", "size"),
    ],
    ids=str,
)
def test_a_missing_field(path):
    with pytest.raises(ArtifactCorruptError, match=r"PETR4.SA@v3 is damaged: its manifest cannot"):
        decoded(changed(*path))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), "1"),
        (("format",), None),
        (("format",), 1.5),
        (("format",), True),
        (("version",), "3"),
        (("ticker",), 7),
        (("parent",), 7),
        (("config", "hidden_size"), "50"),
        (("config", "hidden_size"), 50.5),
        (("config", "dropout"), None),
        (("anchor", "features", 1, "center"), "NaN"),
        (("anchor", "anchor", "floor"), [0.1]),
        (("baselines", "ewma", "quantiles"), [0.1, "x"]),
        (("mase_scale",), None),
        (("data", "sources"), "csv"),
        (("training", "epochs"), 3.5),
        (("evaluation", "point", "rmse"), None),
        (("environment",), ["python"]),
        (("files", "model.onnx"), "hash"),
        (("files", "model.onnx", "size"), "123"),
    ],
    ids=str,
)
def test_a_value_of_the_wrong_type(path, value):
    with pytest.raises(ArtifactCorruptError, match="its manifest cannot be read") as caught:
        decoded(changed(*path, to=value))
    assert caught.value.hint.startswith("stocklstm validate --ticker PETR4.SA")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_size", 0),
        ("seq_length", 1),
        ("horizon", 0),
        ("features", []),
        ("features", ["close", "moon"]),
        ("dropout", 1.0),
        ("learning_rate", 0),
        ("target", "dividend"),
        ("loss", "mse"),
        ("optimizer", "lbfgs"),
        ("test_fraction", 0.95),
        ("scale_high", -1),
    ],
)
def test_settings_outside_their_limits(name, value):
    with pytest.raises(ArtifactCorruptError, match="its manifest cannot be read") as caught:
        decoded(changed("config", name, to=value))
    assert name.split("_")[0] in caught.value.message


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \n",
        b"null",
        b"[]",
        b'"manifest"',
        b"1",
        b"{",
        b"{}",
        b"\x00" * 500,
        b"PK\x03\x04",
        b"\xff\xfe{\x00}\x00",
        b'{"format": 1e999}',
        b'{"format": NaN}',
        b'{"format": 2, "x": ' + b"[" * 200_000,
        b'{"format": 3, "x": ' + b"[" * 200_000,
        b'{"format": 1}',
        b'{"format": 1, "config": []}',
        b'{"format": 2, "config": {"features": 1, "target": "price"}}',
        RETURNS.encode() + b"{}",
        RETURNS.encode().replace(b"pinball", b"pin\xffball"),
        RETURNS.encode().replace(b"PETR4.SA@v1", b"PETR4\\ud800"),
        RETURNS.encode().replace(b'"rmse":', b'"rmse": NaN, "_":'),
    ],
    ids=lambda content: ascii(content[:20]),
)
def test_what_is_no_manifest(content):
    with pytest.raises(ArtifactCorruptError, match=r"PETR4.SA@v3 is damaged"):
        decoded(content)


def test_a_truncated_manifest():
    content = RETURNS.encode().rstrip()
    for kept in range(0, len(content), 97):
        with pytest.raises(ArtifactCorruptError):
            decoded(content[:kept])


@pytest.mark.parametrize("number", [FORMAT + 1, 0, -1, 10**30])
def test_another_format(number):
    with pytest.raises(
        ArtifactVersionError, match=rf"format {number}; this stocklstm reads 1 to {FORMAT}"
    ):
        decoded(changed("format", to=number))


def test_another_format_may_look_entirely_different():
    with pytest.raises(ArtifactVersionError) as caught:
        decoded(b'{"weights": {}, "format": %d}' % (FORMAT + 1))
    assert "pip install --upgrade" in caught.value.hint


@pytest.mark.parametrize(("ticker", "version"), [(TICKER, 2), ("VALE3.SA", 3), ("PETR4", 3)])
def test_the_manifest_of_another_version(ticker, version):
    with pytest.raises(ArtifactCorruptError, match=r"belongs to 'PETR4.SA@v3'"):
        decode_manifest(RETURNS.encode(), ticker, version)


@pytest.mark.parametrize(
    "name",
    [
        "../v1/model.onnx",
        "/etc/hostname",
        "a/b",
        "a\\b",
        "..",
        ".",
        "",
        "a\0b",
        ".hidden",
        "é",
        "a\n",
    ],
)
def test_a_file_that_lies_elsewhere(name):
    files = {"model.onnx": {"sha256": "0" * 64, "size": 1}, name: {"sha256": "0" * 64, "size": 1}}
    with pytest.raises(ArtifactCorruptError, match="which is not a file name"):
        decoded(changed("files", to=files))


# Whatever the numbers are

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
GRID = st.tuples(*[NUMBERS] * 15)
NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}", fullmatch=True)
FILES = st.dictionaries(
    NAMES,
    st.builds(
        FileRecord,
        sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
        size=st.integers(0, 2**53),
    ),
    max_size=4,
)
VOLATILITY = st.builds(VolatilityAnchor, st.sampled_from(["range", "returns"]), NUMBERS, NUMBERS)
FEATURE_SCALES = st.lists(
    st.builds(FeatureScale, st.sampled_from(FEATURES), NUMBERS, NUMBERS, NUMBERS), min_size=1
).map(tuple)
HORIZONS = st.integers(1, 250)
ANCHORS = st.builds(AnchorScaling, VOLATILITY, FEATURE_SCALES, HORIZONS)
SCALINGS = st.builds(
    PriceScaling,
    *[NUMBERS] * 4,
    FEATURE_SCALES,
    st.none() | VOLATILITY,
    st.just(()) | GRID,
    HORIZONS,
)


@settings(deadline=None)
@given(
    anchor=ANCHORS,
    quantiles=GRID,
    scale=NUMBERS,
    loss=NUMBERS,
    files=FILES,
    sources=st.lists(st.text(), max_size=3).map(tuple),
    learning_rate=st.floats(1e-12, 1e12),
    seed=st.integers(0, 2**63 - 1),
)
def test_every_number_that_forecasts_come_from_round_trips(
    *, anchor, quantiles, scale, loss, files, sources, learning_rate, seed
):
    manifest = manifest_of(
        3,
        config=configure("calibrated", learning_rate=learning_rate, seed=seed),
        anchor=anchor,
        baselines=Baselines(
            EwmaBaseline(quantiles, VolatilityAnchor("returns", 0.94, 0.001)), scale, loss, scale
        ),
        mase_scale=scale,
        training=replace(RETURNS.training, best_val_loss=loss),
        data=replace(RETURNS.data, sources=sources),
        files=files,
    )
    assert decoded(manifest.encode()) == manifest


@settings(deadline=None)
@given(scaling=SCALINGS, seconds=NUMBERS)
def test_price_scalings_round_trip(scaling, seconds):
    manifest = replace(PRICES, prices=scaling, training=replace(PRICES.training, seconds=seconds))
    assert decoded(manifest.encode()) == manifest


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_manifest_are_called_damaged(content):
    with pytest.raises(ArtifactCorruptError):
        decoded(content)


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_a_flipped_byte_gives_a_manifest_or_an_error_in_words(data):
    content = bytearray(RETURNS.encode())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    try:
        assert decoded(bytes(content)).id == RETURNS.id
    except (ArtifactCorruptError, ArtifactVersionError) as error:
        assert error.message.startswith("PETR4.SA@v3")  # noqa: PT017 - either is right
