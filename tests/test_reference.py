"""The generated reference pages say what the program says."""

import re
from pathlib import Path

import pytest

from api.options import SETTING_FLAGS
from api.reference import pages
from kb.settings import ROOT, Settings

DOCS = sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("path", pages(), ids=str)
def test_a_page_is_as_the_code_would_write_it(path: Path) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == pages()[path], "run `make docs`"


def test_every_flag_of_a_setting_is_a_setting() -> None:
    assert set(SETTING_FLAGS) <= set(Settings.model_fields)


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_a_readme_names_only_settings_that_there_are(readme: str) -> None:
    named = set(re.findall(r"GUIDE_([A-Z_]+[A-Z])", (ROOT / readme).read_text(encoding="utf-8")))
    assert named
    assert named <= {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md", *(f"docs/{path.name}" for path in DOCS)])
def test_every_link_to_a_file_leads_to_one(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []
