"""Versions have numbers that are never given twice, and are read whole or not at all."""

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from stocklstm.core.reference import ModelReference
from stocklstm.errors import (
    ArtifactCorruptError,
    ArtifactVersionError,
    ConfigError,
    NoModelError,
    SchemaError,
    StorageError,
)
from stocklstm.store.aliases import AliasChange
from stocklstm.store.manifest import FILE_NAME, FORMAT
from tests.support.store_samples import (
    FILES,
    LATER,
    NOON,
    TICKER,
    directory_of,
    entry_of,
    names_in,
    promote,
    publish,
    resolve,
)
from tests.support.tampering import replace_manifest

NOT_PUBLISHED = r"manifest.json is not the file that was published \(sha256\)"


# Numbers


def test_versions_ascend_as_numbers(registry):
    made = [publish(registry, files={}).version for _ in range(11)]
    assert made == registry.versions(TICKER) == list(range(1, 12))


def test_a_number_is_never_given_again(registry):
    for _ in range(3):
        publish(registry)
    # None of them was ever pointed at, nor forecast.
    shutil.rmtree(directory_of(registry))
    assert publish(registry).version == 4
    assert registry.versions(TICKER) == [1, 2, 3, 4]


def test_a_directory_left_by_a_killed_process_is_not_seen_and_its_number_not_used(registry):
    publish(registry)
    shutil.copytree(directory_of(registry, 1), directory_of(registry, 2))
    assert registry.versions(TICKER) == [1]
    with pytest.raises(NoModelError, match=r"there is no PETR4\.SA@v2"):
        resolve(registry, f"{TICKER}@v2")
    assert publish(registry).version == 3
    assert registry.versions(TICKER) == [1, 3]


def test_the_number_of_a_version_that_forecast_is_never_given_again(registry, store):
    publish(registry)
    store.ledger.record(entry_of(version=1))
    shutil.rmtree(directory_of(registry, 1))
    # The ledger alone remembers it.
    registry.connection.execute("DELETE FROM versions")
    assert publish(registry).version == 2


@pytest.mark.parametrize("table", ["versions", "alias_log"])
def test_what_any_table_remembers_of_a_number_counts(registry, table):
    publish(registry, promotion="first")
    publish(registry, promotion="second")
    shutil.rmtree(directory_of(registry))
    for other in {"versions", "alias_log"} - {table}:
        registry.connection.execute(f"DELETE FROM {other}")  # noqa: S608 - fixed names
    assert publish(registry).version == 3


def test_the_numbers_of_directories_that_were_never_published_are_passed_over(registry):
    publish(registry)
    for number in (2, 3, 5):
        directory_of(registry, number).mkdir()
    directory_of(registry, 7).symlink_to("nowhere")
    directory_of(registry, 8).write_text("")
    # Whatever has the numbers in between may have been a version that another database listed.
    assert publish(registry).version == 9
    assert publish(registry).version == 10
    assert registry.versions(TICKER) == [1, 9, 10]
    assert names_in(directory_of(registry, 2)) == []


def test_a_number_that_is_none(registry):
    registry.connection.execute("DROP TABLE forecasts")
    registry.connection.execute("CREATE TABLE forecasts (ticker, version)")
    registry.connection.execute("INSERT INTO forecasts VALUES (?, x'ff41')", (TICKER,))
    with pytest.raises(SchemaError, match="is damaged"):
        publish(registry)
    assert registry.versions(TICKER) == []
    assert names_in(directory_of(registry)) == []


def test_numbers_of_one_ticker_do_not_count_for_another(registry):
    publish(registry)
    promote(registry, 1)
    assert publish(registry, "VALE3.SA").version == 1
    assert registry.tickers() == [TICKER, "VALE3.SA"]


@pytest.mark.parametrize(
    "name", ["v0", "v01", "v", "V2", "v2.bak", "v-2", "v\u0663", "v1e3", "v9999999999", ".draft-v2"]
)
def test_a_directory_of_another_name_is_no_version(registry, name):
    publish(registry)
    (directory_of(registry) / name).mkdir()
    assert registry.versions(TICKER) == [1]
    assert publish(registry).version == 2


def test_only_tickers_with_versions_are_listed(registry):
    publish(registry)
    models = registry.paths.models
    for strange in ("EMPTY", "DRAFTED/.draft-0", "OTHER/data", "FOREIGN/v0"):
        (models / strange).mkdir(parents=True)
    for file in ("README.txt", ".DS_Store", "v1", "OTHER/v"):
        (models / file).write_text("not ours")
    assert registry.tickers() == [TICKER]


def test_an_empty_store_has_no_models(registry):
    assert registry.tickers() == []
    assert registry.versions(TICKER) == []


# Reading


def test_references(registry):
    publish(registry)
    publish(registry)
    promote(registry, 1)
    assert resolve(registry, TICKER) == 1
    assert resolve(registry, f"{TICKER}@champion") == 1
    assert resolve(registry, f"{TICKER}@v2") == 2


@pytest.mark.parametrize("text", ["@v3", "@champion", "@previous", "@mine", ""])
def test_a_reference_to_nothing_lists_what_there_is(registry, text):
    publish(registry)
    publish(registry)
    with pytest.raises(NoModelError, match=r"PETR4.SA has v1, v2") as caught:
        resolve(registry, TICKER + text)
    assert caught.value.hint == "stocklstm models list --ticker PETR4.SA"


def test_a_ticker_without_models_says_how_to_get_one(registry):
    with pytest.raises(NoModelError, match=r"there is no model of VALE3\.SA") as caught:
        registry.resolve(ModelReference("VALE3.SA"))
    assert caught.value.hint == "stocklstm train --ticker VALE3.SA"


def test_an_alias_of_a_version_that_is_gone_is_damage(registry):
    publish(registry)
    publish(registry, promotion="better")
    shutil.rmtree(directory_of(registry, 2))
    assert resolve(registry, TICKER) == 2
    with pytest.raises(ArtifactCorruptError, match=r"v2 is damaged: manifest\.json is missing"):
        registry.manifest(TICKER, 2)


def test_an_alias_of_a_version_that_is_not_listed(registry):
    publish(registry)
    publish(registry, promotion="better")
    registry.connection.execute("DELETE FROM versions WHERE version = 2")
    with pytest.raises(NoModelError, match=r"no PETR4.SA@champion; PETR4.SA has v1"):
        resolve(registry, TICKER)


def test_directories_copied_to_another_ticker_are_not_seen(registry):
    publish(registry)
    shutil.copytree(directory_of(registry), directory_of(registry, ticker="VALE3.SA"))
    assert registry.tickers() == [TICKER]
    assert registry.versions("VALE3.SA") == []
    with pytest.raises(NoModelError, match=r"there is no model of VALE3\.SA"):
        resolve(registry, "VALE3.SA")
    with pytest.raises(NoModelError, match=r"there is no VALE3\.SA@v1"):
        registry.manifest("VALE3.SA", 1)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file(registry, name):
    made = publish(registry)
    (directory_of(registry, 1) / name).unlink()
    with pytest.raises(ArtifactCorruptError, match=rf"PETR4.SA@v1 is damaged: {name} is missing"):
        registry.read_file(made, name)


@pytest.mark.parametrize("change", [slice(0, -1), slice(0, 0), slice(1, None), slice(0, 512)])
def test_a_truncated_file(registry, change):
    made = publish(registry)
    path = directory_of(registry, 1) / "model.onnx"
    path.write_bytes(path.read_bytes()[change])
    with pytest.raises(ArtifactCorruptError, match=r"model.onnx has \d+ bytes, not 1024"):
        registry.read_file(made, "model.onnx")


@pytest.mark.parametrize("name", sorted(FILES))
def test_an_extended_file(registry, name):
    made = publish(registry)
    path = directory_of(registry, 1) / name
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ArtifactCorruptError, match=rf"{name} has \d+ bytes, more than"):
        registry.read_file(made, name)


def test_one_flipped_bit_anywhere(registry):
    made = publish(registry)
    path = directory_of(registry, 1) / "model.onnx"
    content = path.read_bytes()
    for place in [*range(0, len(content), 61), len(content) - 1]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(ArtifactCorruptError, match=r"not the file that was published \(sha256"):
            registry.read_file(made, "model.onnx")
    path.write_bytes(content)
    assert registry.read_file(made, "model.onnx") == content


@pytest.mark.parametrize("name", ["notes.txt", FILE_NAME, "../v1/model.onnx", ""])
def test_a_file_that_the_manifest_does_not_list(registry, name):
    made = publish(registry)
    (directory_of(registry, 1) / "notes.txt").write_text("mine")
    with pytest.raises(ArtifactCorruptError, match="its manifest does not list"):
        registry.read_file(made, name)


def test_unlisted_files_are_named(registry):
    made = publish(registry)
    (directory_of(registry, 1) / "notes.txt").write_text("mine")
    (directory_of(registry, 1) / ".hidden").mkdir()
    assert registry.unlisted_files(made) == [".hidden", "notes.txt"]


def test_a_directory_in_place_of_a_file(registry):
    made = publish(registry)
    path = directory_of(registry, 1) / "model.onnx"
    path.unlink()
    path.mkdir()
    with pytest.raises(ArtifactCorruptError, match=r"model.onnx is missing"):
        registry.read_file(made, "model.onnx")


def test_a_file_in_place_of_a_version(registry):
    publish(registry)
    shutil.rmtree(directory_of(registry, 1))
    directory_of(registry, 1).write_text("in the way")
    with pytest.raises(ArtifactCorruptError, match=r"PETR4.SA@v1 is damaged: manifest.json is mis"):
        registry.manifest(TICKER, 1)
    assert publish(registry).version == 2


def test_a_version_without_a_manifest(registry):
    publish(registry)
    (directory_of(registry, 1) / FILE_NAME).unlink()
    with pytest.raises(ArtifactCorruptError, match=r"manifest.json is missing"):
        registry.manifest(TICKER, 1)


def swap(first: Path, second: Path) -> None:
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)


def test_the_manifest_of_another_version_or_ticker(registry):
    places = [(TICKER, 1), (TICKER, 2), ("VALE3.SA", 1)]
    paths = [directory_of(registry, number, ticker) / FILE_NAME for ticker, number in places]
    made = [publish(registry, ticker) for ticker, _ in places]
    for one, two in ((0, 1), (0, 2), (1, 2)):
        swap(paths[one], paths[two])
        for place in (one, two):
            with pytest.raises(ArtifactCorruptError, match=NOT_PUBLISHED) as caught:
                registry.manifest(*places[place])
            assert caught.value.message.startswith(f"{made[place].id} is damaged")
        swap(paths[one], paths[two])
        assert [registry.manifest(*place) for place in places] == made


@pytest.mark.parametrize(("ticker", "version"), [(TICKER, 2), ("VALE3.SA", 1)])
def test_the_manifest_of_another_version_with_its_record(registry, ticker, version):
    """Whoever changes the database too is found out by what the manifest says of itself."""
    publish(registry)
    publish(registry, ticker)
    text = (directory_of(registry, 1) / FILE_NAME).read_text()
    replace_manifest(directory_of(registry, version, ticker), text)
    with pytest.raises(ArtifactCorruptError, match=r"its manifest belongs to 'PETR4.SA@v1'"):
        registry.manifest(ticker, version)


@pytest.mark.parametrize("parent", ["PETR4.SA@v2", "PETR4.SA@v1", "PETR4.SA@v9", "no name"])
def test_whoever_makes_versions_each_others_parents_keeps_nobody_waiting(registry, parent):
    for version in (1, 2):
        publish(registry)
        path = directory_of(registry, version)
        text = json.dumps(json.loads((path / FILE_NAME).read_text()) | {"parent": parent})
        replace_manifest(path, text)

    assert registry.trained_from(registry.manifest(TICKER, 2)).version == (
        1 if parent == "PETR4.SA@v1" else 2
    )


def test_the_directories_of_two_versions_changed_places(registry):
    publish(registry)
    publish(registry, files={"model.onnx": b"another"})
    directory_of(registry, 1).rename(directory_of(registry, 9))
    directory_of(registry, 2).rename(directory_of(registry, 1))
    directory_of(registry, 9).rename(directory_of(registry, 2))
    for version in (1, 2):
        with pytest.raises(ArtifactCorruptError, match=NOT_PUBLISHED):
            registry.manifest(TICKER, version)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:-1],
        lambda _: b"",
        lambda content: content + b"\n",
        lambda content: json.dumps(json.loads(content)).encode(),
        lambda content: content.replace(b'"format": %d' % FORMAT, b'"format": %d' % (FORMAT + 1)),
    ],
    ids=["truncated", "empty", "a-line-more", "same-meaning", "newer-format"],
)
def test_a_manifest_that_is_not_the_very_one(registry, change):
    publish(registry)
    path = directory_of(registry, 1) / FILE_NAME
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ArtifactCorruptError, match=NOT_PUBLISHED):
        registry.manifest(TICKER, 1)


def test_what_the_database_knows_of_a_version(registry):
    publish(registry)
    content = (directory_of(registry, 1) / FILE_NAME).read_bytes()
    assert registry.connection.execute("SELECT * FROM versions").fetchall() == [
        (TICKER, 1, hashlib.sha256(content).hexdigest(), NOON, None)
    ]


def test_one_flipped_bit_of_the_manifest(registry):
    made = publish(registry)
    path = directory_of(registry, 1) / FILE_NAME
    content = path.read_bytes()
    for place in [*range(0, len(content), 7), len(content) - 1]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(ArtifactCorruptError, match=r"not the file that was published \(sha256"):
            registry.manifest(TICKER, 1)
    path.write_bytes(content)
    assert registry.manifest(TICKER, 1) == made


def test_a_version_of_a_newer_program(registry):
    publish(registry)
    text = (directory_of(registry, 1) / FILE_NAME).read_text()
    replace_manifest(
        directory_of(registry, 1), text.replace(f'"format": {FORMAT}', f'"format": {FORMAT + 1}')
    )
    with pytest.raises(
        ArtifactVersionError, match=rf"PETR4.SA@v1 has manifest format {FORMAT + 1}"
    ):
        registry.manifest(TICKER, 1)


@pytest.mark.parametrize(
    ("number", "expected"), [(errno.EIO, StorageError), (errno.EACCES, ConfigError)]
)
def test_a_disk_that_cannot_be_read(registry, monkeypatch, number, expected):
    made = publish(registry)

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(expected, match=r"cannot read model.onnx"):
        registry.read_file(made, "model.onnx")
    with pytest.raises(expected, match=r"cannot read manifest.json"):
        registry.manifest(TICKER, 1)
    monkeypatch.setattr(Path, "iterdir", refuse)
    # What there is stands in the database.
    assert (registry.tickers(), registry.versions(TICKER)) == ([TICKER], [1])
    with pytest.raises(expected, match="cannot read the model"):
        registry.unlisted_files(made)


# Aliases


def test_champion_and_previous(registry):
    assert registry.aliases.of(TICKER) == {}
    for version in (1, 2, 3):
        publish(registry)
        promote(registry, version)
    assert registry.aliases.of(TICKER) == {"champion": 3, "previous": 2}
    assert (resolve(registry, TICKER), resolve(registry, f"{TICKER}@previous")) == (3, 2)
    promote(registry, 2)
    assert registry.aliases.of(TICKER) == {"champion": 2, "previous": 3}
    assert registry.aliases.of("VALE3.SA") == {}


def test_every_change_is_logged(registry):
    publish(registry)
    publish(registry)
    promote(registry, 1, "there was no champion", NOON)
    promote(registry, 2, "better", LATER)
    assert registry.aliases.log(TICKER) == [
        AliasChange(NOON, "champion", 1, None, "there was no champion"),
        AliasChange(LATER, "previous", 1, None, "better"),
        AliasChange(LATER, "champion", 2, 1, "better"),
    ]
    assert registry.aliases.log("VALE3.SA") == []


def test_promoting_the_champion_changes_nothing(registry):
    publish(registry)
    promote(registry, 1)
    promote(registry, 1, "again", LATER)
    assert registry.aliases.of(TICKER) == {"champion": 1}
    assert len(registry.aliases.log(TICKER)) == 1


def test_an_error_while_promoting_changes_nothing(registry):
    publish(registry)
    promote(registry, 1)
    before = registry.aliases.of(TICKER), registry.aliases.log(TICKER)
    registry.connection.execute(
        "CREATE TEMP TRIGGER fail BEFORE INSERT ON main.aliases WHEN new.name = 'champion'"
        " BEGIN SELECT RAISE(ABORT, 'stop here'); END"
    )
    with pytest.raises(Exception, match="stop here"):
        promote(registry, 2)
    assert (registry.aliases.of(TICKER), registry.aliases.log(TICKER)) == before
