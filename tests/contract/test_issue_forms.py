"""The forms for issues are ones that GitHub takes, and ask for what a maintainer needs."""

from pathlib import Path

import pytest
import yaml

from tests.support.places import ROOT

FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
KINDS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


@pytest.mark.parametrize("path", [form for form in FORMS if form.stem != "config"], ids=str)
def test_a_form_is_one_that_github_takes(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))

    assert form.keys() == {"name", "description", "labels", "body"}
    assert {field["type"] for field in form["body"]} <= KINDS
    asked = [field for field in form["body"] if field["type"] != "markdown"]
    names = [field["id"] for field in asked]
    assert len(set(names)) == len(names)
    assert all(field["attributes"]["label"] for field in asked)
    assert any(field.get("validations", {}).get("required") for field in asked)


def test_there_is_a_form_for_each_that_contributing_speaks_of() -> None:
    assert [form.stem for form in FORMS] == ["bug", "config", "price-file", "question"]
