"""models list where not all is well."""

import json
import shutil

from stocklstm.store.store import Store
from tests.conftest import TICKER, Cli


def test_one_bad_version_hides_no_other(cli: Cli, versions: Store) -> None:
    (versions.paths.version(TICKER, 1) / "manifest.json").write_text("{}")
    shutil.rmtree(versions.paths.version(TICKER, 2))
    outcome = cli("models", "list", "--json")
    assert outcome.code == 5
    document = json.loads(outcome.out)
    assert [model["version"] for model in document["models"]] == [3, 4]
    assert [model["aliases"] for model in document["models"]] == [["previous"], ["champion"]]
    assert [error["code"] for error in document["errors"]] == [5, 5]
