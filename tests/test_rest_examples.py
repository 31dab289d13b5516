"""The examples of docs/rest.md, run as they stand there."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kb.settings import ROOT
from tests.serving import running_guide

DOCUMENTED = "http://127.0.0.1:8000"
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", (ROOT / "docs" / "rest.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def url(spare_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over a copy of the guide, which the examples may change."""
    home = tmp_path_factory.mktemp("copy") / "home"
    shutil.copytree(spare_home, home)
    with running_guide(home) as url:
        yield url


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_the_examples_work_in_the_order_in_which_they_stand(url: str, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# 笔记\n\n自己的一份笔记。\n", encoding="gb18030")
    assert len(BLOCKS) > 5
    script = "\n".join(["set -e", *BLOCKS]).replace(DOCUMENTED, url).replace("curl -s", "curl -sS --fail-with-body")
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr
