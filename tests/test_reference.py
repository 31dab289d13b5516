"""The generated reference pages say what the program says."""

from pathlib import Path

import pytest

from api.options import SETTING_FLAGS
from api.reference import pages
from kb.settings import ROOT, Settings


@pytest.mark.parametrize("path", pages(), ids=str)
def test_a_page_is_as_the_code_would_write_it(path: Path) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == pages()[path], "run `make docs`"


def test_every_flag_of_a_setting_is_a_setting() -> None:
    assert set(SETTING_FLAGS) <= set(Settings.model_fields)


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_a_readme_names_only_settings_that_there_are(readme: str) -> None:
    import re

    named = set(re.findall(r"GUIDE_([A-Z_]+[A-Z])", (ROOT / readme).read_text(encoding="utf-8")))
    assert named
    assert named <= {name.upper() for name in Settings.model_fields}
