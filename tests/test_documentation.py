"""The documentation: a site that builds without a warning, and a newcomer's path that is told alike everywhere."""

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from kb.settings import ROOT

MKDOCS = str(Path(sys.executable).with_name("mkdocs"))
FIRST_COMMANDS = "```bash\nmake demo\nmake test\n```"


def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = [MKDOCS, "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    for page in tmp_path.rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        assert not re.search(r'<(?:script|img|link rel="stylesheet")[^>]+(?:src|href)="https?://', html), page.name


@pytest.mark.parametrize("layer", ["kb", "ingest", "models", "rag", "api"])
def test_the_design_says_what_every_module_is_for(layer: str) -> None:
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    rooms = re.split(r"^##+ ", design[design.index(f"### `{layer}/`") + 3 :], maxsplit=1, flags=re.MULTILINE)[0]
    named = set(re.findall(r"[\w*]+\.py", rooms))
    modules = {file.name for folder in (layer, f"{layer}/mojibake") for file in (ROOT / folder).glob("*.py")}
    new = {module for module in modules - {"__init__.py"} if not any(fnmatch(module, name) for name in named)}
    gone = {name for name in named if not any(fnmatch(module, name) for module in modules)}
    assert not new, f"say in docs/design.md what they are for, below {layer}/"
    assert not gone, f"take them out of docs/design.md, below {layer}/"


def test_every_page_is_in_the_menu() -> None:
    menu = set(re.findall(r"[\w-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    assert menu == {page.name for page in (ROOT / "docs").glob("*.md")}, "name every page in mkdocs.yml"


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_what_a_readme_points_to_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text.index(FIRST_COMMANDS) == text.index("```")
    for target in re.findall(r"\]\(([^)#:]+)", text):
        assert (ROOT / target).exists(), target


def test_a_newcomers_commands_are_the_same_everywhere() -> None:
    told = [
        re.findall(r"^(?:printf|curl).*$|^client = .*$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
        for page in ("README.md", "README.zh-CN.md", "docs/index.md")
    ]
    assert len(told[0]) == 4
    assert told[0] == told[1] == told[2]
