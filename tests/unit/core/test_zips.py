"""Archives whose directory lies about its members."""

import zipfile
from pathlib import Path

import pytest

from stocklstm.core.zips import open_archive, read_member


def _read(path: Path) -> bytes:
    with path.open("rb") as file, open_archive(file) as archive:
        return read_member(archive, archive.getinfo("member"), len(b"content"))


@pytest.mark.parametrize("shift", [1, 40])
def test_a_member_that_lies_before_the_archive_is_refused(tmp_path: Path, shift: int) -> None:
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("member", b"content")
    assert _read(path) == b"content"
    content = bytearray(path.read_bytes())
    # The end says where the directory begins: members are looked for by what that is off.
    place = len(content) - 6
    begin = int.from_bytes(content[place : place + 4], "little")
    content[place : place + 4] = (begin + shift).to_bytes(4, "little")
    path.write_bytes(content)

    with pytest.raises(ValueError, match="archive"):
        _read(path)
